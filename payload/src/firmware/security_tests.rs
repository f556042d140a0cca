use super::*;
use crate::firmware::fake::{Cut, Fake, Lie, Record};

fn erased(fake: &mut Fake, scope: Scope) -> (Result<Erased, EraseError>, Record) {
    let mut record = Record::default();
    let result = erase(&mut AtaDrive::new(fake), scope, &mut record);
    (result, record)
}

#[test]
fn a_drive_erases_itself_and_has_no_password_afterwards() {
    for (scope, data) in [(Scope::Normal, [false, true, true]), (Scope::Enhanced, [false; 3])] {
        let mut fake = Fake::new();
        let (result, record) = erased(&mut fake, scope);
        assert_eq!(result.unwrap().scope(), scope);
        assert_eq!((fake.password, fake.data), (None, data));
        assert_eq!((record.announced, record.may_be_set), (vec![Fake::name()], false));
        let commands: Vec<u8> = fake.log.iter().map(|(command, _)| *command).collect();
        assert_eq!(commands, [0xec, 0xf1, 0xec, 0xf3, 0xf4, 0xec]);
    }
}

#[test]
fn the_time_out_follows_the_drives_estimate() {
    let mut fake = Fake::new();
    erased(&mut fake, Scope::Normal).0.unwrap();
    // 60 units of two minutes, twice, and ten minutes.
    assert_eq!(fake.time_out, Duration::from_secs(60 * 250));
    let hours = |hours: u64| Duration::from_secs(3600 * hours);
    assert_eq!(time_out(Some(EraseTime::About(Duration::ZERO))), Duration::from_secs(600));
    assert_eq!(time_out(None), hours(96));
    assert_eq!(time_out(Some(EraseTime::AtLeast(Duration::from_secs(508 * 60)))), hours(96));
    let longest = time_out(Some(EraseTime::AtLeast(Duration::from_secs(65_532 * 60))));
    assert!(longest.as_millis() < u128::from(u32::MAX));
}

#[test]
fn a_drive_that_cannot_is_left_alone_and_told_why() {
    type Change = fn(&mut Fake);
    let refusals: [(Change, &str); 5] = [
        (|fake| fake.frozen = true, "power connector"),
        (|fake| fake.expired = true, "power off and on"),
        (|fake| (fake.password, fake.locked) = (Some([1; 32]), true), "unlock it"),
        (|fake| fake.password = Some([1; 32]), "remove it with that password"),
        (|fake| fake.enhanced = false, "no enhanced"),
    ];
    for (change, advice) in refusals {
        let mut fake = Fake::new();
        change(&mut fake);
        let before = fake.password;
        let (result, record) = erased(&mut fake, Scope::Enhanced);
        let error = result.unwrap_err();
        assert!(error.to_string().contains(advice), "{error}");
        assert_eq!(error.password, Password::NeverSent);
        assert_eq!((fake.password, fake.data, record.announced), (before, [true; 3], Vec::new()));
        assert_eq!(fake.log, [(0xec, 0)]);
    }
}

#[test]
fn without_a_record_no_password_is_set() {
    for record in [Record { refuses: true, ..Record::default() }, Record { stops: true, ..Record::default() }] {
        let (mut fake, mut record) = (Fake::new(), record);
        let error = erase(&mut AtaDrive::new(&mut fake), Scope::Normal, &mut record).unwrap_err();
        assert!(matches!(error.cause, Cause::NotRecorded(_) | Cause::Stopped));
        assert_eq!(fake.log, [(0xec, 0)]);
    }
}

#[test]
fn lies_are_no_erasure_and_leave_no_password_unreported() {
    let expected = [
        (Lie::PasswordIgnored, "did not set it", Password::Gone),
        (Lie::EraseIgnored, "nothing is proved", Password::Gone),
        (Lie::Exchanged, "another drive", Password::Unknown),
    ];
    for (lie, text, password) in expected {
        let mut fake = Fake::lying(lie);
        let (result, record) = erased(&mut fake, Scope::Normal);
        let error = result.unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!((error.password, record.may_be_set), (password, password != Password::Gone));
        if lie == Lie::Exchanged {
            assert_eq!((fake.count(0xf2), fake.count(0xf6)), (0, 0), "the other drive gets no password");
        }
    }
    let mut fake = Fake { lies: [Lie::EraseIgnored, Lie::DisableIgnored].into(), ..Fake::new() };
    let (result, record) = erased(&mut fake, Scope::Normal);
    let error = result.unwrap_err();
    assert_eq!((error.password, record.may_be_set), (Password::Set, true));
    assert!(error.to_string().contains("HAS THE USER PASSWORD \"mule\""), "{error}");
}

