//! Files in an image, without restoring or mounting it.
//!
//! All readers here take hostile bytes: a damaged or crafted file system leads to an error, never to a panic, an endless
//! loop or memory that grows with the disk. NTFS, FAT and exFAT are read by own code, because [`files_hit`] must know
//! where files lie and runs inside the appliance, where a panic of one reader would end the work on all drives.

mod bytes;
mod error;
mod exfat;
mod ext;
mod extract;
mod fat;
mod fat_names;
mod fat_volume;
mod find;
mod hits;
mod name;
mod ntfs;
mod walk;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub use error::BrowseError;
pub use extract::{Extracted, Skipped, extract};
pub use find::{cat, find};
pub use hits::{Hit, HitLimits, Hits, What, files_hit};
pub use walk::{Next, walk};

use crate::blocks::ReadAt;
use std::{
    fmt, io,
    ops::{ControlFlow, Range},
};

/// A file system whose files can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// NTFS 3.x.
    Ntfs,
    /// ext2, ext3 or ext4.
    Ext,
    /// FAT12, FAT16 or FAT32.
    Fat,
    /// exFAT.
    Exfat,
}

impl Kind {
    /// Recognises a file system by its boot sector or superblock; none if there is none of these.
    pub fn of(volume: &dyn ReadAt) -> io::Result<Option<Self>> {
        let mut head = [0; 2048];
        if volume.size() < head.len() as u64 {
            return Ok(None);
        }
        volume.read_at(0, &mut head)?;
        let boot = head[510..512] == [0x55, 0xAA];
        if encrypted(&head).is_some() {
            return Ok(None);
        }
        let kind = match &head[3..11] {
            b"NTFS    " if boot => Some(Self::Ntfs),
            b"EXFAT   " if boot => Some(Self::Exfat),
            _ if head[1024 + 0x38..][..2] == [0x53, 0xEF] => Some(Self::Ext),
            _ if boot && fat_volume::FatVolume::fat(&head[..512]).is_some() => Some(Self::Fat),
            _ => None,
        };
        Ok(kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ntfs => "NTFS",
            Self::Ext => "ext2/3/4",
            Self::Fat => "FAT",
            Self::Exfat => "exFAT",
        })
    }
}

/// What an entry of a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// Bytes.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, junction or other reparse point; never followed.
    Link,
    /// A device, pipe or socket.
    Other,
}

/// A name in a folder.
#[derive(Debug, Clone)]
pub struct Entry {
    /// One path component that is safe to show and to create: never `.`, `..` or empty, without `/` and control
    /// characters. What had to be replaced stands as `%` and two hexadecimal digits per byte.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes of a file, as the file system says.
    pub size: u64,
    /// Seconds since 1970, if it is known. FAT and exFAT store the local time of the computer; it is taken as UTC.
    pub modified: Option<i64>,
    /// A number that is the same for the same file: the MFT record, the inode, the first cluster.
    pub id: Option<u64>,
    place: Place,
}

/// How a reader finds a file again.
#[derive(Debug, Clone)]
enum Place {
    /// An MFT record.
    Ntfs(u64),
    /// An inode.
    Ext(u32),
    /// FAT and exFAT.
    Fat(fat_volume::Chain),
}

/// Takes a file's bytes. What lies between the pieces and up to the file's size is zeros.
pub trait Out {
    /// A piece; pieces come in ascending order and never lie past the file's size.
    fn data(&mut self, offset: u64, data: &[u8]) -> io::Result<()>;
}

/// The files of one volume.
pub trait Files {
    /// Which file system it is.
    fn kind(&self) -> Kind;

    /// The top folder.
    fn root(&self) -> Entry;

    /// Tells every entry of a folder, in the file system's order, until `each` breaks.
    fn list(&self, folder: &Entry, each: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<(), BrowseError>;

    /// Reads a file; its size in bytes.
    fn read(&self, file: &Entry, out: &mut dyn Out) -> Result<u64, BrowseError>;

    /// Tells where a file or folder and what describes it lie, in bytes of the volume, until `each` breaks. Places that
    /// many files share may be missing.
    fn places(&self, entry: &Entry, each: &mut dyn FnMut(Range<u64>) -> ControlFlow<()>) -> Result<(), BrowseError>;

    /// What a reader of these files should know first.
    fn note(&self) -> Option<String> {
        None
    }
}

/// What a volume is encrypted with. BitLocker To Go looks like a FAT file system that holds a program to read it with.
fn encrypted(head: &[u8; 2048]) -> Option<&'static str> {
    const TO_GO: &[u8] = b"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01";
    const TO_GO_USED_SPACE: &[u8] = b"\x3b\x4d\xa8\x92\x80\xdd\x0e\x4d\x9e\x4e\xb1\xe3\x28\x4e\xae\xd8";
    let has = |at: usize, mark: &[u8]| head[at..].starts_with(mark);
    match () {
        () if has(3, b"-FVE-FS-") || has(0x1a8, TO_GO) || has(0x1a8, TO_GO_USED_SPACE) => Some("BitLocker"),
        () if has(0, b"LUKS\xba\xbe\0") => Some("LUKS"),
        () => None,
    }
}

/// Opens the file system of a volume.
pub fn open<'a>(volume: &'a dyn ReadAt) -> Result<Box<dyn Files + 'a>, BrowseError> {
    Ok(match Kind::of(volume)? {
        Some(Kind::Ntfs) => Box::new(ntfs::Ntfs::open(volume)?),
        Some(Kind::Ext) => Box::new(ext::Ext::open(volume)?),
        Some(kind @ (Kind::Fat | Kind::Exfat)) => Box::new(fat::Fat::open(volume, kind)?),
        None => return Err(unknown(volume)?),
    })
}

/// Why a volume of no known kind is not opened.
fn unknown(volume: &dyn ReadAt) -> io::Result<BrowseError> {
    let mut head = [0; 2048];
    if volume.size() < head.len() as u64 {
        return Ok(BrowseError::Unknown);
    }
    volume.read_at(0, &mut head)?;
    Ok(encrypted(&head).map_or(BrowseError::Unknown, BrowseError::Encrypted))
}

/// Bytes read at once.
const PIECE: u64 = 1 << 20;

/// Copies a run of the volume to a file's bytes at `offset`.
fn copy_run(volume: &dyn ReadAt, from: u64, len: u64, offset: u64, out: &mut dyn Out) -> Result<(), BrowseError> {
    let mut buf = Vec::new();
    let mut done = 0;
    while done < len {
        let piece = PIECE.min(len - done);
        buf.resize(usize::try_from(piece).unwrap_or(0), 0);
        volume.read_at(from + done, &mut buf)?;
        out.data(offset + done, &buf).map_err(BrowseError::Out)?;
        done += piece;
    }
    Ok(())
}
