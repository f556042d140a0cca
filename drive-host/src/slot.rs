//! A drive in its place: its lock, its supply, and the time that its commands take.

use crate::{
    file_disk::failed,
    target::{Answer, DataPhase, Pause, Target},
};
use anyhow::Result;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// POWER ON, RESET, OR BUS DEVICE RESET OCCURRED (SPC-5, annex F).
const WAS_RESET: (u8, u8, u8) = (6, 0x29, 0);

/// One drive. What it is told while a command of its own takes time reaches it.
#[derive(Debug)]
pub(crate) struct Slot {
    drive: Mutex<Drive>,
    changed: Condvar,
}

#[derive(Debug)]
struct Drive {
    target: Box<dyn Target>,
    power_cycles: u64,
    resets: u64,
}

impl Slot {
    pub(crate) fn new(target: Box<dyn Target>) -> Self {
        Self { drive: Mutex::new(Drive { target, power_cycles: 0, resets: 0 }), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Drive> {
        self.drive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a command and keeps its answer back as long as the drive wants it to be. The lock is free meanwhile.
    pub(crate) fn execute(&self, cdb: &[u8], data: DataPhase<'_>) -> Answer {
        let mut drive = self.lock();
        let (cycles, resets) = (drive.power_cycles, drive.resets);
        let answer = drive.target.execute(cdb, data);
        let (time, hung) = match answer.pause {
            Pause::None => return answer,
            Pause::Busy(time) => (time, false),
            Pause::Hung(time) => (time, true),
        };
        let goes_on = |drive: &mut Drive| drive.power_cycles == cycles && !(hung && drive.resets != resets);
        let waited = self.changed.wait_timeout_while(drive, time, goes_on);
        let (mut drive, time) = waited.unwrap_or_else(PoisonError::into_inner);
        if !time.timed_out() {
            if drive.power_cycles == cycles {
                drive.target.recover();
            }
            return failed(WAS_RESET);
        }
        drive.target.settle();
        answer
    }

    pub(crate) fn power_cycle(&self) {
        let mut drive = self.lock();
        drive.target.power_cycle();
        drive.power_cycles += 1;
        self.changed.notify_all();
    }

    /// Another drive takes the place, as in a dock that tells nobody: what the one before was at is over, and no command hears
    /// of it.
    pub(crate) fn exchange(&self, target: Box<dyn Target>) {
        let mut drive = self.lock();
        drive.target = target;
        drive.power_cycles += 1;
        self.changed.notify_all();
    }

    /// A reset of the initiator's: a drive that hangs is back.
    pub(crate) fn reset(&self) {
        self.lock().resets += 1;
        self.changed.notify_all();
    }

    pub(crate) fn set(&self, name: &str, value: u64) -> Result<()> {
        self.lock().target.set(name, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    const LONG: Duration = Duration::from_secs(600);

    /// Answers after the pause that the command's first byte chooses.
    #[derive(Debug)]
    struct Slow;

    impl Target for Slow {
        fn execute(&mut self, cdb: &[u8], _: DataPhase<'_>) -> Answer {
            let pause = match cdb[0] {
                0 => Pause::Busy(Duration::from_millis(100)),
                1 => Pause::Busy(LONG),
                _ => Pause::Hung(LONG),
            };
            Answer { pause, ..Answer::good(0) }
        }
    }

    /// Status and sense key of a command that `wake` ends, once it has begun.
    fn ended_by(command: u8, wake: impl Fn(&Slot)) -> (u8, u8) {
        let slot = Slot::new(Box::new(Slow));
        std::thread::scope(|scope| {
            let running = scope.spawn(|| slot.execute(&[command], DataPhase::None));
            while !running.is_finished() {
                wake(&slot);
                std::thread::sleep(Duration::from_millis(5));
            }
            let answer = running.join().unwrap();
            (answer.status, answer.sense.get(2).copied().unwrap_or(0))
        })
    }

    /// Answers with its own number of bytes.
    #[derive(Debug)]
    struct Numbered(usize);

    impl Target for Numbered {
        fn execute(&mut self, _: &[u8], _: DataPhase<'_>) -> Answer {
            Answer::good(self.0)
        }
    }

    #[test]
    fn another_drive_in_the_place_answers_without_a_word_of_it() {
        let slot = Slot::new(Box::new(Numbered(1)));
        assert_eq!(slot.execute(&[0], DataPhase::None), Answer::good(1));
        slot.exchange(Box::new(Numbered(2)));
        assert_eq!(slot.execute(&[0], DataPhase::None), Answer::good(2));
    }

    #[test]
    fn an_answer_comes_after_its_time_or_the_end_of_the_supply() {
        let started = Instant::now();
        assert_eq!(ended_by(0, Slot::reset), (0, 0), "a reset ends no work");
        assert!(started.elapsed() >= Duration::from_millis(100));
        assert_eq!(ended_by(1, Slot::power_cycle), (2, 6));
        assert_eq!(ended_by(2, Slot::power_cycle), (2, 6));
        assert_eq!(ended_by(2, Slot::reset), (2, 6), "a reset ends a hang");
        assert!(started.elapsed() < LONG);
    }
}
