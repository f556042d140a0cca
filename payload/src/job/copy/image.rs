//! One drive's image, from the survey to the signed manifest.
//!
//! While it is being taken the image is called `NAME.img.zst.part`; it gets its name when it is whole and was read back. The next
//! run of the same job goes on with a part it finds, where the drive still holds all of it.

mod again;
mod taking;
mod whole;

use taking::Taking;

use super::{
    commit::{self, There},
    digest::{self, Stream},
    hold::{self, HoldError},
    look::Shared,
    part::{self, Alive, ApartError, Purpose, part_of},
    take::{self, Eyes, TakeError, Taken},
};
use crate::{
    certify::{
        key::StickKey,
        record::{Operator, Tool},
    },
    content::{self, Survey},
    discover::Drive,
    drive::DataPlane,
    engine::frames,
    files,
    imagefile::{Base, Header, Manifest, ManifestError, Mode, ReadError, Reader, Report, VolumeError, WriteError},
    job::{issue::hex, who},
};
use sha2::{Digest, Sha256};
use std::{
    io,
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
    pub purpose: Purpose,
    /// Largest file of the store.
    pub limit: Option<NonZeroU64>,
    /// Whether the finished image is read back.
    pub verify: bool,
    pub operator: Operator,
    pub tool: Tool,
    /// Milliseconds since 1970.
    pub clock: fn() -> u64,
    /// Shared by the images that go to one store at once.
    pub room: Arc<Room>,
    /// Whether it is begun although the store may become full.
    pub ignore_room: bool,
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
    /// None on the null device.
    pub manifest: Option<(Manifest, Vec<u8>)>,
    pub report: Option<Report>,
    /// When the reading back began and ended, in milliseconds since 1970.
    pub verified: (Option<u64>, Option<u64>),
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
        "{dir}: it has room for {free} bytes that no other image of this run may need, and this one may need {needed}{by}; make room, or \
         use a larger store",
        dir = dir.display()
    )]
    NoRoom { dir: PathBuf, free: u64, needed: u64, by: &'static str },
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    #[error("the base image cannot be used: {0}")]
    Base(String),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("{0}. The image was not given its name")]
    AnotherDrive(String),
    #[error("the image was written, but what was read back is not right: {0}. It was not given its name")]
    ReadBack(String),
    #[error(
        "{path}: an earlier run of this job finished this image and was interrupted before its certificate, and now: {1}. It was left as \
         it is, without a certificate; give the new image another name",
        path = .0.display()
    )]
    Whole(PathBuf, String),
    #[error(transparent)]
    Apart(#[from] ApartError),
    #[error(transparent)]
    Held(#[from] HoldError),
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

/// The largest file of an image of up to `worst` bytes, where its store takes no file of that size.
pub(super) fn limit_of(part: &Path, worst: u64) -> Option<NonZeroU64> {
    // The file that is there anyway while somebody works on the image.
    let mut file = if is_null(part) { None } else { files::open(&hold::lock_of(part)).ok() }?;
    Some(files::largest(&mut file)).filter(|largest| *largest < worst).and_then(NonZeroU64::new)
}

/// Takes the image and proves it. `account` is the account of the runs over it; measuring needs none.
/// The account stays until the image is certified: [`certified`].
pub fn image(
    plane: &mut dyn DataPlane,
    drive: &Drive,
    order: &Order,
    key: &StickKey,
    account: Option<&Alive>,
    eyes: Eyes<'_>,
    step: &dyn Fn(&str),
) -> Result<Imaged, ImageError> {
    step("survey");
    let geometry = plane.geometry();
    // Through the descriptor that holds the claim: another drive's map must not decide what is free.
    let shared = Shared::new(plane, order.wish.limits.hang);
    let mut survey = content::survey(&shared, geometry.logical());
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
    let job = Taking { order, survey, header, base, account };
    let part = if is_null(&order.path) { order.path.clone() } else { part_of(&order.path) };
    if !is_null(&order.path) {
        let ours = account.is_some_and(|account| account.with(|account| account.goes_on()));
        let own = key.public_key();
        match commit::look(&order.path, &part, ours, &job.header, &own)? {
            There::Nothing => job.room(&part, ours, &shared)?,
            There::Whole => return whole::whole(order, &job.header, &own, &shared, account, eyes, step),
        }
    }
    let mut stream = Stream::new(job.hash());
    step("image");
    let (writer, taken, map) = job.take(&shared, &part, &mut stream, eyes)?;
    who::is_still(&shared.lane(), drive).map_err(ImageError::AnotherDrive)?;
    let bad = (!map.is_finished()).then(|| map.text());
    let finished = writer.finish(bad.as_deref())?;
    let file_bytes = finished.files.iter().map(|(_, bytes)| bytes).sum();
    if is_null(&order.path) {
        return Ok(Imaged { taken, manifest: None, report: None, verified: (None, None), file_bytes });
    }
    step("read back");
    let begin = (order.clock)();
    let (manifest, report) = job.prove(&part, drive, &finished, &taken, stream, key, eyes)?;
    let bytes = commit::commit(&finished, &part, &order.path, &manifest, key)?;
    let verified = if report.is_some() { (Some(begin), Some((order.clock)())) } else { (None, None) };
    Ok(Imaged { taken, manifest: Some((manifest, bytes)), report, verified, file_bytes })
}

/// What lay beside an image while it was unfinished goes; the map of what could not be read stays where there is something in it.
pub fn certified(path: &Path, imaged: &Imaged) -> Result<(), ImageError> {
    let whole = imaged.taken.unreadable.is_empty();
    let gone = if whole { part::forget(path) } else { part::forget_job(path) };
    gone.map_err(|error| ImageError::Io(path.into(), error))
}

/// An earlier image that this one builds on.
pub(super) struct OpenBase {
    pub(super) reader: Arc<Reader>,
    pub(super) root: String,
    manifest_sha256: String,
}

impl OpenBase {
    /// Whether a frame's content is there already.
    pub(super) fn knows(&self) -> impl Fn(u64, &[u8; 32]) -> bool + Sync {
        |index, hash| self.reader.entry(index).is_ok_and(|(_, known)| known == *hash)
    }

    /// As the manifest of an image that builds on it names it.
    pub(super) fn named(&self, name: String) -> Base {
        Base { name, blake3_root: self.root.clone(), manifest_sha256: self.manifest_sha256.clone() }
    }
}

/// A base must be whole, signed, and not itself in need of another.
pub(super) fn open_base(path: &Path) -> Result<OpenBase, ImageError> {
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
    if let Some(piece) = Manifest::read(path).ok().and_then(|signed| signed.manifest.missing_piece(path)) {
        return Err(VolumeError::Piece(piece).into());
    }
    let reader = Reader::open(path)?;
    let Some(root) = reader.header().base_root.clone() else { return Ok(reader) };
    let base = Manifest::read(path).ok().and_then(|signed| signed.manifest.base);
    let name = base.map(|base| base.name).filter(|name| !name.contains('/') && links < LINKS);
    let name = name.ok_or(ReadError::BaseMissing(root))?;
    let base = path.with_file_name(name);
    match open_links(&base, links + 1) {
        Err(ReadError::Volume(VolumeError::Missing(_))) => Err(ReadError::NoBase { image: path.into(), base }),
        base => reader.with_base(Arc::new(base?)),
    }
}
