//! From the facts to the certificate's record. Every number in it comes from [`Facts`]; the words follow from the numbers.

use super::{
    facts::{Facts, command::CommandFacts},
    retain::Retained,
};
use crate::{
    ata::Health,
    certify::record::{
        BlockRange, CommandRecord, Coverage, FORMAT, Hidden, Host, Interruption, KindsRecord, LogReference, Media,
        Operator, PassRecord, Record, Sanitisation, Tool, Validation, Verification,
    },
    engine::{extents::Ranges, sampling},
    firmware::{erase::Evidence, purge},
    journal::{Verify, event::Outcome},
};
use mule_types::{method::Method, technique::Technique};
use serde::Deserialize;
use std::time::{Duration, SystemTime};

/// Ranges listed in a certificate; the counts beside the list are of all.
const LISTED: usize = 200;

/// What a record takes from outside the drive's facts.
#[derive(Debug)]
pub struct Frame<'a> {
    /// Job id in hexadecimal.
    pub job: String,
    pub slot: u8,
    pub method: &'a Method,
    pub media: Media,
    /// What is known of areas the drive hides.
    pub hidden_areas: String,
    pub operator: Operator,
    pub tool: Tool,
    pub host: Host,
    pub log: LogReference,
    /// Images that were kept of it before.
    pub retained: Vec<Retained>,
}

/// 9999-12-31T23:59:59Z, the last time RFC 3339 can write, in milliseconds since 1970.
const LAST_TIME: u64 = 253_402_300_799_000;

/// An RFC 3339 time in UTC of milliseconds since 1970; blank where it did not happen.
pub fn time(at: Option<u64>) -> String {
    let since = |ms: u64| SystemTime::UNIX_EPOCH + Duration::from_millis(ms.min(LAST_TIME));
    at.map(|ms| humantime::format_rfc3339_seconds(since(ms)).to_string()).unwrap_or_default()
}

/// The certificate of one drive.
pub fn record(frame: Frame<'_>, facts: &Facts, finished: u64) -> Record {
    let (outcome, reason) = facts.outcome();
    let block = u64::from(frame.media.logical_block.max(1));
    let erased = matches!(outcome, Outcome::Erased | Outcome::ErasedWithExceptions);
    let began = facts.command.as_ref().and_then(|command| command.started);
    let started = facts.passes.iter().filter_map(|pass| pass.started).chain(began).min();
    Record {
        format: FORMAT.into(),
        id: format!("{}-{}", frame.job, frame.slot),
        outcome: outcome.word().into(),
        statement: statement(outcome, facts, block),
        sanitisation: Sanitisation {
            method: frame.method.name.into(),
            title: frame.method.title.into(),
            source: frame.method.source.into(),
            category: category(facts, erased).into(),
            technique: technique(facts).into(),
            command: facts.command.as_ref().map(|command| command_record(command, block)),
            passes: passes(facts),
            started: time(started),
            finished: time(Some(finished)),
            interruptions: facts.pauses.iter().map(interruption).collect(),
            reason,
        },
        coverage: coverage(facts, block, frame.hidden_areas),
        verification: verification(facts, block),
        limits: limits(facts, &frame.media, &frame.retained),
        media: frame.media,
        operator: frame.operator,
        validation: Validation::default(),
        tool: frame.tool,
        host: frame.host,
        log: frame.log,
    }
}

fn category(facts: &Facts, erased: bool) -> &'static str {
    match facts.purge() {
        Some(_) => "Purge",
        None if erased => "Clear",
        None => "",
    }
}

fn technique(facts: &Facts) -> &'static str {
    match (&facts.command, facts.passes.is_empty()) {
        (None, _) => "overwrite",
        (Some(_), true) => "command",
        (Some(_), false) => "command and overwrite",
    }
}

