//! A copy that was interrupted: the log knows of it. Restores, clones and comparisons begin again with the first block, images go
//! on where the drive still holds what they have; either way the certificate says how often the work was interrupted.

use super::Job;
use crate::{
    certify::record::Interruption,
    discover::Drive,
    job::{record::time, run::drive_ref},
    journal::{
        JournalError,
        bounded::Text,
        event::{Action, Event, Outcome},
        replay::{DriveHistory, JobHistory, Replay},
    },
};

/// Interruptions that a log keeps account of; a job that was stopped more often is a new one.
const MOST: usize = 200;

/// The job of this log that was asked for with the same words and has no end.
pub fn earlier(replay: &Replay, action: Action, request: &[u8; 32]) -> Option<JobHistory> {
    let is_it = |job: &&JobHistory| job.finished_at.is_none() && job.action == action && job.request == *request;
    let found = replay.jobs.iter().rev().find(is_it)?;
    (found.contradiction.is_none() && found.was_announced()).then(|| found.clone())
}

impl Job {
    /// Goes on with the earlier job where it is of these very drives and none of them has an outcome; whether it did. Else the
    /// earlier job is closed.
    pub(super) fn goes_on(&mut self, drives: &[(u8, &Drive)]) -> Result<bool, JournalError> {
        let Some(old) = &self.earlier else { return Ok(false) };
        let open = |slot: u8, drive: &Drive| {
            let is_it = |past: &&DriveHistory| past.slot == slot && past.drive == drive_ref(drive);
            let past = old.drives.iter().find(is_it);
            past.is_some_and(|past| past.finished.is_none() && past.interruptions.len() < MOST)
        };
        let same = old.drives.len() == drives.len() && drives.iter().all(|(slot, drive)| open(*slot, drive));
        self.resumed = self.log.now();
        if same {
            self.id = old.job;
            self.log.append(&Event::JobResumed { job: old.job })?;
            return Ok(true);
        }
        for past in old.drives.iter().filter(|past| past.finished.is_none()) {
            let reason = Text::new("the machine stopped while it was copied, and it was begun anew");
            let (job, slot, outcome) = (old.job, past.slot, Outcome::Interrupted);
            self.log.append(&Event::DriveFinished { job, slot, outcome, reason })?;
        }
        self.log.append(&Event::JobFinished { job: old.job })?;
        Ok(false)
    }

    fn past(&self, drive: &Drive) -> Option<(&JobHistory, &DriveHistory)> {
        let old = self.earlier.as_ref()?;
        let past = old.drives.iter().find(|past| past.drive == drive_ref(drive) && past.finished.is_none())?;
        Some((old, past))
    }

    /// When the work on a drive began, be it before an interruption.
    pub(super) fn began(&self, drive: &Drive, now: u64) -> u64 {
        self.past(drive).map_or(now, |(old, _)| old.started_at)
    }

    /// How often the work on a drive was interrupted, by the log.
    pub(super) fn interruptions(&self, drive: &Drive) -> Vec<Interruption> {
        let Some((old, past)) = self.past(drive) else { return Vec::new() };
        let pause = |last_seen, resumed| Interruption {
            last_seen: time(Some(last_seen)),
            resumed: time(resumed),
            detail: "the machine stopped; the work was begun again with the first block".into(),
        };
        let before = past.interruptions.iter().map(|known| pause(known.last_seen, known.resumed));
        before.chain([pause(old.last_seen(), Some(self.resumed))]).collect()
    }
}
