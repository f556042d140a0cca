//! One drive's straight line: claimed → commanded → overwritten → examined. Each stage takes the one before by move and only it can
//! make its own, so that nothing unverified reaches a certificate as verified.

use super::{
    claim::ClaimError,
    commanded::{self, Commanded},
    facts::{Facts, command::CommandFacts},
    held::Held,
    observer::Watch,
    status::{Log, Message, Status},
    who,
};
use crate::{
    drive::{DataPlane, Geometry},
    engine::{
        extents::Ranges,
        pattern::{Pattern, StreamKey},
        sampling,
        sweep::{self, End, Limits, Mode},
    },
    journal::{
        Verify,
        event::{Event, JobId, Sweep},
    },
    plan::{Content, Target},
    random,
};
use mule_types::technique::Wanted;

/// What the stages of one job have in common.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub job: JobId,
    /// What the drive's own firmware is asked for before the passes.
    pub command: Option<Wanted>,
    pub passes: &'a [Content],
    pub verify: Verify,
    pub log: &'a Log,
    pub limits: Limits,
    /// Where the job goes on after an interruption: when the log last saw it running, and when it went on.
    pub interrupted: Option<(u64, u64)>,
}

impl Context<'_> {
    /// Nothing has happened yet to a drive of `capacity` bytes.
    pub(super) fn no_facts(&self, capacity: u64) -> Facts {
        Facts {
            command: self.command.map(|_| CommandFacts::default()),
            ..Facts::new(capacity, self.passes, self.verify)
        }
    }
}

/// A drive after its last pass, good or bad.
#[expect(missing_debug_implementations, reason = "holds an open data plane")]
pub struct Overwritten {
    target: Target,
    plane: Box<dyn DataPlane>,
    facts: Facts,
}

/// A drive whose part is over, with everything that is known about it. The only thing a certificate is made from.
#[derive(Debug)]
pub struct Examined {
    target: Target,
    facts: Facts,
}

impl Examined {
    pub fn target(&self) -> &Target {
        &self.target
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// A drive that could not be claimed: nothing was written to it in this run.
    pub(super) fn not_claimed(target: Target, error: &ClaimError, context: &Context<'_>) -> Self {
        let mut facts = begin(&target, context);
        fail(&mut facts, error.to_string());
        Self { target, facts }
    }
}

pub(super) fn begin(target: &Target, context: &Context<'_>) -> Facts {
    match target.history() {
        Some(history) => Facts::from_history(history, context.passes, context.verify, context.command.is_some()),
        None => Facts { hidden: target.hidden().cloned(), ..context.no_facts(target.drive().identity.bytes) },
    }
}

pub(super) fn fail(facts: &mut Facts, reason: String) {
    facts.failure.get_or_insert(reason);
}

/// The work of all sweeps in bytes.
pub fn total_work(geometry: &Geometry, command: Option<Wanted>, passes: usize, verify: Verify) -> u64 {
    let verified = match verify {
        Verify::Full => geometry.bytes(),
        Verify::Sampled => sampling::sample(geometry, [0; 32]).bytes(),
        Verify::None => 0,
    };
    let commanded = command.map_or(0, |_| commanded::work(geometry));
    commanded + geometry.bytes() * passes as u64 + verified
}

impl Overwritten {
    /// Runs every pass that is not finished yet.
    pub fn new(commanded: Commanded, context: &Context<'_>, status: &Status) -> Self {
        let Commanded { target, plane, facts } = commanded;
        let mut this = Self { target, plane, facts };
        let capacity = this.plane.geometry().bytes();
        let before = context.command.map_or(0, |_| commanded::work(&this.plane.geometry()));
        while this.facts.failure.is_none() {
            let Some((number, offset)) = this.facts.position() else { break };
            let done = before + capacity * number as u64 + offset;
            let writes = this.facts.passes[number].content;
            status.update(|shown| {
                shown.step = format!("pass {} of {}: {writes}", number + 1, context.passes.len());
                shown.done = done;
            });
            if let Err(reason) = this.pass(number, offset, context, status) {
                fail(&mut this.facts, reason);
            }
        }
        this
    }

