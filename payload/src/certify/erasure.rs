//! What an erasure's certificate says in words. Everything follows from the record's numbers and names, so that no sentence
//! can claim what they do not carry; whoever checks a certificate computes them again.

mod limits;
pub(crate) mod reach;

pub(crate) use limits::grown;

use super::{
    check::erasure::category,
    parts,
    record::{CommandRecord, KindsRecord, Record, Verification},
};
use crate::{
    engine::sampling::SUBSECTIONS,
    firmware::{erase::Evidence, purge},
};
use mule_types::technique::Technique;

/// Puts every word that follows from the rest of the record into it.
pub fn put_into_words(record: &mut Record) {
    record.sanitisation.technique = technique(record).into();
    if let Some(command) = &mut record.sanitisation.command {
        command.cryptographic = named(command).is_some_and(purge::is_cryptographic);
        command.evidence_words = Evidence::named(&command.evidence).map_or("", Evidence::words).into();
    }
    record.sanitisation.category = match record.outcome.as_str() {
        "erased" | "erased-with-exceptions" => category(record).into(),
        _ => String::new(),
    };
    record.statement = match parts::about(&record.media, record.sanitisation.command.as_ref().and_then(named)) {
        Some(about) => format!("{about} {}", statement(record)),
        None => statement(record),
    };
    record.coverage.hidden_areas = reach::stated(record.coverage.hidden.as_ref());
    record.verification.description = description(record);
    record.limits = limits::limits(record);
}

fn named(command: &CommandRecord) -> Option<Technique> {
    purge::named(&command.name)
}

/// Whether nothing was written after the drive's own erasure.
fn is_command_only(record: &Record) -> bool {
    record.sanitisation.command.is_some() && record.sanitisation.passes.is_empty()
}

fn technique(record: &Record) -> &'static str {
    match (&record.sanitisation.command, record.sanitisation.passes.is_empty()) {
        (None, _) => "overwrite",
        (Some(_), true) => "command",
        (Some(_), false) => "command and overwrite",
    }
}

fn statement(record: &Record) -> String {
    let command = record.sanitisation.command.as_ref().and_then(|command| command_statement(record, command));
    match (record.outcome.as_str(), command) {
        ("discarded", _) => discard_statement(record),
        ("erased" | "erased-with-exceptions", Some(text)) if is_command_only(record) => text,
        ("erased" | "erased-with-exceptions", Some(text)) => format!("{text} {}", overwritten_statement(record)),
        _ => overwritten_statement(record),
    }
}

/// What a command proved; its passes, where there are any, are told after it.
fn command_statement(record: &Record, command: &CommandRecord) -> Option<String> {
    let mut text = format!(
        "The drive was given {} and reported its success; {}. {} blocks of known data, written and read back before, are \
         gone.",
        named(command)?.name(),
        Evidence::named(&command.evidence)?.words(),
        command.markers
    );
    if let Some(kinds) = &record.verification.kinds {
        let words = kinds_words(kinds);
        text.push_str(&format!(" {} blocks were read afterwards: {words}.", record.verification.blocks_matched));
    }
    Some(text)
}

/// What a drive held when it was read after its own erasure.
fn kinds_words(kinds: &KindsRecord) -> String {
    let kinds = [
        (kinds.zeros, "hold only zeros".to_owned()),
        (kinds.ones, "hold only ones (FF)".to_owned()),
        (kinds.repeating, format!("hold a repeated pattern ({} first)", kinds.pattern)),
        (kinds.varied, "hold other data, which was not there before".to_owned()),
    ];
    let met = kinds.iter().filter(|(blocks, _)| *blocks > 0).map(|(blocks, what)| format!("{blocks} {what}"));
    met.collect::<Vec<_>>().join(", ")
}

fn discard_statement(record: &Record) -> String {
    let marked = record.sanitisation.command.as_ref().map_or(0, |command| command.markers);
    let words = record.verification.kinds.as_ref().map(kinds_words).unwrap_or_default();
    format!(
        "The drive was NOT erased. It was told to discard its {} addressable blocks, which lets it keep what it no longer \
         shows. {marked} blocks of known data, written and read back before, are not shown any more. {} blocks were read \
         afterwards: {words}.",
        record.coverage.blocks_addressable, record.verification.blocks_matched
    )
}

fn overwritten_statement(record: &Record) -> String {
    let blocks = record.coverage.blocks_addressable;
    let matched = record.verification.blocks_matched;
    let held = match record.verification.past_host_caches {
        true => "read back and held what the last pass wrote",
        false => "read back, from the medium or from a cache of the host, and held what the last pass wrote",
    };
    let read_back = match record.verification.extent.as_str() {
        "full" => format!("and {matched} blocks were {held}"),
        "sampled" => format!("and a sample of {matched} blocks was {held}"),
        _ => "and nothing was read back: the drive's acknowledgements are all the evidence".into(),
    };
    match record.outcome.as_str() {
        "erased" => format!("Every one of the drive's {blocks} addressable blocks took every pass, {read_back}."),
        "erased-with-exceptions" => format!(
            "The drive's {blocks} addressable blocks took every pass but for the exceptions listed, {read_back}."
        ),
        "failed" => "The drive was NOT erased as asked; it may still hold data.".into(),
        "interrupted" => "The work on this drive was stopped before its end; it may still hold data.".into(),
        // An erasure has no other outcome; should one come here, nothing is claimed.
        _ => String::new(),
    }
}

fn description(record: &Record) -> String {
    let way = way(&record.verification);
    let inspected = format!(
        "to be read{way}, after the drive's own command, to look for the markers and to tell what kinds of data are there"
    );
    match (record.verification.extent.as_str(), is_command_only(record)) {
        ("full", true) => format!("every addressable block was {inspected}"),
        ("sampled", true) => {
            format!("{}; these and all places with markers were {inspected}", sampled_description(record))
        }
        ("full", false) => format!("every addressable block was to be read back{way} and compared with the last pass"),
        ("sampled", false) => sampled_description(record),
        _ => "none was asked for".into(),
    }
}

/// How blocks came to be read.
pub(super) fn way(verification: &Verification) -> &'static str {
    match verification.past_host_caches {
        true => " past all caches of the host",
        false => "",
    }
}

fn sampled_description(record: &Record) -> String {
    format!(
        "{} of {} blocks were to be read back: two pseudorandom samples of at least 5 % in each of {SUBSECTIONS} equal \
         subsections, the first and the last block (NIST SP 800-88 Rev. 1, 4.7)",
        record.verification.blocks_planned.unwrap_or_default(),
        record.coverage.blocks_addressable
    )
}
