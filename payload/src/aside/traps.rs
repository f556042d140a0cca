//! What somebody else may have put where a file is about to be made.

use rustix::fs::{CWD, FileType, Mode};
use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

/// A folder to work in, and outside of it what nobody may touch: a file, blank as a log that is to be formatted would be, an
/// empty folder, and a name that nothing has.
pub(crate) struct Bench {
    root: tempfile::TempDir,
}

const VICTIM_BYTES: usize = 600 << 10;

impl Bench {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["folder", "elsewhere"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("victim"), vec![0; VICTIM_BYTES]).unwrap();
        Self { root }
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.at("folder")
    }

    /// Puts another folder in the place of ours, which is called `moved` then.
    pub(crate) fn exchange_folder(&self) {
        fs::rename(self.folder(), self.at("moved")).unwrap();
        symlink(self.at("elsewhere"), self.folder()).unwrap();
    }

    pub(crate) fn nothing_was_touched(&self, what: &str) {
        assert!(fs::read(self.at("victim")).unwrap() == vec![0; VICTIM_BYTES], "{what}: the victim was written to");
        assert!(!self.at("nothing").exists(), "{what}: a file was made at the end of a link");
        assert_eq!(fs::read_dir(self.at("elsewhere")).unwrap().count(), 0, "{what}: another folder was written to");
    }

    /// Whether whoever runs the tests can give files away.
    pub(crate) fn give_away(&self) -> bool {
        let root = fs::metadata(self.folder()).unwrap().uid() == 0;
        if root {
            std::os::unix::fs::chown(self.folder(), Some(65534), Some(65534)).unwrap();
        }
        root
    }
}

pub(crate) type Plant = fn(&Bench, &Path);

pub(crate) const PIPE: (&str, Plant) = ("a pipe", |_, at| {
    rustix::fs::mknodat(CWD, at, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
});

pub(crate) const TRAPS: [(&str, Plant); 6] = [
    ("a link to a file", |bench, at| symlink(bench.at("victim"), at).unwrap()),
    ("a link to a folder", |bench, at| symlink(bench.at("elsewhere"), at).unwrap()),
    ("a link to nothing", |bench, at| symlink(bench.at("nothing"), at).unwrap()),
    ("a hard link", |bench, at| fs::hard_link(bench.at("victim"), at).unwrap()),
    ("a folder", |_, at| fs::create_dir(at).unwrap()),
    PIPE,
];

/// Runs what may not wait for anybody.
pub(crate) fn at_once<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(work()));
    result.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("{what}: it waits, or it panicked"))
}
