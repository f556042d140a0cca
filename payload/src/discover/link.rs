//! How fast a drive is attached, and how fast both ends could be. All of it is what the kernel says.

use super::{Bus, sysfs};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A link's speed in words, as the kernel has them: `3.0 Gbps`, `8.0 GT/s PCIe x4`, `480 Mbit/s`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Now.
    pub now: Option<String>,
    /// What the drive could do.
    pub drive: Option<String>,
    /// What the port could do.
    pub port: Option<String>,
    /// Whether both could be faster than it is.
    pub slowed: bool,
}

/// The link of the device in `folder`, which is reached through `parts`.
pub(super) fn read(sys: &Path, bus: Bus, folder: &Path, parts: &[String]) -> Option<Link> {
    let link = match bus {
        Bus::Ata => sata(sys, parts),
        Bus::Nvme => pci(&folder.join("device/device")),
        Bus::Usb => usb(folder),
        _ => return None,
    };
    Some(link).filter(|link| link.now.is_some())
}

/// libata's transport class (`Documentation/ABI/testing/sysfs-ata`).
fn sata(sys: &Path, parts: &[String]) -> Link {
    let number = parts.iter().find_map(|part| part.strip_prefix("ata")?.parse::<u32>().ok());
    let Some(number) = number else { return Link::default() };
    let of = |attribute| known(sysfs::text(&sys.join(format!("class/ata_link/link{number}")).join(attribute)));
    Link { now: of("sata_spd"), drive: None, port: of("hw_sata_spd_limit"), slowed: false }
}

fn known(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.starts_with('<') && !text.to_lowercase().starts_with("unknown"))
}

/// PCI Express (`Documentation/ABI/testing/sysfs-bus-pci`); the port is the bridge that the device hangs on.
fn pci(device: &Path) -> Link {
    let folder = device.canonicalize().unwrap_or_else(|_| device.to_owned());
    let words = |folder: &Path, speed: &str, width: &str| {
        let speed = known(sysfs::text(&folder.join(speed)))?;
        Some(format!("{speed} x{}", sysfs::number::<u32>(&folder.join(width))?))
    };
    let max = |folder: &Path| words(folder, "max_link_speed", "max_link_width");
    let link = Link {
        now: words(&folder, "current_link_speed", "current_link_width"),
        drive: max(&folder),
        port: folder.parent().and_then(max),
        slowed: false,
    };
    let slowed = match (&link.now, &link.drive, &link.port) {
        (Some(now), Some(drive), Some(port)) => number(now) < number(drive) && number(now) < number(port),
        _ => false,
    };
    Link { slowed, ..link }
}

/// The innermost folder on the way with a bus speed is the device; the one above it its hub.
fn usb(folder: &Path) -> Link {
    let resolved = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let speed = |folder: &Path| sysfs::text(&folder.join("speed")).map(|speed| format!("{speed} Mbit/s"));
    let devices: Vec<PathBuf> =
        resolved.ancestors().filter(|folder| folder.join("devnum").exists()).map(Path::to_owned).take(2).collect();
    Link {
        now: devices.first().and_then(|folder| speed(folder)),
        drive: None,
        port: devices.get(1).and_then(|folder| speed(folder)),
        slowed: false,
    }
}

/// The first number of a text: its speed.
fn number(text: &str) -> f64 {
    text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

impl Link {
    /// With what a SATA drive says of itself: generations 1 to 3 are 1.5, 3.0 and 6.0 Gbps.
    pub(super) fn of_generation(mut self, supported: Option<u8>) -> Self {
        let words = |generation: u8| ["1.5 Gbps", "3.0 Gbps", "6.0 Gbps"].get(usize::from(generation).wrapping_sub(1));
        self.drive = supported.and_then(words).map(|words| (*words).to_owned());
        if let (Some(now), Some(drive)) = (&self.now, &self.drive) {
            // A port without a limit of its own is as fast as the driver knows.
            let port = self.port.as_deref().map_or(f64::INFINITY, number);
            self.slowed = number(now) < number(drive) && number(now) < port;
        }
        self
    }

    /// In one line, with a remark where it is slower than it could be.
    pub fn words(&self) -> String {
        let part = |name: &str, speed: &Option<String>| speed.as_ref().map(|speed| format!("{name} {speed}"));
        let could: Vec<_> = [part("drive", &self.drive), part("port", &self.port)].into_iter().flatten().collect();
        let could = if could.is_empty() { String::new() } else { format!(" ({})", could.join(", ")) };
        let remark = if self.slowed { "; SLOWER than both could: check cable and connectors" } else { "" };
        format!("{}{could}{remark}", self.now.as_deref().unwrap_or("not known"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn a_sata_link_below_what_both_ends_can_do_is_called_slow() {
        let parts = ["pci0000:00".to_owned(), "ata3".to_owned()];
        for (now, limit, generation, slowed) in [
            ("1.5 Gbps\n", "<unknown>\n", Some(2), true),
            ("3.0 Gbps\n", "3.0 Gbps\n", Some(3), false),
            ("1.5 Gbps\n", "3.0 Gbps\n", Some(3), true),
            ("6.0 Gbps\n", "6.0 Gbps\n", Some(3), false),
            ("1.5 Gbps\n", "6.0 Gbps\n", None, false),
        ] {
            let root =
                tree(&[("class/ata_link/link3/sata_spd", now), ("class/ata_link/link3/hw_sata_spd_limit", limit)]);
            let link = read(root.path(), Bus::Ata, root.path(), &parts).unwrap().of_generation(generation);
            assert_eq!(link.slowed, slowed, "{link:?}");
            assert_eq!(link.words().contains("SLOWER"), slowed);
        }
        let root = tree(&[("class/ata_link/link3/sata_spd", "<unknown>\n")]);
        assert_eq!(read(root.path(), Bus::Ata, root.path(), &parts), None);
    }

    #[test]
    fn a_pci_link_is_compared_with_its_bridge() {
        let speeds = |folder: &str, speed: &str, width: &str| {
            ["current", "max"].map(|which| {
                [
                    (format!("{folder}/{which}_link_speed"), speed.to_owned()),
                    (format!("{folder}/{which}_link_width"), width.to_owned()),
                ]
            })
        };
        let mut files: Vec<(String, String)> = speeds("bridge", "8.0 GT/s PCIe", "4").concat();
        files.extend(speeds("bridge/device/device", "8.0 GT/s PCIe", "4").concat());
        files.push(("bridge/device/device/current_link_speed".into(), "2.5 GT/s PCIe".into()));
        let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let root = tree(&files);
        // The bridge is the folder above the device's own.
        fs::rename(root.path().join("bridge/device/device"), root.path().join("bridge/own")).unwrap();
        let link = pci(&root.path().join("bridge/own"));
        assert_eq!(link.now.as_deref(), Some("2.5 GT/s PCIe x4"));
        assert_eq!((link.port.as_deref(), link.slowed), (Some("8.0 GT/s PCIe x4"), true));
    }
}
