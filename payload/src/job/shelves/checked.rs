//! The note that an image was read as a whole: signed, and about one manifest only.

use crate::{
    aside::Folder,
    certify::{key::StickKey, signature},
    files::{self, beside},
    imagefile::Signed,
    job::{copy::prove::Proof, issue::hex, record::time},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{io, path::Path};

/// When an image was last read as a whole, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checked {
    pub format: String,
    /// SHA-256 of the bytes of the manifest that it was held against.
    pub manifest_sha256: String,
    /// RFC 3339, UTC, by the clock of the machine that read it.
    pub at: String,
    /// Whether every byte was what the manifest says.
    pub whole: bool,
    /// Bytes of the disk whose frames were good, and damaged places.
    pub bytes_good: u64,
    pub damaged: u64,
    /// Who looked: the id of the host's key.
    pub signer: String,
}

const FORMAT: &str = "mule-checked/1";
const ENDING: &str = ".checked.json";
/// More than any note needs.
const MAX: u64 = 16 << 10;

impl Checked {
    /// The note beside an image; nothing where there is none that was signed and is about this manifest.
    pub(super) fn read(image: &Path, signed: &Signed) -> Option<Self> {
        let path = beside(image, ENDING);
        let bytes = files::read(&path, MAX).ok()?;
        let armour = files::read(&beside(&path, ".sig"), MAX).ok()?;
        let key = signature::verify(&bytes, &String::from_utf8_lossy(&armour)).ok()?;
        let note: Self = serde_json::from_slice(&bytes).ok()?;
        let is_about = note.format == FORMAT && note.manifest_sha256 == hex(&Sha256::digest(&signed.bytes));
        let holds = is_about && key.stick_id() == note.signer && humantime::parse_rfc3339(&note.at).is_ok();
        holds.then_some(note)
    }
}

/// Leaves a note of what was found, signed by `key`; without a manifest there is nothing it could be about.
pub fn note(image: &Path, proof: &Proof, now: u64, key: &StickKey) -> io::Result<()> {
    let Some(signed) = proof.signed.as_ref().filter(|_| !proof.stopped && proof.missing.is_none()) else {
        return Ok(());
    };
    let checked = Checked {
        format: FORMAT.into(),
        manifest_sha256: hex(&Sha256::digest(&signed.bytes)),
        at: time(Some(now)),
        whole: proof.is_whole(),
        bytes_good: proof.bytes_good,
        damaged: proof.damaged,
        signer: key.stick_id(),
    };
    let mut bytes = serde_json::to_vec_pretty(&checked)?;
    bytes.push(b'\n');
    let armour = key.sign(&bytes).map_err(io::Error::other)?;
    let path = beside(image, ENDING);
    let (folder, name) = Folder::of(&path)?;
    folder.write(&beside(Path::new(name), ".sig").into_os_string(), armour.as_bytes())?;
    folder.write(name, &bytes)
}

/// What lies beside an image of this.
pub(super) fn files_of(image: &Path) -> [std::path::PathBuf; 2] {
    let path = beside(image, ENDING);
    [beside(&path, ".sig"), path]
}
