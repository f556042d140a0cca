//! Hidden areas: what a drive lets be seen, what it has, and the lifting of its limits. Three of them lie behind each
//! other: a Host Protected Area (SET MAX), a Device Configuration Overlay behind it, or, from ACS-3 on, Accessible Max
//! Address in the place of both.

use super::{Name, Watcher};
use crate::{
    ata::{
        AtaDrive, AtaError,
        abilities::Abilities,
        capacity,
        dco::{self, DcoError},
    },
    scsi::CommandPlane,
};
use std::fmt;

/// Where a limit can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Host Protected Area.
    HostProtectedArea,
    /// Device Configuration Overlay.
    Configuration,
    /// Accessible Max Address.
    AccessibleMax,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HostProtectedArea => "Host Protected Area",
            Self::Configuration => "Device Configuration Overlay",
            Self::AccessibleMax => "Accessible Max Address",
        })
    }
}

/// A size that a drive was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Size {
    /// The drive says that it has no such limit (which an overlay can make it say).
    Unsupported,
    /// So many logical sectors.
    Sectors(u64),
    /// It could not be asked, or its answer cannot be believed.
    Unknown(String),
}

impl Size {
    fn of(answer: Result<u64, String>, at_least: u64) -> Self {
        match answer {
            Ok(sectors) if sectors < at_least => {
                Self::Unknown(format!("the drive states {sectors} sectors, and shows {at_least}"))
            }
            Ok(sectors) => Self::Sectors(sectors),
            Err(why) => Self::Unknown(why),
        }
    }

    fn sectors(&self) -> Option<u64> {
        match self {
            Self::Sectors(sectors) => Some(*sectors),
            Self::Unsupported | Self::Unknown(_) => None,
        }
    }
}

/// All sizes of a drive, in logical sectors. Only [`survey`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    sector: u32,
    visible: u64,
    native: Size,
    factory: Size,
    accessible: Size,
}

impl Survey {
    /// Bytes of a logical sector, the drive's own: a bridge may show others.
    pub fn sector(&self) -> u32 {
        self.sector
    }

    /// IDENTIFY DEVICE: what can be addressed now.
    pub fn visible(&self) -> u64 {
        self.visible
    }

    /// READ NATIVE MAX ADDRESS: without a Host Protected Area.
    pub fn native(&self) -> &Size {
        &self.native
    }

    /// DEVICE CONFIGURATION IDENTIFY: as it left the factory.
    pub fn factory(&self) -> &Size {
        &self.factory
    }

    /// GET NATIVE MAX ADDRESS EXT: with Accessible Max Address lifted.
    pub fn accessible(&self) -> &Size {
        &self.accessible
    }

    /// The largest size the drive is known to have.
    pub fn largest(&self) -> u64 {
        [&self.native, &self.factory, &self.accessible]
            .into_iter()
            .filter_map(Size::sectors)
            .fold(self.visible, u64::max)
    }

    /// Sectors known to be hidden. 0 does not mean that there are none: see [`Survey::unknown`].
    pub fn hidden(&self) -> u64 {
        self.largest() - self.visible
    }

    /// What could not be asked, and why. A certificate names it.
    pub fn unknown(&self) -> impl Iterator<Item = (Limit, &str)> {
        [
            (Limit::HostProtectedArea, &self.native),
            (Limit::Configuration, &self.factory),
            (Limit::AccessibleMax, &self.accessible),
        ]
        .into_iter()
        .filter_map(|(limit, size)| match size {
            Size::Unknown(why) => Some((limit, why.as_str())),
            Size::Unsupported | Size::Sectors(_) => None,
        })
    }
}

/// A drive that was made to show more, or had nothing to show. Only [`reveal`] makes one, from what IDENTIFY DEVICE said
/// afterwards. The kernel has to read the capacity again before the rest can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revealed {
    before: Survey,
    after: Survey,
    lifted: Vec<Limit>,
}

impl Revealed {
    /// As the drive was found.
    pub fn before(&self) -> &Survey {
        &self.before
    }

    /// As it is. Nothing is known to be hidden; what is not known is in [`Survey::unknown`].
    pub fn after(&self) -> &Survey {
        &self.after
    }

    /// What was lifted, in this order.
    pub fn lifted(&self) -> &[Limit] {
        &self.lifted
    }
}

/// Why a hidden area is still there.
#[derive(Debug, thiserror::Error)]
pub enum RevealError {
    /// The drive cannot be asked at all.
    #[error("the drive does not answer: {0}")]
    Command(#[from] AtaError),
    /// Asked to stop; no command that changes anything is on its way.
    #[error("stopped; {hidden} sectors are still hidden")]
    Stopped {
        /// Sectors known to be hidden.
        hidden: u64,
    },
    /// The drive refused.
    #[error(
        "the drive refuses to lift its {limit} ({source}), {hidden} sectors stay hidden: it is frozen or protected by a password, or was changed once since power-on; switch its power off and on and try again"
    )]
    Refused {
        /// Which.
        limit: Limit,
        /// Why.
        source: AtaError,
        /// Sectors known to be hidden.
        hidden: u64,
    },
    /// The drive accepted a command that did nothing.
    #[error(
        "the drive accepted the lifting of its {limit} and still shows {visible} of {expected} sectors: switch its power off and on and try again"
    )]
    NoEffect {
        /// Which.
        limit: Limit,
        /// Sectors shown.
        visible: u64,
        /// Sectors it should show.
        expected: u64,
    },
    /// Another drive answers.
    #[error("another drive answers now: the connection is not to be trusted")]
    Exchanged,
}

