use super::{contradictions, rules};
use crate::certify::{
    copy::{
        Base, CLOCK, CopyRecord, End, GptBackup, Image, LISTED, Mode, Origin, Outcome, Signature, TailHandling,
        put_into_words, statement,
    },
    fixture::{BLOCKS, copy::*},
    record::Interruption,
};
use std::collections::BTreeSet;

type Make = fn() -> CopyRecord;
type Change = fn(&mut CopyRecord);

const BYTES: u64 = BLOCKS * 512;

fn image(r: &mut CopyRecord) -> &mut Image {
    r.image.as_mut().unwrap()
}

fn source(r: &mut CopyRecord) -> &mut Origin {
    r.source.as_mut().unwrap()
}

/// Whether what a change makes wrong is not that alone. The words follow the numbers unless it is the
/// words that were changed.
fn only(make: Make, change: Change, expected: &str) -> Option<String> {
    let mut record = make();
    assert_eq!(contradictions(&record), Vec::<String>::new(), "before: {record:#?}");
    change(&mut record);
    let words = |r: &CopyRecord| (r.statement.clone(), r.limits.clone(), r.verification.description.clone());
    if words(&record) == words(&make()) {
        put_into_words(&mut record);
    }
    let found = contradictions(&record);
    (found != [expected]).then(|| format!("{found:?} instead of {expected:?}"))
}

fn cut(r: &mut CopyRecord) {
    // The target is 2 MiB smaller; its last blocks hold the moved backup of the partition table.
    r.media.bytes -= 4096 * 512;
    (r.copy.tail.handling, r.copy.tail.bytes) = (TailHandling::None, 0);
    (r.copy.cut.bytes, r.copy.cut.bytes_read) = (4096 * 512, 4096 * 512);
    r.copy.bytes_written = r.copy.bytes_read - (4096 + 33) * 512;
    (r.copy.gpt.backup, r.copy.gpt.bytes_written) = (GptBackup::Moved, 33 * 512);
    r.verification.blocks_matched -= 4096;
}

/// On a smaller drive, with a moved backup of the partition table.
fn cloned_smaller() -> CopyRecord {
    let mut r = cloned();
    cut(&mut r);
    r.conclude(End::Complete)
}

/// On a bigger drive whose tail was zeroed and got the partition table's backup.
fn restored_zeroed() -> CopyRecord {
    let mut r = restored();
    (r.copy.tail.handling, r.copy.tail.bytes_written) = (TailHandling::Zeroed, TAIL - 33 * 512);
    (r.copy.gpt.backup, r.copy.gpt.bytes_written) = (GptBackup::Moved, 33 * 512);
    r.copy.bytes_zeroed = FREE * 512;
    r.verification.blocks_matched += FREE + TAIL / 512;
    r.conclude(End::Complete)
}

/// The source had unreadable blocks, the target none that refused.
fn cloned_with_exceptions() -> CopyRecord {
    let mut r = cloned();
    (r.exceptions.unreadable, r.exceptions.unreadable_blocks) = (vec![range(77, 3)], 3);
    r.exceptions.files_note = "no names were looked for".into();
    r.copy.bytes_read -= 3 * 512;
    r.copy.bytes_written -= 3 * 512;
    r.copy.bytes_zeroed = 3 * 512;
    r.conclude(End::Complete)
}

/// The image lacks blocks; what it holds is on the drive.
fn verified_with_gaps() -> CopyRecord {
    let mut r = verified();
    (r.exceptions.unreadable, r.exceptions.unreadable_blocks) = (vec![range(77, 3)], 3);
    r.exceptions.files_note = "as the image says".into();
    r.copy.bytes_read -= 3 * 512;
    r.verification.blocks_matched -= 3;
    r.conclude(End::Complete)
}

fn resumed() -> CopyRecord {
    let mut r = restored();
    let (last_seen, resumed) = ("2026-03-01T10:00:00Z".into(), "2026-03-01T11:00:00Z".into());
    r.copy.interruptions.push(Interruption { last_seen, resumed, detail: "went on at byte 1048576".into() });
    r.conclude(End::Complete)
}

