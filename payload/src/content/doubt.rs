//! Why something is not proved, and reading little-endian fields without trusting any length.

use crate::blocks::ReadAt;
use std::{fmt, io};

/// Why a map is not believed. The message goes into the manifest as the reason for taking every byte.
#[derive(Debug, thiserror::Error)]
pub(super) enum Doubt {
    #[error("{what} cannot be read: {source}")]
    Read { what: &'static str, source: io::Error },
    #[error("{what} ends too early")]
    Short { what: &'static str },
    #[error("not cleanly unmounted: {0}")]
    Dirty(String),
    #[error("{0}")]
    Unhandled(String),
    #[error("damaged: {0}")]
    Damaged(String),
    #[error("{what} disagree: {one} and {other}")]
    Disagree { what: &'static str, one: String, other: String },
}

impl Doubt {
    pub(super) fn dirty(why: impl fmt::Display) -> Self {
        Self::Dirty(why.to_string())
    }

    pub(super) fn unhandled(why: impl fmt::Display) -> Self {
        Self::Unhandled(why.to_string())
    }

    pub(super) fn damaged(why: impl fmt::Display) -> Self {
        Self::Damaged(why.to_string())
    }

    pub(super) fn disagree(what: &'static str, one: impl fmt::Display, other: impl fmt::Display) -> Self {
        Self::Disagree { what, one: one.to_string(), other: other.to_string() }
    }
}

/// Fails with `doubt` unless `holds`.
pub(super) fn ensure(holds: bool, doubt: impl FnOnce() -> Doubt) -> Result<(), Doubt> {
    if holds { Ok(()) } else { Err(doubt()) }
}

/// Both figures must be the same.
pub(super) fn agree<T: PartialEq + fmt::Display>(what: &'static str, one: T, other: T) -> Result<(), Doubt> {
    ensure(one == other, || Doubt::disagree(what, &one, &other))
}

/// `len` bytes from `offset`. The caller bounds `len`; it never comes from the disk unchecked.
pub(super) fn read(volume: &dyn ReadAt, offset: u64, len: usize, what: &'static str) -> Result<Vec<u8>, Doubt> {
    let mut bytes = vec![0; len];
    read_into(volume, offset, &mut bytes, what)?;
    Ok(bytes)
}

/// Fills `bytes` from `offset`.
pub(super) fn read_into(volume: &dyn ReadAt, offset: u64, bytes: &mut [u8], what: &'static str) -> Result<(), Doubt> {
    let end = offset.checked_add(bytes.len() as u64);
    ensure(end.is_some_and(|end| end <= volume.size()), || Doubt::Short { what })?;
    volume.read_at(offset, bytes).map_err(|source| Doubt::Read { what, source })
}

/// A field of a structure read from disk.
pub(super) fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Doubt> {
    let end = at.checked_add(N);
    end.and_then(|end| bytes.get(at..end)?.try_into().ok()).ok_or(Doubt::Short { what: "a structure" })
}

/// The byte at `at`.
pub(super) fn le8(bytes: &[u8], at: usize) -> Result<u8, Doubt> {
    field::<1>(bytes, at).map(|[byte]| byte)
}

/// The little-endian number of 16 bits at `at`.
pub(super) fn le16(bytes: &[u8], at: usize) -> Result<u16, Doubt> {
    field(bytes, at).map(u16::from_le_bytes)
}

/// The little-endian number of 32 bits at `at`.
pub(super) fn le32(bytes: &[u8], at: usize) -> Result<u32, Doubt> {
    field(bytes, at).map(u32::from_le_bytes)
}

/// The little-endian number of 64 bits at `at`.
pub(super) fn le64(bytes: &[u8], at: usize) -> Result<u64, Doubt> {
    field(bytes, at).map(u64::from_le_bytes)
}

/// UTF-16 text up to the first zero, without control characters.
pub(super) fn utf16(bytes: &[u8]) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_le_bytes(*unit));
    printable(&String::from_utf16_lossy(&units.take_while(|unit| *unit != 0).collect::<Vec<_>>()))
}

/// Text of a fixed field up to the first zero, without control characters and trailing blanks.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    printable(&String::from_utf8_lossy(&bytes[..end]))
}

fn printable(text: &str) -> String {
    text.trim_end().chars().filter(|c| !c.is_control()).collect()
}

/// A UUID in its usual order of bytes (RFC 9562).
pub(super) fn uuid(bytes: [u8; 16]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// A GUID as Microsoft and UEFI store it: the first three fields are little-endian.
pub(super) fn guid(mut bytes: [u8; 16]) -> String {
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    uuid(bytes)
}

/// A read-through window, so that walking a table entry by entry does not read the disk entry by entry.
pub(super) struct Window<'a> {
    volume: &'a dyn ReadAt,
    what: &'static str,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    const LEN: u64 = 16 << 10;

    pub(super) fn new(volume: &'a dyn ReadAt, what: &'static str) -> Self {
        Self { volume, what, start: 0, bytes: Vec::new() }
    }

    /// `N` bytes from `offset`.
    pub(super) fn get<const N: usize>(&mut self, offset: u64) -> Result<[u8; N], Doubt> {
        if let Some(bytes) = self.held(offset) {
            return Ok(bytes);
        }
        let start = offset - offset % 4096;
        let len = self.volume.size().saturating_sub(start).min(Self::LEN);
        self.bytes.clear();
        self.bytes = read(self.volume, start, usize::try_from(len).unwrap_or(0), self.what)?;
        self.start = start;
        self.held(offset).ok_or(Doubt::Short { what: self.what })
    }

    fn held<const N: usize>(&self, offset: u64) -> Option<[u8; N]> {
        let at = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(at..at.checked_add(N)?)?.try_into().ok()
    }
}
