//! What a drive with a volatile cache keeps when its power is cut.
//!
//! QEMU records every write and flush of a drive (its `blklogwrites` driver, in the format of Linux's dm-log-writes).
//! From that record the disk is made again: everything up to the last flush, then a random half of what came later, as
//! a drive that reorders its cache would have it. Only a payload that flushes before it says "done so far" survives this.

use crate::{disk::SECTOR, random::Random};
use anyhow::{Context, Result, bail, ensure};
use std::{
    fs::{File, OpenOptions},
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
};

const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;

/// One recorded request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    sector: u64,
    sectors: u64,
    flags: u64,
    /// Where its data lies in the record.
    data: u64,
}

/// What was kept and lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loss {
    /// Writes up to the last flush.
    pub(crate) durable: usize,
    /// Writes after it that the drive kept by chance.
    pub(crate) kept: usize,
    /// Writes after it that are gone.
    pub(crate) lost: usize,
}

/// A file for the record: sparse and larger than anything a test writes.
pub(crate) fn prepare(path: &Path) -> Result<()> {
    let file = File::create(path).with_context(|| format!("making {}", path.display()))?;
    file.set_len(64 << 30).context("sizing a record of writes")
}

/// Replays the record as the drive's medium would have it after the cut, onto an image as it was when the record began.
pub(crate) fn lose_cache(image: &Path, record: &Path, random: &mut Random) -> Result<Loss> {
    let file = File::open(record).with_context(|| format!("opening {}", record.display()))?;
    let entries = read_entries(&file)?;
    let target = OpenOptions::new().write(true).open(image).with_context(|| format!("opening {}", image.display()))?;
    let safe = entries.iter().rposition(|entry| entry.flags & FLUSH != 0).map_or(0, |n| n + 1);
    let mut loss = Loss { durable: 0, kept: 0, lost: 0 };
    for (number, entry) in entries.iter().enumerate().filter(|(_, entry)| entry.sectors > 0) {
        if number < safe || entry.flags & FUA != 0 {
            loss.durable += 1;
            replay(&file, &target, entry, 0..entry.sectors)?;
        } else if random.coin() {
            loss.kept += 1;
            replay(&file, &target, entry, 0..entry.sectors)?;
        } else {
            loss.lost += 1;
            // Of a lost write some of the first sectors may have reached the medium.
            replay(&file, &target, entry, 0..random.below(entry.sectors))?;
        }
    }
    Ok(loss)
}

fn read_entries(file: &File) -> Result<Vec<Entry>> {
    let start = words(file, 0)?;
    if start[0] == 0 {
        // QEMU writes the head with the first entry.
        return Ok(Vec::new());
    }
    ensure!(start[0] == MAGIC && start[1] == 1, "this is no record of writes");
    let (count, sector_size) = (start[2], start[3] & 0xffff_ffff);
    ensure!(sector_size == SECTOR, "the record counts sectors of {sector_size} bytes");
    let (mut entries, mut at) = (Vec::new(), SECTOR);
    for _ in 0..count {
        let [sector, sectors, flags, _] = words(file, at)?;
        entries.push(Entry { sector, sectors, flags, data: at + SECTOR });
        at += SECTOR + if flags & DISCARD == 0 { sectors * SECTOR } else { 0 };
    }
    Ok(entries)
}

fn words(file: &File, at: u64) -> Result<[u64; 4]> {
    let mut words = [0; 4];
    for (word, offset) in words.iter_mut().zip((at..).step_by(8)) {
        let mut raw = [0; 8];
        file.read_exact_at(&mut raw, offset).context("reading a record of writes")?;
        *word = u64::from_le_bytes(raw);
    }
    Ok(words)
}

/// Writes these of the entry's sectors, counted from its first.
fn replay(record: &File, disk: &File, entry: &Entry, sectors: Range<u64>) -> Result<()> {
    if entry.flags & DISCARD != 0 {
        bail!("a wipe discarded sectors; that leaves content nobody knows");
    }
    let mut buf = vec![0; usize::try_from((sectors.end - sectors.start) * SECTOR)?];
    record.read_exact_at(&mut buf, entry.data + sectors.start * SECTOR).context("reading a recorded write")?;
    disk.write_all_at(&buf, (entry.sector + sectors.start) * SECTOR).context("replaying a write")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        disk::Disk,
        oracle::{Kind, kinds},
    };
    use std::path::PathBuf;

    /// A record as QEMU writes it: `(sector, flags, content of its four sectors)`; a flush has none.
    fn record(folder: &Path, list: &[(u64, u64, Option<u8>)]) -> PathBuf {
        let path = folder.join("record");
        let mut data = vec![0; 512];
        for (at, word) in [MAGIC, 1, list.len() as u64, 512].into_iter().enumerate() {
            data[at * 8..][..8].copy_from_slice(&word.to_le_bytes());
        }
        for (sector, flags, byte) in list {
            let mut head = vec![0; 512];
            for (at, word) in [*sector, if byte.is_some() { 4 } else { 0 }, *flags].into_iter().enumerate() {
                head[at * 8..][..8].copy_from_slice(&word.to_le_bytes());
            }
            data.extend(head);
            data.extend(byte.map_or(Vec::new(), |byte| vec![byte; 4 * 512]));
        }
        std::fs::write(&path, data).unwrap();
        path
    }

    #[test]
    fn writes_before_a_flush_stay_and_later_ones_may_go() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::stamped(folder.path(), "D", 64 * 512).unwrap();
        let mut list = vec![(0, 0, Some(1)), (4, 0, Some(2)), (0, FLUSH, None)];
        list.extend((2..16).map(|n| (n * 4, if n == 15 { FUA } else { 0 }, Some(3))));
        let record = record(folder.path(), &list);
        let loss = lose_cache(&disk.path, &record, &mut Random::new(1)).unwrap();
        assert_eq!((loss.durable, loss.kept + loss.lost), (3, 13));
        assert!(loss.kept > 0 && loss.lost > 0);
        let runs = kinds(&disk).unwrap();
        assert_eq!(runs[..2], [(Kind::Byte(1), 4), (Kind::Byte(2), 4)]);
        assert!(runs.iter().any(|(kind, _)| *kind == Kind::Old), "something was lost");
        assert_eq!(runs.last().unwrap().0, Kind::Byte(3), "a forced write is on the medium");
        assert!(runs.last().unwrap().1 >= 4);
    }

    #[test]
    fn an_empty_record_loses_nothing_and_a_file_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::stamped(folder.path(), "D", 512).unwrap();
        let path = folder.path().join("record");
        prepare(&path).unwrap();
        let nothing = lose_cache(&disk.path, &path, &mut Random::new(1)).unwrap();
        assert_eq!(nothing, Loss { durable: 0, kept: 0, lost: 0 });
        std::fs::write(&path, [7; 4096]).unwrap();
        assert!(lose_cache(&disk.path, &path, &mut Random::new(1)).is_err());
    }
}
