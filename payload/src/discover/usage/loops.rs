//! What loop devices are over. The kernel shows a path, which another file may have by now; the device itself tells the file.

use super::{
    super::{Roots, sysfs},
    Usage,
    open::file_of,
    tables::{Inode, Number, numbers},
};
use mule_sys::loops;
use rustix::io::Errno;
use std::{fs, fs::File, os::unix::ffi::OsStrExt, path::Path};

/// A loop device that is in use.
pub(super) struct Loop {
    pub(super) name: String,
    /// What it is over: a block device or a file; neither where that could not be found out.
    pub(super) device: Option<Number>,
    pub(super) file: Option<Inode>,
}

/// All that have something below them.
pub(super) fn read(roots: &Roots, sees_all: bool) -> Vec<Loop> {
    let block = roots.sys.join("block");
    let names = sysfs::names(&block).into_iter().filter(|name| name.starts_with("loop"));
    let bound = names.filter(|name| block.join(name).join("loop").is_dir());
    bound.filter_map(|name| ask(roots, name, sees_all)).collect()
}

impl Loop {
    pub(super) fn unknown(&self) -> Usage {
        Usage::Unknown { reason: format!("what {} is over could not be found out", self.name) }
    }
}

fn ask(roots: &Roots, name: String, sees_all: bool) -> Option<Loop> {
    let status = File::open(roots.dev.join(&name)).and_then(|device| loops::status(&device));
    if let Ok(status) = &status {
        let device = (status.over != 0).then(|| numbers(status.over));
        let file = device.is_none().then(|| {
            let (major, minor) = numbers(status.device);
            (rustix::fs::makedev(major, minor), status.inode)
        });
        return Some(Loop { name, device, file });
    }
    // It has none any more.
    if status.is_err_and(|error| Errno::from_io_error(&error) == Some(Errno::NXIO)) {
        return None;
    }
    if sees_all {
        return Some(Loop { name, device: None, file: None });
    }
    // Whoever may not ask the device has the path.
    let path = sysfs::bytes(&roots.sys.join("block").join(&name).join("loop/backing_file")).unwrap_or_default();
    let path = path.strip_suffix(b"\n").unwrap_or(&path);
    let found = fs::metadata(Path::new(std::ffi::OsStr::from_bytes(path))).ok();
    let file = found.as_ref().filter(|found| found.is_file()).map(file_of);
    let device = found.filter(|_| file.is_none()).map(|found| {
        use std::os::unix::fs::MetadataExt;
        numbers(found.rdev())
    });
    Some(Loop { name, device, file })
}
