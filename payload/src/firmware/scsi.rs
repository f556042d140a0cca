//! SCSI sanitize. A drive that is idle says nothing of the last operation, so only one that was seen in progress, and
//! ends without an error, is completed.

use super::{
    Watcher,
    follow::{self, Left},
};
use crate::scsi::{
    CommandError, CommandPlane, Data, cdb,
    plane::CHECK_CONDITION,
    sanitize::{self, Action, Status},
    sense::{ILLEGAL_REQUEST, Sense},
};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(60);
/// Why a SCSI drive did not sanitize itself, as far as is proved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The drive says that it does not know the command, or refuses it as unknown.
    #[error("the drive does not offer {0}")]
    Unsupported(&'static str),
    /// One is running that was not started here.
    #[error("the drive is sanitizing already: wait for its end")]
    Busy,
    /// Asked to stop before anything was changed.
    #[error("stopped before anything was changed")]
    Stopped,
    /// Asked to stop while the drive works.
    #[error("no longer watched; the drive goes on sanitizing, over power cycles as well, and cannot be stopped")]
    Abandoned,
    /// No answer.
    #[error("{step} failed: {source}")]
    Command {
        /// Which.
        step: &'static str,
        /// Why.
        source: CommandError,
    },
    /// Another answer than was asked for.
    #[error("{step} ended with SCSI status {status:#04x}, sense {sense}")]
    Refused {
        /// Which.
        step: &'static str,
        /// SCSI status.
        status: u8,
        /// Key, code and qualifier.
        sense: String,
    },
    /// The drive could not do it.
    #[error(
        "the drive FAILED to sanitize itself: data may remain; {}",
        if *.left_failed_state { "it left the failed state and can be used, and destroyed" } else { "it stays in the failed state: destroy it" }
    )]
    Failed {
        /// Whether it could be brought back by the exit of failure mode.
        left_failed_state: bool,
    },
    /// It stopped moving, or does not end.
    #[error("the drive's sanitize operation has not moved, or not ended, for {}", humantime::format_duration(*.0))]
    Stalled(Duration),
    /// Another drive answers.
    #[error("another drive answers now: the connection is not to be trusted")]
    Exchanged,
}

/// The drive was seen sanitizing itself, and ended without an error. Only this module makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sanitized {
    action: Option<Action>,
}

impl Sanitized {
    /// What it was told to do; `None` for one found at work.
    pub fn action(&self) -> Option<Action> {
        self.action
    }
}

/// The end of an operation without an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Seen.
    Completed(Sanitized),
    /// Accepted, and idle at once: completion not observed.
    NotObserved(Action),
}

/// Starts an operation and follows it to its end. `action` is one of the three that erase.
///
/// # Errors
/// Anything but the drive's own success.
pub fn erase<P: CommandPlane>(plane: &mut P, action: Action, watcher: &mut dyn Watcher) -> Result<Outcome, Error> {
    if action == Action::ExitFailureMode || asked(plane, action) == Some(false) {
        return Err(Error::Unsupported(action.name()));
    }
    let before = identity(plane)?;
    if matches!(status(plane)?, Status::InProgress(_)) {
        return Err(Error::Busy);
    }
    if watcher.stop() {
        return Err(Error::Stopped);
    }
    start(plane, action)?;
    let seen = follow(plane, watcher)?;
    if identity(plane)? != before {
        return Err(Error::Exchanged);
    }
    Ok(if seen { Outcome::Completed(Sanitized { action: Some(action) }) } else { Outcome::NotObserved(action) })
}

/// Follows an operation that was found running at boot to its end; `None` where none runs.
///
/// # Errors
/// As [`erase`]; a failed state that was found is left as it is.
pub fn watch<P: CommandPlane>(plane: &mut P, watcher: &mut dyn Watcher) -> Result<Option<Sanitized>, Error> {
    match status(plane)? {
        Status::InProgress(_) => {
            follow(plane, watcher)?;
            Ok(Some(Sanitized { action: None }))
        }
        Status::Failed => Err(Error::Failed { left_failed_state: false }),
        Status::Idle | Status::Other(_) => Ok(None),
    }
}

/// How far a drive is that is found sanitizing itself, in 65,536ths where it says so; `None` of any other.
pub fn at_work<P: CommandPlane>(plane: &mut P) -> Option<Option<u16>> {
    match status(plane) {
        Ok(Status::InProgress(progress)) => Some(progress),
        _ => None,
    }
}

/// What the drive says that it can sanitize itself by.
pub fn offered<P: CommandPlane>(plane: &mut P) -> Vec<Action> {
    let all = [Action::Overwrite, Action::BlockErase, Action::CryptographicErase];
    all.into_iter().filter(|action| offers(plane, *action)).collect()
}

