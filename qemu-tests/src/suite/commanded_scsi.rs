//! Methods by SCSI's own commands, on SAS disks that are code of ours: the shipped payload gives them, other people's
//! programs see the same disks, and the cells are looked at afterwards.

use super::{Test, bench::Bench, guest::Guest};
use crate::{
    disk::{Disk, MIB},
    job::Job,
    model::DriveHost,
    oracle::{self, Leaves},
    vm::Machine,
};
use anyhow::{Context, Result, ensure};

pub(super) const TESTS: &[Test] = &[
    Test::new("commanded-scsi", "SAS disks and SSDs sanitize themselves in every way there is", |b| {
        sanitize(b, &SANITIZE[..3])
    }),
    Test::new("commanded-scsi-lies", "SAS disks that lie, fail or do not know the command are not called erased", lies),
    Test::new("commanded-scsi-power-cut", "power goes while a SAS disk sanitizes itself", power_cut).sleepy(),
    Test::new("commanded-scsi-overwrite", "the same by the overwrite alone", |b| sanitize(b, &SANITIZE[3..])).long(),
    Test::new("modelled-sas-tools", "sg3_utils and smartctl see and drive the served SAS disks", tools).of_model(),
];

const SIZE: u64 = 8 * MIB;

fn served(bench: &Bench, disks: &[Disk], words: &[&str]) -> Result<DriveHost> {
    let served: Vec<_> = disks.iter().zip(words.iter().copied()).collect();
    DriveHost::of_sas_disks(&served, &bench.folder)
}

/// A method, the command that the disk and the SSD get, none where it does not offer it, and what is left.
type Sanitized = (&'static str, [&'static str; 2], Leaves);

const SANITIZE: [Sanitized; 4] = [
    ("purge", ["SANITIZE overwrite", "SANITIZE block erase"], Leaves::Byte(0)),
    ("scsi-sanitize-crypto", ["SANITIZE cryptographic erase"; 2], Leaves::Noise),
    ("scsi-sanitize-block", ["", "SANITIZE block erase"], Leaves::Byte(0)),
    ("scsi-sanitize-overwrite", ["SANITIZE overwrite", ""], Leaves::Byte(0)),
];

/// ```text
/// stick   USB     DISK, SSD   SAS, served by drive-host       one boot for each method
/// ```
fn sanitize(bench: &mut Bench, methods: &[Sanitized]) -> Result<()> {
    for &(method, commands, left) in methods {
        let disks = bench.disks(&["DISK", "SSD"], SIZE)?;
        let host = served(bench, &disks, &["sanitize-seconds=1", "ssd,sanitize-seconds=1,grown=2"])?;
        let stick = bench.stick(&Job::wipe(method))?;
        let finished = bench.boot(&Machine::new(&stick).drive_host(&host.socket()))?;
        let offered = commands.iter().filter(|command| !command.is_empty()).count();
        ensure!(usize::try_from(finished.end.erased)? == offered, "{method}: {}", finished.end);
        let certificates = bench.certificates(&stick)?;
        for (disk, command) in disks.iter().zip(commands) {
            let certificate = certificates.of(&disk.serial)?;
            if command.is_empty() {
                oracle::untouched(disk)?;
                certificate.expect_outcome("failed")?.verify()?;
                ensure!(
                    certificate.text("/sanitisation/reason").contains("does not offer"),
                    "{method}: another reason"
                );
                continue;
            }
            oracle::wiped(disk, left)?;
            certificate.expect_outcome("erased")?.verify()?;
            ensure!(certificate.text("/sanitisation/category") == "Purge", "{method}: {} is no purge", disk.serial);
            ensure!(certificate.text("/sanitisation/command/name") == command, "{method}: another command");
            ensure!(certificate.text("/sanitisation/command/evidence") == "seen-in-progress", "{method}: not seen");
            ensure!(certificate.number("/media/heat/limit_celsius") == Some(60), "{method}: another limit");
        }
        let grown = certificates.of("SSD")?.number("/media/health_before/reallocated");
        ensure!(grown == Some(2), "{method}: {grown:?} grown defects");
    }
    Ok(())
}

