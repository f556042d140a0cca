//! What certificates of all kinds say of the way to the drive: which part of its device was addressed, what else the device
//! holds, and whether what was read back came from it.

use super::{
    check::Findings,
    record::{Media, Verification},
};
use crate::{
    discover::Bus,
    firmware::units::{Kind, LISTED, Other, Unit},
};
use mule_types::technique::Technique;

/// What a statement is about, where that is not known to be the whole drive as far as a technique reaches.
pub(super) fn about(media: &Media, technique: Option<Technique>) -> Option<String> {
    let unit = media.unit.as_ref().filter(|unit| !unit.is_whole(technique))?;
    let name = unit_name(unit);
    Some(match unit.other_units {
        0 => format!("This is about {name} alone: it is not known to be all that the device holds."),
        _ => format!("This is about {name} alone, which is not all that the device holds."),
    })
}

/// The reservation about a reading back that may not have come to the medium.
pub(super) fn cached(verification: &Verification) -> Option<String> {
    let read = !verification.started.is_empty() && !verification.past_host_caches;
    read.then(|| {
        "It is not known that what was read back came from the medium: the host may have answered from a cache of its own.".into()
    })
}

/// What was addressed, by kind and name.
fn unit_name(unit: &Unit) -> String {
    match (unit.kind, unit.name.as_str()) {
        (Kind::Drive, _) => "the drive that was addressed".into(),
        (kind, "") => format!("the {} that was addressed", kind.words()),
        (Kind::Area, name) => format!("the area \"{name}\""),
        (kind, name) => format!("{} {name}", kind.words()),
    }
}

/// What else the device holds, or may hold.
pub(super) fn limits(media: &Media, technique: Option<Technique>) -> Vec<String> {
    let Some(unit) = &media.unit else {
        return vec![
            "Whether the device holds more than what was addressed (other namespaces, logical units or areas) was not found out."
                .into(),
        ];
    };
    let kind = match unit.kind {
        Kind::Drive => "Part",
        Kind::Namespace => "Namespace",
        Kind::LogicalUnit => "Logical unit",
        Kind::Area => "Area",
    };
    let one = |other: &Other| {
        let size = other.bytes.map_or_else(|| "size not known".to_owned(), |bytes| format!("{bytes} bytes"));
        let what = if unit.kind == Kind::Namespace { "controller" } else { "device" };
        format!(
            "{kind} {} ({size}) of the same {what} was not addressed: this certificate says nothing about it.",
            other.name
        )
    };
    let mut limits: Vec<String> = unit.others.iter().map(one).collect();
    if let more @ 1.. = unit.other_units.saturating_sub(unit.others.len() as u64) {
        limits.push(format!("{more} more {}s of the same device were not addressed.", unit.kind.words()));
    }
    let subsystem = matches!(technique, Some(Technique::NvmeSanitize(_)));
    if let Some(bytes @ 1..) = unit.unallocated_bytes.filter(|_| !subsystem) {
        limits.push(format!(
            "{bytes} bytes of the device's capacity belong to no namespace and were not reached: what a deleted namespace \
             held may still be there."
        ));
    }
    if !unit.unknown.is_empty() {
        limits.push(format!("What else the device holds could not all be found out: {}.", unit.unknown));
    }
    limits
}

/// How the data lie, by the words that certificates have for it; the last two where the drive did not say it.
const MEDIA_TYPES: [&str; 4] = ["hard disk", "solid-state", "unknown", ""];

/// What was addressed fits the interface, and what else there is fits its count.
pub(super) fn check(media: &Media, found: &mut Findings) {
    found.expect(MEDIA_TYPES.contains(&media.media_type.as_str()), "a type of medium that is none of the words for it");
    let Some(unit) = &media.unit else { return };
    let named = [(Bus::Nvme, Kind::Namespace), (Bus::Mmc, Kind::Area), (Bus::Usb, Kind::LogicalUnit)];
    let fits = named.iter().all(|(bus, kind)| media.interface != bus.to_string() || unit.kind == *kind);
    found.expect(fits, "a part of the device that such an interface does not have");
    let listed = unit.others.len() as u64 == unit.other_units.min(LISTED as u64);
    found.expect(listed, "a list of what else the device holds that does not fit its count");
    let own = unit.others.iter().all(|other| !other.name.is_empty() && other.name != unit.name);
    found.expect(own, "what was addressed among what was not");
    let capacity = unit.unallocated_bytes.is_none() || unit.kind == Kind::Namespace;
    found.expect(capacity, "capacity of no namespace, of a drive without namespaces");
}

#[cfg(test)]
mod tests {
    use crate::certify::{check::contradictions, fixture};

    #[test]
    fn a_type_of_medium_is_one_of_few_words() {
        let mut record = fixture::erased();
        for (word, known) in [("solid-state", true), ("unknown", true), ("hard disk, degaussed", false)] {
            record.media.media_type = word.into();
            assert_eq!(contradictions(&record).is_empty(), known, "{word}");
        }
    }
}
