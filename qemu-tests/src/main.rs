//! Boots the image that ships in QEMU, as a bench PC boots a stick, and judges the result from outside.

#![forbid(unsafe_code)]

mod certs;
mod disk;
mod job;
mod limits;
mod model;
mod oracle;
mod random;
mod run;
mod stick;
mod suite;
mod tool;
mod vm;
mod write_log;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// Boots Mule's stick image in QEMU and checks what it did.
///
/// MULE_QEMU_ACCEL chooses QEMU's accelerator (tcg), MULE_QEMU_TIMEOUT_X stretches all limits on a slow host,
/// MULE_SEED repeats the random choices of an earlier run, MULE_CUTS sets the number of power cuts in a campaign.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Folder of the stick image and of everything the VMs leave.
    #[arg(long, global = true, default_value = "build")]
    build: PathBuf,
    /// The stick image [default: BUILD/mule.img].
    #[arg(long, global = true)]
    image: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Wipe three virtual disks that hold real file systems, and check the certificates.
    Run,
    /// Run the tests.
    Test(suite::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match dispatch(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &Arguments) -> Result<bool> {
    let image = arguments.image.clone().unwrap_or_else(|| arguments.build.join("mule.img"));
    match &arguments.command {
        Command::Run => run::run(&image, &arguments.build.join("run")),
        Command::Test(options) => suite::run(options, &image, &arguments.build.join("qemu-tests")),
    }
}
