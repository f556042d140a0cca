//! What is known of the machine: its board, its clock, its memory, controllers that hide drives.

use crate::certify::record::Host;
use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// 2025-01-01 00:00 UTC, in seconds since 1970: no clock that is right is before this program was written.
const EARLIEST: u64 = 1_735_689_600;
/// 2100-01-01 00:00 UTC.
const LATEST: u64 = 4_102_444_800;

/// The machine by its own account; fields it does not know are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    pub board: String,
    pub serial: String,
    /// BIOS vendor, version, date.
    pub firmware: String,
    /// Bytes of memory.
    pub memory: u64,
}

impl Machine {
    /// Reads `sys/class/dmi/id` and `proc/meminfo` below `root` (`/` but for tests).
    pub fn read(root: &Path) -> Self {
        let dmi = |name: &str| text(&root.join("sys/class/dmi/id").join(name));
        let (board, product) =
            (join([dmi("board_vendor"), dmi("board_name")]), join([dmi("sys_vendor"), dmi("product_name")]));
        let memory = fs::read_to_string(root.join("proc/meminfo")).ok().and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
            line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
        });
        let serial = [dmi("product_serial"), dmi("board_serial")].into_iter().find(|text| !text.is_empty());
        Self {
            board: if product.is_empty() || board == product { board } else { join([board, in_brackets(&product)]) },
            serial: serial.unwrap_or_default(),
            firmware: join([dmi("bios_vendor"), dmi("bios_version"), dmi("bios_date")]),
            memory: memory.unwrap_or(0),
        }
    }

    /// For the certificate of a drive on `port`.
    pub fn host(&self, port: &str) -> Host {
        Host {
            board: self.board.clone(),
            serial: self.serial.clone(),
            firmware: self.firmware.clone(),
            port: port.to_owned(),
        }
    }
}

/// The running kernel's release, `6.12.57-mule`.
pub fn kernel() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

fn in_brackets(text: &str) -> String {
    format!("({text})")
}

