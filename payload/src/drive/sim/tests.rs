use super::*;
use crate::drive::{AlignedBuf, contract};

const LONG: Duration = Duration::from_secs(5);
const MIB: u64 = MIB_LEN as u64;
const MIB_LEN: usize = 1024 * 1024;

fn transfer(drive: &mut SimDrive, op: Op, offset: u64, bytes: &[u8]) -> (Result<(), IoErrorKind>, Vec<u8>) {
    let mut buf = AlignedBuf::zeroed(bytes.len()).unwrap();
    buf.copy_from_slice(bytes);
    drive.submit(Request { op, offset, buf }).unwrap();
    let done = drive.wait(LONG).unwrap().unwrap();
    (done.result.map_err(|error| error.kind), done.buf.to_vec())
}

fn write(drive: &mut SimDrive, offset: u64, byte: u8, len: usize) -> Result<(), IoErrorKind> {
    transfer(drive, Op::Write, offset, &vec![byte; len]).0
}

fn read(drive: &mut SimDrive, offset: u64, len: usize) -> Result<Vec<u8>, IoErrorKind> {
    let (result, bytes) = transfer(drive, Op::Read, offset, &vec![0xEE; len]);
    result.map(|()| bytes)
}

#[test]
fn the_simulated_drive_keeps_the_contract() {
    for logical in [512, 4096] {
        let disk = SimDisk::new("S1", 2 * MIB, logical);
        contract::hold(|| disk.open(Access::ReadWrite).unwrap());
        disk.break_it(|faults| (faults.reorders, faults.discards) = (true, Some(true)));
        contract::hold(|| disk.open_with(Access::ReadWrite, 9).unwrap());
        contract::hold(|| disk.open_with(Access::ReadWrite, 1).unwrap());
    }
}

#[test]
fn the_claim_is_exclusive_and_ends_with_the_handle() {
    let disk = SimDisk::new("S1", MIB, 512);
    let mut first = disk.open(Access::ReadOnly).unwrap();
    assert!(matches!(disk.open(Access::ReadOnly), Err(OpenError::Busy(_))));
    let buf = AlignedBuf::zeroed(512).unwrap();
    let error = first.submit(Request { op: Op::Write, offset: 0, buf }).unwrap_err();
    assert_eq!(error.kind, IoErrorKind::Refused);
    drop(first);
    assert!(disk.open(Access::ReadWrite).is_ok());
    disk.break_it(|faults| faults.refuses_direct_io = true);
    assert!(matches!(disk.open(Access::ReadWrite), Err(OpenError::NoDirectIo { .. })));
}

#[test]
fn a_power_cut_loses_what_was_not_flushed() {
    let disk = SimDisk::new("S1", MIB, 512);
    disk.set_background(Background::Byte(9));
    let mut drive = disk.open(Access::ReadWrite).unwrap();
    write(&mut drive, 0, 1, 4096).unwrap();
    drive.flush().unwrap();
    write(&mut drive, 4096, 2, 4096).unwrap();
    assert_eq!(read(&mut drive, 4096, 512).unwrap(), [2; 512]);
    disk.power_cut(PowerCut::LoseUnflushed);
    assert_eq!(read(&mut drive, 0, 512), Err(IoErrorKind::Gone));
    assert_eq!(drive.flush().unwrap_err().kind, IoErrorKind::Gone);
    let mut again = disk.open(Access::ReadWrite).unwrap();
    drop(drive);
    assert!(disk.open(Access::ReadOnly).is_err(), "a dead handle's end is not the live one's");
    assert_eq!(read(&mut again, 0, 512).unwrap(), [1; 512]);
    assert_eq!(read(&mut again, 4096, 512).unwrap(), [9; 512]);
}

#[test]
fn a_random_power_cut_keeps_some_blocks_whole() {
    let disk = SimDisk::new("S1", MIB, 512);
    let mut drive = disk.open(Access::ReadWrite).unwrap();
    write(&mut drive, 0, 5, MIB_LEN).unwrap();
    disk.power_cut(PowerCut::Random(7));
    let cells = disk.read_cells(0, MIB_LEN);
    let kept = cells.chunks(4096).filter(|block| block.iter().all(|&byte| byte == 5)).count();
    let lost = cells.chunks(4096).filter(|block| block.iter().all(|&byte| byte == 0)).count();
    assert_eq!(kept + lost, 256);
    assert!(kept > 64 && lost > 64);
}

#[test]
fn a_power_cut_can_come_by_itself_and_a_lying_flush_keeps_nothing() {
    let disk = SimDisk::new("S1", MIB, 512);
    disk.break_it(|faults| {
        faults.flush_lies = true;
        faults.power_cut_after = Some((1, PowerCut::LoseUnflushed));
    });
    let mut drive = disk.open(Access::ReadWrite).unwrap();
    write(&mut drive, 0, 1, 512).unwrap();
    drive.flush().unwrap();
    assert_eq!(write(&mut drive, 512, 1, 512), Err(IoErrorKind::Gone));
    assert_eq!(disk.read_cells(0, 1024), [0; 1024]);
}

