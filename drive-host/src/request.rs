//! Requests of a virtio SCSI host as they lie in a queue (virtio 1.2, section 5.6.6): pure, any split of descriptors.

use crate::{
    slot::Slot,
    target::{Answer, DataPhase},
};
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
const ABORTED: u8 = 2;
const RESET: u8 = 4;
const BAD_TARGET: u8 = 3;
const FAILURE: u8 = 9;
const FUNCTION_REJECTED: u8 = 11;

/// The drives; the index is the target number.
pub(crate) type Targets = [Slot];

/// The end of a command as the guest reads it.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) head: [u8; RESPONSE],
    pub(crate) data: Vec<u8>,
}

/// The drive that a command is for, where there is one, and its tag. Nothing but these are read.
///
/// # Errors
/// Where the guest's memory cannot be read.
pub(crate) fn address(targets: &Targets, from: &mut impl Read) -> io::Result<(Option<usize>, u64)> {
    let (mut lun, mut tag) = ([0; 8], [0; 8]);
    from.read_exact(&mut lun)?;
    from.read_exact(&mut tag)?;
    Ok((find(targets, &lun), u64::from_le_bytes(tag)))
}

/// Runs one command: reads its header and data from `from`.
///
/// `out_len` and `in_len` are the bytes the guest offers for data beside header and answer.
///
/// # Errors
/// Where the guest's memory cannot be read; the request is then spoilt.
pub(crate) fn command(targets: &Targets, from: &mut impl Read, (out_len, in_len): (usize, usize)) -> io::Result<Done> {
    let mut header = [0; COMMAND];
    from.read_exact(&mut header)?;
    let offered = out_len.saturating_add(in_len);
    let unheard = |reason| Ok(Done { head: response(reason, offered, None), data: Vec::new() });
    let Some(target) = find(targets, &header[..8]).map(|number| &targets[number]) else {
        return unheard(BAD_TARGET);
    };
    // No bidirectional commands: the feature is not offered.
    if (out_len > 0 && in_len > 0) || offered > MOST_DATA {
        return unheard(FAILURE);
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
    buf.truncate(if in_len > 0 { used } else { 0 });
    Ok(Done { head: response(OK, offered - used, Some(&answer)), data: buf })
}

/// The answer of a command whose drive is not waited for.
pub(crate) fn without_drive(reason: u8) -> [u8; RESPONSE] {
    response(reason, 0, None)
}

/// Commands that a task management function ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) target: usize,
    /// All of the drive's where there is none.
    pub(crate) tag: Option<u64>,
    /// `response` of these commands.
    pub(crate) response: u8,
    /// The drive hears of it.
    pub(crate) reset: bool,
}

/// Answers one request of the control queue (section 5.6.6.2); a request of no known kind gets no answer. What it ends must
/// be given back before this answer is.
///
/// # Errors
/// Where the guest's memory cannot be read or written.
pub(crate) fn control(targets: &Targets, from: &mut impl Read, to: &mut impl Write) -> io::Result<Option<Ends>> {
    let mut kind = [0; 4];
    from.read_exact(&mut kind)?;
    match u32::from_le_bytes(kind) {
        0 => {
            let (mut subtype, mut lun, mut tag) = ([0; 4], [0; 8], [0; 8]);
            from.read_exact(&mut subtype)?;
            from.read_exact(&mut lun)?;
            from.read_exact(&mut tag)?;
            let (answer, ends) = manage(find(targets, &lun), u32::from_le_bytes(subtype), u64::from_le_bytes(tag));
            to.write_all(&[answer])?;
            Ok(ends)
        }
        // Asynchronous notifications: none is ever sent.
        1 | 2 => to.write_all(&[0, 0, 0, 0, OK]).map(|()| None),
        _ => Ok(None),
    }
}

/// Task management functions: abort task, abort task set, clear ACA, clear task set, I_T nexus reset, logical unit reset,
/// query task, query task set.
fn manage(target: Option<usize>, subtype: u32, tag: u64) -> (u8, Option<Ends>) {
    let Some(target) = target else { return (BAD_TARGET, None) };
    let ends = |tag, response| Some(Ends { target, tag, response, reset: response == RESET });
    match subtype {
        0 => (OK, ends(Some(tag), ABORTED)),
        1 | 3 => (OK, ends(None, ABORTED)),
        4 | 5 => (OK, ends(None, RESET)),
        2 | 6 | 7 => (OK, None),
        _ => (FUNCTION_REJECTED, None),
    }
}

/// The drive that an 8-byte LUN field names: 1, the target, LUN 0 in either addressing.
fn find(targets: &Targets, lun: &[u8]) -> Option<usize> {
    match *lun {
        [1, target, 0 | 0x40, 0, ..] => Some(usize::from(target)).filter(|number| *number < targets.len()),
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
