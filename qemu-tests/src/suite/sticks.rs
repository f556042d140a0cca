//! The boot stick is never a target, and no stick is ever taken for another.

use super::{
    Test,
    bench::{Bench, STICK, expect_words},
    used::{self, FIRST},
};
use crate::{
    disk::{
        MIB, sparse,
        store::{Kind, Store},
    },
    job::Job,
    oracle::{self, Leaves},
    stick::Stick,
    vm::{Bus, Drive, Machine, Outcome},
};
use anyhow::{Result, ensure};

pub(super) const TESTS: &[Test] = &[
    Test::new("stick-asked-for", "the stick asked for by its own serial number: nothing is touched", asked_for),
    Test::new("stick-among-others", "the stick in the list of a wipe: only the others are wiped", among_others),
    Test::new("two-equal-sticks", "two sticks with the same content: refused, not a byte on either changes", two_equal),
    Test::new("duplicated-used-stick", "a dd copy of a used stick signs with a key of its own", duplicated),
    Test::new(
        "stick-with-another-serial",
        "a stick that shows another serial number signs with another key, and with its first one where it shows the first",
        another_serial,
    ),
    Test::new(
        "stick-on-built-in-disk",
        "built-in disks with a copy of the stick, or with a store, are not erased by a job for all, and the run says so",
        built_in,
    ),
    Test::new(
        "job-done-waits",
        "a job that is done touches nothing at the next start, until AGAIN is typed",
        done_waits,
    ),
    Test::new("used-stick-again", "a second job on one stick keeps the first certificates and the key", used_again),
];

/// ```text
/// stick   USB     D   AHCI
/// ```
fn asked_for(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("D", 8 * MIB)?;
    let stick = bench.stick(&Job::wipe("zero").drives(&[STICK]).without_then())?;
    let (gaps, files) = (stick.outside_partitions()?, stick.files_but_certificates()?);
    let finished = bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disk)))?;
    expect_words(&finished.expect_refusal_and_stay()?, &[STICK])?;
    ensure!(gaps == stick.outside_partitions()? && files == stick.files_but_certificates()?, "the stick changed");
    ensure!(bench.certificates(&stick)?.list.is_empty(), "a certificate for nothing");
    oracle::untouched(&disk)
}

/// ```text
/// stick   USB     D   AHCI
/// ```
fn among_others(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("D", 8 * MIB)?;
    let stick = bench.stick(&Job::wipe("zero").drives(&["D", STICK]))?;
    let (gaps, files) = (stick.outside_partitions()?, stick.files_but_certificates()?);
    let finished = bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disk)))?;
    let end = &finished.end;
    ensure!(end.outcome == Outcome::Refused && end.erased == 1 && end.refused == 1, "one of two: {end}");
    ensure!(!finished.wrote_to(STICK), "the stick was a target");
    ensure!(gaps == stick.outside_partitions()? && files == stick.files_but_certificates()?, "the stick changed");
    oracle::wiped(&disk, Leaves::Byte(0))?;
    let certificates = bench.certificates(&stick)?;
    ensure!(certificates.of(STICK).is_err(), "a certificate for the stick");
    certificates.of("D")?.expect_outcome("erased")?.verify()
}

/// ```text
/// A   USB, the BIOS starts from it     B   USB, the same content     D   AHCI
/// ```
/// Which of the two was booted cannot be told from inside, so neither may be written to.
fn two_equal(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("D", 8 * MIB)?;
    let a = bench.stick(&Job::wipe("zero").without_then())?;
    let b = a.duplicate("MULE-STICK-B")?;
    let before = bench.folder.join("before.img");
    sparse::copy(&a.path, &before)?;
    let finished = bench.boot(&Machine::new(&a).in_full().also_stick(&b).drive(Drive::ahci(&disk)))?;
    expect_words(&finished.expect_refusal_and_stay()?, &["stick"])?;
    oracle::same(&before, &a.path)?;
    oracle::same(&before, &b.path)?;
    oracle::untouched(&disk)
}

