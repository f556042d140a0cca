//! Whole jobs on simulated drives: what is on the cells afterwards, and what the certificates say of it.

mod meanwhile;
mod resumed;
pub(super) mod rig;

use crate::{
    drive::sim::{Lie, PowerCut},
    journal::{Verify, event::Outcome},
};
use mule_types::method::OVERWRITES;
use rig::{Bench, MIB, disk, holds_old_data};
use std::time::Duration;

/// No multiple of a MiB, a chunk, or a physical block.
const SIZE: u64 = 5 * MIB + 512 * 5;

#[test]
fn three_drives_are_erased_verified_and_certified() {
    let bench = Bench::new(vec![disk("A", SIZE), disk("B", 512), disk("C", 4 * MIB)]);
    let tally = bench.run();
    assert!(tally.is_clean(), "{tally:?}");
    assert_eq!(tally.count(Outcome::Erased), 3);
    for (disk, record) in bench.disks.iter().zip(["A", "B", "C"].map(|serial| bench.certificate(serial))) {
        assert!(!holds_old_data(disk));
        assert_eq!(record.outcome, "erased");
        assert_eq!(
            record.sanitisation.passes.iter().map(|p| p.writes.as_str()).collect::<Vec<_>>(),
            ["00", "FF", "random"]
        );
        assert_eq!(record.verification.blocks_matched, disk.identity().bytes / 512);
        assert_eq!(record.operator.name, "A. Technician");
        assert!(record.sanitisation.interruptions.is_empty());
    }
    assert!(bench.open_log().unwrap().1.unfinished().is_none());
    assert!(bench.history().jobs[0].drives.iter().all(|drive| drive.certified));
}

#[test]
fn every_method_leaves_its_last_pass_on_every_cell() {
    for method in OVERWRITES {
        let mut bench = Bench::new(vec![disk("A", 2 * MIB + 512)]);
        bench.method = method.name;
        assert!(bench.run().is_clean(), "{}", method.name);
        let record = bench.certificate("A");
        assert_eq!(record.sanitisation.passes.len(), method.steps.len());
        assert!(!holds_old_data(&bench.disks[0]), "{}", method.name);
        let last = &record.sanitisation.passes.last().unwrap().writes;
        if let Ok(byte) = u8::from_str_radix(last, 16) {
            let cells = bench.disks[0].read_cells(0, usize::try_from(2 * MIB + 512).unwrap());
            assert!(cells.iter().all(|cell| *cell == byte), "{}", method.name);
        }
    }
}

#[test]
fn a_sample_is_certified_as_a_sample_and_nothing_as_nothing() {
    let mut bench = Bench::new(vec![disk("A", 12 * MIB)]);
    bench.method = "zero";
    bench.verify = Verify::Sampled;
    assert!(bench.run().is_clean());
    let record = bench.certificate("A");
    assert_eq!(record.verification.extent, "sampled");
    let share = record.verification.blocks_matched * 100 / record.coverage.blocks_addressable;
    assert!((10..30).contains(&share), "{share} %");
    assert!(record.statement.contains("sample"));
    bench.verify = Verify::None;
    assert!(bench.run().is_clean());
    let record = bench.certificate("A");
    assert_eq!((record.verification.extent.as_str(), record.verification.blocks_matched), ("none", 0));
    assert!(record.statement.contains("nothing was read back"));
}

#[test]
fn each_drive_fails_alone_and_none_is_called_erased() {
    let disks: Vec<_> =
        ["good", "bad-write", "bad-read", "liar", "gone", "hung", "flush"].map(|s| disk(s, SIZE)).into();
    disks[1].break_it(|faults| faults.unwritable.extend([100, 9000]));
    disks[2].break_it(|faults| faults.unreadable.extend([300]));
    disks[3].break_it(|faults| {
        faults.lies.insert(5000, Lie::Dropped);
    });
    disks[4].break_it(|faults| faults.vanish_after = Some(7));
    disks[5].break_it(|faults| faults.hang_after = Some(7));
    disks[6].break_it(|faults| faults.flush_fails = true);
    let bench = Bench::new(disks);
    let tally = bench.run();
    assert!(!tally.is_clean());
    let outcome = |serial: &str| bench.certificate(serial).outcome;
    assert_eq!(outcome("good"), "erased");
    assert_eq!(outcome("bad-write"), "erased-with-exceptions");
    assert_eq!(outcome("bad-read"), "erased-with-exceptions");
    for serial in ["liar", "gone", "hung", "flush"] {
        assert_eq!(outcome(serial), "failed", "{serial}");
    }
    let record = bench.certificate("bad-write");
    assert_eq!(record.coverage.unwritable.iter().map(|r| r.first_lba).collect::<Vec<_>>(), [96, 9000]);
    assert_eq!(record.coverage.unwritable_blocks, 16);
    let record = bench.certificate("liar");
    assert_eq!((record.verification.blocks_different, record.verification.different[0].first_lba), (1, 5000));
}

