//! The modelled SATA disk and NVMe drive of `drive-host` in process: what carries commands and blocks to them, notes them,
//! cuts their supply, and shows what their cells hold. Nothing of the procedures under test decides here what a drive does.

mod made;
mod nvme;
mod plane;
#[cfg(test)]
mod tests;

use super::{Name, follow::POLL};
use crate::scsi::{CommandError, CommandPlane, Data, Reply};
use drive_host::{Answer, DataPhase, Pause, SataDisk, Target};
use made::{Firmware, file, stamped};
use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tempfile::NamedTempFile;

/// What every cell holds before a test.
pub(crate) const STAMP: u8 = 0x77;
const IDENTIFY: u8 = 0xec;
const SANITIZE: u8 = 0xb4;
const ERASE_UNIT: u8 = 0xf4;

/// When the supply goes. The counts are those of ATA commands, from 1, and of reads, writes and flushes, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The command has its effect; its answer is lost.
    After(usize),
    /// The command has none.
    Before(usize),
    /// So many accesses have theirs.
    Accesses(usize),
}

/// One disk; every clone is the same one.
#[derive(Debug, Clone)]
pub(crate) struct Model(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    firmware: Firmware,
    cells: NamedTempFile,
    /// COMMAND and FEATURE of all that arrived; of NVMe the opcode and the low byte of command dword 10.
    log: Vec<(u8, u8)>,
    accesses: usize,
    writes: usize,
    /// How long the last SECURITY ERASE UNIT was waited for at most.
    time_out: Duration,
    cut: Option<Cut>,
    off: bool,
    claimed: bool,
    /// Bytes and logical block as a bridge in front of it shows them.
    bridge: Option<(u64, u32)>,
    /// Logical units that the system found behind the bridge; this is the first.
    luns: Vec<u64>,
    /// What was overwritten since the last flush: where, and the bytes that were there.
    unflushed: Vec<(u64, Vec<u8>)>,
}

impl Model {
    /// A disk of so many sectors, shown or hidden, with words as [`SataDisk::from_text`] takes them.
    pub(crate) fn new(serial: &str, sectors: u64, words: &str) -> Self {
        Self::on(stamped(sectors), |cells| Firmware::sata(serial, cells, words))
    }

    /// An NVMe drive of so many sectors in all its namespaces, with words as [`NvmeDisk::from_text`] takes them. Its
    /// blocks are those of namespace 1.
    pub(crate) fn nvme(serial: &str, sectors: u64, words: &str) -> Self {
        Self::on(stamped(sectors), |cells| Firmware::nvme(serial, cells, words))
    }

    /// The same with no content, however large it is.
    pub(crate) fn blank(serial: &str, sectors: u64, words: &str) -> Self {
        let cells = file();
        cells.as_file().set_len(sectors * 512).unwrap();
        Self::on(cells, |cells| Firmware::sata(serial, cells, words))
    }

    fn on(cells: NamedTempFile, firmware: impl FnOnce(&Path) -> Firmware) -> Self {
        Self(Arc::new(Mutex::new(State {
            firmware: firmware(cells.path()),
            cells,
            log: Vec::new(),
            accesses: 0,
            writes: 0,
            time_out: Duration::ZERO,
            cut: None,
            off: false,
            claimed: false,
            bridge: None,
            luns: Vec::new(),
            unflushed: Vec::new(),
        })))
    }

    /// Other words for the same cells; the rest as `remembers` keeps it.
    pub(crate) fn become_another(&self, serial: &str, words: &str) {
        let mut state = self.lock();
        state.firmware = Firmware::sata(serial, state.cells.path(), words);
    }

    /// A USB bridge shows so many bytes of it, in blocks of this size, as one of so many logical units.
    pub(crate) fn behind_bridge(&self, bytes: u64, logical: u32, units: u64) {
        let mut state = self.lock();
        (state.bridge, state.luns) = (Some((bytes, logical)), (0..units).collect());
    }

