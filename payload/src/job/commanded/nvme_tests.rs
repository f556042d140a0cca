//! Whole jobs of the modelled NVMe drive.

use super::tests::{SIZE, cells, certified, erases, is_clean, of_model};
use crate::{
    certify::record::Record,
    firmware::model::{Cut, Model, STAMP},
    job::tests::{cut_at, rig::Bench},
    journal::event::Outcome,
};

const FORMAT: u8 = 0x80;
const SANITIZE: u8 = 0x84;
/// It is seen at work.
const SLOW: &str = "sanitize-seconds=15";

fn bench(method: &'static str, words: &str) -> Bench {
    of_model(method, Model::nvme("A", SIZE / 512, words))
}

fn said(record: &Record) -> (&str, &str) {
    (&record.outcome, &record.sanitisation.category)
}

#[test]
fn every_method_of_nvme_erases_and_says_what_was_proved() {
    for (name, command, left, evidence) in [
        ("nvme-sanitize-block", "NVMe Sanitize with block erase", "ones", "seen-in-progress"),
        ("nvme-sanitize-overwrite", "NVMe Sanitize with overwrite", "zeros", "seen-in-progress"),
        ("nvme-sanitize-crypto", "NVMe Sanitize with crypto erase", "varied", "seen-in-progress"),
        ("nvme-format-user-data", "FORMAT NVM with user data erase", "zeros", "reported-only"),
        ("nvme-format-crypto", "FORMAT NVM with cryptographic erase", "varied", "reported-only"),
        ("purge", "NVMe Sanitize with block erase", "ones", "seen-in-progress"),
        ("purge-zero", "NVMe Sanitize with block erase", "pass", "seen-in-progress"),
    ] {
        erases(&|| bench(name, &format!("{SLOW},erased-ones")), [command, "Purge", evidence, left]);
    }
}

#[test]
fn an_nvme_drive_that_lies_is_never_called_erased() {
    let (sanitize, format) = ("nvme-sanitize-block", "nvme-format-crypto");
    for (name, lie, reason) in [
        (sanitize, "sanitize-erases-nothing", "STILL THERE"),
        (sanitize, "sanitize-claimed", "STILL THERE"),
        ("purge-zero", "sanitize-erases-nothing", "STILL THERE"),
        (sanitize, "sanitize-ignored", "without saying that it succeeded"),
        (sanitize, "sanitize-forgotten", "without saying that it succeeded"),
        (sanitize, "sanitize-of-another", "of another sanitize operation than ours"),
        (sanitize, "sanitize-fails", "FAILED to sanitize itself: data may remain; it left the failed state"),
        (sanitize, "wrong-serial=X", "another drive answers"),
        (format, "format-erases-nothing", "STILL THERE"),
        (format, "format-resizes", "another size or layout"),
        (format, "wrong-serial=X", "another drive answers"),
    ] {
        let record = certified(&bench(name, &format!("{SLOW},{lie}")));
        assert_eq!(said(&record), ("failed", ""), "{name} {lie}");
        assert!(record.sanitisation.reason.contains(reason), "{lie}: {}", record.sanitisation.reason);
    }
}

#[test]
fn nothing_is_written_to_an_nvme_drive_that_does_not_offer_it_or_would_erase_more() {
    for (name, words, reason) in [
        ("nvme-sanitize-block", "no-sanitize", "does not offer Block Erase"),
        ("nvme-sanitize-overwrite", "no-overwrite", "does not offer Overwrite"),
        ("nvme-sanitize-crypto", "no-crypto", "does not offer Crypto Erase"),
        ("nvme-format-user-data", "no-format", "does not offer FORMAT NVM"),
        ("nvme-format-crypto", "no-crypto-format", "does not offer FORMAT NVM with cryptographic erase"),
        ("purge", "no-sanitize,no-format", "purge unavailable"),
        ("ata-secure-erase", "namespaces=1", "another interface"),
        ("nvme-sanitize-block", "namespaces=2", "would erase namespace 2"),
        ("purge", "namespaces=2", "would erase namespace 2"),
        ("nvme-format-user-data", "namespaces=2,reaches-all", "would erase namespace 2"),
        ("nvme-sanitize-crypto", "namespaces=2,detached", "would erase namespace 2"),
        ("nvme-format-user-data", "namespaces=2,detached,reaches-all", "would erase namespace 2"),
    ] {
        let bench = bench(name, words);
        let record = certified(&bench);
        assert_eq!(said(&record), ("failed", ""), "{name} {words}");
        assert!(record.sanitisation.reason.contains(reason), "{name}: {}", record.sanitisation.reason);
        assert!(record.sanitisation.reason.contains("nothing was written to the drive"), "{name}");
        assert!(cells(&bench).iter().all(|byte| *byte == STAMP), "{name}: something was written");
        assert_eq!(bench.models[0].count(FORMAT) + bench.models[0].count(SANITIZE), 0, "{name}");
    }
}

