//! What the entries of a log add up to: which job is unfinished, and everything that happened to its drives.
//!
//! A chain that is whole proves that nothing was lost or changed by accident, not that what it says can be true: anybody
//! with the stick can write a chain. So entries that contradict those before them are not added up; the first is noted.

mod rules;

use super::{
    bounded::{List, Text},
    event::{
        Action, DefectKind, DriveRef, Event, Extent, JobId, MAX_PASSES, Outcome, PassContent, Sizes, Sweep, Verify,
    },
    scan::Placed,
};
use std::collections::VecDeque;

/// Unfinished jobs that are kept of a log that is not kept whole; a further one takes the place of the oldest, which then
/// cannot go on any more.
const MAX_UNFINISHED: usize = 4;

/// Drives that are kept of those that may have a password: more than a stick sees in its life.
const MAX_PASSWORDS: usize = 256;

/// Certificates that are kept in mind: those a stick can have lost in a power cut are among the last.
const MAX_CERTIFICATES: usize = 1024;

/// One sweep of one drive, over every boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepHistory {
    pub sweep: Sweep,
    /// The key of a random pass, or the seed of a sampled verification.
    pub key: Option<[u8; 32]>,
    /// When it first began, in milliseconds since 1970, as all times here.
    pub started_at: u64,
    pub finished_at: Option<u64>,
    /// The last checkpoint: everything before it is on the medium.
    pub offset: u64,
    /// What was dealt with, once it is finished.
    pub bytes: u64,
}

/// The machine stopped while the job was running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interruption {
    pub last_seen: u64,
    pub resumed: Option<u64>,
    pub detail: String,
}

/// What was found out about the areas a drive hides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HiddenAreas {
    /// Whether the job asked to lift them.
    pub removal: bool,
    pub before: Sizes,
    pub after: Sizes,
    /// What could not be found out; blank where nothing.
    pub unknown: String,
    /// Why something stayed hidden that was to be lifted; blank where nothing did.
    pub left: String,
}

/// A command by which a drive was to erase itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandHistory {
    /// Its name in its standard.
    pub technique: String,
    pub started_at: u64,
    /// When the drive said that it had succeeded, and the name of what was seen of that.
    pub ended: Option<(u64, String)>,
    /// Bytes by the kind of data that was read after it, and the first repeated pattern.
    pub kinds: Option<([u64; 4], Option<[u8; 16]>)>,
    /// Whether the machine stopped after it had ended.
    pub stopped_since: bool,
}

/// A drive, by IDENTIFY DEVICE, that may have the published user password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordHistory {
    pub model: String,
    pub serial: String,
    pub since: u64,
}

/// What the log knows of one drive of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveHistory {
    pub slot: u8,
    pub drive: DriveRef,
    pub sweeps: Vec<SweepHistory>,
    pub defects: Vec<(Sweep, DefectKind, Extent)>,
    pub interruptions: Vec<Interruption>,
    /// What was found out about its hidden areas, where that was asked.
    pub hidden: Option<HiddenAreas>,
    pub command: Option<CommandHistory>,
    pub finished: Option<(Outcome, String)>,
    pub certified: bool,
    /// In which run of the machine it was finished.
    finished_in: u64,
}

/// A job as the log tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobHistory {
    pub job: JobId,
    pub action: Action,
    pub method: Text<32>,
    pub passes: List<PassContent, MAX_PASSES>,
    pub verify: Verify,
    pub request: [u8; 32],
    pub started_at: u64,
    /// How many drives were authorised.
    pub announced: u8,
    pub drives: Vec<DriveHistory>,
    pub finished_at: Option<u64>,
    /// The first entry about this job that cannot be true after those before it. Such a job must not go on.
    pub contradiction: Option<String>,
    last_seen: u64,
}

/// A job without an end.
pub type UnfinishedJob = JobHistory;

/// An entry that cannot be true after those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The entry's number.
    pub sequence: u64,
    /// Where it lies, in bytes from the start of the log.
    pub at: u64,
    pub reason: String,
}

