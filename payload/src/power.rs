//! The end: sync, then off; a machine that cannot be switched off says so and stays.
//!
//! Nothing here does anything but for PID 1.

pub mod suspend;

use crate::console::Watcher;
use rustix::system::{RebootCommand, reboot};
use std::{sync::mpsc, thread, time::Duration};

/// A device that is gone can hold up a sync for ever.
const SYNC: Duration = Duration::from_secs(30);

/// Boards that switch off do it well within this.
const OFF: Duration = Duration::from_secs(30);

/// How the machine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    PowerOff,
    Restart,
}

/// The caller is a program on a host, whose power is none of its business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("only the appliance switches its machine off")]
pub struct NotInit;

/// Whether this process is the appliance.
pub fn is_init() -> bool {
    std::process::id() == 1
}

/// Ctrl-Alt-Del reaches PID 1 as a signal (which it ignores) instead of restarting the machine in the middle of a run.
pub fn ignore_ctrl_alt_del() -> Result<(), NotInit> {
    guard()?;
    // Where the kernel refuses, the keys restart the machine: the job resumes.
    let _ = reboot(RebootCommand::CadOff);
    Ok(())
}

/// Writes everything out and ends. Returns only on a host. The caller has unmounted the stick and stopped the watchdog.
pub fn end(end: End, watcher: &mut dyn Watcher) -> Result<std::convert::Infallible, NotInit> {
    guard()?;
    let command = match end {
        End::PowerOff => RebootCommand::PowerOff,
        End::Restart => RebootCommand::Restart,
    };
    if !sync() {
        watcher.problem("A device does not take its last data; ending all the same.");
    }
    watcher.finish();
    let error = ask(command).map_or_else(String::new, |error| format!(" ({error})"));
    let what = if end == End::PowerOff { "switched off" } else { "restarted" };
    halt_with_message(watcher, &format!("The machine cannot be {what} by software{error}. You can switch off now."))
}

/// Where the machine stays on, the kernel ends the thread that asked (`kernel/reboot.c`); the first thread of PID 1 must
/// live on, or the kernel panics.
fn ask(command: RebootCommand) -> Option<rustix::io::Errno> {
    let (answer, wait) = mpsc::channel();
    thread::spawn(move || answer.send(reboot(command).err()));
    wait.recv_timeout(OFF).ok().flatten()
}

/// After an abnormal end: says why, and stays as it is until somebody switches off. Returns only on a host.
pub fn halt_with_message(watcher: &mut dyn Watcher, text: &str) -> Result<std::convert::Infallible, NotInit> {
    guard()?;
    watcher.problem(text);
    watcher.finish();
    stand_still()
}

/// After a defect: every processor stops, and with it every write; the screen keeps what it shows. The kernel flushes the
/// drives' caches on the way.
pub(crate) fn halt_now() -> ! {
    if is_init() {
        let _ = reboot(RebootCommand::Halt);
    }
    stand_still()
}

/// For ever.
fn stand_still() -> ! {
    loop {
        thread::park_timeout(Duration::from_secs(3600));
    }
}

fn guard() -> Result<(), NotInit> {
    if is_init() { Ok(()) } else { Err(NotInit) }
}

/// `false` where it took too long.
fn sync() -> bool {
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        rustix::fs::sync();
        let _ = done.send(());
    });
    wait.recv_timeout(SYNC).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::Recording;

    #[test]
    fn on_a_host_nothing_happens() {
        let mut watcher = Recording::default();
        assert_eq!(end(End::PowerOff, &mut watcher), Err(NotInit));
        assert_eq!(halt_with_message(&mut watcher, "x"), Err(NotInit));
        assert_eq!(ignore_ctrl_alt_del(), Err(NotInit));
        assert!(watcher.problems.is_empty());
    }
}
