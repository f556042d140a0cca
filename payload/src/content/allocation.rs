//! Which bytes of a disk are in use, window by window.

use super::{
    Survey, Treatment,
    map::{Held, Map},
};
use crate::blocks::{Part, ReadAt};
use std::{fmt, ops::Range, sync::Arc};

/// Walks the maps of a survey. What is in no map, or in a map that cannot be read again as it was, is in use.
pub struct Allocation<'a> {
    disk: &'a dyn ReadAt,
    volumes: Vec<Mapped>,
    fallbacks: Vec<Fallback>,
}

struct Mapped {
    number: u32,
    /// Bytes of the disk.
    range: Range<u64>,
    map: Arc<Map>,
    held: Held,
}

/// A part of a map that could not be used after all; what it describes was taken whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// The volume's number.
    pub volume: u32,
    /// Why, for the first such part.
    pub reason: String,
    /// How many windows of it were taken whole.
    pub windows: u64,
}

impl fmt::Debug for Allocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Allocation").field("fallbacks", &self.fallbacks).finish_non_exhaustive()
    }
}

impl<'a> Allocation<'a> {
    pub(super) fn new(survey: &Survey, disk: &'a dyn ReadAt) -> Self {
        let mapped = survey.volumes.iter().filter_map(|volume| {
            let map = volume.map.clone().filter(|_| matches!(volume.treatment, Treatment::Used { .. }))?;
            let range = volume.start..volume.start.saturating_add(volume.len);
            Some(Mapped { number: volume.number, range, map, held: Held::default() })
        });
        // Another disk, or one that changed its size, is not the one that was surveyed.
        let mut volumes: Vec<_> = mapped.filter(|_| survey.size == disk.size()).collect();
        volumes.sort_by_key(|volume| volume.range.start);
        Self { disk, volumes, fallbacks: Vec::new() }
    }

    /// The ranges in use within `start..start+len` (bytes of the disk), sorted, disjoint and merged. In any doubt: all.
    /// Fastest with ascending windows.
    pub fn used(&mut self, start: u64, len: u64) -> Vec<Range<u64>> {
        let window = start..start.saturating_add(len);
        let mut free: Vec<Range<u64>> = Vec::new();
        for volume in &mut self.volumes {
            let within = volume.range.start.max(window.start)..volume.range.end.min(window.end);
            if within.start >= within.end {
                continue;
            }
            let base = volume.range.start;
            let part = Part::new(self.disk, base, volume.range.end - base);
            let before = free.len();
            let local = within.start - base..within.end - base;
            if let Err(doubt) = volume.map.free(&part, &local, &mut volume.held, &mut free) {
                free.truncate(before);
                note(&mut self.fallbacks, volume.number, &doubt);
            }
            for range in &mut free[before..] {
                *range = range.start + base..range.end + base;
            }
        }
        complement(&window, &free)
    }

    /// Volumes whose map could not be used everywhere.
    pub fn fallbacks(&self) -> &[Fallback] {
        &self.fallbacks
    }

    /// Whether any part of a map could not be used.
    pub fn any_raw_fallback(&self) -> bool {
        !self.fallbacks.is_empty()
    }
}

fn note(fallbacks: &mut Vec<Fallback>, volume: u32, doubt: &super::doubt::Doubt) {
    match fallbacks.iter_mut().find(|fallback| fallback.volume == volume) {
        Some(fallback) => fallback.windows += 1,
        None => fallbacks.push(Fallback { volume, reason: doubt.to_string(), windows: 1 }),
    }
}

/// What of `window` is in none of `free`, which is ascending.
fn complement(window: &Range<u64>, free: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut used = Vec::new();
    let mut at = window.start;
    for range in free {
        if range.start > at {
            used.push(at..range.start);
        }
        at = at.max(range.end);
    }
    if at < window.end {
        used.push(at..window.end);
    }
    used
}
