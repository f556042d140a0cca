//! A SATA disk behind a SCSI / ATA Translation layer, as hdparm and smartctl know it: what hides sectors of it, its
//! passwords, its own erasures, its health, and what it can be told to lie about. Its cells are a file with every sector it
//! ever had, shown or not.

mod identify;
mod options;
mod sanitize;
mod security;
mod smart;
mod taskfile;

use crate::{
    file_disk::{FileDisk, Sense, failed},
    target::{Answer, DataPhase, Target},
};
use anyhow::{Context, Result};
use sanitize::{Action, Sanitize};
use security::{Erase, Security};
use smart::Smart;
use std::{collections::BTreeSet, ops::Range, path::Path, thread, time::Duration};
use taskfile::{Ended, Taskfile, returned, taskfile};

const MODEL: &str = "MULE MODELLED SATA DISK";
const FIRMWARE: &str = "MODEL1.0";
/// Commands (ATA8-ACS, 7).
const IDENTIFY: u8 = 0xec;
const READ_NATIVE_MAX: u8 = 0xf8;
const READ_NATIVE_MAX_EXT: u8 = 0x27;
const SET_MAX: u8 = 0xf9;
const SET_MAX_EXT: u8 = 0x37;
const CONFIGURATION: u8 = 0xb1;
const SANITIZE: u8 = 0xb4;
const SMART: u8 = 0xb0;

/// Sense of media access that the state of the disk forbids (SAT-3, table 11; SPC-4, annex D).
const LOCKED: Sense = (0xb, 0x74, 0x71);
const SANITIZING: Sense = (2, 0x04, 0x1b);
const SANITIZE_FAILED: Sense = (3, 0x31, 0x03);
const UNREADABLE: Sense = (3, 0x11, 0);
const UNWRITABLE: Sense = (3, 0x0c, 0);
const NO_CAPACITY: Sense = (4, 0x44, 0);
/// What an enhanced erase leaves.
const VENDOR_PATTERN: u8 = 0xa5;
/// Sectors that an erase which skips the end leaves.
const SKIPPED: u64 = 2048;

#[derive(Debug)]
pub(crate) struct SataDisk {
    disk: FileDisk,
    serial: String,
    ssd: bool,
    /// Sectors that it had when it was made, that it has without a Host Protected Area, and that can be addressed.
    factory: u64,
    native: u64,
    visible: u64,
    /// What it shows after its next power-on, where a limit was not to outlast that.
    lasting: u64,
    native_was_read: bool,
    /// A limit for good is taken once in a power cycle.
    limit_was_set: bool,
    security: Option<Security>,
    sanitize: Option<Sanitize>,
    smart: Option<Smart>,
    erase_takes: Duration,
    bad: BTreeSet<u64>,
    unwritable: BTreeSet<u64>,
    lies: BTreeSet<&'static str>,
    /// An erase was asked for since the last power-on.
    erase_was_asked: bool,
}

impl SataDisk {
    /// `SERIAL=PATH` and words after it, separated by commas; see [`SataDisk::describe`].
    pub(crate) fn from_text(text: &str) -> Result<Self> {
        let mut words = text.split(',');
        let (serial, path) = words.next().and_then(|first| first.split_once('=')).context("SERIAL=PATH comes first")?;
        let disk = FileDisk::open(serial, Path::new(path)).with_context(|| format!("opening {path}"))?;
        let factory = disk.blocks();
        let mut made = Self {
            disk,
            serial: serial.into(),
            ssd: false,
            factory,
            native: factory,
            visible: factory,
            lasting: factory,
            native_was_read: false,
            limit_was_set: false,
            security: None,
            sanitize: None,
            smart: None,
            erase_takes: Duration::ZERO,
            bad: BTreeSet::new(),
            unwritable: BTreeSet::new(),
            lies: BTreeSet::new(),
            erase_was_asked: false,
        };
        made.describe(words)?;
        Ok(made)
    }

    fn lies(&self, word: &str) -> bool {
        self.lies.contains(word)
    }

    fn shown_serial(&self) -> &str {
        if self.erase_was_asked && self.lies("another-serial") { "ANOTHER" } else { &self.serial }
    }

    fn show(&mut self, sectors: u64) {
        self.visible = sectors;
        self.disk.show(sectors);
    }

