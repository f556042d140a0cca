//! How fast, and how long still.

use std::{collections::VecDeque, time::Duration};

/// Over which time "now" is averaged: long enough to span a drive's own pauses.
const NOW: Duration = Duration::from_secs(10);
/// Over which time the estimate is averaged: long enough to be calm, short enough to follow a drive from its fast outer
/// to its slow inner tracks.
const CALM: Duration = Duration::from_secs(120);
/// Samples closer together than this replace each other, which bounds their number.
const SPACING: Duration = Duration::from_millis(500);
/// Before this much has been seen there is no estimate.
const FIRST: Duration = Duration::from_secs(3);

/// Turns "so many bytes at this moment" into rates and an estimate of the time left. Times are counted from any fixed
/// moment and bytes from any fixed number (a resumed run does not begin at 0); neither may go back.
#[derive(Debug, Clone, Default)]
pub struct Estimator {
    first: Option<(Duration, u64)>,
    samples: VecDeque<(Duration, u64)>,
}

impl Estimator {
    /// Notes that `done` bytes were done at `at`. Anything that goes back starts afresh.
    pub fn record(&mut self, at: Duration, done: u64) {
        if self.samples.back().is_some_and(|last| at < last.0 || done < last.1) {
            *self = Self::default();
        }
        self.first.get_or_insert((at, done));
        let n = self.samples.len();
        if n >= 2 && at - self.samples[n - 2].0 < SPACING {
            self.samples.pop_back();
        }
        self.samples.push_back((at, done));
        // One sample older than the window stays, so that the window is always full.
        while self.samples.len() > 2 && at - self.samples[1].0 >= CALM {
            self.samples.pop_front();
        }
    }

    /// Bytes per second in the last seconds; 0 in a stall.
    pub fn now(&self) -> u64 {
        self.over(NOW).unwrap_or(0)
    }

    /// Bytes per second since the first sample.
    pub fn average(&self) -> u64 {
        self.first.zip(self.samples.back().copied()).and_then(|(first, last)| rate(first, last)).unwrap_or(0)
    }

    /// Time until `total`; `None` before anything is known and in a stall.
    pub fn eta(&self, total: u64) -> Option<Duration> {
        let (at, done) = *self.samples.back()?;
        let left = total.saturating_sub(done);
        if left == 0 {
            return Some(Duration::ZERO);
        }
        if at - self.first?.0 < FIRST || self.now() == 0 {
            return None;
        }
        left.checked_div(self.over(CALM)?).map(Duration::from_secs)
    }

    /// The rate over about the last `window`.
    fn over(&self, window: Duration) -> Option<u64> {
        let last = *self.samples.back()?;
        let start =
            self.samples.iter().rev().find(|sample| last.0 - sample.0 >= window).or_else(|| self.samples.front())?;
        rate(*start, last)
    }
}

fn rate(from: (Duration, u64), to: (Duration, u64)) -> Option<u64> {
    let nanoseconds = to.0.checked_sub(from.0)?.as_nanos();
    let per_second = (u128::from(to.1.checked_sub(from.1)?) * 1_000_000_000).checked_div(nanoseconds)?;
    u64::try_from(per_second).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn steady(rate: u64, until: u64) -> Estimator {
        let mut estimator = Estimator::default();
        for tenth in 0..=until * 10 {
            estimator.record(Duration::from_millis(tenth * 100), 7_000 + tenth * rate / 10);
        }
        estimator
    }

    #[test]
    fn nothing_is_known_at_first() {
        let mut estimator = Estimator::default();
        assert_eq!((estimator.now(), estimator.average(), estimator.eta(10)), (0, 0, None));
        estimator.record(seconds(0), 0);
        estimator.record(seconds(0), 5);
        assert_eq!((estimator.now(), estimator.average(), estimator.eta(10)), (0, 0, None));
        assert_eq!(estimator.eta(5), Some(Duration::ZERO));
        assert_eq!(estimator.eta(0), Some(Duration::ZERO));
    }

    #[test]
    fn a_steady_drive_gives_exact_numbers_in_bounded_memory() {
        let estimator = steady(1_000_000, 1000);
        assert_eq!((estimator.now(), estimator.average()), (1_000_000, 1_000_000));
        assert_eq!(estimator.eta(7_000 + 1_000_000 * 1060), Some(seconds(60)));
        assert!(estimator.samples.len() < 400);
    }

    #[test]
    fn a_short_hiccup_hardly_moves_the_estimate() {
        let mut estimator = steady(1_000_000, 300);
        let total = 7_000 + 1_000_000 * 3900;
        let before = estimator.eta(total).unwrap();
        estimator.record(seconds(305), 7_000 + 300_000_000);
        let after = estimator.eta(total).unwrap();
        assert!(after >= before && after < before + seconds(200), "{before:?} {after:?}");
        assert!(estimator.now() < 1_000_000);
    }

    #[test]
    fn a_stall_has_no_end_in_sight_and_ends() {
        let mut estimator = steady(1_000_000, 300);
        let done = 7_000 + 300_000_000;
        for second in 301..400 {
            estimator.record(seconds(second), done);
        }
        assert_eq!((estimator.now(), estimator.eta(done * 2)), (0, None));
        for second in 400..420 {
            estimator.record(seconds(second), done + (second - 399) * 1_000_000);
        }
        assert_eq!(estimator.now(), 1_000_000);
        assert!(estimator.eta(done * 2).is_some());
    }

    #[test]
    fn going_back_starts_afresh() {
        let mut estimator = steady(1_000_000, 300);
        estimator.record(seconds(301), 0);
        assert_eq!((estimator.now(), estimator.average(), estimator.eta(10)), (0, 0, None));
        estimator.record(seconds(0), u64::MAX);
        estimator.record(seconds(u64::MAX), u64::MAX);
        assert_eq!(estimator.eta(u64::MAX), Some(Duration::ZERO));
    }
}
