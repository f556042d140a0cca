use super::*;
use crate::firmware::{
    model::{Cut, Model},
    record::Record,
};

const SECTORS: u64 = 100;
/// A disk that has all, and hides sectors behind both limits.
const DISK: &str = "enhanced,hpa=80,dco=90,erase-seconds=7200";
/// The state in which a cut leaves it.
const OURS: &str = "enhanced,locked=mule";

fn model(words: &str) -> Model {
    Model::new("A", SECTORS, words)
}

fn erased(model: &Model, scope: Scope) -> (Result<Erased, EraseError>, Record) {
    let mut record = Record::default();
    let result = erase(&mut AtaDrive::new(model.clone()), scope, &mut record);
    (result, record)
}

/// Removes the password of the drive that has that name, as the next run does.
fn recovered(model: &Model, name: &Name, record: &mut Record) -> Result<Recovered, RecoverError> {
    recover(&mut AtaDrive::new(model.clone()), name, record)
}

fn is_untouched(model: &Model) -> bool {
    model.old_sectors() == usize::try_from(SECTORS).unwrap()
}

#[test]
fn a_drive_erases_itself_and_has_no_password_afterwards() {
    // A normal erase leaves what an overlay hides.
    for (scope, left) in [(Scope::Normal, 10), (Scope::Enhanced, 0)] {
        let model = model(DISK);
        let (result, record) = erased(&model, scope);
        assert_eq!(result.unwrap().scope(), scope);
        assert_eq!((model.has_password(), model.old_sectors()), (false, left));
        assert_eq!((record.announced, record.may_be_set), (vec![model.name()], false));
        let commands: Vec<u8> = model.log().iter().map(|(command, _)| *command).collect();
        assert_eq!(commands, [0xec, 0xf1, 0xec, 0xf3, 0xf4, 0xec]);
    }
}

#[test]
fn the_time_out_follows_the_drives_estimate() {
    let model = model(DISK);
    erased(&model, Scope::Normal).0.unwrap();
    // 60 units of two minutes, twice, and ten minutes.
    assert_eq!(model.time_out(), Duration::from_secs(60 * 250));
    let hours = |hours: u64| Duration::from_secs(3600 * hours);
    assert_eq!(time_out(Some(EraseTime::About(Duration::ZERO))), Duration::from_secs(600));
    assert_eq!(time_out(None), hours(96));
    assert_eq!(time_out(Some(EraseTime::AtLeast(Duration::from_secs(508 * 60)))), hours(96));
    let longest = time_out(Some(EraseTime::AtLeast(Duration::from_secs(65_532 * 60))));
    assert!(longest.as_millis() < u128::from(u32::MAX));
}

#[test]
fn a_drive_that_cannot_is_left_alone_and_told_why() {
    for (words, advice) in [
        ("enhanced,frozen", "power connector"),
        ("enhanced", "power off and on"),
        ("enhanced,locked=theirs", "unlock it"),
        ("enhanced,password=theirs", "remove it with that password"),
        ("security", "no enhanced"),
    ] {
        let model = model(words);
        if words == "enhanced" {
            model.expire();
        }
        let before = model.words();
        let (result, record) = erased(&model, Scope::Enhanced);
        let error = result.unwrap_err();
        assert!(error.to_string().contains(advice), "{error}");
        assert_eq!(error.password, Password::NeverSent);
        assert!(model.words() == before && is_untouched(&model) && record.announced.is_empty(), "{words}");
        assert_eq!(model.log(), [(0xec, 0)]);
    }
}

#[test]
fn without_a_record_no_password_is_set() {
    for record in [Record { refuses: true, ..Record::default() }, Record { stops: true, ..Record::default() }] {
        let (model, mut record) = (model(DISK), record);
        let error = erase(&mut AtaDrive::new(model.clone()), Scope::Normal, &mut record).unwrap_err();
        assert!(matches!(error.cause, Cause::NotRecorded(_) | Cause::Stopped));
        assert_eq!(model.log(), [(0xec, 0)]);
        assert!(is_untouched(&model));
    }
}

