//! The hardware watchdog restarts a machine whose kernel hangs, so that an unattended run goes on after a freeze: the next
//! boot resumes the job.
//!
//! It is fed by a thread of its own and not by the run: a drive that does not answer, or a person who does not press a key, is
//! no reason to restart. A watchdog with a short time limit is not started at all, and one that was closed properly is off.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

/// How often it is fed.
const FEED: Duration = Duration::from_secs(5);
/// Shorter time limits (in seconds) leave too little room for a machine under load.
const SHORTEST: u64 = 30;

/// A running watchdog; dropped, it is switched off.
#[derive(Debug)]
pub struct Watchdog {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Starts the machine's first watchdog. `None` where there is none, its time limit is unknown or short, or it could not be
    /// switched off again.
    pub fn start(root: &Path) -> Option<Self> {
        let about = root.join("sys/class/watchdog/watchdog0");
        let number = |name: &str| fs::read_to_string(about.join(name)).ok()?.trim().parse::<u64>().ok();
        // Opening arms it: everything must be known before.
        if number("timeout")? < SHORTEST || number("nowayout")? != 0 {
            return None;
        }
        let device = OpenOptions::new().write(true).open(root.join("dev/watchdog0")).ok()?;
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new().name("watchdog".into()).spawn(move || feed(device, &stopped)).ok()?;
        Some(Self { stop: Some(stop), thread: Some(thread) })
    }
}

fn feed(mut device: File, stopped: &mpsc::Receiver<()>) {
    loop {
        let _ = device.write_all(b"\0");
        match stopped.recv_timeout(FEED) {
            Err(RecvTimeoutError::Timeout) => {}
            // The letter that makes closing switch it off.
            _ => return drop(device.write_all(b"V")),
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(timeout: &str, nowayout: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let about = dir.path().join("sys/class/watchdog/watchdog0");
        fs::create_dir_all(&about).unwrap();
        fs::create_dir_all(dir.path().join("dev")).unwrap();
        fs::write(about.join("timeout"), timeout).unwrap();
        fs::write(about.join("nowayout"), nowayout).unwrap();
        fs::write(dir.path().join("dev/watchdog0"), "").unwrap();
        dir
    }

    #[test]
    fn it_is_fed_and_switched_off() {
        let dir = machine("60\n", "0\n");
        drop(Watchdog::start(dir.path()).unwrap());
        assert_eq!(fs::read(dir.path().join("dev/watchdog0")).unwrap(), b"\0V");
    }

    #[test]
    fn one_that_could_restart_by_mistake_is_never_opened() {
        for (timeout, nowayout) in [("29", "0"), ("60", "1"), ("", "0"), ("60", "")] {
            let dir = machine(timeout, nowayout);
            assert!(Watchdog::start(dir.path()).is_none());
            assert_eq!(fs::read(dir.path().join("dev/watchdog0")).unwrap(), b"");
        }
        assert!(Watchdog::start(tempfile::tempdir().unwrap().path()).is_none());
    }
}
