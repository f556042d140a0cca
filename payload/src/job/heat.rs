//! A drive that gets too hot is given a rest: nothing is sent to it until it has cooled down.

use super::{facts::Heat, status::Log, status::Status};
use crate::{
    ata::{AtaDrive, Health},
    discover::Drive,
    drive::DataPlane,
    nvme::{NvmeAdmin, health},
    scsi::{CommandPlane, Data},
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Between two looks at a drive that is not hot. A disk warms up by a degree or two a minute.
const INTERVAL: Duration = Duration::from_secs(30);
/// While it cools down.
const COOLING: Duration = Duration::from_secs(10);
/// The highest temperature in operation, in degrees Celsius, that makers state: 60 for most disks, 70 for most SSDs.
const DISK: u64 = 60;
const SOLID_STATE: u64 = 70;
/// It goes on when it is so many degrees cooler.
const REST: u64 = 5;

enum Thermometer {
    Ata(Box<AtaDrive<Box<dyn CommandPlane>>>),
    Nvme(Box<dyn NvmeAdmin>),
}

/// Stands beside the sweeps of one drive.
pub(super) struct Watchman {
    thermometer: Option<Thermometer>,
    limit: u64,
    interval: Duration,
    last: Option<Instant>,
}

impl Watchman {
    /// Of a drive that told its temperature when it was found; of any other, it never looks. `patience` is the longest time
    /// between two looks.
    pub(super) fn new(drive: &Drive, plane: &dyn DataPlane, patience: Duration) -> Self {
        let tells = drive.health.as_ref().is_some_and(|health| health.temperature_celsius.is_some());
        let thermometer = || match plane.admin() {
            Some((controller, _)) => Some(Thermometer::Nvme(controller)),
            None => plane.commands().map(|commands| Thermometer::Ata(Box::new(AtaDrive::new(commands)))),
        };
        Self {
            thermometer: tells.then(thermometer).flatten(),
            limit: if drive.rotational == Some(false) { SOLID_STATE } else { DISK },
            interval: if patience.is_zero() { patience } else { INTERVAL },
            last: None,
        }
    }

    /// Looks, where it is time, and returns when the drive may go on: cool enough, silent, or to be stopped.
    pub(super) fn look(&mut self, heat: &mut Heat, status: &Status, log: &Log) {
        if self.thermometer.is_none() || self.last.is_some_and(|last| last.elapsed() < self.interval) {
            return;
        }
        let begun = Instant::now();
        let mut paused = false;
        let step = status.shown().step;
        while let Some(celsius) = self.read() {
            heat.limit = self.limit;
            heat.highest = heat.highest.max(celsius);
            let enough = if paused { self.limit.saturating_sub(REST) } else { self.limit };
            if celsius <= enough || log.stopping() {
                break;
            }
            paused = true;
            status.update(|shown| {
                shown.step = format!("{celsius} \u{b0}C is too hot: waits for {} \u{b0}C", self.limit - REST)
            });
            thread::sleep(COOLING.min(self.interval));
        }
        if paused {
            heat.paused += begun.elapsed();
            heat.pauses += 1;
            status.update(|shown| shown.step = step);
        }
        self.last = Some(Instant::now());
    }

    fn read(&mut self) -> Option<u64> {
        match self.thermometer.as_mut()? {
            Thermometer::Ata(drive) => drive.attributes().ok()?.temperature_celsius,
            Thermometer::Nvme(controller) => {
                let mut page = [0; 512];
                controller.admin(&health::health_log(), Data::In(&mut page)).ok()?;
                health::parse(&page).temperature_celsius
            }
        }
    }
}

/// What changed for the worse in a drive's own counts while it was worked on: name, before, after.
pub fn grown(before: &Health, after: &Health) -> Vec<(&'static str, u64, u64)> {
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
    fn only_what_was_counted_before_and_after_can_have_grown() {
        let before = Health { reallocated: Some(5), pending: Some(2), uncorrectable: None, ..Health::default() };
        let after = Health { reallocated: Some(12), pending: Some(0), uncorrectable: Some(3), ..Health::default() };
        assert_eq!(grown(&before, &after), [("reallocated sectors", 5, 12)]);
        assert_eq!(grown(&after, &after), []);
    }
}
