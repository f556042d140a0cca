//! The unattended check of an image alone, with no drive but the store's.

use super::{Ending, NOTHING_TOUCHED, Stopped, hardware::Hardware, keep, medium::Stick};
use crate::{
    cli::host::now,
    console::{Counts, DriveLine, Estimator, Key, Page, Severity, Snapshot, State, Style, Watcher, format, pages},
    job::copy::prove::{self, Proof},
    jobfile::{IMAGE_SUFFIX, Job, Then},
    journal::{bounded::Text, event::Event},
};
use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Columns of a page.
const WIDTH: usize = 78;
/// Damaged places on the page; the log and a host's `mule image verify` have more.
const SHOWN: usize = 8;

/// Looks at the image that the job names, shows and logs what was found.
pub(super) fn check(
    job: &Job,
    mut hardware: Hardware,
    stick: &mut Stick,
    watcher: &mut dyn Watcher,
) -> Result<Ending, Stopped> {
    let store = keep::open_store(job, &mut hardware, false, watcher)?;
    let dir = store.as_ref().map(crate::boot::store::Store::dir);
    let dir = dir.ok_or_else(|| Stopped::new("there is no store", NOTHING_TOUCHED))?;
    let name = job.copy().image.clone().unwrap_or_default();
    let file = format!("{name}{IMAGE_SUFFIX}");
    let proof = watch(&name, &dir.join(&file), watcher);
    keep::close(store, watcher);
    let sentence = sentence(&file, &proof);
    stick.note(now(), &Event::Note { text: Text::new(&sentence) });
    let counts = if proof.is_whole() {
        Counts { copied: 1, ..Counts::default() }
    } else if proof.stopped {
        Counts { interrupted: 1, ..Counts::default() }
    } else {
        Counts { failed: 1, ..Counts::default() }
    };
    let mut page = page(&sentence, &proof);
    if job.then() == Then::Stay {
        pages::add_prompt(&mut page);
    }
    watcher.note(&sentence);
    watcher.show(&page);
    Ok(Ending { outcome: counts.outcome(), counts, then: job.then(), offers: &[] })
}

/// The check on a thread of its own, its progress on the screen.
fn watch(name: &str, path: &Path, watcher: &mut dyn Watcher) -> Proof {
    let (done, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let total = prove::disk_bytes(path);
    let (begin, mut rate) = (Instant::now(), Estimator::default());
    thread::scope(|scope| {
        let advanced = |bytes| {
            done.fetch_add(bytes, Ordering::Relaxed);
            !stop.load(Ordering::Relaxed)
        };
        let work = scope.spawn(move || prove::prove(path, &advanced));
        while !work.is_finished() {
            let (elapsed, now) = (begin.elapsed(), done.load(Ordering::Relaxed));
            rate.record(elapsed, now);
            let line = DriveLine {
                name: "image".into(),
                port: String::new(),
                model: name.into(),
                serial: String::new(),
                bytes: total,
                step: "verify".into(),
                done: now,
                total,
                rate_now: rate.now(),
                rate_avg: rate.average(),
                eta: rate.eta(total),
                defects: 0,
                temperature: None,
                state: State::Running,
            };
            let message = "Escape stops it; nothing is written.".into();
            let title = format!("Verify the image {name}");
            watcher.update(&Snapshot { title, drives: vec![line], elapsed, message });
            if watcher.key() == Some(Key::Escape) {
                stop.store(true, Ordering::Relaxed);
            }
            thread::sleep(Duration::from_millis(100));
        }
        // A fault of this program is no proof of anything.
        work.join().unwrap_or_default()
    })
}

fn sentence(file: &str, proof: &Proof) -> String {
    if let Some(missing) = &proof.missing {
        return format!("{file}: NOT verified: {missing}");
    }
    let Some(signed) = &proof.signed else {
        let why = proof.damage.first().map_or("it cannot be read", String::as_str);
        return format!("{file}: NOT verified: {why}");
    };
    let manifest = &signed.manifest;
    if proof.stopped {
        return format!("{file}: NOT verified: it was stopped");
    }
    if !proof.is_whole() {
        return format!("{file}: DAMAGED in {} places; {} bytes of the disk are good", proof.damaged, proof.bytes_good);
    }
    format!(
        "{file}: whole; {} of {} {}, signed by {} ({})",
        manifest.outcome,
        manifest.image.model,
        manifest.image.serial,
        manifest.signer,
        signed.key.fingerprint()
    )
}

fn page(sentence: &str, proof: &Proof) -> Page {
    let mut page = Page::default();
    let (severity, headline) = match (proof.is_whole(), proof.stopped) {
        (true, _) => (Severity::Good, "OK: THE IMAGE IS WHOLE"),
        (_, true) => (Severity::Warning, "INTERRUPTED: THE IMAGE WAS NOT VERIFIED"),
        _ if proof.missing.is_some() => (Severity::Bad, "FAILED: SOMETHING OF THE IMAGE IS MISSING"),
        _ => (Severity::Bad, "FAILED: THE IMAGE IS DAMAGED"),
    };
    for text in ["", headline, ""] {
        page.push(Style::Banner(severity), format::fit(&format!("  {text}"), WIDTH));
    }
    page.wrapped(Style::Plain, sentence, WIDTH);
    page.text("");
    for what in proof.damage.iter().take(SHOWN) {
        page.wrapped(Style::Marked(Severity::Bad), what, WIDTH);
    }
    if proof.damage.len() > SHOWN {
        page.text("\"mule image verify\" on a PC names every place.");
    }
    page.text("Nothing was written to any drive.");
    page
}
