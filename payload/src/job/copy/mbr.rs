//! A master boot record on a smaller disk: an extended partition may be larger than what it holds and end behind the
//! target, as may the protective entry beside a GPT. They are shortened; what they hold lies where it lay.

use super::gpt::Patches;
use crate::blocks::ReadAt;
use std::io;

/// Records in a chain; more are a chain without an end.
const MAX_RECORDS: usize = 256;
const ENTRIES: usize = 446;

/// Why the entries cannot be made to end on the target.
#[derive(Debug, thiserror::Error)]
pub(super) enum MbrError {
    #[error("the boot record at block {lba} cannot be read: {source}")]
    Read { lba: u64, source: io::Error },
    #[error("the entry for blocks {start} to {end} of the boot record at block {lba} does not fit the target's {room}")]
    DoesNotFit { lba: u64, start: u64, end: u64, room: u64 },
    #[error("the chain of logical partitions has no end")]
    Endless,
}

/// What an entry names.
#[derive(Debug, Clone, Copy)]
struct Entry {
    kind: u8,
    start: u64,
    len: u64,
}

impl Entry {
    fn of(sector: &[u8], number: usize) -> Option<Self> {
        let bytes = sector.get(ENTRIES + 16 * number..)?.first_chunk::<16>()?;
        let [.., s0, s1, s2, s3, l0, l1, l2, l3] = *bytes;
        let (start, len) = (u32::from_le_bytes([s0, s1, s2, s3]), u32::from_le_bytes([l0, l1, l2, l3]));
        (bytes[4] != 0 && len > 0).then_some(Self { kind: bytes[4], start: start.into(), len: len.into() })
    }

    fn is_extended(&self) -> bool {
        matches!(self.kind, 0x05 | 0x0f | 0x85 | 0xc5 | 0xd5)
    }
}

/// Adds to `patches` what makes every entry end on a drive of `target` bytes.
pub(super) fn shorten(disk: &dyn ReadAt, logical: u32, target: u64, patches: &mut Patches) -> Result<(), MbrError> {
    let mut work = Work { disk, logical: logical.into(), room: target / u64::from(logical), patches };
    let sector = work.record(0)?;
    for (number, entry) in (0..4).filter_map(|number| Some((number, Entry::of(&sector, number)?))) {
        work.fit(0, number, 0, entry, entry.is_extended() || entry.kind == 0xee)?;
        if entry.is_extended() {
            work.chain(entry.start)?;
        }
    }
    Ok(())
}

struct Work<'a> {
    disk: &'a dyn ReadAt,
    logical: u64,
    /// Blocks of the target.
    room: u64,
    patches: &'a mut Patches,
}

impl Work<'_> {
    /// The block of a boot record as it is to be; zeros where it has no signature.
    fn record(&self, lba: u64) -> Result<Vec<u8>, MbrError> {
        let at = lba.saturating_mul(self.logical);
        let mut block = self.patches.get(&at).cloned().unwrap_or_default();
        if block.is_empty() {
            block.resize(usize::try_from(self.logical).unwrap_or(512), 0);
            self.disk.read_at(at, &mut block).map_err(|source| MbrError::Read { lba, source })?;
        }
        if block.get(510..512) != Some(&[0x55, 0xaa]) {
            block.fill(0);
        }
        Ok(block)
    }

    /// The links of a chain of logical partitions name the room of those behind them.
    fn chain(&mut self, base: u64) -> Result<(), MbrError> {
        let mut lba = base;
        for _ in 0..MAX_RECORDS {
            let sector = self.record(lba)?;
            if let Some(partition) = Entry::of(&sector, 0) {
                self.fit(lba, 0, lba, partition, false)?;
            }
            let Some(link) = Entry::of(&sector, 1).filter(Entry::is_extended) else { return Ok(()) };
            self.fit(lba, 1, base, link, true)?;
            lba = base + link.start;
        }
        Err(MbrError::Endless)
    }

    /// Shortens an entry of the record at `lba`, its start counted from `base`, if it ends behind the target and may be
    /// shortened.
    fn fit(&mut self, lba: u64, number: usize, base: u64, entry: Entry, may: bool) -> Result<(), MbrError> {
        let start = base + entry.start;
        let end = start + entry.len;
        if end <= self.room {
            return Ok(());
        }
        let len = self.room.checked_sub(start).and_then(|len| u32::try_from(len).ok()).filter(|len| may && *len > 0);
        let len = len.ok_or(MbrError::DoesNotFit { lba, start, end, room: self.room })?;
        let mut sector = self.record(lba)?;
        let at = ENTRIES + 16 * number;
        sector[at + 5..at + 8].copy_from_slice(&chs(self.room - 1));
        sector[at + 12..at + 16].copy_from_slice(&len.to_le_bytes());
        self.patches.insert(lba * self.logical, sector);
        Ok(())
    }
}

