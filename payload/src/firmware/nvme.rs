//! NVMe format and sanitize. Both can reach more than the namespace they are sent to; what they would reach must be what
//! was authorised.

use super::{
    Watcher,
    follow::{self, Left},
    sanitize::Evidence,
};
use crate::{
    nvme::{
        NvmeAdmin, NvmeError,
        admin::{self, AdminCommand, active_namespaces},
        format::{self, FormatAbilities, Layout, SecureErase},
        sanitize::{self, Action, Log, SanitizeAbilities, State},
    },
    scsi::Data,
};
use std::time::{Duration, Instant};

/// A format has no estimate; an erase of user data by overwriting takes hours.
const FORMAT: Duration = Duration::from_secs(86_400);

/// Why an NVMe drive was not erased, as far as is proved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not offered.
    #[error("the drive does not offer {0}")]
    Unsupported(&'static str),
    /// It would reach a namespace that was not named.
    #[error(
        "this would erase namespace {0} of the same drive as well, which is not part of the job: name all its namespaces, or use another method"
    )]
    ReachesOthers(u32),
    /// The namespace is not there.
    #[error("the drive has no active namespace {0}")]
    NoNamespace(u32),
    /// One is running that was not started here.
    #[error("the drive is sanitizing already: wait for its end")]
    Busy,
    /// Asked to stop before anything was changed.
    #[error("stopped before anything was changed")]
    Stopped,
    /// Asked to stop while the drive works.
    #[error("no longer watched; the drive goes on sanitizing, over power cycles as well, and cannot be stopped")]
    Abandoned,
    /// A command failed.
    #[error("{step} failed: {source}")]
    Command {
        /// Which.
        step: &'static str,
        /// Why.
        source: NvmeError,
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
    /// Neither in progress nor completed.
    #[error("the drive ended its sanitize operation without saying that it succeeded: nothing is proved to be erased")]
    NotCompleted,
    /// It was found with a failure in its log, which stays there when the failed state is left.
    #[error("the drive's log says that its last sanitize operation FAILED: data may remain")]
    FoundFailed,
    /// The log is of another operation.
    #[error(
        "the drive's log is of another sanitize operation than ours (dword 10 {0:#x}): nothing is proved to be erased"
    )]
    NotOurs(u32),
    /// It stopped moving, or does not end.
    #[error("the drive's sanitize operation has not moved, or not ended, for {}", humantime::format_duration(*.0))]
    Stalled(Duration),
    /// Another drive answers.
    #[error("another drive answers now: the connection is not to be trusted")]
    Exchanged,
    /// The namespace is not what it was.
    #[error("after the format the namespace has another size or layout: the drive or its driver must be looked at")]
    Changed,
}

fn step(step: &'static str) -> impl FnOnce(NvmeError) -> Error {
    move |source| Error::Command { step, source }
}

/// The controller reported the success of a FORMAT NVM with a secure erase. There is no state of a drive that could be
/// seen to change by it: a reading must prove the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formatted {
    erase: SecureErase,
    before: Layout,
    after: Layout,
    took: Duration,
    reached: Vec<u32>,
}

impl Formatted {
    /// User data, or keys.
    pub fn erase(&self) -> SecureErase {
        self.erase
    }

    /// The namespace before, with the blocks that held data.
    pub fn before(&self) -> &Layout {
        &self.before
    }

    /// And after; a drive that counts has nothing in use.
    pub fn after(&self) -> &Layout {
        &self.after
    }

    /// How long it took.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// The namespaces it reached.
    pub fn reached(&self) -> &[u32] {
        &self.reached
    }
}

/// The drive was seen to carry out a sanitize operation and to complete it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sanitized {
    action: Option<Action>,
    evidence: Evidence,
}

impl Sanitized {
    /// What it was told to do; `None` for one found at work that is not one of ours.
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
    /// Accepted, and completed at once as the one before: completion not observed.
    NotObserved(Action),
}

