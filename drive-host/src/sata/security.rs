//! The security feature set (ATA8-ACS, 4.19 and 7.42 to 7.47).

use super::{
    SataDisk,
    options::{Options, Word},
    taskfile::{ABORTED, DONE, Ended, Taskfile},
};
use crate::{
    cells::Fill,
    target::{DataPhase, Pause},
};
use std::time::Instant;

pub(super) const SET_PASSWORD: u8 = 0xf1;
pub(super) const UNLOCK: u8 = 0xf2;
pub(super) const ERASE_PREPARE: u8 = 0xf3;
pub(super) const ERASE_UNIT: u8 = 0xf4;
pub(super) const FREEZE_LOCK: u8 = 0xf5;
pub(super) const DISABLE_PASSWORD: u8 = 0xf6;

/// Wrong passwords that are looked at in a power cycle.
const ATTEMPTS: u8 = 5;
/// What the maker writes in an enhanced erase.
const VENDOR: u8 = 0xa5;
/// Sectors at the end that a disk leaves where it skips what is hidden.
pub(super) const SKIPPED: u64 = 2048;

pub(super) type Password = [u8; 32];

/// An erasure that the initiator waits for.
#[derive(Debug)]
pub(super) struct Erase {
    since: Instant,
    enhanced: bool,
}

#[derive(Debug)]
pub(super) struct Security {
    /// The user password, where one is set: the feature set is then "enabled".
    pub(super) user: Option<Password>,
    pub(super) master: Password,
    pub(super) master_identifier: u16,
    /// Level "maximum": the master password opens nothing, and only erases.
    pub(super) maximum: bool,
    pub(super) locked: bool,
    pub(super) frozen: bool,
    attempts: u8,
    /// ERASE PREPARE was the command before this one.
    pub(super) prepared: bool,
    pub(super) erasing: Option<Erase>,
}

impl Security {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            user: options.password.as_ref().map(|(text, _)| padded(text)),
            master: [b' '; 32],
            master_identifier: 0xfffe,
            maximum: false,
            locked: options.password.as_ref().is_some_and(|(_, locked)| *locked),
            frozen: options.has(Word::Frozen),
            attempts: ATTEMPTS,
            prepared: false,
            erasing: None,
        }
    }

    /// A set password locks; what froze the disk does so only where the firmware sees it start.
    pub(super) fn power_on(&mut self) {
        self.locked = self.user.is_some();
        (self.frozen, self.attempts, self.prepared, self.erasing) = (false, ATTEMPTS, false, None);
    }

    /// IDENTIFY word 128 without the bit of the enhanced erase.
    pub(super) fn word(&self) -> u16 {
        [true, self.user.is_some(), self.locked, self.frozen, self.attempts == 0]
            .into_iter()
            .chain([false, false, false, self.maximum])
            .enumerate()
            .fold(0, |word, (bit, set)| word | u16::from(set) << bit)
    }

    fn matches(&self, block: &Block) -> bool {
        if block.master { self.master == block.password } else { self.user == Some(block.password) }
    }

    /// Whether a password is right; a wrong one uses up an attempt.
    fn try_password(&mut self, block: &Block) -> bool {
        let right = self.attempts > 0 && self.matches(block);
        self.attempts = if right { ATTEMPTS } else { self.attempts.saturating_sub(1) };
        right
    }

    fn unlock(&mut self, block: &Block) -> Ended {
        // At level "maximum" the master password is refused without being looked at.
        if self.frozen || (block.master && self.maximum) || !self.try_password(block) {
            return ABORTED;
        }
        self.locked = false;
        DONE
    }

    fn disable(&mut self, block: &Block) -> Ended {
        if self.frozen || self.locked || (block.master && self.maximum) || !self.matches(block) {
            return ABORTED;
        }
        self.forget();
        DONE
    }

    fn set(&mut self, block: &Block) -> Ended {
        if self.frozen || self.locked {
            return ABORTED;
        }
        if block.master {
            self.master = block.password;
            let identifier = block.identifier;
            self.master_identifier = if matches!(identifier, 0 | 0xffff) { self.master_identifier } else { identifier };
        } else {
            (self.user, self.maximum) = (Some(block.password), block.maximum);
        }
        DONE
    }

    /// The user password goes and with it the lock; the master password stays.
    fn forget(&mut self) {
        (self.user, self.maximum, self.locked) = (None, false, false);
    }
}

