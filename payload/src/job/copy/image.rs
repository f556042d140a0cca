//! One drive's image, from the survey to the signed manifest.
//!
//! While it is being taken the image is called `NAME.img.zst.part`; it gets its name when it is whole and was read back. The next
//! run goes on with a part it finds.

use super::{
    digest::{self, Stream},
    hit,
    take::{self, Disk, Eyes, TakeError, Taken},
};
use crate::{
    blocks::ReadAt,
    boot::store::free_bytes,
    certify::{
        key::StickKey,
        record::{Operator, Tool},
    },
    content::{self, Survey, Treatment},
    discover::Drive,
    drive::DataPlane,
    engine::frames::{self, FRAME},
    files::beside,
    imagefile::{
        self, BadArea, Base, Finished, Group, Header, Manifest, ManifestError, Mode, Partition, ReadError, Reader,
        Report, Volume, WriteError, Writer, names_of,
    },
    job::{issue::hex, record::time},
    rescue::{Map, MapError, Status},
};
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    num::NonZeroU64,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Bad areas listed in a manifest; the number beside the list is of all.
const LISTED: usize = 1000;

/// What is to be made.
#[derive(Debug, Clone)]
pub struct Order {
    /// `…/NAME.img.zst`, or `/dev/null` for measuring.
    pub path: PathBuf,
    pub raw: bool,
    /// An earlier image; only what changed since is stored.
    pub base: Option<PathBuf>,
    pub wish: take::Wish,
    pub hash: digest::Wish,
    /// Largest file of the store.
    pub limit: Option<NonZeroU64>,
    /// Whether the finished image is read back.
    pub verify: bool,
    pub operator: Operator,
    pub tool: Tool,
    /// Milliseconds since 1970.
    pub started: u64,
    pub clock: fn() -> u64,
    /// Shared by the images that go to one store at once.
    pub room: Arc<Room>,
}

/// The room of a store, as far as it is not promised to another image of the same run.
#[derive(Debug, Default)]
pub struct Room(Mutex<Option<u64>>);

impl Room {
    /// Takes `needed` of the `free` bytes there were before the first image began; else what is left of them.
    fn take(&self, free: u64, needed: u64) -> Result<(), u64> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *left.get_or_insert(free);
        *left = Some(before.checked_sub(needed).ok_or(before)?);
        Ok(())
    }
}

/// A finished image.
#[derive(Debug)]
pub struct Imaged {
    pub taken: Taken,
    pub survey: Survey,
    /// None on the null device.
    pub manifest: Option<(Manifest, Vec<u8>)>,
    pub report: Option<Report>,
    /// When the reading back began and ended, in milliseconds since 1970.
    pub verified: (Option<u64>, Option<u64>),
    /// The frame an interrupted image went on with.
    pub resumed: Option<u64>,
    pub file_bytes: u64,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error(transparent)]
    Take(#[from] TakeError),
    #[error("{0}: there is an image of that name already; it is never written over")]
    Exists(PathBuf),
    #[error(
        "{dir}: it has room for {free} bytes that no other image of this run may need, and this one may need {needed}; make room, or \
         use a larger store",
        dir = dir.display()
    )]
    NoRoom { dir: PathBuf, free: u64, needed: u64 },
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    #[error("the base image cannot be used: {0}")]
    Base(String),
    #[error(transparent)]
    Map(#[from] MapError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("the image was written, but what was read back is not right: {0}. It was not given its name")]
    ReadBack(String),
}

impl From<WriteError> for ImageError {
    fn from(error: WriteError) -> Self {
        Self::Take(error.into())
    }
}

/// Whether an image is only measured: what goes there is kept nowhere.
pub fn is_null(path: &Path) -> bool {
    path == Path::new("/dev/null")
}

