//! The stage before the passes: a drive is asked to erase itself, where the method says so. Known blocks are written and
//! read back before; whether they are gone is asked after, whatever the drive says.

mod discard;

use super::{
    claim::Claimed,
    facts::{Facts, Pause, command::CommandFacts},
    held::Held,
    observer::Watch,
    recheck,
    stages::{Context, begin, describe, fail},
    status::{Message, Status},
    who,
};
use crate::{
    ata::AtaDrive,
    discover::{Bus, Drive},
    drive::{DataPlane, Geometry},
    engine::{
        extents::Ranges,
        pattern::{Pattern, StreamKey},
        sampling,
        sweep::{self, End, Found, Mode},
    },
    firmware::{
        Name, NotRecorded, Watcher,
        erase::{self, Port},
        purge,
    },
    journal::{
        bounded::Text,
        event::{Event, Sweep},
    },
    plan::Target,
    random,
};
use mule_types::technique::{Technique, Wanted};
use std::{
    thread,
    time::{Duration, Instant},
};

/// A claimed drive after the command of the method, good or bad; at once where it has none.
#[expect(missing_debug_implementations, reason = "holds an open data plane")]
pub struct Commanded {
    pub(super) target: Target,
    pub(super) plane: Box<dyn DataPlane>,
    pub(super) facts: Facts,
}

/// Where markers are, by their key alone.
pub(super) fn places(geometry: &Geometry, key: StreamKey) -> Ranges {
    sampling::markers(geometry, blake3::derive_key("mule marker places 2026", &key.0))
}

/// The work of all that belongs to a command, in bytes; the command itself counts as one pass.
pub(super) fn work(geometry: &Geometry) -> u64 {
    geometry.bytes() + 3 * places(geometry, StreamKey([0; 32])).bytes()
}

/// What speaks to a drive that is claimed.
fn port(plane: &dyn DataPlane, drive: &Drive) -> Result<Port, String> {
    if let Some((controller, namespace)) = plane.admin() {
        return Ok(Port::Nvme(controller, namespace));
    }
    let commands = plane.commands().filter(|_| drive.bus != Bus::Nvme);
    let commands = commands.ok_or("the drive takes no such commands here; nothing was written to it")?;
    Ok(if drive.ata.is_some() { Port::Ata(AtaDrive::new(commands)) } else { Port::Scsi(commands) })
}

impl Commanded {
    /// Carries the method's command out, or goes on after it.
    pub fn new(claimed: Claimed, context: &Context<'_>, status: &Status) -> Self {
        let (target, plane) = claimed.into_parts();
        let mut facts = begin(&target, context);
        if let Some(command) = &mut facts.command {
            command.purge = command.technique.and_then(|technique| purge::source(technique, target.drive().medium()));
        }
        facts.held = Some(Held::ask(&*plane, target.drive()));
        let mut this = Self { target, plane, facts };
        this.go_on_or_begin_again(context, status);
        let Some(wanted) = context.command else { return this };
        if this.facts.failure.is_none() && this.command().finished.is_none() {
            this.or_fail(|this| this.carry_out(wanted, context, status));
        }
        // Without a pass, the verification looks for the markers while it reads everything.
        if this.facts.failure.is_none() && !context.passes.is_empty() && !this.command().looked {
            this.or_fail(|this| this.look_for_markers(context, status));
        }
        this
    }

    fn command(&mut self) -> &mut CommandFacts {
        self.facts.command.get_or_insert_default()
    }

    fn or_fail(&mut self, act: impl FnOnce(&mut Self) -> Result<(), String>) {
        if let Err(reason) = act(self) {
            fail(&mut self.facts, reason);
        }
    }

    /// After an interruption: whether the drive is as the log says, and where to go on.
    fn go_on_or_begin_again(&mut self, context: &Context<'_>, status: &Status) {
        let (Some(history), Some((last_seen, resumed))) = (self.target.history(), context.interrupted) else { return };
        let untouched = history.sweeps.is_empty();
        let passes_begun = self.facts.passes.first().is_some_and(|pass| pass.started.is_some());
        let commanded = context.command.is_some();
        let ended_before = self.facts.command.as_ref().is_some_and(|command| command.finished.is_some());
        let result = match self.facts.command.as_ref().and_then(|command| command.technique) {
            _ if passes_begun || !commanded => {
                recheck::unchanged(&mut *self.plane, &self.facts).map(|checked| match self.facts.position() {
                    Some((number, offset)) => {
                        format!("went on in pass {} at byte {offset}; {checked} bytes before it read again", number + 1)
                    }
                    None => format!("went on with the verification; {checked} bytes read again"),
                })
            }
            Some(_) if self.command().finished.is_some() => {
                Ok("went on after the command that the drive had completed".into())
            }
            Some(technique) => match self.find_at_work(technique, context, status) {
                Ok(true) => Ok("the drive was found at work and followed to its end".into()),
                Ok(false) => Err("the command had not ended when the machine stopped".into()),
                Err(reason) => return fail(&mut self.facts, reason),
            },
            None if untouched => Ok("nothing had been written".into()),
            None => Err("the command had not been sent when the machine stopped".into()),
        };
        let detail = match result {
            Ok(detail) => {
                self.facts.note_unseen(ended_before);
                if let Some(command) = &mut self.facts.command {
                    command.stopped_since |= ended_before;
                }
                detail
            }
            Err(why) => self.begin_again(&why, context),
        };
        self.facts.pauses.push(Pause { last_seen, resumed: Some(resumed), detail });
    }

