//! Requests of a virtio SCSI host as they lie in a queue (virtio 1.2, section 5.6.6): pure, any split of descriptors.

use crate::target::{Answer, DataPhase, Target};
use std::io::{self, Read, Write};

/// Bytes of a command before its data, with the default `cdb_size` of 32.
pub(crate) const COMMAND: usize = 51;
/// Bytes of the answer before the data, with the default `sense_size` of 96.
pub(crate) const RESPONSE: usize = 12 + SENSE;
const SENSE: usize = 96;
/// The most data that one command may move: what the guest asks for is not what this program must hold.
pub(crate) const MOST_DATA: usize = 32 << 20;

/// `response` of a command (section 5.6.6.1) and of a task management function (section 5.6.6.2).
const OK: u8 = 0;
const BAD_TARGET: u8 = 3;
const FAILURE: u8 = 9;
const FUNCTION_REJECTED: u8 = 11;

/// The drives; the index is the target number.
pub(crate) type Targets = [Box<dyn Target>];

/// Runs one command: reads its header and data from `from`, writes its answer to `head` and its data to `data`.
///
/// `out_len` and `in_len` are the bytes the guest offers for data beside header and answer.
///
/// # Errors
/// Where the guest's memory cannot be read or written; the request is then spoilt.
pub(crate) fn command(
    targets: &mut Targets,
    from: &mut impl Read,
    (out_len, in_len): (usize, usize),
    head: &mut impl Write,
    data: &mut impl Write,
) -> io::Result<()> {
    let mut header = [0; COMMAND];
    from.read_exact(&mut header)?;
    let offered = out_len.saturating_add(in_len);
    let Some(target) = find(targets, &header[..8]) else {
        return head.write_all(&response(BAD_TARGET, offered, None));
    };
    // No bidirectional commands: the feature is not offered.
    if (out_len > 0 && in_len > 0) || offered > MOST_DATA {
        return head.write_all(&response(FAILURE, offered, None));
    }
    let mut buf = vec![0; offered];
    let cdb = &header[19..];
    let answer = if out_len > 0 {
        from.read_exact(&mut buf)?;
        target.execute(cdb, DataPhase::Out(&buf))
    } else if in_len > 0 {
        target.execute(cdb, DataPhase::In(&mut buf))
    } else {
        target.execute(cdb, DataPhase::None)
    };
    let used = answer.transferred.min(offered);
    head.write_all(&response(OK, offered - used, Some(&answer)))?;
    if in_len > 0 { data.write_all(&buf[..used]) } else { Ok(()) }
}

/// Answers one request of the control queue (section 5.6.6.2); a request of no known kind gets no answer.
///
/// Commands are over before the next request is looked at, so that there is never one left to abort.
///
/// # Errors
/// Where the guest's memory cannot be read or written.
pub(crate) fn control(targets: &mut Targets, from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut kind = [0; 4];
    from.read_exact(&mut kind)?;
    match u32::from_le_bytes(kind) {
        0 => {
            let mut rest = [0; 20];
            from.read_exact(&mut rest)?;
            let known = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]) <= 7;
            let answer = match find(targets, &rest[4..12]) {
                Some(_) if known => OK,
                Some(_) => FUNCTION_REJECTED,
                None => BAD_TARGET,
            };
            to.write_all(&[answer])
        }
        // Asynchronous notifications: none is ever sent.
        1 | 2 => to.write_all(&[0, 0, 0, 0, OK]),
        _ => Ok(()),
    }
}

/// The drive that an 8-byte LUN field names: 1, the target, LUN 0 in either addressing.
fn find<'a>(targets: &'a mut Targets, lun: &[u8]) -> Option<&'a mut Box<dyn Target>> {
    match *lun {
        [1, target, 0 | 0x40, 0, ..] => targets.get_mut(usize::from(target)),
        _ => None,
    }
}

fn response(response: u8, residual: usize, answer: Option<&Answer>) -> [u8; RESPONSE] {
    let mut out = [0; RESPONSE];
    let residual = u32::try_from(residual).unwrap_or(u32::MAX);
    out[4..8].copy_from_slice(&residual.to_le_bytes());
    out[11] = response;
    if let Some(answer) = answer {
        for (to, from) in out[12..].iter_mut().zip(&answer.sense) {
            *to = *from;
        }
        let sense = u32::try_from(answer.sense.len().min(SENSE)).unwrap_or(0);
        out[..4].copy_from_slice(&sense.to_le_bytes());
        out[10] = answer.status;
    }
    out
}

#[cfg(test)]
mod tests;
