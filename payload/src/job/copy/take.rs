//! Taking an image of one drive: what is free is not read, and what cannot be read at first is read last.

use super::{
    ahead::{Ahead, Kind, Next},
    digest::Stream,
    duplicate::map_bad,
    level::{self, Governor},
    sector::Sectors,
    squeeze::{self, Feed, Packed, Press, Raw},
};
use crate::{
    content::Allocation,
    drive::DataPlane,
    engine::{
        extents::Ranges,
        frames::{self, FRAME, Got, Pool, Reader, Want},
        sweep::{End, Limits},
    },
    imagefile::{WriteError, Writer},
    rescue::{self, Map, Sink, Skipper, Status},
};
use std::{collections::VecDeque, io, ops::Range, sync::Arc};

/// Buffers of one source: with the compressed frames behind them about 16 MiB.
pub(super) const BUFFERS: usize = 8;

/// How an image is taken.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    pub threads: usize,
    pub level: level::Wish,
    /// How often bad sectors are tried again at the end.
    pub retries: u8,
    pub limits: Limits,
}

/// What is watched while it goes on.
#[derive(Clone, Copy)]
pub struct Eyes<'a> {
    pub stop: &'a (dyn Fn() -> bool + Sync),
    /// So many bytes of the disk were dealt with.
    pub advanced: &'a (dyn Fn(u64) + Sync),
    /// The map changed: it is kept beside the image, for the next run.
    pub map: &'a (dyn Fn(&Map) + Sync),
    /// So many bytes of the disk are so many bytes of the image's files now.
    pub stored: &'a (dyn Fn(u64, u64) + Sync),
    /// Something that a person should know.
    pub said: &'a (dyn Fn(&str) + Sync),
}

impl std::fmt::Debug for Eyes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Eyes")
    }
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    pub bytes_read: u64,
    /// Not read, as the file systems call it free.
    pub bytes_free: u64,
    /// Zeros in the image.
    pub unreadable: Ranges,
}

/// Why it ended early; what was written so far is whole and can be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    #[error("{0}")]
    Stopped(String),
    #[error("{0}")]
    Source(String),
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// A drive and what is known of it.
pub struct Disk<'a, 'b> {
    pub plane: &'a mut dyn DataPlane,
    pub allocation: &'a mut Allocation<'b>,
    /// Everything before is in the image already.
    pub from: u64,
    pub map: &'a mut Map,
    /// Whether an earlier image holds a frame with this BLAKE3.
    pub known: Option<squeeze::Known<'a>>,
}

impl std::fmt::Debug for Disk<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").field("from", &self.from).finish_non_exhaustive()
    }
}

/// Reads the drive into the image. `stream` hashes it as far as it is whole.
pub fn take(
    disk: &mut Disk<'_, '_>,
    writer: &mut Writer,
    stream: &mut Stream,
    wish: Wish,
    eyes: Eyes<'_>,
) -> Result<Taken, TakeError> {
    let mut taken = Taken::default();
    let governor = Governor::new(wish.level, wish.threads);
    let press = Press { threads: wish.threads, governor: &governor, known: disk.known };
    let consume = |index: u64, packed: Packed| -> Result<(), WriteError> {
        writer.append_run(packed.entry.map_err(WriteError::Codec)?, packed.frames, &packed.used)?;
        (eyes.stored)(frames::start(index + u64::from(packed.frames)), writer.position());
        Ok(())
    };
    let from = disk.from;
    let (read, written) =
        squeeze::run(press, from, stream, |feed| first_pass(disk, feed, &mut taken, wish, eyes), consume);
    // Whatever happened: what is there is on the medium before the map says so.
    let paused = writer.pause();
    (eyes.map)(disk.map);
    written?;
    read?;
    paused?;
    if !disk.map.is_finished() {
        second_pass(disk, writer, wish, eyes)?;
    }
    taken.unreadable = map_bad(disk.map);
    Ok(taken)
}

