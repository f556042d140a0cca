//! Drives of another size, and a source that changes between the plan and the claim.

use super::{
    super::{
        fit::{Allowed, fit},
        run::Aim,
        target::Tail,
    },
    bench::{Copies, cells, full, old},
    not_clean,
};
use crate::{certify::copy::Outcome, content, job::tests::rig::MIB};

const SIZE: u64 = 8 * MIB;

/// One partition of 2 MiB from 1 MiB on, and old data behind it.
fn partitioned(copies: &Copies) {
    let disk = copies.disk("A");
    disk.write_cells(0, &vec![0; usize::try_from(SIZE).unwrap()]);
    disk.write_cells(446, &[0, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0x10, 0, 0]);
    disk.write_cells(510, &[0x55, 0xaa]);
    disk.write_cells(2 * MIB, b"data");
    disk.write_cells(6 * MIB, &[1; 1024]);
}

fn aims(copies: &Copies, allowed: Allowed) -> Result<Vec<Aim>, String> {
    let source = cells(copies.disk("A"), SIZE);
    let survey = content::outline(&source, 512);
    let aim = |target: crate::plan::Target| {
        let fitted = fit(&source, 512, &survey, target.drive(), allowed)?;
        Ok(Aim { target, fitted, tail: Tail::Leave })
    };
    copies.targets(&["B"]).into_iter().map(aim).collect()
}

#[test]
fn what_is_given_up_behind_a_smaller_drive_is_an_exception_with_its_count() {
    let copies = Copies::new(vec![full("A", SIZE), old("B", 5 * MIB)]);
    partitioned(&copies);
    let smaller = Allowed { smaller: true, ..Allowed::default() };
    assert!(aims(&copies, smaller).unwrap_err().contains("give-up-behind"));
    let allowed = Allowed { give_up_behind: true, ..smaller };
    let source = copies.sources(&["A"]).pop().unwrap();
    let tally = copies.clone_onto(source, aims(&copies, allowed).unwrap(), allowed);
    not_clean(&tally);
    assert!(
        tally.settled[0].reason.contains("1 024 bytes behind the drive's end given up")
            || tally.settled[0].reason.contains("given up")
    );
    let record = copies.certificate("B");
    assert_eq!(
        (record.outcome, record.copy.cut.bytes_used),
        (Outcome::ClonedWithExceptions, 1024),
        "{}",
        record.copy.reason
    );
    assert!(record.statement.contains("given up as the job said"), "{}", record.statement);
    assert!(cells(copies.disk("B"), 5 * MIB) == cells(copies.disk("A"), 5 * MIB));
}

#[test]
fn a_source_that_is_another_disk_by_the_claim_is_not_cloned_by_the_first_ones_table() {
    let copies = Copies::new(vec![full("A", SIZE), old("B", 5 * MIB)]);
    partitioned(&copies);
    let allowed = Allowed { smaller: true, give_up_behind: true, move_gpt: false };
    let (source, aims) = (copies.sources(&["A"]).pop().unwrap(), aims(&copies, allowed).unwrap());
    copies.disk("A").write_cells(7 * MIB, b"data that nobody saw");
    not_clean(&copies.clone_onto(source, aims, allowed));
    let record = copies.certificate("B");
    assert_eq!(record.outcome, Outcome::Failed);
    assert!(record.copy.reason.contains("not what it was when the job was planned"), "{}", record.copy.reason);
    assert_eq!(copies.disk("B").counts().writes, 0);
}
