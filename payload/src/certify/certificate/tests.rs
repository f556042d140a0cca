use super::*;
use crate::certify::fixture::{copy::all, erased};

#[test]
fn both_kinds_come_back_as_they_were() {
    let kinds = all().into_iter().map(Certificate::from).chain([erased().into()]);
    for certificate in kinds {
        let bytes = certificate.json().unwrap();
        let read = Certificate::parse(&bytes).unwrap();
        assert_eq!((&read, read.json().unwrap()), (&certificate, bytes));
        assert_eq!(read.contradictions(), Vec::<String>::new());
        assert_eq!(serde_json::to_value(&read).unwrap()["id"], read.common().id);
        assert_eq!(serde_json::to_value(&read).unwrap()["outcome"], read.common().outcome);
    }
}

#[test]
fn the_words_of_the_json_are_those_shown() {
    for record in all() {
        let value = serde_json::to_value(&record).unwrap();
        assert_eq!(value["action"], record.common().action);
        assert_eq!(value["outcome"], record.common().outcome);
    }
}

#[test]
fn what_is_not_understood_in_full_is_no_certificate() {
    let text = String::from_utf8(all()[3].json().unwrap()).unwrap();
    assert!(Certificate::parse(text.as_bytes()).is_ok());
    for (from, to) in [
        ("mule-copy-certificate/1", "mule-copy-certificate/2"),
        ("mule-copy-certificate/1", "mule-certificate/1"),
        ("\"action\": \"restore\"", "\"action\": \"Restore\""),
        ("\"action\": \"restore\"", "\"action\": \"restore\", \"action\": \"restore\""),
        ("\"format\"", "\"format\": \"mule-copy-certificate/1\", \"format\""),
        ("\"restored\"", "\"restored-perfectly\""),
        ("\"trusted\"", "\"perhaps\""),
        ("\"handling\": \"left\"", "\"handling\": \"burnt\""),
        ("\"tail\": {", "\"tail\": {\"note\": 1, "),
        ("\"gpt\": {", "\"gpt\": {\"note\": 1, "),
        ("\"exceptions\": {", "\"exceptions\": {\"note\": 1, "),
        ("\"image\": {", "\"image\": {\"note\": 1, "),
        ("\"source\": {\n    \"model\"", "\"source\": {\"note\": 1, \"model\""),
        ("\"media\": {", "\"media\": {\"note\": 1, "),
        ("\"copy\": {", "\"copy\": {\"note\": 1, "),
        ("\"bytes_zeroed\": 0", "\"bytes_zeroed\": -1"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert!(Certificate::parse(changed.as_bytes()).is_err(), "{to}");
    }
    for garbage in ["", "{", "null", "[]", "{\"format\": 1}", &"[".repeat(100_000), &text[..text.len() / 2]] {
        assert!(Certificate::parse(garbage.as_bytes()).is_err());
    }
}