#[test]
fn lies_are_no_erasure_and_leave_no_password_unreported() {
    let expected = [
        ("password-ignored", "did not set it", Password::Gone),
        ("erase-erases-nothing,password-stays", "nothing is proved", Password::Gone),
        ("wrong-serial=X", "another drive", Password::Unknown),
        ("exchanged=X", "another drive", Password::Unknown),
    ];
    for (lie, text, password) in expected {
        let model = model(&format!("{DISK},{lie}"));
        let (result, record) = erased(&model, Scope::Normal);
        let error = result.unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!((error.password, record.may_be_set), (password, password != Password::Gone));
        if password == Password::Unknown {
            assert_eq!((model.count(0xf2), model.count(0xf6)), (0, 0), "the other drive gets no password");
        }
        assert!(lie == "wrong-serial=X" || is_untouched(&model) && model.count(0xf4) < 2, "{lie}");
    }
    let model = model(&format!("{DISK},erase-erases-nothing,password-stays,disable-ignored"));
    let (result, record) = erased(&model, Scope::Normal);
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
            let model = model(DISK);
            model.cut(cut);
            let (result, record) = erased(&model, Scope::Normal);
            let error = result.unwrap_err();
            assert_eq!(record.may_be_set, step > 1, "{cut:?}");
            assert_eq!(error.password, if step > 1 { Password::Unknown } else { Password::NeverSent }, "{cut:?}");
            model.power_cycle();
            let was_set = model.has_password();
            left += usize::from(was_set);
            assert!(!was_set || record.may_be_set, "{cut:?}: nobody knows of the password");
            assert_eq!(is_untouched(&model), matches!(cut, Cut::Before(..=5) | Cut::After(..=4)), "{cut:?}");
            let mut next = Record { may_be_set: record.may_be_set, ..Record::default() };
            let recovered = recovered(&model, &model.name(), &mut next).unwrap();
            assert_eq!(recovered, if was_set { Recovered::Removed } else { Recovered::NotSet }, "{cut:?}");
            assert_eq!((model.has_password(), model.is_locked(), next.may_be_set), (false, false, false), "{cut:?}");
        }
    }
    assert_eq!(left, 6, "cuts that left a password: after F1 up to before the end of F4");
}

/// The same while the password is being removed at the next boot, over and over.
#[test]
fn a_power_cut_while_recovering_is_recovered_from() {
    for step in 1..=4 {
        for cut in [Cut::Before(step), Cut::After(step)] {
            let model = model(OURS);
            model.cut(cut);
            let mut record = Record { may_be_set: true, ..Record::default() };
            let error = recovered(&model, &model.name(), &mut record).unwrap_err();
            assert!(record.may_be_set && matches!(error.password, Password::Unknown | Password::Set), "{cut:?}");
            model.power_cycle();
            recovered(&model, &model.name(), &mut record).unwrap();
            assert_eq!((model.has_password(), record.may_be_set), (false, false), "{cut:?}");
        }
    }
}

#[test]
fn what_cannot_be_recovered_stays_in_the_record() {
    for (words, text, password, unlocks) in [
        ("frozen,locked=mule", "power connector", Password::Set, 0),
        ("locked=mule", "power off and on", Password::Set, 0),
        ("locked=theirs", "somebody else's", Password::Unknown, 1),
        ("locked=mule,disable-ignored", "still has it", Password::Set, 1),
    ] {
        let model = model(words);
        if words == "locked=mule" {
            model.expire();
        }
        let mut record = Record { may_be_set: true, ..Record::default() };
        let error = recovered(&model, &model.name(), &mut record).unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!((error.password, record.may_be_set), (password, true));
        assert_eq!(model.count(0xf2), unlocks, "one attempt");
    }
}

/// The name in the record is another's: this drive gets no password of ours, locked or not.
#[test]
fn only_the_drive_in_the_record_is_recovered() {
    let model = model(OURS);
    let other = Name { serial: "OTHER".to_owned(), ..model.name() };
    let mut record = Record { may_be_set: true, ..Record::default() };
    let error = recovered(&model, &other, &mut record).unwrap_err();
    assert!(matches!(error.cause, RecoverCause::Exchanged(found) if found == model.name()));
    assert!(record.may_be_set && model.is_locked());
    assert_eq!(model.log(), [(0xec, 0)]);
}
