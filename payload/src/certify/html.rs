//! The certificate as a page to read and print: everything of the record, nothing from outside, every text escaped.

pub(super) mod copy;
pub(super) mod erasure;
mod parts;

use super::{
    Certifiable, Common,
    key::NAMESPACE,
    record::{Host, Media},
};
use crate::firmware::units::Kind;
use parts::{grouped, rows, table, text, value, wide};

const STYLE: &str = include_str!("certificate.css");

/// A foreign text that shows everything it holds and nothing else: neither control characters, which move a cursor, nor
/// the invisible ones that turn the reading direction round or hide letters.
pub fn visible(value: &str) -> String {
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    value.chars().map(|c| if invisible(c) { '\u{fffd}' } else { c }).collect()
}

/// The page. `name` is the JSON's file name, `sha256` that of its bytes.
pub fn page(record: &dyn Certifiable, name: &str, sha256: &[u8]) -> String {
    record.page(name, sha256)
}

/// What SMART said, before and after where it was asked twice.
fn health(media: &Media) -> String {
    let before = media.health_before.as_ref().and_then(|health| health.as_object());
    let after = media.health_after.as_ref().and_then(|health| health.as_object());
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
    let heat = media.heat.map(|heat| {
        let rests = match heat.pauses {
            0 => String::new(),
            pauses => format!(
                ", <b>{pauses} rests of {} s in all above {} \u{b0}C</b>",
                heat.paused_seconds, heat.limit_celsius
            ),
        };
        format!("at most {} \u{b0}C during the work{rests}", heat.highest_celsius)
    });
    names.keys().filter_map(one).chain(heat).collect::<Vec<_>>().join("; ")
}

/// Which part of the device it was, and how much else there is.
fn addressed(m: &Media) -> String {
    let Some(unit) = &m.unit else { return "which part of its device it is was not asked".into() };
    let own = match (unit.kind, unit.name.as_str()) {
        (Kind::Drive, _) => "the drive, which is one unit".to_owned(),
        (kind, "") => format!("one {}", kind.words()),
        (kind, name) => format!("{} {}", kind.words(), text(name)),
    };
    let others = unit.others.iter().map(|other| text(&other.name)).collect::<Vec<_>>().join(", ");
    let more = if unit.other_units > unit.others.len() as u64 { ", \u{2026}" } else { "" };
    let rest = match (unit.kind, unit.other_units) {
        (_, others @ 1..) => format!("; <b>not addressed: {others} more of the same device</b>"),
        (Kind::Drive, 0) => String::new(),
        (_, 0) if unit.unknown.is_empty() => ", the only one of its device".into(),
        (_, 0) => "; whether there are others is not known".into(),
    };
    let names = if others.is_empty() { others } else { format!(" ({others}{more})") };
    let free = match unit.unallocated_bytes {
        Some(bytes @ 1..) => format!("; {} bytes belong to none", grouped(bytes)),
        _ => String::new(),
    };
    format!("{own}{rest}{names}{free}")
}

fn media(m: &Media, title: &str) -> String {
    let size = format!("{} bytes, blocks of {} (physical {})", grouped(m.bytes), m.logical_block, m.physical_block);
    wide(
        title,
        &[
            ("Manufacturer", value(&m.manufacturer)),
            ("Model", format!("<b>{}</b>", value(&m.model))),
            ("Serial number", format!("<b>{}</b>", value(&m.serial))),
            ("WWN", value(&m.wwn)),
            ("Addressed", addressed(m)),
            ("Capacity", size),
            ("Type, interface", format!("{}, {}", value(&m.media_type), value(&m.interface))),
            ("Firmware", value(&m.firmware)),
            ("Property number", value(&m.property_number)),
            ("Source", value(&m.source)),
            ("Classification", value(&m.classification)),
        ],
    ) + &rows(&[("Health (SMART)", health(m))])
}

fn people(record: &Common<'_>) -> String {
    let (o, v) = (record.operator, record.validation);
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

fn origin(record: &Common<'_>) -> String {
    let (t, l) = (record.tool, record.log);
    table(
        "Tool, machine, log",
        &[
            ("Tool", format!("{} {}, {}", value(&t.name), value(&t.version), value(&t.kernel))),
            ("SHA-256 of the tool", format!("<code>{}</code>", value(&t.sha256))),
            ("Machine", machine(record.host)),
            ("Signed by", format!("<b>{}</b>", value(&l.stick))),
            ("Job", format!("<code>{}</code>", value(&l.job))),
            ("Log", format!("entry {}, <code>{}</code>", l.sequence, value(&l.head))),
        ],
    )
}

/// What differs between the kinds of certificates.
struct Frame<'a> {
    title: &'a str,
    /// `good`, `fair` or `bad`.
    class: &'a str,
    /// The result in a few words.
    banner: &'a str,
    /// What the drive was in this work.
    medium: &'a str,
    /// What was done and proved, as HTML.
    body: String,
}

/// The page around them.
fn frame(record: &dyn Certifiable, frame: &Frame<'_>, name: &str, sha256: &[u8]) -> String {
    let record = record.common();
    let Frame { title, class, banner, medium, body } = frame;
    let limits: String = record.limits.iter().map(|limit| format!("<li>{}</li>", text(limit))).collect();
    let hash: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let reason = match record.reason {
        "" => String::new(),
        why if record.statement.contains(why) => String::new(),
        why => format!("<p class=\"reason\">{}</p>", text(why)),
    };
    let name = text(name);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{name}</title><style>{STYLE}</style></head>\
         <body><header><h1>{title}</h1><p class=\"id\">No. {id}</p></header>\
         <div class=\"banner {class}\">{banner}</div><p class=\"statement\">{statement}</p>{reason}\
         {media}{body}{people}{origin}\
         <section><h2>What this does not claim</h2><ul>{limits}</ul></section>\
         <section class=\"check\"><h2>How to check it</h2><p>This page is a rendering. What counts is <code>{name}</code> \
         (SHA-256 <code>{hash}</code>) with its signature:</p><pre>ssh-keygen -Y verify -f allowed_signers -I {stick} -n \
         {NAMESPACE} -s {name}.sig &lt; {name}</pre><p>Take the line of <code>allowed_signers</code> from where your \
         organisation keeps its keys, not from whoever handed you this page.</p></section></body></html>\n",
        id = text(record.id),
        statement = text(record.statement),
        stick = text(&record.log.stick),
        media = media(record.media, medium),
        people = people(&record),
        origin = origin(&record),
    )
}

#[cfg(test)]
mod tests;