/// Every frame once, in order.
fn first_pass(
    disk: &mut Disk<'_, '_>,
    feed: &mut Feed,
    taken: &mut Taken,
    wish: Wish,
    eyes: Eyes<'_>,
) -> Result<(), TakeError> {
    let bytes = disk.plane.geometry().bytes();
    let pool = Pool::new(BUFFERS).map_err(|error| TakeError::Source(format!("no memory for buffers: {error}")))?;
    let mut skipper = Skipper::new();
    let mut map = Ahead::new(disk.allocation, bytes);
    let mut ahead = VecDeque::new();
    let mut reader = Reader::new(disk.plane, pool, wish.limits, disk.from);
    loop {
        let mut want = |index, plane: &mut dyn DataPlane| {
            let next = map.next(index, &mut |offset| plane.hole(offset));
            let passed = next.kind != Kind::Read || skipper.skips(index);
            let want = if passed { Want::Pass(next.frames.into()) } else { Want::Read };
            ahead.push_back(next);
            want
        };
        let (index, got) = match reader.next_asking(&mut want, eyes.stop) {
            Ok(Some(next)) => next,
            Ok(None) => return Ok(()),
            Err(End::Stopped) => return Err(TakeError::Stopped("it was stopped".into())),
            Err(End::Failed(error)) => return Err(TakeError::Source(error.to_string())),
            Err(End::Complete | End::TooManyBad) => return Err(TakeError::Source("the drive is failing".into())),
        };
        let Some(Next { frames: count, used, kind }) = ahead.pop_front() else { return Ok(()) };
        let at = frames::start(index);
        let len = frames::start(index + u64::from(count)).min(bytes) - at;
        let in_use: u64 = used.iter().map(|range| range.end - range.start).sum();
        taken.bytes_free += len - in_use;
        disk.map.set(at, len, Status::Finished);
        let raw = match got {
            Got::Data(mut data) => {
                skipper.good(index);
                taken.bytes_read += in_use;
                blank_free(&mut data, at, &used);
                Raw::Data(Arc::new(data))
            }
            Got::Passed(_) if kind == Kind::Free => Raw::Free(count),
            Got::Passed(_) if kind == Kind::Hole => {
                taken.bytes_read += in_use;
                Raw::Zeros(count)
            }
            Got::Passed(_) => {
                used.iter().for_each(|r| disk.map.set(r.start, r.end - r.start, Status::NonTried));
                Raw::Bad
            }
            Got::Bad(_) => {
                skipper.bad(index);
                used.iter().for_each(|r| disk.map.set(r.start, r.end - r.start, Status::NonTrimmed));
                Raw::Bad
            }
        };
        if matches!(raw, Raw::Bad) {
            (eyes.map)(disk.map);
        }
        if !feed.give(index, len, raw, used) {
            // The writer's own error says why.
            return Ok(());
        }
        (eyes.advanced)(len);
    }
}

/// What is free is zeros in the image, whatever the drive holds there.
pub(super) fn blank_free(data: &mut [u8], start: u64, used: &[Range<u64>]) {
    let place = |at: u64| usize::try_from(at.saturating_sub(start)).unwrap_or(FRAME).min(FRAME);
    let len = data.len();
    let mut at = 0;
    for range in used {
        data[at.min(len)..place(range.start).clamp(at, len)].fill(0);
        at = place(range.end).min(len);
    }
    data[at..].fill(0);
}

/// What was left out, by the rescue's strategy, into the slots.
fn second_pass(disk: &mut Disk<'_, '_>, writer: &mut Writer, wish: Wish, eyes: Eyes<'_>) -> Result<(), TakeError> {
    let mut slots = Slots { writer, open: None, failed: None, eyes };
    let settings = rescue::Settings { retries: wish.retries };
    let end = rescue::rescue(disk.map, &mut Sectors::new(disk.plane, wish.limits.hang), &mut slots, &settings);
    let closed = slots.close();
    let failed = slots.failed.take();
    let paused = writer.pause();
    (eyes.map)(disk.map);
    if let Some(error) = failed {
        return Err(error.into());
    }
    closed?;
    paused?;
    match end {
        rescue::End::Complete => Ok(()),
        rescue::End::Stopped => Err(TakeError::Stopped("it was stopped".into())),
        rescue::End::Gone(reason) => Err(TakeError::Source(reason)),
        rescue::End::Sink(error) => Err(TakeError::Source(error.to_string())),
    }
}

/// The slot that is being filled: neighbouring sectors go into the same.
struct Slots<'a> {
    writer: &'a mut Writer,
    open: Option<(u64, Vec<u8>)>,
    failed: Option<WriteError>,
    eyes: Eyes<'a>,
}

impl Slots<'_> {
    fn close(&mut self) -> Result<(), WriteError> {
        match self.open.take() {
            Some((index, raw)) => self.writer.fill_slot(index, &raw, 1),
            None => Ok(()),
        }
    }

    fn put(&mut self, index: u64, within: usize, data: &[u8]) -> Result<(), WriteError> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != index) {
            self.close()?;
            self.open = Some((index, self.writer.slot_content(index)?));
        }
        if let Some((_, raw)) = &mut self.open {
            raw[within..within + data.len()].copy_from_slice(data);
        }
        Ok(())
    }
}

impl Sink for Slots<'_> {
    fn recovered(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let within = usize::try_from(at % FRAME as u64).unwrap_or_default();
            let (now, later) = rest.split_at(rest.len().min(FRAME - within));
            if let Err(error) = self.put(at / FRAME as u64, within, now) {
                let text = error.to_string();
                self.failed.get_or_insert(error);
                return Err(io::Error::other(text));
            }
            at += now.len() as u64;
            rest = later;
        }
        Ok(())
    }

    /// The map may say only what is on the medium.
    fn changed(&mut self, map: &Map) {
        let kept = self.close().and_then(|()| self.writer.pause());
        match kept {
            Ok(()) => (self.eyes.map)(map),
            Err(error) => drop(self.failed.get_or_insert(error)),
        }
    }

    fn stop(&self) -> bool {
        self.failed.is_some() || (self.eyes.stop)()
    }
}
