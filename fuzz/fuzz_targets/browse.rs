//! Files of a volume: all of them listed, read and found by their places.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mule::{
    blocks::ReadAt,
    browse::{Entry, EntryKind, HitLimits, Next, Out, files_hit, find, open, walk},
};
use mule_fuzz::Sparse;
use std::{io, ops::ControlFlow};

/// Entries looked at, and bytes read of all files.
const ENTRIES: u64 = 2000;
const BYTES: u64 = 4 << 20;

/// Holds the reader to what [`Out`] promises.
struct Sink<'a> {
    at: u64,
    left: &'a mut u64,
}

impl Out for Sink<'_> {
    fn data(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        assert!(offset >= self.at, "a piece at {offset} behind {}", self.at);
        self.at = offset.checked_add(data.len() as u64).expect("no file is so long");
        let left = self.left.checked_sub(data.len() as u64).ok_or(io::ErrorKind::QuotaExceeded)?;
        *self.left = left;
        Ok(())
    }
}

fn check(entry: &Entry) {
    let name = &entry.name;
    assert!(!matches!(name.as_str(), "" | "." | ".."), "{name:?}");
    assert!(!name.contains(|c: char| c == '/' || c.is_control()), "{name:?}");
}

fuzz_target!(|input: &[u8]| {
    let Some(mut disk) = Sparse::new(input) else { return };
    if disk.flags & 1 != 0 {
        disk.fit_disk();
    }
    let size = disk.size();
    let (mut entries, mut bytes, mut pieces) = (ENTRIES, BYTES, 1 << 18);
    if let Ok(files) = open(&disk) {
        let _ = files.note();
        let mut last = String::new();
        let _ = walk(&*files, &files.root(), "", &mut |path, entry, trouble| {
            let Some(left) = entries.checked_sub(1) else { return Next::Stop };
            entries = left;
            if trouble.is_some() {
                return Next::On;
            }
            check(entry);
            path.clone_into(&mut last);
            let _ = files.places(entry, &mut |range| {
                assert!(range.start <= range.end, "{range:?}");
                pieces -= 1;
                if pieces > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            if entry.kind == EntryKind::File {
                let mut sink = Sink { at: 0, left: &mut bytes };
                if let Ok(len) = files.read(entry, &mut sink) {
                    assert!(sink.at <= len, "{} bytes of {len}", sink.at);
                }
            }
            Next::On
        });
        let _ = find(&*files, &last);
    }
    let bad = [0..4096, size / 3..size / 2, size.saturating_sub(512)..size];
    let limits = HitLimits { names: 50, looked_at: ENTRIES };
    if let Ok(Some(hits)) = files_hit(&disk, &bad, limits) {
        assert!(hits.hits.len() <= 50 && hits.elsewhere <= size);
    }
});
