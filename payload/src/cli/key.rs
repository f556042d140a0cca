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

A key is bound to the model, serial number and size that its stick shows, so that a copied stick signs with a key of its own.
Where a stick shows others (another port, another driver), its key is put aside, and is the key again where it shows what it
showed then. `show` lists the keys put aside, `allowed-signers` prints the one that signs.

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
        Command::Show { json, target } => of(target.as_deref()).map(|keys| show(&keys, *json)),
        Command::AllowedSigners { target } => of(target.as_deref()).map(|keys| keys.signs.allowed_signers_line()),
        Command::Generate { file } => generate(file).map(|key| show(&Keys { signs: key, aside: Vec::new() }, false)),
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

/// The keys of a log.
struct Keys {
    signs: PublicStickKey,
    /// Made where the medium showed another model, serial number or size, or on the one that it is a copy of.
    aside: Vec<PublicStickKey>,
}

/// The public keys of a log.
fn of(target: Option<&Path>) -> Result<Keys, String> {
    match source::read(target, Reach::Near)? {
        Holding::Blank { name } => Err(format!("{name}: no key yet: a stick makes its key when it is first started")),
        Holding::Log(log) => {
            let aside = log.superblock.aside.iter().map(|aside| aside.key.public_key()).collect();
            Ok(Keys { signs: log.superblock.key.public_key(), aside })
        }
    }
}

fn show(keys: &Keys, as_json: bool) -> String {
    let object =
        |key: &PublicStickKey| json!({"stick": key.stick_id(), "key": key.openssh(), "fingerprint": key.fingerprint()});
    if as_json {
        let mut shown = object(&keys.signs);
        shown["put_aside"] = keys.aside.iter().map(object).collect();
        return shown.to_string();
    }
    let (id, line, fingerprint) = (keys.signs.stick_id(), keys.signs.openssh(), keys.signs.fingerprint());
    let aside = |key: &PublicStickKey| format!("\nput aside    {} {}", key.stick_id(), key.fingerprint());
    let aside: String = keys.aside.iter().map(aside).collect();
    format!("id           {id}\npublic key   {line}\nfingerprint  {fingerprint}{aside}")
}

fn generate(file: &Path) -> Result<PublicStickKey, String> {
    // A dangling link is no free name either.
    if file.symlink_metadata().is_ok() {
        return Err(format!("{}: it exists already; a log is never written over", file.display()));
    }
    host::open_log(file).map(|(journal, _)| journal.key().public_key())
}