    fn begin_again(&mut self, why: &str, context: &Context<'_>) -> String {
        let (pauses, hidden) = (std::mem::take(&mut self.facts.pauses), self.facts.hidden.take());
        let held = self.facts.held.take();
        self.facts = Facts { pauses, hidden, held, ..context.no_facts(self.facts.capacity) };
        let (job, slot) = (context.job, self.target.slot());
        if let Err(error) = context.log.append(&Event::DriveRestarted { job, slot, reason: Text::new(why) }) {
            fail(&mut self.facts, format!("the log could not be written: {error}"));
        }
        let first = if context.command.is_some() { "again" } else { "again with the first pass" };
        format!("began {first}: {why}")
    }

    /// A drive goes on sanitizing itself whatever happens to the machine.
    fn find_at_work(&mut self, technique: Technique, context: &Context<'_>, status: &Status) -> Result<bool, String> {
        if technique == Technique::Discard {
            return Ok(false);
        }
        let mut port = port(&*self.plane, self.target.drive())?;
        let mut beside = Beside::new(context, status, technique.name(), None, self.target.drive().identity.bytes);
        match erase::watch(&mut port, technique, &mut beside) {
            Ok(None) => Ok(false),
            Ok(Some(evidence)) => self.ended(evidence, context).map(|()| true),
            Err(failure) => {
                self.facts.stopped |= failure.stopped;
                Err(failure.why)
            }
        }
    }

    fn carry_out(&mut self, wanted: Wanted, context: &Context<'_>, status: &Status) -> Result<(), String> {
        let mut port = match wanted {
            Wanted::This(Technique::Discard) => None,
            _ => Some(port(&*self.plane, self.target.drive())?),
        };
        let chosen = match &mut port {
            Some(port) => erase::choose(port, wanted, self.target.drive().medium()),
            None => discard::choose(&*self.plane),
        };
        let chosen = chosen.map_err(|refusal| format!("{refusal}; nothing was written to the drive"))?;
        let technique = chosen.technique;
        self.mark(context, status)?;
        let capacity = self.plane.geometry().bytes();
        let mut beside = Beside::new(context, status, technique.name(), chosen.estimate, capacity);
        // A command cannot be taken back, and another drive may have taken the place since the markers were read.
        who::is_still(&*self.plane, self.target.drive())?;
        let (job, slot) = (context.job, self.target.slot());
        let started = Event::CommandStarted { job, slot, technique: Text::new(technique.name()) };
        context.log.append(&started).map_err(|e| format!("the log could not be written: {e}"))?;
        let now = context.log.now();
        let command = self.command();
        (command.technique, command.purge, command.started) = (Some(technique), chosen.purge, Some(now));
        let done = match &mut port {
            Some(port) => erase::perform(port, technique, &mut beside),
            None => discard::carry_out(&mut *self.plane, &mut beside),
        };
        match done {
            Ok(evidence) => self.ended(evidence, context),
            Err(failure) => {
                self.facts.stopped |= failure.stopped;
                Err(failure.why)
            }
        }
    }

    fn ended(&mut self, evidence: erase::Evidence, context: &Context<'_>) -> Result<(), String> {
        let (job, slot) = (context.job, self.target.slot());
        let ended = Event::CommandEnded { job, slot, evidence: Text::new(evidence.name()) };
        context.log.append(&ended).map_err(|e| format!("the log could not be written: {e}"))?;
        let now = context.log.now();
        let command = self.command();
        (command.evidence, command.finished) = (Some(evidence), Some(now));
        Ok(())
    }

    /// Puts the markers on the drive and reads them back: what was never there cannot be shown to be gone.
    fn mark(&mut self, context: &Context<'_>, status: &Status) -> Result<(), String> {
        let key = StreamKey(random::bytes().map_err(|e| format!("no random key from the kernel: {e}"))?);
        self.command().key = key;
        context.log.tell(Message::Writing(self.target.drive().identity.serial.clone()));
        let (_, end) = self.sweep(Sweep::MarkersWritten, Mode::Write, context, status)?;
        self.whole(&end, context)?;
        let (read, end) = self.sweep(Sweep::MarkersRead, Mode::Compare, context, status)?;
        self.whole(&end, context)?;
        self.command().marked = read.bytes;
        match read.different.bytes() {
            0 => Ok(()),
            lost => Err(format!("{lost} bytes of markers did not stay as they were written: no command was sent")),
        }
    }

