//! Drives that are code of ours, served to the guest's own SCSI drivers: the shipped payload drives them.

use super::{Test, bench::Bench};
use crate::{
    disk::{
        MIB, SECTOR,
        store::{Kind, Store},
    },
    job::Job,
    model::DriveHost,
    oracle::{self, Leaves},
    vm::{Drive, Machine, Outcome},
};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::{fs, time::Duration};

pub(super) const TESTS: &[Test] = &[
    Test::new("modelled-wipe", "two served SCSI drives are wiped, the cells and the certificates agree", wipe),
    Test::new(
        "modelled-power-cut",
        "a served drive outlives its guest: the next one finds it as it was left",
        two_guests,
    ),
    Test::new("modelled-hot", "a drive that is too hot is given a rest; grown defects are in its certificate", hot),
    Test::new(
        "modelled-hot-copy",
        "drives that get too hot while they are imaged or cloned are given a rest",
        hot_copy,
    )
    .sleepy(),
    Test::new("modelled-details", "a waiting machine shows each drive in full, and what is wrong with it", details),
    Test::new(
        "modelled-hidden-remove",
        "HPA, DCO and AMAC are lifted through the kernel, and all cells are wiped",
        hidden_remove,
    ),
    Test::new(
        "modelled-bridge",
        "what a bridge keeps of a disk is an exception; one that shows more than the disk has is refused",
        bridge,
    ),
    Test::new(
        "modelled-hidden-left",
        "what stays hidden is an exception, or refused, and never an erasure",
        hidden_left,
    ),
];

/// ```text
/// stick   USB     D1, D2   SCSI, served by drive-host
/// ```
fn wipe(bench: &mut Bench) -> Result<()> {
    let disks = [bench.disk("SERVED-1", 8 * MIB + 5 * SECTOR)?, bench.disk("SERVED-2", 4 * MIB)?];
    let host = DriveHost::of_disks(&disks, &bench.folder)?;
    let stick = bench.stick(&Job::wipe("dod-5220.22-m"))?;
    bench.boot(&Machine::new(&stick).in_full().drive_host(&host.socket()))?.expect_erased(2)?;
    let certificates = bench.certificates(&stick)?;
    for disk in &disks {
        oracle::wiped(disk, Leaves::Noise)?;
        let certificate = certificates.of(&disk.serial)?;
        certificate.expect_outcome("erased")?.verify()?;
        ensure!(certificate.number("/media/bytes") == Some(disk.bytes), "the certificate names another size");
    }
    Ok(())
}

/// ```text
/// stick   USB     D1, D2   SCSI, served by drive-host; only D2 is named by the job
/// ```
fn two_guests(bench: &mut Bench) -> Result<()> {
    let disks = [bench.disk("OUTLIVES-1", 4 * MIB)?, bench.disk("OUTLIVES-2", 4 * MIB)?];
    let mut host = DriveHost::of_disks(&disks, &bench.folder)?;
    let stick = bench.stick(&Job::wipe("zero").drives(&["OUTLIVES-2"]))?;
    let machine = Machine::new(&stick).drive_host(&host.socket());
    let vm = bench.start(&machine)?;
    vm.wait_writing_to("OUTLIVES-2")?;
    vm.cut()?;
    host.power_cycle(1)?;
    ensure!(host.power_cycle(2).is_err(), "there is no third drive");
    bench.boot(&machine)?.expect_erased(1)?;
    oracle::untouched(&disks[0])?;
    oracle::wiped(&disks[1], Leaves::Byte(0))
}

/// ```text
/// stick   USB     HOT, COOL   SATA, served by drive-host; HOT cools down and grows defects while the job waits for it
/// ```
fn hot(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["HOT", "COOL"], 8 * MIB)?;
    let served =
        [(&disks[0], "smart,temperature=55,temperature-limit=50,reallocated=5"), (&disks[1], "smart,temperature=58")];
    let mut host = DriveHost::of_sata_disks(&served, &bench.folder)?;
    let stick = bench.stick(&Job::wipe("zero"))?;
    let mut vm = bench.start(&Machine::new(&stick).drive_host(&host.socket()))?;
    vm.wait_text(&["is too hot: waits for"], 120)?;
    ensure!(!vm.has_finished(), "the run did not wait");
    ensure!(oracle::wiped(&disks[0], Leaves::Byte(0)).is_err(), "the hot drive was written on");
    host.set(0, "temperature", 40)?;
    host.set(0, "reallocated", 12)?;
    vm.finish()?.expect_erased(2)?;
    let certificates = bench.certificates(&stick)?;
    for (disk, limit, highest, pauses) in [(&disks[0], 50, 55, 1), (&disks[1], 60, 58, 0)] {
        oracle::wiped(disk, Leaves::Byte(0))?;
        let certificate = certificates.of(&disk.serial)?;
        certificate.expect_outcome("erased")?.verify()?;
        let heat = ["limit_celsius", "highest_celsius", "pauses"];
        let heat = heat.map(|name| certificate.number(&format!("/media/heat/{name}")));
        ensure!(heat == [limit, highest, pauses].map(Some), "{}: {heat:?}", disk.serial);
        let grew =
            certificate.items("/limits").iter().filter_map(|limit| limit.as_str()).any(|limit| {
                limit.contains("GREW DEFECTS") && limit.contains("reallocated sectors 5 before, 12 after")
            });
        ensure!(grew == (disk.serial == "HOT"), "{}: grown defects {grew}", disk.serial);
    }
    Ok(())
}

