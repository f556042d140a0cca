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
    /// What lies behind a smaller drive's end and in no partition is left behind.
    pub give_up_behind: bool,
    pub move_gpt: bool,
}

/// How a content goes onto a drive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fitted {
    /// What must be written over it.
    pub patches: Patches,
    /// Bytes in blocks that are not empty and have no room: they are given up.
    pub left_behind: u64,
}

/// What must be done to the content for this drive, or why it cannot go there.
pub fn fit(
    content: &dyn ReadAt,
    logical: u32,
    survey: &Survey,
    drive: &Drive,
    allowed: Allowed,
) -> Result<Fitted, String> {
    let id = &drive.identity;
    let refused = |reason: String| format!("{id}: {reason}; nothing was written");
    let found = drive.geometry.map_or(0, |geometry| geometry.logical());
    if found != logical {
        return Err(refused(format!(
            "its blocks have {found} bytes and the content's {logical}: partition tables and file systems would not fit"
        )));
    }
    let (bytes, room) = (content.size(), id.bytes);
    let mut left_behind = 0;
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
        let behind = not_empty(content, room, end, u64::from(logical))?;
        if let Some(at) = behind.first.filter(|_| !allowed.give_up_behind) {
            let lost = behind.bytes;
            return Err(refused(format!(
                "it is {missing} smaller, and behind its end {lost} bytes that belong to no partition are not empty, the first at \
                 byte {at}; where they are old data that nobody needs, the job can give them up (give-up-behind)"
            )));
        }
        left_behind = behind.bytes;
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
    Ok(Fitted { patches, left_behind })
}

/// Content where there should be none.
#[derive(Debug, Default)]
struct Behind {
    first: Option<u64>,
    /// In blocks that are not all zeros.
    bytes: u64,
}

/// Looks at every block in a range of whole blocks.
fn not_empty(content: &dyn ReadAt, start: u64, end: u64, block: u64) -> Result<Behind, String> {
    let mut buf = vec![0; FRAME];
    let mut behind = Behind::default();
    let mut at = start;
    let size = usize::try_from(block.max(1)).unwrap_or(512);
    while at < end {
        let to = (frames::start(at / FRAME as u64 + 1)).min(end);
        let len = usize::try_from(to - at).unwrap_or(FRAME);
        content.read_at(at, &mut buf[..len]).map_err(|error| format!("the content's end cannot be read: {error}"))?;
        if !is_zero(&buf[..len]) {
            let place = buf[..len].iter().position(|byte| *byte != 0).unwrap_or_default();
            behind.first.get_or_insert(at + place as u64);
            behind.bytes +=
                buf[..len].chunks(size).filter(|block| !is_zero(block)).map(|b| b.len() as u64).sum::<u64>();
        }
        at = to;
    }
    Ok(behind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{content, drive::sim::SimDisk, job::tests::rig};

    #[test]
    fn old_data_behind_a_smaller_drives_end_are_given_up_only_where_that_was_said() {
        const MIB: u64 = 1 << 20;
        let mut disk = vec![0_u8; 8 << 20];
        // One partition of 2 MiB from 1 MiB on.
        disk[446..462].copy_from_slice(&[0, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0x10, 0, 0]);
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        disk[6 << 20] = 1;
        disk[(6 << 20) + 600] = 1;
        disk[(7 << 20) + 511] = 1;
        let drive = rig::described("sdb", &SimDisk::new("B", 5 * MIB, 512));
        let survey = content::outline(&disk, 512);
        let go = |give_up_behind| {
            let allowed = Allowed { smaller: true, give_up_behind, move_gpt: false };
            fit(&disk, 512, &survey, &drive, allowed)
        };
        let why = go(false).unwrap_err();
        assert!(why.contains("1536 bytes") && why.contains("byte 6291456") && why.contains("give-up-behind"), "{why}");
        assert_eq!(go(true).unwrap().left_behind, 3 * 512);
    }
}
