//! Whole jobs of drives that are asked to erase themselves.

use crate::{
    certify::record::Record,
    firmware::model::{Cut, Model, STAMP},
    job::{
        passwords::{self, Word},
        status::Log,
        tests::{
            cut_at,
            rig::{Bench, MIB, clock, disk},
        },
        thaw,
    },
    journal::{
        Verify,
        bounded::Text,
        event::{Event, Outcome},
        medium::MemoryMedium,
    },
    plan::Sticks,
};
use mule_types::method;
use std::time::Duration;

pub(super) const SIZE: u64 = 12 * MIB;
/// SECURITY SET PASSWORD, UNLOCK and DISABLE PASSWORD, as somebody else sends them.
const SET_PASSWORD: u8 = 0xf1;
const UNLOCK: u8 = 0xf2;
const DISABLE_PASSWORD: u8 = 0xf6;

/// All that a disk can offer; it is seen at work.
const ALL: &str = "enhanced,sanitize,sanitize-seconds=15";

fn bench(method: &'static str, words: &str) -> Bench {
    of_model(method, Model::new("A", SIZE / 512, words))
}

pub(super) fn of_model(method: &'static str, model: Model) -> Bench {
    let mut bench = Bench::new(Vec::new());
    bench.method = method;
    bench.models = vec![model];
    bench
}

pub(super) fn cells(bench: &Bench) -> Vec<u8> {
    bench.models[0].cells()
}

pub(super) fn is_clean(bench: &Bench) -> bool {
    bench.models[0].old_sectors() == 0
}

pub(super) fn certified(bench: &Bench) -> Record {
    let tally = bench.run();
    assert!(tally.settled.len() == 1 && tally.settled[0].certificate.is_ok(), "{tally:?}");
    bench.certificate("A")
}

#[test]
fn every_method_of_ata_erases_and_says_what_was_proved() {
    for (name, command, category, left, evidence) in [
        ("ata-secure-erase", "SECURITY ERASE UNIT", "Clear", "zeros", "password-gone"),
        ("ata-secure-erase-zero", "SECURITY ERASE UNIT", "Clear", "pass", "password-gone"),
        ("ata-secure-erase-enhanced", "enhanced SECURITY ERASE UNIT", "Purge", "repeating", "password-gone"),
        ("ata-secure-erase-enhanced-zero", "enhanced SECURITY ERASE UNIT", "Purge", "pass", "password-gone"),
        ("ata-sanitize-overwrite", "OVERWRITE EXT", "Purge", "zeros", "seen-in-progress"),
        ("ata-sanitize-block-erase", "BLOCK ERASE EXT", "Clear", "ones", "seen-in-progress"),
        ("ata-sanitize-crypto-scramble", "CRYPTO SCRAMBLE EXT", "Purge", "varied", "seen-in-progress"),
        ("purge", "OVERWRITE EXT", "Purge", "zeros", "seen-in-progress"),
        ("purge-zero", "OVERWRITE EXT", "Purge", "pass", "seen-in-progress"),
    ] {
        erases(&|| bench(name, &format!("{ALL},erased-ones")), [command, category, evidence, left]);
    }
}

/// A job erases the drive, and its certificate names the command, the category, the evidence and what is left.
pub(super) fn erases(bench: &dyn Fn() -> Bench, [command, category, evidence, left]: [&str; 4]) {
    for verify in [Verify::Full, Verify::Sampled] {
        let mut bench = bench();
        bench.verify = verify;
        let (name, record) = (bench.method, certified(&bench));
        let s = &record.sanitisation;
        assert_eq!((record.outcome.as_str(), s.category.as_str()), ("erased", category), "{name} {}", s.reason);
        let of = s.command.as_ref().unwrap();
        assert_eq!((of.name.as_str(), of.evidence.as_str()), (command, evidence), "{name}");
        assert!(of.markers * 20 >= SIZE / 512 && of.markers_left == 0, "{name}");
        assert!(is_clean(&bench), "{name}");
        let kinds = record.verification.kinds.clone();
        assert_eq!(kinds.is_none(), left == "pass");
        let Some(kinds) = kinds else { continue };
        let read = record.verification.blocks_matched;
        let expected =
            [("zeros", kinds.zeros), ("ones", kinds.ones), ("repeating", kinds.repeating), ("varied", kinds.varied)];
        assert_eq!(expected.iter().find(|(_, blocks)| *blocks > 0), Some(&(left, read)), "{name}");
        assert!(read == SIZE / 512 || verify == Verify::Sampled);
        assert!(bench.history().passwords.is_empty());
    }
}

