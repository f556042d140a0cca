//! Which drives a job touches, and who must agree first.

use super::{
    Test,
    bench::{Bench, expect_words},
};
use crate::{
    disk::MIB,
    job::Job,
    oracle::{self, Leaves},
    vm::{Drive, Machine, Outcome, Then, Vm},
};
use anyhow::{Result, ensure};
use serde_json::json;
use std::time::Duration;

pub(super) const TESTS: &[Test] = &[
    Test::new("listed-by-serial", "a listed drive is wiped, an unlisted one stays byte for byte", listed),
    Test::new("absent-drive", "the only listed drive is not there: nothing is touched", absent),
    Test::new(
        "one-of-two-absent",
        "one of two listed drives is not there: the other is wiped, the run is no success",
        one_absent,
    ),
    Test::new("no-confirm", "a wipe without the word of confirmation touches nothing", no_confirm),
    Test::new("no-drives", "no drives at all: a clear message, the machine stays on", no_drives),
    Test::new(
        "no-drives-power-off",
        "no drives at all with `then`: the machine does as it was told",
        no_drives_power_off,
    ),
    Test::new(
        "not-a-target",
        "a read-only drive is refused, a removable one that is not named is no target, the others are wiped",
        not_a_target,
    ),
    Test::new("key-on-serial-console", "a key on the serial console stops the countdown", key_on_serial),
    Test::new("key-on-keyboard", "a key on the keyboard stops the countdown", key_on_keyboard),
    Test::new("then-reboot", "a good run with then = \"reboot\" restarts", reboot),
];

/// ```text
/// stick   USB     LISTED, UNLISTED   AHCI
/// ```
fn listed(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["UNLISTED", "LISTED", "LISTED-TOO"], 8 * MIB)?;
    let stick = bench.stick(&Job::wipe("zero").drives(&["LISTED"]))?;
    let finished = bench.boot(&Machine::new(&stick).drives(disks.iter().map(Drive::ahci)))?;
    finished.expect_erased(1)?;
    ensure!(finished.wrote_to("LISTED") && !finished.wrote_to("UNLISTED"));
    oracle::untouched(&disks[0])?;
    oracle::wiped(&disks[1], Leaves::Byte(0))?;
    // Its serial number only begins like the listed one.
    oracle::untouched(&disks[2])?;
    let certificates = bench.certificates(&stick)?;
    ensure!(certificates.list.len() == 1 && certificates.of("UNLISTED").is_err(), "a certificate too many");
    certificates.of("LISTED")?.expect_outcome("erased")?.verify()
}

/// ```text
/// stick   USB     PRESENT   AHCI
/// ```
fn one_absent(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("PRESENT", 8 * MIB)?;
    let stick = bench.stick(&Job::wipe("zero").drives(&["PRESENT", "ABSENT"]))?;
    let mut vm = bench.start(&Machine::new(&stick).drive(Drive::ahci(&disk)))?;
    let end = vm.finish()?.end;
    ensure!(end.outcome == Outcome::Refused && end.erased == 1 && end.refused == 1, "one of two: {end}");
    ensure!(vm.said("ABSENT"), "the absent drive is not named; {}", vm.console_tail());
    oracle::wiped(&disk, Leaves::Byte(0))?;
    bench.certificates(&stick)?.of("PRESENT")?.expect_outcome("erased")?.verify()
}

/// ```text
/// stick   USB     PRESENT   AHCI
/// ```
fn absent(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("PRESENT", 8 * MIB)?;
    let stick = bench.stick(&Job::wipe("zero").drives(&["ABSENT"]).without_then())?;
    let finished = bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disk)))?;
    expect_words(&finished.expect_refusal_and_stay()?, &["ABSENT"])?;
    oracle::untouched(&disk)
}

/// ```text
/// stick   USB     D   AHCI
/// ```
fn no_confirm(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("D", 8 * MIB)?;
    let stick = bench.stick(&Job::wipe("zero").confirm(None).without_then())?;
    let finished = bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disk)))?;
    expect_words(&finished.expect_refusal_and_stay()?, &["confirm"])?;
    ensure!(bench.certificates(&stick)?.list.is_empty(), "a certificate for nothing");
    oracle::untouched(&disk)
}

