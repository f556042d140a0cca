//! An image against its manifest: every byte of the file counts, and what is wrong is named.

use super::{
    format::FRAME,
    manifest::Manifest,
    reader::{ReadError, Reader},
    unpacker::{Unpacked, Unpacker},
    writer::hash_range,
};
use crate::job::{copy::digest::Stream, issue::hex};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel, sync_channel},
    },
    thread,
};

/// Damage that is listed; beyond that it is only counted.
const LISTED: usize = 1000;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Damage {
    /// A frame, with the words that name it.
    Frame { index: u64, what: String },
    /// Anything else of the file.
    File { what: String },
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Frame { what, .. } | Self::File { what } => f.write_str(what),
        }
    }
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Bytes of the disk whose frames were unpacked and had the right BLAKE3.
    pub bytes_good: u64,
    /// What is wrong, in the order of the disk; at most 1000.
    pub damage: Vec<Damage>,
    pub damaged: u64,
    /// Whether it was stopped before the end.
    pub stopped: bool,
}

impl Report {
    pub fn is_good(&self) -> bool {
        self.damaged == 0 && !self.stopped
    }

    fn add(&mut self, damage: Damage) {
        self.damaged += 1;
        if self.damage.len() < LISTED {
            self.damage.push(damage);
        }
    }

    fn file(&mut self, what: impl Into<String>) {
        self.add(Damage::File { what: what.into() });
    }
}

/// Checks everything. `stream` hashes the disk's content on the way, where that is wanted; `advanced` hears of bytes of the
/// disk and may ask to stop.
pub fn verify(
    reader: &Reader,
    manifest: &Manifest,
    threads: usize,
    stream: Option<&mut Stream>,
    advanced: &(dyn Fn(u64) -> bool + Sync),
) -> Report {
    let mut report = Report::default();
    if *reader.header() != manifest.image {
        report.file("the image's header is not the one in the manifest");
        return report;
    }
    files(reader, manifest, &mut report);
    sections(reader, manifest, &mut report);
    let digests = (0..reader.header().groups()).zip(&manifest.groups);
    for (group, listed) in digests {
        match reader.index(group) {
            Ok(index) if hex(&index.digest()) == listed.index => {}
            Ok(_) => report.file(format!("the index of group {group} is not the one in the manifest")),
            Err(error) => report.file(error.to_string()),
        }
    }
    match reader.root() {
        Ok(root) if hex(&root) == manifest.blake3_root => {}
        Ok(root) => report.file(format!("the root is {}, the manifest says {}", hex(&root), manifest.blake3_root)),
        Err(_) => {}
    }
    frames(reader, threads, stream, advanced, &mut report);
    report
}

fn files(reader: &Reader, manifest: &Manifest, report: &mut Report) {
    let found = reader.files();
    if found.len() != manifest.files.len() {
        report.file(format!("there are {} files, the manifest lists {}", found.len(), manifest.files.len()));
    }
    for ((path, bytes), listed) in found.iter().zip(&manifest.files) {
        if *bytes != listed.bytes {
            report.file(format!("{} has {bytes} bytes, the manifest says {}", path.display(), listed.bytes));
        }
    }
}

/// The bytes of every group and of what lies behind them, maps and padding included.
fn sections(reader: &Reader, manifest: &Manifest, report: &mut Report) {
    let mut check = |start: u64, end: u64, wanted: &str, name: String| match hash_range(&reader.volumes, start, end) {
        Ok(hash) if hex(&hash) == wanted => {}
        Ok(_) => {
            let (path, at) = reader.volumes.place(start);
            report.file(format!("{name} was changed: bytes {at} to {} of {}", at + (end - start), path.display()));
        }
        Err(error) => report.file(format!("{name} cannot be read: {error}")),
    };
    let header = reader.groups().first().map_or(0, |first| first.start);
    let written = blake3::hash(&manifest.image.encode()).to_hex().to_string();
    check(0, header, &written, "the header".into());
    for (number, (place, listed)) in reader.groups().iter().zip(&manifest.groups).enumerate() {
        check(place.start, place.end, &listed.file, format!("group {number}"));
    }
    let behind = reader.groups().last().map_or(0, |last| last.end);
    check(behind, reader.file_bytes(), &manifest.tail_blake3, "the part behind the last group".into());
}

