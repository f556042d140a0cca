//! A stick that did one job, made once in a run and copied for every test that begins with such a one.

use super::bench::{Bench, STICK};
use crate::{
    disk::MIB,
    job::Job,
    oracle::{self, Leaves},
    stick::Stick,
    vm::{Drive, Machine},
};
use anyhow::{Context, Result, ensure};
use std::sync::{Arc, Mutex, PoisonError};

/// Where it is made.
pub(super) const FOLDER: &str = "used-stick";
/// The disk that its first job wiped.
pub(super) const FIRST: &str = "FIRST";

/// Made by the first test that asks; the others wait for it.
#[derive(Debug, Clone, Default)]
pub(super) struct UsedStick(Arc<Mutex<Option<Stick>>>);

impl UsedStick {
    /// A copy of it for this test, with another serial number of its USB device where the test wants one.
    pub(super) fn copy(&self, bench: &mut Bench, serial: &str) -> Result<Stick> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let used = match made.take() {
            Some(stick) => stick,
            None => bench.beside(FOLDER, make).context("making a used stick")?,
        };
        Stick::copy_of(&made.insert(used).path, &bench.folder, serial)
    }
}

/// What it did.
pub(super) fn first_job() -> Job {
    Job::wipe("zero").drives(&[FIRST])
}

/// ```text
/// stick   USB     FIRST   AHCI
/// ```
fn make(bench: &mut Bench) -> Result<Stick> {
    let disk = bench.disk(FIRST, 4 * MIB)?;
    // A job of its own: one that is done does not begin again by itself.
    let stick = bench.stick(&first_job())?;
    ensure!(stick.serial == STICK, "copies of it are to be the same stick");
    let finished = bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disk)))?;
    finished.expect_erased(1)?;
    ensure!(!finished.resumed(), "there was nothing to resume");
    oracle::wiped(&disk, Leaves::Byte(0))?;
    bench.certificates(&stick)?.of(FIRST)?.expect_outcome("erased")?.verify()?;
    Ok(stick)
}
