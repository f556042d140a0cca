//! What is to be done with the next frames of a disk: read them, or pass a run of them that is free or known to be zeros.

use crate::{
    content::Allocation,
    engine::frames::{self, FRAME},
    imagefile::GROUP,
};
use std::ops::Range;

/// Bytes of a group of an image: no run is longer, and so much of a map is looked at together.
const WINDOW: u64 = GROUP * FRAME as u64;

/// Frames, and which of their bytes are in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Next {
    pub(super) frames: u16,
    pub(super) used: Vec<Range<u64>>,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing of it is in use.
    Free,
    /// Zeros, without being read.
    Hole,
    /// It must be read.
    Read,
}

/// Walks the map of what is in use, a window at a time.
pub(super) struct Ahead<'a, 'b> {
    allocation: &'a mut Allocation<'b>,
    bytes: u64,
    window: Range<u64>,
    used: Vec<Range<u64>>,
    /// The first of `used` that ends behind what was asked for last.
    at: usize,
    /// Bytes that are known to be zeros.
    hole: Range<u64>,
}

impl std::fmt::Debug for Ahead<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ahead").field("window", &self.window).finish_non_exhaustive()
    }
}

impl<'a, 'b> Ahead<'a, 'b> {
    pub(super) fn new(allocation: &'a mut Allocation<'b>, bytes: u64) -> Self {
        Self { allocation, bytes, window: 0..0, used: Vec::new(), at: 0, hole: 0..0 }
    }

    /// The run that begins at frame `index`; the frames must ascend. `hole` tells how many bytes from an offset on are known to
    /// be zeros.
    pub(super) fn next(&mut self, index: u64, hole: &mut dyn FnMut(u64) -> u64) -> Next {
        let start = frames::start(index);
        self.load(start);
        while self.used.get(self.at).is_some_and(|range| range.end <= start) {
            self.at += 1;
        }
        let until = self.used.get(self.at).map_or(self.window.end, |range| range.start);
        if let Some(frames) = self.whole(start, until) {
            return Next { frames, used: Vec::new(), kind: Kind::Free };
        }
        if !self.hole.contains(&start) {
            self.hole = start..start.saturating_add(hole(start));
        }
        let (frames, kind) = match self.whole(start, self.hole.end) {
            Some(frames) => (frames, Kind::Hole),
            None => (1, Kind::Read),
        };
        let end = (start + u64::from(frames) * FRAME as u64).min(self.window.end);
        let here = self.used[self.at..].iter().take_while(|range| range.start < end);
        let used = here.map(|range| range.start.max(start)..range.end.min(end)).collect();
        Next { frames, used, kind }
    }

    fn load(&mut self, start: u64) {
        if !self.window.contains(&start) {
            let begin = start / WINDOW * WINDOW;
            self.window = begin..self.bytes.min(begin + WINDOW);
            self.used = self.allocation.used(begin, self.window.end - begin);
            self.at = 0;
        }
    }

    /// How many whole frames of the window lie before `until`, if any.
    fn whole(&self, start: u64, until: u64) -> Option<u16> {
        let until = until.min(self.window.end);
        let len = until.saturating_sub(start);
        // The disk's last frame may be shorter.
        let frames = if until == self.bytes { len.div_ceil(FRAME as u64) } else { len / FRAME as u64 };
        u16::try_from(frames).ok().filter(|frames| *frames > 0)
    }
}
