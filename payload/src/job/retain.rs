//! Images kept of what a job is about to destroy, until a person commits to the job or reverts it.
//!
//! Beside such an image lies `NAME.img.zst.kept.json`: what it is of, since when and until when, signed like its manifest.
//! Nothing is ever deleted by itself: an image whose time is over is named as such, and removed by `mule commit` alone.

mod note;

pub use note::{Kept, RetainError, Retained};

use super::{
    copy::{
        digest,
        image::{Order, Room},
        level, name,
        part::Purpose,
        run::{self, Job},
        take,
    },
    issue::hex,
    record::time,
    run::Tally,
    status::Log,
};
use crate::{
    aside::Folder,
    certify::key::StickKey,
    console::Watcher,
    discover::Drive,
    files,
    imagefile::{self, Manifest},
    journal::event::Outcome,
    plan::{Source, Target},
};
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    num::NonZeroU64,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Every kept image in a folder, in the order of their names; of some the note may be unreadable.
pub fn list(dir: &Path) -> io::Result<Vec<(PathBuf, Result<Kept, RetainError>)>> {
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

/// What is kept in a folder by this log's own key; a stranger's word is not repeated. Certificates of erasures must name it, so
/// that a folder that cannot be read is an error.
pub fn notes(dir: &Path, log: &Log) -> Result<Vec<Kept>, RetainError> {
    let own = log.with(|journal| journal.key().public_key()).ok_or(RetainError::Over)?;
    let list = list(dir).map_err(|error| RetainError::Io(dir.into(), error))?;
    Ok(list.into_iter().filter_map(|(_, kept)| kept.ok()).filter(|kept| kept.key == own).collect())
}

/// Removes a kept image with everything that belongs to it; the note last, so that what is left of it stays listed.
pub fn remove(image: &Path) -> Result<Retained, RetainError> {
    let folder = Folder::of(image).map_err(|error| RetainError::Io(image.into(), error))?.0;
    let note = Retained::read(image)?.note;
    let manifest = Manifest::path(image);
    let path = Retained::path(image);
    let beside = [files::beside(image, ".map"), files::beside(&manifest, ".sig"), manifest];
    imagefile::not_in_use(image)?;
    imagefile::remove(image).map_err(|error| RetainError::Io(image.into(), error))?;
    for path in beside.into_iter().chain([path.clone(), files::beside(&path, ".sig")]) {
        folder.forget(path.file_name().unwrap_or_default()).map_err(|error| RetainError::Io(path, error))?;
    }
    folder.sync().map_err(|error| RetainError::Io(image.into(), error))?;
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
) -> Result<Vec<Kept>, String> {
    let log = Arc::clone(&job.log);
    let sources: Vec<_> = targets.map(Source::of).collect();
    let orders = sources.into_iter().map(|source| {
        let order = order(&job, source.drive(), wish);
        (source, order)
    });
    let orders: Vec<_> = orders.collect();
    let drives: Vec<_> = orders.iter().map(|(source, order)| (source.drive().clone(), order.path.clone())).collect();
    let tally = run::images(job, orders, watcher);
    proved(&tally)?;
    let key = log.with(|journal| journal.key().clone()).ok_or("the log is closed")?;
    let notes = drives.iter().map(|(drive, path)| note(drive, path, wish, &key));
    notes.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

fn order(job: &Job, drive: &Drive, wish: &Wish) -> Order {
    // What an earlier attempt of this job left is begun anew in its place.
    let found = job.unfinished(&wish.dir, &drive.identity, Purpose::Keep);
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
        purpose: Purpose::Keep,
        clock: wish.clock,
        room: Arc::new(Room::default()),
        ignore_room: false,
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

fn note(drive: &Drive, path: &Path, wish: &Wish, key: &StickKey) -> Result<Kept, RetainError> {
    let signed = Manifest::read(path).map_err(|error| RetainError::Form(path.into(), error.to_string()))?;
    let now = (wish.clock)();
    let until = now.saturating_add(u64::try_from(wish.keep.as_millis()).unwrap_or(u64::MAX));
    let id = &drive.identity;
    let note = Retained {
        format: Retained::FORMAT.into(),
        image: signed.manifest.name.clone(),
        manifest_sha256: hex(&Sha256::digest(&signed.bytes)),
        model: id.model.clone(),
        serial: id.serial.clone(),
        wwn: id.wwn.clone().unwrap_or_default(),
        bytes: id.bytes,
        since: time(Some(now)),
        until: time(Some(until)),
        before: wish.before.clone(),
    };
    note.write(path, key)?;
    Ok(Kept { image: path.into(), note, key: key.public_key() })
}
