//! What entries add up to, and which cannot follow which.

use super::*;
use event::{DefectKind, Extent};

const BYTES: u64 = 1 << 20;
const JOB: [u8; 16] = [4; 16];

fn drive() -> DriveRef {
    DriveRef { model: Text::new("M"), serial: Text::new("S"), wwn: None, bytes: BYTES, logical: 512 }
}

fn placed(list: &[Event]) -> Vec<Placed> {
    let one = |(n, event): (u64, &Event)| Placed {
        at: 512 * n,
        sequence: n,
        hash: [0; 32],
        entry: Entry { at: n, event: event.clone() },
    };
    (0..).zip(list).map(one).collect()
}

#[test]
fn an_interrupted_and_resumed_job_adds_up() {
    let medium = MemoryMedium::new(SIZE);
    let job = [4; 16];
    let key = Some([5; 32]);
    let at = |slot, offset| -> List<_, 16> { [Progress { slot, sweep: Sweep::Pass(0), offset }].into_iter().collect() };
    let extents = [event::Extent { start: 512, len: 512 }].into_iter().collect();
    let kind = event::DefectKind::Unwritable;
    let first = [
        one_pass(job, 2),
        Event::DriveStarted { job, slot: 0, drive: drive() },
        Event::DriveStarted { job, slot: 1, drive: drive() },
        Event::SweepStarted { job, slot: 0, sweep: Sweep::Pass(0), key },
        Event::SweepStarted { job, slot: 1, sweep: Sweep::Pass(0), key: None },
        Event::Checkpoint { job, drives: at(0, 4096) },
        Event::Defects { job, slot: 0, sweep: Sweep::Pass(0), kind, extents },
        Event::DriveFinished { job, slot: 1, outcome: Outcome::Failed, reason: Text::new("gone") },
    ];
    let second = [
        Event::JobResumed { job },
        Event::SweepStarted { job, slot: 0, sweep: Sweep::Pass(0), key },
        Event::Checkpoint { job, drives: at(0, 8192) },
        Event::SweepFinished { job, slot: 0, sweep: Sweep::Pass(0), bytes: (1 << 20) - 512 },
        // Late news of a sweep that has ended.
        Event::Checkpoint { job, drives: at(0, 12288) },
        Event::SweepStarted { job, slot: 0, sweep: Sweep::Verify, key: None },
        Event::SweepFinished { job, slot: 0, sweep: Sweep::Verify, bytes: 1 << 20 },
        Event::DriveFinished { job, slot: 0, outcome: Outcome::ErasedWithExceptions, reason: Text::new("bad") },
        Event::Certified { job, slot: 0, sha256: [6; 32], name: Text::new("c.json") },
        Event::JobFinished { job },
        Event::Shutdown,
    ];
    for (boot, list) in (0..).zip([&first[..], &second[..]]) {
        let (mut journal, replay) = open(&medium).unwrap();
        let unfinished = replay.unfinished();
        assert_eq!(unfinished.is_some(), boot == 1);
        if let Some(unfinished) = unfinished {
            assert_eq!((unfinished.drives[0].sweeps[0].offset, unfinished.drives[0].sweeps[0].key), (4096, key));
            assert_eq!((unfinished.last_seen(), replay.clean), (107, false));
        }
        for (number, event) in (0..).zip(list) {
            journal.append(boot * 1000 + 100 + number, event).unwrap();
        }
    }
    let short = open(&medium).unwrap().1;
    assert!(short.unfinished().is_none() && short.clean && short.jobs.is_empty() && short.started == 1);
    let replay = Replay::of(&scanned(&medium).entries);
    assert!(replay.unfinished().is_none() && replay.clean);
    assert_eq!((replay.contradiction, short.contradiction), (None, None));
    let [whole, gone] = &replay.jobs[0].drives[..] else { panic!("two drives") };
    let sweep = &whole.sweeps[0];
    assert_eq!((sweep.offset, sweep.bytes, sweep.started_at), (8192, (1 << 20) - 512, 103));
    assert_eq!(sweep.finished_at, Some(1103));
    assert_eq!((whole.defects.len(), whole.certified, whole.interruptions.len()), (1, true, 1));
    assert_eq!((whole.interruptions[0].last_seen, whole.interruptions[0].resumed), (107, Some(1100)));
    assert_eq!((gone.interruptions.len(), gone.certified), (0, false), "it had ended before the power went");
}

