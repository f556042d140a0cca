//! A clone's source: read once, hashed while it is read, sent to every target. Places that cannot be read at first are tried
//! again when everything else is safe on the targets.

use super::{digest::Stream, hashes::Hashes, outlet::Outlet, sector::Sectors, target::First};
use crate::{
    drive::DataPlane,
    engine::{
        extents::Ranges,
        frames::{self, Buffer, Content, FRAME, Got, Pool, Reader, Want},
        sweep::{End, Limits},
    },
    rescue::{self, Map, Sink, Skipper, Status},
};
use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    thread,
};

/// Frames of 1 MiB that may have bad places: their content is kept in memory until the end. A worse drive is imaged first.
const BAD_FRAMES: usize = 64;
/// Buffers between the source and the targets.
const BUFFERS: usize = 12;

/// What was read of the source.
#[derive(Debug, Clone, Default)]
pub struct Duplicated {
    /// Bytes read.
    pub bytes: u64,
    /// Bytes that could not be read: zeros on the targets.
    pub unreadable: Ranges,
    pub failure: Option<String>,
}

/// What a source is read with.
pub struct Wish<'a> {
    pub limits: Limits,
    /// How often bad sectors are tried again at the end.
    pub retries: u8,
    pub stop: &'a (dyn Fn() -> bool + Sync),
    pub advanced: &'a (dyn Fn(u64) + Sync),
    /// Whether it is still the source, asked when all was read.
    pub still: &'a dyn Fn(&dyn DataPlane) -> Result<(), String>,
}

impl std::fmt::Debug for Wish<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wish").field("retries", &self.retries).finish_non_exhaustive()
    }
}

/// Reads the whole drive and sends it to the targets. `read` hears the result before any target gets its last frame.
pub fn duplicate(
    plane: &mut dyn DataPlane,
    hashes: &Hashes,
    stream: &mut Stream,
    mut targets: Vec<Outlet>,
    wish: &Wish<'_>,
    read: &dyn Fn(&Duplicated, &Stream),
) -> Duplicated {
    let mut done = Duplicated::default();
    let sent = send(plane, hashes, stream, &mut targets, wish, &mut done);
    let sent = sent.and_then(|first| (wish.still)(plane).map(|()| first));
    done.failure = sent.as_ref().err().cloned();
    // A target looks at this when its part ends.
    read(&done, stream);
    let first = sent.as_ref().map_err(String::as_str);
    targets.into_iter().for_each(|target| target.finish(first));
    done
}

fn send(
    plane: &mut dyn DataPlane,
    hashes: &Hashes,
    stream: &mut Stream,
    targets: &mut Vec<Outlet>,
    wish: &Wish<'_>,
    done: &mut Duplicated,
) -> Result<First, String> {
    let bytes = plane.geometry().bytes();
    let mut map = Map::new(bytes);
    let (sender, receiver) = sync_channel(4);
    let mut first = thread::scope(|scope| {
        scope.spawn(move || hash(&receiver, stream));
        let mut whole = Some(sender);
        let pool = Pool::new(BUFFERS).map_err(|error| format!("no memory for buffers: {error}"))?;
        let mut reader = Reader::new(plane, pool, wish.limits, 0);
        let mut skipper = Skipper::new();
        let mut first = None;
        let mut bad = 0;
        loop {
            let mut want = |index| if skipper.skips(index) { Want::Pass(1) } else { Want::Read };
            let (index, got) = match reader.next(&mut want, wish.stop).map_err(|end| why(&end))? {
                Some(next) => next,
                None => return Ok::<_, String>(first),
            };
            let (at, len) = (frames::start(index), frames::len(index, bytes));
            match got {
                Got::Data(data) => {
                    skipper.good(index);
                    map.set(at, len as u64, Status::Finished);
                    done.bytes += len as u64;
                    let data = Arc::new(data);
                    hashes.set(index, &data);
                    if whole.as_ref().is_some_and(|to| to.send(Arc::clone(&data)).is_err()) {
                        whole = None;
                    }
                    let data: First = Some(data as Arc<dyn Content>);
                    match index {
                        0 => first = data,
                        _ => targets.retain(|target| target.send(index, &data)),
                    }
                }
                Got::Bad(_) | Got::Passed(_) => {
                    // The plain digest is of a stream, and here it has a hole.
                    whole = None;
                    bad += 1;
                    let status = if matches!(got, Got::Bad(_)) { Status::NonTrimmed } else { Status::NonTried };
                    map.set(at, len as u64, status);
                    skipper.bad(index);
                    if bad > BAD_FRAMES {
                        return Err(format!(
                            "more than {BAD_FRAMES} MiB could not be read at once: the source is failing. Image it first \
                             (which can be interrupted and resumed), then restore the image"
                        ));
                    }
                }
            }
            (wish.advanced)(len as u64);
            if targets.is_empty() {
                return Err("no target is left".into());
            }
        }
    })?;
    if !map.is_finished() {
        let found = mend(plane, &mut map, wish)?;
        done.unreadable = map_bad(&map);
        done.bytes = bytes - done.unreadable.bytes();
        for (index, data) in found {
            hashes.set(index, &data);
            let data: First = Some(Arc::new(data) as Arc<dyn Content>);
            match index {
                0 => first = data,
                _ => targets.retain(|target| target.send(index, &data)),
            }
        }
    }
    Ok(first)
}

