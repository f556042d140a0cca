//! The rules for erasures.
//!
//! The order of times is not asked about: they are a machine's clock's, and it may be wrong or be put right at any moment.

mod command;

pub(in crate::certify) use command::category;

use super::{Findings, fits, identity, is_hex, is_time};
use crate::{
    certify::{
        Certifiable, erasure, parts,
        record::{FORMAT, Record, Verification},
    },
    plan::Content,
};
use mule_types::method::{self, Requires, Step};

/// The contradictions in a record; empty where there are none.
pub(in crate::certify) fn contradictions(record: &Record) -> Vec<String> {
    let mut found = Findings(Vec::new());
    found.expect(record.format == FORMAT, "the format is not the one this version knows");
    identity(&record.common(), &mut found);
    times(record, &mut found);
    passes(record, &mut found);
    counts(record, &mut found);
    hidden(record, &mut found);
    parts::check(&record.media, &mut found);
    kept(record, &mut found);
    words(record, &mut found);
    match record.outcome.as_str() {
        "erased" => erased(record, &mut found),
        "erased-with-exceptions" => exceptions(record, &mut found),
        "discarded" => {
            complete(record, &mut found);
            found.expect(command::is_alone(record), "a discard with passes");
            found.expect(!record.sanitisation.reason.is_empty(), "a discard that is not said to be no erasure");
            found.expect(record.verification.blocks_different == 0, "markers that were still there");
        }
        "failed" | "interrupted" => {
            found.expect(record.sanitisation.category.is_empty(), "an erasure category for something not erased");
            found.expect(!record.sanitisation.reason.is_empty(), "no reason why it was not erased");
        }
        _ => found.expect(false, "the outcome is none of the five words"),
    }
    found.0
}

/// Every word that follows from the rest is the one that follows: a signature does not make a sentence true.
fn words(record: &Record, found: &mut Findings) {
    let mut again = record.clone();
    erasure::put_into_words(&mut again);
    let (was, is) = (&record.sanitisation, &again.sanitisation);
    found.expect(record.statement == again.statement, "a statement that its numbers do not carry");
    found.expect(record.limits == again.limits, "limits that are not those of such an erasure");
    found.expect(was.category == is.category, "a category that is not the one that was proved");
    found.expect(was.technique == is.technique, "a technique that is not what was done");
    let reached = record.coverage.hidden_areas == again.coverage.hidden_areas;
    found.expect(reached, "words about hidden areas that its numbers do not carry");
    let described = record.verification.description == again.verification.description;
    found.expect(described, "a description of the verification that is not what was done");
    if let Some(method) = method::find(&was.method) {
        let named = was.title == method.title && was.source == method.source;
        found.expect(named, "a title or a source that is not the method's");
    }
    let planned = record.verification.blocks_planned.unwrap_or(u64::MAX);
    let possible = planned <= record.coverage.blocks_addressable
        && (planned == 0) == record.verification.started.is_empty()
        && super::read_back(&record.verification) <= Some(planned);
    found.expect(possible, "more read back than was to be read");
}

/// Every time can be read as one, or is blank.
fn times(record: &Record, found: &mut Findings) {
    let (sanitisation, verification) = (&record.sanitisation, &record.verification);
    let passes = sanitisation.passes.iter().flat_map(|pass| [&pass.started, &pass.finished]);
    let pauses = sanitisation.interruptions.iter().flat_map(|pause| [&pause.last_seen, &pause.resumed]);
    let rest = [&sanitisation.started, &sanitisation.finished, &verification.started, &verification.finished];
    let readable = passes.chain(pauses).chain(rest).all(|t| is_time(t));
    found.expect(readable, "a time that is none");
    found.expect(!sanitisation.finished.is_empty(), "no time at which it was over");
    let pairs = sanitisation.passes.iter().map(|pass| (&pass.started, &pass.finished));
    let begun =
        pairs.chain([(&verification.started, &verification.finished)]).all(|(s, f)| f.is_empty() || !s.is_empty());
    found.expect(begun, "something ended that never began");
}

