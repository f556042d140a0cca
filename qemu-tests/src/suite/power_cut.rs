//! Power cuts at random moments: the next boot goes on, the disks end wiped, the certificates say what happened.

use super::{Test, bench::Bench};
use crate::{
    disk::{Disk, MIB, sparse},
    job::Job,
    oracle::{self, Kind, Leaves},
    stick::Stick,
    vm::{Drive, Machine},
    write_log,
};
use anyhow::{Context, Result, bail, ensure};
use std::time::Duration;

pub(super) const TESTS: &[Test] = &[
    Test::new("power-cuts", "cuts at the first write and a random moment (MULE_CUTS of them), each resumed", |b| {
        campaign(b, 2, |_| Machine::new)
    })
    .sleepy(),
    Test::new("power-cut-volatile-cache", "a cut of drives that lose what was not flushed", |b| {
        volatile_cache(b, WINDOW * 3 / 4)
    })
    .sleepy(),
    Test::new("power-cut-stick-cache", "a cut, at the first write, of a stick that loses what was not flushed", |b| {
        stick_cache(b, Duration::ZERO)
    })
    .sleepy(),
    Test::new(
        "power-cut-gutmann",
        "what lies on a disk cut among the three-byte patterns is what was announced",
        gutmann,
    )
    .sleepy(),
    Test::new("power-cut-twice", "the resumed run is cut again, and the second resume ends well", twice).sleepy(),
    Test::new(
        "power-cuts-many",
        "cuts at many random moments (MULE_CUTS of them), by turns on a machine in full",
        |b| campaign(b, 12, |number| if number % 2 == 0 { in_full } else { Machine::new }),
    )
    .sleepy()
    .long(),
    Test::new("power-cut-volatile-cache-random", "the same at random moments", |b| random_moments(b, volatile_cache))
        .sleepy()
        .long(),
    Test::new("power-cut-stick-cache-random", "the same at random moments", |b| random_moments(b, stick_cache))
        .sleepy()
        .long(),
];

/// Disks of 12 MiB at this speed keep a DoD wipe busy for at least 24 s, longer than the log goes without a checkpoint.
const SPEED: u64 = 2 * MIB;
const SIZE: u64 = 12 * MIB;
/// Cuts come within this time of the first write.
const WINDOW: Duration = Duration::from_secs(18);

fn in_full(stick: &Stick) -> Machine {
    Machine::new(stick).in_full()
}

/// A job that was cut, with what it needs to go on.
struct Cut {
    stick: Stick,
    disks: Vec<Disk>,
    /// The machine it ran on.
    machine: fn(&Stick) -> Machine,
}

/// Starts a wipe of two slow disks and cuts it.
fn cut(
    bench: &mut Bench,
    method: &'static str,
    after: Duration,
    machine: fn(&Stick) -> Machine,
    attach: impl Fn(&Disk) -> Drive,
) -> Result<Cut> {
    let disks = bench.disks(&["CUT-1", "CUT-2"], SIZE)?;
    let stick = bench.stick(&Job::wipe(method))?;
    let vm = bench.start(&machine(&stick).drives(disks.iter().map(|disk| attach(disk).slowed(SPEED))))?;
    vm.wait_writing()?;
    std::thread::sleep(after);
    if vm.has_finished() {
        bail!("the wipe was over {after:?} after its first write; the disks must be slower");
    }
    vm.cut()?;
    Ok(Cut { stick, disks, machine })
}

