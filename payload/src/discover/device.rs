//! One block device in sysfs: what it is attached to, who it is, how large it is.

use super::{Bus, Details, Drive, Roots, link, sysfs, usage::Users};
use crate::{
    ata::{Identify, identify::Rotation},
    drive::{Geometry, Identity, identity::TEXT_MAX},
    scsi::{
        text::{clean, clean_tail},
        vpd,
    },
};
use std::path::{Path, PathBuf};

/// Unit of the `size` attribute, whatever the logical block is.
const SIZE_UNIT: u64 = 512;

/// Names of block devices that are no drives: memory, layers over drives, other media, parts of drives.
const NO_DRIVES: &[&str] =
    &["loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd", "rbd", "drbd", "bcache", "mtdblock", "ubi"];

/// Whether the scan lists a device.
pub(super) fn is_candidate(roots: &Roots, name: &str) -> bool {
    let place = Place::of(roots, name);
    let excluded = NO_DRIVES.iter().any(|prefix| name.starts_with(prefix));
    // Boot and replay-protected areas of an eMMC are devices of their own, as are the paths below an NVMe namespace.
    let part = name.starts_with("mmcblk") && (name.contains("boot") || name.contains("rpmb"));
    let hidden = sysfs::flag(&place.attribute("hidden")) == Some(true);
    let layer = place.parts.iter().any(|part| part == "virtual") && !name.starts_with("nvme");
    !(excluded || part || hidden || layer)
}

/// Everything sysfs says about the device `name`.
pub(super) fn read(roots: &Roots, name: &str, users: &Users) -> Drive {
    let place = Place::of(roots, name);
    let facts = place.facts();
    let size = |attribute| sysfs::number(&place.attribute(attribute)).unwrap_or(0);
    let generation = facts.ata.as_ref().and_then(|ata| ata.sata_generation);
    let link = link::read(&roots.sys, place.bus, &place.folder, &place.parts).map(|link| match place.bus {
        Bus::Ata => link.of_generation(generation),
        _ => link,
    });
    let characteristics = sysfs::bytes(&place.attribute("device/vpd_pgb1"));
    let (turns, form) = characteristics.map_or((None, None), |page| vpd::characteristics(&page));
    let details = Details {
        rotation: Rotation::agreed(facts.ata.as_ref().and_then(|ata| ata.rotation), turns),
        form_factor: facts.ata.as_ref().and_then(|ata| ata.form_factor).or(form),
        ..Details::default()
    };
    Drive {
        path: roots.dev.join(name.replace('!', "/")),
        geometry: Geometry::new(place.bytes(), size("queue/logical_block_size"), size("queue/physical_block_size")),
        port: place.port(),
        removable: sysfs::flag(&place.attribute("removable")).unwrap_or(true),
        read_only: sysfs::flag(&place.attribute("ro")).unwrap_or(true),
        rotational: sysfs::flag(&place.attribute("queue/rotational")),
        usage: users.of(roots, name),
        partitions: partitions(roots, name),
        identity: place.identity(&facts),
        bus: place.bus,
        firmware: facts.firmware,
        ata: facts.ata,
        native_sectors: None,
        health: None,
        link,
        details,
        name: name.to_owned(),
    }
}

/// Who the device `name` is, read anew.
pub(super) fn identity(roots: &Roots, name: &str) -> Identity {
    let place = Place::of(roots, name);
    let facts = place.facts();
    place.identity(&facts)
}

/// The partitions the kernel made of a device.
pub(super) fn partitions(roots: &Roots, name: &str) -> Vec<String> {
    let folder = roots.sys.join("block").join(name);
    let mut found = sysfs::names(&folder);
    found.retain(|entry| folder.join(entry).join("partition").exists());
    found
}

/// A device's folder and the way to it.
struct Place {
    folder: PathBuf,
    /// The names on the way from the root of sysfs, resolved.
    parts: Vec<String>,
    bus: Bus,
}

/// What the drive says about itself, by whatever way.
#[derive(Default)]
struct Facts {
    model: String,
    serial: String,
    wwn: Option<String>,
    firmware: Option<String>,
    ata: Option<Identify>,
}

impl Place {
    fn of(roots: &Roots, name: &str) -> Self {
        let folder = roots.sys.join("block").join(name);
        let root = roots.sys.canonicalize().unwrap_or_else(|_| roots.sys.clone());
        let resolved = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        let inside = resolved.strip_prefix(root).unwrap_or_else(|_| Path::new(""));
        let parts: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let bus = bus(name, &parts);
        Self { folder, parts, bus }
    }

