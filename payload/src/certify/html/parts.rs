//! Pieces that pages are made of. Every one of them is harmless HTML, whatever the texts hold.

use super::visible;
use crate::certify::record::{BlockRange, Interruption};
use std::fmt::Write;

/// A value's text, harmless in HTML.
pub(super) fn text(value: &str) -> String {
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
pub(super) fn value(value: &str) -> String {
    if value.is_empty() { "<span class=\"blank\">&nbsp;</span>".into() } else { text(value) }
}

pub(super) fn grouped(number: u64) -> String {
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

pub(super) fn rows(rows: &[(&str, String)]) -> String {
    let mut out = String::from("<table class=\"facts\">");
    for (name, shown) in rows {
        // Writing into a String cannot fail.
        let _ = write!(out, "<tr><th>{}</th><td>{shown}</td></tr>", text(name));
    }
    out + "</table>"
}

pub(super) fn table(title: &str, facts: &[(&str, String)]) -> String {
    format!("<section><h2>{}</h2>{}</section>", text(title), rows(facts))
}

/// Facts in two columns.
pub(super) fn wide(title: &str, facts: &[(&str, String)]) -> String {
    let (left, right) = facts.split_at(facts.len().div_ceil(2));
    format!("<section><h2>{}</h2><div class=\"pair\">{}{}</div></section>", text(title), rows(left), rows(right))
}

pub(super) fn ranges(list: &[BlockRange]) -> String {
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

/// A count of blocks, in bold with their addresses where they are listed.
pub(super) fn listed(blocks: u64, list: &[BlockRange]) -> String {
    match list {
        [] => format!("{} blocks", grouped(blocks)),
        list => format!("<b>{} blocks</b>: {}", grouped(blocks), ranges(list)),
    }
}

/// A line for each time the work stood still.
pub(super) fn interruptions(list: &[Interruption]) -> String {
    let mut out = String::new();
    for i in list {
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
