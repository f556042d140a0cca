use super::*;
use crate::certify::{
    Certificate,
    copy::{CopyRecord, Outcome},
    fixture::{copy::*, erased, purged},
};
use serde_json::Value;

/// The places of all texts.
fn texts(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(list) => list.iter().enumerate().for_each(|(n, one)| texts(one, &format!("{at}/{n}"), found)),
        Value::Object(map) => map.iter().for_each(|(name, one)| texts(one, &format!("{at}/{name}"), found)),
        _ => {}
    }
}

/// Every text of a record that may hold anything, with `hostile` in its place, and how many those are.
fn poisoned(certificate: &Certificate, hostile: &str) -> (Certificate, usize) {
    let mut value = serde_json::to_value(certificate).unwrap();
    let mut places = Vec::new();
    texts(&value, "", &mut places);
    let mut poisoned = 0;
    for place in places {
        let mut changed = value.clone();
        *changed.pointer_mut(&place).unwrap() = hostile.into();
        if Certificate::parse(changed.to_string().as_bytes()).is_ok() {
            (value, poisoned) = (changed, poisoned + 1);
        }
    }
    (Certificate::parse(value.to_string().as_bytes()).unwrap(), poisoned)
}

fn every_kind() -> Vec<Certificate> {
    all().into_iter().map(Certificate::from).chain([erased().into(), purged().into()]).collect()
}

#[test]
fn no_text_of_a_record_becomes_markup() {
    let tags = |page: &str| page.matches('<').count();
    for certificate in every_kind() {
        let harmless = page(&poisoned(&certificate, "x").0, "x", &[0; 32]);
        for hostile in
            ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onload='x", "&lt;b&gt;", "</style>"]
        {
            let (certificate, count) = poisoned(&certificate, hostile);
            let page = page(&certificate, hostile, &[0; 32]);
            assert!(count > 40, "{count}");
            assert_eq!(tags(&page), tags(&harmless), "{hostile}");
            assert_eq!(page.matches(hostile).count(), usize::from(hostile == "</style>"), "{hostile}");
        }
    }
}

#[test]
fn invisible_characters_become_visible() {
    assert_eq!(visible("a\u{202e}b\x1b[2J\u{200b}\0\u{fc}"), "a\u{fffd}b\u{fffd}[2J\u{fffd}\u{fffd}\u{fc}");
}

fn needs_nothing(page: &str) {
    for outside in ["http:", "https:", "src=", "href=", "@import", "url(", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn a_page_needs_nothing_from_outside_and_survives_any_numbers() {
    let mut record = erased();
    record.coverage.unwritable = vec![range(u64::MAX, u64::MAX); 50];
    record.verification.different = vec![range(0, 0)];
    let shown = page(&record, "a.json", &[0xab; 32]);
    needs_nothing(&shown);
    assert!(shown.contains("and 26 more ranges") && shown.contains(&"ab".repeat(32)));
    let mut record = restored_with_exceptions();
    record.exceptions.unreadable = vec![range(u64::MAX, u64::MAX); 50];
    record.exceptions.files_hit = u64::MAX;
    (record.copy.bytes, record.copy.cut.bytes, record.copy.cut.bytes_used) = (u64::MAX, u64::MAX, u64::MAX);
    record.media.logical_block = 0;
    let shown = page(&record, "a.json", &[0xab; 32]);
    needs_nothing(&shown);
    assert!(shown.contains("and 26 more ranges") && shown.contains("whose names are not listed"));
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

#[test]
fn only_a_result_without_exceptions_looks_like_one() {
    use Outcome::{
        Cloned, ClonedWithExceptions, Differs, Failed, Imaged, ImagedWithExceptions, Interrupted, Restored,
        RestoredWithExceptions, Verified,
    };
    let looks = |make: fn() -> CopyRecord, outcome: Outcome| {
        let mut record = make();
        record.outcome = outcome;
        let page = page(&record, "a.json", &[0; 32]);
        ["good", "fair", "bad"].into_iter().find(|class| page.contains(&format!("banner {class}"))).unwrap()
    };
    for make in [imaged, restored, cloned, verified] {
        for outcome in [Imaged, Restored, Cloned, Verified] {
            assert_eq!(looks(make, outcome), "good", "{outcome:?}");
        }
        for outcome in [ImagedWithExceptions, RestoredWithExceptions, ClonedWithExceptions] {
            assert_eq!(looks(make, outcome), "fair", "{outcome:?}");
        }
        for outcome in [Differs, Failed, Interrupted] {
            assert_eq!(looks(make, outcome), "bad", "{outcome:?}");
        }
    }
    assert_eq!(looks(imaged_with_exceptions, Verified), "fair");
    let page = page(&failed(), "a.json", &[0; 32]);
    assert!(page.contains("FAILED \u{2014} NOT RESTORED") && page.contains("ssh-keygen -Y verify"));
    assert!(page.contains("Certificate of disk restoration"));
}

#[test]
fn what_went_wrong_is_on_the_page() {
    let page = page(&restored_with_exceptions(), "a.json", &[0; 32]);
    for shown in ["Exceptions", "letter.docx", "LBA 300\u{202f}000\u{2013}300\u{202f}007", "100\u{2013}109"] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(!super::page(&restored(), "a.json", &[0; 32]).contains("Exceptions"));
}
