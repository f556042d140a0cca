//! Logs that are missing, damaged or full: a clear message, no disk touched, and the machine stays on.

use super::{
    Test,
    bench::{Bench, expect_words},
};
use crate::{
    disk::{Disk, MIB},
    job::Job,
    oracle,
    stick::Stick,
    vm::{Drive, Machine},
};
use anyhow::{Context, Result, ensure};

pub(super) const TESTS: &[Test] = &[
    Test::new("log-partition-missing", "no log partition in the partition table", |b| {
        refused_log(b, &["log"], Stick::remove_log_entry)
    }),
    Test::new("stick-id-missing", "a stick without its id cannot be told from a target", |b| {
        refused_log(b, &["stick"], Stick::remove_id)
    }),
    Test::new("log-full", "a log partition too small for one job", |b| {
        refused_log(b, &["log"], |stick| stick.shrink_log(16))
    }),
    Test::new("log-damaged", "a used log with damage in its middle", damaged),
    Test::new("log-start-damaged", "a used log whose beginning is destroyed", start_damaged),
    Test::new("log-torn-tail", "a used log whose last sector was torn is cut there and goes on", torn_tail),
];

/// ```text
/// stick   USB, changed     D   AHCI
/// ```
fn refused_log(bench: &mut Bench, words: &[&str], change: impl Fn(&Stick) -> Result<()>) -> Result<()> {
    let stick = bench.stick(&Job::wipe("zero").without_then())?;
    change(&stick)?;
    refused(bench, &stick, words)
}

fn refused(bench: &mut Bench, stick: &Stick, words: &[&str]) -> Result<()> {
    let disk = bench.disk("KEPT", 8 * MIB)?;
    let finished = bench.boot(&Machine::new(stick).drive(Drive::ahci(&disk)))?;
    expect_words(&finished.expect_refusal_and_stay()?, words)?;
    oracle::untouched(&disk)
}

/// A stick with one job in its log, and how that job's disk was left.
fn used_stick(bench: &mut Bench) -> Result<(Stick, Disk)> {
    let disk = bench.disk("FIRST", 4 * MIB)?;
    let stick = bench.stick(&Job::wipe("zero"))?;
    bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disk)))?.expect_erased(1)?;
    stick.set_job(&Job::wipe("zero").without_then())?;
    Ok((stick, disk))
}

/// ```text
/// first boot    stick   USB                  FIRST   AHCI
/// second boot   stick   USB, log damaged     KEPT    AHCI
/// ```
fn damaged(bench: &mut Bench) -> Result<()> {
    let (stick, _) = used_stick(bench)?;
    let used = stick.log_used()?;
    // Entries are a sector or two long; this is one with some behind it, well behind the log's first blocks.
    let middle = used.end.next_multiple_of(512) - 5 * 512;
    ensure!(used.start + 12 * 1024 < middle, "the log holds too little to have a middle: {used:?}");
    stick.damage(middle..middle + 512)?;
    refused(bench, &stick, &["log"])
}

/// ```text
/// first boot    stick   USB                            FIRST   AHCI
/// second boot   stick   USB, start of log destroyed    KEPT    AHCI
/// ```
fn start_damaged(bench: &mut Bench) -> Result<()> {
    let (stick, _) = used_stick(bench)?;
    let log = stick.log_range()?;
    stick.damage(log.start..log.start + 8192)?;
    refused(bench, &stick, &["log"])
}

/// ```text
/// first boot    stick   USB                             FIRST    AHCI
/// second boot   stick   USB, last log sector torn       SECOND   AHCI
/// ```
fn torn_tail(bench: &mut Bench) -> Result<()> {
    let (stick, _) = used_stick(bench)?;
    let end = stick.log_used()?.end;
    // Half of the last sector: what a write that the power cut hit leaves.
    let sector = (end - 1) / 512 * 512;
    let half = end.checked_sub(sector).map(|len| sector + len / 2).context("the log is not empty")?;
    stick.damage(half..end)?;
    let disk = bench.disk("SECOND", 4 * MIB)?;
    stick.set_job(&Job::wipe("zero"))?;
    bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disk)))?.expect_erased(1)?;
    oracle::wiped(&disk, oracle::Leaves::Byte(0))?;
    bench.certificates(&stick)?.of("SECOND")?.expect_outcome("erased")?.verify()
}