/// ```text
/// stick   USB, zeros     COPY   AHCI, a copy of the stick whose job writes noise     D   AHCI
/// ```
/// COPY comes first in every list, as the first port's disk does.
fn built_in(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("D", 8 * MIB)?;
    let stick = bench.stick(&Job::wipe("zero"))?;
    let copy = stick.duplicate("COPY")?;
    copy.set_job(&Job::wipe("random"))?;
    let before = bench.folder.join("before.img");
    sparse::copy(&copy.path, &before)?;
    let shop = Store::new(&bench.folder, "SHOP", 16 * MIB, Kind::Ext4)?;
    let images = bench.folder.join("images.img");
    sparse::copy(&shop.disk.path, &images)?;
    let drives = [Drive::new(&copy.path, "COPY", Bus::Ahci), Drive::ahci(&disk), Drive::ahci(&shop.disk)];
    let mut vm = bench.start(&Machine::new(&stick).drives(drives))?;
    let end = vm.finish()?.end;
    ensure!(end.outcome == Outcome::Refused && end.erased == 1 && end.refused == 2, "not counted: {end}");
    for words in ["NOT ERASED", "it carries a Mule stick", "it carries a store of images"] {
        ensure!(vm.said(words), "{words:?} is not said; {}", vm.console_tail());
    }
    drop(vm);
    oracle::same(&before, &copy.path)?;
    oracle::same(&images, &shop.disk.path)?;
    oracle::wiped(&disk, Leaves::Byte(0))?;
    bench.certificates(&stick)?.of("D")?.expect_outcome("erased")?.verify()
}

/// ```text
/// stick   USB, used before     FIRST   AHCI, full of data again
/// ```
fn done_waits(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk(FIRST, 4 * MIB)?;
    let stick = bench.used_stick(STICK, &used::first_job())?;
    let mut vm = bench.start(&Machine::new(&stick).drive(Drive::ahci(&disk)))?;
    let reason = vm.finish()?.expect_refusal_and_stay()?;
    expect_words(&reason, &["is done", FIRST, "erased"])?;
    oracle::untouched(&disk)?;
    vm.type_text("AGAI")?;
    vm.type_text("\rN")?;
    std::thread::sleep(std::time::Duration::from_secs(1));
    oracle::untouched(&disk)?;
    vm.type_text("AGAIN")?;
    vm.wait_text(&["power down"], crate::limits::RUN)?;
    drop(vm);
    oracle::wiped(&disk, Leaves::Byte(0))?;
    bench.certificates(&stick)?.of(FIRST)?.expect_outcome("erased")?.verify()
}

/// ```text
/// A   USB, used before     B   USB, copied from A     D2   AHCI
/// ```
fn duplicated(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("D2", 4 * MIB)?;
    let b = bench.used_stick("MULE-STICK-B", &Job::wipe("zero"))?;
    bench.boot(&Machine::new(&b).drive(Drive::ahci(&disk)))?.expect_erased(1)?;
    let certificates = bench.certificates(&b)?;
    let (first, second) = (certificates.of(FIRST)?, certificates.of("D2")?);
    first.expect_outcome("erased")?.verify()?;
    second.expect_outcome("erased")?.verify()?;
    ensure!(first.signer() != second.signer(), "both sticks sign as {}", first.signer());
    oracle::wiped(&disk, Leaves::Byte(0))
}

/// ```text
/// stick   USB, used before, with another serial number and back     D2, D3   AHCI
/// ```
fn another_serial(bench: &mut Bench) -> Result<()> {
    let (second, third) = (bench.disk("D2", 4 * MIB)?, bench.disk("D3", 4 * MIB)?);
    let here = bench.used_stick(STICK, &Job::wipe("zero"))?;
    let there = Stick { serial: "SHOWN-ELSEWHERE".into(), ..here.clone() };
    bench.boot(&Machine::new(&there).drive(Drive::ahci(&second)))?.expect_erased(1)?;
    here.set_job(&Job::wipe("nist-clear"))?;
    bench.boot(&Machine::new(&here).drive(Drive::ahci(&third)))?.expect_erased(1)?;
    let certificates = bench.certificates(&here)?;
    let (first, second, third) = (certificates.of(FIRST)?, certificates.of("D2")?, certificates.of("D3")?);
    for certificate in [&first, &second, &third] {
        certificate.expect_outcome("erased")?.verify()?;
    }
    ensure!(first.signer() != second.signer(), "another serial number, but signed as {}", first.signer());
    ensure!(first.signer() == third.signer(), "the first key was lost: {} signs", third.signer());
    Ok(())
}

/// ```text
/// stick   USB, used before     D2   AHCI
/// ```
fn used_again(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("D2", 4 * MIB)?;
    let stick = bench.used_stick(STICK, &Job::wipe("zero"))?;
    let finished = bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disk)))?;
    finished.expect_erased(1)?;
    ensure!(!finished.resumed(), "there was nothing to resume");
    let certificates = bench.certificates(&stick)?;
    let (first, second) = (certificates.of(FIRST)?, certificates.of("D2")?);
    first.verify()?;
    second.verify()?;
    ensure!(first.signer() == second.signer(), "the stick changed its key");
    let (earlier, later) = (first.number("/log/sequence"), second.number("/log/sequence"));
    ensure!(earlier < later, "the log went from frame {earlier:?} to {later:?}");
    ensure!(first.text("/log/job") != second.text("/log/job"), "two jobs with one id");
    oracle::wiped(&disk, Leaves::Byte(0))
}
