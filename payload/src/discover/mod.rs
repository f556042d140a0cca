//! Which drives there are: sysfs → [`Drive`]s. Everything starts at [`Roots`], so that trees of fixtures can be read.
//!
//! What sysfs does not say stays unknown. Two answers lean to the safe side: a drive whose `removable` or `ro` cannot be
//! read counts as removable and as write-protected, and usage that cannot be read is [`Usage::Unknown`], which is use.

mod again;
mod ask;
mod device;
mod link;
mod sysfs;
mod usage;
mod wait;

#[cfg(test)]
mod captured;
#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub use again::probe_again;
pub use ask::{Details, ask};
pub use link::Link;
pub use usage::Usage;
pub use wait::{Settled, wait_for};

use crate::{
    ata::{Health, Identify, identify::Rotation},
    drive::{
        Geometry, GeometryError, Identity, LinuxDrive,
        linux::{Device, file_geometry},
    },
    firmware::purge::Medium,
    scsi::text::clean_tail,
};
use std::{
    fmt,
    fs::Metadata,
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
};

/// Where the kernel's file systems are mounted.
#[derive(Debug, Clone)]
pub struct Roots {
    /// sysfs.
    pub sys: PathBuf,
    /// devtmpfs.
    pub dev: PathBuf,
    /// procfs.
    pub proc: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { sys: "/sys".into(), dev: "/dev".into(), proc: "/proc".into() }
    }
}

/// How a drive is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bus {
    /// ATA or SATA through libata.
    Ata,
    /// USB mass storage, whatever is behind the bridge.
    Usb,
    /// NVM Express.
    Nvme,
    /// SCSI, SAS and what the kernel treats as such.
    Scsi,
    /// A virtual disk of a hypervisor.
    Virtio,
    /// SD cards and eMMC.
    Mmc,
    /// A loop device of the host.
    Loop,
    /// A regular file.
    File,
    /// Anything else.
    Other,
}

impl fmt::Display for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ata => "ATA",
            Self::Usb => "USB",
            Self::Nvme => "NVMe",
            Self::Scsi => "SCSI",
            Self::Virtio => "virtio",
            Self::Mmc => "MMC",
            Self::Loop => "loop",
            Self::File => "file",
            Self::Other => "other",
        })
    }
}

/// One drive as it was found.
#[derive(Debug, Clone)]
pub struct Drive {
    /// The kernel's name (`sda`), or the file's name.
    pub name: String,
    /// What to open.
    pub path: PathBuf,
    /// Who it is.
    pub identity: Identity,
    /// Sizes, or what is wrong with them.
    pub geometry: Result<Geometry, GeometryError>,
    /// How it is attached.
    pub bus: Bus,
    /// Where, for people (`ata3`, `usb 1-4`); empty where there is no place.
    pub port: String,
    /// Firmware revision.
    pub firmware: Option<String>,
    /// The kernel's removable bit: USB sticks and card readers have it, most USB disks do not.
    pub removable: bool,
    /// Write-protected.
    pub read_only: bool,
    /// Whether the kernel takes the medium for one that turns. It does so also where it does not know: a hint for what costs
    /// nothing, never for what is claimed (see [`Drive::medium`]).
    pub rotational: Option<bool>,
    /// Who uses it; empty is nobody.
    pub usage: Vec<Usage>,
    /// The kernel's names of its partitions.
    pub partitions: Vec<String>,
    /// IDENTIFY DEVICE data, where the kernel or the drive gave them.
    pub ata: Option<Identify>,
    /// Logical sectors with a Host Protected Area lifted; only [`ask`] knows.
    pub native_sectors: Option<u64>,
    /// Its own account of its health; only [`ask`] knows.
    pub health: Option<Health>,
    /// How fast it is attached, where the kernel says it.
    pub link: Option<Link>,
    /// More to tell a person.
    pub details: Details,
}

impl Drive {
    /// Whether a person who wrote `name` meant this drive: its serial number or WWN, exactly; of a file its path, byte by
    /// byte, as it was given or whole. What is shown of a path is a rendering, and names nothing.
    pub fn is_called(&self, name: &str) -> bool {
        match self.bus {
            Bus::File => {
                let whole = self.path.canonicalize();
                [Some(self.path.as_path()), whole.as_deref().ok()]
                    .into_iter()
                    .flatten()
                    .any(|path| path.as_os_str().as_bytes() == name.as_bytes())
            }
            _ => self.identity.is_called(name),
        }
    }

    /// How the data lie, where the drive itself says it: magnetic where it states a rotation rate, solid-state where it states
    /// that nothing turns. An NVMe drive has no such statement and turns nothing unless the kernel found that it does.
    pub fn medium(&self) -> Option<Medium> {
        match (self.bus, self.details.rotation) {
            (Bus::Nvme, _) => self.rotational.filter(|turns| !turns).map(|_| Medium::SolidState),
            (_, Some(Rotation::Rpm(_))) => Some(Medium::Magnetic),
            (_, Some(Rotation::None)) => Some(Medium::SolidState),
            (_, None) => None,
        }
    }
}

/// Why a named device cannot be used as a drive.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// The path leads nowhere.
    #[error("{0}: there is no such drive or file")]
    Missing(PathBuf),
    /// A directory, a terminal, …
    #[error("{0}: neither a block device nor a regular file")]
    NotADrive(PathBuf),
    /// Only whole drives are erased or imaged.
    #[error("{path}: a partition; name the whole drive {drive}")]
    Partition {
        /// What was named.
        path: PathBuf,
        /// The kernel's name of the drive it lies on.
        drive: String,
    },
    /// The kernel does not list it (any more).
    #[error("{0}: the kernel does not list this device; was it unplugged?")]
    NotListed(PathBuf),
    /// Anything else the system said.
    #[error("{path}: {source}")]
    Io {
        /// What was looked at.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
}

