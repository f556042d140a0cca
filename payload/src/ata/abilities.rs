//! What a drive can do about its own erasure and its hidden areas, from the words of IDENTIFY DEVICE. Pure. A word that
//! is not valid says "not supported"; of two words that should agree, the one that asks for more care is believed.

use serde::Serialize;
use std::time::Duration;

/// A feature set that can be supported without being in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Feature {
    /// The drive knows the commands.
    pub supported: bool,
    /// It is in use.
    pub enabled: bool,
}

/// How long a drive says an erasure takes (words 89 and 90; ACS-3, 7.12.7.42 and 7.12.7.43).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum EraseTime {
    /// This long.
    About(Duration),
    /// The largest value of the field: this long or longer.
    AtLeast(Duration),
}

/// The security feature set (words 82, 85, 89, 90, 92 and 128).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SecurityAbilities {
    /// A user password is set (word 85 bit 1 or word 128 bit 1).
    pub enabled: bool,
    /// The drive refuses access to its medium until it is unlocked (word 128 bit 2).
    pub locked: bool,
    /// Security commands are refused until the next power-on (word 128 bit 3).
    pub frozen: bool,
    /// Too many wrong passwords since power-on (word 128 bit 4).
    pub count_expired: bool,
    /// Enhanced security erase is supported (word 128 bit 5).
    pub enhanced_erase: bool,
    /// Master password capability: maximum rather than high (word 128 bit 8).
    pub master_maximum: bool,
    /// Master password identifier (word 92); `None` where it is not supported.
    pub master_identifier: Option<u16>,
    /// Time of a normal erase; `None` where it is not given.
    pub erase_time: Option<EraseTime>,
    /// Time of an enhanced erase; `None` where it is not given.
    pub enhanced_erase_time: Option<EraseTime>,
}

/// The sanitize feature set (word 59; ACS-3, 7.12.7.23).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SanitizeAbilities {
    /// CRYPTO SCRAMBLE EXT (bit 13).
    pub crypto_scramble: bool,
    /// OVERWRITE EXT (bit 14).
    pub overwrite: bool,
    /// BLOCK ERASE EXT (bit 15).
    pub block_erase: bool,
    /// SANITIZE ANTIFREEZE LOCK EXT (bit 10).
    pub antifreeze: bool,
}

/// What a drive can do, and the state it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Abilities {
    /// Security feature set, where it is supported.
    pub security: Option<SecurityAbilities>,
    /// Sanitize feature set, where it is supported.
    pub sanitize: Option<SanitizeAbilities>,
    /// Host Protected Area (words 82 and 85, bit 10; obsolete since ACS-3).
    pub hpa: Feature,
    /// Device Configuration Overlay (words 83 and 86, bit 11; obsolete since ACS-3).
    pub dco: Feature,
    /// Accessible Max Address Configuration (words 119 and 120, bit 8; ACS-3). "Enabled" says nothing of its use.
    pub accessible_max: Feature,
    /// 48-bit addresses (word 83 bit 10).
    pub lba48: bool,
}