#[test]
fn another_drive_in_its_place_is_not_written() {
    let bench = Bench::new(vec![disk("A", SIZE), disk("B", SIZE)]);
    let plan = bench.plan();
    let mut swapped = bench.disks[0].identity();
    swapped.serial = "SOMEBODY ELSE'S".into();
    bench.disks[0].set_identity(swapped);
    let (journal, _) = bench.open_log().unwrap();
    let tally = bench.execute(plan, journal);
    assert_eq!((tally.count(Outcome::Failed), tally.count(Outcome::Erased)), (1, 1));
    assert_eq!(bench.disks[0].counts().writes, 0);
    assert!(bench.certificate("A").sanitisation.reason.contains("SOMEBODY ELSE'S"));
}

#[test]
fn without_a_log_nothing_is_written_and_a_log_that_fails_stops_the_run() {
    for writes in 0..60 {
        let mut bench = Bench::new(vec![disk("A", SIZE), disk("B", SIZE)]);
        drop(bench.open_log().unwrap());
        bench.medium.fails_after = Some(writes);
        let Ok((journal, _)) = bench.open_log() else { continue };
        let tally = bench.execute(bench.plan(), journal);
        if writes < 3 {
            // The announcement of the job and its two drives was not complete.
            assert!(bench.disks.iter().all(|disk| disk.counts().writes == 0), "{writes}");
        }
        if tally.stopped.is_some() {
            assert!(!tally.is_clean());
        }
        for record in bench.certificates().iter().filter(|record| record.outcome == "erased") {
            let disk = bench.disks.iter().find(|disk| disk.identity().serial == record.media.serial).unwrap();
            assert!(!holds_old_data(disk));
        }
    }
}

/// Runs until the power goes with the `writes`-th write to the log; what the drives had not flushed is lost at random.
pub(super) fn cut_at(bench: &mut Bench, writes: u64, seed: u64) {
    bench.medium.cut = Some((writes, seed));
    if let Ok((journal, replay)) = bench.open_log() {
        let plan = if replay.unfinished().is_some() { bench.resumed(&replay).unwrap() } else { bench.plan() };
        bench.execute(plan, journal);
    }
    bench.medium.cut = None;
    bench.disks.iter().for_each(|disk| disk.power_cut(PowerCut::Random(seed)));
    let few = usize::try_from(seed % 5).unwrap_or(0);
    bench.models.iter().for_each(|model| model.power_cut(few));
    // What the dying run said without power never reached anybody.
    for entry in std::fs::read_dir(bench.folder()).unwrap().flatten() {
        std::fs::remove_file(entry.path()).unwrap();
    }
}

#[test]
fn after_power_cuts_at_any_moment_the_job_ends_as_if_there_had_been_none() {
    for seed in 1..25_u64 {
        let mut bench = Bench::new(vec![disk("A", SIZE), disk("B", 9 * MIB)]);
        bench.disks.iter().for_each(|disk| disk.break_it(|faults| faults.delay = Duration::from_millis(1)));
        drop(bench.open_log().unwrap());
        let announced = 3;
        let cuts = seed % 3 + 1;
        for cut in 0..cuts {
            cut_at(
                &mut bench,
                announced + 1 + (seed * 7 + cut * 5) % 23,
                seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> cut,
            );
        }
        bench.disks.reverse();
        let (journal, replay) = bench.open_log().unwrap();
        let Some(unfinished) = replay.unfinished() else { continue };
        let open = unfinished.drives.iter().filter(|drive| !drive.certified).count();
        let finished = unfinished.drives.iter().filter(|drive| drive.finished.is_some());
        let whole: Vec<_> = finished.map(|drive| drive.drive.serial.to_string()).collect();
        let tally = bench.execute(bench.resumed(&replay).unwrap(), journal);
        assert!(tally.is_clean(), "seed {seed}: {tally:?}");
        assert_eq!(tally.settled.len(), open);
        for disk in &bench.disks {
            assert!(!holds_old_data(disk), "seed {seed}");
        }
        for record in bench.certificates() {
            assert_eq!(record.outcome, "erased", "seed {seed}");
            let interrupted = !record.sanitisation.interruptions.is_empty();
            assert!(interrupted || whole.contains(&record.media.serial), "seed {seed}");
        }
        assert!(bench.open_log().unwrap().1.unfinished().is_none());
    }
}

