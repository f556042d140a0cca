//! Sense data (SPC-4, 4.5) and the ATA registers that a pass-through returns in it (SAT-3, 12.2.5 to 12.2.7).

use crate::ata::command::Registers;

/// Sense key RECOVERED ERROR, which a translation layer uses for "registers are here".
pub const RECOVERED_ERROR: u8 = 0x1;
/// Sense key ILLEGAL REQUEST.
pub const ILLEGAL_REQUEST: u8 = 0x5;
/// ASC and ASCQ of ATA PASS THROUGH INFORMATION AVAILABLE.
const ATA_INFORMATION: (u8, u8) = (0x00, 0x1d);
/// Descriptor type of the ATA Status Return descriptor.
const ATA_STATUS_RETURN: u8 = 0x09;

/// What sense data says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sense {
    /// Sense key.
    pub key: u8,
    /// Additional sense code.
    pub asc: u8,
    /// Additional sense code qualifier.
    pub ascq: u8,
    /// ATA registers, where a translation layer returned them.
    pub registers: Option<Registers>,
}

impl Sense {
    /// Parses sense data in either format; `None` for anything else, or too short.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        match bytes.first()? & 0x7f {
            0x70 | 0x71 => Self::fixed(bytes),
            0x72 | 0x73 => Self::descriptors(bytes),
            _ => None,
        }
    }

    fn fixed(bytes: &[u8]) -> Option<Self> {
        let (asc, ascq) = (*bytes.get(12)?, *bytes.get(13)?);
        let registers = ((asc, ascq) == ATA_INFORMATION).then(|| Registers {
            error: bytes[3],
            status: bytes[4],
            device: bytes[5],
            count: (bytes[8] & 0x40 == 0).then(|| u16::from(bytes[6])),
            low_lba: u32::from_le_bytes([bytes[9], bytes[10], bytes[11], 0]),
            // The upper half is not carried; the flag says when it was not zero.
            lba: (bytes[8] & 0x20 == 0).then(|| u64::from(u32::from_le_bytes([bytes[9], bytes[10], bytes[11], 0]))),
        });
        Some(Self { key: bytes[2] & 0xf, asc, ascq, registers })
    }

    fn descriptors(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..8)?;
        let mut rest = &bytes[8..bytes.len().min(8 + usize::from(header[7]))];
        let mut registers = None;
        while let [kind, len, body @ ..] = rest {
            let Some(body) = body.get(..usize::from(*len)) else { break };
            if *kind == ATA_STATUS_RETURN {
                registers = ata_status_return(body);
            }
            rest = &rest[2 + body.len()..];
        }
        Some(Self { key: header[1] & 0xf, asc: header[2], ascq: header[3], registers })
    }
}

/// The descriptor after its two bytes of head (SAT-3, table 158).
fn ata_status_return(body: &[u8]) -> Option<Registers> {
    let body: &[u8; 12] = body.first_chunk()?;
    let extended = body[0] & 1 == 1;
    let [_, error, count_high, count_low, lba3, lba0, lba4, lba1, lba5, lba2, device, status] = *body;
    let upper = |byte| if extended { byte } else { 0 };
    let bytes = [lba0, lba1, lba2, upper(lba3), upper(lba4), upper(lba5), 0, 0];
    Some(Registers {
        error,
        status,
        device,
        count: Some(u16::from_le_bytes([count_low, upper(count_high)])),
        low_lba: u32::from_le_bytes([lba0, lba1, lba2, 0]),
        lba: Some(u64::from_le_bytes(bytes)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIPTOR: [u8; 22] =
        [0x72, 1, 0, 0x1d, 0, 0, 0, 14, 9, 12, 1, 0x04, 0xc1, 0xc0, 4, 1, 5, 2, 6, 3, 0x40, 0x51];

    #[test]
    fn registers_come_from_the_descriptor() {
        let sense = Sense::parse(&DESCRIPTOR).unwrap();
        assert_eq!((sense.key, sense.asc, sense.ascq), (RECOVERED_ERROR, 0, 0x1d));
        let registers = sense.registers.unwrap();
        assert_eq!(registers.lba, Some(0x0605_0403_0201));
        assert_eq!((registers.count, registers.device), (Some(0xc1c0), 0x40));
        assert!(registers.failed() && registers.aborted());
    }

    #[test]
    fn a_descriptor_of_another_kind_is_skipped() {
        let mut bytes = DESCRIPTOR[..8].to_vec();
        bytes[7] = 14 + 4;
        bytes.extend([0x02, 2, 0xaa, 0xbb]);
        bytes.extend(&DESCRIPTOR[8..]);
        assert!(Sense::parse(&bytes).unwrap().registers.is_some());
        bytes[9] = 200;
        assert!(Sense::parse(&bytes).unwrap().registers.is_none());
    }

    #[test]
    fn the_fixed_format_carries_half_of_the_lba() {
        let mut bytes = [0x70, 0, 1, 0x00, 0x50, 0xe0, 7, 10, 0, 0x00, 0x4f, 0xc2, 0, 0x1d, 0, 0, 0, 0];
        let registers = Sense::parse(&bytes).unwrap().registers.unwrap();
        assert_eq!((registers.lba, registers.low_lba), (Some(0xc2_4f00), 0xc2_4f00));
        assert!(!registers.failed());
        bytes[8] = 0xe0;
        let registers = Sense::parse(&bytes).unwrap().registers.unwrap();
        assert_eq!((registers.lba, registers.count), (None, None));
        bytes[13] = 0;
        assert_eq!(Sense::parse(&bytes).unwrap().registers, None);
    }

    #[test]
    fn noise_never_panics() {
        let mut state = 1_u64;
        for _ in 0..5000 {
            let mut bytes = [0; 64];
            for byte in &mut bytes {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = state.to_be_bytes()[0];
            }
            let len = usize::from(bytes[63] % 64);
            for code in 0x70..0x74 {
                bytes[0] = code;
                let _ = Sense::parse(&bytes[..len]);
            }
            for page in [0x80, 0x83, 0x89] {
                bytes[1] = page;
                let _ = crate::scsi::vpd::serial_number(&bytes[..len]);
                let _ = crate::scsi::vpd::world_wide_name(&bytes[..len]);
                let _ = crate::scsi::vpd::identify_data(&bytes[..len]);
            }
        }
    }

    #[test]
    fn anything_else_is_no_sense_data() {
        assert_eq!(Sense::parse(&[]), None);
        assert_eq!(Sense::parse(&[0; 18]), None);
        for len in 0..DESCRIPTOR.len() {
            let parsed = Sense::parse(&DESCRIPTOR[..len]);
            assert!(parsed.is_none_or(|sense| sense.registers.is_none()));
        }
    }
}