/// ```text
/// first boot    stick   USB   STORE   SATA   HOT   SATA, served by drive-host       image of HOT
/// second boot   stick   USB   HOT, TARGET          both served                      HOT onto TARGET, which is as hot
/// ```
fn hot_copy(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["HOT", "TARGET"], 8 * MIB)?;
    let store = Store::new(&bench.folder, "STORE", 64 * MIB, Kind::Ext4)?;
    let words = "smart,temperature=55,temperature-limit=50";
    let mut host = DriveHost::of_sata_disks(&[(&disks[0], words), (&disks[1], words)], &bench.folder)?;
    let stick = bench.stick(&Job::copy("image").drives(&["HOT"]).key("name", "hot"))?;
    let machine = Machine::new(&stick).drive_host(&host.socket());
    for (job, outcome) in [
        (None, "imaged"),
        (Some(Job::copy("clone").drives(&["TARGET"]).key("source", "HOT").confirm(Some("erase"))), "cloned"),
    ] {
        let certified = if job.is_some() { "TARGET" } else { "HOT" };
        let machine = if job.is_some() { machine.clone() } else { machine.clone().drive(Drive::ahci(&store.disk)) };
        job.iter().try_for_each(|job| stick.set_job(job))?;
        let mut vm = bench.start(&machine)?;
        vm.wait_text(&["disk hot: 55 "], 120)?;
        host.set(usize::from(certified == "TARGET"), "reallocated", 3)?;
        host.set(0, "temperature", 40)?;
        if certified == "TARGET" {
            // It gets its first data now.
            vm.wait_text(&["disk target: 55 "], 120)?;
            ensure!(!vm.has_finished(), "the run did not wait");
            host.set(1, "temperature", 40)?;
        }
        let finished = vm.finish()?;
        ensure!(finished.end.outcome == Outcome::Ok, "{}", finished.end);
        let certificates = bench.certificates(&stick)?;
        let certificate = certificates.of(certified)?;
        certificate.expect_outcome(outcome)?.verify()?;
        let heat = ["limit_celsius", "highest_celsius", "pauses"];
        let heat = heat.map(|name| certificate.number(&format!("/media/heat/{name}")));
        ensure!(heat == [50, 55, 1].map(Some), "{outcome}: {heat:?}");
        let mut limits = certificate.items("/limits").iter().filter_map(|limit| limit.as_str());
        ensure!(
            limits.any(|limit| limit.contains("reallocated sectors 0 before, 3 after")),
            "{outcome}: grown defects"
        );
        (0..2).try_for_each(|number| host.set(number, "temperature", 55))?;
    }
    Ok(())
}

/// ```text
/// stick   USB     FIRST, SECOND   SATA, served by drive-host
/// ```
fn details(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["FIRST", "SECOND"], NATIVE)?;
    let words = ["hpa=16384,security,enhanced,frozen,smart,pending=3", "sanitize,ssd,failing"];
    let served: Vec<_> = disks.iter().zip(words).collect();
    let host = DriveHost::of_sata_disks(&served, &bench.folder)?;
    let stick = bench.stick(&Job::copy("report").then("stay"))?;
    let mut vm = bench.start(&Machine::new(&stick).drive_host(&host.socket()))?;
    vm.wait_text(&["the machine waits. keys: p power off"], 120)?;
    for number in 1..=3 {
        vm.type_text("d")?;
        vm.wait_text(&[&format!("drive {number} of 3")], 60)?;
    }
    vm.type_text("d")?;
    std::thread::sleep(Duration::from_secs(2));
    for told in [
        "native size    24,576 sectors",
        "frozen by the PC",
        "a Host Protected Area hides 4,194,304",
        "3 sectors cannot be read",
        "block erase",
        "THE DRIVE SAYS THAT IT IS FAILING",
        "solid-state",
    ] {
        ensure!(vm.said(told), "it did not say {told:?}");
    }
    let picture = bench.folder.join("details.png");
    vm.control()?.execute("screendump", json!({"filename": picture, "format": "png"}))?;
    vm.type_text("p")?;
    vm.wait_text(&["reboot: power down"], 60).map(drop)
}

const NATIVE: u64 = 12 * MIB;