#[test]
fn a_drive_that_was_used_in_between_begins_again_and_one_that_is_missing_is_waited_for() {
    let mut bench = Bench::new(vec![disk("A", SIZE), disk("B", 9 * MIB), disk("C", 9 * MIB)]);
    bench.disks.iter().for_each(|disk| disk.break_it(|faults| faults.delay = Duration::from_millis(3)));
    drop(bench.open_log().unwrap());
    // The drives' threads take turns as they like: power cuts until the log shows progress on the first of them.
    let progress = |bench: &Bench| {
        let (_, replay) = bench.open_log().unwrap();
        let first = replay.unfinished().unwrap().drives[0].clone();
        first.sweeps.iter().any(|sweep| sweep.finished_at.is_some() || sweep.offset > 0)
    };
    cut_at(&mut bench, 8, u64::MAX);
    let mut cuts = 0;
    while !progress(&bench) {
        cuts += 1;
        assert!(cuts < 50, "no progress");
        cut_at(&mut bench, 6, u64::MAX);
    }
    let (journal, replay) = bench.open_log().unwrap();
    bench.disks[0].write_cells(0, &[0x33; 4096]);
    let away = bench.disks.remove(2);
    let tally = bench.execute(bench.resumed(&replay).unwrap(), journal);
    assert_eq!((tally.count(Outcome::Erased), tally.settled.len()), (2, 2));
    assert!(!tally.is_clean() && tally.waiting[0].to_string().contains("C: it is not here"), "{tally:?}");
    let last = |serial: &str| bench.certificate(serial).sanitisation.interruptions.pop().unwrap();
    assert!(last("A").detail.contains("began again"));
    assert!(last("B").detail.contains("went on"));
    assert!(!holds_old_data(&bench.disks[0]) && !holds_old_data(&bench.disks[1]));
    // On another machine none of them is there, and nothing is certified; back home, the drive goes on where it was.
    let others = std::mem::replace(&mut bench.disks, vec![away]);
    let (journal, replay) = bench.open_log().unwrap();
    let open = replay.unfinished().unwrap();
    let before = open.drives.iter().find(|drive| *drive.drive.serial == *"C").unwrap().sweeps.clone();
    let stranger = Bench::new(vec![disk("D", SIZE)]);
    let idle = stranger.resumed(&replay).unwrap();
    assert!(idle.is_idle() && idle.waiting().len() == 1 && idle.denied().is_empty(), "{idle:?}");
    bench.disks[0].power_cut(PowerCut::Random(1));
    let tally = bench.execute(bench.resumed(&replay).unwrap(), journal);
    assert!(tally.is_clean() && tally.settled.len() == 1, "{tally:?}");
    let certificate = bench.certificate("C");
    assert_eq!(certificate.outcome, "erased");
    let begun = |at: Option<u64>| crate::job::record::time(at);
    let first = before.iter().find(|sweep| sweep.sweep == crate::journal::event::Sweep::Pass(0));
    if let Some(first) = first.filter(|sweep| sweep.finished_at.is_some()) {
        assert_eq!(certificate.sanitisation.passes[0].started, begun(Some(first.started_at)));
    }
    let pauses = &certificate.sanitisation.interruptions;
    let missed = &pauses[pauses.len() - 2];
    assert!(missed.resumed.is_empty() && missed.detail.contains("without it: it is not here"), "{pauses:?}");
    assert!(bench.open_log().unwrap().1.unfinished().is_none());
    drop(others);
}

#[test]
fn every_interruption_is_on_the_certificate() {
    let mut bench = Bench::new(vec![disk("A", 12 * MIB)]);
    bench.disks[0].break_it(|faults| faults.delay = Duration::from_millis(4));
    drop(bench.open_log().unwrap());
    (0..3).for_each(|_| cut_at(&mut bench, 6, u64::MAX));
    let (journal, replay) = bench.open_log().unwrap();
    assert!(bench.execute(bench.resumed(&replay).unwrap(), journal).is_clean());
    let pauses = bench.certificate("A").sanitisation.interruptions;
    assert_eq!(pauses.len(), 3);
    assert!(pauses.iter().all(|pause| pause.last_seen < pause.resumed));
    assert!(pauses.is_sorted_by_key(|pause| &pause.resumed));
}

#[test]
fn a_job_the_log_contradicts_is_not_resumed() {
    let mut bench = Bench::new(vec![disk("A", SIZE)]);
    drop(bench.open_log().unwrap());
    cut_at(&mut bench, 6, u64::MAX);
    let (_, mut replay) = bench.open_log().unwrap();
    assert!(bench.resumed(&replay).is_ok());
    replay.jobs[0].contradiction = Some("a pass ended twice".into());
    let error = bench.resumed(&replay).unwrap_err().to_string();
    assert!(error.contains("contradicts itself about it: a pass ended twice"), "{error}");
}

#[test]
fn a_changed_request_is_not_resumed() {
    let mut bench = Bench::new(vec![disk("A", SIZE)]);
    drop(bench.open_log().unwrap());
    cut_at(&mut bench, 6, u64::MAX);
    let (_, replay) = bench.open_log().unwrap();
    let unfinished = replay.unfinished().unwrap().clone();
    let mut request = bench.request();
    request.digest = [2; 32];
    let plan = crate::plan::Plan::resume(
        unfinished,
        request,
        &crate::plan::Authority::JobFile,
        vec![rig::described("sda", &bench.disks[0])],
        &crate::plan::Sticks::default(),
    );
    assert!(plan.is_err());
}
