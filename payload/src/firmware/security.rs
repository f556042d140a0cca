//! ATA security erase. The drive gets a published password, erases itself with it, and has none afterwards. Whatever
//! goes wrong in between, the password is taken away again, or the error says that it is still there and how to open the
//! drive.

use super::{Name, NotRecorded, Watcher};
use crate::{
    ata::{
        AtaDrive, AtaError,
        abilities::{EraseTime, SecurityAbilities},
        security::{self, PASSWORD_TEXT, Scope},
    },
    scsi::CommandPlane,
};
use std::time::{Duration, Instant};

/// For commands that only change a setting.
const SHORT: Duration = Duration::from_secs(30);
/// Shortest time an erase is given.
const SHORTEST: Duration = Duration::from_secs(120);
/// Added to twice the drive's own estimate.
const MARGIN: Duration = Duration::from_secs(600);
/// For drives without an estimate: the slowest known takes two days.
const UNKNOWN: Duration = Duration::from_secs(4 * 86_400);
/// The longest time the kernel's 32-bit milliseconds hold is 49 days.
const LONGEST: Duration = Duration::from_secs(49 * 86_400);

/// What is known of the password at the end of a procedure that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    /// It was never sent to the drive.
    NeverSent,
    /// The drive was asked, and has none.
    Gone,
    /// The drive has one, and cannot be used until it is unlocked with it (after a power cycle at the latest).
    Set,
    /// It may have one: the drive could not be asked, or has one that it does not take for ours.
    Unknown,
}

impl Password {
    fn advice(self) -> String {
        match self {
            Self::NeverSent => "no password was set".to_owned(),
            Self::Gone => "the drive has no password".to_owned(),
            Self::Set => format!(
                "the drive HAS THE USER PASSWORD \"{PASSWORD_TEXT}\": start this stick again to remove it, or use `hdparm --user-master u --security-disable {PASSWORD_TEXT}`"
            ),
            Self::Unknown => format!(
                "the drive MAY HAVE THE USER PASSWORD \"{PASSWORD_TEXT}\": if it is still at work, leave it on power; then start this stick again to remove it"
            ),
        }
    }
}

/// Why a drive was not erased.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// No security feature set.
    #[error("the drive has no security feature set")]
    Unsupported,
    /// No enhanced erase.
    #[error("the drive has no enhanced security erase")]
    NotEnhanced,
    /// Frozen, usually by the PC's firmware.
    #[error(
        "the drive is frozen, usually by the PC's firmware: pull its power connector (not the data cable), wait ten seconds and plug it in again while the PC runs"
    )]
    Frozen,
    /// Locked with a password that is not known here.
    #[error("the drive is locked with somebody's password: unlock it with that password first")]
    Locked,
    /// A password is set that is not ours to remove.
    #[error("the drive has a password already: remove it with that password first")]
    AlreadySet,
    /// Attempt counter.
    #[error("too many wrong passwords were tried: switch the drive's power off and on, then try again")]
    Expired,
    /// Asked to stop before anything was changed.
    #[error("stopped before anything was changed")]
    Stopped,
    /// The record could not be written before the password was set.
    #[error(transparent)]
    NotRecorded(#[from] NotRecorded),
    /// A command failed.
    #[error("{step} failed: {source}")]
    Command {
        /// Which.
        step: &'static str,
        /// Why.
        source: AtaError,
    },
    /// SET PASSWORD was accepted without effect.
    #[error("the drive accepted a password and did not set it")]
    NotSet,
    /// The erase was reported as done, and the password that it removes is still set.
    #[error(
        "the drive reports success and still has the password that an erase removes: nothing is proved to be erased"
    )]
    NotErased,
    /// Another drive answers.
    #[error("another drive answers now (it was {before}, it is {after}): the connection is not to be trusted")]
    Exchanged {
        /// Model and serial before.
        before: Name,
        /// And after.
        after: Name,
    },
}

impl Cause {
    fn command(step: &'static str) -> impl FnOnce(AtaError) -> Self {
        move |source| Self::Command { step, source }
    }
}

/// An erase that is not proved, and what it left.
#[derive(Debug, thiserror::Error)]
#[error("{cause}; {}", password.advice())]
pub struct EraseError {
    /// Why.
    #[source]
    pub cause: Cause,
    /// What is known of the password.
    pub password: Password,
}

