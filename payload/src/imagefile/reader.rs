//! Reading any part of an image, each frame proved against its checksum and the group's index.

use super::{
    codec::Decompressor,
    constant::{Constants, Run},
    format::{FRAME, GROUP, Header, Part, SKIPPABLE_MAX, u32_at},
    index::{self, Index, State},
    table::Stored,
    volumes::{VolumeError, Volumes},
};
use crate::{blocks::ReadAt, engine::frames::Expected};
use std::{
    collections::VecDeque,
    fs, io,
    ops::Range,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Unpacked frames kept for the next small read.
const KEPT_FRAMES: usize = 8;
/// Group indexes, and lists of their frames, kept: 33 and 16 KiB each.
const KEPT_INDEXES: usize = 4;

/// Why an image cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Volume(#[from] VolumeError),
    #[error("{path}: this is no Mule image: {reason}", path = path.display())]
    NotAnImage { path: PathBuf, reason: String },
    #[error("{path}: the image is not finished, or its end is missing: {reason}", path = path.display())]
    Unfinished { path: PathBuf, reason: String },
    #[error("frame {index} (byte {at} of the disk, byte {offset} of {path}) is damaged: {reason}", path = path.display())]
    Frame { index: u64, at: u64, path: PathBuf, offset: u64, reason: String },
    #[error("the index of group {group} (byte {offset} of {path}) is damaged: {reason}", path = path.display())]
    Index { group: u64, path: PathBuf, offset: u64, reason: String },
    #[error("{path}: the map of what could not be read is damaged: {reason}", path = path.display())]
    Bad { path: PathBuf, reason: String },
    #[error("it needs its base image ({0}), which was not given")]
    BaseMissing(String),
    #[error(
        "{image}: it stores only what changed since {base}, which is not there; put that into the same folder",
        image = .image.display(), base = .base.display()
    )]
    NoBase { image: PathBuf, base: PathBuf },
    #[error("its base must have the root {wanted}, this one has {found}; it was changed, or is another image")]
    BaseChanged { wanted: String, found: String },
}

/// The header of an image, finished or not.
pub fn peek(path: &Path) -> Result<Header, ReadError> {
    let volumes = Volumes::open(path, None, false)?;
    let not = |reason: String| ReadError::NotAnImage { path: path.into(), reason };
    match skippable(&volumes, 0)? {
        Some((Part::Header, content)) => Header::decode(&content).map_err(not),
        _ => Err(not("it does not begin with a header".into())),
    }
}

/// Where a group lies in the file.
#[derive(Debug, Clone)]
pub(super) struct GroupPlace {
    /// Its entries of the seek table.
    entries: Range<usize>,
    pub(super) start: u64,
    pub(super) index_at: u64,
    pub(super) end: u64,
}

/// Where a zstd frame lies in the file, and what it holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) at: u64,
    pub(super) len: u32,
    plain: u32,
    /// How many stored frames of the group lie before it.
    first: u64,
}

/// What was unpacked and hashed.
#[cfg(test)]
#[derive(Debug, Default)]
pub(super) struct Worked {
    pub(super) unpacked: std::sync::atomic::AtomicU64,
    pub(super) compared: std::sync::atomic::AtomicU64,
}

/// A finished image.
pub struct Reader {
    pub(super) volumes: Volumes,
    header: Header,
    table: Stored,
    groups: Vec<GroupPlace>,
    /// Where the bad-sector map lies, if there is one, and the first byte behind the groups.
    bad: Option<(u64, u64)>,
    base: Option<Arc<Reader>>,
    frames: Recent<Vec<u8>>,
    indexes: Recent<Index>,
    places: Recent<Vec<Place>>,
    constants: Constants,
    /// Zstd frames that were unpacked, and hashes of content that were made: what an image of little costs little.
    #[cfg(test)]
    pub(super) worked: Worked,
}

/// What was made last, by number.
type Recent<T> = Mutex<VecDeque<(u64, Arc<T>)>>;

