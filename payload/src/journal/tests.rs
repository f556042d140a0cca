use super::{
    bounded::{List, Text},
    event::{Action, DriveRef, Outcome, PassContent, Progress, Sweep},
    frame::{self, BadFrame},
    medium::MemoryMedium,
    scan::Placed,
    *,
};

const OWNER: Owner = Owner { image: ImageId([1; 16]), binding: [2; 32] };
const ELSEWHERE: Owner = Owner { image: ImageId([1; 16]), binding: [3; 32] };
const SIZE: usize = 8192 + 256 * 1024;

fn open(medium: &MemoryMedium) -> Result<(Journal, Replay), JournalError> {
    Journal::open(Box::new(medium.clone()), OWNER, 1_790_000_000_000)
}

fn scanned(medium: &MemoryMedium) -> scan::Scan {
    let mut medium = medium.clone();
    let Found::Whole { superblock, .. } = Superblock::read(&mut medium).unwrap() else { panic!("no superblock") };
    scan::collect(&mut medium, &superblock, Reach::Everywhere).unwrap()
}

fn events(placed: &[Placed]) -> Vec<Event> {
    placed.iter().map(|placed| placed.entry.event.clone()).collect()
}

fn note(text: &str) -> Event {
    Event::Note { text: Text::new(text) }
}

/// An event about as long as an event can be.
fn long(c: char) -> Event {
    Event::Checkpoint {
        job: [u8::try_from(c).unwrap(); 16],
        drives: (0..16).map(|slot| Progress { slot, sweep: Sweep::Pass(34), offset: u64::MAX - 1 }).collect(),
    }
}

fn widest() -> Event {
    Event::JobStarted {
        job: [0xff; 16],
        action: Action::Wipe,
        method: Text::new(&"m".repeat(32)),
        passes: std::iter::repeat_n(PassContent::Triple([0xff; 3]), event::MAX_PASSES).collect(),
        verify: Verify::Full,
        request: [0xff; 32],
        drives: 255,
    }
}

fn widest_job(id: [u8; 16]) -> Event {
    match widest() {
        Event::JobStarted { action, method, passes, verify, request, .. } => {
            Event::JobStarted { job: id, action, method, passes, verify, request, drives: 2 }
        }
        other => other,
    }
}

/// A job of one pass and a full verification.
fn one_pass(job: [u8; 16], drives: u8) -> Event {
    match widest() {
        Event::JobStarted { action, method, verify, request, .. } => {
            let passes = [PassContent::Byte(0)].into_iter().collect();
            Event::JobStarted { job, action, method, passes, verify, request, drives }
        }
        other => other,
    }
}

/// A log of a few short and long entries.
fn small() -> (MemoryMedium, Vec<Event>) {
    let medium = MemoryMedium::new(SIZE);
    let (mut journal, _) = open(&medium).unwrap();
    for event in [note("first"), long('a'), widest(), Event::Shutdown] {
        journal.append(5, &event).unwrap();
    }
    let found = events(&scanned(&medium).entries);
    (medium, found)
}

#[test]
fn entries_come_back_in_order_and_a_new_log_names_its_key() {
    let (medium, found) = small();
    let (journal, replay) = open(&medium).unwrap();
    assert!(matches!(found[0], Event::Created { image } if image == OWNER.image.0));
    assert_eq!(found[1], Event::KeyMade { public: journal.key().public(), replaces: None });
    assert_eq!(found[2..], [note("first"), long('a'), widest(), Event::Shutdown]);
    assert!(replay.clean);
    assert_eq!(journal.head().sequence, 5);
    assert_eq!(events(&scanned(&medium).entries), found, "opening a whole log writes nothing");
}

