use super::*;
use crate::certify::{
    Certificate,
    fixture::{
        copy::{all, differs, restored},
        erased, key,
    },
    store::{self, ALLOWED_SIGNERS},
};
use std::fs;

const NOBODY: Trust<'_> = Trust { list: None, signer: None };

fn problems(path: &Path, trust: &Trust<'_>) -> Vec<String> {
    examine::examine(path, trust).unwrap().problems
}

#[test]
fn a_certificate_is_genuine_by_any_of_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let name = store::write(dir.path(), &erased(), &key()).unwrap().name;
    let json = dir.path().join(&name);
    for file in [json.clone(), json.with_extension("html"), dir.path().join(format!("{name}.sig"))] {
        let verdict = examine::examine(&file, &NOBODY).unwrap();
        assert_eq!((verdict.json.clone(), verdict.problems.len(), verdict.self_asserted), (json.clone(), 0, true));
        assert!(verdict.notes[0].contains("self-asserted") && verdict.notes.len() == 1);
    }
    let list = dir.path().join(ALLOWED_SIGNERS);
    let trusted = Trust { list: Some(&list), signer: None };
    let verdict = examine::examine(&json, &trusted).unwrap();
    assert!(verdict.problems.is_empty() && verdict.notes.is_empty() && !verdict.self_asserted);
    let somebody = Trust { list: Some(&list), signer: Some("alice") };
    assert_eq!(problems(&json, &somebody).len(), 1);
    assert!(show::text(&erased().into()).contains("WD-WCAYUF123456"));
}

#[test]
fn what_is_not_genuine_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let name = store::write(dir.path(), &erased(), &key()).unwrap().name;
    let json = dir.path().join(&name);
    let (list, signature) = (dir.path().join(ALLOWED_SIGNERS), dir.path().join(format!("{name}.sig")));
    let bytes = fs::read(&json).unwrap();
    let changed = String::from_utf8(bytes.clone()).unwrap().replace("WD-WCAYUF123456", "WD-WCAYUF123457");
    fs::write(&json, changed).unwrap();
    assert!(!problems(&json, &NOBODY).is_empty(), "another serial number");
    // Signed, but by a hand that may sign anything: the numbers still have to agree, and the name.
    let mut record = erased();
    record.coverage.blocks_overwritten -= 1;
    record.log.stick = "mule-0000000000000000".into();
    fs::write(&json, store::json(&record).unwrap()).unwrap();
    fs::write(&signature, key().sign(&store::json(&record).unwrap()).unwrap()).unwrap();
    assert!(problems(&json, &NOBODY).len() >= 3);
    let more = String::from_utf8(bytes.clone()).unwrap().replacen("\"media\": {", "\"media\": {\n    \"note\": 1,", 1);
    fs::write(&json, &more).unwrap();
    fs::write(&signature, key().sign(more.as_bytes()).unwrap()).unwrap();
    assert!(!problems(&json, &NOBODY).is_empty(), "a field nobody would see");
    fs::write(&json, &bytes).unwrap();
    fs::write(&signature, key().sign(&bytes).unwrap()).unwrap();
    assert!(problems(&json, &NOBODY).is_empty());
    fs::write(&list, "# nobody\n").unwrap();
    assert!(!problems(&json, &NOBODY).is_empty(), "nobody vouches for the key");
    fs::remove_file(&signature).unwrap();
    assert!(problems(&json, &NOBODY)[0].contains("missing"));
    fs::write(&json, b"{").unwrap();
    assert!(!problems(&json, &NOBODY).is_empty());
    assert!(examine::examine(&dir.path().join("absent.json"), &NOBODY).is_err());
}

#[test]
fn a_page_that_was_changed_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let name = store::write(dir.path(), &erased(), &key()).unwrap().name;
    let page = dir.path().join(&name).with_extension("html");
    let text = fs::read_to_string(&page).unwrap();
    fs::write(&page, text.replace("ERASED", "ERASED!")).unwrap();
    assert!(problems(&page, &NOBODY)[0].contains("was changed"), "it was asked about");
    let verdict = examine::examine(&dir.path().join(&name), &NOBODY).unwrap();
    assert!(verdict.problems.is_empty());
    assert!(verdict.notes.iter().any(|note| note.contains("was changed")));
}

#[test]
fn certificates_of_copies_are_examined_like_those_of_erasures() {
    let dir = tempfile::tempdir().unwrap();
    for record in all() {
        let name = store::write(dir.path(), &record, &key()).unwrap().name;
        let json = dir.path().join(&name);
        let list = dir.path().join(ALLOWED_SIGNERS);
        let verdict = examine::examine(&json, &Trust { list: Some(&list), signer: None }).unwrap();
        assert_eq!((verdict.problems.len(), verdict.notes.len()), (0, 0), "{:?}", verdict.problems);
        let object = object(&verdict);
        assert_eq!(object["action"], record.action.word());
        assert_eq!(object["outcome"], record.outcome.word());
        assert_eq!(object["serial"], record.media.serial.as_str());
        assert_eq!(object["genuine"], true);
        let text = show::text(&Certificate::from(record.clone()));
        assert!(text.contains(&record.statement) && text.contains(&record.media.serial), "{text}");
    }
    // A difference is no fault of the certificate; a change is.
    let name = store::write(dir.path(), &differs(), &key()).unwrap().name;
    let json = dir.path().join(&name);
    let text = fs::read_to_string(&json).unwrap();
    fs::write(&json, text.replace("\"differs\"", "\"verified\"")).unwrap();
    assert!(problems(&json, &NOBODY).len() >= 2);
    let mut record = restored();
    record.verification.blocks_matched -= 1;
    fs::write(&json, store::json(&record).unwrap()).unwrap();
    fs::write(dir.path().join(format!("{name}.sig")), key().sign(&store::json(&record).unwrap()).unwrap()).unwrap();
    assert!(problems(&json, &NOBODY).iter().any(|problem| problem.contains("contradiction")));
}