fn clock_put_back() -> CopyRecord {
    let mut r = resumed();
    r.copy.interruptions[0].resumed = "2006-01-01T00:00:00Z".into();
    r.conclude(End::Complete)
}

#[test]
fn what_can_be_true_is_not_objected_to() {
    let more = [cloned_smaller(), restored_zeroed(), cloned_with_exceptions(), verified_with_gaps(), resumed()];
    for record in all().into_iter().chain(more) {
        assert_eq!(contradictions(&record), Vec::<String>::new(), "{record:#?}");
    }
    let words: Vec<_> =
        [cloned_smaller, restored_zeroed, cloned_with_exceptions, verified_with_gaps].map(|make| make().outcome).into();
    use Outcome::{Cloned, ClonedWithExceptions, Restored, Verified};
    assert_eq!(words, [Cloned, Restored, ClonedWithExceptions, Verified]);
}

/// What the rules of identity, shared with erasures, say.
const IDENTITY: &[(Make, Change, &str)] = &[
    (imaged, |r| r.log.job = "x".repeat(32), "the job is not 32 hexadecimal digits"),
    (cloned, |r| r.id = r.id.replace("-3", "-64"), "the id is not job and drive number"),
    (cloned, |r| r.log.stick = "someone".into(), "the signer is no stick's id"),
    (verified, |r| r.log.head.truncate(63), "the head of the log is no BLAKE3"),
    (differs, |r| r.tool.name = "dd".into(), "it names another tool"),
    (failed, |r| r.limits.clear(), "no limits are stated"),
];

#[test]
fn the_rules_of_identity_hold_for_copies() {
    for (make, change, expected) in IDENTITY {
        let mut record = make();
        change(&mut record);
        assert!(contradictions(&record).iter().any(|found| found == expected), "{expected}");
    }
}

