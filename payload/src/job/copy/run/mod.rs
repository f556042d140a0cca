//! Whole jobs: images of several drives at once, one image or one drive onto several, drives against an image.

mod check;
mod clone;
mod earlier;
mod images;
mod restore;
mod targets;

pub use check::check;
pub(super) use check::compare;
pub use clone::clone;
pub use earlier::earlier;
pub use images::images;
pub use restore::restore;
pub use targets::Aim;

use super::{
    image,
    part::{self, Hand, Purpose},
    settle::Office,
    spread::Origin,
    target::{First, Steps},
};
use crate::{
    certify::{
        copy::{self, End},
        key::{PublicStickKey, StickKey},
        record::Operator,
    },
    console::Watcher,
    discover::Drive,
    drive::{DataPlane, Identity},
    engine::{
        extents::Ranges,
        frames,
        sweep::{Found, Limits, Observer},
    },
    imagefile::{Manifest, Reader, Unpacker, unreadable},
    job::{
        heat::Guard,
        issue,
        run::{Line, Surroundings, Tally, Ticks, drive_ref, run_lines},
        show::Show,
        status::{Log, Status},
    },
    journal::{
        JournalError,
        bounded::Text,
        event::{Action, Event, JobId, Sweep, Verify},
        replay::JobHistory,
    },
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// What every copy job has.
pub struct Job {
    pub id: JobId,
    /// BLAKE3 of what was asked for.
    pub request: [u8; 32],
    pub operator: Operator,
    pub log: Arc<Log>,
    pub around: Surroundings,
    /// A line for the person: what the job is.
    pub title: String,
    /// The job that it goes on with, or begins again: see [`earlier`].
    pub earlier: Option<JobHistory>,
    /// When it went on; milliseconds since 1970.
    pub resumed: u64,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("title", &self.title).finish_non_exhaustive()
    }
}

impl Job {
    fn office(&self, action: copy::Action) -> Office<'_> {
        Office {
            job: self.id,
            action,
            operator: &self.operator,
            log: &self.log,
            shelf: &*self.around.shelf,
            tool: &self.around.tool,
            host: &self.around.host,
            health: self.around.health,
            opener: &*self.around.opener,
        }
    }

    /// The key that signs; nothing when the run is over.
    fn key(&self) -> Option<StickKey> {
        self.log.with(|journal| journal.key().clone())
    }

    /// The unfinished image of a drive that this very job began earlier in a folder, by its name as a whole image. One that
    /// another job began is left alone.
    pub fn unfinished(&self, dir: &Path, id: &Identity, purpose: Purpose) -> Option<PathBuf> {
        part::of_job(dir, id, purpose, Hand { key: &self.key()?, request: self.request, job: Some(self.id) })
    }

    /// Why a manifest's signer is believed, whose signature holds.
    fn trust(&self, content: &Content) -> copy::Signature {
        match self.key() {
            Some(own) if own.public_key() == content.key => copy::Signature::OwnKey,
            _ => copy::Signature::SelfAsserted,
        }
    }

    fn limits(&self) -> Limits {
        self.around.limits
    }

    /// All of this is on the medium before the first write.
    fn announce(&mut self, action: Action, drives: &[(u8, &Drive)]) -> Result<(), JournalError> {
        if self.goes_on(drives)? {
            return Ok(());
        }
        self.log.append(&Event::JobStarted {
            job: self.id,
            action,
            method: Text::new(action.word()),
            passes: std::iter::empty().collect(),
            verify: Verify::Full,
            request: self.request,
            drives: u8::try_from(drives.len()).unwrap_or(u8::MAX),
        })?;
        drives.iter().try_for_each(|(slot, drive)| {
            self.log.append(&Event::DriveStarted { job: self.id, slot: *slot, drive: drive_ref(drive) })
        })
    }

    /// Stands beside the work on a drive that is claimed.
    fn guard<'a>(&'a self, drive: &Drive, plane: &dyn DataPlane, status: &'a Status) -> Guard<'a> {
        Guard::new(drive, plane, self.limits().patience, status, &self.log)
    }

    fn begin_sweep(&self, slot: u8) -> Result<(), String> {
        let started = Event::SweepStarted { job: self.id, slot, sweep: Sweep::Pass(0), key: None };
        self.log.append(&started).map_err(|error| format!("the log could not be written: {error}"))
    }

    /// Runs lines to their end and closes the job in the log.
    fn run(&self, count: usize, watcher: &mut dyn Watcher, start: impl FnOnce() -> Vec<Line>) -> Tally {
        let ticks = Ticks { job: self.id, limits: self.limits(), log: &self.log };
        let mut show = Show::new(watcher, self.title.clone(), count);
        let settled = run_lines(&ticks, &mut show, start);
        if self.log.lost().is_none() {
            let _ = self.log.append(&Event::JobFinished { job: self.id });
        }
        Tally { settled, waiting: Vec::new(), stopped: self.log.stopping().then(|| self.log.why_stopped()) }
    }
}