#[test]
fn bad_blocks_fail_and_a_pending_one_is_remapped_by_a_write() {
    let disk = SimDisk::new("S1", MIB, 512);
    disk.break_it(|faults| {
        faults.unreadable.insert(3);
        faults.unwritable.insert(5);
        faults.unreadable_until_written.insert(8);
    });
    let mut drive = disk.open(Access::ReadWrite).unwrap();
    assert_eq!(read(&mut drive, 0, 4096), Err(IoErrorKind::Media));
    assert!(read(&mut drive, 0, 3 * 512).is_ok());
    assert_eq!(write(&mut drive, 0, 7, 4096), Err(IoErrorKind::Media));
    assert_eq!(disk.read_cells(0, 3072), [vec![7; 2560], vec![0; 512]].concat());
    assert_eq!(read(&mut drive, 8 * 512, 512), Err(IoErrorKind::Media));
    write(&mut drive, 8 * 512, 1, 512).unwrap();
    assert_eq!(read(&mut drive, 8 * 512, 512).unwrap(), [1; 512]);
    assert_eq!(disk.counts().remapped, 1);
}

#[test]
fn lies_are_told_silently() {
    let disk = SimDisk::new("S1", MIB, 512);
    disk.break_it(|faults| {
        faults.lies.insert(0, Lie::Dropped);
        faults.lies.insert(1, Lie::FlippedBit(8 * 5 + 1));
        faults.lies.insert(2, Lie::WrittenTo(100));
    });
    let mut drive = disk.open(Access::ReadWrite).unwrap();
    write(&mut drive, 0, 0xff, 2048).unwrap();
    let cells = disk.read_cells(0, 2048);
    assert_eq!(cells[..512], [0; 512]);
    assert_eq!((cells[512 + 4], cells[512 + 5]), (0xff, 0xfd));
    assert_eq!(cells[1024..1536], [0; 512]);
    assert_eq!(disk.read_cells(100 * 512, 512), [0xff; 512]);
}

#[test]
fn a_drive_vanishes_shrinks_hangs_or_fails_to_flush() {
    let disk = SimDisk::new("S1", MIB, 512);
    let mut drive = disk.open(Access::ReadWrite).unwrap();
    disk.set_capacity(MIB / 2);
    assert_eq!(write(&mut drive, MIB / 2, 1, 512), Err(IoErrorKind::Gone));
    disk.break_it(|faults| faults.flush_fails = true);
    assert_eq!(drive.flush().unwrap_err().kind, IoErrorKind::Media);
    let start = std::time::Instant::now();
    disk.break_it(|faults| faults.from_now().hang_after = Some(0));
    drive.submit(Request { op: Op::Read, offset: 0, buf: AlignedBuf::zeroed(512).unwrap() }).unwrap();
    assert!(drive.wait(Duration::from_millis(20)).unwrap().is_none());
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert_eq!(drive.flush().unwrap_err().kind, IoErrorKind::Hung);
    disk.break_it(|faults| {
        faults.hang_after = None;
        faults.from_now().vanish_after = Some(1);
    });
    assert!(drive.wait(LONG).unwrap().unwrap().result.is_ok());
    assert_eq!(read(&mut drive, 0, 512), Err(IoErrorKind::Gone));
    drop(drive);
    assert!(matches!(disk.open(Access::ReadOnly), Err(OpenError::Geometry { .. })));
}

#[test]
fn cells_beyond_the_cache_and_noise_are_stable() {
    let disk = SimDisk::new("S1", 32 * MIB, 4096);
    disk.set_background(Background::Noise(3));
    assert_eq!(disk.read_cells(100, 5000), disk.read_cells(0, 6000)[100..5100]);
    let mut drive = disk.open(Access::ReadWrite).unwrap();
    for at in 0..20 {
        write(&mut drive, at * MIB, at.to_le_bytes()[0], MIB_LEN).unwrap();
    }
    disk.power_cut(PowerCut::LoseUnflushed);
    assert_eq!(disk.read_cells(5 * MIB, 10), [5; 10], "older writes reach the medium by themselves");
    assert_ne!(disk.read_cells(19 * MIB, 10), [19; 10]);
}

#[test]
fn a_binary_with_the_simulation_can_be_recognised() {
    assert_eq!(MARKED, MARKER.as_bytes());
    let disk = SimDisk::new("S1", MIB, 512);
    assert!(format!("{disk:?}").contains(MARKER));
    let binary = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert!(binary.windows(MARKER.len()).any(|bytes| bytes == MARKER.as_bytes()));
}
