//! The files of a certificate, written so that what a power cut leaves can be told from what counts.
//!
//! Every file gets its own name at once and is never renamed: FAT writes a new name with a length of 0 and the old one for the
//! same clusters beside it, so that a rename there is not the one step that it is elsewhere. What makes a certificate whole
//! is that the log says so, and the log says so only when all files are on the medium; what a cut leaves before that is put
//! in order at the next start (see [`tidy`]).
//!
//! Each file is read back before the certificate counts as written, and not from the kernel's memory: see
//! `files::OnDisk` for what that proves.

use super::{
    Certifiable, Common,
    key::{SignError, StickKey},
    signature,
};
use files::{Files, OnDisk};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

pub(crate) mod files;
#[cfg(test)]
pub(crate) mod model;
pub mod tidy;

/// The file of allowed signers beside the certificates.
pub const ALLOWED_SIGNERS: &str = "allowed_signers";

/// What is behind the stem of a certificate's files. The JSON is what counts.
const ENDINGS: [&str; 3] = [".json", ".json.sig", ".html"];

/// Drives that finish together write one after the other: a free name stays free until it is taken, and nobody's line in
/// the list of signers is lost.
static WRITING: Mutex<()> = Mutex::new(());

/// Why a certificate was not written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The record contradicts itself: it is never signed.
    #[error(
        "the certificate contradicts itself and was not signed ({0}); this is a fault of this program, please report it"
    )]
    Contradiction(String),
    /// The record has no JSON form.
    #[error("the certificate could not be put into words ({0}); this is a fault of this program, please report it")]
    Encode(#[source] serde_json::Error),
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{path}: what was read back is not what was written; the stick may be worn out", path = path.display())]
    ReadBack { path: PathBuf },
}

/// A certificate that is on the medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Name of the JSON file.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

/// The exact bytes that are signed: pretty JSON in UTF-8 with a line feed at the end.
pub fn json<T: Serialize>(record: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = serde_json::to_vec_pretty(record).map_err(StoreError::Encode)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Checks, signs and writes a record into `dir`: signature, page, JSON, and the signer's line.
pub fn write(dir: &Path, record: &dyn Certifiable, key: &StickKey) -> Result<Stored, StoreError> {
    let sheets = Sheets::of(record, key)?;
    let files = OnDisk::make(dir).map_err(|source| StoreError::Io { path: dir.into(), source })?;
    sheets.write(&files, &record.common(), key)
}

/// The contents of a certificate's files, before there is a name.
struct Sheets<'a> {
    record: &'a dyn Certifiable,
    json: Vec<u8>,
    signature: String,
}

impl<'a> Sheets<'a> {
    /// What contradicts itself is never signed.
    fn of(record: &'a dyn Certifiable, key: &StickKey) -> Result<Self, StoreError> {
        let contradictions = record.contradictions();
        if !contradictions.is_empty() {
            return Err(StoreError::Contradiction(contradictions.join("; ")));
        }
        let json = record.json()?;
        let signature = key.sign(&json)?;
        signature::verify(&json, &signature)
            .map_err(|error| StoreError::Contradiction(format!("its own signature does not verify: {error}")))?;
        Ok(Self { record, json, signature })
    }

    /// All of it is on the medium when this returns, and was read from it.
    fn write(&self, files: &dyn Files, common: &Common<'_>, key: &StickKey) -> Result<Stored, StoreError> {
        let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        let at = |name: &str| files.folder().join(name);
        let stem = free_stem(files, common).map_err(|source| StoreError::Io { path: at(""), source })?;
        let name = format!("{stem}.json");
        let sha256: [u8; 32] = Sha256::digest(&self.json).into();
        allow(files, key).map_err(|source| StoreError::Io { path: at(ALLOWED_SIGNERS), source })?;
        // The JSON last, when all that belongs to it is on the medium: where it is, the rest is.
        let page = self.record.page(&name, &sha256);
        let beside = [(format!("{name}.sig"), self.signature.as_bytes()), (format!("{stem}.html"), page.as_bytes())];
        let json = [(name.clone(), self.json.as_slice())];
        for group in [&beside[..], &json] {
            for (name, bytes) in group {
                put(files, name, bytes)?;
            }
            files.sync().map_err(|source| StoreError::Io { path: at(""), source })?;
        }
        for (name, bytes) in beside.iter().chain(&json) {
            verify(files, name, bytes)?;
        }
        Ok(Stored { name, sha256 })
    }
}

/// `<UTC time>-<serial>`, safe on FAT, and not used yet by any of a certificate's files. FAT does not tell capitals apart.
fn free_stem(files: &dyn Files, record: &Common<'_>) -> io::Result<String> {
    let time: String = record.finished.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let serial: String = record.media.serial.trim().chars().map(safe).take(40).collect();
    let serial = if serial.is_empty() { "no-serial".into() } else { serial };
    let stem = format!("{time}-{serial}");
    let taken: HashSet<_> = files.names()?.into_iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    let candidates = (2..).map(|number| format!("{stem}-{number}"));
    let free =
        |stem: &String| ENDINGS.iter().all(|ending| !taken.contains(&format!("{stem}{ending}").to_ascii_lowercase()));
    std::iter::once(stem.clone()).chain(candidates).find(free).ok_or_else(|| io::ErrorKind::AlreadyExists.into())
}

/// Adds the key's line to the allowed signers, unless it is there. The list is only ever added to: what others wrote in it is
/// never written again. The beginning of our own line at its end is what a power cut left, and is cut off.
fn allow(files: &dyn Files, key: &StickKey) -> io::Result<()> {
    /// More than any list of signers needs.
    const MAX: u64 = 16 << 20;
    let line = key.public_key().allowed_signers_line();
    let bytes = match files.read(ALLOWED_SIGNERS, MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            files.create(ALLOWED_SIGNERS, format!("{line}\n").as_bytes())?;
            return files.sync();
        }
        read => read?,
    };
    if bytes.len() as u64 > MAX {
        return Err(io::Error::other("this list of signers is too long; move it away"));
    }
    let written = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
    let begin = bytes[..written].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let torn = written > begin && written - begin < line.len() && line.as_bytes().starts_with(&bytes[begin..written]);
    let kept = if torn { begin } else { written };
    if kept < bytes.len() {
        files.cut(ALLOWED_SIGNERS, kept as u64)?;
    }
    let bytes = &bytes[..kept];
    let text = String::from_utf8_lossy(bytes);
    if !text.lines().any(|present| present.trim() == line) {
        let feed = if bytes.is_empty() || bytes.ends_with(b"\n") { "" } else { "\n" };
        files.append(ALLOWED_SIGNERS, format!("{feed}{line}\n").as_bytes())?;
    } else if kept == bytes.len() {
        return Ok(());
    }
    files.sync()
}

/// Makes a file; nothing is left of one that could not be made whole.
fn put(files: &dyn Files, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let path = files.folder().join(name);
    files.create(name, bytes).map_err(|source| StoreError::Io { path, source })
}

/// What the medium has is what was written.
fn verify(files: &dyn Files, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let path = files.folder().join(name);
    match files.read_back(name, bytes.len()) {
        Ok(back) if back == bytes => Ok(()),
        Ok(_) => Err(StoreError::ReadBack { path }),
        Err(source) => Err(StoreError::Io { path, source }),
    }
}

#[cfg(test)]
mod tests;
