use super::*;
use crate::{
    certify::{fixture, key::StickKey, store},
    cli::host,
    journal::{
        FileMedium, Journal, Owner,
        bounded::Text,
        event::{Event, Sweep},
        medium::MemoryMedium,
    },
};
use mule_types::stick::{IdSector, ImageId};
use std::fs;

const LOG_LEN: u64 = 512 * 1024;

/// A stick's image in a file, with a log that was opened once where `used`.
fn image(dir: &Path, used: bool) -> PathBuf {
    let path = dir.join("mule.img");
    let id = IdSector { image: ImageId([5; 16]), log_start: 1 << 20, log_len: LOG_LEN };
    fs::write(&path, [&[0; 512][..], &id.encode()].concat()).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len((1 << 20) + LOG_LEN).unwrap();
    if used {
        open(&path);
    }
    path
}

fn open(image: &Path) -> Journal {
    let medium = FileMedium::open(image, 1 << 20, LOG_LEN).unwrap();
    Journal::open(Box::new(medium), Owner { image: ImageId([5; 16]), binding: [0; 32] }, 1_790_000_000_000).unwrap().0
}

/// A job whose drives have ended.
fn begin(journal: &mut Journal, drives: u8) {
    use crate::journal::{
        Verify,
        event::{Action, DriveRef, Outcome},
    };
    let (job, reason) = ([1; 16], Text::new("gone"));
    let (method, passes, request) = (Text::new("zero"), [].into_iter().collect(), [0; 32]);
    let started =
        Event::JobStarted { job, action: Action::Wipe, method, passes, verify: Verify::Full, request, drives };
    journal.append(1, &started).unwrap();
    for slot in 0..drives {
        let drive = DriveRef { model: Text::new("M"), serial: Text::new("S"), wwn: None, bytes: 512, logical: 512 };
        journal.append(1, &Event::DriveStarted { job, slot, drive }).unwrap();
        let reason = reason.clone();
        journal.append(1, &Event::DriveFinished { job, slot, outcome: Outcome::Failed, reason }).unwrap();
    }
}

fn verify(path: &Path, folder: Option<&Path>) -> Result<Exit, String> {
    check::verify(Some(path), folder, true)
}

#[test]
fn the_log_is_found_in_an_image_and_in_a_bare_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = image(dir.path(), false);
    assert!(matches!(source::read(Some(&path), source::Reach::Near), Ok(Holding::Blank { .. })));
    assert_eq!(verify(&path, None), Ok(Exit::Good));
    let path = image(dir.path(), true);
    let bare = dir.path().join("log");
    fs::write(&bare, &fs::read(&path).unwrap()[1 << 20..]).unwrap();
    for path in [&path, &bare] {
        let before = fs::read(path).unwrap();
        let Ok(Holding::Log(log)) = source::read(Some(path), source::Reach::Near) else { panic!("no log") };
        assert_eq!(log.scan.entries.len(), 2);
        assert_eq!(verify(path, None), Ok(Exit::Good));
        assert_eq!(fs::read(path).unwrap(), before);
    }
    let other = dir.path().join("other");
    for content in [&b"text"[..], &[0x5a; 1 << 20]] {
        fs::write(&other, content).unwrap();
        assert!(verify(&other, None).unwrap_err().contains("neither"));
    }
    let cut = fs::File::options().write(true).open(&path).unwrap();
    cut.set_len((1 << 20) + 1000).unwrap();
    assert!(verify(&path, None).unwrap_err().contains("cut short"));
    assert!(verify(&dir.path().join("absent"), None).is_err());
}

#[test]
fn damage_is_told_from_a_torn_tail() {
    let dir = tempfile::tempdir().unwrap();
    let path = image(dir.path(), true);
    let whole = fs::read(&path).unwrap();
    for (place, exit) in [(8192, Exit::Bad), (8192 + 512, Exit::Good), (8192 + 1024, Exit::Good)] {
        let mut bytes = whole.clone();
        bytes[(1 << 20) + place] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(verify(&path, None), Ok(exit), "byte {place}");
    }
}

