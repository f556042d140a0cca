//! Logs of earlier versions stay readable, and what this version writes keeps its numbers.

use super::*;
use event::{DefectKind, Extent};

/// A log as version 1 wrote it: two entries of a new log, then [`every_event`]; cut behind the last frame.
const LOG_1: &[u8] = include_bytes!("log-1.bin");

#[test]
fn a_log_of_version_1_reads_as_it_was_written() {
    let mut bytes = LOG_1.to_vec();
    bytes.resize(SIZE, 0);
    let medium = MemoryMedium::holding(bytes.clone());
    let scan = scanned(&medium);
    let (mut journal, _) = open(&medium).unwrap();
    let public = journal.key().public();
    let expected = [Event::Created { image: OWNER.image.0 }, Event::KeyMade { public, replaces: None }];
    let found = events(&scan.entries);
    assert_eq!((&found[..2], &found[2..]), (&expected[..], &every_event(public)[..]));
    assert_eq!((scan.end.torn, scan.end.damage, scan.beyond.len()), (None, None, 0));
    let times: Vec<_> = scan.entries[2..].iter().map(|placed| placed.entry.at).collect();
    assert_eq!(times, (1..).map(|n| 1_790_000_000_000 + n).take(times.len()).collect::<Vec<_>>());
    // It goes on where it ended.
    journal.append(9, &note("new")).unwrap();
    let now = medium.bytes();
    assert_eq!(now[..LOG_1.len()], bytes[..LOG_1.len()]);
    assert_eq!(events(&scanned(&medium).entries).last(), Some(&note("new")));
}

#[test]
fn the_same_entries_are_still_the_same_bytes() {
    let bytes = &LOG_1[usize::try_from(FRAMES).unwrap()..];
    let frames = scanned(&MemoryMedium::holding([LOG_1, &[0; SIZE][..]].concat())).entries;
    let mut previous = frames[1].hash;
    for placed in &frames[2..] {
        let at = usize::try_from(placed.at - FRAMES).unwrap();
        let (again, hash) = frame::encode(placed.sequence, &previous, &placed.entry).unwrap();
        assert_eq!(bytes[at..at + again.len()], again, "entry {}", placed.sequence);
        previous = hash;
    }
}

#[test]
fn actions_and_outcomes_keep_their_numbers() {
    let actions = [Action::Report, Action::Wipe, Action::Verify, Action::Image, Action::Restore, Action::Clone];
    for (number, action) in (0..).zip(actions) {
        assert_eq!(postcard::to_slice(&action, &mut [0; 4]).unwrap(), [number], "{action:?}");
    }
    let outcomes = [
        Outcome::Erased,
        Outcome::ErasedWithExceptions,
        Outcome::Failed,
        Outcome::Interrupted,
        Outcome::Imaged,
        Outcome::ImagedWithExceptions,
        Outcome::Restored,
        Outcome::RestoredWithExceptions,
        Outcome::Cloned,
        Outcome::ClonedWithExceptions,
        Outcome::Verified,
        Outcome::Differs,
    ];
    for (number, outcome) in (0..).zip(outcomes) {
        assert_eq!(postcard::to_slice(&outcome, &mut [0; 4]).unwrap(), [number], "{outcome:?}");
        let ends: Vec<_> = actions.into_iter().filter(|action| outcome.ends(*action)).collect();
        let expected = match number {
            2 | 3 => actions.to_vec(),
            0 | 1 => vec![Action::Wipe],
            4 | 5 => vec![Action::Image],
            6 | 7 => vec![Action::Restore],
            8 | 9 => vec![Action::Clone],
            _ => vec![Action::Verify],
        };
        assert_eq!(ends, expected, "{outcome:?}");
    }
}

