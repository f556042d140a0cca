//! What each sector holds: for disks whose wipe was cut in the middle, where several kinds lie side by side.

use crate::disk::{Disk, SECTOR, sparse};
use anyhow::{Result, bail};

/// What one sector holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its stamp, untouched.
    Old,
    /// One byte, 512 times.
    Byte(u8),
    /// Three bytes repeated from the start of the disk: the three as they stand at address 0.
    Triple([u8; 3]),
    /// None of these; noise, if all is well.
    Other,
}

/// The kinds in the order of the disk, neighbours of one kind taken together, with the number of sectors of each.
pub(crate) fn kinds(disk: &Disk) -> Result<Vec<(Kind, u64)>> {
    let mut runs: Vec<(Kind, u64)> = Vec::new();
    sparse::for_each_chunk(&disk.path, |at, buf| {
        for (sector, lba) in buf.chunks(512).zip(at / SECTOR..) {
            let kind = kind_of(disk, sector, lba)?;
            match runs.last_mut() {
                Some((last, count)) if *last == kind => *count += 1,
                _ => runs.push((kind, 1)),
            }
        }
        Ok(())
    })?;
    Ok(runs)
}

fn kind_of(disk: &Disk, sector: &[u8], lba: u64) -> Result<Kind> {
    if sector == disk.tag.sector(lba) {
        return Ok(Kind::Old);
    }
    if disk.tag.find(sector).is_some() {
        bail!("disk {}: LBA {lba} holds a part of an old sector", disk.serial);
    }
    if sector[1..] == sector[..sector.len() - 1] {
        return Ok(Kind::Byte(sector[0]));
    }
    if sector[3..] != sector[..sector.len() - 3] {
        return Ok(Kind::Other);
    }
    // The sector begins `phase` bytes into a copy of the three; turn them back to how they stand at address 0.
    let phase = usize::try_from(lba * SECTOR % 3)?;
    let mut triple = [sector[0], sector[1], sector[2]];
    triple.rotate_right(phase);
    Ok(Kind::Triple(triple))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn each_kind_is_told_and_a_pattern_in_the_wrong_phase_is_another_pattern() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::stamped(folder.path(), "D", 16 * 512).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&disk.path).unwrap();
        let pattern: Vec<u8> = [0x92, 0x49, 0x24].into_iter().cycle().take(16 * 512).collect();
        file.write_all_at(&pattern[..4 * 512], 0).unwrap();
        file.write_all_at(&[0; 1024], 4 * 512).unwrap();
        file.write_all_at(&pattern[..512], 7 * 512).unwrap();
        file.write_all_at(b"noise", 9 * 512).unwrap();
        file.write_all_at(&[3; 8], 9 * 512 + 504).unwrap();
        // Sector 9 still holds most of its stamp.
        assert!(kinds(&disk).is_err());
        file.write_all_at(&(0..512u32).flat_map(|n| [(n * n % 251) as u8]).collect::<Vec<_>>(), 9 * 512).unwrap();
        let expected = [
            (Kind::Triple([0x92, 0x49, 0x24]), 4),
            (Kind::Byte(0), 2),
            (Kind::Old, 1),
            (Kind::Triple([0x49, 0x24, 0x92]), 1),
            (Kind::Old, 1),
            (Kind::Other, 1),
            (Kind::Old, 6),
        ];
        assert_eq!(kinds(&disk).unwrap(), expected);
    }
}
