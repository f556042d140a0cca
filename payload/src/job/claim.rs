//! The exclusive claim on a drive: the only way from a planned target to something that can be written.

use super::who;
use crate::{
    blocks::ReadAt,
    discover::Drive,
    drive::{Access, DataPlane, Identity},
    plan::{Source, Target},
    scsi::CommandPlane,
};
use std::time::Duration;

/// How drives are opened; Linux and the simulated drives have one each.
pub trait Opener: Send + Sync {
    /// Opens the drive for this process alone, past every cache, and reads anew who it is: by the open descriptor, since a
    /// path can come to mean another drive.
    fn open(&self, drive: &Drive, access: Access) -> Result<(Box<dyn DataPlane>, Identity), String>;

    /// How old the last answer to who a claimed drive is may be when it is given more work; `None`: it is asked at the claim
    /// and between the stages only.
    fn ask_every(&self) -> Option<Duration> {
        Some(Duration::from_secs(4))
    }

    /// The command plane of a drive that nobody else has open, proved to be the one that was planned; `None` where it has
    /// none. The claim ends with it.
    fn commands(&self, drive: &Drive, access: Access) -> Result<Option<Box<dyn CommandPlane>>, String>;

    /// Has the system read a drive's capacity again, which should be so many sectors now; the drive as it is then,
    /// wherever it is.
    fn again(&self, drive: &Drive, sectors: u64) -> Result<Drive, String>;

    /// The drive as it is found now, whatever its name and port are; `None` where it is not there.
    fn find(&self, drive: &Drive) -> Option<Drive>;

    /// A second way to read a drive that is claimed: for partition tables and file systems, in small pieces.
    fn look(&self, drive: &Drive) -> Result<Box<dyn ReadAt>, String>;
}

/// Why a planned drive was not touched after all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    #[error("it could not be opened for this program alone: {0}")]
    Open(String),
    #[error("the drive there now is {found}, not the {planned} that was planned; nothing was written to it")]
    AnotherDrive { planned: String, found: String },
    #[error("{0}; nothing was written to it")]
    Silent(String),
    #[error("it has {found} bytes now and had {planned} when the job was planned; nothing was written to it")]
    Resized { planned: u64, found: u64 },
}

/// A drive that this process alone holds open, proved to be the one that was planned.
pub struct Claimed {
    target: Target,
    plane: Box<dyn DataPlane>,
}

impl std::fmt::Debug for Claimed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claimed").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Claimed {
    /// Opens first and identifies then, so that no other drive can take its place in between.
    pub fn new(target: Target, opener: &dyn Opener) -> Result<Self, (Box<Target>, ClaimError)> {
        match claim(target.drive(), opener, Access::ReadWrite) {
            Ok(plane) => Ok(Self { target, plane }),
            Err(error) => Err((Box::new(target), error)),
        }
    }

    /// The target, and the data plane it is written through.
    pub(super) fn into_parts(self) -> (Target, Box<dyn DataPlane>) {
        (self.target, self.plane)
    }
}

/// A drive that this process alone holds open to read, proved to be the one that was planned.
pub struct Opened {
    source: Source,
    plane: Box<dyn DataPlane>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Opened {
    /// Opens first and identifies then, as for writing: an image of the wrong drive helps nobody.
    pub fn new(source: Source, opener: &dyn Opener) -> Result<Self, (Box<Source>, ClaimError)> {
        match claim(source.drive(), opener, Access::ReadOnly) {
            Ok(plane) => Ok(Self { source, plane }),
            Err(error) => Err((Box::new(source), error)),
        }
    }

    /// The source, and the data plane it is read through.
    pub(super) fn into_parts(self) -> (Source, Box<dyn DataPlane>) {
        (self.source, self.plane)
    }
}

fn claim(drive: &Drive, opener: &dyn Opener, access: Access) -> Result<Box<dyn DataPlane>, ClaimError> {
    let (plane, found) = opener.open(drive, access).map_err(ClaimError::Open)?;
    let planned = &drive.identity;
    if found.bytes != planned.bytes {
        return Err(ClaimError::Resized { planned: planned.bytes, found: found.bytes });
    }
    if found != *planned {
        return Err(ClaimError::AnotherDrive { planned: planned.to_string(), found: found.to_string() });
    }
    who::is_still(&*plane, drive).map_err(ClaimError::Silent)?;
    if plane.geometry().bytes() != planned.bytes || Ok(plane.geometry()) != drive.geometry {
        return Err(ClaimError::Resized { planned: planned.bytes, found: plane.geometry().bytes() });
    }
    Ok(match opener.ask_every() {
        Some(every) => Box::new(who::Watched::new(plane, drive.clone(), every)),
        None => plane,
    })
}
