//! The harness itself, on a stand-in guest: a boot sector that says a few words on the serial port and turns the machine
//! off. It shows that the VM starts from a USB stick through the BIOS, and that silence counts as failure.

use super::{Test, bench::Bench};
use crate::{
    stick::Stick,
    vm::{Machine, Outcome, Then, device_id},
};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::time::Instant;

pub(super) const TESTS: &[Test] = &[
    Test::new("harness-final-event", "a stand-in guest started by the BIOS from USB is heard to its end", final_event),
    Test::new(
        "harness-missing-final-event",
        "a guest that turns itself off without its final event is a failure",
        silent,
    ),
    Test::new("harness-staying-machine", "a machine that says it stays but goes is a failure", leaves),
    Test::new("harness-power-cut", "a cut ends QEMU at once", cut),
    Test::new("harness-control", "pictures, statistics and the removal of a drive work", control),
];

/// Prints the text and goes on behind itself.
#[rustfmt::skip]
const PRINT: &[u8] = &[
    0x31, 0xc0,             // xor ax, ax
    0x8e, 0xd8,             // mov ds, ax
    0xfc,                   // cld
    0xbe, 0, 0,             // mov si, text (patched)
    0xac,                   // next: lodsb
    0x84, 0xc0,             // test al, al
    0x74, 0,                // jz done (patched)
    0x88, 0xc4,             // mov ah, al
    0xba, 0xfd, 0x03,       // mov dx, line status register of the first serial port
    0xec,                   // wait: in al, dx
    0xa8, 0x20,             // test al, transmitter empty
    0x74, 0xfb,             // jz wait
    0x88, 0xe0,             // mov al, ah
    0xb2, 0xf8,             // mov dl, data register
    0xee,                   // out dx, al
    0xeb, 0xea,             // jmp next
];

/// Turns a Q35 off through its ACPI control register.
#[rustfmt::skip]
const POWER_OFF: &[u8] = &[
    0xba, 0x04, 0x06,       // mov dx, 0x604
    0xb8, 0x00, 0x20,       // mov ax, sleep state 5
    0xef,                   // out dx, ax
    0xf4, 0xeb, 0xfd,       // halt for ever
];
const HALT: &[u8] = &[0xf4, 0xeb, 0xfd];

const FINAL: &str = "MULE FINISHED outcome=ok erased=1 exceptions=0 failed=0 interrupted=0 refused=0 then=";

fn stand_in(bench: &Bench, text: &str, then: &[u8]) -> Result<Stick> {
    let mut sector = PRINT.to_vec();
    // The text lies behind the code that runs after it; both addresses are patched.
    let done = sector.len();
    sector.extend(then);
    let text_at = u16::try_from(0x7c00 + sector.len()).context("a boot sector is short")?;
    sector[6..8].copy_from_slice(&text_at.to_le_bytes());
    sector[12] = u8::try_from(done - 13).context("a short jump")?;
    sector.extend(text.bytes());
    ensure!(sector.len() < 446, "the text does not fit in a boot sector");
    sector.resize(1 << 20, 0);
    // One active partition: some BIOSes start nothing else from USB.
    sector[446..462].copy_from_slice(&[0x80, 0, 2, 0, 0xda, 0, 3, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
    sector[510..512].copy_from_slice(&[0x55, 0xaa]);
    let stick = Stick { path: bench.folder.join("stand-in.img"), serial: "STAND-IN".into() };
    std::fs::write(&stick.path, sector).context("writing the stand-in")?;
    Ok(stick)
}

fn final_event(bench: &mut Bench) -> Result<()> {
    let text = format!("MULE WRITING D1\r\n[ 0.1] noise {FINAL}power-off\r\n");
    let stick = stand_in(bench, &text, POWER_OFF)?;
    let finished = bench.boot(&Machine::new(&stick).in_full())?;
    ensure!(finished.end.outcome == Outcome::Ok && finished.end.then == Then::PowerOff);
    ensure!(finished.wrote_to("D1") && !finished.wrote_to("D2"));
    finished.expect_erased(1).map(drop)
}

fn silent(bench: &mut Bench) -> Result<()> {
    let stick = stand_in(bench, "MULE WRITING D1\r\nMULE FINISHE", POWER_OFF)?;
    let error = bench.boot(&Machine::new(&stick).in_full()).err().context("a silent end was taken for a success")?;
    let report = format!("{error:#}");
    ensure!(report.contains("without it") && report.contains("MULE WRITING D1"), "a poor report: {report}");
    Ok(())
}

fn leaves(bench: &mut Bench) -> Result<()> {
    let stick = stand_in(bench, &format!("{FINAL}stay\r\n"), POWER_OFF)?;
    ensure!(bench.boot(&Machine::new(&stick).in_full()).is_err(), "nobody noticed that the machine went");
    let stick = stand_in(bench, &format!("{FINAL}stay\r\n"), HALT)?;
    bench.boot(&Machine::new(&stick).in_full()).map(drop)
}

fn cut(bench: &mut Bench) -> Result<()> {
    let stick = stand_in(bench, "MULE WRITING D1\r\n", HALT)?;
    let vm = bench.start(&Machine::new(&stick).in_full())?;
    vm.wait_writing_to("D1")?;
    let before = Instant::now();
    vm.cut()?;
    ensure!(before.elapsed().as_secs() < 5, "the cut took {:?}", before.elapsed());
    Ok(())
}

fn control(bench: &mut Bench) -> Result<()> {
    let stick = stand_in(bench, "MULE WRITING D1\r\n", HALT)?;
    let disk = bench.disk("D1", 1 << 20)?;
    let mut vm = bench.start(&Machine::new(&stick).in_full().drive(crate::vm::Drive::usb(&disk, true)))?;
    vm.wait_writing()?;
    let picture = bench.folder.join("screen.png");
    let control = vm.control()?;
    control.execute("screendump", json!({"filename": picture, "format": "png"}))?;
    ensure!(std::fs::read(&picture).context("reading the picture")?.starts_with(b"\x89PNG"));
    ensure!(control.bytes_written(&device_id("D1"))? == 0);
    ensure!(control.execute("no-such-command", json!({})).is_err());
    control.execute("device_del", json!({"id": device_id("D1")})).map(drop)
}
