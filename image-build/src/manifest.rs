//! What the image really holds: sizes and SHA-256 of every part, read back from the finished image.

use crate::{image::BOOT_LIMIT, sources::Parts, timestamp::Timestamp, volume};
use anyhow::{Context, Result};
use mule_types::stick::{self, ImageId};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::Path,
};

/// The content of `manifest.json`.
#[derive(Debug, Serialize)]
pub struct Manifest {
    image_id: String,
    mule_version: &'static str,
    kernel_version: String,
    syslinux_version: String,
    systemd_boot_version: Option<String>,
    source_date_epoch: u64,
    image: Item,
    layout: Layout,
    /// Kernel and initramfs together, and the most they may be.
    boot_bytes: usize,
    boot_bytes_limit: usize,
    inputs: Vec<Item>,
    /// Everything on the FAT partition.
    files: Vec<Item>,
}

#[derive(Debug, Serialize)]
struct Item {
    name: String,
    size: u64,
    sha256: String,
}

#[derive(Debug, Serialize)]
struct Layout {
    sector_size: u64,
    sectors: u64,
    id_sector: u64,
    partitions: [Partition; 2],
}

#[derive(Debug, Serialize)]
struct Partition {
    name: &'static str,
    mbr_type: String,
    start: u64,
    sectors: u64,
}

impl Manifest {
    /// Describes the finished `image`.
    pub fn of(image: &Path, parts: &Parts, initramfs: &[u8], id: ImageId, date: Timestamp) -> Result<Self> {
        let volume = volume::mount(image, date)?;
        let files = volume::read_files(&volume.root_dir())?.iter().map(|(path, content)| item(path, content)).collect();
        volume.unmount()?;
        let loaders = &parts.loaders;
        Ok(Self {
            image_id: id.to_string(),
            mule_version: env!("CARGO_PKG_VERSION"),
            kernel_version: parts.kernel_version.clone(),
            syslinux_version: loaders.syslinux_version.clone(),
            systemd_boot_version: loaders.efi.as_ref().map(|efi| efi.version.clone()),
            source_date_epoch: date.seconds(),
            image: image_item(image).with_context(|| format!("hashing {}", image.display()))?,
            layout: layout(),
            boot_bytes: parts.kernel.len() + initramfs.len(),
            boot_bytes_limit: BOOT_LIMIT,
            inputs: vec![
                item("kernel", &parts.kernel),
                item("kernel config", &parts.kernel_config),
                item("payload", &parts.payload),
                item("initramfs", initramfs),
                item("syslinux mbr.bin", &loaders.boot_code),
                item("syslinux installer", &loaders.installer),
            ],
            files,
        })
    }

    /// The text of `manifest.json`.
    pub fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "image id   {}", self.image_id)?;
        writeln!(f, "kernel     {}", self.kernel_version)?;
        for input in &self.inputs {
            writeln!(f, "{:>10} {}", input.size, input.name)?;
        }
        writeln!(f, "{:>10} kernel + initramfs (at most {})", self.boot_bytes, self.boot_bytes_limit)?;
        writeln!(f, "sha256     {}  {}", self.image.sha256, self.image.name)
    }
}

fn layout() -> Layout {
    let partition =
        |name, kind: u8, start, sectors| Partition { name, mbr_type: format!("{kind:02x}"), start, sectors };
    Layout {
        sector_size: stick::SECTOR,
        sectors: stick::IMAGE_SECTORS,
        id_sector: stick::ID_LBA,
        partitions: [
            partition("FAT32", stick::FAT_PARTITION_TYPE, stick::FAT_START_LBA, stick::FAT_SECTORS),
            partition("log", stick::LOG_PARTITION_TYPE, stick::LOG_START_LBA, stick::LOG_SECTORS),
        ],
    }
}

fn item(name: &str, content: &[u8]) -> Item {
    Item { name: name.to_owned(), size: content.len() as u64, sha256: hex(&Sha256::digest(content)) }
}

fn image_item(path: &Path) -> io::Result<Item> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            return Ok(Item { name: "mule.img".to_owned(), size, sha256: hex(&hasher.finalize()) });
        }
        hasher.update(&buffer[..length]);
        size += length as u64;
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