/// What the entries add up to. The default forgets finished jobs, so that a full log takes little memory; [`Replay::of`]
/// keeps them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replay {
    pub jobs: Vec<JobHistory>,
    /// How many jobs were started, those that are not kept included.
    pub started: u64,
    /// The last entry's time.
    pub last_at: Option<u64>,
    /// Whether the log ends with a shutdown in good order.
    pub clean: bool,
    /// The first entry that cannot be true.
    pub contradiction: Option<Contradiction>,
    /// The job that ended last, where none was begun after it.
    pub last_finished: Option<JobHistory>,
    /// Drives that may have the published password, the oldest first.
    pub passwords: Vec<PasswordHistory>,
    /// Every key the log was signed with, the oldest first.
    pub keys: Vec<[u8; 32]>,
    /// Names and SHA-256 of the last certificates, the oldest first.
    pub certificates: VecDeque<(Text<128>, [u8; 32])>,
    /// Whether there were more of them.
    pub certificates_dropped: bool,
    keeps_all: bool,
    /// How often the machine, or a job, went on.
    runs: u64,
}

impl Replay {
    /// Adds up entries in order, and keeps every job.
    pub fn of(entries: &[Placed]) -> Self {
        let mut replay = Self { keeps_all: true, ..Self::default() };
        entries.iter().for_each(|placed| replay.add(placed));
        replay
    }

    /// The job that was running when the log ends. There is at most one: a run finishes or abandons it first.
    pub fn unfinished(&self) -> Option<&UnfinishedJob> {
        self.jobs.iter().rev().find(|job| job.finished_at.is_none())
    }

    /// Adds the next entry.
    pub fn add(&mut self, placed: &Placed) {
        let (at, event) = (placed.entry.at, &placed.entry.event);
        self.last_at = Some(at);
        self.clean = *event == Event::Shutdown;
        self.runs += u64::from(matches!(event, Event::Boot { .. } | Event::JobResumed { .. }));
        let result = match (event, job_of(event)) {
            (Event::JobStarted { .. }, Some(_)) => self.start(at, event),
            (_, Some(id)) => self.add_to_job(*id, at, event),
            (_, None) => {
                self.note_password(at, event);
                Ok(())
            }
        };
        if result.is_ok() {
            self.note_certificate(event);
        }
        if let Err(reason) = result {
            let (sequence, at) = (placed.sequence, placed.at);
            self.contradiction.get_or_insert_with(|| Contradiction { sequence, at, reason: reason.into() });
        }
    }

    fn note_certificate(&mut self, event: &Event) {
        match event {
            Event::KeyMade { public, .. } if !self.keys.contains(public) => self.keys.push(*public),
            Event::Certified { name, sha256, .. } => {
                if self.certificates.len() == MAX_CERTIFICATES {
                    self.certificates.pop_front();
                    self.certificates_dropped = true;
                }
                self.certificates.push_back((name.clone(), *sha256));
            }
            _ => {}
        }
    }

    /// A drive is named once, however often it got the password.
    fn note_password(&mut self, at: u64, event: &Event) {
        let (Event::PasswordMayBeSet { model, serial } | Event::PasswordGone { model, serial }) = event else { return };
        self.passwords.retain(|known| known.model != **model || known.serial != **serial);
        if matches!(event, Event::PasswordMayBeSet { .. }) {
            if self.passwords.len() == MAX_PASSWORDS {
                self.passwords.remove(0);
            }
            let (model, serial) = (model.to_string(), serial.to_string());
            self.passwords.push(PasswordHistory { model, serial, since: at });
        }
    }

    fn running(&mut self, id: JobId) -> Option<&mut JobHistory> {
        self.jobs.iter_mut().rev().find(|job| job.job == id && job.finished_at.is_none())
    }

    fn start(&mut self, at: u64, event: &Event) -> Result<(), &'static str> {
        let Event::JobStarted { job, action, method, passes, verify, request, drives } = event else { return Ok(()) };
        self.started += 1;
        self.last_finished = None;
        if let Some(running) = self.running(*job) {
            const TWICE: &str = "a running job was started again";
            running.contradiction.get_or_insert_with(|| TWICE.into());
            return Err(TWICE);
        }
        if !self.keeps_all && self.jobs.len() == MAX_UNFINISHED {
            self.jobs.remove(0);
        }
        self.jobs.push(JobHistory {
            job: *job,
            action: *action,
            method: method.clone(),
            passes: passes.clone(),
            verify: *verify,
            request: *request,
            started_at: at,
            announced: *drives,
            drives: Vec::new(),
            finished_at: None,
            contradiction: None,
            last_seen: at,
        });
        Ok(())
    }

    fn add_to_job(&mut self, id: JobId, at: u64, event: &Event) -> Result<(), &'static str> {
        let runs = self.runs;
        let job = self.running(id).ok_or("an entry of a job that is not running")?;
        let result = rules::check(job, event, runs);
        match result {
            Ok(()) => job.add(at, event, runs),
            Err(reason) => drop(job.contradiction.get_or_insert_with(|| reason.into())),
        }
        job.last_seen = at;
        if job.finished_at.is_some() {
            self.last_finished = Some(job.clone());
        }
        if !self.keeps_all {
            self.jobs.retain(|job| job.finished_at.is_none());
        }
        result
    }
}

