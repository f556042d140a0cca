use super::*;
use crate::certify::{
    Certifiable, Certificate,
    fixture::{copy::imaged, erased, key},
    signature,
    store::{
        ALLOWED_SIGNERS, Sheets, free_stem,
        model::{Fat, LOSSES, Loss},
    },
};
use sha2::{Digest, Sha256};

type Contents = BTreeMap<String, Vec<u8>>;

const OURS: &str = "20260301T141509Z-WD-WCAYUF123456";

/// What a person put there, another stick's certificate among it.
fn theirs() -> Contents {
    let other = StickKey::from_seed(&[77; 32]);
    let mut record = erased();
    record.log.stick = other.stick_id();
    let json = record.json().unwrap();
    let page = record.page("x.json", &Sha256::digest(&json));
    let files: [(&str, Vec<u8>); 8] = [
        ("20250101T000000Z-S1.json", json.clone()),
        ("20250101T000000Z-S1.json.sig", other.sign(&json).unwrap().into_bytes()),
        ("20250101T000000Z-S1.html", page.clone().into_bytes()),
        // Of these only a part was copied.
        ("20250102T000000Z-S2.json", json.clone()),
        ("20250103T000000Z-S3.json.sig", other.sign(&json).unwrap().into_bytes()),
        ("20250104T000000Z-S4.html", page.into_bytes()),
        ("notes.txt", b"return by Friday".to_vec()),
        ("empty.json", Vec::new()),
    ];
    files.into_iter().map(|(name, bytes)| (name.into(), bytes)).collect()
}

/// A list of signers that others wrote, without a line feed at its end.
fn with_signers(mut contents: Contents) -> Contents {
    contents.insert(ALLOWED_SIGNERS.into(), b"# ours\nalice@example.org ssh-ed25519 AAAA".to_vec());
    contents
}

fn write(files: &Fat, record: &dyn Certifiable) -> Result<super::super::Stored, StoreError> {
    Sheets::of(record, &key())?.write(files, &record.common(), &key())
}

/// The drive of the record, as the log has it.
fn owed(record: &dyn Certifiable, outcome: Option<&'static str>) -> Owed {
    let common = record.common();
    let digits: Vec<_> = common.log.job.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).unwrap()).collect();
    let job: Vec<_> = digits.iter().map(|two| u8::from_str_radix(two, 16).unwrap()).collect();
    let (model, serial, bytes) = (common.media.model.clone(), common.media.serial.clone(), common.media.bytes);
    Owed { job: job.try_into().unwrap(), slot: 3, model, serial, bytes, outcome }
}

fn known(key: &StickKey) -> Known<'_> {
    Known { key, keys: vec![key.public()], certified: Vec::new(), complete: true, owed: Vec::new() }
}

/// Puts the folder in order; what was said.
fn tidied(medium: &Contents, known: &Known<'_>) -> (Contents, Findings) {
    let files = Fat::of(medium);
    let findings = survey(&files, known).unwrap();
    if findings.changes_files() {
        settle(&files, &findings).unwrap();
    }
    let after = files.after_the_cut(Loss::All);
    let again = survey(&Fat::of(&after), known).unwrap();
    assert!(!again.changes_files(), "it has to be in order at once: {again:?}");
    (after, findings)
}

fn ours_of(contents: &Contents) -> Vec<&str> {
    contents.keys().map(String::as_str).filter(|name| name.starts_with("2026")).collect()
}

fn is_whole(contents: &Contents, stem: &str) {
    let file = |ending: &str| contents.get(&format!("{stem}{ending}")).unwrap_or_else(|| panic!("no {stem}{ending}"));
    let json = file(".json");
    signature::verify(json, std::str::from_utf8(file(".json.sig")).unwrap()).unwrap();
    let certificate = Certificate::parse(json).unwrap();
    assert_eq!(*file(".html"), certificate.page(&format!("{stem}.json"), &Sha256::digest(json)).into_bytes());
}

/// The power goes at every step of writing a certificate, and every file has come as far as it can have.
#[test]
fn after_a_cut_at_any_step_one_whole_certificate_is_left() {
    for record in [&erased() as &dyn Certifiable, &imaged()] {
        let begin = with_signers(theirs());
        let all = Fat::of(&begin);
        write(&all, record).unwrap();
        let mut adopted = 0;
        for (step, loss) in (0..all.steps()).flat_map(|step| LOSSES.map(|loss| (step, loss))) {
            let cut = Fat::of(&begin).until(step);
            assert!(write(&cut, record).is_err(), "step {step}");
            let key = key();
            let outcome = Some(record.common().outcome).map(|word| if word == "erased" { "erased" } else { "imaged" });
            let known = Known { owed: vec![owed(record, outcome)], ..known(&key) };
            let (mut after, findings) = tidied(&cut.after_the_cut(loss), &known);
            if let [Event::Certified { slot: 3, sha256, name, .. }] = &findings.adopt[..] {
                assert_eq!(<[u8; 32]>::from(Sha256::digest(&after[name.as_str()])), *sha256);
                adopted += 1;
            } else {
                assert!(findings.adopt.is_empty() && ours_of(&after).is_empty(), "step {step} {loss:?}: {after:?}");
                let files = Fat::of(&after);
                write(&files, record).unwrap();
                after = files.after_the_cut(Loss::All);
            }
            is_whole(&after, OURS);
            assert_eq!(ours_of(&after).len(), 3, "step {step} {loss:?}: {:?}", ours_of(&after));
            let signers = String::from_utf8(after[ALLOWED_SIGNERS].clone()).unwrap();
            let line = key.public_key().allowed_signers_line();
            assert_eq!(
                signers,
                format!("# ours\nalice@example.org ssh-ed25519 AAAA\n{line}\n"),
                "step {step} {loss:?}"
            );
            for (name, bytes) in theirs() {
                assert_eq!(after.get(&name), Some(&bytes), "{name}, step {step} {loss:?}");
            }
        }
        assert!(adopted > 0, "the last steps leave a whole certificate");
    }
}

