//! Which part of a device a drive is that is written and read, and what else the same device holds: namespaces of an NVMe
//! controller, logical units of a SCSI device, areas of an eMMC. What cannot be found out is said, and never taken for none.

use crate::{
    drive::Address,
    nvme::{
        NvmeAdmin,
        admin::{self, AdminCommand, active_namespaces},
        identify::{self, Controller},
    },
    scsi::{CommandPlane, Data, luns},
};
use mule_types::technique::Technique;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Others that are listed; the count beside the list is of all.
pub const LISTED: usize = 32;
/// Namespaces in one list (base specification 2.0, 5.17.2.3).
const LIST: usize = 1024;
/// REPORT LUNS needs no medium and is answered at once (SPC-4, 6.33).
const TIMEOUT: Duration = Duration::from_secs(20);
/// A first answer after a reset is that there was one.
const TRIES: u32 = 3;

/// What was addressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A drive that has no parts by its interface, as a SATA disk.
    Drive,
    /// A namespace of an NVMe drive.
    Namespace,
    /// A logical unit of a SCSI device or behind a USB bridge.
    LogicalUnit,
    /// An area of an eMMC, or an SD card's only one.
    Area,
}

impl Kind {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Drive => "drive",
            Self::Namespace => "namespace",
            Self::LogicalUnit => "logical unit",
            Self::Area => "area",
        }
    }
}

/// Another part of the same device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Other {
    /// Its number, or its name.
    pub name: String,
    /// Its size in bytes, where the device says it.
    pub bytes: Option<u64>,
}

/// What was addressed, and what else there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// What it is.
    pub kind: Kind,
    /// Namespace id, number of the logical unit, name of the area; blank for a drive, and where it is not known.
    pub name: String,
    /// The first others of the device.
    pub others: Vec<Other>,
    /// How many others there are, also where the list was cut short.
    pub other_units: u64,
    /// Whether units can be made and deleted (NVMe namespace management): then capacity that belongs to none may hold what a
    /// deleted one held.
    pub managed: bool,
    /// Capacity that belongs to no unit, in bytes (UNVMCAP); `None` where the device does not state it.
    pub unallocated_bytes: Option<u64>,
    /// What could not be found out of all this; blank where nothing.
    pub unknown: String,
}

impl Unit {
    /// A drive that has no parts.
    pub fn drive() -> Self {
        Self::new(Kind::Drive, String::new())
    }

    fn new(kind: Kind, name: String) -> Self {
        let (others, unknown) = (Vec::new(), String::new());
        Self { kind, name, others, other_units: 0, managed: false, unallocated_bytes: None, unknown }
    }

    /// A unit of which nothing more could be found out.
    pub fn unknown(kind: Kind, why: impl Into<String>) -> Self {
        Self { unknown: why.into(), ..Self::new(kind, String::new()) }
    }

    fn note(&mut self, why: impl AsRef<str>) {
        if !self.unknown.is_empty() {
            self.unknown.push_str("; ");
        }
        self.unknown.push_str(why.as_ref());
    }

    /// Whether this unit is the whole device, as far as a technique that is sent to it reaches: a sanitize operation of NVMe
    /// reaches the whole subsystem, capacity that no namespace has among it (base specification 2.0, 5.24).
    pub fn is_whole(&self, technique: Option<Technique>) -> bool {
        let subsystem = matches!(technique, Some(Technique::NvmeSanitize(_)));
        self.other_units == 0 && (subsystem || self.unknown.is_empty() && !self.may_hold_deleted())
    }

    /// Whether capacity that belongs to no unit may hold old data.
    pub fn may_hold_deleted(&self) -> bool {
        match self.unallocated_bytes {
            Some(bytes) => bytes > 0,
            None => self.managed,
        }
    }

    /// What is known after the work, with what was known before it: nothing that was there at either time is left out, and a
    /// device that changed meanwhile is not known.
    #[must_use]
    pub fn since(self, before: &Self) -> Self {
        if self == *before {
            return self;
        }
        let mut both = self;
        let missed = before.others.iter().filter(|other| both.others.iter().all(|known| known.name != other.name));
        let missed: Vec<_> = missed.cloned().collect();
        both.other_units = (both.other_units + missed.len() as u64).max(before.other_units);
        both.others.extend(missed);
        both.others.truncate(LISTED);
        both.managed |= before.managed;
        both.unallocated_bytes = both.unallocated_bytes.max(before.unallocated_bytes);
        if !before.unknown.is_empty() && before.unknown != both.unknown {
            both.note(&before.unknown);
        }
        both.note("what the device said of its parts changed while it was worked on");
        both
    }

    fn with(mut self, others: Vec<Other>) -> Self {
        self.other_units = others.len() as u64;
        self.others = others;
        self.others.truncate(LISTED);
        self
    }
}

