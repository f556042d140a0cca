//! `mule key`: whose signatures a stick or this host makes. The secret half never leaves the log.

use super::{
    Exit, host,
    log::source::{self, Holding, Reach},
};
use crate::certify::key::PublicStickKey;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments of `mule key`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule key show /dev/sdx                          a stick's id, public key and fingerprint
  mule key allowed-signers /dev/sdx >> signers    trust it: certificates check against this file
  mule key generate ./audit-log                   a new log with a key of its own, for this host

LOG is a stick (/dev/sdx), an image of one, its log partition (/dev/sdx2) or a log file; without it, this host's own log
is read.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show the id, the public key and its fingerprint
    Show {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        /// Stick, image, log partition or log file [default: this host's log]
        #[arg(value_name = "LOG")]
        target: Option<PathBuf>,
    },
    /// Print the line for a file of allowed signers (ssh-keygen(1), ALLOWED SIGNERS)
    AllowedSigners {
        /// Stick, image, log partition or log file [default: this host's log]
        #[arg(value_name = "LOG")]
        target: Option<PathBuf>,
    },
    /// Make a new log file with a key of its own; it holds the secret, so only you may read it
    Generate {
        /// The file; it must not exist yet
        file: PathBuf,
    },
}

/// Shows or makes a key.
pub fn run(args: &Args) -> Exit {
    let shown = match &args.command {
        Command::Show { json, target } => of(target.as_deref()).map(|key| show(key, *json)),
        Command::AllowedSigners { target } => of(target.as_deref()).map(PublicStickKey::allowed_signers_line),
        Command::Generate { file } => generate(file).map(|key| show(key, false)),
    };
    match shown {
        Ok(text) => {
            text.lines().for_each(|line| say!("{line}"));
            Exit::Good
        }
        Err(error) => {
            tell!("mule: {error}");
            Exit::Refused
        }
    }
}

/// The public key of a log.
fn of(target: Option<&Path>) -> Result<PublicStickKey, String> {
    match source::read(target, Reach::Near)? {
        Holding::Blank { name } => Err(format!("{name}: no key yet: a stick makes its key when it is first started")),
        Holding::Log(log) => Ok(log.superblock.key.public_key()),
    }
}

fn show(key: PublicStickKey, as_json: bool) -> String {
    let (id, line, fingerprint) = (key.stick_id(), key.openssh(), key.fingerprint());
    match as_json {
        true => json!({"stick": id, "key": line, "fingerprint": fingerprint}).to_string(),
        false => format!("id           {id}\npublic key   {line}\nfingerprint  {fingerprint}"),
    }
}

fn generate(file: &Path) -> Result<PublicStickKey, String> {
    // A dangling link is no free name either.
    if file.symlink_metadata().is_ok() {
        return Err(format!("{}: it exists already; a log is never written over", file.display()));
    }
    host::open_log(file).map(|(journal, _)| journal.key().public_key())
}
