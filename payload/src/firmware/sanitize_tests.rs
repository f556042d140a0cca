use super::*;
use crate::{
    ata::sanitize::Passes,
    firmware::{
        follow::{POLL, STALLED},
        model::Model,
        record::Record,
    },
};
use drive_host::DataPhase;

const ACTIONS: [Action; 3] =
    [Action::CryptoScramble, Action::BlockErase, Action::Overwrite { pattern: 0, passes: Passes::ONE, invert: false }];
const SECTORS: u64 = 100;
/// Three questions find it at work.
const SLOW: &str = "sanitize,sanitize-seconds=15";
const QUICK: &str = "sanitize,sanitize-seconds=0";

fn model(words: &str) -> Model {
    Model::new("A", SECTORS, words)
}

fn run(model: &Model, action: Action) -> (Result<Outcome, SanitizeError>, Record) {
    let mut record = Record::default();
    let result = erase(&mut AtaDrive::new(model.clone()), action, &mut record);
    (result, record)
}

fn watched(model: &Model) -> Result<Option<Sanitized>, SanitizeError> {
    watch(&mut AtaDrive::new(model.clone()), &mut Record::default())
}

/// As many sanitize commands that start something as the model got.
fn started(model: &Model) -> usize {
    model.log().iter().filter(|(command, feature)| *command == 0xb4 && *feature != 0).count()
}

/// Nothing of what the cells held is left, hidden sectors included.
fn is_clean(model: &Model) -> bool {
    model.old_sectors() == 0
}

fn is_untouched(model: &Model) -> bool {
    model.old_sectors() == usize::try_from(SECTORS).unwrap()
}

/// One whose last operation succeeded.
fn completed_before(words: &str) -> Model {
    let model = model(words);
    model.begin_sanitize();
    model.pass_time(Duration::from_secs(15));
    model
}

#[test]
fn an_operation_is_followed_to_its_end() {
    for action in ACTIONS {
        for words in ["", ",hpa=90,dco=95"] {
            for model in [model(&format!("{SLOW}{words}")), completed_before(&format!("{SLOW}{words}"))] {
                let (result, record) = run(&model, action);
                let proof = Sanitized { action: Some(action), evidence: Evidence::SeenInProgress };
                assert_eq!(result.unwrap(), Outcome::Completed(proof));
                assert!(is_clean(&model));
                assert!(record.progress.len() == 3 && record.progress.is_sorted(), "{:?}", record.progress);
                assert_eq!(record.slept, 3 * POLL);
            }
        }
    }
}

#[test]
fn a_quick_drive_proves_only_what_was_seen_to_change() {
    let (result, _) = run(&model(QUICK), Action::CryptoScramble);
    assert!(matches!(result, Ok(Outcome::Completed(Sanitized { evidence: Evidence::SeenToChange, .. }))));
    let (result, _) = run(&completed_before(QUICK), Action::CryptoScramble);
    assert_eq!(result.unwrap(), Outcome::NotObserved(Action::CryptoScramble));
}

#[test]
fn a_drive_that_lies_proves_nothing() {
    let idle = model("idle-sanitize");
    assert_eq!(run(&idle, Action::BlockErase).0.unwrap(), Outcome::NotObserved(Action::BlockErase));
    assert!(is_untouched(&idle));
    for lie in ["sanitize-ignored", "sanitize-forgotten"] {
        let (result, _) = run(&model(&format!("{SLOW},{lie}")), Action::BlockErase);
        assert!(matches!(result, Err(SanitizeError::NotCompleted)), "{lie}");
    }
    for lie in ["no-registers", "no-registers=good", "zero-registers"] {
        let (result, _) = run(&model(&format!("{SLOW},{lie}")), Action::BlockErase);
        assert!(result.is_err(), "{lie}");
    }
    // So long that its progress never moves.
    let (result, record) = run(&model("sanitize,sanitize-seconds=1000000000000"), Action::BlockErase);
    assert!(matches!(result, Err(SanitizeError::Stalled(_))));
    assert!(record.slept >= STALLED);
}

#[test]
fn a_failed_operation_is_left_where_the_drive_allows_it() {
    let failing = model(&format!("{SLOW},sanitize-fails"));
    let (result, _) = run(&failing, Action::BlockErase);
    assert!(matches!(result, Err(SanitizeError::Failed { left_failed_state: true })));
    assert!(is_untouched(&failing));
    assert!(failing.send((0xb4, 0, 0, 0), DataPhase::None), "it is in the failed state");
    // Another attempt is the regular way out of the failed state.
    let failed = failed_before();
    assert!(matches!(run(&failed, Action::BlockErase).0, Ok(Outcome::Completed(_))));
    assert!(is_clean(&failed));
}

/// One whose last operation failed, and whose next one will not.
fn failed_before() -> Model {
    let model = model("sanitize,sanitize-fails,remembers");
    model.begin_sanitize();
    model.pass_time(Duration::from_secs(2));
    model.become_another("A", &format!("{SLOW},remembers"));
    assert!(!model.send((0xb4, 0, 0, 0), DataPhase::None), "it is not in the failed state");
    model
}

#[test]
fn a_drive_that_cannot_is_left_alone() {
    type Change = fn(&Model);
    let refusals: [(&str, Change, &str); 5] = [
        ("", |_| (), "no sanitize feature set"),
        ("sanitize,no-block-erase", |_| (), "does not offer BLOCK ERASE EXT"),
        ("sanitize,locked=theirs", |_| (), "unlock it"),
        (SLOW, |model| assert!(model.send((0xb4, 0x20, 0, 0x4672_4c6b), DataPhase::None)), "frozen"),
        (
            SLOW,
            |model| {
                model.begin_sanitize();
                model.pass_time(Duration::from_millis(12_200));
            },
            "already (81 %)",
        ),
    ];
    for (words, change, text) in refusals {
        let model = model(words);
        change(&model);
        let error = run(&model, Action::BlockErase).0.unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
        assert_eq!(started(&model), 0, "{text}");
    }
}

#[test]
fn one_that_runs_at_boot_is_picked_up_and_an_idle_drive_proves_nothing() {
    let model = model(&format!("{SLOW},hpa=90"));
    model.begin_sanitize();
    model.power_cycle();
    let proof = watched(&model).unwrap().unwrap();
    assert_eq!((proof.action(), proof.evidence()), (None, Evidence::SeenInProgress));
    assert!(is_clean(&model));
    assert_eq!(watched(&model).unwrap(), None);
    model.begin_sanitize();
    let mut record = Record { stops: true, ..Record::default() };
    let error = watch(&mut AtaDrive::new(model.clone()), &mut record).unwrap_err();
    assert!(error.to_string().contains("goes on sanitizing"), "{error}");
    let failed = failed_before();
    assert!(matches!(watched(&failed).unwrap_err(), SanitizeError::Failed { left_failed_state: false }));
    assert!(!failed.send((0xb4, 0, 0, 0), DataPhase::None), "it left the failed state");
    assert_eq!(started(&model) + started(&failed), 0);
}

#[test]
fn another_drive_proves_nothing() {
    for words in [QUICK, SLOW] {
        let model = model(&format!("{words},wrong-serial=X"));
        assert!(matches!(run(&model, Action::BlockErase).0, Err(SanitizeError::Exchanged)));
    }
}
