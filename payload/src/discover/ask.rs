//! What only the drive itself knows: IDENTIFY data as they are now, health, native and factory sizes.

use super::{Bus, Drive};
use crate::{
    ata::{AtaDrive, Health, identify::Rotation},
    drive::Identity,
    firmware::{
        capacity::{self, Size},
        scsi as firmware,
    },
    nvme::{
        AdminCommand, LinuxAdmin, NvmeAdmin, admin, health,
        identify::{Controller, Namespace},
        sanitize,
    },
    scsi::{self, Data, LinuxPlane},
};
use rustix::fs::{Mode, OFlags};
use std::{fs::File, sync::Arc};

/// What is good to know of a drive, and nothing that decides about it. `None` is not known, or not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// How the medium moves.
    pub rotation: Option<Rotation>,
    /// Its size as goods: `2.5 inch`.
    pub form_factor: Option<&'static str>,
    /// All sizes an ATA drive has; only [`ask`] knows.
    pub sizes: Option<capacity::Survey>,
    /// Identify Controller of an NVMe drive; only [`ask`] knows.
    pub controller: Option<Controller>,
    /// Identify Namespace of an NVMe drive; only [`ask`] knows.
    pub namespace: Option<Namespace>,
    /// What an NVMe drive says of the last sanitize operation; only [`ask`] knows.
    pub sanitized: Option<sanitize::Log>,
    /// What a SCSI disk says that it can sanitize itself by; only [`ask`] knows.
    pub actions: Option<Vec<scsi::sanitize::Action>>,
    /// How far a SCSI disk is that sanitizes itself, in 65,536ths where it says so; only [`ask`] knows. It has no capacity
    /// meanwhile.
    pub at_work: Option<Option<u16>>,
}

/// Sends reading commands to a drive that takes them and notes the answers; whatever does not answer stays unknown. The
/// drive is opened for reading and not claimed; a sleeping disk spins up.
///
/// Not every USB stick survives a command it does not know, so those with the removable bit are not asked.
pub fn ask(drive: &mut Drive) {
    let Some(asked) = way(drive) else { return };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(device) = rustix::fs::open(&drive.path, flags, Mode::empty()) else { return };
    let device = Arc::new(File::from(device));
    match asked {
        Way::Nvme => {
            if let Some((controller, namespace)) = LinuxAdmin::of(&device) {
                ask_controller(drive, controller, namespace);
            }
        }
        Way::Scsi => {
            let mut plane = LinuxPlane::new(device);
            drive.health = scsi::health::ask(&mut plane);
            drive.details.at_work = firmware::at_work(&mut plane);
            drive.details.actions = Some(firmware::offered(&mut plane));
        }
        Way::Ata => ask_disk(drive, &mut AtaDrive::new(LinuxPlane::new(device))),
    }
}

enum Way {
    Ata,
    Scsi,
    Nvme,
}

fn way(drive: &Drive) -> Option<Way> {
    match drive.bus {
        Bus::Nvme => Some(Way::Nvme),
        Bus::Ata => Some(Way::Ata),
        Bus::Usb => (!drive.removable).then_some(Way::Ata),
        // A host adapter for SAS translates for SATA disks and says so.
        Bus::Scsi => Some(if drive.ata.is_some() { Way::Ata } else { Way::Scsi }),
        _ => None,
    }
}

fn ask_disk(drive: &mut Drive, ata: &mut AtaDrive<LinuxPlane>) {
    if let Ok(identify) = ata.identify() {
        drive.details.rotation = Rotation::agreed(identify.rotation, drive.details.rotation);
        drive.details.form_factor = identify.form_factor.or(drive.details.form_factor);
        drive.ata = Some(identify);
    }
    let Some(identify) = &drive.ata else { return };
    if identify.smart_enabled {
        drive.health = ata.health().ok();
    }
    // Bridges are asked for no more than they are known to take.
    if drive.bus == Bus::Usb {
        if identify.abilities.hpa.supported {
            drive.native_sectors = ata.native_sectors(identify.abilities.lba48).ok();
        }
        return;
    }
    drive.details.sizes = capacity::survey(ata).ok();
    drive.native_sectors = drive.details.sizes.as_ref().and_then(|sizes| match sizes.native() {
        Size::Sectors(sectors) => Some(*sectors),
        Size::Unsupported | Size::Unknown(_) => None,
    });
}

fn ask_controller(drive: &mut Drive, mut controller: impl NvmeAdmin, namespace: u32) {
    let details = &mut drive.details;
    details.controller = page(&mut controller, &admin::identify_controller()).and_then(|data| Controller::parse(&data));
    details.namespace =
        page(&mut controller, &admin::identify_namespace(namespace)).and_then(|data| Namespace::parse(&data));
    drive.health = page(&mut controller, &health::health_log())
        .map(|log| health::parse(&log))
        .filter(|health| *health != Health::default());
    // The log is there where the command is (base specification 2.0, 5.16.1).
    let sanitizes =
        details.controller.as_ref().is_some_and(|found| sanitize::SanitizeAbilities::default() != found.sanitize);
    if sanitizes {
        details.sanitized = page(&mut controller, &sanitize::status_log()).map(|log| sanitize::Log::parse(&log));
    }
}

fn page<const LEN: usize>(controller: &mut impl NvmeAdmin, command: &AdminCommand) -> Option<[u8; LEN]> {
    let mut data = [0; LEN];
    controller.admin(command, Data::In(&mut data)).ok()?;
    Some(data)
}

impl Drive {
    /// Bytes a Host Protected Area hides; `None` where it is not known, `Some(0)` where there is none.
    pub fn hidden_bytes(&self) -> Option<u64> {
        let block = u64::from(self.geometry.ok()?.logical());
        self.native_sectors?.checked_mul(block)?.checked_sub(self.identity.bytes)
    }

    /// Bytes that a Device Configuration Overlay or an Accessible Max Address hides, beside a Host Protected Area; `None`
    /// where it is not known.
    pub fn overlaid_bytes(&self) -> Option<u64> {
        let sizes = self.details.sizes.as_ref()?;
        let block = u64::from(self.geometry.ok()?.logical());
        let shown = self.native_sectors.unwrap_or(0).max(sizes.visible());
        sizes.largest().checked_sub(shown)?.checked_mul(block)
    }

    /// The drive's own model and serial number where a bridge puts its own in their place.
    pub fn behind_bridge(&self) -> Option<(&str, &str)> {
        let Identity { model, serial, .. } = &self.identity;
        let ata = self.ata.as_ref()?;
        ((&ata.model, &ata.serial) != (model, serial)).then_some((ata.model.as_str(), ata.serial.as_str()))
    }
}
