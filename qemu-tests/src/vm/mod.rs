//! A running VM. It is ended in every case: by the guest, by the test, or when the value is dropped.

mod console;
mod control;
mod devices;
mod direct;
mod drive;
mod event;
mod machine;

pub(crate) use console::{Console, Missing};
pub(crate) use control::Control;
pub(crate) use devices::device_id;
pub(crate) use direct::Direct;
pub(crate) use drive::{Bus, Drive, Fault};
pub(crate) use event::{Event, Final, Outcome, Then};
pub(crate) use machine::Machine;

use crate::limits::{self, limit};
use anyhow::{Context, Result, anyhow, bail};
use serde_json::json;
use std::{
    fs::File,
    io::Write,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A machine that stays on after its run must still be on this long after the final event.
const STAYS: Duration = Duration::from_secs(2);

/// A VM that was started.
#[derive(Debug)]
pub(crate) struct Vm {
    child: Child,
    keyboard: ChildStdin,
    console: Console,
    control: Option<Control>,
    /// Holds the control socket, whose path must be short, whatever the project's folder is called, and the kernel.
    sockets: TempDir,
}

/// A run that reached its final event.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) end: Final,
    pub(crate) events: Vec<(Duration, Event)>,
}

impl Vm {
    /// Starts QEMU. The console's log is `FOLDER/LABEL.console.log`, QEMU's own words go to `FOLDER/LABEL.qemu.log`.
    pub(crate) fn start(machine: &Machine, folder: &Path, label: &str, echo: bool) -> Result<Self> {
        let accelerator = std::env::var("MULE_QEMU_ACCEL").unwrap_or_else(|_| "tcg".into());
        let sockets = tempfile::Builder::new().prefix("mule-vm-").tempdir().context("making a folder for sockets")?;
        let words = File::create(folder.join(format!("{label}.qemu.log"))).context("making QEMU's log")?;
        let kernel = machine.kernel(sockets.path())?;
        let args = machine.arguments(&accelerator, &sockets.path().join("qmp"), kernel.as_ref());
        let started = Instant::now();
        // setpriv lets the kernel end QEMU when this program dies in a way that runs no destructors.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "qemu-system-x86_64"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(words)
            .spawn()
            .context("cannot run setpriv (Debian package util-linux)")?;
        let (Some(keyboard), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("a child has pipes");
        };
        let console = Console::read(output, &folder.join(format!("{label}.console.log")), started, echo)?;
        Ok(Self { child, keyboard, console, control: None, sockets })
    }

