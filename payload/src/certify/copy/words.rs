//! What a copy's certificate says in words. Everything follows from the record's numbers, so that no sentence can claim
//! what they do not carry.

use super::{Action, CopyRecord, GptBackup, Mode, Outcome, Signature, TailHandling};
use crate::{
    certify::{
        erasure::{grown, way},
        parts,
    },
    console::format::grouped,
};
use humantime::parse_rfc3339;

/// The reservation of a record whose times are not in order.
pub(crate) const CLOCK: &str =
    "The machine's clock was put back while the work ran: the times are not in the order of events.";

/// Puts every word that follows from the rest of the record into it.
pub(in crate::certify) fn put_into_words(record: &mut CopyRecord) {
    record.statement = statement(record);
    record.verification.description = description(record);
    record.limits = limits(record);
}

/// What the numbers of a record prove. Part of [`super::FORMAT`].
pub fn statement(record: &CopyRecord) -> String {
    match parts::about(&record.media, None) {
        Some(about) => format!("{about} {}", proved(record)),
        None => proved(record),
    }
}

fn proved(record: &CopyRecord) -> String {
    let name = record.image.as_ref().map_or("", |image| image.name.as_str());
    let equal = blocks(record.verification.blocks_matched);
    let cached = match record.verification.past_host_caches {
        true => "",
        false => ", from the medium or from a cache of the host,",
    };
    let copied = match record.action {
        Action::Restore => format!("The image {name} was written to the drive"),
        _ => "The source was copied to the drive".into(),
    };
    match record.outcome {
        Outcome::Imaged | Outcome::ImagedWithExceptions => {
            format!("{}{}", imaged(record, name), image_read_back(record))
        }
        Outcome::Restored | Outcome::Cloned => {
            format!(
                "{copied}, and all that was written, {equal}, was read back{cached} and is equal.{}",
                reservations(record)
            )
        }
        Outcome::RestoredWithExceptions | Outcome::ClonedWithExceptions => format!(
            "{copied} with exceptions: {}. The rest of what was written, {equal}, was read back{cached} and is equal.{}",
            troubles(record),
            reservations(record)
        ),
        Outcome::Verified => format!(
            "All that the image {name} holds, {equal}, was read from the drive{cached} and is equal.{}",
            not_compared(record)
        ),
        Outcome::Differs => {
            format!("The drive does NOT hold what the image {name} says: {}; {equal} equal.", troubles(record))
        }
        Outcome::Failed => failed(record.action).into(),
        Outcome::Interrupted => interrupted(record.action).into(),
    }
}

fn imaged(record: &CopyRecord, name: &str) -> String {
    let copy = &record.copy;
    let (read, all) = (grouped(copy.bytes_read), bytes(copy.bytes));
    let free = match copy.bytes_free {
        0 => String::new(),
        free => format!(" Not read: {} that the file systems' own maps call free.", bytes(free)),
    };
    match record.outcome {
        Outcome::ImagedWithExceptions => format!(
            "The drive was read into the image {name}, {read} of its {all}, with exceptions: {}; these are zeros in the image.{free}",
            troubles(record)
        ),
        _ if copy.mode == Mode::Raw => format!("The whole drive, {all}, was read into the image {name}."),
        _ => format!("The drive was read into the image {name}, {read} of its {all}.{free}"),
    }
}

fn image_read_back(record: &CopyRecord) -> &'static str {
    match record.verification.extent.as_str() {
        "full" => " The image was read back and is equal to what was read from the drive.",
        _ => " The image was not read back.",
    }
}

/// Bytes of the disk's place on the drive that the job left as they were.
pub(super) fn left(record: &CopyRecord) -> u64 {
    let copy = &record.copy;
    let block = u64::from(record.media.logical_block);
    let unwritable = record.exceptions.unwritable_blocks.saturating_mul(block);
    let moved = if copy.cut.bytes > 0 { copy.gpt.bytes_written } else { 0 };
    let dealt_with = [copy.cut.bytes, copy.bytes_written, copy.bytes_zeroed, moved, unwritable];
    dealt_with.iter().fold(copy.bytes, |rest, part| rest.saturating_sub(*part))
}

/// What a restored or cloned drive holds that was not copied.
fn reservations(record: &CopyRecord) -> String {
    let copy = &record.copy;
    let mut old = Vec::new();
    if left(record) > 0 {
        old.push(format!("{} of free space", bytes(left(record))));
    }
    if copy.tail.handling == TailHandling::Left {
        old.push(format!("the drive's last {}, beyond the copied disk", bytes(copy.tail.bytes)));
    }
    let mut out = String::new();
    if !old.is_empty() {
        out = format!(" Not written, and perhaps holding older data: {}.", old.join(" and "));
    }
    if copy.cut.bytes > 0 {
        out += &match copy.cut.bytes_used {
            0 => format!(" The disk's last {} have no room on the drive and held no data.", bytes(copy.cut.bytes)),
            used => format!(
                " The disk's last {} have no room on the drive; {} of them, in blocks that were not empty and belonged to no \
                 partition, were given up as the job said.",
                bytes(copy.cut.bytes),
                grouped(used)
            ),
        };
    }
    if copy.gpt.backup == GptBackup::Moved {
        out += " The partition table's backup was moved to the drive's end.";
    }
    out
}

/// What a verification passed over.
fn not_compared(record: &CopyRecord) -> String {
    let copy = &record.copy;
    let parts = [
        (record.exceptions.unreadable_blocks, blocks(record.exceptions.unreadable_blocks) + " that the image lacks"),
        (copy.bytes_free, bytes(copy.bytes_free) + " of free space"),
        (copy.tail.bytes, bytes(copy.tail.bytes) + " of the drive beyond the image"),
        (copy.cut.bytes, bytes(copy.cut.bytes) + " of the image, without data, for which the drive is too small"),
    ];
    let some: Vec<_> = parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, words)| words).collect();
    if some.is_empty() { String::new() } else { format!(" Not compared: {}.", some.join(", ")) }
}