/// A namespace and what else its controller, and the others of the same subsystem, hold.
pub fn of_controller<A: NvmeAdmin>(drive: &mut A, nsid: u32) -> Unit {
    let mut unit = Unit::new(Kind::Namespace, nsid.to_string());
    let controller = match page(drive, &admin::identify_controller()) {
        Ok(page) => page,
        Err(why) => return Unit { unknown: format!("the controller did not say what it has: {why}"), ..unit },
    };
    unit.managed = admin::manages_namespaces(&controller);
    unit.unallocated_bytes = identify::unallocated(&controller);
    if unit.unallocated_bytes.is_none() && unit.managed {
        unit.note("the controller does not state how much of its capacity belongs to no namespace");
    }
    let mut all = match list(drive, admin::list_namespaces) {
        Ok(active) if active.contains(&nsid) => active,
        Ok(active) => {
            unit.note(format!("the controller's list of active namespaces lacks namespace {nsid}"));
            active
        }
        Err(why) => {
            unit.note(format!("the controller did not list its active namespaces: {why}"));
            vec![nsid]
        }
    };
    // NN counts for the whole subsystem: where all of them are active here, there is none elsewhere.
    let most = Controller::parse(&controller).map_or(0, |controller| controller.namespaces);
    let fixed = !unit.managed && u64::from(most) == all.len() as u64;
    if !fixed {
        match list(drive, admin::list_allocated) {
            Ok(allocated) => all.extend(allocated),
            Err(why) => {
                unit.note(format!("namespaces that are not attached to this controller could not be listed: {why}"));
            }
        }
    }
    all.sort_unstable();
    all.dedup();
    all.retain(|other| *other != nsid);
    let sized = |(at, other): (usize, u32)| Other {
        name: other.to_string(),
        bytes: if at < LISTED { size(drive, other) } else { None },
    };
    unit.with(all.into_iter().enumerate().map(sized).collect())
}

/// A namespace's size, whether it is attached or not.
fn size<A: NvmeAdmin>(drive: &mut A, nsid: u32) -> Option<u64> {
    let ways = [admin::identify_namespace(nsid), admin::identify_allocated(nsid)];
    ways.iter().find_map(|way| {
        let namespace = identify::Namespace::parse(&page(drive, way).ok()?)?;
        namespace.blocks.checked_mul(namespace.format?.bytes)
    })
}

/// A whole list: a full page is continued behind its last entry.
fn list<A: NvmeAdmin>(drive: &mut A, ask: fn(u32) -> AdminCommand) -> Result<Vec<u32>, String> {
    let mut all: Vec<u32> = Vec::new();
    loop {
        let behind = all.last().copied().unwrap_or(0);
        let part: Vec<u32> = active_namespaces(&page(drive, &ask(behind))?).collect();
        let ordered = part.iter().try_fold(behind, |last, nsid| (*nsid > last).then_some(*nsid)).is_some();
        if !ordered {
            return Err("its list is not in order".into());
        }
        let full = part.len() == LIST;
        all.extend(part);
        // The last numbers there can be are no namespaces.
        if !full || all.last().is_some_and(|last| *last >= admin::ALL_NAMESPACES - 2) {
            return Ok(all);
        }
    }
}

fn page<A: NvmeAdmin>(drive: &mut A, command: &AdminCommand) -> Result<[u8; 4096], String> {
    let mut page = [0; 4096];
    drive.admin(command, Data::In(&mut page)).map_err(|error| error.to_string())?;
    Ok(page)
}

/// A logical unit and the others of its device. What the system found when the device was attached adds to what the device
/// says; alone it counts only where `attached` does: a USB device states then how many it has (USB mass storage class,
/// bulk-only transport, 3.2).
pub fn of_device<P: CommandPlane + ?Sized>(plane: Option<&mut P>, address: &Address, attached: bool) -> Unit {
    let mut unit = Unit::new(Kind::LogicalUnit, address.lun.map(|lun| lun.to_string()).unwrap_or_default());
    let answer = plane.map_or_else(|| Err("it was not asked for it".to_owned()), report);
    let mut all = address.luns.clone();
    match answer {
        Ok(luns) => all.extend(luns),
        Err(_) if attached && !all.is_empty() => {}
        Err(why) => unit.note(format!("the device did not list its logical units: {why}")),
    }
    all.sort_unstable();
    all.dedup();
    match (address.lun, all.as_slice()) {
        (Some(own), _) => all.retain(|lun| *lun != own),
        (None, [only]) => {
            unit.name = only.to_string();
            all.clear();
        }
        (None, []) => {}
        (None, _) => unit.note("which of its logical units was addressed could not be found out"),
    }
    unit.with(all.into_iter().map(|lun| Other { name: lun.to_string(), bytes: None }).collect())
}

fn report<P: CommandPlane + ?Sized>(plane: &mut P) -> Result<Vec<u64>, String> {
    let mut answer = vec![0; luns::LEN];
    let mut last = String::new();
    for _ in 0..TRIES {
        let reply =
            plane.execute(&luns::report(), Data::In(&mut answer), TIMEOUT).map_err(|error| error.to_string())?;
        match reply.status {
            0 => return luns::parse(&answer[..reply.transferred.min(answer.len())]).map_err(str::to_owned),
            status => last = format!("SCSI status {status:#04x}"),
        }
    }
    Err(last)
}

/// An area of an eMMC and the others of the same device, as the system found them when it read the device's EXT_CSD.
pub fn of_card(address: &Address) -> Unit {
    let Some(areas) = &address.areas else {
        return Unit::unknown(Kind::Area, "the system does not say which areas the device has");
    };
    let others = areas.iter().map(|area| Other { name: area.name.clone(), bytes: area.bytes }).collect();
    Unit::new(Kind::Area, address.area.clone()).with(others)
}

#[cfg(test)]
#[path = "units_tests.rs"]
mod tests;
