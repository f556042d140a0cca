//! The stick's FAT partition: read-only, but for the moments in which a certificate is written. A stick that falls off the
//! bus costs the plain copies of the certificates, never the run.

use mule_types::stick::FAT_START_LBA;
use rustix::mount::{MountFlags, UnmountFlags};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Where the partition is mounted.
pub const MOUNT_POINT: &str = "/run/stick";
/// Only root reads it; long names in UTF-8; after a write error nothing more is written.
const OPTIONS: &std::ffi::CStr = c"umask=0077,utf8=1,errors=remount-ro";
const FLAGS: MountFlags =
    MountFlags::NODEV.union(MountFlags::NOSUID).union(MountFlags::NOEXEC).union(MountFlags::NOATIME);

/// What went wrong with the partition.
#[derive(Debug, thiserror::Error)]
pub enum StickError {
    #[error("the stick {0} shows no FAT partition at sector {FAT_START_LBA}; was it repartitioned?")]
    NoPartition(PathBuf),
    #[error("cannot mount the stick's FAT partition {0}: {1}. Check it on a PC (chkdsk, fsck.vfat)")]
    Mount(PathBuf, #[source] io::Error),
    #[error("the stick's FAT partition cannot be made writable: {0}. Is the stick still plugged in?")]
    Writable(#[source] io::Error),
    #[error("cannot write to the stick's FAT partition: {0}")]
    Write(#[source] io::Error),
    #[error("what was written to the stick may not be on it: {0}")]
    Sync(#[source] io::Error),
}

/// The node of the partition that the layout calls the first: by what the kernel read from the partition table.
/// `block` is `/sys/block`.
pub fn partition_node(block: &Path, device: &Path) -> Result<PathBuf, StickError> {
    let missing = || StickError::NoPartition(device.to_owned());
    let disk = device.file_name().ok_or_else(missing)?;
    let number = |dir: &Path, file: &str| fs::read_to_string(dir.join(file)).ok()?.trim().parse::<u64>().ok();
    let entries = fs::read_dir(block.join(disk)).map_err(|_| missing())?;
    let first = entries.flatten().find(|entry| {
        let dir = entry.path();
        number(&dir, "partition") == Some(1) && number(&dir, "start") == Some(FAT_START_LBA)
    });
    first.map(|entry| device.with_file_name(entry.file_name())).ok_or_else(missing)
}

/// What is done to a mount: the kernel, or a test.
pub trait Mounter {
    /// Mounts `node` read-only at `at`.
    fn mount(&mut self, node: &Path, at: &Path) -> io::Result<()>;
    fn set_writable(&mut self, at: &Path, writable: bool) -> io::Result<()>;
    /// Everything written below `at` is on the medium afterwards.
    fn sync(&mut self, at: &Path) -> io::Result<()>;
    /// Lets go of it, also when the device is gone.
    fn detach(&mut self, at: &Path) -> io::Result<()>;
}

/// The kernel's vfat.
#[derive(Debug, Default, Clone, Copy)]
pub struct Vfat;

impl Mounter for Vfat {
    fn mount(&mut self, node: &Path, at: &Path) -> io::Result<()> {
        fs::create_dir_all(at)?;
        Ok(rustix::mount::mount(node, at, "vfat", FLAGS | MountFlags::RDONLY, OPTIONS)?)
    }

    fn set_writable(&mut self, at: &Path, writable: bool) -> io::Result<()> {
        let access = if writable { MountFlags::empty() } else { MountFlags::RDONLY };
        Ok(rustix::mount::mount_remount(at, FLAGS | access, OPTIONS)?)
    }

    fn sync(&mut self, at: &Path) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(at)?)?)
    }

    fn detach(&mut self, at: &Path) -> io::Result<()> {
        Ok(rustix::mount::unmount(at, UnmountFlags::DETACH)?)
    }
}

/// The mounted FAT partition.
#[derive(Debug)]
pub struct StickFs<M: Mounter = Vfat> {
    mounter: M,
    at: PathBuf,
    writable: bool,
}

impl<M: Mounter> StickFs<M> {
    /// Mounts the partition read-only.
    pub fn mount(mut mounter: M, node: &Path, at: &Path) -> Result<Self, StickError> {
        mounter.mount(node, at).map_err(|error| StickError::Mount(node.to_owned(), error))?;
        Ok(Self { mounter, at: at.to_owned(), writable: false })
    }

    /// The partition's root.
    pub fn dir(&self) -> &Path {
        &self.at
    }

    /// Whether the last return to read-only failed; the next write or [`Self::close`] tries again.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Calls `write` while the partition is writable. `Ok` means that what it wrote is on the medium.
    pub fn with_writable<T>(&mut self, write: impl FnOnce(&Path) -> io::Result<T>) -> Result<T, StickError> {
        self.mounter.set_writable(&self.at, true).map_err(StickError::Writable)?;
        self.writable = true;
        let written = write(&self.at).map_err(StickError::Write);
        let synced = self.mounter.sync(&self.at).map_err(StickError::Sync);
        self.writable = self.mounter.set_writable(&self.at, false).is_err();
        let value = written?;
        synced.map(|()| value)
    }