/// The passes are those of the method, literally.
fn passes(record: &Record, found: &mut Findings) {
    let sanitisation = &record.sanitisation;
    let passes = &sanitisation.passes;
    let method = method::find(&sanitisation.method);
    command::check(record, method, found);
    let numbered = passes.iter().zip(1..).all(|(pass, number)| pass.number == number);
    found.expect(numbered, "the passes are not numbered one by one");
    let within = passes.iter().all(|pass| pass.bytes_written <= record.media.bytes);
    found.expect(within, "a pass that wrote more than the drive holds");
    let in_order = passes.windows(2).all(|two| !two[0].finished.is_empty() || two[1].started.is_empty());
    found.expect(in_order, "a pass began before the one before it ended");
    match method {
        None => found.expect(false, "a method this version does not know"),
        Some(method) => {
            let writes: Vec<_> = passes.iter().map(|pass| pass.writes.as_str()).collect();
            found.expect(follows(method.steps, &writes), "the passes are not those of the method it names");
            let erased = record.outcome.starts_with("erased");
            let verified = method.requires == Requires::JobDecides || record.verification.extent != "none";
            found.expect(!erased || verified, "a method that includes a verification, without one");
        }
    }
}

/// Whether what the passes wrote is an instance of a method's steps.
fn follows(steps: &[Step], writes: &[&str]) -> bool {
    let mut drawn = 0;
    let mut one = |(step, text): (&Step, &&str)| {
        let content = match step {
            Step::Byte(byte) => Content::Byte(*byte),
            Step::Triple(bytes) => Content::Triple(*bytes),
            Step::Random => Content::Random,
            Step::ComplementOfRandomByte => Content::Byte(!drawn),
            Step::RandomByte => match u8::from_str_radix(text, 16) {
                Ok(byte) => {
                    drawn = byte;
                    Content::Byte(byte)
                }
                Err(_) => return false,
            },
        };
        content.to_string() == **text
    };
    steps.len() == writes.len() && steps.iter().zip(writes).all(&mut one)
}

/// The counts fit the drive, and the lists fit the counts.
fn counts(record: &Record, found: &mut Findings) {
    let (media, coverage, verification) = (&record.media, &record.coverage, &record.verification);
    let blocks = coverage.blocks_addressable;
    let capacity = blocks.checked_mul(u64::from(media.logical_block));
    found.expect(capacity == Some(media.bytes), "the addressable blocks are not the drive's capacity");
    found.expect(coverage.blocks_overwritten <= blocks, "more blocks overwritten than there are");
    let never = record.sanitisation.interruptions.is_empty() || verification.extent == "full" && ended(verification);
    found.expect(coverage.unread_blocks <= if never { 0 } else { blocks }, "unread blocks that cannot be");
    let written = record.sanitisation.passes.last().map_or(0, |pass| pass.bytes_written);
    let overwritten = coverage.blocks_overwritten.checked_mul(u64::from(media.logical_block));
    found.expect(overwritten == Some(written), "the blocks overwritten are not what the last pass wrote");
    found.expect(
        super::read_back(&record.verification).is_some_and(|sum| sum <= blocks),
        "more blocks read back than there are",
    );
    for (list, count) in [
        (&coverage.unwritable, coverage.unwritable_blocks),
        (&verification.different, verification.blocks_different),
        (&verification.unreadable, verification.blocks_unreadable),
    ] {
        found.expect(fits(list, count, blocks), "a list of blocks that does not fit its count or the drive");
    }
    match verification.extent.as_str() {
        "full" | "sampled" => {}
        "none" => {
            let nothing = super::read_back(verification) == Some(0) && verification.started.is_empty();
            found.expect(nothing, "results of a verification that was not asked for");
        }
        _ => found.expect(false, "the extent of the verification is none of the three words"),
    }
    let read = !verification.past_host_caches || !verification.started.is_empty();
    found.expect(read, "a way of reading where nothing was read");
}

fn ended(verification: &Verification) -> bool {
    !verification.finished.is_empty()
}

/// The sizes fit the drive and each other.
fn hidden(record: &Record, found: &mut Findings) {
    let Some(hidden) = &record.coverage.hidden else { return };
    let shown = hidden.after.visible == record.media.bytes;
    found.expect(shown, "a drive that shows another size than was dealt with");
    found.expect(hidden.before.visible <= hidden.after.visible, "a drive that shows less than before");
    found.expect(hidden.bytes_not_reached == hidden.after.hidden(), "hidden bytes that do not fit the sizes");
    let lifted = hidden.before.visible < hidden.after.visible;
    found.expect(!lifted || hidden.removal_asked, "hidden areas lifted that nobody asked for");
}

