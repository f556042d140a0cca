//! Identify Controller and Identify Namespace (NVMe base specification 2.0, 5.17.2.1; NVM command set specification 1.0,
//! 4.1.5.1): 4,096 bytes each.

use super::{format::FormatAbilities, sanitize::SanitizeAbilities};
use crate::scsi::text::clean;
use serde::Serialize;

/// 0 K in degrees Celsius, as the specification's integer kelvin are converted.
pub(super) const ZERO_CELSIUS: u64 = 273;

/// Kelvin as degrees Celsius; `None` for 0, which is "not reported", and for what is below freezing.
pub(super) fn celsius(kelvin: u16) -> Option<u64> {
    u64::from(kelvin).checked_sub(ZERO_CELSIUS)
}

/// What a controller says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Controller {
    /// MN, bytes 63:24.
    pub model: String,
    /// SN, bytes 23:4.
    pub serial: String,
    /// FR, bytes 71:64.
    pub firmware: String,
    /// VER, bytes 83:80, as `1.4.0`; `None` for a controller older than 1.2.
    pub version: Option<String>,
    /// TNVMCAP, bytes 295:280: all of its NVM, in bytes; `None` where it is not reported.
    pub total_bytes: Option<u64>,
    /// WCTEMP, bytes 267:266, in degrees Celsius.
    pub warning_celsius: Option<u64>,
    /// CCTEMP, bytes 269:268, in degrees Celsius.
    pub critical_celsius: Option<u64>,
    /// NN, bytes 519:516: the largest namespace number.
    pub namespaces: u32,
    /// SANICAP.
    pub sanitize: SanitizeAbilities,
    /// OACS and FNA.
    pub format: FormatAbilities,
}

/// An LBA format that a namespace can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BlockFormat {
    /// LBADS: bytes of data in a block.
    pub bytes: u64,
    /// MS: bytes of metadata with each block.
    pub metadata: u16,
}

/// What a namespace is like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Namespace {
    /// NSZE, in logical blocks.
    pub blocks: u64,
    /// NCAP: blocks that can hold data at one time.
    pub capacity: u64,
    /// NUSE: blocks that hold data, where the controller counts that.
    pub used: u64,
    /// Its own; `None` where the number of its format leads nowhere.
    pub format: Option<BlockFormat>,
    /// All it could have.
    pub formats: Vec<BlockFormat>,
}

fn short(data: &[u8; 4096], at: usize) -> u16 {
    u16::from_le_bytes([data[at], data[at + 1]])
}

