//! A whole job: announced in the log, every drive on its own thread, progress shown and checkpointed, all certified.

use super::{
    claim::{Claimed, Opener},
    facts::Facts,
    issue::{Issuer, Settled, Shelf, hex},
    stages::{Context, Examined, Overwritten, total_work},
    show::Show,
    status::{Log, Message, Stage, Status},
};
use crate::{
    certify::record::{Host, Tool},
    console::Watcher,
    discover::Drive,
    engine::sweep::Limits,
    journal::{
        bounded::Text,
        event::{Action, DriveRef, Event, JobId, Outcome},
    },
    plan::{Lost, Plan, Target},
};
use std::{
    collections::HashSet,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

/// What a run needs from the machine it runs on.
pub struct Surroundings<'a> {
    pub opener: &'a dyn Opener,
    pub shelf: &'a dyn Shelf,
    pub tool: Tool,
    pub host: Host,
    pub limits: Limits,
    pub health: &'a (dyn Fn(&Drive) -> Option<serde_json::Value> + Sync),
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("host", &self.host).finish_non_exhaustive()
    }
}

/// How a job ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub settled: Vec<Settled>,
    /// Why the run itself stopped, where it did.
    pub stopped: Option<String>,
}

impl Tally {
    pub fn count(&self, outcome: Outcome) -> usize {
        self.settled.iter().filter(|drive| drive.outcome == outcome).count()
    }

    /// Whether every drive is erased, certified, and nothing stopped.
    pub fn is_clean(&self) -> bool {
        self.stopped.is_none()
            && self.settled.iter().all(|drive| drive.outcome == Outcome::Erased && drive.certificate.is_ok())
    }
}

fn drive_ref(drive: &Drive) -> DriveRef {
    let id = &drive.identity;
    DriveRef {
        model: Text::new(&id.model),
        serial: Text::new(&id.serial),
        wwn: id.wwn.as_deref().map(Text::new),
        bytes: id.bytes,
        logical: drive.geometry.as_ref().map_or(0, crate::drive::Geometry::logical),
    }
}

/// Announces the job: all of this is on the medium before the first write.
fn announce(plan: &Plan, log: &Log) -> Result<(), crate::journal::JournalError> {
    let job = plan.job();
    if plan.is_resumed() {
        return log.append(&Event::JobResumed { job });
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
        log.append(&Event::DriveStarted { job, slot: target.slot(), drive: drive_ref(target.drive()) })
    })
}

/// Does what the plan says. Always comes back with an outcome for every drive.
pub fn execute(plan: Plan, log: &Log, around: &Surroundings<'_>, watcher: &mut dyn Watcher) -> Tally {
    if let Err(error) = announce(&plan, log) {
        return Tally { settled: Vec::new(), stopped: Some(format!("the log could not be written: {error}")) };
    }
    let (job, passes, verify) = (plan.job(), plan.passes().to_vec(), plan.verify());
    let operator = plan.operator().clone();
    let issuer = Issuer {
        job,
        method: plan.method(),
        operator: &operator,
        log,
        shelf: around.shelf,
        tool: &around.tool,
        host: &around.host,
        health: around.health,
    };
    let resumed_at = plan.is_resumed().then(|| log.now());
    let context = Context { job, passes: &passes, verify, log, limits: around.limits, resumed_at };
    let (targets, lost) = plan.into_parts();
    let mut settled: Vec<_> = lost.iter().map(|lost| settle_lost(lost, &context, &issuer)).collect();
    let title = format!("Wipe: {}", issuer.method.title);
    let mut show = Show::new(watcher, title, targets.len());
    settled.extend(run_drives(targets, &context, around.opener, &issuer, &mut show));
    if log.lost().is_none() {
        let _ = log.append(&Event::JobFinished { job });
    }
    Tally { settled, stopped: log.stopping().then(|| log.why_stopped()) }
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
    let mut facts = Facts::from_history(&lost.history, context.passes, context.verify);
    match &lost.history.finished {
        // Its part was over, only the certificate was not written any more.
        Some((Outcome::Failed, reason)) => facts.failure = Some(reason.to_string()),
        Some((Outcome::Interrupted, reason)) => {
            facts.failure = Some(reason.to_string());
            facts.stopped = true;
        }
        Some((Outcome::Erased | Outcome::ErasedWithExceptions, _)) => {}
        None => {
            facts.failure = Some(lost.reason.clone());
            facts.stopped = true;
        }
    }
    issuer.certify_lost(lost, &facts)
}

