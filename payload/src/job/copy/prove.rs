//! An image alone: every byte of its files against its manifest, and the manifest against its signature.

use super::{
    digest::{self, Stream},
    image::open_chain,
};
use crate::imagefile::{self, Manifest, ManifestError, ReadError, Signed, VolumeError, names_of};
use std::path::Path;

/// What is known of an image after it was looked at.
#[derive(Debug, Default)]
pub struct Proof {
    /// Its manifest, whose signature holds, where there is one.
    pub signed: Option<Signed>,
    /// Bytes of the disk whose frames are proved.
    pub bytes_good: u64,
    /// Damaged places in all.
    pub damaged: u64,
    /// What is wrong, with its place; the first 1000.
    pub damage: Vec<String>,
    /// Whether it was stopped before the end.
    pub stopped: bool,
    /// What it takes to look at it and is not there: its manifest, one of its pieces, its base. What is there may be good.
    pub missing: Option<String>,
}

impl Proof {
    /// Whether all of it is what its maker signed.
    pub fn is_whole(&self) -> bool {
        self.signed.is_some() && self.missing.is_none() && self.damaged == 0 && self.damage.is_empty() && !self.stopped
    }

    fn missing(what: impl ToString) -> Self {
        Self { missing: Some(what.to_string()), ..Self::default() }
    }

    fn unreadable(what: impl ToString) -> Self {
        Self { damaged: 1, damage: vec![what.to_string()], ..Self::default() }
    }
}

/// Bytes of the disk an image is of; 0 where its manifest cannot be read.
pub fn disk_bytes(path: &Path) -> u64 {
    Manifest::read(path).map_or(0, |signed| signed.manifest.image.disk_bytes)
}

/// Looks at everything; `advanced` hears of bytes of the disk and may ask to stop.
pub fn prove(path: &Path, advanced: &(dyn Fn(u64) -> bool + Sync)) -> Proof {
    let signed = match Manifest::read(path) {
        Ok(signed) => signed,
        Err(error @ ManifestError::Missing(_)) if !names_of(path).is_empty() => return Proof::missing(error),
        Err(ManifestError::Missing(_)) => return Proof::missing(VolumeError::Missing(path.into())),
        Err(error) => return Proof::unreadable(error),
    };
    let reader = match open_chain(path) {
        Ok(reader) => reader,
        Err(
            error @ (ReadError::NoBase { .. } | ReadError::Volume(VolumeError::Missing(_) | VolumeError::Piece(_))),
        ) => {
            return Proof { signed: Some(signed), ..Proof::missing(error) };
        }
        Err(error) => return Proof::unreadable(error),
    };
    let manifest = &signed.manifest;
    let wish = match (manifest.sha512.is_empty(), manifest.sha256.is_empty()) {
        (false, false) => digest::Wish::Both,
        (false, true) => digest::Wish::Sha512,
        (true, false) => digest::Wish::Sha256,
        (true, true) => digest::Wish::None,
    };
    let mut stream = Stream::new(wish);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let report = imagefile::verify(&reader, manifest, threads, Some(&mut stream), advanced);
    let mut damage: Vec<_> = report.damage.iter().map(ToString::to_string).collect();
    if report.is_good() {
        let found = stream.finish();
        let listed = [(found.sha512, &manifest.sha512), (found.sha256, &manifest.sha256)];
        if listed.iter().any(|(found, listed)| found.as_ref().is_some_and(|found| found != *listed)) {
            damage.push("the digest of the whole disk is not the one in the manifest".into());
        }
    }
    let damaged = report.damaged.max(damage.len() as u64);
    Proof {
        bytes_good: report.bytes_good,
        damaged,
        damage,
        stopped: report.stopped,
        missing: None,
        signed: Some(signed),
    }
}
