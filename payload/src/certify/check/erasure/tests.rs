use super::*;
use crate::certify::{
    fixture::{BLOCKS, erased, in_words},
    record::{BlockRange, Interruption, KeptImage},
};

fn range(first_lba: u64, blocks: u64) -> BlockRange {
    BlockRange { first_lba, blocks }
}

/// Gives it another method's names.
fn call(r: &mut Record, name: &str) {
    let method = method::find(name).unwrap();
    (r.sanitisation.method, r.sanitisation.title) = (method.name.into(), method.title.into());
    r.sanitisation.source = method.source.into();
}

/// The change is found; and so it is where whoever made it also made the words fit, unless those were all that it changed.
fn expect_found(good: &Record, change: Change, what: &str) {
    let mut spoilt = good.clone();
    change(&mut spoilt);
    assert!(!contradictions(&spoilt).is_empty(), "{what}");
    let reworded = in_words(spoilt);
    assert!(reworded == *good || !contradictions(&reworded).is_empty(), "{what}, in words that fit");
}

/// Ten blocks could not be written; what is there is old data.
fn excepted() -> Record {
    let mut r = erased();
    r.outcome = "erased-with-exceptions".into();
    r.sanitisation.reason = "5120 bytes could not be written in some pass, 0 not read back".into();
    for pass in &mut r.sanitisation.passes {
        pass.bytes_written -= 5120;
    }
    r.coverage.blocks_overwritten -= 10;
    (r.coverage.unwritable, r.coverage.unwritable_blocks) = (vec![range(100, 10)], 10);
    r.verification.blocks_matched -= 10;
    (r.verification.different, r.verification.blocks_different) = (vec![range(100, 10)], 10);
    in_words(r)
}

fn failed() -> Record {
    let mut r = erased();
    r.outcome = "failed".into();
    r.sanitisation.category.clear();
    r.sanitisation.reason = "the drive went away".into();
    r.sanitisation.passes[2].finished.clear();
    r.sanitisation.passes[2].bytes_written = 512;
    r.coverage.blocks_overwritten = 1;
    let v = &mut r.verification;
    (v.blocks_planned, v.blocks_matched, v.started, v.finished) = (Some(0), 0, String::new(), String::new());
    v.past_host_caches = false;
    in_words(r)
}

fn sampled() -> Record {
    let mut r = erased();
    r.verification.extent = "sampled".into();
    r.verification.blocks_matched = BLOCKS.div_ceil(10);
    r.verification.blocks_planned = Some(BLOCKS.div_ceil(10));
    in_words(r)
}

fn unverified() -> Record {
    let mut r = erased();
    call(&mut r, "zero");
    r.sanitisation.passes.truncate(1);
    let v = &mut r.verification;
    (v.extent, v.started, v.finished) = ("none".into(), String::new(), String::new());
    (v.blocks_planned, v.blocks_matched, v.past_host_caches) = (Some(0), 0, false);
    in_words(r)
}

#[test]
fn what_can_be_true_is_not_objected_to() {
    let mut stopped = failed();
    stopped.outcome = "interrupted".into();
    let stopped = in_words(stopped);
    let mut never_begun = failed();
    for pass in &mut never_begun.sanitisation.passes {
        (pass.bytes_written, pass.started, pass.finished) = (0, String::new(), String::new());
    }
    never_begun.coverage.blocks_overwritten = 0;
    never_begun.sanitisation.started.clear();
    let mut backwards = erased();
    backwards.sanitisation.passes[1].finished = "1970-01-01T00:00:03Z".into();
    for record in [erased(), excepted(), failed(), stopped, never_begun, sampled(), unverified(), backwards] {
        assert_eq!(contradictions(&record), Vec::<String>::new(), "{record:?}");
    }
}

type Change = fn(&mut Record);

