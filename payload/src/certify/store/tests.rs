use super::{
    files::{Back, from_medium},
    *,
};
use crate::{
    aside::Folder,
    certify::{
        Certificate,
        fixture::{copy::imaged_with_exceptions, erased, key},
        record::Record,
    },
};
use rustix::fs::OFlags;
use std::{
    cell::Cell,
    fs,
    os::unix::fs::{OpenOptionsExt, symlink},
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

#[test]
fn what_is_compared_comes_past_the_kernels_cache() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let path = dir.path().join("file");
    let flags = i32::try_from(OFlags::DIRECT.bits()).unwrap();
    for len in [0, 1, 511, 512, 513, 4095, 4096, 4097, 100_000] {
        let bytes: Vec<u8> = (0..len).map(|at: u32| at.to_le_bytes()[at as usize % 3]).collect();
        fs::write(&path, &bytes).unwrap();
        let direct = fs::OpenOptions::new().read(true).custom_flags(flags).open(&path).is_ok();
        assert_eq!(from_medium(&folder, "file", bytes.len()).unwrap(), Back { bytes: bytes.clone(), direct });
        let longer = from_medium(&folder, "file", bytes.len().saturating_sub(1)).unwrap().bytes;
        assert_eq!(longer, bytes, "a file that is longer than what was written shows");
    }
    // procfs has no direct I/O, whatever the kernel.
    let name = fs::read("/proc/thread-self/comm").unwrap();
    let process = Folder::anybodys(Path::new("/proc/thread-self")).unwrap();
    let back = from_medium(&process, "comm", name.len()).unwrap();
    assert_eq!(back, Back { bytes: name, direct: false });
    assert!(from_medium(&folder, "absent", 1).is_err());
}

/// A folder whose medium gives back other bytes than it was given, once so many files were read back.
struct Worn {
    fat: model::Fat,
    good: Cell<usize>,
    gives: fn(Vec<u8>) -> io::Result<Vec<u8>>,
}

impl Files for Worn {
    fn folder(&self) -> &Path {
        self.fat.folder()
    }
    fn names(&self) -> io::Result<Vec<(String, u64)>> {
        self.fat.names()
    }
    fn read(&self, name: &str, max: u64) -> io::Result<Vec<u8>> {
        self.fat.read(name, max)
    }
    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.fat.create(name, bytes)
    }
    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.fat.append(name, bytes)
    }
    fn cut(&self, name: &str, len: u64) -> io::Result<()> {
        self.fat.cut(name, len)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.fat.remove(name)
    }
    fn sync(&self) -> io::Result<()> {
        self.fat.sync()
    }
    fn read_back(&self, name: &str, len: usize) -> io::Result<Vec<u8>> {
        let bytes = self.fat.read_back(name, len)?;
        let left = self.good.get();
        self.good.set(left.saturating_sub(1));
        if left > 0 { Ok(bytes) } else { (self.gives)(bytes) }
    }
}

#[test]
fn other_bytes_than_were_written_are_an_error() {
    let record = erased();
    let write = |good, gives| {
        let worn = Worn { fat: model::Fat::default(), good: Cell::new(good), gives };
        Sheets::of(&record, &key()).unwrap().write(&worn, &record.common(), &key())
    };
    type Change = fn(Vec<u8>) -> io::Result<Vec<u8>>;
    let changed: [Change; 3] =
        [|bytes| Ok([&bytes[..], b"x"].concat()), |bytes| Ok(bytes[1..].to_vec()), |_| Ok(Vec::new())];
    for good in 0..3 {
        for gives in changed {
            assert!(matches!(write(good, gives), Err(StoreError::ReadBack { .. })), "file {good}");
        }
        assert!(matches!(write(good, |_| Err(io::Error::other("a bad sector"))), Err(StoreError::Io { .. })));
    }
    write(3, |_| Ok(Vec::new())).unwrap();
}

/// Whoever can write to the folder must not be able to have a file outside written over.
#[test]
fn no_link_in_the_folder_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let victim = dir.path().join("victim");
    let folder = dir.path().join("certificates");
    let stem = "20260301T141509Z-WD-WCAYUF123456";
    let planted =
        [ALLOWED_SIGNERS.to_owned(), format!("{stem}.json"), format!("{stem}.json.sig"), format!("{stem}.html")];
    for name in planted.iter().flat_map(|name| [name.clone(), format!("{name}.new")]) {
        for hard in [false, true] {
            fs::write(&victim, "precious").unwrap();
            fs::create_dir(&folder).unwrap();
            let plant = folder.join(&name);
            if hard {
                fs::hard_link(&victim, &plant).unwrap()
            } else {
                symlink(&victim, &plant).unwrap()
            }
            let written = write(&folder, &erased(), &key());
            assert_eq!(fs::read_to_string(&victim).unwrap(), "precious", "{name}");
            assert_eq!(
                written.is_err(),
                name == ALLOWED_SIGNERS || (!hard && planted.contains(&name)),
                "{name} {written:?}"
            );
            fs::remove_dir_all(&folder).unwrap();
        }
    }
}

#[test]
fn what_has_no_json_form_is_an_error_and_not_an_empty_certificate() {
    let unspeakable = std::collections::HashMap::from([([1_u8, 2], 3)]);
    assert!(matches!(json(&unspeakable), Err(StoreError::Encode(_))));
    assert!(json(&erased()).unwrap().ends_with(b"}\n"));
}
