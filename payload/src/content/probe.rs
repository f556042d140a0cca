//! What lies at the start (and end) of a disk or partition, by signature. A signature alone proves nothing: the kinds
//! with a map are proved by their own modules, all others are raw.

use super::{
    doubt::{Doubt, le32, read, text},
    fat::Geometry,
};
use crate::blocks::ReadAt;
use std::fmt;

mod label;

/// What a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Ntfs,
    Ext,
    Fat,
    Exfat,
    BitLocker,
    Luks,
    Swap,
    Lvm,
    Raid,
    Btrfs,
    Xfs,
    Apfs,
    /// Recognised, but nothing more is known of it: the name.
    Other(&'static str),
    /// Signatures of more than one kind.
    Several,
    /// Nothing but zeros at its start.
    Blank,
    Unknown,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ntfs => "NTFS",
            Self::Ext => "ext2/3/4",
            Self::Fat => "FAT",
            Self::Exfat => "exFAT",
            Self::BitLocker => "BitLocker",
            Self::Luks => "LUKS",
            Self::Swap => "swap",
            Self::Lvm => "LVM",
            Self::Raid => "RAID",
            Self::Btrfs => "btrfs",
            Self::Xfs => "XFS",
            Self::Apfs => "APFS",
            Self::Other(name) => name,
            Self::Several => "several",
            Self::Blank => "blank",
            Self::Unknown => "unknown",
        })
    }
}

/// What the signatures say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) kind: Kind,
    /// All kinds whose signature is there, in words.
    pub(super) names: Vec<String>,
    pub(super) label: String,
}

/// How much of the start is looked at.
const HEAD: u64 = 512 << 10;
/// How much of the end.
const TAIL: u64 = 256 << 10;