/// ```text
/// stick   USB     HPA, DCO, BOTH, AMAC, PLAIN   SATA, served by drive-host; 12 MiB each, some of them hidden
/// ```
fn hidden_remove(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["HPA", "DCO", "BOTH", "AMAC", "PLAIN"], NATIVE)?;
    let hidden = ["hpa=16384", "dco=20480", "dco=20480,hpa=16384", "hpa=18432,amac", ""];
    let shown = [16384, 20480, 16384, 18432, NATIVE / SECTOR];
    let served: Vec<_> = disks.iter().zip(hidden).collect();
    let host = DriveHost::of_sata_disks(&served, &bench.folder)?;
    let stick = bench.stick(&Job::wipe("zero").key("hidden-areas", "remove"))?;
    bench.boot(&Machine::new(&stick).drive_host(&host.socket()))?.expect_erased(5)?;
    let certificates = bench.certificates(&stick)?;
    for (disk, shown) in disks.iter().zip(shown) {
        oracle::wiped(disk, Leaves::Byte(0))?;
        let certificate = certificates.of(&disk.serial)?;
        certificate.expect_outcome("erased")?.verify()?;
        let number = |pointer: &str| certificate.number(pointer);
        let sizes = (number("/media/bytes"), number("/coverage/hidden/before/visible"));
        ensure!(sizes == (Some(NATIVE), Some(shown * SECTOR)), "{}: the certificate has {sizes:?}", disk.serial);
        ensure!(number("/coverage/hidden/bytes_not_reached") == Some(0), "{}: not all was reached", disk.serial);
    }
    Ok(())
}

/// ```text
/// stick   USB     KEEPS, ADDS   SATA behind bridges, served by drive-host
/// ```
fn bridge(bench: &mut Bench) -> Result<()> {
    const KEPT: u64 = 2048;
    let disks = bench.disks(&["KEEPS", "ADDS"], NATIVE)?;
    let sectors = NATIVE / SECTOR;
    let keeps = format!("bridge-shows={}", sectors - KEPT);
    let adds = format!("hpa={},bridge-shows={sectors}", sectors - 8);
    let host = DriveHost::of_sata_disks(&[(&disks[0], &keeps), (&disks[1], &adds)], &bench.folder)?;
    let stick = bench.stick(&Job::wipe("zero"))?;
    let finished = bench.boot(&Machine::new(&stick).drive_host(&host.socket()))?;
    ensure!((finished.end.exceptions, finished.end.refused, finished.end.erased) == (1, 1, 0), "{}", finished.end);
    oracle::untouched(&disks[1])?;
    let certificates = bench.certificates(&stick)?;
    let certificate = certificates.of("KEEPS")?;
    certificate.expect_outcome("erased-with-exceptions")?.verify()?;
    let left = certificate.number("/coverage/hidden/bytes_not_reached");
    ensure!(left == Some(KEPT * SECTOR), "the certificate says {left:?} bytes were not reached");
    let cells = fs::read(&disks[0].path).context("reading the cells")?;
    let shown = cells.len() - usize::try_from(KEPT * SECTOR)?;
    ensure!(cells[..shown].iter().all(|byte| *byte == 0), "what the bridge shows is not blank");
    ensure!(cells[shown..].chunks(512).all(|sector| sector.iter().any(|byte| *byte != 0)), "what it keeps was changed");
    Ok(())
}

/// ```text
/// first boot    stick   USB     HIDES, LIES   SATA, served by drive-host   remove
/// second boot   stick   USB     the same                                   refuse
/// ```
fn hidden_left(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["LIES", "PLAIN"], NATIVE)?;
    let host = DriveHost::of_sata_disks(&[(&disks[0], "hpa=16384,lies"), (&disks[1], "")], &bench.folder)?;
    let stick = bench.stick(&Job::wipe("zero").key("hidden-areas", "refuse"))?;
    let machine = Machine::new(&stick).drive_host(&host.socket());
    let finished = bench.boot(&machine)?;
    ensure!((finished.end.erased, finished.end.refused) == (1, 1), "{}", finished.end);
    oracle::untouched(&disks[0])?;
    oracle::wiped(&disks[1], Leaves::Byte(0))?;
    stick.set_job(&Job::wipe("zero").drives(&["LIES"]).key("hidden-areas", "remove"))?;
    let finished = bench.boot(&machine)?;
    ensure!(finished.end.exceptions == 1 && finished.end.erased == 0, "{}", finished.end);
    let certificates = bench.certificates(&stick)?;
    let certificate = certificates.of("LIES")?;
    certificate.expect_outcome("erased-with-exceptions")?.verify()?;
    let left = certificate.number("/coverage/hidden/bytes_not_reached");
    ensure!(left == Some(NATIVE - 16384 * SECTOR), "the certificate says {left:?} bytes were not reached");
    let (cells, shown) = (fs::read(&disks[0].path).context("reading the cells")?, 16384 * 512);
    let mut expected = vec![0; cells.len()];
    disks[0].tag.fill(&mut expected, 0);
    ensure!(cells[..shown].iter().all(|byte| *byte == 0), "what the drive shows is not blank");
    ensure!(cells[shown..] == expected[shown..], "what the drive hides was changed");
    Ok(())
}