/// Frames, and what was found in them.
type Done = (Range<u64>, Found);

enum Found {
    One(Result<Option<Unpacked>, ReadError>),
    /// All of them are right and have this value.
    Same(u8),
}

fn frames(
    reader: &Reader,
    threads: usize,
    stream: Option<&mut Stream>,
    advanced: &(dyn Fn(u64) -> bool + Sync),
    report: &mut Report,
) {
    let unpacker = match Unpacker::new() {
        Ok(unpacker) => unpacker,
        Err(error) => return report.file(format!("no memory to unpack it: {error}")),
    };
    let (task_sender, tasks) = sync_channel::<Range<u64>>(16);
    let (token_sender, tokens) = sync_channel(16);
    let (done_sender, done) = channel::<Done>();
    let tasks = Mutex::new(tasks);
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let (tasks, done, unpacker) = (&tasks, done_sender.clone(), &unpacker);
            scope.spawn(move || {
                loop {
                    let task = tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(frames) = task else { return };
                    if !look(reader, unpacker, frames, &done) {
                        return;
                    }
                }
            });
        }
        drop(done_sender);
        let count = reader.header().frames();
        scope.spawn(move || {
            let mut next = 0;
            while next < count {
                // Of a damaged group each frame is told alone.
                let frames = next..next.saturating_add(reader.run_len(next).unwrap_or(1)).min(count);
                next = frames.end;
                if token_sender.send(()).is_err() || task_sender.send(frames).is_err() {
                    return;
                }
            }
        });
        in_order(reader, &done, tokens, stream, advanced, report);
    });
}

/// Unpacks and proves frames, or the run that they are; false where nobody listens any more. A run that is not right is taken
/// apart, so that what of it is damaged has a name.
fn look(reader: &Reader, unpacker: &Unpacker, frames: Range<u64>, done: &Sender<Done>) -> bool {
    if frames.end - frames.start > 1
        && let Ok(Some(value)) = unpacker.run(reader, frames.clone())
    {
        return done.send((frames, Found::Same(value))).is_ok();
    }
    // Zeros are unpacked as well: every byte of the file counts.
    frames
        .into_iter()
        .all(|index| done.send((index..index + 1, Found::One(unpacker.frame_whatever_it_is(reader, index)))).is_ok())
}

fn in_order(
    reader: &Reader,
    done: &Receiver<Done>,
    tokens: Receiver<()>,
    mut stream: Option<&mut Stream>,
    advanced: &(dyn Fn(u64) -> bool + Sync),
    report: &mut Report,
) {
    let zeros = vec![0; FRAME];
    let mut waiting = BTreeMap::new();
    let mut next = 0;
    for (frames, found) in done {
        waiting.insert(frames.start, (frames.end, found));
        while let Some((end, found)) = waiting.remove(&next) {
            let lens = (next..end).map(|index| reader.header().frame_len(index));
            let len = lens.clone().map(|len| len as u64).sum();
            match found {
                Found::Same(value) => {
                    report.bytes_good += len;
                    if let Some(stream) = stream.as_mut().filter(|stream| !stream.is_idle()) {
                        let same = vec![value; FRAME];
                        lens.for_each(|len| stream.update(&same[..len]));
                    }
                }
                Found::One(Ok(content)) => {
                    report.bytes_good += len;
                    let data = content.as_ref().map_or(&zeros[..], AsRef::as_ref);
                    stream.iter_mut().for_each(|stream| stream.update(&data[..reader.header().frame_len(next)]));
                }
                // One damaged index spoils a thousand frames and is told once.
                Found::One(Err(ReadError::Index { .. })) => report.damaged += 1,
                Found::One(Err(error)) => report.add(Damage::Frame { index: next, what: error.to_string() }),
            }
            next = end;
            let _ = tokens.try_recv();
            if !advanced(len) {
                report.stopped = true;
                return;
            }
        }
    }
    report.stopped |= next != reader.header().frames();
}
