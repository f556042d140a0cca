//! A drive behind SAT for the tests of this room: what HPA, DCO, AMAC, security and sanitize do to each other, power cuts
//! after any command, and drives that lie. It shares no code with the procedures but the trait.

use super::{Name, NotRecorded, Watcher};
use crate::scsi::{CommandError, CommandPlane, Data, Reply};
use std::{collections::HashSet, time::Duration};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lie {
    /// SET MAX, DCO RESTORE or SET ACCESSIBLE MAX succeeds and does nothing.
    LimitStays,
    /// SECURITY SET PASSWORD succeeds and does nothing.
    PasswordIgnored,
    /// SECURITY ERASE UNIT succeeds; nothing is erased, the password stays.
    EraseIgnored,
    /// Every erasure runs its course and succeeds; the cells stay as they were.
    CellsStay,
    /// SECURITY DISABLE PASSWORD succeeds and does nothing.
    DisableIgnored,
    /// A sanitize command is accepted; nothing happens, the status is what it was.
    SanitizeIgnored,
    /// A sanitize operation stops half-way and is neither in progress nor completed.
    SanitizeForgotten,
    /// A sanitize operation fails.
    SanitizeFails,
    /// A sanitize operation never moves.
    SanitizeStalls,
    /// The bridge answers without the registers.
    NoRegisters,
    /// The bridge answers with registers of zeros.
    ZeroRegisters,
    /// After the first command that changes something, another drive answers.
    Exchanged,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sanitize {
    Idle { completed: bool },
    Running { left: u8 },
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The last command has its effect; its answer is lost.
    After(usize),
    /// The last command has none.
    Before(usize),
}

#[derive(Debug)]
pub(crate) struct Fake {
    pub(crate) visible: u64,
    pub(crate) native: u64,
    pub(crate) factory: u64,
    pub(crate) lba48: bool,
    pub(crate) hpa: bool,
    pub(crate) dco: bool,
    pub(crate) amac: bool,
    pub(crate) password: Option<[u8; 32]>,
    pub(crate) locked: bool,
    pub(crate) frozen: bool,
    pub(crate) expired: bool,
    pub(crate) enhanced: bool,
    pub(crate) sanitize: Sanitize,
    pub(crate) sanitize_word: u16,
    pub(crate) sanitize_frozen: bool,
    pub(crate) sanitize_steps: u8,
    /// What lies in visible, hidden and reallocated sectors.
    pub(crate) data: [bool; 3],
    pub(crate) lies: HashSet<Lie>,
    pub(crate) cut: Option<Cut>,
    /// COMMAND and FEATURE of all that arrived.
    pub(crate) log: Vec<(u8, u8)>,
    pub(crate) time_out: Duration,
    pub(crate) prepared: bool,
    pub(crate) native_was_read: bool,
    pub(crate) set_max_done: bool,
    pub(crate) off: bool,
    pub(crate) other: bool,
}

struct Task {
    command: u8,
    feature: u8,
    count: u16,
    lba: u64,
}

/// ERROR, COUNT, LBA.
type Ended = Result<(u16, u64), (u8, u64)>;
const ABORTED: Ended = Err((0x04, 0));
const DONE: Ended = Ok((0, 0));

impl Fake {
    pub(crate) fn new() -> Self {
        Self {
            visible: 976_773_168,
            native: 976_773_168,
            factory: 976_773_168,
            lba48: true,
            hpa: true,
            dco: true,
            amac: false,
            password: None,
            locked: false,
            frozen: false,
            expired: false,
            enhanced: true,
            sanitize: Sanitize::Idle { completed: false },
            sanitize_word: 0xf000,
            sanitize_frozen: false,
            sanitize_steps: 3,
            data: [true; 3],
            lies: HashSet::new(),
            cut: None,
            log: Vec::new(),
            time_out: Duration::ZERO,
            prepared: false,
            native_was_read: false,
            set_max_done: false,
            off: false,
            other: false,
        }
    }

    pub(crate) fn lying(lie: Lie) -> Self {
        Self { lies: [lie].into(), ..Self::new() }
    }

    pub(crate) fn name() -> Name {
        Name { model: "MODE".to_owned(), serial: "SERI".to_owned() }
    }

    pub(crate) fn power_cycle(&mut self) {
        self.off = false;
        self.cut = None;
        self.locked = self.password.is_some();
        (self.frozen, self.expired, self.prepared, self.set_max_done) = (false, false, false, false);
        self.sanitize_frozen = false;
    }

    /// How often a command arrived.
    pub(crate) fn count(&self, command: u8) -> usize {
        self.log.iter().filter(|(of, _)| *of == command).count()
    }

    fn lies(&self, lie: Lie) -> bool {
        self.lies.contains(&lie)
    }

    pub(crate) fn words(&self) -> [u8; 512] {
        let mut data = [0; 512];
        let mut set = |word: usize, value: u16| data[2 * word..2 * word + 2].copy_from_slice(&value.to_le_bytes());
        let flag = |on: bool, bit: u32| u16::from(on) << bit;
        let enabled = self.password.is_some();
        set(59, self.sanitize_word);
        let capped = u32::try_from(self.visible.min(0x0fff_ffff)).unwrap().to_le_bytes();
        set(60, u16::from_le_bytes([capped[0], capped[1]]));
        set(61, u16::from_le_bytes([capped[2], capped[3]]));
        set(82, flag(true, 1) | flag(self.hpa, 10));
        set(83, 0x4000 | flag(self.lba48, 10) | flag(self.dco, 11));
        set(85, flag(enabled, 1));
        set(87, 0x4000);
        set(89, 60);
        let size = self.visible.to_le_bytes();
        if self.lba48 {
            for index in 0..4 {
                set(100 + index, u16::from_le_bytes([size[2 * index], size[2 * index + 1]]));
            }
        }
        set(119, 0x4000 | flag(self.amac, 8));
        let state = [(1, enabled), (2, self.locked), (3, self.frozen), (4, self.expired), (5, self.enhanced)];
        set(128, state.into_iter().fold(1, |word, (bit, on)| word | flag(on, bit)));
        data[20..24].copy_from_slice(if self.other { b"HTRE" } else { b"ESIR" });
        data[54..58].copy_from_slice(b"OMED");
        data
    }

    fn dco_data(&self) -> [u8; 512] {
        let mut data = [0; 512];
        data[6..14].copy_from_slice(&(self.factory - 1).to_le_bytes());
        data[510] = 0xa5;
        data[511] = data.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg();
        data
    }

    fn run(&mut self, task: &Task, data: &mut Data<'_>) -> Ended {
        let native_was_read = std::mem::take(&mut self.native_was_read);
        let prepared = std::mem::take(&mut self.prepared);
        if matches!(self.sanitize, Sanitize::Running { .. } | Sanitize::Failed) && !matches!(task.command, 0xec | 0xb4)
        {
            return ABORTED;
        }
        match (task.command, data) {
            (0xec, Data::In(buf)) => buf.copy_from_slice(&self.words()),
            (0xb1, Data::In(buf)) if self.dco && task.feature == 0xc2 => buf.copy_from_slice(&self.dco_data()),
            (0x27 | 0xf8, Data::None) if self.hpa => {
                self.native_was_read = true;
                return Ok((0, self.native - 1));
            }
            (0x37 | 0xf9, Data::None)
                if self.hpa && native_was_read && !self.set_max_done && task.lba < self.native =>
            {
                assert_eq!(task.count, 1, "non-volatile");
                self.set_max_done = true;
                self.limit(|fake| fake.visible = task.lba + 1);
            }
            (0xb1, Data::None) if self.dco && task.feature == 0xc0 && self.visible == self.native => {
                self.limit(|fake| (fake.visible, fake.native) = (fake.factory, fake.factory));
            }
            (0x78, Data::None) if self.amac && task.feature == 0 => return Ok((0, self.native - 1)),
            (0x78, Data::None) if self.amac && task.feature == 1 => self.limit(|fake| fake.visible = task.lba + 1),
            (0xf1..=0xf6, _) if self.frozen => return ABORTED,
            (0xf3, Data::None) => self.prepared = true,
            (0xf1 | 0xf2 | 0xf4 | 0xf6, Data::Out(block)) => return self.security(task.command, block, prepared),
            (0xb4, Data::None) => return self.sanitize(task),
            _ => return ABORTED,
        }
        DONE
    }

    fn limit(&mut self, change: impl FnOnce(&mut Self)) {
        if !self.lies(Lie::LimitStays) {
            change(self);
        }
        self.other |= self.lies(Lie::Exchanged);
    }

    fn security(&mut self, command: u8, block: &[u8], prepared: bool) -> Ended {
        let password: [u8; 32] = block[2..34].try_into().unwrap();
        if self.expired || (command != 0xf1 && self.password.is_some_and(|set| set != password)) {
            return ABORTED;
        }
        match command {
            0xf1 if self.locked => return ABORTED,
            0xf1 if !self.lies(Lie::PasswordIgnored) => self.password = Some(password),
            0xf2 => self.locked = false,
            0xf4 if !prepared || (block[0] & 2 != 0 && !self.enhanced) => return ABORTED,
            0xf4 if !self.lies(Lie::EraseIgnored) => {
                self.data = if block[0] & 2 == 0 { [false, self.data[1], self.data[2]] } else { [false; 3] };
                (self.password, self.locked) = (None, false);
            }
            0xf6 if self.locked => return ABORTED,
            0xf6 if !self.lies(Lie::DisableIgnored) => self.password = None,
            _ => {}
        }
        self.other |= self.lies(Lie::Exchanged);
        DONE
    }

    fn sanitize(&mut self, task: &Task) -> Ended {
        let key = match task.feature {
            0x11 => 0x4372_7970,
            0x12 => 0x426b_4572,
            0x14 => 0x4f57_0000_0000,
            _ => {
                if self.sanitize == Sanitize::Failed && task.count & 1 == 1 {
                    self.sanitize = Sanitize::Idle { completed: false };
                }
                return self.sanitize_status();
            }
        };
        if self.sanitize_frozen {
            return Err((0x04, 3));
        }
        if self.locked || task.lba != key || matches!(self.sanitize, Sanitize::Running { .. }) {
            return ABORTED;
        }
        self.other |= self.lies(Lie::Exchanged);
        if !self.lies(Lie::SanitizeIgnored) {
            self.sanitize = Sanitize::Running { left: self.sanitize_steps };
            if self.sanitize_steps == 0 {
                self.data = [false; 3];
                self.sanitize = Sanitize::Idle { completed: true };
            }
        }
        DONE
    }

    fn sanitize_status(&mut self) -> Ended {
        let frozen = u16::from(self.sanitize_frozen) << 13;
        match self.sanitize {
            Sanitize::Failed => Err((0x04, 1)),
            Sanitize::Idle { completed } => Ok((u16::from(completed) << 15 | frozen, 0)),
            Sanitize::Running { left } if self.lies(Lie::SanitizeStalls) => Ok((1 << 14, u64::from(left))),
            Sanitize::Running { left } => {
                self.sanitize = match left.saturating_sub(1) {
                    0 if self.lies(Lie::SanitizeFails) => Sanitize::Failed,
                    0 if self.lies(Lie::SanitizeForgotten) => Sanitize::Idle { completed: false },
                    0 => {
                        self.data = [false; 3];
                        Sanitize::Idle { completed: true }
                    }
                    left => Sanitize::Running { left },
                };
                Ok((1 << 14, 0x1_0000 - 0x1000 * u64::from(left)))
            }
        }
    }

    fn answer(&self, ended: Ended) -> Reply {
        let (error, status, count, lba) = match ended {
            Ok((count, lba)) => (0, 0x50, count, lba),
            Err((error, lba)) => (error, 0x51, 0, lba),
        };
        if ended.is_ok() && self.lies(Lie::NoRegisters) {
            return Reply { status: 0, sense: Vec::new(), transferred: 0 };
        }
        let zero = ended.is_ok() && self.lies(Lie::ZeroRegisters);
        let [low, high] = if zero { [0, 0] } else { count.to_le_bytes() };
        let [a, b, c, d, e, f, ..] = if zero { [0; 8] } else { lba.to_le_bytes() };
        let device = if self.lba48 { 0x40 } else { 0xe0 | d & 0xf };
        let sense = vec![
            0x72,
            if ended.is_ok() { 1 } else { 0x0b },
            0,
            0x1d,
            0,
            0,
            0,
            14,
            9,
            12,
            1,
            error,
            high,
            low,
            d,
            a,
            e,
            b,
            f,
            c,
            device,
            status,
        ];
        Reply { status: 2, sense, transferred: 0 }
    }
}

impl CommandPlane for Fake {
    fn execute(&mut self, cdb: &[u8], mut data: Data<'_>, time_out: Duration) -> Result<Reply, CommandError> {
        let cdb: &[u8; 16] = cdb.try_into().unwrap();
        assert_eq!(cdb[0], 0x85);
        let task = Task {
            command: cdb[14],
            feature: cdb[4],
            count: u16::from_be_bytes([cdb[5], cdb[6]]),
            lba: if cdb[1] & 1 == 1 {
                u64::from_le_bytes([cdb[8], cdb[10], cdb[12], cdb[7], cdb[9], cdb[11], 0, 0])
            } else {
                u64::from(u32::from_le_bytes([cdb[8], cdb[10], cdb[12], cdb[13] & 0xf]))
            },
        };
        if self.off {
            return Err(CommandError::Gone);
        }
        self.log.push((task.command, task.feature));
        if task.command == 0xf4 {
            self.time_out = time_out;
        }
        if self.cut == Some(Cut::Before(self.log.len())) {
            self.off = true;
            return Err(CommandError::Gone);
        }
        let ended = self.run(&task, &mut data);
        if self.cut == Some(Cut::After(self.log.len())) {
            self.off = true;
            return Err(CommandError::Gone);
        }
        Ok(match (ended, data) {
            (Ok(_), Data::In(buf)) => Reply { status: 0, sense: Vec::new(), transferred: buf.len() },
            (Ok(_), Data::Out(buf)) => Reply { status: 0, sense: Vec::new(), transferred: buf.len() },
            (ended, _) => self.answer(ended),
        })
    }
}

/// Keeps the record of the password; stops after so many questions; lets no time go by.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) announced: Vec<Name>,
    pub(crate) may_be_set: bool,
    pub(crate) refuses: bool,
    pub(crate) stops: bool,
    pub(crate) progress: Vec<Option<u16>>,
    pub(crate) slept: Duration,
}

impl Watcher for Record {
    fn before_password(&mut self, drive: &Name) -> Result<(), NotRecorded> {
        if self.refuses {
            return Err(NotRecorded("full".to_owned()));
        }
        self.announced.push(drive.clone());
        self.may_be_set = true;
        Ok(())
    }

    fn password_gone(&mut self) {
        self.may_be_set = false;
    }

    fn progress(&mut self, done: Option<u16>) {
        self.progress.push(done);
    }

    fn stop(&self) -> bool {
        self.stops
    }

    fn sleep(&mut self, time: Duration) {
        self.slept += time;
    }
}
