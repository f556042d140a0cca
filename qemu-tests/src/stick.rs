//! A USB stick of a test: a copy of the image that ships, read and changed from outside with mtools and byte offsets.

use crate::{
    disk::{SECTOR, sparse},
    job::Job,
    tool::Tool,
};
use anyhow::{Context, Result, ensure};
use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

const FAT32_LBA: u8 = 0x0c;
const RAW_DATA: u8 = 0xda;
/// Where the stick's id lies; its last four bytes are a checksum over the rest.
const ID_LBA: u64 = 1;
/// Offset of the log's length in the id sector, 8 bytes, little endian.
const ID_LOG_LEN: usize = 40;

/// A stick image and the serial number its USB device reports.
#[derive(Debug, Clone)]
pub(crate) struct Stick {
    pub(crate) path: PathBuf,
    pub(crate) serial: String,
}

/// A partition of the stick as its MBR has it, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    kind: u8,
    range: Range<u64>,
}

impl Stick {
    /// A fresh stick, as `dd` writes it.
    pub(crate) fn copy_of(image: &Path, folder: &Path, serial: &str) -> Result<Self> {
        ensure!(image.exists(), "there is no stick image {}; `make image` builds it", image.display());
        let stick = Self { path: folder.join(format!("{serial}.stick.img")), serial: serial.into() };
        sparse::copy(image, &stick.path)?;
        Ok(stick)
    }

    /// Another stick with the same content, as `dd` from stick to stick makes it.
    pub(crate) fn duplicate(&self, serial: &str) -> Result<Self> {
        let path = self.path.with_file_name(format!("{serial}.stick.img"));
        sparse::copy(&self.path, &path)?;
        Ok(Self { path, serial: serial.into() })
    }

    pub(crate) fn set_job(&self, job: &Job) -> Result<()> {
        self.set_job_text(&job.text())
    }

    /// Puts any text in the place of the job file.
    pub(crate) fn set_job_text(&self, text: &str) -> Result<()> {
        let file = self.path.with_extension("toml");
        fs::write(&file, text).context("writing the job file")?;
        Tool::new("mcopy").args(["-o", "-i", &self.fat()?]).arg(&file).arg("::/mule.toml").run().map(drop)
    }

    pub(crate) fn remove_job(&self) -> Result<()> {
        Tool::new("mdel").args(["-i", &self.fat()?, "::/mule.toml"]).run().map(drop)
    }

    /// Copies one file of the FAT partition, by its whole path.
    pub(crate) fn pull_file(&self, name: &str, to: &Path) -> Result<()> {
        Tool::new("mcopy").args(["-o", "-i", &self.fat()?, &format!("::{name}")]).arg(to).run().map(drop)
    }

    /// Copies everything on the FAT partition into a folder.
    pub(crate) fn pull_files(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        Tool::new("mcopy").args(["-s", "-n", "-Q", "-i", &self.fat()?, "::/*"]).arg(folder).run().map(drop)
    }

    /// Name and content of every file on the FAT partition but the certificates.
    pub(crate) fn files_but_certificates(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        self.pull_files(folder.path())?;
        let mut files = BTreeMap::new();
        collect(folder.path(), folder.path(), &mut files)?;
        files.retain(|name, _| !name.starts_with("certificates"));
        Ok(files)
    }

    /// Where the log partition lies, in bytes.
    pub(crate) fn log_range(&self) -> Result<Range<u64>> {
        self.partition(1, RAW_DATA).context("the log partition")
    }

    /// The part of the log partition that holds anything: up to its last byte that is not zero.
    pub(crate) fn log_used(&self) -> Result<Range<u64>> {
        let range = self.log_range()?;
        let mut end = range.start;
        sparse::for_each_chunk(&self.path, |at, buf| {
            if let Some(last) = buf.iter().rposition(|byte| *byte != 0) {
                let last = at + last as u64;
                if range.contains(&last) {
                    end = last + 1;
                }
            }
            Ok(())
        })?;
        Ok(range.start..end)
    }

    /// All of the stick outside the two partitions: boot code, partition table, id, gaps.
    pub(crate) fn outside_partitions(&self) -> Result<Vec<u8>> {
        let fat = self.partition(0, FAT32_LBA)?;
        self.read(0..fat.start)
    }

