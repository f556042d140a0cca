//! A GPT whose disk gets another size: where its backup belongs then, and what both headers say (UEFI 2.10, 5.3).
//!
//! Nothing is changed but the two headers, the backup's copy of the entries, and the size in a plain protective MBR. The
//! partitions and the disk's GUID stay.

use crate::blocks::{Cursor, ReadAt};
use gptman::GPT;
use std::{
    collections::BTreeMap,
    io::{self, Read, Seek, SeekFrom, Write},
};

/// Changed blocks by their byte address, each one logical block long.
pub type Patches = BTreeMap<u64, Vec<u8>>;

/// Why the backup header cannot be moved.
#[derive(Debug, thiserror::Error)]
pub enum GptError {
    #[error("the content has no whole GPT, so there is no backup header to move: {0}")]
    NoGpt(String),
    #[error("partition {number} ends at block {end}, behind the last usable block {last} of the target")]
    DoesNotFit { number: u32, end: u64, last: u64 },
    #[error("the partition table could not be written anew: {0}")]
    Write(String),
}

/// What must be written over `disk`'s content so that its GPT is whole on a drive of `target` bytes.
pub fn moved(disk: &dyn ReadAt, logical: u32, target: u64) -> Result<Patches, GptError> {
    let block = u64::from(logical);
    let mut gpt = GPT::read_from(&mut Cursor::new(disk), block).map_err(|error| GptError::NoGpt(error.to_string()))?;
    if !gpt.is_primary() {
        return Err(GptError::NoGpt("only the backup header is whole".into()));
    }
    let mut overlay = Overlay { disk, block: logical as usize, size: target, position: 0, blocks: Patches::new() };
    gpt.header.update_from(&mut overlay, block).map_err(|error| GptError::Write(error.to_string()))?;
    let last = gpt.header.last_usable_lba;
    if let Some((number, entry)) = gpt.iter().find(|(_, entry)| entry.is_used() && entry.ending_lba > last) {
        return Err(GptError::DoesNotFit { number, end: entry.ending_lba, last });
    }
    gpt.write_into(&mut overlay).map_err(|error| GptError::Write(error.to_string()))?;
    protective_mbr(&mut overlay).map_err(|error| GptError::Write(error.to_string()))?;
    Ok(overlay.blocks)
}

/// Sets the size in a protective MBR; a hybrid one is somebody's own and stays.
fn protective_mbr(overlay: &mut Overlay<'_>) -> io::Result<()> {
    const ENTRIES: usize = 446;
    let mut sector = overlay.load(0)?;
    let (kind, size) = (ENTRIES + 4, ENTRIES + 12);
    let others_unused = (1..4).all(|entry| sector[ENTRIES + 16 * entry + 4] == 0);
    if sector[510..512] != [0x55, 0xaa] || sector[kind] != 0xee || !others_unused {
        return Ok(());
    }
    let blocks = overlay.size / overlay.block as u64 - 1;
    let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
    sector[size..size + 4].copy_from_slice(&blocks.to_le_bytes());
    overlay.blocks.insert(0, sector);
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

/// A disk of another size with changed blocks over it.
struct Overlay<'a> {
    disk: &'a dyn ReadAt,
    block: usize,
    size: u64,
    position: u64,
    blocks: Patches,
}

impl Overlay<'_> {
    /// The block that begins at `at`, as it is now; zeros behind the disk.
    fn load(&self, at: u64) -> io::Result<Vec<u8>> {
        if let Some(block) = self.blocks.get(&at) {
            return Ok(block.clone());
        }
        let mut block = vec![0; self.block];
        if at + self.block as u64 <= self.disk.size() {
            self.disk.read_at(at, &mut block)?;
        }
        Ok(block)
    }

    /// The block a position lies in, and where in it.
    fn place(&self) -> (u64, usize) {
        let within = self.position % self.block as u64;
        (self.position - within, usize::try_from(within).unwrap_or_default())
    }
}

impl Read for Overlay<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let (at, within) = self.place();
        if self.position >= self.size {
            return Ok(0);
        }
        let block = self.load(at)?;
        let len = buf.len().min(block.len() - within);
        buf[..len].copy_from_slice(&block[within..within + len]);
        self.position += len as u64;
        Ok(len)
    }
}

impl Write for Overlay<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let (at, within) = self.place();
        if self.position >= self.size {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let mut block = self.load(at)?;
        let len = buf.len().min(block.len() - within);
        block[within..within + len].copy_from_slice(&buf[..len]);
        self.blocks.insert(at, block);
        self.position += len as u64;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Overlay<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
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
