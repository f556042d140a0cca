//! What may happen to a drive while the machine is off: the outcome is never better than what a fresh look would give.

use super::{
    cut_at,
    rig::{Bench, MIB, disk, holds_old_data},
};
use crate::{
    job::{facts::Facts, run::Tally},
    journal::{
        Verify,
        event::{Outcome, Sweep},
    },
    plan::Content,
};
use std::time::Duration;

/// Large enough to be sampled.
const SIZE: u64 = 12 * MIB;
/// A sector that neither the first nor the last chunk has, which are read before a job goes on.
const PLACE: u64 = 4 * MIB;

/// One disk that is slow enough for checkpoints, to be zeroed.
pub(super) fn bench(verify: Verify, bytes: u64) -> Bench {
    let mut bench = Bench::new(vec![disk("A", bytes)]);
    (bench.method, bench.verify) = ("zero", verify);
    bench.disks[0].break_it(|faults| faults.delay = Duration::from_millis(1));
    drop(bench.open_log().unwrap());
    bench
}

/// How far a sweep of the unfinished job came, by the log.
fn reached(bench: &Bench, sweep: Sweep) -> Option<u64> {
    let (_, replay) = bench.open_log().unwrap();
    let drive = replay.unfinished()?.drives.first()?.clone();
    let past = drive.sweeps.iter().find(|past| past.sweep == sweep && drive.finished.is_none())?;
    Some(if past.finished_at.is_some() { u64::MAX } else { past.offset })
}

/// The drives' threads take turns as they like, so that nobody knows which entry of the log is the one in question: jobs are
/// cut at one after the other until `wanted` was true of enough of them. Those go on after `meanwhile`.
fn cut_until(
    enough: u32,
    verify: Verify,
    wanted: impl Fn(&Bench) -> bool,
    meanwhile: impl Fn(&mut Bench),
    check: impl Fn(&Bench, &Tally),
) {
    let mut met = 0;
    for attempt in 0..1000 {
        let mut bench = bench(verify, SIZE);
        cut_at(&mut bench, 5 + attempt % 25, u64::MAX);
        let (_, replay) = bench.open_log().unwrap();
        if replay.unfinished().is_none_or(|job| !job.was_announced()) || !wanted(&bench) {
            continue;
        }
        meanwhile(&mut bench);
        let (journal, replay) = bench.open_log().unwrap();
        let tally = bench.execute(bench.resumed(&replay).unwrap(), journal);
        check(&bench, &tally);
        met += 1;
        if met == enough {
            return;
        }
    }
    panic!("only {met} cuts at the moment in question");
}

#[test]
fn a_verification_that_was_cut_short_reads_everything_again() {
    let wanted = |bench: &Bench| reached(bench, Sweep::Verify).is_some_and(|offset| offset > PLACE + 4096);
    let meanwhile = |bench: &mut Bench| bench.disks[0].write_cells(PLACE, &[0x77; 512]);
    cut_until(3, Verify::Full, wanted, meanwhile, |bench, _| {
        let record = bench.certificate("A");
        assert!(record.outcome == "failed" || !holds_old_data(&bench.disks[0]), "{}", record.statement);
    });
}

#[test]
fn what_nobody_read_since_the_machine_stopped_is_an_exception_with_its_count() {
    for verify in [Verify::None, Verify::Sampled] {
        let wanted = |bench: &Bench| reached(bench, Sweep::Pass(0)).is_some_and(|offset| offset > MIB && offset < SIZE);
        cut_until(
            1,
            verify,
            wanted,
            |_| (),
            |bench, _| {
                let record = bench.certificate("A");
                assert_eq!(record.outcome, "erased-with-exceptions", "{}", record.statement);
                let unread = record.coverage.unread_blocks;
                assert!((MIB / 1024..SIZE / 512).contains(&unread), "{unread}");
                assert!(record.sanitisation.reason.contains("were not read since"), "{}", record.sanitisation.reason);
            },
        );
    }
}

#[test]
fn what_was_read_in_full_after_the_interruption_is_no_exception() {
    let wanted = |bench: &Bench| reached(bench, Sweep::Pass(0)).is_some_and(|offset| offset > MIB);
    cut_until(
        2,
        Verify::Full,
        wanted,
        |_| (),
        |bench, _| {
            let record = bench.certificate("A");
            assert_eq!((record.outcome.as_str(), record.coverage.unread_blocks), ("erased", 0));
            assert_eq!(record.verification.blocks_matched, SIZE / 512);
        },
    );
}

/// Between a drive's end and its certificate: it is certified for what was true then, sampled or not.
#[test]
fn a_drive_that_lacks_only_its_certificate_gets_the_outcome_it_had() {
    for verify in [Verify::Full, Verify::Sampled, Verify::None] {
        let bench = bench(verify, SIZE);
        assert!(bench.run().is_clean());
        let job = bench.history().jobs.pop().unwrap();
        let passes: Vec<Content> = job.passes.iter().copied().map(Into::into).collect();
        let facts = Facts::from_history(&job.drives[0], &passes, job.verify, false);
        assert_eq!(facts.outcome(), (Outcome::Erased, String::new()), "{verify:?}");
    }
}

/// A sector that fails once is written again after the interruption: it is no bad sector of the second attempt, however
/// often the machine stops then.
#[test]
fn a_passing_write_error_and_two_power_cuts_are_no_failure() {
    let mut met = 0;
    for attempt in 0..1000 {
        let mut bench = bench(Verify::Full, SIZE);
        bench.disks[0].break_it(|faults| faults.unwritable.extend([PLACE / 512]));
        cut_at(&mut bench, 5 + attempt % 25, u64::MAX);
        let (_, replay) = bench.open_log().unwrap();
        let logged =
            replay.unfinished().and_then(|job| job.drives.first()).is_some_and(|drive| !drive.defects.is_empty());
        let behind = reached(&bench, Sweep::Pass(0)).is_some_and(|offset| offset <= PLACE);
        if !logged || !behind {
            continue;
        }
        bench.disks[0].break_it(|faults| faults.unwritable.clear());
        cut_at(&mut bench, 6, u64::MAX);
        let (journal, replay) = bench.open_log().unwrap();
        let tally = bench.execute(bench.resumed(&replay).unwrap(), journal);
        assert_eq!(tally.count(Outcome::Erased), 1, "attempt {attempt}: {tally:?}");
        met += 1;
        if met == 2 {
            return;
        }
    }
    panic!("the error was logged before its checkpoint {met} times");
}