#[test]
fn a_drive_that_lies_is_never_called_erased() {
    let erase = "ata-secure-erase-enhanced";
    let sanitize = "ata-sanitize-overwrite";
    for (name, lie, reason) in [
        (erase, "erase-erases-nothing", "STILL THERE"),
        (erase, "erase-skips-hidden", "STILL THERE"),
        ("ata-secure-erase-zero", "erase-erases-nothing", "STILL THERE"),
        (erase, "password-ignored", "did not set it"),
        (erase, "erase-erases-nothing,password-stays", "nothing is proved"),
        (erase, "wrong-serial=X", "another drive answers"),
        (erase, "exchanged=X", "another drive answers"),
        (erase, "capacity-zero-after-erase", "the drive is failing"),
        (sanitize, "capacity-zero-after-erase", "the drive is failing"),
        (sanitize, "sanitize-erases-nothing", "STILL THERE"),
        ("purge-zero", "sanitize-erases-nothing", "STILL THERE"),
        (sanitize, "sanitize-ignored", "without saying that it succeeded"),
        (sanitize, "sanitize-forgotten", "without saying that it succeeded"),
        (sanitize, "sanitize-fails", "FAILED to sanitize"),
        (sanitize, "no-registers", ""),
        (sanitize, "no-registers=good", "registers"),
        (sanitize, "zero-registers", ""),
        (sanitize, "wrong-serial=X", "another drive answers"),
    ] {
        let bench = bench(name, &format!("{ALL},{lie}"));
        let record = certified(&bench);
        assert_eq!((record.outcome.as_str(), record.sanitisation.category.as_str()), ("failed", ""), "{name} {lie}");
        assert!(record.sanitisation.reason.contains(reason), "{lie}: {}", record.sanitisation.reason);
        assert!(!bench.models[0].has_password() || bench.open_log().unwrap().1.passwords.len() == 1, "{name} {lie}");
    }
}

#[test]
fn a_success_that_was_claimed_before_is_an_exception_and_no_purge() {
    let bench = bench("ata-sanitize-overwrite", "sanitize,sanitize-seconds=0");
    bench.models[0].begin_sanitize();
    let record = certified(&bench);
    assert_eq!((record.outcome.as_str(), record.sanitisation.category.as_str()), ("erased-with-exceptions", "Clear"));
    assert!(record.sanitisation.reason.contains("was not observed"), "{}", record.sanitisation.reason);
    assert!(is_clean(&bench));
}

#[test]
fn what_a_drive_does_not_offer_is_not_replaced_by_less() {
    for (name, words, reason) in [
        ("purge", "security", "purge unavailable"),
        ("purge-zero", "security", "purge unavailable"),
        ("ata-secure-erase-enhanced", "security", "does not offer enhanced SECURITY ERASE UNIT"),
        ("ata-sanitize-block-erase", "security", "does not offer BLOCK ERASE EXT"),
        ("ata-sanitize-block-erase", "sanitize,no-block-erase", "does not offer BLOCK ERASE EXT"),
        ("nvme-format-crypto", ALL, "another interface"),
        ("scsi-sanitize-block", ALL, "another interface"),
        ("ata-secure-erase", "frozen", "is frozen"),
        ("ata-secure-erase", "locked=theirs", "somebody's password"),
        ("ata-secure-erase", "security", "too many wrong passwords"),
    ] {
        let bench = bench(name, words);
        if reason.starts_with("too many") {
            bench.models[0].expire();
        }
        let record = certified(&bench);
        assert_eq!(record.outcome, "failed", "{name}");
        assert!(record.sanitisation.reason.contains(reason), "{name}: {}", record.sanitisation.reason);
        assert!(record.sanitisation.reason.contains("nothing was written to the drive"), "{name}");
        assert!(cells(&bench).iter().all(|byte| *byte == STAMP), "{name}: something was written");
        // A question is none: SANITIZE STATUS EXT is SANITIZE DEVICE with FEATURE 0.
        let mut sent = bench.models[0].log().into_iter();
        let changes = |(code, feature): (u8, u8)| matches!(code, 0xf1 | 0xf4) || code == 0xb4 && feature != 0;
        assert!(!sent.any(changes), "{name}");
    }
    // A plain simulated drive takes no commands at all.
    let mut plain = Bench::new(vec![disk("A", SIZE)]);
    plain.method = "purge";
    assert!(certified(&plain).sanitisation.reason.contains("takes no such commands"));
}