#[test]
fn frames_are_whole_sectors_and_padding_is_zero() {
    for event in [note(""), note(&"x".repeat(400)), long('a'), widest()] {
        let entry = Entry { at: u64::MAX, event };
        let (bytes, hash) = frame::encode(u64::MAX, &[9; 32], &entry).unwrap();
        assert!(bytes.len().is_multiple_of(SECTOR) && bytes.len() <= frame::MAX_FRAME);
        let frame = frame::decode(&bytes).unwrap();
        assert_eq!((frame.entry, frame.hash, frame.len), (entry, hash, bytes.len()));
        let mut padded = bytes.clone();
        *padded.last_mut().unwrap() = 1;
        assert_eq!(frame::decode(&padded), Err(BadFrame::Padding));
        for end in 0..bytes.len() {
            let whole = frame::decode(&bytes[..end]);
            assert!(whole.is_err(), "cut to {end} bytes");
        }
    }
}

/// Cuts the power at write `number`, with only `sectors` of that write arriving; returns what was acknowledged.
fn cut(start: &MemoryMedium, number: u64, sectors: u64, owner: Owner) -> (MemoryMedium, Vec<Event>) {
    let medium = MemoryMedium::holding(start.bytes());
    let mut cutting = medium.clone();
    cutting.cut = Some((number, sectors));
    let mut acknowledged = Vec::new();
    if let Ok((mut journal, _)) = Journal::open(Box::new(cutting), owner, 7) {
        for event in [long('a'), note("b"), widest(), long('c')] {
            match journal.append(8, &event) {
                Ok(_) => acknowledged.push(event),
                Err(_) => {
                    assert!(matches!(journal.append(9, &note("after")), Err(JournalError::Poisoned(_))));
                    break;
                }
            }
        }
    }
    (medium, acknowledged)
}

#[test]
fn no_acknowledged_entry_is_lost_wherever_the_power_goes() {
    let copied = small().0;
    for (start, owner, writes) in
        [(MemoryMedium::new(SIZE), OWNER, 8), (copied.clone(), OWNER, 4), (copied, ELSEWHERE, 7)]
    {
        let before = match start.bytes()[0] {
            0 => Vec::new(),
            _ => events(&scanned(&start).entries),
        };
        for number in 1..=writes + 1 {
            for sectors in [0, 1, 2, 3, u64::MAX] {
                let (medium, acknowledged) = cut(&start, number, sectors, owner);
                let (mut journal, _) = Journal::open(Box::new(medium.clone()), owner, 10)
                    .unwrap_or_else(|error| panic!("write {number}, sectors {sectors:b}: {error}"));
                journal.append(11, &note("after the cut")).unwrap();
                let scan = scanned(&medium);
                assert!(scan.end.damage.is_none() && scan.end.torn.is_none(), "write {number}, sectors {sectors:b}");
                let found = events(&scan.entries);
                assert!(found.starts_with(&before));
                let new = &found[before.len()..];
                let kept = new.iter().filter(|event| acknowledged.contains(event)).count();
                assert_eq!(kept, acknowledged.len(), "write {number}, sectors {sectors:b}: {found:?}");
                assert_eq!(found.last(), Some(&note("after the cut")));
                let key = journal.key().public();
                let named = found.iter().any(|event| matches!(event, Event::KeyMade { public, .. } if *public == key));
                assert!(named, "write {number}, sectors {sectors:b}: the key in use is not in the log");
            }
        }
    }
}

#[test]
fn a_tail_cut_at_any_byte_is_torn_and_the_log_goes_on() {
    for event in [note("tail"), long('t')] {
        let (medium, before) = small();
        let from = usize::try_from(scanned(&medium).end.position).unwrap();
        open(&medium).unwrap().0.append(6, &event).unwrap();
        let whole = medium.bytes();
        let used = whole.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        for end in from..used {
            let mut bytes = whole.clone();
            bytes[end..].fill(0);
            let medium = MemoryMedium::holding(bytes);
            let scan = scanned(&medium);
            assert_eq!(events(&scan.entries), before, "cut at {end}");
            assert_eq!(scan.end.torn.is_some(), end > from);
            let (mut journal, _) = open(&medium).unwrap();
            journal.append(7, &event).unwrap();
            let found = events(&scanned(&medium).entries);
            assert_eq!((&found[..before.len()], found.last()), (&before[..], Some(&event)));
        }
    }
}

