//! The kernel's tables of mounts and swap space, of every mount namespace.

use super::super::{Roots, sysfs};
use std::{
    collections::BTreeSet,
    fs,
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
}

/// The mounts of this process and of all processes that see others (`namespaces(7)`).
pub(super) fn mounts(roots: &Roots) -> Result<Vec<Mount>, String> {
    let table = |process: &str| {
        let name = format!("{process}/mountinfo");
        fs::read(roots.proc.join(&name)).map_err(|error| format!("{name}: {error}"))
    };
    let mut all = parse_mounts(roots, &table("self")?)?;
    let space = |process: &str| fs::read_link(roots.proc.join(process).join("ns/mnt")).ok();
    let mut seen: BTreeSet<PathBuf> = space("self").into_iter().collect();
    for process in processes(roots) {
        // One that has ended, or that this user may not look at, has no such link.
        let name = process.to_string();
        if space(&name).is_some_and(|space| seen.insert(space))
            && let Ok(bytes) = table(&name)
        {
            all.extend(parse_mounts(roots, &bytes)?);
        }
    }
    Ok(all)
}

/// The ids of all processes.
pub(super) fn processes(roots: &Roots) -> Vec<u32> {
    sysfs::names(&roots.proc).iter().filter_map(|name| name.parse().ok()).collect()
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
    let name = device_of_source(roots, source).unwrap_or_else(|| path.display().to_string());
    Swap { name, device, file }
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
