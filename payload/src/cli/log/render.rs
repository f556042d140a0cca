//! Entries as people and scripts read them. A random pass's key rebuilds everything the pass wrote; it stays in the log.

use crate::{
    ata::security::PASSWORD_TEXT,
    certify::key::PublicStickKey,
    console::format::{grouped, printable, size},
    firmware::erase::Evidence,
    job::{issue, record},
    journal::{
        event::{DefectKind, DriveRef, Event, Extent, JobId, Outcome, PassContent, Progress, Sweep, Verify},
        replay::{DriveHistory, JobHistory},
    },
    plan::Content,
};
use serde_json::{Value, json};

pub(super) use issue::hex;

/// An RFC 3339 time in UTC, by the clock of the machine that wrote it.
pub(super) fn when(at: u64) -> String {
    record::time(Some(at))
}

/// Enough of a job's id to tell it from others of one log.
fn short(job: &JobId) -> String {
    hex(&job[..4])
}

fn extent_of(verify: Verify) -> &'static str {
    match verify {
        Verify::Full => "full",
        Verify::Sampled => "sampled",
        Verify::None => "none",
    }
}

fn kind(kind: DefectKind) -> &'static str {
    match kind {
        DefectKind::Unwritable => "unwritable",
        DefectKind::Unreadable => "unreadable",
        DefectKind::Mismatch => "different",
    }
}

fn sweep_words(sweep: Sweep) -> String {
    match sweep {
        Sweep::Pass(number) => format!("pass {}", u32::from(number) + 1),
        Sweep::Verify => "verification".into(),
        Sweep::MarkersWritten => "writing of markers".into(),
        Sweep::MarkersRead => "reading of the markers".into(),
        Sweep::MarkersGone => "search for the markers".into(),
    }
}

fn sweep_value(sweep: Sweep) -> Value {
    match sweep {
        Sweep::Pass(number) => json!({"pass": u32::from(number) + 1}),
        Sweep::Verify => json!("verify"),
        Sweep::MarkersWritten => json!("markers-written"),
        Sweep::MarkersRead => json!("markers-read"),
        Sweep::MarkersGone => json!("markers-gone"),
    }
}

fn contents(passes: &[PassContent]) -> Vec<String> {
    passes.iter().map(|pass| Content::from(*pass).to_string()).collect()
}

fn drive_words(drive: &DriveRef) -> String {
    let serial = if drive.serial.is_empty() { "(no serial)" } else { drive.serial.as_str() };
    format!("{} serial {}, {}", printable(&drive.model), printable(serial), size(drive.bytes))
}

fn drive_value(drive: &DriveRef) -> Value {
    json!({
        "model": drive.model.as_str(), "serial": drive.serial.as_str(), "wwn": drive.wwn.as_ref().map(|w| w.as_str()),
        "bytes": drive.bytes, "logical_block": drive.logical,
    })
}

/// The seed of a verification tells which places were sampled; the key of a pass is withheld.
fn key_words(sweep: Sweep, key: Option<&[u8; 32]>) -> Option<String> {
    match (sweep, key) {
        (_, None) => None,
        (Sweep::Verify, Some(seed)) => Some(format!("seed {}", hex(seed))),
        (_, Some(_)) => Some("key withheld".into()),
    }
}

