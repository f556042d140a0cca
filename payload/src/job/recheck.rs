//! After an interruption: is what the log says was written still on the drive? Somebody may have used it in between.
//!
//! The first chunk and the last before the point of interruption are read in full, besides blocks at [`PLACES`] random
//! places. Behind that point the drive holds the pass before, or already the current one; the very end is read as well,
//! since partition tables keep a copy there.

use super::facts::Facts;
use crate::{
    drive::{AlignedBuf, DataPlane, Op, Request},
    engine::{extents::Ranges, pattern::Pattern, sampling::Draws, sweep::CHUNK},
    random,
};
use std::time::{Duration, Instant};

/// Random places read on either side of the point of interruption.
const PLACES: u64 = 256;
/// How long one read may take.
const LIMIT: Duration = Duration::from_secs(120);

/// How many bytes were read and found as they should be, or what was found instead.
pub(super) fn unchanged(plane: &mut dyn DataPlane, facts: &Facts) -> Result<u64, String> {
    let seed = random::bytes().map_err(|e| format!("no random places to check from the kernel: {e}"))?;
    let mut check = Check { plane, bad: facts.unwritable(), draws: Draws::new(seed), read: 0 };
    let pattern = |number: usize| {
        let pass = &facts.passes[number];
        Pattern::new(pass.content, pass.key)
    };
    match facts.position() {
        None => check.area(0, facts.capacity, &[pattern(facts.passes.len() - 1)])?,
        Some((number, offset)) => {
            check.area(0, offset, &[pattern(number)])?;
            if number > 0 {
                check.area(offset, facts.capacity, &[pattern(number - 1), pattern(number)])?;
            }
        }
    }
    Ok(check.read)
}

struct Check<'a> {
    plane: &'a mut dyn DataPlane,
    bad: Ranges,
    draws: Draws,
    read: u64,
}

impl Check<'_> {
    /// Checks places in `start..end`, each of which must hold one of `patterns`.
    fn area(&mut self, start: u64, end: u64, patterns: &[Pattern]) -> Result<(), String> {
        let unit = u64::from(self.plane.geometry().physical());
        let chunk = CHUNK as u64;
        let blocks = (end - start) / unit;
        if end == start {
            return Ok(());
        }
        self.place(start, chunk.min(end - start), patterns)?;
        let tail = chunk.min(end - start);
        self.place(end - tail, tail, patterns)?;
        for _ in 0..PLACES.min(blocks) {
            let at = start + self.draws.below(blocks) * unit;
            self.place(at, unit.min(end - at), patterns)?;
        }
        Ok(())
    }

    /// Unit by unit, since the border between two passes may lie anywhere.
    fn place(&mut self, offset: u64, len: u64, patterns: &[Pattern]) -> Result<(), String> {
        let data = read(self.plane, offset, len)?;
        let block = self.plane.geometry().logical() as usize;
        let mut scratch = vec![0; block];
        let mut at = offset;
        for found in data.chunks(block) {
            let end = at + found.len() as u64;
            let bad = self.bad.bytes_before(end) > self.bad.bytes_before(at);
            if !bad && !patterns.iter().any(|pattern| pattern.matches(at, found, &mut scratch)) {
                return Err(format!("byte {at} no longer holds what was written there"));
            }
            at = end;
        }
        self.read += len;
        Ok(())
    }
}

fn read(plane: &mut dyn DataPlane, offset: u64, len: u64) -> Result<AlignedBuf, String> {
    let failed = |error: &dyn std::fmt::Display| format!("byte {offset} could not be read again: {error}");
    let len = usize::try_from(len).map_err(|e| failed(&e))?;
    let buf = AlignedBuf::zeroed(len).map_err(|e| failed(&e))?;
    plane.submit(Request { op: Op::Read, offset, buf }).map_err(|e| failed(&e))?;
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if let Some(done) = plane.wait(Duration::from_millis(250)).map_err(|e| failed(&e))? {
            done.result.map_err(|e| failed(&e))?;
            return Ok(done.buf);
        }
    }
    Err(failed(&"no answer from the drive"))
}