fn run_drives(
    targets: Vec<Target>,
    context: &Context<'_>,
    opener: &dyn Opener,
    issuer: &Issuer<'_>,
    show: &mut Show<'_>,
) -> Vec<Settled> {
    let lines: Vec<_> = targets
        .iter()
        .map(|target| {
            let work = target.drive().geometry.as_ref();
            let total = work.map_or(0, |g| total_work(g, context.passes.len(), context.verify));
            (target.drive().clone(), target.slot(), Status::new(total))
        })
        .collect();
    let (sender, receiver) = channel();
    context.log.listen(Some(sender));
    let settled = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for (target, (_, _, status)) in targets.into_iter().zip(&lines) {
            threads.push(scope.spawn(move || process(target, context, opener, issuer, status)));
        }
        watch(&lines, context, show, &receiver, || threads.iter().all(|thread| thread.is_finished()));
        let ends = threads.into_iter().zip(&lines);
        ends.map(|(thread, (drive, ..))| thread.join().unwrap_or_else(|_| broken(drive))).collect()
    });
    context.log.listen(None);
    receiver.try_iter().for_each(|message| show.message(&message));
    settled
}

/// A fault of this program, not of the drive: still an outcome, and never a good one.
fn broken(drive: &Drive) -> Settled {
    let reason = "the program failed while it worked on this drive; please report it";
    Settled {
        model: drive.identity.model.clone(),
        serial: drive.identity.serial.clone(),
        bytes: drive.identity.bytes,
        outcome: Outcome::Failed,
        reason: reason.into(),
        certificate: Err(reason.into()),
    }
}

/// One drive, from the claim to the certificate.
fn process(
    target: Target,
    context: &Context<'_>,
    opener: &dyn Opener,
    issuer: &Issuer<'_>,
    status: &Status,
) -> Settled {
    status.update(|shown| shown.stage = Stage::Running);
    let examined = match Claimed::new(target, opener) {
        Ok(claimed) => Overwritten::new(claimed, context, status).verify(context, status),
        Err((target, error)) => Examined::not_claimed(*target, &error, context),
    };
    let settled = issuer.certify(examined);
    status.update(|shown| shown.stage = Stage::Over(settled.outcome, settled.reason.clone()));
    settled
}

/// Shows progress and logs checkpoints until every drive is done.
fn watch(
    lines: &[(Drive, u8, Status)],
    context: &Context<'_>,
    show: &mut Show<'_>,
    messages: &Receiver<Message>,
    done: impl Fn() -> bool,
) {
    let start = Instant::now();
    let mut last_checkpoint = Instant::now();
    let mut announced = HashSet::new();
    loop {
        let over = done();
        match messages.recv_timeout(Duration::from_millis(if over { 0 } else { 250 })) {
            Ok(message) => {
                let first = !matches!(&message, Message::Writing(serial) if !announced.insert(serial.clone()));
                if first {
                    show.message(&message);
                }
                continue;
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        if last_checkpoint.elapsed() >= context.limits.checkpoint || over {
            last_checkpoint = Instant::now();
            let progress: Vec<_> = lines.iter().filter_map(|(_, slot, status)| status.take_progress(*slot)).collect();
            // A lost log stops the run by itself; the reason is shown at its end.
            let _ = context.log.checkpoint(context.job, &progress);
        }
        if show.wants_stop() {
            context.log.ask_to_stop();
        }
        show.update(lines.iter().map(|(drive, _, status)| (drive, status.shown())), start.elapsed());
        if over {
            return;
        }
    }
}

/// The job's id as people see it.
pub fn job_name(job: &JobId) -> String {
    hex(job)
}
