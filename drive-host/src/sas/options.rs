//! The words that say what a SAS disk is like.

use crate::words;
use anyhow::{Context, Result, bail};
use std::{path::PathBuf, time::Duration};

#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) serial: String,
    pub(super) path: PathBuf,
    pub(super) ssd: bool,
    pub(super) no_sanitize: bool,
    pub(super) sanitize_time: Duration,
    pub(super) fails: bool,
    pub(super) idle: bool,
    pub(super) erases_nothing: bool,
    pub(super) failing: bool,
    /// Degrees Celsius: now, and up to which it may work.
    pub(super) temperature: u8,
    pub(super) temperature_limit: u8,
    /// Entries of the grown defect list.
    pub(super) grown: u32,
    /// What it is called after the first command that erases.
    pub(super) wrong_serial: Option<String>,
}

impl Options {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (serial, path, mut words) = words::split(text)?;
        let mut options = Self {
            serial,
            path,
            ssd: false,
            no_sanitize: false,
            sanitize_time: Duration::from_secs(2),
            fails: false,
            idle: false,
            erases_nothing: false,
            failing: false,
            temperature: 35,
            temperature_limit: 60,
            grown: 0,
            wrong_serial: None,
        };
        words.try_for_each(|word| options.take(word).with_context(|| format!("{word:?} of a SAS disk")))?;
        Ok(options)
    }

    fn take(&mut self, word: &str) -> Result<()> {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        let small = || value.parse::<u8>().with_context(|| format!("{value:?} is no temperature"));
        match name {
            "ssd" => self.ssd = true,
            "no-sanitize" => self.no_sanitize = true,
            "sanitize-fails" => self.fails = true,
            "idle-sanitize" => self.idle = true,
            "sanitize-erases-nothing" => self.erases_nothing = true,
            "failing" => self.failing = true,
            "sanitize-seconds" => self.sanitize_time = Duration::from_secs(value.parse().context("seconds")?),
            "temperature" => self.temperature = small()?,
            "temperature-limit" => self.temperature_limit = small()?,
            "grown" => self.grown = value.parse().context("a number of defects")?,
            "wrong-serial" => self.wrong_serial = Some(value.into()),
            _ => bail!("no such word"),
        }
        Ok(())
    }
}
