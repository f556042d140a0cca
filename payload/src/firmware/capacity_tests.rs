use super::*;
use crate::firmware::fake::{Fake, Lie, Record};

const FULL: u64 = 976_773_168;

fn revealed(fake: &mut Fake) -> Result<Revealed, RevealError> {
    reveal(&mut AtaDrive::new(fake), &mut Record::default())
}

#[test]
fn a_drive_that_hides_nothing_is_left_alone() {
    let mut fake = Fake::new();
    let proof = revealed(&mut fake).unwrap();
    assert_eq!((proof.lifted(), proof.after().hidden(), proof.before()), (&[][..], 0, proof.after()));
    assert_eq!((proof.after().native(), proof.after().accessible()), (&Size::Sectors(FULL), &Size::Unsupported));
    assert_eq!(fake.count(0x37) + fake.log.iter().filter(|entry| **entry == (0xb1, 0xc0)).count(), 0);
}

#[test]
fn every_kind_of_hidden_area_is_found_and_lifted() {
    use Limit::{AccessibleMax, Configuration, HostProtectedArea};
    // Visible, native, AMAC in the place of the others; what is lifted.
    let cases: [(u64, u64, bool, &[Limit]); 4] = [
        (900, FULL, false, &[HostProtectedArea]),
        (800, 800, false, &[Configuration]),
        (700, 800, false, &[HostProtectedArea, Configuration]),
        (700, FULL, true, &[AccessibleMax]),
    ];
    for (visible, native, amac, lifted) in cases {
        let mut fake = Fake { visible, native, amac, hpa: !amac, dco: !amac, ..Fake::new() };
        let survey = survey(&mut AtaDrive::new(&mut fake)).unwrap();
        assert_eq!((survey.visible(), survey.largest(), survey.hidden()), (visible, FULL, FULL - visible));
        let proof = revealed(&mut fake).unwrap();
        assert_eq!((proof.lifted(), proof.before().visible(), proof.after().visible()), (lifted, visible, FULL));
        assert_eq!((fake.visible, proof.after().unknown().count()), (FULL, 0));
    }
}

#[test]
fn a_drive_of_28_bits_is_asked_with_28_bits() {
    let size = 0x0800_0000;
    let mut fake = Fake { visible: 1000, native: size, factory: size, dco: false, lba48: false, ..Fake::new() };
    assert_eq!(revealed(&mut fake).unwrap().after().visible(), size);
    assert_eq!((fake.count(0xf9), fake.count(0x37), fake.count(0x27)), (1, 0, 0));
}

#[test]
fn a_limit_that_stays_is_an_error() {
    for (visible, native, amac) in [(900, FULL, false), (800, 800, false), (700, FULL, true)] {
        let hidden = Fake { visible, native, amac, hpa: !amac, dco: !amac, ..Fake::lying(Lie::LimitStays) };
        let mut fake = hidden;
        let error = revealed(&mut fake).unwrap_err();
        let same = matches!(error, RevealError::NoEffect { visible: shown, expected: FULL, .. } if shown == visible);
        assert!(same, "{error}");
        assert_eq!(fake.visible, visible);
    }
}

/// One non-volatile SET MAX is taken in a power cycle.
#[test]
fn a_refusal_names_what_stays_hidden() {
    let mut fake = Fake { visible: 900, ..Fake::new() };
    revealed(&mut fake).unwrap();
    fake.visible = 900;
    let error = revealed(&mut fake).unwrap_err();
    let hidden = FULL - 900;
    assert!(error.to_string().contains(&format!("{hidden} sectors stay hidden")), "{error}");
    fake.power_cycle();
    revealed(&mut fake).unwrap();
    let mut fake = Fake { visible: 900, ..Fake::new() };
    let mut record = Record { stops: true, ..Record::default() };
    let error = reveal(&mut AtaDrive::new(&mut fake), &mut record).unwrap_err();
    assert!(matches!(error, RevealError::Stopped { hidden: left } if left == hidden));
    assert_eq!(fake.visible, 900);
}

#[test]
fn what_a_bridge_loses_is_unknown_and_not_nothing() {
    for lie in [Lie::NoRegisters, Lie::ZeroRegisters] {
        let mut fake = Fake { visible: 900, dco: false, ..Fake::lying(lie) };
        let survey = survey(&mut AtaDrive::new(&mut fake)).unwrap();
        let unknown: Vec<_> = survey.unknown().map(|(limit, _)| limit).collect();
        assert_eq!((survey.hidden(), unknown), (0, vec![Limit::HostProtectedArea]));
        assert_eq!(revealed(&mut fake).unwrap().after().unknown().count(), 1);
        assert_eq!(fake.visible, 900);
    }
    let mut fake = Fake { amac: true, hpa: false, dco: false, ..Fake::lying(Lie::ZeroRegisters) };
    let survey = survey(&mut AtaDrive::new(&mut fake)).unwrap();
    assert_eq!(survey.unknown().map(|(limit, _)| limit).collect::<Vec<_>>(), [Limit::AccessibleMax]);
}

#[test]
fn sizes_that_contradict_each_other_are_unknown() {
    let mut fake = Fake { native: 5, factory: 1, ..Fake::new() };
    assert_eq!(survey(&mut AtaDrive::new(&mut fake)).unwrap().unknown().count(), 2);
}

#[test]
fn another_drive_proves_nothing() {
    let mut fake = Fake { visible: 900, ..Fake::lying(Lie::Exchanged) };
    assert!(matches!(revealed(&mut fake), Err(RevealError::Exchanged)));
}