#[test]
fn a_format_of_one_namespace_leaves_the_others_and_is_no_purge_of_the_drive() {
    for words in ["namespaces=2", "namespaces=2,detached"] {
        let bench = bench("nvme-format-user-data", words);
        let record = certified(&bench);
        assert_eq!(said(&record), ("erased", "Clear"), "{words}");
        let unit = record.media.unit.as_ref().unwrap();
        assert_eq!((unit.name.as_str(), unit.other_units, unit.unknown.as_str()), ("1", 1, ""), "{words}");
        assert!(record.statement.starts_with("This is about namespace 1 alone"), "{}", record.statement);
        let left = format!("Namespace 2 ({} bytes) of the same controller was not addressed", SIZE / 2);
        assert!(record.limits.iter().any(|limit| limit.starts_with(&left)), "{words}: {:?}", record.limits);
        let cells = cells(&bench);
        let (erased, other) = cells.split_at(cells.len() / 2);
        assert!(erased.iter().all(|byte| *byte == 0) && other.iter().all(|byte| *byte == STAMP));
    }
}

#[test]
fn what_a_deleted_namespace_left_is_reached_by_a_sanitize_and_by_no_format() {
    let left = "unallocated=4096";
    for (name, words, category, limit) in [
        ("nvme-format-user-data", left, "Clear", "belong to no namespace and were not reached"),
        ("nvme-format-crypto", left, "Clear", "belong to no namespace and were not reached"),
        ("nvme-format-user-data", "managed", "Clear", "does not state how much of its capacity"),
        ("nvme-format-user-data", "unallocated=0", "Purge", "is called a purge"),
        ("nvme-sanitize-block", left, "Purge", "is called a purge"),
    ] {
        let bench = bench(name, &format!("{SLOW},{words}"));
        let record = certified(&bench);
        assert_eq!(said(&record), ("erased", category), "{name} {words}");
        assert!(record.limits.iter().any(|said| said.contains(limit)), "{name} {words}: {:?}", record.limits);
        let reached = name.starts_with("nvme-sanitize") || words != left;
        assert_eq!(is_clean(&bench), reached, "{name} {words}");
    }
}

#[test]
fn an_overwritten_namespace_is_named_with_what_else_there_is() {
    let bench = bench("zero", "namespaces=3");
    let record = certified(&bench);
    assert_eq!(said(&record), ("erased", "Clear"));
    assert!(record.statement.starts_with("This is about namespace 1 alone"), "{}", record.statement);
    let named = |number| record.limits.iter().any(|limit| limit.starts_with(&format!("Namespace {number} (")));
    assert!(named(2) && named(3) && !named(1));
}

#[test]
fn after_a_cut_at_any_command_no_certificate_claims_more_than_the_cells_show() {
    for (name, erase) in [("nvme-sanitize-crypto", SANITIZE), ("nvme-format-user-data", FORMAT)] {
        let clean = bench(name, SLOW);
        clean.run();
        let commands = clean.models[0].log().len();
        assert_eq!(clean.models[0].count(erase), 1);
        for cut in (1..=commands).flat_map(|step| [Cut::Before(step), Cut::After(step)]) {
            let bench = bench(name, SLOW);
            bench.models[0].cut(cut);
            bench.run();
            bench.models[0].power_cycle();
            for record in bench.certificates() {
                assert!(is_clean(&bench) || !record.outcome.starts_with("erased"), "{name} {cut:?}");
            }
        }
    }
}

#[test]
fn after_a_cut_at_any_entry_of_the_log_the_job_goes_on_and_the_drive_is_erased() {
    for name in ["nvme-sanitize-block", "nvme-format-crypto"] {
        for writes in 4..24 {
            let mut bench = bench(name, SLOW);
            drop(bench.open_log().unwrap());
            cut_at(&mut bench, writes, writes);
            let (journal, replay) = bench.open_log().unwrap();
            if let Some(unfinished) = replay.unfinished().filter(|job| job.was_announced()) {
                let tally = bench.execute(bench.resumed(&replay).unwrap(), journal);
                let certified = unfinished.drives[0].certified && tally.settled.is_empty();
                assert!(certified || tally.count(Outcome::Erased) == 1, "{name} {writes}: {tally:?}");
                assert!(is_clean(&bench));
            }
            for record in bench.certificates() {
                assert!(is_clean(&bench) || !record.outcome.starts_with("erased"), "{name} {writes}");
            }
        }
    }
}

#[test]
fn a_drive_at_work_for_somebody_else_is_left_alone_until_it_is_done() {
    let bench = bench("nvme-format-crypto", SLOW);
    bench.models[0].begin_sanitize();
    let record = certified(&bench);
    assert_eq!(said(&record), ("failed", ""));
    let reason = &record.sanitisation.reason;
    assert!(reason.contains("sanitizing itself already") && reason.contains("nothing was written"), "{reason}");
    assert_eq!(bench.models[0].count(FORMAT), 0);
}
