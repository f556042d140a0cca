//! One target's part of a restore or a clone: what it held made invalid, everything but the first MiB written and flushed, the
//! tail dealt with, all of it read back, and only then the first MiB, read back as well. Until that last step the drive holds no
//! partition table, neither of the old content nor of the new: a target that did not get everything never looks as if it had.

use super::{outlet::Shape, void};
use crate::{
    drive::{AlignedBuf, DataPlane},
    engine::{
        extents::Ranges,
        frames::{self, Compared, Content, Expected, FRAME, Job, Written},
        pattern::{Pattern, StreamKey},
        sweep::{self, End, Limits, Mode, Observer},
    },
    job::held::Held,
    random,
};
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    time::Duration,
};

/// What becomes of the blocks behind the content on a larger drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// They keep what they hold.
    Leave,
    /// One pass of zeros, read back.
    Zero,
    /// A random stream, then zeros, read back.
    Wipe,
}

impl Tail {
    /// The words of a job file and of the command line.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("leave", Self::Leave), ("zero", Self::Zero), ("wipe", Self::Wipe)];

    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("?", |(word, _)| word)
    }

    /// How often the tail is written.
    pub fn passes(self) -> u64 {
        match self {
            Self::Leave => 0,
            Self::Zero => 1,
            Self::Wipe => 2,
        }
    }
}

impl std::str::FromStr for Tail {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::WORDS.iter().find(|(known, _)| *known == word);
        found.map(|(_, tail)| *tail).ok_or_else(|| "leave, zero or wipe".into())
    }
}

/// The first frame's content; `None` is zeros.
pub type First = Option<Arc<dyn Content>>;
/// What each frame should hold.
pub type Wanted<'a> = &'a (dyn Fn(u64) -> Result<Expected, String> + Sync);

/// What a target is to become.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    pub shape: &'a Shape,
    pub tail: Tail,
    pub limits: Limits,
    /// What the content has in each frame.
    pub wanted: Wanted<'a>,
}

impl std::fmt::Debug for Order<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order").field("bytes", &self.shape.bytes).field("tail", &self.tail).finish_non_exhaustive()
    }
}

/// What is known of a target when its part is over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Laid {
    pub written: Written,
    pub compared: Compared,
    /// Bytes of the tail that were written and found as written.
    pub tail_matched: u64,
    /// Bytes of a partition table's backup behind the content, written and read back.
    pub moved: u64,
    /// Whether the first MiB was written, which is the last step.
    pub first_written: bool,
    /// Why the drive does not hold the content.
    pub failure: Option<String>,
    /// Whether a person or the log stopped it.
    pub stopped: bool,
    /// When the reading back began and reached its end, in milliseconds since 1970.
    pub verified: (Option<u64>, Option<u64>),
    /// What the drive was while it was held.
    pub held: Option<Held>,
}

/// Whom a target tells.
pub trait Steps: Observer {
    /// A new step begins.
    fn step(&mut self, name: &str);

    /// Milliseconds since 1970.
    fn now(&self) -> u64;
}

/// Does one target's part. `jobs` brings every frame but the first.
pub fn lay(plane: &mut dyn DataPlane, jobs: &Receiver<Job>, order: Order<'_>, steps: &mut dyn Steps) -> Laid {
    let mut laid = Laid::default();
    if let Err(reason) = all(plane, jobs, order, steps, &mut laid) {
        laid.failure = Some(reason);
    }
    laid
}

fn all(
    plane: &mut dyn DataPlane,
    jobs: &Receiver<Job>,
    order: Order<'_>,
    steps: &mut dyn Steps,
    laid: &mut Laid,
) -> Result<(), String> {
    steps.step("write");
    let head = begins(jobs, order, steps, laid)?;
    invalidate(plane, order, steps, laid)?;
    let (written, end) = frames::write(plane, order.limits, head, jobs, steps);
    laid.written = written;
    complete(&end, laid)?;
    let first = order.shape.first.get().cloned().unwrap_or_else(|| Err("the source stopped".into()))?;
    if !laid.written.unwritable.is_empty() {
        let blocks = laid.written.unwritable.bytes() / u64::from(plane.geometry().logical());
        return Err(format!("{blocks} blocks could not be written; the drive is failing"));
    }
    tail(plane, order, steps, laid)?;
    behind(plane, order, laid)?;
    steps.step("verify");
    laid.verified.0 = Some(steps.now());
    let compared = read_back(plane, order, 1, order.shape.bytes, steps, laid)?;
    laid.compared = compared;
    clean(&laid.compared)?;
    steps.step("first MiB");
    write_first(plane, order, first, steps, laid)?;
    let compared = read_back(plane, order, 0, order.shape.bytes.min(FRAME as u64), steps, laid)?;
    laid.compared.matched += compared.matched;
    laid.compared.different.extend(&compared.different);
    laid.compared.unreadable.extend(&compared.unreadable);
    clean(&laid.compared)?;
    laid.verified.1 = Some(steps.now());
    Ok(())
}

/// Waits for the first of what is to be written: while the source is looked at nothing is touched, and nothing is where it turns out to
/// be another than was planned, or cannot be read. Content of one MiB has nothing but its first frame.
fn begins(
    jobs: &Receiver<Job>,
    order: Order<'_>,
    steps: &mut dyn Steps,
    laid: &mut Laid,
) -> Result<Option<Job>, String> {
    loop {
        if steps.stop() {
            complete(&End::Stopped, laid)?;
        }
        match jobs.recv_timeout(Duration::from_millis(250)) {
            Ok(job) => return Ok(Some(job)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let first = order.shape.first.get().cloned().unwrap_or_else(|| Err("the source stopped".into()));
                return first.map(|_| None);
            }
        }
    }
}