    pub(crate) fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let mut buf = vec![0; usize::try_from(range.end - range.start)?];
        let file = File::open(&self.path).context("opening a stick")?;
        file.read_exact_at(&mut buf, range.start).context("reading a stick")?;
        Ok(buf)
    }

    pub(crate) fn write(&self, at: u64, bytes: &[u8]) -> Result<()> {
        let file = OpenOptions::new().write(true).open(&self.path).context("opening a stick to change it")?;
        file.write_all_at(bytes, at).context("changing a stick")
    }

    /// Inverts every bit of a range, so that nothing of it can pass for what it was.
    pub(crate) fn damage(&self, range: Range<u64>) -> Result<()> {
        let inverted: Vec<u8> = self.read(range.clone())?.iter().map(|byte| !byte).collect();
        self.write(range.start, &inverted)
    }

    /// Makes the log partition that short in both places that describe it, the rest of the stick stays.
    pub(crate) fn shrink_log(&self, sectors: u32) -> Result<()> {
        self.write(446 + 16 + 12, &sectors.to_le_bytes())?;
        let mut id = self.read(ID_LBA * SECTOR..(ID_LBA + 1) * SECTOR)?;
        id[ID_LOG_LEN..ID_LOG_LEN + 8].copy_from_slice(&(u64::from(sectors) * SECTOR).to_le_bytes());
        let sum = crc32(&id[..508]);
        id[508..].copy_from_slice(&sum.to_le_bytes());
        self.write(ID_LBA * SECTOR, &id)
    }

    /// Removes the log partition from the partition table.
    pub(crate) fn remove_log_entry(&self) -> Result<()> {
        self.write(446 + 16, &[0; 16])
    }

    /// Zeroes the sector that says which image the stick was written from.
    pub(crate) fn remove_id(&self) -> Result<()> {
        self.write(ID_LBA * SECTOR, &[0; 512])
    }

    /// What mtools calls the FAT partition inside the image.
    fn fat(&self) -> Result<String> {
        let range = self.partition(0, FAT32_LBA).context("the FAT partition")?;
        Ok(format!("{}@@{}", self.path.display(), range.start))
    }

    fn partition(&self, number: usize, kind: u8) -> Result<Range<u64>> {
        let entry = mbr_entry(&self.read(0..SECTOR)?, number)?;
        ensure!(entry.kind == kind, "partition {} has type {:02x}, not {kind:02x}", number + 1, entry.kind);
        Ok(entry.range)
    }
}

fn mbr_entry(mbr: &[u8], number: usize) -> Result<Entry> {
    ensure!(mbr.get(510..512) == Some(&[0x55, 0xaa]), "no master boot record");
    let entry = &mbr[446 + number * 16..][..16];
    let word = |at: usize| u64::from(u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]));
    let start = word(8) * SECTOR;
    Ok(Entry { kind: entry[4], range: start..start + word(12) * SECTOR })
}

/// CRC-32 (IEEE 802.3), bit by bit: it is used on one sector.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
    for entry in fs::read_dir(folder).context("listing a folder")? {
        let path = entry.context("listing a folder")?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root).context("a file of this folder")?.to_owned();
            files.insert(name, fs::read(&path).with_context(|| format!("reading {}", path.display()))?);
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A stick with the shipped layout in small: 33 MiB FAT32, then 1 MiB of log.
    pub(crate) fn small(folder: &Path) -> Stick {
        let stick = Stick { path: folder.join("S.stick.img"), serial: "S".into() };
        File::create(&stick.path).unwrap().set_len(35 << 20).unwrap();
        let mut mbr = [0; 512];
        for (n, kind, start, len) in [(0, FAT32_LBA, 2048u32, 33 * 2048u32), (1, RAW_DATA, 34 * 2048, 2048)] {
            let entry = &mut mbr[446 + 16 * n..][..16];
            entry[4] = kind;
            entry[8..12].copy_from_slice(&start.to_le_bytes());
            entry[12..].copy_from_slice(&len.to_le_bytes());
        }
        mbr[510..].copy_from_slice(&[0x55, 0xaa]);
        stick.write(0, &mbr).unwrap();
        Tool::new("mkfs.fat").args(["-F", "32", "--offset", "2048"]).arg(&stick.path).arg("33792").run().unwrap();
        stick
    }

    #[test]
    fn the_job_file_can_be_put_read_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let stick = small(folder.path());
        stick.set_job_text("one").unwrap();
        stick.set_job_text("two").unwrap();
        let files = stick.files_but_certificates().unwrap();
        assert_eq!(files.get(Path::new("mule.toml")).map(Vec::as_slice), Some(b"two".as_slice()));
        stick.remove_job().unwrap();
        assert!(stick.remove_job().is_err());
    }

    #[test]
    fn the_log_is_where_the_mbr_says_and_its_used_part_ends_with_the_last_byte() {
        let folder = tempfile::tempdir().unwrap();
        let stick = small(folder.path());
        let log = stick.log_range().unwrap();
        assert_eq!(log, 34 << 20..35 << 20);
        assert_eq!(stick.log_used().unwrap(), log.start..log.start);
        stick.write(log.start + 9000, b"x").unwrap();
        assert_eq!(stick.log_used().unwrap(), log.start..log.start + 9001);
        stick.damage(log.start + 9000..log.start + 9001).unwrap();
        assert_eq!(stick.read(log.start + 9000..log.start + 9001).unwrap(), [!b'x']);
        stick.shrink_log(8).unwrap();
        assert_eq!(stick.log_range().unwrap(), log.start..log.start + 4096);
        stick.remove_log_entry().unwrap();
        assert!(stick.log_range().is_err());
    }

    #[test]
    fn the_checksum_is_the_well_known_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
