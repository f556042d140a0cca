//! What may have changed between a cut and the next boot.

use super::{
    Test,
    bench::{Bench, expect_words},
};
use crate::{
    disk::{Disk, MIB},
    job::Job,
    oracle::{self, Leaves},
    stick::Stick,
    vm::{Drive, Machine, Outcome, device_id},
};
use anyhow::{Result, ensure};
use std::time::Duration;

pub(super) const TESTS: &[Test] = &[
    Test::new("resume-repeats-little", "at most 10 s of work are done again", repeats_little).sleepy(),
    Test::new("resume-drive-missing", "a drive that is missing is waited for, on any machine, and goes on", missing)
        .sleepy(),
    Test::new("resume-closed", "an interrupted job is given up by a person's word only, and then certified so", closed)
        .sleepy(),
    Test::new("resume-content-changed", "a drive somebody wrote to in between is wiped from the start", changed)
        .sleepy(),
    Test::new(
        "resume-verification-cut",
        "what is written to a drive whose verification was cut is never certified as read back",
        verification_cut,
    )
    .sleepy(),
    Test::new("resume-ports-swapped", "drives are known by identity: their ports may have changed", swapped).sleepy(),
    Test::new("resume-new-drive", "a drive that was not in the job is not touched by the resume", new_drive).sleepy(),
];

const SIZE: u64 = 16 * MIB;
const SPEED: u64 = 4 * MIB;

/// A job that was cut `after` its first write, on slow AHCI disks.
fn cut(bench: &mut Bench, job: &Job, disks: &[Disk], speed: u64, after: Duration) -> Result<Stick> {
    let stick = bench.stick(job)?;
    let vm = bench.start(&Machine::new(&stick).drives(disks.iter().map(|disk| Drive::ahci(disk).slowed(speed))))?;
    vm.wait_writing()?;
    std::thread::sleep(after);
    ensure!(!vm.has_finished(), "the wipe was over before the cut");
    vm.cut()?;
    Ok(stick)
}

/// ```text
/// first boot    stick   USB     LONG   AHCI, 1.5 MiB/s, cut after 20 s
/// second boot   stick   USB     LONG   AHCI
/// ```
/// The first boot wrote about 30 of 48 MiB, of which 15 MiB in the last 10 s: the second writes no more than 33 MiB and
/// what a checkpoint may lag behind.
fn repeats_little(bench: &mut Bench) -> Result<()> {
    let speed = 3 * MIB / 2;
    let disks = [bench.disk("LONG", 48 * MIB)?];
    let job = Job::wipe("zero").then("stay");
    let stick = bench.stick(&job)?;
    let mut vm = bench.start(&Machine::new(&stick).drive(Drive::ahci(&disks[0]).slowed(speed)))?;
    vm.wait_writing()?;
    std::thread::sleep(Duration::from_secs(20));
    let first = vm.control()?.bytes_written(&device_id("LONG"))?;
    vm.cut()?;
    let mut vm = bench.start(&Machine::new(&stick).drive(Drive::ahci(&disks[0])))?;
    let finished = vm.finish()?;
    finished.expect_erased(1)?;
    ensure!(finished.resumed(), "the unfinished job was not found");
    let second = vm.control()?.bytes_written(&device_id("LONG"))?;
    drop(vm);
    let repeated = (first + second).saturating_sub(disks[0].bytes);
    bench.note(format!("first boot {first} bytes, second {second}, repeated {repeated}"));
    // Ten seconds of work, and one second for the time between the last completed write and the cut.
    ensure!(repeated <= 11 * speed, "{repeated} bytes were written again, that is more than 10 s of work");
    ensure!(second < disks[0].bytes, "the wipe began again");
    oracle::wiped(&disks[0], Leaves::Byte(0))
}

