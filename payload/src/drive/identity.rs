//! Who a drive is and how it is addressed.

use serde::{Deserialize, Serialize};
use std::{fmt, num::NonZeroU64};

/// Longest model or serial number that is kept; ATA has 40 and 20 characters, NVMe 40 and 20, SCSI rarely more than 64.
pub const TEXT_MAX: usize = 64;

/// What distinguishes one drive from every other. Read at discovery and again when the drive is claimed; both must agree.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Model as the drive reports it, trimmed, at most [`TEXT_MAX`] bytes.
    pub model: String,
    /// Serial number, trimmed, at most [`TEXT_MAX`] bytes; empty where the drive reports none.
    pub serial: String,
    /// World Wide Name, EUI-64 or NGUID in the kernel's notation (`naa.5000…`), where there is one.
    pub wwn: Option<String>,
    /// Capacity in bytes.
    pub bytes: u64,
}

impl Identity {
    /// Whether the drive can be told from others of its model at all.
    pub fn is_unique(&self) -> bool {
        !self.serial.is_empty() || self.wwn.is_some()
    }

    /// Whether a person who wrote `name` in a job meant this drive: its serial number or WWN, exactly.
    pub fn is_called(&self, name: &str) -> bool {
        // A byte that cannot be shown is shown as a question mark, and no name with one says which byte it was.
        let exact = !self.serial.is_empty() && !self.serial.contains('?');
        (exact && self.serial == name) || self.wwn.as_deref() == Some(name)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let serial = if self.serial.is_empty() { "(no serial number)" } else { &self.serial };
        write!(f, "{} {}", self.model, serial)
    }
}

/// Size and block sizes of a drive, checked: nothing in it is zero or contradicts the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Geometry {
    bytes: NonZeroU64,
    logical: u32,
    physical: u32,
}

/// Why sizes reported by a drive cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GeometryError {
    /// Capacity 0: no medium, or a dying drive.
    #[error("the drive reports a capacity of 0 bytes")]
    Empty,
    /// A logical block that is not a power of two from 512 to 65536 bytes.
    #[error("logical blocks of {0} bytes are not supported (512 to 65536, a power of two)")]
    Logical(u32),
    /// A physical block that is not a power of two or smaller than the logical one.
    #[error("physical blocks of {0} bytes contradict the logical block size")]
    Physical(u32),
    /// A capacity that is no whole number of logical blocks.
    #[error("a capacity of {0} bytes is no whole number of {1}-byte blocks")]
    Ragged(u64, u32),
}

impl Geometry {
    /// Checks what a drive reports; a size in doubt is an error, never a default.
    pub fn new(bytes: u64, logical: u32, physical: u32) -> Result<Self, GeometryError> {
        let bytes = NonZeroU64::new(bytes).ok_or(GeometryError::Empty)?;
        if !logical.is_power_of_two() || !(512..=65536).contains(&logical) {
            return Err(GeometryError::Logical(logical));
        }
        if !physical.is_power_of_two() || physical < logical {
            return Err(GeometryError::Physical(physical));
        }
        if !bytes.get().is_multiple_of(u64::from(logical)) {
            return Err(GeometryError::Ragged(bytes.get(), logical));
        }
        Ok(Self { bytes, logical, physical })
    }

    /// Capacity in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Logical block in bytes, the unit of addressing.
    pub fn logical(&self) -> u32 {
        self.logical
    }

    /// Physical block in bytes, the unit the medium really writes.
    pub fn physical(&self) -> u32 {
        self.physical
    }

    /// Number of logical blocks.
    pub fn blocks(&self) -> u64 {
        self.bytes() / u64::from(self.logical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_in_doubt_is_an_error() {
        assert_eq!(Geometry::new(0, 512, 512), Err(GeometryError::Empty));
        assert_eq!(Geometry::new(512, 0, 512), Err(GeometryError::Logical(0)));
        assert_eq!(Geometry::new(5200, 520, 520), Err(GeometryError::Logical(520)));
        assert_eq!(Geometry::new(4096, 4096, 512), Err(GeometryError::Physical(512)));
        assert_eq!(Geometry::new(1000, 512, 512), Err(GeometryError::Ragged(1000, 512)));
        assert_eq!(Geometry::new(4096 * 3, 512, 4096).map(|g| g.blocks()), Ok(24));
    }

    #[test]
    fn a_name_in_a_job_means_a_whole_serial_number_or_wwn() {
        let id = Identity { model: "M".into(), serial: "S1".into(), wwn: Some("naa.5".into()), bytes: 1 };
        assert!(id.is_called("S1") && id.is_called("naa.5"));
        assert!(!id.is_called("S") && !id.is_called("") && !id.is_called("M"));
        let nameless = Identity { serial: String::new(), wwn: None, ..id };
        assert!(!nameless.is_called("") && !nameless.is_unique());
    }
}