    fn look_for_markers(&mut self, context: &Context<'_>, status: &Status) -> Result<(), String> {
        let (found, end) = self.sweep(Sweep::MarkersGone, Mode::Inspect, context, status)?;
        let command = self.command();
        (command.looked, command.left) = (end == End::Complete, found.different);
        command.survived().map_or(Ok(()), Err)?;
        self.whole(&end, context)
    }

    fn whole(&mut self, end: &End, context: &Context<'_>) -> Result<(), String> {
        match end {
            End::Complete => Ok(()),
            other => Err(describe(other, context, &mut self.facts.stopped)),
        }
    }

    fn sweep(
        &mut self,
        sweep: Sweep,
        mode: Mode,
        context: &Context<'_>,
        status: &Status,
    ) -> Result<(Found, End), String> {
        let key = self.command().key;
        let places = places(&self.plane.geometry(), key);
        let (job, slot) = (context.job, self.target.slot());
        status.update(|shown| {
            shown.step = match mode {
                Mode::Write => "markers: write",
                Mode::Compare => "markers: read",
                Mode::Inspect => "markers: gone?",
            }
            .into();
        });
        let started = Event::SweepStarted { job, slot, sweep, key: Some(key.0) };
        context.log.append(&started).map_err(|e| format!("the log could not be written: {e}"))?;
        let mut watch = Watch::new(context, status, (&self.target, &*self.plane), sweep, self.facts.heat);
        let (found, end) =
            sweep::sweep(&mut *self.plane, mode, Pattern::Stream(key), &places, context.limits, &mut watch);
        let logged = watch.finish(&found, &end, found.bytes);
        self.facts.heat = watch.heat;
        logged.map(|()| (found, end))
    }
}

/// Stands beside a command: keeps the record of the password, shows how far the drive is.
struct Beside<'a> {
    context: &'a Context<'a>,
    status: &'a Status,
    /// Whose password was announced.
    name: Option<Name>,
    step: &'static str,
    /// Bytes that were done before the command, and that it counts for.
    base: u64,
    weight: u64,
}

/// How often a wish to stop is looked for.
const LOOK: Duration = Duration::from_millis(250);

impl<'a> Beside<'a> {
    fn new(
        context: &'a Context<'a>,
        status: &'a Status,
        step: &'static str,
        estimate: Option<Duration>,
        weight: u64,
    ) -> Self {
        let base = status.shown().done;
        status.update(|shown| {
            shown.step = match estimate {
                Some(time) => format!("{step} (about {})", humantime::format_duration(time)),
                None => step.to_owned(),
            };
        });
        Self { context, status, name: None, step, base, weight }
    }
}

impl Watcher for Beside<'_> {
    fn before_password(&mut self, drive: &Name) -> Result<(), NotRecorded> {
        let (model, serial) = (Text::new(&drive.model), Text::new(&drive.serial));
        let event = Event::PasswordMayBeSet { model, serial };
        self.context.log.append(&event).map_err(|error| NotRecorded(error.to_string()))?;
        self.name = Some(drive.clone());
        Ok(())
    }

    /// Where it cannot be logged, the log is lost, which stops the run; the next looks at the drive once more.
    fn password_gone(&mut self) {
        if let Some(name) = self.name.take() {
            let (model, serial) = (Text::new(&name.model), Text::new(&name.serial));
            let _ = self.context.log.append(&Event::PasswordGone { model, serial });
        }
    }

    fn progress(&mut self, done: Option<u16>) {
        let Some(done) = done else { return };
        let (base, step, share) = (self.base, self.step, u128::from(done));
        let part = u64::try_from(u128::from(self.weight) * share / 65_536).unwrap_or(0);
        self.status.update(|shown| {
            shown.done = base + part;
            shown.step = format!("{step}: {} %", u32::from(done) * 100 / 65_536);
        });
    }

    fn stop(&self) -> bool {
        self.context.log.stopping()
    }

    fn sleep(&mut self, time: Duration) {
        let end = Instant::now() + time.min(self.context.limits.patience);
        while !self.stop() && Instant::now() < end {
            thread::sleep(LOOK.min(end.saturating_duration_since(Instant::now())));
        }
    }
}

impl Drop for Beside<'_> {
    /// A command that told no progress has had its share all the same.
    fn drop(&mut self) {
        let done = self.base + self.weight;
        self.status.update(|shown| shown.done = done);
    }
}

#[cfg(test)]
mod nvme_tests;
#[cfg(test)]
mod tests;
