//! Which drives may be touched. Every rule that says no has its own reason; whatever is in doubt is refused.

use crate::{
    discover::{Bus, Drive},
    drive::GeometryError,
    jobfile::Selection,
};
use std::path::{Path, PathBuf};

/// Why a drive is left alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("it is the Mule stick this machine was started from")]
    BootStick,
    #[error("it carries a Mule stick; sticks are never erased")]
    AnotherStick,
    #[error("it carries the store that images are kept on")]
    Store,
    #[error("it carries a store of images; a store is only erased when the job names its drive's serial number")]
    OtherStore,
    #[error("the job does not name it")]
    NotNamed,
    #[error("it is removable; a removable drive is only touched when the job names its serial number")]
    Removable,
    #[error("it is a USB drive; a USB drive is only touched when the job names its serial number")]
    Usb,
    #[error("it is read-only (write-protected)")]
    ReadOnly,
    #[error("{0}")]
    Geometry(#[from] GeometryError),
    #[error("it is in use: {0}")]
    InUse(String),
    #[error("it reports neither a serial number nor a WWN, so no certificate could name it")]
    Nameless,
    #[error("another drive reports the same model, serial number and WWN ({0}); they cannot be told apart")]
    Twin(String),
    #[error("the job wipes no drive that hides something: {0}")]
    HiddenAreas(String),
    #[error("another drive answers in its place")]
    Exchanged,
    #[error("its capacity of {found} bytes is not the {expected} bytes it had when the job began")]
    Resized { expected: u64, found: u64 },
}

impl Reason {
    /// Whether a job for all drives meant to have this one: it counts as refused, the others just are no targets. What lies
    /// on a built-in drive does not take it out of "all" in silence.
    pub fn denies_a_target(&self, drive: &Drive) -> bool {
        match self {
            Self::BootStick | Self::NotNamed | Self::Removable | Self::Usb => false,
            Self::AnotherStick | Self::Store | Self::OtherStore => !drive.removable && drive.bus != Bus::Usb,
            _ => true,
        }
    }
}

/// The media that carry a Mule id sector, as the boot part found them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sticks {
    /// The one this machine was started from, where it is one.
    pub boot: Option<PathBuf>,
    /// Every medium with the id sector of any Mule stick.
    pub all: Vec<PathBuf>,
    /// The drive that images are kept on, where the job has one.
    pub store: Option<PathBuf>,
    /// Drives with the label of a store that this job does not use: other jobs' certificates promise what is on them.
    pub other_stores: Vec<PathBuf>,
}

impl Sticks {
    fn reason(&self, path: &Path) -> Option<Reason> {
        if self.boot.as_deref() == Some(path) {
            return Some(Reason::BootStick);
        }
        if self.store.as_deref() == Some(path) {
            return Some(Reason::Store);
        }
        self.all.iter().any(|stick| stick == path).then_some(Reason::AnotherStick)
    }
}

/// Whether `drive` may be touched; `others` are all drives of the machine. The first reason against it is returned.
pub fn check(drive: &Drive, others: &[Drive], sticks: &Sticks, selection: &Selection) -> Result<(), Reason> {
    let named = names(selection, drive);
    // The stick first: the reason a person needs to see, whatever else is true of it.
    if let Some(reason) = sticks.reason(&drive.path) {
        return Err(reason);
    }
    if !named && sticks.other_stores.contains(&drive.path) {
        return Err(Reason::OtherStore);
    }
    if !named {
        if matches!(selection, Selection::Named(_)) {
            return Err(Reason::NotNamed);
        }
        if drive.removable {
            return Err(Reason::Removable);
        }
        if drive.bus == Bus::Usb {
            return Err(Reason::Usb);
        }
    }
    drive.geometry?;
    if drive.read_only {
        return Err(Reason::ReadOnly);
    }
    if let Some(usage) = drive.usage.first() {
        return Err(Reason::InUse(usage.to_string()));
    }
    if !drive.identity.is_unique() {
        return Err(Reason::Nameless);
    }
    match twin(drive, others, selection) {
        Some(other) => Err(Reason::Twin(other.name.clone())),
        None => Ok(()),
    }
}

fn names(selection: &Selection, drive: &Drive) -> bool {
    match selection {
        Selection::All => false,
        Selection::Named(names) => names.iter().any(|name| drive.is_called(name)),
    }
}

/// Another drive that the log, or the person who named this one, could take for it.
fn twin<'a>(drive: &Drive, others: &'a [Drive], selection: &Selection) -> Option<&'a Drive> {
    let both_named = |other: &Drive| match selection {
        Selection::All => false,
        Selection::Named(names) => names.iter().any(|name| drive.is_called(name) && other.is_called(name)),
    };
    others
        .iter()
        .filter(|other| other.path != drive.path)
        .find(|other| other.identity == drive.identity || both_named(other))
}

#[cfg(test)]
mod tests;
