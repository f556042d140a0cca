//! The sanitize feature set (ACS-3, 4.17 and 7.36). An operation takes its time, outlives a power cycle and begins again
//! then; its effect is there at its end.

use super::taskfile::{Ended, Taskfile};
use std::time::{Duration, Instant};

/// What will be left on the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Overwrite(u32),
    BlockErase,
    CryptoScramble,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Running(Action, Instant),
    Failed,
}

#[derive(Debug)]
pub(super) struct Sanitize {
    state: State,
    completed: bool,
    frozen: bool,
    pub(super) takes: Duration,
    pub(super) fails: bool,
    /// A command is accepted, and nothing happens.
    pub(super) idle: bool,
}

impl Sanitize {
    pub(super) fn new() -> Self {
        let takes = Duration::from_secs(2);
        Self { state: State::Idle, completed: false, frozen: false, takes, fails: false, idle: false }
    }

    /// Word 59: the feature set with its three operations.
    pub(super) fn word(&self) -> u16 {
        0xf000
    }

    pub(super) fn power_cycle(&mut self) {
        self.frozen = false;
        if let State::Running(_, since) = &mut self.state {
            *since = Instant::now();
        }
    }

    /// Whether the disk takes nothing but questions.
    pub(super) fn is_busy(&self) -> bool {
        self.state != State::Idle
    }

    pub(super) fn has_failed(&self) -> bool {
        self.state == State::Failed
    }

    /// The action that has just come to its end: its effect is to be seen from here on.
    pub(super) fn take_finished(&mut self) -> Option<Action> {
        let State::Running(action, since) = self.state else { return None };
        if since.elapsed() < self.takes {
            return None;
        }
        self.state = if self.fails { State::Failed } else { State::Idle };
        self.completed = !self.fails;
        (!self.fails).then_some(action)
    }

    pub(super) fn run(&mut self, task: Taskfile) -> Ended {
        const CRYPTO: u64 = 0x4372_7970;
        const BLOCK: u64 = 0x426b_4572;
        const OVERWRITE: u64 = 0x4f57;
        const FREEZE: u64 = 0x4672_4c6b;
        match (task.features, task.lba) {
            (0x00, _) => self.status(task.count & 1 == 1),
            (0x20, FREEZE) if !self.is_busy() => {
                self.frozen = true;
                self.status(false)
            }
            _ if self.frozen => Err(3),
            _ if matches!(self.state, State::Running(..)) => Err(0),
            (0x11, CRYPTO) => self.start(Action::CryptoScramble),
            (0x12, BLOCK) => self.start(Action::BlockErase),
            (0x14, lba) if lba >> 32 == OVERWRITE => {
                self.start(Action::Overwrite(u32::try_from(lba & 0xffff_ffff).unwrap_or(0)))
            }
            // 2: sanitize command unsupported (ACS-3, 7.36, error outputs).
            _ => Err(2),
        }
    }

    fn start(&mut self, action: Action) -> Ended {
        if !self.idle {
            (self.state, self.completed) = (State::Running(action, Instant::now()), false);
        }
        self.status(false)
    }

    /// COUNT bits 15, 14 and 13: completed, in progress, frozen; LBA bits 15:0: progress.
    fn status(&mut self, clear_failed: bool) -> Ended {
        if self.state == State::Failed && clear_failed {
            self.state = State::Idle;
        }
        let count = u16::from(self.completed) << 15 | u16::from(self.frozen) << 13;
        match self.state {
            State::Failed => Err(1),
            State::Idle => Ok((count, 0xffff)),
            State::Running(_, since) => {
                let share = since.elapsed().as_millis() * 0xffff / self.takes.as_millis().max(1);
                Ok((count | 1 << 14, u64::try_from(share.min(0xffff)).unwrap_or(0xffff)))
            }
        }
    }
}
