//! A whole job: announced in the log, every drive on its own thread, progress shown and checkpointed, all certified.

use super::{
    claim::{Claimed, Opener},
    commanded::Commanded,
    facts::{Facts, Pause},
    issue::{Health, Issuer, Settled, Shelf},
    retain::Kept,
    show::Show,
    stages::{Context, Examined, Overwritten, total_work},
    status::{Log, Message, Stage, Status},
};
use crate::{
    ata::{AtaDrive, command::standby_immediate},
    certify::record::{Host, Operator, Tool},
    console::Watcher,
    discover::Drive,
    drive::{Access, Geometry},
    engine::sweep::Limits,
    journal::{
        bounded::Text,
        event::{Action, DriveRef, Event, JobId, Outcome, Verify},
    },
    plan::{Content, Lost, Plan, Target, Waiting},
};
use mule_types::method::Method;
use std::{
    collections::HashSet,
    sync::{
        Arc, OnceLock,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// What a run needs from the machine it runs on.
pub struct Surroundings {
    pub opener: Box<dyn Opener>,
    pub shelf: Arc<dyn Shelf>,
    pub tool: Tool,
    pub host: Host,
    pub limits: Limits,
    pub health: Health,
    /// Images kept of drives that this run destroys: their certificates say so.
    pub retained: Vec<Kept>,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("host", &self.host).finish_non_exhaustive()
    }
}

/// What all threads of a run share. They own it together: a thread that hangs in its drive must not keep the run from
/// ending, so nobody waits for it.
struct Shared {
    job: JobId,
    method: &'static Method,
    passes: Vec<Content>,
    verify: Verify,
    operator: Operator,
    log: Arc<Log>,
    around: Surroundings,
    interrupted: Option<(u64, u64)>,
}

impl Shared {
    fn context(&self) -> Context<'_> {
        Context {
            job: self.job,
            command: self.method.command,
            passes: &self.passes,
            verify: self.verify,
            log: &self.log,
            limits: self.around.limits,
            interrupted: self.interrupted,
        }
    }

    fn issuer(&self) -> Issuer<'_> {
        Issuer {
            job: self.job,
            method: self.method,
            operator: &self.operator,
            log: &self.log,
            shelf: &*self.around.shelf,
            tool: &self.around.tool,
            host: &self.around.host,
            health: self.around.health,
            retained: &self.around.retained,
        }
    }
}

/// How a job ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub settled: Vec<Settled>,
    /// Drives that the job stays open for.
    pub waiting: Vec<Waiting>,
    /// Why the run itself stopped, where it did.
    pub stopped: Option<String>,
}

impl Tally {
    pub fn count(&self, outcome: Outcome) -> usize {
        self.settled.iter().filter(|drive| drive.outcome == outcome).count()
    }

    /// Whether every drive is what was asked for, certified, and nothing stopped.
    pub fn is_clean(&self) -> bool {
        self.stopped.is_none()
            && self.waiting.is_empty()
            && self.settled.iter().all(|drive| drive.outcome.is_clean() && drive.certificate.is_ok())
    }
}

pub(super) fn drive_ref(drive: &Drive) -> DriveRef {
    let id = &drive.identity;
    DriveRef {
        model: Text::new(&id.model),
        serial: Text::new(&id.serial),
        wwn: id.wwn.as_deref().map(Text::new),
        bytes: id.bytes,
        logical: drive.geometry.as_ref().map_or(0, crate::drive::Geometry::logical),
    }
}

/// Announces a wipe: all of this is on the medium before the first write.
fn announce(plan: &Plan, log: &Log) -> Result<(), crate::journal::JournalError> {
    let job = plan.job();
    if plan.is_resumed() {
        log.append(&Event::JobResumed { job })?;
        let waits = |one: &Waiting| Event::DriveWaits { job, slot: one.slot, reason: Text::new(&one.reason) };
        return plan.waiting().iter().try_for_each(|one| log.append(&waits(one)));
    }
    log.append(&Event::JobStarted {
        job,
        action: Action::Wipe,
        method: Text::new(plan.method().name),
        passes: plan.passes().iter().copied().map(Into::into).collect(),
        verify: plan.verify(),
        request: plan.digest(),
        drives: u8::try_from(plan.targets().len()).unwrap_or(u8::MAX),
    })?;
    plan.targets().iter().try_for_each(|target| {
        let slot = target.slot();
        log.append(&Event::DriveStarted { job, slot, drive: drive_ref(target.drive()) })?;
        let Some(hidden) = target.hidden() else { return Ok(()) };
        log.append(&Event::HiddenAreas {
            job,
            slot,
            removal: hidden.removal,
            before: hidden.before,
            after: hidden.after,
            unknown: Text::new(&hidden.unknown),
            left: Text::new(&hidden.left),
        })
    })
}

