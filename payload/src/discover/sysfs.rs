//! Reading attributes: small files of text, of which any can be missing or hold anything.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
    str::FromStr,
};

/// No attribute that is read here is longer.
const ATTRIBUTE_MAX: u64 = 4096;

/// The bytes of an attribute; `None` where it is missing or unreadable.
pub(super) fn bytes(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(ATTRIBUTE_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// An attribute as trimmed, printable, bounded text; `None` where it is missing or empty.
pub(super) fn text(path: &Path) -> Option<String> {
    bytes(path).map(|bytes| crate::scsi::text::clean(&bytes)).filter(|text| !text.is_empty())
}

/// An attribute as a decimal number; `None` for anything else.
pub(super) fn number<T: FromStr>(path: &Path) -> Option<T> {
    std::str::from_utf8(&bytes(path)?).ok()?.trim().parse().ok()
}

/// An attribute that is `0` or `1`.
pub(super) fn flag(path: &Path) -> Option<bool> {
    match number::<u8>(path)? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// The names in a folder, sorted; none where it is missing. The kernel's names are ASCII; others are left out.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
