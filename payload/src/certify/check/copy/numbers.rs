//! Rules about sizes and counts that hold whatever the outcome.

use super::{Rule, any};
use crate::certify::{
    check::{fits, read_back},
    copy::{Action, CopyRecord, GptBackup, LISTED, Mode, TailHandling},
    record::BlockRange,
};

/// The largest backup of a partition table that is believed; the usual one is 33 sectors (UEFI specification, 5.3).
const GPT_LARGEST: u64 = 1 << 20;

/// The rules.
pub(super) const RULES: &[Rule] = &[
    Rule {
        of: any,
        holds: |r| r.media.logical_block > 0 && r.media.bytes.is_multiple_of(u64::from(r.media.logical_block)),
        otherwise: "the capacity is no whole number of blocks",
    },
    Rule { of: any, holds: whole_blocks, otherwise: "a count of bytes that is no whole number of blocks" },
    Rule { of: any, holds: size, otherwise: "the disk's size is not that of its source or image" },
    Rule {
        of: any,
        holds: |r| {
            let (disk, drive) = (r.copy.bytes, r.media.bytes);
            r.copy.tail.bytes == drive.saturating_sub(disk) && r.copy.cut.bytes == disk.saturating_sub(drive)
        },
        otherwise: "tail or cut is not the difference of the sizes",
    },
    Rule {
        of: any,
        holds: |r| (r.copy.tail.handling == TailHandling::None) == (r.copy.tail.bytes == 0),
        otherwise: "a tail without a word about it, or a word about none",
    },
    Rule { of: |r| !r.action.writes(), holds: untouched, otherwise: "a drive that was only to be read was written" },
    Rule {
        of: any,
        holds: |r| read(r) + free(r) + unreadable(r) <= u128::from(r.copy.bytes),
        otherwise: "more read and passed over than the disk holds",
    },
    Rule { of: any, holds: |r| r.copy.bytes_written <= r.copy.bytes_read, otherwise: "more written than was read" },
    Rule {
        of: any,
        holds: |r| u128::from(r.copy.bytes_zeroed) <= free(r) + unreadable(r),
        otherwise: "zeros in the place of contents",
    },
    Rule {
        of: any,
        holds: |r| touched(r) <= u128::from(r.media.bytes),
        otherwise: "more written than the drive holds",
    },
    Rule {
        of: any,
        holds: |r| {
            let tail = &r.copy.tail;
            let erased = matches!(tail.handling, TailHandling::Zeroed | TailHandling::Wiped);
            tail.bytes_written <= tail.bytes && (erased || tail.bytes_written == 0)
        },
        otherwise: "more of the tail written than is said",
    },
    Rule {
        of: any,
        holds: |r| {
            let cut = &r.copy.cut;
            cut.bytes_used <= cut.bytes_read && cut.bytes_read <= cut.bytes.min(r.copy.bytes_read)
        },
        otherwise: "parts of the cut that are more than the cut",
    },
    Rule {
        of: any,
        holds: |r| {
            let gpt = &r.copy.gpt;
            (gpt.backup == GptBackup::Moved) == (gpt.bytes_written > 0) && gpt.bytes_written <= GPT_LARGEST
        },
        otherwise: "a moved backup of the partition table of a size that none has",
    },
    Rule {
        of: any,
        holds: |r| r.copy.gpt.backup != GptBackup::Moved || r.copy.tail.bytes > 0 || r.copy.cut.bytes > 0,
        otherwise: "a backup of the partition table that moved although the end did not",
    },
    Rule {
        of: any,
        holds: |r| r.image.as_ref().is_none_or(|image| image.bytes_checked <= image.disk_bytes),
        otherwise: "more of the image checked than it holds",
    },
    Rule { of: any, holds: partitions_fit, otherwise: "a partition beyond the disk" },
    Rule { of: any, holds: mapped, otherwise: "free space that no partition's map explains" },
    Rule { of: any, holds: lists, otherwise: "a list of blocks that does not fit its count or the drive" },
    Rule {
        of: any,
        holds: |r| read_back(&r.verification).is_some_and(|sum| sum <= blocks(r, compared(r))),
        otherwise: "more blocks read back than there are",
    },
    Rule {
        of: any,
        holds: |r| matches!(r.verification.extent.as_str(), "full" | "none"),
        otherwise: "the extent of the verification is neither full nor none",
    },
    Rule {
        of: |r| r.verification.extent == "none",
        holds: |r| read_back(&r.verification) == Some(0) && r.verification.started.is_empty(),
        otherwise: "results of a verification that was not asked for",
    },
];

