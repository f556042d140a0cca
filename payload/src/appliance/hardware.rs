//! What is plugged in: the drives, and which of them is the stick.

use super::Stopped;
use crate::{
    boot::medium::{self, BootMedium, Device, Search},
    cli::drives::{details, remarks},
    console::{
        Page, Watcher,
        pages::{self, Found},
    },
    discover::{self, Bus, Drive, Roots},
    jobfile::Selection,
    plan::{Sticks, preflight},
};
use mule_types::stick::{INITRAMFS_ID_PATH, IdSector, ImageId, SECTOR};
use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

/// How long slow drives and sticks are waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one drive may take to give one sector: a dying drive must not keep the others waiting.
const ONE_SECTOR: Duration = Duration::from_secs(20);

/// Everything that was found.
pub(super) struct Hardware {
    pub(super) image: ImageId,
    pub(super) drives: Vec<Drive>,
    pub(super) sticks: Sticks,
    pub(super) boot: Drive,
    pub(super) id: IdSector,
    /// The serial number of a built-in disk that the kernel command line calls the stick.
    fixed: Option<String>,
}

impl Hardware {
    /// Waits until the stick and the drives are there; asks every drive who it is.
    pub(super) fn find(fixed: Option<String>, watcher: &mut dyn Watcher) -> Result<Self, Stopped> {
        let image = medium::image_id(Path::new(INITRAMFS_ID_PATH))
            .map_err(|error| Stopped::new(error, "Write the stick anew from mule.img. No disk was touched."))?;
        let mut cache = HashMap::new();
        let mut has_stick = |drives: &[Drive]| {
            let search = search(image, drives, fixed.as_deref(), &mut cache);
            search.medium != BootMedium::None
        };
        let settled = discover::wait_for(&Roots::default(), &mut has_stick, PATIENCE, &mut |text| watcher.note(text));
        let search = search(image, &settled.drives, fixed.as_deref(), &mut HashMap::new());
        for (device, error) in &search.unreadable {
            watcher.problem(&format!("{}: its second sector cannot be read: {error}", device.path.display()));
        }
        if !settled.complete {
            watcher.problem("Some devices are still not ready; going on without them.");
        }
        let (path, id) = boot_medium(&search)?;
        let drives = asked(settled.drives);
        let boot = drives.iter().find(|drive| drive.path == path).cloned().ok_or_else(|| {
            Stopped::new("the stick disappeared while the drives were looked at", "Plug it in firmly and restart.")
        })?;
        let sticks = Sticks { boot: Some(path), all: search.sticks, ..Sticks::default() };
        Ok(Self { image, drives, sticks, boot, id, fixed })
    }

    /// Looks for the stick once more, among all that is plugged in now and with reads that reach the media. Between the first
    /// look and the first write minutes may have gone by.
    ///
    /// # Errors
    /// It is not the same single one any more.
    pub(super) fn still_the_stick(image: ImageId, boot: &Drive, fixed: Option<&str>) -> Result<(), Stopped> {
        let drives = discover::scan(&Roots::default());
        let (path, _) = boot_medium(&search(image, &drives, fixed, &mut HashMap::new()))?;
        let same = drives.iter().any(|drive| drive.path == path && drive.identity == boot.identity);
        if same && path == boot.path {
            return Ok(());
        }
        Err(Stopped::new(
            "another stick is plugged in now than when the machine was started",
            "Leave in only the one to start from and restart. No disk was touched.",
        ))
    }

    /// The serial number of a built-in disk that the kernel command line calls the stick.
    pub(super) fn fixed(&self) -> Option<&str> {
        self.fixed.as_deref()
    }

    /// The drives for a page, with why an unattended job would leave them alone.
    pub(super) fn found(&self) -> Vec<Found> {
        found(&self.drives, &self.sticks)
    }
}

fn boot_medium(search: &Search) -> Result<(PathBuf, IdSector), Stopped> {
    if let Some((device, error)) = search.unreadable.iter().find(|(device, _)| device.may_boot) {
        return Err(Stopped::new(
            format!("{} could be a stick, and cannot be read to tell: {error}", device.path.display()),
            "Pull that USB or removable drive out and restart. No disk was touched.",
        ));
    }
    match &search.medium {
        BootMedium::One(path, id) => Ok((path.clone(), *id)),
        BootMedium::None => Err(Stopped::new(
            "the stick this machine was started from cannot be found, so it cannot be told apart from the drives",
            "Plug it in firmly, into another port if need be, and restart. No disk was touched.",
        )),
        BootMedium::Several(paths) => {
            let names: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
            Err(Stopped::new(
                format!("two or more Mule sticks from the same image are plugged in: {}", names.join(", ")),
                "Leave in only the one to start from and restart. No disk was touched.",
            ))
        }
    }
}

