//! Whether a disk looks random. Not a test of a cipher: it tells noise from leftovers, patterns, a key stream that was
//! used twice and a generator that got stuck.

use crate::disk::sparse;
use anyhow::{Result, ensure};
use std::path::Path;

/// Standard deviations that a sum of squares may lie from its mean: chance alone gets there once in 10^11 disks.
const SIGMA: f64 = 8.0;

/// Words of 8 bytes that are enough to judge byte values, and byte pairs as well.
const FEW: usize = 1 << 10;
const ENOUGH: usize = 1 << 15;

/// Byte values and, from 256 KiB on, byte pairs are evenly spread, and no aligned 8-byte word occurs twice.
///
/// A repeated word is the sharpest of the three: among the 2^23 words of 64 MiB of noise the chance of one is below
/// 2 in 10^6, while a key stream used again, or any copied or constant sector, shows at once.
pub(crate) fn looks_random(path: &Path) -> Result<()> {
    let mut bytes = vec![0u64; 1 << 8];
    let mut pairs = vec![0u64; 1 << 16];
    let mut words = Vec::new();
    sparse::for_each_chunk(path, |_, buf| {
        for word in buf.chunks_exact(8) {
            let mut raw = [0; 8];
            raw.copy_from_slice(word);
            words.push(u64::from_le_bytes(raw));
            for pair in raw.chunks_exact(2) {
                bytes[usize::from(pair[0])] += 1;
                bytes[usize::from(pair[1])] += 1;
                pairs[usize::from(u16::from_le_bytes([pair[0], pair[1]]))] += 1;
            }
        }
        Ok(())
    })?;
    let name = path.display();
    ensure!(words.len() >= FEW, "{name} is too small to judge");
    ensure!(is_even(&bytes), "{name}: the byte values are not evenly spread");
    ensure!(words.len() < ENOUGH || is_even(&pairs), "{name}: the byte pairs are not evenly spread");
    words.sort_unstable();
    let twice = words.windows(2).find(|pair| pair[0] == pair[1]);
    ensure!(twice.is_none(), "{name}: the 8-byte word {:016x} occurs more than once", twice.map_or(0, |pair| pair[0]));
    Ok(())
}

/// Pearson's chi-square against an even spread. Too even is as suspicious as too uneven.
#[expect(clippy::cast_precision_loss, reason = "counts of a few million are exact in an f64")]
fn is_even(counts: &[u64]) -> bool {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    let sum: f64 = counts.iter().map(|n| (*n as f64 - expected).powi(2) / expected).sum();
    let freedom = (counts.len() - 1) as f64;
    (sum - freedom).abs() < SIGMA * (2.0 * freedom).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const BYTES: usize = 4 << 20;

    fn noise(seed: u64) -> Vec<u8> {
        let mut random = Random::new(seed);
        (0..BYTES / 8).flat_map(|_| random.next().to_le_bytes()).collect()
    }

    fn judge(data: &[u8]) -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("noise");
        std::fs::write(&path, data).unwrap();
        looks_random(&path)
    }

    #[test]
    fn noise_is_noise() {
        for seed in 0..4 {
            judge(&noise(seed)).unwrap();
        }
    }

    #[test]
    fn a_zero_sector_a_repeated_sector_and_a_reused_key_stream_are_noticed() {
        let mut hole = noise(1);
        hole[1_000_448..1_000_960].fill(0);
        assert!(judge(&hole).unwrap_err().to_string().contains("more than once"));
        let mut copied = noise(2);
        copied.copy_within(512..1024, 2_000_384);
        assert!(judge(&copied).is_err());
        let half = noise(3);
        assert!(judge(&[&half[..BYTES / 2], &half[..BYTES / 2]].concat()).is_err());
    }

    #[test]
    fn of_seventeen_sectors_noise_is_told_from_one_old_sector() {
        const BYTES: usize = 17 * 512;
        for seed in 0..64 {
            let mut data = noise(seed)[..BYTES].to_vec();
            judge(&data).unwrap();
            let (at, byte) = (512 * (usize::try_from(seed).unwrap() % 17), data[0]);
            for (offset, old) in data[at..at + 512].iter_mut().enumerate() {
                // No word occurs twice: only the spread tells it.
                *old = if offset % 8 < 5 { byte } else { *old };
            }
            assert!(judge(&data).unwrap_err().to_string().contains("evenly"));
        }
        let mut copied = noise(1)[..BYTES].to_vec();
        copied.copy_within(0..512, 1024);
        assert!(judge(&copied).unwrap_err().to_string().contains("more than once"));
    }

    #[test]
    fn text_counters_and_bias_are_noticed() {
        let counter: Vec<u8> = (0..BYTES as u64 / 8).flat_map(u64::to_le_bytes).collect();
        assert!(judge(&counter).is_err());
        let seven_bits: Vec<u8> = noise(4).iter().map(|byte| byte & 0x7f).collect();
        assert!(judge(&seven_bits).is_err());
        assert!(judge(&vec![0xaa; BYTES]).is_err());
        assert!(judge(&noise(5)[..4096]).is_err(), "too small to judge");
    }
}
