//! What real drives answered (`payload/testdata/pages`), read as the tools read it that printed the pages.

use crate::{
    ata::{
        Health, Identify, IdentifyError,
        identify::Rotation,
        smart::{self, SmartError},
    },
    nvme::{health, identify::Controller},
};

macro_rules! captured {
    ($name:literal) => {
        include_str!(concat!("../../testdata/pages/", $name, ".txt"))
    };
}

/// A section of a file; lines that are not there are zeros.
fn page<const LEN: usize>(file: &str, section: &str) -> [u8; LEN] {
    let mut page = [0; LEN];
    let head = format!("[{section}]");
    let lines = file.lines().skip_while(|line| *line != head).skip(1).take_while(|line| !line.starts_with('['));
    for line in lines.filter(|line| !line.is_empty()) {
        let (at, values) = line.split_once(": ").unwrap();
        let words = section.ends_with("words");
        let (radix, width) = if words { (10, 2) } else { (16, 1) };
        let at = width * usize::from_str_radix(at, radix).unwrap();
        for (index, value) in values.split(' ').enumerate() {
            let value = u16::from_str_radix(value, 16).unwrap().to_le_bytes();
            page[at + width * index..][..width].copy_from_slice(&value[..width]);
        }
    }
    page
}

/// What a tool printed of an ATA drive.
struct Printed {
    file: &'static str,
    model: &'static str,
    serial: &'static str,
    firmware: &'static str,
    sectors: u64,
    wwn: Option<&'static str>,
    rotation: Option<Rotation>,
    /// Supported, negotiated.
    sata: (Option<u8>, Option<u8>),
    /// SMART is switched on.
    smart: bool,
    /// HPA, DCO, security (whether it is frozen), TRIM: read from the words, by the standard.
    abilities: (bool, bool, Option<bool>, bool),
}

const DRIVES: &[Printed] = &[
    // smartctl 7.4: WWN 5 002538 f4372dd3a, 4,000,787,030,016 bytes, solid state, TRIM, SATA 6.0 Gb/s (current: 6.0 Gb/s).
    Printed {
        file: captured!("samsung-870-qvo"),
        model: "Samsung SSD 870 QVO 4TB",
        serial: "S5STNF0W706332M",
        firmware: "SVQ02B6Q",
        sectors: 4_000_787_030_016 / 512,
        wwn: Some("naa.5002538f4372dd3a"),
        rotation: Some(Rotation::None),
        sata: (Some(3), Some(3)),
        smart: true,
        abilities: (true, true, Some(true), true),
    },
    // sg_vpd: model, serial number, firmware.
    Printed {
        file: captured!("hitachi-hde721010sla330"),
        model: "Hitachi HDE721010SLA330",
        serial: "STR607MS2APNLS",
        firmware: "ST6OA3AA",
        sectors: 1_953_525_168,
        wwn: Some("naa.5000cca35ee10c0b"),
        rotation: Some(Rotation::Rpm(7200)),
        sata: (Some(2), None),
        smart: true,
        abilities: (true, true, Some(true), false),
    },
    // hdparm: 781422768 sectors.
    Printed {
        file: captured!("seagate-st3400633as"),
        model: "ST3400633AS",
        serial: "3NF1QJ3E",
        firmware: "3.AAH",
        sectors: 781_422_768,
        wwn: None,
        rotation: None,
        sata: (Some(1), None),
        smart: true,
        abilities: (true, true, Some(false), false),
    },
    Printed {
        file: captured!("wd-wd4000kd"),
        model: "WDC WD4000KD-00NAB0",
        serial: "WD-WMAMY1113566",
        firmware: "01.06A01",
        sectors: 781_422_768,
        wwn: None,
        rotation: None,
        sata: (Some(1), None),
        smart: true,
        abilities: (true, true, Some(false), false),
    },
    // hdparm -i: LBAsects=240121728, SerialNo=M0000000000000000000.
    Printed {
        file: captured!("maxtor-4r120l0"),
        model: "Maxtor 4R120L0",
        serial: "M0000000000000000000",
        firmware: "RAMB1TU0",
        sectors: 240_121_728,
        wwn: None,
        rotation: None,
        sata: (None, None),
        smart: false,
        abilities: (true, true, Some(false), false),
    },
];

#[test]
fn identify_data_of_real_drives_say_what_the_tools_printed() {
    for drive in DRIVES {
        let identify = Identify::parse(&page::<512>(drive.file, "identify words")).unwrap();
        let texts = (identify.model.as_str(), identify.serial.as_str(), identify.firmware.as_str());
        assert_eq!(texts, (drive.model, drive.serial, drive.firmware));
        assert_eq!((identify.sectors, identify.wwn.as_deref()), (drive.sectors, drive.wwn), "{}", drive.model);
        assert_eq!((identify.logical_sector, identify.physical_sector), (512, 512), "{}", drive.model);
        assert_eq!((identify.rotation, identify.smart, identify.smart_enabled), (drive.rotation, true, drive.smart));
        assert_eq!((identify.sata_generation, identify.sata_negotiated), drive.sata, "{}", drive.model);
        let abilities = &identify.abilities;
        let security = abilities.security.map(|security| security.frozen);
        let told = (abilities.hpa.supported, abilities.dco.supported, security, identify.trim);
        assert_eq!((told, abilities.sanitize), (drive.abilities, None), "{}", drive.model);
    }
}

