//! The words that say what a disk is like.

use super::limits::{ACCESSIBLE_MAX, CONFIGURATION, READ_NATIVE_MAX_EXT, SET_MAX_EXT};
use crate::words;
use anyhow::{Context, Result, bail, ensure};
use std::{collections::BTreeSet, path::PathBuf, time::Duration};

/// A word that stands alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Word {
    Security,
    Enhanced,
    Frozen,
    Sanitize,
    SanitizeFails,
    NoBlockErase,
    ErasedOnes,
    Ssd,
    Smart,
    Degrades,
    Failing,
    Amac,
    NoDco,
    Bits28,
    Remembers,
    Lies,
    IdleSanitize,
    SanitizeIgnored,
    SanitizeForgotten,
    SanitizeErasesNothing,
    EraseErasesNothing,
    EraseSkipsHidden,
    FreezeAccepted,
    PasswordIgnored,
    PasswordStays,
    DisableIgnored,
    ZeroRegisters,
    NoRegisters,
    GoodWithoutRegisters,
    CapacityZeroAfterErase,
}

use Word::*;

/// Each word, and the feature set that it is about and brings with it.
const WORDS: &[(&str, Word, Word)] = &[
    ("security", Security, Security),
    ("enhanced", Enhanced, Security),
    ("frozen", Frozen, Security),
    ("sanitize", Sanitize, Sanitize),
    ("sanitize-fails", SanitizeFails, Sanitize),
    ("no-block-erase", NoBlockErase, Sanitize),
    ("erased-ones", ErasedOnes, Sanitize),
    ("ssd", Ssd, Ssd),
    ("smart", Smart, Smart),
    ("degrades", Degrades, Smart),
    ("failing", Failing, Smart),
    ("amac", Amac, Amac),
    ("no-dco", NoDco, NoDco),
    ("28-bit", Bits28, Bits28),
    ("remembers", Remembers, Remembers),
    ("lies", Lies, Lies),
    ("idle-sanitize", IdleSanitize, Sanitize),
    ("sanitize-ignored", SanitizeIgnored, Sanitize),
    ("sanitize-forgotten", SanitizeForgotten, Sanitize),
    ("sanitize-erases-nothing", SanitizeErasesNothing, Sanitize),
    ("erase-erases-nothing", EraseErasesNothing, Security),
    ("erase-skips-hidden", EraseSkipsHidden, Security),
    ("freeze-accepted", FreezeAccepted, Security),
    ("password-ignored", PasswordIgnored, Security),
    ("password-stays", PasswordStays, Security),
    ("disable-ignored", DisableIgnored, Security),
    ("zero-registers", ZeroRegisters, ZeroRegisters),
    ("no-registers", NoRegisters, NoRegisters),
    ("no-registers=good", GoodWithoutRegisters, NoRegisters),
    ("capacity-zero-after-erase", CapacityZeroAfterErase, CapacityZeroAfterErase),
];

/// What a disk is like.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    pub(super) serial: String,
    pub(super) path: PathBuf,
    words: BTreeSet<Word>,
    /// Sectors that a Host Protected Area and a Device Configuration Overlay leave.
    pub(super) hpa: Option<u64>,
    pub(super) dco: Option<u64>,
    /// What it says it has, where that is not what it has.
    pub(super) states: Option<u64>,
    /// Sectors that what it is connected through shows, whatever it says itself.
    pub(super) bridge_shows: Option<u64>,
    /// A user password that is set, and whether the disk is locked with it from the start.
    pub(super) password: Option<(String, bool)>,
    pub(super) erase_time: Duration,
    pub(super) sanitize_time: Duration,
    /// Degrees Celsius, sectors, sectors.
    pub(super) temperature: u64,
    pub(super) reallocated: u64,
    pub(super) pending: u64,
    /// Degrees Celsius in which it may work.
    pub(super) temperature_limit: Option<i8>,
    pub(super) bad: BTreeSet<u64>,
    pub(super) unwritable: BTreeSet<u64>,
    /// What IDENTIFY says after the first command that erases.
    pub(super) wrong_serial: Option<String>,
    /// … and after the first that changes anything.
    pub(super) exchanged: Option<String>,
    /// The ATA command that is not answered.
    pub(super) hangs: Option<u8>,
}

impl Options {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (serial, path, words) = words::split(text)?;
        let mut options =
            Self { serial, path, sanitize_time: Duration::from_secs(2), temperature: 35, ..Self::default() };
        for word in words {
            match WORDS.iter().find(|(name, ..)| *name == word) {
                Some((_, word, feature)) => options.words.extend([word, feature]),
                None => options.take(word).with_context(|| format!("{word:?} of a SATA disk"))?,
            }
        }
        let without_overlay = options.has(Amac) || options.has(NoDco);
        ensure!(!(without_overlay && options.dco.is_some()), "no disk has dco with amac or no-dco");
        ensure!(options.states != Some(0), "a disk states at least one sector");
        Ok(options)
    }

    /// A word with a value.
    fn take(&mut self, word: &str) -> Result<()> {
        let (name, value) = word.split_once('=').context("no such word")?;
        let number = || value.parse::<u64>().with_context(|| format!("{value:?} is no number"));
        match name {
            "hpa" => self.hpa = Some(number()?),
            "dco" => self.dco = Some(number()?),
            "states" => self.states = Some(number()?),
            "bridge-shows" => self.bridge_shows = Some(number()?),
            "locked" | "password" => {
                self.password = Some((value.into(), name == "locked"));
                self.words.insert(Security);
            }
            "erase-seconds" => self.erase_time = Duration::from_secs(number()?),
            "sanitize-seconds" => self.sanitize_time = Duration::from_secs(number()?),
            "temperature" => self.temperature = number()?,
            "temperature-limit" => {
                self.temperature_limit = Some(value.parse().with_context(|| format!("{value:?} is no temperature"))?);
            }
            "reallocated" => self.reallocated = number()?,
            "pending" => self.pending = number()?,
            "bad" => drop(self.bad.insert(number()?)),
            "unwritable" => drop(self.unwritable.insert(number()?)),
            "wrong-serial" => self.wrong_serial = Some(value.into()),
            "exchanged" => self.exchanged = Some(value.into()),
            "hangs" => self.hangs = Some(u8::from_str_radix(value, 16).context("two hexadecimal digits")?),
            _ => bail!("no such word"),
        }
        Ok(())
    }

    pub(super) fn has(&self, word: Word) -> bool {
        self.words.contains(&word)
    }

    /// Whether an ATA command is unknown to the disk because the feature set of it was taken away.
    pub(super) fn lacks(&self, command: u8) -> bool {
        match command {
            CONFIGURATION => self.has(NoDco),
            READ_NATIVE_MAX_EXT | SET_MAX_EXT | ACCESSIBLE_MAX => self.has(Bits28),
            _ => false,
        }
    }
}
