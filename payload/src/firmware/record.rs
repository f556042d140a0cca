//! The watcher of the tests of this room.

use super::{Name, NotRecorded, Watcher};
use std::time::Duration;

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
