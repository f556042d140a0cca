//! One image: room for it, what is there already, the drive into it, the proof.

use super::{
    super::{
        digest::{self, Stream},
        hit,
        look::Shared,
        part::{self, Alive, Purpose},
        sample, squeeze,
        take::{self, Disk, Eyes, TakeError, Taken},
    },
    ImageError, LISTED, OpenBase, Order,
    again::{self, Begun},
    is_null, limit_of, worst_case,
};
use crate::{
    blocks::ReadAt,
    boot::store::free_bytes,
    certify::key::StickKey,
    content::{self, Survey, Treatment},
    discover::Drive,
    files::{beside, folder_of},
    imagefile::{
        self, BadArea, Base, Finished, Group, Header, Manifest, Mode, Partition, Reader, Report, Volume, VolumeError,
        WriteError, Writer, names_of, strays,
    },
    job::{issue::hex, record::time},
    rescue::{Map, Status},
};
use std::{num::NonZeroU64, path::Path, sync::Arc};

/// How it is known what an image needs, and what a host can do all the same.
const SAMPLED: &str = ", by a sample of what the drive holds (on a host, --ignore-room begins all the same)";

/// What an earlier run left under the name of the unfinished image.
enum Left {
    Nothing,
    /// Of this job, and why it cannot be gone on with.
    Useless(String),
    /// Not of this job, or of it and damaged: it may be the last that there is of a drive.
    Apart(String),
}

pub(super) struct Taking<'a> {
    pub(super) order: &'a Order,
    pub(super) survey: Survey,
    pub(super) header: Header,
    pub(super) base: Option<OpenBase>,
    pub(super) account: Option<&'a Alive>,
}

