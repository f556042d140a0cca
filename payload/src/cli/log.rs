//! `mule log`: what a stick or this host did, read without ever writing.

mod check;
mod render;
pub(super) mod source;

use super::Exit;
use crate::{
    files,
    journal::{replay::Replay, scan::Placed},
    say,
};
use serde_json::{Value, json};
use source::{Holding, Log};
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Arguments of `mule log`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule log list /dev/sdx                          jobs and drives of a stick, and how they ended
  mule log show                                   every entry of this host's log
  mule log show --json mule.img                   the same of a stick image, one JSON object a line
  mule log export --output log.jsonl /dev/sdx     save it before the stick is written anew
  mule log verify --certificates certificates/ /dev/sdx

LOG is a stick (/dev/sdx), an image of one, its log partition (/dev/sdx2) or a log file; without it, this host's own log
is read. Nothing is written to it, and secret keys are never shown.
Exit code 0: read, and whole; 1: damaged, or a record went missing; 2: not read.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List jobs and drives with their outcomes
    List(Read),
    /// Show every entry with its time
    Show(Read),
    /// Save every entry as JSON lines
    Export(Export),
    /// Check numbers, checksums and the chain of every entry
    Verify(Verify),
}

#[derive(Debug, clap::Args)]
struct Read {
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Stick, image, log partition or log file [default: this host's log]
    #[arg(value_name = "LOG")]
    target: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Export {
    /// Write to this new file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Stick, image, log partition or log file [default: this host's log]
    #[arg(value_name = "LOG")]
    target: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// Also compare with the certificates in this folder: each must be in the log, and each logged one there
    #[arg(long, value_name = "DIR")]
    certificates: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Stick, image, log partition or log file [default: this host's log]
    #[arg(value_name = "LOG")]
    target: Option<PathBuf>,
}

/// Reads a log.
pub fn run(args: &Args) -> Exit {
    let done = match &args.command {
        Command::List(read) => with_log(read.target.as_deref(), |log| list(log, read.json)),
        Command::Show(read) => with_log(read.target.as_deref(), |log| show(log, read.json)),
        Command::Export(export) => with_log(export.target.as_deref(), |log| save(log, export.output.as_deref())),
        Command::Verify(verify) => check::verify(verify.target.as_deref(), verify.certificates.as_deref(), verify.json),
    };
    done.unwrap_or_else(|error| {
        tell!("mule: {error}");
        Exit::Refused
    })
}

/// Reads what `target` holds and does something with it; a blank log is said to be one.
fn with_log(target: Option<&Path>, act: impl FnOnce(&Log) -> io::Result<()>) -> Result<Exit, String> {
    let log = match source::read(target, source::Reach::Near)? {
        Holding::Blank { name } => {
            tell!("{name}: the log is blank: the stick was written but has not been started yet");
            return Ok(Exit::Good);
        }
        Holding::Log(log) => log,
    };
    match act(&log) {
        // `mule log show | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Exit::Good),
        done => done.map_err(|error| format!("the log was read, but not all of it written out: {error}"))?,
    }
    for (_, words) in log.oddities() {
        tell!("mule: {}: {words}", log.name);
    }
    Ok(if log.is_whole() { Exit::Good } else { Exit::Bad })
}

fn list(log: &Log, as_json: bool) -> io::Result<()> {
    let replay = Replay::of(&log.scan.entries);
    let mut out = say::Lines::out();
    if !as_json {
        let (stick, jobs) = (log.superblock.key.public_key().stick_id(), replay.jobs.len());
        out.line(format_args!("{stick} of {}: {} entries, {jobs} jobs", log.name, log.scan.end.next))?;
    }
    for job in &replay.jobs {
        match as_json {
            true => out.json(&render::job_object(job))?,
            false => render::job_lines(job).iter().try_for_each(|line| out.line(format_args!("{line}")))?,
        }
    }
    out.flush()
}

fn show(log: &Log, as_json: bool) -> io::Result<()> {
    let mut out = say::Lines::out();
    for (placed, proved) in log.entries() {
        match as_json {
            true => out.json(&entry_object(placed, proved))?,
            false => {
                let mark = if proved { ' ' } else { '!' };
                let words = render::words(&placed.entry.event);
                out.line(format_args!("{:>6}{mark} {}  {words}", placed.sequence, render::when(placed.entry.at)))?;
            }
        }
    }
    out.flush()
}

/// One entry as a JSON object; `proved` where the chain reaches it unbroken.
fn entry_object(placed: &Placed, proved: bool) -> Value {
    let (name, fields) = render::fields(&placed.entry.event);
    json!({
        "sequence": placed.sequence, "time": render::when(placed.entry.at), "time_ms": placed.entry.at, "event": name,
        "fields": fields, "byte": placed.at, "blake3": render::hex(&placed.hash), "chained": proved,
    })
}

/// The first line says whose log it is; every other one is an entry.
fn save(log: &Log, output: Option<&Path>) -> io::Result<()> {
    let mut lines = Vec::new();
    let mut to = say::Lines::new(&mut lines);
    to.json(&log.heading())?;
    log.entries().try_for_each(|(placed, proved)| to.json(&entry_object(placed, proved)))?;
    drop(to);
    match output {
        None => {
            let mut out = say::bytes();
            out.write_all(&lines).and_then(|()| out.flush())
        }
        Some(path) => files::create(path, &lines)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests;