/// Asks a drive for all its sizes. Changes nothing.
///
/// # Errors
/// Only where IDENTIFY DEVICE itself fails; what else fails is [`Size::Unknown`].
pub fn survey<P: CommandPlane>(drive: &mut AtaDrive<P>) -> Result<Survey, AtaError> {
    look(drive).map(|seen| seen.survey)
}

struct Seen {
    survey: Survey,
    abilities: Abilities,
    name: Name,
}

fn look<P: CommandPlane>(drive: &mut AtaDrive<P>) -> Result<Seen, AtaError> {
    let (identify, abilities) = drive.abilities()?;
    let visible = identify.sectors;
    let ask = |supported: bool, answer: &mut dyn FnMut() -> Result<u64, String>| {
        if supported { Size::of(answer(), visible) } else { Size::Unsupported }
    };
    let text = |error: AtaError| error.to_string();
    let survey = Survey {
        sector: identify.logical_sector,
        visible,
        native: ask(abilities.hpa.supported, &mut || drive.native_sectors(abilities.lba48).map_err(text)),
        factory: ask(abilities.dco.supported, &mut || {
            let sector = drive.sector(&dco::identify()).map_err(text)?;
            dco::factory_sectors(&sector).map_err(|error: DcoError| error.to_string())
        }),
        accessible: ask(abilities.accessible_max.supported, &mut || accessible(drive).map_err(text)),
    };
    Ok(Seen { survey, abilities, name: Name::of(&identify) })
}

fn accessible<P: CommandPlane>(drive: &mut AtaDrive<P>) -> Result<u64, AtaError> {
    match drive.registers(&capacity::accessible_native_max())?.lba {
        // A bridge that returns zeros has returned nothing.
        None | Some(0) => Err(AtaError::NoRegisters),
        Some(last) => Ok(last + 1),
    }
}

/// The order in which limits are lifted: an overlay is refused while a Host Protected Area is set, and one that is gone
/// may show another Host Protected Area, or the feature set that makes it.
const ORDER: [Limit; 4] =
    [Limit::AccessibleMax, Limit::HostProtectedArea, Limit::Configuration, Limit::HostProtectedArea];

/// Lifts every limit that hides something, for good, and proves each time that the drive shows more.
///
/// # Errors
/// Something known to be hidden stays hidden; what was lifted before stays lifted.
pub fn reveal<P: CommandPlane>(drive: &mut AtaDrive<P>, watcher: &mut dyn Watcher) -> Result<Revealed, RevealError> {
    let first = look(drive)?;
    let (before, name) = (first.survey.clone(), first.name.clone());
    let mut seen = first;
    let mut lifted = Vec::new();
    for limit in ORDER {
        let Some(expected) = hides(&seen.survey, limit) else { continue };
        let hidden = seen.survey.hidden();
        if watcher.stop() {
            return Err(RevealError::Stopped { hidden });
        }
        lift(drive, &seen, limit, expected).map_err(|source| RevealError::Refused { limit, source, hidden })?;
        seen = look(drive)?;
        if seen.name != name {
            return Err(RevealError::Exchanged);
        }
        // An overlay may be gone and a Host Protected Area remain that it hid: then the native size has grown.
        let shows = match limit {
            Limit::Configuration => seen.survey.native.sectors().unwrap_or(0).max(seen.survey.visible),
            Limit::HostProtectedArea | Limit::AccessibleMax => seen.survey.visible,
        };
        if shows < expected {
            return Err(RevealError::NoEffect { limit, visible: seen.survey.visible, expected });
        }
        lifted.push(limit);
    }
    let after = seen.survey;
    match hides(&after, Limit::Configuration).map(|expected| (Limit::Configuration, expected)) {
        _ if after.hidden() == 0 => Ok(Revealed { before, after, lifted }),
        Some((limit, expected)) => Err(RevealError::NoEffect { limit, visible: after.visible, expected }),
        None => Err(RevealError::NoEffect {
            limit: Limit::HostProtectedArea,
            visible: after.visible,
            expected: after.largest(),
        }),
    }
}

/// The size that a limit hides, where it hides anything.
fn hides(survey: &Survey, limit: Limit) -> Option<u64> {
    let (size, shown) = match limit {
        Limit::HostProtectedArea => (&survey.native, survey.visible),
        Limit::AccessibleMax => (&survey.accessible, survey.visible),
        // What a Host Protected Area hides is not the overlay's.
        Limit::Configuration => (&survey.factory, survey.native.sectors().unwrap_or(survey.visible)),
    };
    size.sectors().filter(|sectors| *sectors > shown)
}

fn lift<P: CommandPlane>(drive: &mut AtaDrive<P>, seen: &Seen, limit: Limit, expected: u64) -> Result<(), AtaError> {
    match limit {
        Limit::HostProtectedArea => {
            let lba48 = seen.abilities.lba48;
            // SET MAX without it right before means something else (ATA8-ACS, 7.54).
            drive.registers(&capacity::native_max(lba48))?;
            drive.order(&capacity::set_max(lba48, expected - 1))
        }
        Limit::Configuration => drive.order(&dco::restore()),
        Limit::AccessibleMax => {
            drive.registers(&capacity::accessible_native_max())?;
            drive.order(&capacity::set_accessible_max(expected - 1))
        }
    }
}

#[cfg(test)]
#[path = "capacity_tests.rs"]
mod tests;
