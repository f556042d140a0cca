//! Rules about what must have been reached for a result to be claimed.

use super::{
    Rule, clean, complete, conclusive, differs, excepted, imaged,
    numbers::{bytes, free, read, touched, unreadable, unwritable},
    verified, written, written_clean, written_excepted,
};
use crate::certify::{
    check::read_back,
    copy::{Action, CopyRecord, TailHandling},
};

/// The rules.
pub(super) const RULES: &[Rule] = &[
    Rule { of: complete, holds: |r| r.copy.bytes_read > 0, otherwise: "a copy of nothing" },
    Rule {
        of: complete,
        holds: |r| read(r) + free(r) + unreadable(r) >= u128::from(r.copy.bytes),
        otherwise: "parts of the disk that were neither read nor known to be free",
    },
    Rule {
        of: |r| conclusive(r) && r.action != Action::Image,
        holds: |r| r.image.as_ref().is_none_or(|image| image.bytes_checked >= r.copy.bytes_read),
        otherwise: "parts of the image that were not checked against its hashes",
    },
    Rule {
        of: conclusive,
        holds: |r| r.image.as_ref().is_none_or(|image| image.file_bytes > 0),
        otherwise: "an image of no size",
    },
    Rule {
        of: conclusive,
        holds: |r| r.source.as_ref().is_none_or(|source| source.logical_block == r.media.logical_block),
        otherwise: "blocks of another size than the source's",
    },
    Rule { of: |r| r.action == Action::Clone, holds: two_drives, otherwise: "a drive cloned onto itself" },
    Rule {
        of: |r| (clean(r) || verified(r)) && r.action != Action::Image,
        holds: |r| r.copy.cut.bytes_used == 0,
        otherwise: "contents for which the drive has no room",
    },
    Rule { of: written, holds: |r| r.copy.first_mib_last, otherwise: "the first MiB was not written last" },
    Rule { of: written, holds: contents_written, otherwise: "contents that were not written" },
    Rule { of: written, holds: unreadable_zeroed, otherwise: "unreadable parts that hold older data" },
    Rule { of: written, holds: tail_written, otherwise: "a tail that was not written to its end" },
    Rule {
        of: |r| written(r) || verified(r) || differs(r),
        holds: full,
        otherwise: "a result that nothing was read back for",
    },
    Rule {
        of: |r| conclusive(r) && full(r),
        holds: |r| !r.verification.finished.is_empty(),
        otherwise: "a verification that did not reach its end",
    },
    Rule {
        of: |r| written_clean(r) && full(r),
        holds: |r| matched(r) == touched(r),
        otherwise: "the blocks that were equal are not those that were written",
    },
    Rule {
        of: |r| written_excepted(r) && full(r),
        holds: all_read_back,
        otherwise: "a verification that missed blocks it was to read",
    },
    Rule {
        of: written_excepted,
        holds: |r| r.verification.blocks_different <= r.exceptions.unwritable_blocks,
        otherwise: "blocks that differ although they were written",
    },
    Rule {
        of: |r| written_excepted(r) && full(r),
        holds: |r| r.verification.blocks_matched > 0,
        otherwise: "a verification that matched no block",
    },
    Rule {
        of: |r| verified(r) && full(r),
        holds: |r| matched(r) + u128::from(r.copy.cut.bytes_read) == read(r),
        otherwise: "the blocks that were equal are not those of the image",
    },
    Rule {
        of: |r| imaged(r) && full(r),
        holds: |r| matched(r) >= read(r),
        otherwise: "an image that was not read back as a whole",
    },
    Rule {
        of: |r| clean(r) || verified(r) || imaged(r),
        holds: |r| r.verification.blocks_different == 0,
        otherwise: "blocks that differ",
    },
    Rule {
        of: |r| clean(r) || verified(r) || imaged(r),
        holds: |r| r.verification.blocks_unreadable == 0,
        otherwise: "blocks that could not be read back",
    },
    Rule { of: clean, holds: |r| r.exceptions.unreadable_blocks == 0, otherwise: "blocks that could not be read" },
    Rule {
        of: written_clean,
        holds: |r| r.exceptions.unwritable_blocks == 0,
        otherwise: "blocks that could not be written",
    },
    Rule { of: excepted, holds: has_exception, otherwise: "exceptions without one" },
    Rule {
        of: |r| differs(r) && full(r),
        holds: |r| r.verification.blocks_different > 0,
        otherwise: "a difference that no block shows",
    },
];

fn full(r: &CopyRecord) -> bool {
    r.verification.extent == "full"
}

fn matched(r: &CopyRecord) -> u128 {
    bytes(r, r.verification.blocks_matched)
}

/// As far as names tell: files have none, and two namespaces or units of one drive differ in their WWN alone.
fn two_drives(r: &CopyRecord) -> bool {
    let both = |a: &str, b: &str| !a.is_empty() && !b.is_empty();
    r.source.as_ref().is_none_or(|source| {
        let drive = &r.media;
        let wwns = both(&source.wwn, &drive.wwn).then(|| source.wwn == drive.wwn);
        let serials =
            both(&source.serial, &drive.serial).then(|| source.serial == drive.serial && source.model == drive.model);
        match (serials, wwns) {
            (Some(same), Some(agreed)) => !(same && agreed),
            (Some(same), None) | (None, Some(same)) => !same,
            (None, None) => true,
        }
    })
}

/// Everything read is on the drive but for what has no room there, could not be written, or gave way to the moved backup
/// of the partition table.
fn contents_written(r: &CopyRecord) -> bool {
    let c = &r.copy;
    let moved = if c.cut.bytes > 0 { c.gpt.bytes_written } else { 0 };
    let elsewhere = u128::from(c.cut.bytes_read) + u128::from(moved) + unwritable(r);
    u128::from(c.bytes_written) + elsewhere >= read(r)
}

fn unreadable_zeroed(r: &CopyRecord) -> bool {
    u128::from(r.copy.bytes_zeroed) + u128::from(r.copy.cut.bytes) + unwritable(r) >= unreadable(r)
}

fn tail_written(r: &CopyRecord) -> bool {
    let tail = &r.copy.tail;
    match tail.handling {
        TailHandling::None | TailHandling::Left => true,
        TailHandling::Zeroed | TailHandling::Wiped => {
            let written = u128::from(tail.bytes_written) + u128::from(r.copy.gpt.bytes_written);
            written + unwritable(r) >= u128::from(tail.bytes)
        }
    }
}

fn all_read_back(r: &CopyRecord) -> bool {
    let seen = read_back(&r.verification).map_or(0, |blocks| bytes(r, blocks));
    seen >= touched(r) && seen <= touched(r) + unwritable(r)
}

fn has_exception(r: &CopyRecord) -> bool {
    r.exceptions.unreadable_blocks > 0
        || r.exceptions.unwritable_blocks > 0
        || r.verification.blocks_unreadable > 0
        || r.copy.cut.bytes_used > 0
}