impl Taking<'_> {
    pub(super) fn hash(&self) -> digest::Wish {
        self.order.hash.for_disk(!self.survey.is_used_block())
    }

    pub(super) fn room(&self, part: &Path, ours: bool, disk: &dyn ReadAt) -> Result<(), ImageError> {
        let dir = folder_of(part);
        let free = free_bytes(dir).map_err(|error| ImageError::Io(dir.into(), error))?;
        let own = if ours { names_of(part) } else { Vec::new() };
        let there: u64 = own.iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum();
        let worst = worst_case(&self.survey, self.header.disk_bytes);
        // Most of what a base holds already is not stored again; how much that is shows only in the end.
        let is_asked = self.base.is_none() && !self.order.ignore_room;
        if self.order.room.take(free, worst.saturating_sub(there)).is_ok() || !is_asked {
            return Ok(());
        }
        let beside = worst - self.survey.bytes_used();
        let packed = sample::estimate(&self.survey, disk, self.order.wish.level);
        let needed = packed.map_or(worst, |packed| worst.min(packed + beside)).saturating_sub(there);
        let no_room = |free| ImageError::NoRoom { dir: dir.into(), free, needed, by: SAMPLED };
        self.order.room.take(free, needed).map_err(no_room)
    }

    /// The largest file of the image: as was asked for, or as the store has it where all that is read could be larger.
    pub(super) fn limit(&self, part: &Path) -> Option<NonZeroU64> {
        let worst = worst_case(&self.survey, self.header.disk_bytes);
        self.order.limit.or_else(|| limit_of(part, worst))
    }

    /// The drive into the image, behind what is there of it and is the same.
    pub(super) fn take(
        &self,
        shared: &Shared<'_>,
        part: &Path,
        stream: &mut Stream,
        eyes: Eyes<'_>,
    ) -> Result<(Writer, Taken, Map), ImageError> {
        let size = self.header.disk_bytes;
        let Begun { mut writer, from, mut map, before } = self.begin(shared, part, stream, eyes)?;
        let keep = |map: &Map| {
            // The map beside the image is for ddrescue, and for whoever wants to know what is bad.
            if !is_null(part) && map.areas().any(|a| !matches!(a.status, Status::Finished | Status::NonTried)) {
                let _ = map.save(&beside(&self.order.path, ".map"));
            }
            (eyes.map)(map);
        };
        let stored = |disk: u64, file: u64| {
            (eyes.stored)(disk, file);
            self.account.iter().for_each(|account| account.sign());
        };
        let known_in_base;
        let known: Option<squeeze::Known<'_>> = match &self.base {
            Some(base) => {
                known_in_base = base.knows();
                Some(&known_in_base)
            }
            None => None,
        };
        let mut allocation = self.survey.allocation(shared);
        let mut lane = shared.lane();
        let mut disk = Disk { plane: &mut lane, allocation: &mut allocation, from, map: &mut map, known };
        let eyes = Eyes { map: &keep, stored: &stored, ..eyes };
        let mut taken = take::take(&mut disk, &mut writer, stream, self.order.wish, eyes)?;
        taken.bytes_free += before.bytes_free;
        taken.bytes_read = size - taken.bytes_free - taken.unreadable.bytes();
        Ok((writer, taken, map))
    }

    /// A new image, or the part of one that this job began and that the drive still holds word for word.
    fn begin(
        &self,
        shared: &Shared<'_>,
        part: &Path,
        stream: &mut Stream,
        eyes: Eyes<'_>,
    ) -> Result<Begun, ImageError> {
        let Some(account) = self.account else { return self.create(part) };
        let ours = account.with(|account| account.goes_on());
        let failed = |error| ImageError::Io(part.into(), error);
        let there = !names_of(part).is_empty() || !strays(part).map_err(failed)?.is_empty();
        let left = match (there, ours, self.order.purpose) {
            (true, true, Purpose::Keep | Purpose::Flatten) => {
                Left::Useless("what a drive holds before it is overwritten is read in one go".into())
            }
            (true, true, Purpose::Image) => {
                let wanted = again::Wanted {
                    part,
                    header: &self.header,
                    survey: &self.survey,
                    limit: self.limit(part),
                    limits: self.order.wish.limits,
                };
                match again::go_on(&wanted, shared, stream, eyes) {
                    Ok(begun) => {
                        let bytes = begun.from.saturating_mul(imagefile::FRAME as u64).min(self.header.disk_bytes);
                        let what = format!(
                            "the first {bytes} bytes were read again and were the same; it went on behind them"
                        );
                        account.with(|account| account.found(&what));
                        self.note(account)?;
                        return Ok(begun);
                    }
                    Err(WriteError::Anew(why)) => Left::Useless(why),
                    Err(WriteError::Volume(gap @ VolumeError::Piece(_))) => Left::Apart(gap.to_string()),
                    Err(other @ (WriteError::Another(_) | WriteError::Damaged { .. })) => {
                        Left::Apart(other.to_string())
                    }
                    Err(other) => return Err(other.into()),
                }
            }
            (true, false, _) => {
                Left::Apart("another job began it (another drive, other words or options, or another stick)".into())
            }
            (false, true, _) => Left::Useless("nothing of it was there".into()),
            (false, false, _) => Left::Nothing,
        };
        self.make_way(left, there, account, eyes)?;
        *stream = Stream::new(self.hash());
        self.note(account)?;
        self.create(part)
    }

    /// What is left of an earlier run goes, where it is this job's and worth nothing; everything else keeps under another name.
    fn make_way(&self, left: Left, there: bool, account: &Alive, eyes: Eyes<'_>) -> Result<(), ImageError> {
        let image = &self.order.path;
        let what = match left {
            Left::Nothing => return Ok(()),
            Left::Useless(why) => {
                part::discard(image).map_err(|error| ImageError::Io(image.clone(), error))?;
                format!("the image is begun anew: {why}")
            }
            Left::Apart(why) => {
                let name = part::set_apart(image)?.map(|to| part::part_of(&to).display().to_string());
                let name = name.unwrap_or_default();
                format!(
                    "the image is begun anew: {why}. What was there is called {name} now, and is not removed by itself"
                )
            }
        };
        account.with(|account| account.found(&what));
        if there {
            (eyes.said)(&format!("an unfinished image {} was there. {what}", image.display()));
        }
        Ok(())
    }

    /// Which job the part is of is on the medium before anything of it.
    fn note(&self, account: &Alive) -> Result<(), ImageError> {
        let kept = account.with(|account| account.keep());
        kept.map_err(|error| ImageError::Io(self.order.path.clone(), error))
    }

    fn create(&self, part: &Path) -> Result<Begun, ImageError> {
        let writer = Writer::create(part, self.limit(part), self.header.clone())?;
        Ok(Begun { writer, from: 0, map: Map::new(self.header.disk_bytes), before: Taken::default() })
    }

    /// Reads the finished file back and writes down what is proved.
    #[expect(clippy::too_many_arguments, reason = "everything a manifest says")]
    pub(super) fn prove(
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
            started: time(Some(self.account.map_or_else(self.order.clock, |account| account.with(|a| a.began())))),
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
        Some(base.named(path.file_name().unwrap_or_default().to_string_lossy().into_owned()))
    }
}