/// The drive took a SECURITY ERASE UNIT, reported its success, and went from "password set" to "none set" by it. Only
/// [`erase`] makes one. It does not say that the data are gone: a reading must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    scope: Scope,
    took: Duration,
    estimate: Option<EraseTime>,
}

impl Erased {
    /// Normal or enhanced.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// How long the command took.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// How long the drive had said it takes. One that is done in a fraction of it deserves a closer look.
    pub fn estimate(&self) -> Option<EraseTime> {
        self.estimate
    }
}

/// What was found at the next boot, where the record says that the password may be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovered {
    /// The drive had none.
    NotSet,
    /// It had ours, which was removed.
    Removed,
}

/// Why a password that may be ours is still there.
#[derive(Debug, thiserror::Error)]
#[error("{cause}; {}", password.advice())]
pub struct RecoverError {
    /// Why.
    #[source]
    pub cause: RecoverCause,
    /// What is known of the password.
    pub password: Password,
}

/// See [`RecoverError`].
#[derive(Debug, thiserror::Error)]
pub enum RecoverCause {
    /// Frozen: nothing can be removed.
    #[error(
        "the drive is frozen, usually by the PC's firmware: pull its power connector (not the data cable), wait ten seconds and plug it in again while the PC runs"
    )]
    Frozen,
    /// Attempt counter.
    #[error("too many wrong passwords were tried: switch the drive's power off and on")]
    Expired,
    /// It refused our password.
    #[error("the drive refuses the password: it may have somebody else's ({0})")]
    Refused(AtaError),
    /// A command failed.
    #[error("the drive does not answer: {0}")]
    Command(AtaError),
    /// DISABLE PASSWORD was accepted without effect.
    #[error("the drive accepted the removal of its password and still has it")]
    StillSet,
    /// Another drive answers: it gets no password of ours.
    #[error("another drive answers now ({0}): the connection is not to be trusted")]
    Exchanged(Name),
    /// IDENTIFY DEVICE lost the security feature set.
    #[error("the drive or its adapter does not say any more whether a password is set")]
    NotSaid,
}

/// Erases a drive with the published password.
///
/// # Errors
/// Anything but a proved transition; the error tells the state of the password. One that [`Password::Set`] or
/// [`Password::Unknown`] is left in the record as well: [`Watcher::password_gone`] was not called.
pub fn erase<P: CommandPlane>(
    drive: &mut AtaDrive<P>,
    scope: Scope,
    watcher: &mut dyn Watcher,
) -> Result<Erased, EraseError> {
    let untouched = |cause| EraseError { cause, password: Password::NeverSent };
    let (identity, state) = look(drive, "IDENTIFY DEVICE").map_err(untouched)?;
    gate(state, scope)
        .and_then(|state| if watcher.stop() { Err(Cause::Stopped) } else { Ok(state) })
        .map_err(untouched)?;
    watcher.before_password(&identity).map_err(|error| untouched(error.into()))?;
    match run(drive, &identity, scope) {
        Ok(erased) => {
            watcher.password_gone();
            Ok(erased)
        }
        Err(cause) => {
            // Whatever the cause, and even where SET PASSWORD itself failed: its answer may have got lost, not its effect.
            let password = match clear(drive, &identity) {
                Ok(_) => {
                    watcher.password_gone();
                    Password::Gone
                }
                Err(error) => error.password,
            };
            Err(EraseError { cause, password })
        }
    }
}

/// Removes the published password from the drive `name`, of which the record says that it may have it. Tries once: a
/// drive counts wrong passwords.
///
/// # Errors
/// The password is still there, or may be; the error says which.
pub fn recover<P: CommandPlane>(
    drive: &mut AtaDrive<P>,
    name: &Name,
    watcher: &mut dyn Watcher,
) -> Result<Recovered, RecoverError> {
    let recovered = clear(drive, name)?;
    watcher.password_gone();
    Ok(recovered)
}

fn look<P: CommandPlane>(
    drive: &mut AtaDrive<P>,
    step: &'static str,
) -> Result<(Name, Option<SecurityAbilities>), Cause> {
    let (identify, abilities) = drive.abilities().map_err(Cause::command(step))?;
    Ok((Name::of(&identify), abilities.security))
}

