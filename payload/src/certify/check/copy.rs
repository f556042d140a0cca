//! The rules for images, restores, clones and verifications: a table, so that each can be tested by breaking it alone.
//!
//! Sums are taken in 128 bits, as the numbers of a certificate may be anybody's.

mod numbers;
mod results;
mod words;

use super::{Findings, identity};
use crate::certify::{
    Certifiable,
    copy::{CopyRecord, Outcome},
    parts,
};

/// What must hold, for which records, and what it means where it does not.
struct Rule {
    of: fn(&CopyRecord) -> bool,
    holds: fn(&CopyRecord) -> bool,
    otherwise: &'static str,
}

/// All tables of rules.
fn rules() -> impl Iterator<Item = &'static Rule> {
    words::RULES.iter().chain(numbers::RULES).chain(results::RULES)
}

/// The contradictions in a record; empty where there are none.
pub(in crate::certify) fn contradictions(record: &CopyRecord) -> Vec<String> {
    let mut found = Findings(Vec::new());
    identity(&record.common(), &mut found);
    parts::check(&record.media, &mut found);
    for rule in rules().filter(|rule| (rule.of)(record)) {
        found.expect((rule.holds)(record), rule.otherwise);
    }
    found.0
}

fn any(_: &CopyRecord) -> bool {
    true
}

/// Everything that was to be done was done, if not everywhere.
fn complete(r: &CopyRecord) -> bool {
    !matches!(r.outcome, Outcome::Failed | Outcome::Interrupted | Outcome::Differs)
}

/// The image was good enough to say something about the drive.
fn conclusive(r: &CopyRecord) -> bool {
    complete(r) || differs(r)
}

fn differs(r: &CopyRecord) -> bool {
    r.outcome == Outcome::Differs
}

fn clean(r: &CopyRecord) -> bool {
    matches!(r.outcome, Outcome::Imaged | Outcome::Restored | Outcome::Cloned)
}

fn excepted(r: &CopyRecord) -> bool {
    use Outcome::{ClonedWithExceptions, ImagedWithExceptions, RestoredWithExceptions};
    matches!(r.outcome, ImagedWithExceptions | RestoredWithExceptions | ClonedWithExceptions)
}

fn imaged(r: &CopyRecord) -> bool {
    matches!(r.outcome, Outcome::Imaged | Outcome::ImagedWithExceptions)
}

/// A drive was written to its end.
fn written(r: &CopyRecord) -> bool {
    complete(r) && r.action.writes()
}

fn written_clean(r: &CopyRecord) -> bool {
    clean(r) && r.action.writes()
}

fn written_excepted(r: &CopyRecord) -> bool {
    excepted(r) && r.action.writes()
}

fn verified(r: &CopyRecord) -> bool {
    r.outcome == Outcome::Verified
}

#[cfg(test)]
mod tests;
