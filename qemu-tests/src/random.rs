//! Choices of a test that differ from run to run and can be repeated: the seed is printed, `MULE_SEED` sets it.

use anyhow::{Context, Result};
use std::time::{Duration, SystemTime};

/// SplitMix64 (Steele, Lea, Flood 2014): good enough to choose moments and subsets.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// A duration shorter than `end`, in milliseconds.
    pub(crate) fn moment(&mut self, end: Duration) -> Duration {
        Duration::from_millis(self.below(u64::try_from(end.as_millis()).unwrap_or(u64::MAX)))
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

/// `MULE_SEED`, or one from the clock.
pub(crate) fn seed() -> Result<u64> {
    if let Ok(text) = std::env::var("MULE_SEED") {
        return text.trim().parse().with_context(|| format!("MULE_SEED={text} is no number"));
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?;
    Ok(u64::from(now.subsec_nanos()) ^ now.as_secs() << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_choices() {
        let (mut a, mut b) = (Random::new(7), Random::new(7));
        let list: Vec<u64> = (0..50).map(|_| a.below(10)).collect();
        assert_eq!(list, (0..50).map(|_| b.below(10)).collect::<Vec<_>>());
        assert!(list.iter().all(|n| *n < 10) && list.iter().any(|n| *n != list[0]));
        assert_ne!(Random::new(8).next(), Random::new(7).next());
        assert!(a.moment(Duration::from_secs(1)) < Duration::from_secs(1));
        assert!((0..64).any(|_| a.coin()) && (0..64).any(|_| !a.coin()));
    }
}
