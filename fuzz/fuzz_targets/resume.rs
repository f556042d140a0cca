//! An unfinished image that is gone on with: refused, or finished to one that holds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mule::imagefile::{Decompressor, Entry, Met, Reader, Writer, peek};
use mule_fuzz::{expand, scratch};
use std::fs;

/// Frames of the disk at most.
const FRAMES: u64 = 16;

fuzz_target!(|input: &[u8]| {
    let path = scratch("resume.img.zst");
    fs::write(&path, expand(input)).expect("a file");
    let Ok(header) = peek(&path) else { return };
    let frames = header.frames();
    if frames > FRAMES {
        return;
    }
    let mut met = 0;
    let mut again = |Met { index, raw, .. }: Met<'_>| {
        assert_eq!(index, met, "frames come in order");
        assert_eq!(raw.len(), header.frame_len(index));
        met += 1;
        let start = index << 20;
        // What is in use, as a map would say it: half of every other frame.
        Ok(if index % 2 == 1 { Vec::new() } else { vec![start..start + raw.len() as u64 / 2] })
    };
    let Ok(mut writer) = Writer::resume(&path, None, header.clone(), &mut again) else { return };
    for _ in met..frames {
        writer.append(Entry::Zero, &[]).expect("a frame more");
    }
    let slots: Vec<_> = writer.slots().collect();
    for index in slots {
        let content = writer.slot_content(index).expect("a slot that was met");
        writer.fill_slot(index, &content, 1).expect("room for any frame");
    }
    let finished = writer.finish(None).expect("all frames are there");
    let reader = Reader::open(&path).expect("a finished image");
    assert_eq!(reader.root().expect("whole indexes"), finished.root);
    let mut decompressor = Decompressor::new().expect("memory");
    for index in 0..frames {
        reader.frame(index, &mut decompressor).expect("a whole frame");
    }
});
