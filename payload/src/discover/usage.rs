//! Who uses a drive: mounts, swap, layers such as RAID and device mapper above it or its partitions, and processes that have it
//! open. Told by numbers, of devices and of files, since names can mean another thing by now; what cannot be found out is use.

mod alone;
mod below;
mod loops;
mod mapped;
mod open;
mod tables;

use super::{Roots, device, sysfs};
use crate::drive::{LinuxDrive, linux::Device};
use mule_sys::locks;
use open::{Openers, What, file_of};
use std::{collections::BTreeSet, fmt, fs, os::fd::AsFd, path::PathBuf};
use tables::{Inode, Mount, Number, Swap, number};

/// One user of a drive. `device` is the kernel's name of the drive itself, a partition, or a layer above one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Usage {
    /// A mounted file system.
    Mounted {
        /// What is mounted.
        device: String,
        /// Where.
        at: PathBuf,
    },
    /// Swap space.
    Swap {
        /// What is swapped to.
        device: String,
    },
    /// A layer above it (`dm-0`, `md127`, a loop device).
    Holder {
        /// What is held.
        device: String,
        /// The layer.
        by: String,
    },
    /// Another process has it open.
    Open {
        /// What is open.
        device: String,
        /// The process.
        process: u32,
        /// Its command.
        name: String,
        /// Whether it may write.
        writes: bool,
    },
    /// Somebody holds a lock on bytes of the file, as QEMU does on its disks.
    Locked {
        /// The file.
        file: String,
        /// Whether the lock says that somebody writes.
        writes: bool,
    },
    /// The kernel says that somebody has the file open, and nobody who could be looked at has.
    Unseen {
        /// The file.
        file: String,
        /// Whether it may be written.
        writes: bool,
    },
    /// It could not be found out; counts as use.
    Unknown {
        /// Why not.
        reason: String,
    },
}

impl Usage {
    /// Whether what is read meanwhile may change: a drive or file that others only read can be read as well.
    pub fn hinders_reading(&self) -> bool {
        !matches!(
            self,
            Self::Open { writes: false, .. } | Self::Locked { writes: false, .. } | Self::Unseen { writes: false, .. }
        )
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mounted { device, at } => write!(f, "{device} is mounted at {}", at.display()),
            Self::Swap { device } => write!(f, "{device} is swap space"),
            Self::Holder { device, by } => write!(f, "{device} is part of {by}"),
            Self::Open { device, process, name, .. } => write!(f, "{device} is open in process {process} ({name})"),
            Self::Locked { file, .. } => write!(f, "{file} is locked by another program"),
            Self::Unseen { file, .. } => {
                write!(f, "{file} is open in a program that cannot be looked at, or in the kernel itself")
            }
            Self::Unknown { reason } => write!(f, "usage unknown: {reason}"),
        }
    }
}

/// The tables of mounts, swap, loop devices and open files, read once for a scan.
pub(super) struct Users {
    mounts: Result<Vec<Mount>, String>,
    swaps: Result<Vec<Swap>, String>,
    loops: Vec<loops::Loop>,
    openers: Openers,
    sees_all: bool,
}

impl Users {
    pub(super) fn read(roots: &Roots) -> Self {
        let sees_all = open::sees_all(roots);
        Self {
            mounts: tables::mounts(roots, sees_all),
            swaps: tables::swaps(roots),
            loops: loops::read(roots, sees_all),
            openers: Openers::read(roots, sees_all),
            sees_all,
        }
    }

    /// How many processes may use it that this one has no right to look at; none where the kernel tells of all.
    pub(super) fn hidden(&self, drive: &LinuxDrive) -> usize {
        match drive.device() {
            Device::File if alone::tells_us(drive.file()) => 0,
            _ => self.openers.hidden(),
        }
    }

    /// Users of a block device, of its partitions, and of the layers above them, but for the loop device `except`.
    fn add_device(&self, roots: &Roots, name: &str, except: Option<&str>, found: &mut Vec<Usage>) {
        let mut devices = BTreeSet::new();
        let mut todo = vec![name.to_owned()];
        while let Some(device) = todo.pop() {
            if !devices.insert(device.clone()) {
                continue;
            }
            todo.extend(device::partitions(roots, &device));
            for holder in sysfs::names(&folder(roots, name, &device).join("holders")) {
                found.push(Usage::Holder { device: device.clone(), by: holder.clone() });
                todo.push(holder);
            }
        }
        let own = |device: &String| number(&sysfs::text(&folder(roots, name, device).join("dev"))?);
        let numbers: BTreeSet<Number> = devices.iter().filter_map(own).collect();
        self.add_mounts(&devices, &numbers, found);
        self.add_loops(name, except, |one| one.device.is_some_and(|device| numbers.contains(&device)), found);
        found.extend(several(roots, &numbers).map(|by| Usage::Holder { device: name.to_owned(), by }));
        let named = |swap: &Swap| devices.contains(&swap.name);
        let ours = |swap: &Swap| swap.device.map_or_else(|| named(swap), |number| numbers.contains(&number));
        self.add_swaps(ours, |swap| swap.name.clone(), found);
        self.add_openers(roots, name, What::Devices(&numbers), found);
    }

    /// Loop devices that are over it, and such of which it is not known what they are over; not `name` itself, nor `except`.
    fn add_loops(
        &self,
        name: &str,
        except: Option<&str>,
        is_over: impl Fn(&loops::Loop) -> bool,
        found: &mut Vec<Usage>,
    ) {
        for one in self.loops.iter().filter(|one| one.name != name && Some(one.name.as_str()) != except) {
            match (one.device, one.file) {
                _ if is_over(one) => found.push(Usage::Holder { device: name.to_owned(), by: one.name.clone() }),
                (None, None) => found.push(one.unknown()),
                _ => {}
            }
        }
    }

