//! The Device Statistics log (ACS-3, log 04h), of which one number is used: up to which temperature the drive may work.

use super::command::{PIO_IN, Taskfile};

/// READ LOG EXT (2Fh) of one page of a log.
fn read_log(log: u8, page: u8) -> Taskfile {
    Taskfile { command: 0x2f, lba: u64::from(page) << 8 | u64::from(log), extended: true, ..PIO_IN }
}

/// The directory of logs (log 00h): how many pages each has.
pub fn directory() -> Taskfile {
    read_log(0x00, 0)
}

/// Temperature Statistics: log 04h, page 05h.
pub fn temperatures() -> Taskfile {
    read_log(0x04, 0x05)
}

/// Whether the directory names the Device Statistics log.
pub fn is_listed(directory: &[u8; 512]) -> bool {
    // One word for each log; the first is the version of the directory, 0001h.
    directory[..2] == [1, 0] && directory[8..10] != [0, 0]
}

/// Specified Maximum Operating Temperature in degrees Celsius (page 05h, bytes 88 to 95); `None` where it is another page,
/// or the drive does not say.
pub fn highest_operating(page: &[u8; 512]) -> Option<u64> {
    // Supported and valid; the value is a signed byte.
    const FLAGS: u8 = 0xc0;
    let celsius = page[88].cast_signed();
    let said = page[2] == 0x05 && page[95] & FLAGS == FLAGS;
    u64::try_from(celsius).ok().filter(|celsius| said && PLAUSIBLE.contains(celsius))
}

/// Limits that a maker may mean. Less would stop a drive for nothing, more would protect none.
pub const PLAUSIBLE: std::ops::RangeInclusive<u64> = 40..=100;

#[cfg(test)]
mod tests {
    use super::*;

    /// A page 05h with this limit and these flags.
    fn page(limit: i8, flags: u8) -> [u8; 512] {
        let mut page = [0; 512];
        (page[2], page[88], page[95]) = (0x05, limit.cast_unsigned(), flags);
        page
    }

    #[test]
    fn a_limit_that_is_said_to_be_valid_is_taken() {
        assert_eq!(highest_operating(&page(60, 0xc0)), Some(60));
        // With the flag of a normalised value.
        assert_eq!(highest_operating(&page(70, 0xe0)), Some(70));
        for (limit, flags) in [(60, 0x80), (60, 0x40), (60, 0), (-10, 0xc0), (0, 0xc0), (20, 0xc0), (127, 0xc0)] {
            assert_eq!(highest_operating(&page(limit, flags)), None, "{limit} {flags:02x}");
        }
        assert_eq!(highest_operating(&[0; 512]), None);
        assert_eq!(highest_operating(&[0xff; 512]), None);
    }

    #[test]
    fn a_directory_without_the_log_is_no_directory_with_it() {
        let mut directory = [0; 512];
        assert!(!is_listed(&directory));
        directory[8] = 8;
        assert!(!is_listed(&directory), "no version");
        directory[0] = 1;
        assert!(is_listed(&directory));
        assert!(!is_listed(&[0xff; 512]));
    }

    #[test]
    fn the_commands_are_those_of_the_standard() {
        let (directory, page) = (directory(), temperatures());
        assert_eq!((directory.command, directory.count, directory.lba), (0x2f, 1, 0));
        assert_eq!((page.command, page.count, page.lba, page.extended), (0x2f, 1, 0x504, true));
    }
}