/// Does what the plan says. Always comes back with an outcome for every drive.
pub fn execute(plan: Plan, log: &Arc<Log>, around: Surroundings, watcher: &mut dyn Watcher) -> Tally {
    if let Err(error) = announce(&plan, log) {
        return Tally { stopped: Some(format!("the log could not be written: {error}")), ..Tally::default() };
    }
    let shared = Arc::new(Shared {
        job: plan.job(),
        method: plan.method(),
        passes: plan.passes().to_vec(),
        verify: plan.verify(),
        operator: plan.operator().clone(),
        log: Arc::clone(log),
        around,
        interrupted: plan.last_seen().map(|last_seen| (last_seen, log.now())),
    });
    let (targets, lost, waiting) = plan.into_parts();
    let (context, issuer) = (shared.context(), shared.issuer());
    let mut settled: Vec<_> = lost.iter().map(|lost| settle_lost(lost, &context, &issuer)).collect();
    let mut show = Show::new(watcher, format!("Wipe: {}", shared.method.title), targets.len());
    settled.extend(run_drives(targets, &shared, &mut show));
    if log.lost().is_none() && waiting.is_empty() {
        let _ = log.append(&Event::JobFinished { job: shared.job });
    }
    Tally { settled, waiting, stopped: log.stopping().then(|| log.why_stopped()) }
}

/// Closes a job that will not go on: every unfinished drive is certified as interrupted.
pub fn abandon(
    job: JobId,
    lost: &[Lost],
    context: &Context<'_>,
    issuer: &Issuer<'_>,
) -> Result<Vec<Settled>, crate::journal::JournalError> {
    let settled = lost.iter().map(|lost| settle_lost(lost, context, issuer)).collect();
    context.log.append(&Event::JobFinished { job })?;
    Ok(settled)
}

fn settle_lost(lost: &Lost, context: &Context<'_>, issuer: &Issuer<'_>) -> Settled {
    let mut history = lost.history.clone();
    // A success in the log alone is none: nobody looked at the drive since.
    history.finished = history.finished.filter(|_| lost.history.is_over());
    let mut facts = Facts::from_history(&history, context.passes, context.verify, context.command.is_some());
    match &history.finished {
        // Its part was over, only the certificate was not written any more.
        Some((Outcome::Failed, reason)) => facts.failure = Some(reason.to_string()),
        Some((Outcome::Interrupted, reason)) => {
            facts.failure = Some(reason.to_string());
            facts.stopped = true;
        }
        Some(_) | None => {
            facts.failure = Some(lost.reason.clone());
            facts.stopped = true;
            let detail = "did not go on".into();
            facts.pauses.push(Pause { last_seen: lost.last_seen, resumed: None, detail });
        }
    }
    issuer.certify_lost(lost, &facts)
}

/// One drive of the run, as the main loop sees it.
pub(super) struct Line {
    drive: Drive,
    slot: u8,
    status: Arc<Status>,
    thread: Option<JoinHandle<()>>,
    settled: Arc<OnceLock<Settled>>,
}

impl Line {
    /// Begins a drive's part of `work` bytes on a thread of its own.
    pub(super) fn start(
        drive: Drive,
        slot: u8,
        work: u64,
        body: impl FnOnce(&Status) -> Settled + Send + 'static,
    ) -> Self {
        let status = Arc::new(Status::new(work));
        let settled = Arc::new(OnceLock::new());
        let (own, result) = (Arc::clone(&status), Arc::clone(&settled));
        let body = move || {
            own.update(|shown| shown.stage = Stage::Running);
            let end = body(&own);
            own.update(|shown| shown.stage = Stage::Over(end.outcome, end.reason.clone()));
            let _ = result.set(end);
        };
        let thread = thread::Builder::new().name(drive.name.clone()).spawn(body).ok();
        Self { drive, slot, status, thread, settled }
    }

