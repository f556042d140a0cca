//! A job that the power cut short. It stays open until its drives are there again, in any bay and on any PC; a person's word
//! closes it, or another job in its place.

use super::{Stopped, medium::Stick};
use crate::{
    boot::machine::Machine,
    certify::record::{Host, Operator, Tool},
    cli::host::{now, tool},
    console::{Watcher, pages::Said},
    engine::sweep::Limits,
    job::{issue::Issuer, record::time, run, stages::Context, status::Log},
    jobfile::{Job, Then},
    journal::{
        bounded::Text,
        event::{Action, Event, Outcome},
        replay::{DriveHistory, JobHistory},
    },
    plan::{Content, Lost, Waiting},
};
use mule_types::method;
use std::sync::Arc;

/// Whether the interrupted job is this one. An image that was to be kept first is taken anew.
pub(super) fn is_same(old: &JobHistory, digest: &[u8; 32]) -> bool {
    old.request == *digest && old.action == Action::Wipe && old.contradiction.is_none() && old.was_announced()
}

/// Until when a job goes on by itself, in milliseconds since 1970. A clock that was set back only makes it later.
fn until(old: &JobHistory, job: &Job) -> u64 {
    old.last_seen().saturating_add(u64::try_from(job.open_for().as_millis()).unwrap_or(u64::MAX))
}

fn names(old: &JobHistory) -> impl Iterator<Item = String> {
    let open = old.drives.iter().filter(|drive| !drive.is_over());
    open.map(|drive| format!("{} {}", drive.drive.model.as_str(), drive.drive.serial.as_str()))
}

/// The drives of an interrupted job for the page of a report.
pub(super) fn line(old: &JobHistory) -> String {
    let names: Vec<_> = names(old).collect();
    format!(
        "An interrupted job waits in the log for {}. It goes on when mule.toml is again the one it began with.",
        if names.is_empty() { "its certificates".into() } else { names.join(", ") }
    )
}

/// A person is asked before a job goes on that was interrupted long ago.
pub(super) fn too_old(old: &JobHistory, job: &Job) -> Option<Stopped> {
    if now() <= until(old, job) {
        return None;
    }
    let mut what = vec![format!("this job was interrupted and last seen running on {}", time(Some(old.last_seen())))];
    what.extend(names(old).map(|name| format!("not finished: {name}")));
    Some(Stopped {
        what,
        remedy: "No disk was touched. To go on after so long, type CONTINUE. To give the job up, type CLOSE: its drives are then \
                 certified as interrupted.",
        then: Some(Then::Stay),
        offers: &[Said::Continue, Said::Close],
    })
}

/// Nothing of the job can be done now.
pub(super) fn all_wait(old: &JobHistory, job: &Job, waiting: &[Waiting]) -> Stopped {
    let mut what = vec![format!(
        "an interrupted job waits for its drives; it was last seen running on {} and goes on by itself until {}",
        time(Some(old.last_seen())),
        time(Some(until(old, job)))
    )];
    what.extend(lines(waiting));
    Stopped {
        what,
        remedy: "No disk was touched. Plug those drives in, in any bay of any PC, and restart. To give the job up, type CLOSE: \
                 its drives are then certified as interrupted.",
        then: Some(Then::Stay),
        offers: &[Said::Close],
    }
}

/// What a job is open for, a line each.
pub(super) fn lines(waiting: &[Waiting]) -> impl Iterator<Item = String> {
    waiting.iter().map(|one| format!("WAITED FOR: {one}"))
}

/// A person gave the interrupted job up.
pub(super) fn close_by_hand(
    old: &JobHistory,
    stick: &mut Stick,
    machine: &Machine,
    watcher: &mut dyn Watcher,
) -> Stopped {
    let Some(journal) = stick.take_journal() else {
        return Stopped::new("the log is not open", super::NOTHING_TOUCHED);
    };
    let log = Arc::new(Log::new(journal, now));
    let why = "a person closed the job after power was lost";
    let mut what = vec![String::from("the interrupted job is closed")];
    what.extend(names(old).map(|name| format!("certified as interrupted: {name}")));
    let closed = abandon(old, why, &log, stick, &tool(), &machine.host(""), watcher);
    log.take_journal().into_iter().for_each(|journal| stick.give_back(journal));
    what.extend(closed.err());
    Stopped {
        what,
        remedy: "No disk was touched. To begin the job in mule.toml anew with the drives that are plugged in now, type AGAIN.",
        then: Some(Then::Stay),
        offers: &[Said::Again],
    }
}

