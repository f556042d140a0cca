//! Images kept of what a job is about to destroy, until a person commits to the job or reverts it.
//!
//! Beside such an image lies `NAME.img.zst.kept.json`: what it is of, since when and until when. Nothing is ever deleted by
//! itself: an image whose time is over is named as such, and removed by `mule commit` alone.

use super::{
    copy::{
        digest,
        image::{Order, Room},
        level, name,
        run::{self, Job},
        take,
    },
    record::time,
    run::Tally,
};
use crate::{
    console::Watcher,
    discover::Drive,
    files,
    imagefile::{Manifest, names_of},
    journal::event::Outcome,
    plan::{Source, Target},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    num::NonZeroU64,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// What a kept image is of, and until when it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retained {
    pub format: String,
    /// File name of the image in the same folder.
    pub image: String,
    /// SHA-256 of its manifest's bytes.
    pub manifest_sha256: String,
    pub model: String,
    pub serial: String,
    pub wwn: String,
    pub bytes: u64,
    /// RFC 3339, by the clock of the machine that kept it.
    pub since: String,
    pub until: String,
    /// What was about to be done to the drive.
    pub before: String,
}

/// Why a kept image cannot be dealt with.
#[derive(Debug, thiserror::Error)]
pub enum RetainError {
    #[error("{path}: {source}", path = .0.display(), source = .1)]
    Io(PathBuf, io::Error),
    #[error("{path}: this does not say what is kept: {reason}", path = .0.display(), reason = .1)]
    Form(PathBuf, String),
    #[error(
        "{path}: this image was not kept by a job (there is no {note} beside it); nothing was done",
        path = .0.display(),
        note = Retained::path(.0).file_name().unwrap_or_default().to_string_lossy()
    )]
    NotKept(PathBuf),
}

impl Retained {
    pub const FORMAT: &str = "mule-kept/1";
    const ENDING: &str = ".kept.json";
    /// More than any note needs.
    const MAX: u64 = 64 << 10;

    /// Where the note about an image lies.
    pub fn path(image: &Path) -> PathBuf {
        files::beside(image, Self::ENDING)
    }

    /// Reads the note beside an image.
    pub fn read(image: &Path) -> Result<Self, RetainError> {
        use io::Read as _;
        let path = Self::path(image);
        let file = match fs::File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(RetainError::NotKept(image.into())),
            other => other.map_err(|error| RetainError::Io(path.clone(), error))?,
        };
        let mut bytes = Vec::new();
        file.take(Self::MAX).read_to_end(&mut bytes).map_err(|error| RetainError::Io(path.clone(), error))?;
        let form = |reason: String| RetainError::Form(path.clone(), reason);
        let note: Self = serde_json::from_slice(&bytes).map_err(|error| form(error.to_string()))?;
        if note.format != Self::FORMAT {
            return Err(form(format!("the format is {:?}", note.format)));
        }
        humantime::parse_rfc3339(&note.until).map_err(|error| form(error.to_string()))?;
        Ok(note)
    }

    fn write(&self, image: &Path) -> Result<(), RetainError> {
        let path = Self::path(image);
        let failed = |error: io::Error| RetainError::Io(path.clone(), error);
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        bytes.push(b'\n');
        files::replace(&path, &bytes).map_err(failed)
    }

    /// Whether its time is over at `now` (milliseconds since 1970).
    pub fn has_expired(&self, now: u64) -> bool {
        let until = humantime::parse_rfc3339(&self.until).ok();
        let until = until.and_then(|until| until.duration_since(std::time::UNIX_EPOCH).ok());
        until.is_some_and(|until| u128::from(now) >= until.as_millis())
    }

    /// A line for a person.
    pub fn line(&self, now: u64) -> String {
        let time = if self.has_expired(now) { "its time was over on" } else { "kept until" };
        format!("{}: {} {}, before {}; {time} {}", self.image, self.model, self.serial, self.before, self.until)
    }

    /// Whether it is an image of this drive.
    pub fn is_of(&self, model: &str, serial: &str, bytes: u64) -> bool {
        (self.model.as_str(), self.serial.as_str(), self.bytes) == (model, serial, bytes)
    }
}

/// Every kept image in a folder, in the order of their names; of some the note may be unreadable.
pub fn list(dir: &Path) -> io::Result<Vec<(PathBuf, Result<Retained, RetainError>)>> {
    let mut images: Vec<PathBuf> = fs::read_dir(dir)?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let image = path.file_name()?.to_str()?.strip_suffix(Retained::ENDING)?.to_owned();
            Some(path.with_file_name(image))
        })
        .collect();
    images.sort();
    Ok(images.into_iter().map(|image| (image.clone(), Retained::read(&image))).collect())
}