/// ```text
/// stick   USB     five liars   SAS, served by drive-host
/// ```
fn lies(bench: &mut Bench) -> Result<()> {
    let liars = [
        ("idle-sanitize", "STILL THERE"),
        ("sanitize-erases-nothing,sanitize-seconds=1", "STILL THERE"),
        ("sanitize-fails,sanitize-seconds=1", "FAILED to sanitize itself"),
        ("wrong-serial=ANOTHER,sanitize-seconds=1", "another drive"),
        ("no-sanitize", "does not offer"),
    ];
    let serials: Vec<String> = (0..liars.len()).map(|number| format!("LIAR-{number}")).collect();
    let serials: Vec<&str> = serials.iter().map(String::as_str).collect();
    let disks = bench.disks(&serials, SIZE)?;
    let host = served(bench, &disks, &liars.map(|(words, _)| words))?;
    let stick = bench.stick(&Job::wipe("scsi-sanitize-overwrite"))?;
    let finished = bench.boot(&Machine::new(&stick).drive_host(&host.socket()))?;
    ensure!((finished.end.erased, finished.end.exceptions) == (0, 0), "{}", finished.end);
    let certificates = bench.certificates(&stick)?;
    for (disk, (lie, reason)) in disks.iter().zip(liars) {
        let certificate = certificates.of(&disk.serial)?;
        certificate.expect_outcome("failed").with_context(|| lie.to_owned())?.verify()?;
        ensure!(certificate.text("/sanitisation/category").is_empty(), "{lie}: a category");
        let said = certificate.text("/sanitisation/reason");
        ensure!(said.contains(reason), "{lie}: {said}");
    }
    oracle::untouched(&disks[4])
}

/// ```text
/// first boot    stick   USB   SAS   served by drive-host   cut while it is at work
/// second boot   the same, which finds it at work and without a capacity
/// third boot    the same, once it has ended
/// ```
fn power_cut(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["SAS"], SIZE)?;
    let mut host = served(bench, &disks, &["sanitize-seconds=3600"])?;
    let stick = bench.stick(&Job::wipe("scsi-sanitize-overwrite"))?;
    let machine = Machine::new(&stick).drive_host(&host.socket());
    let vm = bench.start(&machine)?;
    // The drive itself says how far it is: before that it may not have the command yet.
    vm.wait_text(&["sanitize overwrite: 0 %"], 120)?;
    vm.cut()?;
    host.power_cycle(0)?;
    let mut vm = bench.start(&machine)?;
    let reason = vm.finish()?.expect_refusal_and_stay()?;
    super::bench::expect_words(&reason, &["waits for its drives", "SAS"])?;
    ensure!(vm.said("SANITIZING ITSELF"), "nobody was told what the disk does");
    ensure!(bench.certificates(&stick)?.list.is_empty(), "a certificate of a disk that is still at work");
    oracle::untouched(&disks[0]).err().context("the markers were written before the cut")?;
    host.set(0, "sanitize-seconds", 1)?;
    drop(vm);
    bench.boot(&machine)?.expect_erased(1)?;
    oracle::wiped(&disks[0], Leaves::Byte(0))
}

const TOOLS: &str = r#"
disk=$(drive 0); ssd=$(drive 1)
sg_inq $disk; sg_vpd -p di $disk; sg_vpd -p bdc $ssd
smartctl -a $disk | busybox tr -s ' '
sg_opcodes $disk
sg_sanitize --overwrite --zero --quick --early $disk && echo STARTED
sg_requests --progress $disk
until sg_turs $disk > /dev/null 2>&1; do busybox sleep 1; done; echo READY
sg_sanitize --block --quick --early $disk > /dev/null 2>&1 || echo NO-BLOCK-ERASE
sg_sanitize --crypto --quick --wait $ssd && echo SCRAMBLED
"#;

/// ```text
/// D1, D2   SAS, served by drive-host; the guest is an initramfs of the host's own programs
/// ```
fn tools(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["TOOLS-1", "TOOLS-2"], SIZE)?;
    let words = ["failing,temperature=41,temperature-limit=55,grown=3,sanitize-seconds=6", "ssd,sanitize-seconds=1"];
    let host = served(bench, &disks, &words)?;
    Guest::start(bench, &host, TOOLS)?.expect(&[
        "Product identification: MODELLED SAS",
        "Unit serial number: TOOLS-1",
        "designator type: NAA,",
        "Non-rotating medium",
        "Rotation Rate: 10000 rpm",
        "SMART Health Status: HARDWARE IMPENDING FAILURE",
        "Current Drive Temperature: 41 C",
        "Drive Trip Temperature: 55 C",
        "Elements in grown defect list: 3",
        "Sanitize, overwrite",
        "STARTED",
        "Progress indication:",
        "READY",
        "NO-BLOCK-ERASE",
        "SCRAMBLED",
    ])?;
    oracle::wiped(&disks[0], Leaves::Byte(0))?;
    oracle::wiped(&disks[1], Leaves::Noise)
}
