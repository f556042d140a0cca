//! Trees of files that look like the kernel's file systems.

use super::{Bus, Details, Drive, Roots};
use crate::{
    ata::identify::tests::Sample,
    drive::{Geometry, GeometryError, Identity},
};
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A built-in drive of which only this is known.
pub(crate) fn plain(name: &str, identity: Identity, geometry: Result<Geometry, GeometryError>) -> Drive {
    Drive {
        name: name.into(),
        path: Path::new("/dev").join(name),
        geometry,
        identity,
        bus: Bus::Ata,
        port: String::new(),
        firmware: None,
        removable: false,
        read_only: false,
        rotational: None,
        usage: Vec::new(),
        partitions: Vec::new(),
        ata: None,
        native_sectors: None,
        health: None,
        link: None,
        details: Details::default(),
    }
}

/// A machine made of files; gone with the value.
pub(super) struct Machine {
    pub(super) roots: Roots,
    _dir: TempDir,
}

/// Puts `content` into a file, making the folders on the way.
pub(super) fn put(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// The ATA Information page with these IDENTIFY data.
pub(super) fn page_89(identify: &[u8; 512]) -> Vec<u8> {
    let mut page = vec![0; 60];
    page[1] = 0x89;
    page[2..4].copy_from_slice(&568_u16.to_be_bytes());
    page[56] = 0xec;
    page.extend(identify);
    page
}

impl Machine {
    pub(super) fn empty() -> Self {
        let dir = TempDir::new().unwrap();
        let root = |name| {
            let path = dir.path().join(name);
            fs::create_dir_all(&path).unwrap();
            path
        };
        let roots = Roots { sys: root("sys"), dev: root("dev"), proc: root("proc") };
        put(&roots.proc.join("self/mountinfo"), "22 1 0:21 / /proc rw - proc proc rw\n");
        put(&roots.proc.join("swaps"), "Filename\tType\tSize\tUsed\tPriority\n");
        Self { roots, _dir: dir }
    }

    /// Takes capabilities from this process, as a container does.
    pub(super) fn confine(&self) {
        put(&self.roots.proc.join("self/status"), "CapEff:\t00000000a80425fb\n");
        put(&self.roots.proc.join("sys/kernel/cap_last_cap"), "40\n");
    }

    /// A bench PC: a SATA disk, a USB stick, an NVMe drive, a virtio disk, and devices that are no drives.
    pub(super) fn bench() -> Self {
        let machine = Self::empty();
        let sata = "pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0";
        machine.block(sata, "sda", "8:0", 976_773_168);
        machine.attributes(sata, &[("model", "WDC WD5000AAKS-0"), ("vendor", "ATA     "), ("rev", "1A01")]);
        let identify = Sample::disk("WDC WD5000AAKS-00A7B2", "WD-WMASY1234567").sealed();
        put(&machine.device(sata).join("vpd_pg89"), page_89(&identify));
        machine.partition(sata, "sda", "sda1", "8:1");
        machine.partition(sata, "sda", "sda2", "8:2");
        let usb = "pci0000:00/0000:00:1d.7/usb1/1-4/1-4:1.0/host6/target6:0:0/6:0:0:0";
        let stick = machine.block(usb, "sdb", "8:16", 15_654_912);
        machine.attributes(usb, &[("model", "Ultra           "), ("vendor", "SanDisk "), ("rev", "1.00")]);
        put(&stick.join("removable"), "1\n");
        let port = machine.device("pci0000:00/0000:00:1d.7/usb1/1-4");
        put(&port.join("serial"), "4C530001230405\n");
        put(&port.join("devnum"), "5\n");
        put(&port.join("1-4:1.0/bInterfaceClass"), "08\n");
        machine.link("bus/usb/devices/1-4:1.0", &port.join("1-4:1.0"));
        let nvme = "pci0000:00/0000:01:00.0/nvme/nvme0";
        let drive = machine.block_in(nvme, "", "nvme0n1", "259:0", 1_000_215_216);
        machine.attributes(nvme, &[("model", "Samsung SSD 970 EVO 500GB   "), ("serial", "S5H7NS0N123456 ")]);
        machine.attributes(nvme, &[("firmware_rev", "2B2QEXE7"), ("state", "live")]);
        put(&drive.join("wwid"), "eui.0025385b01402d4e\n");
        put(&drive.join("queue/rotational"), "0\n");
        machine.link("class/nvme/nvme0", &machine.device(nvme));
        let virtio = "pci0000:00/0000:00:04.0/virtio1";
        put(&machine.block(virtio, "vda", "254:0", 2048).join("serial"), "TARGET0");
        for (name, number) in [("loop0", "7:0"), ("dm-0", "253:0"), ("zram0", "252:0")] {
            machine.block_in("virtual", "block", name, number, 4096);
        }
        machine.block("pci0000:00/0000:00:1f.2/ata4/host3/target3:0:0/3:0:0:0", "sr0", "11:0", 0);
        machine
    }

    pub(super) fn device(&self, place: &str) -> PathBuf {
        self.roots.sys.join("devices").join(place)
    }

    /// A block device below the device at `place`, with the attributes every disk has.
    pub(super) fn block(&self, place: &str, name: &str, number: &str, units: u64) -> PathBuf {
        self.block_in(place, "block", name, number, units)
    }

    fn block_in(&self, place: &str, class: &str, name: &str, number: &str, units: u64) -> PathBuf {
        let folder = self.device(place).join(class).join(name);
        for (attribute, content) in [
            ("dev", number),
            ("size", &units.to_string()),
            ("removable", "0"),
            ("ro", "0"),
            ("queue/logical_block_size", "512"),
            ("queue/physical_block_size", "512"),
            ("queue/rotational", "1"),
        ] {
            put(&folder.join(attribute), format!("{content}\n"));
        }
        symlink(self.device(place), folder.join("device")).unwrap();
        self.link(&format!("block/{name}"), &folder);
        self.link(&format!("dev/block/{number}"), &folder);
        folder
    }

    pub(super) fn attributes(&self, place: &str, attributes: &[(&str, &str)]) {
        for (name, content) in attributes {
            put(&self.device(place).join(name), format!("{content}\n"));
        }
    }

    pub(super) fn partition(&self, place: &str, drive: &str, name: &str, number: &str) {
        let folder = self.device(place).join("block").join(drive).join(name);
        put(&folder.join("partition"), "1\n");
        put(&folder.join("dev"), format!("{number}\n"));
        self.link(&format!("dev/block/{number}"), &folder);
    }

    pub(super) fn link(&self, name: &str, target: &Path) {
        let link = self.roots.sys.join(name);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(target, link).unwrap();
    }

    /// Makes `holder` a layer over `device`, a drive or partition at `folder` below `block`.
    pub(super) fn hold(&self, folder: &str, holder: &str) {
        put(&self.roots.sys.join("block").join(folder).join("holders").join(holder), "");
    }

    pub(super) fn usb_interface_without_unit(&self, port: &str) {
        let interface = self.device(&format!("pci0000:00/0000:00:1d.7/usb2/{port}/{port}:1.0"));
        put(&interface.join("bInterfaceClass"), "08\n");
        put(&interface.join("host9/scsi_host/host9/state"), "running\n");
        self.link(&format!("bus/usb/devices/{port}:1.0"), &interface);
    }

    pub(super) fn ata_port_without_unit(&self, port: u32) {
        let device =
            self.device(&format!("pci0000:00/0000:00:1f.2/ata{port}/link{port}/dev{port}.0/ata_device/dev{port}.0"));
        put(&device.join("class"), "ata\n");
        self.link(&format!("class/ata_device/dev{port}.0"), &device);
    }
}
