use super::{details, object, remarks::remarks};
use crate::{
    ata::{
        Health, Identify,
        identify::{Rotation, tests::Sample},
    },
    discover::{self, Bus, Drive, Roots},
    nvme::identify::Controller,
    scsi::sanitize::Action,
};
use serde_json::json;

/// A drive of which nothing is known but its size.
fn bare() -> Drive {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(1 << 20).unwrap();
    discover::identify_path(&Roots::default(), file.path()).unwrap()
}

fn line(drive: &Drive, name: &str) -> String {
    let lines = details::lines(drive, None, None);
    lines.into_iter().find(|(title, _)| *title == name).unwrap_or_else(|| panic!("no line {name}")).1
}

#[test]
fn what_is_not_known_is_said_to_be_unknown() {
    let drive = bare();
    for name in ["native size", "factory size", "medium", "link", "firmware", "WWN"] {
        assert_eq!(line(&drive, name), "not known", "{name}");
    }
    assert_eq!(line(&drive, "health"), "not asked, or not told");
    let object = object::of(&drive, None, None);
    for name in ["rotation", "form_factor", "sizes", "health", "link", "ata", "nvme", "content", "hidden_bytes"] {
        assert_eq!(object[name], json!(null), "{name}");
    }
    assert_eq!((&object["remarks"], &object["bytes"]), (&json!([]), &json!(1 << 20)));
}

#[test]
fn a_disk_in_trouble_is_remarked_on_with_what_helps() {
    let mut drive = bare();
    let identify = Sample::disk("WDC WD5000AAKS-00A7B2", "WD-WMASY1234567").word(168, 2).word(217, 7200);
    let identify = Identify::parse(&identify.sealed()).unwrap();
    (drive.details.rotation, drive.details.form_factor) = (identify.rotation, identify.form_factor);
    drive.ata = Some(identify);
    drive.native_sectors = Some((1 << 11) + 8);
    drive.health = Some(Health {
        passed: Some(false),
        failing_attributes: vec![5],
        reallocated: Some(3),
        pending: Some(0),
        crc_errors: Some(12),
        power_on_hours: Some(31_207),
        ..Health::default()
    });
    let told = remarks(&drive);
    let beginnings = [
        "THE DRIVE SAYS",
        "SMART attribute 5",
        "3 sectors are replaced",
        "12 transfer errors",
        "frozen by the PC",
        "a Host Protected Area hides 4,096 bytes",
    ];
    assert_eq!(told.len(), beginnings.len(), "{told:?}");
    for (remark, beginning) in told.iter().zip(beginnings) {
        assert!(remark.starts_with(beginning), "{remark}");
    }
    assert_eq!(line(&drive, "medium"), "disk, 7200 rpm, 3.5 inch, no TRIM");
    assert!(line(&drive, "health").contains("31,207 h powered on"));
    assert!(line(&drive, "security").contains("FROZEN"));
    let object = object::of(&drive, None, None);
    assert_eq!(object["rotation"], json!({ "Rpm": 7200 }));
    assert_eq!((&object["hidden_bytes"], &object["health"]["crc_errors"]), (&json!(4096), &json!(12)));
}

#[test]
fn a_scsi_disk_says_what_it_can_be_asked_for() {
    let mut drive = bare();
    drive.details.actions = Some(vec![Action::Overwrite, Action::CryptographicErase]);
    drive.rotational = Some(true);
    // The kernel says so of every disk that it knows nothing of.
    assert_eq!(line(&drive, "best purge"), "SANITIZE cryptographic erase");
    drive.details.rotation = Some(Rotation::Rpm(7200));
    assert_eq!(line(&drive, "sanitize"), "SANITIZE overwrite, SANITIZE cryptographic erase");
    assert_eq!(line(&drive, "best purge"), "SANITIZE overwrite");
    drive.details.at_work = Some(Some(0x8000));
    assert!(remarks(&drive)[0].contains("SANITIZING ITSELF, 50 %"));
}

#[test]
fn an_nvme_drive_says_what_it_can_and_when_it_is_too_hot() {
    let mut data = [0; 4096];
    data[24..32].copy_from_slice(b"EXAMPLE ");
    data[80..84].copy_from_slice(&0x1_0400_u32.to_le_bytes());
    data[266..268].copy_from_slice(&343_u16.to_le_bytes());
    (data[256], data[328], data[516]) = (2, 2, 1);
    let mut drive = bare();
    drive.details.controller = Controller::parse(&data);
    (drive.bus, drive.rotational) = (Bus::Nvme, Some(false));
    drive.health = Some(Health { temperature_celsius: Some(70), percentage_used: Some(99), ..Health::default() });
    assert_eq!(remarks(&drive), ["70 C: too hot, its own limit is 70 C"]);
    assert_eq!(
        (line(&drive, "NVMe"), line(&drive, "sanitize")),
        ("1.4.0, 1 namespace(s)".into(), "block erase".into())
    );
    assert_eq!(line(&drive, "best purge"), "NVMe Sanitize with block erase");
    assert_eq!(object::of(&drive, None, None)["nvme"]["controller"]["warning_celsius"], json!(70));
}
