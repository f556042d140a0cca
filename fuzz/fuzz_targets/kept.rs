//! The note beside a kept image.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mule::job::retain::Retained;
use mule_fuzz::scratch;
use std::fs;

fuzz_target!(|input: &[u8]| {
    let image = scratch("kept.img.zst");
    fs::write(Retained::path(&image), input).expect("a file");
    assert!(Retained::read(&image).is_err(), "nobody signed it");
    if let Ok(note) = Retained::parse(input, &image) {
        let text = serde_json::to_vec(&note).expect("it came from JSON");
        assert_eq!(serde_json::from_slice::<Retained>(&text).expect("its own text"), note);
    }
});
