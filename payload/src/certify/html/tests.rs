use super::*;
use crate::certify::fixture::erased;

/// Every text of a record, with `hostile` in its place.
fn poisoned(hostile: &str) -> Record {
    fn replace(value: &mut serde_json::Value, hostile: &str) {
        match value {
            serde_json::Value::String(text) => hostile.clone_into(text),
            serde_json::Value::Array(list) => list.iter_mut().for_each(|one| replace(one, hostile)),
            serde_json::Value::Object(map) => map.values_mut().for_each(|one| replace(one, hostile)),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(erased()).unwrap();
    replace(&mut value, hostile);
    serde_json::from_value(value).unwrap()
}

#[test]
fn no_text_of_a_record_becomes_markup() {
    let tags = |page: &str| page.matches('<').count();
    let harmless = page(&poisoned("x"), "x", &[0; 32]);
    for hostile in
        ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onload='x", "&lt;b&gt;", "</style>"]
    {
        let page = page(&poisoned(hostile), hostile, &[0; 32]);
        assert_eq!(tags(&page), tags(&harmless), "{hostile}");
        assert_eq!(page.matches(hostile).count(), usize::from(hostile == "</style>"), "{hostile}");
    }
}

#[test]
fn invisible_characters_become_visible() {
    assert_eq!(visible("a\u{202e}b\x1b[2J\u{200b}\0\u{fc}"), "a\u{fffd}b\u{fffd}[2J\u{fffd}\u{fffd}\u{fc}");
}

#[test]
fn a_page_needs_nothing_from_outside_and_survives_any_numbers() {
    let mut record = erased();
    record.coverage.unwritable = vec![BlockRange { first_lba: u64::MAX, blocks: u64::MAX }; 50];
    record.verification.different = vec![BlockRange { first_lba: 0, blocks: 0 }];
    let page = page(&record, "a.json", &[0xab; 32]);
    for outside in ["http:", "https:", "src=", "@import", "url(", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("and 26 more ranges") && page.contains(&"ab".repeat(32)));
}

#[test]
fn only_an_erasure_looks_like_one() {
    for (outcome, good) in [("erased", true), ("failed", false), ("interrupted", false), ("ERASED", false), ("", false)]
    {
        let mut record = erased();
        record.outcome = outcome.into();
        assert_eq!(page(&record, "a.json", &[0; 32]).contains("banner good"), good, "{outcome}");
    }
}
