//! QEMU's arguments for sticks and drives.

use super::drive::{Bus, Drive, Fault};
use crate::stick::Stick;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Ports of the chip set's own AHCI controller, and of the add-in card's.
pub(super) const AHCI_PORTS: usize = 6;

pub(super) fn stick_arguments(stick: &Stick, number: usize, log: Option<&PathBuf>) -> Vec<String> {
    let boot = if number == 0 { ",bootindex=1" } else { "" };
    let name = format!("stick{number}");
    let mut node = json!({"driver": "raw", "file": {"driver": "file", "filename": stick.path}});
    if let Some(log) = log {
        node = recorded(node, log);
    }
    node["node-name"] = Value::from(name.as_str());
    let device = format!("usb-storage,bus=usb.0,id=dev-{name},drive={name},serial={},removable=on{boot}", stick.serial);
    vec!["-blockdev".into(), node.to_string(), "-device".into(), device]
}

/// The block nodes of a drive, from the file upwards: faults, then the record of writes, then the brake.
pub(super) fn chain(drive: &Drive, number: usize) -> Vec<String> {
    let top = format!("drive{number}");
    let mut node = json!({
        "driver": "raw", "read-only": drive.read_only,
        "file": {"driver": "file", "filename": drive.path, "read-only": drive.read_only},
    });
    if drive.discards {
        (node["discard"], node["file"]["discard"]) = ("unmap".into(), "unmap".into());
    }
    let mut args = Vec::new();
    if !drive.faults.is_empty() {
        let rules: Vec<Value> = drive.faults.iter().map(fault_rule).collect();
        node = json!({"driver": "blkdebug", "image": node, "inject-error": rules});
    }
    if let Some(log) = &drive.write_log {
        node = recorded(node, log);
    }
    if let Some(limit) = drive.bytes_per_second {
        args.extend(["-object".into(), format!("throttle-group,id=brake{number},x-bps-total={limit}")]);
        node = json!({"driver": "throttle", "throttle-group": format!("brake{number}"), "file": node});
    }
    node["node-name"] = Value::from(top);
    args.extend(["-blockdev".into(), node.to_string()]);
    args
}

/// The superblock follows every entry: a QEMU that is killed must not leave entries nobody counts.
fn recorded(node: Value, log: &Path) -> Value {
    json!({
        "driver": "blklogwrites", "file": node, "log": {"driver": "file", "filename": log},
        "log-sector-size": 512, "log-super-update-interval": 1,
    })
}

/// `none` is the event of every request, whichever way it came; 5 is EIO.
fn fault_rule(fault: &Fault) -> Value {
    let (direction, sector) = match fault {
        Fault::Write(sector) => ("write", sector),
        Fault::Read(sector) => ("read", sector),
    };
    json!({"event": "none", "iotype": direction, "sector": sector, "errno": 5, "once": false})
}

pub(super) fn device(drive: &Drive, number: usize, port: &mut usize) -> String {
    let common = format!("id={},drive=drive{number},serial={}", device_id(&drive.serial), drive.serial);
    match drive.bus {
        Bus::Ahci => {
            let bus = if *port < AHCI_PORTS { format!("ide.{port}") } else { format!("ahci1.{}", *port - AHCI_PORTS) };
            *port += 1;
            format!("ide-hd,bus={bus},{common}")
        }
        Bus::Scsi { logical, physical } => {
            let sizes = format!("logical_block_size={logical},physical_block_size={physical}");
            format!("scsi-hd,bus=scsi.0,scsi-id={number},{common},{sizes}")
        }
        Bus::Usb { removable } => {
            format!("usb-storage,bus=usb.0,{common},removable={}", if removable { "on" } else { "off" })
        }
        Bus::Nvme => format!("nvme,{common}"),
        Bus::Namespace { id, attached } => {
            let detached = if attached { "off" } else { "on" };
            format!("nvme-ns,bus=parts,drive=drive{number},nsid={id},shared=off,detached={detached}")
        }
        Bus::LogicalUnit(lun) => format!("scsi-hd,bus=scsi.0,scsi-id=100,lun={lun},{common}"),
    }
}

/// What QEMU calls the device of the drive with this serial number.
pub(crate) fn device_id(serial: &str) -> String {
    format!("dev-{serial}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_record_and_brake_lie_between_file_and_device() {
        let slow = Drive::new(Path::new("/x/d.img"), "D", Bus::Ahci)
            .slowed(5)
            .fault(Fault::Write(9))
            .write_log("/x/log".into());
        let args = chain(&slow, 3);
        assert_eq!(args[1], "throttle-group,id=brake3,x-bps-total=5");
        let node: Value = serde_json::from_str(&args[3]).unwrap();
        assert_eq!(node["node-name"], "drive3");
        let order: Vec<_> = [&node, &node["file"], &node["file"]["file"], &node["file"]["file"]["image"]]
            .map(|node| node["driver"].as_str().unwrap().to_owned())
            .into();
        assert_eq!(order, ["throttle", "blklogwrites", "blkdebug", "raw"]);
        assert_eq!(node["file"]["file"]["inject-error"][0]["sector"], 9);
    }
}
