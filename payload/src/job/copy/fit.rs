//! Whether a disk's content fits a drive of another size, and what must be changed for it.

use super::{
    gpt::{self, Patches},
    mbr,
};
use crate::{
    blocks::ReadAt,
    console::format,
    content::{Survey, Table},
    discover::Drive,
    engine::frames::{self, FRAME, is_zero},
};

/// What the job allows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allowed {
    pub smaller: bool,
    pub move_gpt: bool,
}

/// What must be written over the content for this drive, or why it cannot go there.
pub fn fit(
    content: &dyn ReadAt,
    logical: u32,
    survey: &Survey,
    drive: &Drive,
    allowed: Allowed,
) -> Result<Patches, String> {
    let id = &drive.identity;
    let refused = |reason: String| format!("{id}: {reason}; nothing was written");
    let found = drive.geometry.map_or(0, |geometry| geometry.logical());
    if found != logical {
        return Err(refused(format!(
            "its blocks have {found} bytes and the content's {logical}: partition tables and file systems would not fit"
        )));
    }
    let (bytes, room) = (content.size(), id.bytes);
    if room < bytes {
        let missing = format::size(bytes - room);
        if !allowed.smaller {
            return Err(refused(format!(
                "it is {missing} smaller than the content; the job must say that it may be (smaller)"
            )));
        }
        let needed = survey.used_end();
        if needed > room {
            return Err(refused(format!("it is {missing} smaller, and the content is in use up to byte {needed}")));
        }
        let guid = survey.table == Table::Gpt;
        let backup = if guid { gpt::backup_blocks(content, logical) * u64::from(logical) } else { 0 };
        let end = bytes.saturating_sub(backup);
        if let Some(at) = first_content(content, room, end)? {
            return Err(refused(format!("it is {missing} smaller, and byte {at} behind its end is not empty")));
        }
        if guid && !allowed.move_gpt {
            return Err(refused(
                "a GPT on a smaller drive needs its backup moved; the job must say so (move-gpt)".into(),
            ));
        }
    }
    let moves = allowed.move_gpt && room != bytes;
    let moved = if moves { gpt::moved(content, logical, room) } else { Ok(Patches::new()) };
    let mut patches = moved.map_err(|error| refused(error.to_string()))?;
    if room < bytes {
        mbr::shorten(content, logical, room, &mut patches).map_err(|error| refused(error.to_string()))?;
    }
    Ok(patches)
}

/// The first byte in a range that is not zero.
fn first_content(content: &dyn ReadAt, start: u64, end: u64) -> Result<Option<u64>, String> {
    let mut buf = vec![0; FRAME];
    let mut at = start;
    while at < end {
        let to = (frames::start(at / FRAME as u64 + 1)).min(end);
        let len = usize::try_from(to - at).unwrap_or(FRAME);
        content.read_at(at, &mut buf[..len]).map_err(|error| format!("the content's end cannot be read: {error}"))?;
        if !is_zero(&buf[..len]) {
            let place = buf[..len].iter().position(|byte| *byte != 0).unwrap_or_default();
            return Ok(Some(at + place as u64));
        }
        at = to;
    }
    Ok(None)
}
