//! Which files lie in given places of a volume: in those that could not be read.

use super::{
    BrowseError, Entry, EntryKind, Files, Kind, Next,
    ext::Ext,
    fat::Fat,
    ntfs::{self, FIRST_FILE, Ntfs, ROOT, Record},
    walk,
};
use crate::blocks::ReadAt;
use std::ops::{ControlFlow, Range};

/// Where the search ends, so that no volume takes for ever.
#[derive(Debug, Clone, Copy)]
pub struct HitLimits {
    /// Names told.
    pub names: usize,
    /// Files, folders and records of the file table looked at.
    pub looked_at: u64,
}

impl Default for HitLimits {
    /// Some hundreds of names; the files of a large computer.
    fn default() -> Self {
        Self { names: 500, looked_at: 5_000_000 }
    }
}

/// The most pieces the places asked for are cut into.
const MAX_PIECES: usize = 1 << 16;

/// What was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// What the file system needs for itself.
    System,
    /// A folder: names in it may be missing.
    Folder,
    /// A file, its data or what describes it.
    File,
}

/// A file in the places asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// What it is.
    pub what: What,
    /// Its path, with names made safe as in [`Entry::name`].
    pub path: String,
    /// How many of its bytes lie there.
    pub bytes: u64,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hits {
    /// The file system.
    pub kind: Kind,
    /// Each file once, by name.
    pub hits: Vec<Hit>,
    /// Hits that found no room in the list; a file in several pieces may count several times.
    pub unnamed: u64,
    /// Not all could be looked at: a file that is not named may be hit as well.
    pub cut_short: bool,
    /// Folders and records that could not be read: what they hold is not known.
    pub unknown: u64,
    /// Bytes asked for that nothing named holds. Where the search was neither cut short nor met unknown things, they are
    /// free space or the file system's own.
    pub elsewhere: u64,
}

/// Finds the files of a volume that have bytes in `bad`, in bytes of the volume. `None` if its file system is not known.
pub fn files_hit(volume: &dyn ReadAt, bad: &[Range<u64>], limits: HitLimits) -> Result<Option<Hits>, BrowseError> {
    let Some(kind) = Kind::of(volume)? else { return Ok(None) };
    let mut search = Search::new(kind, volume.size(), bad, limits);
    match kind {
        Kind::Ntfs => search.table(&Ntfs::open(volume)?),
        Kind::Ext => {
            let ext = Ext::open(volume)?;
            search.tree(&ext);
        }
        Kind::Fat | Kind::Exfat => {
            let fat = Fat::open(volume, kind)?;
            search.add(
                What::System,
                || "(the file system's own tables)".to_owned(),
                std::slice::from_ref(&(0..fat.front())),
            );
            search.tree(&fat);
        }
    }
    Ok(Some(search.finish()))
}

struct Search {
    /// Ascending, apart from one another.
    bad: Vec<Range<u64>>,
    /// The parts of it that nothing has claimed, likewise.
    unclaimed: Vec<Range<u64>>,
    looked_at: u64,
    limits: HitLimits,
    answer: Hits,
}