/// Why an interrupted job does not go on.
pub(super) fn why_not(old: &JobHistory) -> String {
    match &old.contradiction {
        Some(contradiction) => {
            format!("power was lost, and the log contradicts itself about the job ({contradiction})")
        }
        None if !old.was_announced() => "power was lost before anything was written, and the job begins anew".into(),
        None => "power was lost, and the job was not asked for again".into(),
    }
}

/// What is left of the old job, to be certified as interrupted. Of a job about which the log contradicts itself, an outcome
/// that it names without a certificate is not believed.
fn left_over(old: &JobHistory, why: &str) -> Vec<Lost> {
    let open = old.drives.iter().filter(|drive| !drive.certified).cloned();
    let doubt = |mut history: DriveHistory| {
        history.finished = history.finished.filter(|_| old.contradiction.is_none());
        history
    };
    open.map(doubt).map(|history| Lost { history, reason: why.into(), last_seen: old.last_seen() }).collect()
}

/// Closes the old job: a person gave it up or asked for another, or it must not go on.
///
/// # Errors
/// The log could not be written.
pub(super) fn abandon(
    old: &JobHistory,
    why: &str,
    log: &Log,
    stick: &Stick,
    tool: &Tool,
    host: &Host,
    watcher: &mut dyn Watcher,
) -> Result<(), String> {
    let Some(method) = method::find(&old.method) else { return close(old, log) };
    let operator = Operator::default();
    let passes: Vec<Content> = old.passes.iter().copied().map(Into::into).collect();
    let context = Context {
        job: old.job,
        command: method.command,
        passes: &passes,
        verify: old.verify,
        log,
        limits: Limits::default(),
        interrupted: None,
    };
    let issuer = Issuer {
        job: old.job,
        method,
        operator: &operator,
        log,
        shelf: &*stick.shelf,
        tool,
        host,
        health: |_| None,
        retained: &[],
    };
    let settled = run::abandon(old.job, &left_over(old, why), &context, &issuer).map_err(|error| error.to_string())?;
    settled.iter().for_each(|drive| watcher.note(&format!("{} {}: interrupted", drive.model, drive.serial)));
    Ok(())
}

/// A copy that was cut short: its targets have no certificate, so none claims anything; the log says how it ended.
fn close(old: &JobHistory, log: &Log) -> Result<(), String> {
    let open = old.drives.iter().filter(|drive| !drive.is_over());
    let ends = open.map(|drive| Event::DriveFinished {
        job: old.job,
        slot: drive.slot,
        outcome: Outcome::Interrupted,
        reason: Text::new("power was lost while it was copied"),
    });
    let all = ends.chain([Event::JobFinished { job: old.job }]);
    all.map(|event| log.append(&event)).collect::<Result<Vec<_>, _>>().map(drop).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{
        Verify,
        bounded::Text,
        event::{Action, DriveRef, Entry, Event},
        replay::Replay,
        scan::Placed,
    };

    #[test]
    fn an_outcome_the_log_contradicts_is_not_believed() {
        let job = [1; 16];
        let drive = DriveRef { model: Text::new("M"), serial: Text::new("S"), wwn: None, bytes: 512, logical: 512 };
        let (method, passes, request) = (Text::new("zero"), [].into_iter().collect(), [0; 32]);
        let verify = Verify::None;
        let started = Event::JobStarted { job, action: Action::Wipe, method, passes, verify, request, drives: 2 };
        let finished = Event::DriveFinished { job, slot: 0, outcome: Outcome::Failed, reason: Text::new("") };
        let begun = |slot| Event::DriveStarted { job, slot, drive: drive.clone() };
        let left = |events: &[Event]| {
            let mut replay = Replay::default();
            for (sequence, event) in (0..).zip(events) {
                let entry = Entry { at: sequence, event: event.clone() };
                replay.add(&Placed { at: 512 * sequence, sequence, hash: [0; 32], entry });
            }
            {
                let old = replay.unfinished().unwrap();
                left_over(old, &why_not(old))
            }
        };
        let sound = [started, begun(0), finished.clone(), begun(1)];
        let lost = left(&sound);
        assert_eq!(lost[0].history.finished, Some((Outcome::Failed, String::new())));
        assert!(lost.len() == 2 && lost[1].reason.contains("not asked for again"));
        let doubtful = left(&[&sound[..], &[finished]].concat());
        assert_eq!(doubtful.len(), 2);
        for lost in doubtful {
            assert_eq!(lost.history.finished, None);
            assert!(lost.reason.contains("contradicts itself about the job (a drive was finished twice)"));
        }
    }
}
