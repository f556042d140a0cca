//! Drives of every number, size and block size.

use super::{
    Test,
    bench::{Bench, STICK},
};
use crate::{
    disk::{Disk, MIB, SECTOR},
    job::{Job, OPERATOR_NAME},
    oracle::{self, Leaves},
    stick::Stick,
    vm::{Drive, Machine},
};
use anyhow::{Result, ensure};

pub(super) const TESTS: &[Test] = &[
    Test::new("eleven-disks", "eleven AHCI disks on two controllers with 256 MiB of memory", eleven_disks),
    Test::new("three-disks-dod", "three disks at once: DoD wipe, full verification, good certificates", three_disks),
    Test::new("three-disks-128-mib", "three disks with 128 MiB of memory", little_memory),
    Test::new("odd-sizes", "sizes that are no multiple of anything: every last sector is wiped", odd_sizes),
    Test::new("one-sector-short", "a disk of whole megabytes less one sector", |b| ahci_size(b, 8 * MIB - SECTOR)),
    Test::new("one-sector-long", "a disk of whole megabytes and one sector", |b| ahci_size(b, 8 * MIB + SECTOR)),
    Test::new("tiny-disk", "a disk smaller than one request", |b| ahci_size(b, 17 * SECTOR)),
    Test::new("sectors-512e", "512-byte blocks on 4096-byte sectors, a size that is no multiple of 4096", sectors_512e),
    Test::new("sectors-4kn", "4096-byte blocks", sectors_4kn),
    Test::new("nvme", "an NVMe drive beside an AHCI disk", nvme),
    Test::new("sampled-verification", "sampled verification is done and said", sampled),
];

/// All disks wiped with what the method leaves, all certificates say erased and hold against `ssh-keygen`.
fn expect_wiped(bench: &Bench, stick: &Stick, disks: &[Disk], leaves: Leaves) -> Result<()> {
    disks.iter().try_for_each(|disk| oracle::wiped(disk, leaves))?;
    let certificates = bench.certificates(stick)?;
    ensure!(certificates.list.len() == disks.len(), "{} certificates", certificates.list.len());
    for disk in disks {
        let certificate = certificates.of(&disk.serial)?;
        certificate.expect_outcome("erased")?.verify()?;
        ensure!(certificate.number("/media/bytes") == Some(disk.bytes), "the certificate names another size");
    }
    Ok(())
}

fn wipe(bench: &mut Bench, job: &Job, disks: &[Disk], attach: fn(&Disk) -> Drive, leaves: Leaves) -> Result<()> {
    wipe_with_memory(bench, job, disks, attach, leaves, 256)
}

fn wipe_with_memory(
    bench: &mut Bench,
    job: &Job,
    disks: &[Disk],
    attach: fn(&Disk) -> Drive,
    leaves: Leaves,
    memory: u32,
) -> Result<()> {
    let stick = bench.stick(job)?;
    let machine = Machine::new(&stick).memory(memory).drives(disks.iter().map(attach));
    let count = u32::try_from(disks.len())?;
    bench.boot(&machine)?.expect_erased(count)?;
    expect_wiped(bench, &stick, disks, leaves)
}

/// ```text
/// stick   USB
/// D1-D6   AHCI, chip set     D7-D11   AHCI, add-in card
/// ```
fn eleven_disks(bench: &mut Bench) -> Result<()> {
    let serials: Vec<String> = (1..=11).map(|n| format!("ELEVEN-{n:02}")).collect();
    let disks: Result<Vec<Disk>> =
        serials.iter().zip(0..).map(|(serial, n)| bench.disk(serial, 6 * MIB + n * SECTOR)).collect();
    wipe(bench, &Job::wipe("zero"), &disks?, Drive::ahci, Leaves::Byte(0))
}