const WORDS: &[(Make, Change, &str)] = &[
    (imaged, |r| r.format = "mule-certificate/1".into(), "the format is not the one this version knows"),
    (cloned, |r| r.outcome = Outcome::Restored, "an outcome that this action cannot have"),
    (failed, |r| r.statement = statement(&restored()), "the statement is not the one that the numbers carry"),
    (restored, |r| r.statement.push_str(" It is perfect."), "the statement is not the one that the numbers carry"),
    (cloned, |r| r.source = None, "the source is missing, or named where the drive is the source"),
    (imaged, |r| r.source = restored().source, "the source is missing, or named where the drive is the source"),
    (cloned, |r| r.image = imaged().image, "the image is missing, or named where there is none"),
    (interrupted, |r| r.image = None, "the image is missing, or named where there is none"),
    (imaged, |r| image(r).name.clear(), "an image without a name"),
    (imaged, |r| r.copy.sha512 = "00".into(), "a hash that is none"),
    (cloned, |r| r.copy.sha256 = "Z".repeat(64), "a hash that is none"),
    (failed, |r| image(r).blake3.push('0'), "a hash that is none"),
    (failed, |r| image(r).manifest_sha256.push('0'), "a hash that is none"),
    (imaged, |r| image(r).base.as_mut().unwrap().name.clear(), "a base that cannot be the image's"),
    (imaged, |r| image(r).base.as_mut().unwrap().manifest_sha256.clear(), "a base that cannot be the image's"),
    (
        restored,
        |r| {
            let manifest_sha256 = image(r).manifest_sha256.clone();
            image(r).base = Some(Base { name: "itself".into(), manifest_sha256 });
        },
        "a base that cannot be the image's",
    ),
    (restored, |r| image(r).signer = "root".into(), "the image's signer does not fit how its signature was checked"),
    (
        verified,
        |r| image(r).signer = "mule-0123456789abcdef".into(),
        "the image's signer does not fit how its signature was checked",
    ),
    (
        verified,
        |r| image(r).signature = Signature::SelfAsserted,
        "the image's signer does not fit how its signature was checked",
    ),
    (
        failed,
        |r| image(r).signature = Signature::NotChecked,
        "the image's signer does not fit how its signature was checked",
    ),
    (imaged, |r| image(r).blake3.clear(), "a result about an image that its hashes do not name"),
    (restored, |r| image(r).manifest_sha256.clear(), "a result about an image that its hashes do not name"),
    (
        restored,
        |r| (image(r).signature, image(r).signer) = (Signature::NotChecked, String::new()),
        "a result about an image whose signature was not checked",
    ),
    (
        differs,
        |r| (image(r).signature, image(r).signer) = (Signature::NotChecked, String::new()),
        "a result about an image whose signature was not checked",
    ),
    (imaged, |r| image(r).signature = Signature::Trusted, "an image made here that another key signed"),
    (imaged, |r| r.copy.started = "yesterday".into(), "a time that is none"),
    (resumed, |r| r.copy.interruptions[0].last_seen = "?".into(), "a time that is none"),
    (verified, |r| r.verification.finished = "2026-13-01T00:00:00Z".into(), "a time that is none"),
    (failed, |r| r.copy.finished.clear(), "no time at which it was over"),
    (
        restored,
        |r| (r.verification.past_host_caches, r.verification.started) = (false, String::new()),
        "a verification that ended and never began",
    ),
    (clock_put_back, |r| r.limits.retain(|limit| limit != CLOCK), "the limits are not those of such a copy"),
    (cloned, |r| r.limits = vec!["None.".into()], "the limits are not those of such a copy"),
    (imaged, |r| drop(r.limits.pop()), "the limits are not those of such a copy"),
    (
        restored,
        |r| r.verification.description = "read back twice".into(),
        "a description of the verification that is not what was done",
    ),
    (imaged, |r| r.verification.past_host_caches = true, "a way of reading the drive where it was not read back"),
    (imaged, |r| r.copy.started.clear(), "a result of work that never began"),
    (resumed, |r| r.copy.interruptions[0].resumed.clear(), "a result of work that did not go on after an interruption"),
    (imaged, |r| r.copy.reason = "but".into(), "a reservation in a result without exceptions"),
    (verified, |r| r.copy.reason = "but".into(), "a reservation in a result without exceptions"),
    (imaged_with_exceptions, |r| r.copy.reason.clear(), "no reason for the reservation"),
    (verified_with_gaps, |r| r.copy.reason.clear(), "no reason for the reservation"),
    (differs, |r| r.copy.reason.clear(), "no reason for the reservation"),
    (interrupted, |r| r.copy.reason.clear(), "no reason for the reservation"),
    (imaged, |r| r.copy.mode = Mode::Raw, "the mode is not that of the partitions"),
    (cloned, |r| r.copy.mode = Mode::UsedBlock, "the mode is not that of the partitions"),
    (imaged, |r| r.copy.partitions[0].reason.clear(), "a partition without a reason for how it was copied"),
    (
        imaged_with_exceptions,
        |r| r.exceptions.files_hit = 1,
        "file names that do not fit their count, or files of blocks that were read",
    ),
    (
        imaged_with_exceptions,
        |r| (r.exceptions.files, r.exceptions.files_hit) = (vec!["x".into(); LISTED + 1], LISTED as u64 + 1),
        "file names that do not fit their count, or files of blocks that were read",
    ),
    (
        failed,
        |r| (r.exceptions.files, r.exceptions.files_hit) = (vec!["x".into()], 1),
        "file names that do not fit their count, or files of blocks that were read",
    ),
    (
        cloned_with_exceptions,
        |r| r.exceptions.files_note.clear(),
        "no word about the files that unreadable blocks belong to, or one where there are none",
    ),
    (
        cloned,
        |r| r.exceptions.files_note = "No file is harmed.".into(),
        "no word about the files that unreadable blocks belong to, or one where there are none",
    ),
];