    fn attribute(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn text(&self, name: &str) -> Option<String> {
        sysfs::text(&self.attribute(name))
    }

    /// Capacity in bytes; 0 where sysfs does not say, which no geometry accepts.
    fn bytes(&self) -> u64 {
        let units = sysfs::number::<u64>(&self.attribute("size")).unwrap_or(0);
        units.checked_mul(SIZE_UNIT).unwrap_or(0)
    }

    fn identity(&self, facts: &Facts) -> Identity {
        Identity {
            model: facts.model.clone(),
            serial: facts.serial.clone(),
            wwn: facts.wwn.clone(),
            bytes: self.bytes(),
        }
    }

    fn facts(&self) -> Facts {
        let text = |name| self.text(name).unwrap_or_default();
        match self.bus {
            Bus::Ata | Bus::Scsi | Bus::Usb => self.scsi_facts(),
            Bus::Nvme => Facts {
                model: text("device/model"),
                serial: text("device/serial"),
                wwn: self.wwid("wwid"),
                firmware: self.text("device/firmware_rev"),
                ata: None,
            },
            Bus::Virtio => Facts { model: "virtio disk".into(), serial: text("serial"), ..Facts::default() },
            Bus::Mmc => Facts {
                model: text("device/name"),
                serial: text("device/cid"),
                firmware: self.text("device/fwrev"),
                ..Facts::default()
            },
            Bus::Loop => Facts {
                model: "loop device".into(),
                serial: sysfs::bytes(&self.attribute("loop/backing_file")).map_or_else(String::new, |b| clean_tail(&b)),
                ..Facts::default()
            },
            Bus::File | Bus::Other => {
                Facts { model: text("device/model"), serial: text("device/serial"), ..Facts::default() }
            }
        }
    }

    /// IDENTIFY data go first: INQUIRY data of a translation layer have half of the model only.
    fn scsi_facts(&self) -> Facts {
        let page = |name| sysfs::bytes(&self.attribute(name));
        let ata = page("device/vpd_pg89").and_then(|page| Identify::parse(vpd::identify_data(&page)?).ok());
        let serial = page("device/vpd_pg80").and_then(|page| vpd::serial_number(&page));
        let wwn = self.wwid("device/wwid").or_else(|| vpd::world_wide_name(&page("device/vpd_pg83")?));
        if let Some(ata) = ata.filter(|ata| !ata.model.is_empty()) {
            return Facts {
                model: ata.model.clone(),
                serial: ata.serial.clone(),
                wwn: ata.wwn.clone().or(wwn),
                firmware: Some(ata.firmware.clone()).filter(|firmware| !firmware.is_empty()),
                ata: Some(ata),
            };
        }
        let vendor = self.text("device/vendor").filter(|vendor| vendor != "ATA").unwrap_or_default();
        let product = self.text("device/model").unwrap_or_default();
        let serial = match (serial, self.bus) {
            (None, Bus::Usb) => self.usb_device().and_then(|device| sysfs::text(&device.join("serial"))),
            (serial, _) => serial,
        };
        Facts {
            model: clean(format!("{vendor} {product}").as_bytes()),
            serial: serial.unwrap_or_default(),
            wwn,
            firmware: self.text("device/rev"),
            ata: None,
        }
    }

    /// A world-wide name in the kernel's notation. Its other notations (`t10.`, `nvme.`) repeat model and serial number.
    fn wwid(&self, attribute: &str) -> Option<String> {
        let bytes = sysfs::bytes(&self.attribute(attribute))?;
        let name = clean(&bytes);
        let known = ["naa.", "eui.", "uuid."].iter().any(|prefix| name.starts_with(prefix));
        (known && bytes.trim_ascii().len() <= TEXT_MAX).then_some(name)
    }

    /// The folder of the USB device: the innermost on the way that has a device number of the bus.
    fn usb_device(&self) -> Option<PathBuf> {
        let resolved = self.folder.canonicalize().ok()?;
        resolved.ancestors().find(|folder| folder.join("devnum").exists()).map(Path::to_owned)
    }

    fn port(&self) -> String {
        let last = |wanted: &dyn Fn(&str) -> bool| self.parts.iter().rev().find(|part| wanted(part)).cloned();
        let pci = |part: &str| part.len() == 12 && part.as_bytes()[4] == b':' && part.as_bytes()[10] == b'.';
        let address =
            |part: &str| part.split(':').count() == 4 && part.bytes().all(|b| b.is_ascii_digit() || b == b':');
        let found = match self.bus {
            Bus::Ata => last(&|part| numbered(part, "ata")),
            Bus::Usb => last(&is_usb_device).map(|part| format!("usb {part}")),
            Bus::Nvme => last(&pci).map(|part| format!("pci {part}")),
            Bus::Scsi => last(&address).map(|part| format!("scsi {part}")),
            Bus::Virtio => last(&|part| numbered(part, "virtio")),
            Bus::Mmc => last(&|part| numbered(part, "mmc")),
            Bus::Loop | Bus::File | Bus::Other => None,
        };
        found.unwrap_or_default()
    }
}

/// How a device is attached, by the way to it (a USB bridge is below a USB port, whatever is behind it), then by name.
fn bus(name: &str, parts: &[String]) -> Bus {
    let below = |prefix| parts.iter().any(|part| numbered(part, prefix));
    match name {
        _ if name.starts_with("nvme") => Bus::Nvme,
        _ if name.starts_with("vd") => Bus::Virtio,
        _ if name.starts_with("mmcblk") => Bus::Mmc,
        _ if name.starts_with("loop") => Bus::Loop,
        _ if name.starts_with("sd") && below("usb") => Bus::Usb,
        _ if name.starts_with("sd") && below("ata") => Bus::Ata,
        _ if name.starts_with("sd") => Bus::Scsi,
        _ => Bus::Other,
    }
}

/// `ata3`, `usb1`, `virtio0`: the prefix and a number.
fn numbered(part: &str, prefix: &str) -> bool {
    part.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `1-4` or `1-4.2`: bus and port path of a USB device; its interfaces have a colon.
fn is_usb_device(part: &str) -> bool {
    part.contains('-')
        && part.starts_with(|first: char| first.is_ascii_digit())
        && part.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
}
