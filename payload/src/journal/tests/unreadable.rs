//! Sectors that cannot be read: reported as damage to whoever looks, a refusal to whoever wants to write.

use super::*;

const LARGE: usize = 8192 + (9 << 20);

fn superblock(medium: &MemoryMedium) -> Result<(Superblock, bool), JournalError> {
    match Superblock::read(&mut medium.clone())? {
        Found::Whole { superblock, intact } => Ok((*superblock, intact)),
        Found::Blank => panic!("blank"),
    }
}

/// A second medium with the same bytes, on which the sector at `at` cannot be read.
fn spoiled(medium: &MemoryMedium, at: u64) -> MemoryMedium {
    MemoryMedium::holding(medium.bytes()).spoiled(at)
}

#[test]
fn one_bad_sector_hides_only_its_own_entry() {
    let (medium, before) = small();
    let whole = scanned(&medium);
    let length = |placed: &Placed| {
        let next = whole.entries.iter().find(|other| other.at > placed.at).map_or(whole.end.position, |next| next.at);
        next - placed.at
    };
    for (number, placed) in whole.entries.iter().enumerate() {
        for sector in (placed.at..placed.at + length(placed)).step_by(SECTOR) {
            let bad = spoiled(&medium, sector);
            for reach in [Reach::Near, Reach::Everywhere] {
                let (superblock, _) = superblock(&bad).unwrap();
                let scan = scan::collect(&mut bad.clone(), &superblock, reach).unwrap();
                let damage = scan.end.damage.unwrap();
                assert_eq!((damage.at, scan.end.torn), (placed.at, None));
                assert!(damage.reason.contains("cannot be read"), "{}", damage.reason);
                assert_eq!(events(&scan.entries), before[..number]);
                assert_eq!(events(&scan.beyond), before[number + 1..]);
                let unreadable = scan.end.unreadable.unwrap();
                assert_eq!((unreadable.first, unreadable.sectors), (sector, 1));
            }
            let error = open(&bad).unwrap_err();
            assert!(matches!(error, JournalError::Unreadable { at, .. } if at == sector), "{error}");
            assert_eq!(bad.bytes(), medium.bytes(), "nothing is written");
        }
    }
}

#[test]
fn a_bad_sector_behind_the_last_entry_may_have_held_one() {
    let medium = MemoryMedium::new(LARGE);
    open(&medium).unwrap();
    let end = scanned(&medium).end.position;
    for (sector, near) in
        [(end, true), (end + 512, true), (end + (1 << 20), true), (end + (8 << 20) + (512 << 10), false)]
    {
        let bad = spoiled(&medium, sector);
        let (superblock, _) = superblock(&bad).unwrap();
        for (reach, seen) in [(Reach::Near, near), (Reach::Everywhere, true)] {
            let scan = scan::collect(&mut bad.clone(), &superblock, reach).unwrap();
            assert_eq!((scan.entries.len(), scan.beyond.len()), (2, 0));
            assert_eq!(scan.end.damage.map(|damage| damage.at), seen.then_some(sector), "{sector} {reach:?}");
        }
        assert_eq!(open(&bad).is_err(), near, "{sector}");
    }
}

#[test]
fn a_stretch_of_bad_sectors_is_counted_once() {
    let medium = MemoryMedium::new(LARGE);
    open(&medium).unwrap();
    let end = scanned(&medium).end.position;
    // Across the borders of strides, and up to the end of the medium.
    let bad = (0..2000).fold(spoiled(&medium, end), |bad, n| bad.spoiled(LARGE as u64 - 512 * (n + 1)));
    let unreadable = scanned(&bad).end.unreadable.unwrap();
    assert_eq!((unreadable.first, unreadable.sectors), (end, 2001));
}

#[test]
fn one_bad_copy_of_the_first_block_is_repaired_from_the_other() {
    let (medium, before) = small();
    let (good, _) = superblock(&medium).unwrap();
    for copy in [0, superblock::COPY] {
        let bad = spoiled(&medium, copy);
        let (found, intact) = superblock(&bad).unwrap();
        assert!(!intact && found.key.public() == good.key.public());
        assert_eq!(events(&scanned(&bad).entries), before);
        let mut stubborn = bad.clone();
        stubborn.heals = false;
        let refused = |medium: MemoryMedium| Journal::open(Box::new(medium), OWNER, 1).unwrap_err();
        let error = refused(stubborn);
        assert!(error.to_string().starts_with("repairing the log's first block failed"), "{error}");
        assert_eq!(bad.bytes(), medium.bytes());
        let mut failing = bad.clone();
        failing.fails_after = Some(0);
        let error = refused(failing);
        assert!(error.to_string().starts_with("repairing the log's first block failed"), "{error}");
        let (journal, _) = open(&bad).unwrap();
        assert_eq!(journal.key().public(), good.key.public());
        assert!(superblock(&bad).unwrap().1, "both copies are whole again");
        assert_eq!(bad.bytes(), medium.bytes(), "and as they were");
    }
}

#[test]
fn a_repair_never_writes_over_the_only_whole_copy() {
    let (medium, _) = small();
    let mut bytes = medium.bytes();
    bytes[10] ^= 1;
    let mut damaged = MemoryMedium::holding(bytes);
    // The power goes in the first write of the repair, and takes that sector along.
    damaged.cut = Some((1, 0));
    assert!(Journal::open(Box::new(damaged.clone()), OWNER, 1).is_err());
    damaged = damaged.spoiled(0);
    assert_eq!(superblock(&damaged).unwrap().0.key.public(), superblock(&medium).unwrap().0.key.public());
    damaged.cut = Some((2, 0));
    let opened = Journal::open(Box::new(damaged.clone()), OWNER, 1);
    assert!(opened.is_ok(), "one write repairs it");
}

#[test]
fn a_log_whose_first_block_may_be_there_is_never_formatted() {
    let (medium, _) = small();
    for blank in [superblock::COPY..8192, 0..superblock::COPY] {
        let mut bytes = medium.bytes();
        bytes[usize::try_from(blank.start).unwrap()..usize::try_from(blank.end).unwrap()].fill(0);
        let other = if blank.start == 0 { superblock::COPY } else { 0 };
        let bad = MemoryMedium::holding(bytes.clone()).spoiled(other);
        assert!(matches!(open(&bad), Err(JournalError::Unreadable { at, .. }) if at == other));
        assert_eq!(bad.bytes(), bytes);
    }
    let both = spoiled(&medium, 0).spoiled(superblock::COPY);
    assert!(matches!(open(&both), Err(JournalError::Unreadable { at: 0, .. })));
    let blank = MemoryMedium::new(SIZE).spoiled(superblock::FRAMES);
    assert!(matches!(open(&blank), Err(JournalError::Unreadable { at: superblock::FRAMES, .. })));
    assert_eq!(blank.bytes(), MemoryMedium::new(SIZE).bytes());
}
