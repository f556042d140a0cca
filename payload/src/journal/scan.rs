//! Reading a log from its first frame to its last. Entries are handed on one by one: a full log is not held in memory.

use super::{
    JournalError,
    event::Entry,
    frame::{BadFrame, Frame, MAX_FRAME, SECTOR},
    medium::Medium,
    reader::Reader,
    superblock::{FRAMES, Superblock},
};

pub use super::reader::Unreadable;

/// How long a blank stretch behind the last frame is searched for more of them: longer than what a flash medium loses at
/// once (an erase block of some MiB), and read in a fraction of a second.
const NEAR: u64 = 8 << 20;

/// An entry and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Bytes from the start of the log partition.
    pub at: u64,
    pub sequence: u64,
    pub hash: [u8; 32],
    pub entry: Entry,
}

/// A place that no torn write explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub at: u64,
    pub reason: String,
}

/// How a log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To append to it: what cannot be read is an error.
    Start,
    /// As far, but what cannot be read is reported as damage, and all else is read.
    Near,
    /// The same, and frames behind the last one are looked for up to the end of the medium.
    Everywhere,
}

/// Where a log ends, and what was met on the way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct End {
    /// Number and place of the next frame, and the hash it continues.
    pub next: u64,
    pub position: u64,
    pub previous: [u8; 32],
    /// The remains of a frame that the power cut short.
    pub torn: Option<u64>,
    /// The first damage: whole frames lie behind it, or it is no torn write, or it cannot be read.
    pub damage: Option<Damage>,
    /// How many whole frames lie behind the damage.
    pub behind: u64,
    /// What could not be read.
    pub unreadable: Option<Unreadable>,
}

/// Everything a log holds.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    pub entries: Vec<Placed>,
    /// Whole frames behind the damage; the chain does not prove them.
    pub beyond: Vec<Placed>,
    pub end: End,
}

/// Reads every entry into memory, about 500 bytes each.
pub fn collect(medium: &mut dyn Medium, superblock: &Superblock, reach: Reach) -> Result<Scan, JournalError> {
    let mut scan = Scan::default();
    scan.end = walk(medium, superblock, reach, &mut |placed, chained| {
        if chained { scan.entries.push(placed) } else { scan.beyond.push(placed) }
    })?;
    Ok(scan)
}

/// Hands on every entry in order, and whether the chain proves it; those behind damage it does not.
///
/// # Errors
/// [`JournalError::Unreadable`] for [`Reach::Start`] alone; all other damage is in what is returned.
pub fn walk(
    medium: &mut dyn Medium,
    superblock: &Superblock,
    reach: Reach,
    each: &mut dyn FnMut(Placed, bool),
) -> Result<End, JournalError> {
    let mut reader = Reader::new(medium, reach == Reach::Start);
    let mut end = End { position: FRAMES, previous: superblock.anchor(), ..End::default() };
    let stop = loop {
        match reader.frame(end.position)? {
            Ok(frame) if frame.sequence == end.next && frame.previous == end.previous => {
                let at = end.position;
                end.next += 1;
                end.previous = frame.hash;
                end.position += frame.len as u64;
                each(placed(at, frame), true);
            }
            other => break other,
        }
    };
    let bad = match stop {
        Ok(frame) => {
            end.behind = 1;
            each(placed(end.position, frame), false);
            None
        }
        Err(bad) => Some(bad),
    };
    let near = if reach == Reach::Everywhere { u64::MAX } else { NEAR };
    let dirty_end = beyond(&mut reader, &mut end, near, each)?;
    end.unreadable = reader.into_unreadable();
    judge(&mut end, bad, dirty_end);
    Ok(end)
}

/// Tells a torn tail from damage; `bad` is what lies at the end of the chain, nothing where it is a whole frame.
fn judge(end: &mut End, bad: Option<BadFrame>, dirty_end: u64) {
    // One append leaves no more than one frame's sectors behind; more than that was acknowledged once.
    let one_write = end.behind == 0 && dirty_end <= end.position + MAX_FRAME as u64;
    let unread = |u: &Unreadable| format!("the medium cannot be read here ({})", u.error);
    let mut damage = |at, reason| end.damage = Some(Damage { at, reason });
    match bad {
        Some(BadFrame::Blank) if one_write => {}
        Some(bad) if one_write && bad.may_be_torn() => end.torn = Some(end.position),
        None => return damage(end.position, "a frame does not continue the chain".into()),
        Some(BadFrame::Blank) => return damage(end.position, "frames are missing here".into()),
        Some(BadFrame::Unreadable) => {
            let reason = end.unreadable.as_ref().map_or_else(|| BadFrame::Unreadable.to_string(), unread);
            return damage(end.position, reason);
        }
        Some(bad) => return damage(end.position, bad.to_string()),
    }
    // Nothing is wrong with what was read, but an entry may have been where nothing was.
    if let Some(unreadable) = &end.unreadable {
        damage(unreadable.first, unread(unreadable));
    }
}

fn placed(at: u64, frame: Frame) -> Placed {
    Placed { at, sequence: frame.sequence, hash: frame.hash, entry: frame.entry }
}

/// Looks behind the end of the chain until the medium has been blank for `near` bytes. Whole frames with a higher number
/// than the one expected there cannot be remains of its torn write. Returns the end of the last sector that is not blank.
fn beyond(
    reader: &mut Reader<'_>,
    end: &mut End,
    near: u64,
    each: &mut dyn FnMut(Placed, bool),
) -> Result<u64, JournalError> {
    let mut at = end.position + SECTOR as u64;
    let mut last_sign = end.position;
    let mut dirty_end = at;
    while at < reader.end() && at - last_sign <= near {
        let here = at;
        at += SECTOR as u64;
        if reader.is_blank(here)? {
            continue;
        }
        match reader.frame(here)? {
            Err(BadFrame::Unreadable) => {}
            Ok(frame) if frame.sequence > end.next => {
                at = here + frame.len as u64;
                dirty_end = at;
                end.behind += 1;
                each(placed(here, frame), false);
            }
            _ => dirty_end = at,
        }
        last_sign = here;
    }
    Ok(dirty_end)
}
