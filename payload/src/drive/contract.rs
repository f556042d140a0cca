//! The contract of [`DataPlane`] as a test that every implementation passes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a failure of this function is a failed test"
)]

use super::{AlignedBuf, Completion, DataPlane, IoErrorKind, Op, Request};
use std::{collections::BTreeSet, time::Duration};

const LONG: Duration = Duration::from_secs(20);

/// Holds the data planes that `open` returns to their contract; each call opens the same writable drive of at least
/// 1 MiB anew, after the one before was dropped. The drive's first MiB is overwritten.
pub fn hold<D: DataPlane>(mut open: impl FnMut() -> D) {
    rejects_what_is_not_allowed(&mut open());
    completes_each_request_once(&mut open());
    keeps_flushed_writes(&mut open);
    makes_zeros_or_leaves_them_to_others(&mut open);
    discards_only_what_it_is_told_to(&mut open);
    has_nothing_to_wait_for_when_idle(&mut open());
}

fn request(op: Op, offset: u64, len: usize) -> Request {
    let mut buf = AlignedBuf::zeroed(len.max(1)).unwrap();
    buf.set_len(len);
    Request { op, offset, buf }
}

fn finish(drive: &mut impl DataPlane) -> Completion {
    drive.wait(LONG).unwrap().expect("a request in flight completes")
}

fn rejects_what_is_not_allowed(drive: &mut impl DataPlane) {
    let (bytes, block) = (drive.geometry().bytes(), drive.geometry().logical() as usize);
    let refused = [
        (0, 0),
        (0, block - 1),
        (1, block),
        (block as u64 / 2, block),
        (bytes, block),
        (bytes - block as u64, 2 * block),
        (u64::MAX - (block as u64 - 1), block),
    ];
    let before = read(drive, bytes - block as u64, block);
    for (offset, len) in refused {
        for op in [Op::Read, Op::Write] {
            let error = drive.submit(request(op, offset, len)).unwrap_err();
            assert_eq!(error.kind, IoErrorKind::Invalid, "{op} of {len} bytes at {offset}");
        }
    }
    assert!(drive.wait(Duration::ZERO).unwrap().is_none(), "a rejected request completed");
    assert!(read(drive, bytes - block as u64, block) == before, "a rejected request wrote");
}

fn read(drive: &mut impl DataPlane, offset: u64, len: usize) -> Vec<u8> {
    drive.submit(request(Op::Read, offset, len)).unwrap();
    let done = finish(drive);
    done.result.unwrap();
    done.buf.to_vec()
}

fn completes_each_request_once(drive: &mut impl DataPlane) {
    let block = drive.geometry().logical() as usize;
    assert!(drive.depth() >= 1);
    let depth = drive.depth().min(1024 * 1024 / block);
    for round in 0..3_u8 {
        let mut expected = BTreeSet::new();
        for slot in 0..depth {
            let mut write = request(Op::Write, (slot * block) as u64, block);
            write.buf.fill(round.wrapping_mul(17).wrapping_add(slot.to_le_bytes()[0]));
            expected.insert(write.offset);
            drive.submit(write).unwrap();
        }
        if depth == drive.depth() {
            let error = drive.submit(request(Op::Read, 0, block)).unwrap_err();
            assert_eq!(error.kind, IoErrorKind::Invalid, "one request more than the depth");
        }
        while !expected.is_empty() {
            let done = finish(drive);
            done.result.unwrap();
            assert_eq!((done.op, done.buf.len()), (Op::Write, block));
            assert!(expected.remove(&done.offset), "a request at {} completed twice", done.offset);
        }
        for slot in 0..depth {
            let wanted = round.wrapping_mul(17).wrapping_add(slot.to_le_bytes()[0]);
            assert!(read(drive, (slot * block) as u64, block).iter().all(|&byte| byte == wanted));
        }
    }
}

fn keeps_flushed_writes<D: DataPlane>(open: &mut impl FnMut() -> D) {
    let mut drive = open();
    let block = drive.geometry().logical() as usize;
    let len = 1024 * 1024 - 3 * block;
    let wanted: Vec<u8> = (0..len).map(|i| (i / block * 7 + i % 251).to_le_bytes()[0]).collect();
    let mut write = request(Op::Write, block as u64, len);
    write.buf.copy_from_slice(&wanted);
    drive.submit(write).unwrap();
    finish(&mut drive).result.unwrap();
    drive.flush().unwrap();
    drop(drive);
    assert!(read(&mut open(), block as u64, len) == wanted, "a flushed write was lost");
    // A flush between requests loses none of their completions.
    let mut drive = open();
    drive.submit(request(Op::Read, block as u64, len)).unwrap();
    drive.flush().unwrap();
    let done = finish(&mut drive);
    assert!(done.result.is_ok() && done.buf[..] == wanted[..]);
}

fn makes_zeros_or_leaves_them_to_others<D: DataPlane>(open: &mut impl FnMut() -> D) {
    let mut drive = open();
    let (bytes, block) = (drive.geometry().bytes(), drive.geometry().logical() as usize);
    let mut write = request(Op::Write, 0, 8 * block);
    write.buf.fill(0x77);
    drive.submit(write).unwrap();
    finish(&mut drive).result.unwrap();
    for (offset, len) in [(0, 0), (1, block as u64), (0, 1), (bytes, block as u64), (u64::MAX, 1)] {
        assert_eq!(drive.make_zeros(offset, len).unwrap_err().kind, IoErrorKind::Invalid, "{len} bytes at {offset}");
    }
    let made = drive.make_zeros(2 * block as u64, 3 * block as u64).unwrap();
    drive.flush().unwrap();
    drop(drive);
    let back = read(&mut open(), 0, 8 * block);
    for (number, data) in back.chunks(block).enumerate() {
        let wanted = if made && (2..5).contains(&number) { 0 } else { 0x77 };
        assert!(data.iter().all(|byte| *byte == wanted), "block {number}");
    }
}

fn discards_only_what_it_is_told_to<D: DataPlane>(open: &mut impl FnMut() -> D) {
    let mut drive = open();
    let (bytes, block) = (drive.geometry().bytes(), drive.geometry().logical() as usize);
    if !drive.discards() {
        return assert_eq!(drive.discard(0, block as u64).unwrap_err().kind, IoErrorKind::Refused);
    }
    let mut write = request(Op::Write, 0, 8 * block);
    write.buf.fill(0x77);
    drive.submit(write).unwrap();
    finish(&mut drive).result.unwrap();
    for (offset, len) in [(0, 0), (1, block as u64), (0, 1), (bytes, block as u64), (u64::MAX, 1)] {
        assert_eq!(drive.discard(offset, len).unwrap_err().kind, IoErrorKind::Invalid, "{len} bytes at {offset}");
    }
    drive.discard(2 * block as u64, 3 * block as u64).unwrap();
    drive.flush().unwrap();
    drop(drive);
    let back = read(&mut open(), 0, 8 * block);
    let kept = |(number, _): &(usize, &[u8])| !(2..5).contains(number);
    assert!(back.chunks(block).enumerate().filter(kept).all(|(_, data)| data.iter().all(|byte| *byte == 0x77)));
}

fn has_nothing_to_wait_for_when_idle(drive: &mut impl DataPlane) {
    assert!(drive.wait(LONG).unwrap().is_none());
    drive.flush().unwrap();
    assert!(drive.wait(LONG).unwrap().is_none());
}
