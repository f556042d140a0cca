//! A SATA disk behind a SCSI-to-ATA translation: what it hides, locks and erases, and how it fails or lies. Its cells are a
//! file with every sector it ever had, shown or not.

mod faults;
mod identify;
mod limits;
mod logs;
mod options;
mod sanitize;
mod security;
mod smart;
mod state;
mod taskfile;

use crate::{
    cells::{self, Fill},
    file_disk::{FileDisk, failed},
    target::{Answer, DataPhase, Pause, Target},
};
use anyhow::{Context, Result, ensure};
use identify::IDENTIFY;
use limits::{ACCESSIBLE_MAX, CONFIGURATION, Limits, READ_NATIVE_MAX, READ_NATIVE_MAX_EXT, SET_MAX, SET_MAX_EXT};
use logs::READ_LOG_EXT;
use options::{Options, Word};
use sanitize::{SANITIZE, Sanitize};
use security::{DISABLE_PASSWORD, SET_PASSWORD, Security};
use smart::{Health, SMART};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use taskfile::{ABORTED, DONE, Ended, Registers, Taskfile, returned};

/// CHECK POWER MODE.
const CHECK_POWER: u8 = 0xe5;
/// How long a command that hangs keeps the initiator waiting: longer than Linux waits (30 s).
const HANG: Duration = Duration::from_secs(40);

/// A modelled SATA disk.
#[derive(Debug)]
pub struct SataDisk {
    options: Options,
    disk: FileDisk,
    limits: Limits,
    security: Security,
    sanitize: Sanitize,
    health: Health,
    /// Sectors that cannot be read until they are written, and that cannot be written.
    bad: BTreeSet<u64>,
    unwritable: BTreeSet<u64>,
    /// A command that erases was taken since the program started.
    erase_was_begun: bool,
    /// A command that changes the disk was.
    was_changed: bool,
    capacity_is_lost: bool,
    /// A reset ended the hang, until the next power-on.
    has_recovered: bool,
    /// How long the answer of the command that runs is kept back.
    pause: Pause,
    /// Time that never passed, see [`SataDisk::pass_time`].
    skew: Duration,
    /// What the state file holds.
    remembered: String,
}

