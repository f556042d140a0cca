use super::*;
use crate::ata::abilities::EraseTime;
use std::time::Duration;

/// IDENTIFY DEVICE data of a drive, written word by word; the checksum is made at the end.
pub(crate) struct Sample([u8; 512]);

impl Sample {
    /// A 500 GB SATA disk of the Core 2 era: 48-bit, HPA, DCO, security frozen, 512-byte sectors.
    pub(crate) fn disk(model: &str, serial: &str) -> Self {
        let words = [
            (0, 0x0040),
            (49, 0x2f00),
            (60, 0xffff),
            (61, 0x0fff),
            (76, 0x0506),
            (82, 0x746b),
            (83, 0x7f61),
            (84, 0x4123),
            (85, 0x7469),
            (86, 0xbe41),
            (87, 0x4123),
            (89, 60),
            (90, 0x8000 | 300),
            (100, 0x6030),
            (101, 0x3a38),
            (108, 0x5001),
            (109, 0x4ee0),
            (110, 0xabcd),
            (111, 0xef01),
            (128, 0x0029),
        ];
        let mut sample = Self([0; 512]).text(27, 20, model).text(10, 10, serial).text(23, 4, "01.01A01");
        for (word, value) in words {
            sample = sample.word(word, value);
        }
        sample
    }

    pub(crate) fn word(mut self, word: usize, value: u16) -> Self {
        self.0[2 * word..2 * word + 2].copy_from_slice(&value.to_le_bytes());
        self
    }

    fn text(mut self, word: usize, count: usize, text: &str) -> Self {
        let padded = format!("{text:width$}", width = 2 * count);
        for (index, pair) in padded.as_bytes()[..2 * count].chunks(2).enumerate() {
            self = self.word(word + index, u16::from_be_bytes([pair[0], pair[1]]));
        }
        self
    }

    pub(crate) fn sealed(mut self) -> [u8; 512] {
        self.0[510] = 0xa5;
        let sum = self.0[..511].iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        self.0[511] = sum.wrapping_neg();
        self.0
    }
}

fn sample() -> Sample {
    Sample::disk("WDC WD5000AAKS-00A7B2", "WD-WMASY1234567")
}

#[test]
fn a_disk_of_2009_is_read() {
    let id = Identify::parse(&sample().sealed()).unwrap();
    assert_eq!((id.model.as_str(), id.serial.as_str()), ("WDC WD5000AAKS-00A7B2", "WD-WMASY1234567"));
    assert_eq!((id.firmware.as_str(), id.wwn.as_deref()), ("01.01A01", Some("naa.50014ee0abcdef01")));
    assert_eq!((id.sectors, id.abilities.lba48), (976_773_168, true));
    assert_eq!((id.logical_sector, id.physical_sector), (512, 512));
    assert_eq!((id.sata_generation, id.sata_negotiated, id.rotation), (Some(2), None, None));
    let abilities = id.abilities;
    assert!(abilities.hpa.supported && abilities.hpa.enabled && abilities.dco.supported);
    assert!(id.smart && id.smart_enabled && id.logging && !id.trim && !abilities.accessible_max.supported);
    let security = abilities.security.unwrap();
    assert!(
        security.frozen && security.enhanced_erase && !security.enabled && !security.locked && !security.master_maximum
    );
    let minutes = |minutes: u64| Some(EraseTime::About(Duration::from_secs(60 * minutes)));
    assert_eq!((security.erase_time, security.enhanced_erase_time), (minutes(120), minutes(600)));
    assert_eq!(abilities.sanitize, None);
}

#[test]
fn sector_sizes_rotation_sanitize_and_trim_are_read() {
    let newer = sample().word(106, 0x6003).word(217, 7200).word(59, 0xf400).word(169, 1).word(77, 0x0006).word(168, 2);
    let id = Identify::parse(&newer.sealed()).unwrap();
    assert_eq!((id.logical_sector, id.physical_sector), (512, 4096));
    assert_eq!((id.rotation, id.sata_negotiated, id.trim), (Some(Rotation::Rpm(7200)), Some(3), true));
    assert_eq!(id.form_factor, Some("3.5 inch"));
    let sanitize = id.abilities.sanitize.unwrap();
    assert!(sanitize.crypto_scramble && sanitize.overwrite && sanitize.block_erase && sanitize.antifreeze);
    let native = sample().word(106, 0x5000).word(117, 2048).word(217, 1);
    let id = Identify::parse(&native.sealed()).unwrap();
    assert_eq!((id.logical_sector, id.physical_sector, id.rotation), (4096, 4096, Some(Rotation::None)));
}

#[test]
fn logs_are_there_only_where_word_84_says_so_validly() {
    for (word, logging) in [(0x4123, true), (0x4103, false), (0x0123, false), (0xffff, false)] {
        assert_eq!(Identify::parse(&sample().word(84, word).sealed()).unwrap().logging, logging, "{word:04x}");
    }
    assert!(!Identify::parse(&sample().word(83, 0).sealed()).unwrap().logging);
}

#[test]
fn words_that_are_not_valid_say_nothing() {
    let bare = sample()
        .word(83, 0)
        .word(87, 0)
        .word(128, 0xffff)
        .word(59, 0xffff)
        .word(76, 0xffff)
        .word(106, 0x3fff)
        .word(168, 0xffff);
    let id = Identify::parse(&bare.sealed()).unwrap();
    let abilities = id.abilities;
    assert!(
        !abilities.hpa.supported && !abilities.hpa.enabled && !abilities.lba48 && !id.smart && !abilities.dco.supported
    );
    assert_eq!((id.wwn, abilities.security, abilities.sanitize, id.sata_generation), (None, None, None, None));
    assert_eq!((id.sectors, id.physical_sector, id.form_factor), (0x0fff_ffff, 512, None));
}

#[test]
fn damaged_data_are_refused() {
    let mut bytes = sample().sealed();
    bytes[20] ^= 1;
    assert_eq!(Identify::parse(&bytes), Err(IdentifyError::Checksum));
    assert_eq!(Identify::parse(&[0; 512]), Err(IdentifyError::Blank));
    assert_eq!(Identify::parse(&[0xff; 512]), Err(IdentifyError::Blank));
    assert_eq!(Identify::parse(&bytes[..511]), Err(IdentifyError::Length(511)));
    assert_eq!(Identify::parse(&sample().word(0, 0x85c0).sealed()), Err(IdentifyError::NotADisk));
}

#[test]
fn noise_never_panics() {
    let mut state = 1_u64;
    for _ in 0..2000 {
        let mut bytes = [0; 512];
        for byte in &mut bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = state.to_be_bytes()[0];
        }
        bytes[510] = 0;
        let _ = Identify::parse(&bytes);
    }
}