const NUMBERS: &[(Make, Change, &str)] = &[
    (
        failed,
        |r| {
            r.media.bytes += 1;
            r.copy.tail.bytes += 1;
        },
        "the capacity is no whole number of blocks",
    ),
    (failed, |r| r.copy.bytes_written += 1, "a count of bytes that is no whole number of blocks"),
    (failed, |r| r.copy.bytes_zeroed += 1, "a count of bytes that is no whole number of blocks"),
    (interrupted, |r| r.copy.bytes_read += 1, "a count of bytes that is no whole number of blocks"),
    (restored, |r| image(r).disk_bytes += 512, "the disk's size is not that of its source or image"),
    (restored, |r| source(r).bytes -= 512, "the disk's size is not that of its source or image"),
    (
        imaged,
        |r| {
            r.media.bytes += 512;
            (r.copy.tail.bytes, r.copy.tail.handling) = (512, TailHandling::Left);
        },
        "the disk's size is not that of its source or image",
    ),
    (restored, |r| r.copy.tail.bytes -= 512, "tail or cut is not the difference of the sizes"),
    (cloned_smaller, |r| r.copy.cut.bytes += 512, "tail or cut is not the difference of the sizes"),
    (restored, |r| r.copy.tail.handling = TailHandling::None, "a tail without a word about it, or a word about none"),
    (cloned, |r| r.copy.tail.handling = TailHandling::Left, "a tail without a word about it, or a word about none"),
    (imaged, |r| r.copy.bytes_written = 512, "a drive that was only to be read was written"),
    (imaged, |r| r.copy.bytes_zeroed = 512, "a drive that was only to be read was written"),
    (verified, |r| r.copy.first_mib_last = true, "a drive that was only to be read was written"),
    (
        interrupted,
        |r| (r.exceptions.unwritable, r.exceptions.unwritable_blocks) = (vec![range(1, 1)], 1),
        "a drive that was only to be read was written",
    ),
    (interrupted, |r| r.copy.bytes_read = BYTES, "more read and passed over than the disk holds"),
    (failed, |r| r.copy.bytes_written = r.copy.bytes_read + 512, "more written than was read"),
    (failed, |r| r.copy.bytes_zeroed = FREE * 512 + 512, "zeros in the place of contents"),
    (failed_smaller, |r| r.copy.bytes_written = BYTES, "more written than the drive holds"),
    (failed, |r| r.copy.tail.bytes_written = 512, "more of the tail written than is said"),
    (
        failed,
        |r| (r.copy.tail.handling, r.copy.tail.bytes_written) = (TailHandling::Wiped, TAIL + 512),
        "more of the tail written than is said",
    ),
    (failed_smaller, |r| r.copy.cut.bytes_used = r.copy.cut.bytes_read + 512, CUT),
    (failed_smaller, |r| r.copy.cut.bytes_read += 512, CUT),
    (failed, |r| r.copy.gpt.backup = GptBackup::Moved, GPT),
    (failed, |r| r.copy.gpt.bytes_written = 512, GPT),
    (failed, |r| (r.copy.gpt.backup, r.copy.gpt.bytes_written) = (GptBackup::Moved, 2 << 20), GPT),
    (
        cloned,
        |r| {
            (r.outcome, r.copy.reason, r.copy.bytes_written) = (Outcome::Failed, "the cable".into(), 0);
            (r.copy.gpt.backup, r.copy.gpt.bytes_written) = (GptBackup::Moved, 512);
        },
        "a backup of the partition table that moved although the end did not",
    ),
    (imaged, |r| image(r).bytes_checked = BYTES + 512, "more of the image checked than it holds"),
    (imaged, |r| r.copy.partitions[1].blocks = u64::MAX, "a partition beyond the disk"),
    (imaged, |r| r.copy.partitions[0].first_lba = BLOCKS, "a partition beyond the disk"),
    (imaged, |r| r.copy.partitions[1].blocks = FREE - 1, "free space that no partition's map explains"),
    (imaged_with_exceptions, |r| r.exceptions.unreadable.reverse(), LIST),
    (imaged_with_exceptions, |r| r.exceptions.unreadable.truncate(1), LIST),
    (imaged_with_exceptions, |r| r.exceptions.unreadable.clear(), LIST),
    (cloned_with_exceptions, |r| r.exceptions.unreadable = vec![range(BLOCKS - 1, 3)], LIST),
    (restored_with_exceptions, |r| r.exceptions.unwritable[0].blocks = 9, LIST),
    (restored_with_exceptions, |r| r.verification.unreadable[0].first_lba = u64::MAX, LIST),
    (differs, |r| r.verification.different = vec![range(1, 1); LISTED + 1], LIST),
    (differs, |r| r.verification.different = vec![range(1, 0)], LIST),
    (imaged, |r| r.verification.blocks_matched = BLOCKS + 1, "more blocks read back than there are"),
    (imaged, |r| r.verification.blocks_matched = u64::MAX, "more blocks read back than there are"),
    (imaged, |r| r.verification.extent = "sampled".into(), "the extent of the verification is neither full nor none"),
    (imaged_raw, |r| r.verification.blocks_matched = 1, "results of a verification that was not asked for"),
    (
        imaged_raw,
        |r| r.verification.started = "2026-03-01T12:00:00Z".into(),
        "results of a verification that was not asked for",
    ),
];

