use super::*;
use crate::discover::fixture::plain;

#[test]
fn a_volume_is_found_by_where_it_begins() {
    let dir = tempfile::tempdir().unwrap();
    for (name, start) in [("sdb1", "2048"), ("sdb2", "206848")] {
        fs::create_dir_all(dir.path().join("sdb").join(name)).unwrap();
        fs::write(dir.path().join("sdb").join(name).join("start"), format!("{start}\n")).unwrap();
    }
    let at = |start| node(dir.path(), Path::new("/dev/sdb"), start);
    assert_eq!(at(206_848 * 512), Some("/dev/sdb2".into()));
    assert_eq!(at(0), Some("/dev/sdb".into()));
    assert_eq!(at(4096), None);
}

#[test]
fn a_folder_has_free_bytes() {
    assert!(free_bytes(Path::new("/tmp")).unwrap() > 0);
}

/// A drive that is a file, with an ext4 of this label on all of it.
fn drive(dir: &Path, serial: &str, label: &str) -> Drive {
    let path = dir.join(serial);
    fs::write(&path, []).unwrap();
    File::options().write(true).open(&path).unwrap().set_len(8 << 20).unwrap();
    let made = std::process::Command::new("mke2fs").args(["-q", "-F", "-L", label]).arg(&path).status().unwrap();
    assert!(made.success());
    let identity = crate::drive::Identity { model: "MODEL".into(), serial: serial.into(), wwn: None, bytes: 8 << 20 };
    Drive { path, ..plain(serial, identity, crate::drive::Geometry::new(8 << 20, 512, 512)) }
}

#[test]
fn another_drive_with_the_label_does_not_stand_in_for_the_named_one() {
    let dir = tempfile::tempdir().unwrap();
    let (shop, customer) = (drive(dir.path(), "SHOP", LABEL), drive(dir.path(), "CUSTOMER", LABEL));
    let find = |drives: &[Drive], named| find(drives, LABEL, named).map(|found| found.drive);
    let both = [shop.clone(), customer.clone()];
    assert_eq!(find(&both, Some("SHOP")).unwrap(), shop.path);
    let error = find(&both, None).unwrap_err().to_string();
    assert!(error.contains("2 file systems have the label"), "{error}");
    let error = find(std::slice::from_ref(&customer), Some("SHOP")).unwrap_err().to_string();
    assert!(error.contains("SHOP") && error.contains("not plugged in"), "{error}");
    let bare = drive(dir.path(), "BARE", "OTHER");
    let error = find(&[customer, bare], Some("BARE")).unwrap_err().to_string();
    assert!(error.contains("the drive BARE") && error.contains("no file system with the label"), "{error}");
    assert_eq!(find(std::slice::from_ref(&shop), None).unwrap(), shop.path);
    // Both labels protect: that of the job, and that of jobs without one.
    assert_eq!(drives_with(std::slice::from_ref(&shop), &["KELLER", LABEL]), [shop.path]);
}

#[test]
fn a_store_that_a_windows_holds_is_read_but_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let held = Found {
        drive: dir.path().into(),
        kind: Kind::Ntfs,
        label: LABEL.into(),
        node: dir.path().join("none"),
        not_let_go: Some("hiberfil.sys holds a hibernated Windows".into()),
        name: "WD 1".into(),
    };
    let error = Store::mount(&held, true).unwrap_err().to_string();
    for words in ["WD 1", "must not be written", "hibernated Windows", "powercfg /h off", "chkdsk /f"] {
        assert!(error.contains(words), "{error}");
    }
}
