//! Reading a log from its first frame to its last.

use super::{
    JournalError,
    event::Entry,
    frame::{self, BadFrame, MAX_FRAME, SECTOR},
    medium::Medium,
    superblock::{FRAMES, Superblock},
};

/// How long a blank stretch behind the last frame is searched for more of them: longer than what a flash medium loses at
/// once (an erase block of some MiB), and read in a fraction of a second.
const NEAR: u64 = 8 << 20;
/// Bytes read at once in that search.
const STRIDE: usize = 256 * 1024;

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

/// Everything a log holds.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    pub entries: Vec<Placed>,
    /// Number and place of the next frame, and the hash it continues.
    pub next: u64,
    pub position: u64,
    pub previous: [u8; 32],
    /// The remains of a frame that the power cut short.
    pub torn: Option<u64>,
    /// The first damage: whole frames lie behind it, or it is no torn write.
    pub damage: Option<Damage>,
    /// Whole frames behind the damage; the chain does not prove them.
    pub beyond: Vec<Placed>,
}

/// Reads every frame. Damage is reported, not an error; an I/O failure is.
pub fn scan(medium: &mut dyn Medium, superblock: &Superblock) -> Result<Scan, JournalError> {
    scan_within(medium, superblock, NEAR)
}

/// As [`scan`], but looks for frames behind the last one up to the end of the medium.
pub fn scan_everywhere(medium: &mut dyn Medium, superblock: &Superblock) -> Result<Scan, JournalError> {
    scan_within(medium, superblock, u64::MAX)
}

fn scan_within(medium: &mut dyn Medium, superblock: &Superblock, near: u64) -> Result<Scan, JournalError> {
    let mut scan = Scan { position: FRAMES, previous: superblock.anchor(), ..Scan::default() };
    loop {
        let mut out_of_chain = None;
        let bad = match read(medium, scan.position)? {
            Ok(frame) if frame.sequence == scan.next && frame.previous == scan.previous => {
                scan.entries.push(placed(scan.position, &frame));
                scan.next += 1;
                scan.previous = frame.hash;
                scan.position += frame.len as u64;
                continue;
            }
            Ok(frame) => {
                out_of_chain = Some(placed(scan.position, &frame));
                None
            }
            Err(bad) => Some(bad),
        };
        scan.beyond = out_of_chain.into_iter().collect();
        let behind = beyond(medium, scan.position, scan.next, near)?;
        scan.beyond.extend(behind.frames);
        // One append leaves no more than one frame's sectors behind; more than that was acknowledged once.
        let one_write = behind.dirty_end <= scan.position + MAX_FRAME as u64;
        let reason = match bad {
            None => "a frame does not continue the chain".into(),
            Some(BadFrame::Blank) if scan.beyond.is_empty() && one_write => return Ok(scan),
            Some(BadFrame::Blank) => "frames are missing here".into(),
            Some(bad) if scan.beyond.is_empty() && one_write && bad.may_be_torn() => {
                scan.torn = Some(scan.position);
                return Ok(scan);
            }
            Some(bad) => bad.to_string(),
        };
        scan.damage = Some(Damage { at: scan.position, reason });
        return Ok(scan);
    }
}

fn placed(at: u64, frame: &frame::Frame) -> Placed {
    Placed { at, sequence: frame.sequence, hash: frame.hash, entry: frame.entry.clone() }
}

/// The frame at `at`, as far as the medium reaches.
fn read(medium: &mut dyn Medium, at: u64) -> Result<Result<frame::Frame, BadFrame>, JournalError> {
    let left = usize::try_from(medium.len() - at).unwrap_or(MAX_FRAME) / SECTOR * SECTOR;
    if left == 0 {
        return Ok(Err(BadFrame::Blank));
    }
    let mut buf = vec![0; left.min(MAX_FRAME)];
    medium.read_at(at, &mut buf).map_err(|e| JournalError::io("reading the log", e))?;
    Ok(frame::decode(&buf))
}

/// What lies behind a bad place.
struct Behind {
    /// Whole frames that cannot be remains of its torn write: their numbers are higher than the one expected there.
    frames: Vec<Placed>,
    /// The end of the last sector that is not blank.
    dirty_end: u64,
}

/// Looks behind a bad place until the medium has been blank for `near` bytes.
fn beyond(medium: &mut dyn Medium, from: u64, expected: u64, near: u64) -> Result<Behind, JournalError> {
    let mut frames = Vec::new();
    let mut at = from + SECTOR as u64;
    let mut last_sign = from;
    let mut buf = vec![0; STRIDE];
    while at + SECTOR as u64 <= medium.len() && at - last_sign <= near {
        let len = usize::try_from(medium.len() - at).unwrap_or(STRIDE).min(STRIDE) / SECTOR * SECTOR;
        medium.read_at(at, &mut buf[..len]).map_err(|e| JournalError::io("reading the log", e))?;
        let start = at;
        at += len as u64;
        let mut free = start;
        for (place, sector) in (start..).step_by(SECTOR).zip(buf[..len].chunks(SECTOR)) {
            if place < free || *sector == [0; SECTOR] {
                continue;
            }
            last_sign = place;
            if let Ok(frame) = read(medium, place)?
                && frame.sequence > expected
            {
                free = place + frame.len as u64;
                frames.push(placed(place, &frame));
            }
        }
        at = at.max(free);
    }
    Ok(Behind { frames, dirty_end: last_sign + SECTOR as u64 })
}
