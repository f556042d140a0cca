//! What other processes have open. A process that opens a block device without `O_EXCL`, as QEMU does, keeps nobody out, and
//! neither does one that has a file open.

use super::{
    super::Roots,
    tables::{Inode, Number, numbers, processes},
};
use rustix::{
    fs::{AtFlags, CWD, FileType, StatxFlags},
    io::Errno,
};
use std::{collections::BTreeSet, fs, io, os::unix::ffi::OsStrExt, path::Path, sync::OnceLock, thread, time::Duration};

/// Udev and its like look at every device that appears or was written, for a moment, and so does a child between its fork and
/// its exec: who is there still after this time uses it.
const MOMENT: Duration = Duration::from_secs(1);

/// A process of somebody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Process {
    pub(super) id: u32,
    /// Its command, as the kernel shows it; blank where it has ended.
    pub(super) name: String,
}

/// Who has what open.
#[derive(Debug, Default)]
struct Look {
    devices: BTreeSet<(Number, u32)>,
    files: BTreeSet<(Inode, u32)>,
    /// Those that could not be looked at.
    closed: BTreeSet<u32>,
}

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
        let both = |one: &BTreeSet<u32>, other: &BTreeSet<u32>| {
            let process = |id: &u32| Process { id: *id, name: name(roots, *id) };
            one.intersection(other).map(process).collect()
        };
        (both(&open, &open_again), both(&closed, &closed_again))
    }
}

impl Look {
    fn read(roots: &Roots) -> Self {
        let mut look = Self::default();
        let own = std::process::id();
        for process in processes(roots).into_iter().filter(|process| *process != own) {
            if look.add(&roots.proc.join(process.to_string()).join("fd"), process).is_err() {
                look.closed.insert(process);
            }
        }
        look
    }

    /// What a process has open; one that has ended has nothing. Whether another user's processes are looked at is not for
    /// everybody: who is not root may not, and has no right to other people's drives either.
    fn add(&mut self, folder: &Path, process: u32) -> io::Result<()> {
        let ended = |error: &io::Error| {
            let ended = [Errno::NOENT, Errno::SRCH].map(|errno| Some(errno.raw_os_error()));
            ended.contains(&error.raw_os_error())
                || error.kind() == io::ErrorKind::PermissionDenied && !rustix::process::geteuid().is_root()
        };
        let entries = match fs::read_dir(folder) {
            Err(error) if ended(&error) => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let link = match entry {
                Err(error) if ended(&error) => return Ok(()),
                entry => entry?.path(),
            };
            // What the kernel knows suffices: a server of files that hangs must not be asked.
            let (flags, mask) = (AtFlags::STATX_DONT_SYNC, StatxFlags::TYPE | StatxFlags::INO);
            match rustix::fs::statx(CWD, &link, flags, mask) {
                Ok(stat) => match FileType::from_raw_mode(stat.stx_mode.into()) {
                    FileType::BlockDevice => {
                        self.devices.insert(((stat.stx_rdev_major, stat.stx_rdev_minor), process));
                    }
                    FileType::RegularFile => {
                        let device = rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor);
                        self.files.insert(((device, stat.stx_ino), process));
                    }
                    _ => {}
                },
                // It was closed meanwhile; or it lies where not even root may look, which is no device of this machine.
                Err(_) if !is_device(&link) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn of(&self, what: What<'_>) -> (BTreeSet<u32>, BTreeSet<u32>) {
        let open = match what {
            What::Devices(numbers) => self
                .devices
                .iter()
                .filter(|(number, _)| numbers.contains(number))
                .map(|(_, process)| *process)
                .collect(),
            What::File(file) => {
                self.files.iter().filter(|(found, _)| *found == file).map(|(_, process)| *process).collect()
            }
        };
        (open, self.closed.clone())
    }
}

/// Whether an open file that cannot be asked is called as devices are.
fn is_device(link: &Path) -> bool {
    fs::read_link(link).is_ok_and(|target| target.as_os_str().as_bytes().starts_with(b"/dev/"))
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
