//! What is known of one drive, in plain words. What is not known says so.

use super::remarks::remarks;
use crate::{
    ata::{
        Abilities,
        abilities::{EraseTime, SecurityAbilities},
        identify::Rotation,
    },
    blocks::FileBlocks,
    console::format::{grouped, printable},
    content::{self, Survey},
    discover::{Drive, Link},
    firmware::purge::{self, Offer},
    nvme::sanitize::State,
};
use std::fs::File;

type Line = (&'static str, String);
const UNKNOWN: &str = "not known";

/// What lies on a drive: its partition table and what its partitions hold. It reads sectors.
pub(crate) fn content(drive: &Drive) -> Option<Survey> {
    let disk = File::open(&drive.path).and_then(FileBlocks::new).ok()?;
    Some(content::outline(&disk, drive.geometry.ok()?.logical()))
}

/// A block of lines about one drive.
pub(crate) fn lines(drive: &Drive, content: Option<&Survey>, refusal: Option<&str>) -> Vec<Line> {
    // What a person should know comes first.
    let mut lines: Vec<_> = remarks(drive).into_iter().map(|remark| ("REMARK", remark)).collect();
    lines.extend(identity(drive));
    lines.extend(drive.ata.iter().flat_map(|ata| commands(drive, &ata.abilities)));
    lines.extend(controller(drive));
    lines.extend(scsi(drive));
    lines.push(("health", health(drive)));
    lines.push(("content", content.map_or_else(|| "not looked at".to_owned(), words)));
    lines.push(("a job", refusal.map_or_else(|| "may erase it".to_owned(), |why| format!("leaves it alone: {why}"))));
    lines
}

fn or_unknown(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).map_or_else(|| UNKNOWN.to_owned(), printable)
}

fn identity(drive: &Drive) -> Vec<Line> {
    let id = &drive.identity;
    let sectors = |sectors: Option<u64>| {
        sectors.map_or_else(|| UNKNOWN.to_owned(), |sectors| format!("{} sectors", grouped(sectors)))
    };
    let shown = drive.geometry.ok().map(|geometry| geometry.blocks());
    let blocks = match drive.geometry {
        Ok(geometry) => format!("{} bytes logical, {} physical", geometry.logical(), geometry.physical()),
        Err(error) => error.to_string(),
    };
    let mut lines = vec![
        ("model", or_unknown(Some(&id.model))),
        ("serial number", or_unknown(Some(&id.serial))),
        ("WWN", or_unknown(id.wwn.as_deref())),
        ("firmware", or_unknown(drive.firmware.as_deref())),
        ("size", format!("{} bytes, {}", grouped(id.bytes), sectors(shown))),
        ("native size", sectors(drive.native_sectors)),
        ("factory size", factory(drive)),
        ("blocks", blocks),
        ("medium", medium(drive)),
        ("attached", format!("{} at {}", drive.bus, or_unknown(Some(&drive.port)))),
        ("link", drive.link.as_ref().map_or_else(|| UNKNOWN.to_owned(), Link::words)),
    ];
    if let Some((model, serial)) = drive.behind_bridge() {
        lines.push(("behind bridge", format!("{} {}", printable(model), printable(serial))));
    }
    lines
}

/// The size without an overlay, and what could not be asked.
fn factory(drive: &Drive) -> String {
    let Some(sizes) = &drive.details.sizes else { return UNKNOWN.into() };
    let unknown: Vec<_> = sizes.unknown().map(|(limit, why)| format!("; {limit} not known: {why}")).collect();
    format!("{} sectors{}", grouped(sizes.largest()), unknown.concat())
}

fn medium(drive: &Drive) -> String {
    let medium = match (drive.details.rotation, drive.rotational) {
        (Some(Rotation::Rpm(rpm)), _) => format!("disk, {rpm} rpm"),
        (Some(Rotation::None), _) | (None, Some(false)) => "solid-state".into(),
        (None, Some(true)) => "disk, as far as the kernel knows".into(),
        (None, None) => UNKNOWN.into(),
    };
    let trim = drive.ata.as_ref().map(|ata| if ata.trim { ", TRIM" } else { ", no TRIM" });
    let form = drive.details.form_factor.map(|form| format!(", {form}"));
    medium + form.as_deref().unwrap_or("") + trim.unwrap_or("")
}

/// What an ATA drive can be asked for, and what is in the way.
fn commands(drive: &Drive, abilities: &Abilities) -> Vec<Line> {
    let best = best_purge(drive, Offer::Ata(abilities));
    let limits = [(abilities.hpa, "HPA"), (abilities.dco, "DCO"), (abilities.accessible_max, "Accessible Max Address")];
    let hidden = match drive.hidden_bytes() {
        Some(0) => "; an HPA hides nothing".to_owned(),
        Some(bytes) => format!("; an HPA HIDES {} bytes", grouped(bytes)),
        None => String::new(),
    };
    let hides = named(&limits.map(|(feature, name)| (feature.supported, name)), "no command for it");
    let sanitize = abilities.sanitize.map_or_else(
        || "not supported".to_owned(),
        |s| {
            let offers =
                [(s.overwrite, "overwrite"), (s.block_erase, "block erase"), (s.crypto_scramble, "crypto scramble")];
            named(&offers, "supported, without an operation")
        },
    );
    vec![
        ("can hide by", hides + &hidden),
        ("security", abilities.security.map_or_else(|| "not supported".to_owned(), security)),
        ("sanitize", sanitize),
        ("best purge", best),
    ]
}