/// Formats namespace `nsid` with a secure erase, keeping its layout. `authorised` are the namespaces that the job may
/// erase.
///
/// # Errors
/// See [`Error`]; nothing is changed by those before the command.
pub fn erase_by_format<A: NvmeAdmin>(
    drive: &mut A,
    nsid: u32,
    erase: SecureErase,
    authorised: &[u32],
    watcher: &mut dyn Watcher,
) -> Result<Formatted, Error> {
    let controller = controller(drive)?;
    let abilities = FormatAbilities::parse(&controller);
    match erase {
        _ if !abilities.supported => return Err(Error::Unsupported("FORMAT NVM")),
        SecureErase::Cryptographic if !abilities.cryptographic => {
            return Err(Error::Unsupported("cryptographic erase by FORMAT NVM"));
        }
        SecureErase::UserData | SecureErase::Cryptographic => {}
    }
    let reached = reach(drive, nsid, abilities.reaches_all, authorised)?;
    let before = layout(drive, nsid)?;
    if watcher.stop() {
        return Err(Error::Stopped);
    }
    let begun = Instant::now();
    drive.admin(&format::format(nsid, &before, erase, FORMAT), Data::None).map_err(step("FORMAT NVM"))?;
    let took = begun.elapsed();
    same(drive, &controller)?;
    let after = layout(drive, nsid)?;
    if (Layout { used: 0, ..after }) != (Layout { used: 0, ..before }) {
        return Err(Error::Changed);
    }
    Ok(Formatted { erase, before, after, took, reached })
}

/// Sanitizes the whole drive and follows it to its end. `authorised` are the namespaces that the job may erase; it must
/// name all that there are.
///
/// # Errors
/// Anything but a success, by the drive's own word.
pub fn sanitize<A: NvmeAdmin>(
    drive: &mut A,
    action: Action,
    authorised: &[u32],
    watcher: &mut dyn Watcher,
) -> Result<Outcome, Error> {
    let controller = controller(drive)?;
    let abilities = SanitizeAbilities::parse(&controller);
    if !abilities.offers(action) {
        return Err(Error::Unsupported(action.name()));
    }
    let any = authorised.first().copied().unwrap_or_default();
    reach(drive, any, true, authorised)?;
    let before = log(drive)?;
    if before.state == State::InProgress {
        return Err(Error::Busy);
    }
    if watcher.stop() {
        return Err(Error::Stopped);
    }
    drive.admin(&sanitize::start(action), Data::None).map_err(step("SANITIZE"))?;
    let (seen, last) = follow(drive, watcher)?;
    same(drive, &controller)?;
    if last.dword10 != sanitize::dword10(action) {
        return Err(Error::NotOurs(last.dword10));
    }
    let changed = before.state != State::Completed || before.dword10 != last.dword10;
    Ok(match (seen, changed) {
        (true, _) => Outcome::Completed(Sanitized { action: Some(action), evidence: Evidence::SeenInProgress }),
        (false, true) => Outcome::Completed(Sanitized { action: Some(action), evidence: Evidence::SeenToChange }),
        (false, false) => Outcome::NotObserved(action),
    })
}

/// Follows an operation that was found running at boot to its end; `None` where none runs.
///
/// # Errors
/// As [`sanitize()`]; a failed state that was found is left as it is.
pub fn watch<A: NvmeAdmin>(drive: &mut A, watcher: &mut dyn Watcher) -> Result<Option<Sanitized>, Error> {
    match log(drive)?.state {
        State::Failed => Err(Error::FoundFailed),
        State::InProgress => {
            let (_, last) = follow(drive, watcher)?;
            let action = [Action::BlockErase, Action::Overwrite, Action::CryptoErase]
                .into_iter()
                .find(|action| sanitize::dword10(*action) == last.dword10);
            Ok(Some(Sanitized { action, evidence: Evidence::SeenInProgress }))
        }
        State::Never | State::Completed | State::Other(_) => Ok(None),
    }
}

/// How far an operation is that runs now, in 65,536ths; `None` where none does, or nothing is said of it.
pub fn at_work<A: NvmeAdmin>(drive: &mut A) -> Option<u16> {
    log(drive).ok().filter(|log| log.state == State::InProgress).map(|log| log.progress)
}

