use super::*;

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), bytes).unwrap();
    file
}

/// Bytes that differ from their neighbours.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((at / SECTOR * 7 + at) % 251).unwrap()).collect()
}

fn is_direct(medium: &FileMedium) -> bool {
    rustix::fs::fcntl_getfl(&medium.file).unwrap().contains(OFlags::DIRECT)
}

#[test]
fn a_log_is_read_and_written_directly_where_the_file_system_can() {
    let file = file(&pattern(64 * SECTOR));
    let flags = i32::try_from(OFlags::DIRECT.bits()).unwrap();
    let can = fs::OpenOptions::new().read(true).custom_flags(flags).open(file.path()).is_ok();
    for mut medium in [
        FileMedium::open(file.path(), SECTOR as u64, 32 * SECTOR as u64).unwrap(),
        FileMedium::open_read_only(file.path(), SECTOR as u64, 32 * SECTOR as u64).unwrap(),
    ] {
        assert_eq!(is_direct(&medium), can);
        let mut sector = [0; SECTOR];
        medium.read_at(3 * SECTOR as u64, &mut sector).unwrap();
        assert_eq!(sector, pattern(64 * SECTOR)[4 * SECTOR..5 * SECTOR]);
    }
    let mut medium = FileMedium::open(file.path(), SECTOR as u64, 32 * SECTOR as u64).unwrap();
    assert!(rustix::fs::fcntl_getfl(&medium.file).unwrap().contains(OFlags::DSYNC));
    medium.write_at(SECTOR as u64, &[9; 2 * SECTOR]).unwrap();
    let mut expected = pattern(64 * SECTOR);
    expected[2 * SECTOR..4 * SECTOR].fill(9);
    assert_eq!(fs::read(file.path()).unwrap(), expected);
    assert!(medium.write_at(32 * SECTOR as u64, &[0; SECTOR]).is_err(), "behind the end of the log");
    assert!(medium.write_at(u64::MAX - 3, &[0; SECTOR]).is_err());
    assert_eq!(fs::read(file.path()).unwrap(), expected);
}

#[test]
fn a_file_system_without_direct_io_is_used_through_its_cache() {
    // procfs has none, whatever the kernel.
    let mut medium = FileMedium::open(Path::new("/proc/thread-self/comm"), 0, 4).unwrap();
    assert!(!medium.direct && !is_direct(&medium));
    let mut name = [0; 4];
    medium.read_at(0, &mut name).unwrap();
    assert_eq!(name, fs::read("/proc/thread-self/comm").unwrap()[..4]);
    assert!(FileMedium::open(Path::new("/dev/null"), 0, 4).is_err(), "only a file may refuse");
}

#[test]
fn a_file_system_that_refuses_single_sectors_is_used_through_its_cache() {
    let file = file(&pattern(8 * SECTOR));
    let mut medium = FileMedium::open(file.path(), 0, 8 * SECTOR as u64).unwrap();
    // What no file system takes directly, but for those that keep their files in memory.
    medium.unit = 1;
    let mut bytes = [0; 100];
    medium.read_at(7, &mut bytes).unwrap();
    assert_eq!(bytes, pattern(8 * SECTOR)[7..107]);
    medium.write_at(700, b"text").unwrap();
    assert_eq!(fs::read(file.path()).unwrap()[700..704], *b"text");
    assert_eq!(medium.direct, is_direct(&medium));
}

#[test]
fn long_logical_blocks_can_be_read_but_not_written() {
    let bytes = pattern(3 * 4096);
    let file = file(&bytes);
    let mut medium = FileMedium::open_read_only(file.path(), SECTOR as u64, (bytes.len() - SECTOR) as u64).unwrap();
    medium.unit = 4096;
    for first in 0..23 {
        for count in 1..=23 - first {
            let mut read = vec![0; count * SECTOR];
            medium.read_at((first * SECTOR) as u64, &mut read).unwrap();
            assert_eq!(read, bytes[(first + 1) * SECTOR..(first + 1 + count) * SECTOR], "{count} sectors at {first}");
        }
    }
    let long = pattern(BUFFER * 2 + 4096);
    let file = self::file(&long);
    let mut medium = FileMedium::open_read_only(file.path(), 0, long.len() as u64).unwrap();
    medium.unit = 4096;
    let mut read = vec![0; BUFFER + SECTOR];
    medium.read_at(SECTOR as u64, &mut read).unwrap();
    assert_eq!(read, long[SECTOR..BUFFER + 2 * SECTOR]);
    assert!(writable(SECTOR).is_ok());
    let error = writable(4096).unwrap_err();
    assert!(error.kind() == io::ErrorKind::Unsupported && error.to_string().contains("4096"), "{error}");
}

#[test]
fn a_file_that_ends_too_early_is_an_error() {
    let file = file(&pattern(3 * SECTOR + 100));
    let mut medium = FileMedium::open_read_only(file.path(), 0, 8 * SECTOR as u64).unwrap();
    let mut sector = [0; SECTOR];
    medium.read_at(2 * SECTOR as u64, &mut sector).unwrap();
    for at in [3, 4, 7] {
        let error = medium.read_at(at * SECTOR as u64, &mut sector).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[test]
fn no_copy_of_what_was_transferred_stays_behind() {
    let file = file(&pattern(64 * SECTOR));
    let mut medium = FileMedium::open(file.path(), 0, 64 * SECTOR as u64).unwrap();
    let clean = |medium: &mut FileMedium| {
        medium.buf.set_len(BUFFER);
        medium.buf.iter().all(|byte| *byte == 0)
    };
    medium.write_at(0, &[7; SECTOR]).unwrap();
    assert!(clean(&mut medium));
    medium.read_at(0, &mut [0; 3 * SECTOR]).unwrap();
    assert!(clean(&mut medium));
}
