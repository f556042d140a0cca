//! Carries what a sweep tells to the drive's status and to the log: defects before the checkpoint that passes them.

use super::{
    facts::Heat,
    heat::Watchman,
    stages::Context,
    status::{Log, Status},
};
use crate::{
    drive::DataPlane,
    engine::{
        extents::{Range, Ranges},
        sweep::{End, Found, Observer},
    },
    journal::event::{DefectKind, Event, Extent, JobId, Sweep},
    plan::Target,
};

pub(super) struct Watch<'a> {
    job: JobId,
    log: &'a Log,
    status: &'a Status,
    slot: u8,
    sweep: Sweep,
    logged: Found,
    watchman: Watchman,
    /// How hot the drive got, in this sweep and before.
    pub(super) heat: Heat,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        context: &Context<'a>,
        status: &'a Status,
        (target, plane): (&Target, &dyn DataPlane),
        sweep: Sweep,
        heat: Heat,
    ) -> Self {
        let watchman = Watchman::new(target.drive(), plane, context.limits.patience);
        let (job, log, slot) = (context.job, context.log, target.slot());
        Self { job, log, status, slot, sweep, logged: Found::default(), watchman, heat }
    }

    /// Logs the end of the sweep; `bytes` are all that were dealt with in it, over every boot.
    pub(super) fn finish(&mut self, found: &Found, end: &End, bytes: u64) -> Result<(), String> {
        let failed = |error| format!("the log could not be written: {error}");
        self.log_defects(found).map_err(failed)?;
        if *end == End::Complete {
            let (job, slot, sweep) = (self.job, self.slot, self.sweep);
            self.log.append(&Event::SweepFinished { job, slot, sweep, bytes }).map_err(failed)?;
        }
        Ok(())
    }

    fn log_defects(&mut self, found: &Found) -> Result<(), crate::journal::JournalError> {
        let kinds = [
            (DefectKind::Unwritable, &found.unwritable, &self.logged.unwritable),
            (DefectKind::Unreadable, &found.unreadable, &self.logged.unreadable),
            (DefectKind::Mismatch, &found.different, &self.logged.different),
        ];
        for (kind, now, before) in kinds {
            for part in fresh(now, before).chunks(16) {
                let extents = part.iter().map(|r| Extent { start: r.start, len: r.len }).collect();
                let (job, slot, sweep) = (self.job, self.slot, self.sweep);
                self.log.append(&Event::Defects { job, slot, sweep, kind, extents })?;
            }
        }
        self.logged = Found { bytes: 0, ..found.clone() };
        Ok(())
    }
}

/// The ranges of `now` that are not in `before` as they are; a range that grew is logged again, whole.
fn fresh(now: &Ranges, before: &Ranges) -> Vec<Range> {
    now.as_slice().iter().filter(|range| before.as_slice().binary_search(range).is_err()).copied().collect()
}

impl Observer for Watch<'_> {
    fn advanced(&mut self, bytes: u64) {
        self.status.update(|shown| shown.done += bytes);
        self.watchman.look(&mut self.heat, self.status, self.log);
    }

    fn checkpoint(&mut self, offset: u64, found: &Found) {
        // Where the defects cannot be logged the log is lost, which stops the run; the checkpoint must not pass them.
        if self.log_defects(found).is_ok() {
            self.status.reached(self.sweep, offset);
        }
        self.status.update(|shown| shown.defects = found.places() as u64);
    }

    fn stop(&self) -> bool {
        self.log.stopping()
    }
}