#[test]
fn a_bad_sector_is_reported_and_everything_else_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let path = image(dir.path(), true);
    begin(&mut open(&path), 2);
    let bytes = fs::read(&path).unwrap()[1 << 20..].to_vec();
    let read = |spoiled: &[u64], reach| {
        let whole = MemoryMedium::holding(bytes.clone());
        let mut medium = spoiled.iter().fold(whole, |medium, at| medium.spoiled(*at));
        match source::read_medium("log".into(), &mut medium, true, reach) {
            Ok(Holding::Log(log)) => Ok(log),
            Ok(Holding::Blank { .. }) => panic!("blank"),
            Err(error) => Err(error),
        }
    };
    let shown = |log: &Log| {
        let target = dir.path().join("export");
        save(log, Some(&target)).unwrap();
        let lines = fs::read_to_string(&target).unwrap();
        fs::remove_file(&target).unwrap();
        lines.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let whole = shown(&read(&[], source::Reach::Near).unwrap());
    for reach in [source::Reach::Near, source::Reach::Everywhere] {
        let log = read(&[8192 + 512], reach).unwrap();
        assert_eq!(check::judge(&log, None, true), Ok(Exit::Bad));
        let mut rest = shown(&log);
        assert_eq!(rest.len(), whole.len() - 1);
        rest.iter_mut().for_each(|entry| entry["chained"] = true.into());
        assert!(rest[0] == whole[0] && rest[1..] == whole[2..]);
        let object = check::object(&log, &log.oddities(), None);
        assert!(object["damage"].as_str().unwrap().contains("byte 8704") && object["whole"] == false);
        assert!(object["unreadable"].as_str().unwrap().starts_with("1 sectors"), "{object}");
        let log = read(&[0], reach).unwrap();
        assert_eq!((check::judge(&log, None, false), shown(&log)), (Ok(Exit::Good), whole.clone()));
        assert!(check::object(&log, &log.oddities(), None)["first_block"].is_string());
        let Err(error) = read(&[0, 4096], reach) else { panic!("no key, no log") };
        assert!(error.contains("cannot be read at byte 0"), "{error}");
    }
}

#[test]
fn a_whole_chain_that_contradicts_itself_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = image(dir.path(), true);
    let mut journal = open(&path);
    begin(&mut journal, 1);
    drop(journal);
    assert_eq!(verify(&path, None), Ok(Exit::Good));
    let checkpoint = Event::Checkpoint { job: [1; 16], drives: [].into_iter().collect() };
    open(&path).append(1, &checkpoint).unwrap();
    assert_eq!(verify(&path, None), Ok(Exit::Good), "says nothing of any drive");
    let defects = Event::DriveRestarted { job: [1; 16], slot: 0, reason: Text::new("after its end") };
    open(&path).append(1, &defects).unwrap();
    assert_eq!(verify(&path, None), Ok(Exit::Bad));
    let Ok(Holding::Log(log)) = source::read(Some(&path), source::Reach::Near) else { panic!("no log") };
    let object = check::object(&log, &log.oddities(), None);
    assert!(object["contradiction"].as_str().unwrap().contains("entry 6, at byte"), "{object}");
    assert!(object["whole"] == false && object["damage"].is_null());
    assert_eq!(with_log(Some(&path), |_| Ok(())), Ok(Exit::Bad));
}

#[test]
fn the_key_of_a_random_pass_is_withheld() {
    let started = |sweep| Event::SweepStarted { job: [1; 16], slot: 0, sweep, key: Some([0xab; 32]) };
    let pass = started(Sweep::Pass(2));
    let secret = "ab".repeat(32);
    assert!(!render::words(&pass).contains(&secret) && render::words(&pass).contains("key withheld"));
    assert!(!render::fields(&pass).1.to_string().contains(&secret));
    assert!(render::words(&started(Sweep::Verify)).contains(&secret), "the seed of a sample is no secret");
    let hostile = Event::Note { text: Text::new("\x1b[2J\u{202e}") };
    assert!(render::words(&hostile).chars().all(|c| (' '..='~').contains(&c)));
    assert!(render::when(u64::MAX).starts_with("9999-"));
}

#[test]
fn actions_and_outcomes_are_named_as_on_the_command_line() {
    use crate::journal::{Verify, event::Action, event::Outcome};
    for (action, name) in [(Action::Image, "image"), (Action::Restore, "restore"), (Action::Clone, "clone")] {
        let (job, method, verify) = ([1; 16], Text::new("raw"), Verify::Full);
        let passes = [].into_iter().collect();
        let started = Event::JobStarted { job, action, method, passes, verify, request: [0; 32], drives: 1 };
        assert!(render::words(&started).contains(&format!(": {name} authorised")), "{name}");
        assert_eq!(render::fields(&started).1["action"], name);
    }
    for (outcome, name) in [
        (Outcome::Imaged, "imaged"),
        (Outcome::ImagedWithExceptions, "imaged-with-exceptions"),
        (Outcome::Restored, "restored"),
        (Outcome::RestoredWithExceptions, "restored-with-exceptions"),
        (Outcome::Cloned, "cloned"),
        (Outcome::ClonedWithExceptions, "cloned-with-exceptions"),
        (Outcome::Verified, "verified"),
        (Outcome::Differs, "differs"),
    ] {
        let finished = Event::DriveFinished { job: [1; 16], slot: 0, outcome, reason: Text::new("") };
        assert_eq!(render::fields(&finished).1["outcome"], name);
        assert!(render::words(&finished).ends_with(&name.to_uppercase()));
    }
}

