use super::*;

#[test]
fn what_hides_sectors_is_lifted_in_order_and_once_in_a_power_cycle() {
    let (_file, mut disk) = disk("hpa=600,dco=800");
    assert_eq!(shown(&mut disk), 600);
    assert_eq!(lba_of(&mut disk, SET_MAX_EXT, 0, 1, 799), None, "READ NATIVE MAX comes right before");
    assert_eq!(lba_of(&mut disk, CONFIGURATION, 0xc0, 0, 0), None, "not while a Host Protected Area is set");
    assert_eq!(lba_of(&mut disk, READ_NATIVE_MAX_EXT, 0, 0, 0), Some(799));
    assert_eq!(lba_of(&mut disk, SET_MAX_EXT, 0, 1, 799), Some(799));
    assert_eq!(shown(&mut disk), 800);
    assert_eq!(lba_of(&mut disk, READ_NATIVE_MAX_EXT, 0, 0, 0), Some(799));
    assert_eq!(lba_of(&mut disk, SET_MAX_EXT, 0, 1, 699), None, "once in a power cycle");
    assert_eq!(lba_of(&mut disk, CONFIGURATION, 0xc0, 0, 0), Some(0));
    assert_eq!(shown(&mut disk), 4000);
    disk.power_cycle();
    assert_eq!(shown(&mut disk), 4000);
}

#[test]
fn a_limit_for_now_is_gone_after_the_next_power_on() {
    let (_file, mut disk) = disk("");
    assert_eq!(lba_of(&mut disk, READ_NATIVE_MAX_EXT, 0, 0, 0), Some(3999));
    assert_eq!(lba_of(&mut disk, SET_MAX_EXT, 0, 0, 499), Some(499));
    assert_eq!(shown(&mut disk), 500);
    disk.power_cycle();
    assert_eq!(shown(&mut disk), 4000);
}

#[test]
fn an_accessible_max_address_is_set_once_in_a_power_cycle_until_it_is_frozen() {
    let (_file, mut disk) = disk("hpa=600,amac");
    assert_eq!((word(&mut disk, 82) >> 10 & 1, word(&mut disk, 83) >> 11 & 1), (0, 0));
    assert_eq!(word(&mut disk, 119), 0x4100);
    assert_eq!(lba_of(&mut disk, READ_NATIVE_MAX_EXT, 0, 0, 0), None);
    assert_eq!(lba_of(&mut disk, ACCESSIBLE_MAX, 0, 0, 0), Some(3999));
    assert_eq!(lba_of(&mut disk, ACCESSIBLE_MAX, 1, 0, 4000), None, "more than there is");
    assert_eq!(lba_of(&mut disk, ACCESSIBLE_MAX, 1, 0, 999), Some(0));
    assert_eq!(lba_of(&mut disk, ACCESSIBLE_MAX, 1, 0, 3999), None, "once in a power cycle");
    disk.power_cycle();
    assert_eq!(shown(&mut disk), 1000);
    assert_eq!(lba_of(&mut disk, ACCESSIBLE_MAX, 2, 0, 0), Some(0));
    assert_eq!(lba_of(&mut disk, ACCESSIBLE_MAX, 1, 0, 3999), None, "frozen");
    disk.power_cycle();
    assert_eq!(lba_of(&mut disk, ACCESSIBLE_MAX, 1, 0, 3999), Some(0));
    assert_eq!(shown(&mut disk), 4000);
}

#[test]
fn a_disk_that_lies_about_its_limits_lifts_none() {
    let (_file, mut disk) = disk("hpa=600,dco=800,lies");
    lba_of(&mut disk, READ_NATIVE_MAX_EXT, 0, 0, 0);
    assert_eq!(lba_of(&mut disk, SET_MAX_EXT, 0, 1, 799), Some(799));
    assert_eq!(shown(&mut disk), 600);
}

#[test]
fn words_that_are_wrong_are_refused() {
    assert!(SataDisk::from_text("S=/nonexistent").is_err());
    let (file, _disk) = disk("");
    for words in [
        "hpa=5000",
        "hpa=900,dco=800",
        "amac,dco=800",
        "no-dco,dco=800",
        "states=0",
        "nonsense",
        "hangs=xyz",
        "bad=",
        "security=1",
    ] {
        let text = format!("S={},{words}", file.path().display());
        assert!(SataDisk::from_text(&text).is_err(), "{words}");
    }
}
