//! The page of an image, a restore, a clone or a verification.

use super::{
    Frame,
    parts::{grouped, interruptions, listed, table, text, value, wide},
};
use crate::{
    certify::copy::{
        Action, CopyRecord, Exceptions, GptBackup, Image, LISTED, Mode, Origin, Outcome, Signature, TailHandling,
    },
    console::format::size,
};
use std::fmt::Write;

/// The page. `name` is the JSON's file name, `sha256` that of its bytes.
pub(in crate::certify) fn page(record: &CopyRecord, name: &str, sha256: &[u8]) -> String {
    let (title, medium) = match record.action {
        Action::Image => ("Certificate of disk imaging", "The drive (source)"),
        Action::Restore => ("Certificate of disk restoration", "The drive (target)"),
        Action::Clone => ("Certificate of disk cloning", "The drive (target)"),
        Action::Verify => ("Certificate of disk verification", "The drive"),
    };
    let (class, banner) = banner(record);
    let origin = record.source.as_ref().map(|source| self::origin(source, record.action)).unwrap_or_default();
    let image = record.image.as_ref().map(|image| self::image(image, record)).unwrap_or_default();
    let body = exceptions(record) + &origin + &image + &copied(record) + &partitions(record) + &read_back(record);
    super::frame(record, &Frame { title, class, banner, medium, body }, name, sha256)
}

fn banner(record: &CopyRecord) -> (&'static str, &'static str) {
    let lacking = record.exceptions.unreadable_blocks > 0;
    match (record.outcome, record.action) {
        (Outcome::Imaged, _) => ("good", "IMAGED"),
        (Outcome::ImagedWithExceptions, _) => ("fair", "IMAGED WITH EXCEPTIONS"),
        (Outcome::Restored, _) => ("good", "RESTORED AND VERIFIED"),
        (Outcome::RestoredWithExceptions, _) => ("fair", "RESTORED WITH EXCEPTIONS"),
        (Outcome::Cloned, _) => ("good", "CLONED AND VERIFIED"),
        (Outcome::ClonedWithExceptions, _) => ("fair", "CLONED WITH EXCEPTIONS"),
        (Outcome::Verified, _) if lacking => ("fair", "EQUAL TO THE IMAGE, WHICH HAS GAPS"),
        (Outcome::Verified, _) => ("good", "VERIFIED \u{2014} EQUAL TO THE IMAGE"),
        (Outcome::Differs, _) => ("bad", "DIFFERS FROM THE IMAGE"),
        (Outcome::Failed, Action::Image) => ("bad", "FAILED \u{2014} NOT IMAGED"),
        (Outcome::Failed, Action::Restore) => ("bad", "FAILED \u{2014} NOT RESTORED"),
        (Outcome::Failed, Action::Clone) => ("bad", "FAILED \u{2014} NOT CLONED"),
        (Outcome::Failed, Action::Verify) => ("bad", "FAILED \u{2014} NOT VERIFIED"),
        (Outcome::Interrupted, Action::Image) => ("bad", "INTERRUPTED \u{2014} NOT IMAGED"),
        (Outcome::Interrupted, Action::Restore) => ("bad", "INTERRUPTED \u{2014} NOT RESTORED"),
        (Outcome::Interrupted, Action::Clone) => ("bad", "INTERRUPTED \u{2014} NOT CLONED"),
        (Outcome::Interrupted, Action::Verify) => ("bad", "INTERRUPTED \u{2014} NOT VERIFIED"),
    }
}

fn bytes(count: u64) -> String {
    if count < 1000 { format!("{count} bytes") } else { format!("{} bytes ({})", grouped(count), size(count)) }
}