impl SataDisk {
    /// `SERIAL=PATH` and words behind it, with commas between.
    ///
    /// | Word | The disk |
    /// |---|---|
    /// | `hpa=SECTORS` | shows so many before a Host Protected Area |
    /// | `dco=SECTORS` | has so many before a Device Configuration Overlay |
    /// | `amac` | has Accessible Max Address Configuration instead of both; `hpa` is then its limit |
    /// | `no-dco` | has no overlay, nor commands for one |
    /// | `28-bit` | has no commands of 48 bits |
    /// | `bridge-shows=SECTORS` | is shown with so many by what it is connected through, whatever it says of itself |
    /// | `states=SECTORS` | states so many, without its Host Protected Area and from the factory, whatever it has |
    /// | `security` | has the security feature set |
    /// | `enhanced` | … with the enhanced erase, which writes A5h over all cells |
    /// | `frozen` | … frozen by the firmware until the first `power-cycle` |
    /// | `password=TEXT` | … with a user password set, level high, unlocked |
    /// | `locked=TEXT` | … with a user password set, level high, locked |
    /// | `erase-seconds=N` | needs so long for SECURITY ERASE UNIT (0) |
    /// | `sanitize` | has the sanitize feature set: overwrite, block erase (zeros), crypto scramble (noise) |
    /// | `no-block-erase` | … without block erase |
    /// | `erased-ones` | … whose block erase leaves ones |
    /// | `sanitize-seconds=N` | needs so long for it (2) |
    /// | `sanitize-fails` | fails at the end of that time |
    /// | `ssd` | does not rotate, and knows TRIM |
    /// | `smart` | has SMART |
    /// | `temperature=C`, `reallocated=N`, `pending=N` | … with these in attributes 194 (35), 5 and 196, 197 and 198 |
    /// | `temperature-limit=C` | … with a Device Statistics log that says up to which temperature it may work |
    /// | `degrades` | … wears out a sector for each 2048 written |
    /// | `failing` | … says that a threshold was crossed |
    /// | `bad=LBA` | cannot read that sector until it is written (any number of them) |
    /// | `unwritable=LBA` | cannot write it (any number of them) |
    /// | `hangs=OPCODE` | aborts that ATA command (hexadecimal) after 40 s, unless it is reset while it hangs: then it works |
    /// | `remembers` | keeps its state in `PATH.state` when this program ends |
    /// | `lies` | lifts no limit and says that it did |
    /// | `idle-sanitize` | takes a sanitize command and does nothing; its last one always went well |
    /// | `sanitize-ignored` | takes a sanitize command and does nothing |
    /// | `sanitize-forgotten` | stops half-way: neither in progress nor completed |
    /// | `sanitize-erases-nothing` | shows progress and success and changes no cell |
    /// | `erase-erases-nothing` | the same of SECURITY ERASE UNIT |
    /// | `erase-skips-hidden` | SECURITY ERASE UNIT leaves the last 2048 sectors |
    /// | `freeze-accepted` | says that it froze and did not |
    /// | `password-ignored` | says that it set a password and did not |
    /// | `password-stays` | keeps its password after an erase |
    /// | `disable-ignored` | says that it removed its password and did not |
    /// | `zero-registers` | returns registers of zeros for what goes well |
    /// | `no-registers` | loses the registers: fixed sense data, or GOOD with `no-registers=good` |
    /// | `wrong-serial=TEXT` | is called that after the first command that erases |
    /// | `exchanged=TEXT` | is called that after the first command that lifts a limit, sets a password or erases |
    /// | `capacity-zero-after-erase` | has no capacity after one until the next power-on |
    ///
    /// # Errors
    /// Where a word is unknown, the sectors do not fit each other, or a file cannot be read.
    pub fn from_text(text: &str) -> Result<Self> {
        let options = Options::parse(text)?;
        let disk = FileDisk::open(&options.serial, &options.path)
            .with_context(|| format!("opening {}", options.path.display()))?;
        let factory = disk.blocks();
        let native = options.dco.unwrap_or(factory);
        let visible = options.hpa.unwrap_or(native);
        ensure!(visible > 0 && visible <= native && native <= factory, "{visible}, {native} and {factory} sectors");
        let shown = options.bridge_shows.unwrap_or(visible);
        ensure!(shown > 0 && shown <= factory, "{shown} sectors of {factory} behind a bridge");
        let mut made = Self {
            disk,
            limits: Limits::new(factory, native, visible),
            security: Security::new(&options),
            sanitize: Sanitize::new(options.has(Word::IdleSanitize)),
            health: Health::new(&options),
            bad: options.bad.clone(),
            unwritable: options.unwritable.clone(),
            erase_was_begun: false,
            was_changed: false,
            capacity_is_lost: false,
            has_recovered: false,
            pause: Pause::None,
            skew: Duration::ZERO,
            remembered: String::new(),
            options,
        };
        made.remember_from_before()?;
        made.show_cells();
        Ok(made)
    }

    /// Lets time pass for the disk alone, so that a test need not wait.
    pub fn pass_time(&mut self, time: Duration) {
        self.skew += time;
        self.settle();
    }

    fn now(&self) -> Instant {
        Instant::now() + self.skew
    }

    fn run(&mut self, task: Taskfile, data: &mut DataPhase<'_>) -> Ended {
        let native_was_read = std::mem::take(&mut self.limits.native_was_read);
        let prepared = std::mem::take(&mut self.security.prepared);
        let has = |word| self.options.has(word);
        if self.options.hangs == Some(task.command) && !self.has_recovered {
            self.pause = Pause::Hung(HANG);
            return ABORTED;
        }
        // What a disk does while it sanitizes (ACS-3, table 11).
        if self.sanitize.holds_the_medium() && !matches!(task.command, IDENTIFY | SANITIZE | SMART | CHECK_POWER) {
            return ABORTED;
        }
        if self.options.lacks(task.command) {
            return ABORTED;
        }
        match (task.command, data) {
            (IDENTIFY, DataPhase::In(buf)) => fill_sector(buf, &self.identify()),
            (READ_LOG_EXT, data) if task.extended => self.read_log(task, data),
            (SMART, data) if has(Word::Smart) => self.smart_command(task, data),
            (SANITIZE, DataPhase::None) if has(Word::Sanitize) => self.sanitize_command(task),
            (SET_PASSWORD..=DISABLE_PASSWORD, data) if has(Word::Security) => {
                self.security_command(task, data, prepared)
            }
            (CONFIGURATION, DataPhase::In(buf)) if task.feature() == 0xc2 && !has(Word::Amac) => {
                fill_sector(buf, &self.configuration())
            }
            (CONFIGURATION, DataPhase::None) if task.feature() == 0xc0 => self.restore_configuration(),
            (READ_NATIVE_MAX | READ_NATIVE_MAX_EXT, DataPhase::None) => self.read_native_max(task),
            (SET_MAX | SET_MAX_EXT, DataPhase::None) => self.set_max(task, native_was_read),
            (ACCESSIBLE_MAX, DataPhase::None) if has(Word::Amac) => self.accessible_max(task),
            // DATA SET MANAGEMENT.
            (0x06, DataPhase::Out(ranges)) if has(Word::Ssd) && !self.security.locked && task.features & 1 == 1 => {
                if self.trim(ranges) {
                    DONE
                } else {
                    ABORTED
                }
            }
            // FLUSH CACHE (EXT), CHECK POWER MODE: active.
            (0xe7 | 0xea, DataPhase::None) => DONE,
            (CHECK_POWER, DataPhase::None) => Ok(Registers { count: 0xff, lba: 0 }),
            _ => ABORTED,
        }
    }