#[test]
fn every_flipped_bit_is_noticed_or_changes_nothing() {
    let (mut medium, before) = small();
    let whole = medium.bytes();
    let used = usize::try_from(scanned(&medium).end.position).unwrap();
    let last = scanned(&medium).entries.last().unwrap().at;
    // All of the first block's copies that is used, all frames, and a blank sector; what lies between is never read.
    for byte in (0..512).chain(4096..4608).chain(8192..used + 512) {
        let (sector, within) = (byte / SECTOR * SECTOR, byte % SECTOR);
        for bit in 0..8 {
            let mut changed = whole[sector..sector + SECTOR].to_vec();
            changed[within] ^= 1 << bit;
            medium.write_at(sector as u64, &changed).unwrap();
            let Found::Whole { superblock, intact } = Superblock::read(&mut medium).unwrap() else { panic!("blank") };
            assert_eq!(intact, byte >= 8192, "byte {byte}");
            let scan = scan::collect(&mut medium, &superblock, Reach::Near).unwrap();
            let unchanged = events(&scan.entries) == before;
            // Only in the last entry a flipped bit looks like a write that was cut short.
            let torn = scan.end.torn.is_some() && byte as u64 >= last;
            assert!(scan.end.damage.is_some() || torn || unchanged, "byte {byte}");
            if byte < 8192 {
                open(&medium).unwrap();
                assert_eq!(medium.bytes(), whole, "byte {byte} of the first block is not repaired");
            }
            medium.write_at(sector as u64, &whole[sector..sector + SECTOR]).unwrap();
        }
    }
}

#[test]
fn damage_stops_the_log_and_says_what_lies_behind() {
    let (medium, before) = small();
    let whole = medium.bytes();
    let frames = scanned(&medium).entries;
    let blanked = |from: u64, to: u64| {
        let mut bytes = whole.clone();
        bytes[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()].fill(0);
        MemoryMedium::holding(bytes)
    };
    let hole = blanked(frames[2].at, frames[4].at);
    let scan = scanned(&hole);
    assert_eq!(scan.end.damage.unwrap().at, frames[2].at);
    assert_eq!(events(&scan.beyond), before[4..]);
    let error = open(&hole).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { at, .. } if at == frames[2].at), "{error}");
    assert_eq!(hole.bytes(), blanked(frames[2].at, frames[4].at).bytes(), "a damaged log is not written to");
    // Both copies of the first block are gone, or were never there.
    assert_eq!(open(&blanked(0, 8192)).unwrap_err(), JournalError::NoSuperblock);
    // A whole frame from elsewhere, even as the last, is no torn write.
    let entry = Entry { at: 1, event: Event::Shutdown };
    let (foreign, _) = frame::encode(before.len() as u64, &[0; 32], &entry).unwrap();
    let mut bytes = whole.clone();
    let end = usize::try_from(scanned(&medium).end.position).unwrap();
    bytes[end..end + foreign.len()].copy_from_slice(&foreign);
    assert!(matches!(open(&MemoryMedium::holding(bytes)), Err(JournalError::Damaged { .. })));
}

#[test]
fn more_damage_at_the_end_than_one_write_leaves_is_no_torn_tail() {
    let (medium, _) = small();
    let frames = scanned(&medium).entries;
    for lost in 2..frames.len() {
        let mut bytes = medium.bytes();
        let first = frames[frames.len() - lost].at;
        for frame in &frames[frames.len() - lost..] {
            bytes[usize::try_from(frame.at).unwrap() + 60] ^= 0xff;
        }
        let damaged = MemoryMedium::holding(bytes.clone());
        let error = open(&damaged).unwrap_err();
        assert!(matches!(error, JournalError::Damaged { at, .. } if at == first), "{error}");
        assert_eq!(damaged.bytes(), bytes, "a damaged log is not written to");
    }
}

