//! A certificate on a terminal: what a technician asks about it; everything else is in the JSON and on the page.

use crate::{
    certify::{
        html::visible,
        record::{BlockRange, Record},
    },
    console::format,
};

fn ranges(list: &[BlockRange]) -> String {
    let one = |r: &BlockRange| format!("{}+{}", r.first_lba, r.blocks);
    let more = if list.len() > 8 { " \u{2026}" } else { "" };
    format!("{}{more}", list.iter().take(8).map(one).collect::<Vec<_>>().join(" "))
}

fn passes(record: &Record) -> String {
    let one =
        |p: &crate::certify::record::PassRecord| format!("{} ({} bytes)", p.writes, format::grouped(p.bytes_written));
    record.sanitisation.passes.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// One fact a line.
pub(super) fn text(record: &Record) -> String {
    let (m, s, c, v) = (&record.media, &record.sanitisation, &record.coverage, &record.verification);
    let (o, l) = (&record.operator, &record.log);
    let count = |blocks: u64, list: &[BlockRange]| match list {
        [] => format::grouped(blocks),
        list => format!("{} at LBA {}", format::grouped(blocks), ranges(list)),
    };
    let rows = [
        ("outcome", record.outcome.to_uppercase()),
        ("statement", record.statement.clone()),
        ("reason", s.reason.clone()),
        ("model", m.model.clone()),
        ("serial", m.serial.clone()),
        ("wwn", m.wwn.clone()),
        ("capacity", format::exact(m.bytes, m.logical_block)),
        ("method", format!("{} ({})", s.title, s.method)),
        ("passes", passes(record)),
        ("category", s.category.clone()),
        ("time", format!("{} \u{2013} {}", s.started, s.finished)),
        ("interruptions", s.interruptions.len().to_string()),
        ("not written", count(c.unwritable_blocks, &c.unwritable)),
        ("verification", format!("{}: {}", v.extent, v.description)),
        ("equal", format::grouped(v.blocks_matched)),
        ("different", count(v.blocks_different, &v.different)),
        ("unreadable", count(v.blocks_unreadable, &v.unreadable)),
        (
            "operator",
            [&o.name, &o.title, &o.organisation, &o.location, &o.contact].map(String::as_str).join(" ").trim().into(),
        ),
        ("machine", format!("{} {}, port {}", record.host.board, record.host.serial, record.host.port)),
        ("tool", format!("{} {}, {}", record.tool.name, record.tool.version, record.tool.kernel)),
        ("signer", l.stick.clone()),
        ("id", record.id.clone()),
        ("log", format!("entry {} ({})", l.sequence, l.head)),
    ];
    let lines = rows.iter().filter(|(_, value)| !value.is_empty());
    lines.map(|(name, value)| format!("{name:14}{}\n", visible(value))).chain([String::from("\n")]).collect()
}
