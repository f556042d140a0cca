//! Whether what is read comes from a device, and not from memory of this machine. `O_DIRECT` alone does not say so: tmpfs takes it
//! and reads the page cache all the same, a loop device is read past its own pages and through those of its file, and a file
//! system may fall back to them. So the way is followed down to a device that is attached to this machine, and where any step
//! of it is not known, it is not known.

use super::Device;
use mule_sys::loops;
use rustix::fs::{AtFlags, Stat, StatxFlags};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

/// Layers above each other that are followed.
const LAYERS: u32 = 16;

/// Folders on the way from `/sys/devices` to a device that is attached, and so no memory of this machine: a name, and what a
/// number follows. What the kernel makes up by itself has none of them: `scsi_debug`, LIO's loopback, `dummy_hcd`, iSCSI and NVMe
/// over a network, which may lead back here.
const BUSES: &[&str] = &["mmc_host", "vio"];
const NUMBERED: &[&str] = &["pci", "ata", "virtio", "VMBUS:", "css"];

/// Whether reads through this descriptor, opened with `O_DIRECT`, come from a device.
pub(super) fn is_direct(file: &File, device: Device) -> bool {
    match device {
        Device::Block { major, minor } => System::real().of_block(Some(file), (major, minor), LAYERS),
        Device::File => rustix::fs::fstat(file).is_ok_and(|stat| System::real().of_file(file, &stat, LAYERS)),
    }
}

/// Whether the file system says that it reads this file directly. Others take `O_DIRECT` and do what they do: FUSE was seen to
/// answer io_uring with full counts of wrong data.
pub(super) fn is_told(file: &File) -> bool {
    let (mask, empty) = (StatxFlags::DIOALIGN, AtFlags::EMPTY_PATH);
    let Ok(statx) = rustix::fs::statx(file, c"", empty, mask) else { return false };
    statx.stx_mask & mask.bits() != 0 && statx.stx_dio_mem_align > 0 && statx.stx_dio_offset_align > 0
}

struct System {
    sys: PathBuf,
    dev: PathBuf,
}

impl System {
    fn real() -> Self {
        Self { sys: "/sys".into(), dev: "/dev".into() }
    }

    /// A file's file system says that it reads directly (`STATX_DIOALIGN`, Linux 6.1), and lies on a device that does. One
    /// that is on no device of its own, as tmpfs, a network's or one of several devices, is not known.
    fn of_file(&self, file: &File, stat: &Stat, layers: u32) -> bool {
        is_told(file) && self.of_block(None, numbers(stat.st_dev), layers)
    }

    fn of_block(&self, held: Option<&File>, (major, minor): (u32, u32), layers: u32) -> bool {
        let Some(layers) = layers.checked_sub(1) else { return false };
        let Ok(folder) = self.sys.join(format!("dev/block/{major}:{minor}")).canonicalize() else { return false };
        // A partition lies in the folder of its drive.
        let (folder, held) = match (folder.join("partition").exists(), folder.parent()) {
            (true, Some(drive)) => (drive.to_owned(), None),
            (true, None) => return false,
            (false, _) => (folder, held),
        };
        if folder.join("loop").is_dir() {
            return self.of_loop(held, &folder, layers);
        }
        let below = entries(&folder.join("slaves"));
        if !below.is_empty() {
            let number = |name: &String| device_number(&folder.join("slaves").join(name));
            return below.iter().all(|name| number(name).is_some_and(|number| self.of_block(None, number, layers)));
        }
        self.is_attached(&folder)
    }

    /// A loop device is asked itself, on a descriptor of its own where none is held; the file that it is over lies on a
    /// file system that may be memory.
    fn of_loop(&self, held: Option<&File>, folder: &Path, layers: u32) -> bool {
        let own = |name| File::open(self.dev.join(name)).ok();
        let status = match held {
            Some(file) => loops::status(file),
            None => match folder.file_name().and_then(own) {
                Some(file) => loops::status(file),
                None => return false,
            },
        };
        let Ok(status) = status else { return false };
        let under = if status.over == 0 { status.device } else { status.over };
        status.direct && self.of_block(None, numbers(under), layers)
    }

    /// Whether the device is on a bus of this machine. The head of an NVMe subsystem with several ways to it is not, but its
    /// controllers are.
    fn is_attached(&self, folder: &Path) -> bool {
        let Ok(devices) = self.sys.join("devices").canonicalize() else { return false };
        let on_a_bus = |place: &Path| {
            place.strip_prefix(&devices).is_ok_and(|below| below.iter().any(|name| is_bus(&name.to_string_lossy())))
        };
        let Ok(device) = folder.join("device").canonicalize() else { return false };
        if on_a_bus(&device) {
            return true;
        }
        let ways: Vec<_> = entries(&device).into_iter().filter(|name| is_controller(name)).collect();
        let attached = |name: &String| device.join(name).canonicalize().is_ok_and(|place| on_a_bus(&place));
        !ways.is_empty() && ways.iter().all(attached)
    }
}

/// `nvme0`, not `nvme0n1` nor `nvme0c0n1`.
fn is_controller(name: &str) -> bool {
    is_numbered(name, "nvme")
}

fn is_bus(name: &str) -> bool {
    BUSES.contains(&name) || NUMBERED.iter().any(|bus| is_numbered(name, bus))
}