    fn run(&mut self, task: Taskfile, data: &mut DataPhase<'_>) -> Ended {
        self.settle();
        let native_was_read = std::mem::take(&mut self.native_was_read);
        let prepared = self.security.as_mut().is_some_and(Security::take_prepared);
        if self.sanitize.as_ref().is_some_and(Sanitize::is_busy) && !matches!(task.command, IDENTIFY | SANITIZE | SMART)
        {
            return Err(0);
        }
        match (task.command, data) {
            (IDENTIFY, DataPhase::In(buf)) => fill(buf, &self.identify()),
            (CONFIGURATION, DataPhase::In(buf)) if task.features & 0xff == 0xc2 => fill(buf, &self.configuration()),
            (READ_NATIVE_MAX | READ_NATIVE_MAX_EXT, DataPhase::None) => {
                self.native_was_read = true;
                let most = if task.command == READ_NATIVE_MAX { 0x0fff_ffff } else { u64::MAX };
                Ok((0, (self.native - 1).min(most)))
            }
            (SET_MAX | SET_MAX_EXT, DataPhase::None) if native_was_read && task.lba < self.native => {
                self.set_max(task.lba, task.count & 1 == 1)
            }
            // It restores nothing while a Host Protected Area is set.
            (CONFIGURATION, DataPhase::None) if task.features & 0xff == 0xc0 && self.visible == self.native => {
                if !self.lies("lies") {
                    self.native = self.factory;
                    self.lasting = self.factory;
                    self.show(self.factory);
                }
                Ok((0, 0))
            }
            (SANITIZE, DataPhase::None) => self.sanitize_command(task),
            (SMART, data) => self.smart.as_ref().ok_or(0_u64)?.run(task, data),
            (0xf1..=0xf6, DataPhase::Out(sector)) => self.secure(task.command, Some(sector), prepared),
            (0xf1..=0xf6, DataPhase::None) => self.secure(task.command, None, prepared),
            // FLUSH CACHE (EXT), CHECK POWER MODE: active; STANDBY IMMEDIATE.
            (0xe7 | 0xea | 0xe0, DataPhase::None) => Ok((0, 0)),
            (0xe5, DataPhase::None) => Ok((0xff, 0)),
            _ => Err(0),
        }
    }

    fn set_max(&mut self, lba: u64, lasting: bool) -> Ended {
        if lasting && self.limit_was_set {
            return Err(0);
        }
        self.limit_was_set |= lasting;
        if !self.lies("lies") {
            self.show(lba + 1);
            self.lasting = if lasting { self.visible } else { self.lasting };
        }
        Ok((0, lba))
    }

    fn sanitize_command(&mut self, task: Taskfile) -> Ended {
        let locked = self.security.as_ref().is_some_and(|security| security.locked);
        let starts = matches!(task.features, 0x11 | 0x12 | 0x14);
        let sanitize = self.sanitize.as_mut().filter(|_| !(locked && starts)).ok_or(0_u64)?;
        let ended = sanitize.run(task);
        self.erase_was_asked |= starts && ended.is_ok();
        ended
    }

    fn secure(&mut self, command: u8, sector: Option<&[u8]>, prepared: bool) -> Ended {
        let lies = |word| self.lies.contains(word);
        let ignored = (command == 0xf1 && lies("password-ignored")) || (command == 0xf5 && lies("freeze-accepted"));
        let security = self.security.as_mut().ok_or(0_u64)?;
        if ignored && !security.frozen {
            return Ok((0, 0));
        }
        match security.run(command, sector, prepared) {
            security::Outcome::Ended(ended) => ended,
            security::Outcome::Erase(erase) => {
                self.erase_was_asked = true;
                thread::sleep(self.erase_takes);
                if !self.lies("erase-erases-nothing") {
                    self.erase(erase);
                }
                if let Some(security) = self.security.as_mut().filter(|_| !self.lies.contains("password-stays")) {
                    security.erased();
                }
                Ok((0, 0))
            }
        }
    }

    /// A normal erase reaches what the disk has without a Host Protected Area, an enhanced one all it ever had.
    fn erase(&mut self, erase: Erase) {
        let (mut end, byte) = match erase {
            Erase::Normal => (self.native, 0),
            Erase::Enhanced => (self.factory, VENDOR_PATTERN),
        };
        if self.lies("erase-skips-the-end") {
            end = end.saturating_sub(SKIPPED);
        }
        self.disk.fill(0..end, &mut |_, sector| sector.fill(byte));
        self.bad.clear();
    }

