//! The files of a certificate, written so that a power cut leaves whole files or none.
//!
//! Each file is read back before the certificate counts as written, and not from the kernel's memory: see `from_medium`
//! for what that proves.

use super::{
    Certifiable, Common,
    key::{SignError, StickKey},
    signature,
};
use mule_sys::AlignedBuf;
use rustix::{
    fs::{Advice, OFlags},
    io::Errno,
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    io::Write,
    os::unix::fs::{FileExt, OpenOptionsExt},
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

/// Checks, signs and writes a record into `dir`: JSON, signature, page, and the signer's line.
pub fn write(dir: &Path, record: &dyn Certifiable, key: &StickKey) -> Result<Stored, StoreError> {
    let contradictions = record.contradictions();
    if !contradictions.is_empty() {
        return Err(StoreError::Contradiction(contradictions.join("; ")));
    }
    let bytes = record.json()?;
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
    put(dir, &format!("{name}.sig"), signature.as_bytes(), from_medium)?;
    put(dir, &format!("{stem}.html"), record.page(&name, &sha256).as_bytes(), from_medium)?;
    put(dir, &name, &bytes, from_medium)?;
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
    put(dir, ALLOWED_SIGNERS, format!("{text}{line}\n").as_bytes(), from_medium)
}

/// Reads a file's bytes for the comparison with what was written to it; no more than so many and one more.
type ReadBack = fn(&Path, usize) -> io::Result<Back>;

/// What was read back, and how.
#[derive(Debug, PartialEq, Eq)]
struct Back {
    bytes: Vec<u8>,
    /// Whether past the kernel's cache for certain.
    direct: bool,
}

/// A new name first, then the right one; flushed before and after, and read back.
fn put(dir: &Path, name: &str, bytes: &[u8], read_back: ReadBack) -> Result<(), StoreError> {
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
    let back = read_back(&path, bytes.len()).map_err(failed)?;
    if back.bytes == bytes { Ok(()) } else { Err(StoreError::ReadBack { path }) }
}

/// Reads a file with direct I/O: the bytes come from the drive, so the drive answered with them after the flush. Whether
/// they come from its flash or from a cache of its own no computer can tell. Where the file system has no direct I/O the
/// kernel is asked to forget what it caches of the file, which it may or may not do.
///
/// Proved are the bytes of the file. The folder's entry and the file's place are flushed, but read from the cache.
fn from_medium(path: &Path, len: usize) -> io::Result<Back> {
    let flags = i32::try_from(OFlags::DIRECT.bits()).map_err(io::Error::other)?;
    let refused = |error: &io::Error| error.raw_os_error() == Some(Errno::INVAL.raw_os_error());
    let directly = || {
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        read_aligned(&file, len)
    };
    match directly() {
        Ok(bytes) => Ok(Back { bytes, direct: true }),
        Err(error) if refused(&error) => {
            let file = fs::File::open(path)?;
            rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?;
            Ok(Back { bytes: read_aligned(&file, len)?, direct: false })
        }
        Err(error) => Err(error),
    }
}

/// Up to `len` bytes and one more, in a buffer that direct I/O accepts.
fn read_aligned(file: &fs::File, len: usize) -> io::Result<Vec<u8>> {
    /// The longest logical block of a drive in use; direct reads begin and end at its multiples.
    const BLOCK: usize = 4096;
    let mut buf = AlignedBuf::zeroed(BLOCK)?;
    let mut bytes = Vec::with_capacity(len + BLOCK);
    while bytes.len() <= len {
        match file.read_at(&mut buf, bytes.len() as u64) {
            Ok(got) => {
                bytes.extend_from_slice(&buf[..got]);
                if got < BLOCK {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(len + 1);
    Ok(bytes)
}

#[cfg(test)]
mod tests;