const SPOIL_ANY: &[Change] = &[
    |r| r.format = "mule-certificate/2".into(),
    |r| r.outcome = "Erased".into(),
    |r| r.outcome = String::new(),
    |r| r.statement.clear(),
    |r| r.statement = "Physically purged to NSA/CSS 9-12.".into(),
    |r| r.limits.clear(),
    |r| r.limits = vec!["None.".into()],
    |r| drop(r.limits.pop()),
    |r| r.limits.push("It was also shredded.".into()),
    |r| r.verification.description = "read back twice".into(),
    |r| r.verification.blocks_planned = None,
    |r| r.sanitisation.title = "DoD 5220.22-M, supervised".into(),
    |r| r.sanitisation.source = "NSA/CSS 9-12".into(),
    |r| r.coverage.unread_blocks = 1,
    |r| r.tool.name = "nwipe".into(),
    |r| r.id = "5a17c0de5a17c0de5a17c0de5a17c0de".into(),
    |r| r.id.push('x'),
    |r| r.id = r.id.replace("-3", "-03"),
    |r| r.id = r.id.replace("-3", "-64"),
    |r| r.id = r.id.replace('5', "6"),
    |r| r.log.job.push('0'),
    |r| r.log.job = "x".repeat(32),
    |r| r.log.stick = "mule-0123".into(),
    |r| r.log.stick = "someone".into(),
    |r| r.log.head.truncate(63),
    |r| r.log.head = "Z".repeat(64),
    |r| r.media.bytes += 1,
    |r| r.media.bytes = 0,
    |r| r.media.logical_block = 0,
    |r| r.media.logical_block = 4096,
    |r| r.coverage.blocks_addressable -= 1,
    |r| r.coverage.blocks_addressable = u64::MAX,
    |r| r.coverage.blocks_overwritten += 1,
    |r| r.coverage.unwritable = vec![range(0, 1), range(0, 1)],
    |r| r.coverage.unwritable = vec![range(u64::MAX, u64::MAX)],
    |r| r.coverage.unwritable_blocks = u64::MAX,
    |r| r.verification.different = vec![range(BLOCKS, 1)],
    |r| r.verification.unreadable = vec![range(5, 0)],
    |r| r.verification.blocks_unreadable = u64::MAX,
    |r| r.verification.blocks_matched = u64::MAX,
    |r| r.verification.blocks_matched = BLOCKS + 1,
    |r| r.verification.extent = "complete".into(),
    |r| r.verification.started = "yesterday".into(),
    |r| r.sanitisation.finished.clear(),
    |r| r.sanitisation.technique = "cryptographic erase".into(),
    |r| r.sanitisation.category = "Purge".into(),
    |r| r.sanitisation.method = "gutmann".into(),
    |r| r.sanitisation.method = "magic".into(),
    |r| r.sanitisation.passes.swap(0, 1),
    |r| r.sanitisation.passes[0].number = 2,
    |r| r.sanitisation.passes[0].writes = "01".into(),
    |r| r.sanitisation.passes[0].writes = "random".into(),
    |r| r.sanitisation.passes[2].writes = "FF".into(),
    |r| r.sanitisation.passes[0].bytes_written = u64::MAX,
    |r| r.sanitisation.passes[0].started.clear(),
    |r| r.sanitisation.passes[0].finished = "2026-13-01T00:00:00Z".into(),
    |r| drop(r.sanitisation.passes.pop()),
    |r| r.sanitisation.passes.push(r.sanitisation.passes[2].clone()),
    |r| r.sanitisation.passes.clear(),
];

#[test]
fn a_record_that_cannot_be_true_is_found_whatever_its_outcome() {
    for (number, spoil) in SPOIL_ANY.iter().enumerate() {
        for record in [erased(), excepted(), failed(), sampled()] {
            expect_found(&record, *spoil, &format!("change {number} of {}", record.outcome));
        }
    }
}

/// A verification that never came to an end.
fn unended(r: &mut Record) {
    r.verification.finished.clear();
}

fn paused(r: &mut Record) {
    let last_seen = "2026-03-01T10:00:00Z".into();
    r.sanitisation.interruptions.push(Interruption { last_seen, resumed: String::new(), detail: "power".into() });
}

