use super::*;
use crate::{
    ata::sanitize::Passes,
    firmware::{
        fake::{Fake, Lie, Record, Sanitize},
        follow::{POLL, STALLED},
    },
};

const ACTIONS: [Action; 3] =
    [Action::CryptoScramble, Action::BlockErase, Action::Overwrite { pattern: 0, passes: Passes::ONE, invert: false }];

fn run(fake: &mut Fake, action: Action) -> (Result<Outcome, SanitizeError>, Record) {
    let mut record = Record::default();
    let result = erase(&mut AtaDrive::new(fake), action, &mut record);
    (result, record)
}

#[test]
fn an_operation_is_followed_to_its_end() {
    for action in ACTIONS {
        for completed in [false, true] {
            let mut fake = Fake { sanitize: Sanitize::Idle { completed }, ..Fake::new() };
            let (result, record) = run(&mut fake, action);
            let proof = Sanitized { action: Some(action), evidence: Evidence::SeenInProgress };
            assert_eq!(result.unwrap(), Outcome::Completed(proof));
            assert_eq!(fake.data, [false; 3]);
            assert_eq!(record.progress, [Some(0xd000), Some(0xe000), Some(0xf000)]);
            assert_eq!(record.slept, 3 * POLL);
        }
    }
}

#[test]
fn a_quick_drive_proves_only_what_was_seen_to_change() {
    let quick = |completed| Fake { sanitize: Sanitize::Idle { completed }, sanitize_steps: 0, ..Fake::new() };
    let (result, _) = run(&mut quick(false), Action::CryptoScramble);
    assert!(matches!(result, Ok(Outcome::Completed(Sanitized { evidence: Evidence::SeenToChange, .. }))));
    let (result, _) = run(&mut quick(true), Action::CryptoScramble);
    assert_eq!(result.unwrap(), Outcome::NotObserved(Action::CryptoScramble));
}

#[test]
fn a_drive_that_lies_proves_nothing() {
    let mut fake = Fake { sanitize: Sanitize::Idle { completed: true }, ..Fake::lying(Lie::SanitizeIgnored) };
    assert_eq!(run(&mut fake, Action::BlockErase).0.unwrap(), Outcome::NotObserved(Action::BlockErase));
    assert_eq!(fake.data, [true; 3]);
    for lie in [Lie::SanitizeIgnored, Lie::SanitizeForgotten] {
        let (result, _) = run(&mut Fake::lying(lie), Action::BlockErase);
        assert!(matches!(result, Err(SanitizeError::NotCompleted)), "{lie:?}");
    }
    for lie in [Lie::NoRegisters, Lie::ZeroRegisters] {
        let mut fake = Fake::lying(lie);
        let (result, _) = run(&mut fake, Action::BlockErase);
        assert!(result.is_err(), "{lie:?}");
    }
    let (result, record) = run(&mut Fake::lying(Lie::SanitizeStalls), Action::BlockErase);
    assert!(matches!(result, Err(SanitizeError::Stalled(_))));
    assert!(record.slept >= STALLED);
}

#[test]
fn a_failed_operation_is_left_where_the_drive_allows_it() {
    let mut fake = Fake::lying(Lie::SanitizeFails);
    let (result, _) = run(&mut fake, Action::BlockErase);
    assert!(matches!(result, Err(SanitizeError::Failed { left_failed_state: true })));
    assert_eq!((fake.sanitize, fake.data), (Sanitize::Idle { completed: false }, [true; 3]));
    // Another attempt is the regular way out of the failed state.
    let mut fake = Fake { sanitize: Sanitize::Failed, ..Fake::new() };
    assert!(matches!(run(&mut fake, Action::BlockErase).0, Ok(Outcome::Completed(_))));
}

#[test]
fn a_drive_that_cannot_is_left_alone() {
    type Change = fn(&mut Fake);
    let refusals: [(Change, &str); 5] = [
        (|fake| fake.sanitize_word = 0, "no sanitize feature set"),
        (|fake| fake.sanitize_word = 0x7000, "does not offer BLOCK ERASE EXT"),
        (|fake| (fake.password, fake.locked) = (Some([1; 32]), true), "unlock it"),
        (|fake| fake.sanitize_frozen = true, "frozen"),
        (|fake| fake.sanitize = Sanitize::Running { left: 3 }, "already (81 %)"),
    ];
    for (change, text) in refusals {
        let mut fake = Fake::new();
        change(&mut fake);
        let error = run(&mut fake, Action::BlockErase).0.unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert!(!fake.log.iter().any(|(command, feature)| *command == 0xb4 && *feature != 0), "{text}");
    }
}

#[test]
fn one_that_runs_at_boot_is_picked_up_and_an_idle_drive_proves_nothing() {
    let mut fake = Fake { sanitize: Sanitize::Running { left: 5 }, ..Fake::new() };
    fake.power_cycle();
    let proof = watch(&mut AtaDrive::new(&mut fake), &mut Record::default()).unwrap().unwrap();
    assert_eq!((proof.action(), proof.evidence(), fake.data), (None, Evidence::SeenInProgress, [false; 3]));
    assert_eq!(watch(&mut AtaDrive::new(&mut fake), &mut Record::default()).unwrap(), None);
    fake.sanitize = Sanitize::Failed;
    let error = watch(&mut AtaDrive::new(&mut fake), &mut Record::default()).unwrap_err();
    assert!(matches!(error, SanitizeError::Failed { left_failed_state: false }));
    assert_eq!(fake.sanitize, Sanitize::Failed);
    fake.sanitize = Sanitize::Running { left: 5 };
    let mut record = Record { stops: true, ..Record::default() };
    let error = watch(&mut AtaDrive::new(&mut fake), &mut record).unwrap_err();
    assert!(error.to_string().contains("goes on sanitizing"), "{error}");
}

#[test]
fn another_drive_proves_nothing() {
    for sanitize_steps in [0, 3] {
        let mut fake = Fake { sanitize_steps, ..Fake::lying(Lie::Exchanged) };
        assert!(matches!(run(&mut fake, Action::BlockErase).0, Err(SanitizeError::Exchanged)));
    }
}
