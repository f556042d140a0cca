//! How many sectors the disk shows: Host Protected Area (ATA8-ACS, 4.11, 7.33 and 7.54), Device Configuration Overlay
//! (7.9) and Accessible Max Address Configuration (ACS-3, 4.5 and 7.1).

use super::{
    SataDisk,
    identify::{number, sealed},
    options::Word,
    taskfile::{ABORTED, DONE, Ended, Registers, Taskfile},
};

/// Commands (ATA8-ACS, 7).
pub(super) const READ_NATIVE_MAX: u8 = 0xf8;
pub(super) const READ_NATIVE_MAX_EXT: u8 = 0x27;
pub(super) const SET_MAX: u8 = 0xf9;
pub(super) const SET_MAX_EXT: u8 = 0x37;
pub(super) const CONFIGURATION: u8 = 0xb1;
/// ACS-3, 7.1.
pub(super) const ACCESSIBLE_MAX: u8 = 0x78;

#[derive(Debug)]
pub(super) struct Limits {
    /// Sectors that it had when it was made, that it has without a Host Protected Area, and that can be addressed.
    pub(super) factory: u64,
    pub(super) native: u64,
    pub(super) visible: u64,
    /// What it shows after its next power-on, where a limit was not to outlast that.
    pub(super) lasting: u64,
    /// READ NATIVE MAX was the command before this one.
    pub(super) native_was_read: bool,
    /// A limit for good is taken once in a power cycle.
    limit_was_set: bool,
    /// SET ACCESSIBLE MAX ADDRESS is refused until the next power-on.
    frozen: bool,
}

impl Limits {
    pub(super) fn new(factory: u64, native: u64, visible: u64) -> Self {
        Self { factory, native, visible, lasting: visible, native_was_read: false, limit_was_set: false, frozen: false }
    }

    pub(super) fn power_on(&mut self) {
        self.visible = self.lasting;
        (self.native_was_read, self.limit_was_set, self.frozen) = (false, false, false);
    }
}

impl SataDisk {
    /// Lets so many sectors be addressed from now on, and after a power-on as well where that is asked for.
    fn show(&mut self, sectors: u64, lasting: bool) {
        self.limits.visible = sectors;
        self.limits.lasting = if lasting { sectors } else { self.limits.lasting };
        self.show_cells();
    }

    /// READ CAPACITY and the reach of every command are what a bridge makes of them.
    pub(super) fn show_cells(&mut self) {
        self.disk.show(self.options.bridge_shows.unwrap_or(self.limits.visible));
    }

    fn lies_about_limits(&self) -> bool {
        self.options.has(Word::Lies)
    }

    pub(super) fn read_native_max(&mut self, task: Taskfile) -> Ended {
        if self.options.has(Word::Amac) {
            return ABORTED;
        }
        self.limits.native_was_read = true;
        let native = self.options.states.unwrap_or(self.limits.native);
        let most = if task.command == READ_NATIVE_MAX { 0x0fff_ffff } else { u64::MAX };
        Ok(Registers { count: 0, lba: (native - 1).min(most) })
    }

    pub(super) fn set_max(&mut self, task: Taskfile, native_was_read: bool) -> Ended {
        let lasting = task.count & 1 == 1;
        let again = lasting && self.limits.limit_was_set;
        if !native_was_read || again || task.lba >= self.limits.native || self.security.locked {
            return ABORTED;
        }
        self.limits.limit_was_set |= lasting;
        self.was_changed = true;
        if !self.lies_about_limits() {
            self.show(task.lba + 1, lasting);
        }
        Ok(Registers { count: 0, lba: task.lba })
    }

    /// DEVICE CONFIGURATION RESTORE: it restores nothing while a Host Protected Area is set.
    pub(super) fn restore_configuration(&mut self) -> Ended {
        if self.limits.visible != self.limits.native || self.security.locked || self.options.has(Word::Amac) {
            return ABORTED;
        }
        self.was_changed = true;
        if !self.lies_about_limits() {
            self.limits.native = self.limits.factory;
            self.show(self.limits.factory, true);
        }
        DONE
    }

    /// GET NATIVE MAX ADDRESS EXT, SET ACCESSIBLE MAX ADDRESS EXT and FREEZE ACCESSIBLE MAX ADDRESS EXT. A limit is taken
    /// once in a power cycle and outlasts it.
    pub(super) fn accessible_max(&mut self, task: Taskfile) -> Ended {
        let refused = self.limits.frozen || self.security.locked;
        match task.features {
            0 => Ok(Registers { count: 0, lba: self.limits.native - 1 }),
            1 if !refused && !self.limits.limit_was_set && task.lba < self.limits.native => {
                (self.limits.limit_was_set, self.was_changed) = (true, true);
                if !self.lies_about_limits() {
                    self.show(task.lba + 1, true);
                }
                DONE
            }
            2 if !refused => {
                self.limits.frozen = true;
                DONE
            }
            _ => ABORTED,
        }
    }

    /// DEVICE CONFIGURATION IDENTIFY data (ATA8-ACS, 7.9.3.3).
    pub(super) fn configuration(&self) -> [u8; 512] {
        let mut words = [0_u16; 256];
        words[0] = 2;
        number(&mut words[3..7], self.options.states.unwrap_or(self.limits.factory) - 1);
        words[7] = 0x0004;
        words[255] = 0x00a5;
        sealed(&words)
    }
}
