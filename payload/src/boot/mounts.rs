//! The file systems that PID 1 needs, as a table.

use rustix::{
    io::Errno,
    mount::{MountFlags, mount},
};
use std::{ffi::CStr, fmt, fs, io};

/// One row: a file system without a device.
#[derive(Debug, Clone, Copy)]
pub struct Mount {
    pub kind: &'static str,
    pub target: &'static str,
    pub flags: MountFlags,
    pub options: Option<&'static CStr>,
    /// What does not work without it.
    pub purpose: &'static str,
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} ({})", self.kind, self.target, self.purpose)
    }
}

const SAFE: MountFlags = MountFlags::NOSUID.union(MountFlags::NOEXEC);

/// Every mount of the appliance, in order. Devices first: they are the way to say what went wrong with the others.
pub const MOUNTS: &[Mount] = &[
    Mount {
        kind: "devtmpfs",
        target: "/dev",
        flags: SAFE,
        options: Some(c"mode=0755"),
        purpose: "drives and consoles",
    },
    Mount {
        kind: "proc",
        target: "/proc",
        flags: SAFE.union(MountFlags::NODEV),
        options: None,
        purpose: "the kernel command line",
    },
    Mount {
        kind: "sysfs",
        target: "/sys",
        flags: SAFE.union(MountFlags::NODEV),
        options: None,
        purpose: "finding drives",
    },
    Mount {
        kind: "tmpfs",
        target: "/run",
        flags: SAFE.union(MountFlags::NODEV),
        options: Some(c"mode=0755,size=16m"),
        purpose: "the mount point of the stick",
    },
];

/// A row that could not be mounted.
#[derive(Debug, thiserror::Error)]
#[error("cannot mount {mount}: {source}")]
pub struct MountError {
    pub mount: Mount,
    #[source]
    pub source: io::Error,
}

/// Mounts every row; a failed one does not keep the others back. What is mounted already is left as it is.
pub fn mount_all(rows: &[Mount]) -> Vec<MountError> {
    let failed = |row: &Mount| mount_one(row).err().map(|source| MountError { mount: *row, source });
    rows.iter().filter_map(failed).collect()
}

fn mount_one(row: &Mount) -> io::Result<()> {
    fs::create_dir_all(row.target)?;
    match mount(row.kind, row.target, row.kind, row.flags, row.options) {
        // The kernel mounts /dev itself where it was built so.
        Ok(()) | Err(Errno::BUSY) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_mount_names_itself_and_the_others_are_tried() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let target: &'static str = Box::leak(file.join("below").to_str().unwrap().to_owned().into_boxed_str());
        let row = Mount { kind: "nofs", target, flags: SAFE, options: None, purpose: "nothing" };
        let errors = mount_all(&[row, row]);
        assert_eq!(errors.len(), 2);
        assert!(errors[0].to_string().starts_with(&format!("cannot mount nofs on {target} (nothing): ")));
    }
}