fn not_announced(error: &JournalError) -> Tally {
    Tally { stopped: Some(format!("the log could not be written: {error}")), ..Tally::default() }
}

/// A step's name and progress, for the main loop.
struct Told<'a> {
    log: &'a Log,
    status: &'a Status,
    guard: Guard<'a>,
}

impl Observer for Told<'_> {
    fn advanced(&mut self, bytes: u64) {
        self.guard.advanced(bytes);
    }

    fn checkpoint(&mut self, _: u64, found: &Found) {
        self.status.update(|shown| shown.defects = found.places() as u64);
    }

    fn stop(&self) -> bool {
        self.log.stopping()
    }
}

impl Steps for Told<'_> {
    fn step(&mut self, name: &str) {
        self.status.update(|shown| shown.step = name.into());
    }

    fn now(&self) -> u64 {
        self.log.now()
    }
}

/// How a part ended, from its failure and whether somebody stopped it.
fn end(failure: Option<String>, stopped: bool, log: &Log) -> End {
    match failure {
        None => End::Complete,
        Some(_) if stopped => End::Interrupted(log.why_stopped()),
        Some(reason) => End::Failed(reason),
    }
}

/// An image to be put on drives.
#[derive(Debug)]
pub struct Content {
    pub reader: Reader,
    pub manifest: Manifest,
    pub manifest_bytes: Vec<u8>,
    /// Who signed the manifest.
    pub key: PublicStickKey,
    pub file_bytes: u64,
    /// All that the image lacks since it could not be read.
    pub bad: Ranges,
    unpacker: Unpacker,
}

impl Content {
    /// The root over all that it holds, in hexadecimal.
    pub fn root(&self) -> &str {
        &self.manifest.blake3_root
    }
}

impl Origin for Content {
    fn bytes(&self) -> u64 {
        self.reader.header().disk_bytes
    }

    fn frame(&self, index: u64) -> Result<First, String> {
        let frame = self.unpacker.frame(&self.reader, index).map_err(|error| error.to_string())?;
        Ok(frame.map(|data| Arc::new(data) as Arc<dyn frames::Content>))
    }
}

/// Opens an image with its manifest, whose signature and root must hold.
pub fn open_content(path: &Path) -> Result<Content, String> {
    let signed = Manifest::read(path).map_err(|error| error.to_string())?;
    let reader = image::open_chain(path).map_err(|error| error.to_string())?;
    if *reader.header() != signed.manifest.image {
        return Err(format!("{}: the image is not the one its manifest describes", path.display()));
    }
    let root = reader.root().map_err(|error| error.to_string())?;
    if issue::hex(&root) != signed.manifest.blake3_root {
        return Err(format!("{}: its index is not the one its manifest proves", path.display()));
    }
    let unpacker = Unpacker::new().map_err(|error| format!("no memory for buffers: {error}"))?;
    let file_bytes = reader.file_bytes();
    let bad = unreadable(&reader, &signed.manifest).map_err(|error| error.to_string())?;
    Ok(Content {
        bad,
        reader,
        manifest: signed.manifest,
        manifest_bytes: signed.bytes,
        key: signed.key,
        file_bytes,
        unpacker,
    })
}
