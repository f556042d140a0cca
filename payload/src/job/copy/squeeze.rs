//! Frames on their way into an image: read by one thread, compressed by several, written by one, in order.
//!
//! What is under way is bounded: the buffers by their pool, all frames by a number.

use super::{digest::Stream, level::Governor};
use crate::{
    engine::frames::Buffer,
    imagefile::{Compressor, Entry, constant},
};
use std::{
    collections::BTreeMap,
    io,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread,
    time::Instant,
};

/// Frames between reading and writing.
const AHEAD: usize = 32;

/// A frame as it comes from the source.
#[derive(Debug, Clone)]
pub enum Raw {
    Data(Arc<Buffer>),
    /// Known to be zeros without being read, so many frames of a group.
    Zeros(u16),
    /// Not read: the file system calls so many frames of a group free. They count as zeros.
    Free(u16),
    /// Not read yet, or only in part.
    Bad,
}

impl Raw {
    /// How many frames it is of.
    fn frames(&self) -> u16 {
        match self {
            Self::Zeros(frames) | Self::Free(frames) => *frames,
            Self::Data(_) | Self::Bad => 1,
        }
    }
}

/// A frame, or a run of them, as it goes into the image.
#[derive(Debug)]
pub struct Packed {
    pub entry: io::Result<Entry>,
    pub frames: u16,
    /// Which of it is in use.
    pub used: Vec<Range<u64>>,
}

/// Whether the earlier image's frame has this BLAKE3.
pub type Known<'a> = &'a (dyn Fn(u64, &[u8; 32]) -> bool + Sync);

/// What the compressing threads need to know.
#[derive(Clone, Copy)]
pub struct Press<'a> {
    pub threads: usize,
    pub governor: &'a Governor,
    pub known: Option<Known<'a>>,
}

impl std::fmt::Debug for Press<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Press({} threads)", self.threads)
    }
}

struct Task {
    index: u64,
    raw: Raw,
    used: Vec<Range<u64>>,
}

/// Hands frames to the threads.
pub struct Feed {
    tasks: Option<SyncSender<Task>>,
    hash: Option<SyncSender<(u64, Raw)>>,
    tokens: SyncSender<()>,
    broken: Arc<AtomicBool>,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Feed")
    }
}

impl Feed {
    /// Gives a frame away, or a run of `len` bytes; false where nobody writes any more.
    pub fn give(&mut self, index: u64, len: u64, raw: Raw, used: Vec<Range<u64>>) -> bool {
        if self.broken.load(Ordering::Relaxed) || self.tokens.send(()).is_err() {
            return false;
        }
        // Behind the first frame that is not whole the digest cannot go on.
        if matches!(raw, Raw::Bad) {
            self.hash = None;
        }
        if self.hash.as_ref().is_some_and(|hash| hash.send((len, raw.clone())).is_err()) {
            self.hash = None;
        }
        self.tasks.as_ref().is_some_and(|tasks| tasks.send(Task { index, raw, used }).is_ok())
    }
}

/// Runs `produce` on this thread, which gives frames in ascending order; `consume` gets them in that order on another.
/// `stream` hashes the content up to the first bad frame. The first error of `consume` comes back beside the producer's
/// result.
pub fn run<T, E: Send>(
    press: Press<'_>,
    from: u64,
    stream: &mut Stream,
    produce: impl FnOnce(&mut Feed) -> T,
    consume: impl FnMut(u64, Packed) -> Result<(), E> + Send,
) -> (T, Result<(), E>) {
    let (task_sender, tasks) = sync_channel::<Task>(AHEAD);
    let (hash_sender, hashed) = sync_channel(8);
    let (token_sender, tokens) = sync_channel(AHEAD);
    let (packed_sender, packed) = channel();
    let broken = Arc::new(AtomicBool::new(false));
    let tasks = Mutex::new(tasks);
    let idle = stream.is_idle();
    thread::scope(|scope| {
        for _ in 0..press.threads.max(1) {
            let (tasks, packed) = (&tasks, packed_sender.clone());
            scope.spawn(move || work(press, tasks, &packed));
        }
        drop(packed_sender);
        let hasher = scope.spawn(move || hash(&hashed, stream));
        let flag = Arc::clone(&broken);
        let writer = scope.spawn(move || put_in_order(&packed, &tokens, from, consume, &flag));
        let hash = (!idle).then_some(hash_sender);
        let mut feed = Feed { tasks: Some(task_sender), hash, tokens: token_sender, broken };
        let produced = produce(&mut feed);
        drop(feed);
        let _ = hasher.join();
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (produced, written)
    })
}

fn hash(frames: &Receiver<(u64, Raw)>, stream: &mut Stream) {
    for (len, raw) in frames {
        match raw {
            Raw::Data(data) => stream.update(&data),
            Raw::Zeros(_) | Raw::Free(_) | Raw::Bad => stream.update_zeros(len),
        }
    }
}

/// One compressing thread.
fn work(press: Press<'_>, tasks: &Mutex<Receiver<Task>>, packed: &Sender<(u64, Packed)>) {
    let mut compressor = Compressor::new();
    loop {
        let waiting = Instant::now();
        let task = tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Task { index, raw, used }) = task else { return };
        let idle = waiting.elapsed();
        let frames = raw.frames();
        let entry = match raw {
            Raw::Free(_) => Ok(Entry::Free),
            Raw::Zeros(_) => Ok(Entry::Zero),
            Raw::Bad => Ok(Entry::Slot),
            Raw::Data(data) => match constant(&data) {
                Some(0) => Ok(Entry::Zero),
                Some(value) if press.known.is_none() => Ok(Entry::Same(value)),
                _ => {
                    let entry = pack(press, &mut compressor, index, &data);
                    press.governor.compressed(idle);
                    entry
                }
            },
        };
        if packed.send((index, Packed { entry, frames, used })).is_err() {
            return;
        }
    }
}

fn pack(press: Press<'_>, compressor: &mut Compressor, index: u64, data: &[u8]) -> io::Result<Entry> {
    let hash = *blake3::hash(data).as_bytes();
    if press.known.is_some_and(|known| known(index, &hash)) {
        return Ok(Entry::InBase { hash });
    }
    let bytes = compressor.compress(press.governor.level().number(), data)?;
    Ok(Entry::Data { bytes, hash })
}

fn put_in_order<E>(
    packed: &Receiver<(u64, Packed)>,
    tokens: &Receiver<()>,
    from: u64,
    mut consume: impl FnMut(u64, Packed) -> Result<(), E>,
    broken: &AtomicBool,
) -> Result<(), E> {
    let mut waiting = BTreeMap::new();
    let mut next = from;
    let mut result = Ok(());
    for (index, frame) in packed {
        waiting.insert(index, frame);
        while let Some(frame) = waiting.remove(&next) {
            let frames = u64::from(frame.frames);
            if result.is_ok() {
                result = consume(next, frame);
                // What still comes is taken and dropped, so that no thread waits for ever.
                broken.store(result.is_err(), Ordering::Relaxed);
            }
            next += frames;
            let _ = tokens.try_recv();
        }
    }
    result
}
