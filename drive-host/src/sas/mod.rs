//! A disk that speaks SCSI itself, as SAS disks do: how it erases itself, fails or lies, and what it says of its health. Its
//! cells are a file.

mod options;
mod pages;
mod sanitize;

use crate::{
    file_disk::{FileDisk, Sense, failed},
    target::{Answer, DataPhase, Target},
};
use anyhow::{Context, Result, bail};
use options::Options;
use sanitize::{SANITIZE, State};
use std::time::{Duration, Instant};

/// LOGICAL UNIT NOT READY, SANITIZE IN PROGRESS.
const NOT_NOW: Sense = (2, 0x04, 0x1b);
const INVALID_COMMAND: Sense = (5, 0x20, 0);

/// A modelled SAS disk.
#[derive(Debug)]
pub struct SasDisk {
    options: Options,
    disk: FileDisk,
    state: State,
    /// How often the key was changed.
    scrambles: u64,
    /// A command that erases was taken since the program started.
    was_erased: bool,
    /// Time that never passed, see [`SasDisk::pass_time`].
    skew: Duration,
}

impl SasDisk {
    /// `SERIAL=PATH` and words behind it, with commas between.
    ///
    /// | Word | The disk |
    /// |---|---|
    /// | `ssd` | does not rotate: block erase and cryptographic erase; else overwrite and cryptographic erase |
    /// | `no-sanitize` | knows no SANITIZE |
    /// | `sanitize-seconds=N` | needs so long for it (2) |
    /// | `sanitize-fails` | fails at the end of that time |
    /// | `idle-sanitize` | takes the command and does nothing |
    /// | `sanitize-erases-nothing` | shows progress and ends well, and changes no cell |
    /// | `wrong-serial=TEXT` | is called that after the first command that erases |
    /// | `temperature=C`, `temperature-limit=C` | is so warm (35), and may be (60) |
    /// | `grown=N` | has so many grown defects |
    /// | `failing` | predicts that it will fail |
    ///
    /// # Errors
    /// Where a word is unknown, or the file cannot be read.
    pub fn from_text(text: &str) -> Result<Self> {
        let options = Options::parse(text)?;
        let disk = FileDisk::open(&options.serial, &options.path)
            .with_context(|| format!("opening {}", options.path.display()))?;
        let (state, skew) = (State::Idle, Duration::ZERO);
        Ok(Self { options, disk, state, scrambles: 0, was_erased: false, skew })
    }

    /// Lets time pass for the disk alone, so that a test need not wait.
    pub fn pass_time(&mut self, time: Duration) {
        self.skew += time;
        self.settle();
    }

    fn now(&self) -> Instant {
        Instant::now() + self.skew
    }

    /// Commands that are answered whatever the disk does; `None` for another (SBC-4, 4.11.2).
    fn always(&self, cdb: &[u8]) -> Option<Result<Vec<u8>, Sense>> {
        Some(match cdb[0] {
            0x03 => Ok(self.sense(cdb[1] & 1 == 1)),
            0x12 => self.inquiry(cdb),
            0x4d => self.log(cdb),
            0xa3 if cdb[1] & 0x1f == 0x0c => Ok(self.supported(cdb)),
            _ => return None,
        })
    }

    fn run(&mut self, cdb: &[u8], data: DataPhase<'_>) -> Answer {
        if cdb[0] == SANITIZE {
            return self.sanitize(cdb, &data);
        }
        let answer = match (self.always(cdb), self.obstacle()) {
            (Some(answer), _) => answer,
            // REPORT LUNS and START STOP UNIT need no medium.
            (None, Some(_)) if matches!(cdb[0], 0xa0 | 0x1b) => return self.disk.execute(cdb, data),
            (None, Some(sense)) => return self.not_ready(sense),
            (None, None) if cdb[0] == 0xb7 => Ok(self.defects(cdb)),
            (None, None) if matches!(cdb[0], 0x1a | 0x5a) => pages::modes(cdb),
            (None, None) => return self.disk.execute(cdb, data),
        };
        match (answer, data) {
            (Ok(answer), DataPhase::In(buf)) => {
                let len = answer.len().min(buf.len());
                buf[..len].copy_from_slice(&answer[..len]);
                Answer::good(len)
            }
            (Ok(_), _) => Answer::good(0),
            (Err(sense), _) => failed(sense),
        }
    }

    fn not_ready(&self, sense: Sense) -> Answer {
        Answer { sense: self.sense(false), ..failed(sense) }
    }
}

impl Target for SasDisk {
    fn execute(&mut self, cdb: &[u8], data: DataPhase<'_>) -> Answer {
        self.settle();
        if cdb.len() < 16 { failed(INVALID_COMMAND) } else { self.run(cdb, data) }
    }

    /// What was going on starts again.
    fn power_cycle(&mut self) {
        self.settle();
        let now = self.now();
        if let State::Running { since, .. } = &mut self.state {
            *since = now;
        }
    }

    fn settle(&mut self) {
        self.settle_sanitize();
    }

    fn set(&mut self, name: &str, value: u64) -> Result<()> {
        match name {
            "temperature" => self.options.temperature = u8::try_from(value).context("degrees Celsius")?,
            "sanitize-seconds" => self.options.sanitize_time = Duration::from_secs(value),
            "grown" => self.options.grown = u32::try_from(value).context("a number of defects")?,
            _ => bail!("a SAS disk has no {name:?}"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
