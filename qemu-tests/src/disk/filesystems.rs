//! Disks as they come to the bench: partition tables and file systems with files in them, made without root.

use crate::{
    disk::{MIB, SECTOR, sparse},
    random::Random,
    tool::Tool,
};
use anyhow::{Context, Result, ensure};
use std::{
    fs::{self, File, OpenOptions},
    io::Seek,
    path::{Path, PathBuf},
};

/// A file system on one partition.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Ext4,
    Ntfs,
    Fat32,
    /// The tools can make it but not put files in it without mounting; it stays empty.
    ExFat,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Table {
    Mbr,
    Gpt,
}

/// A partition: what is on it and how many sectors it has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Partition {
    pub(crate) kind: Kind,
    pub(crate) sectors: u64,
}

/// A whole disk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) table: Table,
    pub(crate) partitions: &'static [Partition],
    /// Size of the disk in sectors; what the partitions leave over stays unused.
    pub(crate) sectors: u64,
}

impl Kind {
    fn partition_type(self, table: Table) -> &'static str {
        match (table, self) {
            (Table::Mbr, Self::Ext4) => "83",
            (Table::Mbr, Self::Fat32) => "c",
            (Table::Mbr, Self::Ntfs | Self::ExFat) => "7",
            (Table::Gpt, Self::Ext4) => "0FC63DAF-8483-4772-8E79-3D69D8477DE4",
            (Table::Gpt, _) => "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7",
        }
    }
}

/// Makes the disk at `path`; `scratch` is a folder for the pieces.
pub(crate) fn make(path: &Path, layout: &Layout, scratch: &Path) -> Result<()> {
    let files = sample_files(&scratch.join("files"))?;
    let disk = File::create(path).with_context(|| format!("making {}", path.display()))?;
    disk.set_len(layout.sectors * SECTOR).context("sizing a disk")?;
    drop(disk);
    partition(path, layout, scratch)?;
    let mut start = MIB / SECTOR;
    for (number, part) in layout.partitions.iter().enumerate() {
        let image = scratch.join(format!("part{number}.img"));
        make_file_system(&image, *part, &files)?;
        paste(&image, path, start * SECTOR)?;
        fs::remove_file(&image).context("removing a piece")?;
        start = next_start(start, part.sectors);
    }
    Ok(())
}

/// Partitions begin at whole megabytes, as every partitioning tool has made them since 2009.
fn next_start(start: u64, sectors: u64) -> u64 {
    (start + sectors).next_multiple_of(MIB / SECTOR)
}

fn partition(path: &Path, layout: &Layout, scratch: &Path) -> Result<()> {
    let mut script = String::from(match layout.table {
        Table::Mbr => "label: dos\n",
        Table::Gpt => "label: gpt\n",
    });
    let mut start = MIB / SECTOR;
    for part in layout.partitions {
        let kind = part.kind.partition_type(layout.table);
        script.push_str(&format!("start={start}, size={}, type={kind}\n", part.sectors));
        ensure!(start + part.sectors <= layout.sectors - 34, "the partitions do not fit on {}", path.display());
        start = next_start(start, part.sectors);
    }
    let input = scratch.join("partitions.sfdisk");
    fs::write(&input, script).context("writing the partition list")?;
    Tool::new("sfdisk").args(["-q", "--no-reread", "--no-tell-kernel"]).arg(path).input(&input).run().map(drop)
}

fn make_file_system(image: &Path, part: Partition, files: &[PathBuf]) -> Result<()> {
    let file = File::create(image).context("making a piece")?;
    file.set_len(part.sectors * SECTOR).context("sizing a piece")?;
    drop(file);
    match part.kind {
        Kind::Ext4 => {
            let folder = files[0].parent().context("the files have a folder")?;
            Tool::new("mke2fs").args(["-q", "-F", "-t", "ext4", "-d"]).arg(folder).arg(image).run()?;
        }
        Kind::Fat32 => {
            // Below 65,525 clusters mkfs.fat -F 32 makes what Windows reads as FAT16; one sector a cluster avoids it.
            Tool::new("mkfs.fat").args(["-F", "32", "-s", "1"]).arg(image).run()?;
            Tool::new("mcopy").args(["-i"]).arg(image).args(files).arg("::/").run()?;
        }
        Kind::Ntfs => {
            Tool::new("mkntfs").args(["-F", "-Q", "-q", "-p", "2048", "-H", "255", "-S", "63"]).arg(image).run()?;
            for file in files {
                let name = file.file_name().context("a file has a name")?;
                Tool::new("ntfscp").args(["-q", "-f"]).arg(image).arg(file).arg(name).run()?;
            }
        }
        Kind::ExFat => {
            Tool::new("mkfs.exfat").arg(image).run()?;
        }
    }
    Ok(())
}

/// Puts the file system where its partition begins.
fn paste(image: &Path, disk: &Path, offset: u64) -> Result<()> {
    let mut target = OpenOptions::new().write(true).open(disk).context("opening a disk to fill it")?;
    sparse::for_each_chunk(image, |at, buf| {
        if !sparse::is_zero(buf) {
            target.seek(std::io::SeekFrom::Start(offset + at))?;
            std::io::Write::write_all(&mut target, buf)?;
        }
        Ok(())
    })
}

/// Files as people have them: text, a table, something that does not compress.
fn sample_files(folder: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(folder).context("making a folder for sample files")?;
    let letter = "Dear Ms Okafor,\n\nplease find enclosed the account statement for March.\n".repeat(300);
    let table: String =
        (0..4000).map(|n| format!("{n};customer {n};Bahnhofstrasse {};{}\n", n % 200, 1000 + n * 7)).collect();
    let mut random = Random::new(0x4d75_6c65);
    let photo: Vec<u8> =
        [0xff, 0xd8, 0xff, 0xe0].into_iter().chain((0..250_000).flat_map(|_| random.next().to_le_bytes())).collect();
    let files = [
        ("letter.txt", letter.into_bytes()),
        ("customers.csv", table.into_bytes()),
        ("photo.jpg", photo),
        ("empty file.txt", Vec::new()),
    ];
    files
        .into_iter()
        .map(|(name, content)| {
            let path = folder.join(name);
            fs::write(&path, content).with_context(|| format!("writing {name}"))?;
            Ok(path)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_holds_its_file_systems_where_the_table_says() {
        const LAYOUT: Layout = Layout {
            table: Table::Mbr,
            partitions: &[
                Partition { kind: Kind::Fat32, sectors: 70_001 },
                Partition { kind: Kind::ExFat, sectors: 8192 },
                Partition { kind: Kind::Ext4, sectors: 16_384 },
            ],
            sectors: 102_401,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk.img");
        make(&path, &LAYOUT, folder.path()).unwrap();
        let disk = fs::read(&path).unwrap();
        assert_eq!(disk.len(), 102_401 * 512);
        let at = |lba: u64| usize::try_from(lba * SECTOR).unwrap();
        assert_eq!(disk[510..512], [0x55, 0xaa]);
        assert_eq!(&disk[at(2048) + 82..][..5], b"FAT32");
        let second = next_start(2048, 70_001);
        assert_eq!(&disk[at(second) + 3..][..8], b"EXFAT   ");
        let third = next_start(second, 8192);
        assert_eq!(disk[at(third) + 1080..][..2], [0x53, 0xef]);
        let text =
            Tool::new("mtype").args(["-i", &format!("{}@@{MIB}", path.display()), "::/letter.txt"]).run().unwrap();
        assert!(text.starts_with("Dear Ms Okafor"));
    }
}
