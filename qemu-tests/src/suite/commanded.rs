//! Methods by the drive's own commands: the shipped payload gives them to drives that are code of ours, and the cells are
//! looked at afterwards, hidden sectors included.

use super::{Test, bench::Bench};
use crate::{
    disk::{Disk, MIB, SECTOR},
    job::Job,
    model::DriveHost,
    oracle::{self, Leaves},
    vm::{Drive, Machine},
};
use anyhow::{Context, Result, ensure};
use std::fs;

pub(super) const TESTS: &[Test] = &[
    Test::new(
        "commanded-erase",
        "security erase, both kinds, then zeros: cells, certificates, no password left",
        erase,
    ),
    Test::new(
        "commanded-sanitize",
        "sanitize and the best purge of disks and SSDs, with and without zeros after",
        sanitize,
    ),
    Test::new("commanded-lies", "drives that report success and did not erase are never called erased", lies),
    Test::new("commanded-not-offered", "what a drive does not offer, or refuses, leaves it untouched", not_offered),
    Test::new("commanded-frozen", "a frozen drive is waited for; the job goes on when its supply was cut", frozen),
    Test::new(
        "commanded-power-cut",
        "power goes while drives erase themselves: no password, no false certificate",
        power_cut,
    )
    .sleepy(),
    Test::new("commanded-nvme-format", "QEMU's NVMe drive is formatted, its markers gone, and certified", nvme_format),
];

const NATIVE: u64 = 12 * MIB;

/// Serves `disks`, each with its words, to a stick with one job.
fn served(bench: &Bench, disks: &[Disk], words: &[&str]) -> Result<DriveHost> {
    let served: Vec<_> = disks.iter().zip(words.iter().copied()).collect();
    DriveHost::of_sata_disks(&served, &bench.folder)
}

/// ```text
/// stick   USB     NORMAL, ENHANCED   SATA, served by drive-host       one boot for each method
/// ```
fn erase(bench: &mut Bench) -> Result<()> {
    for (method, category, left) in [
        ("ata-secure-erase", "Clear", Leaves::Byte(0)),
        ("ata-secure-erase-enhanced", "Purge", Leaves::Byte(0xa5)),
        ("ata-secure-erase-enhanced-zero", "Purge", Leaves::Byte(0)),
    ] {
        let disks = bench.disks(&["ERASED-1", "ERASED-2"], NATIVE)?;
        let host = served(bench, &disks, &["security,enhanced,erase-seconds=1", "security,enhanced,smart"])?;
        let stick = bench.stick(&Job::wipe(method).key("hidden-areas", "remove"))?;
        bench.boot(&Machine::new(&stick).drive_host(&host.socket()))?.expect_erased(2)?;
        let certificates = bench.certificates(&stick)?;
        for disk in &disks {
            oracle::wiped(disk, left)?;
            let certificate = certificates.of(&disk.serial)?;
            certificate.expect_outcome("erased")?.verify()?;
            ensure!(certificate.text("/sanitisation/category") == category, "{method}: not {category}");
            ensure!(certificate.text("/sanitisation/command/evidence") == "password-gone", "{method}: other evidence");
            let markers = certificate.number("/sanitisation/command/markers");
            ensure!(markers.is_some_and(|blocks| blocks * 20 >= NATIVE / SECTOR), "{method}: {markers:?} markers");
            ensure!(certificate.number("/sanitisation/command/markers_left") == Some(0), "{method}: markers left");
            certificate.check_html()?;
        }
    }
    Ok(())
}

