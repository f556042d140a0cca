//! A running `drive-host`: drives that are code of ours, served to a guest. It is ended when the value is dropped.

use crate::disk::Disk;
use anyhow::{Context, Result, bail, ensure};
use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};
use tempfile::TempDir;

#[derive(Debug)]
pub(crate) struct DriveHost {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Holds the socket; its path must be short, whatever the project's folder is called.
    sockets: TempDir,
}

impl DriveHost {
    /// Serves these disks, whose cells stay in their files, as targets 0, 1, … Its own words go to
    /// `FOLDER/drive-host.log`.
    pub(crate) fn of_disks(disks: &[Disk], folder: &Path) -> Result<Self> {
        let args = disks
            .iter()
            .flat_map(|disk| ["--file-disk".to_owned(), format!("{}={}", disk.serial, disk.path.display())]);
        Self::start(args, folder)
    }

    /// Serves SATA disks, each with what it can do and lies about, in `drive-host`'s words.
    pub(crate) fn of_sata_disks(disks: &[(&Disk, &str)], folder: &Path) -> Result<Self> {
        Self::modelled("--sata-disk", disks, folder)
    }

    /// Serves SAS disks in the same way.
    pub(crate) fn of_sas_disks(disks: &[(&Disk, &str)], folder: &Path) -> Result<Self> {
        Self::modelled("--sas-disk", disks, folder)
    }

    fn modelled(kind: &str, disks: &[(&Disk, &str)], folder: &Path) -> Result<Self> {
        let args = disks.iter().flat_map(|(disk, words)| {
            let comma = if words.is_empty() { "" } else { "," };
            [kind.to_owned(), format!("{}={}{comma}{words}", disk.serial, disk.path.display())]
        });
        Self::start(args, folder)
    }

    fn start(args: impl IntoIterator<Item = String>, folder: &Path) -> Result<Self> {
        let program = program()?;
        let sockets =
            tempfile::Builder::new().prefix("mule-drives-").tempdir().context("making a folder for sockets")?;
        let words = File::create(folder.join("drive-host.log")).context("making the drive host's log")?;
        let mut child = Command::new(&program)
            .arg("--socket")
            .arg(sockets.path().join("scsi"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(words)
            .spawn()
            .with_context(|| format!("running {}", program.display()))?;
        let (Some(commands), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("a child has pipes");
        };
        let mut host = Self { child, commands, answers: BufReader::new(answers), sockets };
        let ready = host.answer()?;
        ensure!(ready == "ready", "the drive host said {ready:?} at its start");
        Ok(host)
    }

    /// Where QEMU connects.
    pub(crate) fn socket(&self) -> PathBuf {
        self.sockets.path().join("scsi")
    }

    /// Takes the supply of a drive away and gives it back.
    pub(crate) fn power_cycle(&mut self, target: usize) -> Result<()> {
        self.command(&format!("power-cycle {target}"))
    }

    /// Changes what a drive says of itself: `temperature`, `reallocated`, ….
    pub(crate) fn set(&mut self, target: usize, name: &str, value: u64) -> Result<()> {
        self.command(&format!("set {target} {name} {value}"))
    }

    /// Puts a SATA disk into the place of a drive; the guest is not told.
    pub(crate) fn exchange(&mut self, target: usize, disk: &Disk, words: &str) -> Result<()> {
        let comma = if words.is_empty() { "" } else { "," };
        self.command(&format!("exchange {target} sata-disk {}={}{comma}{words}", disk.serial, disk.path.display()))
    }

    fn command(&mut self, line: &str) -> Result<()> {
        writeln!(self.commands, "{line}").and_then(|()| self.commands.flush()).context("commanding the drive host")?;
        match self.answer()?.as_str() {
            "ok" => Ok(()),
            other => bail!("the drive host answered {other:?} to {line:?}"),
        }
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        let len = self.answers.read_line(&mut line).context("listening to the drive host")?;
        ensure!(len > 0, "the drive host ended; its words are in drive-host.log");
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for DriveHost {
    fn drop(&mut self) {
        // Both fail only where the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Cargo puts the workspace's programs into one folder.
fn program() -> Result<PathBuf> {
    let own = std::env::current_exe().context("looking for this program's folder")?;
    let program = own.with_file_name("drive-host");
    ensure!(program.exists(), "{} is missing; `cargo build -p drive-host` makes it", program.display());
    Ok(program)
}
