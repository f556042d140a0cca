//! The words that say what an NVMe drive is like.

use crate::words;
use anyhow::{Context, Result, bail, ensure};
use std::{collections::BTreeSet, path::PathBuf, time::Duration};

/// A word that stands alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Word {
    NoFormat,
    NoCryptoFormat,
    ReachesAll,
    Detached,
    Managed,
    NoSanitize,
    NoOverwrite,
    NoCrypto,
    ErasedOnes,
    SanitizeFails,
    SanitizeIgnored,
    SanitizeClaimed,
    SanitizeForgotten,
    SanitizeErasesNothing,
    SanitizeOfAnother,
    FormatErasesNothing,
    FormatResizes,
}

use Word::*;

const WORDS: &[(&str, Word)] = &[
    ("no-format", NoFormat),
    ("no-crypto-format", NoCryptoFormat),
    ("reaches-all", ReachesAll),
    ("detached", Detached),
    ("managed", Managed),
    ("no-sanitize", NoSanitize),
    ("no-overwrite", NoOverwrite),
    ("no-crypto", NoCrypto),
    ("erased-ones", ErasedOnes),
    ("sanitize-fails", SanitizeFails),
    ("sanitize-ignored", SanitizeIgnored),
    ("sanitize-claimed", SanitizeClaimed),
    ("sanitize-forgotten", SanitizeForgotten),
    ("sanitize-erases-nothing", SanitizeErasesNothing),
    ("sanitize-of-another", SanitizeOfAnother),
    ("format-erases-nothing", FormatErasesNothing),
    ("format-resizes", FormatResizes),
];

#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) serial: String,
    pub(super) path: PathBuf,
    words: BTreeSet<Word>,
    pub(super) namespaces: u32,
    /// Sectors of cells at the end that no namespace has.
    pub(super) unallocated: Option<u64>,
    pub(super) sanitize_time: Duration,
    /// Degrees Celsius.
    pub(super) temperature: u16,
    /// What it is called after the first command that erases.
    pub(super) wrong_serial: Option<String>,
}

impl Options {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (serial, path, mut words) = words::split(text)?;
        let mut options = Self {
            serial,
            path,
            words: BTreeSet::new(),
            namespaces: 1,
            unallocated: None,
            sanitize_time: Duration::from_secs(2),
            temperature: 35,
            wrong_serial: None,
        };
        words.try_for_each(|word| options.take(word).with_context(|| format!("{word:?} of an NVMe drive")))?;
        ensure!((1..=1024).contains(&options.namespaces), "a drive has 1 to 1024 namespaces");
        ensure!(options.namespaces > 1 || !options.has(Detached), "a drive without its only namespace is none");
        Ok(options)
    }

    fn take(&mut self, word: &str) -> Result<()> {
        if let Some((_, word)) = WORDS.iter().find(|(name, _)| *name == word) {
            self.words.insert(*word);
            return Ok(());
        }
        let (name, value) = word.split_once('=').context("no such word")?;
        match name {
            "namespaces" => self.namespaces = value.parse().context("a number of namespaces")?,
            "unallocated" => self.unallocated = Some(value.parse().context("a number of sectors")?),
            "sanitize-seconds" => self.sanitize_time = Duration::from_secs(value.parse().context("seconds")?),
            "temperature" => self.temperature = value.parse().context("degrees Celsius")?,
            "wrong-serial" => self.wrong_serial = Some(value.into()),
            _ => bail!("no such word"),
        }
        Ok(())
    }

    pub(super) fn has(&self, word: Word) -> bool {
        self.words.contains(&word)
    }
}
