//! The words that describe a drive on a command line.

use anyhow::{Context, Result};
use std::path::PathBuf;

/// Serial number, file of the cells, and the words behind `SERIAL=PATH`.
pub(crate) fn split(text: &str) -> Result<(String, PathBuf, impl Iterator<Item = &str>)> {
    let mut words = text.split(',');
    let (serial, path) = words.next().and_then(|first| first.split_once('=')).context("SERIAL=PATH comes first")?;
    Ok((serial.into(), path.into(), words))
}
