//! What other processes have open or mapped. A process that opens a block device without `O_EXCL`, as QEMU does, keeps nobody
//! out, and neither does one that has a file open.

use super::{
    super::{Roots, sysfs},
    mapped,
    tables::{Inode, Number, numbers, processes, threads},
};
use rustix::{
    fs::{AtFlags, CWD, FileType, OFlags, StatxFlags},
    io::Errno,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::OnceLock,
    thread,
    time::Duration,
};

/// Udev and its like look at every device that appears or was written, for a moment, and so does a child between its fork and
/// its exec: who is there still after this time uses it.
pub(super) const MOMENT: Duration = Duration::from_secs(1);

/// A process of somebody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Process {
    pub(super) id: u32,
    /// Its command, as the kernel shows it; blank where it has ended.
    pub(super) name: String,
    /// Whether it may write; it may where that is not known.
    pub(super) writes: bool,
}

/// What can be open: a device or a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    Device(Number),
    File(Inode),
}

/// How a process has something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Hold {
    /// By a descriptor: where the kernel tells of it.
    Open(PathBuf),
    /// Mapped, to read or to write.
    Mapped(bool),
}

/// Who has what open.
#[derive(Debug, Default)]
struct Look {
    held: BTreeSet<(Item, u32, Hold)>,
    /// Those that could not be looked at.
    closed: BTreeSet<u32>,
    /// Those that this process has no right to look at.
    hidden: BTreeSet<u32>,
}

/// Processes, each with how it has it.
type Found = BTreeMap<u32, Vec<Hold>>;

/// Looks at all processes, the second only where the first found something.
#[derive(Debug)]
pub(super) struct Openers {
    sees_all: bool,
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
    pub(super) fn read(roots: &Roots, sees_all: bool) -> Self {
        Self { sees_all, first: Look::read(roots, sees_all), second: OnceLock::new() }
    }

    /// Processes that this one has no right to look at.
    pub(super) fn hidden(&self) -> usize {
        self.first.hidden.len()
    }

    /// Other processes that have it open, or may have: twice, a moment apart.
    pub(super) fn of(&self, roots: &Roots, what: What<'_>) -> (Vec<Process>, Vec<Process>) {
        let (open, closed) = self.first.of(what);
        if open.is_empty() && closed.is_empty() {
            return Default::default();
        }
        let again = self.second.get_or_init(|| {
            thread::sleep(MOMENT);
            Look::read(roots, self.sees_all)
        });
        let (open_again, closed_again) = again.of(what);
        let process = |id: u32, writes: bool| Process { id, name: name(roots, id), writes };
        let still = open_again.into_iter().filter(|(id, _)| open.contains_key(id));
        let open = still.map(|(id, holds)| process(id, holds.iter().any(Hold::writes))).collect();
        (open, closed.intersection(&closed_again).map(|id| process(*id, true)).collect())
    }
}

impl Look {
    fn read(roots: &Roots, sees_all: bool) -> Self {
        let mut look = Self::default();
        let own = std::process::id();
        for process in processes(roots).into_iter().filter(|process| *process != own) {
            match look.add(roots, process) {
                Ok(()) => {}
                Err(error) if !sees_all && error.kind() == io::ErrorKind::PermissionDenied => {
                    look.hidden.insert(process);
                }
                Err(_) => {
                    look.closed.insert(process);
                }
            }
        }
        look
    }

    /// What a process has; one that has ended has nothing.
    fn add(&mut self, roots: &Roots, process: u32) -> io::Result<()> {
        let folder = roots.proc.join(process.to_string());
        self.add_table(&folder, process)?;
        let mut maps = bytes(&folder.join("maps"))?;
        for thread in threads(&folder).into_iter().filter(|thread| *thread != process) {
            let of_thread = folder.join("task").join(thread.to_string());
            // Nearly all share the table; a process whose first thread has ended has it in the others only.
            if !mule_sys::same::table(process, thread).unwrap_or(false) {
                self.add_table(&of_thread, process)?;
            }
            if maps.is_empty() {
                maps = bytes(&of_thread.join("maps"))?;
            }
        }
        for mapping in mapped::parse(&maps) {
            if let Some((item, writes)) = mapped::look(&folder, &mapping)? {
                self.held.insert((item, process, Hold::Mapped(writes)));
            }
        }
        Ok(())
    }