/// Whether the drive says that it knows the command.
pub fn offers<P: CommandPlane>(plane: &mut P, action: Action) -> bool {
    asked(plane, action) == Some(true)
}

/// Whether the drive knows the command; `None` where it does not say.
fn asked<P: CommandPlane>(plane: &mut P, action: Action) -> Option<bool> {
    let mut answer = [0; 64];
    let reply = plane.execute(&sanitize::ask_support(action), Data::In(&mut answer), TIMEOUT).ok()?;
    (reply.status == 0).then(|| sanitize::supported(answer.get(..reply.transferred)?)).flatten()
}

fn start<P: CommandPlane>(plane: &mut P, action: Action) -> Result<(), Error> {
    let step = action.name();
    let data = match sanitize::parameters(action) {
        [] => Data::None,
        parameters => Data::Out(parameters),
    };
    let reply =
        plane.execute(&sanitize::cdb(action), data, TIMEOUT).map_err(|source| Error::Command { step, source })?;
    match (reply.status, Sense::parse(&reply.sense)) {
        (0, _) => Ok(()),
        (CHECK_CONDITION, Some(Sense { key: ILLEGAL_REQUEST, .. })) => Err(Error::Unsupported(step)),
        (status, sense) => Err(Error::Refused { step, status, sense: text(sense) }),
    }
}

fn text(sense: Option<Sense>) -> String {
    sense.map_or_else(
        || "none".to_owned(),
        |sense| format!("key {:x}h, code {:02x}h/{:02x}h", sense.key, sense.asc, sense.ascq),
    )
}

fn status<P: CommandPlane>(plane: &mut P) -> Result<Status, Error> {
    let step = "REQUEST SENSE";
    let mut answer = [0; 252];
    let reply = plane
        .execute(&sanitize::request_sense(true), Data::In(&mut answer), TIMEOUT)
        .map_err(|source| Error::Command { step, source })?;
    // Sense data come as data from a drive that answers, and with the status of one that is not ready.
    let bytes = if reply.status == 0 { answer.get(..reply.transferred).unwrap_or(&answer) } else { &reply.sense };
    sanitize::status(bytes).ok_or_else(|| Error::Refused { step, status: reply.status, sense: "none".to_owned() })
}

/// Asks until nothing is in progress; `Ok` says whether anything was.
fn follow<P: CommandPlane>(plane: &mut P, watcher: &mut dyn Watcher) -> Result<bool, Error> {
    let ask = || match status(plane) {
        Ok(Status::InProgress(progress)) => follow::Answer::Working(progress),
        Ok(Status::Idle) => follow::Answer::Ended,
        Ok(Status::Failed) => {
            let left = start(plane, Action::ExitFailureMode).is_ok();
            let left_failed_state = left && status(plane).is_ok_and(|status| status != Status::Failed);
            follow::Answer::Over(Error::Failed { left_failed_state })
        }
        // A unit attention, a reset, a drive that spins up: it says nothing of the operation.
        Ok(Status::Other(sense)) => {
            follow::Answer::Silent(Error::Refused { step: "REQUEST SENSE", status: 0, sense: text(Some(sense)) })
        }
        Err(error) => follow::Answer::Silent(error),
    };
    follow::follow(watcher, ask).map_err(|left| match left {
        Left::Error(error) => error,
        Left::Stalled(time) => Error::Stalled(time),
        Left::Abandoned(_) => Error::Abandoned,
    })
}

/// Vendor, model, revision, and the serial number where there is one.
fn identity<P: CommandPlane>(plane: &mut P) -> Result<[[u8; 36]; 2], Error> {
    let mut answers = [[0; 36]; 2];
    let [standard, serial] = &mut answers;
    let step = "INQUIRY";
    let reply = plane
        .execute(&cdb::inquiry(36), Data::In(standard), TIMEOUT)
        .map_err(|source| Error::Command { step, source })?;
    if reply.status != 0 {
        return Err(Error::Refused { step, status: reply.status, sense: text(Sense::parse(&reply.sense)) });
    }
    // A drive without a serial number refuses the page.
    if plane.execute(&cdb::vital_product_data(0x80, 36), Data::In(serial), TIMEOUT).map_or(1, |reply| reply.status) != 0
    {
        *serial = [0; 36];
    }
    // What comes before the names says how the drive is at the moment.
    standard[..8].fill(0);
    Ok(answers)
}

#[cfg(test)]
#[path = "scsi_tests.rs"]
mod tests;
