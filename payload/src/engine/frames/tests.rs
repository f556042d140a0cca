use super::*;
use crate::{
    drive::{Access, sim::SimDisk},
    engine::sweep::{End, Found, Limits, Observer},
};
use std::{sync::Arc, sync::mpsc::sync_channel, time::Duration};

const MIB: u64 = 1 << 20;

struct Count(u64);

impl Observer for Count {
    fn advanced(&mut self, bytes: u64) {
        self.0 += bytes;
    }
    fn checkpoint(&mut self, _: u64, _: &Found) {}
    fn stop(&self) -> bool {
        false
    }
}

fn limits() -> Limits {
    Limits { hang: Duration::from_secs(2), ..Limits::default() }
}

/// A disk of an odd size; each sector begins with its number.
fn stamped(bytes: u64) -> SimDisk {
    let disk = SimDisk::new("A", bytes, 512);
    let cells: Vec<u8> = (0..bytes / 512)
        .flat_map(|lba| {
            let mut sector = [0x5a; 512];
            sector[..8].copy_from_slice(&lba.to_le_bytes());
            sector
        })
        .collect();
    disk.write_cells(0, &cells);
    disk
}

#[test]
fn frames_come_in_order_and_whole() {
    let bytes = 5 * MIB + 1536;
    let disk = stamped(bytes);
    let mut plane = disk.open(Access::ReadOnly).unwrap();
    let pool = Pool::new(6).unwrap();
    let mut reader = Reader::new(&mut plane, pool, limits(), 0);
    let mut want = |index| if index == 2 { Want::Pass(1) } else { Want::Read };
    let mut all = Vec::new();
    let mut expected = 0;
    while let Some((index, got)) = reader.next(&mut want, &|| false).unwrap() {
        assert_eq!(index, expected);
        expected += 1;
        match got {
            Got::Data(data) => all.extend_from_slice(&data),
            Got::Passed(_) => all.extend_from_slice(&disk.read_cells(start(index), FRAME)),
            Got::Bad(error) => panic!("{error}"),
        }
    }
    assert_eq!(expected, 6);
    assert!(all == disk.read_cells(0, usize::try_from(bytes).unwrap()));
}

#[test]
fn a_frame_with_a_bad_sector_is_bad_and_the_others_are_not() {
    let disk = stamped(4 * MIB);
    disk.break_it(|faults| {
        faults.unreadable.insert(MIB / 512 + 1);
    });
    let mut plane = disk.open(Access::ReadOnly).unwrap();
    let mut reader = Reader::new(&mut plane, Pool::new(4).unwrap(), limits(), 0);
    let mut bad = Vec::new();
    while let Some((index, got)) = reader.next(&mut |_| Want::Read, &|| false).unwrap() {
        if matches!(got, Got::Bad(_)) {
            bad.push(index);
        }
    }
    assert_eq!(bad, [1]);
}

#[test]
fn what_is_written_is_read_back_and_a_changed_frame_is_found() {
    let bytes = 3 * MIB + 512;
    let (from, to) = (stamped(bytes), SimDisk::new("B", bytes + 5 * 512, 512));
    let (sender, receiver) = sync_channel(2);
    let mut hashes = Vec::new();
    let (written, end) = std::thread::scope(|scope| {
        let target = &to;
        let thread = scope.spawn(move || {
            let mut plane = target.open(Access::ReadWrite).unwrap();
            write(&mut plane, limits(), None, &receiver, &mut Count(0))
        });
        for index in 0..count(bytes) {
            let data = from.read_cells(start(index), len(index, bytes));
            hashes.push(*blake3::hash(&data).as_bytes());
            sender.send(Job::Frame { index, len: data.len(), data: Some(Arc::new(data)) }).unwrap();
        }
        drop(sender);
        thread.join().unwrap()
    });
    assert_eq!((written.bytes, end), (bytes, End::Complete));
    let check = |disk: &SimDisk| {
        let mut plane = disk.open(Access::ReadOnly).unwrap();
        let mut expected = |index: u64| Ok(Expected::Hash(hashes[usize::try_from(index).unwrap()]));
        compare(&mut plane, limits(), 0, bytes, &mut expected, &mut whole, &mut Count(0)).unwrap()
    };
    let (found, end) = check(&to);
    assert_eq!((found.matched, found.is_clean(), end), (bytes, true, End::Complete));
    to.write_cells(2 * MIB + 77, &[1]);
    let (found, _) = check(&to);
    assert_eq!(found.different.as_slice().first().map(|r| (r.start, r.len)), Some((2 * MIB, MIB)));
    assert_eq!(found.matched, bytes - MIB);
}

#[test]
fn zeros_are_zeros() {
    assert!(is_zero(&[]) && is_zero(&[0; 1000]));
    for at in [0, 63, 64, 999] {
        let mut data = [0; 1000];
        data[at] = 1;
        assert!(!is_zero(&data), "{at}");
    }
}

#[test]
fn a_bad_block_of_the_target_is_named_and_its_neighbours_are_written() {
    let disk = SimDisk::new("B", 2 * MIB, 512);
    disk.break_it(|faults| {
        faults.unwritable.insert(3000);
    });
    let (sender, receiver) = sync_channel(4);
    for index in 0..2 {
        sender.send(Job::Frame { index, len: FRAME, data: Some(Arc::new(vec![7_u8; FRAME])) }).unwrap();
    }
    drop(sender);
    let mut plane = disk.open(Access::ReadWrite).unwrap();
    let (written, end) = write(&mut plane, limits(), None, &receiver, &mut Count(0));
    let bad: Vec<_> = written.unwritable.as_slice().iter().map(|r| (r.start, r.len)).collect();
    // The simulated disk's physical block is 4096 bytes.
    assert_eq!((bad, end), (vec![(3000 / 8 * 4096, 4096)], End::Complete));
    assert_eq!(written.bytes, 2 * MIB - 4096);
    assert!(disk.read_cells(3008 * 512, 512).iter().all(|byte| *byte == 7));
}
