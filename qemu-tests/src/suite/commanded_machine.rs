//! What the machine itself takes part in: a suspend that thaws frozen drives, and discards by the kernel.

use super::{Test, bench::Bench};
use crate::{
    disk::MIB,
    job::Job,
    model::DriveHost,
    oracle::{self, Leaves},
    vm::{Drive, Machine},
};
use anyhow::{Context, Result, ensure};
use std::fs;

pub(super) const TESTS: &[Test] = &[
    Test::new("commanded-suspend", "a frozen drive thaws while the machine sleeps, and erases itself", suspend),
    Test::new(
        "commanded-discard",
        "a discard is certified as no erasure, and one without an effect as failed",
        discard,
    ),
];

/// ```text
/// stick   USB     FROZEN   SATA, served by drive-host; it loses its supply while the machine sleeps
/// ```
fn suspend(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("FROZEN", 4 * MIB)?;
    let mut host = DriveHost::of_sata_disks(&[(&disk, "security,enhanced,frozen")], &bench.folder)?;
    let stick = bench.stick(&Job::wipe("ata-secure-erase-enhanced").key("frozen", "suspend"))?;
    let mut vm = bench.start(&Machine::new(&stick).in_full().sleeps().drive_host(&host.socket()))?;
    vm.wait_text(&["sleeps for some seconds"], 120)?;
    vm.wait_asleep()?;
    oracle::untouched(&disk)?;
    host.power_cycle(0)?;
    vm.wait_text(&["this pc slept for"], 120)?;
    vm.finish()?.expect_erased(1)?;
    ensure!(!vm.said("pull its power connector"), "a person was asked to help");
    oracle::wiped(&disk, Leaves::Byte(0xa5))?;
    bench.certificates(&stick)?.of("FROZEN")?.expect_outcome("erased")?.verify()
}

/// ```text
/// stick   USB     TAKES, IGNORES   SATA     NEVER   USB, without discards
/// ```
fn discard(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["TAKES", "IGNORES", "NEVER"], 8 * MIB)?;
    let stick = bench.stick(&Job::wipe("blkdiscard").drives(&["TAKES", "IGNORES", "NEVER"]))?;
    let machine = Machine::new(&stick).drives([
        Drive::ahci(&disks[0]).discards(),
        Drive::ahci(&disks[1]),
        Drive::usb(&disks[2], false),
    ]);
    let finished = bench.boot(&machine)?;
    let counts = (finished.end.erased, finished.end.exceptions, finished.end.failed);
    ensure!(counts == (0, 1, 2), "{}", finished.end);
    let certificates = bench.certificates(&stick)?;
    for (disk, outcome, reason) in [
        (&disks[0], "discarded", "no erasure"),
        (&disks[1], "failed", "STILL THERE"),
        (&disks[2], "failed", "nothing was written"),
    ] {
        let certificate = certificates.of(&disk.serial)?;
        certificate.expect_outcome(outcome)?.verify()?;
        let said = certificate.text("/sanitisation/reason");
        ensure!(said.contains(reason), "{}: {said}", disk.serial);
        ensure!(certificate.text("/sanitisation/category").is_empty(), "{}: a category", disk.serial);
        certificate.check_html()?;
    }
    let cells = fs::read(&disks[0].path).context("reading the cells")?;
    ensure!(cells.iter().all(|byte| *byte == 0), "what was discarded is still in the file");
    oracle::untouched(&disks[2])
}