#[test]
fn a_sweep_with_another_key_begins_again() {
    let (job, sweep) = ([4; 16], Sweep::Pass(0));
    let list = [
        one_pass(job, 1),
        Event::DriveStarted { job, slot: 0, drive: drive() },
        Event::SweepStarted { job, slot: 0, sweep, key: Some([1; 32]) },
        Event::SweepFinished { job, slot: 0, sweep, bytes: 1 << 20 },
        Event::SweepStarted { job, slot: 0, sweep, key: Some([2; 32]) },
    ];
    let replay = Replay::of(&placed(&list));
    let history = &replay.jobs[0].drives[0].sweeps[0];
    assert_eq!((history.finished_at, history.bytes, history.key), (None, 0, Some([2; 32])));
    assert_eq!(replay.contradiction, None);
}

fn sweep_started(slot: u8, sweep: Sweep) -> Event {
    Event::SweepStarted { job: JOB, slot, sweep, key: None }
}

fn sweep_finished(slot: u8, sweep: Sweep) -> Event {
    Event::SweepFinished { job: JOB, slot, sweep, bytes: BYTES }
}

fn finished(slot: u8, outcome: Outcome) -> Event {
    Event::DriveFinished { job: JOB, slot, outcome, reason: Text::new("") }
}

fn certified(slot: u8) -> Event {
    Event::Certified { job: JOB, slot, sha256: [0; 32], name: Text::new("c") }
}

fn checkpoint(slot: u8, sweep: Sweep, offset: u64) -> Event {
    Event::Checkpoint { job: JOB, drives: [Progress { slot, sweep, offset }].into_iter().collect() }
}

fn defect(start: u64, len: u64) -> Event {
    let extents = [Extent { start, len }].into_iter().collect();
    Event::Defects { job: JOB, slot: 0, sweep: Sweep::Pass(0), kind: DefectKind::Unwritable, extents }
}

fn restarted() -> Event {
    Event::DriveRestarted { job: JOB, slot: 0, reason: Text::new("") }
}

fn boot() -> Event {
    Event::Boot { version: Text::new("v"), kernel: Text::new("k"), board: Text::new("b") }
}

fn begun() -> Vec<Event> {
    vec![one_pass(JOB, 2), Event::DriveStarted { job: JOB, slot: 0, drive: drive() }]
}

/// Every sweep of drive 0, and then these.
fn swept(then: &[Event]) -> Vec<Event> {
    let (pass, verify) = (Sweep::Pass(0), Sweep::Verify);
    let sweeps = [sweep_started(0, pass), sweep_finished(0, pass), sweep_started(0, verify), sweep_finished(0, verify)];
    [&begun()[..], &sweeps, then].concat()
}

/// The two ways to add up must agree on what is unfinished and what is wrong.
fn contradiction(list: &[Event]) -> Option<super::super::replay::Contradiction> {
    let entries = placed(list);
    let (all, mut short) = (Replay::of(&entries), Replay::default());
    entries.iter().for_each(|placed| short.add(placed));
    assert_eq!((all.unfinished(), &all.contradiction), (short.unfinished(), &short.contradiction));
    if let (Some(job), Some(_)) = (all.unfinished(), &all.contradiction) {
        assert!(job.contradiction.is_some(), "the job does not know of it");
    }
    all.contradiction
}