    /// Every user of a regular file. That it lies on a mounted file system is no use of the file. A loop device of which it is
    /// not known what it is over may be over this.
    pub(super) fn of_file(&self, roots: &Roots, file: &impl AsFd, metadata: &fs::Metadata, name: &str) -> Vec<Usage> {
        let (mut found, own): (Vec<Usage>, Inode) = (Vec::new(), file_of(metadata));
        self.add_file(roots, own, name, None, &mut found);
        match locked(file, name) {
            Ok(usage) => found.extend(usage),
            Err(error) => found.push(Usage::Unknown { reason: format!("locks: {error}") }),
        }
        alone::add(file, own, name, &mut found);
        found
    }

    /// Users of a file that the tables show, but for the loop device `except`.
    fn add_file(&self, roots: &Roots, own: Inode, name: &str, except: Option<&str>, found: &mut Vec<Usage>) {
        self.add_loops(name, except, |one| one.file == Some(own), found);
        self.add_swaps(|swap| swap.file == Some(own), |_| name.to_owned(), found);
        self.add_openers(roots, name, What::File(own), found);
    }

    /// Swap space that is `ours`, and such of which it cannot be told what it is.
    fn add_swaps(&self, ours: impl Fn(&Swap) -> bool, name: impl Fn(&Swap) -> String, found: &mut Vec<Usage>) {
        match &self.swaps {
            Ok(swaps) => found.extend(swaps.iter().filter_map(|swap| match swap {
                swap if ours(swap) => Some(Usage::Swap { device: name(swap) }),
                Swap { is_told: false, name, .. } if self.sees_all => {
                    Some(Usage::Unknown { reason: format!("where the swap space {name} lies could not be found out") })
                }
                _ => None,
            })),
            Err(reason) => found.push(Usage::Unknown { reason: reason.clone() }),
        }
    }

    fn add_mounts(&self, devices: &BTreeSet<String>, numbers: &BTreeSet<Number>, found: &mut Vec<Usage>) {
        let mounts = match &self.mounts {
            Ok(mounts) => mounts,
            Err(reason) => return found.push(Usage::Unknown { reason: reason.clone() }),
        };
        for mount in mounts {
            let by_source = mount.source.as_ref().filter(|source| devices.contains(*source));
            if by_source.is_some() || numbers.contains(&mount.number) {
                let number = || format!("{}:{}", mount.number.0, mount.number.1);
                let device = by_source.cloned().or_else(|| mount.source.clone()).unwrap_or_else(number);
                let usage = Usage::Mounted { device, at: mount.at.clone() };
                // The same mount in another namespace is no other use.
                if !found.contains(&usage) {
                    found.push(usage);
                }
            }
        }
    }

    fn add_openers(&self, roots: &Roots, name: &str, what: What<'_>, found: &mut Vec<Usage>) {
        let (open, closed) = self.openers.of(roots, what);
        found.extend(open.into_iter().map(|process| Usage::Open {
            device: name.to_owned(),
            process: process.id,
            name: process.name,
            writes: process.writes,
        }));
        found.extend(closed.into_iter().map(|process| Usage::Unknown {
            reason: format!("what process {} ({}) has open could not be looked at", process.id, process.name),
        }));
    }
}

/// Bytes in which QEMU's locks say that it writes, resizes, or lets nobody read (`RAW_LOCK_PERM_BASE`, `RAW_LOCK_SHARED_BASE` in
/// `block/file-posix.c`, `BLK_PERM_*` in `include/block/block-common.h`); they are locks to read all the same.
const QEMU_WRITES: [u64; 3] = [101, 103, 200];

/// A lock of others on an open file.
fn locked(file: &impl AsFd, name: &str) -> std::io::Result<Option<Usage>> {
    let Some(lock) = locks::of_others(file, true, 0, 0)? else { return Ok(None) };
    let mut writes = lock.write || locks::of_others(file, false, 0, 0)?.is_some();
    for byte in QEMU_WRITES {
        writes |= locks::of_others(file, true, byte, 1)?.is_some();
    }
    Ok(Some(Usage::Locked { file: name.to_owned(), writes }))
}

/// File systems over several devices: the mount table names but one of them (`/sys/fs/btrfs/ID/devices`).
fn several<'a>(roots: &Roots, numbers: &'a BTreeSet<Number>) -> impl Iterator<Item = String> + use<'a> {
    let all = roots.sys.join("fs/btrfs");
    let systems = sysfs::names(&all).into_iter();
    systems.filter_map(move |system| {
        let devices = all.join(&system).join("devices");
        let own = |name: &String| number(&sysfs::text(&devices.join(name).join("dev"))?);
        let ours = sysfs::names(&devices).iter().filter_map(own).any(|number| numbers.contains(&number));
        ours.then(|| format!("btrfs {system}"))
    })
}

/// Every user of a regular file, by its path.
pub(super) fn of_file(roots: &Roots, path: &std::path::Path, name: &str) -> Vec<Usage> {
    let unknown = |error: std::io::Error| vec![Usage::Unknown { reason: error.to_string() }];
    match fs::File::open(path).and_then(|file| file.metadata().map(|metadata| (file, metadata))) {
        Ok((file, metadata)) => Users::read(roots).of_file(roots, &file, &metadata, name),
        Err(error) => unknown(error),
    }
}

/// The folder of a drive, of a partition of `drive`, or of a layer or its partition.
fn folder(roots: &Roots, drive: &str, device: &str) -> PathBuf {
    let block = roots.sys.join("block");
    let below = block.join(drive).join(device);
    let alone = block.join(device);
    match (below.exists(), alone.exists()) {
        (true, _) => below,
        (false, true) => alone,
        (false, false) => roots.sys.join("class/block").join(device),
    }
}