/// One of every event, each enum's every value among them.
fn every_event(public: [u8; 32]) -> Vec<Event> {
    let (job, other, slot) = ([4; 16], [5; 16], 0);
    let passes = |list: &[PassContent]| list.iter().copied().collect();
    let drive = |wwn: Option<&str>| DriveRef {
        model: Text::new("WDC WD5000AAKX-001CA0"),
        serial: Text::new("WD-WCAYUF123456"),
        wwn: wwn.map(Text::new),
        bytes: 500_107_862_016,
        logical: 512,
    };
    let (all, sweep, key) = (500_107_862_016, Sweep::Pass(0), Some([6; 32]));
    let extents = || [Extent { start: 512, len: 512 }, Extent { start: 8192, len: 4096 }].into_iter().collect();
    let started = |job, action, verify, list: &[PassContent]| Event::JobStarted {
        job,
        action,
        method: Text::new("schneier"),
        passes: passes(list),
        verify,
        request: [7; 32],
        drives: 4,
    };
    let finished = |slot, outcome, reason| Event::DriveFinished { job, slot, outcome, reason: Text::new(reason) };
    let three = [PassContent::Random, PassContent::Byte(0xff), PassContent::Triple([1, 2, 3])];
    let at =
        |sweep, offset| Event::Checkpoint { job, drives: [Progress { slot, sweep, offset }].into_iter().collect() };
    vec![
        Event::Boot { version: Text::new("0.1.0"), kernel: Text::new("6.12"), board: Text::new("Intel DQ965GF") },
        Event::Refused { reason: Text::new("a key was pressed") },
        started(job, Action::Wipe, Verify::Full, &three),
        Event::DriveStarted { job, slot, drive: drive(Some("0x50014ee2b2b2b2b2")) },
        Event::DriveStarted { job, slot: 1, drive: drive(None) },
        Event::DriveStarted { job, slot: 2, drive: drive(None) },
        Event::DriveStarted { job, slot: 3, drive: drive(None) },
        Event::SweepStarted { job, slot, sweep, key },
        at(sweep, 1 << 30),
        Event::Defects { job, slot, sweep, kind: DefectKind::Unwritable, extents: extents() },
        Event::JobResumed { job },
        Event::DriveRestarted { job, slot, reason: Text::new("it was used in between") },
        Event::SweepStarted { job, slot, sweep, key },
        Event::SweepFinished { job, slot, sweep, bytes: all },
        Event::SweepStarted { job, slot, sweep: Sweep::Pass(1), key: None },
        Event::SweepFinished { job, slot, sweep: Sweep::Pass(1), bytes: all },
        Event::SweepStarted { job, slot, sweep: Sweep::Pass(2), key: None },
        Event::SweepFinished { job, slot, sweep: Sweep::Pass(2), bytes: all },
        Event::SweepStarted { job, slot, sweep: Sweep::Verify, key: Some([8; 32]) },
        at(Sweep::Verify, 1 << 31),
        Event::Defects { job, slot, sweep: Sweep::Verify, kind: DefectKind::Unreadable, extents: extents() },
        Event::Defects { job, slot, sweep: Sweep::Verify, kind: DefectKind::Mismatch, extents: extents() },
        Event::SweepFinished { job, slot, sweep: Sweep::Verify, bytes: all - 9216 },
        finished(0, Outcome::ErasedWithExceptions, "bad"),
        Event::Certified { job, slot, sha256: [9; 32], name: Text::new("20260301T141509Z-WD-WCAYUF123456.json") },
        finished(1, Outcome::Failed, "gone"),
        finished(2, Outcome::Interrupted, "stopped"),
        Event::SweepStarted { job, slot: 3, sweep, key },
        Event::SweepFinished { job, slot: 3, sweep, bytes: all },
        Event::SweepStarted { job, slot: 3, sweep: Sweep::Pass(1), key: None },
        Event::SweepFinished { job, slot: 3, sweep: Sweep::Pass(1), bytes: all },
        Event::SweepStarted { job, slot: 3, sweep: Sweep::Pass(2), key: None },
        Event::SweepFinished { job, slot: 3, sweep: Sweep::Pass(2), bytes: all },
        Event::SweepStarted { job, slot: 3, sweep: Sweep::Verify, key: Some([8; 32]) },
        Event::SweepFinished { job, slot: 3, sweep: Sweep::Verify, bytes: all },
        finished(3, Outcome::Erased, ""),
        Event::JobFinished { job },
        started(other, Action::Report, Verify::Sampled, &[]),
        Event::JobFinished { job: other },
        started([6; 16], Action::Verify, Verify::None, &[PassContent::Byte(0)]),
        Event::JobFinished { job: [6; 16] },
        Event::KeyMade { public, replaces: Some([10; 32]) },
        Event::Note { text: Text::new("a note") },
        Event::Shutdown,
    ]
}
