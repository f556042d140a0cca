//! The file systems' maps of what is in use, on a disk that is all zeros but for some sectors.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mule::{blocks::ReadAt, content};
use mule_fuzz::Sparse;
use std::ops::Range;

const WINDOW: u64 = 16 << 20;
const EDGE: u64 = 1 << 20;

fuzz_target!(|input: &[u8]| {
    let Some(mut disk) = Sparse::new(input) else { return };
    if disk.flags & 1 != 0 {
        disk.fit_disk();
    }
    let size = disk.size();
    let survey = content::survey(&disk, if disk.flags & 2 != 0 { 4096 } else { 512 });
    for volume in &survey.volumes {
        assert!(volume.start.checked_add(volume.len).is_some_and(|end| end <= size), "{volume:?}");
    }
    assert!(survey.used_end() <= size && survey.bytes_used() <= size);
    let mut allocation = survey.allocation(&disk);
    let windows: Vec<_> = (0..size.div_ceil(WINDOW)).map(|n| n * WINDOW..((n + 1) * WINDOW).min(size)).collect();
    let mut look = |window: &Range<u64>| {
        let used = allocation.used(window.start, window.end - window.start);
        let end = used.iter().fold(window.start, |at, range| {
            assert!(range.start >= at && range.start < range.end, "{used:?}");
            range.end
        });
        assert!(end <= window.end, "{used:?} of {window:?}");
        used
    };
    let forth: Vec<_> = windows.iter().map(&mut look).collect();
    let mut back: Vec<_> = windows.iter().rev().map(&mut look).collect();
    back.reverse();
    let sum: u64 = forth.iter().flatten().map(|range| range.end - range.start).sum();
    if !allocation.any_raw_fallback() {
        assert_eq!(forth, back);
        assert_eq!(sum, survey.bytes_used());
    }
    // The edges are in use whatever any map says.
    let covered = |from: u64, to: u64| {
        let over = |range: &Range<u64>| range.end.min(to).saturating_sub(range.start.max(from));
        forth.iter().flatten().map(over).sum::<u64>() == to - from
    };
    assert!(covered(0, EDGE.min(size)) && covered(size.saturating_sub(EDGE), size));
});
