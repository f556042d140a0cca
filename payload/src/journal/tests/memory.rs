//! A full log on a machine with little memory: how much opening one takes is measured in a process of its own.

use super::*;
use event::{DefectKind, Extent};
use std::process::Command;

const FULL: usize = 64 << 20;
const LOG: &str = "MULE_TEST_LOG";

/// KiB by which opening the log in `medium` makes a process grow at most.
#[expect(clippy::disallowed_macros, reason = "a measurement, for whoever runs the test")]
fn growth(medium: &MemoryMedium) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    std::fs::write(&path, medium.bytes()).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "journal::tests::memory::opens_a_log", "--ignored", "--nocapture"])
        .env(LOG, &path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let grown = text.lines().find_map(|line| line.split_once("grown by ")).unwrap_or_else(|| panic!("{text}")).1;
    println!("{grown}");
    grown.trim_end_matches(" KiB").parse().unwrap()
}

fn kib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
#[ignore = "run by the tests below, in a process of its own"]
#[expect(clippy::disallowed_macros, reason = "a measurement, for whoever runs the test")]
fn opens_a_log() {
    let Some(path) = std::env::var_os(LOG) else { return };
    // Pages of the program itself come and go with the page cache: how many are mapped says nothing of the log.
    let (before, program) = (kib("VmRSS"), kib("RssFile"));
    let medium = FileMedium::open(path.as_ref(), 0, FULL as u64).unwrap();
    let (_, replay) = Journal::open(Box::new(medium), OWNER, 1).unwrap();
    assert!(replay.started > 0);
    let mapped = kib("RssFile").saturating_sub(program);
    println!("grown by {} KiB", (kib("VmHWM") - before).saturating_sub(mapped));
}

fn drive(serial: &str) -> DriveRef {
    let text = |text: &str| Text::new(&text.repeat(64));
    DriveRef { model: text("m"), serial: Text::new(serial), wwn: Some(text("w")), bytes: u64::MAX, logical: 512 }
}

fn started(job: [u8; 16], drives: u8) -> Event {
    match widest_job(job) {
        Event::JobStarted { job, action, method, passes, verify, request, .. } => {
            Event::JobStarted { job, action, method, passes, verify, request, drives }
        }
        other => other,
    }
}

#[test]
fn a_full_log_of_finished_jobs_opens_in_little_memory() {
    let medium = MemoryMedium::new(FULL);
    let (mut journal, _) = open(&medium).unwrap();
    let mut number = 0_u128;
    let mut entries = 0;
    while journal.free_bytes() > 2 << 20 {
        number += 1;
        let job = number.to_le_bytes();
        let finished = |slot| Event::DriveFinished { job, slot, outcome: Outcome::Failed, reason: Text::new("x") };
        let begin = (0..11).map(|slot| Event::DriveStarted { job, slot, drive: drive("s") });
        let all = [started(job, 11)].into_iter().chain(begin).chain((0..11).map(finished));
        for event in all.chain([Event::JobFinished { job }]) {
            journal.append(1, &event).unwrap();
            entries += 1;
        }
    }
    drop(journal);
    assert!(entries > 100_000, "{entries}");
    let grown = growth(&medium);
    assert!(grown < 4 << 10, "{entries} entries took {grown} KiB");
}

#[test]
fn the_worst_log_opens_in_bounded_memory() {
    let medium = MemoryMedium::new(FULL);
    let (mut journal, _) = open(&medium).unwrap();
    let kind = DefectKind::Unwritable;
    for job in (0..12).map(|job| [job; 16]) {
        journal.append(1, &started(job, 64)).unwrap();
        for slot in 0..64 {
            journal.append(1, &Event::DriveStarted { job, slot, drive: drive("s") }).unwrap();
            for sweep in (0..40).map(Sweep::Pass) {
                journal.append(1, &Event::SweepStarted { job, slot, sweep, key: None }).unwrap();
                journal.append(1, &Event::SweepFinished { job, slot, sweep, bytes: 0 }).unwrap();
            }
        }
        let extents: List<_, 16> = (0..16).map(|n| Extent { start: n, len: u64::MAX - 16 }).collect();
        for _ in 0..3000 {
            let (sweep, extents) = (Sweep::Pass(0), extents.clone());
            journal.append(1, &Event::Defects { job, slot: 0, sweep, kind, extents }).unwrap();
        }
        for _ in 0..300 {
            journal.append(1, &Event::JobResumed { job }).unwrap();
        }
    }
    drop(journal);
    let grown = growth(&medium);
    assert!(grown < 24 << 10, "{grown} KiB");
}
