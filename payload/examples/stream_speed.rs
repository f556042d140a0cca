//! How fast one core makes, and checks, what a pass writes: run by `make bench`.

#![allow(clippy::disallowed_macros, reason = "it prints its own numbers only")]

use mule::engine::{
    pattern::{Pattern, StreamKey},
    sweep::CHUNK,
};
use std::time::{Duration, Instant};

const PATTERNS: [(&str, Pattern); 3] = [
    ("byte", Pattern::Byte(0xff)),
    ("triple", Pattern::Triple([0x92, 0x49, 0x24])),
    ("random", Pattern::Stream(StreamKey([42; 32]))),
];

/// The best of several rounds in MB/s: what the core can do when nobody else wants it.
fn best(mut work: impl FnMut(u64)) -> f64 {
    let mut best: f64 = 0.0;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        let round = Instant::now();
        (0..64).for_each(|chunk| work(chunk * CHUNK as u64));
        best = best.max((64 * CHUNK) as f64 / 1e6 / round.elapsed().as_secs_f64());
    }
    best
}

fn main() {
    let (mut data, mut scratch) = (vec![0; CHUNK], vec![0; CHUNK]);
    for (name, pattern) in PATTERNS {
        let fill = best(|offset| pattern.fill(offset, &mut data));
        let compare = best(|offset| {
            pattern.fill(offset, &mut data);
            assert!(pattern.matches(offset, &data, &mut scratch));
        });
        println!("{name:8} fill {fill:8.0} MB/s    fill and compare {compare:8.0} MB/s    (one core)");
    }
}
