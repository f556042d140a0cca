//! The host's command line: one file for each sub-command.

pub mod certificate;
mod copying;
pub mod drives;
pub mod host;
pub mod image;
pub mod kept;
pub mod key;
pub mod log;
pub mod methods;
mod named;
pub mod restore;
pub mod store;
pub mod verify;
pub mod wipe;
mod words;

use clap::{Parser, Subcommand};

/// What the process tells the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything asked for was done and is good.
    Good,
    /// It was done, and the answer is no: not erased, not blank, not genuine.
    Bad,
    /// It was not done: refused, or the words were off.
    Refused,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Good => 0,
            Exit::Bad => 1,
            Exit::Refused => 2,
        })
    }
}

/// Says why a command was not done.
fn said(result: Result<Exit, String>) -> Exit {
    result.unwrap_or_else(|error| {
        tell!("mule: {error}");
        Exit::Refused
    })
}

/// Erases and verifies whole disks, and certifies what it proved.
///
/// On the USB stick this program starts by itself and does what mule.toml says. Here, on a host, each sub-command does one
/// thing.
#[derive(Debug, Parser)]
#[command(name = "mule", bin_name = "mule", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  mule drives                                  what is there, and what may be erased
  mule methods                                 every method with its literal passes
  mule wipe /dev/sdx                           asks for the serial number, then erases
  mule verify /dev/sdx                         is it blank?
  mule image create /dev/sdx a.img.zst         an image that plain zstd unpacks
  mule image extract a.img.zst /Users --to out files out of it, without restoring it
  mule restore a.img.zst /dev/sdx              puts it back and proves it
  mule store list /mnt/store                   the images of a folder, and what needs what
  mule certificate verify certificates/*.json  is it genuine?
  mule log show /dev/sdx                       what a stick did

Exit codes: 0 done and good; 1 done, and the answer is no (not erased, not blank, not genuine); 2 not done.";

/// The sub-commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the drives of this machine
    Drives(drives::Args),
    /// List the erasure methods with their literal passes
    Methods(methods::Args),
    /// Erase drives, verify and certify them
    Wipe(wipe::Args),
    /// Take images of drives, check them, look into them
    Image(image::Args),
    /// Put an image onto drives
    Restore(restore::Restore),
    /// Copy a drive onto others
    Clone(restore::Clone),
    /// List the images that jobs kept of what they overwrote
    Kept(kept::List),
    /// Remove kept images for good
    Commit(kept::Commit),
    /// Put a kept image back onto its drive
    Revert(kept::Revert),
    /// Look after the images of a folder: list, check, prune, rebase
    Store(store::Args),
    /// Check whether drives are blank, or hold a pattern or an image, without writing
    Verify(verify::Args),
    /// Read the log of a stick or of this host
    Log(log::Args),
    /// Check or show certificates
    Certificate(certificate::Args),
    /// Show or make signing keys
    Key(key::Args),
}

/// Does what the command line says.
pub fn main() -> Exit {
    let exit = words::read().map_or_else(|exit| exit, |cli| cli.run());
    match crate::say::lost() {
        Some(error) => said(Err(format!("not all of the output could be written: {error}"))),
        None => exit,
    }
}

impl Cli {
    /// Does what was asked.
    pub fn run(&self) -> Exit {
        match &self.command {
            Command::Drives(args) => drives::run(args),
            Command::Methods(args) => methods::run(args),
            Command::Wipe(args) => wipe::run(args),
            Command::Image(args) => image::run(args),
            Command::Restore(args) => restore::restore(args),
            Command::Clone(args) => restore::clone(args),
            Command::Kept(args) => kept::list(args),
            Command::Commit(args) => kept::commit(args),
            Command::Revert(args) => kept::revert(args),
            Command::Store(args) => store::run(args),
            Command::Verify(args) => verify::run(args),
            Command::Log(args) => log::run(args),
            Command::Certificate(args) => certificate::run(args),
            Command::Key(args) => key::run(args),
        }
    }
}
