//! A certificate, behind a zero byte its signature, behind another the list of allowed signers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mule::certify::{
    Certifiable, Certificate,
    signature::{allowed, verify},
};

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(3, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (bytes, signature, list) = (part(), String::from_utf8_lossy(part()), String::from_utf8_lossy(part()));
    if let Ok(key) = verify(bytes, &signature) {
        let _ = allowed(&list, key, "stick");
    }
    let key = mule_fuzz::key();
    assert!(allowed(&list, key.public_key(), "stick").is_err() || list.contains("stick"));
    let Ok(certificate) = Certificate::parse(bytes) else { return };
    let _ = certificate.contradictions();
    let page = certificate.page("name", &[0; 32]);
    assert!(!page.contains("<script") && !page.contains("javascript:"));
    let json = certificate.json().expect("it came from JSON");
    assert_eq!(Certificate::parse(&json).expect("its own text"), certificate);
});