const CUT: &str = "parts of the cut that are more than the cut";
const GPT: &str = "a moved backup of the partition table of a size that none has";
const LIST: &str = "a list of blocks that does not fit its count or the drive";

fn failed_smaller() -> CopyRecord {
    cloned_smaller().conclude(End::Failed("the cable".into()))
}

/// Nothing was read back, and nothing is said to have been.
fn unread(r: &mut CopyRecord) {
    let v = &mut r.verification;
    v.extent = "none".into();
    (v.blocks_matched, v.blocks_different, v.blocks_unreadable) = (0, 0, 0);
    (v.different, v.unreadable) = (Vec::new(), Vec::new());
    (v.started, v.finished) = (String::new(), String::new());
}

const MISSED: &str = "a verification that missed blocks it was to read";
const UNPROVED: &str = "a result that nothing was read back for";

const RESULTS: &[(Make, Change, &str)] = &[
    (
        imaged_with_exceptions,
        |r| {
            (r.copy.mode, r.copy.partitions, r.copy.bytes_free, r.copy.bytes_read) = (Mode::Raw, Vec::new(), 0, 0);
            (r.exceptions.unreadable, r.exceptions.unreadable_blocks) = (vec![range(0, BLOCKS)], BLOCKS);
        },
        "a copy of nothing",
    ),
    (imaged, |r| r.copy.bytes_read -= 512, "parts of the disk that were neither read nor known to be free"),
    (imaged, |r| r.copy.bytes_free -= 512, "parts of the disk that were neither read nor known to be free"),
    (
        restored,
        |r| image(r).bytes_checked = r.copy.bytes_read - 512,
        "parts of the image that were not checked against its hashes",
    ),
    (differs, |r| image(r).bytes_checked = 0, "parts of the image that were not checked against its hashes"),
    (imaged, |r| image(r).file_bytes = 0, "an image of no size"),
    (cloned, |r| source(r).logical_block = 4096, "blocks of another size than the source's"),
    (
        failed_smaller,
        |r| {
            let origin = r.source.as_mut().unwrap();
            (origin.model, origin.serial) = (r.media.model.clone(), r.media.serial.clone());
            origin.wwn.clear();
        },
        "a drive cloned onto itself",
    ),
    (
        cloned,
        |r| {
            let origin = r.source.as_mut().unwrap();
            origin.serial.clear();
            origin.wwn = r.media.wwn.clone();
        },
        "a drive cloned onto itself",
    ),
    (cloned_smaller, |r| r.copy.cut.bytes_used = 512, "contents for which the drive has no room"),
    (restored, |r| r.copy.first_mib_last = false, "the first MiB was not written last"),
    (
        restored,
        |r| {
            r.copy.bytes_written -= 512;
            r.verification.blocks_matched -= 1;
        },
        "contents that were not written",
    ),
    (
        cloned_with_exceptions,
        |r| {
            r.copy.bytes_zeroed = 0;
            r.verification.blocks_matched -= 3;
        },
        "unreadable parts that hold older data",
    ),
    (
        restored_zeroed,
        |r| {
            r.copy.tail.bytes_written -= 512;
            r.verification.blocks_matched -= 1;
        },
        "a tail that was not written to its end",
    ),
    (restored, unread, UNPROVED),
    (restored_with_exceptions, unread, UNPROVED),
    (cloned, unread, UNPROVED),
    (verified, unread, UNPROVED),
    (differs, unread, UNPROVED),
    (restored, |r| r.verification.finished.clear(), "a verification that did not reach its end"),
    (imaged, |r| r.verification.finished.clear(), "a verification that did not reach its end"),
    (differs, |r| r.verification.finished.clear(), "a verification that did not reach its end"),
    (restored, |r| r.verification.blocks_matched -= 1, "the blocks that were equal are not those that were written"),
    (restored, |r| r.verification.blocks_matched += 1, "the blocks that were equal are not those that were written"),
    (restored_with_exceptions, |r| r.verification.blocks_matched += 1, MISSED),
    (restored_with_exceptions, |r| r.verification.blocks_matched -= 11, MISSED),
    (
        restored_with_exceptions,
        |r| {
            (r.verification.different, r.verification.blocks_different) = (vec![range(100, 11)], 11);
            r.verification.blocks_matched -= 1;
        },
        "blocks that differ although they were written",
    ),
    (
        restored_with_exceptions,
        |r| {
            let v = &mut r.verification;
            let all = v.blocks_matched + v.blocks_different + v.blocks_unreadable;
            (v.blocks_matched, v.blocks_different, v.different) = (0, 0, Vec::new());
            (v.blocks_unreadable, v.unreadable) = (all, vec![range(0, all)]);
        },
        "a verification that matched no block",
    ),
    (verified, |r| r.verification.blocks_matched -= 1, "the blocks that were equal are not those of the image"),
    (imaged, |r| r.verification.blocks_matched -= 1, "an image that was not read back as a whole"),
    (imaged, one_different, "blocks that differ"),
    (imaged_with_exceptions, one_different, "blocks that differ"),
    (restored, one_different, "blocks that differ"),
    (verified, one_different, "blocks that differ"),
    (imaged, one_unreadable, "blocks that could not be read back"),
    (restored, one_unreadable, "blocks that could not be read back"),
    (verified, one_unreadable, "blocks that could not be read back"),
    (imaged_with_exceptions, |r| promote(r, Outcome::Imaged), "blocks that could not be read"),
    (cloned_with_exceptions, |r| promote(r, Outcome::Cloned), "blocks that could not be read"),
    (
        restored,
        |r| (r.exceptions.unwritable, r.exceptions.unwritable_blocks) = (vec![range(0, 1)], 1),
        "blocks that could not be written",
    ),
    (imaged, |r| demote(r, Outcome::ImagedWithExceptions), "exceptions without one"),
    (cloned, |r| demote(r, Outcome::ClonedWithExceptions), "exceptions without one"),
    (
        differs,
        |r| (r.verification.different, r.verification.blocks_different) = (Vec::new(), 0),
        "a difference that no block shows",
    ),
];

