//! Whether a record claims no more than its own numbers carry. Asked before anything is signed, and again by whoever
//! checks a certificate: a signature says who wrote it, this says whether it can be true.

pub(super) mod copy;
pub(super) mod erasure;

use super::{
    Certifiable, Common,
    record::{BlockRange, Verification},
};
use crate::journal::event::MAX_DRIVES;

/// What was found so far.
pub(super) struct Findings(Vec<String>);

impl Findings {
    pub(super) fn expect(&mut self, holds: bool, otherwise: &str) {
        if !holds {
            self.0.push(otherwise.to_owned());
        }
    }
}

/// The contradictions in a record; empty where there are none.
pub fn contradictions(record: &dyn Certifiable) -> Vec<String> {
    record.contradictions()
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The names that tie a certificate to a job, a log and a key.
fn identity(record: &Common<'_>, found: &mut Findings) {
    let log = record.log;
    found.expect(is_hex(&log.job, 32), "the job is not 32 hexadecimal digits");
    let slot = record.id.strip_prefix(log.job.as_str()).and_then(|rest| rest.strip_prefix('-'));
    let number = slot.and_then(|slot| slot.parse::<usize>().ok()).filter(|number| *number < MAX_DRIVES);
    found.expect(
        number.map(|n| n.to_string()).as_deref() == slot && slot.is_some(),
        "the id is not job and drive number",
    );
    found.expect(log.stick.strip_prefix("mule-").is_some_and(|id| is_hex(id, 16)), "the signer is no stick's id");
    found.expect(is_hex(&log.head, 64), "the head of the log is no BLAKE3");
    found.expect(record.tool.name == "mule", "it names another tool");
    found.expect(!record.statement.is_empty(), "nothing is stated");
    found.expect(!record.limits.is_empty(), "no limits are stated");
}

/// A time that can be read as one, or a blank.
fn is_time(text: &str) -> bool {
    text.is_empty() || humantime::parse_rfc3339(text).is_ok()
}

/// Blocks that the verification dealt with.
fn read_back(verification: &Verification) -> Option<u64> {
    let bad = verification.blocks_different.checked_add(verification.blocks_unreadable)?;
    verification.blocks_matched.checked_add(bad)
}

/// Whether a list in order is of at most `count` blocks of the drive, and empty only where there is nothing to list.
fn fits(list: &[BlockRange], count: u64, blocks: u64) -> bool {
    let mut free = 0;
    let mut sum = 0;
    let ordered = list.iter().all(|range| {
        let end = range.first_lba.checked_add(range.blocks).filter(|end| *end <= blocks);
        let apart = range.first_lba >= free && range.blocks > 0;
        free = end.unwrap_or(u64::MAX);
        sum += if end.is_some() { range.blocks } else { 0 };
        apart && end.is_some()
    });
    ordered && sum <= count && list.is_empty() == (count == 0) && count <= blocks
}
