//! The store: a file system on another drive that images are kept on.
//!
//! It is found by its label (`MULE-STORE` unless the job says otherwise) on any drive but the stick, or on the one drive that
//! the job names; mounted for the run, and its drive is never a target. Two file systems with that label are refused: an image
//! must not land on either by luck.

use crate::{
    blocks::FileBlocks,
    content::{self, Kind},
    discover::Drive,
};
use rustix::{
    fs::StatVfs,
    mount::{MountFlags, UnmountFlags},
};
use std::{
    ffi::CStr,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// The label of a store that no job names.
pub const LABEL: &str = "MULE-STORE";
/// Where it is mounted.
pub const MOUNT_POINT: &str = "/run/store";

const FLAGS: MountFlags =
    MountFlags::NODEV.union(MountFlags::NOSUID).union(MountFlags::NOEXEC).union(MountFlags::NOATIME);

/// The kernel's name and options for each file system a store may be.
const KINDS: &[(Kind, &str, &CStr)] = &[
    (Kind::Ext, "ext4", c"errors=remount-ro"),
    (Kind::Exfat, "exfat", c"umask=0077,errors=remount-ro"),
    (Kind::Ntfs, "ntfs3", c"umask=0077"),
    (Kind::Fat, "vfat", c"umask=0077,utf8=1,errors=remount-ro"),
];

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("no drive has a file system with the label {0}; plug in the drive that images are kept on")]
    Missing(String),
    #[error(
        "the drive {drive} that the job keeps images on is not plugged in; a file system labelled {label} on another drive is \
         not used in its place"
    )]
    NoDrive { drive: String, label: String },
    #[error("the drive {drive} that the job keeps images on has no file system with the label {label}")]
    NotOnDrive { drive: String, label: String },
    #[error(
        "the file system labelled {label} on {drive} must not be written: {reason}. Connect it to the Windows that used it, \
         switch fast startup off there (powercfg /h off), run chkdsk /f on it and shut Windows down; or name another store"
    )]
    NotLetGo { label: String, drive: String, reason: String },
    #[error("{1} file systems have the label {0}: {2}; leave only one of them plugged in")]
    Several(String, usize, String),
    #[error(
        "the file system labelled {label} on {drive} is {kind}; images can be kept on ext4, exFAT, NTFS and FAT32 only"
    )]
    Kind { label: String, drive: String, kind: String },
    #[error("the partition of the file system labelled {0} on {1} has no device node")]
    Node(String, String),
    #[error("cannot mount {node} as {kind}: {source}. Check the file system on a PC")]
    Mount { node: PathBuf, kind: &'static str, source: io::Error },
}

/// A file system with the label, not mounted yet.
#[derive(Debug)]
pub struct Found {
    /// The drive it lies on.
    pub drive: PathBuf,
    kind: Kind,
    label: String,
    node: PathBuf,
    /// Why it must not be written.
    not_let_go: Option<String>,
    name: String,
}

/// Looks for the label on drives, or on the one that the job names; what cannot be read has no store.
pub fn find(drives: &[Drive], label: &str, named: Option<&str>) -> Result<Found, StoreError> {
    let Some(name) = named else { return only(drives, label) };
    let called: Vec<_> = drives.iter().filter(|drive| drive.is_called(name)).cloned().collect();
    if called.is_empty() {
        return Err(StoreError::NoDrive { drive: name.into(), label: label.into() });
    }
    only(&called, label).map_err(|error| match error {
        StoreError::Missing(label) => StoreError::NotOnDrive { drive: name.into(), label },
        other => other,
    })
}

fn only(drives: &[Drive], label: &str) -> Result<Found, StoreError> {
    let mut found: Vec<_> = drives.iter().flat_map(|drive| on_drive(drive, label)).collect();
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(StoreError::Missing(label.into())),
        (Some(only), true) => only,
        (Some(last), false) => {
            let names = found.iter().chain([&last]).flatten().map(|one| one.node.display().to_string());
            let names: Vec<_> = names.collect();
            Err(StoreError::Several(label.into(), found.len() + 1, names.join(", ")))
        }
    }
}

