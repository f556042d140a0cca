//! The checksums of ext4: CRC-32C and CRC-16, both reflected and not inverted at the end.

const fn table(polynomial: u32) -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    let mut start = 0_u32;
    while byte < 256 {
        let mut value = start;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { value >> 1 ^ polynomial } else { value >> 1 };
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
        start += 1;
    }
    table
}

static CASTAGNOLI: [u32; 256] = table(0x82f6_3b78);
static ANSI: [u32; 256] = table(0xa001);

/// Goes on from `seed`.
pub(super) fn crc32c(seed: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(seed, |crc, byte| crc >> 8 ^ CASTAGNOLI[usize::from(crc.to_le_bytes()[0] ^ byte)])
}

/// Goes on from `seed`.
pub(super) fn crc16(seed: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(seed, |crc, byte| {
        let [low, high, ..] = ANSI[usize::from(crc.to_le_bytes()[0] ^ byte)].to_le_bytes();
        crc >> 8 ^ u16::from_le_bytes([low, high])
    })
}

#[cfg(test)]
mod tests {
    /// The check values of the catalogue of parametrised CRC algorithms.
    #[test]
    fn catalogued_values() {
        assert_eq!(!super::crc32c(!0, b"123456789"), 0xe306_9283);
        assert_eq!(super::crc16(!0, b"123456789"), 0x4b37);
    }
}
