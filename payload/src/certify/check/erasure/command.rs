//! The rules for an erasure by the drive's own firmware.

use super::{Findings, out_of_reach};
use crate::{
    certify::record::{CommandRecord, KindsRecord, Record},
    firmware::{
        erase::{Evidence, Medium},
        purge,
    },
};
use mule_types::{
    method::Method,
    technique::{Technique, Wanted},
};

/// Whether the record's only erasure is the command.
pub(super) fn is_alone(record: &Record) -> bool {
    record.sanitisation.command.is_some() && record.sanitisation.passes.is_empty()
}

/// The command is the method's, and what is said of it fits together.
pub(super) fn check(record: &Record, method: Option<&Method>, found: &mut Findings) {
    let sanitisation = &record.sanitisation;
    found.expect(
        record.verification.kinds.is_some() == is_alone(record),
        "kinds of data without a reading that tells them, or the other way round",
    );
    let wanted = method.and_then(|method| method.command);
    let Some(command) = &sanitisation.command else {
        found.expect(wanted.is_none(), "a method with a command, without one");
        return;
    };
    let times = [&command.started, &command.finished].into_iter().all(|time| super::is_time(time));
    found.expect(times, "a time of the command that is none");
    found.expect(command.finished.is_empty() || !command.started.is_empty(), "a command that ended and never began");
    found.expect(command.markers_left <= record.coverage.blocks_addressable, "more markers left than blocks");
    found.expect(command.markers <= record.coverage.blocks_addressable, "more markers than blocks");
    let stopped = !sanitisation.interruptions.is_empty();
    found.expect(stopped || !command.stopped_since, "a stop of the machine that is not among the interruptions");
    let technique = purge::named(&command.name);
    let fits = match (wanted, technique) {
        (_, None) => command.name.is_empty(),
        (Some(Wanted::This(asked)), Some(done)) => asked == done,
        (Some(Wanted::BestPurge), Some(_)) => true,
        (None, Some(_)) => false,
    };
    found.expect(fits, "a command that is not the method's");
    let evidence = Evidence::named(&command.evidence);
    found.expect(evidence.is_some() || command.evidence.is_empty(), "evidence this version does not know");
    found.expect(command.evidence_words == evidence.map_or("", Evidence::words), "evidence in other words");
    let cryptographic = technique.is_some_and(purge::is_cryptographic);
    found.expect(command.cryptographic == cryptographic, "a cryptographic erase that is not called one, or is none");
    let medium = medium(record);
    let source = technique.and_then(|technique| purge::source(technique, medium)).unwrap_or_default();
    found.expect(command.purge == source, "a source that does not call the command a purge of such a medium");
    if let Some(kinds) = &record.verification.kinds {
        found.expect(sum(kinds) == Some(record.verification.blocks_matched), "kinds that are not what was read");
    }
    let done = record.outcome.starts_with("erased") || record.outcome == "discarded";
    if done {
        erased(record, command, technique, evidence, found);
        let erases = technique.is_none_or(Technique::erases) || !sanitisation.passes.is_empty();
        found.expect(
            erases != (record.outcome == "discarded"),
            "a discard that is called an erasure, or the other way round",
        );
    }
}

/// What a drive that erased itself must show.
fn erased(
    record: &Record,
    command: &CommandRecord,
    technique: Option<Technique>,
    evidence: Option<Evidence>,
    found: &mut Findings,
) {
    let ended = technique.is_some() && evidence.is_some() && !command.finished.is_empty();
    found.expect(ended, "an erasure by a command that did not succeed");
    found.expect(command.markers_left == 0, "an erasure that left markers");
    let enough = command.markers.checked_mul(20) >= Some(record.coverage.blocks_addressable);
    found.expect(enough, "an erasure by a command with too few markers");
    if let (Some(technique), Some(kinds)) =
        (technique.filter(|technique| technique.overwrites()), &record.verification.kinds)
    {
        let ones = if technique.is_security_erase() { 0 } else { kinds.ones };
        let other = [ones, kinds.repeating, kinds.varied].iter().all(|blocks| *blocks == 0);
        found.expect(other, "an overwrite that left something else than zeros");
    }
}

/// The one category that is true of an erasure.
pub(in crate::certify) fn category(record: &Record) -> &'static str {
    let Some(command) = &record.sanitisation.command else { return "Clear" };
    if record.outcome == "discarded" {
        return "";
    }
    let hidden =
        record.coverage.hidden.as_ref().is_none_or(|hidden| hidden.unknown.is_empty() && hidden.bytes_not_reached == 0);
    let technique = purge::named(&command.name);
    let whole = record.media.unit.as_ref().is_some_and(|unit| unit.is_whole(technique));
    let known = whole && hidden && !command.stopped_since && !out_of_reach(record);
    let purge = record.outcome == "erased" && !command.purge.is_empty() && known;
    if purge { "Purge" } else { "Clear" }
}

/// Whether the completion of the command was not observed: an exception.
pub(super) fn unseen(record: &Record) -> bool {
    let command = record.sanitisation.command.as_ref();
    command.is_some_and(|command| {
        Evidence::named(&command.evidence) == Some(Evidence::ReportedOnly)
            && purge::named(&command.name).is_some_and(Technique::has_state)
    })
}

fn medium(record: &Record) -> Option<Medium> {
    match record.media.media_type.as_str() {
        "hard disk" => Some(Medium::Magnetic),
        "solid-state" => Some(Medium::SolidState),
        _ => None,
    }
}

fn sum(kinds: &KindsRecord) -> Option<u64> {
    [kinds.zeros, kinds.ones, kinds.repeating, kinds.varied].into_iter().try_fold(0_u64, u64::checked_add)
}