/// Bytes a store must have room for: everything that is read, as if nothing of it could be compressed.
pub fn worst_case(survey: &Survey, bytes: u64) -> u64 {
    let frames = frames::count(bytes);
    // Zstd's bound for what cannot be compressed, the index of each frame, and the seek table.
    survey.bytes_used() + survey.bytes_used() / 256 + frames * 128 + (1 << 20)
}

/// Takes the image and proves it.
pub fn image(
    plane: &mut dyn DataPlane,
    look: &dyn ReadAt,
    drive: &Drive,
    order: &Order,
    key: &StickKey,
    eyes: Eyes<'_>,
    step: &dyn Fn(&str),
) -> Result<Imaged, ImageError> {
    step("survey");
    let geometry = plane.geometry();
    let mut survey = content::survey(look, geometry.logical());
    if order.raw {
        survey.force_raw();
    }
    let base = order.base.as_deref().map(open_base).transpose()?;
    let header = Header {
        format: Header::FORMAT.into(),
        disk_bytes: geometry.bytes(),
        logical_block: geometry.logical(),
        physical_block: geometry.physical(),
        frame_bytes: 1 << 20,
        model: drive.identity.model.clone(),
        serial: drive.identity.serial.clone(),
        wwn: drive.identity.wwn.clone().unwrap_or_default(),
        mode: if survey.is_used_block() { Mode::UsedBlock } else { Mode::Raw },
        base_root: base.as_ref().map(|base| base.root.clone()),
    };
    if base.as_ref().is_some_and(|base| base.reader.header().disk_bytes != header.disk_bytes) {
        return Err(ImageError::Base("it is of a disk of another size".into()));
    }
    let mut job = Taking { order, survey, header, base };
    let part = if is_null(&order.path) { order.path.clone() } else { beside(&order.path, ".part") };
    job.room(&part)?;
    let mut stream = Stream::new(job.hash());
    step("image");
    let (writer, taken, map, resumed) = job.take(plane, look, &part, &mut stream, eyes)?;
    let bad = (!map.is_finished()).then(|| map.text());
    let finished = writer.finish(bad.as_deref())?;
    let file_bytes = finished.files.iter().map(|(_, bytes)| bytes).sum();
    if is_null(&order.path) {
        return Ok(Imaged {
            taken,
            survey: job.survey,
            manifest: None,
            report: None,
            verified: (None, None),
            resumed,
            file_bytes,
        });
    }
    step("read back");
    let begin = (order.clock)();
    let (manifest, report) = job.prove(&part, drive, &finished, &taken, stream, key, eyes)?;
    rename(&finished, &part, &order.path)?;
    let bytes = manifest.write(&order.path, key)?;
    if map.is_finished() {
        let _ = fs::remove_file(beside(&order.path, ".map"));
    }
    let verified = if report.is_some() { (Some(begin), Some((order.clock)())) } else { (None, None) };
    Ok(Imaged { taken, survey: job.survey, manifest: Some((manifest, bytes)), report, verified, resumed, file_bytes })
}

/// An earlier image that this one builds on.
struct OpenBase {
    reader: Arc<Reader>,
    root: String,
    manifest_sha256: String,
}

/// A base must be whole, signed, and not itself in need of another.
fn open_base(path: &Path) -> Result<OpenBase, ImageError> {
    let failed = |error: &dyn std::fmt::Display| ImageError::Base(error.to_string());
    let signed = Manifest::read(path).map_err(|error| failed(&error))?;
    let reader = open_chain(path).map_err(|error| failed(&error))?;
    let root = hex(&reader.root().map_err(|error| failed(&error))?);
    if root != signed.manifest.blake3_root {
        return Err(ImageError::Base("its index is not the one its manifest names".into()));
    }
    Ok(OpenBase { reader: Arc::new(reader), root, manifest_sha256: hex(&Sha256::digest(&signed.bytes)) })
}

/// Opens an image with all the images it builds on, which lie in the same folder under the names their manifests give.
pub fn open_chain(path: &Path) -> Result<Reader, ReadError> {
    open_links(path, 0)
}