fn gate(state: Option<SecurityAbilities>, scope: Scope) -> Result<SecurityAbilities, Cause> {
    let state = state.ok_or(Cause::Unsupported)?;
    // The order is that of what a technician has to do first.
    let refusals = [
        (state.frozen, Cause::Frozen),
        (state.count_expired, Cause::Expired),
        (state.locked, Cause::Locked),
        (state.enabled, Cause::AlreadySet),
        (scope == Scope::Enhanced && !state.enhanced_erase, Cause::NotEnhanced),
    ];
    match refusals.into_iter().find(|(refused, _)| *refused) {
        Some((_, cause)) => Err(cause),
        None => Ok(state),
    }
}

/// From SET PASSWORD on.
fn run<P: CommandPlane>(drive: &mut AtaDrive<P>, identity: &Name, scope: Scope) -> Result<Erased, Cause> {
    let block = security::password_block();
    drive.send(&security::set_password(), &block, SHORT).map_err(Cause::command("SECURITY SET PASSWORD"))?;
    let state = same(drive, identity)?.filter(|state| state.enabled).ok_or(Cause::NotSet)?;
    let estimate = match scope {
        Scope::Normal => state.erase_time,
        Scope::Enhanced => state.enhanced_erase_time,
    };
    drive.order(&security::erase_prepare()).map_err(Cause::command("SECURITY ERASE PREPARE"))?;
    let begun = Instant::now();
    drive
        .send(&security::erase_unit(), &security::erase_block(scope), time_out(estimate))
        .map_err(Cause::command("SECURITY ERASE UNIT"))?;
    let took = begun.elapsed();
    match same(drive, identity)? {
        Some(state) if !state.enabled && !state.locked => Ok(Erased { scope, took, estimate }),
        _ => Err(Cause::NotErased),
    }
}

/// The security state of a drive that must be the one it was.
fn same<P: CommandPlane>(drive: &mut AtaDrive<P>, identity: &Name) -> Result<Option<SecurityAbilities>, Cause> {
    let (after, state) = look(drive, "IDENTIFY DEVICE")?;
    if after == *identity { Ok(state) } else { Err(Cause::Exchanged { before: identity.clone(), after }) }
}

/// How long an erase may take: twice what the drive says and some, never less than two minutes.
pub fn time_out(estimate: Option<EraseTime>) -> Duration {
    let time = match estimate {
        Some(EraseTime::About(time)) => time.saturating_mul(2).saturating_add(MARGIN),
        Some(EraseTime::AtLeast(time)) => time.saturating_mul(4).max(UNKNOWN),
        None => UNKNOWN,
    };
    time.clamp(SHORTEST, LONGEST)
}

/// Takes our password away, where one is set, from the drive `identity` and no other.
fn clear<P: CommandPlane>(drive: &mut AtaDrive<P>, identity: &Name) -> Result<Recovered, RecoverError> {
    let unknown = |cause| RecoverError { cause, password: Password::Unknown };
    let set = |cause| RecoverError { cause, password: Password::Set };
    let look = |drive: &mut AtaDrive<P>| {
        let (identify, abilities) = drive.abilities().map_err(|error| unknown(RecoverCause::Command(error)))?;
        let found = Name::of(&identify);
        if found != *identity {
            return Err(unknown(RecoverCause::Exchanged(found)));
        }
        abilities.security.ok_or_else(|| unknown(RecoverCause::NotSaid))
    };
    let state = look(drive)?;
    if !state.enabled && !state.locked {
        return Ok(Recovered::NotSet);
    }
    if state.frozen {
        return Err(set(RecoverCause::Frozen));
    }
    if state.count_expired {
        return Err(set(RecoverCause::Expired));
    }
    let block = security::password_block();
    let refused = |error| match error {
        AtaError::Refused { .. } => unknown(RecoverCause::Refused(error)),
        other => set(RecoverCause::Command(other)),
    };
    if state.locked {
        drive.send(&security::unlock(), &block, SHORT).map_err(refused)?;
    }
    drive.send(&security::disable_password(), &block, SHORT).map_err(refused)?;
    let after = look(drive)?;
    if after.enabled || after.locked { Err(set(RecoverCause::StillSet)) } else { Ok(Recovered::Removed) }
}

#[cfg(test)]
#[path = "security_tests.rs"]
mod tests;