    pub(crate) fn has_bridge(&self) -> bool {
        self.lock().bridge.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn cut(&self, cut: Cut) {
        self.lock().cut = Some(cut);
    }

    /// The supply is taken away and comes back. Of what was written since the last flush, the first `kept` writes stay.
    pub(crate) fn power_cut(&self, kept: usize) {
        let mut state = self.lock();
        state.lose(kept);
        state.firmware.power_cycle();
        (state.off, state.cut, state.claimed) = (false, None, false);
    }

    /// The same when everything is flushed.
    pub(crate) fn power_cycle(&self) {
        self.power_cut(usize::MAX);
    }

    pub(crate) fn log(&self) -> Vec<(u8, u8)> {
        self.lock().log.clone()
    }

    /// How often a command arrived.
    pub(crate) fn count(&self, command: u8) -> usize {
        self.lock().log.iter().filter(|(of, _)| *of == command).count()
    }

    pub(crate) fn writes(&self) -> usize {
        self.lock().writes
    }

    pub(crate) fn time_out(&self) -> Duration {
        self.lock().time_out
    }

    /// Every sector that it was made with, hidden ones too.
    pub(crate) fn cells(&self) -> Vec<u8> {
        std::fs::read(self.lock().cells.path()).unwrap()
    }

    /// Sectors that are as they were before the test.
    pub(crate) fn old_sectors(&self) -> usize {
        self.cells().chunks(512).filter(|sector| sector.iter().all(|byte| *byte == STAMP)).count()
    }

    /// IDENTIFY DEVICE data, asked for past the log and any cut.
    pub(crate) fn words(&self) -> [u8; 512] {
        let mut data = [0; 512];
        let answer = self.lock().sata().execute(&command((IDENTIFY, 0, 1, 0)), DataPhase::In(&mut data));
        assert_eq!(answer.status, 0, "the disk does not say what it is");
        data
    }

    fn word(&self, word: usize) -> u16 {
        let words = self.words();
        u16::from_le_bytes([words[2 * word], words[2 * word + 1]])
    }

    fn text(&self, words: std::ops::Range<usize>) -> String {
        let bytes: Vec<u8> = words.flat_map(|word| self.word(word).to_be_bytes()).collect();
        String::from_utf8(bytes).unwrap().trim().to_owned()
    }

    pub(crate) fn is_nvme(&self) -> bool {
        matches!(self.lock().firmware, Firmware::Nvme(_))
    }

    pub(crate) fn name(&self) -> Name {
        if self.is_nvme() {
            return self.name_of_controller();
        }
        Name { model: self.text(27..47), serial: self.text(10..20) }
    }

    /// Sectors that can be addressed now.
    pub(crate) fn visible(&self) -> u64 {
        if self.is_nvme() {
            return self.size_of_namespace();
        }
        let wide = (100..104).rev().fold(0, |sectors, word| sectors << 16 | u64::from(self.word(word)));
        if wide > 0 { wide } else { u64::from(self.word(61)) << 16 | u64::from(self.word(60)) }
    }

    pub(crate) fn has_password(&self) -> bool {
        self.word(128) & 2 != 0
    }

    pub(crate) fn is_locked(&self) -> bool {
        self.word(128) & 4 != 0
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.word(128) & 8 != 0
    }

    /// What somebody else sends: COMMAND, FEATURE, COUNT, LBA. Neither noted nor cut; whether it was accepted.
    pub(crate) fn send(&self, task: (u8, u8, u8, u64), data: DataPhase<'_>) -> bool {
        self.lock().sata().execute(&command(task), data).sense.last().is_some_and(|status| status & 1 == 0)
    }

    /// A command with a password that somebody else sends.
    pub(crate) fn send_password(&self, code: u8, password: &str) -> bool {
        let mut block = [0; 512];
        block[2..2 + password.len()].copy_from_slice(password.as_bytes());
        self.send((code, 0, 1, 0), DataPhase::Out(&block))
    }

    /// Somebody tries wrong passwords until the disk looks at none any more.
    pub(crate) fn expire(&self) {
        (0..5).for_each(|_| assert!(!self.send_password(0xf2, "no")));
        assert_ne!(self.word(128) & 16, 0);
    }

    /// Block erase, from somebody else; a failure may be left.
    pub(crate) fn begin_sanitize(&self) {
        if self.is_nvme() {
            return self.sanitize_controller();
        }
        assert!(self.send((SANITIZE, 0x12, 0x10, 0x426b_4572), DataPhase::None));
    }

    pub(crate) fn pass_time(&self, time: Duration) {
        self.lock().firmware.pass_time(time);
    }
}

/// ATA PASS-THROUGH (16): of 48 bits where it is a sanitize command. All but IDENTIFY DEVICE want their registers.
fn command((command, feature, count, lba): (u8, u8, u8, u64)) -> [u8; 16] {
    let l = lba.to_le_bytes();
    let extended = u8::from(command == SANITIZE);
    let check = u8::from(command != IDENTIFY) << 5;
    [0x85, 6 | extended, check, 0, feature, 0, count, l[3], l[0], l[4], l[1], l[5], l[2], 0x40, command, 0]
}

impl State {
    fn sata(&mut self) -> &mut SataDisk {
        match &mut self.firmware {
            Firmware::Sata(disk) => disk,
            Firmware::Nvme(_) => panic!("an NVMe drive takes no such commands"),
        }
    }