fn join<const N: usize>(parts: [String; N]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A DMI text; what makers leave in when they do not fill it in counts as nothing.
fn text(path: &Path) -> String {
    const UNFILLED: [&str; 10] = [
        "to be filled by o.e.m.",
        "default string",
        "system manufacturer",
        "system product name",
        "system serial number",
        "not specified",
        "not applicable",
        "none",
        "unknown",
        "o.e.m.",
    ];
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = text.chars().filter(|c| !c.is_control()).take(64).collect();
    let empty = UNFILLED.contains(&text.to_lowercase().as_str()) || text.chars().all(|c| "0.-x *".contains(c));
    if empty { String::new() } else { text }
}

/// What is wrong with the clock, if one can tell. Certificates carry its time either way.
pub fn clock_warning(now: SystemTime) -> Option<String> {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let doubt = if seconds < EARLIEST {
        "the battery may be empty"
    } else if seconds >= LATEST {
        "that is far in the future"
    } else {
        return None;
    };
    Some(format!(
        "THE CLOCK IS NOT SET: it says {} UTC ({doubt}). The certificates will carry this time. Set date and time in the BIOS \
         setup (UTC).",
        utc(Duration::from_secs(seconds))
    ))
}

/// `2026-03-01 12:00:00`, from a time since 1970.
pub fn utc(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let (mut days, of_day) = (seconds / 86400, seconds % 86400);
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    // Whole cycles of the calendar first (400 years of 146,097 days), so that the loops are short for any input.
    let mut year = 1970 + days / 146_097 * 400;
    days %= 146_097;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in lengths {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{:02} {hour:02}:{minute:02}:{second:02}", days + 1)
}

/// Why drives may be missing: disk controllers on the PCI bus that no driver took, below `root`.
pub fn controller_hints(root: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root.join("sys/bus/pci/devices")) else { return Vec::new() };
    let mut hints: Vec<String> = entries.flatten().filter_map(|entry| controller_hint(&entry.path())).collect();
    hints.sort();
    hints
}

fn controller_hint(device: &Path) -> Option<String> {
    let read = |name: &str| fs::read_to_string(device.join(name)).map(|text| text.trim().to_owned());
    let class = read("class").ok()?;
    // Base class 01h is mass storage.
    let subclass = class.strip_prefix("0x01")?.get(..2)?;
    if device.join("driver").exists() {
        return None;
    }
    let id = |name: &str| read(name).unwrap_or_default().replace("0x", "");
    let why = match subclass {
        "04" => {
            "is in RAID mode (Intel RST, VMD or another RAID): its drives are not shown. Set it to AHCI in the BIOS setup"
        }
        _ => "is not supported by this kernel: its drives are not shown. Connect them to another controller",
    };
    let address = device.file_name()?.to_string_lossy().into_owned();
    Some(format!("The disk controller {address} ({}:{}) {why}.", id("vendor"), id("device")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn the_reference_board_is_read() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Machine::read(dir.path()), Machine::default());
        write(
            dir.path(),
            &[
                ("sys/class/dmi/id/board_vendor", "Intel Corporation\n"),
                ("sys/class/dmi/id/board_name", "DQ965GF\n"),
                ("sys/class/dmi/id/sys_vendor", "To Be Filled By O.E.M.\n"),
                ("sys/class/dmi/id/product_name", "                      \n"),
                ("sys/class/dmi/id/board_serial", "BQGF73600ABC\n"),
                ("sys/class/dmi/id/product_serial", "00000000\n"),
                ("sys/class/dmi/id/bios_vendor", "Intel Corp.\n"),
                ("sys/class/dmi/id/bios_version", "CO96510J.86A.6040.2009.0310.1624\n"),
                ("sys/class/dmi/id/bios_date", "03/10/2009\n"),
                ("proc/meminfo", "MemTotal:        2031616 kB\nMemFree: 1 kB\n"),
            ],
        );
        let machine = Machine::read(dir.path());
        let host = machine.host("ata3");
        assert_eq!(host.board, "Intel Corporation DQ965GF");
        assert_eq!(host.serial, "BQGF73600ABC");
        assert_eq!(host.firmware, "Intel Corp. CO96510J.86A.6040.2009.0310.1624 03/10/2009");
        assert_eq!((host.port.as_str(), machine.memory), ("ata3", 2_031_616 * 1024));
        write(
            dir.path(),
            &[("sys/class/dmi/id/sys_vendor", "QEMU"), ("sys/class/dmi/id/product_name", "PC\x1b\u{fffd}")],
        );
        assert_eq!(Machine::read(dir.path()).board, "Intel Corporation DQ965GF (QEMU PC\u{fffd})");
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (EARLIEST, "2025-01-01 00:00:00"),
            (EARLIEST - 1, "2024-12-31 23:59:59"),
            (LATEST, "2100-01-01 00:00:00"),
            (4_107_542_400, "2100-03-01 00:00:00"),
            (1_772_366_400, "2026-03-01 12:00:00"),
        ] {
            assert_eq!(utc(Duration::from_secs(seconds)), text);
        }
        assert!(!utc(Duration::MAX).is_empty());
    }

    #[test]
    fn a_clock_that_was_never_set_is_noticed() {
        let warning = |seconds| clock_warning(UNIX_EPOCH + Duration::from_secs(seconds));
        assert!(warning(EARLIEST - 1).unwrap().contains("2024-12-31 23:59:59 UTC"));
        assert_eq!(warning(EARLIEST), None);
        assert!(warning(LATEST).is_some());
        assert!(clock_warning(UNIX_EPOCH - Duration::from_secs(1)).is_some());
    }

    #[test]
    fn controllers_without_a_driver_are_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(controller_hints(dir.path()).is_empty());
        let pci = |address: &str, class: &str| {
            let file = |name: &str| format!("sys/bus/pci/devices/{address}/{name}");
            let texts = [(file("class"), class), (file("vendor"), "0x8086\n"), (file("device"), "0x282a\n")];
            write(dir.path(), &texts.each_ref().map(|(name, text)| (name.as_str(), *text)));
        };
        pci("0000:00:1f.2", "0x010400\n");
        pci("0000:00:1f.5", "0x010601\n");
        pci("0000:02:00.0", "0x010000\n");
        pci("0000:00:02.0", "0x030000\n");
        write(dir.path(), &[("sys/bus/pci/devices/0000:00:1f.5/driver/x", "")]);
        let hints = controller_hints(dir.path());
        assert_eq!(hints.len(), 2);
        assert!(hints[0].starts_with("The disk controller 0000:00:1f.2 (8086:282a) is in RAID mode"));
        assert!(hints[1].contains("0000:02:00.0") && hints[1].contains("not supported"));
    }
}
