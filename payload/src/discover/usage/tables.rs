//! The kernel's tables of mounts and swap space, of every mount namespace.

use super::super::{Roots, sysfs};
use rustix::io::Errno;
use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

/// A device's major and minor number.
pub(super) type Number = (u32, u32);
/// A file: the number of the device that its file system names, and its inode.
pub(super) type Inode = (u64, u64);

/// A line of a mount table.
pub(super) struct Mount {
    /// Some file systems have numbers of their own.
    pub(super) number: Number,
    /// Kernel name of the source, where it is a device.
    pub(super) source: Option<String>,
    pub(super) at: PathBuf,
}

/// What is swapped to.
pub(super) struct Swap {
    /// Kernel name, or the path of a file.
    pub(super) name: String,
    pub(super) device: Option<Number>,
    pub(super) file: Option<Inode>,
    /// Whether it is known what it is, if only by the kernel's name.
    pub(super) is_told: bool,
}

/// The mounts of this process and of all processes and threads that see others (`namespaces(7)`).
pub(super) fn mounts(roots: &Roots, sees_all: bool) -> Result<Vec<Mount>, String> {
    let own = table(roots, "self").map_err(|error| format!("self/mountinfo: {error}"))?;
    let mut found = parse_mounts(roots, &own)?;
    let mut read: BTreeSet<PathBuf> = space(roots, "self").ok().into_iter().collect();
    // A process may end while it is looked at, and another of the same namespace that was passed over already live on.
    for _ in 0..LOOKS {
        let unread = others(roots, sees_all, &mut read, &mut found)?;
        if unread.is_empty() {
            return Ok(found);
        }
    }
    Err("a table of mounts could not be read: its processes ended one after the other".into())
}

/// How often all processes are looked through before giving up.
const LOOKS: usize = 5;

/// Adds the mounts of every namespace that was not read; those that are still not.
fn others(
    roots: &Roots,
    sees_all: bool,
    read: &mut BTreeSet<PathBuf>,
    found: &mut Vec<Mount>,
) -> Result<BTreeSet<PathBuf>, String> {
    let mut unread = BTreeSet::new();
    for name in tasks(roots) {
        let trouble = |error: &io::Error| format!("the mounts of process {name} could not be read: {error}");
        let space = match space(roots, &name) {
            Ok(space) => space,
            Err(error) if ended(&error) || !sees_all && is_right(&error) => continue,
            Err(error) => return Err(trouble(&error)),
        };
        if read.contains(&space) {
            continue;
        }
        match table(roots, &name) {
            Ok(bytes) => {
                found.extend(parse_mounts(roots, &bytes)?);
                unread.remove(&space);
                read.insert(space);
            }
            Err(error) if !sees_all && is_right(&error) => {}
            Err(error) if left(&error) => {
                unread.insert(space);
            }
            Err(error) => return Err(trouble(&error)),
        }
    }
    Ok(unread)
}

fn table(roots: &Roots, process: &str) -> io::Result<Vec<u8>> {
    fs::read(roots.proc.join(process).join("mountinfo"))
}

fn space(roots: &Roots, process: &str) -> io::Result<PathBuf> {
    fs::read_link(roots.proc.join(process).join("ns/mnt"))
}

fn is_right(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// The process has ended.
fn ended(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::SRCH))
}

/// Or it has no namespace any more (`mounts_open_common` in `fs/proc_namespace.c`).
fn left(error: &io::Error) -> bool {
    ended(error) || Errno::from_io_error(error) == Some(Errno::INVAL)
}

/// The ids of all processes.
pub(super) fn processes(roots: &Roots) -> Vec<u32> {
    ids(&roots.proc)
}

/// The ids of a process's threads; none where it has ended.
pub(super) fn threads(process: &Path) -> Vec<u32> {
    ids(&process.join("task"))
}

fn ids(folder: &Path) -> Vec<u32> {
    sysfs::names(folder).iter().filter_map(|name| name.parse().ok()).collect()
}

/// Every process and every further thread, as the folders below `/proc`.
fn tasks(roots: &Roots) -> impl Iterator<Item = String> {
    processes(roots).into_iter().flat_map(|process| {
        let threads =
            threads(&roots.proc.join(process.to_string())).into_iter().filter(move |thread| *thread != process);
        let below = threads.map(move |thread| format!("{process}/task/{thread}"));
        std::iter::once(process.to_string()).chain(below)
    })
}

fn parse_mounts(roots: &Roots, bytes: &[u8]) -> Result<Vec<Mount>, String> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| mount(roots, line).ok_or_else(|| "a line of the mount table is unclear".into())).collect()
}

/// A line of `mountinfo` (proc_pid_mountinfo(5)): id, parent, major:minor, root, mount point, options, optional fields,
/// `-`, type, source, options.
fn mount(roots: &Roots, line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let number = number(std::str::from_utf8(fields.nth(2)?).ok()?)?;
    let at = PathBuf::from(std::ffi::OsString::from_vec(unescape(fields.nth(1)?)));
    let source = fields.skip_while(|field| *field != b"-").nth(2)?;
    Some(Mount { number, source: device_of_source(roots, source), at })
}

/// `8:1`, as the kernel writes device numbers.
pub(super) fn number(text: &str) -> Option<Number> {
    let (major, minor) = text.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A kernel without swap has no such table.
pub(super) fn swaps(roots: &Roots) -> Result<Vec<Swap>, String> {
    let path = roots.proc.join("swaps");
    if !path.exists() {
        return Ok(Vec::new());
    }
    let bytes = fs::read(path).map_err(|error| format!("swaps: {error}"))?;
    let sources = bytes.split(|byte| *byte == b'\n').skip(1).filter_map(|line| {
        let source = line.split(u8::is_ascii_whitespace).next()?;
        (!source.is_empty()).then(|| unescape(source))
    });
    Ok(sources.map(|source| swap(roots, &source)).collect())
}

fn swap(roots: &Roots, source: &[u8]) -> Swap {
    let path = Path::new(std::ffi::OsStr::from_bytes(source));
    let found = fs::metadata(path).ok();
    let device = found.as_ref().filter(|found| found.file_type().is_block_device()).map(|found| numbers(found.rdev()));
    let file = found.as_ref().filter(|found| found.is_file()).map(|found| (found.dev(), found.ino()));
    let named = device_of_source(roots, source);
    let known = named
        .as_ref()
        .is_some_and(|name| ["block", "class/block"].iter().any(|all| roots.sys.join(all).join(name).exists()));
    let is_told = device.is_some() || file.is_some() || known;
    let name = named.unwrap_or_else(|| path.display().to_string());
    Swap { name, device, file, is_told }
}

/// The parts of a device number.
pub(super) fn numbers(device: u64) -> Number {
    (rustix::fs::major(device), rustix::fs::minor(device))
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