#[test]
fn an_entry_of_a_newer_version_is_never_overwritten() {
    let (medium, _) = small();
    let end = usize::try_from(scanned(&medium).end.position).unwrap();
    let entry = Entry { at: 1, event: Event::Shutdown };
    let (frame, _) = frame::encode(6, &scanned(&medium).end.previous, &entry).unwrap();
    let reseal = |change: &dyn Fn(&mut Vec<u8>)| {
        let body = u32::from_le_bytes(frame[16..20].try_into().unwrap()) as usize;
        let mut frame = frame.clone();
        change(&mut frame);
        let crc = crc32fast::hash(&frame[..52 + body]);
        frame[52 + body..56 + body].copy_from_slice(&crc.to_le_bytes());
        let mut bytes = medium.bytes();
        bytes[end..end + frame.len()].copy_from_slice(&frame);
        open(&MemoryMedium::holding(bytes))
    };
    assert!(reseal(&|_| ()).is_ok());
    assert!(matches!(reseal(&|frame| frame[4] = 2), Err(JournalError::Damaged { .. })), "another version");
    assert!(matches!(reseal(&|frame| frame[53] = 99), Err(JournalError::Damaged { .. })), "another event");
}

#[test]
fn a_full_log_keeps_a_reserve_for_the_entries_that_end_things() {
    let medium = MemoryMedium::new(SIZE);
    let (mut journal, _) = open(&medium).unwrap();
    journal.room_for_job(100 * 1024).unwrap();
    let full = loop {
        match journal.append(1, &long('f')) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(full, JournalError::Full { free } if free >= 16 * 1024), "{full}");
    assert!(matches!(journal.room_for_job(1), Err(JournalError::NearlyFull { .. })));
    // What a machine writes at every start and stop leaves room for the ends of drives.
    while journal.append(3, &Event::Shutdown).is_ok() {}
    let half = (SIZE as u64 - FRAMES) / 32;
    assert_eq!(journal.free_bytes(), half);
    for event in [note("n"), Event::Refused { reason: Text::new("r") }] {
        assert!(matches!(journal.append(2, &event), Err(JournalError::Full { .. })));
    }
    drop(journal);
    // A copy of it still opens, to say that it is full; and so does one with a torn tail.
    for _ in 0..2 {
        let (journal, _) = Journal::open(Box::new(medium.clone()), ELSEWHERE, 3).unwrap();
        assert_eq!(journal.free_bytes(), half - 512);
    }
    let end = usize::try_from(scanned(&medium).end.position).unwrap();
    let mut bytes = medium.bytes();
    bytes[end] = 1;
    let medium = MemoryMedium::holding(bytes);
    assert!(scanned(&medium).end.torn.is_some());
    let (mut journal, _) = Journal::open(Box::new(medium.clone()), ELSEWHERE, 3).unwrap();
    let ends = |slot| Event::DriveFinished { job: [1; 16], slot, outcome: Outcome::Failed, reason: Text::new("full") };
    let written = (0..).take_while(|slot| journal.append(2, &ends(*slot)).is_ok()).count();
    assert_eq!((written as u64, journal.free_bytes()), (half / 512 - 1, 0));
    let scan = scanned(&medium);
    assert!(scan.end.damage.is_none() && scan.end.torn.is_none());
    assert!(Journal::open(Box::new(medium), ELSEWHERE, 4).is_ok());
}

#[test]
fn after_an_io_error_nothing_is_written_any_more() {
    let medium = MemoryMedium::new(SIZE);
    drop(open(&medium).unwrap());
    let mut failing = medium.clone();
    failing.fails_after = Some(1);
    let (mut journal, _) = Journal::open(Box::new(failing), OWNER, 1).unwrap();
    journal.append(1, &note("kept")).unwrap();
    assert!(matches!(journal.append(1, &note("lost")), Err(JournalError::Io { .. })));
    let before = medium.bytes();
    assert!(matches!(journal.append(1, &note("never tried")), Err(JournalError::Poisoned(_))));
    assert_eq!(medium.bytes(), before);
}