fn one_different(r: &mut CopyRecord) {
    (r.verification.different, r.verification.blocks_different) = (vec![range(9, 1)], 1);
}

fn one_unreadable(r: &mut CopyRecord) {
    (r.verification.unreadable, r.verification.blocks_unreadable) = (vec![range(9, 1)], 1);
}

fn promote(r: &mut CopyRecord, outcome: Outcome) {
    r.outcome = outcome;
    r.copy.reason.clear();
}

fn demote(r: &mut CopyRecord, outcome: Outcome) {
    r.outcome = outcome;
    r.copy.reason = "something".into();
}

#[test]
fn each_rule_is_broken_alone() {
    let cases = || WORDS.iter().chain(NUMBERS).chain(RESULTS);
    let wrong = cases().enumerate().filter_map(|(number, (make, change, expected))| {
        only(*make, *change, expected).map(|found| format!("case {number}: {found}"))
    });
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<String>::new());
    let broken: BTreeSet<_> = cases().map(|(_, _, expected)| *expected).collect();
    let known: BTreeSet<_> = rules().map(|rule| rule.otherwise).collect();
    assert_eq!(broken, known);
}

#[test]
fn no_outcome_passes_for_another_that_claims_more() {
    use Outcome::*;
    for record in [failed(), interrupted(), differs(), restored_with_exceptions()] {
        for outcome in
            [Imaged, ImagedWithExceptions, Restored, RestoredWithExceptions, Cloned, ClonedWithExceptions, Verified]
        {
            let excepted = matches!(outcome, ImagedWithExceptions | RestoredWithExceptions | ClonedWithExceptions);
            let mut more = record.clone();
            (more.outcome, more.copy.reason) = (outcome, if excepted { "because".into() } else { String::new() });
            more.statement = statement(&more);
            assert!(outcome == record.outcome || !contradictions(&more).is_empty(), "{outcome:?} for {record:#?}");
        }
    }
}