/// ```text
/// first boot    stick   USB     LATE, HERE   AHCI, slow, cut
/// second boot   stick   USB     OTHER        AHCI, on another PC
/// third boot    stick   USB     HERE         AHCI
/// fourth boot   stick   USB     LATE         AHCI
/// ```
fn missing(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["LATE", "HERE"], SIZE)?;
    let other = bench.disk("OTHER", SIZE)?;
    let stick = cut(bench, &Job::wipe("zero"), &disks, SPEED, Duration::from_secs(2))?;
    let finished = bench.boot(&Machine::new(&stick).drive(Drive::ahci(&other)))?;
    expect_words(&finished.expect_refusal_and_stay()?, &["waits for its drives", "LATE", "HERE"])?;
    oracle::untouched(&other)?;
    ensure!(bench.certificates(&stick)?.list.is_empty(), "something was certified on the other PC");
    let finished = bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disks[1])))?;
    let end = &finished.end;
    ensure!(finished.resumed() && end.outcome == Outcome::Interrupted, "{end}");
    ensure!(end.erased == 1 && end.waiting == 1 && end.interrupted == 0, "one erased, one waited for: {end}");
    let certificates = bench.certificates(&stick)?;
    certificates.of("HERE")?.expect_outcome("erased")?.verify()?;
    ensure!(certificates.of("LATE").is_err(), "a certificate for a drive that was not there");
    let finished = bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disks[0])))?;
    finished.expect_erased(1)?;
    ensure!(finished.resumed(), "it began anew");
    let certificates = bench.certificates(&stick)?;
    let late = certificates.of("LATE")?.expect_outcome("erased")?;
    late.verify()?;
    let pauses = late.items("/sanitisation/interruptions");
    ensure!(pauses.iter().any(|pause| pause["detail"].to_string().contains("went on without it")), "{pauses:?}");
    disks.iter().try_for_each(|disk| oracle::wiped(disk, Leaves::Byte(0)))
}

/// ```text
/// first boot    stick   USB     GIVEN   AHCI, slow, cut
/// second boot   stick   USB     NEXT    AHCI; CLOSE is typed, then AGAIN
/// ```
fn closed(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["GIVEN", "NEXT"], SIZE)?;
    let stick = cut(bench, &Job::wipe("zero"), &disks[..1], SPEED, Duration::from_secs(2))?;
    let mut vm = bench.start(&Machine::new(&stick).drive(Drive::ahci(&disks[1])))?;
    expect_words(&vm.finish()?.expect_refusal_and_stay()?, &["waits for its drives", "GIVEN"])?;
    vm.type_text("CLOSE")?;
    vm.wait_text(&["type again"], crate::limits::RUN)?;
    oracle::untouched(&disks[1])?;
    vm.type_text("AGAIN")?;
    vm.wait_text(&["power down"], crate::limits::RUN)?;
    drop(vm);
    let certificates = bench.certificates(&stick)?;
    let given = certificates.of("GIVEN")?.expect_outcome("interrupted")?;
    given.verify()?;
    ensure!(given.text("/sanitisation/reason").contains("a person closed the job"), "the reason is not told");
    certificates.of("NEXT")?.expect_outcome("erased")?.verify()?;
    oracle::wiped(&disks[1], Leaves::Byte(0))
}

/// ```text
/// first boot    stick   USB     USED, LEFT   AHCI, slow, cut
/// in between    somebody writes to the beginning of USED
/// second boot   stick   USB     USED, LEFT   AHCI
/// ```
fn changed(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["USED", "LEFT"], 2 * SIZE)?;
    // Long enough for a checkpoint that lies behind what is changed.
    let stick = cut(bench, &Job::wipe("zero"), &disks, SPEED / 2, Duration::from_secs(13))?;
    // A new partition table and file system start: the first MiB.
    disks[0].stamp_range(0, MIB / 512)?;
    let finished = bench.boot(&Machine::new(&stick).drives(disks.iter().map(Drive::ahci)))?;
    finished.expect_erased(2)?;
    ensure!(finished.resumed(), "the unfinished job was not found");
    let certificates = bench.certificates(&stick)?;
    for disk in &disks {
        oracle::wiped(disk, Leaves::Byte(0))?;
        let certificate = certificates.of(&disk.serial)?;
        certificate.expect_outcome("erased")?.verify()?;
        ensure!(!certificate.items("/sanitisation/interruptions").is_empty(), "the cut is not told");
    }
    let detail = |serial| -> Result<String> {
        Ok(certificates.of(serial)?.items("/sanitisation/interruptions")[0]["detail"].to_string())
    };
    ensure!(detail("USED")? != detail("LEFT")?, "the certificate does not say that USED began again");
    Ok(())
}

