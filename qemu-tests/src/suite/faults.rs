//! Drives that fail. A failure is that drive's outcome: it is certified as one and never stops the others.

use super::{Test, bench::Bench};
use crate::{
    certs::Certificate,
    disk::{Disk, MIB, SECTOR, sparse},
    job::Job,
    oracle::{self, Leaves},
    vm::{Drive, Fault, Finished, Machine, device_id},
};
use anyhow::{Result, ensure};
use serde_json::json;
use std::time::Duration;

pub(super) const TESTS: &[Test] = &[
    Test::new("write-error", "a sector that cannot be written: never \"erased\", and the others are", |b| {
        bad_sector(b, Fault::Write(BAD))
    }),
    Test::new("read-error", "a sector that cannot be read back: never \"erased\", and the others are", |b| {
        bad_sector(b, Fault::Read(BAD))
    }),
    Test::new("last-sector-unwritable", "the very last sector cannot be written: never \"erased\"", last_sector),
    Test::new("drive-pulled", "a drive pulled in the middle fails alone", pulled),
    Test::new("drive-lies", "a drive that keeps old data under a good status is found by verification", lies),
];

/// A sector in the middle of an 8 MiB disk.
const BAD: u64 = 7777;

/// ```text
/// stick   USB     BAD   AHCI, one bad sector     GOOD   AHCI
/// ```
fn bad_sector(bench: &mut Bench, fault: Fault) -> Result<()> {
    let disks = bench.disks(&["BAD", "GOOD"], 8 * MIB)?;
    let stick = bench.stick(&Job::wipe("zero"))?;
    let bad = Drive::ahci(&disks[0]).fault(fault);
    let finished = bench.boot(&Machine::new(&stick).drive(bad).drive(Drive::ahci(&disks[1])))?;
    expect_one_bad(&finished)?;
    oracle::wiped(&disks[1], Leaves::Byte(0))?;
    let certificates = bench.certificates(&stick)?;
    certificates.of("GOOD")?.expect_outcome("erased")?.verify()?;
    let certificate = certificates.of("BAD")?;
    certificate.verify()?;
    expect_not_erased(certificate)?;
    let list = if matches!(fault, Fault::Write(_)) { "/coverage/unwritable" } else { "/verification/unreadable" };
    ensure!(lists(certificate, list, BAD), "{list} does not list LBA {BAD}: {:?}", certificate.items(list));
    if certificate.text("/outcome") == "erased-with-exceptions" {
        old_only_at(&disks[0], BAD, 8)?;
    }
    Ok(())
}

/// ```text
/// stick   USB     BAD   AHCI, last sector bad
/// ```
fn last_sector(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("BAD", 4 * MIB + 3 * SECTOR)?;
    let last = disk.bytes / SECTOR - 1;
    let stick = bench.stick(&Job::wipe("zero"))?;
    let finished = bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disk).fault(Fault::Write(last))))?;
    ensure!(finished.end.erased == 0, "{}", finished.end);
    let certificates = bench.certificates(&stick)?;
    let certificate = certificates.of("BAD")?;
    certificate.verify()?;
    expect_not_erased(certificate)?;
    ensure!(lists(certificate, "/coverage/unwritable", last), "LBA {last} is not listed");
    old_only_at(&disk, last, 8)
}

/// ```text
/// stick   USB     PULLED   USB, slow, pulled     STAYS   AHCI, slow
/// ```
fn pulled(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["PULLED", "STAYS"], 12 * MIB)?;
    let stick = bench.stick(&Job::wipe("zero").drives(&["PULLED", "STAYS"]))?;
    let slow = 4 * MIB;
    let machine = Machine::new(&stick)
        .drive(Drive::usb(&disks[0], false).slowed(slow / 4))
        .drive(Drive::ahci(&disks[1]).slowed(slow));
    let mut vm = bench.start(&machine)?;
    vm.wait_writing_to("PULLED")?;
    std::thread::sleep(Duration::from_secs(1));
    vm.control()?.execute("device_del", json!({"id": device_id("PULLED")}))?;
    let finished = vm.finish()?;
    expect_one_bad(&finished)?;
    oracle::wiped(&disks[1], Leaves::Byte(0))?;
    let certificates = bench.certificates(&stick)?;
    certificates.of("STAYS")?.expect_outcome("erased")?.verify()?;
    certificates.of("PULLED")?.expect_outcome("failed")?.verify()
}

/// ```text
/// stick   USB     LIAR   AHCI, slow
/// ```
/// The host puts an old sector back behind the guest's back once writing has passed it, before it is read back.
fn lies(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("LIAR", 8 * MIB)?;
    let stick = bench.stick(&Job::wipe("zero"))?;
    let mut vm = bench.start(&Machine::new(&stick).drive(Drive::ahci(&disk).slowed(2 * MIB)))?;
    vm.wait_writing_to("LIAR")?;
    let device = device_id("LIAR");
    while vm.control()?.bytes_written(&device)? < 3 * MIB {
        std::thread::sleep(Duration::from_millis(20));
    }
    disk.stamp_range(100, 1)?;
    let finished = vm.finish()?;
    ensure!(finished.end.erased == 0, "old data went unseen: {}", finished.end);
    let certificates = bench.certificates(&stick)?;
    let certificate = certificates.of("LIAR")?;
    certificate.verify()?;
    expect_not_erased(certificate)?;
    ensure!(lists(certificate, "/verification/different", 100), "LBA 100 is not listed as different");
    Ok(())
}

fn expect_one_bad(finished: &Finished) -> Result<()> {
    let end = &finished.end;
    ensure!(end.erased == 1 && end.exceptions + end.failed == 1, "one good, one bad: {end}");
    Ok(())
}

fn expect_not_erased(certificate: &Certificate) -> Result<()> {
    let (outcome, reason) = (certificate.text("/outcome"), certificate.text("/sanitisation/reason"));
    ensure!(["erased-with-exceptions", "failed"].contains(&outcome), "the certificate says {outcome:?}");
    ensure!(!reason.is_empty(), "the certificate gives no reason for {outcome:?}");
    Ok(())
}

/// Whether a list of block ranges in the certificate has that block.
fn lists(certificate: &Certificate, pointer: &str, lba: u64) -> bool {
    certificate.items(pointer).iter().any(|range| {
        let (first, blocks) = (range["first_lba"].as_u64(), range["blocks"].as_u64());
        first.zip(blocks).is_some_and(|(first, blocks)| (first..first + blocks).contains(&lba))
    })
}

/// Old data is left at most in the `span` sectors around the bad one: the rest of the disk was wiped all the same.
fn old_only_at(disk: &Disk, bad: u64, span: u64) -> Result<()> {
    sparse::for_each_chunk(&disk.path, |at, buf| {
        for (sector, lba) in buf.chunks(512).zip(at / SECTOR..) {
            let near = lba / span == bad / span;
            ensure!(near || sparse::is_zero(sector), "LBA {lba} was not wiped, though only {bad} is bad");
        }
        Ok(())
    })
}
