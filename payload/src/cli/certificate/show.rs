//! A certificate on a terminal: what a technician asks about it; everything else is in the JSON and on the page.

use crate::{
    certify::{
        Certifiable, Certificate, Common,
        copy::CopyRecord,
        html::visible,
        record::{BlockRange, PassRecord, Record},
    },
    console::format,
};

type Row = (&'static str, String);

fn ranges(list: &[BlockRange]) -> String {
    let one = |r: &BlockRange| format!("{}+{}", r.first_lba, r.blocks);
    let more = if list.len() > 8 { " \u{2026}" } else { "" };
    format!("{}{more}", list.iter().take(8).map(one).collect::<Vec<_>>().join(" "))
}

fn count(blocks: u64, list: &[BlockRange]) -> String {
    match list {
        [] => format::grouped(blocks),
        list => format!("{} at LBA {}", format::grouped(blocks), ranges(list)),
    }
}

/// One fact a line.
pub(super) fn text(certificate: &Certificate) -> String {
    let common = certificate.common();
    let work = match certificate {
        Certificate::Erasure(record) => erasure(record),
        Certificate::Copy(record) => copy(record),
    };
    let rows = [head(&common), work, read_back(&common), tail(&common)].concat();
    let lines = rows.iter().filter(|(_, value)| !value.is_empty());
    lines.map(|(name, value)| format!("{name:14}{}\n", visible(value))).chain([String::from("\n")]).collect()
}

fn head(common: &Common<'_>) -> Vec<Row> {
    let m = common.media;
    vec![
        ("outcome", common.outcome.to_uppercase()),
        ("statement", common.statement.into()),
        ("reason", common.reason.into()),
        ("model", m.model.clone()),
        ("serial", m.serial.clone()),
        ("wwn", m.wwn.clone()),
        ("capacity", format::exact(m.bytes, m.logical_block)),
    ]
}

fn erasure(record: &Record) -> Vec<Row> {
    let (s, c) = (&record.sanitisation, &record.coverage);
    let pass = |p: &PassRecord| format!("{} ({} bytes)", p.writes, format::grouped(p.bytes_written));
    vec![
        ("method", format!("{} ({})", s.title, s.method)),
        ("passes", s.passes.iter().map(pass).collect::<Vec<_>>().join(", ")),
        ("category", s.category.clone()),
        ("time", format!("{} \u{2013} {}", s.started, s.finished)),
        ("interruptions", s.interruptions.len().to_string()),
        ("not written", count(c.unwritable_blocks, &c.unwritable)),
    ]
}

fn copy(record: &CopyRecord) -> Vec<Row> {
    let (c, e) = (&record.copy, &record.exceptions);
    let bytes = |bytes: u64| format!("{} bytes", format::grouped(bytes));
    let mut rows = Vec::new();
    if let Some(source) = &record.source {
        rows.push(("source", format!("{} {} {}", source.model, source.serial, source.wwn)));
    }
    if let Some(image) = &record.image {
        rows.push(("image", format!("{} ({})", image.name, bytes(image.file_bytes))));
        rows.push(("manifest", image.manifest_sha256.clone()));
        rows.push(("image signer", image.signer.clone()));
        rows.push(("base", image.base.as_ref().map(|base| base.name.clone()).unwrap_or_default()));
    }
    rows.extend([("disk", bytes(c.bytes)), ("read", bytes(c.bytes_read)), ("free space", bytes(c.bytes_free))]);
    if record.action.writes() {
        rows.push(("written", bytes(c.bytes_written)));
        rows.push(("zeroed", bytes(c.bytes_zeroed)));
    }
    rows.extend([
        ("time", format!("{} \u{2013} {}", c.started, c.finished)),
        ("interruptions", c.interruptions.len().to_string()),
        ("not read", count(e.unreadable_blocks, &e.unreadable)),
        ("files hit", e.files.iter().take(8).cloned().collect::<Vec<_>>().join(", ")),
        ("not written", count(e.unwritable_blocks, &e.unwritable)),
    ]);
    rows
}

fn read_back(common: &Common<'_>) -> Vec<Row> {
    let v = common.verification;
    vec![
        ("verification", format!("{}: {}", v.extent, v.description)),
        ("equal", format::grouped(v.blocks_matched)),
        ("different", count(v.blocks_different, &v.different)),
        ("unreadable", count(v.blocks_unreadable, &v.unreadable)),
    ]
}

fn tail(common: &Common<'_>) -> Vec<Row> {
    let (o, l) = (common.operator, common.log);
    let operator = [&o.name, &o.title, &o.organisation, &o.location, &o.contact].map(String::as_str).join(" ");
    vec![
        ("operator", operator.trim().into()),
        ("machine", format!("{} {}, port {}", common.host.board, common.host.serial, common.host.port)),
        ("tool", format!("{} {}, {}", common.tool.name, common.tool.version, common.tool.kernel)),
        ("signer", l.stick.clone()),
        ("id", common.id.into()),
        ("log", format!("entry {} ({})", l.sequence, l.head)),
    ]
}
