//! A drive that gets too hot is given a rest: nothing is sent to it until it has cooled down.

use super::{
    facts::Heat,
    status::{Log, Message, Status},
};
use crate::{
    ata::{AtaDrive, statistics::PLAUSIBLE},
    discover::{Bus, Drive},
    drive::DataPlane,
    firmware::purge::Medium,
    nvme::{NvmeAdmin, admin, health, identify::Controller},
    scsi::{self, CommandPlane, Data},
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Between two looks at a drive that is not hot. A disk warms up by a degree or two a minute.
const INTERVAL: Duration = Duration::from_secs(30);
/// While it cools down.
const COOLING: Duration = Duration::from_secs(10);
/// Where a drive does not say up to which temperature it may work, in degrees Celsius: what makers state for most disks, and
/// for most SSDs.
const DISK: u64 = 60;
const SOLID_STATE: u64 = 70;
/// It goes on when it is so many degrees cooler.
const REST: u64 = 5;

enum Thermometer {
    Ata(Box<AtaDrive<Box<dyn CommandPlane>>>),
    Scsi(Box<dyn CommandPlane>),
    Nvme(Box<dyn NvmeAdmin>),
}

impl Thermometer {
    fn of(drive: &Drive, plane: &dyn DataPlane) -> Option<Self> {
        if let Some((controller, _)) = plane.admin() {
            return Some(Self::Nvme(controller));
        }
        let commands = plane.commands()?;
        Some(if drive.ata.is_some() { Self::Ata(Box::new(AtaDrive::new(commands))) } else { Self::Scsi(commands) })
    }

    fn celsius(&mut self) -> Option<u64> {
        match self {
            Self::Ata(drive) => drive.attributes().ok()?.temperature_celsius,
            Self::Scsi(plane) => scsi::health::temperatures(plane).0,
            Self::Nvme(controller) => {
                let mut page = [0; 512];
                controller.admin(&health::health_log(), Data::In(&mut page)).ok()?;
                health::parse(&page).temperature_celsius
            }
        }
    }

    /// The limit that the drive itself states. No drive is asked for what it may not know: some USB bridges hang, and QEMU's
    /// AHCI disks report the first queued read or write after a refused command as failed (`docs/emulator.md`).
    fn limit(&mut self, drive: &Drive) -> Option<u64> {
        let limit = match self {
            Self::Ata(ata) if keeps_logs(drive) => ata.highest_operating(),
            Self::Ata(_) => None,
            Self::Scsi(plane) => scsi::health::temperatures(plane).1,
            Self::Nvme(controller) => {
                let mut page = [0; 4096];
                controller.admin(&admin::identify_controller(), Data::In(&mut page)).ok()?;
                Controller::parse(&page)?.warning_celsius
            }
        };
        limit.filter(|celsius| PLAUSIBLE.contains(celsius))
    }
}

/// Whether a drive can be asked for its logs: it says that it has some, and no bridge stands in between.
fn keeps_logs(drive: &Drive) -> bool {
    drive.bus != Bus::Usb && drive.ata.as_ref().is_some_and(|identify| identify.logging)
}

/// Stands beside the work on one drive.
pub(super) struct Watchman {
    thermometer: Option<Thermometer>,
    name: String,
    limit: u64,
    interval: Duration,
    last: Option<Instant>,
}

impl Watchman {
    /// Of a drive that told its temperature when it was found; of any other, it never looks. `patience` is the longest time
    /// between two looks.
    pub(super) fn new(drive: &Drive, plane: &dyn DataPlane, patience: Duration) -> Self {
        let tells = drive.health.as_ref().is_some_and(|health| health.temperature_celsius.is_some());
        let mut thermometer = if tells { Thermometer::of(drive, plane) } else { None };
        let usual = if drive.medium() == Some(Medium::SolidState) { SOLID_STATE } else { DISK };
        Self {
            limit: thermometer.as_mut().and_then(|it| it.limit(drive)).unwrap_or(usual),
            thermometer,
            name: drive.identity.to_string(),
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
        while let Some(celsius) = self.thermometer.as_mut().and_then(Thermometer::celsius) {
            heat.limit = self.limit;
            heat.highest = heat.highest.max(celsius);
            let enough = if paused { self.limit.saturating_sub(REST) } else { self.limit };
            if celsius <= enough || log.stopping() {
                break;
            }
            let told = format!("{celsius} C is too hot: waits for {} C", self.limit - REST);
            if !paused {
                log.tell(Message::Note(format!("{}: {told}", self.name)));
            }
            paused = true;
            status.update(|shown| shown.step = told);
            thread::sleep(COOLING.min(self.interval));
        }
        if paused {
            heat.paused += begun.elapsed();
            heat.pauses += 1;
            status.update(|shown| shown.step = step);
        }
        self.last = Some(Instant::now());
    }
}

/// Beside a copy, whose parts share nothing but the status.
pub(super) struct Guard<'a> {
    watchman: std::sync::Mutex<Watchman>,
    status: &'a Status,
    log: &'a Log,
}

impl<'a> Guard<'a> {
    pub(super) fn new(
        drive: &Drive,
        plane: &dyn DataPlane,
        patience: Duration,
        status: &'a Status,
        log: &'a Log,
    ) -> Self {
        Self { watchman: Watchman::new(drive, plane, patience).into(), status, log }
    }

    /// So many bytes were dealt with.
    pub(super) fn advanced(&self, bytes: u64) {
        self.status.update(|shown| shown.done += bytes);
        // Where it is held, another thread looks already.
        if let Ok(mut watchman) = self.watchman.try_lock() {
            let mut heat = self.status.shown().heat;
            watchman.look(&mut heat, self.status, self.log);
            self.status.update(|shown| shown.heat = heat);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ata::Health, drive::Access, firmware::model::Model, job::tests::rig::described_model};

    const READ_LOG_EXT: u8 = 0x2f;

    #[test]
    fn a_disk_is_asked_for_its_limit_only_where_it_keeps_logs_and_no_bridge_is_in_between() {
        let (plain, limited) = ("smart,temperature=41", "smart,temperature=41,temperature-limit=55");
        for (words, bus, limit, asked) in
            [(limited, Bus::Ata, 55, 2), (limited, Bus::Usb, DISK, 0), (plain, Bus::Ata, DISK, 0)]
        {
            let model = Model::new("A", 64, words);
            let health = Health { temperature_celsius: Some(41), ..Health::default() };
            let drive = Drive { bus, health: Some(health), ..described_model("A", &model) };
            let plane = model.open(Access::ReadOnly).unwrap();
            let watchman = Watchman::new(&drive, &plane, Duration::ZERO);
            assert_eq!((watchman.limit, model.count(READ_LOG_EXT)), (limit, asked), "{words} {bus:?}");
            assert!(watchman.thermometer.is_some());
        }
    }
}