/// What has this number: kept, or made now. Nobody waits while it is made; it may be made twice.
fn recent<T, E>(kept: &Recent<T>, number: u64, keep: usize, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
    let lock = || kept.lock().unwrap_or_else(PoisonError::into_inner);
    let found = lock().iter().find(|(known, _)| *known == number).map(|(_, value)| Arc::clone(value));
    if let Some(found) = found {
        return Ok(found);
    }
    let made = Arc::new(make()?);
    let mut kept = lock();
    kept.push_front((number, Arc::clone(&made)));
    kept.truncate(keep);
    Ok(made)
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("header", &self.header).finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens an image, or the volumes of one, by the name without a volume's number.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let volumes = Volumes::open(path, None, false)?;
        let not = |reason: String| ReadError::NotAnImage { path: path.into(), reason };
        let (part, content) = skippable(&volumes, 0)?.ok_or_else(|| not("it does not begin with a header".into()))?;
        if part != Part::Header {
            return Err(not("it does not begin with a header".into()));
        }
        let header = Header::decode(&content).map_err(not)?;
        let table = Stored::find(&volumes).map_err(|reason| ReadError::Unfinished { path: path.into(), reason })?;
        let mut reader = Self {
            volumes,
            header,
            table,
            groups: Vec::new(),
            bad: None,
            base: None,
            frames: Mutex::default(),
            indexes: Mutex::default(),
            places: Mutex::default(),
            constants: Constants::default(),
            #[cfg(test)]
            worked: Worked::default(),
        };
        reader.place_groups().map_err(|reason| ReadError::Unfinished { path: path.into(), reason })?;
        Ok(reader)
    }

    /// Finds every group by walking the seek table once; what is not a frame with content is looked at.
    fn place_groups(&mut self) -> Result<(), String> {
        let (mut groups, mut bad) = (Vec::new(), None);
        let (mut at, mut entry, mut start) = (0_u64, 1, 0);
        let mut index_at = None;
        self.table.walk(&self.volumes, |number, (len, plain)| {
            let here = at;
            at = at.checked_add(u64::from(len)).ok_or("its sizes add up to nothing")?;
            if number == 0 {
                start = at;
                return Ok(());
            }
            let part = if plain > 0 { None } else { self.part_at(here)? };
            // A group ends behind its index and its map: where the next frame with content, or the tail, begins.
            let over = index_at.is_some() && !matches!(part, Some(Part::Used | Part::Padding));
            if over && let Some(index_at) = index_at.take() {
                groups.push(GroupPlace { entries: entry..number, start, index_at, end: here });
                (entry, start) = (number, here);
            }
            match part {
                Some(Part::Index) => index_at = Some(here),
                Some(Part::Bad) => bad = Some((here, u64::from(len))),
                Some(Part::Header | Part::SeekTable) => {
                    return Err("its parts are in no order this program knows".into());
                }
                _ => {}
            }
            // A frame and its padding for each MiB, an index and a map.
            let too_long = (number - entry) as u64 > 2 * GROUP + 2;
            if too_long { Err("it has a group of too many parts".into()) } else { Ok(()) }
        })?;
        if let Some(index_at) = index_at {
            groups.push(GroupPlace { entries: entry..self.table.entries(), start, index_at, end: at });
        }
        (self.groups, self.bad) = (groups, bad);
        if self.groups.len() as u64 == self.header.groups() {
            Ok(())
        } else {
            Err(format!("it has {} groups of {}", self.groups.len(), self.header.groups()))
        }
    }

    fn part_at(&self, at: u64) -> Result<Option<Part>, String> {
        let mut magic = [0; 4];
        self.volumes.read(at, &mut magic).map_err(|error| error.to_string())?;
        Part::of(u32::from_le_bytes(magic)).map(Some).ok_or_else(|| format!("byte {at} begins no part of an image"))
    }

    /// Gives a differential image its base, which must be the one it was made with.
    pub fn with_base(mut self, base: Arc<Reader>) -> Result<Self, ReadError> {
        let Some(wanted) = self.header.base_root.clone() else { return Ok(self) };
        let found = crate::job::issue::hex(&base.root()?);
        if found != wanted || base.header.disk_bytes != self.header.disk_bytes {
            return Err(ReadError::BaseChanged { wanted, found });
        }
        self.base = Some(base);
        Ok(self)
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Bytes of all its files.
    pub fn file_bytes(&self) -> u64 {
        self.volumes.len()
    }

    /// Whether an open file is one of those that it is read from, of its bases as well: by number, whatever it is called.
    pub fn reads(&self, file: &fs::Metadata) -> bool {
        let own = self.volumes.metadata().any(|found| (found.dev(), found.ino()) == (file.dev(), file.ino()));
        own || self.base.as_ref().is_some_and(|base| base.reads(file))
    }

    /// Its files, in order, each with its length.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        self.volumes.files().map(|(path, len)| (path.to_owned(), len)).collect()
    }

    pub(super) fn groups(&self) -> &[GroupPlace] {
        &self.groups
    }

    /// The map of what could not be read, as GNU ddrescue writes it.
    pub fn bad_map(&self) -> Result<Option<String>, ReadError> {
        let Some((at, len)) = self.bad else { return Ok(None) };
        let mut bytes = vec![0; usize::try_from(len.min(u64::from(SKIPPABLE_MAX))).unwrap_or_default()];
        self.volumes.read(at, &mut bytes)?;
        Ok(Some(String::from_utf8_lossy(bytes.get(8..).unwrap_or_default()).into_owned()))
    }

    /// The root over all groups, from their indexes.
    pub fn root(&self) -> Result<[u8; 32], ReadError> {
        let digests: Result<Vec<_>, _> =
            (0..self.header.groups()).map(|group| self.index(group).map(|i| i.digest())).collect();
        Ok(index::root(&digests?))
    }

    fn group(&self, group: u64) -> &GroupPlace {
        &self.groups[usize::try_from(group).unwrap_or(usize::MAX).min(self.groups.len() - 1)]
    }

    pub(super) fn index(&self, group: u64) -> Result<Arc<Index>, ReadError> {
        recent(&self.indexes, group, KEPT_INDEXES, || {
            let place = self.group(group);
            let failed = |reason: String| {
                let (path, offset) = self.volumes.place(place.index_at);
                ReadError::Index { group, path: path.into(), offset, reason }
            };
            let found = skippable(&self.volumes, place.index_at)?;
            let (_, content) = found.ok_or_else(|| failed("it is missing".into()))?;
            let index = Index::decode(&content).map_err(&failed)?;
            if u64::from(index.group) != group || index.len() != self.header.group_len(group) {
                return Err(failed("it is another group's".into()));
            }
            Ok(index)
        })
    }

    /// The frames with content of a group, in order.
    fn places(&self, group: u64) -> Result<Arc<Vec<Place>>, ReadError> {
        recent(&self.places, group, KEPT_INDEXES, || {
            let place = self.group(group);
            let (mut at, mut first) = (place.start, 0);
            let mut frames = Vec::new();
            for (len, plain) in self.table.read(&self.volumes, place.entries.clone())? {
                if plain > 0 {
                    frames.push(Place { at, len, plain, first });
                    first += u64::from(plain).div_ceil(FRAME as u64);
                }
                at = at.saturating_add(u64::from(len));
            }
            Ok(frames)
        })
    }

    /// What a frame is, and the BLAKE3 of its content.
    pub fn entry(&self, index: u64) -> Result<(State, [u8; 32]), ReadError> {
        let group = self.index(index / GROUP)?;
        match group.get(index % GROUP) {
            Some(run) => Ok((run.state, run.hash)),
            None => Err(self.frame_error(index, 0, "it lies behind the end of the disk".into())),
        }
    }

    /// What a drive that holds this image has in a frame.
    pub fn expected(&self, index: u64) -> Result<Expected, ReadError> {
        let (state, hash) = self.entry(index)?;
        Ok(if matches!(state, State::Zero | State::Free) { Expected::Zeros } else { Expected::Hash(hash) })
    }

    fn frame_error(&self, index: u64, at: u64, reason: String) -> ReadError {
        let (path, offset) = self.volumes.place(at);
        ReadError::Frame { index, at: index * FRAME as u64, path: path.into(), offset, reason }
    }

    /// Where a stored frame lies in the file: the zstd frame that holds it, and which of its frames it is.
    pub(super) fn place(&self, index: u64) -> Result<(Place, u64), ReadError> {
        let before = self.index(index / GROUP)?.stored_before(index % GROUP);
        let places = self.places(index / GROUP)?;
        let found = places.partition_point(|place| place.first <= before).checked_sub(1).and_then(|n| places.get(n));
        let held = found.filter(|place| before < place.first + u64::from(place.plain).div_ceil(FRAME as u64));
        let place = held.ok_or_else(|| self.frame_error(index, 0, "the seek table does not have it".into()))?;
        Ok((*place, before - place.first))
    }

    /// A frame's content, proved; `None` is zeros.
    pub fn frame(&self, index: u64, decompressor: &mut Decompressor) -> Result<Option<Vec<u8>>, ReadError> {
        let mut raw = vec![0; self.header.frame_len(index)];
        Ok(self.frame_into(index, decompressor, &mut raw)?.then_some(raw))
    }

    /// Puts a frame's content, proved, into `raw`, which has its length; `false` is zeros, and `raw` is not touched.
    pub fn frame_into(&self, index: u64, decompressor: &mut Decompressor, raw: &mut [u8]) -> Result<bool, ReadError> {
        let (state, hash) = self.entry(index)?;
        match state {
            State::Zero | State::Free => Ok(false),
            State::InBase => {
                let base = self.base.as_ref();
                let base =
                    base.ok_or_else(|| ReadError::BaseMissing(self.header.base_root.clone().unwrap_or_default()))?;
                let (_, of_base) = base.entry(index)?;
                if of_base != hash {
                    return Err(self.frame_error(index, 0, "the base image holds something else".into()));
                }
                base.frame_into(index, decompressor, raw)
            }
            State::Data | State::Slot => self.stored_into(index, decompressor, raw).map(|()| true),
        }
    }

    /// Puts a stored frame, whatever it is, into `raw`, proved against its hash.
    pub(super) fn stored_into(
        &self,
        index: u64,
        decompressor: &mut Decompressor,
        raw: &mut [u8],
    ) -> Result<(), ReadError> {
        let (_, hash) = self.entry(index)?;
        let (place, within) = self.place(index)?;
        let at = place.at;
        if let Some(run) = self.run_at(place, decompressor)? {
            raw.fill(run.value);
            let left = run.bytes.saturating_sub(usize::try_from(within).unwrap_or(run.bytes).saturating_mul(FRAME));
            let right = left.min(FRAME) == raw.len() && self.constants.hash(Run { bytes: raw.len(), ..run }) == hash;
            return if right { Ok(()) } else { Err(self.other_content(index, at)) };
        }
        #[cfg(test)]
        self.worked.unpacked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let unpacked = decompressor.unpack_into(raw);
        unpacked.map_err(|error| self.frame_error(index, at, error.to_string()))?;
        if *blake3::hash(raw).as_bytes() == hash { Ok(()) } else { Err(self.other_content(index, at)) }
    }

    fn other_content(&self, index: u64, at: u64) -> ReadError {
        self.frame_error(index, at, "its content has another BLAKE3 than the index says".into())
    }

    /// Reads a zstd frame; the run that it is, each of its bytes compared.
    fn run_at(&self, place: Place, decompressor: &mut Decompressor) -> Result<Option<Run>, ReadError> {
        decompressor.packed.resize((place.len as usize).min(2 * FRAME), 0);
        self.volumes.read(place.at, &mut decompressor.packed)?;
        let found = self.constants.met(&decompressor.packed);
        let whole = |(run, len): &(Run, usize)| *len == place.len as usize && run.bytes == place.plain as usize;
        #[cfg(test)]
        self.worked.compared.fetch_add(found.is_some().into(), std::sync::atomic::Ordering::Relaxed);
        Ok(found.filter(whole).map(|(run, _)| run))
    }

    /// How many frames from `index` on are one run of one value: stored as one zstd frame that begins here, and the same in the
    /// index. One for everything else.
    pub(super) fn run_len(&self, index: u64) -> Result<u64, ReadError> {
        let group = self.index(index / GROUP)?;
        if group.get(index % GROUP).is_none_or(|run| run.state == State::InBase) {
            return Ok(1);
        }
        let (place, within) = self.place(index)?;
        Ok(if within == 0 { u64::from(place.plain).div_ceil(FRAME as u64).max(1) } else { 1 })
    }

    /// Proves so many frames that are stored as one run; the value they have. `None` where they are no such run.
    pub(super) fn run(
        &self,
        index: u64,
        frames: u64,
        decompressor: &mut Decompressor,
    ) -> Result<Option<u8>, ReadError> {
        let (place, within) = self.place(index)?;
        let Some(run) = self.run_at(place, decompressor)?.filter(|_| within == 0) else { return Ok(None) };
        let group = self.index(index / GROUP)?;
        let mut at = index;
        let end = index + frames;
        while at < end {
            let Some((known, left)) = group.rest(at % GROUP) else { return Ok(None) };
            let next = end.min(at + left);
            let bytes = self.header.frame_len(next - 1);
            // All but the last have the length of the first.
            let short = at + 1 < next && bytes != FRAME;
            if known.state == State::InBase || short || self.constants.hash(Run { bytes, ..run }) != known.hash {
                return Ok(None);
            }
            at = next;
        }
        let bytes = frames.saturating_sub(1) * FRAME as u64 + self.header.frame_len(end - 1) as u64;
        Ok((bytes == run.bytes as u64).then_some(run.value))
    }

    pub(super) fn no_codec(&self, index: u64, error: &io::Error) -> ReadError {
        self.frame_error(index, 0, format!("no memory to unpack it: {error}"))
    }

    fn kept_frame(&self, index: u64) -> io::Result<Arc<Vec<u8>>> {
        recent(&self.frames, index, KEPT_FRAMES, || {
            let frame = self.frame(index, &mut Decompressor::new()?).map_err(io::Error::other)?;
            Ok(frame.unwrap_or_else(|| vec![0; self.header.frame_len(index)]))
        })
    }
}

