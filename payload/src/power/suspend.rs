//! Suspend to RAM (ACPI S3) for some seconds: the drives lose their supply, and what the PC's firmware froze thaws.
//!
//! Sources: `Documentation/admin-guide/pm/sleep-states.rst` and `Documentation/ABI/testing/rtc-cdev` of Linux. Only the deep
//! state takes the supply away; the clock's alarm is set before, so that nobody has to be there.

use rustix::time::{ClockId, clock_gettime};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
    time::Duration,
};

/// How long it sleeps: long enough for a drive to spin down and lose its state.
pub const NAP: Duration = Duration::from_secs(15);

/// The two clocks are not read at the same moment: less than this is no sleep.
const LEAST: Duration = Duration::from_secs(1);

/// Why the drives did not lose their supply.
#[derive(Debug, thiserror::Error)]
pub enum SuspendError {
    /// The firmware or the kernel has no S3.
    #[error("this PC cannot suspend to RAM (S3)")]
    NotOffered,
    /// Nothing would wake it.
    #[error("this PC has no clock that could wake it: {0}")]
    NoAlarm(io::Error),
    /// The kernel refused.
    #[error("the kernel refused to suspend: {0}")]
    Refused(io::Error),
    /// It came back without having slept.
    #[error("this PC did not go to sleep")]
    Awake,
}

/// Sleeps for `nap`, and says how long it was asleep.
///
/// # Errors
/// It was not, and nothing was changed.
pub fn nap(root: &Path, nap: Duration) -> Result<Duration, SuspendError> {
    nap_by(root, nap, &mut asleep)
}

/// `asleep` is the time spent asleep since the start of the machine.
fn nap_by(root: &Path, nap: Duration, asleep: &mut dyn FnMut() -> Duration) -> Result<Duration, SuspendError> {
    let power = root.join("sys/power");
    let has = |name: &str, word: &str| {
        let words = fs::read_to_string(power.join(name)).unwrap_or_default();
        words.split_whitespace().any(|found| found.trim_matches(['[', ']']) == word)
    };
    if !has("state", "mem") || !has("mem_sleep", "deep") {
        return Err(SuspendError::NotOffered);
    }
    let alarm = root.join("sys/class/rtc/rtc0/wakealarm");
    put(&power.join("mem_sleep"), "deep").map_err(SuspendError::Refused)?;
    // An alarm that is set must be taken back before another is.
    put(&alarm, "0").map_err(SuspendError::NoAlarm)?;
    put(&alarm, &format!("+{}", nap.as_secs())).map_err(SuspendError::NoAlarm)?;
    let before = asleep();
    let suspended = put(&power.join("state"), "mem");
    let slept = asleep().saturating_sub(before);
    let _ = put(&alarm, "0");
    suspended.map_err(SuspendError::Refused)?;
    if slept < LEAST { Err(SuspendError::Awake) } else { Ok(slept) }
}

/// A file of the kernel's is there, or it is not made.
fn put(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
}

/// One clock goes on while the machine sleeps, the other does not.
fn asleep() -> Duration {
    let now = |clock| Duration::try_from(clock_gettime(clock)).unwrap_or_default();
    now(ClockId::Boottime).saturating_sub(now(ClockId::Monotonic))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree with these contents of `state` and `mem_sleep`, and a clock.
    fn machine(state: &str, mem_sleep: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let clock = root.path().join("sys/class/rtc/rtc0");
        fs::create_dir_all(root.path().join("sys/power")).unwrap();
        fs::create_dir_all(&clock).unwrap();
        for (name, text) in [("sys/power/state", state), ("sys/power/mem_sleep", mem_sleep)] {
            fs::write(root.path().join(name), text).unwrap();
        }
        fs::write(clock.join("wakealarm"), "").unwrap();
        root
    }

    /// Sleeps so many seconds each time it is asked.
    fn sleeper(seconds: u64) -> impl FnMut() -> Duration {
        let mut total = Duration::ZERO;
        move || {
            total += Duration::from_secs(seconds);
            total
        }
    }

    #[test]
    fn it_sleeps_deeply_and_is_woken_by_its_clock() {
        let root = machine("freeze mem\n", "[s2idle] deep\n");
        let slept = nap_by(root.path(), NAP, &mut sleeper(14)).unwrap();
        assert_eq!(slept, Duration::from_secs(14));
        let text = |name: &str| fs::read_to_string(root.path().join(name)).unwrap();
        assert!(text("sys/power/state").starts_with("mem"));
        assert!(text("sys/power/mem_sleep").starts_with("deep"));
        // Set, and taken back: the second write went over the first two characters' place.
        assert_eq!(text("sys/class/rtc/rtc0/wakealarm"), "015");
    }

    #[test]
    fn a_machine_that_would_not_lose_the_supply_or_not_wake_stays_awake() {
        for (state, mem_sleep) in [("freeze mem", "[s2idle]"), ("freeze disk", "[deep]"), ("", "")] {
            let root = machine(state, mem_sleep);
            let end = nap_by(root.path(), NAP, &mut || panic!("asked for the time asleep"));
            assert!(matches!(end, Err(SuspendError::NotOffered)), "{state} {mem_sleep}");
        }
        let root = machine("mem", "[deep]");
        fs::remove_file(root.path().join("sys/class/rtc/rtc0/wakealarm")).unwrap();
        let end = nap_by(root.path(), NAP, &mut || panic!("asked for the time asleep"));
        assert!(matches!(end, Err(SuspendError::NoAlarm(_))));
        assert_eq!(fs::read_to_string(root.path().join("sys/power/state")).unwrap(), "mem");
        let root = machine("mem", "[deep]");
        assert!(matches!(nap_by(root.path(), NAP, &mut sleeper(0)), Err(SuspendError::Awake)));
    }
}
