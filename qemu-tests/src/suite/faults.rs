//! Drives that fail. A failure is that drive's outcome: it is certified as one and never stops the others.

use super::{Test, bench::Bench};
use crate::{
    certs::Certificate,
    disk::{Disk, MIB, SECTOR, sparse},
    job::Job,
    oracle::{self, Leaves},
    vm::{Drive, Fault, Machine, device_id},
};
use anyhow::{Result, ensure};
use serde_json::json;
use std::time::Duration;

pub(super) const TESTS: &[Test] = &[
    Test::new(
        "bad-sectors",
        "sectors that cannot be written or read back, the very last among them: never \"erased\", and the others are",
        bad_sectors,
    ),
    Test::new("drive-pulled", "a drive pulled in the middle fails alone; removable ones that are named count", pulled)
        .sleepy(),
    Test::new("drive-lies", "a drive that keeps old data under a good status is found by verification", lies).sleepy(),
];

/// A sector in the middle of an 8 MiB disk.
const BAD: u64 = 7777;
/// The one that is put back.
const LIE: u64 = 5000;

/// ```text
/// stick   USB     WRITE, READ   AHCI, one bad sector     LAST   AHCI, last sector bad     GOOD   AHCI
/// ```
fn bad_sectors(bench: &mut Bench) -> Result<()> {
    let mut disks = bench.disks(&["WRITE", "READ", "GOOD"], 8 * MIB)?;
    disks.push(bench.disk("LAST", 4 * MIB + 3 * SECTOR)?);
    let last = disks[3].bytes / SECTOR - 1;
    let stick = bench.stick(&Job::wipe("zero"))?;
    let machine = Machine::new(&stick).drives([
        Drive::ahci(&disks[0]).fault(Fault::Write(BAD)),
        Drive::ahci(&disks[1]).fault(Fault::Read(BAD)),
        Drive::ahci(&disks[2]),
        Drive::ahci(&disks[3]).fault(Fault::Write(last)),
    ]);
    let end = bench.boot(&machine)?.end;
    ensure!(end.erased == 1 && end.exceptions + end.failed == 3, "one good, three bad: {end}");
    oracle::wiped(&disks[2], Leaves::Byte(0))?;
    let certificates = bench.certificates(&stick)?;
    certificates.of("GOOD")?.expect_outcome("erased")?.verify()?;
    for (disk, list, bad) in [
        (&disks[0], "/coverage/unwritable", BAD),
        (&disks[1], "/verification/unreadable", BAD),
        (&disks[3], "/coverage/unwritable", last),
    ] {
        let certificate = certificates.of(&disk.serial)?;
        certificate.verify()?;
        expect_not_erased(certificate)?;
        let listed = certificate.items(list);
        ensure!(lists(certificate, list, bad), "{}: {list} does not list LBA {bad}: {listed:?}", disk.serial);
        if bad == last || certificate.text("/outcome") == "erased-with-exceptions" {
            old_only_at(disk, bad, 8)?;
        }
    }
    Ok(())
}

/// ```text
/// stick   USB     PULLED   USB, slow, pulled     STAYS   AHCI, slow     PLUGGED   USB, removable
/// ```
fn pulled(bench: &mut Bench) -> Result<()> {
    let mut disks = bench.disks(&["PULLED", "STAYS"], 12 * MIB)?;
    disks.push(bench.disk("PLUGGED", 4 * MIB)?);
    let stick = bench.stick(&Job::wipe("zero").drives(&["PULLED", "STAYS", "PLUGGED"]))?;
    let slow = 4 * MIB;
    let machine = Machine::new(&stick).drives([
        Drive::usb(&disks[0], false).slowed(slow / 4),
        Drive::ahci(&disks[1]).slowed(slow),
        Drive::usb(&disks[2], true),
    ]);
    let mut vm = bench.start(&machine)?;
    vm.wait_writing_to("PULLED")?;
    std::thread::sleep(Duration::from_secs(1));
    vm.control()?.execute("device_del", json!({"id": device_id("PULLED")}))?;
    let end = vm.finish()?.end;
    ensure!(end.erased == 2 && end.exceptions + end.failed == 1, "two good, one bad: {end}");
    let certificates = bench.certificates(&stick)?;
    for disk in &disks[1..] {
        oracle::wiped(disk, Leaves::Byte(0))?;
        certificates.of(&disk.serial)?.expect_outcome("erased")?.verify()?;
    }
    // Linux calls a disk behind a bridge rotational where nobody says so.
    let medium = certificates.of("PLUGGED")?.text("/media/media_type");
    ensure!(medium == "unknown", "a medium of which nothing is known is called {medium}");
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
    // A blank sector is behind the guest, unless its request failed and is written again behind all that are under way:
    // that happens to a first one on QEMU's AHCI, so this sector lies well behind that.
    while vm.control()?.bytes_written(&device)? < 5 * MIB || !disk.is_blank(LIE)? {
        ensure!(!vm.has_finished(), "the wipe was over before the lie; {}", vm.console_tail());
        std::thread::sleep(Duration::from_millis(20));
    }
    disk.stamp_range(LIE, 1)?;
    let finished = vm.finish()?;
    ensure!(finished.end.erased == 0, "old data went unseen: {}", finished.end);
    let certificates = bench.certificates(&stick)?;
    let certificate = certificates.of("LIAR")?;
    certificate.verify()?;
    expect_not_erased(certificate)?;
    ensure!(lists(certificate, "/verification/different", LIE), "LBA {LIE} is not listed as different");
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