#[test]
fn a_record_that_went_missing_shows() {
    let dir = tempfile::tempdir().unwrap();
    let path = image(dir.path(), true);
    let folder = dir.path().join("certificates");
    let mut journal = open(&path);
    begin(&mut journal, 2);
    let mut slots = 0..;
    let mut issue = |logged: bool| {
        let mut record = fixture::erased();
        record.log.stick = journal.key().stick_id();
        (record.log.sequence, record.log.head) = (journal.head().sequence, render::hex(&journal.head().hash));
        let stored = store::write(&folder, &record, journal.key()).unwrap();
        if logged {
            let (job, slot) = ([1; 16], slots.next().unwrap());
            let (sha256, name) = (stored.sha256, Text::new(&stored.name));
            journal.append(1, &Event::Certified { job, slot, sha256, name }).unwrap();
        }
        folder.join(stored.name)
    };
    let (first, second) = (issue(true), issue(true));
    // Another stick's certificate is nobody's business here.
    store::write(&folder, &fixture::erased(), &StickKey::from_seed(&[7; 32])).unwrap();
    assert_eq!(verify(&path, Some(&folder)), Ok(Exit::Good));
    let bytes = fs::read(&second).unwrap();
    fs::remove_file(&second).unwrap();
    assert_eq!(verify(&path, Some(&folder)), Ok(Exit::Bad), "a certificate is gone");
    fs::write(&second, [&bytes[..], b" "].concat()).unwrap();
    assert_eq!(verify(&path, Some(&folder)), Ok(Exit::Bad), "a certificate was changed");
    fs::write(&second, &bytes).unwrap();
    assert_eq!(verify(&path, Some(&folder)), Ok(Exit::Good));
    let lost = issue(false);
    assert_eq!(verify(&path, Some(&folder)), Ok(Exit::Bad), "no entry for a certificate of this stick");
    assert!(first.exists());
    fs::remove_file(lost).unwrap();
    assert_eq!(verify(&path, Some(&folder)), Ok(Exit::Good));
    // Whose it is is decided by the key that signed it, not by the id it names.
    let stored = store::write(&folder, &fixture::erased(), journal.key()).unwrap();
    assert_eq!(verify(&path, Some(&folder)), Ok(Exit::Bad), "it has this log's signature");
    fs::remove_file(folder.join(format!("{}.sig", stored.name))).unwrap();
    assert_eq!(verify(&path, Some(&folder)), Ok(Exit::Good), "it names another stick, and nothing says otherwise");
}

#[test]
fn a_certificate_of_a_copy_belongs_to_the_log_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let path = image(dir.path(), true);
    let folder = dir.path().join("certificates");
    let mut journal = open(&path);
    begin(&mut journal, 2);
    let mut record = fixture::copy::cloned();
    record.log.stick = journal.key().stick_id();
    (record.log.sequence, record.log.head) = (journal.head().sequence, render::hex(&journal.head().hash));
    let stored = store::write(&folder, &record, journal.key()).unwrap();
    assert_eq!(verify(&path, Some(&folder)), Ok(Exit::Bad), "no entry for a certificate of this stick");
    let (sha256, name) = (stored.sha256, Text::new(&stored.name));
    journal.append(1, &Event::Certified { job: [1; 16], slot: 0, sha256, name }).unwrap();
    assert_eq!(verify(&path, Some(&folder)), Ok(Exit::Good));
    record.log.sequence -= 1;
    let stored = store::write(&folder, &record, journal.key()).unwrap();
    let (sha256, name) = (stored.sha256, Text::new(&stored.name));
    journal.append(1, &Event::Certified { job: [1; 16], slot: 1, sha256, name }).unwrap();
    assert_eq!(verify(&path, Some(&folder)), Ok(Exit::Bad), "it names an entry with another hash");
}

#[test]
fn a_new_host_log_has_a_key_and_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    drop(host::open_log(&path).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let Ok(Holding::Log(log)) = source::read(Some(&path), source::Reach::Near) else { panic!("no log") };
    let heading = log.heading().to_string();
    assert!(heading.contains(&log.superblock.key.stick_id()));
    let target = dir.path().join("export");
    save(&log, Some(&target)).unwrap();
    assert!(save(&log, Some(&target)).is_err(), "nothing is written over");
    let lines = fs::read_to_string(&target).unwrap();
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    assert_eq!(lines.lines().count(), 3);
}