    fn add_table(&mut self, folder: &Path, process: u32) -> io::Result<()> {
        let entries = match fs::read_dir(folder.join("fd")) {
            Ok(entries) => entries,
            Err(error) => return unless_gone(error),
        };
        for entry in entries {
            let link = match entry {
                Ok(entry) => entry.path(),
                Err(error) => return unless_gone(error),
            };
            match item(&link) {
                Ok(Some(item)) => {
                    let told = link.file_name().map(|number| folder.join("fdinfo").join(number));
                    self.held.insert((item, process, Hold::Open(told.unwrap_or_default())));
                }
                Ok(None) => {}
                Err(errno) => unless_gone(errno.into())?,
            }
        }
        Ok(())
    }

    fn of(&self, what: What<'_>) -> (Found, BTreeSet<u32>) {
        let mut open = Found::new();
        let ours = |item: &Item| match (what, item) {
            (What::Devices(numbers), Item::Device(number)) => numbers.contains(number),
            (What::File(own), Item::File(file)) => own == *file,
            _ => false,
        };
        for (_, process, hold) in self.held.iter().filter(|(item, ..)| ours(item)) {
            open.entry(*process).or_default().push(hold.clone());
        }
        (open, self.closed.clone())
    }
}

impl Hold {
    /// Whether it can write (`/proc/PID/fdinfo`, octal flags); where it is not known, it can. What was closed since cannot: two
    /// runs of this program that begin together look at what they read for the same moment.
    fn writes(&self) -> bool {
        let told = match self {
            Self::Open(told) => told,
            Self::Mapped(writes) => return *writes,
        };
        let text = match fs::read_to_string(told) {
            Ok(text) => text,
            Err(error) => return unless_gone(error).is_err(),
        };
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        flags.is_none_or(|flags| flags & (OFlags::WRONLY | OFlags::RDWR).bits() != 0)
    }
}

/// What a link of the kernel's leads to. What the kernel knows suffices: a server of files that hangs must not be asked.
pub(super) fn item(link: &Path) -> Result<Option<Item>, Errno> {
    let (flags, mask) = (AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT, StatxFlags::TYPE | StatxFlags::INO);
    let stat = rustix::fs::statx(CWD, link, flags, mask)?;
    Ok(match FileType::from_raw_mode(stat.stx_mode.into()) {
        FileType::BlockDevice => Some(Item::Device((stat.stx_rdev_major, stat.stx_rdev_minor))),
        FileType::RegularFile => {
            Some(Item::File((rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor), stat.stx_ino)))
        }
        _ => None,
    })
}

/// It has ended, or closed the file; or the file system of it has gone.
pub(super) fn unless_gone(error: io::Error) -> io::Result<()> {
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT | Errno::SRCH | Errno::NOTCONN | Errno::STALE) => Ok(()),
        _ => Err(error),
    }
}

/// All of a file of the kernel's; nothing of a process that has ended.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    fs::read(path).or_else(|error| unless_gone(error).map(|()| Vec::new()))
}

/// Whether this process may look at all others: it has every capability that the kernel knows (capabilities(7)), as root on the
/// stick and on a host. A root with fewer is confined, as in a container, and sees as far as it is let, as a user does. Where that
/// is not known, it may, so that what it cannot see counts.
pub(super) fn sees_all(roots: &Roots) -> bool {
    let status = fs::read_to_string(roots.proc.join("self/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let last: Option<u32> = sysfs::number(&roots.proc.join("sys/kernel/cap_last_cap"));
    let all = last.and_then(|last| u64::MAX.checked_shr(63_u32.saturating_sub(last)));
    mask.zip(all).is_none_or(|(mask, all)| mask & all == all)
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
