//! PID 1 is the appliance; anything else is a sub-command of the host's `mule`.
#![forbid(unsafe_code)]

use clap::Parser;
use mule::{appliance, cli::Cli, power};
use std::process::ExitCode;

fn main() -> ExitCode {
    if power::is_init() {
        appliance::main();
    }
    Cli::parse().run().into()
}
