//! The host-side oracle: says from the bytes alone what became of a disk. It shares no code with the payload, and each of
//! its answers has a test in which it says no.

mod noise;
mod sectors;

pub(crate) use noise::looks_random;
pub(crate) use sectors::{Kind, kinds};

use crate::disk::{Disk, SECTOR, sparse, stamp::Tag};
use anyhow::{Context, Result, bail, ensure};
use std::{fs::File, path::Path};

/// What the last pass of a method leaves everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// This byte.
    Byte(u8),
    /// One byte, whichever was drawn.
    AnyByte,
    /// Something that looks random.
    Noise,
}

/// A wiped disk holds what the last pass leaves, nothing of the old data, and has its old size.
pub(crate) fn wiped(disk: &Disk, leaves: Leaves) -> Result<()> {
    let size = std::fs::metadata(&disk.path).context("looking at a disk")?.len();
    ensure!(size == disk.bytes, "{} has {size} bytes, not {}", disk.serial, disk.bytes);
    no_stamp_left(&disk.path, disk.tag)?;
    match leaves {
        Leaves::Byte(byte) => filled_with(&disk.path, &[byte]),
        Leaves::AnyByte => filled_with(&disk.path, &first_bytes(&disk.path)?),
        Leaves::Noise => looks_random(&disk.path),
    }
    .with_context(|| format!("disk {}", disk.serial))
}

/// Not one 16-byte unit of the stamps is anywhere on the disk.
pub(crate) fn no_stamp_left(path: &Path, tag: Tag) -> Result<()> {
    let (mut first, mut sectors) = (None, 0u64);
    sparse::for_each_chunk(path, |at, buf| {
        for (sector, lba) in buf.chunks(512).zip(at / SECTOR..) {
            if tag.find(sector).is_some() {
                sectors += 1;
                first.get_or_insert(lba);
            }
        }
        Ok(())
    })?;
    match first {
        Some(lba) => bail!("{}: old data in {sectors} sectors, the first is LBA {lba}", path.display()),
        None => Ok(()),
    }
}

/// Every byte is as it was stamped.
pub(crate) fn untouched(disk: &Disk) -> Result<()> {
    let mut expected = vec![0; 1 << 20];
    let mut seen = 0;
    sparse::for_each_chunk(&disk.path, |at, buf| {
        let expected = &mut expected[..buf.len()];
        disk.tag.fill(expected, at);
        seen = at + buf.len() as u64;
        match first_difference(buf, expected) {
            Some(n) => bail!("disk {} was changed at byte {}", disk.serial, at + n),
            None => Ok(()),
        }
    })?;
    ensure!(seen == disk.bytes, "disk {} has {seen} bytes, not {}", disk.serial, disk.bytes);
    Ok(())
}

/// The pattern repeats from the start of the disk to its end, its last copy cut where the disk ends.
pub(crate) fn filled_with(path: &Path, pattern: &[u8]) -> Result<()> {
    ensure!(!pattern.is_empty(), "an empty pattern fills nothing");
    let len = pattern.len();
    let expected: Vec<u8> = pattern.iter().copied().cycle().take((1 << 20) + len).collect();
    sparse::for_each_chunk(path, |at, buf| {
        let phase = usize::try_from(at % len as u64)?;
        match first_difference(buf, &expected[phase..phase + buf.len()]) {
            Some(n) => bail!("{}: byte {} does not fit the pattern {pattern:02x?}", path.display(), at + n),
            None => Ok(()),
        }
    })
}

/// Both files have the same bytes.
pub(crate) fn same(a: &Path, b: &Path) -> Result<()> {
    let mut other = File::open(b).with_context(|| format!("opening {}", b.display()))?;
    let mut expected = vec![0; 1 << 20];
    let mut differs = |at: u64, buf: &[u8]| -> Result<()> {
        let len = sparse::read_full(&mut other, &mut expected[..buf.len()]).context("reading")?;
        match first_difference(buf, &expected[..len]) {
            Some(n) => bail!("{} and {} differ at byte {}", a.display(), b.display(), at + n),
            None => Ok(()),
        }
    };
    sparse::for_each_chunk(a, &mut differs)?;
    let sizes = [a, b].map(|path| std::fs::metadata(path).map(|m| m.len()).ok());
    ensure!(sizes[0] == sizes[1], "{} and {} differ in size", a.display(), b.display());
    Ok(())
}

