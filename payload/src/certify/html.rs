//! The certificate as a page to read and print: everything of the record, nothing from outside, every text escaped.

use super::{
    key::NAMESPACE,
    record::{BlockRange, Host, Record},
};
use std::fmt::Write;

const STYLE: &str = include_str!("certificate.css");

/// A foreign text that shows everything it holds and nothing else: neither control characters, which move a cursor, nor
/// the invisible ones that turn the reading direction round or hide letters.
pub fn visible(value: &str) -> String {
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    value.chars().map(|c| if invisible(c) { '\u{fffd}' } else { c }).collect()
}

/// A value's text, harmless in HTML.
fn text(value: &str) -> String {
    visible(value).chars().fold(String::with_capacity(value.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
        out
    })
}

/// As [`text`]; blank fields show as a line to write on.
fn value(value: &str) -> String {
    if value.is_empty() { "<span class=\"blank\">&nbsp;</span>".into() } else { text(value) }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

fn rows(rows: &[(&str, String)]) -> String {
    let mut out = String::from("<table class=\"facts\">");
    for (name, shown) in rows {
        // Writing into a String cannot fail.
        let _ = write!(out, "<tr><th>{}</th><td>{shown}</td></tr>", text(name));
    }
    out + "</table>"
}

fn table(title: &str, facts: &[(&str, String)]) -> String {
    format!("<section><h2>{}</h2>{}</section>", text(title), rows(facts))
}

/// Facts in two columns.
fn wide(title: &str, facts: &[(&str, String)]) -> String {
    let (left, right) = facts.split_at(facts.len().div_ceil(2));
    format!("<section><h2>{}</h2><div class=\"pair\">{}{}</div></section>", text(title), rows(left), rows(right))
}

/// What SMART said, before and after where it was asked twice.
fn health(record: &Record) -> String {
    let before = record.media.health_before.as_ref().and_then(|health| health.as_object());
    let after = record.media.health_after.as_ref().and_then(|health| health.as_object());
    let Some(names) = before.or(after) else { return "not read".into() };
    let shown = |health: Option<&serde_json::Map<String, serde_json::Value>>, name: &str| {
        health
            .and_then(|health| health.get(name))
            .filter(|value| !value.is_null())
            .map(|value| text(&value.to_string()))
    };
    let one = |name: &String| {
        let title = text(&name.replace('_', " "));
        match (shown(before, name), shown(after, name)) {
            (None, None) => None,
            (Some(one), Some(two)) if one != two => Some(format!("{title} {one} \u{2192} <b>{two}</b>")),
            (Some(one), _) | (None, Some(one)) => Some(format!("{title} {one}")),
        }
    };
    names.keys().filter_map(one).collect::<Vec<_>>().join("; ")
}

fn ranges(list: &[BlockRange]) -> String {
    if list.is_empty() {
        return "none".into();
    }
    let one = |r: &BlockRange| {
        format!("{}\u{2013}{}", grouped(r.first_lba), grouped(r.first_lba.saturating_add(r.blocks.max(1) - 1)))
    };
    let shown: Vec<_> = list.iter().take(24).map(one).collect();
    let more =
        if list.len() > 24 { format!(", and {} more ranges in the JSON", list.len() - 24) } else { String::new() };
    format!("LBA {}{more}", shown.join(", "))
}

fn banner(record: &Record) -> (&'static str, &'static str) {
    match record.outcome.as_str() {
        "erased" => ("good", "ERASED"),
        "erased-with-exceptions" => ("fair", "ERASED WITH EXCEPTIONS"),
        "interrupted" => ("bad", "INTERRUPTED \u{2014} NOT ERASED"),
        _ => ("bad", "FAILED \u{2014} NOT ERASED"),
    }
}

fn media(record: &Record) -> String {
    let m = &record.media;
    let size = format!("{} bytes, blocks of {} (physical {})", grouped(m.bytes), m.logical_block, m.physical_block);
    wide(
        "Medium",
        &[
            ("Manufacturer", value(&m.manufacturer)),
            ("Model", format!("<b>{}</b>", value(&m.model))),
            ("Serial number", format!("<b>{}</b>", value(&m.serial))),
            ("WWN", value(&m.wwn)),
            ("Capacity", size),
            ("Type, interface", format!("{}, {}", value(&m.media_type), value(&m.interface))),
            ("Firmware", value(&m.firmware)),
            ("Property number", value(&m.property_number)),
            ("Source", value(&m.source)),
            ("Classification", value(&m.classification)),
        ],
    ) + &rows(&[("Health (SMART)", health(record))])
}

fn method(record: &Record) -> String {
    let s = &record.sanitisation;
    let mut out = table(
        "Method",
        &[
            ("Method", format!("{} ({})", value(&s.title), value(&s.method))),
            ("Technique, category", format!("{}, {}", value(&s.technique), category(&s.category))),
            ("Source of the pass list", value(&s.source)),
            ("Began, ended", format!("{} \u{2013} {}", value(&s.started), value(&s.finished))),
        ],
    );
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
    for i in &s.interruptions {
        let resumed =
            if i.resumed.is_empty() { "did not go on".into() } else { format!("went on {}", text(&i.resumed)) };
        let _ = write!(
            out,
            "<p class=\"note\">Interrupted after {}; {resumed}. {}</p>",
            text(&i.last_seen),
            text(&i.detail)
        );
    }
    out
}

fn proof(record: &Record) -> String {
    let (c, v) = (&record.coverage, &record.verification);
    let covered = format!("{} of {} addressable blocks", grouped(c.blocks_overwritten), grouped(c.blocks_addressable));
    let listed = |blocks: u64, list: &[BlockRange]| match list {
        [] => format!("{} blocks", grouped(blocks)),
        list => format!("<b>{} blocks</b>: {}", grouped(blocks), ranges(list)),
    };
    let mut facts = vec![
        ("Took the last pass", covered),
        ("Could not be written", listed(c.unwritable_blocks, &c.unwritable)),
        ("Hidden areas", value(&c.hidden_areas)),
        ("Verification", format!("<b>{}</b>: {}", value(&v.extent), value(&v.description))),
    ];
    if v.extent != "none" {
        facts.extend([
            ("Began, ended", format!("{} \u{2013} {}", value(&v.started), value(&v.finished))),
            ("Read back, equal", format!("{} blocks", grouped(v.blocks_matched))),
            ("Read back, different", listed(v.blocks_different, &v.different)),
            ("Could not be read", listed(v.blocks_unreadable, &v.unreadable)),
        ]);
    }
    table("What was reached, and what was read back", &facts)
}

/// A failure has no category, and that is no line to fill in.
fn category(category: &str) -> String {
    if category.is_empty() { "none: it is not erased".into() } else { text(category) }
}

fn people(record: &Record) -> String {
    let (o, v) = (&record.operator, &record.validation);
    let operator = table(
        "Done by",
        &[
            ("Name", value(&o.name)),
            ("Title", value(&o.title)),
            ("Organisation", value(&o.organisation)),
            ("Location", value(&o.location)),
            ("Contact", value(&o.contact)),
        ],
    );
    let validation = table(
        "Validated by",
        &[
            ("Name", value(&v.name)),
            ("Title", value(&v.title)),
            ("Decision", value(&v.decision)),
            ("Date", value(&v.date)),
            ("Destination", value(&v.destination)),
            ("Signature", value(&v.signature)),
        ],
    );
    format!("<div class=\"pair\">{operator}<div class=\"validation\">{validation}</div></div>")
}

/// What is known of the machine; the rest is left out, as nobody has to fill it in.
fn machine(host: &Host) -> String {
    let parts = [("", &host.board), ("serial ", &host.serial), ("firmware ", &host.firmware), ("port ", &host.port)];
    let known = parts.iter().filter(|(_, part)| !part.is_empty());
    known.map(|(what, part)| format!("{what}{}", text(part))).collect::<Vec<_>>().join(", ")
}

fn origin(record: &Record) -> String {
    let (t, l) = (&record.tool, &record.log);
    table(
        "Tool, machine, log",
        &[
            ("Tool", format!("{} {}, {}", value(&t.name), value(&t.version), value(&t.kernel))),
            ("SHA-256 of the tool", format!("<code>{}</code>", value(&t.sha256))),
            ("Machine", machine(&record.host)),
            ("Signed by", format!("<b>{}</b>", value(&l.stick))),
            ("Job", format!("<code>{}</code>", value(&l.job))),
            ("Log", format!("entry {}, <code>{}</code>", l.sequence, value(&l.head))),
        ],
    )
}

/// The page. `name` is the JSON's file name, `sha256` that of its bytes.
pub fn page(record: &Record, name: &str, sha256: &[u8]) -> String {
    let (class, words) = banner(record);
    let limits: String = record.limits.iter().map(|limit| format!("<li>{}</li>", text(limit))).collect();
    let hash: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let reason = match record.sanitisation.reason.as_str() {
        "" => String::new(),
        why => format!("<p class=\"reason\">{}</p>", text(why)),
    };
    let name = text(name);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{name}</title><style>{STYLE}</style></head>\
         <body><header><h1>Certificate of media sanitisation</h1><p class=\"id\">No. {id}</p></header>\
         <div class=\"banner {class}\">{words}</div><p class=\"statement\">{statement}</p>{reason}\
         {media}{method}{proof}{people}{origin}\
         <section><h2>What this does not claim</h2><ul>{limits}</ul></section>\
         <section class=\"check\"><h2>How to check it</h2><p>This page is a rendering. What counts is <code>{name}</code> \
         (SHA-256 <code>{hash}</code>) with its signature:</p><pre>ssh-keygen -Y verify -f allowed_signers -I {stick} -n \
         {NAMESPACE} -s {name}.sig &lt; {name}</pre><p>Take the line of <code>allowed_signers</code> from where your \
         organisation keeps its keys, not from whoever handed you this page.</p></section></body></html>\n",
        id = text(&record.id),
        statement = text(&record.statement),
        stick = text(&record.log.stick),
        media = media(record),
        method = method(record),
        proof = proof(record),
        people = people(record),
        origin = origin(record),
    )
}

#[cfg(test)]
mod tests;
