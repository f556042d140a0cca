//! SMART data, thresholds and status. The attribute table is not in the standard after ATA-3; its layout and the
//! meaning of the numbers here are those of smartmontools' drive database, entry DEFAULT.

use super::command::Registers;

/// Attributes of one drive: 30 rows at byte 2, each of 12 bytes.
const ROWS: usize = 30;
const ROW: usize = 12;

/// One attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    /// Its number.
    pub id: u8,
    /// Bit 0: below the threshold means failure is near.
    pub flags: u16,
    /// Normalised value, 1 to 253; higher is better.
    pub value: u8,
    /// Lowest value so far.
    pub worst: u8,
    /// Raw value, 48 bits.
    pub raw: u64,
}

/// Why a SMART sector cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SmartError {
    /// Not 512 bytes.
    #[error("a SMART sector has 512 bytes, not {0}")]
    Length(usize),
    /// All bytes the same: a bridge that answers without asking the drive. Their sum is 0.
    #[error("the SMART data are blank")]
    Blank,
    /// The sum over all bytes is not 0.
    #[error("the SMART data have a wrong checksum")]
    Checksum,
}

/// The rows of SMART READ DATA that are in use.
pub fn attributes(bytes: &[u8]) -> Result<Vec<Attribute>, SmartError> {
    Ok(rows(bytes)?
        .map(|row| Attribute {
            id: row[0],
            flags: u16::from_le_bytes([row[1], row[2]]),
            value: row[3],
            worst: row[4],
            raw: u64::from_le_bytes([row[5], row[6], row[7], row[8], row[9], row[10], 0, 0]),
        })
        .collect())
}

/// The rows of SMART READ THRESHOLDS: attribute and threshold.
pub fn thresholds(bytes: &[u8]) -> Result<Vec<(u8, u8)>, SmartError> {
    Ok(rows(bytes)?.map(|row| (row[0], row[1])).collect())
}

fn rows(bytes: &[u8]) -> Result<impl Iterator<Item = &[u8; ROW]>, SmartError> {
    let sector: &[u8; 512] = bytes.try_into().map_err(|_| SmartError::Length(bytes.len()))?;
    if sector.iter().all(|byte| *byte == sector[0]) {
        return Err(SmartError::Blank);
    }
    if sector.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)) != 0 {
        return Err(SmartError::Checksum);
    }
    let (rows, _) = sector[2..2 + ROWS * ROW].as_chunks::<ROW>();
    Ok(rows.iter().filter(|row| row[0] != 0))
}

/// Whether the registers of SMART RETURN STATUS say that no threshold was crossed; `None` where they say neither
/// (LBA bits 23:8 are C24Fh or 2CF4h; ATA8-ACS, 7.52.8).
pub fn passed(registers: &Registers) -> Option<bool> {
    match registers.low_lba >> 8 {
        0xc24f => Some(true),
        0x2cf4 => Some(false),
        _ => None,
    }
}

/// Attributes at or below their threshold that predict failure. A threshold of 0 never fires.
pub fn failing(attributes: &[Attribute], thresholds: &[(u8, u8)]) -> Vec<u8> {
    let threshold = |id| thresholds.iter().find(|(of, _)| *of == id).map_or(0, |(_, threshold)| *threshold);
    attributes
        .iter()
        .filter(|attribute| attribute.flags & 1 == 1 && (1..=253).contains(&attribute.value))
        .filter(|attribute| (1..=254).contains(&threshold(attribute.id)) && attribute.value <= threshold(attribute.id))
        .map(|attribute| attribute.id)
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A SMART sector with these rows: of data (id, flags, value, worst, raw), or of thresholds.
    pub(crate) fn sector(rows: &[&[u8]]) -> [u8; 512] {
        let mut bytes = [0; 512];
        bytes[0] = 16;
        for (index, row) in rows.iter().enumerate() {
            bytes[2 + ROW * index..][..row.len()].copy_from_slice(row);
        }
        let sum = bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        bytes[511] = sum.wrapping_neg();
        bytes
    }

    #[test]
    fn attributes_and_thresholds_are_read() {
        let data = sector(&[&[5, 0x33, 0, 100, 99, 1, 2, 0, 0, 0, 3], &[0; 12], &[194, 0x22, 0, 60, 50, 40]]);
        let attributes = attributes(&data).unwrap();
        assert_eq!(attributes.len(), 2);
        let expected = Attribute { id: 5, flags: 0x33, value: 100, worst: 99, raw: 0x0300_0000_0201 };
        assert_eq!(attributes[0], expected);
        let limits = thresholds(&sector(&[&[5, 140], &[194, 0]])).unwrap();
        assert_eq!(limits, [(5, 140), (194, 0)]);
        assert_eq!(failing(&attributes, &limits), [5]);
        assert!(failing(&attributes, &[]).is_empty());
    }

    #[test]
    fn damaged_sectors_are_refused() {
        let mut data = sector(&[&[5, 1, 0, 100]]);
        data[3] ^= 0x10;
        assert_eq!(attributes(&data), Err(SmartError::Checksum));
        assert_eq!(thresholds(&data[..100]), Err(SmartError::Length(100)));
    }

    #[test]
    fn the_status_is_one_of_two_keys() {
        let registers = |low_lba| Registers { error: 0, status: 0x50, device: 0, count: None, low_lba, lba: None };
        assert_eq!(passed(&registers(0xc2_4f00)), Some(true));
        assert_eq!(passed(&registers(0x2c_f400)), Some(false));
        assert_eq!(passed(&registers(0)), None);
    }
}