    /// What a sanitize operation that has come to its end leaves on the cells.
    fn settle(&mut self) {
        let Some(action) = self.sanitize.as_mut().and_then(Sanitize::take_finished) else { return };
        if self.lies("sanitize-erases-nothing") {
            return;
        }
        self.disk.fill(0..self.factory, &mut |lba, sector| match action {
            Action::Overwrite(pattern) => {
                sector.chunks_mut(4).for_each(|chunk| chunk.copy_from_slice(&pattern.to_be_bytes()));
            }
            Action::BlockErase => sector.fill(0),
            // A generator of its own for each sector: noise that is nobody's plaintext.
            Action::CryptoScramble => {
                let mut state = lba.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                for chunk in sector.chunks_mut(8) {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    chunk.copy_from_slice(&state.to_le_bytes());
                }
            }
        });
        self.bad.clear();
    }

    /// Why the medium cannot be reached now, or not there.
    fn forbidden(&mut self, cdb: &[u8]) -> Option<Sense> {
        self.settle();
        let access = self.disk.access(cdb);
        if cdb[0] == 0x25 || cdb[0] == 0x9e {
            return (self.erase_was_asked && self.lies("no-capacity")).then_some(NO_CAPACITY);
        }
        let (range, writes) = access?;
        match (&self.sanitize, &self.security) {
            (Some(sanitize), _) if sanitize.has_failed() => Some(SANITIZE_FAILED),
            (Some(sanitize), _) if sanitize.is_busy() => Some(SANITIZING),
            (_, Some(security)) if security.locked => Some(LOCKED),
            _ if writes && self.unwritable.range(range.clone()).next().is_some() => Some(UNWRITABLE),
            _ if writes => {
                self.remap(range);
                None
            }
            _ => self.bad.range(range).next().map(|_| UNREADABLE),
        }
    }

    /// Bad sectors that are written are replaced by spare ones.
    fn remap(&mut self, range: Range<u64>) {
        let healed: Vec<u64> = self.bad.range(range).copied().collect();
        for lba in healed {
            self.bad.remove(&lba);
            if let Some(smart) = &mut self.smart {
                smart.reallocated += 1;
                smart.pending = smart.pending.saturating_sub(1);
            }
        }
    }
}

impl Target for SataDisk {
    fn execute(&mut self, cdb: &[u8], mut data: DataPhase<'_>) -> Answer {
        let Some(task) = taskfile(cdb) else {
            if let (Some(0x12), DataPhase::In(buf)) = (cdb.first(), &mut data) {
                let Some(page) = self.inquiry(cdb) else { return failed((5, 0x24, 0)) };
                let len = page.len().min(buf.len());
                buf[..len].copy_from_slice(&page[..len]);
                return good(len);
            }
            return match self.forbidden(cdb) {
                Some(sense) => failed(sense),
                None => self.disk.execute(cdb, data),
            };
        };
        let len = match &data {
            DataPhase::In(buf) => buf.len(),
            DataPhase::Out(buf) => buf.len(),
            DataPhase::None => 0,
        };
        match self.run(task, &mut data) {
            Ok(_) if !task.check || self.lies("no-registers") => good(len),
            ended => {
                Answer { status: 2, sense: returned(task, ended), transferred: if ended.is_ok() { len } else { 0 } }
            }
        }
    }

    fn power_cycle(&mut self) {
        let lasting = self.lasting;
        self.show(lasting);
        (self.native_was_read, self.limit_was_set, self.erase_was_asked) = (false, false, false);
        self.security.iter_mut().for_each(Security::power_cycle);
        self.sanitize.iter_mut().for_each(Sanitize::power_cycle);
    }

    fn set(&mut self, name: &str, value: u64) -> Result<()> {
        SataDisk::set(self, name, value)
    }
}

fn good(transferred: usize) -> Answer {
    Answer { status: 0, sense: Vec::new(), transferred }
}

fn fill(buf: &mut [u8], sector: &[u8; 512]) -> Ended {
    buf.get_mut(..512).ok_or(0_u64)?.copy_from_slice(sector);
    Ok((0, 0))
}

#[cfg(test)]
mod tests;