/// Everything that is wrong with single blocks; blank where nothing is.
pub(super) fn troubles(record: &CopyRecord) -> String {
    let (e, v) = (&record.exceptions, &record.verification);
    let (lacking, afterwards) = match record.action {
        Action::Image => (" of the drive not readable", " of the image not readable afterwards"),
        Action::Restore => (" lacking in the image", " not readable afterwards"),
        Action::Clone => (" of the source not readable", " not readable afterwards"),
        Action::Verify => (" lacking in the image", " not readable"),
    };
    let parts = [
        (e.unreadable_blocks, lacking),
        (e.unwritable_blocks, " not writable"),
        (v.blocks_different, " different"),
        (v.blocks_unreadable, afterwards),
    ];
    let some = parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| blocks(*count) + what);
    let used = record.copy.cut.bytes_used;
    let given_up = (used > 0).then(|| bytes(used) + " behind the drive's end given up");
    some.chain(given_up).collect::<Vec<_>>().join(", ")
}

fn blocks(count: u64) -> String {
    format!("{} block{}", grouped(count), if count == 1 { "" } else { "s" })
}

fn bytes(count: u64) -> String {
    format!("{} bytes", grouped(count))
}

fn failed(action: Action) -> &'static str {
    match action {
        Action::Image => "The drive was NOT imaged as asked; whatever was stored is not proved to be its contents.",
        Action::Restore | Action::Clone => {
            "It is NOT proved that the drive holds the copy that was asked for; do not rely on its contents."
        }
        Action::Verify => "It was NOT found out whether the drive holds what the image says.",
    }
}

fn interrupted(action: Action) -> &'static str {
    match action {
        Action::Image => "The work was stopped before its end; the image is not complete.",
        Action::Restore | Action::Clone => "The work was stopped before its end; the drive does not hold a whole copy.",
        Action::Verify => {
            "The work was stopped before its end; whether the drive holds what the image says is not known."
        }
    }
}

/// What the verification was to do; it may not have come to that.
fn description(record: &CopyRecord) -> String {
    let way = way(&record.verification);
    match (record.verification.extent.as_str(), record.action) {
        ("none", _) => "nothing was read back".into(),
        (_, Action::Image) => {
            "the image was to be read back through the file system that stores it and compared with what was read from the drive".into()
        }
        (_, Action::Restore) => format!("every block written was to be read back{way} and compared with the image"),
        (_, Action::Clone) => format!("every block written was to be read back{way} and compared with the source"),
        (_, Action::Verify) => {
            format!("every block that the image holds was to be read from the drive{way} and compared")
        }
    }
}

/// What the certificate does not claim.
fn limits(record: &CopyRecord) -> Vec<String> {
    let mut limits: Vec<String> = grown(&record.media).into_iter().collect();
    limits.extend(parts::limits(&record.media, None));
    if record.action != Action::Image {
        limits.extend(parts::cached(&record.verification));
    }
    limits.extend(reserved(record).into_iter().map(String::from));
    limits
}

fn reserved(record: &CopyRecord) -> Vec<&'static str> {
    let mut limits = vec![match record.action {
        Action::Image => {
            "It says what the drive gave when it was read: nothing about areas the drive hides (HPA, DCO), about sectors it has remapped, or about who wrote the data."
        }
        Action::Restore => {
            "It says that the drive holds the image's bytes; whether they are what the image's owner meant, or start this machine, is not examined."
        }
        Action::Clone => {
            "It says that the drive holds the source's bytes; whether they are in order, or start this machine, is not examined."
        }
        Action::Verify => "It says what the drive gave when it was read; what the bytes mean is not examined.",
    }];
    if record.copy.bytes_free > 0 {
        limits.push(
            "Space that the file systems call free is not part of the copy: deleted files may be missing from it.",
        );
    }
    if record.image.as_ref().is_some_and(|image| image.signature == Signature::SelfAsserted) {
        limits.push("The key that signed the image is vouched for by nothing but what lies beside the image.");
    }
    if record.action.writes() {
        limits.push("What is read back comes through the drive; an answer from its own cache cannot be told from one from the medium.");
        limits.push("This is no certificate of erasure: what the drive held before may be left wherever it was not written, in hidden areas, in remapped sectors and in over-provisioned cells.");
    }
    if !record.copy.interruptions.is_empty() {
        limits.push(match record.action {
            Action::Image => {
                "The work was interrupted; a whole image holds only what was read from the drive after the last interruption."
            }
            _ => "The work was interrupted, and after the last interruption begun again with the first block.",
        });
    }
    limits.push("Times are those of the machine's clock. The operator's words are not checked by this program.");
    limits.push("Whether the result is accepted is the organisation's decision.");
    if !in_order(record) {
        limits.push(CLOCK);
    }
    limits
}

/// Whether the times could be those of a clock that nobody put back.
pub(crate) fn in_order(record: &CopyRecord) -> bool {
    let (copy, verification) = (&record.copy, &record.verification);
    let ordered = |times: &[&String]| {
        let times: Vec<_> = times.iter().filter_map(|time| parse_rfc3339(time).ok()).collect();
        times.is_sorted()
    };
    let pauses = copy.interruptions.iter().flat_map(|pause| [&pause.last_seen, &pause.resumed]);
    let work: Vec<_> = [&copy.started].into_iter().chain(pauses).chain([&copy.finished]).collect();
    ordered(&work) && ordered(&[&copy.started, &verification.started, &verification.finished, &copy.finished])
}
