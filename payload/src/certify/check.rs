//! Whether a record claims no more than its own numbers carry. Asked before anything is signed, and again by whoever
//! checks a certificate: a signature says who wrote it, this says whether it can be true.

use super::record::{FORMAT, Record};

/// The contradictions in a record; empty where there are none.
pub fn contradictions(record: &Record) -> Vec<String> {
    let mut found = Vec::new();
    let mut expect = |holds: bool, text: &str| {
        if !holds {
            found.push(text.to_owned());
        }
    };
    expect(record.format == FORMAT, "the format is not the one this version knows");
    let blocks = (record.media.bytes).checked_div(u64::from(record.media.logical_block));
    expect(blocks == Some(record.coverage.blocks_addressable), "the addressable blocks are not the drive's capacity");
    match record.outcome.as_str() {
        "erased" => erased(record, &mut expect),
        "erased-with-exceptions" => exceptions(record, &mut expect),
        "failed" | "interrupted" => {
            expect(record.sanitisation.category.is_empty(), "an erasure category for something not erased");
            expect(!record.sanitisation.reason.is_empty(), "no reason why it was not erased");
        }
        _ => expect(false, "the outcome is none of the four words"),
    }
    found
}

/// What both kinds of erasure must show.
fn complete(record: &Record, expect: &mut impl FnMut(bool, &str)) {
    let passes = &record.sanitisation.passes;
    expect(!passes.is_empty(), "an erasure without a pass");
    let ended = passes.iter().all(|pass| !pass.started.is_empty() && !pass.finished.is_empty());
    expect(ended, "an erasure with a pass that did not reach its end");
    let numbered = passes.iter().zip(1..).all(|(pass, number)| pass.number == number);
    expect(numbered, "the passes are not numbered one by one");
    expect(record.sanitisation.category == "Clear", "an overwrite is Clear and nothing else");
    let verification = &record.verification;
    match verification.extent.as_str() {
        "none" => expect(verification.blocks_matched == 0, "blocks matched in a verification that was not asked for"),
        "full" | "sampled" => {
            expect(!verification.finished.is_empty(), "an erasure with a verification that did not reach its end");
            expect(verification.blocks_matched > 0, "a verification that matched no block");
        }
        _ => expect(false, "the extent of the verification is none of the three words"),
    }
}

fn erased(record: &Record, expect: &mut impl FnMut(bool, &str)) {
    let (coverage, verification) = (&record.coverage, &record.verification);
    complete(record, expect);
    expect(coverage.blocks_overwritten == coverage.blocks_addressable, "blocks that were not overwritten");
    expect(coverage.unwritable_blocks == 0 && coverage.unwritable.is_empty(), "blocks that could not be written");
    let full = record.sanitisation.passes.iter().all(|pass| pass.bytes_written == record.media.bytes);
    expect(full, "a pass that did not write every byte");
    expect(verification.blocks_different == 0 && verification.different.is_empty(), "blocks that differ");
    expect(verification.blocks_unreadable == 0 && verification.unreadable.is_empty(), "blocks that cannot be read");
    if verification.extent == "full" {
        expect(verification.blocks_matched == coverage.blocks_addressable, "a full verification that missed blocks");
    }
    if verification.extent == "sampled" {
        let tenth = coverage.blocks_addressable.div_ceil(10);
        expect(verification.blocks_matched >= tenth, "a sampled verification of less than a tenth");
    }
}

fn exceptions(record: &Record, expect: &mut impl FnMut(bool, &str)) {
    let (coverage, verification) = (&record.coverage, &record.verification);
    complete(record, expect);
    let any = coverage.unwritable_blocks + verification.blocks_unreadable + verification.blocks_different;
    expect(any > 0, "exceptions without one");
    expect(!record.sanitisation.reason.is_empty(), "exceptions without a reason");
    let addressed = coverage.blocks_overwritten.checked_add(coverage.unwritable_blocks);
    expect(addressed >= Some(coverage.blocks_addressable), "blocks neither overwritten nor listed as unwritable");
    expect(
        verification.blocks_different <= coverage.unwritable_blocks,
        "blocks that differ although they were written",
    );
    if verification.extent == "full" {
        let seen = verification.blocks_matched + verification.blocks_different + verification.blocks_unreadable;
        expect(seen == coverage.blocks_addressable, "a full verification that missed blocks");
    }
}

#[cfg(test)]
mod tests;
