//! Reading a drive to see whether it is blank or holds a pattern; nothing is written.

use crate::{
    drive::{AlignedBuf, DataPlane, Op, Request},
    engine::{
        extents::Ranges,
        pattern::Pattern,
        sampling,
        sweep::{End, Found, Limits, Mode, Observer, sweep},
    },
};
use std::time::{Duration, Instant};

/// What the drive should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// One byte, 00 or FF, everywhere.
    Blank,
    /// This pattern.
    Pattern(Pattern),
}

/// How much of it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    Full,
    /// The places follow from the seed; see [`sampling`].
    Sampled([u8; 32]),
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What was compared with, in words.
    pub expected: String,
    /// Bytes that were to be read.
    pub planned: u64,
    pub found: Found,
    pub end: End,
}

impl Answer {
    /// Whether everything that was to be read held what was expected.
    pub fn is_yes(&self) -> bool {
        self.end == End::Complete && self.found.places() == 0 && self.found.bytes == self.planned
    }
}

/// Compares a drive with what is expected of it.
pub fn verify(
    plane: &mut dyn DataPlane,
    expect: Expect,
    extent: Extent,
    limits: Limits,
    observer: &mut dyn Observer,
) -> Result<Answer, String> {
    let (pattern, expected) = match expect {
        Expect::Pattern(pattern) => (pattern, name(&pattern)),
        Expect::Blank => {
            let byte = first_byte(plane)?;
            let byte = if byte == 0xff { 0xff } else { 0x00 };
            (Pattern::Byte(byte), format!("blank ({byte:02X} everywhere)"))
        }
    };
    let mut ranges = Ranges::default();
    match extent {
        Extent::Full => ranges.insert(0, plane.geometry().bytes()),
        Extent::Sampled(seed) => ranges = sampling::sample(&plane.geometry(), seed),
    }
    let (found, end) = sweep(plane, Mode::Compare, pattern, &ranges, limits, observer);
    Ok(Answer { expected, planned: ranges.bytes(), found, end })
}

fn name(pattern: &Pattern) -> String {
    match pattern {
        Pattern::Byte(byte) => format!("{byte:02X} everywhere"),
        Pattern::Triple([a, b, c]) => format!("{a:02X} {b:02X} {c:02X} repeated"),
        Pattern::Stream(_) => "the random stream of that key".into(),
    }
}

fn first_byte(plane: &mut dyn DataPlane) -> Result<u8, String> {
    let block = plane.geometry().logical() as usize;
    let buf = AlignedBuf::zeroed(block).map_err(|error| error.to_string())?;
    plane.submit(Request { op: Op::Read, offset: 0, buf }).map_err(|error| error.to_string())?;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(120) {
        if let Some(done) = plane.wait(Duration::from_millis(250)).map_err(|error| error.to_string())? {
            done.result.map_err(|error| error.to_string())?;
            return Ok(done.buf[0]);
        }
    }
    Err("no answer from the drive for its first block".into())
}
