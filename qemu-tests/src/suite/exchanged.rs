//! A dock that keeps its place and gets another disk, and devices of which a drive is only a part: what is certified is what was
//! addressed.

use super::{Test, bench::Bench};
use crate::{
    disk::{Disk, MIB},
    job::Job,
    model::DriveHost,
    oracle::{self, Leaves},
    vm::{Bus, Drive, Machine},
};
use anyhow::{Context, Result, ensure};

pub(super) const TESTS: &[Test] = &[
    Test::new(
        "modelled-exchanged",
        "a disk that is exchanged in its dock, in the countdown, at rest or in mid-sweep, is not certified as the other",
        exchanged,
    )
    .sleepy(),
    Test::new("parts-of-a-device", "a namespace and a logical unit are certified as what they are", parts),
    Test::new("parts-without-names", "two namespaces that nothing tells apart are left alone", twins),
];

/// When the disk is exchanged: a text of the console that is waited for, none for the first write; and whether nothing at all may
/// have been written to the other disk by then.
const MOMENTS: [(&str, &str, bool); 3] =
    [("countdown", "any key", true), ("rest", "is too hot: waits for", true), ("sweep", "", false)];

/// ```text
/// stick   USB     DOCK   SATA, served by drive-host; exchanged for STRANGER while the kernel looks away       three boots
/// ```
fn exchanged(bench: &mut Bench) -> Result<()> {
    for (moment, text, untouched) in MOMENTS {
        let disks = bench.disks(&["DOCK", "STRANGER"], 96 * MIB)?;
        let words = if moment == "rest" { "smart,temperature=55,temperature-limit=50" } else { "smart" };
        let mut host = DriveHost::of_sata_disks(&[(&disks[0], words)], &bench.folder)?;
        let countdown = if moment == "countdown" { 15 } else { 1 };
        let stick = bench.stick(&Job::wipe("dod-5220.22-m").countdown(countdown))?;
        let mut vm = bench.start(&Machine::new(&stick).drive_host(&host.socket()))?;
        match text {
            "" => vm.wait_writing_to("DOCK")?,
            text => vm.wait_text(&[text], crate::limits::BOOT)?,
        };
        host.exchange(0, &disks[1], "smart")?;
        let finished = vm.finish()?;
        ensure!(finished.end.erased == 0 && finished.end.failed == 1, "{moment}: {}", finished.end);
        let certificates = bench.certificates(&stick)?;
        ensure!(certificates.of("STRANGER").is_err(), "{moment}: a certificate for a disk that nobody named");
        let certificate = certificates.of("DOCK")?;
        certificate.expect_outcome("failed")?.verify()?;
        let reason = certificate.text("/sanitisation/reason");
        ensure!(reason.contains("STRANGER"), "{moment}: {reason}");
        if untouched {
            oracle::untouched(&disks[1]).with_context(|| format!("exchanged: {moment}"))?;
        }
    }
    Ok(())
}

/// ```text
/// stick   USB     NS-1, NS-2   two namespaces of one NVMe drive      LUN-0, LUN-1   two units of one SCSI device
/// ```
/// NS-2 is allocated and not attached: the kernel does not hear of it.
fn parts(bench: &mut Bench) -> Result<()> {
    let disks = ["NS-1", "NS-2", "LUN-0", "LUN-1"].map(|serial| bench.disk(serial, 8 * MIB));
    let disks = disks.into_iter().collect::<Result<Vec<Disk>>>()?;
    let namespace = |id, attached| Bus::Namespace { id, attached };
    let buses = [namespace(1, true), namespace(2, false), Bus::LogicalUnit(0), Bus::LogicalUnit(1)];
    let drives = disks.iter().zip(buses).map(|(disk, bus)| Drive::new(&disk.path, &disk.serial, bus));
    let stick = bench.stick(&Job::wipe("zero").drives(&["NS-1", "LUN-0"]))?;
    bench.boot(&Machine::new(&stick).drives(drives))?.expect_erased(2)?;
    let certificates = bench.certificates(&stick)?;
    for (wiped, left, kind, name, other) in
        [(&disks[0], &disks[1], "namespace", "1", "2"), (&disks[2], &disks[3], "logical-unit", "0", "1")]
    {
        oracle::wiped(wiped, Leaves::Byte(0))?;
        oracle::untouched(left)?;
        let certificate = certificates.of(&wiped.serial)?;
        certificate.expect_outcome("erased")?.verify()?;
        let unit = (certificate.text("/media/unit/kind"), certificate.text("/media/unit/name"));
        let others: Vec<_> = certificate.items("/media/unit/others").iter().map(|other| &other["name"]).collect();
        ensure!(unit == (kind, name) && others == [other], "{}: {unit:?} beside {others:?}", wiped.serial);
        let statement = certificate.text("/statement");
        ensure!(statement.contains("alone, which is not all that the device holds"), "{}: {statement}", wiped.serial);
        ensure!(certificate.text("/sanitisation/category") == "Clear", "{}: another category", wiped.serial);
    }
    Ok(())
}

/// ```text
/// stick   USB     NS-1, NS-2   two namespaces of one NVMe drive, which have no names of their own
/// ```
fn twins(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["NS-1", "NS-2"], 4 * MIB)?;
    let drives = disks.iter().zip([1, 2]).map(|(disk, id)| {
        let bus = Bus::Namespace { id, attached: true };
        Drive::new(&disk.path, &disk.serial, bus)
    });
    let stick = bench.stick(&Job::wipe("zero"))?;
    let said = bench.boot(&Machine::new(&stick).drives(drives))?.expect_refusal()?;
    ensure!(said.contains("cannot be told apart"), "{said}");
    disks.iter().try_for_each(oracle::untouched)
}