/// Power fails before or after the effect of each command. The record knows of every password that is left, and the
/// next boot removes it.
#[test]
fn a_power_cut_at_any_command_leaves_no_password_unreported() {
    let mut left = 0;
    for step in 1..=6 {
        for cut in [Cut::Before(step), Cut::After(step)] {
            let mut fake = Fake { cut: Some(cut), ..Fake::new() };
            let (result, record) = erased(&mut fake, Scope::Normal);
            let error = result.unwrap_err();
            assert_eq!(record.may_be_set, step > 1, "{cut:?}");
            assert_eq!(error.password, if step > 1 { Password::Unknown } else { Password::NeverSent }, "{cut:?}");
            fake.power_cycle();
            let was_set = fake.password.is_some();
            left += usize::from(was_set);
            assert!(!was_set || record.may_be_set, "{cut:?}: nobody knows of the password");
            let mut next = Record { may_be_set: record.may_be_set, ..Record::default() };
            let recovered = recover(&mut AtaDrive::new(&mut fake), &Fake::name(), &mut next).unwrap();
            assert_eq!(recovered, if was_set { Recovered::Removed } else { Recovered::NotSet }, "{cut:?}");
            assert_eq!((fake.password, fake.locked, next.may_be_set), (None, false, false), "{cut:?}");
        }
    }
    assert_eq!(left, 6, "cuts that left a password: after F1 up to before the end of F4");
}

/// The same while the password is being removed at the next boot, over and over.
#[test]
fn a_power_cut_while_recovering_is_recovered_from() {
    for step in 1..=4 {
        for cut in [Cut::Before(step), Cut::After(step)] {
            let mut fake = Fake { password: Some(security::PASSWORD), cut: Some(cut), ..Fake::new() };
            fake.locked = true;
            let mut record = Record { may_be_set: true, ..Record::default() };
            let error = recover(&mut AtaDrive::new(&mut fake), &Fake::name(), &mut record).unwrap_err();
            assert!(record.may_be_set && matches!(error.password, Password::Unknown | Password::Set), "{cut:?}");
            fake.power_cycle();
            recover(&mut AtaDrive::new(&mut fake), &Fake::name(), &mut record).unwrap();
            assert_eq!((fake.password, record.may_be_set), (None, false), "{cut:?}");
        }
    }
}

#[test]
fn what_cannot_be_recovered_stays_in_the_record() {
    type Change = fn(&mut Fake);
    let cases: [(Change, &str, Password, usize); 4] = [
        (|fake| fake.frozen = true, "power connector", Password::Set, 0),
        (|fake| fake.expired = true, "power off and on", Password::Set, 0),
        (|fake| fake.password = Some([7; 32]), "somebody else's", Password::Unknown, 1),
        (|fake| fake.lies = [Lie::DisableIgnored].into(), "still has it", Password::Set, 1),
    ];
    for (change, text, password, unlocks) in cases {
        let mut fake = Fake { password: Some(security::PASSWORD), locked: true, ..Fake::new() };
        change(&mut fake);
        let mut record = Record { may_be_set: true, ..Record::default() };
        let error = recover(&mut AtaDrive::new(&mut fake), &Fake::name(), &mut record).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!((error.password, record.may_be_set), (password, true));
        assert_eq!(fake.count(0xf2), unlocks, "one attempt");
    }
}

/// The name in the record is another's: this drive gets no password of ours, locked or not.
#[test]
fn only_the_drive_in_the_record_is_recovered() {
    let mut fake = Fake { password: Some(security::PASSWORD), locked: true, ..Fake::new() };
    let other = Name { serial: "OTHER".to_owned(), ..Fake::name() };
    let mut record = Record { may_be_set: true, ..Record::default() };
    let error = recover(&mut AtaDrive::new(&mut fake), &other, &mut record).unwrap_err();
    assert!(matches!(error.cause, RecoverCause::Exchanged(found) if found == Fake::name()));
    assert!(record.may_be_set);
    assert_eq!(fake.log, [(0xec, 0)]);
}