/// Nothing of what the drive held looks whole from here on.
fn invalidate(
    plane: &mut dyn DataPlane,
    order: Order<'_>,
    steps: &mut dyn Steps,
    laid: &mut Laid,
) -> Result<(), String> {
    let bytes = if order.tail == Tail::Leave { order.shape.bytes } else { plane.geometry().bytes() };
    let ranges = void::ranges(plane, bytes, order.limits)?;
    match void::make(plane, &ranges, order.limits, steps) {
        Err(End::TooManyBad) => {
            Err("its partition table, or an end of a partition, could not be overwritten; the drive is failing".into())
        }
        Err(end) => complete(&end, laid),
        Ok(()) => Ok(()),
    }
}

fn complete(end: &End, laid: &mut Laid) -> Result<(), String> {
    match end {
        End::Complete => Ok(()),
        End::Stopped => {
            laid.stopped = true;
            Err("it was stopped".into())
        }
        End::Failed(error) => Err(error.to_string()),
        End::TooManyBad => Err("too many bad places: the drive is failing".into()),
    }
}

fn clean(compared: &Compared) -> Result<(), String> {
    let (different, unreadable) = (compared.different.bytes(), compared.unreadable.bytes());
    if compared.is_clean() {
        return Ok(());
    }
    Err(format!(
        "what was read back is not what was written: {different} bytes lie in pieces that differ (of 1 MiB, or a few) and \
         {unreadable} could not be read"
    ))
}

fn read_back(
    plane: &mut dyn DataPlane,
    order: Order<'_>,
    from: u64,
    bytes: u64,
    steps: &mut dyn Steps,
    laid: &mut Laid,
) -> Result<Compared, String> {
    let mut wanted = |index| match order.shape.expected(index) {
        Some(own) => Ok(own),
        None => (order.wanted)(index),
    };
    let (compared, end) = frames::compare(plane, order.limits, from, bytes, &mut wanted, &mut frames::whole, steps)?;
    complete(&end, laid).map(|()| compared)
}

fn write_first(
    plane: &mut dyn DataPlane,
    order: Order<'_>,
    first: First,
    steps: &mut dyn Steps,
    laid: &mut Laid,
) -> Result<(), String> {
    let (sender, receiver) = sync_channel(1);
    let len = frames::len(0, order.shape.bytes);
    // The receiver lives, and there is room for one.
    let _ = sender.send(Job::Frame { index: 0, len, data: first });
    drop(sender);
    let (written, end) = frames::write(plane, order.limits, None, &receiver, steps);
    laid.written.bytes += written.bytes;
    laid.written.unwritable.extend(&written.unwritable);
    complete(&end, laid)?;
    laid.first_written = written.unwritable.is_empty();
    if laid.first_written { Ok(()) } else { Err("the first MiB could not be written whole".into()) }
}

/// The blocks behind the content.
fn tail(plane: &mut dyn DataPlane, order: Order<'_>, steps: &mut dyn Steps, laid: &mut Laid) -> Result<(), String> {
    let capacity = plane.geometry().bytes();
    if order.tail == Tail::Leave || capacity <= order.shape.bytes {
        return Ok(());
    }
    let mut ranges = Ranges::default();
    ranges.insert(order.shape.bytes, capacity - order.shape.bytes);
    steps.step("tail");
    if order.tail == Tail::Wipe {
        let key = random::bytes().map_err(|error| format!("no random key from the kernel: {error}"))?;
        over(plane, Mode::Write, Pattern::Stream(StreamKey(key)), &ranges, order, steps, laid)?;
    }
    over(plane, Mode::Write, Pattern::Byte(0), &ranges, order, steps, laid)?;
    laid.tail_matched = over(plane, Mode::Compare, Pattern::Byte(0), &ranges, order, steps, laid)?;
    Ok(())
}

/// A partition table's backup at the end of a larger drive.
fn behind(plane: &mut dyn DataPlane, order: Order<'_>, laid: &mut Laid) -> Result<(), String> {
    for (at, block) in order.shape.behind() {
        let mut buf = AlignedBuf::zeroed(block.len()).map_err(|error| error.to_string())?;
        buf.copy_from_slice(block);
        frames::write_one(plane, at, buf, order.limits.hang).map_err(|error| error.to_string())?;
    }
    plane.flush().map_err(|error| error.to_string())?;
    for (at, block) in order.shape.behind() {
        let buf = AlignedBuf::zeroed(block.len()).map_err(|error| error.to_string())?;
        let back = frames::read_one(plane, at, buf, order.limits.hang).map_err(|(error, _)| error.to_string())?;
        if back[..] != *block {
            return Err(format!("the partition table's backup at byte {at} was read back different"));
        }
        laid.moved += block.len() as u64;
    }
    Ok(())
}

fn over(
    plane: &mut dyn DataPlane,
    mode: Mode,
    pattern: Pattern,
    ranges: &Ranges,
    order: Order<'_>,
    steps: &mut dyn Steps,
    laid: &mut Laid,
) -> Result<u64, String> {
    let (found, end) = sweep::sweep(plane, mode, pattern, ranges, order.limits, steps);
    complete(&end, laid)?;
    if found.places() > 0 {
        return Err(format!("{} places behind the content could not be overwritten or read back", found.places()));
    }
    Ok(found.bytes)
}
