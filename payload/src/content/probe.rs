//! What a partition holds, by the signatures file systems and others leave.

use crate::blocks::ReadAt;
use std::fmt;

/// What was recognised.
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
            Self::Raid => "Linux RAID",
            Self::Btrfs => "btrfs",
            Self::Xfs => "XFS",
            Self::Apfs => "APFS",
            Self::Blank => "blank",
            Self::Unknown => "unknown",
        })
    }
}

/// Offset, signature, kind; the first that fits is taken.
const SIGNATURES: &[(usize, &[u8], Kind)] = &[
    (3, b"-FVE-FS-", Kind::BitLocker),
    (3, b"NTFS    ", Kind::Ntfs),
    (3, b"EXFAT   ", Kind::Exfat),
    (0, b"LUKS\xba\xbe", Kind::Luks),
    (0, b"XFSB", Kind::Xfs),
    (512, b"LABELONE", Kind::Lvm),
    (4096, &[0xfc, 0x4e, 0x2b, 0xa9], Kind::Raid),
    (4086, b"SWAPSPACE2", Kind::Swap),
    (65600, b"_BHRfS_M", Kind::Btrfs),
    (32, b"NXSB", Kind::Apfs),
    (1080, &[0x53, 0xef], Kind::Ext),
    (82, b"FAT32   ", Kind::Fat),
    (54, b"FAT1", Kind::Fat),
];

/// The kind and the label of what begins at byte 0.
pub(super) fn probe(volume: &dyn ReadAt) -> (Kind, String) {
    let len = usize::try_from(volume.size()).unwrap_or(usize::MAX).min(128 * 1024);
    let mut start = vec![0; len];
    if volume.read_at(0, &mut start).is_err() {
        return (Kind::Unknown, String::new());
    }
    let has = |at: usize, bytes: &[u8]| start.get(at..at + bytes.len()) == Some(bytes);
    let found = SIGNATURES.iter().find(|(at, bytes, _)| has(*at, bytes)).map(|(.., kind)| *kind);
    let blank = || start.iter().all(|byte| *byte == 0);
    let kind = found.unwrap_or_else(|| if blank() { Kind::Blank } else { Kind::Unknown });
    let label = match kind {
        Kind::Ext => text(start.get(1024 + 120..1024 + 136)),
        Kind::Fat => fat_label(volume, &start),
        Kind::Exfat => exfat_label(volume, &start),
        Kind::Ntfs => ntfs_label(volume),
        _ => String::new(),
    };
    (kind, label)
}

fn text(bytes: Option<&[u8]>) -> String {
    let bytes = bytes.unwrap_or_default();
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim_end().to_owned()
}

fn u16_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 2).map_or(0, |b| u64::from(u16::from_le_bytes([b[0], b[1]])))
}

fn u32_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 4).map_or(0, |b| u64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]])))
}

/// The entry with the volume label in the root directory (Microsoft FAT specification, 6.3), else the boot sector's.
fn fat_label(volume: &dyn ReadAt, start: &[u8]) -> String {
    let sector = u16_at(start, 11);
    let (reserved, fats) = (u16_at(start, 14), u64::from(start[16]));
    let per_fat = if u16_at(start, 22) > 0 { u16_at(start, 22) } else { u32_at(start, 36) };
    let root = match u16_at(start, 17) {
        0 => {
            let cluster = u32_at(start, 44).saturating_sub(2) * u64::from(start[13]);
            (reserved + fats * per_fat + cluster) * sector
        }
        _ => (reserved + fats * per_fat) * sector,
    };
    let mut entries = vec![0; 4096];
    if volume.read_at(root, &mut entries).is_ok() {
        let mut entries = entries.chunks(32).take_while(|entry| entry[0] != 0);
        let label = entries.find(|entry| entry[0] != 0xe5 && entry[11] & 0x3f == 0x08);
        if let Some(entry) = label {
            return text(Some(&entry[..11]));
        }
    }
    let boot = text(start.get(if u16_at(start, 22) > 0 { 43..54 } else { 71..82 }));
    if boot == "NO NAME" { String::new() } else { boot }
}