/// An image that is kept is named by its file and its manifest, and was looked at.
fn kept(record: &Record, found: &mut Findings) {
    for image in &record.kept_images {
        let times = [&image.since, &image.until, &image.looked];
        found.expect(times.iter().all(|t| !t.is_empty() && is_time(t)), "a kept image without its times");
        let named = !image.image.is_empty() && !image.image.contains('/') && is_hex(&image.manifest_sha256, 64);
        found.expect(named, "a kept image that nothing names");
    }
}

/// Whether something of the drive may not have been reached, as far as it was asked.
fn out_of_reach(record: &Record) -> bool {
    let hidden = record.coverage.hidden.as_ref();
    hidden.is_some_and(|h| h.bytes_not_reached > 0 || (h.removal_asked && !h.unknown.is_empty()))
}

/// What both kinds of erasure must show.
fn complete(record: &Record, found: &mut Findings) {
    let (sanitisation, verification) = (&record.sanitisation, &record.verification);
    found.expect(record.coverage.blocks_addressable > 0, "an erasure of nothing");
    let anything = !sanitisation.passes.is_empty() || command::is_alone(record);
    found.expect(anything, "an erasure without a pass");
    let ended = sanitisation.passes.iter().all(|pass| !pass.started.is_empty() && !pass.finished.is_empty());
    found.expect(ended && !sanitisation.started.is_empty(), "an erasure with a pass that did not reach its end");
    // A job may go on without a drive: what counts is that the drive came back.
    let resumed = sanitisation.interruptions.last().is_none_or(|pause| !pause.resumed.is_empty());
    found.expect(resumed, "an erasure that did not go on after an interruption");
    let blocks = record.coverage.blocks_addressable;
    let enough = match verification.extent.as_str() {
        "full" => super::read_back(&record.verification) == Some(blocks),
        "sampled" => {
            let read = super::read_back(&record.verification);
            read == verification.blocks_planned && read >= Some(blocks.div_ceil(10))
        }
        _ => return,
    };
    found.expect(enough, "a verification that missed blocks it was to read");
    found.expect(!verification.finished.is_empty(), "an erasure with a verification that did not reach its end");
    found.expect(verification.blocks_matched > 0, "a verification that matched no block");
}

fn erased(record: &Record, found: &mut Findings) {
    let (coverage, verification) = (&record.coverage, &record.verification);
    complete(record, found);
    found.expect(record.sanitisation.reason.is_empty(), "a reservation in an erasure without exceptions");
    let all = coverage.blocks_overwritten == coverage.blocks_addressable || command::is_alone(record);
    found.expect(all, "blocks that were not overwritten");
    found.expect(!command::unseen(record), "a command whose completion was not observed");
    found.expect(coverage.unwritable_blocks == 0, "blocks that could not be written");
    found.expect(coverage.unread_blocks == 0, "blocks nobody read since the machine stopped");
    let full = record.sanitisation.passes.iter().all(|pass| pass.bytes_written == record.media.bytes);
    found.expect(full, "a pass that did not write every byte");
    found.expect(verification.blocks_different == 0, "blocks that differ");
    found.expect(verification.blocks_unreadable == 0, "blocks that cannot be read");
    found.expect(!out_of_reach(record), "areas the drive hides that were not reached");
}

fn exceptions(record: &Record, found: &mut Findings) {
    let (coverage, verification) = (&record.coverage, &record.verification);
    complete(record, found);
    let bad = coverage.unwritable_blocks > 0 || verification.blocks_unreadable > 0;
    let unread = coverage.unread_blocks > 0;
    found.expect(bad || unread || out_of_reach(record) || command::unseen(record), "exceptions without one");
    found.expect(!record.sanitisation.reason.is_empty(), "exceptions without a reason");
    let unwritable = coverage.unwritable_blocks.saturating_mul(u64::from(record.media.logical_block));
    let reached = |written: u64| written.checked_add(unwritable) >= Some(record.media.bytes);
    let all = record.sanitisation.passes.iter().all(|pass| reached(pass.bytes_written));
    found.expect(all, "blocks neither overwritten nor listed as unwritable");
    if command::is_alone(record) {
        return found.expect(verification.blocks_different == 0, "markers that were still there");
    }
    let last = coverage.blocks_addressable.saturating_sub(coverage.blocks_overwritten);
    found.expect(verification.blocks_different <= last, "blocks that differ although they were written");
}

#[cfg(test)]
mod tests;
