//! ATA sanitize. The drive works alone, over power cycles, and answers hardly anything else meanwhile. A drive that is
//! idle says "completed" of whatever was last, so nothing but a state that was seen to change proves anything.

use super::{
    Name, Watcher,
    follow::{self, Left},
};
use crate::{
    ata::{
        AtaDrive, AtaError,
        abilities::SanitizeAbilities,
        sanitize::{self, Action, Refusal, Status},
    },
    scsi::CommandPlane,
};
use std::time::Duration;

/// Why a drive did not sanitize itself, as far as is proved.
#[derive(Debug, thiserror::Error)]
pub enum SanitizeError {
    /// No sanitize feature set.
    #[error("the drive has no sanitize feature set")]
    Unsupported,
    /// Not this action.
    #[error("the drive does not offer {0}")]
    ActionUnsupported(&'static str),
    /// Security is locked.
    #[error("the drive is locked with a password and refuses to sanitize: unlock it first")]
    Locked,
    /// Frozen.
    #[error("the drive's sanitize commands are frozen: switch the drive's power off and on, then try again")]
    Frozen,
    /// One is running that was not started here.
    #[error("the drive is sanitizing already ({}): wait for its end", percent(*.0))]
    Busy(u16),
    /// Asked to stop before anything was changed.
    #[error("stopped before anything was changed")]
    Stopped,
    /// Asked to stop while the drive works.
    #[error("no longer watched; the drive goes on sanitizing ({}), over power cycles as well, and cannot be stopped", percent(*.0))]
    Abandoned(u16),
    /// The drive refused to start.
    #[error("the drive refuses {action}: {reason}")]
    Refused {
        /// Which command.
        action: &'static str,
        /// Why.
        reason: Refusal,
    },
    /// A command failed.
    #[error("{step} failed: {source}")]
    Command {
        /// Which.
        step: &'static str,
        /// Why.
        source: AtaError,
    },
    /// The drive could not do it.
    #[error(
        "the drive FAILED to sanitize itself: data may remain; {}",
        if *.left_failed_state { "it left the failed state and can be used, and destroyed" } else { "it stays in the failed state and refuses everything but another sanitize: destroy it" }
    )]
    Failed {
        /// Whether the drive could be brought back by the exit of failure mode.
        left_failed_state: bool,
    },
    /// In progress, then neither in progress nor completed.
    #[error("the drive ended its sanitize operation without saying that it succeeded: nothing is proved to be erased")]
    NotCompleted,
    /// It stopped moving, or does not end.
    #[error("the drive's sanitize operation has not moved, or not ended, for {}", humantime::format_duration(*.0))]
    Stalled(Duration),
    /// Another drive answers.
    #[error("another drive answers now: the connection is not to be trusted")]
    Exchanged,
}

fn percent(progress: u16) -> String {
    format!("{} %", u32::from(progress) * 100 / 65_536)
}

/// What was seen of a completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// It was in progress, then completed.
    SeenInProgress,
    /// Before the command the drive said that nothing had completed, after it that it has.
    SeenToChange,
}

/// The drive was seen to carry out a sanitize operation and to complete it. It does not say that the data are gone: a
/// reading must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sanitized {
    action: Option<Action>,
    evidence: Evidence,
}

impl Sanitized {
    /// What it was told to do; `None` where it was found at work, which does not say what work.
    pub fn action(&self) -> Option<Action> {
        self.action
    }

    /// What was seen.
    pub fn evidence(&self) -> Evidence {
        self.evidence
    }
}

/// The end of an operation that the drive calls a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Seen.
    Completed(Sanitized),
    /// The command was accepted and the drive was idle at once, with a success that it had claimed before: completion not
    /// observed. Quick drives do this, and so do drives that do nothing.
    NotObserved(Action),
}

/// Starts an operation and follows it to its end.
///
/// # Errors
/// Anything but a success, by the drive's own word.
pub fn erase<P: CommandPlane>(
    drive: &mut AtaDrive<P>,
    action: Action,
    watcher: &mut dyn Watcher,
) -> Result<Outcome, SanitizeError> {
    let (identify, abilities) = drive.abilities().map_err(command("IDENTIFY DEVICE"))?;
    gate(abilities.sanitize, action)?;
    if abilities.security.is_some_and(|security| security.locked) {
        return Err(SanitizeError::Locked);
    }
    let before = match status(drive)? {
        // A new operation is the regular way out of the failed state.
        Answer::Failed => None,
        Answer::Status(Status { in_progress: true, progress, .. }) => return Err(SanitizeError::Busy(progress)),
        Answer::Status(Status { frozen: true, .. }) => return Err(SanitizeError::Frozen),
        Answer::Status(status) => Some(status),
    };
    if watcher.stop() {
        return Err(SanitizeError::Stopped);
    }
    let registers = drive.outcome(&sanitize::start(action)).map_err(command(action.name()))?;
    if registers.failed() {
        return Err(SanitizeError::Refused { action: action.name(), reason: Refusal::parse(&registers) });
    }
    let seen = follow(drive, watcher)?;
    let (after, _) = drive.abilities().map_err(command("IDENTIFY DEVICE"))?;
    if Name::of(&after) != Name::of(&identify) {
        return Err(SanitizeError::Exchanged);
    }
    let evidence = match (seen, before) {
        (true, _) => Evidence::SeenInProgress,
        (false, None | Some(Status { completed: false, .. })) => Evidence::SeenToChange,
        (false, Some(_)) => return Ok(Outcome::NotObserved(action)),
    };
    Ok(Outcome::Completed(Sanitized { action: Some(action), evidence }))
}