    /// The stick came back, perhaps under another name: lets go of the old mount and mounts `node`.
    pub fn replug(&mut self, node: &Path) -> Result<(), StickError> {
        let _ = self.mounter.detach(&self.at);
        self.writable = false;
        self.mounter.mount(node, &self.at).map_err(|error| StickError::Mount(node.to_owned(), error))
    }

    /// Unmounts, at the end of a run.
    pub fn close(mut self) {
        if self.writable {
            let _ = self.mounter.sync(&self.at);
            let _ = self.mounter.set_writable(&self.at, false);
        }
        let _ = self.mounter.detach(&self.at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says what it was asked; fails what begins with `fails`.
    #[derive(Default)]
    struct Script {
        calls: Vec<String>,
        fails: &'static str,
    }

    impl Script {
        fn call(&mut self, call: String) -> io::Result<()> {
            let result = if !self.fails.is_empty() && call.starts_with(self.fails) {
                Err(io::Error::other("no device"))
            } else {
                Ok(())
            };
            self.calls.push(call);
            result
        }
    }

    impl Mounter for &mut Script {
        fn mount(&mut self, node: &Path, _: &Path) -> io::Result<()> {
            self.call(format!("mount {}", node.display()))
        }
        fn set_writable(&mut self, _: &Path, writable: bool) -> io::Result<()> {
            self.call(if writable { "rw" } else { "ro" }.to_owned())
        }
        fn sync(&mut self, _: &Path) -> io::Result<()> {
            self.call("sync".to_owned())
        }
        fn detach(&mut self, _: &Path) -> io::Result<()> {
            self.call("detach".to_owned())
        }
    }

    /// One write under a script; what it gave and the calls after the mount.
    fn write(fails: &'static str, content: io::Result<u8>) -> (Result<u8, StickError>, Vec<String>) {
        let mut script = Script::default();
        let mut stick = StickFs::mount(&mut script, Path::new("/dev/sdb1"), Path::new("/x")).unwrap();
        stick.mounter.fails = fails;
        let result = stick.with_writable(|_| content);
        stick.close();
        (result, script.calls.split_off(1))
    }

    #[test]
    fn it_is_writable_only_while_something_is_written() {
        let (result, calls) = write("", Ok(7));
        assert_eq!(result.unwrap(), 7);
        assert_eq!(calls, ["rw", "sync", "ro", "detach"]);
    }

    #[test]
    fn every_failure_is_told_and_leaves_it_read_only_where_possible() {
        let (result, calls) = write("rw", Ok(7));
        assert!(matches!(result, Err(StickError::Writable(_))) && calls == ["rw", "detach"]);
        let (result, calls) = write("", Err(io::Error::other("full")));
        assert!(matches!(result, Err(StickError::Write(_))) && calls == ["rw", "sync", "ro", "detach"]);
        let (result, calls) = write("sync", Ok(7));
        assert!(matches!(result, Err(StickError::Sync(_))) && calls == ["rw", "sync", "ro", "detach"]);
        let (result, calls) = write("ro", Ok(7));
        assert!(result.is_ok() && calls == ["rw", "sync", "ro", "sync", "ro", "detach"]);
    }

    #[test]
    fn a_stick_that_comes_back_is_mounted_again() {
        let mut script = Script::default();
        let mut stick = StickFs::mount(&mut script, Path::new("/dev/sdb1"), Path::new("/x")).unwrap();
        stick.replug(Path::new("/dev/sdd1")).unwrap();
        assert_eq!(script.calls, ["mount /dev/sdb1", "detach", "mount /dev/sdd1"]);
    }

    #[test]
    fn the_partition_is_found_by_number_and_start() {
        let dir = tempfile::tempdir().unwrap();
        let partition = |name: &str, number: &str, start: &str| {
            let part = dir.path().join("mmcblk0").join(name);
            fs::create_dir_all(&part).unwrap();
            fs::write(part.join("partition"), number).unwrap();
            fs::write(part.join("start"), start).unwrap();
        };
        fs::create_dir_all(dir.path().join("mmcblk0/queue")).unwrap();
        partition("mmcblk0p2", "2\n", "264192\n");
        let find = || partition_node(dir.path(), Path::new("/dev/mmcblk0"));
        assert!(matches!(find(), Err(StickError::NoPartition(_))));
        partition("mmcblk0p1", "1\n", "63\n");
        assert!(find().is_err());
        partition("mmcblk0p1", "1\n", "2048\n");
        assert_eq!(find().unwrap(), PathBuf::from("/dev/mmcblk0p1"));
    }
}
