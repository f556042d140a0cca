//! `mule store list`.

use super::{Exit, items};
use crate::{console::format::size, job::shelves::Item, say};
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule store list /mnt/store

Nothing but manifests, notes and the sizes of files is looked at; `mule store check` reads the images.
Exit codes: 0 nothing is missing; 1 something is missing, or what is there is not clear; 2 not done.")]
pub(super) struct List {
    /// Folders with images
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Print one JSON object an image
    #[arg(long)]
    json: bool,
}

pub(super) fn list(args: &List) -> Result<Exit, String> {
    let mut exit = Exit::Good;
    for folder in &args.folders {
        let items = items(folder)?;
        if items.is_empty() && !args.json {
            say!("{}: no images", folder.display());
        }
        for item in &items {
            if trouble(item).is_some() {
                exit = Exit::Bad;
            }
            if args.json { say::json(&object(item)) } else { lines(item) }
        }
    }
    Ok(exit)
}

/// What is not as it should be.
fn trouble(item: &Item) -> Option<String> {
    match &item.signed {
        _ if item.is_going => Some("its removal was begun; `mule store prune` ends it".into()),
        Err(_) if item.is_part => None,
        Err(error) => Some(error.clone()),
        Ok(_) => {
            let missing = item.missing.as_ref().map(|file| format!("{} is not there as it was", file.display()));
            let lost = || item.base().map(|base| format!("{base}, which it builds on, is not there"));
            let damaged =
                || item.checked.as_ref().filter(|checked| !checked.whole).map(|_| "it was found damaged".into());
            missing.or_else(|| if item.base_is_there { None } else { lost() }).or_else(damaged)
        }
    }
}

fn object(item: &Item) -> serde_json::Value {
    let manifest = item.signed.as_ref().ok().map(|signed| &signed.manifest);
    json!({
        "image": item.path.to_string_lossy(), "unfinished": item.is_part, "going": item.is_going, "trouble": trouble(item),
        "model": manifest.map(|m| &m.image.model), "serial": manifest.map(|m| &m.image.serial),
        "disk_bytes": manifest.map(|m| m.image.disk_bytes), "bytes": item.bytes,
        "finished": manifest.map(|m| &m.finished), "outcome": manifest.map(|m| &m.outcome),
        "base": item.base(), "needed_by": item.needed_by, "checked": item.checked, "kept_until": item.kept_until,
    })
}

fn lines(item: &Item) {
    let name = item.name();
    let Ok(signed) = &item.signed else {
        let state = match item {
            Item { is_going: true, .. } => "GOING",
            Item { is_part: true, .. } => "not finished; the same command goes on with it",
            _ => "NOT CLEAR",
        };
        say!("{name}: {state}; {}", size(item.bytes));
        if let Some(trouble) = trouble(item) {
            say!("    trouble    {trouble}");
        }
        return;
    };
    let manifest = &signed.manifest;
    let (of, finished) = (&manifest.image, &manifest.finished);
    say!("{name}: {} {} of {} {}", manifest.outcome, finished, of.model, of.serial);
    say!("    disk       {}, stored in {}", size(of.disk_bytes), size(item.bytes));
    match &item.checked {
        Some(checked) if checked.whole => say!("    read       {}: whole, says {}", checked.at, checked.signer),
        Some(checked) => {
            say!("    read       {}: DAMAGED in {} places, says {}", checked.at, checked.damaged, checked.signer)
        }
        None => say!("    read       not since it was made"),
    }
    if let Some(base) = item.base() {
        say!("    builds on  {base}");
    }
    if !item.needed_by.is_empty() {
        say!("    needed by  {}", item.needed_by.join(", "));
    }
    if let Some(until) = &item.kept_until {
        say!("    kept until {until}");
    }
    if let Some(trouble) = trouble(item) {
        say!("    trouble    {trouble}");
    }
}
