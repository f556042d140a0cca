//! A chain of differential images as one image that needs no other. What it holds is proved against the chain's hashes while
//! it is read, and read back afterwards as any image is.

use super::{
    commit::{self, There},
    digest::{self, Stream},
    hold::{Hold, hold},
    image::{ImageError, OpenBase, limit_of, open_base, open_chain},
    level::{self, Governor},
    part::{self, Account, Hand, Of, Purpose, part_of},
    squeeze::{self, Feed, Packed, Press, Raw},
};
use crate::{
    certify::{key::StickKey, record::Tool},
    engine::frames::{FRAME, Pool},
    files::folder_of,
    imagefile::{
        self, Base, Decompressor, Finished, Group, Header, InUse, Manifest, ReadError, Reader, Signed, State, Volume,
        WriteError, Writer,
    },
    job::issue::hex,
};
use rustix::fs::statvfs;
use sha2::{Digest, Sha256};
use std::{
    num::NonZeroU64,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Buffers between unpacking and packing.
const BUFFERS: usize = 8;

/// How it is done.
#[derive(Debug)]
pub struct Wish {
    pub threads: usize,
    pub level: level::Wish,
    /// The largest file.
    pub limit: Option<NonZeroU64>,
    /// What the new image builds on; without, it needs no other.
    pub onto: Option<PathBuf>,
    pub tool: Tool,
    /// Milliseconds since 1970.
    pub clock: fn() -> u64,
}

/// What was put together; nobody else works on it meanwhile.
#[derive(Debug)]
pub struct Made {
    pub manifest: Manifest,
    path: PathBuf,
    _hold: Hold,
}

impl Made {
    /// It is known what was made: the note that the same command would go by goes.
    pub fn noted(self) -> Result<(), ImageError> {
        part::forget_job(&self.path).map_err(|error| ImageError::Io(self.path, error))
    }
}

/// Puts the chain that ends with `from` together as the image `to`; `advanced` hears of bytes of the disk, twice, and may
/// ask to stop. What the same command left when it was cut short is begun anew, or, where it was whole, proved once more.
pub fn flatten(
    from: &Path,
    to: &Path,
    wish: &Wish,
    key: &StickKey,
    advanced: &(dyn Fn(u64) -> bool + Sync),
) -> Result<Made, ImageError> {
    let signed = Manifest::read(from)?;
    let reader = open_chain(from)?;
    if hex(&reader.root()?) != signed.manifest.blake3_root || *reader.header() != signed.manifest.image {
        return Err(ImageError::Base("its index is not the one its manifest names".into()));
    }
    let made = |manifest, hold| Made { manifest, path: to.into(), _hold: hold };
    let (hold, part) = (hold(to)?, part_of(to));
    let onto = wish.onto.as_deref().map(open_base).transpose()?;
    let hand = Hand { key, request: request(&signed, to, onto.as_ref(), wish), job: None };
    let of = Of::from(&signed.manifest.image);
    let mut account = Account::open(to, of, Purpose::Flatten, hand, (wish.clock, u64::MAX));
    let there = commit::look(to, &part, account.goes_on(), &signed.manifest.image, &key.public_key())?;
    if there == There::Whole {
        return Ok(made(whole(to, wish, advanced)?, hold));
    }
    if account.goes_on() {
        discard(to)?;
    } else {
        part::set_apart(to)?;
    }
    room(to, &signed.manifest)?;
    account.keep().map_err(|error| ImageError::Io(to.into(), error))?;
    match put_together(&reader, &signed, (from, to, &part), (wish, onto), key, advanced) {
        Ok(manifest) => Ok(made(manifest, hold)),
        Err(error) => {
            // The chain is still there: what was written of it is worth nothing. The first error is the one to report.
            let _ = discard(to);
            Err(error)
        }
    }
}

fn discard(to: &Path) -> Result<(), ImageError> {
    part::discard(to).map_err(|error| ImageError::Io(to.into(), error))
}

/// All that decides what the image will be.
fn request(signed: &Signed, to: &Path, onto: Option<&OpenBase>, wish: &Wish) -> [u8; 32] {
    let onto = onto.zip(wish.onto.as_deref()).map(|(base, path)| (base.root.clone(), path.to_owned()));
    let asked = ("mule-flatten/1", Sha256::digest(&signed.bytes), to.file_name(), onto, wish.level, wish.limit);
    *blake3::hash(format!("{asked:?}").as_bytes()).as_bytes()
}

/// What the same command made before it was cut short: nothing of it is written again, and all of it is proved.
fn whole(to: &Path, wish: &Wish, advanced: &(dyn Fn(u64) -> bool + Sync)) -> Result<Manifest, ImageError> {
    let signed = Manifest::read(to)?;
    let reader = open_chain(to)?;
    let proved = read_back(&reader, &signed.manifest, wish, advanced);
    match proved {
        Err(ImageError::ReadBack(why)) => Err(ImageError::Whole(to.into(), why)),
        proved => proved.map(|()| signed.manifest),
    }
}

fn read_back(
    reader: &Reader,
    manifest: &Manifest,
    wish: &Wish,
    advanced: &(dyn Fn(u64) -> bool + Sync),
) -> Result<(), ImageError> {
    let report = imagefile::verify(reader, manifest, wish.threads, None, advanced);
    if report.is_good() {
        return Ok(());
    }
    let stopped = || "it was stopped while it was read back".into();
    Err(ImageError::ReadBack(report.damage.first().map_or_else(stopped, ToString::to_string)))
}

fn put_together(
    reader: &Reader,
    signed: &Signed,
    (from, to, part): (&Path, &Path, &Path),
    (wish, onto): (&Wish, Option<OpenBase>),
    key: &StickKey,
    advanced: &(dyn Fn(u64) -> bool + Sync),
) -> Result<Manifest, ImageError> {
    let base_root = onto.as_ref().map(|base| base.root.clone());
    let header = Header { base_root, ..header(reader.header()) };
    if onto.as_ref().is_some_and(|base| base.reader.header().disk_bytes != header.disk_bytes) {
        return Err(ImageError::Base("it is of a disk of another size".into()));
    }
    let mut stream = Stream::new(wish_of(&signed.manifest));
    let limit = wish.limit.or_else(|| limit_of(part, most(&signed.manifest)));
    let writer = Writer::create(part, limit, header)?;
    let finished = copy(reader, &signed.manifest, writer, (wish, onto.as_ref()), &mut stream, advanced)?;
    let digests = stream.finish();
    for (found, listed) in [(digests.sha512, &signed.manifest.sha512), (digests.sha256, &signed.manifest.sha256)] {
        if found.is_some_and(|found| found != *listed) {
            return Err(ImageError::ReadBack("the digest of the whole disk is not the one in the manifest".into()));
        }
    }
    let manifest = manifest(signed, (from, to), onto.as_ref(), &finished, wish, key);
    let mut written = Reader::open(part)?;
    if let Some(onto) = onto {
        written = written.with_base(onto.reader)?;
    }
    read_back(&written, &manifest, wish, advanced)?;
    drop(written);
    commit::commit(&finished, part, to, &manifest, key)?;
    Ok(manifest)
}

/// The whole image's.
fn header(old: &Header) -> Header {
    Header { format: Header::FORMAT.into(), base_root: None, ..old.clone() }
}

fn wish_of(manifest: &Manifest) -> digest::Wish {
    match (manifest.sha512.is_empty(), manifest.sha256.is_empty()) {
        (false, false) => digest::Wish::Both,
        (false, true) => digest::Wish::Sha512,
        (true, false) => digest::Wish::Sha256,
        (true, true) => digest::Wish::None,
    }
}

/// Whether everything fits, as if nothing of it could be compressed.
fn room(to: &Path, manifest: &Manifest) -> Result<(), ImageError> {
    let dir = folder_of(to);
    let space = statvfs(dir).map_err(|errno| ImageError::Io(dir.into(), errno.into()))?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let needed = most(manifest);
    if free < needed { Err(ImageError::NoRoom { dir: dir.into(), free, needed, by: "" }) } else { Ok(()) }
}

/// Bytes of an image of which nothing could be compressed.
fn most(manifest: &Manifest) -> u64 {
    let read = manifest.bytes_read;
    read.saturating_add(read / 256 + manifest.image.frames() * 128 + (1 << 20))
}

fn copy(
    reader: &Reader,
    manifest: &Manifest,
    mut writer: Writer,
    (wish, onto): (&Wish, Option<&OpenBase>),
    stream: &mut Stream,
    advanced: &(dyn Fn(u64) -> bool + Sync),
) -> Result<Finished, ImageError> {
    let governor = Governor::new(wish.level, wish.threads);
    let in_base;
    let known: Option<squeeze::Known<'_>> = match onto {
        Some(base) => {
            in_base = base.knows();
            Some(&in_base)
        }
        None => None,
    };
    let press = Press { threads: wish.threads, governor: &governor, known };
    let consume = |_, packed: Packed| -> Result<(), WriteError> {
        writer.append_run(packed.entry.map_err(WriteError::Codec)?, packed.frames, &packed.used)
    };
    let produce = |feed: &mut Feed| unpack(reader, manifest, feed, advanced);
    let (read, written) = squeeze::run(press, 0, stream, produce, consume);
    written?;
    read?;
    Ok(writer.finish(reader.bad_map()?.as_deref())?)
}

