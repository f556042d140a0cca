//! IDENTIFY DEVICE data (ATA8-ACS, 7.16; ACS-3, 7.12.7): 256 words, little-endian.

use super::abilities::Abilities;
use crate::scsi::{text::clean, vpd::hex};
use serde::Serialize;

/// Why 512 bytes are no IDENTIFY DEVICE data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentifyError {
    /// Not 512 bytes.
    #[error("IDENTIFY DEVICE data have 512 bytes, not {0}")]
    Length(usize),
    /// All bytes the same: a bridge that answers without asking the drive.
    #[error("the IDENTIFY DEVICE data are blank")]
    Blank,
    /// The sum over all bytes is not 0 (word 255).
    #[error("the IDENTIFY DEVICE data have a wrong checksum")]
    Checksum,
    /// Word 0 bit 15: an ATAPI device.
    #[error("the device is no ATA disk")]
    NotADisk,
}

/// How the medium moves (word 217).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Rotation {
    /// Solid state.
    None,
    /// Revolutions per minute.
    Rpm(u16),
}

impl Rotation {
    /// The nominal medium rotation rate (word 217; SBC-3, 6.6 has the same codes); `None` for "not reported" and what is
    /// reserved.
    pub fn of(code: u16) -> Option<Self> {
        match code {
            1 => Some(Self::None),
            rpm @ 0x0401..=0xfffe => Some(Self::Rpm(rpm)),
            _ => None,
        }
    }

    /// What two sources that may each say nothing say together; where they contradict each other it is not known.
    pub fn agreed(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(Self::None), Some(Self::Rpm(_))) | (Some(Self::Rpm(_)), Some(Self::None)) => None,
            _ => one.or(other),
        }
    }
}

/// Nominal form factors, from 1 (ACS-3, 7.12.7, word 168 bits 3:0; SBC-3, 6.6 has the first five).
const FORM_FACTORS: &[&str] =
    &["5.25 inch", "3.5 inch", "2.5 inch", "1.8 inch", "less than 1.8 inch", "mSATA", "M.2", "MicroSSD", "CFast"];

/// The nominal form factor; `None` for "not reported" and what is reserved.
pub fn form_factor(code: u8) -> Option<&'static str> {
    FORM_FACTORS.get(usize::from(code & 0xf).checked_sub(1)?).copied()
}

/// What a drive says about itself. `None` or `false` where it does not say it validly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identify {
    /// Words 27-46.
    pub model: String,
    /// Words 10-19.
    pub serial: String,
    /// Words 23-26.
    pub firmware: String,
    /// Words 108-111 in the kernel's notation, `naa.` and 16 digits.
    pub wwn: Option<String>,
    /// Addressable logical sectors (words 230-233, 100-103 or 60-61).
    pub sectors: u64,
    /// Logical sector in bytes (words 106, 117-118).
    pub logical_sector: u32,
    /// Physical sector in bytes (word 106).
    pub physical_sector: u32,
    /// Word 217.
    pub rotation: Option<Rotation>,
    /// Word 168.
    pub form_factor: Option<&'static str>,
    /// What it can do about its own erasure and its hidden areas.
    #[serde(flatten)]
    pub abilities: Abilities,
    /// SMART supported (word 82 bit 0).
    pub smart: bool,
    /// SMART enabled (word 85 bit 0).
    pub smart_enabled: bool,
    /// General Purpose Logging: READ LOG EXT is supported (word 84 bit 5).
    pub logging: bool,
    /// DATA SET MANAGEMENT TRIM supported (word 169 bit 0).
    pub trim: bool,
    /// Fastest SATA generation supported, 1 to 3 (word 76); `None` for a parallel drive.
    pub sata_generation: Option<u8>,
    /// SATA generation of the link now (word 77).
    pub sata_negotiated: Option<u8>,
}