#[test]
fn damaged_pages_of_real_drives_are_refused_or_say_less() {
    for drive in DRIVES {
        let whole = page::<512>(drive.file, "identify words");
        for len in [0, 1, 511] {
            assert_eq!(Identify::parse(&whole[..len]), Err(IdentifyError::Length(len)));
        }
        for at in [0, 120, 256, 511] {
            let mut damaged = whole;
            damaged[at] ^= 4;
            assert_eq!(Identify::parse(&damaged), Err(IdentifyError::Checksum), "{} {at}", drive.model);
        }
        // Without the signature in word 255 there is no checksum to be wrong.
        let mut unsealed = whole;
        unsealed[510] = 0;
        unsealed[511] ^= 1;
        assert_eq!(Identify::parse(&unsealed).unwrap().sectors, drive.sectors);
    }
}

/// smartctl 7.4 prints the same attributes of this drive; hours, cycles and temperature are those of CrystalDiskInfo's day.
#[test]
fn the_smart_data_of_a_real_drive_say_what_the_tools_printed() {
    let file = captured!("samsung-870-qvo");
    let (data, limits) = (page::<512>(file, "smart data"), page::<512>(file, "smart thresholds"));
    let attributes = smart::attributes(&data).unwrap();
    let expected = Health {
        reallocated: Some(0),
        reported_uncorrectable: Some(0),
        crc_errors: Some(0),
        power_on_hours: Some(1379),
        power_cycles: Some(196),
        temperature_celsius: Some(29),
        ..Health::default()
    };
    assert_eq!(Health::from_attributes(&attributes), expected);
    let ids: Vec<u8> = attributes.iter().map(|attribute| attribute.id).collect();
    assert_eq!(ids, [5, 9, 12, 177, 179, 181, 182, 183, 187, 190, 195, 199, 235, 241]);
    let written = attributes.last().unwrap();
    assert_eq!((written.value, written.worst, written.raw), (99, 99, 0x0005_97d0_8c79));
    let thresholds = smart::thresholds(&limits).unwrap();
    let set: Vec<_> = thresholds.iter().filter(|(_, threshold)| *threshold > 0).copied().collect();
    assert_eq!(set, [(5, 10), (179, 10), (181, 10), (182, 10), (183, 10)]);
    assert!(smart::failing(&attributes, &thresholds).is_empty());
    for at in [2, 100, 511] {
        let mut damaged = data;
        damaged[at] ^= 1;
        assert!(smart::attributes(&damaged).is_err());
    }
    assert_eq!(smart::attributes(&data[..511]), Err(SmartError::Length(511)));
    // Both have the right checksum.
    assert_eq!(smart::attributes(&[0xff; 512]), Err(SmartError::Blank));
    assert_eq!(smart::attributes(&[0; 512]), Err(SmartError::Blank));
}

#[test]
fn pages_of_real_nvme_drives_say_what_the_tools_printed() {
    let samsung = captured!("samsung-pm981a");
    let controller = Controller::parse(&page(samsung, "identify words")).unwrap();
    let texts = (controller.model.as_str(), controller.serial.as_str(), controller.firmware.as_str());
    assert_eq!(texts, ("SAMSUNG MZVLB256HBHQ-000L7", "S4ELNF2M957597", "5M2QEXH7"));
    assert_eq!((controller.version.as_deref(), controller.total_bytes), (Some("1.3.0"), Some(256_060_514_304)));
    assert_eq!((controller.warning_celsius, controller.critical_celsius), (Some(84), Some(85)));
    // SANICAP 3.
    assert!(controller.sanitize.crypto_erase && controller.sanitize.block_erase && !controller.sanitize.overwrite);
    let told = health::parse(&page(samsung, "nvme health"));
    assert_eq!((told.passed, told.temperature_celsius, told.available_spare), (Some(true), Some(31), Some(100)));
    assert_eq!((told.percentage_used, told.media_errors, told.unsafe_shutdowns), (Some(3), Some(0), Some(0x60)));
    assert_eq!((told.power_on_hours, told.power_cycles), (Some(2331), Some(1282)));
    // It prints 12,957 GB, in units of 2^30.
    assert_eq!(told.bytes_written.unwrap() >> 30, 12_957);
    let lexar = captured!("lexar-nm790");
    let controller = Controller::parse(&page(lexar, "identify words")).unwrap();
    assert_eq!((controller.model.as_str(), controller.serial.as_str()), ("Lexar SSD NM790 4TB", "PB1601R000643P2202"));
    assert_eq!((controller.version.as_deref(), controller.total_bytes), (Some("2.0.0"), Some(4_096_805_658_624)));
    let told = health::parse(&page(lexar, "nvme health"));
    assert_eq!((told.temperature_celsius, told.power_on_hours, told.power_cycles), (Some(33), Some(0), Some(3)));
}
