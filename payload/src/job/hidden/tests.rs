//! Whole wipes of simulated drives whose firmware hides something.

use super::*;
use crate::{
    firmware::model::{Cut, Model},
    job::tests::{
        cut_at,
        rig::{Bench, MIB, disk},
    },
    journal::event::Outcome,
};

const NATIVE: u64 = 6 * MIB;
const SHOWN: u64 = 4 * MIB;

/// A disk that hides its last sectors behind a Host Protected Area.
const HIDING: &str = "hpa=8192";

/// The drive with firmware, and one without any.
fn bench(policy: Policy, words: &str) -> Bench {
    assert_eq!(HIDING, format!("hpa={}", SHOWN / 512));
    let mut bench = Bench::new(vec![disk("B", SHOWN)]);
    bench.method = "zero";
    bench.hidden_areas = policy;
    bench.models = vec![Model::new("A", NATIVE / 512, words)];
    bench
}

/// Sectors with the old content, of all that the disk has.
fn old(bench: &Bench) -> usize {
    bench.models[0].old_sectors()
}

fn hidden_sectors() -> usize {
    usize::try_from((NATIVE - SHOWN) / 512).unwrap()
}

#[test]
fn what_was_hidden_is_lifted_wiped_and_certified() {
    for words in [HIDING, "dco=8192", "hpa=8192,dco=10000", "hpa=8192,amac"] {
        lifted_wiped_and_certified(words);
    }
}

fn lifted_wiped_and_certified(words: &str) {
    let bench = bench(Policy::Remove, words);
    let tally = bench.run();
    assert_eq!((tally.count(Outcome::Erased), tally.stopped.as_deref(), old(&bench)), (1, None, 0));
    let record = bench.certificate("A");
    let hidden = record.coverage.hidden.unwrap();
    assert_eq!((record.outcome.as_str(), record.media.bytes), ("erased", NATIVE));
    assert_eq!((hidden.before.visible, hidden.after.visible), (SHOWN, NATIVE));
    assert_eq!((hidden.bytes_not_reached, hidden.removal_asked), (0, true));
    assert!(record.coverage.hidden_areas.contains("were lifted before the wipe"), "{}", record.coverage.hidden_areas);
    // The other drive has no firmware that could be asked.
    let other = bench.certificate("B");
    assert_eq!(other.outcome, "erased-with-exceptions");
    let history = bench.history();
    let logged = history.jobs[0].drives.iter().find(|drive| &*drive.drive.serial == "A").unwrap().clone();
    assert_eq!((logged.drive.bytes, logged.hidden.unwrap().before.visible), (NATIVE, SHOWN));
}

#[test]
fn what_stays_hidden_is_an_exception_and_never_an_erasure() {
    for (policy, words) in [(Policy::Report, HIDING), (Policy::Remove, "hpa=8192,lies")] {
        let bench = bench(policy, words);
        let tally = bench.run();
        assert!(!tally.is_clean());
        assert_eq!(old(&bench), hidden_sectors());
        let record = bench.certificate("A");
        assert_eq!((record.outcome.as_str(), record.media.bytes), ("erased-with-exceptions", SHOWN));
        assert!(record.sanitisation.reason.contains("hides were not reached"), "{}", record.sanitisation.reason);
        let hidden = record.coverage.hidden.unwrap();
        assert_eq!(hidden.bytes_not_reached, NATIVE - SHOWN);
        assert_eq!(hidden.left.is_empty(), policy == Policy::Report);
    }
}

#[test]
fn what_cannot_be_found_out_is_no_clean_removal() {
    for (policy, outcome) in [(Policy::Report, "erased"), (Policy::Remove, "erased-with-exceptions")] {
        let bench = bench(policy, "hpa=8192,no-dco,no-registers=good");
        bench.run();
        let record = bench.certificate("A");
        assert_eq!(record.outcome, outcome);
        assert!(record.coverage.hidden_areas.contains("NOT found out"), "{}", record.coverage.hidden_areas);
    }
}

#[test]
fn a_drive_that_hides_something_is_refused_where_the_job_says_so() {
    let mut bench = bench(Policy::Refuse, HIDING);
    bench.disks.clear();
    bench.models.push(Model::new("B", SHOWN / 512, ""));
    let tally = bench.run();
    assert_eq!((tally.settled.len(), tally.count(Outcome::Erased)), (1, 1));
    assert_eq!(bench.certificate("B").outcome, "erased");
    assert_eq!((bench.models[0].writes(), old(&bench)), (0, usize::try_from(NATIVE / 512).unwrap()));
    assert_eq!((bench.models[0].visible(), bench.models[1].old_sectors()), (SHOWN / 512, 0));
}

#[test]
fn a_drive_that_hides_nothing_is_erased_and_says_so() {
    for policy in [Policy::Report, Policy::Remove, Policy::Refuse] {
        let mut bench = bench(policy, "");
        bench.disks.clear();
        assert!(bench.run().is_clean());
        let record = bench.certificate("A");
        assert!(record.coverage.hidden_areas.starts_with("none"), "{}", record.coverage.hidden_areas);
    }
}

#[test]
fn a_power_cut_after_the_lifting_loses_nothing() {
    for after in 0..8 {
        let bench = bench(Policy::Remove, HIDING);
        bench.models[0].cut(Cut::Accesses(after));
        bench.run();
        // The cut is the drive's: the run ends, certified as failed, and the next one wipes what is shown now.
        assert_eq!(bench.certificate("A").outcome, "failed", "after {after}");
        bench.models[0].power_cycle();
        assert_eq!(bench.models[0].visible(), NATIVE / 512);
        assert_eq!(bench.run().count(Outcome::Erased), 1, "after {after}");
        let record = bench.certificate("A");
        assert_eq!((record.outcome.as_str(), record.media.bytes, old(&bench)), ("erased", NATIVE, 0));
    }
}

