//! The map of a proved file system: one bit per block or cluster, read a piece at a time. What was counted for the proof
//! is remembered as one checksum per piece, so that the map that is used later is the map that was proved.

use super::doubt::{Doubt, ensure};
use crate::blocks::ReadAt;
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    ops::Range,
};

/// Bytes of bits in a piece: 2 GiB of disk with clusters of 4 KiB.
const PIECE: usize = 64 << 10;
const PIECE_UNITS: u64 = PIECE as u64 * 8;

/// Where a file system keeps which units are in use.
pub(super) trait Bits: fmt::Debug + Send + Sync {
    /// Sets the bits of the units in use (least significant first) among `units`; `bits` comes all zero and its length
    /// is that of `units` in whole bytes. `units.start` is a multiple of [`PIECE_UNITS`].
    fn fill(&self, volume: &dyn ReadAt, units: Range<u64>, bits: &mut [u8]) -> Result<(), Doubt>;
}

/// How the units lie on the volume. Everything outside is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Byte of the volume at which unit 0 begins.
    pub(super) origin: u64,
    /// Bytes of a unit.
    pub(super) unit: u64,
    /// How many.
    pub(super) units: u64,
}

impl Layout {
    /// Bytes of the volume from unit `units.start` up to `units.end`, without overflow even at the last.
    fn bytes(&self, units: &Range<u64>) -> Range<u64> {
        let at = |unit: u64| self.origin.saturating_add(unit.saturating_mul(self.unit));
        at(units.start)..at(units.end)
    }
}

/// A map whose every piece was read once and counted.
#[derive(Debug)]
pub(super) struct Map {
    layout: Layout,
    source: Box<dyn Bits>,
    /// Byte ranges of the volume in use whatever the bits say; sorted and disjoint.
    always: Vec<Range<u64>>,
    sums: Vec<u64>,
}

/// What reading a whole map gave.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) map: Map,
    /// The units in use.
    pub(super) used: u64,
    /// Bytes that need not be stored: free, and not always in use.
    pub(super) free: u64,
}

impl Map {
    /// Reads all pieces once. `always` must be sorted and disjoint.
    pub(super) fn count(
        volume: &dyn ReadAt,
        layout: Layout,
        source: Box<dyn Bits>,
        always: &[Range<u64>],
    ) -> Result<Counted, Doubt> {
        let end = layout.units.checked_mul(layout.unit).and_then(|len| len.checked_add(layout.origin));
        // A last unit may be cut off by the end of the volume (ext4 with clusters of blocks).
        let limit = volume.size().saturating_add(layout.unit);
        ensure(layout.unit > 0 && end.is_some_and(|end| end < limit), || {
            Doubt::damaged("the file system is longer than its partition")
        })?;
        let mut map = Self { layout, source, always: always.to_vec(), sums: Vec::new() };
        let (mut used, mut free) = (0, 0);
        for piece in 0..layout.units.div_ceil(PIECE_UNITS) {
            let units = map.units(piece);
            let bits = map.read(volume, &units)?;
            map.sums.push(checksum(&bits));
            runs(&bits, units, |run, in_use| {
                if in_use {
                    used += run.end - run.start;
                } else {
                    map.free_of(&run, volume.size(), &mut |range| free += range.end - range.start);
                }
            });
        }
        Ok(Counted { map, used, free })
    }

    fn units(&self, piece: u64) -> Range<u64> {
        let start = piece.saturating_mul(PIECE_UNITS);
        start..start.saturating_add(PIECE_UNITS).min(self.layout.units)
    }

    fn read(&self, volume: &dyn ReadAt, units: &Range<u64>) -> Result<Vec<u8>, Doubt> {
        let len = usize::try_from((units.end - units.start).div_ceil(8)).unwrap_or(PIECE).min(PIECE);
        let mut bits = vec![0; len];
        self.source.fill(volume, units.clone(), &mut bits)?;
        Ok(bits)
    }

    /// The byte ranges of free units that need not be stored.
    fn free_of(&self, units: &Range<u64>, size: u64, found: &mut dyn FnMut(Range<u64>)) {
        let bytes = self.layout.bytes(units);
        let (mut at, end) = (bytes.start, bytes.end.min(size));
        for taken in &self.always {
            if taken.end > at && taken.start < end {
                if taken.start > at {
                    found(at..taken.start);
                }
                at = taken.end;
            }
        }
        if at < end {
            found(at..end);
        }
    }

    /// The free ranges within `window` (bytes of the volume), ascending. `held` keeps the piece last read.
    pub(super) fn free(
        &self,
        volume: &dyn ReadAt,
        window: &Range<u64>,
        held: &mut Held,
        found: &mut Vec<Range<u64>>,
    ) -> Result<(), Doubt> {
        let Layout { origin, unit, units } = self.layout;
        let first = window.start.saturating_sub(origin) / unit;
        let end = window.end.saturating_sub(origin).div_ceil(unit).min(units);
        let mut at = first;
        while at < end {
            let piece = at / PIECE_UNITS;
            let all = self.units(piece);
            held.load(piece, || self.proved(volume, piece, &all))?;
            let part = at..end.min(all.end);
            at = all.end;
            held.runs(&all, part, |run| {
                self.free_of(&run, volume.size(), &mut |range| {
                    let range = range.start.max(window.start)..range.end.min(window.end);
                    if range.start < range.end {
                        found.push(range);
                    }
                });
            });
        }
        Ok(())
    }