/// Asks until nothing is in progress: whether anything was, and the log that says it succeeded.
fn follow<A: NvmeAdmin>(drive: &mut A, watcher: &mut dyn Watcher) -> Result<(bool, Log), Error> {
    let mut last = None;
    let ask = || match log(drive) {
        Ok(Log { state: State::InProgress, progress, .. }) => follow::Answer::Working(Some(progress)),
        Ok(log) if log.state == State::Completed => {
            last = Some(log);
            follow::Answer::Ended
        }
        Ok(Log { state: State::Failed, .. }) => follow::Answer::Over(failed(drive)),
        Ok(_) => follow::Answer::Over(Error::NotCompleted),
        Err(error) => follow::Answer::Silent(error),
    };
    let seen = follow::follow(watcher, ask).map_err(|left| match left {
        Left::Error(error) => error,
        Left::Stalled(time) => Error::Stalled(time),
        Left::Abandoned(_) => Error::Abandoned,
    })?;
    Ok((seen, last.ok_or(Error::NotCompleted)?))
}

/// Tries to bring a drive back that failed; whether that works, nothing is erased. A drive that cannot leave the failed
/// state refuses to; its log is of the last operation and goes on saying that it failed (8.21).
fn failed<A: NvmeAdmin>(drive: &mut A) -> Error {
    Error::Failed { left_failed_state: drive.admin(&sanitize::exit_failure(), Data::None).is_ok() }
}

/// What a command to `nsid` reaches: that namespace, or all that there are, attached or not, where it is one to the whole
/// drive. Changes nothing.
///
/// # Errors
/// Something in reach is not authorised, `nsid` is not active, or the drive does not answer.
pub fn reach<A: NvmeAdmin>(drive: &mut A, nsid: u32, whole: bool, authorised: &[u32]) -> Result<Vec<u32>, Error> {
    let active = namespaces(drive)?;
    if !active.contains(&nsid) {
        return Err(Error::NoNamespace(nsid));
    }
    let reached = if whole { allocated(drive, active)? } else { vec![nsid] };
    match reached.iter().find(|nsid| !authorised.contains(nsid)) {
        Some(other) => Err(Error::ReachesOthers(*other)),
        None => Ok(reached),
    }
}

fn controller<A: NvmeAdmin>(drive: &mut A) -> Result<[u8; 4096], Error> {
    page(drive, &admin::identify_controller(), "Identify Controller")
}

/// Serial and model number (bytes 63:4) are what they were.
fn same<A: NvmeAdmin>(drive: &mut A, before: &[u8; 4096]) -> Result<(), Error> {
    if controller(drive)?[4..64] == before[4..64] { Ok(()) } else { Err(Error::Exchanged) }
}

fn namespaces<A: NvmeAdmin>(drive: &mut A) -> Result<Vec<u32>, Error> {
    let list = page(drive, &admin::list_namespaces(0), "Identify (active namespaces)")?;
    Ok(active_namespaces(&list).collect())
}

/// With those that are not attached to this controller: what erases the drive erases them as well.
fn allocated<A: NvmeAdmin>(drive: &mut A, mut active: Vec<u32>) -> Result<Vec<u32>, Error> {
    if admin::manages_namespaces(&controller(drive)?) {
        let list = page(drive, &admin::list_allocated(0), "Identify (allocated namespaces)")?;
        active.extend(active_namespaces(&list));
    }
    Ok(active)
}

fn layout<A: NvmeAdmin>(drive: &mut A, nsid: u32) -> Result<Layout, Error> {
    let page = page(drive, &admin::identify_namespace(nsid), "Identify Namespace")?;
    Layout::parse(&page).ok_or(Error::NoNamespace(nsid))
}

fn log<A: NvmeAdmin>(drive: &mut A) -> Result<Log, Error> {
    page(drive, &sanitize::status_log(), "sanitize status log").map(|page| Log::parse(&page))
}

fn page<A: NvmeAdmin, const N: usize>(
    drive: &mut A,
    command: &AdminCommand,
    name: &'static str,
) -> Result<[u8; N], Error> {
    let mut page = [0; N];
    drive.admin(command, Data::In(&mut page)).map_err(step(name))?;
    Ok(page)
}

#[cfg(test)]
#[path = "nvme_tests.rs"]
mod tests;
