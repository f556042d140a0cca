use super::*;
use crate::{
    certify::{Certifiable, fixture::copy::*},
    firmware::units::{Kind, Other, Unit},
};

/// The words belong to the format: where this test has to change, so does [`FORMAT`].
#[test]
fn the_sentences_of_this_format() {
    let name = "20260301-WD-WCAYUF123456.img.zst";
    let free = "Not read: 204,800,000,000 bytes that the file systems' own maps call free.";
    let equal = "The image was read back and is equal to what was read from the drive.";
    let old = "Not written, and perhaps holding older data: 204,800,000,000 bytes of free space and the drive's last \
               500,107,862,016 bytes, beyond the copied disk.";
    for (record, expected) in [
        (
            imaged(),
            format!("The drive was read into the image {name}, 295,307,862,016 of its 500,107,862,016 bytes. {free} {equal}"),
        ),
        (
            imaged_raw(),
            format!("The whole drive, 500,107,862,016 bytes, was read into the image {name}. The image was not read back."),
        ),
        (
            imaged_with_exceptions(),
            format!(
                "The drive was read into the image {name}, 295,307,845,632 of its 500,107,862,016 bytes, with exceptions: \
                 32 blocks of the drive not readable; these are zeros in the image. {free} {equal}"
            ),
        ),
        (
            restored(),
            format!(
                "The image {name} was written to the drive, and all that was written, 576,773,168 blocks, was read back and \
                 is equal. {old}"
            ),
        ),
        (
            restored_with_exceptions(),
            format!(
                "The image {name} was written to the drive with exceptions: 32 blocks lacking in the image, 10 blocks not \
                 writable, 10 blocks different, 1 block not readable afterwards. The rest of what was written, 576,773,157 \
                 blocks, was read back and is equal. {old}"
            ),
        ),
        (
            cloned(),
            "The source was copied to the drive, and all that was written, 976,773,168 blocks, was read back and is equal."
                .into(),
        ),
        (
            verified(),
            format!(
                "All that the image {name} holds, 576,773,168 blocks, was read from the drive and is equal. Not compared: \
                 204,800,000,000 bytes of free space."
            ),
        ),
        (
            differs(),
            format!("The drive does NOT hold what the image {name} says: 16 blocks different; 576,773,152 blocks equal."),
        ),
        (
            failed(),
            "It is NOT proved that the drive holds the copy that was asked for; do not rely on its contents.".into(),
        ),
        (interrupted(), "The work was stopped before its end; the image is not complete.".into()),
    ] {
        assert_eq!(record.statement, expected);
    }
}

#[test]
fn a_complete_job_gets_the_best_outcome_its_numbers_carry() {
    use Outcome::*;
    let expected = [
        Imaged,
        Imaged,
        ImagedWithExceptions,
        Restored,
        RestoredWithExceptions,
        Cloned,
        Verified,
        Differs,
        Failed,
        Interrupted,
    ];
    assert_eq!(all().iter().map(|record| record.outcome).collect::<Vec<_>>(), expected);
    // The same numbers, but something is lacking: a failure that says what.
    type Make = fn() -> CopyRecord;
    type Change = fn(&mut CopyRecord);
    let lacking: &[(Make, Change, &str)] = &[
        (restored, |r| r.verification.blocks_matched -= 1, "not those that were written"),
        (restored, |r| r.image.as_mut().unwrap().bytes_checked = 0, "not checked against its hashes"),
        (imaged, |r| r.copy.bytes_read -= 512, "neither read nor known to be free"),
        (cloned, |r| r.copy.first_mib_last = false, "not written last"),
        (
            cloned,
            |r| {
                r.verification.different = vec![range(5, 1)];
                (r.verification.blocks_different, r.verification.blocks_matched) =
                    (1, r.verification.blocks_matched - 1);
            },
            "1 block different",
        ),
        (
            verified,
            |r| {
                r.verification.unreadable = vec![range(5, 1)];
                (r.verification.blocks_unreadable, r.verification.blocks_matched) =
                    (1, r.verification.blocks_matched - 1);
            },
            "1 block not readable",
        ),
    ];
    for (make, change, why) in lacking {
        let mut record = make();
        change(&mut record);
        let record = record.conclude(End::Complete);
        assert_eq!(record.outcome, Failed, "{why}");
        assert!(record.copy.reason.contains(why), "{}", record.copy.reason);
        assert_eq!(record.contradictions(), Vec::<String>::new());
    }
}

#[test]
fn a_draft_claims_nothing_and_can_be_certified_as_failed() {
    let old = imaged();
    let draft = CopyRecord::draft(Action::Verify, 7, old.media.clone(), old.tool, old.host, old.log);
    assert_eq!(draft.conclude(End::Complete).outcome, Outcome::Failed);
    let mut early = failed();
    let r = &mut early;
    (r.copy.bytes_read, r.copy.bytes_written, r.copy.bytes_free, r.copy.started) = (0, 0, 0, String::new());
    (r.copy.mode, r.copy.partitions) = (Mode::Raw, Vec::new());
    r.verification.extent = "none".into();
    let image = r.image.as_mut().unwrap();
    (image.manifest_sha256, image.blake3, image.bytes_checked) = (String::new(), String::new(), 0);
    (image.signature, image.signer) = (Signature::NotChecked, String::new());
    let early = early.conclude(End::Failed("the image's signature is missing".into()));
    assert_eq!(early.contradictions(), Vec::<String>::new());
}

#[test]
fn concluding_twice_changes_nothing() {
    for record in all() {
        let end = match record.outcome {
            Outcome::Failed => End::Failed(record.copy.reason.clone()),
            Outcome::Interrupted => End::Interrupted(record.copy.reason.clone()),
            _ => End::Complete,
        };
        assert_eq!(record.clone().conclude(end), record);
    }
}

/// Whose parts are not all that the device holds, and what may have been read from memory.
#[test]
fn a_part_of_a_device_and_a_cache_are_told_in_the_statement() {
    let mut record = cloned();
    record.verification.past_host_caches = false;
    record.media.interface = "NVMe".into();
    let other = Other { name: "2".into(), bytes: Some(25_165_824) };
    record.media.unit = Some(Unit {
        kind: Kind::Namespace,
        name: "1".into(),
        others: vec![other],
        other_units: 1,
        managed: true,
        unallocated_bytes: Some(0),
        unknown: String::new(),
    });
    let record = record.conclude(End::Complete);
    assert_eq!(
        record.statement,
        "This is about namespace 1 alone, which is not all that the device holds. The source was copied to the drive, and all \
         that was written, 976,773,168 blocks, was read back, from the medium or from a cache of the host, and is equal."
    );
    let said = |words: &str| record.limits.iter().any(|limit| limit.contains(words));
    assert!(said("Namespace 2 (25165824 bytes) of the same controller was not addressed"), "{:?}", record.limits);
    assert!(said("the host may have answered from a cache of its own"), "{:?}", record.limits);
    assert_eq!(record.verification.description, "every block written was to be read back and compared with the source");
}