impl Identify {
    /// Reads IDENTIFY DEVICE data.
    pub fn parse(bytes: &[u8]) -> Result<Self, IdentifyError> {
        let data: &[u8; 512] = bytes.try_into().map_err(|_| IdentifyError::Length(bytes.len()))?;
        if data.iter().all(|byte| *byte == data[0]) {
            return Err(IdentifyError::Blank);
        }
        // A signature of A5h in word 255 says that a checksum is there; older drives have none.
        if data[510] == 0xa5 && data.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) != 0 {
            return Err(IdentifyError::Checksum);
        }
        let words = Words(data);
        if words.bit(0, 15) {
            return Err(IdentifyError::NotADisk);
        }
        // Words 82-84 and 85-87 count only with bits 15:14 of words 83 and 87 at 01b.
        let supported = words.get(83) >> 14 == 1;
        let enabled = words.get(87) >> 14 == 1;
        let abilities = Abilities::parse(data);
        let (logical_sector, physical_sector) = words.sector_sizes();
        Ok(Self {
            model: words.text(27, 20),
            serial: words.text(10, 10),
            firmware: words.text(23, 4),
            wwn: words.world_wide_name(enabled),
            sectors: words.sectors(abilities.lba48),
            logical_sector,
            physical_sector,
            rotation: Rotation::of(words.get(217)),
            form_factor: Some(words.get(168))
                .filter(|word| *word != 0xffff)
                .and_then(|word| form_factor(word.to_le_bytes()[0])),
            abilities,
            smart: supported && words.bit(82, 0),
            smart_enabled: enabled && words.bit(85, 0),
            // Word 84 has bits 15:14 of its own.
            logging: supported && words.get(84) >> 14 == 1 && words.bit(84, 5),
            trim: words.valid(169) && words.bit(169, 0),
            sata_generation: words.sata_generation(),
            sata_negotiated: words.sata_negotiated(),
        })
    }
}

struct Words<'a>(&'a [u8; 512]);

impl Words<'_> {
    fn get(&self, word: usize) -> u16 {
        u16::from_le_bytes([self.0[2 * word], self.0[2 * word + 1]])
    }

    fn bit(&self, word: usize, bit: u32) -> bool {
        self.get(word) >> bit & 1 == 1
    }

    /// 0000h and FFFFh mean "not reported".
    fn valid(&self, word: usize) -> bool {
        !matches!(self.get(word), 0 | 0xffff)
    }

    /// `count` words as one number, the first word lowest.
    fn number(&self, word: usize, count: usize) -> u64 {
        (0..count).rev().fold(0, |value, index| value << 16 | u64::from(self.get(word + index)))
    }

    /// Text has its first character in the high byte of each word.
    fn text(&self, word: usize, count: usize) -> String {
        let bytes: Vec<u8> = (word..word + count).flat_map(|index| self.get(index).to_be_bytes()).collect();
        clean(&bytes)
    }

    fn world_wide_name(&self, enabled: bool) -> Option<String> {
        let bytes: Vec<u8> = (108..112).flat_map(|index| self.get(index).to_be_bytes()).collect();
        // The first nibble is the NAA, always 5 (IEEE registered).
        (enabled && self.bit(87, 8) && bytes[0] >> 4 == 5).then(|| hex("naa.", &bytes))
    }

    fn sectors(&self, lba48: bool) -> u64 {
        let beyond = self.bit(69, 3) && self.valid(69);
        match (beyond.then(|| self.number(230, 4)), lba48.then(|| self.number(100, 4))) {
            (Some(sectors @ 1..), _) | (_, Some(sectors @ 1..)) => sectors,
            _ => self.number(60, 2),
        }
    }

    /// Word 106 counts only with bits 15:14 at 01b: bit 12 for a logical sector other than 256 words, bit 13 for several
    /// of them in a physical one.
    fn sector_sizes(&self) -> (u32, u32) {
        let valid = self.get(106) >> 14 == 1;
        let words = u32::try_from(self.number(117, 2)).unwrap_or(0);
        let logical = if valid && self.bit(106, 12) { words.saturating_mul(2) } else { 512 };
        let exponent = if valid && self.bit(106, 13) { self.get(106) & 0xf } else { 0 };
        (logical, logical.saturating_mul(1 << exponent))
    }

    /// Word 76 bits 3:1, one for each generation.
    fn sata_generation(&self) -> Option<u8> {
        if !self.valid(76) {
            return None;
        }
        (1..=3).rev().find(|generation| self.bit(76, u32::from(*generation)))
    }

    /// Word 77 bits 3:1 as a number.
    fn sata_negotiated(&self) -> Option<u8> {
        let [low, _] = self.get(77).to_le_bytes();
        (self.valid(76) && self.valid(77)).then_some(low >> 1 & 7).filter(|generation| *generation != 0)
    }
}

#[cfg(test)]
#[path = "identify_tests.rs"]
pub(crate) mod tests;