/// The job an entry belongs to.
fn job_of(event: &Event) -> Option<&JobId> {
    match event {
        Event::JobStarted { job, .. }
        | Event::DriveStarted { job, .. }
        | Event::SweepStarted { job, .. }
        | Event::Checkpoint { job, .. }
        | Event::Defects { job, .. }
        | Event::SweepFinished { job, .. }
        | Event::DriveRestarted { job, .. }
        | Event::DriveWaits { job, .. }
        | Event::DriveFinished { job, .. }
        | Event::Certified { job, .. }
        | Event::HiddenAreas { job, .. }
        | Event::CommandStarted { job, .. }
        | Event::CommandEnded { job, .. }
        | Event::Inspected { job, .. }
        | Event::JobResumed { job }
        | Event::JobFinished { job } => Some(job),
        Event::Created { .. }
        | Event::KeyMade { .. }
        | Event::Boot { .. }
        | Event::Refused { .. }
        | Event::Shutdown
        | Event::PasswordMayBeSet { .. }
        | Event::PasswordGone { .. }
        | Event::Note { .. } => None,
    }
}

impl JobHistory {
    /// Whether every drive of the job is in the log, which comes before the first write to any: of a job that did not come so
    /// far nothing was begun, and it does not go on but begins anew.
    pub fn was_announced(&self) -> bool {
        self.drives.len() == usize::from(self.announced)
    }

    /// When the log last knew the job to be running.
    pub fn last_seen(&self) -> u64 {
        self.last_seen
    }

    fn drive(&mut self, slot: u8) -> Option<&mut DriveHistory> {
        self.drives.iter_mut().find(|drive| drive.slot == slot)
    }

    fn add(&mut self, at: u64, event: &Event, runs: u64) {
        match event {
            Event::DriveStarted { slot, drive, .. } => self.drives.push(DriveHistory {
                slot: *slot,
                drive: drive.clone(),
                sweeps: Vec::new(),
                defects: Vec::new(),
                interruptions: Vec::new(),
                hidden: None,
                command: None,
                finished: None,
                certified: false,
                finished_in: 0,
            }),
            Event::Checkpoint { drives, .. } => {
                for progress in drives.iter() {
                    if let Some(drive) = self.drive(progress.slot) {
                        drive.reached(progress.sweep, progress.offset);
                    }
                }
            }
            Event::JobResumed { .. } => {
                let last_seen = self.last_seen;
                let running = self.drives.iter_mut().filter(|drive| !drive.is_over());
                running.for_each(|drive| {
                    drive.finished = None;
                    drive.forget_what_is_done_again();
                    if let Some(command) = &mut drive.command {
                        command.stopped_since |= command.ended.is_some();
                    }
                    let detail = String::from("the machine stopped and was started again");
                    drive.interruptions.push(Interruption { last_seen, resumed: Some(at), detail });
                });
            }
            Event::JobFinished { .. } => self.finished_at = Some(at),
            Event::SweepStarted { slot, .. }
            | Event::Defects { slot, .. }
            | Event::SweepFinished { slot, .. }
            | Event::DriveRestarted { slot, .. }
            | Event::DriveWaits { slot, .. }
            | Event::DriveFinished { slot, .. }
            | Event::HiddenAreas { slot, .. }
            | Event::CommandStarted { slot, .. }
            | Event::CommandEnded { slot, .. }
            | Event::Inspected { slot, .. }
            | Event::Certified { slot, .. } => {
                if let Some(drive) = self.drive(*slot) {
                    drive.add(at, event, runs);
                }
            }
            _ => {}
        }
    }
}

