use super::*;
use crate::certify::{
    Certificate,
    fixture::{copy::imaged_with_exceptions, erased, key},
    record::Record,
};

fn files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn a_certificate_is_three_files_and_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("new/certificates");
    let stored = write(&folder, &erased(), &key()).unwrap();
    let stem = "20260301T141509Z-WD-WCAYUF123456";
    let expected = [format!("{stem}.html"), format!("{stem}.json"), format!("{stem}.json.sig"), ALLOWED_SIGNERS.into()];
    assert_eq!(files(&folder), expected);
    let bytes = fs::read(folder.join(&stored.name)).unwrap();
    assert_eq!(<[u8; 32]>::from(Sha256::digest(&bytes)), stored.sha256);
    assert_eq!(serde_json::from_slice::<Record>(&bytes).unwrap(), erased());
}

#[test]
fn certificates_of_the_same_second_do_not_overwrite_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut record = erased();
    record.media.serial.clear();
    let names: Vec<_> = std::thread::scope(|scope| {
        let one = || scope.spawn(|| write(dir.path(), &record, &key()).unwrap().name);
        let running: Vec<_> = (0..8).map(|_| one()).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let different: std::collections::HashSet<_> = names.iter().collect();
    assert_eq!(different.len(), 8, "{names:?}");
    assert_eq!(files(dir.path()).len(), 8 * 3 + 1);
    let signers = fs::read_to_string(dir.path().join(ALLOWED_SIGNERS)).unwrap();
    assert_eq!(signers.lines().count(), 1);
}

#[test]
fn hostile_serials_make_harmless_names() {
    let dir = tempfile::tempdir().unwrap();
    let long = "9".repeat(300);
    for serial in
        ["../../etc/passwd", "a/b\\c:d*e?f\"g<h>i|j", "\0\r\n\x1b[2J", "\u{202e}txt", ".", "..", "   ", &long, "CON"]
    {
        let mut record = erased();
        record.media.serial = serial.into();
        let name = write(dir.path(), &record, &key()).unwrap().name;
        let fine = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        assert!(name.chars().all(fine) && name.len() <= 80 && name.starts_with("20260301T"), "{name}");
        assert!(dir.path().join(&name).is_file());
    }
}

#[test]
fn the_list_of_signers_keeps_what_others_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let theirs = "# ours\nalice@example.org namespaces=\"file\" ssh-ed25519 AAAA";
    fs::write(dir.path().join(ALLOWED_SIGNERS), theirs).unwrap();
    write(dir.path(), &erased(), &key()).unwrap();
    write(dir.path(), &erased(), &key()).unwrap();
    let line = key().public_key().allowed_signers_line();
    assert_eq!(fs::read_to_string(dir.path().join(ALLOWED_SIGNERS)).unwrap(), format!("{theirs}\n{line}\n"));
}

#[test]
fn a_contradiction_is_never_signed() {
    let dir = tempfile::tempdir().unwrap();
    let mut record = erased();
    record.coverage.blocks_overwritten -= 1;
    assert!(matches!(write(dir.path(), &record, &key()), Err(StoreError::Contradiction(_))));
    assert_eq!(files(dir.path()), Vec::<String>::new());
}

#[test]
fn the_certificate_of_a_copy_is_kept_like_that_of_an_erasure() {
    let dir = tempfile::tempdir().unwrap();
    let stored = write(dir.path(), &imaged_with_exceptions(), &key()).unwrap();
    assert_eq!((stored.name.as_str(), files(dir.path()).len()), ("20260301T141509Z-WD-WCAYUF123456.json", 4));
    let bytes = fs::read(dir.path().join(&stored.name)).unwrap();
    assert_eq!(Certificate::parse(&bytes).unwrap(), imaged_with_exceptions().into());
    let mut record = imaged_with_exceptions();
    record.exceptions.unreadable_blocks -= 1;
    assert!(matches!(write(dir.path(), &record, &key()), Err(StoreError::Contradiction(_))));
    assert_eq!(files(dir.path()).len(), 4);
}