/// The next boot goes on and everything is as after an undisturbed wipe, but for the certificate's word of the cut.
fn resume(bench: &mut Bench, cut: &Cut, leaves: Leaves) -> Result<()> {
    let finished_before = bench.whole_certificates(&cut.stick)?;
    let finished = bench.boot(&(cut.machine)(&cut.stick).drives(cut.disks.iter().map(Drive::ahci)))?;
    ensure!(finished.resumed(), "the unfinished job was not found");
    ensure!(finished.end.exceptions + finished.end.failed + finished.end.interrupted == 0, "{}", finished.end);
    let certificates = bench.certificates(&cut.stick)?;
    for disk in &cut.disks {
        oracle::wiped(disk, leaves)?;
        let certificate = certificates.of(&disk.serial)?;
        certificate.expect_outcome("erased")?.verify()?;
        if finished_before.of(&disk.serial).is_ok() {
            continue;
        }
        let interruptions = certificate.items("/sanitisation/interruptions");
        ensure!(!interruptions.is_empty(), "the certificate of {} does not tell of the cut", disk.serial);
        for field in ["last_seen", "resumed"] {
            let time = interruptions[0][field].as_str().unwrap_or_default();
            ensure!(!time.is_empty(), "the certificate of {} does not say {field}", disk.serial);
        }
    }
    Ok(())
}

/// ```text
/// first boot    stick   USB     CUT-1, CUT-2   AHCI, slow, cut
/// second boot   stick   USB     CUT-1, CUT-2   AHCI
/// ```
fn campaign(bench: &mut Bench, cuts: u32, machine: fn(u32) -> fn(&Stick) -> Machine) -> Result<()> {
    let cuts = match std::env::var("MULE_CUTS") {
        Ok(text) => text.trim().parse().with_context(|| format!("MULE_CUTS={text} is no number"))?,
        Err(_) => cuts,
    };
    for number in 1..=cuts {
        // The very first write is the most delicate moment, so one of the cuts always comes there.
        let after = if number == 1 { Duration::ZERO } else { bench.random.moment(WINDOW) };
        let method = if bench.random.coin() { "dod-5220.22-m" } else { "hmg-is5-enhanced" };
        let step = || format!("cut {number} of {cuts}: {method}, {after:?} after the first write");
        let cut = cut(bench, method, after, machine(number), Drive::ahci).with_context(step)?;
        resume(bench, &cut, Leaves::Noise).with_context(step)?;
    }
    bench.note(format!("{cuts} cuts, all resumed to a good end"));
    Ok(())
}

/// ```text
/// first boot    stick   USB     CUT-1, CUT-2   AHCI, slow, every write recorded, cut
/// second boot   stick   USB     CUT-1, CUT-2   AHCI, as drives that lost their caches
/// ```
fn volatile_cache(bench: &mut Bench, after: Duration) -> Result<()> {
    let folder = bench.folder.clone();
    let record = |disk: &Disk| folder.join(format!("{}.writes", disk.serial));
    for serial in ["CUT-1", "CUT-2"] {
        write_log::prepare(&folder.join(format!("{serial}.writes")))?;
    }
    let attach = |disk: &Disk| Drive::ahci(disk).write_log(record(disk));
    let cut = cut(bench, "dod-5220.22-m", after, Machine::new, attach)?;
    for disk in &cut.disks {
        disk.stamp_again()?;
        let loss = write_log::lose_cache(&disk.path, &record(disk), &mut bench.random)?;
        bench.note(format!("{} cut after {after:?}: {loss:?}", disk.serial));
    }
    resume(bench, &cut, Leaves::Noise).with_context(|| format!("cut after {after:?}"))
}

/// Twice what is cut after some time.
fn random_moments(bench: &mut Bench, act: fn(&mut Bench, Duration) -> Result<()>) -> Result<()> {
    for _ in 0..2 {
        let after = bench.random.moment(WINDOW);
        act(bench, after)?;
    }
    Ok(())
}

