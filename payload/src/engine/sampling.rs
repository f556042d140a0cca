//! Where a sampled verification reads: NIST SP 800-88 Rev. 1, 4.7.
//!
//! The drive is cut into at least 1,000 equal subsections; in each, two samples that do not overlap, each at least 5 % of
//! the subsection, at pseudorandom places that are new in every run; besides, the first and the last block.

use super::{
    extents::Ranges,
    pattern::{Pattern, StreamKey},
};
use crate::drive::Geometry;

/// Subsections of a drive.
pub const SUBSECTIONS: u64 = 1000;
/// One sample is at least one part in this many of its subsection (5 %).
const SAMPLE_DIVISOR: u64 = 20;
const MARKER_DIVISOR: u64 = 19;

/// The ranges to read, ascending; all of a drive too small to be cut up. `seed` decides the places.
pub fn sample(geometry: &Geometry, seed: [u8; 32]) -> Ranges {
    places(geometry, seed, 2, SAMPLE_DIVISOR)
}

/// Where markers are put before a drive erases itself: one sample in each subsection and a little more than 5 % of the
/// drive, so that bad blocks among them leave 5 %; besides, the first and the last block.
pub fn markers(geometry: &Geometry, seed: [u8; 32]) -> Ranges {
    places(geometry, seed, 1, MARKER_DIVISOR)
}

/// `samples` (1 or 2) in each subsection, each one part in `divisor` of it.
fn places(geometry: &Geometry, seed: [u8; 32], samples: u64, divisor: u64) -> Ranges {
    let block = u64::from(geometry.logical());
    let mut ranges = Ranges::default();
    // Below two samples of one block each in every subsection there is nothing to choose.
    if geometry.blocks() < SUBSECTIONS * SAMPLE_DIVISOR {
        ranges.insert(0, geometry.bytes());
        return ranges;
    }
    let mut draws = Draws::new(seed);
    for section in 0..SUBSECTIONS {
        let start = geometry.blocks() * section / SUBSECTIONS;
        let end = geometry.blocks() * (section + 1) / SUBSECTIONS;
        let len = (end - start).div_ceil(divisor);
        // Each in its own part: any place within it, and so never overlapping.
        for part in 0..samples {
            let from = start + (end - start) * part / samples;
            let room = start + (end - start) * (part + 1) / samples - from;
            let at = from + draws.below(room - len + 1);
            ranges.insert(at * block, len * block);
        }
    }
    ranges.insert(0, block);
    ranges.insert(geometry.bytes() - block, block);
    ranges
}

/// Pseudorandom numbers from the keystream of a seed.
#[derive(Debug)]
pub struct Draws {
    stream: Pattern,
    drawn: u64,
}

impl Draws {
    /// Numbers that follow from `seed` alone.
    pub fn new(seed: [u8; 32]) -> Self {
        Self { stream: Pattern::Stream(StreamKey(seed)), drawn: 0 }
    }

    /// A number below `limit` (0 where `limit` is 0). The bias of the reduction is below 2⁻⁶⁴ × `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        let mut bytes = [0; 8];
        self.stream.fill(self.drawn * 8, &mut bytes);
        self.drawn += 1;
        u64::try_from((u128::from(u64::from_le_bytes(bytes)) * u128::from(limit)) >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(blocks: u64) -> Geometry {
        Geometry::new(blocks * 512, 512, 512).unwrap()
    }

    #[test]
    fn at_least_a_tenth_is_read_with_two_samples_in_every_subsection() {
        for blocks in [20_000, 20_001, 39_999, 1_000_003, 1_953_525_168] {
            let g = geometry(blocks);
            let ranges = sample(&g, [3; 32]);
            assert!(ranges.bytes() * 10 >= g.bytes(), "{blocks}");
            assert!(ranges.bytes() < g.bytes() / 3, "{blocks}");
            assert_eq!(ranges.as_slice()[0].start, 0);
            assert_eq!(ranges.as_slice().last().unwrap().end(), g.bytes());
            for section in 0..1000 {
                let (start, end) = (blocks * section / 1000 * 512, blocks * (section + 1) / 1000 * 512);
                let inside: u64 = ranges.bytes_before(end) - ranges.bytes_before(start);
                assert!(inside * 10 >= end - start, "{blocks}: section {section} has {inside} bytes");
            }
        }
    }

    #[test]
    fn markers_are_a_twentieth_of_the_drive_and_at_both_ends() {
        for blocks in [20_000, 20_001, 1_000_003, 1_953_525_168] {
            let g = geometry(blocks);
            let ranges = markers(&g, [3; 32]);
            assert!(ranges.bytes() * 20 >= g.bytes() && ranges.bytes() < g.bytes() / 6, "{blocks}");
            assert_eq!((ranges.as_slice()[0].start, ranges.as_slice().last().unwrap().end()), (0, g.bytes()));
        }
    }

    #[test]
    fn a_small_drive_is_read_whole_and_every_run_has_new_places() {
        assert_eq!(sample(&geometry(19_999), [3; 32]).bytes(), 19_999 * 512);
        assert_ne!(sample(&geometry(50_000), [3; 32]), sample(&geometry(50_000), [4; 32]));
    }

    #[test]
    fn draws_cover_their_range() {
        let mut draws = Draws::new([1; 32]);
        let mut seen = [0; 10];
        (0..10_000).for_each(|_| seen[usize::try_from(draws.below(10)).unwrap()] += 1);
        assert!(seen.iter().all(|&n| (850..1150).contains(&n)), "{seen:?}");
        assert_eq!(draws.below(1), 0);
    }
}
