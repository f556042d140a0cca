//! The stick as the appliance uses it: the log to write, the FAT partition to read the job from and put certificates on.

use super::{Stopped, hardware::Hardware};
use crate::{
    boot::{
        machine::{Machine, kernel},
        stick_fs::{MOUNT_POINT, StickFs, Vfat, partition_node},
    },
    certify::{
        Certifiable,
        key::StickKey,
        store::{
            self,
            tidy::{self, Known},
        },
    },
    console::Watcher,
    job::issue::{Kept, Shelf},
    journal::{FileMedium, Journal, Owner, bounded::Text, event::Event, replay::Replay},
};
use mule_types::stick::{CERTIFICATES_DIR, IdSector, SECTOR};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// The stick, opened.
pub(super) struct Stick {
    journal: Option<Journal>,
    id: String,
    pub(super) shelf: Arc<StickShelf>,
}

impl Stick {
    /// Opens the log and mounts the FAT partition read-only.
    pub(super) fn open(
        hardware: &Hardware,
        now: u64,
        machine: &Machine,
        watcher: &mut dyn Watcher,
    ) -> Result<(Self, Replay), Stopped> {
        const REMEDY: &str = "Nothing is written without a log. No disk was touched.";
        let log = log_partition(&hardware.boot.path, &hardware.id).map_err(|what| Stopped::new(what, REMEDY))?;
        let open_log = || {
            let medium = FileMedium::open(&log, 0, hardware.id.log_len).map_err(|error| {
                Stopped::new(format!("the log partition {} cannot be opened: {error}", log.display()), REMEDY)
            })?;
            let owner = Owner::of(hardware.image, &hardware.boot.identity);
            Journal::open(Box::new(medium), owner, now).map_err(|error| Stopped::new(error, REMEDY))
        };
        let (mut journal, mut replay) = open_log()?;
        if let Some(exchanged) = journal.exchanged() {
            watcher.problem(&format!("{exchanged}. Certificates name the key that signs them."));
        }
        let boot = Event::Boot {
            version: Text::new(env!("CARGO_PKG_VERSION")),
            kernel: Text::new(&kernel()),
            board: Text::new(&machine.board),
        };
        journal.append(now, &boot).map_err(|error| Stopped::new(error, REMEDY))?;
        let node = partition_node(Path::new("/sys/block"), &hardware.boot.path)
            .map_err(|error| Stopped::new(error, "Write the stick anew from mule.img. No disk was touched."))?;
        let mut fs = StickFs::mount(Vfat, &node, Path::new(MOUNT_POINT))
            .map_err(|error| Stopped::new(error, "Check the stick on a PC. No disk was touched."))?;
        let adopted = put_in_order(&mut fs, &replay, journal.key(), watcher);
        let new = adopted.iter().try_for_each(|event| journal.append(now, event).map(drop));
        new.map_err(|error| Stopped::new(error, REMEDY))?;
        if !adopted.is_empty() {
            // What the log adds up to with the new entries.
            drop(journal);
            (journal, replay) = open_log()?;
        }
        let shelf = Arc::new(StickShelf { dir: fs.dir().to_owned(), fs: Mutex::new(Some(fs)) });
        Ok((Self { id: journal.key().stick_id(), journal: Some(journal), shelf }, replay))
    }

    /// The principal of its certificates.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The root of the FAT partition.
    pub(super) fn dir(&self) -> &Path {
        &self.shelf.dir
    }

    /// The log, for a run to write to; a run gives it back.
    pub(super) fn take_journal(&mut self) -> Option<Journal> {
        self.journal.take()
    }

    pub(super) fn give_back(&mut self, journal: Journal) {
        self.journal = Some(journal);
    }

    /// An entry that is worth having but stops nothing where it cannot be written.
    pub(super) fn note(&mut self, now: u64, event: &Event) {
        if let Some(journal) = &mut self.journal {
            let _ = journal.append(now, event);
        }
    }

    /// The end in good order.
    pub(super) fn close(mut self, now: u64) {
        self.note(now, &Event::Shutdown);
        let fs = self.shelf.fs.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(fs) = fs {
            fs.close();
        }
    }
}

/// Finishes or removes what a power cut left of certificates; the log judges. Gives the entries that the log lacks. Where the
/// folder cannot be read or written a person is told, and the log gets none: certificates are missing then, and none is false.
fn put_in_order(fs: &mut StickFs, replay: &Replay, key: &StickKey, watcher: &mut dyn Watcher) -> Vec<Event> {
    let dir = fs.dir().join(CERTIFICATES_DIR);
    let mut found = match tidy::look(&dir, &Known::of(replay, key)) {
        Ok(found) => found,
        Err(error) => {
            watcher.problem(&format!("the certificates of earlier jobs could not be looked at: {error}"));
            return Vec::new();
        }
    };
    found.said.iter().for_each(|text| watcher.problem(text));
    found.notes.iter().for_each(|text| watcher.note(text));
    let apply = |root: &Path| tidy::apply(&root.join(CERTIFICATES_DIR), &found).map_err(io::Error::other);
    if found.changes_files()
        && let Err(error) = fs.with_writable(apply)
    {
        watcher.problem(&format!("what a power cut left of certificates could not be put in order: {error}"));
        return Vec::new();
    }
    std::mem::take(&mut found.adopt)
}

/// The certificates folder on the FAT partition, writable only while one is written.
pub(super) struct StickShelf {
    dir: PathBuf,
    fs: Mutex<Option<StickFs>>,
}

impl Shelf for StickShelf {
    fn keep(&self, record: &dyn Certifiable, key: &StickKey) -> Result<Kept, String> {
        let mut fs = self.fs.lock().unwrap_or_else(PoisonError::into_inner);
        let fs = fs.as_mut().ok_or("the stick's FAT partition is not mounted")?;
        let stored = fs
            .with_writable(|dir| store::write(&dir.join(CERTIFICATES_DIR), record, key).map_err(io::Error::other))
            .map_err(|error| error.to_string())?;
        Ok(Kept { name: stored.name, sha256: stored.sha256 })
    }
}

/// The node of the log partition, where the partition table agrees with the id sector about it.
fn log_partition(device: &Path, id: &IdSector) -> Result<PathBuf, String> {
    let missing = || {
        format!(
            "the log partition of {} is missing from its partition table; write the stick anew from mule.img",
            device.display()
        )
    };
    let disk = device.file_name().ok_or_else(missing)?;
    let number = |dir: &Path, file: &str| fs::read_to_string(dir.join(file)).ok()?.trim().parse::<u64>().ok();
    let entries = fs::read_dir(Path::new("/sys/block").join(disk)).map_err(|_| missing())?;
    let node = entries.flatten().find(|entry| {
        let dir = entry.path();
        number(&dir, "start") == Some(id.log_start / SECTOR) && number(&dir, "size") == Some(id.log_len / SECTOR)
    });
    node.map(|entry| device.with_file_name(entry.file_name())).ok_or_else(missing)
}
