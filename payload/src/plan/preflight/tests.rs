//! Every rule that says no, one by one and against the others.

use super::*;
use crate::{
    discover::{Usage, fixture::plain},
    drive::{Geometry, Identity},
};

fn drive(name: &str) -> Drive {
    let bytes = 1 << 30;
    let identity = Identity { model: "M".into(), serial: format!("S-{name}"), wwn: None, bytes };
    plain(name, identity, Geometry::new(bytes, 512, 4096))
}

fn named(names: &[&str]) -> Selection {
    Selection::Named(names.iter().map(ToString::to_string).collect())
}

fn verdict(change: impl FnOnce(&mut Drive), selection: &Selection) -> Result<(), String> {
    let mut one = drive("sda");
    change(&mut one);
    let all = [one.clone(), drive("sdb")];
    check(&one, &all, &Sticks::default(), selection).map_err(|reason| reason.to_string())
}

#[test]
fn a_plain_drive_is_taken_by_all_and_by_its_name_only() {
    assert_eq!(verdict(|_| (), &Selection::All), Ok(()));
    assert_eq!(verdict(|_| (), &named(&["S-sda"])), Ok(()));
    for other in ["S-sdb", "S-sd", "s-sda", "sda", "/dev/sda", "M", ""] {
        assert!(verdict(|_| (), &named(&[other])).is_err(), "{other}");
    }
    assert!(verdict(|_| (), &named(&[])).is_err());
}

#[test]
fn removable_and_usb_drives_must_be_named() {
    for change in [|d: &mut Drive| d.removable = true, |d: &mut Drive| d.bus = Bus::Usb] {
        assert!(verdict(change, &Selection::All).is_err());
        assert_eq!(verdict(change, &named(&["S-sda"])), Ok(()));
    }
}

#[test]
fn some_things_no_name_makes_good() {
    type Change = fn(&mut Drive);
    let changes: [(&str, Change); 6] = [
        ("write-protected", |d| d.read_only = true),
        ("capacity of 0", |d| d.geometry = Geometry::new(0, 512, 512)),
        ("not supported", |d| d.geometry = Geometry::new(520, 520, 520)),
        ("in use", |d| d.usage = vec![Usage::Mounted { device: "sda1".into(), at: "/".into() }]),
        ("in use", |d| d.usage = vec![Usage::Holder { device: "sda".into(), by: "md0".into() }]),
        ("in use", |d| d.usage = vec![Usage::Unknown { reason: "unreadable".into() }]),
    ];
    for (words, change) in changes {
        for selection in [Selection::All, named(&["S-sda"])] {
            let refusal = verdict(change, &selection).unwrap_err();
            assert!(refusal.contains(words), "{refusal}");
        }
    }
    let nameless = |d: &mut Drive| d.identity.serial.clear();
    assert!(verdict(nameless, &Selection::All).unwrap_err().contains("no certificate could name it"));
}

#[test]
fn no_stick_is_ever_a_target_whatever_the_job_says() {
    let stick = drive("sdc");
    let copy = Drive { identity: stick.identity.clone(), ..drive("sdd") };
    let all = [drive("sda"), stick.clone(), copy.clone()];
    let sticks = Sticks {
        boot: Some(stick.path.clone()),
        all: vec![stick.path.clone(), copy.path.clone()],
        ..Sticks::default()
    };
    for selection in [Selection::All, named(&["S-sdc"]), named(&["S-sdd", "S-sdc", "S-sda"])] {
        assert_eq!(check(&stick, &all, &sticks, &selection), Err(Reason::BootStick));
        assert_eq!(check(&copy, &all, &sticks, &selection), Err(Reason::AnotherStick));
    }
}

#[test]
fn drives_that_cannot_be_told_apart_are_both_refused() {
    let one = drive("sda");
    let twin = Drive { identity: one.identity.clone(), ..drive("sdb") };
    let all = [one.clone(), twin.clone()];
    for selection in [Selection::All, named(&["S-sda"])] {
        for each in &all {
            assert!(matches!(check(each, &all, &Sticks::default(), &selection), Err(Reason::Twin(_))));
        }
    }
    // The same serial number on another model: together they are clear, by that name alone they are not.
    let mut half = twin;
    half.identity.model = "OTHER".into();
    let all = [one.clone(), half];
    assert_eq!(check(&one, &all, &Sticks::default(), &Selection::All), Ok(()));
    assert!(matches!(check(&one, &all, &Sticks::default(), &named(&["S-sda"])), Err(Reason::Twin(_))));
}

#[test]
fn what_lies_on_a_built_in_drive_does_not_take_it_out_of_all_in_silence() {
    let built_in = drive("sda");
    let plugged = Drive { bus: Bus::Usb, ..drive("sdb") };
    for reason in [Reason::AnotherStick, Reason::Store, Reason::OtherStore] {
        assert!(reason.denies_a_target(&built_in), "{reason}");
        assert!(!reason.denies_a_target(&plugged), "{reason}");
    }
    assert!(!Reason::BootStick.denies_a_target(&built_in) && !Reason::NotNamed.denies_a_target(&built_in));
}

#[test]
fn a_store_that_the_job_does_not_use_is_erased_only_by_name() {
    let store = drive("sda");
    let sticks = Sticks { other_stores: vec![store.path.clone()], ..Sticks::default() };
    let all = [store.clone(), drive("sdb")];
    assert_eq!(check(&store, &all, &sticks, &Selection::All), Err(Reason::OtherStore));
    assert_eq!(check(&store, &all, &sticks, &named(&["S-sda"])), Ok(()));
}

#[test]
fn a_file_is_called_by_the_bytes_of_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("\u{fc}mlaut.img");
    std::fs::write(&path, [0; 4096]).unwrap();
    let file = crate::discover::identify_path(&crate::discover::Roots::default(), &path).unwrap();
    assert!(file.is_called(path.to_str().unwrap()));
    assert!(!file.is_called(&file.identity.serial) && file.identity.serial.contains("??mlaut.img"));
}
