//! Which part of its device a claimed drive is, and what else the device holds: asked through the descriptor that is held, when
//! the drive is claimed and again before it is certified.

use crate::{
    discover::{Bus, Drive},
    drive::DataPlane,
    firmware::units::{self, Kind, Unit},
};

/// What the drive, and for the way to it the system, says.
pub(super) fn ask(plane: &dyn DataPlane, drive: &Drive) -> Unit {
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
