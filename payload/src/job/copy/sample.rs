//! How large an image will be, from a sample of the disk: a store that has no room for all that is read may have enough for what
//! that is compressed.

use super::level;
use crate::{
    blocks::ReadAt,
    content::Survey,
    engine::frames,
    imagefile::{Compressor, FRAME},
};

/// Frames that are looked at, and how many more places are tried where most of them are free.
const FRAMES: u64 = 192;
const PLACES: [u64; 2] = [FRAMES, 16 * FRAMES];
/// Fewer than this say nothing.
const ENOUGH: usize = 12;
/// A drive that reads badly is not read more often than needed.
const ERRORS: usize = 3;
/// The level that stands for one that follows the bottleneck.
const LEVEL: i32 = 1;

/// Bytes of the frames that hold something, once they are compressed, with room for what a sample does not see: two standard errors and
/// 5 %. `None` where it cannot be told; what is read is then the measure.
pub(super) fn estimate(survey: &Survey, disk: &dyn ReadAt, wish: level::Wish) -> Option<u64> {
    let level = match wish {
        level::Wish::Fixed(level) => level.number(),
        level::Wish::Adaptive => LEVEL,
    };
    let found = PLACES.iter().map(|places| look(survey, disk, level, *places)).find(|found| found.len() >= ENOUGH)?;
    let count = found.len() as f64;
    let (used, packed) = found.iter().fold((0.0, 0.0), |(used, packed), one| (used + one.0, packed + one.1));
    let ratio = packed / used;
    let spread = found.iter().map(|(used, packed)| (packed - ratio * used).powi(2)).sum::<f64>() / (count - 1.0);
    let error = (spread / count).sqrt() / (used / count);
    let share = (ratio + 2.0 * error) * 1.05;
    let bytes = survey.bytes_used();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a size, never below zero")]
    let bytes = (bytes as f64 * share).min(bytes as f64 * 1.01) as u64;
    Some(bytes)
}

/// Used and packed bytes of frames spread over the disk, one in each of as many equal parts; nothing where it reads badly.
fn look(survey: &Survey, disk: &dyn ReadAt, level: i32, places: u64) -> Vec<(f64, f64)> {
    let (mut allocation, mut compressor) = (survey.allocation(disk), Compressor::new());
    let (mut raw, mut found, mut errors) = (vec![0; FRAME], Vec::new(), 0);
    let all = frames::count(disk.size());
    let places = places.min(all);
    for place in 0..places {
        // Not the same place in each part: what is laid out evenly would be hit, or missed, every time.
        let (first, next) = (place * all / places, (place + 1) * all / places);
        let index = first + place.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (next - first);
        let start = index * FRAME as u64;
        let len = (disk.size() - start).min(FRAME as u64);
        let used = allocation.used(start, len);
        let bytes: u64 = used.iter().map(|range| range.end - range.start).sum();
        if bytes == 0 {
            continue;
        }
        raw.fill(0);
        let at = |byte: u64| usize::try_from(byte - start).unwrap_or(0);
        let read = |range: &std::ops::Range<u64>| disk.read_at(range.start, &mut raw[at(range.start)..at(range.end)]);
        if used.iter().map(read).any(|read| read.is_err()) {
            errors += 1;
            if errors > ERRORS {
                return Vec::new();
            }
            continue;
        }
        let Ok(packed) = compressor.compress(level, &raw[..at(start + len)]) else { return Vec::new() };
        found.push((bytes as f64, packed.len() as f64));
        if found.len() as u64 == FRAMES && places == FRAMES {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content;

    const MIB: usize = 1 << 20;

    fn noise(mib: usize) -> Vec<u8> {
        let mut bytes = vec![0; mib * MIB];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }

    fn of(disk: &Vec<u8>) -> u64 {
        estimate(&content::survey(disk, 512), disk, level::Wish::Adaptive).unwrap()
    }

    #[test]
    fn noise_is_as_large_as_it_is_and_zeros_are_nothing() {
        let all = noise(64);
        assert!((64 * MIB as u64..65 * MIB as u64).contains(&of(&all)));
        assert!(of(&vec![0; 64 * MIB]) < MIB as u64);
    }

    #[test]
    fn of_a_mixture_it_is_told_within_its_error() {
        let mut disk = vec![0; 128 * MIB];
        for (place, frame) in disk.chunks_exact_mut(MIB).enumerate() {
            // A third of the frames, unevenly.
            if blake3::hash(&place.to_le_bytes()).as_bytes()[0] < 85 {
                frame.copy_from_slice(&noise(1));
            }
        }
        let packed: usize = disk.chunks(MIB).map(|frame| zstd::bulk::compress(frame, 1).unwrap().len()).sum();
        let found = of(&disk);
        assert!(found >= packed as u64 && found < 2 * packed as u64, "{found} for {packed}");
    }

    #[test]
    fn a_disk_that_cannot_be_read_tells_nothing() {
        struct Broken(u64);
        impl ReadAt for Broken {
            fn size(&self) -> u64 {
                self.0
            }
            fn read_at(&self, _: u64, _: &mut [u8]) -> std::io::Result<()> {
                Err(std::io::Error::other("broken"))
            }
        }
        let disk = Broken(64 << 20);
        assert_eq!(estimate(&content::survey(&disk, 512), &disk, level::Wish::Adaptive), None);
    }
}
