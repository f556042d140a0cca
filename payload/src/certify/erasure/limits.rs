//! What an erasure's certificate does not claim.

use crate::{
    ata::Health,
    certify::{
        parts,
        record::{CommandRecord, KeptImage, Media, Record},
    },
    discover::Bus,
    firmware::purge,
};
use mule_types::technique::Technique;
use serde::Deserialize;

pub(super) fn limits(record: &Record) -> Vec<String> {
    let mut limits: Vec<String> = record.kept_images.iter().map(kept).collect();
    limits.extend(parts::limits(&record.media, technique(record)));
    limits.extend(hidden(record));
    limits.extend(parts::cached(&record.verification));
    match &record.sanitisation.command {
        Some(command) => limits.extend(command_limits(command, record.sanitisation.category == "Purge")),
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
    limits.extend(grown(&record.media).map(|told| told + " What a replaced sector held cannot be reached any more."));
    if record.media.interface == Bus::File.to_string() {
        limits.push(
            "This is a file on a file system, not a drive: where its blocks lie on the medium, and whether copies of older \
             ones are left there, is not known."
                .into(),
        );
    }
    if !record.sanitisation.interruptions.is_empty() {
        let then = match record.verification.extent.as_str() {
            "none" => "nothing was read back at the end",
            _ => "what was read back at the end was read after the last interruption",
        };
        limits.push(format!(
            "The work was interrupted. Blocks dealt with before an interruption were sampled, not all read, before it went on; \
             {then}."
        ));
    }
    limits
}

/// What the drive, or what it is connected through, did not let through.
fn hidden(record: &Record) -> Option<String> {
    let hidden = record.coverage.hidden.as_ref().filter(|hidden| hidden.bytes_not_reached > 0)?;
    Some(format!(
        "{} bytes that the drive states beyond what can be addressed were NOT reached: what they hold is not known.",
        hidden.bytes_not_reached
    ))
}

fn kept(kept: &KeptImage) -> String {
    let KeptImage { image, since, until, manifest_sha256: manifest, looked, fault } = kept;
    if fault.is_empty() {
        format!(
            "What the drive held on {since} is NOT gone: the image {image} of it is kept until {until} or until it is removed. When \
             it was looked at, on {looked}, the sizes of its files, its index and its manifest (SHA-256 {manifest}) were as they \
             were signed; its contents were not read again."
        )
    } else {
        format!(
            "What the drive held on {since} may NOT be gone: the image {image} of it (SHA-256 of its manifest: {manifest}) was to \
             be kept until {until}, but when it was looked at, on {looked}, it was not as it was signed: {fault}."
        )
    }
}

fn technique(record: &Record) -> Option<Technique> {
    purge::named(&record.sanitisation.command.as_ref()?.name)
}

fn command_limits(command: &CommandRecord, purged: bool) -> Vec<String> {
    let technique = purge::named(&command.name);
    let name = technique.map_or("the command", Technique::name);
    let mut limits = vec![match purged {
        true => format!("{name} is called a purge of such a medium by: {}.", command.purge),
        false if technique.is_some_and(|technique| !technique.erases()) => {
            format!("{name} is no erasure, and is not claimed to be one.")
        }
        false => format!("{name} is not claimed to be a Purge here."),
    }];
    limits.push(
        "What the drive's firmware did where it cannot be read (remapped sectors, over-provisioned cells, areas it hides) is \
         its maker's word; what can be read was read as the verification says."
            .into(),
    );
    if technique.is_some_and(purge::is_cryptographic) {
        limits.push(
            "It destroys keys, not data: a purge only where the drive's encryption is validated and was on before the first \
             data were written (NIST SP 800-88 Rev. 1, 2.6; Rev. 2, 3.2), which no command tells."
                .into(),
        );
    }
    limits
}

/// A drive that lost sectors while it was worked on.
pub(crate) fn grown(media: &Media) -> Option<String> {
    let health = |value: &Option<serde_json::Value>| Health::deserialize(value.as_ref()?).ok();
    let grown = counts(&health(&media.health_before)?, &health(&media.health_after)?);
    let words: Vec<_> =
        grown.iter().map(|(name, before, after)| format!("{name} {before} before, {after} after")).collect();
    (!words.is_empty()).then(|| format!("THE DRIVE GREW DEFECTS while it was worked on: {}.", words.join("; ")))
}

/// What changed for the worse in a drive's own counts while it was worked on: name, before, after.
fn counts(before: &Health, after: &Health) -> Vec<(&'static str, u64, u64)> {
    [
        ("reallocated sectors", before.reallocated, after.reallocated),
        ("sectors pending reallocation", before.pending, after.pending),
        ("uncorrectable sectors", before.uncorrectable, after.uncorrectable),
        ("media errors", before.media_errors, after.media_errors),
    ]
    .into_iter()
    .filter_map(|(name, before, after)| Some((name, before?, after?)).filter(|(_, before, after)| after > before))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_counted_before_and_after_can_have_counts() {
        let before = Health { reallocated: Some(5), pending: Some(2), uncorrectable: None, ..Health::default() };
        let after = Health { reallocated: Some(12), pending: Some(0), uncorrectable: Some(3), ..Health::default() };
        assert_eq!(counts(&before, &after), [("reallocated sectors", 5, 12)]);
        assert_eq!(counts(&after, &after), []);
    }
}