    fn pass(&mut self, number: usize, offset: u64, context: &Context<'_>, status: &Status) -> Result<(), String> {
        let pass = &mut self.facts.passes[number];
        let sweep = Sweep::Pass(u8::try_from(number).map_err(|_| "too many passes")?);
        let now = context.log.now();
        let mut key = None;
        if pass.content == Content::Random {
            if offset == 0 {
                pass.key = StreamKey(random::bytes().map_err(|e| format!("no random key from the kernel: {e}"))?);
            }
            key = Some(pass.key.0);
        }
        if offset == 0 {
            pass.started = Some(now);
        }
        who::is_still(&*self.plane, self.target.drive())?;
        let started = Event::SweepStarted { job: context.job, slot: self.target.slot(), sweep, key };
        context.log.append(&started).map_err(|e| format!("the log could not be written: {e}"))?;
        context.log.tell(Message::Writing(self.target.drive().identity.serial.clone()));
        let mut all = Ranges::default();
        all.insert(offset, self.facts.capacity - offset);
        let mut watch = Watch::new(context, status, (&self.target, &*self.plane), sweep, self.facts.heat);
        let pattern = Pattern::new(pass.content, pass.key);
        let (found, end) = sweep::sweep(&mut *self.plane, Mode::Write, pattern, &all, context.limits, &mut watch);
        pass.bytes += found.bytes;
        pass.unwritable.extend(&found.unwritable);
        let stopped = watch.finish(&found, &end, pass.bytes);
        self.facts.heat = watch.heat;
        match end {
            End::Complete => {
                stopped?;
                pass.finished = Some(context.log.now());
                Ok(())
            }
            other => Err(describe(&other, context, &mut self.facts.stopped)),
        }
    }

    /// Reads back what the last pass wrote, as far as the job asks for it.
    pub fn verify(mut self, context: &Context<'_>, status: &Status) -> Examined {
        if self.facts.failure.is_none()
            && context.verify != Verify::None
            && let Err(reason) = self.read_back(context, status)
        {
            fail(&mut self.facts, reason);
        }
        if self.facts.failure.is_none() {
            match Held::at_last(&*self.plane, self.target.drive(), self.facts.held.as_ref()) {
                Ok(held) => self.facts.held = Some(held),
                Err(reason) => fail(&mut self.facts, reason),
            }
        }
        Examined { target: self.target, facts: self.facts }
    }

    fn read_back(&mut self, context: &Context<'_>, status: &Status) -> Result<(), String> {
        let (pattern, mode) = match (self.facts.passes.last(), &self.facts.command) {
            (Some(last), _) => (Pattern::new(last.content, last.key), Mode::Compare),
            (None, Some(command)) => (Pattern::Stream(command.key), Mode::Inspect),
            (None, None) => return Ok(()),
        };
        who::is_still(&*self.plane, self.target.drive())?;
        self.facts.verify.started = Some(context.log.now());
        self.facts.verify.seed = random::bytes().map_err(|e| format!("no random seed from the kernel: {e}"))?;
        let ranges = self.facts.verified_ranges(&self.plane.geometry());
        let verify = &mut self.facts.verify;
        verify.planned = ranges.bytes();
        let before = context.command.map_or(0, |_| commanded::work(&self.plane.geometry()));
        let done = before + self.facts.capacity * self.facts.passes.len() as u64;
        status.update(|shown| {
            shown.step = "verify".into();
            shown.done = done;
        });
        let (slot, sweep) = (self.target.slot(), Sweep::Verify);
        let started = Event::SweepStarted { job: context.job, slot, sweep, key: Some(verify.seed) };
        context.log.append(&started).map_err(|e| format!("the log could not be written: {e}"))?;
        let mut watch = Watch::new(context, status, (&self.target, &*self.plane), sweep, self.facts.heat);
        let (found, end) = sweep::sweep(&mut *self.plane, mode, pattern, &ranges, context.limits, &mut watch);
        verify.matched += found.bytes;
        verify.different.extend(&found.different);
        verify.unreadable.extend(&found.unreadable);
        if mode == Mode::Inspect && end == End::Complete {
            let (kinds, example) = (found.kinds.numbers(), found.kinds.example);
            let inspected = Event::Inspected { job: context.job, slot, kinds, example };
            context.log.append(&inspected).map_err(|e| format!("the log could not be written: {e}"))?;
        }
        let stopped = watch.finish(&found, &end, verify.matched);
        self.facts.heat = watch.heat;
        if let (Mode::Inspect, Some(command)) = (mode, &mut self.facts.command) {
            (command.looked, command.left, command.kinds) = (end == End::Complete, found.different, found.kinds);
            command.survived().map_or(Ok(()), Err)?;
        }
        match end {
            End::Complete => {
                stopped?;
                verify.finished = Some(context.log.now());
                self.facts.seen_again = ranges.common_bytes(&self.facts.unseen);
                Ok(())
            }
            other => Err(describe(&other, context, &mut self.facts.stopped)),
        }
    }
}

pub(super) fn describe(end: &End, context: &Context<'_>, stopped: &mut bool) -> String {
    match end {
        End::Complete => String::new(),
        End::Stopped => {
            *stopped = true;
            context.log.why_stopped()
        }
        End::Failed(error) => error.to_string(),
        End::TooManyBad => {
            let crate::engine::sweep::Limits { bad_places, bad_bytes, .. } = context.limits;
            format!("more than {bad_places} separate bad places, or {bad_bytes} bytes of them: the drive is failing")
        }
    }
}