/// ```text
/// first boot    stick   USB     READ   AHCI, slow, cut while it is read back
/// in between    somebody writes a block where it was read back already
/// second boot   stick   USB     READ   AHCI
/// ```
fn verification_cut(bench: &mut Bench) -> Result<()> {
    const FOREIGN: u64 = 1000;
    let disk = bench.disk("READ", SIZE)?;
    let stick = bench.stick(&Job::wipe("zero"))?;
    let vm = bench.start(&Machine::new(&stick).drive(Drive::ahci(&disk).slowed(SPEED)))?;
    vm.wait_text(&["verify, "], 120)?;
    // Half of it, at that speed.
    std::thread::sleep(Duration::from_secs(SIZE / SPEED / 2));
    vm.cut()?;
    disk.stamp_range(FOREIGN, 1)?;
    let finished = bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disk)))?;
    ensure!(finished.resumed(), "the unfinished job was not found");
    let certificates = bench.certificates(&stick)?;
    let certificate = certificates.of("READ")?;
    certificate.verify()?;
    match certificate.text("/outcome") {
        // A look at some blocks, before it goes on, may have found it: then all is written again.
        "erased" => oracle::wiped(&disk, Leaves::Byte(0)),
        _ => {
            let different = certificate.items("/verification/different").iter();
            let listed = different.filter_map(|range| range["first_lba"].as_u64()).any(|first| first <= FOREIGN);
            ensure!(listed, "the block is not listed: {}", certificate.text("/statement"));
            Ok(())
        }
    }
}

/// ```text
/// first boot    stick   USB     P1, P2, P3   AHCI ports 0, 1, 2, slow, cut
/// second boot   stick   USB     P3, P1, P2   AHCI ports 0, 1, 2
/// ```
fn swapped(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["P1", "P2", "P3"], SIZE)?;
    let stick = cut(bench, &Job::wipe("dod-5220.22-m"), &disks, SPEED, Duration::from_secs(6))?;
    let order = [&disks[2], &disks[0], &disks[1]];
    let finished = bench.boot(&Machine::new(&stick).drives(order.map(Drive::ahci)))?;
    finished.expect_erased(3)?;
    ensure!(finished.resumed(), "the unfinished job was not found");
    let certificates = bench.certificates(&stick)?;
    for disk in &disks {
        oracle::wiped(disk, Leaves::Noise)?;
        certificates.of(&disk.serial)?.expect_outcome("erased")?.verify()?;
    }
    Ok(())
}

/// ```text
/// first boot    stick   USB     OLD        AHCI, slow, cut
/// second boot   stick   USB     NEW, OLD   AHCI
/// ```
/// The job says "all", but NEW was not there when it was authorised.
fn new_drive(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["OLD", "NEW"], SIZE)?;
    let stick = cut(bench, &Job::wipe("zero"), &disks[..1], SPEED, Duration::from_secs(2))?;
    let finished = bench.boot(&Machine::new(&stick).drives([&disks[1], &disks[0]].map(Drive::ahci)))?;
    ensure!(finished.resumed() && !finished.wrote_to("NEW"), "{}", finished.end);
    oracle::wiped(&disks[0], Leaves::Byte(0))?;
    oracle::untouched(&disks[1])?;
    bench.certificates(&stick)?.of("OLD")?.expect_outcome("erased")?.verify()
}
