//! The files of a certificate, written so that a power cut leaves whole files or none.

use super::{
    Certifiable, Common,
    key::{SignError, StickKey},
    signature,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// The file of allowed signers beside the certificates.
pub const ALLOWED_SIGNERS: &str = "allowed_signers";

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
pub fn json<T: Serialize>(record: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(record).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Checks, signs and writes a record into `dir`: JSON, signature, page, and the signer's line.
pub fn write(dir: &Path, record: &dyn Certifiable, key: &StickKey) -> Result<Stored, StoreError> {
    let contradictions = record.contradictions();
    if !contradictions.is_empty() {
        return Err(StoreError::Contradiction(contradictions.join("; ")));
    }
    let bytes = record.json();
    let signature = key.sign(&bytes)?;
    signature::verify(&bytes, &signature)
        .map_err(|error| StoreError::Contradiction(format!("its own signature does not verify: {error}")))?;
    let _alone = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    fs::create_dir_all(dir).map_err(|source| StoreError::Io { path: dir.into(), source })?;
    let stem = free_stem(dir, &record.common());
    let name = format!("{stem}.json");
    let sha256: [u8; 32] = Sha256::digest(&bytes).into();
    allow(dir, key)?;
    // The JSON last: where it is, everything that belongs to it is.
    put(dir, &format!("{name}.sig"), signature.as_bytes())?;
    put(dir, &format!("{stem}.html"), record.page(&name, &sha256).as_bytes())?;
    put(dir, &name, &bytes)?;
    Ok(Stored { name, sha256 })
}

/// `<UTC time>-<serial>`, safe on FAT, and not used yet.
fn free_stem(dir: &Path, record: &Common<'_>) -> String {
    let time: String = record.finished.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let safe = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let serial: String = record.media.serial.trim().chars().map(safe).take(40).collect();
    let serial = if serial.is_empty() { "no-serial".into() } else { serial };
    let stem = format!("{time}-{serial}");
    let candidates = (2..).map(|number| format!("{stem}-{number}"));
    std::iter::once(stem.clone())
        .chain(candidates)
        .find(|name| !dir.join(format!("{name}.json")).exists())
        .unwrap_or(stem)
}

/// Adds the key's line to the allowed signers, unless it is there.
fn allow(dir: &Path, key: &StickKey) -> Result<(), StoreError> {
    let path = dir.join(ALLOWED_SIGNERS);
    let line = key.public_key().allowed_signers_line();
    let mut text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(StoreError::Io { path, source }),
    };
    if text.lines().any(|present| present.trim() == line) {
        return Ok(());
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    put(dir, ALLOWED_SIGNERS, format!("{text}{line}\n").as_bytes())
}

/// A new name first, then the right one; flushed before and after, and read back.
fn put(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let path = dir.join(name);
    let temporary = dir.join(format!("{name}.new"));
    let failed = |source| StoreError::Io { path: path.clone(), source };
    let write = || {
        let mut file = fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)?;
        fs::File::open(dir)?.sync_all()
    };
    write().map_err(failed)?;
    if fs::read(&path).map_err(failed)? == bytes { Ok(()) } else { Err(StoreError::ReadBack { path }) }
}

#[cfg(test)]
mod tests;