/// Addresses, counts and names of what went wrong; nothing where nothing did.
fn exceptions(record: &CopyRecord) -> String {
    let (e, v) = (&record.exceptions, &record.verification);
    let mut facts = Vec::new();
    let unreadable = match record.action {
        Action::Image => "Could not be read; zeros in the image",
        Action::Clone => "Could not be read from the source; zeros here",
        Action::Restore | Action::Verify => "Lacking in the image",
    };
    for (what, blocks, list) in [
        (unreadable, e.unreadable_blocks, &e.unreadable),
        ("Could not be written", e.unwritable_blocks, &e.unwritable),
        ("Different", v.blocks_different, &v.different),
        ("Could not be read back", v.blocks_unreadable, &v.unreadable),
    ] {
        if blocks > 0 || !list.is_empty() {
            facts.push((what, listed(blocks, list)));
        }
    }
    if e.unreadable_blocks > 0 || !e.files.is_empty() {
        facts.push(("Files hit", files(e)));
    }
    if facts.is_empty() { String::new() } else { table("Exceptions", &facts) }
}

fn files(e: &Exceptions) -> String {
    let mut out = format!("<b>{}</b>", grouped(e.files_hit));
    if !e.files.is_empty() {
        out.push_str("<ul style=\"margin:1mm 0;font-size:9pt\">");
        for name in e.files.iter().take(LISTED) {
            let _ = write!(out, "<li>{}</li>", text(name));
        }
        out.push_str("</ul>");
    }
    let more = e.files_hit.saturating_sub(e.files.len() as u64);
    if more > 0 {
        let _ = write!(out, "and {} more, whose names are not listed. ", grouped(more));
    }
    let _ = write!(out, " {}", text(&e.files_note));
    out
}

fn origin(source: &Origin, action: Action) -> String {
    let title = if action == Action::Clone { "The drive it was copied from" } else { "The disk the image was made of" };
    wide(
        title,
        &[
            ("Model", value(&source.model)),
            ("Serial number", value(&source.serial)),
            ("WWN", value(&source.wwn)),
            ("Capacity", format!("{}, blocks of {}", bytes(source.bytes), source.logical_block)),
        ],
    )
}

fn image(image: &Image, record: &CopyRecord) -> String {
    let signature = match image.signature {
        Signature::OwnKey => format!("<b>{}</b>, the key that signs this certificate", value(&image.signer)),
        Signature::Trusted => format!("<b>{}</b>, checked against the operator's list", value(&image.signer)),
        Signature::SelfAsserted => {
            format!("<b>{}</b>, vouched for by nothing but what lies beside the image", value(&image.signer))
        }
        Signature::NotChecked => "<b>not checked</b>".into(),
    };
    let mut facts = vec![
        ("File", format!("<b>{}</b>, {}", value(&image.name), bytes(image.file_bytes))),
        ("Holds a disk of", bytes(image.disk_bytes)),
        ("SHA-256 of the manifest", hash(&image.manifest_sha256)),
        ("BLAKE3 root", hash(&image.blake3)),
        ("Manifest signed by", signature),
    ];
    if record.action != Action::Image || image.bytes_checked > 0 {
        facts.push(("Checked by its hashes", bytes(image.bytes_checked)));
    }
    if let Some(base) = &image.base {
        let shown = format!("{}, manifest SHA-256 {}", value(&base.name), hash(&base.manifest_sha256));
        facts.push(("Needs the earlier image", shown));
    }
    table("The image", &facts)
}

fn hash(hash: &str) -> String {
    if hash.is_empty() { "none".into() } else { format!("<code>{}</code>", text(hash)) }
}

