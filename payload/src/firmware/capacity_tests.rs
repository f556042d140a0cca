use super::*;
use crate::firmware::{model::Model, record::Record};
use drive_host::DataPhase;

const FULL: u64 = 1000;

fn model(words: &str) -> Model {
    Model::new("A", FULL, words)
}

fn asked(model: &Model) -> Survey {
    survey(&mut AtaDrive::new(model.clone())).unwrap()
}

fn revealed(model: &Model) -> Result<Revealed, RevealError> {
    reveal(&mut AtaDrive::new(model.clone()), &mut Record::default())
}

#[test]
fn a_drive_that_hides_nothing_is_left_alone() {
    let model = model("");
    let proof = revealed(&model).unwrap();
    assert_eq!((proof.lifted(), proof.after().hidden(), proof.before()), (&[][..], 0, proof.after()));
    assert_eq!((proof.after().native(), proof.after().accessible()), (&Size::Sectors(FULL), &Size::Unsupported));
    assert_eq!(model.count(0x37) + model.log().iter().filter(|entry| **entry == (0xb1, 0xc0)).count(), 0);
}

#[test]
fn every_kind_of_hidden_area_is_found_and_lifted() {
    use Limit::{AccessibleMax, Configuration, HostProtectedArea};
    let cases: [(&str, u64, &[Limit]); 4] = [
        ("hpa=900", 900, &[HostProtectedArea]),
        ("dco=800", 800, &[Configuration]),
        ("hpa=700,dco=800", 700, &[HostProtectedArea, Configuration]),
        ("hpa=700,amac", 700, &[AccessibleMax]),
    ];
    for (words, visible, lifted) in cases {
        let model = model(words);
        let survey = asked(&model);
        assert_eq!((survey.visible(), survey.largest(), survey.hidden()), (visible, FULL, FULL - visible));
        let proof = revealed(&model).unwrap();
        assert_eq!((proof.lifted(), proof.before().visible(), proof.after().visible()), (lifted, visible, FULL));
        model.power_cycle();
        assert_eq!((model.visible(), proof.after().unknown().count()), (FULL, 0), "{words}: not for good");
        assert_eq!(model.old_sectors(), usize::try_from(FULL).unwrap(), "{words}: something was written");
    }
}

#[test]
fn a_drive_of_28_bits_is_asked_with_28_bits() {
    // All four bytes of the address are used.
    let size = 0x0800_0000;
    let model = Model::blank("A", size, "hpa=1000,no-dco,28-bit");
    assert_eq!(revealed(&model).unwrap().after().visible(), size);
    assert_eq!((model.count(0xf9), model.count(0x37), model.count(0x27)), (1, 0, 0));
}

#[test]
fn a_limit_that_stays_is_an_error() {
    for (words, visible) in [("hpa=900", 900), ("dco=800", 800), ("hpa=700,amac", 700)] {
        let model = model(&format!("{words},lies"));
        let error = revealed(&model).unwrap_err();
        let same = matches!(error, RevealError::NoEffect { visible: shown, expected: FULL, .. } if shown == visible);
        assert!(same, "{error}");
        assert_eq!(model.visible(), visible);
    }
}

/// One non-volatile SET MAX is taken in a power cycle.
#[test]
fn a_refusal_names_what_stays_hidden() {
    let once = model("");
    let shrink = |model: &Model| {
        assert!(model.send((0xf8, 0, 0, 0), DataPhase::None) && model.send((0xf9, 0, 1, 899), DataPhase::None));
    };
    shrink(&once);
    let error = revealed(&once).unwrap_err();
    let hidden = FULL - 900;
    assert!(error.to_string().contains(&format!("{hidden} sectors stay hidden")), "{error}");
    once.power_cycle();
    revealed(&once).unwrap();
    let model = model("hpa=900");
    let mut record = Record { stops: true, ..Record::default() };
    let error = reveal(&mut AtaDrive::new(model.clone()), &mut record).unwrap_err();
    assert!(matches!(error, RevealError::Stopped { hidden: left } if left == hidden));
    assert_eq!(model.visible(), 900);
}

#[test]
fn what_a_bridge_loses_is_unknown_and_not_nothing() {
    for lie in ["no-registers", "no-registers=good", "zero-registers"] {
        let model = model(&format!("hpa=900,no-dco,{lie}"));
        let survey = asked(&model);
        let unknown: Vec<_> = survey.unknown().map(|(limit, _)| limit).collect();
        assert_eq!((survey.hidden(), unknown), (0, vec![Limit::HostProtectedArea]), "{lie}");
        assert_eq!(revealed(&model).unwrap().after().unknown().count(), 1);
        assert_eq!(model.visible(), 900);
    }
    let survey = asked(&model("amac,zero-registers"));
    assert_eq!(survey.unknown().map(|(limit, _)| limit).collect::<Vec<_>>(), [Limit::AccessibleMax]);
}

#[test]
fn sizes_that_contradict_each_other_are_unknown() {
    assert_eq!(asked(&model("states=5")).unknown().count(), 2);
}

#[test]
fn another_drive_proves_nothing() {
    assert!(matches!(revealed(&model("hpa=900,exchanged=X")), Err(RevealError::Exchanged)));
}
