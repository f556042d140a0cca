//! What only the drive itself knows: IDENTIFY data as they are now, SMART, the native size.

use super::{Bus, Drive};
use crate::{
    ata::{AtaDrive, Health},
    drive::Identity,
    nvme::{LinuxAdmin, NvmeAdmin, health},
    scsi::{Data, LinuxPlane},
};
use rustix::fs::{Mode, OFlags};
use std::{fs::File, sync::Arc};

/// Sends the reading ATA commands to a drive that takes them and notes the answers; whatever does not answer stays
/// unknown. The drive is opened for reading and not claimed; a sleeping disk spins up.
///
/// Not every USB stick survives a command it does not know, so those with the removable bit are not asked.
pub fn ask(drive: &mut Drive) {
    if drive.bus == Bus::Nvme {
        drive.health = ask_controller(drive);
        return;
    }
    let asked = match drive.bus {
        Bus::Ata => true,
        Bus::Usb => !drive.removable,
        // A host adapter for SAS translates for SATA disks and says so.
        Bus::Scsi => drive.ata.is_some(),
        _ => false,
    };
    if !asked {
        return;
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(device) = rustix::fs::open(&drive.path, flags, Mode::empty()) else { return };
    let mut ata = AtaDrive::new(LinuxPlane::new(Arc::new(File::from(device))));
    if let Ok(identify) = ata.identify() {
        drive.ata = Some(identify);
    }
    let Some(identify) = &drive.ata else { return };
    if identify.smart_enabled {
        drive.health = ata.health().ok();
    }
    if identify.abilities.hpa.supported {
        drive.native_sectors = ata.native_sectors(identify.abilities.lba48).ok();
    }
}

/// The health log of an NVMe drive.
fn ask_controller(drive: &Drive) -> Option<Health> {
    let device = rustix::fs::open(&drive.path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let (mut controller, _) = LinuxAdmin::of(&Arc::new(File::from(device)))?;
    let mut log = [0; 512];
    controller.admin(&health::health_log(), Data::In(&mut log)).ok()?;
    Some(health::parse(&log))
}

impl Drive {
    /// Bytes a Host Protected Area hides; `None` where it is not known, `Some(0)` where there is none.
    pub fn hidden_bytes(&self) -> Option<u64> {
        let block = u64::from(self.geometry.ok()?.logical());
        self.native_sectors?.checked_mul(block)?.checked_sub(self.identity.bytes)
    }

    /// The drive's own model and serial number where a bridge puts its own in their place.
    pub fn behind_bridge(&self) -> Option<(&str, &str)> {
        let Identity { model, serial, .. } = &self.identity;
        let ata = self.ata.as_ref()?;
        ((&ata.model, &ata.serial) != (model, serial)).then_some((ata.model.as_str(), ata.serial.as_str()))
    }
}