fn command_record(command: &CommandFacts, block: u64) -> CommandRecord {
    CommandRecord {
        name: command.technique.map_or("", Technique::name).into(),
        purge: command.purge.unwrap_or_default().into(),
        cryptographic: command.technique.is_some_and(purge::is_cryptographic),
        evidence: command.evidence.map_or("", Evidence::name).into(),
        evidence_words: command.evidence.map_or("", Evidence::words).into(),
        started: time(command.started),
        finished: time(command.finished),
        markers: command.marked / block,
        markers_left: command.left.bytes() / block,
    }
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

fn kinds(facts: &Facts, block: u64) -> Option<KindsRecord> {
    let kinds = facts.command.as_ref().filter(|_| facts.is_command_only())?.kinds;
    Some(KindsRecord {
        zeros: kinds.zeros / block,
        ones: kinds.ones / block,
        repeating: kinds.repeating / block,
        varied: kinds.varied / block,
        pattern: kinds.example.map(|pattern| super::issue::hex(&pattern)).unwrap_or_default(),
    })
}

/// What a command proved; its passes, where there are any, are told after it.
fn command_statement(facts: &Facts, block: u64) -> Option<String> {
    let command = facts.command.as_ref()?;
    let mut text = format!(
        "The drive was given {} and reported its success; {}. {} blocks of known data, written and read back before, are \
         gone.",
        command.technique?.name(),
        command.evidence?.words(),
        command.marked / block
    );
    if let Some(kinds) = kinds(facts, block) {
        let words = kinds_words(&kinds);
        text.push_str(&format!(" {} blocks were read afterwards: {words}.", facts.verify.matched / block));
    }
    Some(text)
}

fn statement(outcome: Outcome, facts: &Facts, block: u64) -> String {
    let erased = matches!(outcome, Outcome::Erased | Outcome::ErasedWithExceptions);
    let overwritten = || overwritten_statement(outcome, facts, block);
    if outcome == Outcome::Discarded {
        return discard_statement(facts, block);
    }
    match command_statement(facts, block).filter(|_| erased) {
        Some(text) if facts.passes.is_empty() => text,
        Some(text) => format!("{text} {}", overwritten()),
        None => overwritten(),
    }
}

fn discard_statement(facts: &Facts, block: u64) -> String {
    let marked = facts.command.as_ref().map_or(0, |command| command.marked / block);
    let words = kinds(facts, block).map(|kinds| kinds_words(&kinds)).unwrap_or_default();
    format!(
        "The drive was NOT erased. It was told to discard its {} addressable blocks, which lets it keep what it no longer \
         shows. {marked} blocks of known data, written and read back before, are not shown any more. {} blocks were read \
         afterwards: {words}.",
        facts.capacity / block,
        facts.verify.matched / block
    )
}

fn overwritten_statement(outcome: Outcome, facts: &Facts, block: u64) -> String {
    let blocks = facts.capacity / block;
    let matched = facts.verify.matched / block;
    let read_back = match facts.verify.extent {
        Verify::Full => format!("and {matched} blocks were read back and held what the last pass wrote"),
        Verify::Sampled => format!("and a sample of {matched} blocks was read back and held what the last pass wrote"),
        Verify::None => "and nothing was read back: the drive's acknowledgements are all the evidence".into(),
    };
    match outcome {
        Outcome::Erased => {
            format!("Every one of the drive's {blocks} addressable blocks took every pass, {read_back}.")
        }
        Outcome::ErasedWithExceptions => {
            format!(
                "The drive's {blocks} addressable blocks took every pass but for the exceptions listed, {read_back}."
            )
        }
        Outcome::Failed => "The drive was NOT erased as asked; it may still hold data.".into(),
        Outcome::Interrupted => "The work on this drive was stopped before its end; it may still hold data.".into(),
        // An erasure has no other outcome; should one come here, nothing is claimed.
        _ => String::new(),
    }
}

fn passes(facts: &Facts) -> Vec<PassRecord> {
    let one = |(number, pass): (u32, &super::facts::PassFacts)| PassRecord {
        number,
        writes: pass.content.to_string(),
        bytes_written: pass.bytes,
        started: time(pass.started),
        finished: time(pass.finished),
    };
    (1..).zip(&facts.passes).map(one).collect()
}

fn interruption(pause: &super::facts::Pause) -> Interruption {
    Interruption { last_seen: time(Some(pause.last_seen)), resumed: time(pause.resumed), detail: pause.detail.clone() }
}

fn blocks(ranges: &Ranges, block: u64) -> Vec<BlockRange> {
    let one = |r: &crate::engine::extents::Range| BlockRange { first_lba: r.start / block, blocks: r.len / block };
    ranges.as_slice().iter().take(LISTED).map(one).collect()
}

fn coverage(facts: &Facts, block: u64, hidden_areas: String) -> Coverage {
    let unwritable = facts.unwritable();
    Coverage {
        blocks_addressable: facts.capacity / block,
        blocks_overwritten: facts.passes.last().map_or(0, |pass| pass.bytes) / block,
        unwritable_blocks: unwritable.bytes() / block,
        unwritable: blocks(&unwritable, block),
        hidden_areas: match &facts.hidden {
            Some(hidden) => {
                format!("{}; sectors the drive has remapped were not examined", super::hidden::words(hidden))
            }
            None => hidden_areas,
        },
        hidden: facts.hidden.as_ref().map(|hidden| Hidden {
            removal_asked: hidden.removal,
            before: hidden.before,
            after: hidden.after,
            sectors_not_reached: hidden.after.hidden(),
            unknown: hidden.unknown.clone(),
            left: hidden.left.clone(),
        }),
    }
}

fn verification(facts: &Facts, block: u64) -> Verification {
    let verify = &facts.verify;
    let inspected = "to be read past all caches of the host, after the drive's own command, to look for the markers and to \
                     tell what kinds of data are there";
    let (extent, description) = match verify.extent {
        Verify::Full if facts.is_command_only() => ("full", format!("every addressable block was {inspected}")),
        Verify::Sampled if facts.is_command_only() => (
            "sampled",
            format!("{}; these and all places with markers were {inspected}", sampled_description(facts, block)),
        ),
        Verify::Full => (
            "full",
            "every addressable block was to be read back past all caches of the host and compared with the last pass"
                .into(),
        ),
        Verify::Sampled => ("sampled", sampled_description(facts, block)),
        Verify::None => ("none", "none was asked for".into()),
    };
    Verification {
        extent: extent.into(),
        description,
        blocks_matched: verify.matched / block,
        blocks_different: verify.different.bytes() / block,
        blocks_unreadable: verify.unreadable.bytes() / block,
        different: blocks(&verify.different, block),
        unreadable: blocks(&verify.unreadable, block),
        kinds: kinds(facts, block),
        started: time(verify.started),
        finished: time(verify.finished),
    }
}

fn sampled_description(facts: &Facts, block: u64) -> String {
    format!(
        "{} of {} blocks were to be read back: two pseudorandom samples of at least 5 % in each of {} equal \
         subsections, the first and the last block (NIST SP 800-88 Rev. 1, 4.7)",
        facts.verify.planned / block,
        facts.capacity / block,
        sampling::SUBSECTIONS
    )
}

fn command_limits(command: &CommandFacts, purge: Option<&str>) -> Vec<String> {
    let name = command.technique.map_or("the command", Technique::name);
    let mut limits = vec![match purge {
        Some(source) => format!("{name} is called a purge of such a medium by: {source}."),
        None if command.technique.is_some_and(|technique| !technique.erases()) => {
            format!("{name} is no erasure, and is not claimed to be one.")
        }
        None => format!("{name} is not claimed to be a Purge here."),
    }];
    limits.push(
        "What the drive's firmware did where it cannot be read (remapped sectors, over-provisioned cells, areas it hides) is \
         its maker's word; what can be read was read as the verification says."
            .into(),
    );
    if command.technique.is_some_and(purge::is_cryptographic) {
        limits.push(
            "It destroys keys, not data: a purge only where the drive's encryption is validated and was on before the first \
             data were written (NIST SP 800-88 Rev. 1, 2.6; Rev. 2, 3.2), which no command tells."
                .into(),
        );
    }
    limits
}

/// A drive that lost sectors while it was worked on.
pub(super) fn grown(media: &Media) -> Option<String> {
    let health = |value: &Option<serde_json::Value>| Health::deserialize(value.as_ref()?).ok();
    let grown = super::heat::grown(&health(&media.health_before)?, &health(&media.health_after)?);
    let words: Vec<_> =
        grown.iter().map(|(name, before, after)| format!("{name} {before} before, {after} after")).collect();
    (!words.is_empty()).then(|| format!("THE DRIVE GREW DEFECTS while it was worked on: {}.", words.join("; ")))
}

fn limits(facts: &Facts, media: &Media, retained: &[Retained]) -> Vec<String> {
    let kept = |kept: &Retained| {
        format!(
            "What the drive held before is NOT gone: the image {} of it, taken on {}, was kept until {} or until it is \
             removed (SHA-256 of its manifest: {}).",
            kept.image, kept.since, kept.until, kept.manifest_sha256
        )
    };
    let mut limits: Vec<String> = retained.iter().map(kept).collect();
    match &facts.command {
        Some(command) => limits.extend(command_limits(command, facts.purge())),
        None => limits.extend([
            "This is an overwrite through the drive's interface (Clear in the words of NIST SP 800-88); it is no Purge.".into(),
            "It says nothing about data on areas the drive hides or on sectors it has remapped, nor, on flash media, about \
             over-provisioned cells."
                .into(),
        ]),
    }
    limits.extend([
        "What is read back comes through the drive; an answer from its own cache cannot be told from one from the medium."
            .into(),
        "Times are those of the machine's clock. The operator's words are not checked by this program.".into(),
        "Whether the result is accepted is the organisation's decision (validation, NIST SP 800-88 Rev. 2, 4.5.2).".into(),
    ]);
    limits.extend(grown(media).map(|told| told + " What a replaced sector held cannot be reached any more."));
    if media.interface == crate::discover::Bus::File.to_string() {
        limits.push(
            "This is a file on a file system, not a drive: where its blocks lie on the medium, and whether copies of older \
             ones are left there, is not known."
                .into(),
        );
    }
    if !facts.pauses.is_empty() && facts.verify.extent != Verify::None {
        limits.push(
            "The work was interrupted. Blocks dealt with before the interruption were sampled, not all read, before it \
             went on; a later full verification read them all unless it was itself interrupted."
                .into(),
        );
    }
    limits
}
