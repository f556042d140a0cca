//! What the tests of whole commands share: a folder, the shipped binary, and how its end is judged.

#![allow(dead_code, unused_macros, unused_imports, reason = "no test uses all of it")]

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

pub(crate) const MIB: usize = 1 << 20;

/// A folder on a file system with direct I/O, and what the commands keep in it.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// Runs a command of Mule with this bench's log and certificates; its exit code and all it said.
    pub(crate) fn mule(&self, certifies: bool, words: &[&OsStr]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mule"));
        command.args(words);
        if certifies {
            command.arg("--state").arg(self.path("state")).arg("--certificates").arg(self.path("certificates"));
        }
        let out = command.output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        (out.status.code().unwrap(), text)
    }

    pub(crate) fn certified(&self, words: &[&OsStr]) -> (i32, String) {
        self.mule(true, words)
    }
}

/// `words!["image", "create", path]`: literals and paths alike.
macro_rules! words {
    ($($word:expr),* $(,)?) => { &[$(AsRef::<std::ffi::OsStr>::as_ref(&$word)),*] };
}
pub(crate) use words;

#[track_caller]
pub(crate) fn good((code, text): (i32, String)) -> String {
    assert_eq!(code, 0, "{text}");
    text
}

#[track_caller]
pub(crate) fn ends((code, text): (i32, String), wanted: i32, says: &str) {
    assert!(code == wanted && text.contains(says), "exit code {code}: {text}");
}

pub(crate) fn run(name: &str, args: &[&OsStr]) -> Output {
    let out = Command::new(name).args(args).output().unwrap();
    assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    out
}

/// Noise that takes a while to image.
pub(crate) fn noise(seed: u8, mib: usize) -> Vec<u8> {
    let mut bytes = vec![0; mib * MIB];
    blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof().fill(&mut bytes);
    bytes
}
