//! `mule store prune`.

use super::{Exit, items};
use crate::{
    cli::kept::may_be_removed,
    console::format::size,
    job::shelves::{self, Plan},
};
use std::{num::NonZeroUsize, path::PathBuf};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule store prune --keep 3 /mnt/store      the three newest images of each drive stay, and what they build on

What would go is listed first, and why the rest stays. An image stays that another one builds on, that a job keeps
(`mule kept`), that is not finished, not whole, or of which it is not clear what it is. `mule store rebase` and
`mule image flatten` make an image need others no longer. A run that was cut short is ended by the next one.
Exit codes: 0 done; 2 not done.")]
pub(super) struct Prune {
    /// The folder with images
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// How many images of each drive stay, the newest
    #[arg(long, value_name = "N")]
    keep: NonZeroUsize,
    /// Remove without a question
    #[arg(long)]
    yes: bool,
}

pub(super) fn prune(args: &Prune) -> Result<Exit, String> {
    let before = items(&args.folder)?;
    let plan = shelves::plan(&before, args.keep.get());
    told(&plan);
    if plan.gone.is_empty() {
        return Ok(Exit::Good);
    }
    if !args.yes {
        may_be_removed()?;
    }
    // A person took time: what has come to build on them, or is kept, since?
    let again = items(&args.folder)?;
    let still: Vec<_> = shelves::plan(&again, args.keep.get()).gone.iter().map(|item| item.path.clone()).collect();
    for item in &plan.gone {
        if !still.contains(&item.path) {
            tell!("mule: {}: it stays, since something builds on it or keeps it by now", item.name());
            continue;
        }
        shelves::remove(&item.path).map_err(|error| format!("{}: {error}", item.path.display()))?;
        say!("{}: removed", item.name());
    }
    Ok(Exit::Good)
}

fn told(plan: &Plan<'_>) {
    for (item, reason) in &plan.stays {
        say!("{}: stays: {reason}", item.name());
    }
    for item in &plan.gone {
        if item.is_going {
            say!("{}: can go: its removal was begun, {}", item.name(), size(item.bytes));
            continue;
        }
        let (model, serial) = item.drive().unwrap_or_default();
        say!("{}: can go: {model} {serial}, {}", item.name(), size(item.bytes));
    }
}