impl ReadAt for Reader {
    fn size(&self) -> u64 {
        self.header.disk_bytes
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.size()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let frame = self.kept_frame(at / FRAME as u64)?;
            let within = usize::try_from(at % FRAME as u64).unwrap_or_default();
            let len = rest.len().min(frame.len() - within);
            let (now, later) = rest.split_at_mut(len);
            now.copy_from_slice(&frame[within..within + len]);
            at += len as u64;
            rest = later;
        }
        Ok(())
    }
}

/// The kind and the length of the skippable frame at `at`, where there is one of ours that is whole.
pub(super) fn skippable_at(volumes: &Volumes, at: u64) -> Result<Option<(Part, u64)>, VolumeError> {
    let mut head = [0; 8];
    if at.checked_add(8).is_none_or(|end| end > volumes.len()) {
        return Ok(None);
    }
    volumes.read(at, &mut head)?;
    let Some(part) = u32_at(&head, 0).and_then(Part::of) else { return Ok(None) };
    let len = u64::from(u32_at(&head, 4).unwrap_or_default());
    Ok((at + 8 + len <= volumes.len()).then_some((part, len)))
}

/// The skippable frame at `at`, where there is one of ours.
pub(super) fn skippable(volumes: &Volumes, at: u64) -> Result<Option<(Part, Vec<u8>)>, VolumeError> {
    let Some((part, len)) = skippable_at(volumes, at)? else { return Ok(None) };
    if len > u64::from(SKIPPABLE_MAX) {
        return Ok(None);
    }
    let mut content = vec![0; usize::try_from(len).unwrap_or_default()];
    volumes.read(at + 8, &mut content)?;
    Ok(Some((part, content)))
}
