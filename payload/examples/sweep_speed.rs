//! One sweep over a file or device, nothing else: `sweep_speed FILE zero|triple|random|verify`. Run by `make bench` on
//! files of its own; it overwrites what it is given without a question, which is why it is no part of the product.

use mule::{
    drive::{Access, DataPlane, LinuxDrive},
    engine::{
        extents::Ranges,
        pattern::{Pattern, StreamKey},
        sweep::{End, Found, Limits, Mode, Observer, sweep},
    },
};

struct Quiet;

impl Observer for Quiet {
    fn advanced(&mut self, _: u64) {}
    fn checkpoint(&mut self, _: u64, _: &Found) {}
    fn stop(&self) -> bool {
        false
    }
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, file, pattern] = &arguments[..] else { anyhow::bail!("usage: sweep_speed FILE zero|triple|random|verify") };
    let (mode, pattern) = match pattern.as_str() {
        "zero" => (Mode::Write, Pattern::Byte(0)),
        "triple" => (Mode::Write, Pattern::Triple([0x92, 0x49, 0x24])),
        "random" => (Mode::Write, Pattern::Stream(StreamKey([42; 32]))),
        "verify" => (Mode::Compare, Pattern::Stream(StreamKey([42; 32]))),
        other => anyhow::bail!("unknown pattern {other}"),
    };
    let mut drive = LinuxDrive::open(file.as_ref(), Access::ReadWrite)?;
    let mut all = Ranges::default();
    all.insert(0, drive.geometry().bytes());
    let (found, end) = sweep(&mut drive, mode, pattern, &all, Limits::default(), &mut Quiet);
    anyhow::ensure!(end == End::Complete && found.places() == 0, "{end:?} after {} bytes", found.bytes);
    Ok(())
}
