//! A tree that was made up: a file, and a folder with another file in it.

use super::{BrowseError, Entry, EntryKind, Files, Kind, Out, Place};
use std::ops::{ControlFlow, Range};

pub(crate) struct Made<F> {
    /// Hears of each folder before its entries are told.
    before: F,
}

impl<F: Fn(&str)> Made<F> {
    pub(crate) fn new(before: F) -> Self {
        Self { before }
    }
}

fn entry(name: &str, kind: EntryKind, id: u64) -> Entry {
    Entry { name: name.into(), kind, size: 7, modified: None, id: Some(id), place: Place::Ntfs(id) }
}

impl<F: Fn(&str)> Files for Made<F> {
    fn kind(&self) -> Kind {
        Kind::Ntfs
    }

    fn root(&self) -> Entry {
        entry("", EntryKind::Folder, 0)
    }

    fn list(&self, folder: &Entry, each: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<(), BrowseError> {
        (self.before)(&folder.name);
        let entries = match folder.id {
            Some(0) => vec![entry("file", EntryKind::File, 1), entry("folder", EntryKind::Folder, 2)],
            _ => vec![entry("inner", EntryKind::File, 3)],
        };
        let _ = entries.into_iter().try_for_each(each);
        Ok(())
    }

    fn read(&self, _: &Entry, out: &mut dyn Out) -> Result<u64, BrowseError> {
        out.data(0, b"content").map_err(BrowseError::Out)?;
        Ok(7)
    }

    fn places(&self, _: &Entry, _: &mut dyn FnMut(Range<u64>) -> ControlFlow<()>) -> Result<(), BrowseError> {
        Ok(())
    }
}