/// The power goes again while the folder is put in order.
#[test]
fn putting_in_order_can_be_cut_short_as_well() {
    let key = key();
    let whole = Fat::of(&theirs());
    let stored = write(&whole, &erased()).unwrap();
    let whole = whole.after_the_cut(Loss::All);
    let known = Known { certified: vec![(stored.name, stored.sha256)], ..known(&key) };
    for ending in [".json.sig", ".html"] {
        for torn in [None, Some(0), Some(40)] {
            let mut medium = whole.clone();
            let part = medium.remove(&format!("{OURS}{ending}")).unwrap();
            torn.map(|len| medium.insert(format!("{OURS}{ending}"), part[..len].to_vec()));
            for (step, loss) in (0..6).flat_map(|step| LOSSES.map(|loss| (step, loss))) {
                let files = Fat::of(&medium).until(step);
                let findings = survey(&files, &known).unwrap();
                let _ = settle(&files, &findings);
                let (after, _) = tidied(&files.after_the_cut(loss), &known);
                assert_eq!(after, whole, "{ending} {torn:?} step {step} {loss:?}");
            }
        }
    }
}

#[test]
fn a_certificate_of_the_log_whose_json_is_gone_is_named_and_left() {
    let key = key();
    let files = Fat::of(&Contents::new());
    let stored = write(&files, &erased()).unwrap();
    let whole = files.after_the_cut(Loss::All);
    let known = Known { certified: vec![(stored.name, stored.sha256)], ..known(&key) };
    for torn in [None, Some(Vec::new()), Some(vec![0; 5000]), Some(b"{\n".to_vec())] {
        let mut medium = whole.clone();
        medium.remove(&format!("{OURS}.json"));
        torn.clone().map(|bytes| medium.insert(format!("{OURS}.json"), bytes));
        let (after, findings) = tidied(&medium, &known);
        assert_eq!(after, medium);
        let [said] = &findings.said[..] else { panic!("{:?}", findings.said) };
        let word = if torn.is_none() { "is missing" } else { "is damaged" };
        assert!(said.contains(word) && said.contains(OURS), "{said}");
    }
    let (_, findings) = tidied(&Contents::new(), &known);
    assert!(findings.said.is_empty() && findings.notes[0].starts_with("1 certificates"), "{findings:?}");
}

/// Between the end of a drive in the log and its certificate there is nothing that the log does not know; a certificate that
/// says something else was made of a log that lost its end.
#[test]
fn one_that_says_otherwise_than_the_log_gives_way() {
    let key = key();
    let files = Fat::of(&theirs());
    write(&files, &erased()).unwrap();
    let medium = files.after_the_cut(Loss::All);
    for outcome in [None, Some("failed"), Some("interrupted"), Some("erased-with-exceptions")] {
        let known = Known { owed: vec![owed(&erased(), outcome)], ..known(&key) };
        let (after, findings) = tidied(&medium, &known);
        assert!(findings.adopt.is_empty() && ours_of(&after).is_empty(), "{outcome:?}");
        assert!(findings.said[0].contains("says otherwise than the log"), "{:?}", findings.said);
    }
    let mut another = owed(&erased(), Some("erased"));
    another.serial = "another drive".into();
    for owed in [vec![], vec![another]] {
        let (after, findings) = tidied(&medium, &Known { owed, ..known(&key) });
        assert!(after == medium && findings.adopt.is_empty(), "a whole certificate of no running job stays");
        assert!(findings.said[0].contains("the log does not know it"), "{:?}", findings.said);
    }
}

/// By the whole key, not by its id: another's certificate is nothing to us whatever it calls itself.
#[test]
fn what_another_key_signed_is_never_adopted() {
    let (own, other) = (key(), StickKey::from_seed(&[9; 32]));
    let record = erased();
    let json = record.json().unwrap();
    let mut medium = Contents::new();
    medium.insert(format!("{OURS}.json"), json.clone());
    medium.insert(format!("{OURS}.json.sig"), other.sign(&json).unwrap().into_bytes());
    let known = Known { owed: vec![owed(&record, Some("erased"))], ..known(&own) };
    let (after, findings) = tidied(&medium, &known);
    assert!(after == medium && findings.adopt.is_empty() && findings.said.is_empty(), "{findings:?}");
}

#[test]
fn names_are_ours_or_not() {
    for (name, part) in [(".json", 0), (".json.sig", 1), (".html", 2)] {
        assert_eq!(ours(&format!("{OURS}{name}")), Some((OURS, part)));
    }
    for name in
        ["notes.txt", "empty.json", "20260301T141509Z.json", "20260301T141509Z-.json", "2026-01-01-x.json", "-.html"]
    {
        assert_eq!(ours(name), None, "{name}");
    }
    let stem = free_stem(&Fat::default(), &erased().common()).unwrap();
    assert_eq!(ours(&format!("{stem}.json")), Some((OURS, 0)));
}

#[test]
fn a_folder_on_a_disk_is_put_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let key = key();
    let known = known(&key);
    assert!(!look(&dir.path().join("absent"), &known).unwrap().changes_files());
    std::fs::write(dir.path().join(format!("{OURS}.json.sig")), "").unwrap();
    let findings = look(dir.path(), &known).unwrap();
    assert!(dir.path().join(format!("{OURS}.json.sig")).exists(), "looking changes nothing");
    apply(dir.path(), &findings).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
