//! The words by which a disk is described.

use super::{SataDisk, sanitize::Sanitize, security::Security, smart::Smart};
use anyhow::{Context, Result, bail, ensure};
use std::time::Duration;

/// What a disk can be told to lie about.
pub(super) const LIES: &[&str] = &[
    // SET MAX and DCO RESTORE succeed and do nothing.
    "lies",
    // SECURITY SET PASSWORD succeeds and sets nothing.
    "password-ignored",
    // SECURITY ERASE UNIT succeeds and takes the password away; no cell changes.
    "erase-erases-nothing",
    // It succeeds and erases; the password stays.
    "password-stays",
    // It leaves the last 2,048 sectors as they were.
    "erase-skips-the-end",
    // SECURITY FREEZE LOCK succeeds and freezes nothing.
    "freeze-accepted",
    // SANITIZE DEVICE is accepted, and the status stays what it was.
    "idle-sanitize",
    // It runs, ends with a success, and changes no cell.
    "sanitize-erases-nothing",
    // It ends with a failure.
    "sanitize-fails",
    // The registers of a command that ended well do not come back, as with some bridges.
    "no-registers",
    // After an erase another disk's serial number is shown.
    "another-serial",
    // After an erase the capacity cannot be read until the next power cycle.
    "no-capacity",
];

impl SataDisk {
    /// `security` (the feature set), `enhanced` (its enhanced erase), `frozen` (by the PC's firmware, until the disk's supply
    /// was cut), `password=TEXT`, `locked=TEXT`, `erase-seconds=N`; `sanitize`, `sanitize-seconds=N`; `smart`,
    /// `temperature=C`, `reallocated=N`, `pending=N`, `failing`; `ssd`; `hpa=SECTORS`, `dco=SECTORS`; `bad=LBA` (unreadable
    /// until it is written), `unwritable=LBA`; and any of [`LIES`].
    pub(super) fn describe<'a>(&mut self, words: impl Iterator<Item = &'a str>) -> Result<()> {
        let mut visible = None;
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let number = || value.parse::<u64>().with_context(|| format!("the number of {name:?}"));
            match name {
                "hpa" => visible = Some(number()?),
                "dco" => self.native = number()?,
                "ssd" => self.ssd = true,
                "bad" => drop(self.bad.insert(number()?)),
                "unwritable" => drop(self.unwritable.insert(number()?)),
                "security" => drop(self.security()),
                "enhanced" => self.security().enhanced = true,
                "frozen" => self.security().frozen = true,
                "password" => self.security().set(value),
                "locked" => {
                    self.security().set(value);
                    self.security().locked = true;
                }
                "erase-seconds" => self.erase_takes = Duration::from_secs(number()?),
                "sanitize" => drop(self.sanitize()),
                "sanitize-seconds" => self.sanitize().takes = Duration::from_secs(number()?),
                "smart" => drop(self.smart()),
                "failing" => self.smart().failing = true,
                _ if LIES.contains(&word) => self.lie(word),
                _ => self.set(name, number().with_context(|| format!("{word:?} is nothing of a SATA disk"))?)?,
            }
        }
        let visible = visible.unwrap_or(self.native);
        ensure!(
            visible > 0 && visible <= self.native && self.native <= self.factory,
            "{visible}, {} and {} sectors",
            self.native,
            self.factory
        );
        self.lasting = visible;
        self.show(visible);
        Ok(())
    }

    fn lie(&mut self, word: &str) {
        self.lies.extend(LIES.iter().find(|known| **known == word));
        match word {
            "idle-sanitize" => self.sanitize().idle = true,
            "sanitize-fails" => self.sanitize().fails = true,
            _ => {}
        }
    }

    /// What can change while the disk is at work.
    pub(super) fn set(&mut self, name: &str, value: u64) -> Result<()> {
        let smart = self.smart();
        match name {
            "temperature" => smart.temperature = value,
            "reallocated" => smart.reallocated = value,
            "pending" => smart.pending = value,
            _ => bail!("{name:?} is nothing of a SATA disk"),
        }
        Ok(())
    }

    fn security(&mut self) -> &mut Security {
        self.security.get_or_insert_with(Security::new)
    }

    fn sanitize(&mut self) -> &mut Sanitize {
        self.sanitize.get_or_insert_with(Sanitize::new)
    }

    fn smart(&mut self) -> &mut Smart {
        self.smart.get_or_insert_with(Smart::new)
    }
}