/// ```text
/// first boot    stick   USB, every write recorded, cut        CUT-1, CUT-2   AHCI, slow
/// second boot   stick   USB, as a stick that lost its cache   CUT-1, CUT-2   AHCI
/// ```
/// What the log said before an act began was flushed before it began, so the job is found again.
fn stick_cache(bench: &mut Bench, after: Duration) -> Result<()> {
    let disks = bench.disks(&["CUT-1", "CUT-2"], SIZE)?;
    let stick = bench.stick(&Job::wipe("dod-5220.22-m"))?;
    let (before, record) = (bench.folder.join("before.img"), bench.folder.join("stick.writes"));
    sparse::copy(&stick.path, &before)?;
    write_log::prepare(&record)?;
    let machine = Machine::new(&stick).stick_write_log(record.clone());
    let vm = bench.start(&machine.drives(disks.iter().map(|disk| Drive::ahci(disk).slowed(SPEED))))?;
    vm.wait_writing()?;
    std::thread::sleep(after);
    vm.cut()?;
    sparse::copy(&before, &stick.path)?;
    let loss = write_log::lose_cache(&stick.path, &record, &mut bench.random)?;
    ensure!(loss.durable > 0, "nothing was flushed to the stick before the first write to a drive");
    bench.note(format!("the stick cut after {after:?}: {loss:?}"));
    let cut = Cut { stick, disks, machine: Machine::new };
    resume(bench, &cut, Leaves::Noise).with_context(|| format!("cut after {after:?}"))
}

/// ```text
/// first boot    stick   USB     PATTERN   AHCI, slow, cut
/// second boot   stick   USB     PATTERN   AHCI
/// ```
/// Before the cut every sector belongs to one of two passes next to each other in the list, and every three-byte pattern
/// keeps its phase over the whole disk.
fn gutmann(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("PATTERN", 3 * MIB + 512)?;
    let stick = bench.stick(&Job::wipe("gutmann"))?;
    let vm = bench.start(&Machine::new(&stick).drive(Drive::ahci(&disk).slowed(2 * MIB)))?;
    vm.wait_writing()?;
    // A pass takes 1.5 s; the patterns are passes 7 to 9.
    std::thread::sleep(Duration::from_millis(9_800));
    vm.cut()?;
    let found: Vec<Kind> = oracle::kinds(&disk)?.into_iter().map(|(kind, _)| kind).collect();
    bench.note(format!("on the disk at the cut: {found:02x?}"));
    let neighbours = GUTMANN_BEGINS.windows(2).any(|pair| found.iter().all(|kind| pair.contains(kind)));
    ensure!(neighbours, "the disk holds {found:02x?}, which are not two passes next to each other");
    let cut = Cut { stick, disks: vec![disk], machine: Machine::new };
    resume(bench, &cut, Leaves::Noise)
}

/// Passes 4 to 15, as an oracle sees them.
const GUTMANN_BEGINS: &[Kind] = &[
    Kind::Other,
    Kind::Byte(0x55),
    Kind::Byte(0xaa),
    Kind::Triple([0x92, 0x49, 0x24]),
    Kind::Triple([0x49, 0x24, 0x92]),
    Kind::Triple([0x24, 0x92, 0x49]),
    Kind::Byte(0x00),
    Kind::Byte(0x11),
    Kind::Byte(0x22),
    Kind::Byte(0x33),
    Kind::Byte(0x44),
    Kind::Byte(0x55),
];

/// ```text
/// first and second boot   stick   USB     CUT-1, CUT-2   AHCI, slow, cut
/// third boot              stick   USB     CUT-1, CUT-2   AHCI
/// ```
fn twice(bench: &mut Bench) -> Result<()> {
    let first = cut(bench, "dod-5220.22-m", WINDOW / 4, Machine::new, Drive::ahci)?;
    let slow = first.disks.iter().map(|disk| Drive::ahci(disk).slowed(SPEED));
    let vm = bench.start(&Machine::new(&first.stick).drives(slow))?;
    vm.wait("the resumed job", crate::limits::BOOT, |event| {
        matches!(event, crate::vm::Event::Resumed(_)).then_some(())
    })?;
    // The log has it that the job went on before the first write, and not when the console says so.
    vm.wait_writing()?;
    std::thread::sleep(bench.random.moment(WINDOW / 4));
    vm.cut()?;
    resume(bench, &first, Leaves::Noise)?;
    let certificates = bench.certificates(&first.stick)?;
    for disk in &first.disks {
        let told = certificates.of(&disk.serial)?.items("/sanitisation/interruptions").len();
        ensure!(told == 2, "two cuts, and the certificate of {} tells of {told}", disk.serial);
    }
    Ok(())
}
