//! The command line: build an image, put another job on one, or check the dependencies' licences.
#![forbid(unsafe_code)]

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use image_build::{image, job, licences, notices, sources::Sources, timestamp::Timestamp};
use std::path::PathBuf;

/// Builds the bootable USB image of Mule
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Cli {
    #[command(flatten)]
    sources: Option<Sources>,
    /// Folder for mule.img, initramfs.img and manifest.json
    #[arg(long, default_value = "build")]
    out: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Put another job file (mule.toml) on an existing image
    SetJob {
        /// The image to change
        image: PathBuf,
        /// The job file to copy onto it
        job: PathBuf,
    },
    /// Check `cargo metadata` (standard input) against the licences that may be linked; report duplicate versions
    Licences,
    /// Print the copyright notices of the crates linked into the payload, from `cargo metadata` (standard input)
    Notices,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    match (cli.command, cli.sources) {
        (Some(Command::SetJob { image, job }), _) => job::set(&image, &job, Timestamp::from_environment()?),
        (Some(Command::Licences), _) => licences::check(std::io::stdin().lock(), &mut std::io::stdout()),
        (Some(Command::Notices), _) => notices::write(std::io::stdin().lock(), "mule", &mut std::io::stdout()),
        (None, Some(sources)) => {
            let manifest = image::build(&sources, Timestamp::from_environment()?, &cli.out)?;
            print!("{manifest}");
            Ok(())
        }
        (None, None) => bail!("nothing to do: see image-build --help"),
    }
}
