//! What a drive is while it is held: whose answers a copy rests on, through what it was read, and what else its device has.

use super::{
    bench::{Copies, SIZE, full, old},
    clean,
};
use crate::{
    certify::copy::Outcome,
    drive::sim::SimDisk,
    job::{copy::target::Tail, run::Tally},
    journal::event,
};

type Act = fn(&Copies) -> Tally;

/// An action, and the drive that another takes the place of while it runs.
const ACTIONS: &[(&str, Act)] = &[
    ("A", |copies| copies.image("A", "anew", None)),
    ("A", |copies| copies.clone("A", &["B"])),
    ("B", |copies| copies.clone("A", &["B"])),
    ("B", |copies| copies.restore("a", &["B"], Tail::Zero)),
    ("A", |copies| copies.check("a", &["A"])),
];

/// A dock keeps its place, and its disk is exchanged: before any of the requests, the last answer among them.
#[test]
fn a_drive_that_is_exchanged_while_it_is_copied_is_noticed() {
    for (number, (serial, act)) in ACTIONS.iter().enumerate() {
        let mut exchanged = 0;
        for after in 0.. {
            let copies = Copies::new(vec![full("A", SIZE), old("B", SIZE)]);
            clean(&copies.image("A", "a", None));
            let dock: SimDisk = copies.disk(serial).clone();
            let stranger = full("STRANGER", SIZE);
            dock.break_it(|faults| faults.from_now().exchange_after = Some((after, stranger.clone())));
            let tally = act(&copies);
            let what = format!("action {number}, exchanged after {after} requests");
            if dock.identity().serial == *serial {
                clean(&tally);
                break;
            }
            exchanged += 1;
            assert_eq!(tally.settled[0].outcome, event::Outcome::Failed, "{what}: {tally:?}");
            assert!(tally.settled[0].reason.contains("STRANGER"), "{what}: {}", tally.settled[0].reason);
            assert!(!copies.image_path("anew").exists(), "{what}: only an image of the drive has its name");
        }
        assert!(exchanged > 8, "action {number}: only {exchanged} exchanges were in the middle");
    }
}

#[test]
fn what_came_through_a_cache_is_not_said_to_come_from_the_medium() {
    let copies = Copies::new(vec![full("A", SIZE), old("B", SIZE)]);
    for (cached, words) in [(false, "past all caches of the host"), (true, "from a cache of the host")] {
        copies.disk("B").break_it(|faults| faults.through_a_cache = cached);
        clean(&copies.clone("A", &["B"]));
        let record = copies.certificate("B");
        let verification = &record.verification;
        assert_eq!((record.outcome, verification.past_host_caches), (Outcome::Cloned, !cached));
        let said = format!("{} {}", record.statement, verification.description);
        assert!(said.contains(words), "{said}");
        assert_eq!(record.limits.iter().any(|limit| limit.contains("a cache of its own")), cached);
        assert!(record.media.unit.is_some(), "what else the device has was asked");
    }
}
