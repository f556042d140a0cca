//! What a power cut left in a folder of certificates, put in order at the next start. The log is the judge.
//!
//! - A certificate that the log has stays. Its page and its signature are made again where they are torn or missing; a
//!   torn JSON cannot be, and is named.
//! - A whole certificate with our signature that the log does not have yet, of a drive whose end the log has just like that:
//!   the power went before the last entry. The entry is made; no other certificate is written beside it.
//! - One of a drive that the log knows otherwise, and whose job is still to certify it: removed, the job writes the one that
//!   counts.
//! - The remains of a certificate that never became whole: removed.
//!
//! Nothing is touched but files named as ours are, and of those nothing that another stick signed.

mod judge;

use super::{
    ENDINGS, StoreError,
    files::{Files, OnDisk},
};
use crate::{
    certify::key::StickKey,
    journal::{
        event::{Event, JobId},
        replay::Replay,
    },
};
use std::{collections::BTreeMap, io, path::Path};

/// Certificates of the log that are read through at every start; of older ones only that they are there and not empty.
const READ_THROUGH: usize = 32;
/// Longer than any certificate or page.
const MAX_FILE: u64 = 32 << 20;

/// A drive that a running job has still to certify.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owed {
    job: JobId,
    slot: u8,
    model: String,
    serial: String,
    bytes: u64,
    /// How its part ended, where it has.
    outcome: Option<&'static str>,
}

/// What the log says about certificates.
#[derive(Debug, Clone)]
pub struct Known<'a> {
    key: &'a StickKey,
    /// Every key this log has signed with.
    keys: Vec<[u8; 32]>,
    /// Names and hashes of what it has, the oldest first.
    certified: Vec<(String, [u8; 32])>,
    /// Whether these are all.
    complete: bool,
    owed: Vec<Owed>,
}

impl<'a> Known<'a> {
    /// What a log adds up to; `key` is the one it signs with.
    pub fn of(replay: &Replay, key: &'a StickKey) -> Self {
        let owed = replay.jobs.iter().filter(|job| job.finished_at.is_none()).flat_map(|job| {
            job.drives.iter().filter(|drive| !drive.certified).map(|drive| Owed {
                job: job.job,
                slot: drive.slot,
                model: drive.drive.model.to_string(),
                serial: drive.drive.serial.to_string(),
                bytes: drive.drive.bytes,
                outcome: drive.finished.as_ref().map(|(outcome, _)| outcome.word()),
            })
        });
        let mut keys = replay.keys.clone();
        keys.push(key.public());
        let certified: Vec<_> = replay.certificates.iter().map(|(name, sha256)| (name.to_string(), *sha256)).collect();
        let complete = !replay.certificates_dropped;
        Self { key, keys, certified, complete, owed: owed.collect() }
    }
}

/// What was found and is to be done.
#[derive(Debug, Default)]
pub struct Findings {
    /// Files to be removed first.
    remove: Vec<String>,
    /// Files to be made then.
    make: Vec<(String, Vec<u8>)>,
    /// Entries that the log lacks, to be made when the files are on the medium.
    pub adopt: Vec<Event>,
    /// What a person should know.
    pub said: Vec<String>,
    /// The same, where nothing is wrong.
    pub notes: Vec<String>,
}

impl Findings {
    /// Whether a file is to be changed.
    pub fn changes_files(&self) -> bool {
        !self.remove.is_empty() || !self.make.is_empty()
    }
}

/// The files of one certificate, as far as they are there.
#[derive(Debug, Clone, Default)]
struct Parts {
    /// In the order of [`ENDINGS`]: length, and content where it was read.
    parts: [Option<(u64, Vec<u8>)>; 3],
}

impl Parts {
    fn bytes(&self, part: usize) -> Option<&[u8]> {
        self.parts[part].as_ref().map(|(_, bytes)| bytes.as_slice())
    }
}

/// Looks, and changes nothing. A folder that is not there has nothing to put in order.
pub fn look(dir: &Path, known: &Known<'_>) -> Result<Findings, StoreError> {
    let failed = |source| StoreError::Io { path: dir.into(), source };
    match OnDisk::open(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Findings::default()),
        opened => survey(&opened.map_err(failed)?, known).map_err(failed),
    }
}

/// Does what was found to be done; all of it is on the medium afterwards.
pub fn apply(dir: &Path, findings: &Findings) -> Result<(), StoreError> {
    let failed = |source| StoreError::Io { path: dir.into(), source };
    OnDisk::open(dir).and_then(|files| settle(&files, findings)).map_err(failed)
}

fn settle(files: &dyn Files, findings: &Findings) -> io::Result<()> {
    findings.remove.iter().try_for_each(|name| files.remove(name))?;
    findings.make.iter().try_for_each(|(name, bytes)| files.create(name, bytes))?;
    files.sync()
}

fn survey(files: &dyn Files, known: &Known<'_>) -> io::Result<Findings> {
    let mut stems: BTreeMap<String, Parts> = BTreeMap::new();
    for (name, len) in files.names()? {
        if let Some((stem, part)) = ours(&name) {
            stems.entry(stem.into()).or_default().parts[part] = Some((len, Vec::new()));
        }
    }
    let mut findings = Findings::default();
    let mut absent = 0;
    for (number, (name, sha256)) in known.certified.iter().rev().enumerate() {
        let Some(mut parts) = name.strip_suffix(ENDINGS[0]).and_then(|stem| stems.remove(stem)) else {
            absent += 1;
            continue;
        };
        let whole = parts.parts.iter().all(|part| part.as_ref().is_some_and(|(len, _)| *len > 0));
        if number < READ_THROUGH || !whole {
            read(files, name, &mut parts)?;
            judge::logged(&mut findings, name, sha256, &parts, known);
        }
    }
    for (stem, mut parts) in stems {
        let name = format!("{stem}{}", ENDINGS[0]);
        read(files, &name, &mut parts)?;
        judge::unlogged(&mut findings, &stem, &parts, known);
    }
    if absent > 0 {
        let folder = files.folder().display();
        findings.notes.push(format!("{absent} certificates that the log has are not in {folder} (moved away?)"));
    }
    Ok(findings)
}

/// Reads the files of the certificate with this JSON.
fn read(files: &dyn Files, name: &str, parts: &mut Parts) -> io::Result<()> {
    let stem = name.strip_suffix(ENDINGS[0]).unwrap_or(name);
    for (ending, part) in ENDINGS.iter().zip(&mut parts.parts) {
        if let Some((len, bytes)) = part.as_mut().filter(|(len, _)| *len <= MAX_FILE) {
            *bytes = files.read(&format!("{stem}{ending}"), MAX_FILE)?;
            *len = bytes.len() as u64;
        }
    }
    Ok(())
}

/// The stem and the part of a name as this program makes them: `20260301T141509Z-` and the rest.
fn ours(name: &str) -> Option<(&str, usize)> {
    let part = ENDINGS.iter().position(|ending| name.ends_with(ending))?;
    let stem = name.strip_suffix(ENDINGS[part])?;
    let (time, rest) = stem.split_once('-')?;
    let form = time.len() == 16
        && time.bytes().enumerate().all(|(at, byte)| match at {
            8 => byte == b'T',
            15 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    (form && !rest.is_empty()).then_some((stem, part))
}

#[cfg(test)]
mod tests;
