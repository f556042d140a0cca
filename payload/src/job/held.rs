//! What a claimed drive is, as far as certificates tell it: which part of its device it is, what else the device holds, and
//! whether what it reads comes from it. Asked through the descriptor that is held, when the drive is claimed and again before it
//! is certified.

use super::who;
use crate::{
    discover::{Bus, Drive},
    drive::DataPlane,
    firmware::units::{self, Kind, Unit},
};

/// A drive under a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which part of its device it is.
    pub unit: Unit,
    /// Whether what it reads is known to come from it, past all caches of the host.
    pub direct: bool,
}

impl Held {
    /// Of a drive that was claimed just now.
    pub(super) fn ask(plane: &dyn DataPlane, drive: &Drive) -> Self {
        Self { unit: unit(plane, drive), direct: plane.is_direct() }
    }

    /// At the last moment at which the claim is held: what is certified is certified of this drive, and what else its device
    /// holds may have been made or attached since `before`.
    ///
    /// # Errors
    /// Another drive answers, or none.
    pub(super) fn at_last(plane: &dyn DataPlane, drive: &Drive, before: Option<&Self>) -> Result<Self, String> {
        who::is_still(plane, drive)?;
        let now = Self::ask(plane, drive);
        Ok(match before {
            Some(before) => Self { direct: now.direct && before.direct, unit: now.unit.since(&before.unit) },
            None => now,
        })
    }
}

/// What the drive, and for the way to it the system, says.
fn unit(plane: &dyn DataPlane, drive: &Drive) -> Unit {
    match drive.bus {
        Bus::Nvme => match plane.admin() {
            Some((mut controller, nsid)) => units::of_controller(&mut controller, nsid),
            None => Unit::unknown(Kind::Namespace, "the controller takes no commands here"),
        },
        // Not every stick survives a command it does not know.
        Bus::Usb if drive.removable => {
            units::of_device(None::<&mut dyn crate::scsi::CommandPlane>, &plane.address(), true)
        }
        Bus::Usb => units::of_device(plane.commands().as_mut(), &plane.address(), true),
        // An adapter that translates for a SATA disk shows the disk and nothing else.
        Bus::Scsi if drive.ata.is_none() => units::of_device(plane.commands().as_mut(), &plane.address(), false),
        Bus::Mmc => units::of_card(&plane.address()),
        Bus::Other => Unit::unknown(Kind::Drive, "what kind of device it is on is not known"),
        Bus::Ata | Bus::Scsi | Bus::Virtio | Bus::Loop | Bus::File => Unit::drive(),
    }
}