/// Longest chain of differential images.
const LINKS: usize = 64;

fn open_links(path: &Path, links: usize) -> Result<Reader, ReadError> {
    let reader = Reader::open(path)?;
    let Some(root) = reader.header().base_root.clone() else { return Ok(reader) };
    let base = Manifest::read(path).ok().and_then(|signed| signed.manifest.base);
    let name = base.map(|base| base.name).filter(|name| !name.contains('/') && links < LINKS);
    let name = name.ok_or(ReadError::BaseMissing(root))?;
    let base = open_links(&path.with_file_name(name), links + 1)?;
    reader.with_base(Arc::new(base))
}

struct Taking<'a> {
    order: &'a Order,
    survey: Survey,
    header: Header,
    base: Option<OpenBase>,
}

impl Taking<'_> {
    fn hash(&self) -> digest::Wish {
        self.order.hash.for_disk(!self.survey.is_used_block())
    }

    fn room(&self, part: &Path) -> Result<(), ImageError> {
        if is_null(part) {
            return Ok(());
        }
        if !names_of(&self.order.path).is_empty() || Manifest::path(&self.order.path).exists() {
            return Err(ImageError::Exists(self.order.path.clone()));
        }
        let dir = part.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let free = free_bytes(dir).map_err(|error| ImageError::Io(dir.into(), error))?;
        let there: u64 = names_of(part).iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum();
        let needed = worst_case(&self.survey, self.header.disk_bytes).saturating_sub(there);
        match self.order.room.take(free, needed) {
            // Most of what a base holds already is not stored again; how much that is shows only in the end.
            Err(free) if self.base.is_none() => Err(ImageError::NoRoom { dir: dir.into(), free, needed }),
            _ => Ok(()),
        }
    }

    fn take(
        &mut self,
        plane: &mut dyn DataPlane,
        look: &dyn ReadAt,
        part: &Path,
        stream: &mut Stream,
        eyes: Eyes<'_>,
    ) -> Result<(Writer, Taken, Map, Option<u64>), ImageError> {
        let size = self.header.disk_bytes;
        let mut allocation = self.survey.allocation(look);
        let mut map = Map::new(size);
        let mut before = Taken::default();
        let mut from = 0;
        let resumes = !is_null(part) && !names_of(part).is_empty();
        let mut writer = if resumes {
            let mut whole = true;
            let mut last = Vec::new();
            let again = &mut |index: u64, raw: &[u8]| {
                let used = allocation.used(frames::start(index), raw.len() as u64);
                let in_use: u64 = used.iter().map(|range| range.end - range.start).sum();
                before.bytes_read += in_use;
                before.bytes_free += raw.len() as u64 - in_use;
                whole.then(|| stream.update(raw));
                (eyes.advanced)(raw.len() as u64);
                from = index + 1;
                last = raw.to_vec();
                Ok(used)
            };
            // The digest of what is there counts only while no frame has holes; those are filled later.
            let writer = Writer::resume(part, self.order.limit, self.header.clone(), again)?;
            whole &= writer.slots().next().is_none();
            if !whole {
                *stream = Stream::new(self.hash());
            }
            map.set(0, frames::start(from), Status::Finished);
            self.known_bad(&writer, &mut map, &mut before)?;
            same_as_before(plane, from, &last, &mut allocation, &map, self.order.wish.limits.hang)?;
            writer
        } else {
            Writer::create(part, self.order.limit, self.header.clone())?
        };
        let keep = |map: &Map| {
            // The map beside the image is for the next run and for ddrescue; without it bad places are tried again.
            if !is_null(part) && map.areas().any(|a| !matches!(a.status, Status::Finished | Status::NonTried)) {
                let _ = map.save(&beside(&self.order.path, ".map"));
            }
            (eyes.map)(map);
        };
        let known_in_base;
        let known: Option<super::squeeze::Known<'_>> = match &self.base {
            Some(base) => {
                known_in_base =
                    |index: u64, hash: &[u8; 32]| base.reader.entry(index).is_ok_and(|(_, known)| known == *hash);
                Some(&known_in_base)
            }
            None => None,
        };
        let mut disk = Disk { plane, allocation: &mut allocation, from, map: &mut map, known };
        let eyes = Eyes { map: &keep, ..eyes };
        let mut taken = take::take(&mut disk, &mut writer, stream, self.order.wish, eyes)?;
        taken.bytes_read += before.bytes_read;
        taken.bytes_free += before.bytes_free;
        taken.bytes_read = size - taken.bytes_free - taken.unreadable.bytes();
        Ok((writer, taken, map, resumes.then_some(from)))
    }

    /// What an earlier run found out about frames that were not whole; without its map they are read again.
    fn known_bad(&self, writer: &Writer, map: &mut Map, before: &mut Taken) -> Result<(), ImageError> {
        let path = beside(&self.order.path, ".map");
        let old = if path.exists() { Some(Map::load(&path, map.size())?) } else { None };
        for index in writer.slots() {
            let (start, len) = (frames::start(index), self.header.frame_len(index) as u64);
            before.bytes_read = before.bytes_read.saturating_sub(len);
            map.set(start, len, Status::NonTrimmed);
            for area in old.iter().flat_map(Map::areas) {
                let (from, to) = (area.start.max(start), area.end().min(start + len));
                if from < to {
                    map.set(from, to - from, area.status);
                }
            }
        }
        Ok(())
    }

    /// Reads the finished file back and writes down what is proved.
    #[expect(clippy::too_many_arguments, reason = "everything a manifest says")]
    fn prove(
        &self,
        part: &Path,
        drive: &Drive,
        finished: &Finished,
        taken: &Taken,
        stream: Stream,
        key: &StickKey,
        eyes: Eyes<'_>,
    ) -> Result<(Manifest, Option<Report>), ImageError> {
        let mut reader = Reader::open(part)?;
        if let Some(base) = &self.base {
            reader = reader.with_base(Arc::clone(&base.reader))?;
        }
        // Behind a hole the digest could not go on; it is taken from the finished image.
        let complete = stream.is_idle() || stream.bytes() == self.header.disk_bytes;
        let mut again = Stream::new(if complete { digest::Wish::None } else { self.hash() });
        let mut manifest = self.manifest(drive, finished, taken, key);
        let mut report = None;
        if self.order.verify || !complete {
            let goes_on = |bytes| {
                (eyes.advanced)(bytes);
                !(eyes.stop)()
            };
            let found = imagefile::verify(&reader, &manifest, self.order.wish.threads, Some(&mut again), &goes_on);
            if found.stopped {
                return Err(TakeError::Stopped("it was stopped while it was read back".into()).into());
            }
            if !found.is_good() {
                let first = found.damage.first().map(ToString::to_string).unwrap_or_default();
                return Err(ImageError::ReadBack(first));
            }
            report = Some(found);
        }
        let digests = if complete { stream.finish() } else { again.finish() };
        manifest.sha512 = digests.sha512.unwrap_or_default();
        manifest.sha256 = digests.sha256.unwrap_or_default();
        // The names come from the image: the drive is spared.
        let named = hit::named(&reader, &self.survey, &taken.unreadable);
        (manifest.bad_files, manifest.bad_files_hit, manifest.bad_files_note) = (named.files, named.count, named.note);
        manifest.finished = time(Some((self.order.clock)()));
        Ok((manifest, report))
    }

    fn manifest(&self, drive: &Drive, finished: &Finished, taken: &Taken, key: &StickKey) -> Manifest {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let partition = |volume: &content::Volume| {
            let (mode, reason) = match &volume.treatment {
                Treatment::Used { used, free } => {
                    (Mode::UsedBlock, format!("its map calls {used} bytes used, {free} free"))
                }
                Treatment::Raw { reason } => (Mode::Raw, reason.clone()),
            };
            Partition {
                number: volume.number,
                start: volume.start,
                bytes: volume.len,
                content: volume.kind.to_string(),
                label: volume.label.clone(),
                mode,
                reason,
            }
        };
        let bad = taken.unreadable.as_slice().iter().take(LISTED);
        Manifest {
            format: Manifest::FORMAT.into(),
            name: name(&self.order.path),
            outcome: if taken.unreadable.is_empty() { "imaged" } else { "imaged-with-exceptions" }.into(),
            started: time(Some(self.order.started)),
            finished: String::new(),
            image: self.header.clone(),
            firmware: drive.firmware.clone().unwrap_or_default(),
            partitions: self.survey.volumes.iter().map(partition).collect(),
            blake3_root: hex(&finished.root),
            groups: finished.groups.iter().map(|(index, file)| Group { index: hex(index), file: hex(file) }).collect(),
            tail_blake3: hex(&finished.tail),
            sha512: String::new(),
            sha256: String::new(),
            files: finished
                .files
                .iter()
                .map(|(path, bytes)| Volume { name: name(path).replacen(".part", "", 1), bytes: *bytes })
                .collect(),
            base: self.base_name(),
            flattened: None,
            bad: bad.map(|range| BadArea { start: range.start, bytes: range.len }).collect(),
            bad_bytes: taken.unreadable.bytes(),
            bad_files: Vec::new(),
            bad_files_hit: 0,
            bad_files_note: String::new(),
            bytes_read: taken.bytes_read,
            bytes_free: taken.bytes_free,
            operator: self.order.operator.clone(),
            tool: self.order.tool.clone(),
            signer: key.stick_id(),
        }
    }

    fn base_name(&self) -> Option<Base> {
        let (path, base) = self.order.base.as_ref().zip(self.base.as_ref())?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Some(Base { name, blake3_root: base.root.clone(), manifest_sha256: base.manifest_sha256.clone() })
    }
}

