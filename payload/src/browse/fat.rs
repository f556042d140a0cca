//! Files on FAT and exFAT volumes.

use super::{
    BrowseError, Entry, EntryKind, Files, Kind, Out, Place, copy_run,
    exfat::ExfatNames,
    fat_names::{FatNames, Parsed},
    fat_volume::{Chain, FatVolume},
};
use crate::blocks::ReadAt;
use std::ops::{ControlFlow, Range};

/// The largest folders: 65536 entries of 32 bytes on FAT, 256 MiB on exFAT.
const LIMITS: [u64; 2] = [2 << 20, 256 << 20];

pub(super) struct Fat<'a> {
    volume: &'a dyn ReadAt,
    layout: FatVolume,
    kind: Kind,
}

impl<'a> Fat<'a> {
    pub(super) fn open(volume: &'a dyn ReadAt, kind: Kind) -> Result<Self, BrowseError> {
        let mut boot = [0; 512];
        volume.read_at(0, &mut boot)?;
        let layout = if kind == Kind::Exfat { FatVolume::exfat(&boot) } else { FatVolume::fat(&boot) };
        let layout = layout.ok_or_else(|| BrowseError::damaged("the boot sector contradicts itself"))?;
        Ok(Self { volume, layout, kind })
    }

    /// Bytes before the first cluster: boot sectors, FATs and the fixed root folder.
    pub(super) fn front(&self) -> u64 {
        self.layout.front
    }

    /// Where a file or folder lies.
    pub(super) fn chain<'e>(&self, entry: &'e Entry) -> Result<&'e Chain, BrowseError> {
        match &entry.place {
            Place::Fat(chain) => Ok(chain),
            _ => Err(BrowseError::NotFound(entry.name.clone())),
        }
    }
}

impl Files for Fat<'_> {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn root(&self) -> Entry {
        let place = Place::Fat(self.layout.root);
        Entry { name: "/".to_owned(), kind: EntryKind::Folder, size: 0, modified: None, id: None, place }
    }

    fn list(&self, folder: &Entry, each: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<(), BrowseError> {
        let chain = self.chain(folder)?;
        let (mut fat, mut exfat) = (FatNames::new(self.layout.wide()), ExfatNames::default());
        let is_exfat = self.kind == Kind::Exfat;
        self.layout.folder(self.volume, chain, LIMITS[usize::from(is_exfat)], &mut |raw| match if is_exfat {
            exfat.entry(raw)
        } else {
            fat.entry(raw)
        } {
            Parsed::Nothing => ControlFlow::Continue(()),
            Parsed::End => ControlFlow::Break(()),
            Parsed::Entry(entry) => each(entry),
        })
    }

    fn read(&self, file: &Entry, out: &mut dyn Out) -> Result<u64, BrowseError> {
        let chain = self.chain(file)?;
        let (Chain::Clusters { size: Some(size), valid, .. }, EntryKind::File) = (chain, file.kind) else {
            return Err(BrowseError::NotAFile(file.name.clone()));
        };
        let (mut offset, mut result) = (0, Ok(()));
        self.layout.runs(self.volume, chain, &mut |run| {
            let len = (run.end - run.start).min(valid.saturating_sub(offset));
            result = copy_run(self.volume, run.start, len, offset, out);
            offset += len;
            if result.is_err() || offset >= *valid { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        result.map(|()| *size)
    }

    fn places(&self, entry: &Entry, each: &mut dyn FnMut(Range<u64>) -> ControlFlow<()>) -> Result<(), BrowseError> {
        self.layout.runs(self.volume, self.chain(entry)?, each)
    }
}
