//! One way to all techniques: what speaks to a drive, what it can be asked for there, and the asking.

pub use super::purge::Medium;
use super::{
    Watcher, nvme,
    purge::{self, Offer},
    sanitize::{self, Evidence as Seen},
    scsi, security,
};
use crate::{
    ata::{AtaDrive, abilities::EraseTime, security::Scope},
    nvme::{
        NvmeAdmin, admin,
        format::FormatAbilities,
        sanitize::{Log, SanitizeAbilities, status_log},
    },
    scsi::{CommandPlane, Data},
};
use mule_types::technique::{Technique, Wanted};
use std::time::Duration;

/// What a drive is spoken to by.
pub enum Port {
    /// ATA, behind a translation layer.
    Ata(AtaDrive<Box<dyn CommandPlane>>),
    /// SCSI.
    Scsi(Box<dyn CommandPlane>),
    /// NVMe: the controller, and the namespace that is the drive.
    Nvme(Box<dyn NvmeAdmin>, u32),
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ata(_) => "Ata",
            Self::Scsi(_) => "Scsi",
            Self::Nvme(..) => "Nvme",
        })
    }
}

/// What will be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// The technique.
    pub technique: Technique,
    /// What calls it a purge of this drive's medium; `None` where nothing does.
    pub purge: Option<&'static str>,
    /// The drive's own estimate.
    pub estimate: Option<Duration>,
}

/// Why nothing is asked for; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refusal {
    /// In words.
    pub why: String,
    /// Whether a power cycle of the drive alone would help.
    pub frozen: bool,
}

fn refusal(why: impl std::fmt::Display) -> Refusal {
    Refusal { why: why.to_string(), frozen: false }
}

/// A drive takes nothing else while it sanitizes itself, over power cycles as well.
fn idle(at_work: Option<u16>) -> Result<(), Refusal> {
    let Some(progress) = at_work else { return Ok(()) };
    let percent = u32::from(progress) * 100 / 65_536;
    Err(refusal(format_args!(
        "the drive is sanitizing itself already ({percent} %), which this job did not begin: leave it powered until it is done, then start the job again"
    )))
}

/// What was seen of an erasure besides the drive's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// The password that an erase removes was set before and is gone.
    PasswordGone,
    /// It was seen at work, then done.
    SeenInProgress,
    /// The drive said before that none had completed, and after that one has.
    SeenToChange,
    /// Nothing: the command was accepted and reported as a success.
    ReportedOnly,
}

/// The table of evidence: its name in logs and certificates, and in words.
const EVIDENCE: [(Evidence, &str, &str); 4] = [
    (Evidence::PasswordGone, "password-gone", "the user password that the erase removes was set before it and is gone"),
    (Evidence::SeenInProgress, "seen-in-progress", "the drive was seen at work and then said that it had completed"),
    (
        Evidence::SeenToChange,
        "seen-to-change",
        "before the command the drive said that none had completed, after it that one has",
    ),
    (Evidence::ReportedOnly, "reported-only", "the drive reported success; no state of it was seen to change"),
];

impl Evidence {
    /// Its name in logs and certificates.
    pub fn name(self) -> &'static str {
        EVIDENCE.iter().find(|(evidence, ..)| *evidence == self).map_or("", |(_, name, _)| name)
    }

    /// What it means.
    pub fn words(self) -> &'static str {
        EVIDENCE.iter().find(|(evidence, ..)| *evidence == self).map_or("", |(.., words)| words)
    }

    /// The evidence of that name.
    pub fn named(name: &str) -> Option<Self> {
        EVIDENCE.iter().find(|(_, known, _)| *known == name).map(|(evidence, ..)| *evidence)
    }
}

/// Why it was not carried out, as far as is proved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Failure {
    /// In words.
    pub why: String,
    /// Whether somebody asked to stop.
    pub stopped: bool,
}

/// Which technique fulfils what is wanted, of those that the drive offers in its present state.
///
/// # Errors
/// None does; nothing was changed.
pub fn choose(port: &mut Port, wanted: Wanted, medium: Option<Medium>) -> Result<Chosen, Refusal> {
    match port {
        Port::Ata(drive) => {
            let (_, abilities) =
                drive.abilities().map_err(|error| refusal(format_args!("IDENTIFY DEVICE: {error}")))?;
            idle(abilities.sanitize.and_then(|_| sanitize::at_work(drive)))?;
            let chosen = pick(wanted, Offer::Ata(&abilities), medium);
            let frozen = abilities.security.is_some_and(|security| security.frozen);
            let estimate = |technique| match technique {
                Technique::AtaSecurity(Scope::Normal) => abilities.security?.erase_time,
                Technique::AtaSecurity(Scope::Enhanced) => abilities.security?.enhanced_erase_time,
                _ => None,
            };
            let chosen = chosen.map_err(|error| Refusal { frozen: frozen && error.why.contains("frozen"), ..error })?;
            let time = |(EraseTime::About(time) | EraseTime::AtLeast(time)): EraseTime| time;
            let estimate = estimate(chosen.technique).map(time);
            Ok(Chosen { estimate, ..chosen })
        }
        Port::Scsi(plane) => {
            let offered = scsi::offered(plane);
            pick(wanted, Offer::Scsi(&offered), medium)
        }
        Port::Nvme(drive, nsid) => {
            let mut page = [0; 4096];
            let asked = drive.admin(&admin::identify_controller(), Data::In(&mut page));
            asked.map_err(|error| refusal(format_args!("Identify Controller: {error}")))?;
            let (format, abilities) = (FormatAbilities::parse(&page), SanitizeAbilities::parse(&page));
            if abilities != SanitizeAbilities::default() {
                idle(nvme::at_work(drive))?;
            }
            let chosen = pick(wanted, Offer::Nvme(abilities, format), medium)?;
            let whole = matches!(chosen.technique, Technique::NvmeSanitize(_)) || format.reaches_all;
            nvme::reach(drive, *nsid, whole, &[*nsid]).map_err(refusal)?;
            Ok(Chosen { estimate: nvme_estimate(drive, chosen.technique), ..chosen })
        }
    }
}