/// ```text
/// stick   USB     DISK, SSD   SATA, served by drive-host, the disk with an HPA
/// ```
fn sanitize(bench: &mut Bench) -> Result<()> {
    let words = ["sanitize,sanitize-seconds=1,hpa=16384", "sanitize,sanitize-seconds=1,ssd"];
    for (method, commands, left) in [
        ("purge", ["OVERWRITE EXT", "BLOCK ERASE EXT"], Some(Leaves::Byte(0))),
        ("ata-sanitize-crypto-scramble", ["CRYPTO SCRAMBLE EXT"; 2], Some(Leaves::Noise)),
        ("purge-zero", ["OVERWRITE EXT", "BLOCK ERASE EXT"], Some(Leaves::Byte(0))),
    ] {
        let disks = bench.disks(&["DISK", "SSD"], NATIVE)?;
        let host = served(bench, &disks, &words)?;
        let stick = bench.stick(&Job::wipe(method).key("hidden-areas", "remove").verify("sampled"))?;
        bench.boot(&Machine::new(&stick).drive_host(&host.socket()))?.expect_erased(2)?;
        let certificates = bench.certificates(&stick)?;
        for (disk, command) in disks.iter().zip(commands) {
            if let Some(left) = left {
                oracle::wiped(disk, left)?;
            }
            let certificate = certificates.of(&disk.serial)?;
            certificate.expect_outcome("erased")?.verify()?;
            ensure!(certificate.text("/sanitisation/category") == "Purge", "{method}: {} is no purge", disk.serial);
            ensure!(certificate.text("/sanitisation/command/name") == command, "{method}: another command");
            ensure!(certificate.text("/sanitisation/command/evidence") == "seen-in-progress", "{method}: not seen");
        }
    }
    Ok(())
}

/// ```text
/// stick   USB     seven liars   SATA, served by drive-host
/// ```
fn lies(bench: &mut Bench) -> Result<()> {
    for (method, liars) in [
        (
            "ata-secure-erase",
            &[
                "security,erase-erases-nothing",
                "security,erase-skips-hidden",
                "security,password-ignored",
                "security,password-stays",
                "security,wrong-serial=ANOTHER",
            ][..],
        ),
        (
            "ata-sanitize-overwrite",
            &[
                "sanitize,idle-sanitize",
                "sanitize,sanitize-erases-nothing",
                "sanitize,sanitize-fails",
                "sanitize,no-registers",
                "sanitize,wrong-serial=ANOTHER",
            ],
        ),
    ] {
        let serials: Vec<String> = (0..liars.len()).map(|number| format!("LIAR-{number}")).collect();
        let serials: Vec<&str> = serials.iter().map(String::as_str).collect();
        let disks = bench.disks(&serials, 4 * MIB)?;
        let host = served(bench, &disks, liars)?;
        let stick = bench.stick(&Job::wipe(method))?;
        let finished = bench.boot(&Machine::new(&stick).drive_host(&host.socket()))?;
        ensure!((finished.end.erased, finished.end.exceptions) == (0, 0), "{method}: {}", finished.end);
        let certificates = bench.certificates(&stick)?;
        for (disk, lie) in disks.iter().zip(liars) {
            let certificate = certificates.of(&disk.serial)?;
            certificate.expect_outcome("failed").with_context(|| (*lie).to_owned())?.verify()?;
            ensure!(certificate.text("/sanitisation/category").is_empty(), "{lie}: a category");
            bench.note(format!("{lie}: {}", certificate.text("/sanitisation/reason")));
        }
    }
    Ok(())
}

/// ```text
/// stick   USB     PLAIN, LOCKED   SATA, served by drive-host
/// ```
fn not_offered(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["PLAIN", "LOCKED"], 4 * MIB)?;
    let host = served(bench, &disks, &["smart", "security,enhanced,locked=somebody"])?;
    let stick = bench.stick(&Job::wipe("purge"))?;
    let finished = bench.boot(&Machine::new(&stick).drive_host(&host.socket()))?;
    ensure!((finished.end.erased, finished.end.failed) == (0, 2), "{}", finished.end);
    let certificates = bench.certificates(&stick)?;
    for (disk, why) in disks.iter().zip(["purge unavailable", "somebody's password"]) {
        oracle::untouched(disk)?;
        let reason = certificates.of(&disk.serial)?.text("/sanitisation/reason");
        ensure!(reason.contains(why) && reason.contains("nothing was written"), "{}: {reason}", disk.serial);
    }
    Ok(())
}