/// OVERWRITE EXT with zeros, once: what NIST SP 800-88 Rev. 1 asks for (table A-5).
pub fn overwrite<P: CommandPlane>(
    drive: &mut AtaDrive<P>,
    watcher: &mut dyn Watcher,
) -> Result<Outcome, SanitizeError> {
    erase(drive, Action::Overwrite { pattern: 0, passes: sanitize::Passes::ONE, invert: false }, watcher)
}

/// BLOCK ERASE EXT.
pub fn block_erase<P: CommandPlane>(
    drive: &mut AtaDrive<P>,
    watcher: &mut dyn Watcher,
) -> Result<Outcome, SanitizeError> {
    erase(drive, Action::BlockErase, watcher)
}

/// CRYPTO SCRAMBLE EXT.
pub fn crypto_scramble<P: CommandPlane>(
    drive: &mut AtaDrive<P>,
    watcher: &mut dyn Watcher,
) -> Result<Outcome, SanitizeError> {
    erase(drive, Action::CryptoScramble, watcher)
}

/// Follows an operation that was found running (after a power cut, at boot) to its end. `None` where none runs: what the
/// drive says of the last one proves nothing then.
///
/// # Errors
/// As [`erase`].
pub fn watch<P: CommandPlane>(
    drive: &mut AtaDrive<P>,
    watcher: &mut dyn Watcher,
) -> Result<Option<Sanitized>, SanitizeError> {
    match status(drive)? {
        // It may be another's operation that failed: its state is not ours to clear.
        Answer::Failed => Err(SanitizeError::Failed { left_failed_state: false }),
        Answer::Status(Status { in_progress: false, .. }) => Ok(None),
        Answer::Status(_) => {
            follow(drive, watcher)?;
            Ok(Some(Sanitized { action: None, evidence: Evidence::SeenInProgress }))
        }
    }
}

/// How far an operation is that runs now, in 65,536ths; `None` where none does, or nothing is said of it.
pub fn at_work<P: CommandPlane>(drive: &mut AtaDrive<P>) -> Option<u16> {
    match status(drive) {
        Ok(Answer::Status(Status { in_progress: true, progress, .. })) => Some(progress),
        _ => None,
    }
}

fn gate(abilities: Option<SanitizeAbilities>, action: Action) -> Result<(), SanitizeError> {
    let abilities = abilities.ok_or(SanitizeError::Unsupported)?;
    let offered = match action {
        Action::CryptoScramble => abilities.crypto_scramble,
        Action::BlockErase => abilities.block_erase,
        Action::Overwrite { .. } => abilities.overwrite,
    };
    if offered { Ok(()) } else { Err(SanitizeError::ActionUnsupported(action.name())) }
}

fn command(step: &'static str) -> impl FnOnce(AtaError) -> SanitizeError {
    move |source| SanitizeError::Command { step, source }
}

enum Answer {
    Status(Status),
    Failed,
}

fn status<P: CommandPlane>(drive: &mut AtaDrive<P>) -> Result<Answer, SanitizeError> {
    let step = "SANITIZE STATUS EXT";
    let registers = drive.outcome(&sanitize::status()).map_err(command(step))?;
    if registers.failed() {
        return match Refusal::parse(&registers) {
            Refusal::Failed => Ok(Answer::Failed),
            reason => Err(SanitizeError::Refused { action: step, reason }),
        };
    }
    Status::parse(&registers).map(Answer::Status).ok_or(SanitizeError::Command { step, source: AtaError::NoRegisters })
}

/// Asks until nothing is in progress; `Ok` says whether anything was, and that the drive calls it a success.
fn follow<P: CommandPlane>(drive: &mut AtaDrive<P>, watcher: &mut dyn Watcher) -> Result<bool, SanitizeError> {
    let ask = || match status(drive) {
        Ok(Answer::Failed) => follow::Answer::Over(failed(drive)),
        Ok(Answer::Status(Status { in_progress: true, progress, .. })) => follow::Answer::Working(Some(progress)),
        Ok(Answer::Status(Status { completed: true, .. })) => follow::Answer::Ended,
        Ok(Answer::Status(_)) => follow::Answer::Over(SanitizeError::NotCompleted),
        Err(error) => follow::Answer::Silent(error),
    };
    follow::follow(watcher, ask).map_err(|left| match left {
        Left::Error(error) => error,
        Left::Stalled(time) => SanitizeError::Stalled(time),
        Left::Abandoned(progress) => SanitizeError::Abandoned(progress.unwrap_or(0)),
    })
}

/// Tries to bring a drive back that failed; whether that works, nothing is erased.
fn failed<P: CommandPlane>(drive: &mut AtaDrive<P>) -> SanitizeError {
    let left = drive.outcome(&sanitize::clear_failed()).is_ok_and(|registers| !registers.failed());
    let left_failed_state = left && matches!(status(drive), Ok(Answer::Status(_)));
    SanitizeError::Failed { left_failed_state }
}

#[cfg(test)]
#[path = "sanitize_tests.rs"]
mod tests;