fn copied(record: &CopyRecord) -> String {
    let c = &record.copy;
    let mode = match c.mode {
        Mode::Raw => "every block of the disk",
        Mode::UsedBlock => "what the file systems use; everything else of the disk in full",
    };
    let mut facts = vec![
        ("To be copied", format!("{mode}, {}", bytes(c.bytes))),
        (if record.action.writes() { "Read from the source" } else { "Read" }, bytes(c.bytes_read)),
    ];
    if record.action == Action::Verify {
        facts[0] = ("To be compared", format!("{mode}, {}", bytes(c.bytes)));
        facts.remove(1);
    }
    if c.bytes_free > 0 {
        facts.push(("Free space, left out", bytes(c.bytes_free)));
    }
    if record.action.writes() {
        facts.push(("Written", bytes(c.bytes_written)));
        facts.push(("Zeroed instead", bytes(c.bytes_zeroed)));
        facts.push(("First MiB", if c.first_mib_last { "written last" } else { "not written last" }.into()));
    }
    facts.extend(ends(record));
    let hashes = [("SHA-512 of the contents", &c.sha512), ("SHA-256 of the contents", &c.sha256)];
    let known = hashes.into_iter().filter(|(_, hash)| !hash.is_empty());
    let zeros = if c.bytes_free > 0 { " with zeros for the free space" } else { "" };
    facts.extend(known.map(|(name, value)| (name, hash(value) + zeros)));
    facts.push(("Began, ended", format!("{} \u{2013} {}", value(&c.started), value(&c.finished))));
    let title = if record.action == Action::Verify { "What was compared" } else { "What was copied" };
    table(title, &facts) + &interruptions(&c.interruptions)
}

/// Where disk and drive do not end together.
fn ends(record: &CopyRecord) -> Vec<(&'static str, String)> {
    let c = &record.copy;
    let mut facts = Vec::new();
    let what = match c.tail.handling {
        TailHandling::None => None,
        TailHandling::Left if record.action == Action::Verify => Some("not compared"),
        TailHandling::Left => Some("left as it was; it may hold older data"),
        TailHandling::Zeroed => Some("zeroed"),
        TailHandling::Wiped => Some("wiped"),
    };
    facts.extend(what.map(|what| ("Drive beyond the disk", format!("{}: {what}", bytes(c.tail.bytes)))));
    if c.cut.bytes > 0 {
        let lost = match c.cut.bytes_used {
            0 => "no data there".into(),
            used => format!("<b>{} of data lost</b>", bytes(used)),
        };
        facts.push(("Disk beyond the drive", format!("{}: {lost}", bytes(c.cut.bytes))));
    }
    match c.gpt.backup {
        GptBackup::None => {}
        GptBackup::Left => facts.push(("Backup of the GPT", "left where it was on the disk".into())),
        GptBackup::Moved => facts.push(("Backup of the GPT", "moved to the drive's end".into())),
    }
    facts
}

fn partitions(record: &CopyRecord) -> String {
    if record.copy.partitions.is_empty() {
        return String::new();
    }
    let head = "<table class=\"list\"><tr><th>Partition</th><th>Contents</th><th>First LBA</th><th>Blocks</th><th>Copied</th><th>Why</th></tr>";
    let row = |p: &crate::certify::copy::Partition| {
        let mode = match p.mode {
            Mode::Raw => "every block",
            Mode::UsedBlock => "used blocks",
        };
        format!(
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{mode}</td><td>{}</td></tr>",
            p.number,
            value(&p.content),
            grouped(p.first_lba),
            grouped(p.blocks),
            value(&p.reason)
        )
    };
    head.to_owned() + &record.copy.partitions.iter().map(row).collect::<String>() + "</table>"
}

fn read_back(record: &CopyRecord) -> String {
    let v = &record.verification;
    let mut facts = vec![("Extent", format!("<b>{}</b>: {}", value(&v.extent), value(&v.description)))];
    if v.extent != "none" {
        facts.extend([
            ("Began, ended", format!("{} \u{2013} {}", value(&v.started), value(&v.finished))),
            ("Equal", format!("<b>{} blocks</b>", grouped(v.blocks_matched))),
            ("Different", format!("{} blocks", grouped(v.blocks_different))),
            ("Could not be read", format!("{} blocks", grouped(v.blocks_unreadable))),
        ]);
    }
    table("What was read back", &facts)
}
