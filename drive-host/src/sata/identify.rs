//! The pages by which the disk says what it is.

use super::{FIRMWARE, IDENTIFY, MODEL, SataDisk};
use crate::file_disk::vital;

impl SataDisk {
    /// IDENTIFY DEVICE data (ATA8-ACS, 7.16.7; ACS-3, 7.12.7 for words 59 and 69).
    pub(super) fn identify(&self) -> [u8; 512] {
        let mut words = [0_u16; 256];
        words[0] = 0x0040;
        text(&mut words[10..20], self.shown_serial());
        text(&mut words[23..27], FIRMWARE);
        text(&mut words[27..47], MODEL);
        words[49] = 0x0f00;
        words[50] = 0x4000;
        words[53] = 0x0006;
        words[76] = 0x0006;
        words[80] = 0x01f0;
        // Host Protected Area, power management; 48 bits, FLUSH CACHE (EXT), Device Configuration Overlay.
        (words[82], words[85]) = (0x0408, 0x0408);
        (words[83], words[86]) = (0x7c00, 0x3c00);
        (words[84], words[87]) = (0x4000, 0x4000);
        if let Some(security) = &self.security {
            security.identify(&mut words);
        }
        if let Some(sanitize) = &self.sanitize {
            words[59] |= sanitize.word();
        }
        if self.smart.is_some() {
            words[82] |= 1;
            words[85] |= 1;
        }
        let low = u32::try_from(self.visible.min(0x0fff_ffff)).unwrap_or(u32::MAX).to_le_bytes();
        (words[60], words[61]) = (u16::from_le_bytes([low[0], low[1]]), u16::from_le_bytes([low[2], low[3]]));
        for (word, two) in words[100..104].iter_mut().zip(self.visible.to_le_bytes().chunks(2)) {
            *word = u16::from_le_bytes([two[0], two[1]]);
        }
        words[169] = u16::from(self.ssd);
        words[217] = if self.ssd { 1 } else { 7200 };
        words[255] = 0x00a5;
        sealed(&words)
    }

    /// DEVICE CONFIGURATION IDENTIFY data (ATA8-ACS, 7.9.3.3).
    pub(super) fn configuration(&self) -> [u8; 512] {
        let mut words = [0_u16; 256];
        words[0] = 2;
        for (word, two) in words[3..7].iter_mut().zip((self.factory - 1).to_le_bytes().chunks(2)) {
            *word = u16::from_le_bytes([two[0], two[1]]);
        }
        words[7] = 0x0004;
        words[255] = 0x00a5;
        sealed(&words)
    }

    pub(super) fn inquiry(&self, cdb: &[u8]) -> Option<Vec<u8>> {
        match (cdb[1] & 1 == 1, cdb[2]) {
            (false, 0) => {
                let mut page = vec![0, 0, 5, 2, 31, 0, 0, 2];
                page.extend(format!("{:8}{:16.16}{:4.4}", "ATA", MODEL, FIRMWARE).bytes());
                Some(page)
            }
            (true, 0) => Some(vital(0, &[0, 0x80, 0x89, 0xb1])),
            (true, 0x80) => Some(vital(0x80, format!("{:>20}", self.shown_serial()).as_bytes())),
            // ATA INFORMATION (SAT-3, 12.4.2).
            (true, 0x89) => {
                let mut body = vec![0; 4];
                body.extend(format!("{:8}{:16}{:4}", "MULE", "MODELLED SATL", "1").bytes());
                body.extend([0; 20]);
                body.extend([IDENTIFY, 0, 0, 0]);
                body.extend(self.identify());
                Some(vital(0x89, &body))
            }
            // Block device characteristics (SBC-3, 6.5.3): 1 for no rotation, or revolutions per minute.
            (true, 0xb1) => {
                let rate: u16 = if self.ssd { 1 } else { 7200 };
                Some(vital(0xb1, &[&rate.to_be_bytes()[..], &[0; 58]].concat()))
            }
            _ => None,
        }
    }
}

/// ATA strings have their bytes swapped and are filled up with blanks.
fn text(words: &mut [u16], text: &str) {
    let mut bytes = text.bytes().chain(std::iter::repeat(b' '));
    words
        .iter_mut()
        .for_each(|word| *word = u16::from_be_bytes([bytes.next().unwrap_or(b' '), bytes.next().unwrap_or(b' ')]));
}

/// The sum of all bytes is made 0 with the last.
pub(super) fn sealed(words: &[u16; 256]) -> [u8; 512] {
    let mut bytes = [0; 512];
    bytes.chunks_mut(2).zip(words).for_each(|(two, word)| two.copy_from_slice(&word.to_le_bytes()));
    bytes[511] = bytes[..511].iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg();
    bytes
}