/// `ata1`, `pci0000:00`: a name with a number, hexadecimal and in parts or not.
fn is_numbered(name: &str, before: &str) -> bool {
    let number = name.strip_prefix(before).unwrap_or_default();
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':')
}

fn numbers(device: u64) -> (u32, u32) {
    (rustix::fs::major(device), rustix::fs::minor(device))
}

fn device_number(folder: &Path) -> Option<(u32, u32)> {
    let text = fs::read_to_string(folder.join("dev")).ok()?;
    let (major, minor) = text.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Block devices as Linux shows them.
    struct Shown {
        root: tempfile::TempDir,
    }

    impl Shown {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir_all(root.path().join("dev/block")).unwrap();
            Self { root }
        }

        fn system(&self) -> System {
            System { sys: self.root.path().into(), dev: self.root.path().join("none") }
        }

        /// A device at `place` below `devices`; its number is 1:`minor`.
        fn put(&self, place: &str, minor: u32) -> PathBuf {
            let folder = self.root.path().join("devices").join(place);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("dev"), format!("1:{minor}\n")).unwrap();
            symlink(&folder, self.root.path().join(format!("dev/block/1:{minor}"))).unwrap();
            folder
        }

        fn disk(&self, bus: &str, minor: u32) -> PathBuf {
            let folder = self.put(&format!("{bus}/block/sd{minor}"), minor);
            symlink(self.root.path().join("devices").join(bus), folder.join("device")).unwrap();
            folder
        }

        fn layer(&self, minor: u32, over: &[&Path]) {
            let folder = self.put(&format!("virtual/block/dm-{minor}"), minor).join("slaves");
            fs::create_dir_all(&folder).unwrap();
            over.iter().for_each(|below| symlink(below, folder.join(below.file_name().unwrap())).unwrap());
        }

        fn is_direct(&self, minor: u32) -> bool {
            self.system().of_block(None, (1, minor), LAYERS)
        }
    }

    #[test]
    fn only_what_is_attached_is_known_to_be_read_directly() {
        let shown = Shown::new();
        let disk = shown.disk("pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0", 1);
        assert!(shown.is_direct(1), "a SATA disk");
        let made_up = shown.disk("pseudo_0/adapter0/host1/target1:0:0/1:0:0:0", 2);
        assert!(!shown.is_direct(2), "a disk that the kernel makes up in memory");
        for (minor, bus, attached) in [
            (20, "platform/80860F14:00/mmc_host/mmc0/mmc0:0001", true),
            (21, "platform/soc/ata2/host0/target0:0:0/0:0:0:0", true),
            (22, "platform/lb0/virtio0", true),
            (23, "platform/dummy_hcd.0/usb3/3-1/3-1:1.0/host2/target2:0:0/2:0:0:0", false),
            (24, "platform/host4/session1/target4:0:0/4:0:0:0", false),
            (25, "virtual/nvme-fabrics/ctl/nvme1", false),
        ] {
            shown.disk(bus, minor);
            assert_eq!(shown.is_direct(minor), attached, "{bus}");
        }
        shown.put("virtual/block/ram0", 3);
        assert!(!shown.is_direct(3) && !shown.is_direct(99), "memory, and what is not there");
        shown.layer(4, &[&disk]);
        shown.layer(5, &[&disk, &made_up]);
        shown.layer(6, &[]);
        assert_eq!([4, 5, 6].map(|minor| shown.is_direct(minor)), [true, false, false], "layers");
        let part = "pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sd1/sd1p1";
        fs::write(shown.put(part, 7).join("partition"), "1\n").unwrap();
        assert!(shown.is_direct(7), "a partition of the disk");
        fs::create_dir_all(shown.put("virtual/block/loop0", 8).join("loop")).unwrap();
        assert!(!shown.is_direct(8), "a loop device that cannot be asked");
    }

    /// With several ways to a namespace, the kernel keeps it on no bus (`drivers/nvme/host/multipath.c`).
    #[test]
    fn an_nvme_namespace_with_several_ways_is_where_its_controllers_are() {
        let shown = Shown::new();
        let subsystem = "virtual/nvme-subsystem/nvme-subsys0";
        let folder = shown.put(&format!("{subsystem}/nvme0n1"), 1);
        let place = shown.root.path().join("devices").join(subsystem);
        symlink(&place, folder.join("device")).unwrap();
        assert!(!shown.is_direct(1), "no controller is known");
        let controller = |bus: &str| {
            let folder = shown.root.path().join("devices").join(bus);
            fs::create_dir_all(&folder).unwrap();
            folder
        };
        symlink(controller("pci0000:00/0000:00:03.0/nvme/nvme0"), place.join("nvme0")).unwrap();
        assert!(shown.is_direct(1));
        symlink(controller("virtual/nvme-fabrics/ctl/nvme1"), place.join("nvme1")).unwrap();
        assert!(!shown.is_direct(1), "one way leads elsewhere");
    }

    /// The page cache is all that a file in memory is.
    #[test]
    fn a_file_in_memory_is_not_read_from_a_device() {
        let Ok(file) = tempfile::tempfile_in("/dev/shm") else { return };
        assert!(!is_direct(&file, Device::File));
    }
}