#[test]
fn an_erasure_that_was_none_is_found() {
    let spoil: &[Change] = &[
        unended,
        paused,
        |r| r.verification.blocks_matched -= 1,
        |r| r.verification.blocks_matched = 0,
        |r| r.verification.started.clear(),
        |r| r.verification.extent = "none".into(),
        |r| r.coverage.blocks_overwritten -= 1,
        |r| r.sanitisation.passes[1].bytes_written -= 512,
        |r| r.sanitisation.passes[2].bytes_written -= 512,
        |r| r.sanitisation.passes[0].finished.clear(),
        |r| r.sanitisation.passes[2].finished.clear(),
        |r| r.sanitisation.category.clear(),
        |r| r.sanitisation.started.clear(),
    ];
    for (number, change) in spoil.iter().enumerate() {
        for record in [erased(), excepted(), sampled()] {
            expect_found(&record, *change, &format!("change {number} of {}", record.outcome));
        }
    }
    let only_erased: &[Change] = &[
        |r| r.sanitisation.reason = "but".into(),
        |r| r.coverage.unwritable_blocks = 1,
        |r| r.verification.blocks_different = 1,
        |r| r.verification.blocks_unreadable = 1,
        |r| r.outcome = "erased-with-exceptions".into(),
        |r| r.outcome = "failed".into(),
        |r| r.outcome = "interrupted".into(),
    ];
    for (number, change) in only_erased.iter().enumerate() {
        expect_found(&erased(), *change, &format!("change {number}"));
    }
}

#[test]
fn exceptions_failures_and_missing_verifications_cannot_pass_for_more() {
    type Make = fn() -> Record;
    let cases: &[(Make, Change)] = &[
        (excepted, |r| r.outcome = "erased".into()),
        (excepted, |r| r.sanitisation.reason.clear()),
        (excepted, |r| r.coverage.unwritable.clear()),
        (excepted, |r| (r.coverage.unwritable_blocks, r.coverage.unwritable) = (9, vec![range(100, 9)])),
        (excepted, |r| (r.verification.blocks_different, r.verification.blocks_matched) = (11, BLOCKS - 11)),
        (excepted, |r| r.coverage.unwritable = vec![range(100, 11)]),
        (failed, |r| r.outcome = "erased".into()),
        (failed, |r| r.outcome = "erased-with-exceptions".into()),
        (failed, |r| r.sanitisation.category = "Clear".into()),
        (failed, |r| r.sanitisation.reason.clear()),
        (sampled, |r| r.verification.blocks_matched -= 1),
        (sampled, |r| r.verification.extent = "full".into()),
        (unverified, |r| r.verification.blocks_matched = 1),
        (unverified, |r| r.verification.extent = "full".into()),
        (unverified, |r| r.verification.finished = "2026-03-01T10:00:00Z".into()),
        // This method's list ends with a verification.
        (unverified, |r| call(r, "nist-clear")),
    ];
    for (number, (make, change)) in cases.iter().enumerate() {
        expect_found(&make(), *change, &format!("case {number}"));
    }
}

#[test]
fn a_drawn_byte_and_its_complement_belong_together() {
    let steps = method::find("dod-5220.22-m-ece").unwrap().steps;
    assert!(follows(steps, &["3C", "C3", "random", "07", "A0", "5F", "random"]));
    assert!(!follows(steps, &["3C", "C4", "random", "07", "A0", "5F", "random"]));
    assert!(!follows(steps, &["3C", "C3", "random", "07", "A0", "C3", "random"]));
    assert!(!follows(steps, &["3c", "C3", "random", "07", "A0", "5F", "random"]));
    assert!(!follows(steps, &["+3", "FC", "random", "07", "A0", "5F", "random"]));
    assert!(!follows(steps, &[]));
}

#[test]
fn words_and_the_way_of_reading_fit_each_other() {
    for make in [erased, sampled, failed, unverified] {
        let mut record = make();
        record.verification.past_host_caches = !record.verification.past_host_caches;
        assert!(!contradictions(&record).is_empty(), "{record:?}");
    }
}

#[test]
fn a_kept_image_is_named_and_was_looked_at() {
    let kept = KeptImage {
        image: "a.img.zst".into(),
        since: "2026-03-01T10:00:00Z".into(),
        until: "2026-03-03T10:00:00Z".into(),
        manifest_sha256: "ab".repeat(32),
        looked: "2026-03-01T11:00:00Z".into(),
        fault: String::new(),
    };
    let with = |change: fn(&mut KeptImage)| {
        let mut record = erased();
        record.kept_images = vec![kept.clone()];
        change(&mut record.kept_images[0]);
        contradictions(&in_words(record))
    };
    assert_eq!(with(|_| ()), Vec::<String>::new());
    let spoil: [fn(&mut KeptImage); 5] = [
        |k| k.looked.clear(),
        |k| k.since = "yesterday".into(),
        |k| k.image.clear(),
        |k| k.image = "../a.img.zst".into(),
        |k| k.manifest_sha256.truncate(63),
    ];
    spoil.into_iter().for_each(|change| assert_eq!(with(change).len(), 1));
}
