//! A GPT whose disk gets another size: where its backup belongs then, and what both headers say (UEFI 2.10, 5.3).
//!
//! Nothing is changed but the two headers, the backup's copy of the entries, and the size in a plain protective MBR. The
//! partitions and the disk's GUID stay.

use crate::{blocks::ReadAt, content::Gpt};
use std::{collections::BTreeMap, io};

/// Changed blocks by their byte address, each one logical block long.
pub type Patches = BTreeMap<u64, Vec<u8>>;

/// Why the backup header cannot be moved.
#[derive(Debug, thiserror::Error)]
pub enum GptError {
    #[error("the content has no whole GPT, so there is no backup header to move: {0}")]
    NoGpt(&'static str),
    #[error("partition {number} ends at block {end}, behind the last usable block {last} of the target")]
    DoesNotFit { number: u32, end: u64, last: u64 },
    #[error("a drive of {target} bytes has no room for the partition table's backup")]
    NoRoom { target: u64 },
    #[error("the boot record cannot be read: {0}")]
    Read(io::Error),
}

/// What must be written over `disk`'s content so that its GPT is whole on a drive of `target` bytes.
pub fn moved(disk: &dyn ReadAt, logical: u32, target: u64) -> Result<Patches, GptError> {
    let block = u64::from(logical);
    let last = (disk.size() / block).saturating_sub(1);
    let gpt = Gpt::read(disk, block, 1).ok_or_else(|| {
        let backup = Gpt::read(disk, block, last).is_some();
        GptError::NoGpt(if backup { "only the backup header is whole" } else { "neither header is whole" })
    })?;
    let small = || GptError::NoRoom { target };
    let header = (target / block).checked_sub(1).ok_or_else(small)?;
    let table = header.checked_sub(gpt.blocks()).ok_or_else(small)?;
    let room = |last: &u64| *last >= gpt.first_usable && gpt.entries_at().end <= (last + 1) * block;
    let usable = table.checked_sub(1).filter(room).ok_or_else(small)?;
    if let Some(entry) = gpt.used().find(|entry| entry.last > usable) {
        return Err(GptError::DoesNotFit { number: entry.number, end: entry.last, last: usable });
    }
    let entries = (table..).zip(gpt.entry_blocks()).map(|(lba, bytes)| (lba * block, bytes));
    let mut patches: Patches = entries.collect();
    patches.insert(block, gpt.header(1, header, usable, gpt.table));
    patches.insert(header * block, gpt.header(header, 1, usable, table));
    protective_mbr(disk, block, target, &mut patches).map_err(GptError::Read)?;
    Ok(patches)
}

/// Blocks at the end of a disk that hold the backup, if it is there: its entries and its header.
pub fn backup_blocks(disk: &dyn ReadAt, logical: u32) -> u64 {
    let last = (disk.size() / u64::from(logical)).saturating_sub(1);
    Gpt::read(disk, logical.into(), 1).filter(|gpt| gpt.other == last).map_or(0, |gpt| gpt.blocks() + 1)
}

/// Sets the size in a protective MBR; a hybrid one is somebody's own and stays.
fn protective_mbr(disk: &dyn ReadAt, block: u64, target: u64, patches: &mut Patches) -> io::Result<()> {
    const ENTRIES: usize = 446;
    let mut sector = vec![0; usize::try_from(block).unwrap_or(512)];
    disk.read_at(0, &mut sector)?;
    let (kind, size) = (ENTRIES + 4, ENTRIES + 12);
    let others_unused = (1..4).all(|entry| sector[ENTRIES + 16 * entry + 4] == 0);
    if sector[510..512] != [0x55, 0xaa] || sector[kind] != 0xee || !others_unused {
        return Ok(());
    }
    let blocks = u32::try_from(target / block - 1).unwrap_or(u32::MAX);
    sector[size..size + 4].copy_from_slice(&blocks.to_le_bytes());
    patches.insert(0, sector);
    Ok(())
}

/// Puts patches over a frame that begins at byte `offset`.
pub fn patch(patches: &Patches, offset: u64, frame: &mut [u8]) {
    let end = offset + frame.len() as u64;
    for (at, block) in patches.range(offset..end) {
        let Ok(start) = usize::try_from(at - offset) else { continue };
        let len = block.len().min(frame.len() - start);
        frame[start..start + len].copy_from_slice(&block[..len]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, process::Command};

    const MIB: u64 = 1 << 20;

    /// A disk of 16 MiB with one partition, made by sgdisk.
    fn disk(dir: &std::path::Path) -> Vec<u8> {
        let path = dir.join("disk");
        fs::File::create(&path).unwrap().set_len(16 * MIB).unwrap();
        let made = Command::new("sgdisk").args(["-n", "1:2048:8191", "-c", "1:DATA"]).arg(&path).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        fs::read(path).unwrap()
    }

    fn resized(disk: &[u8], patches: &Patches, bytes: u64) -> Vec<u8> {
        let mut whole = disk.to_vec();
        whole.resize(usize::try_from(bytes).unwrap(), 0x77);
        patch(patches, 0, &mut whole);
        whole
    }

    /// What sgdisk says of it.
    fn verdict(dir: &std::path::Path, disk: &[u8]) -> String {
        let path = dir.join("resized");
        fs::write(&path, disk).unwrap();
        let out = Command::new("sgdisk").args(["-v", "-p"]).arg(&path).output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    #[test]
    fn sgdisk_finds_nothing_wrong_with_a_larger_and_a_smaller_disk() {
        let dir = tempfile::tempdir().unwrap();
        let disk = disk(dir.path());
        for bytes in [16 * MIB + 5 * 512, 40 * MIB, 5 * MIB] {
            let cut = disk[..disk.len().min(usize::try_from(bytes).unwrap())].to_vec();
            let patches = moved(&disk, 512, bytes).unwrap();
            let said = verdict(dir.path(), &resized(&cut, &patches, bytes));
            assert!(said.contains("No problems found") && said.contains("DATA"), "{bytes}: {said}");
        }
        let said = verdict(dir.path(), &resized(&disk, &Patches::new(), 40 * MIB));
        assert!(!said.contains("No problems found"), "unmoved: {said}");
    }

    #[test]
    fn a_partition_that_does_not_fit_and_a_disk_without_a_table_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(moved(&disk(dir.path()), 512, 4 * MIB), Err(GptError::DoesNotFit { number: 1, .. })));
        assert!(matches!(moved(&vec![0_u8; 1 << 20], 512, 4 * MIB), Err(GptError::NoGpt(_))));
    }
}