/// Looks at the drives again, for a person at the prompt.
pub(super) fn look() -> Vec<Found> {
    let drives = discover::scan(&Roots::default());
    let sticks = crate::cli::host::sticks_among(&drives);
    found(&drives, &sticks)
}

fn found(drives: &[Drive], sticks: &Sticks) -> Vec<Found> {
    let one = |drive: &Drive| {
        let refusal = preflight::check(drive, drives, sticks, &Selection::All).err();
        page_row(drive, refusal.map(|reason| reason.to_string()))
    };
    drives.iter().map(one).collect()
}

/// The drive with this number, or the first after the last, in full.
pub(super) fn in_full(number: usize) -> Option<Page> {
    let drives = discover::scan(&Roots::default());
    let sticks = crate::cli::host::sticks_among(&drives);
    let number = number.checked_rem(drives.len())?;
    let mut drive = drives[number].clone();
    discover::ask(&mut drive);
    let refusal = preflight::check(&drive, &drives, &sticks, &Selection::All).err().map(|reason| reason.to_string());
    let content = details::content(&drive);
    let lines = details::lines(&drive, content.as_ref(), refusal.as_deref());
    Some(pages::in_full(&drive.path.display().to_string(), number, drives.len(), &lines))
}

/// A drive's row on a page.
pub(super) fn page_row(drive: &Drive, refusal: Option<String>) -> Found {
    let remarks = remarks::remarks(drive);
    let remark = match remarks.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [worst, more @ ..] => format!("{worst}; {} more (key d)", more.len()),
    };
    Found {
        name: drive.name.clone(),
        model: drive.identity.model.clone(),
        serial: drive.identity.serial.clone(),
        bytes: drive.identity.bytes,
        logical: drive.geometry.map_or(0, |geometry| geometry.logical()),
        bus: drive.bus.to_string(),
        port: drive.port.clone(),
        refusal,
        remark,
    }
}

/// Every drive with what only it knows; they are asked at the same time, since a sleeping one takes its time.
fn asked(drives: Vec<Drive>) -> Vec<Drive> {
    let ask = |mut drive: Drive| {
        discover::ask(&mut drive);
        drive
    };
    thread::scope(|scope| {
        let threads: Vec<_> = drives.iter().cloned().map(|drive| scope.spawn(move || ask(drive))).collect();
        threads
            .into_iter()
            .zip(&drives)
            .map(|(thread, drive)| thread.join().unwrap_or_else(|_| drive.clone()))
            .collect()
    })
}

type Seen = HashMap<PathBuf, Option<[u8; 512]>>;

/// Reads each drive's id sector once.
fn search(image: ImageId, drives: &[Drive], fixed: Option<&str>, seen: &mut Seen) -> Search {
    medium::find(image, &candidates(drives, fixed), &mut |path| {
        let known = seen.entry(path.to_owned()).or_insert_with(|| read_in_time(path).ok());
        known.ok_or_else(|| io::Error::other("no answer, or an error"))
    })
}

/// What may carry an id sector. A card reader without a card, or a disk of a few bytes, does not. A machine is started from
/// what is removable or on USB, unless the kernel command line names another (`mule.stick=SERIAL`).
fn candidates(drives: &[Drive], fixed: Option<&str>) -> Vec<Device> {
    let large = drives.iter().filter(|drive| drive.identity.bytes >= 2 * SECTOR);
    let device = |drive: &Drive| Device {
        path: drive.path.clone(),
        may_boot: drive.removable || drive.bus == Bus::Usb || fixed.is_some_and(|name| drive.is_called(name)),
    };
    large.map(device).collect()
}

fn read_in_time(path: &Path) -> io::Result<[u8; 512]> {
    let (sender, receiver) = mpsc::channel();
    let own = path.to_owned();
    // Nobody listens any more where it took too long.
    thread::spawn(move || drop(sender.send(medium::read_id_sector_anew(&own).map(Box::new))));
    let read = receiver.recv_timeout(ONE_SECTOR).unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
    read.map(|sector| *sector)
}
