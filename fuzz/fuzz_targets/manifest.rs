//! The manifest beside an image, signed by whoever likes to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mule::imagefile::Manifest;
use mule_fuzz::{key, scratch};
use std::fs;

fuzz_target!(|input: &[u8]| {
    let image = scratch("manifest.img.zst");
    let path = Manifest::path(&image);
    fs::write(&path, input).expect("a file");
    fs::write(scratch("manifest.img.zst.manifest.json.sig"), key().sign(input).expect("a signature")).expect("a file");
    if let Ok(signed) = Manifest::read(&image) {
        assert_eq!(signed.bytes, input);
        assert_eq!(signed.manifest.signer, key().stick_id());
    }
    // The same, with the signer it says.
    if let Ok(mut manifest) = serde_json::from_slice::<Manifest>(input) {
        manifest.signer = key().stick_id();
        manifest.write(&image, &key()).expect("a file");
        if let Ok(signed) = Manifest::read(&image) {
            assert_eq!(signed.manifest, manifest);
        }
    }
});
