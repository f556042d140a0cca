//! What the disk says of itself: INQUIRY, sense, log pages, defects, the commands it knows.

use super::{
    SasDisk, Sense,
    sanitize::{BLOCK_ERASE, CRYPTOGRAPHIC_ERASE, EXIT_FAILURE_MODE, OVERWRITE, SANITIZE},
};
use crate::file_disk::vital;

pub(super) const INVALID_FIELD_IN_CDB: Sense = (5, 0x24, 0);

/// Operation codes with the lengths of their commands; SANITIZE is told apart by its service actions.
const COMMANDS: &[(u8, u16)] = &[
    (0x00, 6),
    (0x03, 6),
    (0x12, 6),
    (0x1a, 6),
    (0x1b, 6),
    (0x25, 10),
    (0x28, 10),
    (0x2a, 10),
    (0x35, 10),
    (0x4d, 10),
    (0x5a, 10),
    (0x88, 16),
    (0x8a, 16),
    (0x91, 16),
    (0xa0, 12),
    (0xb7, 12),
];

/// Mode pages, without block descriptors: caching without a write cache (SBC-4, 6.5.6), and informational exceptions that
/// are told when they are asked for (SPC-5, 7.5.16).
const MODES: &[&[u8]] =
    &[&[0x08, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[0x1c, 10, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0]];

/// MODE SENSE (6) and (10): one page, or all (3Fh).
pub(super) fn modes(cdb: &[u8]) -> Result<Vec<u8>, Sense> {
    let wanted = cdb[2] & 0x3f;
    let pages: Vec<u8> =
        MODES.iter().filter(|page| matches!(wanted, 0x3f) || page[0] == wanted).copied().flatten().copied().collect();
    if pages.is_empty() {
        return Err(INVALID_FIELD_IN_CDB);
    }
    let len = u8::try_from(pages.len()).unwrap_or(0);
    let head: &[u8] = if cdb[0] == 0x1a { &[len + 3, 0, 0, 0] } else { &[0, len + 6, 0, 0, 0, 0, 0, 0] };
    Ok([head, &pages].concat())
}

impl SasDisk {
    /// A disk with a wrong serial forgets who it is when it erases.
    fn serial(&self) -> &str {
        match &self.options.wrong_serial {
            Some(wrong) if self.was_erased => wrong,
            _ => &self.options.serial,
        }
    }

    pub(super) fn inquiry(&self, cdb: &[u8]) -> Result<Vec<u8>, Sense> {
        match (cdb[1] & 1 == 1, cdb[2]) {
            (false, 0) => Ok([&[0, 0, 6, 0x12, 31, 0, 0, 2], &b"MULE    MODELLED SAS    0001"[..]].concat()),
            (true, 0) => Ok(vital(0, &[0, 0x80, 0x83, 0xb1])),
            (true, 0x80) => Ok(vital(0x80, self.serial().as_bytes())),
            // One designator of the logical unit: NAA 5, IEEE registered (SPC-5, 7.7.6).
            (true, 0x83) => {
                let named =
                    self.serial().bytes().fold(0x5eed_u64, |n, b| n.wrapping_mul(0x0100_0000_01b3) ^ u64::from(b));
                let name = 0x5 << 60 | named & ((1 << 60) - 1);
                Ok(vital(0x83, &[&[1, 3, 0, 8], &name.to_be_bytes()[..]].concat()))
            }
            // Block device characteristics: rotations in a minute, 1 for none.
            (true, 0xb1) => {
                let rotation: u16 = if self.options.ssd { 1 } else { 10_000 };
                Ok(vital(0xb1, &[&rotation.to_be_bytes()[..], &[0, 3], &[0; 56]].concat()))
            }
            _ => Err(INVALID_FIELD_IN_CDB),
        }
    }

    /// REQUEST SENSE: what keeps the disk from its medium, and how far it is (SPC-5, 4.4), in either format.
    pub(super) fn sense(&self, descriptors: bool) -> Vec<u8> {
        let (key, code, qualifier) = self.obstacle().unwrap_or((0, 0, 0));
        let [high, low] = self.progress().unwrap_or(0).to_be_bytes();
        let valid = if self.progress().is_some() { 0x80 } else { 0 };
        if descriptors {
            let head = [0x72, key, code, qualifier, 0, 0, 0];
            let specific = [2, 6, 0, 0, valid, high, low, 0];
            return if valid == 0 { [&head[..], &[0]].concat() } else { [&head[..], &[8], &specific].concat() };
        }
        let mut sense = vec![0; 18];
        (sense[0], sense[2], sense[7], sense[12], sense[13]) = (0x70, key, 10, code, qualifier);
        sense[15..18].copy_from_slice(&[valid, high, low]);
        sense
    }

    /// LOG SENSE (SPC-5, 7.3; SBC-4, 6.4): the current cumulative values.
    pub(super) fn log(&self, cdb: &[u8]) -> Result<Vec<u8>, Sense> {
        let (code, subpage) = (cdb[2] & 0x3f, cdb[3]);
        let options = &self.options;
        let parameters: Vec<(u16, Vec<u8>)> = match (code, subpage) {
            (0x00, 0) => {
                let pages: &[u8] =
                    if options.ssd { &[0, 0x03, 0x0d, 0x11, 0x15, 0x2f] } else { &[0, 0x03, 0x0d, 0x15, 0x2f] };
                return Ok([&[0, 0, 0, u8::try_from(pages.len()).unwrap_or(0)], pages].concat());
            }
            // Read errors: total uncorrected errors.
            (0x03, 0) => vec![(0x0006, vec![0, 0, 0, 0])],
            (0x0d, 0) => vec![(0, vec![0, options.temperature]), (1, vec![0, options.temperature_limit])],
            (0x11, 0) if options.ssd => vec![(1, vec![0, 0, 0, 7])],
            // Background scan: 1234 hours in minutes.
            (0x15, 0) => vec![(0, [&(1234_u32 * 60).to_be_bytes()[..], &[0; 8]].concat())],
            // Informational exceptions: a failure is predicted, or nothing.
            (0x2f, 0) => vec![(
                0,
                vec![if options.failing { 0x5d } else { 0 }, 0x10 * u8::from(options.failing), options.temperature, 0],
            )],
            _ => return Err(INVALID_FIELD_IN_CDB),
        };
        let one = |(number, value): &(u16, Vec<u8>)| {
            [&number.to_be_bytes()[..], &[3, u8::try_from(value.len()).unwrap_or(0)], value].concat()
        };
        let body: Vec<u8> = parameters.iter().flat_map(one).collect();
        Ok([&[code, 0][..], &u16::try_from(body.len()).unwrap_or(0).to_be_bytes(), &body].concat())
    }

    /// READ DEFECT DATA (12): the grown list in the long block format, an entry for each of the first blocks.
    pub(super) fn defects(&self, cdb: &[u8]) -> Vec<u8> {
        let grown = cdb[1] & 0x08 != 0;
        let count = if grown { self.options.grown } else { 0 };
        let head = [&[0, cdb[1] & 0x18 | 3, 0, 0][..], &(count * 8).to_be_bytes()].concat();
        head.into_iter().chain((0..count).flat_map(|lba| u64::from(lba).to_be_bytes())).collect()
    }

    /// REPORT SUPPORTED OPERATION CODES (SPC-5, 6.34): one command, or all.
    pub(super) fn supported(&self, cdb: &[u8]) -> Vec<u8> {
        let (options, code, action) = (cdb[2] & 7, cdb[3], u16::from_be_bytes([cdb[4], cdb[5]]));
        if options == 0 {
            let plain = COMMANDS.iter().map(|(code, len)| (*code, 0, 0, *len));
            let actions = [OVERWRITE, BLOCK_ERASE, CRYPTOGRAPHIC_ERASE, EXIT_FAILURE_MODE].into_iter();
            let sanitize = actions.filter(|action| self.has_action(*action)).map(|action| (SANITIZE, action, 1, 10));
            let row = |(code, action, served, len): (u8, u8, u8, u16)| {
                let [high, low] = len.to_be_bytes();
                [code, 0, 0, action, 0, served, high, low]
            };
            let rows: Vec<u8> = plain.chain(sanitize).flat_map(row).collect();
            return [&u32::try_from(rows.len()).unwrap_or(0).to_be_bytes()[..], &rows].concat();
        }
        let sanitizes =
            code == SANITIZE && options != 1 && u8::try_from(action).is_ok_and(|action| self.has_action(action));
        let len = COMMANDS.iter().find(|(known, _)| *known == code && options != 2).map(|(_, len)| *len);
        match if sanitizes { Some(10) } else { len } {
            Some(len) => {
                let [high, low] = len.to_be_bytes();
                [&[0, 3, high, low, code][..], &vec![0xff; usize::from(len) - 1]].concat()
            }
            None => vec![0, 1, 0, 0],
        }
    }
}
