//! What other processes have open. A process that opens a block device without `O_EXCL`, as QEMU does, keeps nobody out, and
//! neither does one that has a file open.

use super::{
    super::{Roots, sysfs},
    tables::{Inode, Number, numbers, processes},
};
use rustix::{
    fs::{AtFlags, CWD, FileType, OFlags, StatxFlags},
    io::Errno,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
    sync::OnceLock,
    thread,
    time::Duration,
};

/// Udev and its like look at every device that appears or was written, for a moment, and so does a child between its fork and
/// its exec: who is there still after this time uses it.
const MOMENT: Duration = Duration::from_secs(1);

/// A process of somebody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Process {
    pub(super) id: u32,
    /// Its command, as the kernel shows it; blank where it has ended.
    pub(super) name: String,
    /// Whether it may write; it may where that is not known.
    pub(super) writes: bool,
}

/// Who has what open.
#[derive(Debug, Default)]
struct Look {
    /// By process and number of its descriptor.
    devices: BTreeSet<(Number, u32, u32)>,
    files: BTreeSet<(Inode, u32, u32)>,
    /// Those that could not be looked at.
    closed: BTreeSet<u32>,
}

/// Processes, each with its descriptors.
type Found = BTreeMap<u32, Vec<u32>>;

/// Looks at all processes, the second only where the first found something.
#[derive(Debug)]
pub(super) struct Openers {
    first: Look,
    second: OnceLock<Look>,
}

/// What is asked about.
#[derive(Debug, Clone, Copy)]
pub(super) enum What<'a> {
    Devices(&'a BTreeSet<Number>),
    File(Inode),
}

impl Openers {
    pub(super) fn read(roots: &Roots) -> Self {
        Self { first: Look::read(roots), second: OnceLock::new() }
    }

    /// Other processes that have it open, or may have: twice, a moment apart.
    pub(super) fn of(&self, roots: &Roots, what: What<'_>) -> (Vec<Process>, Vec<Process>) {
        let (open, closed) = self.first.of(what);
        if open.is_empty() && closed.is_empty() {
            return Default::default();
        }
        let again = self.second.get_or_init(|| {
            thread::sleep(MOMENT);
            Look::read(roots)
        });
        let (open_again, closed_again) = again.of(what);
        let process = |id: u32, writes: bool| Process { id, name: name(roots, id), writes };
        let still = open_again.into_iter().filter(|(id, _)| open.contains_key(id));
        let open = still.map(|(id, files)| process(id, files.iter().any(|file| writes(roots, id, *file)))).collect();
        (open, closed.intersection(&closed_again).map(|id| process(*id, true)).collect())
    }
}

impl Look {
    fn read(roots: &Roots) -> Self {
        let mut look = Self::default();
        let own = std::process::id();
        let all = sees_all(roots);
        for process in processes(roots).into_iter().filter(|process| *process != own) {
            if look.add(&roots.proc.join(process.to_string()).join("fd"), process, all).is_err() {
                look.closed.insert(process);
            }
        }
        look
    }

    /// What a process has open; one that has ended has nothing. Without the right to see `all`, what may not be looked at does
    /// not count.
    fn add(&mut self, folder: &Path, process: u32, all: bool) -> io::Result<()> {
        let excused = |errno: Errno| match errno {
            // It has ended, or closed the file; or the file system of it has gone.
            Errno::NOENT | Errno::SRCH | Errno::NOTCONN | Errno::STALE => true,
            Errno::ACCESS | Errno::PERM => !all,
            _ => false,
        };
        let or_excused = |error: io::Error| match Errno::from_io_error(&error) {
            Some(errno) if excused(errno) => Ok(()),
            _ => Err(error),
        };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return or_excused(error),
        };
        for entry in entries {
            let link = match entry {
                Ok(entry) => entry.path(),
                Err(error) => return or_excused(error),
            };
            let Some(file) = link.file_name().and_then(|name| name.to_str()?.parse().ok()) else { continue };
            // What the kernel knows suffices: a server of files that hangs must not be asked.
            let (flags, mask) = (AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT, StatxFlags::TYPE | StatxFlags::INO);
            let stat = match rustix::fs::statx(CWD, &link, flags, mask) {
                Ok(stat) => stat,
                Err(errno) if excused(errno) => continue,
                Err(errno) => return Err(errno.into()),
            };
            match FileType::from_raw_mode(stat.stx_mode.into()) {
                FileType::BlockDevice => {
                    self.devices.insert(((stat.stx_rdev_major, stat.stx_rdev_minor), process, file));
                }
                FileType::RegularFile => {
                    let device = rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor);
                    self.files.insert(((device, stat.stx_ino), process, file));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn of(&self, what: What<'_>) -> (Found, BTreeSet<u32>) {
        let mut open = Found::new();
        let mut add = |process: u32, file: u32| open.entry(process).or_default().push(file);
        match what {
            What::Devices(numbers) => {
                let ours = self.devices.iter().filter(|(number, ..)| numbers.contains(number));
                ours.for_each(|(_, process, file)| add(*process, *file));
            }
            What::File(own) => {
                let ours = self.files.iter().filter(|(found, ..)| *found == own);
                ours.for_each(|(_, process, file)| add(*process, *file));
            }
        }
        (open, self.closed.clone())
    }
}

/// Whether this process may look at all others: it has every capability that the kernel knows (capabilities(7)), as root on the
/// stick and on a host. A root with fewer is confined, as in a container, and sees as far as it is let, as a user does. Where that
/// is not known, it may, so that what it cannot see counts.
fn sees_all(roots: &Roots) -> bool {
    let status = fs::read_to_string(roots.proc.join("self/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let last: Option<u32> = sysfs::number(&roots.proc.join("sys/kernel/cap_last_cap"));
    let all = last.and_then(|last| u64::MAX.checked_shr(63_u32.saturating_sub(last)));
    mask.zip(all).is_none_or(|(mask, all)| mask & all == all)
}

/// Whether a descriptor can write (`/proc/PID/fdinfo`, octal flags); where it is not known, it can.
fn writes(roots: &Roots, process: u32, file: u32) -> bool {
    let path = roots.proc.join(process.to_string()).join("fdinfo").join(file.to_string());
    let text = fs::read_to_string(path).unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_none_or(|flags| flags & (OFlags::WRONLY | OFlags::RDWR).bits() != 0)
}

fn name(roots: &Roots, process: u32) -> String {
    let bytes = fs::read(roots.proc.join(process.to_string()).join("comm")).unwrap_or_default();
    crate::scsi::text::clean(&bytes)
}

/// The number of a device that is held.
pub(super) fn file_of(stat: &fs::Metadata) -> Inode {
    use std::os::unix::fs::MetadataExt;
    // As `statx` has it: major and minor number.
    let (major, minor) = numbers(stat.dev());
    (rustix::fs::makedev(major, minor), stat.ino())
}
