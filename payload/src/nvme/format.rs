//! FORMAT NVM (base specification 2.0, 5.14), and what Identify says of it.

pub use mule_types::technique::nvme::SecureErase;

use super::admin::AdminCommand;
use serde::Serialize;
use std::time::Duration;

/// What a controller says of formatting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FormatAbilities {
    /// FORMAT NVM is supported (OACS bit 1).
    pub supported: bool,
    /// Cryptographic erase is supported (FNA bit 2).
    pub cryptographic: bool,
    /// A format or a secure erase of one namespace reaches all (FNA bits 0 and 1).
    pub reaches_all: bool,
}

impl FormatAbilities {
    /// From Identify Controller: OACS in bytes 257:256, FNA in byte 524.
    pub fn parse(controller: &[u8; 4096]) -> Self {
        let attributes = controller[524];
        Self {
            supported: controller[256] & 1 << 1 != 0,
            cryptographic: attributes & 1 << 2 != 0,
            reaches_all: attributes & 0b11 != 0,
        }
    }
}

/// What a namespace is like: a format keeps all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Layout {
    /// NSZE, in logical blocks.
    pub blocks: u64,
    /// NUSE, in logical blocks: what holds data, where the controller counts that.
    pub used: u64,
    /// The number of its LBA format; six bits.
    pub format: u8,
    /// Metadata at the end of each block rather than apart (FLBAS bit 4).
    pub extended: bool,
    /// Type of end-to-end protection (DPS bits 2:0).
    pub protection: u8,
    /// Protection information in the first bytes of the metadata (DPS bit 3).
    pub protection_first: bool,
}

impl Layout {
    /// From Identify Namespace: NSZE in bytes 7:0, NUSE 23:16, FLBAS 26, DPS 29. `None` where it has no size, as of a
    /// namespace that is not active.
    pub fn parse(namespace: &[u8; 4096]) -> Option<Self> {
        let number = |at: usize| namespace[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let (flbas, dps) = (namespace[26], namespace[29]);
        Some(Self {
            blocks: number(0),
            used: number(16),
            // Bits 6:5 are the upper ones since base specification 2.0, zero before.
            format: flbas & 0xf | (flbas >> 5 & 0b11) << 4,
            extended: flbas & 1 << 4 != 0,
            protection: dps & 0b111,
            protection_first: dps & 1 << 3 != 0,
        })
        .filter(|layout| layout.blocks != 0)
    }
}

/// FORMAT NVM (80h) that keeps a namespace's layout.
pub fn format(nsid: u32, layout: &Layout, erase: SecureErase, timeout: Duration) -> AdminCommand {
    let lower = u32::from(layout.format & 0xf);
    let upper = u32::from(layout.format >> 4) << 12;
    let metadata = u32::from(layout.extended) << 4;
    let protection = u32::from(layout.protection) << 5 | u32::from(layout.protection_first) << 8;
    let erase = match erase {
        SecureErase::UserData => 1 << 9,
        SecureErase::Cryptographic => 2 << 9,
    };
    AdminCommand { opcode: 0x80, nsid, cdw10: lower | upper | metadata | protection | erase, cdw11: 0, timeout }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(flbas: u8, dps: u8) -> [u8; 4096] {
        let mut data = [0; 4096];
        (data[0], data[16], data[26], data[29]) = (100, 50, flbas, dps);
        data
    }

    /// What nvme-cli 2.3 sends for `format -n 1 --ses=1` and `--ses=2`, seen at the ioctl: dword 10 is 200h and 400h.
    #[test]
    fn the_commands_are_those_of_nvme_cli() {
        let layout = Layout::parse(&namespace(0, 0)).unwrap();
        for (erase, word) in [(SecureErase::UserData, 0x200), (SecureErase::Cryptographic, 0x400)] {
            let command = format(1, &layout, erase, Duration::from_secs(1));
            assert_eq!((command.opcode, command.nsid, command.cdw10, command.cdw11), (0x80, 1, word, 0));
        }
    }

    #[test]
    fn the_layout_is_kept() {
        let layout = Layout::parse(&namespace(0x35, 0x0a)).unwrap();
        assert_eq!((layout.format, layout.extended, layout.blocks, layout.used), (0x15, true, 100, 50));
        let word = format(1, &layout, SecureErase::UserData, Duration::ZERO).cdw10;
        assert_eq!(word, 0x5 | 1 << 12 | 1 << 4 | 2 << 5 | 1 << 8 | 1 << 9);
        assert_eq!(Layout::parse(&[0; 4096]), None);
    }

    #[test]
    fn a_controller_says_what_it_can_and_how_far_it_reaches() {
        let mut data = [0; 4096];
        let none = FormatAbilities { supported: false, cryptographic: false, reaches_all: false };
        assert_eq!(FormatAbilities::parse(&data), none);
        data[256] = 2;
        data[524] = 4;
        let one = FormatAbilities { supported: true, cryptographic: true, reaches_all: false };
        assert_eq!(FormatAbilities::parse(&data), one);
        for bits in [1, 2, 3] {
            data[524] = bits;
            assert!(FormatAbilities::parse(&data).reaches_all);
        }
    }
}