/// ```text
/// stick   USB     D1, D2, D3   AHCI, 16 MiB
/// ```
/// Besides the wipe: the stick outside certificates and log stays as it was, and the three disks' noise differs.
fn three_disks(bench: &mut Bench) -> Result<()> {
    let stick = bench.stick(&Job::wipe("dod-5220.22-m"))?;
    let (gaps, files) = (stick.outside_partitions()?, stick.files_but_certificates()?);
    let disks = bench.disks(&["DOD-1", "DOD-2", "DOD-3"], 16 * MIB)?;
    bench.boot(&Machine::new(&stick).drives(disks.iter().map(Drive::ahci)))?.expect_erased(3)?;
    expect_wiped(bench, &stick, &disks, Leaves::Noise)?;
    oracle::no_sector_kept(&disks[0].path, &disks[1].path)?;
    oracle::no_sector_kept(&disks[1].path, &disks[2].path)?;
    ensure!(gaps == stick.outside_partitions()?, "the stick changed outside its partitions");
    ensure!(files == stick.files_but_certificates()?, "a file on the stick changed that is no certificate");
    let certificates = bench.certificates(&stick)?;
    for certificate in &certificates.list {
        certificate.verify_and_refuse_flips()?;
        certificate.check_html()?;
        ensure!(certificate.passes() == ["00", "FF", "random"], "the passes are {:?}", certificate.passes());
        ensure!(certificate.text("/operator/name") == OPERATOR_NAME, "another operator");
        ensure!(certificate.items("/sanitisation/interruptions").is_empty(), "nobody interrupted this");
        let blocks = certificate.number("/verification/blocks_matched");
        ensure!(blocks == Some(16 * MIB / SECTOR), "{blocks:?} blocks were verified");
    }
    ensure!(certificates.of(STICK).is_err(), "a certificate for the stick");
    Ok(())
}

/// ```text
/// stick   USB     D1, D2, D3   AHCI, 8 MiB     128 MiB of memory
/// ```
fn little_memory(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["SMALL-1", "SMALL-2", "SMALL-3"], 8 * MIB)?;
    wipe_with_memory(bench, &Job::wipe("random"), &disks, Drive::ahci, Leaves::Noise, 128)
}

/// ```text
/// stick   USB     D1-D4   AHCI, sizes around the limits of a request and a page
/// ```
fn odd_sizes(bench: &mut Bench) -> Result<()> {
    let sizes = [5 * MIB + 7 * SECTOR, 3 * MIB + 1023 * SECTOR, 9_999 * SECTOR, 4 * MIB - 3 * SECTOR];
    let disks: Result<Vec<Disk>> =
        sizes.iter().zip(1..).map(|(size, n)| bench.disk(&format!("ODD-{n}"), *size)).collect();
    wipe(bench, &Job::wipe("vsitr"), &disks?, Drive::ahci, Leaves::Byte(0xaa))
}

/// ```text
/// stick   USB     D   AHCI
/// ```
fn ahci_size(bench: &mut Bench, bytes: u64) -> Result<()> {
    let disks = [bench.disk("SIZED", bytes)?];
    wipe(bench, &Job::wipe("zero"), &disks, Drive::ahci, Leaves::Byte(0))
}

/// ```text
/// stick   USB     D   SCSI, 512/4096
/// ```
fn sectors_512e(bench: &mut Bench) -> Result<()> {
    let disks = [bench.disk("E512", 8 * MIB + 3 * SECTOR)?];
    wipe(bench, &Job::wipe("dod-5220.22-m"), &disks, |disk| Drive::scsi(disk, 512, 4096), Leaves::Noise)
}

/// ```text
/// stick   USB     D   SCSI, 4096/4096
/// ```
fn sectors_4kn(bench: &mut Bench) -> Result<()> {
    let disks = [bench.disk("N4096", 8 * MIB + 3 * 4096)?];
    wipe(bench, &Job::wipe("dod-5220.22-m"), &disks, |disk| Drive::scsi(disk, 4096, 4096), Leaves::Noise)?;
    Ok(())
}

/// ```text
/// stick   USB     D1   NVMe     D2   AHCI
/// ```
fn nvme(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["NVME-1", "AHCI-1"], 8 * MIB)?;
    let attach = |disk: &Disk| if disk.serial.starts_with("NVME") { Drive::nvme(disk) } else { Drive::ahci(disk) };
    wipe(bench, &Job::wipe("zero"), &disks, attach, Leaves::Byte(0))
}

/// ```text
/// stick   USB     D   AHCI
/// ```
fn sampled(bench: &mut Bench) -> Result<()> {
    let disks = [bench.disk("SAMPLED", 32 * MIB)?];
    let job = Job::wipe("zero").verify("sampled");
    let stick = bench.stick(&job)?;
    bench.boot(&Machine::new(&stick).drives(disks.iter().map(Drive::ahci)))?.expect_erased(1)?;
    expect_wiped(bench, &stick, &disks, Leaves::Byte(0))?;
    let certificates = bench.certificates(&stick)?;
    let certificate = certificates.of("SAMPLED")?;
    ensure!(certificate.text("/verification/extent") == "sampled");
    let (all, read) = (disks[0].bytes / SECTOR, certificate.number("/verification/blocks_matched").unwrap_or_default());
    ensure!(read >= all / 10 && read < all, "{read} of {all} blocks are no sample of at least a tenth");
    Ok(())
}