fn unpack(
    reader: &Reader,
    manifest: &Manifest,
    feed: &mut Feed,
    advanced: &(dyn Fn(u64) -> bool + Sync),
) -> Result<(), ImageError> {
    let no_memory = |error| ImageError::Io("memory for buffers".into(), error);
    let pool = Pool::new(BUFFERS).map_err(no_memory)?;
    let mut decompressor = Decompressor::new().map_err(no_memory)?;
    let mut in_use = InUse::new(reader, manifest)?;
    for index in 0..reader.header().frames() {
        let len = reader.header().frame_len(index);
        let used = in_use.ranges(index)?;
        let raw = frame(reader, index, &pool, &mut decompressor, used.is_empty())?;
        let stopped = !advanced(len as u64);
        if stopped || !feed.give(index, len as u64, raw, used) {
            return Err(WriteError::Stopped("it was stopped".into()).into());
        }
    }
    Ok(())
}

fn frame(
    reader: &Reader,
    index: u64,
    pool: &Pool,
    decompressor: &mut Decompressor,
    unused: bool,
) -> Result<Raw, ReadError> {
    if unused || reader.entry(index)?.0 == State::Free {
        return Ok(Raw::Free(1));
    }
    let mut buffer = loop {
        // The packing threads give them back.
        if let Some(buffer) = pool.take(Duration::from_secs(1)) {
            break buffer;
        }
    };
    buffer.set_len(reader.header().frame_len(index).min(FRAME));
    if !reader.frame_into(index, decompressor, &mut buffer)? {
        buffer.fill(0);
    }
    Ok(Raw::Data(Arc::new(buffer)))
}

fn manifest(
    signed: &Signed,
    (from, to): (&Path, &Path),
    onto: Option<&OpenBase>,
    finished: &Finished,
    wish: &Wish,
    key: &StickKey,
) -> Manifest {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let old = &signed.manifest;
    let file =
        |(path, bytes): &(std::path::PathBuf, u64)| Volume { name: name(path).replacen(".part", "", 1), bytes: *bytes };
    Manifest {
        name: name(to),
        image: Header { base_root: onto.map(|base| base.root.clone()), ..header(&old.image) },
        blake3_root: hex(&finished.root),
        groups: finished.groups.iter().map(|(index, file)| Group { index: hex(index), file: hex(file) }).collect(),
        tail_blake3: hex(&finished.tail),
        files: finished.files.iter().map(file).collect(),
        base: onto.zip(wish.onto.as_deref()).map(|(base, path)| base.named(name(path))),
        flattened: Some(Base {
            name: name(from),
            blake3_root: old.blake3_root.clone(),
            manifest_sha256: hex(&Sha256::digest(&signed.bytes)),
        }),
        tool: wish.tool.clone(),
        signer: key.stick_id(),
        ..old.clone()
    }
}
