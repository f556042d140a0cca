//! Who uses a drive: mounts, swap, and layers such as RAID and device mapper above it or its partitions.

use super::{Roots, device, sysfs};
use std::{
    collections::BTreeSet,
    fmt, fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

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
    /// It could not be found out; counts as use.
    Unknown {
        /// Why not.
        reason: String,
    },
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mounted { device, at } => write!(f, "{device} is mounted at {}", at.display()),
            Self::Swap { device } => write!(f, "{device} is swap space"),
            Self::Holder { device, by } => write!(f, "{device} is part of {by}"),
            Self::Unknown { reason } => write!(f, "usage unknown: {reason}"),
        }
    }
}

/// A line of the mount table.
struct Mount {
    /// Major and minor number as the kernel writes them (`8:1`); some file systems have numbers of their own.
    number: String,
    /// Kernel name of the source, where it is a device.
    source: Option<String>,
    at: PathBuf,
}

/// The tables of mounts and swap, read once for a scan.
pub(super) struct Users {
    mounts: Result<Vec<Mount>, String>,
    swaps: Result<Vec<String>, String>,
}

impl Users {
    pub(super) fn read(roots: &Roots) -> Self {
        let table = |name: &str| fs::read(roots.proc.join(name)).map_err(|error| format!("{name}: {error}"));
        let mounts = table("self/mountinfo").and_then(|bytes| {
            let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            lines.map(|line| mount(roots, line).ok_or_else(|| "a line of the mount table is unclear".into())).collect()
        });
        // A kernel without swap has no such table.
        let swaps = if roots.proc.join("swaps").exists() { table("swaps") } else { Ok(Vec::new()) };
        let swaps = swaps.map(|bytes| {
            let lines = bytes.split(|byte| *byte == b'\n').skip(1);
            lines.filter_map(|line| device_of_source(roots, line.split(u8::is_ascii_whitespace).next()?)).collect()
        });
        Self { mounts, swaps }
    }

    /// Every user of the drive `name`.
    pub(super) fn of(&self, roots: &Roots, name: &str) -> Vec<Usage> {
        let mut found = Vec::new();
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
        let number = |device: &String| sysfs::text(&folder(roots, name, device).join("dev"));
        let numbers: BTreeSet<String> = devices.iter().filter_map(number).collect();
        self.add_mounts(&devices, &numbers, &mut found);
        match &self.swaps {
            Ok(swaps) => {
                let ours = swaps.iter().filter(|device| devices.contains(*device));
                found.extend(ours.map(|device| Usage::Swap { device: device.clone() }));
            }
            Err(reason) => found.push(Usage::Unknown { reason: reason.clone() }),
        }
        found
    }

    fn add_mounts(&self, devices: &BTreeSet<String>, numbers: &BTreeSet<String>, found: &mut Vec<Usage>) {
        let mounts = match &self.mounts {
            Ok(mounts) => mounts,
            Err(reason) => return found.push(Usage::Unknown { reason: reason.clone() }),
        };
        for mount in mounts {
            let by_source = mount.source.as_ref().filter(|source| devices.contains(*source));
            if by_source.is_some() || numbers.contains(&mount.number) {
                let device =
                    by_source.cloned().or_else(|| mount.source.clone()).unwrap_or_else(|| mount.number.clone());
                found.push(Usage::Mounted { device, at: mount.at.clone() });
            }
        }
    }
}

/// Loop devices over a regular file. That it lies on a mounted file system is no use of the file.
pub(super) fn of_file(roots: &Roots, path: &Path) -> Vec<Usage> {
    let Ok(whole) = path.canonicalize() else { return Vec::new() };
    let loops = sysfs::names(&roots.sys.join("block")).into_iter().filter(|name| name.starts_with("loop"));
    loops
        .filter(|name| {
            let backing = sysfs::bytes(&roots.sys.join("block").join(name).join("loop/backing_file"));
            backing
                .is_some_and(|backing| backing.strip_suffix(b"\n").unwrap_or(&backing) == whole.as_os_str().as_bytes())
        })
        .map(|by| Usage::Holder { device: whole.display().to_string(), by })
        .collect()
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

/// A line of `mountinfo` (proc_pid_mountinfo(5)): id, parent, major:minor, root, mount point, options, optional fields,
/// `-`, type, source, options.
fn mount(roots: &Roots, line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let number = String::from_utf8(fields.nth(2)?.to_vec()).ok()?;
    let at = PathBuf::from(std::ffi::OsString::from_vec(unescape(fields.nth(1)?)));
    let source = fields.skip_while(|field| *field != b"-").nth(2)?;
    Some(Mount { number, source: device_of_source(roots, source), at })
}

/// The kernel's name of a device given as a path in the tables, links followed (`/dev/mapper/x` is `dm-0`).
fn device_of_source(roots: &Roots, source: &[u8]) -> Option<String> {
    let source = unescape(source);
    let name = source.strip_prefix(b"/dev/")?;
    let path = roots.dev.join(std::ffi::OsStr::from_bytes(name));
    let path = path.canonicalize().unwrap_or(path);
    path.file_name()?.to_str().map(str::to_owned)
}

/// Undoes the octal escapes of blanks and backslashes in these tables.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let octal = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok();
        match (first, tail.get(..3).and_then(octal)) {
            (b'\\', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}