impl SweepHistory {
    fn new(sweep: Sweep, key: Option<[u8; 32]>, started_at: u64) -> Self {
        Self { sweep, key, started_at, finished_at: None, offset: 0, bytes: 0 }
    }
}

impl DriveHistory {
    fn sweep(&mut self, sweep: Sweep) -> Option<&mut SweepHistory> {
        self.sweeps.iter_mut().find(|past| past.sweep == sweep)
    }

    /// Whether nothing more happens to the drive in this job: it is certified, or ended without success. A success that
    /// nobody certified before the machine stopped is none any more: what was read then is read again.
    pub fn is_over(&self) -> bool {
        let failed = |(outcome, _): &(Outcome, String)| matches!(outcome, Outcome::Failed | Outcome::Interrupted);
        self.certified || self.finished.as_ref().is_some_and(failed)
    }

    /// A checkpoint that was logged after its sweep ended says nothing new.
    fn reached(&mut self, sweep: Sweep, offset: u64) {
        if let Some(past) = self.sweep(sweep).filter(|past| past.finished_at.is_none()) {
            past.offset = past.offset.max(offset);
        }
    }

    /// A drive that goes on does what lies behind the last checkpoint again, and the verification as a whole: bad places
    /// that were found there may be good the next time.
    fn forget_what_is_done_again(&mut self) {
        let sweeps = &self.sweeps;
        let kept_before = |sweep: Sweep| match sweeps.iter().find(|past| past.sweep == sweep) {
            _ if sweep == Sweep::Verify => 0,
            Some(past) if past.finished_at.is_none() => past.offset,
            _ => u64::MAX,
        };
        self.defects.retain_mut(|(sweep, _, extent)| {
            extent.len = extent.len.min(kept_before(*sweep).saturating_sub(extent.start));
            extent.len > 0
        });
    }

    fn add(&mut self, at: u64, event: &Event, runs: u64) {
        match event {
            Event::SweepStarted { sweep, key, .. } => match self.sweep(*sweep) {
                // It goes on with the same key; with another one it begins again.
                Some(past) if past.key == *key => {}
                Some(past) => {
                    *past = SweepHistory::new(*sweep, *key, at);
                    self.defects.retain(|(of, ..)| of != sweep);
                }
                None => self.sweeps.push(SweepHistory::new(*sweep, *key, at)),
            },
            Event::Defects { sweep, kind, extents, .. } => {
                self.defects.extend(extents.iter().map(|extent| (*sweep, *kind, *extent)));
            }
            Event::SweepFinished { sweep, bytes, .. } => {
                if let Some(past) = self.sweep(*sweep) {
                    (past.finished_at, past.bytes) = (Some(at), *bytes);
                }
            }
            Event::DriveRestarted { reason, .. } => {
                if let Some(last) = self.interruptions.last_mut() {
                    last.detail = format!("began again with the first pass: {reason}");
                }
                self.sweeps.clear();
                self.defects.clear();
                self.command = None;
            }
            Event::DriveWaits { reason, .. } => {
                if let Some(last) = self.interruptions.last_mut() {
                    last.resumed = None;
                    last.detail = format!("the job went on without it: {reason}");
                }
            }
            Event::CommandStarted { technique, .. } => {
                let technique = technique.to_string();
                self.command =
                    Some(CommandHistory { technique, started_at: at, ended: None, kinds: None, stopped_since: false });
            }
            Event::Inspected { kinds, example, .. } => {
                if let Some(command) = &mut self.command {
                    command.kinds = Some((*kinds, *example));
                }
            }
            Event::CommandEnded { evidence, .. } => {
                if let Some(command) = &mut self.command {
                    command.ended = Some((at, evidence.to_string()));
                }
            }
            Event::DriveFinished { outcome, reason, .. } => {
                self.finished = Some((*outcome, reason.to_string()));
                self.finished_in = runs;
            }
            Event::Certified { .. } => self.certified = true,
            Event::HiddenAreas { removal, before, after, unknown, left, .. } => {
                let (unknown, left) = (unknown.to_string(), left.to_string());
                self.hidden = Some(HiddenAreas { removal: *removal, before: *before, after: *after, unknown, left });
            }
            _ => {}
        }
    }
}
