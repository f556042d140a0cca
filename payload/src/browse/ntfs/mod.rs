//! Files on NTFS volumes.
//!
//! NTFS has no public specification; the layouts are those of the Linux-NTFS documentation and of `layout.h` in ntfs-3g.

pub(super) mod index;
mod record;
mod stream;
mod volume;

pub(super) use record::{Record, kind};
use stream::Run;
pub(super) use volume::Ntfs;

use super::{
    BrowseError, Entry, EntryKind, Files, Kind, Out, Place,
    bytes::{u8_at, u64_at},
    copy_run,
};
use std::ops::{ControlFlow, Range};
use stream::Stream;

/// The record of the top folder.
pub(super) const ROOT: u64 = 5;
/// Records below this belong to the file system itself.
pub(super) const FIRST_FILE: u64 = 16;

impl Files for Ntfs<'_> {
    fn kind(&self) -> Kind {
        Kind::Ntfs
    }

    fn root(&self) -> Entry {
        let (kind, place) = (EntryKind::Folder, Place::Ntfs(ROOT));
        Entry { name: "/".to_owned(), kind, size: 0, modified: None, id: Some(ROOT), place }
    }

    fn list(&self, folder: &Entry, each: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<(), BrowseError> {
        index::list(self, number(folder)?, each)
    }

    fn read(&self, file: &Entry, out: &mut dyn Out) -> Result<u64, BrowseError> {
        if file.kind != EntryKind::File {
            return Err(BrowseError::NotAFile(file.name.clone()));
        }
        let record = self.record(number(file)?)?;
        if record.attributes().any(|attribute| attribute.kind == kind::REPARSE_POINT) {
            let why = "stored elsewhere by Windows (compressed by CompactOS, deduplicated, in the cloud) or a link";
            return Err(BrowseError::Unsupported(format!(
                "{}: {why}; its bytes are not in the file itself",
                file.name
            )));
        }
        match self.stream(&record, kind::DATA, &[])? {
            None => Err(BrowseError::NotAFile(file.name.clone())),
            Some(Stream::Resident(data)) => {
                out.data(0, &data).map_err(BrowseError::Out)?;
                Ok(data.len() as u64)
            }
            Some(Stream::Runs { flags, .. }) if flags & (stream::COMPRESSED | stream::ENCRYPTED) != 0 => {
                let how = if flags & stream::ENCRYPTED != 0 { "encrypted (EFS)" } else { "compressed (LZNT1)" };
                Err(BrowseError::Unsupported(format!("{}: {how}; restore the image to read it", file.name)))
            }
            Some(Stream::Runs { runs, size, written, .. }) => {
                let end = size.min(written);
                for run in runs {
                    let (offset, from) = (self.bytes(run.vcn), run.lcn.map(|lcn| self.bytes(lcn)));
                    let len = self.bytes(run.len).min(end.saturating_sub(offset));
                    if let Some(from) = from.filter(|_| len > 0) {
                        copy_run(self.volume(), from, len, offset, out)?;
                    }
                }
                Ok(size)
            }
        }
    }

    fn places(&self, entry: &Entry, each: &mut dyn FnMut(Range<u64>) -> ControlFlow<()>) -> Result<(), BrowseError> {
        let number = number(entry)?;
        let record = self.record(number)?;
        for place in self.places_of(number, &record)? {
            if each(place).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Ntfs<'_> {
    /// Where a record and the values lie that it points to; what its extension records hold is told with those.
    pub(super) fn places_of(&self, number: u64, record: &Record) -> Result<Vec<Range<u64>>, BrowseError> {
        let mut places = self.places(number);
        for attribute in record.attributes().filter(|attribute| attribute.resident().is_none()) {
            let broken = || BrowseError::damaged(format!("the clusters of record {number} make no sense"));
            let runs = attribute.runs(self.clusters()).ok_or_else(broken)?;
            let place = |run: Run| run.lcn.map(|lcn| self.bytes(lcn)..self.bytes(lcn + run.len));
            places.extend(runs.into_iter().filter_map(place));
        }
        Ok(places)
    }
}

fn number(entry: &Entry) -> Result<u64, BrowseError> {
    match entry.place {
        Place::Ntfs(number) => Ok(number),
        _ => Err(BrowseError::NotFound(entry.name.clone())),
    }
}

/// Folders above a file that are looked up for its path.
const MAX_PATH: usize = 128;

/// The path of a record by the names in it and in the folders above; the number of the record where a name is missing.
pub(super) fn path(ntfs: &Ntfs<'_>, number: u64) -> String {
    let (mut names, mut at) = (Vec::new(), number);
    while at != ROOT && names.len() < MAX_PATH {
        let Some((parent, name)) = ntfs.record(at).ok().and_then(|record| own_name(ntfs, &record)) else {
            names.push(format!("(record {at})"));
            break;
        };
        names.push(name);
        at = parent;
    }
    names.reverse();
    format!("/{}", names.join("/"))
}

/// The folder a record is in and its name there: the long one, if it has two. With several links, one of them.
fn own_name(ntfs: &Ntfs<'_>, record: &Record) -> Option<(u64, String)> {
    let mut found = None;
    let resident = record.attributes().filter(|attribute| attribute.kind == kind::FILE_NAME);
    for key in resident.filter_map(|attribute| attribute.resident()) {
        let dos = u8_at(key, 65) == Some(index::DOS);
        if found.is_none() || !dos {
            found = Some((u64_at(key, 0)? & record::NUMBER, index::file_name(key)?));
        }
    }
    if found.is_none()
        && let Ok(Some(Stream::Resident(key))) = ntfs.stream(record, kind::FILE_NAME, &[])
    {
        found = Some((u64_at(&key, 0)? & record::NUMBER, index::file_name(&key)?));
    }
    found
}
