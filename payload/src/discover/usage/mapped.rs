//! What processes have mapped: a mapping outlives the descriptor that it was made by, and writes through it as well.

use super::{
    open::{Item, item, unless_gone},
    tables::Inode,
};
use rustix::io::Errno;
use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

/// Right to write of the link's owner: the file was opened to write (`proc_map_files_instantiate` in `fs/proc/base.c`).
const WRITES: u32 = 0o200;

/// A mapping of a file, as `maps` shows it (proc_pid_maps(5)).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    /// Name of its link in `map_files`.
    pub(super) range: String,
    /// Whether what is written there reaches the file.
    pub(super) shared: bool,
    /// The file system's device and the inode: those of the file, but for file systems that have numbers of their own for files.
    pub(super) file: (String, u64),
    /// The file's name, where it has one.
    pub(super) path: Option<PathBuf>,
}

/// What is mapped: of a file every mapping that reaches it, and one of those that do not.
pub(super) fn parse(maps: &[u8]) -> Vec<Mapping> {
    let mut known = BTreeSet::new();
    let lines = maps.split(|byte| *byte == b'\n').filter_map(line);
    lines.filter(|mapping| mapping.shared || known.insert(mapping.file.clone())).collect()
}

/// `address perms offset dev inode path`; nothing where no file is mapped.
fn line(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let mut text = || std::str::from_utf8(fields.next()?).ok();
    let (range, rights) = (text()?.to_owned(), text()?);
    let shared = rights.ends_with('s');
    let (_, device, inode) = (text()?, text()?.to_owned(), text()?.parse().ok()?);
    // Addresses stand there with leading zeros, the names of the links have none.
    let range = range.split('-').map(|end| end.trim_start_matches('0')).collect::<Vec<_>>().join("-");
    let path = fields.next().unwrap_or_default().trim_ascii_start();
    let path = path.starts_with(b"/").then(|| PathBuf::from(std::ffi::OsStr::from_bytes(path)));
    (inode != 0).then_some(Mapping { range, shared, file: (device, inode), path })
}

/// What a mapping is of, and whether it may write there: by its link, or, where this process may not follow that, as far as
/// `maps` tells.
pub(super) fn look(process: &Path, mapping: &Mapping) -> io::Result<Option<(Item, bool)>> {
    let link = process.join("map_files").join(&mapping.range);
    match item(&link) {
        Ok(found) => {
            let opened = fs::symlink_metadata(&link).map_or(WRITES, |link| link.mode());
            Ok(found.map(|found| (found, mapping.shared && opened & WRITES != 0)))
        }
        Err(Errno::ACCESS | Errno::PERM) => Ok(by_name(mapping).map(|found| (found, mapping.shared))),
        Err(errno) => unless_gone(errno.into()).map(|()| None),
    }
}

fn by_name(mapping: &Mapping) -> Option<Item> {
    let (major, minor) = mapping.file.0.split_once(':')?;
    let number = |text| u32::from_str_radix(text, 16).ok();
    let file: Inode = (rustix::fs::makedev(number(major)?, number(minor)?), mapping.file.1);
    // A device is told by its node.
    let node = mapping.path.as_ref().and_then(|path| item(path).ok().flatten());
    Some(match node {
        Some(node @ Item::Device(_)) => node,
        _ => Item::File(file),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_a_file_is_told_every_time_and_what_does_not_once() {
        let maps = b"00400000-0040b000 r-xp 00000000 fe:01 77                 /bin/a b\n\
            0040b000-0040c000 rw-p 0000b000 fe:01 77                 /bin/a b\n\
            7f0000000000-7f0000001000 r--p 00000000 08:11 12 /srv/x\n\
            7f0000002000-7f0000003000 rw-s 00000000 08:11 12 /srv/x (deleted)\n\
            7f1000000000-7f1000001000 rw-p 00000000 00:00 0 \n\
            7ffc00000000-7ffc00001000 rw-p 00000000 00:00 0                  [stack]\n\
            gibberish\n";
        let found = parse(maps);
        let told: Vec<_> = found.iter().map(|one| (one.range.as_str(), one.shared, one.file.1)).collect();
        assert_eq!(
            told,
            [
                ("400000-40b000", false, 77),
                ("7f0000000000-7f0000001000", false, 12),
                ("7f0000002000-7f0000003000", true, 12)
            ]
        );
        assert_eq!(found[0].path, Some(PathBuf::from("/bin/a b")));
        assert_eq!(by_name(&found[2]), Some(Item::File((rustix::fs::makedev(8, 17), 12))));
    }
}
