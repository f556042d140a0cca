//! What a Mule stick looks like on the medium. `image-build` writes it, the payload finds it: one description for both.
//!
//! ```text
//! LBA 0                MBR: boot code, disk signature = first four bytes of the image id, two partitions
//! LBA 1                the id sector (below), in the gap that partitioning tools leave alone
//! LBA 2048             partition 1, FAT32 (type 0Ch), active: kernel, initramfs, mule.toml, certificates/
//! LBA 2048 + FAT       partition 2, raw (type DAh): the log
//! ```
//!
//! Every stick written from one image carries the same image id; a stick's *own* identity is its key, made on the
//! first boot (see `journal` of the payload).

use std::{fmt, str::FromStr};

/// Sector size of the stick's layout in bytes; BIOS boot media are addressed in 512-byte sectors.
pub const SECTOR: u64 = 512;
/// Where the id sector lies.
pub const ID_LBA: u64 = 1;
/// First sector of the FAT32 partition (1 MiB, the usual alignment).
pub const FAT_START_LBA: u64 = 2048;
/// Size of the FAT32 partition in sectors (128 MiB).
pub const FAT_SECTORS: u64 = 128 * 2048;
/// First sector of the log partition.
pub const LOG_START_LBA: u64 = FAT_START_LBA + FAT_SECTORS;
/// Size of the log partition in sectors (64 MiB).
pub const LOG_SECTORS: u64 = 64 * 2048;
/// Size of the whole image in sectors.
pub const IMAGE_SECTORS: u64 = LOG_START_LBA + LOG_SECTORS;
/// MBR partition type of the FAT32 partition (FAT32 with LBA addressing).
pub const FAT_PARTITION_TYPE: u8 = 0x0c;
/// MBR partition type of the log ("non-file-system data").
pub const LOG_PARTITION_TYPE: u8 = 0xda;
/// Where the initramfs holds the image id, as 32 hexadecimal digits and a line feed.
pub const INITRAMFS_ID_PATH: &str = "/etc/mule/image-id";
/// Folder for the certificates on the FAT partition.
pub const CERTIFICATES_DIR: &str = "certificates";
/// The job file on the FAT partition.
pub const JOB_FILE: &str = "mule.toml";

const MAGIC: [u8; 16] = *b"MULE STICK ID 1\n";

/// Identifies the image a stick was written from; the initramfs carries the same one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ImageId(pub [u8; 16]);

impl ImageId {
    /// The MBR disk signature that goes with this id.
    pub fn disk_signature(&self) -> [u8; 4] {
        [self.0[0], self.0[1], self.0[2], self.0[3]]
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageId({self})")
    }
}

/// Why a text is no image id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an image id is 32 hexadecimal digits, this is {0:?}")]
pub struct BadImageId(String);

impl FromStr for ImageId {
    type Err = BadImageId;

    fn from_str(text: &str) -> Result<Self, BadImageId> {
        let bad = || BadImageId(text.chars().take(64).collect());
        let digits = text.trim();
        if digits.len() != 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(bad());
        }
        u128::from_str_radix(digits, 16).map(|n| Self(n.to_be_bytes())).map_err(|_| bad())
    }
}

/// The content of LBA 1 of a stick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdSector {
    /// The image this stick was written from.
    pub image: ImageId,
    /// Start of the log partition in bytes from the start of the medium.
    pub log_start: u64,
    /// Length of the log partition in bytes.
    pub log_len: u64,
}

impl IdSector {
    /// The id sector of the layout above.
    pub fn new(image: ImageId) -> Self {
        Self { image, log_start: LOG_START_LBA * SECTOR, log_len: LOG_SECTORS * SECTOR }
    }

    /// The 512 bytes: magic, id, log start and length (little endian), zeros, CRC-32 of all before.
    pub fn encode(&self) -> [u8; 512] {
        let mut sector = [0; 512];
        sector[..16].copy_from_slice(&MAGIC);
        sector[16..32].copy_from_slice(&self.image.0);
        sector[32..40].copy_from_slice(&self.log_start.to_le_bytes());
        sector[40..48].copy_from_slice(&self.log_len.to_le_bytes());
        let crc = crc32fast::hash(&sector[..508]);
        sector[508..].copy_from_slice(&crc.to_le_bytes());
        sector
    }

    /// `None` where the bytes are no undamaged id sector.
    pub fn decode(sector: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(sector.get(at..at + 8)?.try_into().ok()?));
        let crc = u32::from_le_bytes(sector.get(508..512)?.try_into().ok()?);
        if sector[..16] != MAGIC || crc32fast::hash(&sector[..508]) != crc {
            return None;
        }
        Some(Self { image: ImageId(sector[16..32].try_into().ok()?), log_start: number(32)?, log_len: number(40)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_sector_survives_a_round_trip_and_notices_every_flipped_bit() {
        let id = IdSector::new("00112233445566778899aabbccddeeff".parse().unwrap());
        let bytes = id.encode();
        assert_eq!(IdSector::decode(&bytes), Some(id));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(IdSector::decode(&damaged), None, "bit {bit}");
        }
        assert_eq!(IdSector::decode(&bytes[..511]), None);
    }

    #[test]
    fn an_image_id_is_32_hexadecimal_digits() {
        let id: ImageId = "00112233445566778899AABBCCDDEEFF\n".parse().unwrap();
        assert_eq!(id.to_string(), "00112233445566778899aabbccddeeff");
        assert_eq!(id.disk_signature(), [0, 0x11, 0x22, 0x33]);
        for bad in ["", "0011", "+0112233445566778899aabbccddeeff", "zz112233445566778899aabbccddeeff"] {
            assert!(bad.parse::<ImageId>().is_err(), "{bad}");
        }
    }
}