#[test]
fn a_clock_that_was_put_back_is_said_and_costs_no_certificate() {
    let record = clock_put_back();
    assert_eq!((record.outcome, contradictions(&record)), (Outcome::Restored, Vec::new()));
    assert!(record.limits.iter().any(|limit| limit == CLOCK));
    assert!(!resumed().limits.iter().any(|limit| limit == CLOCK));
}

#[test]
fn two_units_of_one_drive_can_be_cloned() {
    let mut record = cloned();
    let origin = record.source.as_mut().unwrap();
    (origin.model, origin.serial) = (record.media.model.clone(), record.media.serial.clone());
    assert_eq!(record.conclude(End::Complete).outcome, Outcome::Cloned);
    let mut files = cloned();
    for name in [&mut files.media.serial, &mut files.media.wwn] {
        name.clear();
    }
    assert_eq!(files.conclude(End::Complete).outcome, Outcome::Cloned);
}

#[test]
fn any_numbers_are_survived() {
    let spoil: &[Change] = &[
        |r| r.copy.bytes = u64::MAX,
        |r| r.copy.bytes_read = u64::MAX,
        |r| r.copy.bytes_free = u64::MAX,
        |r| r.copy.bytes_written = u64::MAX,
        |r| r.copy.bytes_zeroed = u64::MAX,
        |r| r.copy.cut.bytes = u64::MAX,
        |r| r.copy.cut.bytes_read = u64::MAX,
        |r| r.copy.tail.bytes = u64::MAX,
        |r| r.copy.tail.bytes_written = u64::MAX,
        |r| r.copy.gpt.bytes_written = u64::MAX,
        |r| r.media.bytes = u64::MAX,
        |r| r.media.logical_block = u32::MAX,
        |r| r.media.logical_block = 0,
        |r| r.exceptions.unreadable_blocks = u64::MAX,
        |r| r.exceptions.unwritable_blocks = u64::MAX,
        |r| r.exceptions.files_hit = u64::MAX,
        |r| r.verification.blocks_matched = u64::MAX,
        |r| r.verification.blocks_different = u64::MAX,
        |r| r.verification.blocks_unreadable = u64::MAX,
        |r| r.exceptions.unwritable = vec![range(u64::MAX, u64::MAX); 300],
        |r| r.copy.partitions.iter_mut().for_each(|p| (p.first_lba, p.blocks) = (u64::MAX, u64::MAX)),
    ];
    for make in all() {
        for (number, first) in spoil.iter().enumerate() {
            for second in spoil {
                let mut record = make.clone();
                first(&mut record);
                second(&mut record);
                record.statement = statement(&record);
                // A record that says nothing of partitions is not spoilt by them.
                assert!(number == 20 || !contradictions(&record).is_empty(), "change {number}: {record:#?}");
                let record = record.conclude(End::Complete);
                assert!(record.outcome == Outcome::Failed || contradictions(&record).is_empty(), "{record:#?}");
            }
        }
    }
}
