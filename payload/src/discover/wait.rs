//! Waiting until slow drives have appeared.

use super::{Drive, Roots, scan, sysfs};
use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// The set of drives must be the same for so long; a USB stick needs about a second after its port is powered.
const QUIET: Duration = Duration::from_millis(1500);
const POLL: Duration = Duration::from_millis(100);
/// From an adapter's or port's folder to `block`: host, target, device.
const DEPTH: usize = 5;

/// How the waiting ended.
#[derive(Debug)]
pub struct Settled {
    /// The drives at the end.
    pub drives: Vec<Drive>,
    /// Whether the condition was met, nothing was still being probed and the set had been stable.
    pub complete: bool,
}

/// Waits until `condition` holds for the drives found, no device is still being probed, and the set of drives has not
/// changed for a second and a half; gives up after `limit`. `say` is told what is waited for, each time that changes.
pub fn wait_for(
    roots: &Roots,
    condition: &mut dyn FnMut(&[Drive]) -> bool,
    limit: Duration,
    say: &mut dyn FnMut(&str),
) -> Settled {
    settle(roots, condition, Times { limit, quiet: QUIET, poll: POLL }, say)
}

struct Times {
    limit: Duration,
    quiet: Duration,
    poll: Duration,
}

fn settle(
    roots: &Roots,
    condition: &mut dyn FnMut(&[Drive]) -> bool,
    times: Times,
    say: &mut dyn FnMut(&str),
) -> Settled {
    let start = Instant::now();
    let mut seen = Vec::new();
    let mut since = start;
    let mut said = String::new();
    loop {
        let drives = scan(roots);
        let names: Vec<(String, u64)> = drives.iter().map(|drive| (drive.name.clone(), drive.identity.bytes)).collect();
        if names != seen {
            seen = names;
            since = Instant::now();
        }
        let mut waits = probing(roots);
        if !condition(&drives) {
            waits.push("the drives that are asked for".into());
        }
        if waits.is_empty() && since.elapsed() >= times.quiet {
            return Settled { drives, complete: true };
        }
        if start.elapsed() >= times.limit {
            return Settled { drives, complete: false };
        }
        let words = waits.join(", ");
        if words != said && !words.is_empty() {
            say(&format!("waiting for {words}"));
        }
        said = words;
        thread::sleep(times.poll);
    }
}

/// What the kernel has seen and not yet made a drive of.
fn probing(roots: &Roots) -> Vec<String> {
    let mut found = Vec::new();
    let usb = roots.sys.join("bus/usb/devices");
    for name in sysfs::names(&usb).iter().filter(|name| name.contains(':')) {
        let interface = usb.join(name);
        // Class 08h is mass storage (USB Mass Storage Class Specification Overview).
        if sysfs::text(&interface.join("bInterfaceClass")).as_deref() == Some("08") && !has_unit(&interface, DEPTH) {
            found.push(format!("the USB storage at port {}", name.split(':').next().unwrap_or(name)));
        }
    }
    let ata = roots.sys.join("class/ata_device");
    for name in sysfs::names(&ata) {
        let port = ata.join(&name).canonicalize().ok().and_then(|device| {
            let is_port = |folder: &&Path| folder.file_name().is_some_and(|name| is_ata_port(&name.to_string_lossy()));
            device.ancestors().find(is_port).map(Path::to_owned)
        });
        let is_disk = sysfs::text(&ata.join(&name).join("class")).as_deref() == Some("ata");
        if let Some(port) = port.filter(|port| is_disk && !has_unit(port, DEPTH)) {
            found.push(format!("the disk at {}", port.file_name().unwrap_or_default().to_string_lossy()));
        }
    }
    let nvme = roots.sys.join("class/nvme");
    for name in sysfs::names(&nvme) {
        let state = sysfs::text(&nvme.join(&name).join("state"));
        if matches!(state.as_deref(), Some("new" | "connecting" | "resetting")) {
            found.push(name);
        }
    }
    found
}

fn is_ata_port(name: &str) -> bool {
    name.strip_prefix("ata").is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a SCSI device below `folder` is a block device already, or is none that becomes one (type 0 is a disk, 14 a
/// simple disk).
fn has_unit(folder: &Path, depth: usize) -> bool {
    sysfs::names(folder).iter().any(|name| {
        let below = folder.join(name);
        if !below.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return false;
        }
        let other = sysfs::number::<u8>(&below.join("type")).is_some_and(|kind| kind != 0 && kind != 14);
        let block = name == "block" && !sysfs::names(&below).is_empty();
        let unit = name.split(':').count() == 4 && other;
        block || unit || (depth > 1 && has_unit(&below, depth - 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::fixture::Machine;

    fn times(limit: u64) -> Times {
        Times { limit: Duration::from_millis(limit), quiet: Duration::from_millis(60), poll: Duration::from_millis(5) }
    }

    #[test]
    fn a_machine_at_rest_settles_after_the_quiet_time() {
        let machine = Machine::bench();
        let start = Instant::now();
        let settled = settle(&machine.roots, &mut |_| true, times(5000), &mut |words| panic!("{words}"));
        assert!(settled.complete && start.elapsed() >= Duration::from_millis(60));
        assert_eq!(settled.drives.len(), scan(&machine.roots).len());
    }

    #[test]
    fn a_slow_usb_stick_is_waited_for_and_named() {
        let machine = Machine::bench();
        machine.usb_interface_without_unit("2-3");
        let mut words = Vec::new();
        let settled = settle(&machine.roots, &mut |_| true, times(100), &mut |line| words.push(line.to_owned()));
        assert!(!settled.complete);
        assert_eq!(words, ["waiting for the USB storage at port 2-3"]);
    }

    #[test]
    fn a_disk_without_a_name_yet_and_a_condition_are_waited_for() {
        let machine = Machine::bench();
        machine.ata_port_without_unit(9);
        let mut words = Vec::new();
        let settled = settle(&machine.roots, &mut |_| false, times(50), &mut |line| words.push(line.to_owned()));
        assert!(!settled.complete);
        assert_eq!(words, ["waiting for the disk at ata9, the drives that are asked for"]);
    }
}