/// All drives that can be erased or imaged, sorted by name: no loop, RAM, device-mapper, RAID, network or optical
/// devices, and no parts of drives.
pub fn scan(roots: &Roots) -> Vec<Drive> {
    let users = usage::Users::read(roots);
    let mut names = sysfs::names(&roots.sys.join("block"));
    names.retain(|name| device::is_candidate(roots, name));
    names.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    names.iter().map(|name| device::read(roots, name, &users)).collect()
}

/// The drive or regular file at `path`; a host user may name a loop device, too.
pub fn identify_path(roots: &Roots, path: &Path) -> Result<Drive, DiscoverError> {
    let metadata = stat(path)?;
    if metadata.is_file() {
        return regular_file(roots, path, &metadata);
    }
    if !metadata.file_type().is_block_device() {
        return Err(DiscoverError::NotADrive(path.to_owned()));
    }
    let (major, minor) = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
    let name = device_name(roots, major, minor, path)?;
    Ok(Drive { path: path.to_owned(), ..device::read(roots, &name, &usage::Users::read(roots)) })
}

/// Reads the identity of what `drive` holds open, whatever its path names by now. The claim compares it with the plan's.
pub fn identity_of(roots: &Roots, drive: &LinuxDrive) -> Result<Identity, DiscoverError> {
    match drive.device() {
        Device::Block { major, minor } => {
            device_name(roots, major, minor, drive.path()).map(|name| device::identity(roots, &name))
        }
        Device::File => {
            let io = |source| DiscoverError::Io { path: drive.path().to_owned(), source };
            let held = drive.file().metadata().map_err(io)?;
            let named = stat(drive.path())?;
            if (held.dev(), held.ino()) != (named.dev(), named.ino()) {
                return Err(DiscoverError::NotListed(drive.path().to_owned()));
            }
            file_identity(drive.path(), &held)
        }
    }
}

/// Who else uses what `drive` holds open, asked by its descriptor; and how many processes may do so that this one has no right to
/// look at.
pub fn users_of(roots: &Roots, drive: &LinuxDrive) -> (Vec<Usage>, usize) {
    let name = drive.path().display().to_string();
    let unknown = |error: &dyn fmt::Display| vec![Usage::Unknown { reason: error.to_string() }];
    let users = usage::Users::read(roots);
    let found = match drive.device() {
        Device::Block { major, minor } => match device_name(roots, major, minor, drive.path()) {
            Ok(name) => users.of(roots, &name),
            Err(error) => unknown(&error),
        },
        Device::File => match drive.file().metadata() {
            Ok(metadata) => users.of_file(roots, drive.file(), &metadata, &name),
            Err(error) => unknown(&error),
        },
    };
    (found, users.hidden(drive))
}

/// Reads the identity of a drive that was found earlier again, by its name.
pub fn identity_again(roots: &Roots, drive: &Drive) -> Result<Identity, DiscoverError> {
    if drive.bus == Bus::File {
        return file_identity(&drive.path, &stat(&drive.path)?);
    }
    if !roots.sys.join("block").join(&drive.name).exists() {
        return Err(DiscoverError::NotListed(drive.path.clone()));
    }
    Ok(device::identity(roots, &drive.name))
}

/// The whole drive with this device number.
fn device_name(roots: &Roots, major: u32, minor: u32, path: &Path) -> Result<String, DiscoverError> {
    let link = roots.sys.join("dev/block").join(format!("{major}:{minor}"));
    let place = link.canonicalize().map_err(|_| DiscoverError::NotListed(path.to_owned()))?;
    let name = |place: &Path| place.file_name().map(|name| name.to_string_lossy().into_owned());
    if place.join("partition").exists() {
        let drive = place.parent().and_then(name).unwrap_or_default();
        return Err(DiscoverError::Partition { path: path.to_owned(), drive });
    }
    name(&place).ok_or_else(|| DiscoverError::NotListed(path.to_owned()))
}

fn stat(path: &Path) -> Result<Metadata, DiscoverError> {
    std::fs::metadata(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => DiscoverError::Missing(path.to_owned()),
        _ => DiscoverError::Io { path: path.to_owned(), source },
    })
}

fn file_identity(path: &Path, metadata: &Metadata) -> Result<Identity, DiscoverError> {
    let whole = path.canonicalize().map_err(|source| DiscoverError::Io { path: path.to_owned(), source })?;
    let serial = clean_tail(whole.as_os_str().as_bytes());
    Ok(Identity { model: "regular file".into(), serial, wwn: None, bytes: metadata.len() })
}

fn regular_file(roots: &Roots, path: &Path, metadata: &Metadata) -> Result<Drive, DiscoverError> {
    let identity = file_identity(path, metadata)?;
    Ok(Drive {
        name: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        path: path.to_owned(),
        // Its file system may want larger blocks than the smallest: the claim compares.
        geometry: file_geometry(path, identity.bytes).unwrap_or_else(|| Geometry::new(identity.bytes, 512, 4096)),
        identity,
        bus: Bus::File,
        port: String::new(),
        firmware: None,
        removable: false,
        read_only: metadata.permissions().readonly(),
        rotational: None,
        usage: usage::of_file(roots, path, &path.display().to_string()),
        partitions: Vec::new(),
        ata: None,
        native_sectors: None,
        health: None,
        link: None,
        details: Details::default(),
    })
}