/// An event as a sentence; nothing in it can move a cursor.
pub(super) fn words(event: &Event) -> String {
    match event {
        Event::Created { image } => format!("log created on a stick of image {}", hex(image)),
        Event::KeyMade { public, replaces } => {
            let made = PublicStickKey(*public);
            let other = replaces.map(|old| {
                let old = PublicStickKey(old).stick_id();
                format!("; {old} is put aside: the medium showed another model, serial number or size (or is a copy)")
            });
            format!("signing key: {} ({}){}", made.stick_id(), made.fingerprint(), other.unwrap_or_default())
        }
        Event::Boot { version, kernel, board } => {
            format!("started: mule {}, kernel {}, on {}", printable(version), printable(kernel), printable(board))
        }
        Event::Refused { reason } => format!("REFUSED: {}", printable(reason)),
        Event::JobStarted { job, action: what, method, passes, verify, drives, .. } => format!(
            "job {}: {} authorised for {drives} drive(s), method {} ({}), verification {}",
            short(job),
            what.word(),
            printable(method),
            contents(passes).join(", "),
            extent_of(*verify)
        ),
        Event::JobResumed { job } => format!("job {}: goes on after an interruption", short(job)),
        Event::JobFinished { job } => format!("job {}: finished", short(job)),
        Event::Shutdown => "switching off or restarting in good order".into(),
        Event::Note { text } => format!("note: {}", printable(text)),
        Event::PasswordMayBeSet { model, serial } => format!(
            "{} {} is about to get the user password \"{PASSWORD_TEXT}\", and may have it from here on",
            printable(model),
            printable(serial)
        ),
        Event::PasswordGone { model, serial } => {
            format!("{} {} was asked and has no password", printable(model), printable(serial))
        }
        Event::Checkpoint { job, drives } => {
            let reached: Vec<_> = drives.iter().map(reached).collect();
            format!("job {}: {}", short(job), reached.join("; "))
        }
        Event::DriveStarted { job, slot, .. }
        | Event::SweepStarted { job, slot, .. }
        | Event::Defects { job, slot, .. }
        | Event::SweepFinished { job, slot, .. }
        | Event::DriveRestarted { job, slot, .. }
        | Event::DriveWaits { job, slot, .. }
        | Event::DriveFinished { job, slot, .. }
        | Event::HiddenAreas { job, slot, .. }
        | Event::CommandStarted { job, slot, .. }
        | Event::CommandEnded { job, slot, .. }
        | Event::Inspected { job, slot, .. }
        | Event::Certified { job, slot, .. } => format!("job {} drive {slot}: {}", short(job), drive_event(event)),
    }
}

fn reached(progress: &Progress) -> String {
    format!("drive {} {} at byte {}", progress.slot, sweep_words(progress.sweep), grouped(progress.offset))
}

fn extents(list: &[Extent]) -> String {
    list.iter().map(|e| format!("{}+{}", e.start, e.len)).collect::<Vec<_>>().join(" ")
}

/// What happened to one drive.
fn drive_event(event: &Event) -> String {
    match event {
        Event::DriveStarted { drive, .. } => format!("claimed: {}", drive_words(drive)),
        Event::HiddenAreas { removal, before, after, unknown, left, .. } => {
            let asked = if *removal { "to be lifted" } else { "looked for" };
            let rest = [("; not found out: ", unknown.as_str()), ("; left: ", left.as_str())];
            let rest = rest.iter().filter(|(_, what)| !what.is_empty());
            let rest: String = rest.map(|(name, what)| format!("{name}{}", printable(what))).collect();
            format!(
                "hidden areas {asked}: {} of {} bytes shown before, {} of {} after{rest}",
                grouped(before.visible),
                grouped(before.largest()),
                grouped(after.visible),
                grouped(after.largest())
            )
        }
        Event::CommandStarted { technique, .. } => format!("is about to be sent {}", printable(technique)),
        Event::CommandEnded { evidence, .. } => {
            let words = Evidence::named(evidence).map_or_else(|| printable(evidence), |known| known.words().into());
            format!("says that it has erased itself: {words}")
        }
        Event::Inspected { kinds: [zeros, ones, repeating, varied], .. } => format!(
            "holds {} bytes of zeros, {} of ones, {} of another pattern, {} of other data",
            grouped(*zeros),
            grouped(*ones),
            grouped(*repeating),
            grouped(*varied)
        ),
        Event::SweepStarted { sweep, key, .. } => {
            let key = key_words(*sweep, key.as_ref()).map(|words| format!(" ({words})")).unwrap_or_default();
            format!("{} begins{key}", sweep_words(*sweep))
        }
        Event::Defects { sweep, kind: what, extents: list, .. } => {
            format!("{}: {} bytes at {}", sweep_words(*sweep), kind(*what), extents(list))
        }
        Event::SweepFinished { sweep, bytes, .. } => format!("{} ends: {} bytes", sweep_words(*sweep), grouped(*bytes)),
        Event::DriveRestarted { reason, .. } => format!("begins again with the first pass: {}", printable(reason)),
        Event::DriveWaits { reason, .. } => format!("is waited for, the job stays open: {}", printable(reason)),
        Event::DriveFinished { outcome, reason, .. } => outcome_words(*outcome, reason),
        Event::Certified { name, sha256, .. } => format!("certificate {} (SHA-256 {})", printable(name), hex(sha256)),
        _ => String::new(),
    }
}

