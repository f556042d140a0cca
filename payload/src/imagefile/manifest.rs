//! The manifest beside an image: what it is of, what it holds, and hashes that prove it; signed like a certificate.
//!
//! The BLAKE3 of each MiB is in the image's group indexes; the manifest has the digest of every index, 64 digits for each
//! GiB of the disk, and so proves them all. A flat list would be 67 MB of JSON for a TB.

use super::format::{GROUP, Header, Mode};
use crate::{
    aside::Folder,
    certify::{
        key::{PublicStickKey, SignError, StickKey},
        record::{Operator, Tool},
        signature::{self, SignatureError},
    },
    files::{self, beside},
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Largest manifest that is read: a disk of 200 TB has one of some 30 MB.
const MAX: u64 = 64 << 20;

/// Why there is no manifest, or none that holds.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{path}: this belongs to the image and is not there; without it nobody can tell what the image was when it was made", path = .0.display())]
    Missing(PathBuf),
    #[error("{path}: this is no manifest, or one that was changed: {reason}", path = path.display())]
    Form { path: PathBuf, reason: String },
    #[error("{path}: {source}", path = path.display())]
    Signature { path: PathBuf, source: SignatureError },
    #[error(transparent)]
    Sign(#[from] SignError),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `mule-manifest/1`.
    pub format: String,
    /// The image's file name.
    pub name: String,
    /// `imaged` or `imaged-with-exceptions`.
    pub outcome: String,
    /// RFC 3339, UTC, by the machine's clock.
    pub started: String,
    pub finished: String,
    /// The image's header, word for word.
    pub image: Header,
    /// The source's firmware revision.
    pub firmware: String,
    pub partitions: Vec<Partition>,
    /// BLAKE3 over the digests of all groups, one after the other.
    pub blake3_root: String,
    pub groups: Vec<Group>,
    /// BLAKE3 of the file's bytes behind the groups.
    pub tail_blake3: String,
    /// SHA-512 of the disk as it was imaged, as `zstd -dc NAME.img.zst | sha512sum` prints it; blank where it was not asked for.
    pub sha512: String,
    pub sha256: String,
    pub files: Vec<Volume>,
    pub base: Option<Base>,
    /// The last image of the chain that this one was put together from, without reading the disk again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flattened: Option<Base>,
    /// What could not be read; zeros in the image. At most 1000 are listed.
    pub bad: Vec<BadArea>,
    pub bad_bytes: u64,
    /// Files that lie on such places, as far as that was found out: `partition 2: /path/name`. At most 200 are listed.
    pub bad_files: Vec<String>,
    /// How many files were found; at least so many as are listed.
    #[serde(default)]
    pub bad_files_hit: u64,
    /// Where names were looked for and where not; blank where every block was read.
    #[serde(default)]
    pub bad_files_note: String,
    pub bytes_read: u64,
    pub bytes_free: u64,
    pub operator: Operator,
    pub tool: Tool,
    /// Who signed: the stick's or the host's id.
    pub signer: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    pub number: u32,
    /// Bytes from the start of the disk.
    pub start: u64,
    pub bytes: u64,
    pub content: String,
    pub label: String,
    pub mode: Mode,
    /// Why it was imaged in this way.
    pub reason: String,
}

/// 1024 MiB of the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// BLAKE3 of the content of the group's index.
    pub index: String,
    /// BLAKE3 of the group's bytes in the file.
    pub file: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    pub name: String,
    pub bytes: u64,
}

/// The image that holds what did not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    pub name: String,
    pub blake3_root: String,
    /// SHA-256 of its manifest's bytes: this is what names it in certificates.
    pub manifest_sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BadArea {
    /// Bytes from the start of the disk.
    pub start: u64,
    pub bytes: u64,
}

/// A manifest whose signature holds.
#[derive(Debug, Clone)]
pub struct Signed {
    pub manifest: Manifest,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
    pub key: PublicStickKey,
}

impl Manifest {
    pub const FORMAT: &str = "mule-manifest/1";

    /// Where the manifest of an image lies.
    pub fn path(image: &Path) -> PathBuf {
        beside(image, ".manifest.json")
    }