/// What is kept in a folder, as far as the notes can be read. Certificates of erasures must name it, so that a folder that
/// cannot be read is an error.
pub fn notes(dir: &Path) -> Result<Vec<Retained>, RetainError> {
    let list = list(dir).map_err(|error| RetainError::Io(dir.into(), error))?;
    Ok(list.into_iter().filter_map(|(_, note)| note.ok()).collect())
}

/// Removes a kept image with everything that belongs to it; the note last, so that what is left of it stays listed.
pub fn remove(image: &Path) -> Result<Retained, RetainError> {
    let note = Retained::read(image)?;
    let manifest = Manifest::path(image);
    let beside = [files::beside(image, ".map"), files::beside(&manifest, ".sig"), manifest];
    for path in names_of(image).into_iter().chain(beside).chain([Retained::path(image)]) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(RetainError::Io(path, error)),
            _ => {}
        }
    }
    files::sync_folder(image).map_err(|error| RetainError::Io(image.into(), error))?;
    Ok(note)
}

/// How the images are made.
#[derive(Debug, Clone)]
pub struct Wish {
    pub dir: PathBuf,
    pub keep: Duration,
    /// What is about to be done: "wipe (nist-clear)".
    pub before: String,
    pub threads: usize,
    /// Largest file of the folder's file system.
    pub limit: Option<NonZeroU64>,
    pub clock: fn() -> u64,
}

/// Takes an image of every target. Only if each is whole, proved and certified may the job begin; the error says why not.
pub fn retain<'a>(
    job: Job,
    targets: impl Iterator<Item = &'a Target>,
    wish: &Wish,
    watcher: &mut dyn Watcher,
) -> Result<Vec<Retained>, String> {
    let sources: Vec<_> = targets.map(Source::of).collect();
    let orders = sources.into_iter().map(|source| {
        let order = order(&job, source.drive(), wish);
        (source, order)
    });
    let orders: Vec<_> = orders.collect();
    let drives: Vec<_> = orders.iter().map(|(source, order)| (source.drive().clone(), order.path.clone())).collect();
    let tally = run::images(job, orders, watcher);
    proved(&tally)?;
    let notes = drives.iter().map(|(drive, path)| note(drive, path, wish));
    notes.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

fn order(job: &Job, drive: &Drive, wish: &Wish) -> Order {
    let found = name::unfinished(&wish.dir, &drive.identity);
    let path = found.unwrap_or_else(|| wish.dir.join(name::new("kept-", &drive.identity, (wish.clock)())));
    Order {
        path,
        raw: false,
        base: None,
        wish: take::Wish { threads: wish.threads, level: level::Wish::Adaptive, retries: 1, limits: job.around.limits },
        hash: digest::Wish::Auto,
        limit: wish.limit,
        verify: true,
        operator: job.operator.clone(),
        tool: job.around.tool.clone(),
        started: (wish.clock)(),
        clock: wish.clock,
        room: Arc::new(Room::default()),
    }
}

fn proved(tally: &Tally) -> Result<(), String> {
    if let Some(why) = &tally.stopped {
        return Err(format!("the images to be kept were not finished: {why}"));
    }
    let bad = tally.settled.iter().find(|d| d.outcome != Outcome::Imaged || d.certificate.is_err());
    match bad {
        None => Ok(()),
        Some(drive) => {
            let reason = drive.certificate.as_ref().err().unwrap_or(&drive.reason);
            Err(format!(
                "no whole image of {} {} could be kept ({}): {reason}",
                drive.model,
                drive.serial,
                drive.outcome.word()
            ))
        }
    }
}

fn note(drive: &Drive, path: &Path, wish: &Wish) -> Result<Retained, RetainError> {
    let signed = Manifest::read(path).map_err(|error| RetainError::Form(path.into(), error.to_string()))?;
    let now = (wish.clock)();
    let until = now.saturating_add(u64::try_from(wish.keep.as_millis()).unwrap_or(u64::MAX));
    let id = &drive.identity;
    let note = Retained {
        format: Retained::FORMAT.into(),
        image: signed.manifest.name.clone(),
        manifest_sha256: super::issue::hex(&Sha256::digest(&signed.bytes)),
        model: id.model.clone(),
        serial: id.serial.clone(),
        wwn: id.wwn.clone().unwrap_or_default(),
        bytes: id.bytes,
        since: time(Some(now)),
        until: time(Some(until)),
        before: wish.before.clone(),
    };
    note.write(path)?;
    Ok(note)
}