#[test]
fn a_copy_gets_a_key_of_its_own_and_another_image_is_refused() {
    let (medium, before) = small();
    let original = open(&medium).unwrap().0.key().public();
    let copy = MemoryMedium::holding(medium.bytes());
    let (journal, _) = Journal::open(Box::new(copy.clone()), ELSEWHERE, 1).unwrap();
    let public = journal.key().public();
    assert_ne!(public, original);
    let found = events(&scanned(&copy).entries);
    assert_eq!(found[..before.len()], before);
    assert_eq!(found[before.len()..], [Event::KeyMade { public, replaces: Some(original) }]);
    drop(journal);
    let (journal, _) = Journal::open(Box::new(copy.clone()), ELSEWHERE, 2).unwrap();
    assert_eq!((journal.key().public(), scanned(&copy).entries.len()), (public, found.len()));
    let other = Owner { image: ImageId([9; 16]), ..OWNER };
    let error = Journal::open(Box::new(medium.clone()), other, 1).unwrap_err();
    assert!(matches!(error, JournalError::AnotherImage { .. }));
    let small = MemoryMedium::new(8192);
    assert!(matches!(open(&small), Err(JournalError::TooSmall { .. })));
}

/// The same stick behind a port, bridge or driver where it says otherwise of itself, and back.
#[test]
fn a_key_comes_back_with_what_it_was_made_for() {
    let (medium, _) = small();
    let key = |owner| Journal::open(Box::new(medium.clone()), owner, 1).unwrap().0.key().public();
    let third = Owner { binding: [4; 32], ..OWNER };
    let first = [key(OWNER), key(ELSEWHERE), key(third)];
    assert!(first[0] != first[1] && first[1] != first[2] && first[0] != first[2]);
    for _ in 0..3 {
        assert_eq!([key(OWNER), key(ELSEWHERE), key(third)], first);
    }
    let (journal, _) = Journal::open(Box::new(medium.clone()), OWNER, 1).unwrap();
    let exchanged = journal.exchanged().unwrap();
    assert_eq!((exchanged.old.0, exchanged.new.0, exchanged.returned), (first[2], first[0], true));
    assert!(exchanged.to_string().contains(&exchanged.new.stick_id()), "{exchanged}");
    drop(journal);
    assert_eq!(open(&medium).unwrap().0.exchanged(), None, "nothing is exchanged where nothing changed");
    let made = |event: &Event| match event {
        Event::KeyMade { public, replaces } => Some((*public, *replaces)),
        _ => None,
    };
    let made: Vec<_> = events(&scanned(&medium).entries).iter().filter_map(made).collect();
    assert_eq!(made[..2], [(first[0], None), (first[1], Some(first[0]))]);
    assert_eq!(made.last(), Some(&(first[0], Some(first[2]))), "the log names the key that signs");
    // One copy of the first block is lost, also where only its keys put aside are: the other has them all.
    for at in [0, 4096, 520, 4096 + 600] {
        let mut bytes = medium.bytes();
        bytes[at] ^= 1;
        let hurt = MemoryMedium::holding(bytes);
        assert_eq!(open(&hurt).unwrap().0.key().public(), first[0]);
        assert_eq!(hurt.bytes(), medium.bytes(), "byte {at} is not repaired");
    }
}

/// Wherever the power goes while keys are exchanged, every key is there afterwards, each where it was made for.
#[test]
fn no_key_is_lost_where_the_power_goes_while_keys_are_exchanged() {
    let (medium, _) = small();
    let first = open(&medium).unwrap().0.key().public();
    let second = Journal::open(Box::new(medium.clone()), ELSEWHERE, 1).unwrap().0.key().public();
    let third = Owner { binding: [4; 32], ..OWNER };
    // Back to the first, and on to a third: what each of two sectors of each write does.
    for next in [OWNER, third] {
        for (number, sectors) in (1..=4).flat_map(|number| [0, 1, 2, 0xfe, 0xff].map(|sectors| (number, sectors))) {
            let start = MemoryMedium::holding(medium.bytes());
            let mut cutting = start.clone();
            cutting.cut = Some((number, sectors));
            let cut = Journal::open(Box::new(cutting), next, 1);
            assert!(cut.is_err() || number > 3, "write {number}");
            let key = |owner| Journal::open(Box::new(start.clone()), owner, 2).unwrap().0.key().public();
            let new = key(next);
            assert_eq!((key(OWNER), key(ELSEWHERE), key(next)), (first, second, new), "write {number}, {sectors:b}");
            let logged = |public: [u8; 32]| {
                let is = |event: &Event| matches!(event, Event::KeyMade { public: made, .. } if *made == public);
                events(&scanned(&start).entries).iter().any(is)
            };
            assert!([first, second, new].map(logged) == [true; 3], "write {number}, {sectors:b}");
        }
    }
}

