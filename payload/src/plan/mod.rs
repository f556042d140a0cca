//! From what was asked to what may be done: passes, selection, preflight, authorisation.
//!
//! A [`Target`] can be made only here, by [`Plan::new`] or [`Plan::resume`], from drives that passed the preflight under an
//! [`Authority`]; nothing else can be claimed for writing (see `job::claim`).

pub mod content;
pub mod preflight;
mod resume;
pub mod sources;

pub use crate::jobfile::{MediaFields, Selection};
pub use content::Content;
pub use preflight::{Reason, Sticks};
pub use sources::{Source, Sources};

use crate::{
    certify::record::Operator,
    discover::Drive,
    engine::sampling::Draws,
    jobfile::Job,
    journal::{
        Verify,
        event::{DriveRef, JobId, MAX_DRIVES},
        replay::{DriveHistory, HiddenAreas},
    },
};
use mule_types::method::{Method, Requires};

/// Who said that data may be destroyed, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authority {
    /// A job file with the word that confirms it.
    JobFile,
    /// A person who typed the serial number of every target.
    Typed(Vec<String>),
}

/// What is asked for, already free of mistakes in itself.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: &'static Method,
    pub selection: Selection,
    pub verify: Verify,
    pub operator: Operator,
    /// The job file, for what it says of single drives.
    pub job: Option<Job>,
    /// BLAKE3 of the request's text: a resumed job must have been asked for in the same words.
    pub digest: [u8; 32],
}

impl Request {
    /// What no software can know about a medium; blank unless the job says it.
    fn media_fields(&self, drive: &Drive) -> MediaFields {
        let id = &drive.identity;
        let names = [Some(id.serial.as_str()), id.wwn.as_deref()].into_iter().flatten();
        self.job.as_ref().map(|job| job.media(names)).unwrap_or_default()
    }
}

/// A drive that may be written by this plan. Not `Clone`: it is used up by the claim.
#[derive(Debug)]
pub struct Target {
    drive: Drive,
    slot: u8,
    labels: MediaFields,
    history: Option<DriveHistory>,
    hidden: Option<HiddenAreas>,
}

impl Target {
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

    /// What was found out about areas it hides.
    pub fn hidden(&self) -> Option<&HiddenAreas> {
        self.hidden.as_ref()
    }

    /// What an interrupted run of the job did to it.
    pub fn history(&self) -> Option<&DriveHistory> {
        self.history.as_ref()
    }
}

/// A drive that is left alone, and why.
#[derive(Debug, Clone)]
pub struct Refused {
    pub drive: Drive,
    pub reason: Reason,
}

/// A drive of an interrupted job whose part is over without a certificate, or that a person gave up.
#[derive(Debug)]
pub struct Lost {
    pub history: DriveHistory,
    pub reason: String,
    /// When the log last saw the job running.
    pub last_seen: u64,
}

/// A drive of an interrupted job that is not there, or may not be touched, now: the job stays open for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub slot: u8,
    pub drive: DriveRef,
    pub reason: String,
}

impl std::fmt::Display for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.drive.model, self.drive.serial, self.reason)
    }
}

/// What will be done. Built only by this module.
#[derive(Debug)]
pub struct Plan {
    job: JobId,
    /// Of an interrupted job: when the log last saw it running.
    last_seen: Option<u64>,
    method: &'static Method,
    passes: Vec<Content>,
    verify: Verify,
    operator: Operator,
    digest: [u8; 32],
    selection: Selection,
    targets: Vec<Target>,
    refused: Vec<Refused>,
    lost: Vec<Lost>,
    waiting: Vec<Waiting>,
    missing: Vec<String>,
}

/// Why there is no plan; nothing was touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("there is no drive to erase: {0}")]
    NoTargets(String),
    #[error("there is no drive to read: {0}")]
    NoSources(String),
    #[error("{0} drives are more than the {MAX_DRIVES} of one job; name them in the job and run it several times")]
    TooMany(usize),
    #[error("method {method} includes a verification: verify = \"none\" is not that method")]
    VerificationRequired { method: &'static str },
    #[error("drive {0} is going to be erased, but its serial number was not typed")]
    NotAuthorised(String),
    #[error("the interrupted job cannot go on: {0}")]
    CannotResume(String),
}

