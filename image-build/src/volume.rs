//! The FAT32 partition inside the image file.

use crate::{mbr, timestamp::Timestamp};
use anyhow::{Context, Result, ensure};
use fatfs::{Dir, FatType, FileSystem, FormatVolumeOptions, FsOptions};
use mule_types::stick::{self, ImageId};
use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    process::{Command, Stdio},
};

/// Gives 130 000 clusters: FAT32 needs at least 65 525, which rules out 2 KiB and more on 128 MiB.
const CLUSTER_BYTES: u32 = 1024;
const LABEL: [u8; 11] = *b"MULE       ";
/// Byte offsets in the boot sector (Microsoft FAT specification 1.03, "Boot Sector and BPB Structure").
const HIDDEN_SECTORS: u64 = 28;
const BACKUP_BOOT_SECTOR: u64 = 6;

/// The part of the image file that is the FAT partition.
#[derive(Debug)]
pub struct Partition {
    image: File,
    position: u64,
}

impl Partition {
    const START: u64 = stick::FAT_START_LBA * stick::SECTOR;
    const LENGTH: u64 = stick::FAT_SECTORS * stick::SECTOR;

    /// Opens the partition of an existing image file.
    pub fn open(image: &Path) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(image);
        Ok(Self { image: file.with_context(|| format!("opening the image {}", image.display()))?, position: 0 })
    }

    fn window(&mut self, wanted: usize) -> io::Result<usize> {
        self.image.seek(SeekFrom::Start(Self::START + self.position))?;
        let left = usize::try_from(Self::LENGTH.saturating_sub(self.position)).unwrap_or(usize::MAX);
        Ok(wanted.min(left))
    }

    fn advance(&mut self, done: usize) -> usize {
        self.position += done as u64;
        done
    }

    fn sector(&mut self, number: u64) -> io::Result<[u8; 512]> {
        let mut sector = [0; 512];
        self.seek(SeekFrom::Start(number * stick::SECTOR))?;
        self.read_exact(&mut sector)?;
        Ok(sector)
    }
}

impl Read for Partition {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.window(buffer.len())?;
        let done = self.image.read(&mut buffer[..length])?;
        Ok(self.advance(done))
    }
}

impl Write for Partition {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let length = self.window(buffer.len())?;
        let done = self.image.write(&buffer[..length])?;
        Ok(self.advance(done))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.image.flush()
    }
}

impl Seek for Partition {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => Self::LENGTH.checked_add_signed(by),
        };
        self.position = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// Makes an empty FAT32 file system whose serial number comes from the image id.
pub fn format(image: &Path, id: ImageId) -> Result<()> {
    let mut partition = Partition::open(image)?;
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .total_sectors(u32::try_from(stick::FAT_SECTORS)?)
        .bytes_per_cluster(CLUSTER_BYTES)
        .heads(mbr::HEADS)
        .sectors_per_track(mbr::SECTORS_PER_TRACK)
        .volume_id(u32::from_le_bytes(id.disk_signature()))
        .volume_label(LABEL);
    fatfs::format_volume(&mut partition, options).context("formatting the FAT partition")?;
    // The boot sector finds its partition through this field where the BIOS passes nothing.
    partition.seek(SeekFrom::Start(HIDDEN_SECTORS))?;
    partition.write_all(&u32::try_from(stick::FAT_START_LBA)?.to_le_bytes())?;
    back_up_boot_sector(&mut partition)
}

/// Repair programs compare the two copies, so the second one follows every change of the first.
pub fn back_up_boot_sector(partition: &mut Partition) -> Result<()> {
    let sector = partition.sector(0)?;
    partition.seek(SeekFrom::Start(BACKUP_BOOT_SECTOR * stick::SECTOR))?;
    Ok(partition.write_all(&sector)?)
}

/// Mounts the file system; every file made through it carries `date`.
pub fn mount(image: &Path, date: Timestamp) -> Result<FileSystem<Partition>> {
    // The library wants a provider that lives as long as the program; there is one date in a run.
    let options = FsOptions::new().time_provider(Box::leak(Box::new(date)));
    FileSystem::new(Partition::open(image)?, options)
        .with_context(|| format!("{} has no readable FAT partition at LBA {}", image.display(), stick::FAT_START_LBA))
}

/// Makes the folders that `files` need, and `more`. Done by mtools: `fatfs` 0.3 gives the entries "." and ".." long
/// names, which every repair program takes for damage.
pub fn make_folders(image: &Path, files: &[(String, Vec<u8>)], more: &[&str], date: Timestamp) -> Result<()> {
    let mut folders = BTreeSet::from_iter(more.iter().copied());
    for (path, _) in files {
        folders.extend(path.match_indices('/').map(|(at, _)| &path[..at]));
    }
    let partition = format!("{}@@{}", image.display(), Partition::START);
    let names = folders.iter().map(|folder| format!("::/{folder}"));
    run_mtools(Command::new("mmd").args(["-i", &partition]).args(names), date)
}

/// Runs a program that is, or uses, mtools; what it writes carries `date`.
pub fn run_mtools(command: &mut Command, date: Timestamp) -> Result<()> {
    command.env("SOURCE_DATE_EPOCH", date.seconds().to_string()).env("TZ", "UTC0").stdin(Stdio::null());
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("running {name}: run `make setup`"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && said.is_empty(), "{name} failed ({}): {}", output.status, said.trim());
    Ok(())
}

/// Writes a file into a folder that exists, replacing what the file held.
pub fn write_file(root: &Dir<'_, Partition>, path: &str, content: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut file = root.create_file(path)?;
        file.truncate()?;
        file.write_all(content)?;
        file.flush()
    };
    write().with_context(|| format!("writing {path} to the FAT partition"))
}

/// Writes everything out, with the count of free clusters, which saves the kernel a walk through the whole FAT.
pub fn finish(volume: FileSystem<Partition>) -> Result<()> {
    volume.stats().and_then(|_| volume.unmount()).context("finishing the FAT partition")
}

/// Every file with its content, sorted by path.
pub fn read_files(root: &Dir<'_, Partition>) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    collect(root, "", &mut files).context("reading the FAT partition back")?;
    files.sort();
    Ok(files)
}

fn collect(dir: &Dir<'_, Partition>, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    for entry in dir.iter() {
        let entry = entry?;
        let path = format!("{prefix}/{}", entry.file_name());
        if entry.is_dir() {
            if !matches!(entry.file_name().as_str(), "." | "..") {
                collect(&entry.to_dir(), &path, files)?;
            }
        } else {
            let mut content = Vec::new();
            entry.to_file().read_to_end(&mut content)?;
            files.push((path, content));
        }
    }
    Ok(())
}