#[test]
fn no_key_makes_way_for_another() {
    let medium = MemoryMedium::new(SIZE);
    let at = |number: usize| Owner { binding: [u8::try_from(number + 1).unwrap(); 32], ..OWNER };
    let key =
        |number| Journal::open(Box::new(medium.clone()), at(number), 1).map(|(journal, _)| journal.key().public());
    let keys: Vec<_> = (0..=superblock::MAX_ASIDE).map(|number| key(number).unwrap()).collect();
    let whole = medium.bytes();
    let full = key(superblock::MAX_ASIDE + 1).unwrap_err();
    assert!(full == JournalError::TooManyKeys && full.to_string().contains("57 keys"), "{full}");
    assert_eq!(medium.bytes(), whole);
    for (number, made) in keys.into_iter().enumerate() {
        assert_eq!(key(number), Ok(made));
    }
}

#[test]
fn a_log_bound_to_nothing_is_bound_once_and_keeps_its_key() {
    let medium = MemoryMedium::new(SIZE);
    let unbound = Owner { binding: [0; 32], ..OWNER };
    let (journal, _) = Journal::open(Box::new(medium.clone()), unbound, 1).unwrap();
    let key = journal.key().public();
    drop(journal);
    let whole = medium.bytes();
    let (journal, _) = open(&medium).unwrap();
    assert_eq!((journal.key().public(), scanned(&medium).entries.len()), (key, 2), "no new key, and none announced");
    drop(journal);
    assert_ne!(medium.bytes(), whole, "it is bound now");
    assert_eq!(open(&medium).unwrap().0.key().public(), key);
    let (journal, _) = Journal::open(Box::new(medium.clone()), ELSEWHERE, 1).unwrap();
    assert_ne!(journal.key().public(), key, "a copy of a bound log");
    // Wherever the power goes while it is bound, the key stays.
    for (number, sectors) in [(1, 0), (1, 1), (2, 0), (2, 1)] {
        let start = MemoryMedium::holding(whole.clone());
        cut(&start, number, sectors, OWNER);
        let mut cutting = start.clone();
        cutting.cut = Some((number, sectors));
        assert!(Journal::open(Box::new(cutting), OWNER, 1).is_err() || number > 2);
        assert_eq!(open(&start).unwrap().0.key().public(), key);
    }
}

/// A small generator, so that every run of the tests sees the same garbage.
fn garbage(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn garbage_is_never_a_frame_and_never_a_panic() {
    for seed in 0..2000 {
        let mut bytes = garbage(seed, 4096);
        assert!(frame::decode(&bytes).is_err());
        bytes[..4].copy_from_slice(b"MFRM");
        assert!(frame::decode(&bytes).is_err());
        // A length that is believable, and a checksum that agrees: only the body is garbage.
        let body = 4 + usize::from(bytes[100]);
        bytes[16..20].copy_from_slice(&u32::try_from(body).unwrap().to_le_bytes());
        let crc = crc32fast::hash(&bytes[..52 + body]);
        bytes[52 + body..56 + body].copy_from_slice(&crc.to_le_bytes());
        assert!(frame::decode(&bytes).is_err());
    }
    let whole = small().0.bytes();
    for seed in 0..40 {
        let mut bytes = whole.clone();
        let at = 8192 + usize::from(garbage(seed, 1)[0]) * 8;
        let scrap = garbage(seed, 3000);
        bytes[at..at + scrap.len()].copy_from_slice(&scrap);
        let medium = MemoryMedium::holding(bytes);
        let scan = scanned(&medium);
        assert!(scan.end.damage.is_some() || scan.end.torn.is_some());
        let _ = open(&medium);
        assert!(open(&MemoryMedium::holding(garbage(seed, SIZE))).is_err());
    }
}

mod format;
mod memory;
mod replay;
mod unreadable;