impl Plan {
    /// Checks every drive against the request. The job's id and its random bytes follow from `seed`.
    pub fn new(
        request: Request,
        authority: &Authority,
        drives: Vec<Drive>,
        sticks: &Sticks,
        seed: [u8; 32],
    ) -> Result<Self, PlanError> {
        if request.verify == Verify::None && request.method.requires == Requires::Verification {
            return Err(PlanError::VerificationRequired { method: request.method.name });
        }
        let missing = missing(&request.selection, &drives);
        let (accepted, refused) = sort(drives, sticks, &request.selection);
        if accepted.is_empty() {
            return Err(PlanError::NoTargets(why_none(&refused, &missing)));
        }
        if accepted.len() > MAX_DRIVES {
            return Err(PlanError::TooMany(accepted.len()));
        }
        if let Authority::Typed(typed) = authority
            && let Some(drive) = accepted.iter().find(|drive| !typed.iter().any(|name| drive.is_called(name)))
        {
            return Err(PlanError::NotAuthorised(drive.identity.to_string()));
        }
        let mut draws = Draws::new(seed);
        let mut byte = || u8::try_from(draws.below(256)).unwrap_or_default();
        let job = std::array::from_fn(|_| byte());
        let targets = (0..)
            .zip(accepted)
            .map(|(slot, drive)| Target {
                slot,
                labels: request.media_fields(&drive),
                drive,
                history: None,
                hidden: None,
            })
            .collect();
        Ok(Self {
            job,
            last_seen: None,
            method: request.method,
            passes: content::resolve(request.method.steps, &mut byte),
            verify: request.verify,
            operator: request.operator,
            digest: request.digest,
            selection: request.selection,
            targets,
            refused,
            lost: Vec::new(),
            waiting: Vec::new(),
            missing,
        })
    }

    pub fn job(&self) -> JobId {
        self.job
    }

    /// Whether this goes on with an interrupted job.
    pub fn is_resumed(&self) -> bool {
        self.last_seen.is_some()
    }

    /// When the log last saw the interrupted job running.
    pub fn last_seen(&self) -> Option<u64> {
        self.last_seen
    }