impl Abilities {
    /// Reads them from IDENTIFY DEVICE data.
    pub fn parse(data: &[u8; 512]) -> Self {
        let words = Words(data);
        let feature = |supported: (usize, u32), enabled: (usize, u32)| Feature {
            supported: words.counts(supported.0) && words.bit(supported.0, supported.1),
            enabled: words.counts(enabled.0) && words.bit(enabled.0, enabled.1),
        };
        Self {
            security: words.security(feature((82, 1), (85, 1))),
            sanitize: words.sanitize(),
            hpa: feature((82, 10), (85, 10)),
            dco: feature((83, 11), (86, 11)),
            accessible_max: feature((119, 8), (120, 8)),
            lba48: feature((83, 10), (86, 10)).supported,
        }
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

    /// Words 82-84, 85-87, 119 and 120 count only where bits 15:14 of 83, 87, 119 and 120 are 01b.
    fn counts(&self, word: usize) -> bool {
        let signature = match word {
            82..=84 => 83,
            85..=87 => 87,
            other => other,
        };
        self.get(signature) >> 14 == 1
    }

    fn security(&self, feature: Feature) -> Option<SecurityAbilities> {
        // Bridges and old drives fill reserved words with ones.
        let word = self.get(128);
        let bit = |bit: u32| word != 0xffff && word >> bit & 1 == 1;
        (feature.supported || bit(0)).then(|| SecurityAbilities {
            enabled: feature.enabled || bit(1),
            locked: bit(2),
            frozen: bit(3),
            count_expired: bit(4),
            enhanced_erase: bit(5),
            master_maximum: bit(8),
            master_identifier: Some(self.get(92)).filter(|word| !matches!(word, 0 | 0xffff)),
            erase_time: erase_time(self.get(89)),
            enhanced_erase_time: erase_time(self.get(90)),
        })
    }

    fn sanitize(&self) -> Option<SanitizeAbilities> {
        (self.get(59) != 0xffff && self.bit(59, 12)).then(|| SanitizeAbilities {
            crypto_scramble: self.bit(59, 13),
            overwrite: self.bit(59, 14),
            block_erase: self.bit(59, 15),
            antifreeze: self.bit(59, 10),
        })
    }
}

/// Units of two minutes, in 15 bits where bit 15 is set (ACS-3), else in 8. 0 is "not given"; the largest value means
/// that or more. FFFFh is the largest value of the longer field and as well what fills an unused word: the caller has
/// "at least 45 days" then, which is no harm to a time-out.
fn erase_time(word: u16) -> Option<EraseTime> {
    let (units, largest) = if word >> 15 == 1 { (word & 0x7fff, 0x7fff) } else { (word & 0xff, 0xff) };
    let time = |units: u16| Duration::from_secs(u64::from(units) * 120);
    match units {
        0 => None,
        // The value before the largest is the longest time that can be said: 508 or 65,532 minutes.
        units if units == largest => Some(EraseTime::AtLeast(time(largest - 1))),
        units => Some(EraseTime::About(time(units))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words 82-87 of a disk with HPA, DCO, security and 48-bit addresses, nothing in use.
    fn words(more: &[(usize, u16)]) -> Abilities {
        let mut data = [0; 512];
        let disk = [(82, 0x746b), (83, 0x7f61), (84, 0x4123), (85, 0x7069), (86, 0xb401), (87, 0x4123), (128, 0x0021)];
        for (word, value) in disk.iter().chain(more) {
            data[2 * word..2 * word + 2].copy_from_slice(&value.to_le_bytes());
        }
        Abilities::parse(&data)
    }

    #[test]
    fn a_disk_says_what_it_supports() {
        let abilities = words(&[(59, 0xf400), (119, 0x4100), (120, 0x4100)]);
        let security = abilities.security.unwrap();
        assert!(security.enhanced_erase && !security.enabled && !security.frozen && !security.locked);
        assert_eq!((security.erase_time, security.master_identifier), (None, None));
        let all = SanitizeAbilities { crypto_scramble: true, overwrite: true, block_erase: true, antifreeze: true };
        assert_eq!(abilities.sanitize, Some(all));
        assert_eq!(abilities.hpa, Feature { supported: true, enabled: false });
        assert_eq!(abilities.dco, Feature { supported: true, enabled: false });
        assert_eq!(abilities.accessible_max, Feature { supported: true, enabled: true });
        assert!(abilities.lba48);
    }

    #[test]
    fn each_bit_of_word_128_is_its_own() {
        let of = |bit: u16| words(&[(128, 1 | 1 << bit)]).security.unwrap();
        type Get = fn(&SecurityAbilities) -> bool;
        let bits: [(u16, Get); 6] = [
            (1, |s| s.enabled),
            (2, |s| s.locked),
            (3, |s| s.frozen),
            (4, |s| s.count_expired),
            (5, |s| s.enhanced_erase),
            (8, |s| s.master_maximum),
        ];
        for (bit, get) in bits {
            assert!(get(&of(bit)), "bit {bit}");
            for (_, other) in bits.iter().filter(|(other, _)| *other != bit) {
                assert!(!other(&of(bit)), "bit {bit}");
            }
        }
    }

    #[test]
    fn of_two_words_the_careful_one_is_believed() {
        assert!(words(&[(85, 0x706b)]).security.unwrap().enabled);
        assert!(words(&[(128, 0xffff), (82, 0x7469)]).security.is_none());
        assert!(words(&[(128, 0), (82, 0x746b)]).security.is_some());
    }

    #[test]
    fn words_without_their_signature_say_nothing() {
        let abilities = words(&[(83, 0), (87, 0xffff), (119, 0x8100), (128, 0), (59, 0xffff)]);
        assert_eq!((abilities.security, abilities.sanitize, abilities.lba48), (None, None, false));
        assert_eq!(abilities.hpa, Feature::default());
        assert_eq!(abilities.dco, Feature::default());
        assert_eq!(abilities.accessible_max, Feature::default());
    }

    #[test]
    fn erase_times_are_read_in_both_encodings() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert_eq!(erase_time(0), None);
        assert_eq!(erase_time(0x8000), None);
        assert_eq!(erase_time(60), Some(EraseTime::About(minutes(120))));
        assert_eq!(erase_time(0x123c), Some(EraseTime::About(minutes(120))));
        assert_eq!(erase_time(254), Some(EraseTime::About(minutes(508))));
        assert_eq!(erase_time(255), Some(EraseTime::AtLeast(minutes(508))));
        assert_eq!(erase_time(0x8000 | 300), Some(EraseTime::About(minutes(600))));
        assert_eq!(erase_time(0xffff), Some(EraseTime::AtLeast(minutes(65_532))));
    }
}