    /// The answer after its pause, which passes at once.
    fn answer(&mut self, cdb: &[u8], data: DataPhase<'_>, time_out: Duration) -> Result<Answer, CommandError> {
        let disk = self.sata();
        let answer = disk.execute(cdb, data);
        let (Pause::Busy(pause) | Pause::Hung(pause)) = answer.pause else { return Ok(answer) };
        disk.pass_time(pause.min(time_out));
        if pause > time_out {
            disk.recover();
            return Err(CommandError::TimedOut);
        }
        Ok(answer)
    }

    fn ata(&mut self, cdb: &[u8], data: DataPhase<'_>, time_out: Duration) -> Result<Answer, CommandError> {
        let (code, feature) = (cdb[14], cdb[4]);
        self.log.push((code, feature));
        if code == ERASE_UNIT {
            self.time_out = time_out;
        }
        self.go_off(Cut::Before(self.log.len()))?;
        if code == ERASE_UNIT || code == SANITIZE && feature != 0 {
            // An erasure leaves nothing in the cache.
            self.unflushed.clear();
        }
        let answer = self.answer(cdb, data, time_out);
        if (code, feature) == (SANITIZE, 0) {
            // A watcher lets so much go by before the next question; those of tests do not wait.
            self.sata().pass_time(POLL);
        }
        self.go_off(Cut::After(self.log.len()))?;
        answer
    }

    fn go_off(&mut self, now: Cut) -> Result<(), CommandError> {
        if self.cut == Some(now) {
            self.lose(0);
            self.off = true;
        }
        if self.off { Err(CommandError::Gone) } else { Ok(()) }
    }

    /// What was not flushed is as it was, but for the first so many writes.
    fn lose(&mut self, kept: usize) {
        let file: &File = self.cells.as_file();
        for (offset, before) in self.unflushed.drain(..).skip(kept).rev() {
            file.write_all_at(&before, offset).unwrap();
        }
    }
}

impl CommandPlane for Model {
    fn execute(&mut self, cdb: &[u8], mut data: Data<'_>, time_out: Duration) -> Result<Reply, CommandError> {
        let data = match &mut data {
            Data::None => DataPhase::None,
            Data::In(buf) => DataPhase::In(buf),
            Data::Out(buf) => DataPhase::Out(buf),
        };
        let mut state = self.lock();
        if state.off {
            return Err(CommandError::Gone);
        }
        let Answer { status, sense, transferred, .. } = if cdb[0] == 0x85 {
            state.ata(cdb, data, time_out)?
        } else {
            // The disk takes command blocks with zeros behind them.
            let mut padded = [0; 32];
            padded[..cdb.len()].copy_from_slice(cdb);
            state.answer(&padded, data, time_out)?
        };
        Ok(Reply { status, sense, transferred })
    }
}