/// After a pass of noise no sector of `after` equals the one of `before` at its place.
pub(crate) fn no_sector_kept(before: &Path, after: &Path) -> Result<()> {
    let mut old = File::open(before).with_context(|| format!("opening {}", before.display()))?;
    let mut expected = vec![0; 1 << 20];
    sparse::for_each_chunk(after, |at, buf| {
        let len = sparse::read_full(&mut old, &mut expected[..buf.len()]).context("reading")?;
        ensure!(len == buf.len(), "{} has grown", after.display());
        match buf.chunks(512).zip(expected.chunks(512)).position(|(new, old)| new == old) {
            Some(n) => bail!("{}: LBA {} still holds the old data", after.display(), at / SECTOR + n as u64),
            None => Ok(()),
        }
    })
}

fn first_bytes(path: &Path) -> Result<[u8; 1]> {
    let mut byte = [0];
    let len = sparse::read_full(&mut File::open(path).context("opening a disk")?, &mut byte).context("reading")?;
    ensure!(len == 1, "{} is empty", path.display());
    Ok(byte)
}

/// Equal slices are told by one memcmp; only unequal ones are searched byte by byte.
fn first_difference(a: &[u8], b: &[u8]) -> Option<u64> {
    if a == b {
        return None;
    }
    let n = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or_else(|| a.len().min(b.len()));
    Some(n as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::OpenOptions, os::unix::fs::FileExt};

    const BYTES: u64 = (2 << 20) + 7 * 512;

    fn disk(folder: &Path) -> Disk {
        Disk::stamped(folder, "D1", BYTES).unwrap()
    }

    fn zeros() -> Vec<u8> {
        vec![0; usize::try_from(BYTES).unwrap()]
    }

    fn poke(path: &Path, at: u64, bytes: &[u8]) {
        OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
    }

    #[test]
    fn untouched_notices_one_bit_the_last_byte_and_a_lost_sector() {
        let folder = tempfile::tempdir().unwrap();
        let disk = disk(folder.path());
        untouched(&disk).unwrap();
        poke(&disk.path, BYTES - 1, &[1]);
        assert!(untouched(&disk).unwrap_err().to_string().contains(&format!("byte {}", BYTES - 1)));
        disk.stamp_again().unwrap();
        untouched(&disk).unwrap();
        File::options().write(true).open(&disk.path).unwrap().set_len(BYTES - 512).unwrap();
        assert!(untouched(&disk).is_err());
    }

    #[test]
    fn one_old_sector_at_the_end_is_old_data() {
        let folder = tempfile::tempdir().unwrap();
        let disk = disk(folder.path());
        assert!(wiped(&disk, Leaves::Byte(0)).is_err());
        std::fs::write(&disk.path, zeros()).unwrap();
        wiped(&disk, Leaves::Byte(0)).unwrap();
        wiped(&disk, Leaves::AnyByte).unwrap();
        assert!(wiped(&disk, Leaves::Byte(0xff)).is_err());
        assert!(wiped(&disk, Leaves::Noise).is_err());
        disk.stamp_range(BYTES / 512 - 1, 1).unwrap();
        let error = wiped(&disk, Leaves::Byte(0)).unwrap_err().to_string();
        assert!(error.contains("1 sectors") && error.contains(&format!("LBA {}", BYTES / 512 - 1)), "{error}");
    }

    #[test]
    fn a_pattern_keeps_its_phase_across_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        let data: Vec<u8> = [0x92, 0x49, 0x24].into_iter().cycle().take(zeros().len()).collect();
        std::fs::write(&path, &data).unwrap();
        filled_with(&path, &[0x92, 0x49, 0x24]).unwrap();
        assert!(filled_with(&path, &[0x49, 0x24, 0x92]).is_err());
        assert!(filled_with(&path, &[]).is_err());
        poke(&path, (1 << 20) + 1, &[0]);
        assert!(filled_with(&path, &[0x92, 0x49, 0x24]).is_err());
    }

    #[test]
    fn the_same_means_content_and_size() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&a, vec![5; 3_000_000]).unwrap();
        std::fs::copy(&a, &b).unwrap();
        same(&a, &b).unwrap();
        poke(&b, 2_999_999, &[6]);
        assert!(same(&a, &b).is_err());
        std::fs::write(&b, vec![5; 3_000_001]).unwrap();
        assert!(same(&a, &b).is_err() && same(&b, &a).is_err());
    }

    #[test]
    fn a_kept_sector_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&a, vec![0; 1 << 20]).unwrap();
        std::fs::write(&b, vec![1; 1 << 20]).unwrap();
        no_sector_kept(&a, &b).unwrap();
        poke(&b, 1024, &[0; 512]);
        assert!(no_sector_kept(&a, &b).unwrap_err().to_string().contains("LBA 2"));
    }
}