#[test]
fn the_first_entry_that_cannot_be_true_is_named_and_not_added_up() {
    let (erased, failed, pass) = (Outcome::Erased, Outcome::Failed, Sweep::Pass(0));
    let cases: Vec<(&str, Vec<Event>, Event)> = vec![
        ("a job that is not running", vec![], sweep_started(0, pass)),
        ("a job that is not running", swept(&[Event::JobFinished { job: JOB }]), sweep_started(0, pass)),
        ("started again", begun(), one_pass(JOB, 2)),
        ("did not announce", begun(), Event::DriveStarted { job: JOB, slot: 2, drive: drive() }),
        ("a drive began twice", begun(), Event::DriveStarted { job: JOB, slot: 0, drive: drive() }),
        ("never began", begun(), checkpoint(1, pass, 0)),
        ("never began", begun(), checkpoint(0, pass, 0)),
        ("behind the drive's end", swept(&[]), checkpoint(0, pass, BYTES + 1)),
        ("never began", begun(), sweep_started(1, pass)),
        ("does not have", swept(&[]), sweep_started(0, Sweep::Pass(1))),
        ("before the one before it ended", begun(), sweep_started(0, Sweep::Verify)),
        ("never began", begun(), sweep_finished(0, pass)),
        ("ended twice", swept(&[]), sweep_finished(0, pass)),
        ("never began", begun(), defect(0, 512)),
        ("behind the drive's end", swept(&[]), defect(BYTES - 511, 512)),
        ("behind the drive's end", swept(&[]), defect(u64::MAX, 512)),
        ("before its last sweep ended", begun(), finished(0, erased)),
        ("before its last sweep ended", swept(&[])[..4].to_vec(), finished(0, Outcome::ErasedWithExceptions)),
        ("as no drive of such a job can", swept(&[]), finished(0, Outcome::Imaged)),
        ("never began", begun(), finished(1, failed)),
        ("finished twice", swept(&[finished(0, erased)]), finished(0, erased)),
        ("finished twice", swept(&[finished(0, erased), certified(0), boot()]), finished(0, erased)),
        ("better outcome", swept(&[finished(0, failed), boot()]), finished(0, erased)),
        ("after it was finished", swept(&[finished(0, failed)]), sweep_started(0, pass)),
        ("after it was finished", swept(&[finished(0, failed)]), defect(0, 512)),
        ("after it was finished", swept(&[finished(0, failed)]), restarted()),
        ("before it was finished", swept(&[]), certified(0)),
        ("certified twice", swept(&[finished(0, failed), certified(0)]), certified(0)),
    ];
    for (words, before, event) in cases {
        assert_eq!(contradiction(&before), None, "{event:?}");
        let list = [&before[..], &[event.clone(), Event::Shutdown, event.clone()]].concat();
        let found = contradiction(&list).unwrap_or_else(|| panic!("nothing is wrong with {event:?}"));
        assert!(found.reason.contains(words), "{event:?}: {}", found.reason);
        assert_eq!((found.sequence, found.at), (before.len() as u64, 512 * before.len() as u64));
        let drives = |list| Replay::of(&placed(list)).jobs.first().map(|job| job.drives.clone());
        assert_eq!(drives(&before), drives(&list), "{event:?}");
    }
}

#[test]
fn bad_luck_is_no_contradiction() {
    let (erased, failed, verify) = (Outcome::Erased, Outcome::Failed, Sweep::Verify);
    let resumed = || Event::JobResumed { job: JOB };
    let again = swept(&[])[2..].to_vec();
    for list in [
        // The power went between the end of the drive and its certificate.
        swept(&[finished(0, erased), boot(), finished(0, erased), certified(0), Event::JobFinished { job: JOB }]),
        swept(&[finished(0, erased), resumed(), finished(0, failed), certified(0)]),
        // After the verification, before the end: it is done again.
        swept(&[boot(), resumed(), sweep_started(0, verify), sweep_finished(0, verify), finished(0, erased)]),
        // Checkpoints are gathered while a drive works.
        swept(&[finished(0, erased), checkpoint(0, verify, BYTES)]),
        // Somebody used the drive.
        swept(&[&[resumed(), restarted()][..], &again, &[finished(0, erased)]].concat()),
        // A drive that could not be claimed.
        [&begun()[..], &[finished(0, failed), certified(0)]].concat(),
        // Another job while one is unfinished.
        swept(&[one_pass([5; 16], 1), finished(0, failed)]),
    ] {
        assert_eq!(contradiction(&list), None, "{list:?}");
    }
}

#[test]
fn more_than_this_version_keeps_account_of_does_not_go_on() {
    let many = swept(&vec![Event::JobResumed { job: JOB }; 201]);
    assert_eq!(contradiction(&many[..many.len() - 1]), None);
    assert!(contradiction(&many).unwrap().reason.contains("interrupted more often"));
    let many = swept(&vec![defect(0, 512); (32 << 10) + 1]);
    assert_eq!(contradiction(&many[..many.len() - 1]), None);
    assert!(contradiction(&many).unwrap().reason.contains("more bad places"));
    // The oldest of too many unfinished jobs is forgotten; the others are not.
    let jobs: Vec<_> = (0..5).map(|job| one_pass([job; 16], 1)).collect();
    let mut short = Replay::default();
    placed(&jobs).iter().for_each(|placed| short.add(placed));
    let kept: Vec<_> = short.jobs.iter().map(|job| job.job[0]).collect();
    assert_eq!((kept, short.started), (vec![1, 2, 3, 4], 5));
}
