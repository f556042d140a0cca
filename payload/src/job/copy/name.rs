//! What images are called, and which files belong to one.

use crate::{drive::Identity, files::beside, imagefile, job::record::time, jobfile::IMAGE_SUFFIX};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// `MODEL-SERIAL-TIME.img.zst` behind a prefix, safe on every file system a store may have.
pub fn new(prefix: &str, id: &Identity, now: u64) -> String {
    let safe = |text: &str| -> String {
        let kept = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        text.trim().chars().map(kept).take(40).collect()
    };
    let time: String = time(Some(now)).chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{prefix}{}-{}-{time}{IMAGE_SUFFIX}", safe(&id.model), safe(&id.serial))
}

/// The image of this drive in a folder that was cut short, if there is one.
pub fn unfinished(dir: &Path, id: &Identity) -> Option<PathBuf> {
    let is_part = |path: &Path| {
        let header = imagefile::peek(&beside(path, ".part")).ok();
        header.is_some_and(|h| h.model == id.model && h.serial == id.serial && h.disk_bytes == id.bytes)
    };
    let parts = fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path());
    // A volume's number is no part of the name.
    let named = parts.filter_map(|path| {
        let text = path.to_str()?;
        let end = text.find(&format!("{IMAGE_SUFFIX}.part"))? + IMAGE_SUFFIX.len();
        Some(PathBuf::from(&text[..end]))
    });
    let mut named: Vec<_> = named.filter(|path| imagefile::names_of(path).is_empty()).collect();
    named.sort();
    named.into_iter().find(|path| is_part(path))
}
