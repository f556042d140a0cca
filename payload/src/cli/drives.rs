//! `mule drives`: what is there, and what an unattended job would touch.

mod details;

use super::Exit;
use crate::{
    console::{self, format},
    content::Survey,
    discover::{self, Drive, Roots},
    jobfile::Selection,
    plan::preflight,
};
use serde_json::json;

/// Arguments of `mule drives`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule drives             a table: which drives there are, and why some would be left alone
  mule drives --ask       ask the drives themselves as well (IDENTIFY, SMART); needs root and may spin disks up
  mule drives --details   all that is known of each drive; with --ask, also what it holds and what it can be asked for
  mule drives --json      one JSON array for scripts; with --ask, the content as well")]
pub struct Args {
    /// Print one JSON array instead of the table
    #[arg(long)]
    json: bool,
    /// Also send IDENTIFY and SMART commands to the drives, and look at what they hold
    #[arg(long)]
    ask: bool,
    /// Print a block of lines for each drive instead of a row
    #[arg(long, conflicts_with = "json")]
    details: bool,
}

/// Lists the drives.
pub fn run(args: &Args) -> Exit {
    let mut drives = discover::scan(&Roots::default());
    if args.ask {
        drives.iter_mut().for_each(discover::ask);
    }
    let sticks = super::host::sticks_among(&drives);
    let verdicts: Vec<_> = drives
        .iter()
        .map(|drive| preflight::check(drive, &drives, &sticks, &Selection::All).err().map(|reason| reason.to_string()))
        .collect();
    if args.json {
        let rows = drives.iter().zip(&verdicts).map(|(drive, refusal)| {
            let content = Some(drive).filter(|_| args.ask).and_then(details::content);
            object(drive, content.as_ref(), refusal.as_deref())
        });
        println!("{:#}", serde_json::Value::from_iter(rows));
        return Exit::Good;
    }
    if drives.is_empty() {
        println!("No drive was found.");
    }
    for (drive, refusal) in drives.iter().zip(&verdicts) {
        if args.details {
            let content = Some(drive).filter(|_| args.ask).and_then(details::content);
            println!("{}", drive.path.display());
            for (name, text) in details::lines(drive, content.as_ref(), refusal.as_deref()) {
                println!("    {name:14} {text}");
            }
            continue;
        }
        let size = format::size(drive.identity.bytes);
        let serial = if drive.identity.serial.is_empty() { "(no serial)" } else { &drive.identity.serial };
        println!(
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

fn object(drive: &Drive, content: Option<&Survey>, refusal: Option<&str>) -> serde_json::Value {
    json!({
        "name": drive.name, "path": drive.path, "model": drive.identity.model, "serial": drive.identity.serial,
        "wwn": drive.identity.wwn, "bytes": drive.identity.bytes,
        "logical_block": drive.geometry.ok().map(|g| g.logical()),
        "physical_block": drive.geometry.ok().map(|g| g.physical()),
        "bus": drive.bus.to_string(), "port": drive.port, "firmware": drive.firmware, "removable": drive.removable,
        "read_only": drive.read_only, "rotational": drive.rotational,
        "in_use": drive.usage.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "hidden_bytes": drive.hidden_bytes(), "native_sectors": drive.native_sectors, "health": drive.health, "link": drive.link,
        "ata": drive.ata, "content": content.map(details::content_object), "refused": refusal,
    })
}
