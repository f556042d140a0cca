//! What every test has: a folder, fresh sticks and disks, and the judgement of a run.

use crate::{
    certs::Certificates,
    disk::Disk,
    job::Job,
    random::Random,
    stick::Stick,
    vm::{Event, Final, Finished, Machine, Outcome, Then, Vm},
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
    boots: u32,
    notes: Vec<String>,
}

impl Bench {
    /// An empty folder for the test; the seed is mixed with its name, so that two tests choose differently.
    pub(crate) fn new(name: &str, image: &Path, parent: &Path, seed: u64) -> Result<Self> {
        let folder = parent.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("clearing {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let mixed = name.bytes().fold(seed, |seed, byte| Random::new(seed ^ u64::from(byte)).next());
        Ok(Self { folder, random: Random::new(mixed), image: image.to_owned(), boots: 0, notes: Vec::new() })
    }

    /// A stick fresh from the image, with this job on it.
    pub(crate) fn stick(&self, job: &Job) -> Result<Stick> {
        let stick = Stick::copy_of(&self.image, &self.folder, STICK)?;
        stick.set_job(job)?;
        Ok(stick)
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
        Vm::start(machine, &self.folder, &format!("boot{}", self.boots), false)
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
