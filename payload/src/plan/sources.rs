//! Which drives may be read as a whole: those that nobody writes to meanwhile.

use super::{MAX_DRIVES, MediaFields, PlanError, Reason, Refused, Selection, Sticks, preflight};
use crate::{
    discover::{Drive, Usage},
    jobfile::Job,
};

/// A drive that may be read by this job. Not `Clone`: it is used up by the claim.
#[derive(Debug)]
pub struct Source {
    drive: Drive,
    slot: u8,
    labels: MediaFields,
}

impl Source {
    /// A target, to be read before it is written: what holds for a target holds for a source.
    pub fn of(target: &super::Target) -> Self {
        Self { drive: target.drive().clone(), slot: target.slot(), labels: target.labels().clone() }
    }

    pub fn drive(&self) -> &Drive {
        &self.drive
    }

    /// Its place in the job's list.
    pub fn slot(&self) -> u8 {
        self.slot
    }

    pub fn labels(&self) -> &MediaFields {
        &self.labels
    }
}

/// What will be read.
#[derive(Debug)]
pub struct Sources {
    pub list: Vec<Source>,
    pub refused: Vec<Refused>,
    /// Names in the job that no drive answers to.
    pub missing: Vec<String>,
}

impl Sources {
    /// Checks every drive against the selection.
    pub fn new(
        selection: &Selection,
        drives: Vec<Drive>,
        sticks: &Sticks,
        job: Option<&Job>,
    ) -> Result<Self, PlanError> {
        let missing = super::missing(selection, &drives);
        let verdicts: Vec<_> = drives.iter().map(|drive| check(drive, &drives, sticks, selection)).collect();
        let (mut list, mut refused) = (Vec::new(), Vec::new());
        for (drive, verdict) in drives.into_iter().zip(verdicts) {
            match verdict {
                Ok(()) => {
                    let names = [Some(drive.identity.serial.as_str()), drive.identity.wwn.as_deref()];
                    let labels = job.map(|job| job.media(names.into_iter().flatten())).unwrap_or_default();
                    let slot = u8::try_from(list.len()).map_err(|_| PlanError::TooMany(list.len()))?;
                    list.push(Source { slot, labels, drive });
                }
                Err(reason) => refused.push(Refused { drive, reason }),
            }
        }
        match list.len() {
            0 => Err(PlanError::NoSources(super::why_none(&refused, &missing))),
            many if many > MAX_DRIVES => Err(PlanError::TooMany(many)),
            _ => Ok(Self { list, refused, missing }),
        }
    }

    /// What was asked for and is left alone or not there, a line each. Nobody means the store to be imaged onto itself.
    pub fn denied(&self, selection: &Selection) -> Vec<String> {
        let refused = self.refused.iter().filter(|refused| refused.reason != Reason::Store);
        super::denied(selection, refused, &self.missing)
    }
}

/// As for a target, but write protection is welcome, and others may read as well.
fn check(drive: &Drive, others: &[Drive], sticks: &Sticks, selection: &Selection) -> Result<(), Reason> {
    let mut readable = Drive { read_only: false, ..drive.clone() };
    readable.usage.retain(Usage::hinders_reading);
    preflight::check(&readable, others, sticks, selection)
}