fn outcome_words(outcome: Outcome, reason: &str) -> String {
    let word = outcome.word().to_uppercase();
    if reason.is_empty() { word } else { format!("{word}: {}", printable(reason)) }
}

/// An event's name and its fields, as JSON.
pub(super) fn fields(event: &Event) -> (&'static str, Value) {
    match event {
        Event::Created { image } => ("created", json!({"image": hex(image)})),
        Event::KeyMade { public, replaces } => {
            let key = |bytes: [u8; 32]| PublicStickKey(bytes);
            let old = replaces.map(|old| key(old).stick_id());
            ("key-made", json!({"stick": key(*public).stick_id(), "key": key(*public).openssh(), "replaces": old}))
        }
        Event::Boot { version, kernel, board } => {
            ("boot", json!({"version": version.as_str(), "kernel": kernel.as_str(), "board": board.as_str()}))
        }
        Event::Refused { reason } => ("refused", json!({"reason": reason.as_str()})),
        Event::JobStarted { job, action: what, method, passes, verify, request, drives } => (
            "job-started",
            json!({
                "job": hex(job), "action": what.word(), "method": method.as_str(), "passes": contents(passes),
                "verify": extent_of(*verify), "request_blake3": hex(request), "drives": drives,
            }),
        ),
        Event::Checkpoint { job, drives } => {
            let one = |p: &Progress| json!({"slot": p.slot, "sweep": sweep_value(p.sweep), "offset": p.offset});
            ("checkpoint", json!({"job": hex(job), "drives": drives.iter().map(one).collect::<Vec<_>>()}))
        }
        Event::JobResumed { job } => ("job-resumed", json!({"job": hex(job)})),
        Event::JobFinished { job } => ("job-finished", json!({"job": hex(job)})),
        Event::Shutdown => ("shutdown", json!({})),
        Event::Note { text } => ("note", json!({"text": text.as_str()})),
        Event::PasswordMayBeSet { model, serial } => {
            ("password-may-be-set", json!({"model": model.as_str(), "serial": serial.as_str()}))
        }
        Event::PasswordGone { model, serial } => {
            ("password-gone", json!({"model": model.as_str(), "serial": serial.as_str()}))
        }
        of_a_drive => drive_fields(of_a_drive),
    }
}

