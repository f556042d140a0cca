//! Serves drives to a QEMU guest over vhost-user-scsi: the guest's own SCSI drivers talk to code of this process.
//!
//! Standard output says `ready` once the socket is there. Then each line on standard input is a command, answered with a
//! line that starts with `ok` or `error`: `power-cycle N`, `set N NAME VALUE`, `exchange N sata-disk SERIAL=PATH[,WORD…]` (or
//! `file-disk`, `sas-disk`), `quit`. The end of standard input ends the program as well.

#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use drive_host::{FileDisk, Host, SasDisk, SataDisk, Target};
use std::{
    io::{BufRead, Write},
    path::{Path, PathBuf},
    sync::Arc,
};
use vhost::vhost_user::{
    Error::{Disconnected, PartialMessage},
    Listener,
};
use vhost_user_backend::{Error, VhostUserDaemon};
use vm_memory::{GuestMemoryAtomic, GuestMemoryMmap};

#[derive(Debug, Parser)]
struct Arguments {
    /// Where QEMU connects; made by this program.
    #[arg(long)]
    socket: PathBuf,
    /// A disk whose cells are a file; targets are numbered in the order given.
    #[arg(long = "file-disk", value_name = "SERIAL=PATH")]
    file_disks: Vec<String>,
    /// A SATA disk whose cells are a file, and what it is like; numbered after the others. The words are those of
    /// `SataDisk::from_text`.
    #[arg(long = "sata-disk", value_name = "SERIAL=PATH[,WORD…]")]
    sata_disks: Vec<String>,
    /// A SAS disk, in the same way, numbered last; the words are those of `SasDisk::from_text`.
    #[arg(long = "sas-disk", value_name = "SERIAL=PATH[,WORD…]")]
    sas_disks: Vec<String>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let Arguments { file_disks, sata_disks, sas_disks, .. } = &arguments;
    let kinds = [("file-disk", file_disks), ("sata-disk", sata_disks), ("sas-disk", sas_disks)];
    let texts = kinds.iter().flat_map(|(kind, texts)| texts.iter().map(move |text| (*kind, text)));
    let targets = texts.map(|(kind, text)| target(kind, text)).collect::<Result<Vec<_>>>()?;
    ensure!(
        !targets.is_empty(),
        "there is no drive to serve; name one with --file-disk, --sata-disk or --sas-disk SERIAL=PATH"
    );
    let host = Arc::new(Host::new(targets).context("a thread for each drive")?);
    let socket = &arguments.socket;
    let listener = Listener::new(socket, true).with_context(|| format!("listening on {}", socket.display()))?;
    let served = Arc::clone(&host);
    std::thread::Builder::new().name("serve".into()).spawn(move || serve(&served, listener)).context("a thread")?;
    say("ready")?;
    for line in std::io::stdin().lock().lines() {
        let line = line.context("reading standard input")?;
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["quit"] => return say("ok"),
            ref words => match obey(&host, words) {
                Ok(()) => say("ok")?,
                Err(error) => say(&format!("error {error:#}"))?,
            },
        }
    }
    Ok(())
}

/// A drive of a kind.
fn target(kind: &str, text: &str) -> Result<Box<dyn Target>> {
    let made = match kind {
        "file-disk" => file_disk(text),
        "sata-disk" => SataDisk::from_text(text).map(|disk| Box::new(disk) as Box<dyn Target>),
        "sas-disk" => SasDisk::from_text(text).map(|disk| Box::new(disk) as Box<dyn Target>),
        _ => bail!("{kind:?} is no kind of drive"),
    };
    made.with_context(|| format!("{kind} {text}"))
}

fn file_disk(text: &str) -> Result<Box<dyn Target>> {
    let (serial, path) = text.split_once('=').context("--file-disk takes SERIAL=PATH")?;
    let disk = FileDisk::open(serial, Path::new(path)).with_context(|| format!("opening {path}"))?;
    Ok(Box::new(disk))
}

fn obey(host: &Host, words: &[&str]) -> Result<()> {
    match words {
        ["power-cycle", number] => host.power_cycle(number.parse().context("the number of a target")?),
        ["set", number, name, value] => {
            let number = number.parse().context("the number of a target")?;
            host.set(number, name, value.parse().context("the value is a number")?)
        }
        ["exchange", number, kind, text] => {
            host.exchange(number.parse().context("the number of a target")?, target(kind, text)?)
        }
        _ => bail!("unknown command {words:?}"),
    }
}

/// One guest after the other; the drives stay as they are in between.
fn serve(host: &Arc<Host>, mut listener: Listener) {
    loop {
        let memory = GuestMemoryAtomic::new(GuestMemoryMmap::new());
        let started = VhostUserDaemon::new("drive-host".into(), Arc::clone(host), memory)
            .and_then(|mut daemon| daemon.start(&mut listener).map(|()| daemon));
        match started {
            // The end of a guest closes the connection; what else went wrong is for the log of the test.
            Ok(mut daemon) => match daemon.wait() {
                Ok(()) | Err(Error::HandleRequest(Disconnected | PartialMessage)) => {}
                Err(error) => eprintln!("drive-host: the connection to QEMU was given up: {error}"),
            },
            Err(error) => {
                eprintln!("drive-host: serving a guest: {error}");
                return;
            }
        }
        host.forget_guest();
    }
}

/// Answers at once, whatever standard output is connected to.
fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("writing to standard output")
}