    /// A piece as it was when it was proved.
    fn proved(&self, volume: &dyn ReadAt, piece: u64, units: &Range<u64>) -> Result<Vec<u8>, Doubt> {
        let bits = self.read(volume, units)?;
        let sum = usize::try_from(piece).ok().and_then(|piece| self.sums.get(piece));
        ensure(sum == Some(&checksum(&bits)), || Doubt::damaged("the map reads differently than when it was proved"))?;
        Ok(bits)
    }
}

/// The piece of a map last read, or why it could not be: a bad sector is not tried again for each window.
#[derive(Debug, Default)]
pub(super) struct Held {
    piece: Option<u64>,
    bits: Option<Vec<u8>>,
}

impl Held {
    fn load(&mut self, piece: u64, read: impl FnOnce() -> Result<Vec<u8>, Doubt>) -> Result<(), Doubt> {
        if self.piece != Some(piece) {
            *self = Self { piece: Some(piece), bits: None };
            self.bits = Some(read()?);
        }
        ensure(self.bits.is_some(), || Doubt::damaged("this part of the map could not be read before"))
    }

    /// Calls `found` with the free runs of `part`; the held bits begin at `all.start`.
    fn runs(&self, all: &Range<u64>, part: Range<u64>, mut found: impl FnMut(Range<u64>)) {
        let Some(bits) = &self.bits else { return };
        // Whole bytes before the part are left out; the bits in between are skipped by cutting the runs.
        let skipped = (part.start - all.start) / 8;
        let bits = usize::try_from(skipped).ok().and_then(|skipped| bits.get(skipped..)).unwrap_or_default();
        runs(bits, all.start + skipped * 8..part.end, |run, in_use| {
            let run = run.start.max(part.start)..run.end;
            if !in_use && run.start < run.end {
                found(run);
            }
        });
    }
}

/// Answers for single units out of the pieces last asked for, 4 MiB of them at most.
pub(super) struct Lookup<'a> {
    map: &'a Map,
    volume: &'a dyn ReadAt,
    held: BTreeMap<u64, Vec<u8>>,
    order: VecDeque<u64>,
}

impl<'a> Lookup<'a> {
    const MOST: usize = 64;

    pub(super) fn new(map: &'a Map, volume: &'a dyn ReadAt) -> Self {
        Self { map, volume, held: BTreeMap::new(), order: VecDeque::new() }
    }

    /// Fails unless all of `units` exist and are in use; `who` says whose they are.
    pub(super) fn in_use(&mut self, units: Range<u64>, who: impl Fn() -> String) -> Result<(), Doubt> {
        ensure(units.start <= units.end && units.end <= self.map.layout.units, || {
            Doubt::damaged(format!("{} lies behind the end of the file system", who()))
        })?;
        let mut at = units.start;
        while at < units.end {
            let piece = at / PIECE_UNITS;
            let all = self.map.units(piece);
            let end = units.end.min(all.end);
            let bits = self.piece(piece, &all)?;
            let free = first_free(bits, at - all.start..end - all.start);
            ensure(free.is_none(), || {
                let unit = all.start.saturating_add(free.unwrap_or_default());
                Doubt::damaged(format!("{} lies in block {unit} of the map, which is called free", who()))
            })?;
            at = end;
        }
        Ok(())
    }

    fn piece(&mut self, piece: u64, units: &Range<u64>) -> Result<&[u8], Doubt> {
        if !self.held.contains_key(&piece) {
            let bits = self.map.proved(self.volume, piece, units)?;
            if self.order.len() >= Self::MOST {
                self.order.pop_front().map(|oldest| self.held.remove(&oldest));
            }
            self.order.push_back(piece);
            self.held.insert(piece, bits);
        }
        self.held.get(&piece).map(Vec::as_slice).ok_or(Doubt::Short { what: "the map" })
    }
}

/// The first of these bits that is not set, or is not there.
fn first_free(bits: &[u8], range: Range<u64>) -> Option<u64> {
    let mut at = range.start;
    while at < range.end {
        let byte = usize::try_from(at / 8).ok().and_then(|at| bits.get(at)).copied().unwrap_or_default();
        if byte == 0xff {
            at = (at / 8 + 1) * 8;
        } else if byte >> (at % 8) & 1 == 0 {
            return Some(at);
        } else {
            at += 1;
        }
    }
    None
}

fn checksum(bits: &[u8]) -> u64 {
    let hash = blake3::hash(bits);
    hash.as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

/// Calls `found` with each run of units that are all in use or all free. Bit 0 of `bits` is unit `units.start`.
fn runs(bits: &[u8], units: Range<u64>, mut found: impl FnMut(Range<u64>, bool)) {
    let len = (units.end.saturating_sub(units.start)).min(bits.len() as u64 * 8);
    let (mut at, mut start, mut state) = (0, 0, None);
    for chunk in bits.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let word = u64::from_le_bytes(word);
        let end = (at + chunk.len() as u64 * 8).min(len);
        let base = at;
        while at < end {
            let rest = word >> (at - base);
            let in_use = rest & 1 == 1;
            let same = if in_use { rest.trailing_ones() } else { rest.trailing_zeros() };
            let next = at.saturating_add(u64::from(same)).min(end);
            if state != Some(in_use) {
                if let Some(state) = state {
                    found(units.start + start..units.start + at, state);
                }
                (start, state) = (at, Some(in_use));
            }
            at = next;
        }
    }
    if let Some(state) = state.filter(|_| start < len) {
        found(units.start + start..units.start + len, state);
    }
}

#[cfg(test)]
mod tests;
