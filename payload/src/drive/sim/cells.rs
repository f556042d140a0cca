//! The cells of a simulated disk: a medium that keeps its content and a write cache in front of it that does not.

use super::next_random;
use std::collections::{HashMap, VecDeque};

/// Unit of allocation; a chunk never written costs nothing.
const CHUNK: u64 = CHUNK_LEN as u64;
const CHUNK_LEN: usize = 64 * 1024;
/// Size of the write cache, as disks have; older writes go to the medium by themselves.
const CACHE_BYTES: usize = 8 * 1024 * 1024;

/// What the medium contains where nothing was ever written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    /// One byte everywhere.
    Byte(u8),
    /// Noise that depends on the seed and the position alone.
    Noise(u64),
}

#[derive(Debug)]
pub(super) struct Cells {
    background: Background,
    medium: HashMap<u64, Box<[u8]>>,
    /// Writes not yet on the medium, oldest first.
    cache: VecDeque<(u64, Vec<u8>)>,
    cached: usize,
}

impl Cells {
    pub(super) fn new(background: Background) -> Self {
        Self { background, medium: HashMap::new(), cache: VecDeque::new(), cached: 0 }
    }

    pub(super) fn read(&self, offset: u64, into: &mut [u8]) {
        let (background, medium) = (self.background, &self.medium);
        for_chunks(offset, into.len(), |index, within, range| {
            let to = &mut into[range];
            match medium.get(&index) {
                Some(chunk) => to.copy_from_slice(&chunk[within..within + to.len()]),
                None => to.copy_from_slice(&fresh(background, index)[within..within + to.len()]),
            }
        });
        for (at, bytes) in &self.cache {
            overlay(*at, bytes, offset, into);
        }
    }

    /// A write into the cache.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        match self.cache.back_mut() {
            // Neighbouring blocks of one request stay one entry.
            Some((at, last)) if *at + last.len() as u64 == offset && last.len() < 1 << 20 => {
                last.extend_from_slice(bytes)
            }
            _ => self.cache.push_back((offset, bytes.to_vec())),
        }
        self.cached += bytes.len();
        while self.cached > CACHE_BYTES {
            let Some((at, oldest)) = self.cache.pop_front() else { break };
            self.cached -= oldest.len();
            self.write_medium(at, &oldest);
        }
    }

    /// A write past the cache, newer than everything in it.
    pub(super) fn write_through(&mut self, offset: u64, bytes: &[u8]) {
        self.flush();
        self.write_medium(offset, bytes);
    }

    /// Brings everything to the medium.
    pub(super) fn flush(&mut self) {
        self.settle(|_| true, CHUNK);
    }

    /// Empties the cache: each piece of at most `block` bytes reaches the medium or is lost, as `keep` decides by offset.
    pub(super) fn settle(&mut self, mut keep: impl FnMut(u64) -> bool, block: u64) {
        self.cached = 0;
        for (mut at, bytes) in std::mem::take(&mut self.cache) {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let len = usize::try_from(block - at % block).unwrap_or(usize::MAX).min(rest.len());
                let (piece, tail) = rest.split_at(len);
                if keep(at) {
                    self.write_medium(at, piece);
                }
                at += len as u64;
                rest = tail;
            }
        }
    }

    fn write_medium(&mut self, offset: u64, bytes: &[u8]) {
        let (background, medium) = (self.background, &mut self.medium);
        for_chunks(offset, bytes.len(), |index, within, range| {
            let from = &bytes[range];
            let chunk = medium.entry(index).or_insert_with(|| fresh(background, index));
            chunk[within..within + from.len()].copy_from_slice(from);
        });
    }
}

/// Splits a range of the disk at chunk boundaries: index of the chunk, offset within it, range of the caller's bytes.
fn for_chunks(offset: u64, len: usize, mut each: impl FnMut(u64, usize, std::ops::Range<usize>)) {
    let mut done = 0;
    while done < len {
        let at = offset + done as u64;
        let within = usize::try_from(at % CHUNK).unwrap_or(0);
        let here = (CHUNK_LEN - within).min(len - done);
        each(at / CHUNK, within, done..done + here);
        done += here;
    }
}

fn fresh(background: Background, index: u64) -> Box<[u8]> {
    match background {
        Background::Byte(byte) => vec![byte; CHUNK_LEN].into(),
        Background::Noise(seed) => {
            let mut state = seed ^ index.wrapping_mul(0xd134_2543_de82_ef95);
            (0..CHUNK / 8).flat_map(|_| next_random(&mut state).to_le_bytes()).collect()
        }
    }
}

/// Copies the part of `bytes` (at `at`) that lies within `into` (at `offset`).
fn overlay(at: u64, bytes: &[u8], offset: u64, into: &mut [u8]) {
    let from = at.max(offset);
    let to = (at + bytes.len() as u64).min(offset + into.len() as u64);
    if from < to {
        let part = |base: u64| -> Option<std::ops::Range<usize>> {
            Some(usize::try_from(from - base).ok()?..usize::try_from(to - base).ok()?)
        };
        if let (Some(source), Some(target)) = (part(at), part(offset)) {
            into[target].copy_from_slice(&bytes[source]);
        }
    }
}
