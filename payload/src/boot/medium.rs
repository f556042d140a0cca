//! Which of the machine's disks is the stick it was started from: the one whose id sector carries the image id that the
//! initramfs carries too. Never "the first FAT partition".

use crate::drive::AlignedBuf;
use mule_types::stick::{self, ID_LBA, IdSector, ImageId, SECTOR};
use rustix::fs::{Mode, OFlags};
use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// The stick this machine was started from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BootMedium {
    One(PathBuf, IdSector),
    /// Not there (yet): a USB stick can take seconds to appear.
    None,
    /// Copies of one stick cannot be told apart: the run is refused.
    Several(Vec<PathBuf>),
}

/// What the search saw.
#[derive(Debug)]
pub struct Search {
    pub medium: BootMedium,
    /// Every device that carries a Mule id sector of any image; none of them is ever a target.
    pub sticks: Vec<PathBuf>,
    /// Devices whose id sector could not be read: what they are is unknown.
    pub unreadable: Vec<(Device, io::Error)>,
}

/// Reads the id sector of a device.
pub type ReadIdSector<'a> = &'a mut dyn FnMut(&Path) -> io::Result<[u8; 512]>;

/// Why the initramfs does not say which image it belongs to.
#[derive(Debug, thiserror::Error)]
pub enum ImageIdError {
    #[error("cannot read {0}, which names the stick: {1}")]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("{0} does not name a stick: {1}")]
    Malformed(PathBuf, #[source] stick::BadImageId),
}

/// The image id in a file of the initramfs ([`stick::INITRAMFS_ID_PATH`]).
pub fn image_id(path: &Path) -> Result<ImageId, ImageIdError> {
    let text = fs::read_to_string(path).map_err(|error| ImageIdError::Unreadable(path.to_owned(), error))?;
    text.parse().map_err(|error| ImageIdError::Malformed(path.to_owned(), error))
}

/// A whole disk that may carry an id sector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub path: PathBuf,
    /// Whether a machine can have been started from it: a copy of the image on any other disk is no stick of anybody's.
    pub may_boot: bool,
}

/// Looks at every whole disk once.
pub fn find(image: ImageId, devices: &[Device], read: ReadIdSector<'_>) -> Search {
    let (mut own, mut sticks, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
    for Device { path, may_boot } in devices {
        match read(path) {
            Ok(sector) => {
                let Some(id) = IdSector::decode(&sector) else { continue };
                sticks.push(path.clone());
                if id.image == image && *may_boot {
                    own.push((path.clone(), id));
                }
            }
            Err(error) => unreadable.push((Device { path: path.clone(), may_boot: *may_boot }, error)),
        }
    }
    let medium = match own.len() {
        0 => BootMedium::None,
        1 => {
            let (device, id) = own.remove(0);
            BootMedium::One(device, id)
        }
        _ => BootMedium::Several(own.into_iter().map(|(device, _)| device).collect()),
    };
    Search { medium, sticks, unreadable }
}

/// The id sector of a device or image file. The layout counts in sectors of 512 bytes whatever the medium's own are.
pub fn read_id_sector(device: &Path) -> io::Result<[u8; 512]> {
    let mut file = File::open(device)?;
    let mut sector = [0; 512];
    file.seek(SeekFrom::Start(ID_LBA * SECTOR))?;
    file.read_exact(&mut sector)?;
    Ok(sector)
}

/// The same from the medium itself: what the kernel remembers may be of a medium that was there before.
pub fn read_id_sector_anew(device: &Path) -> io::Result<[u8; 512]> {
    // The first bytes of a whole block of any size that there is.
    const HEAD: usize = 4096;
    let direct = OFlags::RDONLY | OFlags::DIRECT | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(device, direct, Mode::empty())?);
    let mut head = AlignedBuf::zeroed(HEAD).map_err(io::Error::other)?;
    file.read_exact_at(&mut head, 0)?;
    let at = usize::try_from(ID_LBA * SECTOR).map_err(io::Error::other)?;
    head.get(at..at + 512).and_then(|sector| sector.try_into().ok()).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: ImageId = ImageId([1; 16]);
    const OTHER: ImageId = ImageId([2; 16]);

    /// Disks named `sata…` are built in.
    fn search(disks: &[(&str, Option<ImageId>)]) -> Search {
        let device = |name: &str| Device { path: name.into(), may_boot: !name.starts_with("sata") };
        let devices: Vec<_> = disks.iter().map(|(name, _)| device(name)).collect();
        find(OURS, &devices, &mut |path| {
            let name = path.to_str().unwrap();
            if name == "bad" {
                return Err(io::Error::other("medium error"));
            }
            let id = disks.iter().find(|(disk, _)| *disk == name).and_then(|(_, id)| *id);
            Ok(id.map_or([0x5a; 512], |id| IdSector::new(id).encode()))
        })
    }

    #[test]
    fn the_stick_is_the_only_disk_with_this_image() {
        let found = search(&[("sda", None), ("sdb", Some(OURS)), ("sdc", Some(OTHER)), ("bad", None)]);
        assert_eq!(found.medium, BootMedium::One("sdb".into(), IdSector::new(OURS)));
        assert_eq!(found.sticks, [PathBuf::from("sdb"), PathBuf::from("sdc")]);
        assert_eq!(found.unreadable[0].0, Device { path: "bad".into(), may_boot: true });
        assert_eq!(search(&[("sda", None), ("sdc", Some(OTHER))]).medium, BootMedium::None);
        assert_eq!(search(&[]).medium, BootMedium::None);
    }

    #[test]
    fn two_copies_cannot_be_told_apart() {
        let found = search(&[("sda", Some(OURS)), ("sdb", None), ("sdc", Some(OURS))]);
        assert_eq!(found.medium, BootMedium::Several(vec!["sda".into(), "sdc".into()]));
        assert_eq!(found.sticks.len(), 2);
    }

    #[test]
    fn a_copy_of_the_image_on_a_built_in_disk_is_a_stick_that_nobody_started_from() {
        let found = search(&[("sata1", Some(OURS)), ("sdb", Some(OURS))]);
        assert_eq!(found.medium, BootMedium::One("sdb".into(), IdSector::new(OURS)));
        assert_eq!(found.sticks, [PathBuf::from("sata1"), PathBuf::from("sdb")]);
        assert_eq!(search(&[("sata1", Some(OURS))]).medium, BootMedium::None);
    }

    #[test]
    fn the_id_sector_lies_at_byte_512() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        fs::write(&path, [&[0; 512][..], &IdSector::new(OURS).encode()].concat()).unwrap();
        assert_eq!(IdSector::decode(&read_id_sector(&path).unwrap()), Some(IdSector::new(OURS)));
        fs::write(&path, [0; 1023]).unwrap();
        assert!(read_id_sector(&path).is_err());
    }

    #[test]
    fn the_image_id_comes_from_the_initramfs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image-id");
        assert!(matches!(image_id(&path), Err(ImageIdError::Unreadable(..))));
        fs::write(&path, "x").unwrap();
        assert!(matches!(image_id(&path), Err(ImageIdError::Malformed(..))));
        fs::write(&path, "01010101010101010101010101010101\n").unwrap();
        assert_eq!(image_id(&path).unwrap(), OURS);
    }
}
