//! From the facts to the certificate's record. Every number in it comes from [`Facts`]; the words follow from the numbers.

use super::facts::{Facts, command::CommandFacts};
use crate::{
    certify::{
        erasure,
        record::{
            BlockRange, CommandRecord, Coverage, FORMAT, Hidden, Host, Interruption, KeptImage, KindsRecord,
            LogReference, Media, Operator, PassRecord, Record, Sanitisation, Tool, Validation, Verification,
        },
    },
    engine::extents::Ranges,
    firmware::erase::Evidence,
    journal::Verify,
};
use mule_types::{method::Method, technique::Technique};
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
    pub operator: Operator,
    pub tool: Tool,
    pub host: Host,
    pub log: LogReference,
    /// Images that were kept of it before.
    pub retained: Vec<KeptImage>,
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
    let began = facts.command.as_ref().and_then(|command| command.started);
    let started = facts.passes.iter().filter_map(|pass| pass.started).chain(began).min();
    let mut record = Record {
        format: FORMAT.into(),
        id: format!("{}-{}", frame.job, frame.slot),
        outcome: outcome.word().into(),
        statement: String::new(),
        sanitisation: Sanitisation {
            method: frame.method.name.into(),
            title: frame.method.title.into(),
            source: frame.method.source.into(),
            category: String::new(),
            technique: String::new(),
            command: facts.command.as_ref().map(|command| command_record(command, block)),
            passes: passes(facts),
            started: time(started),
            finished: time(Some(finished)),
            interruptions: facts.pauses.iter().map(interruption).collect(),
            reason,
        },
        coverage: coverage(facts, block),
        verification: verification(facts, block),
        limits: Vec::new(),
        kept_images: frame.retained,
        media: frame.media,
        operator: frame.operator,
        validation: Validation::default(),
        tool: frame.tool,
        host: frame.host,
        log: frame.log,
    };
    erasure::put_into_words(&mut record);
    record
}

fn command_record(command: &CommandFacts, block: u64) -> CommandRecord {
    CommandRecord {
        name: command.technique.map_or("", Technique::name).into(),
        purge: command.purge.unwrap_or_default().into(),
        cryptographic: false,
        evidence: command.evidence.map_or("", Evidence::name).into(),
        evidence_words: String::new(),
        started: time(command.started),
        finished: time(command.finished),
        markers: command.marked / block,
        markers_left: command.left.bytes() / block,
        stopped_since: command.stopped_since,
    }
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

fn coverage(facts: &Facts, block: u64) -> Coverage {
    let unwritable = facts.unwritable();
    Coverage {
        blocks_addressable: facts.capacity / block,
        blocks_overwritten: facts.passes.last().map_or(0, |pass| pass.bytes) / block,
        unwritable_blocks: unwritable.bytes() / block,
        unwritable: blocks(&unwritable, block),
        unread_blocks: facts.unread().div_ceil(block),
        hidden_areas: String::new(),
        hidden: facts.hidden.as_ref().map(|hidden| Hidden {
            removal_asked: hidden.removal,
            before: hidden.before,
            after: hidden.after,
            bytes_not_reached: hidden.after.hidden(),
            unknown: hidden.unknown.clone(),
            left: hidden.left.clone(),
        }),
    }
}

fn verification(facts: &Facts, block: u64) -> Verification {
    let verify = &facts.verify;
    let extent = match verify.extent {
        Verify::Full => "full",
        Verify::Sampled => "sampled",
        Verify::None => "none",
    };
    Verification {
        extent: extent.into(),
        description: String::new(),
        past_host_caches: verify.started.is_some() && facts.held.as_ref().is_some_and(|held| held.direct),
        blocks_planned: Some(verify.planned / block),
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