/// The drives that carry one of the labels, whatever file system it is; what cannot be read carries none.
pub fn drives_with(drives: &[Drive], labels: &[&str]) -> Vec<PathBuf> {
    let carries = |drive: &&Drive| labels.iter().any(|label| !on_drive(drive, label).is_empty());
    drives.iter().filter(carries).map(|drive| drive.path.clone()).collect()
}

fn on_drive(drive: &Drive, label: &str) -> Vec<Result<Found, StoreError>> {
    let Ok(geometry) = drive.geometry else { return Vec::new() };
    let Ok(disk) = File::open(&drive.path).and_then(FileBlocks::new) else { return Vec::new() };
    let survey = content::outline(&disk, geometry.logical());
    let labelled = survey.volumes.iter().filter(|volume| volume.label == label);
    let one = |volume: &content::Volume| {
        let name = drive.identity.to_string();
        if !KINDS.iter().any(|(kind, ..)| *kind == volume.kind) {
            return Err(StoreError::Kind { label: label.into(), drive: name, kind: volume.kind.to_string() });
        }
        let node = node(Path::new("/sys/block"), &drive.path, volume.start)
            .ok_or_else(|| StoreError::Node(label.into(), name.clone()))?;
        let not_let_go = content::not_let_go(&disk, volume);
        Ok(Found { drive: drive.path.clone(), kind: volume.kind, label: label.into(), node, not_let_go, name })
    };
    labelled.map(one).collect()
}

/// The node of what begins at byte `start` of a drive: a partition, or the drive itself where it has no table.
fn node(block: &Path, device: &Path, start: u64) -> Option<PathBuf> {
    if start == 0 {
        return Some(device.to_owned());
    }
    let begin = |dir: &Path| fs::read_to_string(dir.join("start")).ok()?.trim().parse::<u64>().ok();
    let mut entries = fs::read_dir(block.join(device.file_name()?)).ok()?.flatten();
    // The kernel counts in 512 bytes whatever the drive's blocks are.
    let entry = entries.find(|entry| begin(&entry.path()) == Some(start / 512))?;
    Some(device.with_file_name(entry.file_name()))
}

/// The mounted store.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    drive: PathBuf,
    kind: Kind,
}

impl Store {
    /// Mounts it; read-only unless something is to be kept on it.
    pub fn mount(found: &Found, writable: bool) -> Result<Self, StoreError> {
        let Some((_, kind, options)) = KINDS.iter().find(|(kind, ..)| *kind == found.kind) else {
            return Err(StoreError::Missing(found.label.clone()));
        };
        if let Some(reason) = found.not_let_go.clone().filter(|_| writable) {
            return Err(StoreError::NotLetGo { label: found.label.clone(), drive: found.name.clone(), reason });
        }
        let failed = |source| StoreError::Mount { node: found.node.clone(), kind, source };
        fs::create_dir_all(MOUNT_POINT).map_err(failed)?;
        let access = if writable { MountFlags::empty() } else { MountFlags::RDONLY };
        rustix::mount::mount(&found.node, MOUNT_POINT, *kind, FLAGS | access, *options)
            .map_err(|errno| failed(errno.into()))?;
        Ok(Self { dir: MOUNT_POINT.into(), drive: found.drive.clone(), kind: found.kind })
    }

    /// Its root.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The drive it lies on, which is never a target.
    pub fn drive(&self) -> &Path {
        &self.drive
    }

    /// Largest file in bytes, where the file system has such a limit (FAT32: 4 GiB - 1).
    pub fn largest_file(&self) -> Option<u64> {
        (self.kind == Kind::Fat).then_some(u64::from(u32::MAX))
    }

    /// Everything on the medium, then unmounted.
    pub fn close(self) -> io::Result<()> {
        rustix::fs::syncfs(File::open(&self.dir)?)?;
        Ok(rustix::mount::unmount(&self.dir, UnmountFlags::empty())?)
    }
}

/// Bytes that can be written into a folder's file system.
pub fn free_bytes(dir: &Path) -> io::Result<u64> {
    let StatVfs { f_bavail, f_frsize, .. } = rustix::fs::statvfs(dir)?;
    Ok(f_bavail.saturating_mul(f_frsize))
}

#[cfg(test)]
mod tests;