/// ```text
/// stick   USB     FROZEN   SATA, served by drive-host; its supply is cut while the job waits
/// ```
fn frozen(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["FROZEN"], 4 * MIB)?;
    let mut host = served(bench, &disks, &["security,frozen"])?;
    let stick = bench.stick(&Job::wipe("ata-secure-erase"))?;
    let mut vm = bench.start(&Machine::new(&stick).drive_host(&host.socket()))?;
    vm.wait_text(&["pull its power connector"], 120)?;
    host.power_cycle(0)?;
    vm.finish()?.expect_erased(1)?;
    oracle::wiped(&disks[0], Leaves::Byte(0))?;
    bench.certificates(&stick)?.of("FROZEN")?.expect_outcome("erased")?.verify()
}

/// ```text
/// first boot    stick   USB   ERASE      SATA, served by drive-host   cut while it is at work
/// second boot   the same
/// both again    stick   USB   SANITIZE   the same way
/// fifth boot    stick   USB   ERASE, SANITIZE
/// ```
fn power_cut(bench: &mut Bench) -> Result<()> {
    let (mut hosts, mut sockets) = (Vec::new(), Vec::new());
    let fresh = bench.stick(&Job::wipe("zero"))?.duplicate("MULE-STICK-B")?;
    for (serial, words, method) in [
        ("ERASE", "security,enhanced,erase-seconds=6", "ata-secure-erase-enhanced"),
        ("SANITIZE", "sanitize,sanitize-seconds=12", "ata-sanitize-overwrite"),
    ] {
        let disks = bench.disks(&[serial], 4 * MIB)?;
        let mut host = served(bench, &disks, &[words])?;
        let stick = bench.stick(&Job::wipe(method))?;
        let machine = Machine::new(&stick).drive_host(&host.socket());
        let vm = bench.start(&machine)?;
        vm.wait_text(&["security erase unit", "overwrite ext"], 120)?;
        vm.cut()?;
        // The disk loses its supply with the machine; where it was at work, an erase goes on being due.
        host.power_cycle(0)?;
        let finished = bench.boot(&machine)?;
        finished.expect_erased(1)?;
        let leaves = if serial == "ERASE" { Leaves::Byte(0xa5) } else { Leaves::Byte(0) };
        oracle::wiped(&disks[0], leaves)?;
        let certificates = bench.certificates(&stick)?;
        let certificate = certificates.of(serial)?;
        certificate.expect_outcome("erased")?.verify()?;
        ensure!(certificate.items("/sanitisation/interruptions").len() == 1, "{serial}: no interruption told");
        // A password that is left would lock the disk at its next start.
        host.power_cycle(0)?;
        sockets.push(host.socket());
        hosts.push(host);
    }
    let both = sockets.iter().fold(Machine::new(&fresh), |machine, socket| machine.drive_host(socket));
    bench.boot(&both)?.expect_erased(2).map(drop)
}

/// ```text
/// stick   USB     D1   NVMe, QEMU's own
/// ```
fn nvme_format(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("NVME-FORMAT", 8 * MIB)?;
    let stick = bench.stick(&Job::wipe("nvme-format-user-data"))?;
    let finished = bench.boot(&Machine::new(&stick).drive(Drive::nvme(&disk)))?;
    let certificates = bench.certificates(&stick)?;
    let certificate = certificates.of("NVME-FORMAT")?;
    bench.note(format!("{}: {}", finished.end, certificate.text("/sanitisation/reason")));
    finished.expect_erased(1)?;
    certificate.expect_outcome("erased")?.verify()?;
    ensure!(certificate.text("/sanitisation/command/evidence") == "reported-only", "other evidence");
    let unit = (certificate.text("/media/unit/kind"), certificate.text("/media/unit/name"));
    ensure!(unit == ("namespace", "1"), "the certificate is of {unit:?}");
    ensure!(certificate.number("/media/unit/other_units") == Some(0), "QEMU's drive has other namespaces");
    let cells = fs::read(&disk.path).context("reading the cells")?;
    ensure!(cells.iter().all(|byte| *byte == 0), "the formatted drive is not blank");
    Ok(())
}