/// The label entry of the root directory (exFAT specification, 7.3); it is among the first.
fn exfat_label(volume: &dyn ReadAt, start: &[u8]) -> String {
    let (Some(sector), Some(cluster)) = (start.get(108), start.get(109)) else { return String::new() };
    if *sector > 12 || *cluster > 25 {
        return String::new();
    }
    let heap = u32_at(start, 88) << sector;
    let root = heap.saturating_add(u32_at(start, 96).saturating_sub(2) << (sector + cluster));
    let mut entries = vec![0; 4096];
    if volume.read_at(root, &mut entries).is_err() {
        return String::new();
    }
    let label = entries.chunks(32).find(|entry| entry[0] == 0x83);
    label.map_or_else(String::new, |entry| utf16(&entry[2..2 + 2 * usize::from(entry[1].min(11))]))
}

fn utf16(bytes: &[u8]) -> String {
    let (pairs, _) = bytes.as_chunks::<2>();
    let units: Vec<_> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    String::from_utf16_lossy(&units)
}

fn ntfs_label(volume: &dyn ReadAt) -> String {
    let name = || -> Option<String> {
        let mut cursor = crate::blocks::Cursor::new(volume);
        let ntfs = ntfs::Ntfs::new(&mut cursor).ok()?;
        let name = ntfs.volume_name(&mut cursor)?.ok()?;
        name.name().to_string().ok()
    };
    name().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Table, survey};
    use std::{fs, path::Path, process::Command};

    fn run(name: &str, args: &[&str], path: &Path) {
        let out = Command::new(name).args(args).arg(path).output().unwrap();
        assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    }

    #[test]
    fn file_systems_are_known_with_their_labels() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        let makers: [(&str, &[&str], Kind); 6] = [
            ("mke2fs", &["-q", "-F", "-t", "ext4", "-L", "MULE-STORE"], Kind::Ext),
            ("mkntfs", &["-F", "-Q", "-q", "-p", "0", "-H", "0", "-S", "0", "-L", "MULE-STORE"], Kind::Ntfs),
            ("mkfs.exfat", &["-L", "MULE-STORE"], Kind::Exfat),
            ("mkfs.fat", &["-F", "32", "-s", "1", "-n", "MULE-STORE"], Kind::Fat),
            ("mkfs.fat", &["-F", "16", "-n", "MULE-STORE"], Kind::Fat),
            ("mkswap", &["-q"], Kind::Swap),
        ];
        for (name, args, kind) in makers {
            let _ = fs::remove_file(&path);
            fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
            run(name, args, &path);
            let disk = fs::read(&path).unwrap();
            let survey = survey(&disk, 512);
            let volume = &survey.volumes[0];
            assert_eq!((&survey.table, volume.kind), (&Table::None, kind), "{name}");
            let label = if kind == Kind::Swap { "" } else { "MULE-STORE" };
            assert_eq!((volume.start, volume.len, volume.label.as_str()), (0, 64 << 20, label), "{name} {args:?}");
        }
        let blank = vec![0_u8; 1 << 20];
        assert_eq!(survey(&blank, 512).volumes[0].kind, Kind::Blank);
    }

    #[test]
    fn partitions_are_where_the_tools_put_them() {
        let dir = tempfile::tempdir().unwrap();
        for (label, table) in [("dos", Table::Mbr), ("gpt", Table::Gpt)] {
            let path = dir.path().join(label);
            fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
            let script = dir.path().join("script");
            let extended =
                if label == "dos" { "start=40960, size=81920, type=5\nstart=43008, size=2048\n" } else { "" };
            fs::write(&script, format!("label: {label}\nstart=2048, size=20480\n{extended}")).unwrap();
            let input = fs::File::open(&script).unwrap();
            let out =
                Command::new("sfdisk").args(["-q", "--no-reread", "--no-tell-kernel"]).arg(&path).stdin(input).output();
            assert!(out.unwrap().status.success());
            let disk = fs::read(&path).unwrap();
            let survey = survey(&disk, 512);
            let places: Vec<_> = survey.volumes.iter().map(|v| (v.number, v.start / 512, v.len / 512)).collect();
            let expected: &[_] =
                if label == "dos" { &[(1, 2048, 20480), (5, 43008, 2048)] } else { &[(1, 2048, 20480)] };
            assert_eq!((&survey.table, places.as_slice()), (&table, expected));
            assert_eq!(survey.used_end(), if label == "dos" { 45056 * 512 } else { 22528 * 512 });
            let cut = disk[..8 << 20].to_vec();
            assert!(matches!(super::super::survey(&cut, 512).table, Table::Damaged(_)), "{label}");
        }
    }
}
