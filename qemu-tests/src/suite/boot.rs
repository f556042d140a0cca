//! The start of the machine: how long it takes and what a person sees on the screen.

use super::{Test, bench::Bench};
use crate::{
    disk::MIB,
    job::Job,
    limits::limit,
    oracle::{self, Leaves},
    vm::{Drive, Machine, Then},
};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::fs;

pub(super) const TESTS: &[Test] = &[
    Test::new("boot-to-first-write", "seconds from power-on to the first write, drives present", first_write).alone(),
    Test::new(
        "screen",
        "a good run with then = \"stay\" leaves the machine on, and its screen shows something; the picture is kept",
        screen,
    ),
];

/// What the project promises on a quiet machine.
const PROMISED_SECONDS: f64 = 10.0;
/// What fails the test: far enough from the promise that a busy host is no failure.
const FAILING_SECONDS: u64 = 30;

/// ```text
/// stick   USB     D1, D2, D3   AHCI
/// ```
fn first_write(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["FIRST-1", "FIRST-2", "FIRST-3"], 8 * MIB)?;
    let countdown = 1;
    let stick = bench.stick(&Job::wipe("zero").countdown(countdown))?;
    let mut vm = bench.start(&Machine::new(&stick).in_full().drives(disks.iter().map(Drive::ahci)))?;
    let at = vm.wait_writing()?.as_secs_f64() - f64::from(countdown);
    let remark = if at < PROMISED_SECONDS { "" } else { " (more than promised)" };
    bench.note(format!("boot to first write: {at:.1} s without the countdown, promised {PROMISED_SECONDS} s{remark}"));
    vm.finish()?.expect_erased(3)?;
    ensure!(at < limit(FAILING_SECONDS).as_secs_f64(), "{at:.1} s from power-on to the first write");
    Ok(())
}

/// ```text
/// stick   USB     D   AHCI
/// ```
fn screen(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("SEEN", 4 * MIB)?;
    let stick = bench.stick(&Job::wipe("zero").then("stay"))?;
    let mut vm = bench.start(&Machine::new(&stick).in_full().drive(Drive::ahci(&disk)))?;
    let finished = vm.finish()?;
    finished.expect_erased(1)?;
    ensure!(finished.end.then == Then::Stay, "{}", finished.end);
    let (picture, raw) = (bench.folder.join("screen.png"), bench.folder.join("screen.ppm"));
    let control = vm.control()?;
    control.execute("screendump", json!({"filename": picture, "format": "png"}))?;
    control.execute("screendump", json!({"filename": raw, "format": "ppm"}))?;
    let (lit, all) = lit_pixels(&fs::read(&raw).context("reading the picture")?)?;
    fs::remove_file(&raw).context("removing the raw picture")?;
    bench.note(format!("screen: {}", picture.display()));
    ensure!(lit * 200 > all, "the screen is dark: {lit} of {all} pixels are lit");
    oracle::wiped(&disk, Leaves::Byte(0))?;
    bench.certificates(&stick)?.of("SEEN")?.expect_outcome("erased")?.verify()
}

/// Pixels that are not black, and all, of a binary PPM.
fn lit_pixels(ppm: &[u8]) -> Result<(usize, usize)> {
    // "P6", width, height and maximum each end with one white-space byte; the pixels follow.
    let mut ends = ppm.iter().enumerate().filter(|(_, byte)| byte.is_ascii_whitespace()).map(|(at, _)| at + 1);
    let start = ends.nth(3).context("a picture has a head")?;
    ensure!(ppm.starts_with(b"P6"), "no PPM");
    let pixels = ppm[start..].chunks_exact(3);
    Ok((pixels.clone().filter(|pixel| pixel.iter().any(|c| *c > 64)).count(), pixels.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lit_pixels_are_counted() {
        assert_eq!(lit_pixels(b"P6\n2 2\n255\n\0\0\0\xff\0\0\0\0\0\x10\x10\x10").unwrap(), (1, 4));
        assert!(lit_pixels(b"P5\n1 1\n255\n\0\0\0").is_err() && lit_pixels(b"P6").is_err());
    }
}