/// ```text
/// stick   USB
/// ```
fn no_drives(bench: &mut Bench) -> Result<()> {
    let stick = bench.stick(&Job::wipe("zero").without_then())?;
    let finished = bench.boot(&Machine::new(&stick))?;
    expect_words(&finished.expect_refusal_and_stay()?, &["drive"])
}

/// ```text
/// stick   USB
/// ```
fn no_drives_power_off(bench: &mut Bench) -> Result<()> {
    let stick = bench.stick(&Job::wipe("zero"))?;
    let finished = bench.boot(&Machine::new(&stick))?;
    ensure!(finished.end.then == Then::PowerOff, "the job says power-off: {}", finished.end);
    expect_words(&finished.expect_refusal()?, &["drive"])
}

/// ```text
/// stick   USB     LOCKED   SCSI, read-only     PLUGGED   USB, removable     FREE   AHCI
/// ```
fn not_a_target(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["LOCKED", "PLUGGED", "FREE"], 8 * MIB)?;
    let stick = bench.stick(&Job::wipe("zero"))?;
    let locked = Drive::scsi(&disks[0], 512, 512).read_only();
    let machine = Machine::new(&stick).drives([locked, Drive::usb(&disks[1], true), Drive::ahci(&disks[2])]);
    let mut vm = bench.start(&machine)?;
    let finished = vm.finish()?;
    ensure!(finished.end.refused == 1 && finished.end.erased == 1, "one refused, one erased: {}", finished.end);
    ensure!(!finished.wrote_to("PLUGGED"), "only the fixed drive is a target");
    ensure!(vm.said("LOCKED") && (vm.said("read-only") || vm.said("read only")), "{}", vm.console_tail());
    ensure!(vm.said("removable"), "the reason is not told; {}", vm.console_tail());
    disks[..2].iter().try_for_each(oracle::untouched)?;
    oracle::wiped(&disks[2], Leaves::Byte(0))?;
    ensure!(bench.certificates(&stick)?.list.len() == 1, "a certificate for a drive that is no target");
    Ok(())
}

fn key_on_serial(bench: &mut Bench) -> Result<()> {
    stopped_by(bench, |vm| vm.type_text("x"))
}

fn key_on_keyboard(bench: &mut Bench) -> Result<()> {
    let key = json!({"keys": [{"type": "qcode", "data": "spc"}]});
    stopped_by(bench, move |vm| vm.control()?.execute("send-key", key.clone()).map(drop))
}

/// ```text
/// stick   USB     D   AHCI
/// ```
fn stopped_by(bench: &mut Bench, press: impl Fn(&mut Vm) -> Result<()>) -> Result<()> {
    let disk = bench.disk("D", 8 * MIB)?;
    let stick = bench.stick(&Job::wipe("zero").countdown(60).without_then())?;
    let mut vm = bench.start(&Machine::new(&stick).drive(Drive::ahci(&disk)))?;
    vm.wait_text(&["any key", "a key"], crate::limits::BOOT)?;
    std::thread::sleep(Duration::from_millis(500));
    press(&mut vm)?;
    let finished = vm.finish()?;
    ensure!(finished.end.outcome != Outcome::Ok && finished.end.erased == 0, "a key was pressed: {}", finished.end);
    ensure!(!finished.wrote_to("D") && finished.end.then == Then::Stay, "the run went on: {}", finished.end);
    ensure!(bench.certificates(&stick)?.list.is_empty(), "a certificate for nothing");
    oracle::untouched(&disk)
}

/// ```text
/// stick   USB     D   AHCI
/// ```
fn reboot(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("D", 4 * MIB)?;
    let stick = bench.stick(&Job::wipe("zero").then("reboot"))?;
    let finished = bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disk)))?;
    finished.expect_erased(1)?;
    ensure!(finished.end.then == Then::Reboot, "{}", finished.end);
    oracle::wiped(&disk, Leaves::Byte(0))?;
    bench.certificates(&stick)?.of("D")?.expect_outcome("erased")?.verify()
}