    /// The answer of a command of SCSI's own.
    fn execute_scsi(&mut self, cdb: &[u8], mut data: DataPhase<'_>) -> Answer {
        if let Some(answer) = self.medium_command(cdb, &mut data) {
            return answer;
        }
        if let (Some(0x12), DataPhase::In(buf)) = (cdb.first(), &mut data) {
            let Some(page) = self.inquiry(cdb) else { return failed((5, 0x24, 0)) };
            let len = page.len().min(buf.len());
            buf[..len].copy_from_slice(&page[..len]);
            return Answer::good(len);
        }
        self.disk.execute(cdb, data)
    }

    /// The answer of an ATA command, with its registers where the initiator wants them or needs them.
    fn execute_ata(&mut self, task: Taskfile, mut data: DataPhase<'_>) -> Answer {
        let len = match &data {
            DataPhase::In(buf) => buf.len(),
            DataPhase::Out(buf) => buf.len(),
            DataPhase::None => 0,
        };
        let ended = self.run(task, &mut data);
        let pause = std::mem::take(&mut self.pause);
        let transferred = if ended.is_ok() { len } else { 0 };
        let good = Answer { pause, ..Answer::good(transferred) };
        let lost = self.options.has(Word::NoRegisters);
        let zero = self.options.has(Word::ZeroRegisters);
        let sense = match ended {
            Ok(_) if !task.check || self.options.has(Word::GoodWithoutRegisters) => return good,
            Ok(_) if lost => failed((1, 0, 0x1d)).sense,
            Err(_) if lost => failed((0xb, 0, 0)).sense,
            Ok(_) if zero => returned(task, DONE),
            _ => returned(task, ended),
        };
        Answer { status: 2, sense, ..good }
    }
}

impl Target for SataDisk {
    fn execute(&mut self, cdb: &[u8], data: DataPhase<'_>) -> Answer {
        self.settle();
        let answer = match taskfile::parse(cdb) {
            Some(task) => self.execute_ata(task, data),
            None => self.execute_scsi(cdb, data),
        };
        self.remember();
        answer
    }

    fn power_cycle(&mut self) {
        self.settle();
        self.interrupt_erase();
        self.limits.power_on();
        self.security.power_on();
        let now = self.now();
        self.sanitize.power_on(now);
        self.health.power_cycles += 1;
        (self.capacity_is_lost, self.has_recovered) = (false, false);
        self.show_cells();
        self.remember();
    }

    fn recover(&mut self) {
        self.has_recovered = true;
    }

    fn settle(&mut self) {
        self.settle_erase();
        self.settle_sanitize();
        self.remember();
    }

    fn set(&mut self, name: &str, value: u64) -> Result<()> {
        self.set_number(name, value)?;
        self.remember();
        Ok(())
    }
}

impl SataDisk {
    /// Fills the first sectors. The disk has its own means for sectors that are bad, so that they are good afterwards.
    fn fill(&mut self, sectors: u64, fill: Fill) -> bool {
        self.remap(0, sectors);
        cells::fill(&self.disk, &self.options.serial, 0..sectors, fill)
    }
}

fn fill_sector(buf: &mut [u8], sector: &[u8; 512]) -> Ended {
    let Some(buf) = buf.get_mut(..512) else { return ABORTED };
    buf.copy_from_slice(sector);
    DONE
}

#[cfg(test)]
mod tests;
