//! The sanitize feature set (ACS-3, 4.17 and 7.36): accepted at once, worked on over power cycles.

use super::{
    SataDisk,
    options::Word,
    taskfile::{ABORTED, DONE, Ended, Registers, Taskfile},
};
use crate::cells::{self, Fill};
use std::time::Instant;

pub(super) const SANITIZE: u8 = 0xb4;
/// FEATURES.
const STATUS: u16 = 0x00;
const CRYPTO_SCRAMBLE: u16 = 0x11;
const BLOCK_ERASE: u16 = 0x12;
const OVERWRITE: u16 = 0x14;
const FREEZE_LOCK: u16 = 0x20;
/// The keys in LBA: "Cryp", "BkEr", "FrLk", and "OW" in bits 47:32.
const CRYPTO_KEY: u64 = 0x4372_7970;
const BLOCK_KEY: u64 = 0x426b_4572;
const FREEZE_KEY: u64 = 0x4672_4c6b;
const OVERWRITE_KEY: u64 = 0x4f57;
/// COUNT of what starts an operation: a failed one may be left by SANITIZE STATUS EXT; the pattern is inverted.
const FAILURE_MODE: u16 = 1 << 4;
const INVERT: u16 = 1 << 7;
/// COUNT of SANITIZE STATUS EXT: leave the failed state.
const CLEAR_FAILED: u16 = 1;

/// Why a command was refused: LBA bits 7:0.
const fn refused(reason: u64) -> Ended {
    Err(Registers { count: 0, lba: reason })
}
const UNSUCCESSFUL: Ended = refused(1);
const INVALID: Ended = refused(2);
const FROZEN: Ended = refused(3);

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Crypto,
    Block,
    /// What the last pass writes.
    Overwrite(u32),
}

/// Where the disk is (ACS-3, figure 11).
#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    Idle,
    Running { action: Action, since: Instant, clearable: bool },
    Failed { clearable: bool },
}

#[derive(Debug)]
pub(super) struct Sanitize {
    pub(super) state: State,
    /// The last operation succeeded.
    pub(super) completed: bool,
    frozen: bool,
    /// How often the key was changed.
    pub(super) scrambles: u64,
}

impl Sanitize {
    /// A disk that does nothing says from the start that all went well.
    pub(super) fn new(completed: bool) -> Self {
        Self { state: State::Idle, completed, frozen: false, scrambles: 0 }
    }

    /// What was going on starts again.
    pub(super) fn power_on(&mut self, now: Instant) {
        self.frozen = false;
        if let State::Running { since, .. } = &mut self.state {
            *since = now;
        }
    }

    /// The medium cannot be accessed while an operation runs or after one that failed.
    pub(super) fn holds_the_medium(&self) -> bool {
        !matches!(self.state, State::Idle)
    }
}

impl SataDisk {
    pub(super) fn sanitize_command(&mut self, task: Taskfile) -> Ended {
        let key = match task.features {
            OVERWRITE => task.lba >> 32 == OVERWRITE_KEY,
            CRYPTO_SCRAMBLE => task.lba == CRYPTO_KEY,
            BLOCK_ERASE => task.lba == BLOCK_KEY,
            FREEZE_LOCK => task.lba == FREEZE_KEY,
            _ => true,
        };
        let running = matches!(self.sanitize.state, State::Running { .. });
        match task.features {
            STATUS => self.sanitize_status(task),
            _ if !task.extended || !key || running || self.security.locked => ABORTED,
            FREEZE_LOCK if self.sanitize.holds_the_medium() => ABORTED,
            FREEZE_LOCK => {
                self.sanitize.frozen = true;
                DONE
            }
            OVERWRITE | CRYPTO_SCRAMBLE | BLOCK_ERASE if self.sanitize.frozen => FROZEN,
            CRYPTO_SCRAMBLE => self.start(task, Action::Crypto),
            BLOCK_ERASE if self.options.has(Word::NoBlockErase) => INVALID,
            BLOCK_ERASE => self.start(task, Action::Block),
            OVERWRITE => self.start(task, Action::Overwrite(last_pass(task))),
            _ => INVALID,
        }
    }

    fn start(&mut self, task: Taskfile, action: Action) -> Ended {
        if ![Word::IdleSanitize, Word::SanitizeIgnored].iter().any(|word| self.options.has(*word)) {
            let clearable = task.count & FAILURE_MODE != 0;
            self.sanitize.state = State::Running { action, since: self.now(), clearable };
            self.sanitize.completed = false;
        }
        self.begin_erasure();
        self.settle_sanitize();
        self.say_sanitize()
    }

    fn sanitize_status(&mut self, task: Taskfile) -> Ended {
        match self.sanitize.state {
            State::Failed { clearable: true } if task.count & CLEAR_FAILED != 0 => {
                self.sanitize.state = State::Idle;
                self.say_sanitize()
            }
            State::Failed { .. } => UNSUCCESSFUL,
            _ => self.say_sanitize(),
        }
    }

    /// COUNT bits 15 "completed", 14 "in progress" and 13 "frozen"; LBA bits 15:0 how far it is, in 65,536ths.
    fn say_sanitize(&self) -> Ended {
        let mut count = u16::from(self.sanitize.completed) << 15 | u16::from(self.sanitize.frozen) << 13;
        let mut lba = 0xffff;
        if let State::Running { since, .. } = self.sanitize.state {
            let (done, whole) = (self.now().saturating_duration_since(since), self.options.sanitize_time);
            count |= 1 << 14;
            lba = u64::try_from(done.as_millis() * 0x1_0000 / whole.as_millis().max(1)).unwrap_or(lba).min(lba);
        }
        Ok(Registers { count, lba })
    }

    /// Ends an operation whose time is over: the cells change.
    pub(super) fn settle_sanitize(&mut self) {
        let State::Running { action, since, clearable } = self.sanitize.state else { return };
        if self.now() < since + self.options.sanitize_time {
            return;
        }
        if self.options.has(Word::SanitizeForgotten) {
            self.sanitize.state = State::Idle;
            return;
        }
        if self.options.has(Word::SanitizeFails) || !self.sanitize_cells(action) {
            self.sanitize.state = State::Failed { clearable };
            return;
        }
        (self.sanitize.state, self.sanitize.completed) = (State::Idle, true);
    }

    /// All cells that the disk was made with, hidden or not.
    fn sanitize_cells(&mut self, action: Action) -> bool {
        if self.options.has(Word::SanitizeErasesNothing) {
            return true;
        }
        let fill = match action {
            Action::Block => Fill::Pattern([if self.options.has(Word::ErasedOnes) { 0xff } else { 0 }; 4]),
            Action::Overwrite(pattern) => Fill::Pattern(pattern.to_le_bytes()),
            Action::Crypto => {
                self.sanitize.scrambles += 1;
                cells::noise(&self.options.serial, self.sanitize.scrambles)
            }
        };
        self.fill(self.limits.factory, fill)
    }
}

/// The pattern that the last pass leaves. COUNT bits 3:0 are the passes, 0 for 16.
fn last_pass(task: Taskfile) -> u32 {
    let pattern = u32::try_from(task.lba & 0xffff_ffff).unwrap_or(0);
    let inverted = task.count & INVERT != 0 && task.count & 1 == 0;
    if inverted { !pattern } else { pattern }
}