    pub fn method(&self) -> &'static Method {
        self.method
    }

    /// What the passes write, literally.
    pub fn passes(&self) -> &[Content] {
        &self.passes
    }

    pub fn verify(&self) -> Verify {
        self.verify
    }

    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Takes a drive out of the plan: nothing more is done to it.
    pub fn refuse(&mut self, slot: u8, reason: Reason) {
        if let Some(at) = self.targets.iter().position(|target| target.slot == slot) {
            let drive = self.targets.remove(at).drive;
            self.refused.push(Refused { drive, reason });
        }
    }

    /// Numbers the drives anew, without gaps, before the job is announced.
    pub fn renumber(&mut self) {
        (0..).zip(&mut self.targets).for_each(|(slot, target)| target.slot = slot);
    }

    /// Notes what was found out about the areas a drive hides.
    pub fn note_hidden(&mut self, slot: u8, hidden: HiddenAreas) {
        if let Some(target) = self.targets.iter_mut().find(|target| target.slot == slot) {
            target.hidden = Some(hidden);
        }
    }

    /// A target that shows more of itself now. It must be the same drive in all else, and pass the same preflight; otherwise
    /// it is no target any more.
    pub fn regrow(&mut self, slot: u8, found: Drive, sticks: &Sticks) -> Result<(), Reason> {
        self.replace(slot, found, sticks, |old, new| new > old)
    }

    /// A target that was away and is back, perhaps under another name. It must be the same drive, and pass the same
    /// preflight; otherwise it is no target any more.
    pub fn find_again(&mut self, slot: u8, found: Drive, sticks: &Sticks) -> Result<(), Reason> {
        self.replace(slot, found, sticks, |old, new| new == old)
    }

    fn replace(
        &mut self,
        slot: u8,
        found: Drive,
        sticks: &Sticks,
        size: impl FnOnce(u64, u64) -> bool,
    ) -> Result<(), Reason> {
        let Some(at) = self.targets.iter().position(|target| target.slot == slot) else {
            return Err(Reason::Exchanged);
        };
        let same = {
            let (old, new) = (&self.targets[at].drive.identity, &found.identity);
            old.model == new.model && old.serial == new.serial && old.wwn == new.wwn && size(old.bytes, new.bytes)
        };
        let others: Vec<_> =
            self.targets.iter().filter(|target| target.slot != slot).map(|target| target.drive.clone()).collect();
        let verdict = match same {
            true => preflight::check(&found, &others, sticks, &self.selection),
            false => Err(Reason::Exchanged),
        };
        match verdict {
            Ok(()) => self.targets[at].drive = found,
            Err(reason) => {
                self.refuse(slot, reason.clone());
                return Err(reason);
            }
        }
        Ok(())
    }

    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// Drives of an interrupted job whose part is over, but for the certificate.
    pub fn lost(&self) -> &[Lost] {
        &self.lost
    }

    /// Drives that an interrupted job stays open for.
    pub fn waiting(&self) -> &[Waiting] {
        &self.waiting
    }

    /// Whether the job only waits: no drive can be written now, no end is to be certified, and it is not over.
    pub fn is_idle(&self) -> bool {
        self.targets.is_empty() && self.lost.is_empty() && !self.waiting.is_empty()
    }

    /// What was asked for and is left alone or not there, a line each. A drive of an interrupted job is not here: the job
    /// is certified for it, or stays open.
    pub fn denied(&self) -> Vec<String> {
        // Whatever its size is now: a drive at work on itself shows none.
        let lost = |drive: &Drive| {
            let known =
                self.lost.iter().map(|lost| &lost.history.drive).chain(self.waiting.iter().map(|one| &one.drive));
            known
                .into_iter()
                .any(|known| *known.serial == *drive.identity.serial && *known.model == *drive.identity.model)
        };
        let refused = self.refused.iter().filter(|refused| !lost(&refused.drive));
        denied(&self.selection, refused, &self.missing)
    }

    /// Names in the job that no drive answers to.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Uses the plan up: its targets, to be claimed, what is only to be certified, and what is waited for.
    pub(crate) fn into_parts(self) -> (Vec<Target>, Vec<Lost>, Vec<Waiting>) {
        (self.targets, self.lost, self.waiting)
    }
}

/// What was asked for and is left alone or not there, a line each: by name, or by "all" where nothing that a person can
/// see takes it out.
fn denied<'a>(selection: &Selection, refused: impl Iterator<Item = &'a Refused>, missing: &[String]) -> Vec<String> {
    let asked = |refused: &&Refused| match selection {
        Selection::All => refused.reason.denies_a_target(&refused.drive),
        Selection::Named(names) => names.iter().any(|name| refused.drive.is_called(name)),
    };
    let lines = refused.filter(asked).map(|r| format!("{} ({}): {}", r.drive.name, r.drive.identity, r.reason));
    let absent = missing.iter().map(|name| format!("{name}: no drive reports this serial number or WWN"));
    absent.chain(lines).collect()
}

fn missing(selection: &Selection, drives: &[Drive]) -> Vec<String> {
    match selection {
        Selection::All => Vec::new(),
        Selection::Named(names) => {
            names.iter().filter(|name| !drives.iter().any(|drive| drive.is_called(name))).cloned().collect()
        }
    }
}

fn sort(drives: Vec<Drive>, sticks: &Sticks, selection: &Selection) -> (Vec<Drive>, Vec<Refused>) {
    let verdicts: Vec<_> = drives.iter().map(|drive| preflight::check(drive, &drives, sticks, selection)).collect();
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for (drive, verdict) in drives.into_iter().zip(verdicts) {
        match verdict {
            Ok(()) => accepted.push(drive),
            Err(reason) => refused.push(Refused { drive, reason }),
        }
    }
    (accepted, refused)
}

fn why_none(refused: &[Refused], missing: &[String]) -> String {
    let reasons = refused.iter().map(|r| format!("{} ({}): {}", r.drive.name, r.drive.identity, r.reason));
    let absent = missing.iter().map(|name| format!("{name}: no drive reports this serial number or WWN"));
    let all: Vec<_> = absent.chain(reasons).collect();
    if all.is_empty() { "no drive was found at all; check power and data cables".into() } else { all.join("; ") }
}
