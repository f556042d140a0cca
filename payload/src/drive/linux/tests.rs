use super::*;
use crate::drive::{AlignedBuf, contract};
use std::{io::Write, os::unix::fs::symlink};
use tempfile::{NamedTempFile, TempDir};

const MIB: u64 = 1024 * 1024;

/// A file beside the test binary: the build folder is on a disk, where a temporary folder may be memory.
fn file_of(bytes: u64) -> NamedTempFile {
    let binary = std::env::current_exe().unwrap();
    let mut file = NamedTempFile::new_in(binary.parent().unwrap()).unwrap();
    file.write_all(&vec![0x5A; usize::try_from(bytes).unwrap()]).unwrap();
    file
}

fn request(op: Op, offset: u64, len: usize) -> Request {
    Request { op, offset, buf: AlignedBuf::zeroed(len).unwrap() }
}

#[test]
fn both_engines_keep_the_contract_on_a_file() {
    let file = file_of(2 * MIB);
    for (engine, depth) in [(Engine::Ring, 8), (Engine::Thread, 3), (Engine::Any, 1)] {
        contract::hold(|| {
            let drive = LinuxDrive::open_with(file.path(), Access::ReadWrite, depth, engine).unwrap();
            // Which one it is that is taken is up to the file system.
            assert!(engine == Engine::Any || drive.uses_ring() == (engine == Engine::Ring));
            drive
        });
    }
}

/// tmpfs takes `O_DIRECT` and says nothing of it, as FUSE does, which was seen to answer io_uring with wrong data.
#[test]
fn a_file_that_is_not_said_to_be_read_directly_is_read_plainly() {
    let Ok(mut file) = NamedTempFile::new_in("/dev/shm") else { return };
    file.write_all(&[0x5A; 8192]).unwrap();
    match LinuxDrive::open(file.path(), Access::ReadOnly) {
        Ok(drive) => assert!(!drive.uses_ring() && !drive.is_direct()),
        // Before Linux 6.6.
        Err(error) => assert!(matches!(error, OpenError::NoDirectIo { .. })),
    }
}

#[test]
fn a_file_is_claimed_by_one_only_and_read_only_means_it() {
    let file = file_of(MIB);
    let mut drive = LinuxDrive::open(file.path(), Access::ReadOnly).unwrap();
    assert!(matches!(LinuxDrive::open(file.path(), Access::ReadOnly), Err(OpenError::Busy(_))));
    assert_eq!(drive.submit(request(Op::Write, 0, 4096)).unwrap_err().kind, IoErrorKind::Refused);
    drop(drive);
    assert_eq!(LinuxDrive::open(file.path(), Access::ReadWrite).unwrap().device(), Device::File);
}

/// A certificate names a path and counts bytes: at its end both are what they were at the claim.
#[test]
fn a_file_that_another_hand_changed_under_the_claim_says_so() {
    let dir = TempDir::new_in(std::env::current_exe().unwrap().parent().unwrap()).unwrap();
    let (path, moved) = (dir.path().join("file"), dir.path().join("moved"));
    std::fs::write(&path, vec![0x5A; 8192]).unwrap();
    let drive = LinuxDrive::open(&path, Access::ReadWrite).unwrap();
    let says = |words: &str| drive.is_in_place().is_err_and(|error| error.contains(words));
    assert_eq!(drive.is_in_place(), Ok(()));
    for bytes in [8192 + 512, 4096] {
        drive.file().set_len(bytes).unwrap();
        assert!(says("bytes by now"), "{bytes}");
    }
    drive.file().set_len(8192).unwrap();
    std::fs::rename(&path, &moved).unwrap();
    assert!(says("does not lead to it"));
    std::fs::write(&path, vec![0x5A; 8192]).unwrap();
    assert!(says("another file"));
    std::fs::rename(&moved, &path).unwrap();
    assert_eq!(drive.is_in_place(), Ok(()));
}

#[test]
fn what_is_no_drive_is_refused_with_its_reason() {
    let dir = TempDir::new().unwrap();
    let open = |path: &Path| LinuxDrive::open(path, Access::ReadWrite).unwrap_err();
    assert!(matches!(open(&dir.path().join("none")), OpenError::Missing(_)));
    assert!(matches!(open(dir.path()), OpenError::NotADrive(_)));
    assert!(matches!(open(Path::new("/dev/null")), OpenError::NotADrive(_)));
    assert!(matches!(open(file_of(0).path()), OpenError::Geometry { .. }));
    assert!(matches!(open(file_of(1000).path()), OpenError::Geometry { .. }));
    // procfs has no direct I/O, and neither has a pipe behind a link.
    let link = dir.path().join("link");
    symlink("/proc/self/cmdline", &link).unwrap();
    assert!(matches!(LinuxDrive::open(&link, Access::ReadOnly).unwrap_err(), OpenError::NoDirectIo { .. }));
}

#[test]
fn a_drive_that_shrinks_is_gone_not_done() {
    for engine in [Engine::Ring, Engine::Thread] {
        let file = file_of(MIB);
        let mut drive = LinuxDrive::open_with(file.path(), Access::ReadWrite, 2, engine).unwrap();
        file.as_file().set_len(MIB / 2).unwrap();
        let half = usize::try_from(MIB / 2).unwrap();
        drive.submit(request(Op::Read, MIB / 4, half)).unwrap();
        let done = drive.wait(Duration::from_secs(10)).unwrap().unwrap();
        assert_eq!(done.result.unwrap_err().kind, IoErrorKind::Gone);
        assert_eq!((done.offset, done.buf.len()), (MIB / 4, half));
    }
}

#[test]
fn kinds_of_errors_follow_the_table() {
    let kind = |errno: Errno| kind_of(&io::Error::from(errno));
    assert_eq!(kind(Errno::IO), IoErrorKind::Media);
    assert_eq!(kind(Errno::NOSPC), IoErrorKind::Gone);
    assert_eq!(kind(Errno::TIMEDOUT), IoErrorKind::Hung);
    for refused in [Errno::PERM, Errno::ACCESS, Errno::ROFS, Errno::BUSY, Errno::OPNOTSUPP, Errno::INVAL, Errno::NOMEM]
    {
        assert_eq!(kind(refused), IoErrorKind::Refused);
    }
    assert_eq!(kind_of(&io::Error::other("no errno")), IoErrorKind::Refused);
}

#[test]
fn zeros_in_a_file_take_no_room_where_it_can_have_holes() {
    use std::os::unix::fs::MetadataExt;
    let file = file_of(2 * MIB);
    file.as_file().sync_all().unwrap();
    let blocks = || file.as_file().metadata().unwrap().blocks();
    let before = blocks();
    let mut drive = LinuxDrive::open(file.path(), Access::ReadWrite).unwrap();
    if !drive.make_zeros(MIB, MIB).unwrap() {
        return;
    }
    drive.flush().unwrap();
    assert!(blocks() <= before - MIB / 512, "{} blocks of {before} are left", blocks());
    assert_eq!(std::fs::read(file.path()).unwrap()[1 << 20..], [0; 1 << 20]);
    assert_eq!(std::fs::metadata(file.path()).unwrap().len(), 2 * MIB);
}
