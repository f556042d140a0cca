//! REPORT LUNS (SPC-4, 6.33): which logical units a device has.

/// Bytes that are asked for: a head and 512 logical units.
pub const LEN: usize = 8 + 8 * 512;

/// The command: logical units as they are addressed (SELECT REPORT 00h).
pub fn report() -> [u8; 12] {
    // LEN, in four bytes.
    [0xa0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0x08, 0, 0]
}

/// The numbers in an answer, as the kernel writes them (`drivers/scsi/scsi_common.c`, `scsilun_to_int`).
///
/// # Errors
/// Too short for its own length, or with more than were asked for.
pub fn parse(answer: &[u8]) -> Result<Vec<u64>, &'static str> {
    let (head, list) = answer.split_first_chunk::<8>().ok_or("its list has no head")?;
    let len = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
    let list = list.get(..len).ok_or("its list is longer than what it sent")?;
    let (luns, _) = list.as_chunks::<8>();
    Ok(luns.iter().map(number).collect())
}

fn number(lun: &[u8; 8]) -> u64 {
    let (levels, _) = lun.as_chunks::<2>();
    levels.iter().rev().fold(0, |number, level| number << 16 | u64::from(u16::from_be_bytes(*level)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_far_as_it_goes_and_never_guessed() {
        let mut answer = [0; 24];
        (answer[3], answer[17]) = (16, 3);
        assert_eq!(parse(&answer), Ok(vec![0, 3]));
        // Flat space addressing (SAM-4, 4.6.8) keeps its bits, as in the kernel.
        (answer[16], answer[17]) = (0x41, 2);
        assert_eq!(parse(&answer), Ok(vec![0, 0x4102]));
        assert!(parse(&answer[..23]).is_err() && parse(&answer[..7]).is_err());
        let [.., a, b, c, d, _, _] = report();
        assert_eq!(u32::from_be_bytes([a, b, c, d]) as usize, LEN);
    }
}
