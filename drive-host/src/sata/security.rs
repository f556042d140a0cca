//! The security feature set (ATA8-ACS, 4.19): passwords, the lock, the freeze, and the erase.

use super::taskfile::Ended;

/// Wrong passwords that are taken in a power cycle.
const ATTEMPTS: u8 = 5;

/// The state of the feature set.
#[derive(Debug)]
pub(super) struct Security {
    user: Option<[u8; 32]>,
    master: [u8; 32],
    maximum: bool,
    pub(super) locked: bool,
    pub(super) frozen: bool,
    left: u8,
    /// SECURITY ERASE PREPARE was the command right before.
    prepared: bool,
    pub(super) enhanced: bool,
}

/// What an erase was allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Erase {
    Normal,
    Enhanced,
}

/// What a command of the set comes to.
pub(super) enum Outcome {
    Ended(Ended),
    /// The passwords were right: the cells are to be erased, and then [`Security::erased`] is called.
    Erase(Erase),
}

const ABORTED: Outcome = Outcome::Ended(Err(0));
const DONE: Outcome = Outcome::Ended(Ok((0, 0)));

impl Security {
    pub(super) fn new() -> Self {
        Self {
            user: None,
            master: [b' '; 32],
            maximum: false,
            locked: false,
            frozen: false,
            left: ATTEMPTS,
            prepared: false,
            enhanced: false,
        }
    }

    /// Somebody's user password, as a person types it.
    pub(super) fn set(&mut self, text: &str) {
        let mut password = [0; 32];
        password.iter_mut().zip(text.bytes()).for_each(|(to, byte)| *to = byte);
        self.user = Some(password);
    }

    pub(super) fn power_cycle(&mut self) {
        self.locked = self.user.is_some();
        (self.frozen, self.left, self.prepared) = (false, ATTEMPTS, false);
    }

    /// Every command but the erase itself ends the preparation.
    pub(super) fn take_prepared(&mut self) -> bool {
        std::mem::take(&mut self.prepared)
    }

    /// Words 82, 85, 89, 90, 92 and 128.
    pub(super) fn identify(&self, words: &mut [u16; 256]) {
        words[82] |= 2;
        words[85] |= u16::from(self.user.is_some()) << 1;
        // Units of two minutes.
        words[89] = 1;
        words[90] = if self.enhanced { 1 } else { 0 };
        words[92] = 0xfffe;
        let bits = [
            (0, true),
            (1, self.user.is_some()),
            (2, self.locked),
            (3, self.frozen),
            (4, self.left == 0),
            (5, self.enhanced),
            (8, self.maximum),
        ];
        words[128] = bits.iter().fold(0, |word, (bit, on)| word | u16::from(*on) << bit);
    }

    pub(super) fn erased(&mut self) {
        (self.user, self.locked) = (None, false);
    }

    /// A command with or without a sector of data. `prepared` is [`Self::take_prepared`]'s.
    pub(super) fn run(&mut self, command: u8, sector: Option<&[u8]>, prepared: bool) -> Outcome {
        if self.frozen && command != 0xf5 {
            return ABORTED;
        }
        match (command, sector.and_then(|sector| sector.get(..512))) {
            (0xf3, None) => {
                self.prepared = true;
                DONE
            }
            (0xf5, None) if !self.locked => {
                self.frozen = true;
                DONE
            }
            (0xf1, Some(sector)) if !self.locked => self.set_password(sector),
            (0xf2, Some(sector)) => self.with_password(sector, |security| security.locked = false),
            (0xf6, Some(sector)) if !self.locked => self.with_password(sector, |security| security.user = None),
            (0xf4, Some(sector)) if prepared => {
                let erase = if sector[0] & 2 == 0 { Erase::Normal } else { Erase::Enhanced };
                let offered = erase == Erase::Normal || self.enhanced;
                match self.with_password(sector, |_| ()) {
                    Outcome::Ended(Ok(_)) if offered => Outcome::Erase(erase),
                    _ => ABORTED,
                }
            }
            _ => ABORTED,
        }
    }

    fn set_password(&mut self, sector: &[u8]) -> Outcome {
        let Some(password) = sector[2..].first_chunk::<32>() else { return ABORTED };
        if sector[0] & 1 == 1 {
            self.master = *password;
        } else {
            self.user = Some(*password);
            self.maximum = sector[1] & 1 == 1;
        }
        DONE
    }

    fn with_password(&mut self, sector: &[u8], act: impl FnOnce(&mut Self)) -> Outcome {
        let given = sector[2..].first_chunk::<32>();
        // At maximum level the master password only erases, and this model does not let it do that either.
        let right = if sector[0] & 1 == 1 { Some(self.master).filter(|_| !self.maximum) } else { self.user };
        if self.left == 0 || right.is_none() {
            return ABORTED;
        }
        if given != right.as_ref() {
            self.left -= 1;
            return ABORTED;
        }
        act(self);
        DONE
    }
}