#[test]
fn a_drive_at_work_for_somebody_else_is_left_alone_until_it_is_done() {
    let bench = bench("ata-secure-erase", ALL);
    bench.models[0].begin_sanitize();
    let record = certified(&bench);
    let reason = &record.sanitisation.reason;
    assert_eq!(record.outcome, "failed");
    assert!(reason.contains("sanitizing itself already") && reason.contains("nothing was written"), "{reason}");
    assert_eq!(bench.models[0].count(SET_PASSWORD), 0);
}

#[test]
fn hidden_sectors_and_doubt_about_them_are_no_purge() {
    let bench = bench("ata-sanitize-overwrite", &format!("{ALL},hpa={}", SIZE / 512 - 4096));
    let record = certified(&bench);
    assert_eq!((record.outcome.as_str(), record.sanitisation.category.as_str()), ("erased-with-exceptions", "Clear"));
}

#[test]
fn after_a_cut_at_any_entry_of_the_log_the_drive_is_erased_or_the_password_known() {
    for name in ["ata-secure-erase-enhanced", "ata-sanitize-overwrite", "ata-secure-erase-zero"] {
        for writes in 4..24 {
            let mut bench = bench(name, ALL);
            drop(bench.open_log().unwrap());
            cut_at(&mut bench, writes, writes);
            let (journal, replay) = bench.open_log().unwrap();
            let has_password = bench.models[0].has_password();
            assert!(!has_password || replay.passwords.len() == 1, "{name} {writes}: a password nobody knows of");
            assert!(method::find(name).unwrap().command.is_some());
            match replay.unfinished() {
                Some(unfinished) if unfinished.was_announced() && !has_password => {
                    let plan = bench.resumed(&replay).unwrap();
                    let tally = bench.execute(plan, journal);
                    let certified = unfinished.drives[0].certified && tally.settled.is_empty();
                    assert!(certified || tally.count(Outcome::Erased) == 1, "{name} {writes}: {tally:?}");
                    assert!(is_clean(&bench));
                }
                _ => {}
            }
            for record in bench.certificates() {
                assert!(is_clean(&bench) || !record.outcome.starts_with("erased"), "{name} {writes}");
            }
        }
    }
}

#[test]
fn a_password_left_by_a_cut_is_removed_by_the_next_run_or_told() {
    let clean = bench("ata-secure-erase-enhanced", ALL);
    clean.run();
    let commands = clean.models[0].log().len();
    let mut left = 0;
    for cut in (1..=commands).flat_map(|step| [Cut::Before(step), Cut::After(step)]) {
        let bench = bench("ata-secure-erase-enhanced", ALL);
        bench.models[0].cut(cut);
        bench.run();
        bench.models[0].power_cycle();
        let set = bench.models[0].has_password();
        let (journal, replay) = bench.open_log().unwrap();
        assert!(!set || replay.passwords.len() == 1, "{cut:?}: a password nobody knows of");
        left += usize::from(set);
        let (log, around, mut words) = (Log::new(journal, clock), bench.around(), Vec::new());
        passwords::recover(&replay.passwords, &bench.drives(), &*around.opener, &log, &mut |word| words.push(word));
        assert!(!bench.models[0].has_password(), "{cut:?}: {words:?}");
        assert!(!set || matches!(&words[..], [Word::Note(text)] if text.contains("is removed")), "{words:?}");
        drop(log);
        assert!(bench.open_log().unwrap().1.passwords.is_empty());
        for record in bench.certificates() {
            assert!(is_clean(&bench) || !record.outcome.starts_with("erased"), "{cut:?}");
        }
    }
    assert!(left > 0, "no cut left a password: nothing was tested");
}

