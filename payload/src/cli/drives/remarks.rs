//! What a person should know of a drive at once, and what helps.

use crate::{ata::Health, console::format::grouped, discover::Drive};

/// A count that should be small: where it is, from how many on it is told, what it is, and what helps.
type Count = (fn(&Health) -> Option<u64>, u64, &'static str, &'static str);

const COUNTS: &[Count] = &[
    (|h| h.pending, 1, "sectors cannot be read and wait to be written", "writing may bring them back; watch the count"),
    (|h| h.uncorrectable, 1, "sectors are unreadable", "do not trust it with data"),
    (|h| h.media_errors, 1, "media errors", "do not trust it with data"),
    (|h| h.reallocated, 1, "sectors are replaced by spare ones", "a count that grows is a drive that dies"),
    (|h| h.reported_uncorrectable, 1, "errors could not be corrected", "watch the count"),
    (|h| h.crc_errors, 1, "transfer errors on the cable since it was made", "where it grows, change the cable"),
    (|h| h.percentage_used, 100, "% of its rated life is used", "it may stop taking writes"),
];

/// What stands in the way of its own commands, and what helps.
fn locks(drive: &Drive) -> Vec<String> {
    let Some(security) = drive.ata.as_ref().and_then(|ata| ata.abilities.security) else { return Vec::new() };
    let states = [
        (security.locked, "LOCKED by a password: it gives and takes no data until it is unlocked"),
        (security.enabled && !security.locked, "a password is set: after the next power-on it is locked"),
        (
            security.frozen,
            "frozen by the PC's firmware: its own erase is refused until its power is switched off and on (pull its \
             power connector, wait ten seconds, plug it in again)",
        ),
        (security.count_expired, "too many wrong passwords: switch its power off and on to try again"),
    ];
    states.iter().filter(|(on, _)| *on).map(|(_, words)| (*words).to_owned()).collect()
}

/// A disk that sanitizes itself takes nothing else.
pub(crate) fn at_work(drive: &Drive) -> Option<String> {
    let percent =
        drive.details.at_work?.map_or_else(String::new, |done| format!(", {} %", u32::from(done) * 100 / 65_536));
    Some(format!("it is SANITIZING ITSELF{percent}: leave it powered, and start again when it has ended"))
}

/// What it does not show.
fn hidden(drive: &Drive) -> Vec<String> {
    let limits = [
        (drive.hidden_bytes(), "a Host Protected Area"),
        (drive.overlaid_bytes(), "a Device Configuration Overlay or an Accessible Max Address"),
    ];
    let told = limits.into_iter().filter_map(|(bytes, limit)| Some((bytes.filter(|bytes| *bytes > 0)?, limit)));
    told.map(|(bytes, limit)| format!("{limit} hides {} bytes: an overwrite does not reach them", grouped(bytes)))
        .collect()
}

fn health(drive: &Drive) -> Vec<String> {
    let Some(health) = &drive.health else { return Vec::new() };
    let failing = (health.passed == Some(false)).then(|| "THE DRIVE SAYS THAT IT IS FAILING".to_owned());
    let attributes = health.failing_attributes.iter().map(|id| format!("SMART attribute {id} is below its threshold"));
    let warnings = health.warnings.iter().map(|warning| format!("the controller warns: {warning}"));
    let counts = COUNTS.iter().filter_map(|(count, from, words, advice)| {
        let count = count(health).filter(|count| count >= from)?;
        Some(format!("{} {words}: {advice}", grouped(count)))
    });
    let limit = drive.details.controller.as_ref().and_then(|controller| controller.warning_celsius);
    let hot = health.temperature_celsius.zip(limit).filter(|(now, limit)| now >= limit);
    let hot = hot.map(|(now, limit)| format!("{now} C: too hot, its own limit is {limit} C"));
    failing.into_iter().chain(attributes).chain(warnings).chain(counts).chain(hot).collect()
}

/// All of it, the worst first.
pub(crate) fn remarks(drive: &Drive) -> Vec<String> {
    let slow = drive.link.as_ref().filter(|link| link.slowed);
    let slow = slow.map(|_| "attached slower than both ends could be: check cable and connectors".to_owned());
    let protected = drive.read_only.then(|| "write-protected".to_owned());
    let told = at_work(drive).into_iter().chain(health(drive)).chain(locks(drive)).chain(hidden(drive));
    told.chain(protected).chain(slow).collect()
}
