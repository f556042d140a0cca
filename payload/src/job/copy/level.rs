//! The compression level follows the bottleneck: lower where the processors are the limit, higher where the source or the
//! store is, since the processors would only wait.

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// The ladder, from the fastest: no compression, then zstd's levels.
pub const LADDER: &[Level] =
    &[Level::Store, Level::Zstd(-20), Level::Zstd(-5), Level::Zstd(-1), Level::Zstd(1), Level::Zstd(2), Level::Zstd(3)];
/// Where an adaptive run begins: zstd 1.
const BEGIN: usize = 4;
/// Frames between two decisions: long enough for a verdict, short enough to follow the zones of a disk.
const WINDOW: u64 = 48;

/// How a frame is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it is, in zstd's raw blocks.
    Store,
    /// A level of zstd; negative ones are faster.
    Zstd(i32),
}

impl Level {
    /// As zstd counts.
    pub fn number(self) -> i32 {
        match self {
            Self::Store => crate::imagefile::STORE,
            Self::Zstd(level) => level,
        }
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store => f.write_str("store"),
            Self::Zstd(level) => write!(f, "zstd {level}"),
        }
    }
}

/// What a job asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Whatever keeps the drives busy.
    Adaptive,
    /// Always this one: the same disk gives the same bytes.
    Fixed(Level),
}

impl std::str::FromStr for Wish {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "auto" => Ok(Self::Adaptive),
            "store" => Ok(Self::Fixed(Level::Store)),
            number => match number.parse() {
                Ok(level @ -50..=19) if level != 0 => Ok(Self::Fixed(Level::Zstd(level))),
                _ => Err("auto, store, or a level of zstd from -50 to 19 without 0".into()),
            },
        }
    }
}

/// Decides from how long the compressing threads waited for work.
#[derive(Debug)]
pub struct Governor {
    wish: Wish,
    threads: u32,
    step: AtomicUsize,
    frames: AtomicU64,
    idle: AtomicU64,
    /// Microseconds since `begin` at the last decision.
    decided: AtomicU64,
    begin: Instant,
}

impl Governor {
    pub fn new(wish: Wish, threads: usize) -> Self {
        Self {
            wish,
            threads: u32::try_from(threads).unwrap_or(1).max(1),
            step: AtomicUsize::new(BEGIN),
            frames: AtomicU64::new(0),
            idle: AtomicU64::new(0),
            decided: AtomicU64::new(0),
            begin: Instant::now(),
        }
    }

    pub fn level(&self) -> Level {
        match self.wish {
            Wish::Fixed(level) => level,
            Wish::Adaptive => LADDER[self.step.load(Ordering::Relaxed).min(LADDER.len() - 1)],
        }
    }

    /// A thread compressed a frame after it had waited `idle` for it.
    pub fn compressed(&self, idle: Duration) {
        self.idle.fetch_add(micros(idle), Ordering::Relaxed);
        if self.wish == Wish::Adaptive && self.frames.fetch_add(1, Ordering::Relaxed) % WINDOW == WINDOW - 1 {
            let now = micros(self.begin.elapsed());
            let wall = now.saturating_sub(self.decided.swap(now, Ordering::Relaxed));
            let idle = self.idle.swap(0, Ordering::Relaxed);
            let step = next_step(self.step.load(Ordering::Relaxed), idle, wall * u64::from(self.threads));
            self.step.store(step, Ordering::Relaxed);
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Threads that waited for less than a twentieth of the time are the limit; for more than a third, something else is. Never
/// below where it begins: what is faster than zstd 1 saves a twentieth of the time and makes an image half as large again.
fn next_step(step: usize, idle: u64, time: u64) -> usize {
    if idle * 20 < time {
        step.saturating_sub(1).max(BEGIN)
    } else if idle * 3 > time {
        (step + 1).min(LADDER.len() - 1)
    } else {
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_threads_go_down_and_idle_ones_go_up() {
        assert_eq!(next_step(6, 0, 1000), 5);
        // Busy threads never cost size.
        assert_eq!(LADDER[next_step(BEGIN, 0, 1000)], Level::Zstd(1));
        assert_eq!(next_step(4, 200, 1000), 4);
        assert_eq!(next_step(4, 900, 1000), 5);
        assert_eq!(next_step(LADDER.len() - 1, 900, 1000), LADDER.len() - 1);
    }

    #[test]
    fn a_fixed_level_stays_and_bad_words_are_refused() {
        let governor = Governor::new("7".parse().unwrap(), 2);
        (0..500).for_each(|_| governor.compressed(Duration::from_secs(1)));
        assert_eq!(governor.level(), Level::Zstd(7));
        for bad in ["0", "99", "", "fast", "-51"] {
            assert!(bad.parse::<Wish>().is_err(), "{bad}");
        }
    }

    #[test]
    fn idle_threads_raise_an_adaptive_level_step_by_step() {
        let governor = Governor::new(Wish::Adaptive, 1);
        for _ in 0..WINDOW {
            governor.compressed(Duration::from_secs(1));
        }
        assert_eq!(governor.level(), LADDER[BEGIN + 1]);
    }
}