    /// Whether its outcome is known, or its thread ended without one.
    fn is_over(&self) -> bool {
        self.settled.get().is_some() || self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

fn run_drives(targets: Vec<Target>, shared: &Arc<Shared>, show: &mut Show<'_>) -> Vec<Settled> {
    let line = |target: Target| {
        let (drive, slot) = (target.drive().clone(), target.slot());
        let work =
            |geometry: &Geometry| total_work(geometry, shared.method.command, shared.passes.len(), shared.verify);
        let work = drive.geometry.as_ref().map_or(0, work);
        let shared = Arc::clone(shared);
        Line::start(drive, slot, work, move |status| process(target, &shared, status))
    };
    let ticks = Ticks { job: shared.job, limits: shared.around.limits, log: &shared.log };
    run_lines(&ticks, show, || targets.into_iter().map(line).collect())
}

/// Shows lines, logs their checkpoints and waits for them; they begin once somebody listens to them.
pub(super) fn run_lines(ticks: &Ticks<'_>, show: &mut Show<'_>, start: impl FnOnce() -> Vec<Line>) -> Vec<Settled> {
    let (sender, receiver) = channel();
    ticks.log.listen(Some(sender));
    let lines = start();
    watch(&lines, ticks, show, &receiver);
    ticks.log.listen(None);
    receiver.try_iter().for_each(|message| show.message(&message));
    lines.iter().map(|line| line.settled.get().cloned().unwrap_or_else(|| broken(&line.drive))).collect()
}

/// A fault of this program, not of the drive: still an outcome, and never a good one.
fn broken(drive: &Drive) -> Settled {
    let reason = "the program failed while it worked on this drive; please report it";
    Settled {
        name: drive.name.clone(),
        model: drive.identity.model.clone(),
        serial: drive.identity.serial.clone(),
        bytes: drive.identity.bytes,
        outcome: Outcome::Failed,
        reason: reason.into(),
        certificate: Err(reason.into()),
    }
}

/// One drive, from the claim to the certificate.
fn process(target: Target, shared: &Shared, status: &Status) -> Settled {
    let context = shared.context();
    let examined = match Claimed::new(target, &*shared.around.opener) {
        Ok(claimed) => {
            let commanded = Commanded::new(claimed, &context, status);
            Overwritten::new(commanded, &context, status).verify(&context, status)
        }
        Err((target, error)) => Examined::not_claimed(*target, &error, &context),
    };
    let settled = shared.issuer().certify(&examined);
    rest(examined.target().drive(), &*shared.around.opener);
    settled
}

/// Stops a disk that is done while others are still at work. Whether it does changes nothing.
pub(super) fn rest(drive: &Drive, opener: &dyn Opener) {
    if drive.ata.is_none() || drive.rotational != Some(true) {
        return;
    }
    if let Ok(Some(plane)) = opener.commands(drive, Access::ReadOnly) {
        let _ = AtaDrive::new(plane).order(&standby_immediate());
    }
}

/// What the main loop of a run needs to know.
pub(super) struct Ticks<'a> {
    pub(super) job: JobId,
    pub(super) limits: Limits,
    pub(super) log: &'a Log,
}

/// How soon the end of the last drive is noticed.
const LOOK: Duration = Duration::from_millis(20);

/// Shows progress and logs checkpoints until every drive is done.
fn watch(lines: &[Line], context: &Ticks<'_>, show: &mut Show<'_>, messages: &Receiver<Message>) {
    let start = Instant::now();
    let mut last_checkpoint = Instant::now();
    let mut announced = HashSet::new();
    let tick = context.limits.checkpoint.clamp(Duration::from_millis(5), Duration::from_millis(250));
    let mut last_tick = Instant::now();
    loop {
        let over = lines.iter().all(Line::is_over);
        match messages.recv_timeout(if over { Duration::ZERO } else { tick.min(LOOK) }) {
            Ok(message) => {
                if !matches!(&message, Message::Writing(serial) if !announced.insert(serial.clone())) {
                    show.message(&message);
                }
                continue;
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        if !over && last_tick.elapsed() < tick {
            continue;
        }
        last_tick = Instant::now();
        if last_checkpoint.elapsed() >= context.limits.checkpoint || over {
            last_checkpoint = Instant::now();
            let progress: Vec<_> = lines.iter().filter_map(|line| line.status.take_progress(line.slot)).collect();
            // A lost log stops the run by itself; the reason is shown at its end.
            let _ = context.log.checkpoint(context.job, &progress);
        }
        if show.wants_stop() {
            context.log.ask_to_stop();
        }
        show.update(lines.iter().map(|line| (&line.drive, line.status.shown())), start.elapsed());
        if over {
            return;
        }
    }
}
