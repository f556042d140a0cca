//! SANITIZE (base specification 2.0, 5.24 and 8.21): accepted at once, worked on over power cycles, told by a log.

use super::{Entry, INVALID_FIELD, INVALID_OPCODE, NvmeDisk, SANITIZE_FAILED, SANITIZE_IN_PROGRESS, Status, Word};
use crate::cells::Fill;
use std::time::Instant;

const EXIT_FAILURE_MODE: u32 = 1;
const BLOCK_ERASE: u32 = 2;
const OVERWRITE: u32 = 3;
const CRYPTO_ERASE: u32 = 4;

/// SSTAT bits 2:0: the most recent operation.
const NEVER: u8 = 0;
const COMPLETED: u8 = 1;
const IN_PROGRESS: u8 = 2;
const FAILED: u8 = 3;

/// Where the drive is.
#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    Idle,
    Running { word: u32, pattern: u32, since: Instant },
    Failed { leavable: bool },
}

/// What the log says of the most recent operation, which leaving the failed state does not change.
#[derive(Debug)]
pub(super) struct History {
    status: u8,
    /// Nothing was written since it succeeded.
    pub(super) untouched: bool,
    /// Its command dword 10.
    word: u32,
}

impl Default for History {
    fn default() -> Self {
        Self { status: NEVER, untouched: false, word: 0 }
    }
}

impl NvmeDisk {
    pub(super) fn sanitize_abilities(&self) -> u32 {
        let all = 1 | u32::from(!self.has(Word::NoOverwrite)) << 2;
        match (self.has(Word::NoSanitize), self.has(Word::NoCrypto)) {
            (true, _) => 0,
            (false, true) => all ^ 1 | 2,
            (false, false) => all | 2,
        }
    }

    /// What keeps the drive from its medium.
    pub(super) fn obstacle(&self) -> Result<(), Status> {
        match self.state {
            State::Idle => Ok(()),
            State::Running { .. } => Err(SANITIZE_IN_PROGRESS),
            State::Failed { .. } => Err(SANITIZE_FAILED),
        }
    }

    pub(super) fn sanitize(&mut self, entry: &Entry) -> Result<(), Status> {
        let [word, pattern, _] = entry.words;
        let (action, leavable) = (word & 0b111, word & 1 << 3 != 0);
        let offered = match action {
            EXIT_FAILURE_MODE => self.sanitize_abilities() != 0,
            CRYPTO_ERASE => self.sanitize_abilities() & 1 != 0,
            BLOCK_ERASE => self.sanitize_abilities() & 2 != 0,
            // Without OIPBP: every pass writes the pattern as it is.
            OVERWRITE => self.sanitize_abilities() & 4 != 0 && word & 1 << 8 == 0,
            _ => false,
        };
        match self.state {
            _ if self.has(Word::NoSanitize) => return Err(INVALID_OPCODE),
            State::Running { .. } => return Err(SANITIZE_IN_PROGRESS),
            _ if !offered => return Err(INVALID_FIELD),
            // What was started as restricted can be left by another restricted operation alone.
            State::Failed { leavable: false } if action == EXIT_FAILURE_MODE || leavable => {
                return Err(SANITIZE_FAILED);
            }
            _ if action == EXIT_FAILURE_MODE => {
                self.state = State::Idle;
                return Ok(());
            }
            _ => {}
        }
        self.was_erased = true;
        if self.has(Word::SanitizeClaimed) {
            self.history = History { status: COMPLETED, untouched: true, word };
        } else if !self.has(Word::SanitizeIgnored) {
            self.state = State::Running { word, pattern, since: self.now() };
            self.settle();
        }
        Ok(())
    }

    /// Ends an operation whose time is over: the cells change.
    pub(super) fn settle(&mut self) {
        let State::Running { word, pattern, since } = self.state else { return };
        if self.now() < since + self.options.sanitize_time {
            return;
        }
        let good = !self.has(Word::SanitizeFails) && self.erase_cells(word, pattern);
        self.state = if good { State::Idle } else { State::Failed { leavable: word & 1 << 3 != 0 } };
        let word = if self.has(Word::SanitizeOfAnother) { word ^ 1 << 9 } else { word };
        self.history = match (good, self.has(Word::SanitizeForgotten)) {
            (true, true) => History::default(),
            (true, false) => History { status: COMPLETED, untouched: true, word },
            (false, _) => History { status: FAILED, untouched: false, word },
        };
    }

    fn erase_cells(&mut self, word: u32, pattern: u32) -> bool {
        if self.has(Word::SanitizeErasesNothing) {
            return true;
        }
        let fill = match word & 0b111 {
            BLOCK_ERASE if self.has(Word::ErasedOnes) => Fill::Pattern([0xff; 4]),
            BLOCK_ERASE => Fill::Pattern([0; 4]),
            CRYPTO_ERASE => self.scrambled(),
            _ => Fill::Pattern(pattern.to_le_bytes()),
        };
        self.fill((0, self.disk.blocks()), fill)
    }

    /// The sanitize status log (base specification 2.0, 5.16.1.25).
    pub(super) fn sanitize_log(&self) -> Vec<u8> {
        let mut log = vec![0; 512];
        let History { status, untouched, word } = self.history;
        let (progress, status, word) = match self.state {
            State::Running { since, word, .. } => {
                let (done, whole) = (self.now().saturating_duration_since(since), self.options.sanitize_time);
                let part = done.as_millis() * 0x1_0000 / whole.as_millis().max(1);
                (u16::try_from(part).unwrap_or(u16::MAX), IN_PROGRESS, word)
            }
            _ => (u16::MAX, status, word),
        };
        log[..2].copy_from_slice(&progress.to_le_bytes());
        (log[2], log[3]) = (status, u8::from(untouched));
        log[4..8].copy_from_slice(&word.to_le_bytes());
        let estimate = u32::try_from(self.options.sanitize_time.as_secs()).unwrap_or(u32::MAX);
        log[8..20].chunks_mut(4).for_each(|time| time.copy_from_slice(&estimate.to_le_bytes()));
        log
    }
}