#[test]
fn a_password_that_cannot_be_removed_is_told_and_kept_in_mind() {
    let bench = bench("ata-secure-erase", ALL);
    let (mut journal, _) = bench.open_log().unwrap();
    let name = bench.models[0].name();
    let (model, serial) = (Text::new(&name.model), Text::new(&name.serial));
    journal.append(clock(), &Event::PasswordMayBeSet { model, serial }).unwrap();
    drop(journal);
    let recover = |drives: &[_]| {
        let (journal, replay) = bench.open_log().unwrap();
        let (log, around, mut words) = (Log::new(journal, clock), bench.around(), Vec::new());
        passwords::recover(&replay.passwords, drives, &*around.opener, &log, &mut |word| words.push(word));
        words
    };
    let absent = recover(&[]);
    assert!(matches!(&absent[..], [Word::Problem(text)] if text.contains("--security-disable")), "{absent:?}");
    assert!(bench.models[0].send_password(SET_PASSWORD, "theirs"));
    bench.models[0].power_cycle();
    let theirs = recover(&bench.drives());
    assert!(matches!(&theirs[..], [Word::Problem(text)] if text.contains("somebody else's")), "{theirs:?}");
    assert_eq!(bench.open_log().unwrap().1.passwords.len(), 1);
    assert!([UNLOCK, DISABLE_PASSWORD].iter().all(|code| bench.models[0].send_password(*code, "theirs")));
    let gone = recover(&bench.drives());
    assert!(matches!(&gone[..], [Word::Note(text)] if text.contains("has no password")), "{gone:?}");
    assert!(bench.open_log().unwrap().1.passwords.is_empty());
}

#[test]
fn a_frozen_drive_is_waited_for_until_it_was_switched_off_and_on() {
    let bench = bench("ata-secure-erase", "frozen");
    let (mut plan, around, mut told) = (bench.plan(), bench.around(), Vec::new());
    let sticks = Sticks::default();
    let patience = Duration::from_secs(5);
    // A key ends the wait; the drive stays frozen.
    thaw::wait(&mut plan, &sticks, &*around.opener, patience, &mut |text| told.push(text), &mut || true);
    assert!(told.len() == 1 && told[0].contains("FROZEN") && told[0].contains("power connector"), "{told:?}");
    assert!(bench.models[0].is_frozen());
    thaw::wait(&mut plan, &sticks, &*around.opener, patience, &mut |text| told.push(text), &mut || false);
    assert!(told.len() == 3 && told[2].contains("not frozen any more"), "{told:?}");
    let (journal, _) = bench.open_log().unwrap();
    assert_eq!(bench.execute(plan, journal).count(Outcome::Erased), 1);
}

#[test]
fn a_drive_found_sanitizing_is_followed_and_one_found_idle_begins_again() {
    for (running, detail) in [(true, "found at work and followed"), (false, "began again")] {
        let mut bench = bench("ata-sanitize-overwrite", ALL);
        drop(bench.open_log().unwrap());
        // The last entry that is written says that the command is about to be sent. How many come before it depends on how
        // the threads take turns, so each number has many tries.
        let mut tries = 0;
        loop {
            tries += 1;
            assert!(tries < 1000, "no such entry");
            let at = 1 + tries % 40;
            cut_at(&mut bench, at, at);
            let replay = bench.open_log().unwrap().1;
            let drive = replay.unfinished().and_then(|job| job.drives.first());
            if drive.and_then(|drive| drive.command.as_ref()).is_some_and(|command| command.ended.is_none()) {
                break;
            }
            bench.medium = MemoryMedium::new(1 << 20);
            drop(bench.open_log().unwrap());
        }
        if running {
            bench.models[0].begin_sanitize();
        }
        let (journal, replay) = bench.open_log().unwrap();
        let tally = bench.execute(bench.resumed(&replay).unwrap(), journal);
        assert_eq!(tally.count(Outcome::Erased), 1, "{tally:?}");
        let record = bench.certificate("A");
        assert!(record.sanitisation.interruptions[0].detail.contains(detail), "{record:?}");
        assert!(is_clean(&bench));
    }
}

#[test]
fn one_logical_unit_of_several_is_not_the_drive() {
    for (units, category) in [(1, "Purge"), (2, "Clear")] {
        let bench = bench("ata-sanitize-overwrite", ALL);
        bench.models[0].behind_bridge(SIZE, 512, units);
        let record = certified(&bench);
        assert_eq!((record.outcome.as_str(), record.sanitisation.category.as_str()), ("erased", category));
        let named = record.limits.iter().any(|limit| limit.starts_with("Logical unit 1 (size not known)"));
        assert_eq!(named, units == 2, "{:?}", record.limits);
    }
}