fn pick(wanted: Wanted, offer: Offer<'_>, medium: Option<Medium>) -> Result<Chosen, Refusal> {
    match wanted {
        Wanted::BestPurge => {
            let best = purge::best(offer, medium).map_err(refusal)?;
            Ok(Chosen { technique: best.technique, purge: Some(best.source), estimate: None })
        }
        Wanted::This(technique) => {
            purge::offered(offer, technique).map_err(|unavailable| refusal(unavailable.why))?;
            Ok(Chosen { technique, purge: purge::source(technique, medium), estimate: None })
        }
    }
}

fn nvme_estimate(drive: &mut Box<dyn NvmeAdmin>, technique: Technique) -> Option<Duration> {
    let Technique::NvmeSanitize(action) = technique else { return None };
    let mut page = [0; 512];
    drive.admin(&status_log(), Data::In(&mut page)).ok()?;
    Log::parse(&page).estimate(action)
}

/// Carries `technique` out and follows it to its end.
///
/// # Errors
/// Anything but a success by the drive's own word, and with what can be seen of it.
pub fn perform(port: &mut Port, technique: Technique, watcher: &mut dyn Watcher) -> Result<Evidence, Failure> {
    let seen = |seen| match seen {
        Seen::SeenInProgress => Evidence::SeenInProgress,
        Seen::SeenToChange => Evidence::SeenToChange,
    };
    match (port, technique) {
        (Port::Ata(drive), Technique::AtaSecurity(scope)) => match security::erase(drive, scope, watcher) {
            Ok(_) => Ok(Evidence::PasswordGone),
            Err(error) => Err(failure(&error, matches!(error.cause, security::Cause::Stopped))),
        },
        (Port::Ata(drive), Technique::AtaSanitize(action)) => match sanitize::erase(drive, action, watcher) {
            Ok(sanitize::Outcome::Completed(done)) => Ok(seen(done.evidence())),
            Ok(sanitize::Outcome::NotObserved(_)) => Ok(Evidence::ReportedOnly),
            Err(error) => Err(ata_failure(&error)),
        },
        (Port::Scsi(plane), Technique::ScsiSanitize(action)) => match scsi::erase(plane, action, watcher) {
            Ok(scsi::Outcome::Completed(_)) => Ok(Evidence::SeenInProgress),
            Ok(scsi::Outcome::NotObserved(_)) => Ok(Evidence::ReportedOnly),
            Err(error) => Err(scsi_failure(&error)),
        },
        (Port::Nvme(drive, nsid), Technique::NvmeSanitize(action)) => {
            match nvme::sanitize(drive, action, &[*nsid], watcher) {
                Ok(nvme::Outcome::Completed(done)) => Ok(seen(done.evidence())),
                Ok(nvme::Outcome::NotObserved(_)) => Ok(Evidence::ReportedOnly),
                Err(error) => Err(nvme_failure(&error)),
            }
        }
        (Port::Nvme(drive, nsid), Technique::NvmeFormat(erase)) => {
            match nvme::erase_by_format(drive, *nsid, erase, &[*nsid], watcher) {
                Ok(_) => Ok(Evidence::ReportedOnly),
                Err(error) => Err(nvme_failure(&error)),
            }
        }
        (port, technique) => {
            Err(failure(&format_args!("{} is no command of this drive ({port:?})", technique.name()), false))
        }
    }
}

/// After an interruption: follows what is found at work to its end; `None` where nothing is.
///
/// # Errors
/// As [`perform`].
pub fn watch(port: &mut Port, technique: Technique, watcher: &mut dyn Watcher) -> Result<Option<Evidence>, Failure> {
    let seen = |running: bool| running.then_some(Evidence::SeenInProgress);
    match (port, technique) {
        (Port::Ata(drive), Technique::AtaSanitize(_)) => {
            sanitize::watch(drive, watcher).map(|done| seen(done.is_some())).map_err(|error| ata_failure(&error))
        }
        (Port::Scsi(plane), Technique::ScsiSanitize(_)) => {
            scsi::watch(plane, watcher).map(|done| seen(done.is_some())).map_err(|error| scsi_failure(&error))
        }
        (Port::Nvme(drive, _), Technique::NvmeSanitize(action)) => match nvme::watch(drive, watcher) {
            Ok(Some(done)) if done.action() != Some(action) => {
                Err(failure(&"the drive was found at another sanitize operation than ours", false))
            }
            Ok(done) => Ok(seen(done.is_some())),
            Err(error) => Err(nvme_failure(&error)),
        },
        _ => Ok(None),
    }
}

fn failure(why: &dyn std::fmt::Display, stopped: bool) -> Failure {
    Failure { why: why.to_string(), stopped }
}

fn ata_failure(error: &sanitize::SanitizeError) -> Failure {
    use sanitize::SanitizeError::{Abandoned, Stopped};
    failure(error, matches!(error, Stopped | Abandoned(_)))
}

fn scsi_failure(error: &scsi::Error) -> Failure {
    failure(error, matches!(error, scsi::Error::Stopped | scsi::Error::Abandoned))
}

fn nvme_failure(error: &nvme::Error) -> Failure {
    failure(error, matches!(error, nvme::Error::Stopped | nvme::Error::Abandoned))
}