fn word(data: &[u8; 4096], at: usize) -> u32 {
    data[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn long(data: &[u8; 4096], at: usize) -> u64 {
    data[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Whether it is an answer: not all bytes the same, as of a controller that answers without knowing.
fn answered(data: &[u8; 4096]) -> bool {
    data.iter().any(|byte| *byte != data[0])
}

impl Controller {
    /// Reads Identify Controller; `None` where it is blank.
    pub fn parse(data: &[u8; 4096]) -> Option<Self> {
        let version = word(data, 80);
        answered(data).then(|| Self {
            model: clean(&data[24..64]),
            serial: clean(&data[4..24]),
            firmware: clean(&data[64..72]),
            version: (version != 0).then(|| format!("{}.{}.{}", version >> 16, version >> 8 & 0xff, version & 0xff)),
            // 128 bits, of which the upper half is 0 for every drive below 16 EiB.
            total_bytes: Some(long(data, 280)).filter(|bytes| *bytes != 0 && long(data, 288) == 0),
            warning_celsius: celsius(short(data, 266)),
            critical_celsius: celsius(short(data, 268)),
            namespaces: word(data, 516),
            sanitize: SanitizeAbilities::parse(data),
            format: FormatAbilities::parse(data),
        })
    }
}

/// UNVMCAP, bytes 311:296 of Identify Controller: bytes of NVM that belong to no namespace; `None` where the controller states
/// no capacities (TNVMCAP is 0).
pub fn unallocated(controller: &[u8; 4096]) -> Option<u64> {
    let stated = long(controller, 280) != 0 || long(controller, 288) != 0;
    let bytes = if long(controller, 304) == 0 { long(controller, 296) } else { u64::MAX };
    stated.then_some(bytes)
}

impl Namespace {
    /// Reads Identify Namespace; `None` where it has no size, as of a namespace that is not active.
    pub fn parse(data: &[u8; 4096]) -> Option<Self> {
        // NLBAF (byte 25) counts from 0; 64 formats fit (base specification 2.0), 16 before.
        let count = usize::from(data[25].min(63)) + 1;
        let (rows, _) = data[128..128 + 4 * count].as_chunks::<4>();
        // LBADS below 9 is a format that is not there.
        let one = |row: &[u8; 4]| match row[2] {
            exponent @ 9..=31 => {
                Some(BlockFormat { bytes: 1 << exponent, metadata: u16::from_le_bytes([row[0], row[1]]) })
            }
            _ => None,
        };
        let flbas = data[26];
        let own = usize::from(flbas & 0xf | (flbas >> 5 & 0b11) << 4);
        (answered(data) && long(data, 0) != 0).then(|| Self {
            blocks: long(data, 0),
            capacity: long(data, 8),
            used: long(data, 16),
            format: rows.get(own).and_then(one),
            formats: rows.iter().filter_map(one).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What nvme-cli prints of a Samsung SSD 960 EVO 250GB (github.com/thomas-krenn/TKperf, issue 25): ver 10200, oacs 7,
    /// wctemp 350, cctemp 352, tnvmcap 250059350016, sanicap 0, nn 1, fna 5. The serial number is made up.
    pub(crate) fn samsung() -> [u8; 4096] {
        let mut data = [0; 4096];
        data[4..24].copy_from_slice(b"S000000000000000    ");
        data[24..64].copy_from_slice(format!("{:40}", "Samsung SSD 960 EVO 250GB").as_bytes());
        data[64..72].copy_from_slice(b"2B7QCXE7");
        data[80..84].copy_from_slice(&0x1_0200_u32.to_le_bytes());
        data[256] = 7;
        data[266..268].copy_from_slice(&350_u16.to_le_bytes());
        data[268..270].copy_from_slice(&352_u16.to_le_bytes());
        data[280..288].copy_from_slice(&250_059_350_016_u64.to_le_bytes());
        (data[516], data[524]) = (1, 5);
        data
    }

    #[test]
    fn a_controller_is_read_as_nvme_cli_reads_it() {
        let controller = Controller::parse(&samsung()).unwrap();
        assert_eq!(controller.model, "Samsung SSD 960 EVO 250GB");
        assert_eq!((controller.serial.as_str(), controller.firmware.as_str()), ("S000000000000000", "2B7QCXE7"));
        assert_eq!((controller.version.as_deref(), controller.namespaces), (Some("1.2.0"), 1));
        assert_eq!(controller.total_bytes, Some(250_059_350_016));
        assert_eq!((controller.warning_celsius, controller.critical_celsius), (Some(77), Some(79)));
        let FormatAbilities { supported, cryptographic, reaches_all } = controller.format;
        assert!(supported && cryptographic && reaches_all);
        let SanitizeAbilities { crypto_erase, block_erase, overwrite } = controller.sanitize;
        assert!(!crypto_erase && !block_erase && !overwrite);
    }

    #[test]
    fn what_is_not_reported_is_not_known() {
        assert!(Controller::parse(&[0; 4096]).is_none() && Controller::parse(&[0xff; 4096]).is_none());
        let mut old = samsung();
        old[80..84].fill(0);
        old[266..270].fill(0);
        old[280..288].fill(0);
        let old = Controller::parse(&old).unwrap();
        assert_eq!((old.version, old.total_bytes), (None, None));
        assert_eq!((old.warning_celsius, old.critical_celsius), (None, None));
    }

    #[test]
    fn a_namespace_has_its_formats() {
        let mut data = [0; 4096];
        data[..8].copy_from_slice(&1_000_215_216_u64.to_le_bytes());
        data[8..16].copy_from_slice(&1_000_215_216_u64.to_le_bytes());
        (data[25], data[26]) = (2, 1);
        data[128..140].copy_from_slice(&[0, 0, 9, 2, 0, 0, 12, 0, 8, 0, 3, 0]);
        let namespace = Namespace::parse(&data).unwrap();
        let formats = [(512, 0), (4096, 0)].map(|(bytes, metadata)| BlockFormat { bytes, metadata });
        assert_eq!((namespace.format, &namespace.formats[..]), (Some(formats[1]), &formats[..]));
        data[26] = 0x6f;
        assert_eq!(Namespace::parse(&data).unwrap().format, None);
        assert!(Namespace::parse(&[0; 4096]).is_none() && Namespace::parse(&[0xff; 4096]).is_none());
    }
}