fn hash(frames: &Receiver<Arc<Buffer>>, stream: &mut Stream) {
    frames.iter().for_each(|data| stream.update(&data));
}

fn why(end: &End) -> String {
    match end {
        End::Complete => String::new(),
        End::Stopped => "it was stopped".into(),
        End::Failed(error) => format!("the source: {error}"),
        End::TooManyBad => "too many bad places on the source".into(),
    }
}

/// The areas that stay unreadable.
pub fn map_bad(map: &Map) -> Ranges {
    let mut bad = Ranges::default();
    map.areas().filter(|area| area.status != Status::Finished).for_each(|area| bad.insert(area.start, area.len));
    bad
}

/// What is read in the end of the frames that were not whole at first.
struct Kept<'a> {
    bytes: u64,
    frames: BTreeMap<u64, Vec<u8>>,
    stop: &'a (dyn Fn() -> bool + Sync),
}

impl Sink for Kept<'_> {
    fn recovered(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut at = offset;
        let mut rest = data;
        while !rest.is_empty() {
            let index = at / FRAME as u64;
            let len = frames::len(index, self.bytes);
            let within = usize::try_from(at - frames::start(index)).unwrap_or_default();
            let part = rest.len().min(len - within);
            let frame = self.frames.entry(index).or_insert_with(|| vec![0; len]);
            frame[within..within + part].copy_from_slice(&rest[..part]);
            rest = &rest[part..];
            at += part as u64;
        }
        Ok(())
    }

    fn changed(&mut self, _: &Map) {}

    fn stop(&self) -> bool {
        (self.stop)()
    }
}

fn mend(plane: &mut dyn DataPlane, map: &mut Map, wish: &Wish<'_>) -> Result<BTreeMap<u64, Vec<u8>>, String> {
    let bytes = plane.geometry().bytes();
    let mut kept = Kept { bytes, frames: BTreeMap::new(), stop: wish.stop };
    // Every frame that was left out is sent in the end, also one of which nothing could be read.
    for area in map.areas().filter(|area| area.status != Status::Finished) {
        for index in area.start / FRAME as u64..frames::count(area.start + area.len) {
            kept.frames.entry(index).or_insert_with(|| vec![0; frames::len(index, bytes)]);
        }
    }
    let settings = rescue::Settings { retries: wish.retries };
    match rescue::rescue(map, &mut Sectors::new(plane, wish.limits.hang), &mut kept, &settings) {
        rescue::End::Complete => Ok(kept.frames),
        rescue::End::Stopped => Err("it was stopped".into()),
        rescue::End::Gone(reason) => Err(format!("the source: {reason}")),
        rescue::End::Sink(error) => Err(error.to_string()),
    }
}
