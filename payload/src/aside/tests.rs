use super::*;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
};

mod kinds;

const NAME: &str = "certificate";

fn name() -> &'static OsStr {
    OsStr::new(NAME)
}

/// A folder of ours, and a file outside that nobody may touch.
struct Bench {
    root: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("folder")).unwrap();
        fs::write(root.path().join("victim"), "precious").unwrap();
        Self { root }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn folder(&self) -> Folder {
        Folder::open(&self.at("folder")).unwrap()
    }

    fn victim_is_whole(&self) {
        assert_eq!(fs::read_to_string(self.at("victim")).unwrap(), "precious");
    }
}

fn names(folder: &Folder) -> Vec<OsString> {
    folder.files().unwrap().into_iter().map(|(name, _)| name).collect()
}

#[test]
fn a_file_is_made_and_replaced() {
    let bench = Bench::new();
    let folder = bench.folder();
    for content in ["one", "another"] {
        folder.write(name(), content.as_bytes()).unwrap();
        assert_eq!(folder.read(name(), 100).unwrap(), content.as_bytes());
        assert_eq!(names(&folder), [NAME]);
    }
    assert_eq!(folder.read(name(), 3).unwrap(), b"anot", "one more than may be, to show that there is more");
}

#[test]
fn what_is_not_committed_is_gone() {
    let bench = Bench::new();
    let folder = bench.folder();
    folder.begin(name()).unwrap().write_all(b"half").unwrap();
    assert!(folder.files().unwrap().is_empty());
}

/// The remains of an earlier run, or a trap: whatever has the name aside is removed, never written through.
#[test]
fn nothing_is_written_through_the_name_aside() {
    type Plant = fn(&Bench, &Path);
    let plants: [(&str, Plant); 5] = [
        ("a link", |bench, at| symlink(bench.at("victim"), at).unwrap()),
        ("a dangling link", |bench, at| symlink(bench.at("nothing"), at).unwrap()),
        ("a hard link", |bench, at| fs::hard_link(bench.at("victim"), at).unwrap()),
        ("a pipe", |_, at| rustix::fs::mknodat(CWD, at, FileType::Fifo, Mode::RUSR, 0).unwrap()),
        ("a file", |_, at| fs::write(at, "torn").unwrap()),
    ];
    for (what, plant) in plants {
        let bench = Bench::new();
        plant(&bench, &bench.at("folder/certificate.new"));
        bench.folder().write(name(), b"new").unwrap_or_else(|error| panic!("{what}: {error}"));
        bench.victim_is_whole();
        assert_eq!(fs::read(bench.at("folder/certificate")).unwrap(), b"new", "{what}");
        assert!(!bench.at("nothing").exists() && names(&bench.folder()) == [NAME], "{what}");
    }
}

/// A rename takes the place of a link, and does not follow it.
#[test]
fn nothing_is_written_through_the_right_name() {
    let bench = Bench::new();
    symlink(bench.at("victim"), bench.at("folder/certificate")).unwrap();
    assert!(bench.folder().read(name(), 100).unwrap_err().to_string().contains("it is a link"));
    assert!(bench.folder().create(name()).is_err());
    bench.folder().write(name(), b"new").unwrap();
    bench.victim_is_whole();
    assert!(fs::symlink_metadata(bench.at("folder/certificate")).unwrap().is_file());
    fs::remove_file(bench.at("folder/certificate")).unwrap();
    fs::hard_link(bench.at("victim"), bench.at("folder/certificate")).unwrap();
    let refused = bench.folder().existing(name(), OFlags::RDWR | OFlags::APPEND).unwrap_err();
    assert!(refused.to_string().contains("hard link"), "{refused}");
    bench.folder().write(name(), b"new").unwrap();
    bench.victim_is_whole();
}

#[test]
fn a_pipe_is_not_waited_for() {
    let bench = Bench::new();
    rustix::fs::mknodat(CWD, bench.at("folder/certificate"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    assert!(bench.folder().read(name(), 100).unwrap_err().to_string().contains("no plain file"));
}

#[test]
fn another_folder_in_its_place_gets_nothing() {
    let bench = Bench::new();
    let folder = bench.folder();
    let mut aside = folder.begin(name()).unwrap();
    aside.write_all(b"new").unwrap();
    fs::rename(bench.at("folder"), bench.at("moved")).unwrap();
    fs::create_dir(bench.at("trap")).unwrap();
    symlink(bench.at("victim"), bench.at("trap/certificate")).unwrap();
    symlink(bench.at("trap"), bench.at("folder")).unwrap();
    assert!(!folder.is_in_place().unwrap());
    aside.commit().unwrap();
    bench.victim_is_whole();
    assert_eq!(fs::read(bench.at("moved/certificate")).unwrap(), b"new");
    assert!(fs::symlink_metadata(bench.at("trap/certificate")).unwrap().is_symlink());
}

#[test]
fn a_file_that_was_exchanged_before_it_got_its_name_is_an_error() {
    let bench = Bench::new();
    let folder = bench.folder();
    let aside = folder.begin(name()).unwrap();
    fs::remove_file(bench.at("folder/certificate.new")).unwrap();
    symlink(bench.at("victim"), bench.at("folder/certificate.new")).unwrap();
    assert!(aside.commit().unwrap_err().to_string().contains("somebody else changed the folder"));
    bench.victim_is_whole();
}

#[test]
fn a_folder_that_others_may_change_is_refused() {
    let bench = Bench::new();
    let path = bench.at("folder");
    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o777);
    let refused = Folder::open(&path).unwrap_err();
    assert!(
        refused.to_string().contains("anybody may write") && refused.to_string().contains("chmod o-w"),
        "{refused}"
    );
    for fine in [0o1777, 0o775, 0o700] {
        mode(fine);
        Folder::open(&path).unwrap();
    }
    // Only root can give a folder away.
    if fs::metadata(&path).unwrap().uid() == 0 {
        chown(&path, Some(4321), None).unwrap();
        let refused = Folder::open(&path).unwrap_err();
        assert!(refused.to_string().contains("belongs to user 4321"), "{refused}");
        Folder::anybodys(&path).unwrap();
    }
    assert!(Folder::open(&bench.at("victim")).is_err() && Folder::open(&bench.at("absent")).is_err());
}

#[test]
fn on_fat_a_name_that_may_share_its_clusters_is_left_alone() {
    let bench = Bench::new();
    let fat = Folder { kind: MSDOS, ..bench.folder() };
    fs::write(bench.at("folder/certificate.new"), "stale").unwrap();
    fat.write(name(), b"first").unwrap();
    assert_eq!(names(&fat), [NAME], "alone it shares with nothing");
    fs::write(bench.at("folder/certificate.new"), "first").unwrap();
    fat.write(name(), b"second").unwrap();
    assert_eq!(fs::read_to_string(bench.at("folder/certificate.new")).unwrap(), "first");
    assert_eq!(fs::read_to_string(bench.at("folder/certificate")).unwrap(), "second");
}

#[test]
fn root_believes_sudo_and_nobody_else_believes_anything() {
    assert_eq!(told_by_sudo(Some("1000"), 0), Some(1000));
    assert_eq!(told_by_sudo(Some("1001"), 1000), None);
    for told in [None, Some(""), Some("-1"), Some("4294967295"), Some("root")] {
        assert_eq!(told_by_sudo(told, 0), None);
    }
}
