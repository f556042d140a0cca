//! What may change while nobody looks, at every step of a job: the outcome is never better than what a fresh look would give,
//! and no drive is written that nobody authorised.

use super::{
    cut_at,
    resumed::bench,
    rig::{Bench, MIB, clock_back, disk},
};
use crate::{
    drive::sim::SimDisk,
    job::run::Tally,
    journal::{Verify, medium::MemoryMedium},
};
use std::{fs, path::PathBuf};

const SIZE: u64 = 6 * MIB;
/// What a customer wrote, or another drive holds.
const FOREIGN: u8 = 0x33;

type Change = fn(&mut Bench) -> Vec<SimDisk>;

/// What happens between a cut and the next start. Each gives the drives that must not be written.
const WHILE_OFF: &[(&str, Change)] = &[
    ("nothing", |_| Vec::new()),
    ("another drive in its place", |bench| {
        let home = std::mem::replace(&mut bench.disks[0], foreign("STRANGER"));
        drop(home);
        vec![bench.disks[0].clone()]
    }),
    ("another drive that says it is this one, of another size", |bench| {
        let smaller = SimDisk::new("A", SIZE - MIB, 512);
        smaller.write_cells(0, &[FOREIGN; 4096]);
        bench.disks[0] = smaller.clone();
        vec![smaller]
    }),
    ("content at the start", |bench| written(bench, 0)),
    ("content in the middle", |bench| written(bench, SIZE / 2)),
    ("content at the end", |bench| written(bench, SIZE - 512)),
    ("a smaller size", |bench| {
        bench.disks[0].set_capacity(SIZE - MIB);
        Vec::new()
    }),
    ("a second drive beside it", |bench| {
        bench.disks.push(foreign("BESIDE"));
        vec![bench.disks[1].clone()]
    }),
    ("a copy of the stick that went on elsewhere", |bench| {
        let own = bench.medium.clone();
        bench.medium = MemoryMedium::holding(own.bytes());
        let (journal, replay) = bench.open_log().unwrap();
        if replay.unfinished().is_some_and(|job| job.was_announced()) {
            bench.execute(bench.resumed(&replay).unwrap(), journal);
        }
        bench.medium = own;
        // What the copy wrote lies on the copy.
        certificates(bench).for_each(|file| fs::remove_file(file).unwrap());
        written(bench, 2 * MIB)
    }),
    ("the clock, years back", |bench| {
        bench.clock = clock_back;
        Vec::new()
    }),
];

fn foreign(serial: &str) -> SimDisk {
    let other = disk(serial, SIZE);
    other.set_background(crate::drive::sim::Background::Byte(FOREIGN));
    other
}

fn written(bench: &mut Bench, at: u64) -> Vec<SimDisk> {
    bench.disks[0].write_cells(at, &[FOREIGN; 512]);
    Vec::new()
}

fn certificates(bench: &Bench) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(bench.folder()).unwrap().flatten().map(|entry| entry.path())
}

/// Whether nothing was written to a drive full of foreign bytes, or of one that was made for the purpose.
fn untouched(disk: &SimDisk) -> bool {
    disk.counts().writes == 0
}

/// A fresh look at the drive that a certificate names.
fn holds_only_zeros(disk: &SimDisk) -> bool {
    disk.read_cells(0, usize::try_from(disk.identity().bytes).unwrap()).iter().all(|byte| *byte == 0)
}

fn truthful(bench: &Bench, disks: &[SimDisk], what: &str) {
    for record in bench.certificates().iter().filter(|record| record.outcome.starts_with("erased")) {
        let of = |disk: &&SimDisk| disk.identity().serial == record.media.serial && disk.identity().bytes == SIZE;
        let disk = disks.iter().find(of).unwrap_or_else(|| panic!("{what}: {} was not there", record.media.serial));
        // Where blocks were not read since, the outcome says so and counts them.
        let told = record.outcome == "erased-with-exceptions" && record.coverage.unread_blocks > 0;
        assert!(told || holds_only_zeros(disk), "{what}: {}", record.statement);
    }
}

/// Cuts the power at every entry of the log.
#[test]
fn whatever_changes_while_the_machine_is_off_no_outcome_is_too_good() {
    for verify in [Verify::Full, Verify::None] {
        for (what, change) in WHILE_OFF {
            let mut resumed = 0;
            for at in 4..40 {
                let mut bench = bench(verify, SIZE);
                let whole = bench.disks.clone();
                cut_at(&mut bench, at, u64::MAX);
                let what = format!("{what}, cut at entry {at}, {verify:?}");
                let forbidden = change(&mut bench);
                let disks: Vec<_> = whole.into_iter().chain(bench.disks.clone()).collect();
                let Ok((journal, replay)) = bench.open_log() else { panic!("{what}: no log") };
                let Some(job) = replay.unfinished() else {
                    // Behind the job's last entry.
                    assert!(resumed > 3, "{what}: only {resumed} cuts were in the middle");
                    break;
                };
                if !job.was_announced() {
                    continue;
                }
                resumed += 1;
                let plan = bench.resumed(&replay).unwrap();
                if !plan.is_idle() {
                    let tally: Tally = bench.execute(plan, journal);
                    assert!(tally.stopped.is_none(), "{what}: {tally:?}");
                }
                assert!(forbidden.iter().all(untouched), "{what}: a drive was written that nobody named");
                truthful(&bench, &disks, &what);
            }
        }
    }
}

/// A dock keeps its place, and its disk is exchanged while the job runs: before any of the requests.
#[test]
fn a_drive_that_is_exchanged_while_it_works_is_noticed_at_once() {
    for verify in [Verify::Full, Verify::None] {
        let requests = if verify == Verify::Full { 8 } else { 4 };
        for after in 0..requests {
            let bench = bench(verify, SIZE);
            let other = foreign("STRANGER");
            bench.disks[0].break_it(|faults| faults.exchange_after = Some((after, other.clone())));
            let tally = bench.run();
            let what = format!("exchanged after {after} requests, {verify:?}");
            // The stranger sits in the dock now, and the drive that was to be erased lies on the bench.
            assert_eq!(bench.disks[0].identity().serial, "STRANGER", "{what}");
            let written = bench.disks[0].counts().writes;
            assert!(written <= 4, "{what}: {written} requests went to the stranger");
            truthful(&bench, &[other], &what);
            assert_eq!(tally.settled[0].outcome, crate::journal::event::Outcome::Failed, "{what}");
            assert!(tally.settled[0].reason.contains("STRANGER"), "{what}: {}", tally.settled[0].reason);
        }
    }
}

/// The system takes the way of a loop device, or of a file in memory, and nothing tells the medium from a cache.
#[test]
fn what_was_erased_through_a_cache_is_not_said_to_be_seen_on_the_medium() {
    for cached in [false, true] {
        let bench = bench(Verify::Full, SIZE);
        bench.disks[0].break_it(|faults| faults.through_a_cache = cached);
        assert!(bench.run().is_clean());
        let record = bench.certificates().pop().unwrap();
        assert_eq!(record.verification.past_host_caches, !cached);
        assert_eq!(record.verification.description.contains("past all caches"), !cached);
        assert_eq!(record.statement.contains("from the medium or from a cache of the host"), cached);
        assert_eq!(record.limits.iter().any(|limit| limit.contains("answered from a cache of its own")), cached);
    }
}