/// What an NVMe drive says of itself, and can be asked for.
fn controller(drive: &Drive) -> Vec<Line> {
    let Some(controller) = &drive.details.controller else { return Vec::new() };
    let (s, f) = (controller.sanitize, controller.format);
    let sanitize = [(s.overwrite, "overwrite"), (s.block_erase, "block erase"), (s.crypto_erase, "crypto erase")];
    let format = [
        (f.supported, "supported"),
        (f.supported && f.cryptographic, "with cryptographic erase"),
        (f.supported && f.reaches_all, "reaches all namespaces"),
    ];
    let last = drive.details.sanitized.map_or("", |log| match log.state {
        State::Never => "; never done",
        State::Completed if log.untouched_since => "; the last one completed, and nothing was written since",
        State::Completed => "; the last one completed",
        State::InProgress => "; IN PROGRESS",
        State::Failed => "; the last one FAILED",
        State::Other(_) => "",
    });
    vec![
        ("NVMe", format!("{}, {} namespace(s)", or_unknown(controller.version.as_deref()), controller.namespaces)),
        ("all of its NVM", controller.total_bytes.map_or_else(|| UNKNOWN.into(), |n| format!("{} bytes", grouped(n)))),
        ("sanitize", named(&sanitize, "not supported") + last),
        ("format", named(&format, "not supported")),
        ("best purge", best_purge(drive, Offer::Nvme(s, f))),
    ]
}

/// What a SCSI disk can be asked for.
fn scsi(drive: &Drive) -> Vec<Line> {
    let Some(actions) = &drive.details.actions else { return Vec::new() };
    let names: Vec<_> = actions.iter().map(|action| (true, action.name())).collect();
    vec![("sanitize", named(&names, "not supported")), ("best purge", best_purge(drive, Offer::Scsi(actions)))]
}

/// What `method = "purge"` would choose.
fn best_purge(drive: &Drive, offer: Offer<'_>) -> String {
    let best = purge::best(offer, drive.medium());
    best.map_or_else(|none| none.to_string(), |best| best.technique.name().to_owned())
}

fn named(all: &[(bool, &str)], none: &str) -> String {
    let names: Vec<_> = all.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
    if names.is_empty() { none.to_owned() } else { names.join(", ") }
}

fn security(s: SecurityAbilities) -> String {
    let time = |time: Option<EraseTime>| match time {
        Some(EraseTime::About(time)) => format!("about {}", humantime::format_duration(time)),
        Some(EraseTime::AtLeast(time)) => format!("at least {}", humantime::format_duration(time)),
        None => "no estimate".into(),
    };
    let states = [
        (s.enabled, "a password is SET"),
        (s.locked, "LOCKED"),
        (s.frozen, "FROZEN by the PC's firmware"),
        (s.count_expired, "too many wrong passwords"),
    ];
    let enhanced = if s.enhanced_erase { time(s.enhanced_erase_time) } else { "not offered".into() };
    format!("{}; erase: {}; enhanced: {enhanced}", named(&states, "no password, not frozen"), time(s.erase_time))
}

fn health(drive: &Drive) -> String {
    let Some(health) = &drive.health else { return "not asked, or not told".into() };
    let verdict = match health.passed {
        Some(true) => "passed".to_owned(),
        Some(false) => "THE DRIVE SAYS THAT IT IS FAILING".to_owned(),
        None => "no verdict".into(),
    };
    let counts = [
        (health.reallocated, "reallocated sectors"),
        (health.pending, "pending sectors"),
        (health.uncorrectable, "uncorrectable sectors"),
        (health.reported_uncorrectable, "reported errors"),
        (health.command_timeouts, "command time-outs"),
        (health.crc_errors, "CRC errors on the cable"),
        (health.reallocation_events, "attempts to replace sectors"),
        (health.media_errors, "media errors"),
        (health.unsafe_shutdowns, "losses of power"),
        (health.bytes_written, "bytes written"),
        (health.percentage_used, "% of its life used"),
        (health.available_spare, "% of its spare left"),
        (health.power_on_hours, "h powered on"),
        (health.power_cycles, "power cycles"),
        (health.temperature_celsius, "C"),
    ];
    let told = counts.iter().filter_map(|(count, name)| count.map(|count| format!("{} {name}", grouped(count))));
    [verdict].into_iter().chain(told).collect::<Vec<_>>().join(", ")
}

fn words(survey: &Survey) -> String {
    let volumes = survey.volumes.iter().map(|volume| {
        let label = if volume.label.is_empty() { String::new() } else { format!(" \"{}\"", printable(&volume.label)) };
        let number = if volume.number == 0 { String::new() } else { format!("{}: ", volume.number) };
        format!("{number}{}{label}, {} bytes", volume.kind, grouped(volume.len))
    });
    [survey.table.to_string()].into_iter().chain(volumes).collect::<Vec<_>>().join("; ")
}