fn whole_blocks(r: &CopyRecord) -> bool {
    let c = &r.copy;
    let counts = [
        c.bytes,
        c.bytes_read,
        c.bytes_free,
        c.bytes_written,
        c.bytes_zeroed,
        c.cut.bytes_read,
        c.cut.bytes_used,
        c.tail.bytes_written,
        c.gpt.bytes_written,
    ];
    let block = u64::from(r.media.logical_block.max(1));
    counts.iter().all(|bytes| bytes.is_multiple_of(block))
}

fn size(r: &CopyRecord) -> bool {
    let image = r.image.as_ref().is_none_or(|image| image.disk_bytes == r.copy.bytes);
    let source = r.source.as_ref().is_none_or(|source| source.bytes == r.copy.bytes);
    image && source && (r.action != Action::Image || r.media.bytes == r.copy.bytes)
}

fn untouched(r: &CopyRecord) -> bool {
    let tail = matches!(r.copy.tail.handling, TailHandling::None | TailHandling::Left);
    let gpt = r.copy.gpt.backup != GptBackup::Moved;
    touched(r) == 0 && tail && gpt && !r.copy.first_mib_last && r.exceptions.unwritable_blocks == 0
}

fn partitions_fit(r: &CopyRecord) -> bool {
    let disk = blocks(r, r.copy.bytes);
    r.copy.partitions.iter().all(|p| p.first_lba.checked_add(p.blocks).is_some_and(|end| end <= disk))
}

fn mapped(r: &CopyRecord) -> bool {
    let used = r.copy.partitions.iter().filter(|p| p.mode == Mode::UsedBlock);
    free(r) <= used.map(|p| bytes(r, p.blocks)).sum()
}

fn lists(r: &CopyRecord) -> bool {
    let (e, v) = (&r.exceptions, &r.verification);
    let (disk, drive) = (blocks(r, r.copy.bytes), blocks(r, r.media.bytes));
    [
        (&e.unreadable, e.unreadable_blocks, disk),
        (&e.unwritable, e.unwritable_blocks, drive),
        (&v.different, v.blocks_different, blocks(r, compared(r))),
        (&v.unreadable, v.blocks_unreadable, blocks(r, compared(r))),
    ]
    .into_iter()
    .all(|(list, count, of)| fits(list, count, of) && whole(list, count))
}

/// A list that is not full lists everything.
fn whole(list: &[BlockRange], count: u64) -> bool {
    list.len() == LISTED
        || (list.len() < LISTED && list.iter().map(|range| u128::from(range.blocks)).sum::<u128>() == count.into())
}

/// Size of what the verification looked at: an image has the size of its disk, which is the drive.
fn compared(r: &CopyRecord) -> u64 {
    r.media.bytes
}

/// Whole blocks of so many bytes.
fn blocks(r: &CopyRecord, bytes: u64) -> u64 {
    bytes / u64::from(r.media.logical_block.max(1))
}

/// Bytes of so many blocks.
pub(super) fn bytes(r: &CopyRecord, blocks: u64) -> u128 {
    u128::from(blocks) * u128::from(r.media.logical_block)
}

pub(super) fn read(r: &CopyRecord) -> u128 {
    r.copy.bytes_read.into()
}

pub(super) fn free(r: &CopyRecord) -> u128 {
    r.copy.bytes_free.into()
}

/// Bytes of the disk that could not be read.
pub(super) fn unreadable(r: &CopyRecord) -> u128 {
    bytes(r, r.exceptions.unreadable_blocks)
}

/// Bytes of the drive that could not be written.
pub(super) fn unwritable(r: &CopyRecord) -> u128 {
    bytes(r, r.exceptions.unwritable_blocks)
}

/// Bytes of the drive that the job wrote.
pub(super) fn touched(r: &CopyRecord) -> u128 {
    let c = &r.copy;
    [c.bytes_written, c.bytes_zeroed, c.tail.bytes_written, c.gpt.bytes_written].map(u128::from).iter().sum()
}