impl Search {
    fn new(kind: Kind, size: u64, bad: &[Range<u64>], limits: HitLimits) -> Self {
        let mut sorted: Vec<_> = bad.iter().map(|range| range.start.min(size)..range.end.min(size)).collect();
        sorted.retain(|range| !range.is_empty());
        sorted.sort_unstable_by_key(|range| range.start);
        let mut merged: Vec<Range<u64>> = Vec::new();
        for range in sorted {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        let answer = Hits { kind, hits: Vec::new(), unnamed: 0, cut_short: false, unknown: 0, elsewhere: 0 };
        Self { unclaimed: merged.clone(), bad: merged, looked_at: 0, limits, answer }
    }

    /// A place that belongs to somebody; how many of its bytes were asked for.
    fn claim(&mut self, place: &Range<u64>) -> u64 {
        let bytes = self.overlap(place);
        if bytes == 0 {
            return 0;
        }
        if self.unclaimed.len() > MAX_PIECES {
            self.answer.cut_short = true;
            return bytes;
        }
        let from = self.unclaimed.partition_point(|range| range.end <= place.start);
        let to = self.unclaimed.partition_point(|range| range.start < place.end);
        let rest: Vec<_> = self.unclaimed[from..to]
            .iter()
            .flat_map(|range| [range.start..range.end.min(place.start), range.start.max(place.end)..range.end])
            .filter(|range| !range.is_empty())
            .collect();
        self.unclaimed.splice(from..to, rest);
        bytes
    }

    /// Bytes of a place that were asked for.
    fn overlap(&self, place: &Range<u64>) -> u64 {
        let from = self.bad.partition_point(|bad| bad.end <= place.start);
        let over = |bad: &Range<u64>| bad.end.min(place.end) - bad.start.max(place.start);
        self.bad[from..].iter().take_while(|bad| bad.start < place.end).map(over).sum()
    }

    fn add(&mut self, what: What, path: impl FnOnce() -> String, places: &[Range<u64>]) {
        let bytes = places.iter().map(|place| self.claim(place)).sum();
        self.add_bytes(what, path, bytes);
    }

    fn add_bytes(&mut self, what: What, path: impl FnOnce() -> String, bytes: u64) {
        if bytes == 0 {
            return;
        }
        if self.answer.hits.len() >= self.limits.names {
            self.answer.unnamed += 1;
            return;
        }
        self.answer.hits.push(Hit { what, path: path(), bytes });
    }

    /// One more; whether there may be.
    fn look(&mut self) -> bool {
        self.looked_at += 1;
        self.answer.cut_short |= self.looked_at > self.limits.looked_at;
        self.looked_at <= self.limits.looked_at
    }

    /// Goes through the folders.
    fn tree(&mut self, files: &dyn Files) {
        let root = files.root();
        self.entry(files, "/", &root);
        let _ = walk(files, &root, "", &mut |path, entry, trouble| {
            if trouble.is_some() {
                self.answer.unknown += 1;
                return Next::On;
            }
            if !self.look() {
                return Next::Stop;
            }
            self.entry(files, path, entry);
            Next::On
        });
    }

    fn entry(&mut self, files: &dyn Files, path: &str, entry: &Entry) {
        let mut bytes = 0;
        let found = files.places(entry, &mut |place| {
            bytes += self.claim(&place);
            ControlFlow::Continue(())
        });
        self.answer.unknown += u64::from(found.is_err());
        let what = if entry.kind == EntryKind::Folder { What::Folder } else { What::File };
        self.add_bytes(what, || path.to_owned(), bytes);
    }

    /// Goes through the file table of NTFS from its start to its end: fast on any medium, and all files are in it.
    fn table(&mut self, ntfs: &Ntfs<'_>) {
        /// Records read at once.
        const PIECE: u64 = 256;
        let mut first = 0;
        while first < ntfs.records() {
            let Ok(bytes) = ntfs.table(first, PIECE) else {
                self.answer.unknown += PIECE;
                first += PIECE;
                continue;
            };
            for (number, raw) in (first..).zip(bytes.chunks_exact(super::bytes::index(ntfs.record_size))) {
                if !self.look() {
                    return;
                }
                self.record(ntfs, number, raw);
            }
            first += PIECE;
        }
    }

    fn record(&mut self, ntfs: &Ntfs<'_>, number: u64, raw: &[u8]) {
        let Some(record) = Record::new(raw.to_vec()) else {
            // Unused records keep their mark, or were never written.
            let own: u64 = ntfs.places(number).iter().map(|place| self.overlap(place)).sum();
            let unused = raw.starts_with(b"FILE") && raw[22] & 1 == 0 || raw.iter().all(|byte| *byte == 0);
            self.answer.unknown += u64::from(own > 0 || !unused);
            return;
        };
        let Ok(places) = ntfs.places_of(number, &record) else {
            self.answer.unknown += 1;
            return;
        };
        let base = if record.base() == 0 { number } else { record.base() };
        let what = match () {
            () if base < FIRST_FILE && base != ROOT => What::System,
            () if record.is_folder() => What::Folder,
            () => What::File,
        };
        self.add(what, || ntfs::path(ntfs, base), &places);
    }

    fn finish(mut self) -> Hits {
        self.answer.hits.sort();
        // The parts of one file, which NTFS may keep in several records.
        self.answer.hits.dedup_by(|next, kept| {
            let same = next.path == kept.path && next.what == kept.what;
            kept.bytes += if same { next.bytes } else { 0 };
            same
        });
        self.answer.elsewhere = self.unclaimed.iter().map(|range| range.end - range.start).sum();
        self.answer
    }
}
