//! What an overwrite may not have reached, in words.

use crate::{certify::record::Hidden, journal::event::Sizes};

/// Of a drive that was not asked, or cannot be.
const NOT_ASKED: &str = "whether there is a Host Protected Area was not found out; a Device Configuration Overlay and sectors the \
                         drive has remapped were not examined";

/// What a certificate says: more than its numbers carry it cannot.
pub(super) fn stated(hidden: Option<&Hidden>) -> String {
    hidden.map_or_else(
        || NOT_ASKED.to_owned(),
        |it| {
            let words = words(&it.before, &it.after, &it.unknown, &it.left);
            format!("{words}; sectors the drive has remapped were not examined")
        },
    )
}

/// What is known of a drive's hidden areas, as a certificate and a person read it.
pub(crate) fn words(before: &Sizes, after: &Sizes, unknown: &str, left: &str) -> String {
    let limits = [
        ("Host Protected Area", after.native),
        ("Device Configuration Overlay", after.factory),
        ("Accessible Max Address", after.accessible),
    ];
    let asked = limits.iter().filter(|(_, size)| size.is_some()).map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let mut parts = Vec::new();
    match (before.hidden(), after.hidden()) {
        (0, 0) if asked.is_empty() && !unknown.is_empty() => {}
        (0, 0) if !unknown.is_empty() => {
            parts.push(format!("the drive shows all {} bytes it states ({asked})", after.visible));
        }
        (0, 0) if asked.is_empty() => parts.push("the drive has no commands to hide sectors by, or says so".to_owned()),
        (0, 0) => parts.push(format!("none: the drive shows all {} bytes it states ({asked})", after.visible)),
        (hidden, 0) => parts.push(format!(
            "{hidden} bytes were hidden and were lifted before the wipe: {} shown before, {} after",
            before.visible, after.visible
        )),
        (_, hidden) => parts.push(format!("{hidden} of {} bytes are hidden and were NOT reached", after.largest())),
    }
    if let Some(kept @ 1..) = after.stated.map(|stated| stated.saturating_sub(after.visible)) {
        parts.push(format!("what the drive is connected through keeps {kept} bytes of those that it shows to itself"));
    }
    if !left.is_empty() {
        parts.push(left.to_owned());
    }
    if !unknown.is_empty() {
        parts.push(format!("NOT found out: {unknown}"));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use crate::certify::{check::contradictions, fixture};

    #[test]
    fn a_drive_that_was_not_asked_is_not_said_to_hide_nothing() {
        let mut record = fixture::erased();
        assert!(contradictions(&record).is_empty() && record.coverage.hidden.is_none());
        record.coverage.hidden_areas = "none: the drive shows all that it has".into();
        assert_eq!(contradictions(&record), ["words about hidden areas that its numbers do not carry"]);
        let mut record = fixture::purged();
        assert!(contradictions(&record).is_empty());
        record.coverage.hidden_areas.push_str(", and no cell was left out");
        assert!(!contradictions(&record).is_empty());
    }
}