fn drive_fields(event: &Event) -> (&'static str, Value) {
    match event {
        Event::DriveStarted { job, slot, drive } => {
            ("drive-started", json!({"job": hex(job), "slot": slot, "drive": drive_value(drive)}))
        }
        Event::SweepStarted { job, slot, sweep, key } => {
            let key = key_words(*sweep, key.as_ref());
            ("sweep-started", json!({"job": hex(job), "slot": slot, "sweep": sweep_value(*sweep), "key": key}))
        }
        Event::Defects { job, slot, sweep, kind: what, extents } => {
            let list: Vec<_> = extents.iter().map(|e| json!({"start": e.start, "bytes": e.len})).collect();
            let sweep = sweep_value(*sweep);
            ("defects", json!({"job": hex(job), "slot": slot, "sweep": sweep, "kind": kind(*what), "extents": list}))
        }
        Event::SweepFinished { job, slot, sweep, bytes } => {
            ("sweep-finished", json!({"job": hex(job), "slot": slot, "sweep": sweep_value(*sweep), "bytes": bytes}))
        }
        Event::DriveRestarted { job, slot, reason } => {
            ("drive-restarted", json!({"job": hex(job), "slot": slot, "reason": reason.as_str()}))
        }
        Event::DriveWaits { job, slot, reason } => {
            ("drive-waits", json!({"job": hex(job), "slot": slot, "reason": reason.as_str()}))
        }
        Event::DriveFinished { job, slot, outcome, reason } => {
            let outcome = outcome.word();
            ("drive-finished", json!({"job": hex(job), "slot": slot, "outcome": outcome, "reason": reason.as_str()}))
        }
        Event::Certified { job, slot, sha256, name } => {
            ("certified", json!({"job": hex(job), "slot": slot, "sha256": hex(sha256), "name": name.as_str()}))
        }
        Event::HiddenAreas { job, slot, removal, before, after, unknown, left } => (
            "hidden-areas",
            json!({
                "job": hex(job), "slot": slot, "removal": removal, "before": before, "after": after,
                "unknown": unknown.as_str(), "left": left.as_str(),
            }),
        ),
        Event::CommandStarted { job, slot, technique } => {
            ("command-started", json!({"job": hex(job), "slot": slot, "technique": technique.as_str()}))
        }
        Event::CommandEnded { job, slot, evidence } => {
            ("command-ended", json!({"job": hex(job), "slot": slot, "evidence": evidence.as_str()}))
        }
        Event::Inspected { job, slot, kinds: [zeros, ones, repeating, varied], example } => (
            "inspected",
            json!({
                "job": hex(job), "slot": slot, "zeros": zeros, "ones": ones, "repeating": repeating, "varied": varied,
                "pattern": example.map(|pattern| hex(&pattern)),
            }),
        ),
        _ => ("unknown", Value::Null),
    }
}

/// A job and its drives, a line each.
pub(super) fn job_lines(job: &JobHistory) -> Vec<String> {
    let end = job.finished_at.map_or_else(|| format!("UNFINISHED, last seen {}", when(job.last_seen())), when);
    let head = format!(
        "job {}  {} \u{2013} {end}  {} {}, {} drive(s)",
        short(&job.job),
        when(job.started_at),
        job.action.word(),
        printable(&job.method),
        job.announced
    );
    let drive = |drive: &DriveHistory| {
        let certified = if drive.certified { "certified" } else { "no certificate" };
        format!("    {}  {}: {}, {certified}", drive.slot, drive_words(&drive.drive), how_far(drive))
    };
    [head].into_iter().chain(job.drives.iter().map(drive)).collect()
}

fn how_far(drive: &DriveHistory) -> String {
    match (&drive.finished, drive.sweeps.last()) {
        (Some((outcome, reason)), _) => outcome_words(*outcome, reason),
        (None, Some(last)) => format!("{} at byte {}", sweep_words(last.sweep), grouped(last.offset.max(last.bytes))),
        (None, None) => "nothing written yet".into(),
    }
}

/// A job and its drives as one JSON object.
pub(super) fn job_object(job: &JobHistory) -> Value {
    let drive = |d: &DriveHistory| {
        let (outcome, reason) = d.finished.as_ref().map_or((None, ""), |(o, r)| (Some(o.word()), r.as_str()));
        json!({
            "slot": d.slot, "drive": drive_value(&d.drive), "outcome": outcome, "reason": reason,
            "certified": d.certified, "interruptions": d.interruptions.len(),
        })
    };
    json!({
        "job": hex(&job.job), "action": job.action.word(), "method": job.method.as_str(),
        "passes": contents(&job.passes), "verify": extent_of(job.verify), "started": when(job.started_at),
        "finished": job.finished_at.map(when), "last_seen": when(job.last_seen()), "announced": job.announced,
        "drives": job.drives.iter().map(drive).collect::<Vec<_>>(),
    })
}
