//! `mule store`: the images of a folder, and what to do about them.

mod check;
mod list;
mod prune;
mod rebase;

use super::{Exit, said};
use crate::job::shelves::{self, Item};
use std::path::Path;

/// Arguments of `mule store`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// What is there, of which drive, when it was last read as a whole, what needs what
    List(list::List),
    /// Read every image as a whole, those first that were not read for the longest time
    Check(check::Check),
    /// Remove older images that nothing needs
    Prune(prune::Prune),
    /// Let an image build on another one, or an earlier one, than it does
    Rebase(rebase::Rebase),
}

/// Runs the sub-command.
pub fn run(args: &Args) -> Exit {
    said(match &args.command {
        Command::List(args) => list::list(args),
        Command::Check(args) => check::check(args),
        Command::Prune(args) => prune::prune(args),
        Command::Rebase(args) => rebase::rebase(args),
    })
}

fn items(dir: &Path) -> Result<Vec<Item>, String> {
    shelves::read(dir).map_err(|error| format!("{}: {error}", dir.display()))
}