#[test]
fn whenever_the_machine_stops_the_next_run_wipes_all_that_is_shown_then() {
    let mut known = 0;
    for writes in 1..14 {
        let mut bench = bench(Policy::Remove, HIDING);
        bench.disks.clear();
        drop(bench.open_log().unwrap());
        cut_at(&mut bench, writes, u64::MAX);
        let (journal, replay) = bench.open_log().unwrap();
        let certified = |job: &crate::journal::replay::JobHistory| job.drives.iter().any(|drive| drive.certified);
        if bench.history().jobs.last().is_some_and(certified) {
            break;
        }
        let goes_on = replay.unfinished().is_some_and(|job| job.was_announced());
        let plan = if goes_on { bench.resumed(&replay).unwrap() } else { bench.plan() };
        let tally = bench.execute(plan, journal);
        assert!(tally.is_clean() && tally.settled.len() == 1, "{writes}: {goes_on}: {tally:?}");
        let record = bench.certificate("A");
        assert_eq!((record.outcome.as_str(), record.media.bytes, old(&bench)), ("erased", NATIVE, 0), "{writes}");
        // Where the power went before the job was announced, the next one finds nothing hidden any more; where it went just
        // after, nothing is known, and nothing is claimed.
        let hidden = record.coverage.hidden.unwrap_or_default();
        known += usize::from(hidden.before.visible == SHOWN);
    }
    assert!(known > 5, "only {known} jobs that went on know what was hidden before");
}

#[test]
fn a_drive_in_trouble_is_left_alone_and_stops_no_other() {
    let bench = bench(Policy::Remove, "hpa=8192,exchanged=X");
    let tally = bench.run();
    assert_eq!((tally.stopped, tally.settled.len(), tally.settled[0].serial.as_str()), (None, 1, "B"));
    assert_eq!((bench.models[0].writes(), old(&bench)), (0, usize::try_from(NATIVE / 512).unwrap()));
    assert_ne!(bench.disks[0].counts().writes, 0);
}

/// Before or after each command that looks for the limits and lifts them.
#[test]
fn a_power_cut_at_any_command_of_the_lifting_leaves_a_drive_that_the_next_run_wipes() {
    let words = "hpa=8192,dco=10000";
    let clean = bench(Policy::Remove, words);
    clean.run();
    // The last question for the factory size ends the lifting; what comes then asks how warm the drive is.
    let last = clean.models[0].log().iter().rposition(|(command, _)| *command == 0xb1).unwrap();
    assert!(last > 10, "nothing was lifted");
    for step in 1..=last + 1 {
        for cut in [Cut::Before(step), Cut::After(step)] {
            let mut bench = bench(Policy::Remove, words);
            bench.disks.clear();
            bench.models[0].cut(cut);
            bench.run();
            let claimed = bench.certificates().iter().any(|record| record.outcome.starts_with("erased"));
            assert!(!claimed, "{cut:?}: erased without a supply");
            bench.models[0].power_cycle();
            bench.run();
            let record = bench.certificate("A");
            assert_eq!((record.outcome.as_str(), record.media.bytes, old(&bench)), ("erased", NATIVE, 0), "{cut:?}");
        }
    }
}

/// A disk behind a USB bridge that shows so many bytes of it in blocks of this size.
fn bridged(policy: Policy, bytes: u64, logical: u32) -> Bench {
    let mut bench = bench(policy, "");
    bench.disks.clear();
    bench.models[0].behind_bridge(bytes, logical, 1);
    bench
}

#[test]
fn a_bridge_that_translates_blocks_changes_nothing_in_what_is_certified() {
    for policy in [Policy::Report, Policy::Remove, Policy::Refuse] {
        let bench = bridged(policy, NATIVE, 4096);
        let tally = bench.run();
        assert!(tally.is_clean() && tally.settled.len() == 1, "{policy:?}: {tally:?}");
        let record = bench.certificate("A");
        assert_eq!((record.outcome.as_str(), record.media.logical_block), ("erased", 4096));
        assert_eq!((record.coverage.hidden.unwrap().bytes_not_reached, old(&bench)), (0, 0));
    }
}

#[test]
fn what_a_bridge_keeps_is_not_reached_and_said() {
    for (logical, kept) in [(512, 2048), (4096, 8 * 4096)] {
        let bench = bridged(Policy::Report, NATIVE - kept, logical);
        let tally = bench.run();
        assert!(tally.settled[0].certificate.is_ok(), "{tally:?}");
        let record = bench.certificate("A");
        assert_eq!(record.outcome, "erased-with-exceptions");
        assert_eq!(record.coverage.hidden.as_ref().unwrap().bytes_not_reached, kept);
        let limit = format!("{kept} bytes that the drive states beyond what can be addressed were NOT reached");
        assert!(record.limits.iter().any(|said| said.starts_with(&limit)), "{:?}", record.limits);
        assert_eq!(old(&bench) as u64, kept / 512);
    }
}

#[test]
fn a_bridge_that_shows_more_than_the_drive_has_is_refused_before_anything_is_written() {
    let mut bench = bridged(Policy::Report, NATIVE + 4096, 4096);
    bench.disks.push(disk("B", SHOWN));
    let tally = bench.run();
    assert_eq!((tally.settled.len(), tally.settled[0].serial.as_str()), (1, "B"));
    assert_eq!((bench.models[0].writes(), old(&bench)), (0, usize::try_from(NATIVE / 512).unwrap()));
}
