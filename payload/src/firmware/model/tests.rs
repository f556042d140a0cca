//! What carries commands and blocks to the model does what the tests above it take for granted.

use super::{Cut, Model, STAMP};
use crate::drive::{Access, AlignedBuf, DataPlane, Op, Request, contract};
use std::time::Duration;

fn write(drive: &mut impl DataPlane, lba: u64, byte: u8) -> bool {
    let mut buf = AlignedBuf::zeroed(512).unwrap();
    buf.fill(byte);
    drive.submit(Request { op: Op::Write, offset: lba * 512, buf }).unwrap();
    drive.wait(Duration::ZERO).unwrap().unwrap().result.is_ok()
}

#[test]
fn the_blocks_of_a_model_keep_the_contract() {
    let model = Model::new("A", 4096, "hpa=3000");
    contract::hold(|| model.open(Access::ReadWrite).unwrap());
    let open = model.open(Access::ReadOnly).unwrap();
    assert!(model.open(Access::ReadOnly).is_err());
    drop(open);
    assert!(model.open(Access::ReadOnly).is_ok());
    assert!(model.cells()[3000 * 512..].iter().all(|byte| *byte == STAMP));
}

#[test]
fn a_cut_loses_what_was_not_flushed_and_nothing_else() {
    let model = Model::new("A", 64, "");
    let mut drive = model.open(Access::ReadWrite).unwrap();
    assert!(write(&mut drive, 0, 1));
    drive.flush().unwrap();
    assert!(write(&mut drive, 1, 2) && write(&mut drive, 2, 3));
    drop(drive);
    model.power_cut(1);
    let byte = |lba: usize| model.cells()[lba * 512];
    assert_eq!((byte(0), byte(1), byte(2)), (1, 2, STAMP));
    let mut drive = model.open(Access::ReadWrite).unwrap();
    // Two writes and a flush were before, and two writes.
    model.cut(Cut::Accesses(5));
    assert!(write(&mut drive, 5, 4) && !write(&mut drive, 6, 5));
    drop(drive);
    assert!(model.open(Access::ReadOnly).is_err());
    model.power_cycle();
    assert_eq!((byte(0), byte(5), byte(6), model.old_sectors()), (1, STAMP, STAMP, 62));
    assert!(model.open(Access::ReadOnly).is_ok());
}