/// A fixed signature: byte, what is there, kind, where a label is and how long.
type Signature = (usize, &'static [u8], Kind, Option<(usize, usize)>);

/// Signatures from the start. Sources: the projects' headers, as in libblkid's list of superblocks.
const SIGNATURES: &[Signature] = &[
    (3, b"-FVE-FS-", Kind::BitLocker, None),
    (3, b"ReFS\0\0\0\0", Kind::Other("ReFS"), None),
    (0, b"LUKS\xba\xbe\0\x01", Kind::Luks, None),
    (0, b"LUKS\xba\xbe\0\x02", Kind::Luks, Some((24, 48))),
    (16 << 10, b"SKUL\xba\xbe", Kind::Luks, None),
    (32 << 10, b"SKUL\xba\xbe", Kind::Luks, None),
    (64 << 10, b"SKUL\xba\xbe", Kind::Luks, None),
    (0, b"\xfc\x4e\x2b\xa9", Kind::Raid, Some((32, 32))),
    (4096, b"\xfc\x4e\x2b\xa9", Kind::Raid, Some((4128, 32))),
    (0, b"LABELONE", Kind::Lvm, None),
    (512, b"LABELONE", Kind::Lvm, None),
    (1024, b"LABELONE", Kind::Lvm, None),
    (1536, b"LABELONE", Kind::Lvm, None),
    (0x1_0040, b"_BHRfS_M", Kind::Btrfs, Some((0x1_012b, 256))),
    (0, b"XFSB", Kind::Xfs, Some((108, 12))),
    (32, b"NXSB", Kind::Apfs, None),
    (1024, b"BD", Kind::Other("HFS"), None),
    (1024, b"H+\0\x04", Kind::Other("HFS+"), None),
    (1024, b"HX\0\x05", Kind::Other("HFS+"), None),
    (1024, b"\x10\x20\xf5\xf2", Kind::Other("f2fs"), None),
    (1024, b"\xe2\xe1\xf5\xe0", Kind::Other("EROFS"), None),
    (4120, b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81", Kind::Other("bcache"), None),
    (4120, b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef", Kind::Other("bcachefs"), None),
    (4096, b"SPACEDB ", Kind::Other("Windows storage space"), None),
    (32 << 10, b"JFS1", Kind::Other("JFS"), None),
    (32_769, b"CD001", Kind::Other("ISO 9660"), None),
    (32_769, b"BEA01", Kind::Other("UDF"), None),
    (65_588, b"ReIsEr", Kind::Other("ReiserFS"), None),
    (1030, b"\x34\x34", Kind::Other("NILFS2"), None),
    (0, b"hsqs", Kind::Other("squashfs"), None),
    (0, b"integrt\0", Kind::Other("dm-integrity"), None),
    (0, b"dmvdo001", Kind::Other("VDO"), None),
    (2 << 16, b"\x5e\xf1\xab\x2f", Kind::Other("VMFS"), None),
];

/// Signatures that members of disk arrays (Intel, DDF, Promise, NVIDIA) carry near their end: bytes before the end, what
/// is there.
const TAILS: &[(u64, &[u8])] = &[
    (1024, b"Intel Raid ISM Cfg Sig. "),
    (512, b"\xde\x11\xde\x11"),
    (512, b"\x11\xde\x11\xde"),
    (63 * 512, b"Promise Technology, Inc."),
    (1024, b"NVIDIA  "),
];

/// Reads both ends and names what is there.
pub(super) fn probe(volume: &dyn ReadAt) -> Result<Found, Doubt> {
    let size = volume.size();
    let len = |most: u64| usize::try_from(size.min(most)).unwrap_or(0);
    let head = read(volume, 0, len(HEAD), "the start")?;
    let tail = read(volume, size - size.min(TAIL), len(TAIL), "the end")?;
    let mut found: Vec<Kind> = Vec::new();
    let mut label = String::new();
    for (_, _, kind, named) in SIGNATURES.iter().filter(|(at, bytes, ..)| has(&head, *at, bytes)) {
        if label.is_empty() {
            label = named.and_then(|(at, len)| head.get(at..at + len)).map(text).unwrap_or_default();
        }
        found.push(*kind);
    }
    found.extend(boot_sector(&head));
    found.extend(ext(&head));
    found.extend(swap(&head).then_some(Kind::Swap));
    found.extend(zfs(&head).then_some(Kind::Other("ZFS")));
    found.extend(at_the_end(&tail, size).then_some(Kind::Raid));
    let mut kinds: Vec<Kind> = Vec::new();
    for kind in found {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let kind = match kinds.as_slice() {
        [] if head.iter().all(|byte| *byte == 0) => Kind::Blank,
        [] => Kind::Unknown,
        [one] => *one,
        _ => Kind::Several,
    };
    let label = if label.is_empty() { label::label(volume, &head, kind) } else { label };
    Ok(Found { kind, names: kinds.iter().map(Kind::to_string).collect(), label })
}

fn has(bytes: &[u8], at: usize, signature: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|rest| rest.starts_with(signature))
}

/// The kinds that are told by a boot sector in the first block.
fn boot_sector(head: &[u8]) -> Option<Kind> {
    // BitLocker To Go looks like FAT32 to the systems that do not know it.
    const TO_GO: &[u8] = b"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01";
    const TO_GO_USED_SPACE: &[u8] = b"\x3b\x4d\xa8\x92\x80\xdd\x0e\x4d\x9e\x4e\xb1\xe3\x28\x4e\xae\xd8";
    if has(head, 0x1a8, TO_GO) || has(head, 0x1a8, TO_GO_USED_SPACE) {
        return Some(Kind::BitLocker);
    }
    if !has(head, 510, b"\x55\xaa") {
        return None;
    }
    if has(head, 3, b"NTFS    ") {
        return Some(Kind::Ntfs);
    }
    if has(head, 3, b"EXFAT   ") {
        return Some(Kind::Exfat);
    }
    Geometry::parse(head).ok().map(|_| Kind::Fat)
}

/// ext2/3/4, or a journal of one on a device of its own.
fn ext(head: &[u8]) -> Option<Kind> {
    const JOURNAL_DEVICE: u32 = 0x8;
    let incompat = le32(head, 1024 + 0x60).ok()?;
    has(head, 1024 + 0x38, b"\x53\xef").then_some(if incompat & JOURNAL_DEVICE == 0 {
        Kind::Ext
    } else {
        Kind::Other("ext journal")
    })
}

/// Swap space, or a suspended system in it; the signature ends the first page.
fn swap(head: &[u8]) -> bool {
    const NAMES: [&[u8]; 6] =
        [b"SWAPSPACE2", b"SWAP-SPACE", b"S1SUSPEND\0", b"S2SUSPEND\0", b"ULSUSPEND\0", b"LINHIB0001"];
    let page = |shift: u32| (4096_usize << shift) - 10;
    (0..5).any(|shift| NAMES.iter().any(|name| has(head, page(shift), name)))
}

/// An uberblock of ZFS' first label, in either byte order.
fn zfs(head: &[u8]) -> bool {
    (0..128).any(|number| {
        let at = (128 << 10) + number * 1024;
        has(head, at, b"\x0c\xb1\xba\0\0\0\0\0") || has(head, at, b"\0\0\0\0\0\xba\xb1\x0c")
    })
}

/// What arrays write near the end. Positions are counted in blocks of 512 bytes; md's are aligned (md(4)).
fn at_the_end(tail: &[u8], size: u64) -> bool {
    const MD: [&[u8]; 2] = [b"\xfc\x4e\x2b\xa9", b"\xa9\x2b\x4e\xfc"];
    let first = size - tail.len() as u64;
    let at = |offset: u64, signature: &[u8]| {
        offset.checked_sub(first).and_then(|at| usize::try_from(at).ok()).is_some_and(|at| has(tail, at, signature))
    };
    let sectors = size / 512;
    let old = (size & !0xffff).checked_sub(0x1_0000);
    let new = sectors.checked_sub(16).map(|sector| (sector & !7) * 512);
    let md = [old, new].into_iter().flatten().any(|offset| MD.iter().any(|magic| at(offset, magic)));
    let back =
        |back: u64, signature: &[u8]| (sectors * 512).checked_sub(back).is_some_and(|offset| at(offset, signature));
    md || TAILS.iter().any(|(bytes, signature)| back(*bytes, signature))
}

#[cfg(test)]
mod tests;
