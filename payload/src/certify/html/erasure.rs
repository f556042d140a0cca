//! The page of an erasure.

use super::{
    Frame,
    parts::{grouped, interruptions, listed, table, text, value},
};
use crate::certify::record::{KindsRecord, Record, Sanitisation};
use std::fmt::Write;

fn banner(record: &Record) -> (&'static str, &'static str) {
    match record.outcome.as_str() {
        "erased" => ("good", "ERASED"),
        "erased-with-exceptions" => ("fair", "ERASED WITH EXCEPTIONS"),
        "discarded" => ("fair", "DISCARDED \u{2014} NOT ERASED"),
        "interrupted" => ("bad", "INTERRUPTED \u{2014} NOT ERASED"),
        _ => ("bad", "FAILED \u{2014} NOT ERASED"),
    }
}

fn method(record: &Record) -> String {
    let s = &record.sanitisation;
    let mut out = table(
        "Method",
        &[
            ("Method", format!("{} ({})", value(&s.title), value(&s.method))),
            ("Technique, category", format!("{}, {}", value(&s.technique), category(&s.category))),
            ("Source of the method", value(&s.source)),
            ("Began, ended", format!("{} \u{2013} {}", value(&s.started), value(&s.finished))),
        ],
    );
    out.push_str(&command(s));
    if s.passes.is_empty() {
        return out + &interruptions(&s.interruptions);
    }
    out.push_str(
        "<table class=\"list\"><tr><th>Pass</th><th>Writes</th><th>Bytes written</th><th>Began</th><th>Ended</th></tr>",
    );
    for pass in &s.passes {
        let _ = write!(
            out,
            "<tr><td>{}</td><td><code>{}</code></td><td class=\"n\">{}</td><td>{}</td><td>{}</td></tr>",
            pass.number,
            text(&pass.writes),
            grouped(pass.bytes_written),
            value(&pass.started),
            value(&pass.finished)
        );
    }
    out.push_str("</table>");
    out + &interruptions(&s.interruptions)
}

/// What the drive's firmware was asked for.
fn command(sanitisation: &Sanitisation) -> String {
    let Some(command) = &sanitisation.command else { return String::new() };
    let left = match command.markers_left {
        0 if command.evidence.is_empty() => "not looked for, or not found".into(),
        0 => "none".into(),
        left => format!("<b>{} blocks</b>", grouped(left)),
    };
    let purge = if command.purge.is_empty() { "nothing cited here".into() } else { text(&command.purge) };
    table(
        "The drive's own command",
        &[
            ("Command", if command.name.is_empty() { "none was sent".into() } else { text(&command.name) }),
            ("Called a purge of this medium by", purge),
            (
                "Seen of it",
                if command.evidence.is_empty() { "no success".into() } else { text(&command.evidence_words) },
            ),
            ("Began, ended", format!("{} \u{2013} {}", value(&command.started), value(&command.finished))),
            ("Known data written and read back before", format!("{} blocks", grouped(command.markers))),
            ("Of these, still there after", left),
        ],
    )
}

/// What the drive held where nothing was written after its own erasure.
fn kinds(kinds: &KindsRecord) -> String {
    let pattern =
        format!("repeating a pattern{}{}", if kinds.pattern.is_empty() { "" } else { ": " }, text(&kinds.pattern));
    let rows = [
        (kinds.zeros, "zeros".to_owned()),
        (kinds.ones, "FF".to_owned()),
        (kinds.repeating, pattern),
        (kinds.varied, "other data".to_owned()),
    ];
    let met = rows.iter().filter(|(blocks, _)| *blocks > 0);
    let words: Vec<_> = met.map(|(blocks, what)| format!("{} blocks: {what}", grouped(*blocks))).collect();
    if words.is_empty() { "nothing".into() } else { words.join("; ") }
}

fn proof(record: &Record) -> String {
    let (c, v) = (&record.coverage, &record.verification);
    let covered = format!("{} of {} addressable blocks", grouped(c.blocks_overwritten), grouped(c.blocks_addressable));
    let alone = record.sanitisation.passes.is_empty();
    let covered = if alone { "there was no pass".into() } else { covered };
    let mut facts = vec![
        ("Took the last pass", covered),
        ("Could not be written", listed(c.unwritable_blocks, &c.unwritable)),
        ("Hidden areas", value(&c.hidden_areas)),
        ("Verification", format!("<b>{}</b>: {}", value(&v.extent), value(&v.description))),
    ];
    if c.unread_blocks > 0 {
        let blocks = format!("{} blocks, written before the machine stopped", grouped(c.unread_blocks));
        facts.push(("NOT READ SINCE", blocks));
    }
    if v.extent != "none" {
        facts.extend([
            ("Began, ended", format!("{} \u{2013} {}", value(&v.started), value(&v.finished))),
            (
                if alone { "Read, no marker found" } else { "Read back, equal" },
                format!("{} blocks", grouped(v.blocks_matched)),
            ),
            (
                if alone { "Read, a marker found" } else { "Read back, different" },
                listed(v.blocks_different, &v.different),
            ),
            ("Could not be read", listed(v.blocks_unreadable, &v.unreadable)),
        ]);
    }
    if let Some(found) = &v.kinds {
        facts.push(("What the drive holds now", kinds(found)));
    }
    table("What was reached, and what was read back", &facts)
}

/// A failure has no category, and that is no line to fill in.
fn category(category: &str) -> String {
    if category.is_empty() { "none: it is not erased".into() } else { text(category) }
}

/// The page. `name` is the JSON's file name, `sha256` that of its bytes.
pub(in crate::certify) fn page(record: &Record, name: &str, sha256: &[u8]) -> String {
    let (class, words) = banner(record);
    let body = method(record) + &proof(record);
    super::frame(
        record,
        &Frame { title: "Certificate of media sanitisation", class, banner: words, medium: "Medium", body },
        name,
        sha256,
    )
}
