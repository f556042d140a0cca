//! What every test has: a folder, fresh sticks and disks, and the judgement of a run.

use super::{Place, used::UsedStick};
use crate::{
    certs::Certificates,
    disk::Disk,
    job::Job,
    random::Random,
    stick::Stick,
    vm::{Console, Event, Final, Finished, Machine, Outcome, Then, Vm},
};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The serial number of the stick a test boots from.
pub(crate) const STICK: &str = "MULE-STICK-A";

#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) folder: PathBuf,
    pub(crate) random: Random,
    image: PathBuf,
    seed: u64,
    used: UsedStick,
    boots: u32,
    /// Of the last boot.
    console: Option<Console>,
    notes: Vec<String>,
}

impl Bench {
    /// An empty folder for the test; the seed is mixed with its name, so that two tests choose differently.
    pub(super) fn new(name: &str, place: &Place<'_>) -> Result<Self> {
        Self::in_folder(place.folder.join(name), place.image, place.seed, place.used.clone())
    }

    fn in_folder(folder: PathBuf, image: &Path, seed: u64, used: UsedStick) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("clearing {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let name = folder.file_name().unwrap_or_default().as_encoded_bytes();
        let mixed = name.iter().fold(seed, |seed, byte| Random::new(seed ^ u64::from(*byte)).next());
        let (random, image) = (Random::new(mixed), image.to_owned());
        Ok(Self { folder, random, image, seed, used, boots: 0, console: None, notes: Vec::new() })
    }

    /// Does something in a folder of its own, whose boots count as this test's.
    pub(super) fn beside<T>(&mut self, name: &str, act: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let folder = self.folder.with_file_name(name);
        let mut other = Self::in_folder(folder, &self.image, self.seed, self.used.clone())?;
        let result = act(&mut other);
        self.boots += other.boots;
        self.console = other.console.or_else(|| self.console.take());
        result
    }

    /// A stick fresh from the image, with this job on it.
    pub(crate) fn stick(&self, job: &Job) -> Result<Stick> {
        let stick = Stick::copy_of(&self.image, &self.folder, STICK)?;
        stick.set_job(job)?;
        Ok(stick)
    }

    /// A copy of the stick that did one job, with this serial number and the next job.
    pub(super) fn used_stick(&mut self, serial: &str, job: &Job) -> Result<Stick> {
        let stick = self.used.clone().copy(self, serial)?;
        stick.set_job(job)?;
        Ok(stick)
    }

    /// The payload that the stick image was made with.
    pub(crate) fn payload(&self) -> PathBuf {
        self.image.with_file_name("mule")
    }

    /// The kernel that the stick image was made with.
    pub(crate) fn kernel(&self) -> PathBuf {
        self.image.with_file_name("kernel").join("bzImage")
    }

    pub(crate) fn disk(&self, serial: &str, bytes: u64) -> Result<Disk> {
        Disk::stamped(&self.folder, serial, bytes)
    }

    /// Several disks of one size.
    pub(crate) fn disks(&self, serials: &[&str], bytes: u64) -> Result<Vec<Disk>> {
        serials.iter().map(|serial| self.disk(serial, bytes)).collect()
    }

    pub(crate) fn start(&mut self, machine: &Machine) -> Result<Vm> {
        self.boots += 1;
        let vm = Vm::start(machine, &self.folder, &format!("boot{}", self.boots), false)?;
        self.console = Some(vm.console());
        Ok(vm)
    }

    pub(super) fn boots(&self) -> u32 {
        self.boots
    }

    /// For the report of a failure: the end of the last boot's console, and where logs and pictures are.
    pub(super) fn left(&self) -> String {
        let tail = self.console.as_ref().map(Console::tail).unwrap_or_default();
        format!("{tail}files: {}", self.folder.display())
    }

    /// Starts the machine and waits for the end of its run.
    pub(crate) fn boot(&mut self, machine: &Machine) -> Result<Finished> {
        self.start(machine)?.finish()
    }

    pub(crate) fn certificates(&self, stick: &Stick) -> Result<Certificates> {
        Certificates::pull(stick, &self.folder.join(format!("{}-files-{}", stick.serial, self.boots)))
    }

    /// As after a power cut, when the file being written may be torn: only those that can be read.
    pub(crate) fn whole_certificates(&self, stick: &Stick) -> Result<Certificates> {
        Certificates::pull_whole(stick, &self.folder.join(format!("{}-files-{}-cut", stick.serial, self.boots)))
    }

    /// A remark that stands under the test's line in the report.
    pub(crate) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    pub(crate) fn notes(&self) -> String {
        self.notes.iter().map(|note| format!("\n    {note}")).collect()
    }

    /// Disk images go where a test passed; logs, certificates and pictures stay.
    pub(crate) fn clear_disks(&self, passed: bool) -> Result<()> {
        for entry in fs::read_dir(&self.folder).context("listing a test's folder")? {
            let path = entry.context("listing a test's folder")?.path();
            let is_image = path.extension().is_some_and(|e| e == "img" || e == "writes");
            if passed && is_image {
                fs::remove_file(&path).context("removing a disk image")?;
            }
        }
        Ok(())
    }
}

impl Finished {
    /// The run ended well and erased that many drives and had nothing else to report.
    pub(crate) fn expect_erased(&self, count: u32) -> Result<&Self> {
        let end = &self.end;
        let others = end.exceptions + end.failed + end.interrupted;
        ensure!(end.outcome == Outcome::Ok && end.erased == count && others == 0, "{count} should be erased: {end}");
        Ok(self)
    }

    /// The run did nothing to any drive, and said why.
    pub(crate) fn expect_refusal(&self) -> Result<String> {
        let end = &self.end;
        ensure!(end.outcome == Outcome::Refused && touched(end) == 0, "this should be refused: {end}");
        let errors = self.errors();
        ensure!(!errors.is_empty(), "the refusal has no reason on the console");
        Ok(errors)
    }

    /// A refusal after which a person can come and look.
    pub(crate) fn expect_refusal_and_stay(&self) -> Result<String> {
        ensure!(self.end.then == Then::Stay, "the machine should stay on: {}", self.end);
        self.expect_refusal()
    }

    /// All error lines, one after the other.
    pub(crate) fn errors(&self) -> String {
        let errors = self.events.iter().filter_map(|(_, event)| match event {
            Event::Error(text) => Some(text.as_str()),
            _ => None,
        });
        errors.collect::<Vec<_>>().join("\n")
    }

    /// Whether the guest said it would write to that drive.
    pub(crate) fn wrote_to(&self, serial: &str) -> bool {
        self.events.iter().any(|(_, event)| *event == Event::Writing(serial.into()))
    }

    pub(crate) fn resumed(&self) -> bool {
        self.events.iter().any(|(_, event)| matches!(event, Event::Resumed(_)))
    }
}

fn touched(end: &Final) -> u32 {
    end.erased + end.exceptions + end.failed + end.interrupted
}

/// Every one of the words, in any case, is in the text.
pub(crate) fn expect_words(text: &str, words: &[&str]) -> Result<()> {
    let lower = text.to_lowercase();
    for word in words {
        ensure!(lower.contains(&word.to_lowercase()), "the message lacks {word:?}: {text}");
    }
    Ok(())
}
