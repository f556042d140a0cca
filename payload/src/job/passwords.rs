//! The published password that a security erase sets for its time: whatever interrupts one, the log says which drive may
//! have it, and the next run takes it away again or says that it is there.

use super::{claim::Opener, status::Log};
use crate::{
    ata::{AtaDrive, security::PASSWORD_TEXT},
    discover::Drive,
    drive::Access,
    firmware::{
        Name, NotRecorded, Watcher,
        security::{self, Recovered},
    },
    journal::{bounded::Text, event::Event, replay::PasswordHistory},
};
use std::{thread, time::Duration};

/// What a person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It is over.
    Note(String),
    /// It is not.
    Problem(String),
}

/// Takes the password from every drive here that may have it by the log. A drive that is not here keeps its entry.
pub fn recover(
    known: &[PasswordHistory],
    drives: &[Drive],
    opener: &dyn Opener,
    log: &Log,
    tell: &mut dyn FnMut(Word),
) {
    for password in known {
        let name = Name { model: password.model.clone(), serial: password.serial.clone() };
        let of_it = |drive: &&Drive| drive.ata.as_ref().is_some_and(|ata| Name::of(ata) == name);
        let word = match drives.iter().find(of_it) {
            Some(drive) => open(&name, drive, opener, log),
            None => Word::Problem(format!(
                "{name} is not among the drives of this run and may have the user password \"{PASSWORD_TEXT}\" since an erase of it was interrupted: \
                 connect it and start again, or use `hdparm --user-master u --security-unlock {PASSWORD_TEXT}` and \
                 `hdparm --user-master u --security-disable {PASSWORD_TEXT}`"
            )),
        };
        tell(word);
    }
}

fn open(name: &Name, drive: &Drive, opener: &dyn Opener, log: &Log) -> Word {
    let problem = |why: &dyn std::fmt::Display| {
        Word::Problem(format!(
            "{name} may have the user password \"{PASSWORD_TEXT}\", which could not be removed: {why}"
        ))
    };
    let plane = match opener.commands(drive, Access::ReadWrite) {
        Ok(Some(plane)) => plane,
        Ok(None) => return problem(&"the drive takes no commands here"),
        Err(why) => return problem(&why),
    };
    let mut noted = Noted { log, name, error: None };
    match security::recover(&mut AtaDrive::new(plane), name, &mut noted) {
        Err(error) => problem(&error),
        Ok(_) if noted.error.is_some() => problem(&noted.error.unwrap_or_default()),
        Ok(Recovered::NotSet) => Word::Note(format!("{name}: an erase of it was interrupted; it has no password")),
        Ok(Recovered::Removed) => {
            Word::Note(format!("{name}: an erase of it was interrupted; the password that was left on it is removed"))
        }
    }
}

struct Noted<'a> {
    log: &'a Log,
    name: &'a Name,
    error: Option<String>,
}

impl Watcher for Noted<'_> {
    fn before_password(&mut self, _: &Name) -> Result<(), NotRecorded> {
        Err(NotRecorded("no password is set to remove one".into()))
    }

    fn password_gone(&mut self) {
        let (model, serial) = (Text::new(&self.name.model), Text::new(&self.name.serial));
        if let Err(error) = self.log.append(&Event::PasswordGone { model, serial }) {
            self.error = Some(format!("the log could not be written: {error}"));
        }
    }

    fn progress(&mut self, _: Option<u16>) {}

    fn stop(&self) -> bool {
        false
    }

    fn sleep(&mut self, time: Duration) {
        thread::sleep(time);
    }
}
