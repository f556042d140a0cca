//! Images kept of what a job is about to destroy, until a person commits to the job or reverts it.
//!
//! Beside such an image lies `NAME.img.zst.kept.json`: what it is of, since when and until when, signed like its manifest.
//! Nothing is ever deleted by itself: an image whose time is over is named as such, and removed by `mule commit` alone.

use super::{
    copy::{
        digest,
        image::{Order, Room, open_chain},
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
    certify::{
        key::{PublicStickKey, StickKey},
        record::KeptImage,
        signature::{self, SignatureError},
    },
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
    #[error("{path}: nobody can be believed to have written this: {source}", path = .0.display(), source = .1)]
    Signature(PathBuf, SignatureError),
    #[error("the run is over: nothing can be signed any more")]
    Over,
    #[error(
        "{path}: this image was not kept by a job (there is no {note} beside it); nothing was done",
        path = .0.display(),
        note = Retained::path(.0).file_name().unwrap_or_default().to_string_lossy()
    )]
    NotKept(PathBuf),
}

/// A kept image whose note somebody signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The image itself.
    pub image: PathBuf,
    pub note: Retained,
    /// Who signed the note.
    pub key: PublicStickKey,
}

impl Retained {
    pub const FORMAT: &str = "mule-kept/2";
    const ENDING: &str = ".kept.json";
    /// More than any note needs.
    const MAX: u64 = 64 << 10;

    /// Where the note about an image lies.
    pub fn path(image: &Path) -> PathBuf {
        files::beside(image, Self::ENDING)
    }

    /// Reads the note beside an image; its signature must hold, and it must be about this image.
    pub fn read(image: &Path) -> Result<Kept, RetainError> {
        let path = Self::path(image);
        let bytes = match bounded(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(RetainError::NotKept(image.into())),
            other => other.map_err(|error| RetainError::Io(path.clone(), error))?,
        };
        let note = Self::parse(&bytes, image).map_err(|reason| RetainError::Form(path.clone(), reason))?;
        let armour = files::beside(&path, ".sig");
        let text = bounded(&armour).map_err(|error| RetainError::Io(armour, error))?;
        let key = signature::verify(&bytes, &String::from_utf8_lossy(&text))
            .map_err(|error| RetainError::Signature(path.clone(), error))?;
        Ok(Kept { image: image.into(), note, key })
    }

    /// A note's text about an image; nothing is said of who wrote it.
    pub fn parse(bytes: &[u8], image: &Path) -> Result<Self, String> {
        let note: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if note.format != Self::FORMAT {
            return Err(format!("the format is {:?}", note.format));
        }
        let Self { image: name, manifest_sha256, model, serial, wwn, since, until, before, .. } = &note;
        if image.file_name().is_none_or(|file| file.as_encoded_bytes() != name.as_bytes()) {
            return Err("it is about another file than the one it lies beside".into());
        }
        let texts = [name, model, serial, wwn, before];
        if texts.iter().any(|text| text.chars().any(char::is_control)) {
            return Err("it is not printable".into());
        }
        let digits = manifest_sha256.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if manifest_sha256.len() != 64 || !digits {
            return Err("it does not name a manifest".into());
        }
        for at in [since, until] {
            humantime::parse_rfc3339(at).map_err(|error| error.to_string())?;
        }
        Ok(note)
    }

    /// The signature first, so that a note is never without.
    fn write(&self, image: &Path, key: &StickKey) -> Result<(), RetainError> {
        let path = Self::path(image);
        let failed = |error: io::Error| RetainError::Io(path.clone(), error);
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        bytes.push(b'\n');
        let armour = key.sign(&bytes).map_err(|error| failed(io::Error::other(error)))?;
        files::replace(&files::beside(&path, ".sig"), armour.as_bytes()).map_err(failed)?;
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

fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    use io::Read as _;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(Retained::MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Kept {
    /// A line for a person.
    pub fn line(&self, now: u64) -> String {
        format!("{}; signed by {}", self.note.line(now), self.key.stick_id())
    }

    /// Looks at the image, as far as that takes no reading of all of it: its manifest, whose signature must be by the note's key,
    /// the size of each of its files, and its index against the manifest's root. The error is what is not as it was signed.
    pub fn look(&self) -> Result<(), String> {
        let note = &self.note;
        let signed = Manifest::read(&self.image).map_err(|error| error.to_string())?;
        let manifest = &signed.manifest;
        let of = &manifest.image;
        let wrong = if signed.key != self.key {
            "its manifest is signed by somebody else"
        } else if hex(&Sha256::digest(&signed.bytes)) != note.manifest_sha256 || manifest.name != note.image {
            "its manifest is not the one that was signed for"
        } else if !note.is_of(&of.model, &of.serial, of.disk_bytes) || of.wwn != note.wwn {
            "its manifest is of another drive"
        } else {
            ""
        };
        if !wrong.is_empty() {
            return Err(wrong.into());
        }
        if let Some((file, bytes)) = manifest.wrong_size(&self.image) {
            return Err(format!("{} is not there with its {bytes} bytes", file.display()));
        }
        let reader = open_chain(&self.image).map_err(|error| error.to_string())?;
        let root = reader.root().map_err(|error| error.to_string())?;
        if *reader.header() != manifest.image || hex(&root) != manifest.blake3_root {
            return Err("its index is not the one that its manifest proves".into());
        }
        Ok(())
    }

    /// What a certificate that is written at `now` says of it.
    pub(super) fn stated(&self, now: u64) -> KeptImage {
        let Retained { image, since, until, manifest_sha256, .. } = self.note.clone();
        let fault = self.look().err().unwrap_or_default();
        KeptImage { image, since, until, manifest_sha256, looked: time(Some(now)), fault }
    }
}

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
    let note = Retained::read(image)?.note;
    let manifest = Manifest::path(image);
    let path = Retained::path(image);
    let beside = [files::beside(image, ".map"), files::beside(&manifest, ".sig"), manifest];
    for path in names_of(image).into_iter().chain(beside).chain([path.clone(), files::beside(&path, ".sig")]) {
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