    /// Waits for the first event that `wanted` takes. The end of the run or of the kernel before it ends the wait.
    pub(crate) fn wait<T>(
        &self,
        what: &str,
        seconds: u64,
        mut wanted: impl FnMut(&Event) -> Option<T>,
    ) -> Result<(Duration, T)> {
        let found = self.console.wait(limit(seconds), |line| {
            let event = Event::parse(&line.text)?;
            if let Some(value) = wanted(&event) {
                return Some(Ok((line.at, value)));
            }
            match event {
                Event::Final(_) | Event::BadFinal(_) | Event::Panic(_) => Some(Err(event)),
                _ => None,
            }
        });
        match found {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(event)) => Err(anyhow!("{what} did not come before {event:?}; {}", self.console.tail())),
            Err(missing) => Err(self.missing(what, missing)),
        }
    }

    /// Waits for a line that contains one of these texts in any case.
    pub(crate) fn wait_text(&self, texts: &[&str], seconds: u64) -> Result<Duration> {
        let wanted = |line: &console::Line| {
            let text = line.text.to_lowercase();
            texts.iter().any(|wanted| text.contains(wanted)).then_some(line.at)
        };
        self.console.wait(limit(seconds), wanted).map_err(|missing| self.missing(&format!("{texts:?}"), missing))
    }

    /// Waits until the first write to any drive is about to happen.
    pub(crate) fn wait_writing(&self) -> Result<Duration> {
        let writing = |event: &Event| matches!(event, Event::Writing(_)).then_some(());
        Ok(self.wait("the first write", limits::BOOT, writing)?.0)
    }

    /// Waits until the first write to the drive with this serial number is about to happen.
    pub(crate) fn wait_writing_to(&self, serial: &str) -> Result<Duration> {
        let writing = |event: &Event| (*event == Event::Writing(serial.into())).then_some(());
        Ok(self.wait("the first write to a drive", limits::BOOT, writing)?.0)
    }

    /// The end of the run: its final event, and a machine that then does what the event says.
    pub(crate) fn finish(&mut self) -> Result<Finished> {
        let end = self.final_event()?;
        match end.then {
            Then::Stay => self.stays_on()?,
            Then::PowerOff | Then::Reboot => self.ends()?,
        }
        Ok(Finished { end, events: self.console.events() })
    }

    /// The final event; the machine may still be on.
    fn final_event(&self) -> Result<Final> {
        let (_, end) = self.wait("the final event", limits::RUN, |event| match event {
            Event::Final(end) => Some(end.clone()),
            _ => None,
        })?;
        Ok(end)
    }

    /// Waits until the machine sleeps (S3).
    pub(crate) fn wait_asleep(&mut self) -> Result<()> {
        let end = Instant::now() + limit(limits::SLEEP);
        while self.control()?.execute("query-status", json!({}))?["status"] != "suspended" {
            if Instant::now() > end || self.has_finished() {
                bail!("the machine does not sleep; it said:\n{}", self.console_tail());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Cuts the power: QEMU is killed and has no moment to finish anything.
    ///
    /// What the guest's drives had accepted by then is in the host's page cache and survives, as on a drive without a
    /// volatile cache. `write_log` makes the disk that a drive *with* one would be left with.
    pub(crate) fn cut(mut self) -> Result<()> {
        self.child.kill().context("killing QEMU")?;
        self.child.wait().context("waiting for QEMU's end")?;
        Ok(())
    }

    /// Whether the final event was already said.
    pub(crate) fn has_finished(&self) -> bool {
        self.console.contains("MULE FINISHED ")
    }

    /// Whether the guest said this anywhere.
    pub(crate) fn said(&self, text: &str) -> bool {
        self.console.contains(text)
    }

    /// Types on the serial console.
    pub(crate) fn type_text(&mut self, text: &str) -> Result<()> {
        self.keyboard.write_all(text.as_bytes()).and_then(|()| self.keyboard.flush()).context("typing on the console")
    }

    pub(crate) fn control(&mut self) -> Result<&mut Control> {
        let connected = match self.control.take() {
            Some(control) => control,
            None => Control::connect(&self.sockets.path().join("qmp"))?,
        };
        Ok(self.control.insert(connected))
    }

    /// What the guest says; it outlives the VM.
    pub(crate) fn console(&self) -> Console {
        self.console.clone()
    }

    /// Every line so far.
    pub(crate) fn console_text(&self) -> String {
        self.console.text()
    }

    pub(crate) fn console_tail(&self) -> String {
        self.console.tail()
    }

    fn stays_on(&mut self) -> Result<()> {
        std::thread::sleep(STAYS);
        match self.child.try_wait().context("looking after QEMU")? {
            None => Ok(()),
            Some(status) => bail!("the machine should stay on but ended ({status})\n{}", self.console.tail()),
        }
    }

    fn ends(&mut self) -> Result<()> {
        let end = Instant::now() + limit(limits::POWER_OFF);
        while Instant::now() < end {
            match self.child.try_wait().context("looking after QEMU")? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("QEMU ended badly ({status})\n{}", self.console.tail()),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
        bail!("the machine is still on {} s after its final event\n{}", limits::POWER_OFF, self.console.tail())
    }

    fn missing(&self, what: &str, missing: Missing) -> anyhow::Error {
        let why = match missing {
            Missing::TimedOut => "did not come in time",
            Missing::Ended => "never came: the machine ended without it",
        };
        anyhow!("{what} {why}; {}", self.console.tail())
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        // Both fail only where the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
