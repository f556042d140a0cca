//! Sweeps on the simulated drive, with everything that can go wrong with one.

use super::*;
use crate::{
    drive::{
        Access,
        sim::{Background, Lie, SimDisk},
    },
    engine::pattern::StreamKey,
};
use std::sync::atomic::{AtomicBool, Ordering};

const MIB: u64 = 1 << 20;
/// Neither a multiple of a MiB nor of a chunk nor of a physical block's eight sectors.
const SIZE: u64 = 7 * MIB + 512 * 3;

#[derive(Default)]
struct Notes {
    bytes: u64,
    checkpoints: Vec<u64>,
    stop_at: Option<u64>,
    stop: AtomicBool,
}

impl Observer for Notes {
    fn advanced(&mut self, bytes: u64) {
        self.bytes += bytes;
        if self.stop_at.is_some_and(|limit| self.bytes >= limit) {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn checkpoint(&mut self, offset: u64, _found: &Found) {
        self.checkpoints.push(offset);
    }

    fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn limits() -> Limits {
    Limits { checkpoint: Duration::ZERO, hang: Duration::from_millis(600), ..Limits::default() }
}

fn all(disk: &SimDisk) -> Ranges {
    let mut ranges = Ranges::default();
    ranges.insert(0, disk.identity().bytes);
    ranges
}

fn go(disk: &SimDisk, mode: Mode, pattern: Pattern, notes: &mut Notes) -> (Found, End) {
    let mut drive = disk.open(Access::ReadWrite).unwrap();
    sweep(&mut drive, mode, pattern, &all(disk), limits(), notes)
}

const PATTERNS: [Pattern; 3] =
    [Pattern::Byte(0xc3), Pattern::Triple([0x92, 0x49, 0x24]), Pattern::Stream(StreamKey([9; 32]))];

#[test]
fn every_byte_of_any_size_is_written_and_found_again() {
    for (bytes, logical) in [(512, 512), (SIZE, 512), (SIZE - 512 * 3 + 4096, 4096), (3 * MIB, 512)] {
        for pattern in PATTERNS {
            let disk = SimDisk::new("S", bytes, logical);
            disk.set_background(Background::Byte(0x77));
            disk.break_it(|faults| faults.reorders = true);
            let mut notes = Notes::default();
            let (found, end) = go(&disk, Mode::Write, pattern, &mut notes);
            assert_eq!((found.bytes, found.places(), end), (bytes, 0, End::Complete));
            assert_eq!((notes.bytes, notes.checkpoints.last()), (bytes, Some(&bytes)));
            let mut expected = vec![0; usize::try_from(bytes).unwrap()];
            pattern.fill(0, &mut expected);
            assert!(disk.read_cells(0, expected.len()) == expected, "{pattern:?} on {bytes} bytes");
            let (found, end) = go(&disk, Mode::Compare, pattern, &mut Notes::default());
            assert_eq!((found.bytes, found.places(), end), (bytes, 0, End::Complete));
        }
    }
}

#[test]
fn watermarks_only_rise_and_nothing_before_one_is_missing() {
    let disk = SimDisk::new("S", 20 * MIB, 512);
    disk.set_background(Background::Byte(0x77));
    disk.break_it(|faults| faults.reorders = true);
    let mut notes = Notes { stop_at: Some(9 * MIB), ..Notes::default() };
    let (_, end) = go(&disk, Mode::Write, PATTERNS[2], &mut notes);
    assert_eq!(end, End::Stopped);
    assert!(notes.checkpoints.is_sorted());
    let reached = usize::try_from(*notes.checkpoints.last().unwrap()).unwrap();
    let mut expected = vec![0; reached];
    PATTERNS[2].fill(0, &mut expected);
    assert!(disk.read_cells(0, reached) == expected);
}

#[test]
fn only_the_blocks_that_cannot_be_written_are_left_out() {
    for pattern in PATTERNS {
        let disk = SimDisk::new("S", SIZE, 512);
        disk.set_background(Background::Byte(0x77));
        let last = SIZE / 512 - 1;
        disk.break_it(|faults| faults.unwritable.extend([0, 5000, 5001, 9999, last]));
        let (found, end) = go(&disk, Mode::Write, pattern, &mut Notes::default());
        assert_eq!(end, End::Complete);
        // A physical block is 4096 bytes: its eight logical blocks stand or fall together.
        let ranges = found.unwritable.as_slice();
        assert_eq!(
            ranges.iter().map(|r| (r.start, r.len)).collect::<Vec<_>>(),
            [(0, 4096), (5000 * 512, 4096), (9999 / 8 * 4096, 4096), (7 * MIB, 512 * 3),]
        );
        assert_eq!(found.bytes + found.unwritable.bytes(), SIZE);
        let mut expected = vec![0; usize::try_from(SIZE).unwrap()];
        pattern.fill(0, &mut expected);
        let cells = disk.read_cells(0, expected.len());
        for (at, (is, wanted)) in cells.iter().zip(&expected).enumerate() {
            let bad = found.unwritable.bytes_before(at as u64 + 1) > found.unwritable.bytes_before(at as u64);
            assert!(bad || is == wanted, "byte {at}");
        }
    }
}

#[test]
fn unreadable_and_lying_blocks_are_named() {
    let disk = SimDisk::new("S", SIZE, 512);
    disk.break_it(|faults| {
        faults.lies.insert(100, Lie::FlippedBit(3));
        faults.lies.insert(14_000, Lie::Dropped);
    });
    disk.set_background(Background::Byte(0x77));
    let (found, end) = go(&disk, Mode::Write, PATTERNS[1], &mut Notes::default());
    assert_eq!((found.places(), end), (0, End::Complete));
    disk.break_it(|faults| faults.unreadable.extend([7000]));
    let (found, end) = go(&disk, Mode::Compare, PATTERNS[1], &mut Notes::default());
    assert_eq!(end, End::Complete);
    let different: Vec<_> = found.different.as_slice().iter().map(|r| (r.start / 512, r.len)).collect();
    assert_eq!(different, [(100, 512), (14_000, 512)]);
    assert_eq!(found.unreadable.as_slice().iter().map(|r| (r.start, r.len)).collect::<Vec<_>>(), [(7000 * 512, 4096)]);
    assert_eq!(found.bytes, SIZE - 2 * 512 - 4096);
}

#[test]
fn a_drive_that_vanishes_hangs_or_fails_to_flush_ends_the_sweep() {
    let failed = |change: fn(&mut crate::drive::sim::Faults)| {
        let disk = SimDisk::new("S", 20 * MIB, 512);
        disk.break_it(change);
        match go(&disk, Mode::Write, PATTERNS[0], &mut Notes::default()).1 {
            End::Failed(error) => error.kind,
            end => panic!("{end:?}"),
        }
    };
    assert_eq!(failed(|faults| faults.vanish_after = Some(3)), IoErrorKind::Gone);
    assert_eq!(failed(|faults| faults.hang_after = Some(3)), IoErrorKind::Hung);
    failed(|faults| faults.flush_fails = true);
}

#[test]
fn a_dying_drive_is_given_up() {
    let disk = SimDisk::new("S", SIZE, 512);
    disk.break_it(|faults| faults.unwritable.extend((0..SIZE / 512).step_by(16)));
    let mut drive = disk.open(Access::ReadWrite).unwrap();
    let limits = Limits { bad_places: 20, ..limits() };
    let (found, end) = sweep(&mut drive, Mode::Write, PATTERNS[0], &all(&disk), limits, &mut Notes::default());
    assert_eq!((end, found.places()), (End::TooManyBad, 21));
}

/// One place that goes on and on is not read block by block to its end.
#[test]
fn a_dead_stretch_is_given_up() {
    let disk = SimDisk::new("S", SIZE, 512);
    disk.break_it(|faults| faults.unreadable.extend(0..SIZE / 512));
    let mut drive = disk.open(Access::ReadOnly).unwrap();
    let limits = Limits { bad_bytes: 64 << 10, ..limits() };
    let (found, end) = sweep(&mut drive, Mode::Compare, PATTERNS[0], &all(&disk), limits, &mut Notes::default());
    assert_eq!((end, found.unreadable.bytes()), (End::TooManyBad, (64 << 10) + 4096));
    drop(drive);
    let (found, end) = sweep(
        &mut disk.open(Access::ReadWrite).unwrap(),
        Mode::Write,
        PATTERNS[0],
        &all(&disk),
        Limits { bad_bytes: 0, ..limits },
        &mut Notes::default(),
    );
    assert_eq!((end, found.unwritable.bytes()), (End::Complete, 0), "what can be written is");
}
