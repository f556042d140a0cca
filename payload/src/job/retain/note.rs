//! The note beside a kept image: its form, its signature, and the image it speaks of.

use crate::{
    aside::Folder,
    certify::{
        key::{PublicStickKey, StickKey},
        record::KeptImage,
        signature::{self, SignatureError},
    },
    files,
    imagefile::{Manifest, VolumeError},
    job::{copy::image::open_chain, issue::hex, record::time},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    io,
    path::{Path, PathBuf},
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
    #[error(transparent)]
    Busy(#[from] VolumeError),
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
    pub(super) const ENDING: &str = ".kept.json";
    /// More than any note needs.
    const MAX: u64 = 64 << 10;

    /// Where the note about an image lies.
    pub fn path(image: &Path) -> PathBuf {
        files::beside(image, Self::ENDING)
    }

    /// Reads the note beside an image; its signature must hold, and it must be about this image.
    pub fn read(image: &Path) -> Result<Kept, RetainError> {
        let path = Self::path(image);
        let bytes = match files::read(&path, Self::MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(RetainError::NotKept(image.into())),
            other => other.map_err(|error| RetainError::Io(path.clone(), error))?,
        };
        let note = Self::parse(&bytes, image).map_err(|reason| RetainError::Form(path.clone(), reason))?;
        let armour = files::beside(&path, ".sig");
        let text = files::read(&armour, Self::MAX).map_err(|error| RetainError::Io(armour, error))?;
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
    pub(super) fn write(&self, image: &Path, key: &StickKey) -> Result<(), RetainError> {
        let path = Self::path(image);
        let failed = |error: io::Error| RetainError::Io(path.clone(), error);
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        bytes.push(b'\n');
        let armour = key.sign(&bytes).map_err(|error| failed(io::Error::other(error)))?;
        let (folder, name) = Folder::of(&path).map_err(failed)?;
        folder.write(&files::beside(Path::new(name), ".sig").into_os_string(), armour.as_bytes()).map_err(failed)?;
        folder.write(name, &bytes).map_err(failed)
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
    pub(in crate::job) fn stated(&self, now: u64) -> KeptImage {
        let Retained { image, since, until, manifest_sha256, .. } = self.note.clone();
        let fault = self.look().err().unwrap_or_default();
        KeptImage { image, since, until, manifest_sha256, looked: time(Some(now)), fault }
    }
}
