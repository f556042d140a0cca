//! The safety net of destructive jobs on the stick: images on a store of what is about to be overwritten.

use super::{NOTHING_TOUCHED, Stopped, hardware::Hardware};
use crate::{
    boot::{
        machine::Machine,
        store::{self, Store},
    },
    cli::host::{Linux, health_now, now, tool},
    console::Watcher,
    engine::sweep::Limits,
    job::{
        copy::run,
        retain::{self, Wish},
        run::Surroundings,
        status::Log,
    },
    jobfile::{Action, Job},
    plan::Target,
    random,
};
use std::{num::NonZeroU64, path::Path, sync::Arc};

/// What a run needs from this machine.
pub(super) fn surroundings(shelf: Arc<dyn crate::job::issue::Shelf>, machine: &Machine) -> Surroundings {
    Surroundings {
        opener: Box::new(Linux::default()),
        shelf,
        tool: tool(),
        host: machine.host(""),
        limits: Limits::default(),
        health: health_now,
        retained: Vec::new(),
    }
}

/// Mounts the store, where the job needs one, and sees to it that its drive is no target. A wipe that goes on writes nothing
/// to it.
pub(super) fn open_store(
    job: &Job,
    hardware: &mut Hardware,
    goes_on: bool,
    watcher: &mut dyn Watcher,
) -> Result<Option<Store>, Stopped> {
    let keeps = job.copy().keep.is_some();
    if job.action() != Action::Image && job.action() != Action::Verify {
        let labels = [job.copy().store.as_str(), store::LABEL];
        hardware.sticks.other_stores = store::drives_with(&hardware.drives, &labels);
    }
    if !keeps && !matches!(job.action(), Action::Image | Action::Restore | Action::Verify) {
        return Ok(None);
    }
    let stop = |error: store::StoreError| Stopped::new(error, NOTHING_TOUCHED);
    let elsewhere: Vec<_> =
        hardware.drives.iter().filter(|drive| !hardware.sticks.all.contains(&drive.path)).cloned().collect();
    let found = store::find(&elsewhere, &job.copy().store, job.copy().store_drive.as_deref()).map_err(stop)?;
    let writable = (keeps && !goes_on) || job.action() == Action::Image;
    let store = Store::mount(&found, writable).map_err(stop)?;
    hardware.sticks.store = Some(store.drive().to_owned());
    tell_kept(store.dir(), watcher);
    Ok(Some(store))
}

/// Everything on the medium, and unmounted.
pub(super) fn close(store: Option<Store>, watcher: &mut dyn Watcher) {
    if let Some(Err(error)) = store.map(Store::close) {
        watcher.problem(&format!("what was written to the store may not be on it: {error}"));
    }
}

/// Names the kept images whose time is over; they are removed by hand only.
fn tell_kept(dir: &Path, watcher: &mut dyn Watcher) {
    let list = retain::list(dir).unwrap_or_default();
    for (image, note) in list {
        match note {
            Ok(kept) if kept.note.has_expired(now()) => {
                watcher.problem(&format!("{}. It is still there; \"mule commit\" removes it.", kept.line(now())));
            }
            Ok(kept) => watcher.note(&kept.line(now())),
            Err(error) => watcher.problem(&format!("{}: {error}", image.display())),
        }
    }
}

/// Keeps an image of every target, before anything is written.
pub(super) fn retain<'a>(
    job: &Job,
    store: &Store,
    targets: impl Iterator<Item = &'a Target>,
    log: &Arc<Log>,
    around: Surroundings,
    watcher: &mut dyn Watcher,
) -> Result<(), Stopped> {
    let Some(keep) = job.copy().keep else { return Ok(()) };
    let stop = |what: String| Stopped::new(what, "Nothing was erased or overwritten.");
    let id = random::bytes().map_err(|error| stop(format!("no random bytes: {error}")))?;
    let before = match job.method() {
        Some(method) => format!("{} ({})", job.action(), method.name),
        None => job.action().to_string(),
    };
    let wish = Wish {
        dir: store.dir().to_owned(),
        keep,
        before,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        limit: store.largest_file().and_then(NonZeroU64::new),
        clock: now,
    };
    let first = run::Job {
        id,
        request: job.digest(),
        operator: job.operator().clone(),
        log: Arc::clone(log),
        around,
        title: "Images of what will be overwritten".into(),
        earlier: None,
        resumed: 0,
    };
    let notes = retain::retain(first, targets, &wish, watcher).map_err(stop)?;
    notes.iter().for_each(|kept| watcher.note(&kept.line(now())));
    Ok(())
}
