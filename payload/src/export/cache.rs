//! Frames of an image that were unpacked and proved, kept for the next small read: a frame is a thousand times what a file system asks
//! for at once.

use super::FRAME;
use crate::{
    blocks::ReadAt,
    imagefile::{Decompressor, Reader},
};
use std::{
    collections::HashMap,
    fs, io,
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Bytes that are kept: a quarter of what is free, within this.
const BYTES: RangeInclusive<u64> = 64 << 20..=1 << 30;
/// Ready to unpack, for as many readers at once.
const CODECS: usize = 16;

/// An image, read through what is kept of it.
#[derive(Debug)]
pub struct Cached<'a> {
    image: &'a Reader,
    kept: Mutex<Kept>,
    codecs: Mutex<Vec<Decompressor>>,
    most: usize,
}

/// A frame's content; `None` is zeros.
type Frame = Option<Arc<Vec<u8>>>;

#[derive(Debug, Default)]
struct Kept {
    /// With the time of the last use.
    frames: HashMap<u64, (Frame, u64)>,
    now: u64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a> Cached<'a> {
    /// Nothing is kept yet.
    pub fn new(image: &'a Reader) -> Self {
        let bytes = (available().unwrap_or(0) / 4).clamp(*BYTES.start(), *BYTES.end());
        Self::with(image, usize::try_from(bytes / FRAME).unwrap_or(64))
    }

    fn with(image: &'a Reader, most: usize) -> Self {
        Self { image, kept: Mutex::default(), codecs: Mutex::default(), most }
    }

    fn frame(&self, index: u64) -> io::Result<Frame> {
        {
            let mut kept = locked(&self.kept);
            kept.now += 1;
            let now = kept.now;
            if let Some((frame, used)) = kept.frames.get_mut(&index) {
                *used = now;
                return Ok(frame.clone());
            }
        }
        // Nobody else waits while it is unpacked; it may be unpacked twice.
        let codec = locked(&self.codecs).pop();
        let mut codec = codec.map_or_else(Decompressor::new, Ok)?;
        let frame = self.image.frame(index, &mut codec).map_err(io::Error::other)?.map(Arc::new);
        let mut codecs = locked(&self.codecs);
        if codecs.len() < CODECS {
            codecs.push(codec);
        }
        drop(codecs);
        locked(&self.kept).put(index, frame.clone(), self.most);
        Ok(frame)
    }
}

impl Kept {
    fn put(&mut self, index: u64, frame: Frame, most: usize) {
        if self.frames.len() >= most {
            // An eighth of them at once, so that those used last need not be looked for each time.
            let mut times: Vec<u64> = self.frames.values().map(|(_, used)| *used).collect();
            let (_, middle, _) = times.select_nth_unstable(most / 8);
            let oldest = *middle;
            self.frames.retain(|_, (_, used)| *used > oldest);
        }
        self.frames.insert(index, (frame, self.now));
    }
}

impl ReadAt for Cached<'_> {
    fn size(&self) -> u64 {
        self.image.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.size()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let within = usize::try_from(at % FRAME).unwrap_or(0);
            let len = rest.len().min(usize::try_from(FRAME).unwrap_or(usize::MAX) - within);
            let (now, later) = rest.split_at_mut(len);
            match self.frame(at / FRAME)? {
                Some(frame) => {
                    now.copy_from_slice(frame.get(within..within + len).ok_or(io::ErrorKind::UnexpectedEof)?)
                }
                None => now.fill(0),
            }
            at += len as u64;
            rest = later;
        }
        Ok(())
    }
}

/// Memory that can be used without anything being swapped (proc_meminfo(5)).
fn available() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_used_last_are_kept() {
        let mut kept = Kept::default();
        for index in 0..100 {
            kept.now += 1;
            kept.put(index, None, 16);
            // The first is asked for all the time.
            kept.frames.entry(0).and_modify(|(_, used)| *used = kept.now);
        }
        assert!(kept.frames.len() <= 16 && kept.frames.contains_key(&0) && kept.frames.contains_key(&99));
        assert!(!kept.frames.contains_key(&1));
    }
}
