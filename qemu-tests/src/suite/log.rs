//! Logs that are missing, damaged or full: a clear message, no disk touched, and the machine stays on.

use super::{
    Test,
    bench::{Bench, STICK, expect_words},
};
use crate::{
    disk::MIB,
    job::Job,
    oracle,
    stick::Stick,
    vm::{Drive, Machine},
};
use anyhow::{Context, Result, ensure};

pub(super) const TESTS: &[Test] = &[
    Test::new("log-partition-missing", "no log partition in the partition table", |b| {
        changed(b, &["log"], Machine::in_full, Stick::remove_log_entry)
    }),
    Test::new("stick-id-missing", "a stick without its id cannot be told from a target", |b| {
        changed(b, &["stick"], Machine::in_full, Stick::remove_id)
    })
    .sleepy(),
    Test::new("log-full", "a log partition too small for one job", |b| {
        changed(b, &["log"], |machine| machine, |stick| stick.shrink_log(16))
    }),
    Test::new("log-damaged", "a used log with damage in its middle", damaged),
    Test::new("log-start-damaged", "a used log whose beginning is destroyed", start_damaged),
    Test::new("log-torn-tail", "a used log whose last sector was torn is cut there and goes on", torn_tail),
];

/// ```text
/// stick   USB, changed     KEPT   AHCI
/// ```
/// In full where the change is in the sectors that the BIOS and the boot code read as well.
fn changed(
    bench: &mut Bench,
    words: &[&str],
    machine: fn(Machine) -> Machine,
    change: impl Fn(&Stick) -> Result<()>,
) -> Result<()> {
    let stick = bench.stick(&Job::wipe("zero").without_then())?;
    change(&stick)?;
    refused(bench, machine(Machine::new(&stick)), words)
}

fn refused(bench: &mut Bench, machine: Machine, words: &[&str]) -> Result<()> {
    let disk = bench.disk("KEPT", 8 * MIB)?;
    let finished = bench.boot(&machine.drive(Drive::ahci(&disk)))?;
    expect_words(&finished.expect_refusal_and_stay()?, words)?;
    oracle::untouched(&disk)
}

/// ```text
/// stick   USB, used, log damaged     KEPT   AHCI
/// ```
fn damaged(bench: &mut Bench) -> Result<()> {
    let stick = bench.used_stick(STICK, &Job::wipe("zero").without_then())?;
    let used = stick.log_used()?;
    // Entries are a sector or two long; this is one with some behind it, well behind the log's first blocks.
    let middle = used.end.next_multiple_of(512) - 5 * 512;
    ensure!(used.start + 12 * 1024 < middle, "the log holds too little to have a middle: {used:?}");
    stick.damage(middle..middle + 512)?;
    refused(bench, Machine::new(&stick), &["log"])
}

/// ```text
/// stick   USB, used, start of log destroyed     KEPT   AHCI
/// ```
fn start_damaged(bench: &mut Bench) -> Result<()> {
    let stick = bench.used_stick(STICK, &Job::wipe("zero").without_then())?;
    let log = stick.log_range()?;
    stick.damage(log.start..log.start + 8192)?;
    refused(bench, Machine::new(&stick), &["log"])
}

/// ```text
/// stick   USB, used, last log sector torn     SECOND   AHCI
/// ```
fn torn_tail(bench: &mut Bench) -> Result<()> {
    let stick = bench.used_stick(STICK, &Job::wipe("zero"))?;
    let end = stick.log_used()?.end;
    // Half of the last sector: what a write that the power cut hit leaves.
    let sector = (end - 1) / 512 * 512;
    let half = end.checked_sub(sector).map(|len| sector + len / 2).context("the log is not empty")?;
    stick.damage(half..end)?;
    let disk = bench.disk("SECOND", 4 * MIB)?;
    bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disk)))?.expect_erased(1)?;
    oracle::wiped(&disk, oracle::Leaves::Byte(0))?;
    bench.certificates(&stick)?.of("SECOND")?.expect_outcome("erased")?.verify()
}
