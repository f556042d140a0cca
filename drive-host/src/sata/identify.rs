//! What the disk says it is: IDENTIFY DEVICE data (ACS-3, 7.12.7) and what SAT makes of them for INQUIRY.

use super::{SataDisk, options::Word};
use crate::file_disk::vital;

const MODEL: &str = "MULE MODELLED SATA DISK";
const FIRMWARE: &str = "MODEL1.0";
pub(super) const IDENTIFY: u8 = 0xec;

impl SataDisk {
    /// What the disk calls itself: one with a wrong serial forgets who it is when it erases, or when anything changes it.
    fn serial(&self) -> &str {
        match (&self.options.wrong_serial, &self.options.exchanged) {
            (Some(wrong), _) if self.erase_was_begun => wrong,
            (_, Some(other)) if self.was_changed => other,
            _ => &self.options.serial,
        }
    }

    pub(super) fn identify(&self) -> [u8; 512] {
        let mut words = [0_u16; 256];
        let bit = |word: Word, bit: u32| u16::from(self.options.has(word)) << bit;
        let visible = if self.capacity_is_lost { 0 } else { self.limits.visible };
        words[0] = 0x0040;
        text(&mut words[10..20], self.serial());
        text(&mut words[23..27], FIRMWARE);
        text(&mut words[27..47], MODEL);
        words[49] = 0x0f00;
        words[50] = 0x4000;
        words[53] = 0x0006;
        // Overwrite, crypto scramble and block erase; the commands allowed meanwhile are those of ACS-3.
        words[59] = match (self.options.has(Word::Sanitize), self.options.has(Word::NoBlockErase)) {
            (false, _) => 0,
            (true, without_block_erase) => 0xf800 & !(u16::from(without_block_erase) << 15),
        };
        number(&mut words[60..62], visible.min(0x0fff_ffff));
        words[76] = 0x0006;
        words[80] = 0x03f0;
        // Without AMAC there are HPA and DCO; power management; 48 bits, FLUSH CACHE (EXT).
        let before_amac = !self.options.has(Word::Amac);
        words[82] = 0x0008 | u16::from(before_amac) << 10 | bit(Word::Security, 1) | bit(Word::Smart, 0);
        words[85] = words[82] & !2 | u16::from(self.security.user.is_some()) << 1;
        let overlay = u16::from(before_amac && !self.options.has(Word::NoDco)) << 11;
        let wide = u16::from(!self.options.has(Word::Bits28));
        // 48 bits and FLUSH CACHE EXT go together.
        let offered = 0x1000 | overlay | wide << 10 | wide << 13;
        (words[83], words[86]) = (0x4000 | offered, offered);
        // Logs for all purposes.
        words[84] = 0x4000 | u16::from(self.options.temperature_limit.is_some()) << 5;
        words[87] = words[84];
        if self.options.has(Word::Security) {
            words[89] = self.erase_minutes();
            words[90] = self.erase_minutes() * bit(Word::Enhanced, 0);
            words[92] = self.security.master_identifier;
            words[128] = self.security.word() | bit(Word::Enhanced, 5);
        }
        number(&mut words[100..104], visible * u64::from(wide));
        (words[119], words[120]) = (0x4000 | bit(Word::Amac, 8), 0x4000 | bit(Word::Amac, 8));
        words[169] = bit(Word::Ssd, 0);
        words[217] = self.rotation();
        words[255] = 0x00a5;
        sealed(&words)
    }

    /// Words 89 and 90: units of two minutes in 8 bits.
    fn erase_minutes(&self) -> u16 {
        u16::try_from(self.options.erase_time.as_secs().div_ceil(120).clamp(1, 254)).unwrap_or(254)
    }

    /// Rotations in a minute; 1 is "none" (word 217, and SBC-3, 6.5.3).
    fn rotation(&self) -> u16 {
        if self.options.has(Word::Ssd) { 1 } else { 7200 }
    }

    /// The data of INQUIRY; `None` for a page that the disk does not have.
    pub(super) fn inquiry(&self, cdb: &[u8]) -> Option<Vec<u8>> {
        match (cdb[1] & 1 == 1, cdb[2]) {
            (false, 0) => {
                let mut page = vec![0, 0, 5, 2, 31, 0, 0, 2];
                page.extend(format!("{:8}{:16.16}{:4.4}", "ATA", MODEL, FIRMWARE).bytes());
                Some(page)
            }
            (true, 0) => Some(vital(0, &[0, 0x80, 0x89, 0xb1])),
            (true, 0x80) => Some(vital(0x80, format!("{:>20}", self.serial()).as_bytes())),
            // ATA INFORMATION (SAT-3, 12.4.2).
            (true, 0x89) => {
                let mut body = vec![0; 4];
                body.extend(format!("{:8}{:16}{:4}", "MULE", "MODELLED SATL", "1").bytes());
                body.extend([0; 20]);
                body.extend([IDENTIFY, 0, 0, 0]);
                body.extend(self.identify());
                Some(vital(0x89, &body))
            }
            // Block device characteristics (SBC-3, 6.5.3).
            (true, 0xb1) => Some(vital(0xb1, &[&self.rotation().to_be_bytes()[..], &[0; 58]].concat())),
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

/// A number over several words, the lowest first.
pub(super) fn number(words: &mut [u16], number: u64) {
    for (word, two) in words.iter_mut().zip(number.to_le_bytes().chunks(2)) {
        *word = u16::from_le_bytes([two[0], two[1]]);
    }
}

/// The sum of all bytes is made 0 with the last.
pub(super) fn sealed(words: &[u16; 256]) -> [u8; 512] {
    let mut bytes = [0; 512];
    bytes.chunks_mut(2).zip(words).for_each(|(two, word)| two.copy_from_slice(&word.to_le_bytes()));
    seal(&mut bytes);
    bytes
}

/// Makes the sum of all bytes 0 with the last.
pub(super) fn seal(bytes: &mut [u8; 512]) {
    bytes[511] = bytes[..511].iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg();
}
