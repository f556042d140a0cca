//! `mule drives`: what is there, and what an unattended job would touch.

pub(crate) mod details;
mod object;
pub(crate) mod remarks;

use super::Exit;
use crate::{
    console::{self, format},
    discover::{self, Drive, Roots},
    jobfile::Selection,
    plan::preflight,
    say,
};
use std::path::Path;

/// Arguments of `mule drives`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule drives                      a table: which drives there are, and why some would be left alone
  mule drives --ask                ask the drives themselves as well; needs root and may spin disks up
  mule drives --ask --details sdb  all that is known of a drive: sizes, health, security, what it holds, what is wrong
  mule drives --ask --json         one JSON array for scripts; what is not known is null")]
pub struct Args {
    /// Print one JSON array instead of the table
    #[arg(long)]
    json: bool,
    /// Also send reading commands to the drives (IDENTIFY, SMART, log pages), and look at what they hold
    #[arg(long)]
    ask: bool,
    /// Print a block of lines instead of a row, for one drive or for all
    #[arg(long, value_name = "NAME", conflicts_with = "json")]
    details: Option<Option<String>>,
}

/// Lists the drives.
pub fn run(args: &Args) -> Exit {
    let mut drives = discover::scan(&Roots::default());
    let wanted = args.details.as_ref().and_then(Option::as_deref);
    if let Some(wanted) = wanted.filter(|wanted| !drives.iter().any(|drive| called(drive, wanted))) {
        tell!("mule: {wanted}: there is no such drive");
        return Exit::Refused;
    }
    let shown = |drive: &Drive| wanted.is_none_or(|wanted| called(drive, wanted));
    if args.ask {
        drives.iter_mut().filter(|drive| shown(drive)).for_each(discover::ask);
    }
    let sticks = super::host::sticks_among(&drives);
    let verdicts: Vec<_> = drives
        .iter()
        .map(|drive| preflight::check(drive, &drives, &sticks, &Selection::All).err().map(|reason| reason.to_string()))
        .collect();
    if args.json {
        let rows = drives.iter().zip(&verdicts).map(|(drive, refusal)| {
            let content = Some(drive).filter(|_| args.ask).and_then(details::content);
            object::of(drive, content.as_ref(), refusal.as_deref())
        });
        say::pretty_json(&serde_json::Value::from_iter(rows));
        return Exit::Good;
    }
    if drives.is_empty() {
        say!("No drive was found.");
    }
    for (drive, refusal) in drives.iter().zip(&verdicts).filter(|(drive, _)| shown(drive)) {
        if args.details.is_some() {
            let content = Some(drive).filter(|_| args.ask).and_then(details::content);
            say!("{}", drive.path.display());
            for (name, text) in details::lines(drive, content.as_ref(), refusal.as_deref()) {
                say!("    {name:14} {text}");
            }
            continue;
        }
        let size = format::size(drive.identity.bytes);
        let serial = if drive.identity.serial.is_empty() { "(no serial)" } else { &drive.identity.serial };
        say!(
            "{:10} {size:>9}  {:24} {:22} {:7} {}",
            drive.name,
            format::fit(&drive.identity.model, 24),
            console::format::printable(serial),
            drive.bus.to_string(),
            refusal.as_deref().unwrap_or("may be erased")
        );
    }
    Exit::Good
}

/// Whether a person means this drive: by the kernel's name or by the path.
fn called(drive: &Drive, name: &str) -> bool {
    drive.name == name || drive.path == Path::new(name)
}

#[cfg(test)]
mod tests;
