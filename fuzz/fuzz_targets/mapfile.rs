//! GNU ddrescue's mapfile: the disk's size (u64), then the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mule::rescue::{Map, Status};

fuzz_target!(|input: &[u8]| {
    let Some((size, text)) = input.split_first_chunk::<8>() else { return };
    let size = u64::from_le_bytes(*size);
    let Ok(mut map) = Map::parse(&String::from_utf8_lossy(text), size) else { return };
    covers(&map);
    assert_eq!(Map::parse(&map.text(), size).expect("its own text"), map);
    let (start, len) = (size / 3, size / 2);
    map.set(start, len, Status::Bad);
    covers(&map);
    assert!(size == 0 || len == 0 || map.at(start) == Status::Bad);
});

/// All of the disk, without gaps.
fn covers(map: &Map) {
    let end = map.areas().fold(0, |at, area| {
        assert!(area.start == at && area.len > 0, "{area:?} behind {at}");
        area.end()
    });
    assert_eq!(end, map.size());
}