/// Head, sector and cylinder of a block with 255 heads and 63 sectors, or what stands for a block too far for that.
fn chs(lba: u64) -> [u8; 3] {
    let (cylinder, head, sector) = (lba / (255 * 63), lba / 63 % 255, lba % 63 + 1);
    let bytes = || -> Option<[u8; 3]> {
        let upper = u8::try_from(cylinder >> 8).ok().filter(|upper| *upper < 4)?;
        let low = u8::try_from(cylinder & 0xff).ok()?;
        Some([u8::try_from(head).ok()?, u8::try_from(sector).ok()? | upper << 6, low])
    };
    bytes().unwrap_or([0xfe, 0xff, 0xff])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{content, job::copy::gpt};
    use std::{fs, io::Write, process};

    const MIB: u64 = 1 << 20;

    fn tool(line: &str, input: &str) -> String {
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
        let mut words = line.split(' ');
        let mut command = process::Command::new(words.next().unwrap());
        let mut child = command
            .args(words)
            .env("PATH", path)
            .stdin(process::Stdio::piped())
            .stdout(process::Stdio::piped())
            .stderr(process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        let said = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
        assert!(out.status.success(), "{line}: {said}");
        said
    }

    /// A disk of 64 MiB with this table.
    fn disk(dir: &std::path::Path, script: &str) -> Vec<u8> {
        let path = dir.join("disk");
        fs::File::create(&path).unwrap().set_len(64 * MIB).unwrap();
        tool(&format!("sfdisk -q {}", path.display()), script);
        fs::read(path).unwrap()
    }

    /// The start and end in blocks of all that sfdisk finds on the first `bytes` of a disk, all of which must be on it.
    fn found(dir: &std::path::Path, disk: &[u8], patches: &Patches, bytes: u64) -> Vec<(u64, u64)> {
        let mut cut = disk[..usize::try_from(bytes).unwrap()].to_vec();
        gpt::patch(patches, 0, &mut cut);
        assert_eq!(content::outline(&cut, 512).doubt, None);
        let path = dir.join("cut");
        fs::write(&path, cut).unwrap();
        let said: serde_json::Value =
            serde_json::from_str(&tool(&format!("sfdisk -J {}", path.display()), "")).unwrap();
        let list = said["partitiontable"]["partitions"].as_array().unwrap();
        let places = list.iter().map(|part| (part["start"].as_u64().unwrap(), part["size"].as_u64().unwrap()));
        let places: Vec<_> = places.map(|(start, len)| (start, start + len)).collect();
        assert!(places.iter().all(|(_, end)| *end <= bytes / 512), "{said}");
        assert!(!tool(&format!("sfdisk -V {}", path.display()), "").contains("beyond"));
        places
    }

    #[test]
    fn an_extended_partition_ends_on_the_smaller_disk() {
        let dir = tempfile::tempdir().unwrap();
        for kind in ["5", "f", "85"] {
            let script = format!("label: dos\nstart=2048,type={kind}\nstart=4096,size=8192\nstart=16384,size=8192\n");
            let mut disk = disk(dir.path(), &script);
            // As some tools write it, the link to the second partition reaches to the end of the extended one.
            let link = 2048 * 512 + ENTRIES + 16;
            let start = u32::from_le_bytes(*disk[link + 8..].first_chunk().unwrap());
            disk[link + 12..link + 16].copy_from_slice(&(64 * 2048 - 2048 - start).to_le_bytes());
            for bytes in [64 * MIB, 32 * MIB, 12 * MIB] {
                let mut patches = Patches::new();
                shorten(&disk, 512, bytes, &mut patches).unwrap();
                let expected = [(2048, bytes / 512), (4096, 12_288), (16_384, 24_576)];
                assert_eq!(found(dir.path(), &disk, &patches, bytes), expected, "{kind} {bytes}");
                assert_eq!(patches.len(), if bytes == 64 * MIB { 0 } else { 2 });
            }
            let why = shorten(&disk, 512, 8 * MIB - 512, &mut Patches::new()).unwrap_err();
            assert!(matches!(why, MbrError::DoesNotFit { .. }), "{why}");
        }
    }

    #[test]
    fn a_protective_entry_beside_others_ends_on_the_smaller_disk() {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = disk(dir.path(), "label: gpt\nstart=2048,size=8192\n");
        let entry = [0, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 32, 0, 0];
        disk.copy_within(446..462, 462);
        disk[446..462].copy_from_slice(&entry);
        let mut patches = gpt::moved(&disk, 512, 16 * MIB).unwrap();
        shorten(&disk, 512, 16 * MIB, &mut patches).unwrap();
        let block = &patches[&0];
        let [one, protective] = [Entry::of(block, 0).unwrap(), Entry::of(block, 1).unwrap()];
        assert_eq!((one.start, one.len), (2048, 8192));
        assert_eq!((protective.start, protective.start + protective.len), (1, 16 * 2048));
    }
}
