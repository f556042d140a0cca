//! An image with its manifest: length of the manifest (u32), the manifest, the image. Both are the attacker's, and so is
//! the signature.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mule::{
    blocks::ReadAt,
    imagefile::{Decompressor, FRAME, Manifest, Reader, peek, verify},
};
use mule_fuzz::{fit_image, key, number, scratch};
use std::fs;

/// Frames that are looked at: a file of some KiB may claim a PB.
const FRAMES: u64 = 64;

fuzz_target!(|input: &[u8]| {
    let Some(len) = number(input, 0) else { return };
    let (manifest, image) = input[4..].split_at((len as usize).min(input.len() - 4));
    let path = scratch("image.img.zst");
    let mut image = image.to_vec();
    fit_image(&mut image);
    fs::write(&path, &image).expect("a file");
    let _ = peek(&path);
    let Ok(reader) = Reader::open(&path) else { return };
    assert_eq!(reader.file_bytes(), image.len() as u64);
    let frames = reader.header().frames();
    let mut decompressor = Decompressor::new().expect("memory");
    let mut whole = true;
    for index in (0..frames.min(FRAMES)).chain([frames - 1, frames, u64::MAX / FRAME as u64]) {
        let _ = (reader.entry(index), reader.expected(index));
        let frame = reader.frame(index, &mut decompressor);
        assert!(index < frames || frame.is_err());
        if let Ok(Some(frame)) = &frame {
            assert_eq!(frame.len(), reader.header().frame_len(index));
        }
        whole &= index >= frames || frame.is_ok();
    }
    let mut some = vec![0; 70_000];
    for at in [0, FRAME as u64 - 10, reader.size() - reader.size().min(5), u64::MAX - 5] {
        let _ = reader.read_at(at, &mut some);
    }
    let _ = (reader.bad_map(), reader.root());
    let Ok(mut manifest) = serde_json::from_slice::<Manifest>(manifest) else { return };
    if frames > FRAMES {
        return;
    }
    manifest.signer = key().stick_id();
    manifest.image = reader.header().clone();
    manifest.write(&path, &key()).expect("a file");
    let Ok(signed) = Manifest::read(&path) else { return };
    let report = verify(&reader, &signed.manifest, 1, None, &|_| true);
    // A good report is a promise.
    assert!(!report.is_good() || (whole && report.bytes_good == reader.size()), "{report:?}");
    assert_eq!(report.damage.is_empty(), report.damaged == 0);
});