    /// Signs and writes it beside the image: the signature first, so that a manifest is never without.
    pub fn write(&self, image: &Path, key: &StickKey) -> Result<Vec<u8>, ManifestError> {
        let folder = Folder::of(image).map_err(|source| ManifestError::Io { path: image.into(), source })?.0;
        self.write_in(&folder, image, key)
    }

    /// The same in the folder that was held while the image was written.
    pub(crate) fn write_in(&self, folder: &Folder, image: &Path, key: &StickKey) -> Result<Vec<u8>, ManifestError> {
        let path = Self::path(image);
        let form = |error: serde_json::Error| ManifestError::Form { path: path.clone(), reason: error.to_string() };
        let mut bytes = serde_json::to_vec_pretty(self).map_err(form)?;
        bytes.push(b'\n');
        let signature = key.sign(&bytes)?;
        for (path, bytes) in [(&beside(&path, ".sig"), signature.as_bytes()), (&path, &bytes)] {
            let failed = |source| ManifestError::Io { path: path.clone(), source };
            folder.write(path.file_name().unwrap_or_default(), bytes).map_err(failed)?;
        }
        Ok(bytes)
    }

    /// Reads the manifest of an image and checks its signature.
    pub fn read(image: &Path) -> Result<Signed, ManifestError> {
        let path = Self::path(image);
        let bytes = read_bounded(&path)?;
        let manifest: Self = serde_json::from_slice(&bytes)
            .map_err(|error| ManifestError::Form { path: path.clone(), reason: error.to_string() })?;
        manifest.check().map_err(|reason| ManifestError::Form { path: path.clone(), reason })?;
        let signature = read_bounded(&beside(&path, ".sig"))?;
        let key = signature::verify(&bytes, &String::from_utf8_lossy(&signature))
            .map_err(|source| ManifestError::Signature { path: path.clone(), source })?;
        if key.stick_id() != manifest.signer {
            let source = SignatureError::AnotherSigner { allowed: key.stick_id(), claimed: manifest.signer };
            return Err(ManifestError::Signature { path, source });
        }
        Ok(Signed { manifest, bytes, key })
    }

    /// Where the image's files should lie, whatever the image is called now.
    fn pieces<'a>(&'a self, image: &'a Path) -> impl Iterator<Item = (PathBuf, u64)> + 'a {
        let ending = |file: &'a Volume| file.name.strip_prefix(self.name.as_str()).filter(|rest| !rest.contains('/'));
        self.files.iter().map(move |file| (beside(image, ending(file).unwrap_or_default()), file.bytes))
    }

    /// The first of the image's files that is not there.
    pub fn missing_piece(&self, image: &Path) -> Option<PathBuf> {
        // Of an image in one file that is missing there is nothing to miss a piece of.
        let several = self.files.len() > 1;
        self.pieces(image).map(|(path, _)| path).find(|path| several && !path.exists())
    }

    /// The first of the image's files that does not have the size it had, and that size.
    pub fn wrong_size(&self, image: &Path) -> Option<(PathBuf, u64)> {
        self.pieces(image).find(|(path, bytes)| fs::metadata(path).map(|m| m.len()).ok() != Some(*bytes))
    }

    /// Whether it can be true in itself.
    fn check(&self) -> Result<(), String> {
        if self.format != Self::FORMAT {
            return Err(format!("the format is {:?}", self.format));
        }
        let groups = self.image.frames().div_ceil(GROUP);
        if self.groups.len() as u64 != groups {
            return Err(format!("it lists {} groups of {groups}", self.groups.len()));
        }
        let whole = self.outcome == "imaged";
        if (whole && self.bad_bytes > 0) || (!whole && self.outcome != "imaged-with-exceptions") {
            return Err(format!("the outcome {:?} contradicts {} unreadable bytes", self.outcome, self.bad_bytes));
        }
        Ok(())
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, ManifestError> {
    files::read(path, MAX).map_err(|source| match source.kind() {
        io::ErrorKind::FileTooLarge => ManifestError::Form { path: path.into(), reason: source.to_string() },
        io::ErrorKind::NotFound => ManifestError::Missing(path.into()),
        _ => ManifestError::Io { path: path.into(), source },
    })
}
