//! Rules about what a record says: format, names, hashes, times, reasons.

use super::{Rule, any, clean, conclusive};
use crate::certify::{
    check::{is_hex, is_time},
    copy::{Action, CopyRecord, FORMAT, Image, LISTED, Mode, Outcome, Signature, put_into_words},
};

/// The rules.
pub(super) const RULES: &[Rule] = &[
    Rule { of: any, holds: |r| r.format == FORMAT, otherwise: "the format is not the one this version knows" },
    Rule { of: any, holds: outcome_of_action, otherwise: "an outcome that this action cannot have" },
    Rule {
        of: any,
        holds: |r| r.statement == worded(r).statement,
        otherwise: "the statement is not the one that the numbers carry",
    },
    Rule { of: any, holds: |r| r.limits == worded(r).limits, otherwise: "the limits are not those of such a copy" },
    Rule {
        of: any,
        holds: |r| r.verification.description == worded(r).verification.description,
        otherwise: "a description of the verification that is not what was done",
    },
    Rule {
        of: |r| r.verification.past_host_caches,
        holds: |r| r.action != Action::Image,
        otherwise: "a way of reading the drive where it was not read back",
    },
    Rule {
        of: any,
        holds: source_where_due,
        otherwise: "the source is missing, or named where the drive is the source",
    },
    Rule {
        of: any,
        holds: |r| r.image.is_some() == (r.action != Action::Clone),
        otherwise: "the image is missing, or named where there is none",
    },
    Rule { of: any, holds: |r| image(r, |i| !i.name.is_empty()), otherwise: "an image without a name" },
    Rule { of: any, holds: hashes, otherwise: "a hash that is none" },
    Rule { of: any, holds: base, otherwise: "a base that cannot be the image's" },
    Rule { of: any, holds: signer, otherwise: "the image's signer does not fit how its signature was checked" },
    Rule {
        of: conclusive,
        holds: |r| image(r, |i| !i.manifest_sha256.is_empty() && !i.blake3.is_empty()),
        otherwise: "a result about an image that its hashes do not name",
    },
    Rule {
        of: conclusive,
        holds: |r| image(r, |i| i.signature != Signature::NotChecked),
        otherwise: "a result about an image whose signature was not checked",
    },
    Rule {
        of: |r| conclusive(r) && r.action == Action::Image,
        holds: |r| image(r, |i| matches!(i.signature, Signature::OwnKey | Signature::NotChecked)),
        otherwise: "an image made here that another key signed",
    },
    Rule { of: any, holds: readable_times, otherwise: "a time that is none" },
    Rule { of: any, holds: |r| !r.copy.finished.is_empty(), otherwise: "no time at which it was over" },
    Rule {
        of: any,
        holds: |r| r.verification.finished.is_empty() || !r.verification.started.is_empty(),
        otherwise: "a verification that ended and never began",
    },
    Rule { of: conclusive, holds: |r| !r.copy.started.is_empty(), otherwise: "a result of work that never began" },
    Rule {
        of: conclusive,
        holds: |r| r.copy.interruptions.iter().all(|pause| !pause.resumed.is_empty()),
        otherwise: "a result of work that did not go on after an interruption",
    },
    Rule {
        of: |r| clean(r) || (r.outcome == Outcome::Verified && r.exceptions.unreadable_blocks == 0),
        holds: |r| r.copy.reason.is_empty(),
        otherwise: "a reservation in a result without exceptions",
    },
    Rule {
        of: |r| !clean(r) && (r.outcome != Outcome::Verified || r.exceptions.unreadable_blocks > 0),
        holds: |r| !r.copy.reason.is_empty(),
        otherwise: "no reason for the reservation",
    },
    Rule {
        of: any,
        holds: |r| (r.copy.mode == Mode::UsedBlock) == r.copy.partitions.iter().any(|p| p.mode == Mode::UsedBlock),
        otherwise: "the mode is not that of the partitions",
    },
    Rule {
        of: any,
        holds: |r| r.copy.partitions.iter().all(|p| !p.reason.is_empty()),
        otherwise: "a partition without a reason for how it was copied",
    },
    Rule {
        of: any,
        holds: files,
        otherwise: "file names that do not fit their count, or files of blocks that were read",
    },
    Rule {
        of: any,
        holds: |r| (r.exceptions.unreadable_blocks == 0) == r.exceptions.files_note.is_empty(),
        otherwise: "no word about the files that unreadable blocks belong to, or one where there are none",
    },
];

/// The record with the words that follow from its numbers: a signature does not make a sentence true.
fn worded(r: &CopyRecord) -> CopyRecord {
    let mut again = r.clone();
    put_into_words(&mut again);
    again
}

/// What holds of the image, where there is one.
fn image(r: &CopyRecord, holds: impl FnOnce(&Image) -> bool) -> bool {
    r.image.as_ref().is_none_or(holds)
}

fn outcome_of_action(r: &CopyRecord) -> bool {
    use Outcome::{
        Cloned, ClonedWithExceptions, Differs, Failed, Imaged, ImagedWithExceptions, Interrupted, Restored,
        RestoredWithExceptions, Verified,
    };
    match r.outcome {
        Imaged | ImagedWithExceptions => r.action == Action::Image,
        Restored | RestoredWithExceptions => r.action == Action::Restore,
        Cloned | ClonedWithExceptions => r.action == Action::Clone,
        Verified | Differs => r.action == Action::Verify,
        Failed | Interrupted => true,
    }
}

fn source_where_due(r: &CopyRecord) -> bool {
    match r.action {
        Action::Image => r.source.is_none(),
        Action::Restore | Action::Clone => r.source.is_some(),
        Action::Verify => true,
    }
}

fn hashes(r: &CopyRecord) -> bool {
    let hash = |text: &str, digits| text.is_empty() || is_hex(text, digits);
    let of_image = image(r, |i| hash(&i.manifest_sha256, 64) && hash(&i.blake3, 64));
    of_image && hash(&r.copy.sha512, 128) && hash(&r.copy.sha256, 64)
}

fn base(r: &CopyRecord) -> bool {
    image(r, |i| {
        i.base.as_ref().is_none_or(|base| {
            !base.name.is_empty() && is_hex(&base.manifest_sha256, 64) && base.manifest_sha256 != i.manifest_sha256
        })
    })
}

fn signer(r: &CopyRecord) -> bool {
    let stick = |id: &str| id.strip_prefix("mule-").is_some_and(|digits| is_hex(digits, 16));
    image(r, |i| match i.signature {
        Signature::NotChecked => i.signer.is_empty(),
        Signature::OwnKey => i.signer == r.log.stick,
        Signature::Trusted => stick(&i.signer),
        Signature::SelfAsserted => stick(&i.signer) && i.signer != r.log.stick,
    })
}

fn readable_times(r: &CopyRecord) -> bool {
    let pauses = r.copy.interruptions.iter().flat_map(|pause| [&pause.last_seen, &pause.resumed]);
    let rest = [&r.copy.started, &r.copy.finished, &r.verification.started, &r.verification.finished];
    pauses.chain(rest).all(|time| is_time(time))
}

fn files(r: &CopyRecord) -> bool {
    let e = &r.exceptions;
    let listed = e.files.len().min(LISTED);
    let fits = if e.files_hit > LISTED as u64 { listed == LISTED } else { listed as u64 == e.files_hit };
    fits && e.files.len() <= LISTED && (e.files_hit == 0 || e.unreadable_blocks > 0)
}
