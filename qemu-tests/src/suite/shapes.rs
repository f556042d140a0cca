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
    Test::new(
        "every-shape-dod",
        "ten drives of every size, block size and bus at once: DoD wipe, full verification, good certificates",
        every_shape,
    ),
    Test::new("three-disks-128-mib", "three disks with 128 MiB of memory", little_memory),
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

/// In full: what there is to find, and what memory it takes, is the same on no machine in short.
fn wipe(bench: &mut Bench, job: &Job, disks: &[Disk], leaves: Leaves, memory: u32) -> Result<()> {
    let stick = bench.stick(job)?;
    let machine = Machine::new(&stick).in_full().memory(memory).drives(disks.iter().map(Drive::ahci));
    bench.boot(&machine)?.expect_erased(u32::try_from(disks.len())?)?;
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
    wipe(bench, &Job::wipe("zero"), &disks?, Leaves::Byte(0), 256)
}

/// Serial number, size and block size of every drive; the bus follows from the first letters.
const SHAPES: &[(&str, u64, u64)] = &[
    // Around the limits of a request and a page.
    ("AHCI-ODD-1", 5 * MIB + 7 * SECTOR, 512),
    ("AHCI-ODD-2", 3 * MIB + 1023 * SECTOR, 512),
    ("AHCI-ODD-3", 9_999 * SECTOR, 512),
    ("AHCI-ODD-4", 4 * MIB - 3 * SECTOR, 512),
    ("AHCI-SHORT", 8 * MIB - SECTOR, 512),
    ("AHCI-LONG", 8 * MIB + SECTOR, 512),
    // Smaller than one request.
    ("AHCI-TINY", 17 * SECTOR, 512),
    // 512-byte blocks on 4096-byte sectors, a size that is no multiple of 4096.
    ("SCSI-512E", 8 * MIB + 3 * SECTOR, 512),
    ("SCSI-4KN", 8 * MIB + 3 * 4096, 4096),
    ("NVME", 8 * MIB, 512),
];

/// ```text
/// stick   USB     seven   AHCI, two controllers     SCSI, 512/4096     SCSI, 4096/4096     NVMe
/// ```
/// Besides the wipe: the stick outside certificates and log stays as it was, and no two drives have the same noise.
fn every_shape(bench: &mut Bench) -> Result<()> {
    let stick = bench.stick(&Job::wipe("dod-5220.22-m"))?;
    let (gaps, files) = (stick.outside_partitions()?, stick.files_but_certificates()?);
    let disks: Result<Vec<Disk>> = SHAPES.iter().map(|(serial, bytes, _)| bench.disk(serial, *bytes)).collect();
    let disks = disks?;
    let attach = |disk: &Disk| match disk.serial.as_str() {
        "SCSI-512E" => Drive::scsi(disk, 512, 4096),
        "SCSI-4KN" => Drive::scsi(disk, 4096, 4096),
        "NVME" => Drive::nvme(disk),
        _ => Drive::ahci(disk),
    };
    // Four controllers of three kinds and ten drives need up to 240 MiB; `eleven-disks` has its own limit.
    let machine = Machine::new(&stick).in_full().memory(384);
    bench.boot(&machine.drives(disks.iter().map(attach)))?.expect_erased(10)?;
    expect_wiped(bench, &stick, &disks, Leaves::Noise)?;
    let pairs = disks.iter().enumerate().flat_map(|(n, one)| disks[n + 1..].iter().map(move |other| (one, other)));
    for (one, other) in pairs {
        let (small, large) = if one.bytes < other.bytes { (one, other) } else { (other, one) };
        oracle::no_sector_kept(&large.path, &small.path)?;
    }
    ensure!(gaps == stick.outside_partitions()?, "the stick changed outside its partitions");
    ensure!(files == stick.files_but_certificates()?, "a file on the stick changed that is no certificate");
    let certificates = bench.certificates(&stick)?;
    for (serial, bytes, block) in SHAPES {
        let certificate = certificates.of(serial)?;
        certificate.verify_and_refuse_flips()?;
        certificate.check_html()?;
        ensure!(certificate.passes() == ["00", "FF", "random"], "the passes are {:?}", certificate.passes());
        ensure!(certificate.text("/operator/name") == OPERATOR_NAME, "another operator");
        ensure!(certificate.items("/sanitisation/interruptions").is_empty(), "nobody interrupted this");
        let blocks = certificate.number("/verification/blocks_matched");
        ensure!(blocks == Some(bytes / block), "{serial}: {blocks:?} blocks were verified");
        // Each is on a bus of the machine: what was read back did not come from the system's memory.
        let past = certificate.json.pointer("/verification/past_host_caches").and_then(serde_json::Value::as_bool);
        ensure!(past == Some(true), "{serial}: past the host's caches: {past:?}");
    }
    ensure!(certificates.of(STICK).is_err(), "a certificate for the stick");
    Ok(())
}

/// ```text
/// stick   USB     D1, D2, D3   AHCI, 8 MiB     128 MiB of memory
/// ```
fn little_memory(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["SMALL-1", "SMALL-2", "SMALL-3"], 8 * MIB)?;
    wipe(bench, &Job::wipe("random"), &disks, Leaves::Noise, 128)
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