/// The last frame that was written must still be what the drive holds: an image is of one disk at one time.
fn same_as_before(
    plane: &mut dyn DataPlane,
    from: u64,
    last: &[u8],
    allocation: &mut content::Allocation<'_>,
    map: &Map,
    hang: std::time::Duration,
) -> Result<(), ImageError> {
    let Some(index) = from.checked_sub(1) else { return Ok(()) };
    let start = frames::start(index);
    if last.is_empty()
        || map.areas().any(|a| a.status != Status::Finished && a.start < start + FRAME as u64 && a.end() > start)
    {
        return Ok(());
    }
    let used = allocation.used(start, last.len() as u64);
    let buf = crate::drive::AlignedBuf::zeroed(last.len()).map_err(|e| TakeError::Source(e.to_string()))?;
    let found = frames::read_one(plane, start, buf, hang).map_err(|(error, _)| TakeError::Source(error.to_string()))?;
    let place = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(FRAME).min(last.len());
    let same = used.iter().all(|range| {
        let range = place(range.start)..place(range.end);
        found[range.clone()] == last[range]
    });
    if same {
        return Ok(());
    }
    let text = "the drive no longer holds what the unfinished image has of it; move the .part file away to begin again";
    Err(TakeError::Source(text.into()).into())
}

/// The image gets its name.
pub(super) fn rename(finished: &Finished, part: &Path, path: &Path) -> Result<(), ImageError> {
    let prefix = part.as_os_str().len();
    for (from, _) in &finished.files {
        let ending = from.as_os_str().to_string_lossy().get(prefix..).unwrap_or_default().to_owned();
        let to = beside(path, &ending);
        fs::rename(from, &to).map_err(|error| ImageError::Io(to, error))?;
    }
    Ok(())
}
