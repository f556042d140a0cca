use crate::{
    certify::{check::contradictions, html, record::Record},
    job::tests::rig::{Bench, MIB, disk},
};

const SIZE: u64 = 12 * MIB;

fn bench(discards: Option<bool>) -> Bench {
    let mut bench = Bench::new(vec![disk("A", SIZE)]);
    bench.method = "blkdiscard";
    bench.disks[0].break_it(|faults| faults.discards = discards);
    bench
}

fn certified(bench: &Bench) -> Record {
    let tally = bench.run();
    assert!(tally.settled.len() == 1 && tally.settled[0].certificate.is_ok(), "{tally:?}");
    assert!(!tally.is_clean(), "nobody may take a discard for an erasure");
    bench.certificate("A")
}

#[test]
fn a_discard_is_never_called_an_erasure() {
    let bench = bench(Some(true));
    let record = certified(&bench);
    assert_eq!((record.outcome.as_str(), record.sanitisation.category.as_str()), ("discarded", ""));
    assert!(record.sanitisation.reason.contains("no erasure") && record.statement.contains("NOT erased"));
    let command = record.sanitisation.command.as_ref().unwrap();
    assert_eq!((command.name.as_str(), command.purge.as_str()), ("discard", ""));
    let blocks = SIZE / 512;
    assert!(command.markers * 20 >= blocks && command.markers_left == 0);
    assert_eq!(record.verification.kinds.as_ref().unwrap().zeros, blocks);
    let page = html::page(&record, "A", &[0; 32]);
    assert!(page.contains("NOT ERASED") && !page.contains("own erasure"));
    assert!(record.limits[0].contains("no erasure"), "{:?}", record.limits);
}

#[test]
fn a_certificate_that_makes_more_of_it_contradicts_itself() {
    let record = certified(&bench(Some(true)));
    assert_eq!(contradictions(&record), Vec::<String>::new());
    for category in ["", "Clear", "Purge"] {
        let mut forged = record.clone();
        (forged.outcome, forged.sanitisation.category) = ("erased".into(), category.into());
        forged.sanitisation.reason.clear();
        assert!(!contradictions(&forged).is_empty(), "{category}");
    }
    let mut forged = record;
    forged.sanitisation.category = "Clear".into();
    assert!(!contradictions(&forged).is_empty());
}

#[test]
fn a_drive_that_still_shows_its_data_failed() {
    let record = certified(&bench(Some(false)));
    assert_eq!(record.outcome, "failed");
    assert!(record.sanitisation.reason.contains("STILL THERE"), "{}", record.sanitisation.reason);
}

#[test]
fn a_drive_without_discards_is_not_touched() {
    let bench = bench(None);
    bench.disks[0].break_it(|faults| faults.unwritable.extend(0..SIZE / 512));
    let record = certified(&bench);
    assert_eq!(record.outcome, "failed");
    assert!(record.sanitisation.reason.contains("nothing was written"), "{}", record.sanitisation.reason);
    assert_eq!(bench.disks[0].counts().writes, 0);
}