/// The data of the commands with a password.
#[derive(Debug)]
struct Block {
    /// Word 0: bit 0, bit 1 of ERASE UNIT, bit 8 of SET PASSWORD.
    master: bool,
    enhanced: bool,
    maximum: bool,
    /// Words 1 to 16.
    password: Password,
    /// Word 17.
    identifier: u16,
}

impl Block {
    fn parse(data: &DataPhase<'_>) -> Option<Self> {
        let DataPhase::Out(bytes) = data else { return None };
        let bytes = bytes.get(..512)?;
        let mut password = [0; 32];
        password.copy_from_slice(&bytes[2..34]);
        Some(Self {
            master: bytes[0] & 1 != 0,
            enhanced: bytes[0] & 2 != 0,
            maximum: bytes[1] & 1 != 0,
            password,
            identifier: u16::from_le_bytes([bytes[34], bytes[35]]),
        })
    }
}

/// A password as hdparm sends it: filled up with zeros.
fn padded(text: &str) -> Password {
    let mut password = [0; 32];
    password.iter_mut().zip(text.bytes()).for_each(|(to, from)| *to = from);
    password
}

impl SataDisk {
    pub(super) fn security_command(&mut self, task: Taskfile, data: &DataPhase<'_>, prepared: bool) -> Ended {
        self.was_changed |= task.command == SET_PASSWORD;
        match (task.command, Block::parse(data)) {
            (SET_PASSWORD, Some(_)) if self.options.has(Word::PasswordIgnored) => DONE,
            (SET_PASSWORD, Some(block)) => self.security.set(&block),
            (UNLOCK, Some(block)) => self.security.unlock(&block),
            (DISABLE_PASSWORD, Some(_)) if self.options.has(Word::DisableIgnored) => DONE,
            (DISABLE_PASSWORD, Some(block)) => self.security.disable(&block),
            (ERASE_PREPARE, _) if !self.security.frozen => {
                self.security.prepared = true;
                DONE
            }
            (ERASE_UNIT, Some(block)) if prepared => self.erase_unit(&block),
            (FREEZE_LOCK, _) if !self.security.locked => {
                self.security.frozen |= !self.options.has(Word::FreezeAccepted);
                DONE
            }
            _ => ABORTED,
        }
    }

    fn erase_unit(&mut self, block: &Block) -> Ended {
        let unsupported = block.enhanced && !self.options.has(Word::Enhanced);
        // With the lie that no password is kept, any is the right one.
        let right = |disk: &mut Self| disk.options.has(Word::PasswordIgnored) || disk.security.try_password(block);
        if self.security.frozen || unsupported || !right(self) {
            return ABORTED;
        }
        self.security.erasing = Some(Erase { since: self.now(), enhanced: block.enhanced });
        self.begin_erasure();
        self.pause = Pause::Busy(self.options.erase_time);
        self.settle_erase();
        DONE
    }

    /// Ends an erasure whose time is over: the cells change, the password goes.
    pub(super) fn settle_erase(&mut self) {
        let now = self.now();
        let time = self.options.erase_time;
        let Some(erase) = self.security.erasing.take_if(|erase| now >= erase.since + time) else { return };
        if !self.options.has(Word::EraseErasesNothing) {
            let (end, byte) = if erase.enhanced { (self.limits.factory, VENDOR) } else { (self.limits.native, 0) };
            let reached = match self.options.has(Word::EraseSkipsHidden) {
                true => end.min(self.limits.factory.saturating_sub(SKIPPED)),
                false => end,
            };
            if !self.fill(reached, Fill::Pattern([byte; 4])) {
                return;
            }
        }
        if !self.options.has(Word::PasswordStays) {
            self.security.forget();
        }
    }

    /// The supply goes while an erasure runs: what was reached is erased, and the password stays.
    pub(super) fn interrupt_erase(&mut self) {
        let Some(erase) = self.security.erasing.take() else { return };
        let done = self.now().saturating_duration_since(erase.since).as_secs_f64();
        let part = (done / self.options.erase_time.as_secs_f64()).clamp(0.0, 1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let reached = (self.limits.native as f64 * part) as u64;
        if !self.options.has(Word::EraseErasesNothing) {
            self.fill(reached, Fill::Pattern([if erase.enhanced { VENDOR } else { 0 }; 4]));
        }
    }
}
