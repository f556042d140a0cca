//! A file for this process alone, and how long its lock is waited for.

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use std::{
    os::fd::AsFd,
    thread,
    time::{Duration, Instant},
};

/// How long another holder is waited for. One that is just ending lets go at once; but a copy of every open file is also
/// with each child process from its fork to its exec, so that a file closed just now can stay locked for a moment.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(5);

/// Takes the exclusive lock (`flock`) that belongs to this one open file and ends with it.
///
/// # Errors
/// `EWOULDBLOCK` where another process, or another opening in this one, keeps it for over a second.
pub(crate) fn alone(file: impl AsFd) -> Result<(), Errno> {
    let locked = patiently(|| match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => Ok(None),
        result => result.map(Some),
    });
    locked?.ok_or(Errno::WOULDBLOCK)
}

/// Tries to take a lock until it is had, for a second at most; `None` where somebody else keeps it.
pub(crate) fn patiently<T, E>(mut attempt: impl FnMut() -> Result<Option<T>, E>) -> Result<Option<T>, E> {
    let end = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Ok(None) if Instant::now() < end => thread::sleep(PAUSE),
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, process::Command};

    #[test]
    fn one_that_lets_go_is_waited_for_and_one_that_does_not_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let first = File::create(&path).unwrap();
        alone(&first).unwrap();
        let second = File::open(&path).unwrap();
        assert_eq!(alone(&second), Err(Errno::WOULDBLOCK));
        let ending = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            drop(first);
        });
        assert_eq!(alone(&second), Ok(()));
        ending.join().unwrap();
    }

    #[test]
    fn children_being_born_keep_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        File::create(&path).unwrap();
        let born = thread::spawn(|| {
            for _ in 0..100 {
                Command::new("true").status().unwrap();
            }
        });
        while !born.is_finished() {
            alone(File::open(&path).unwrap()).unwrap();
        }
    }
}
