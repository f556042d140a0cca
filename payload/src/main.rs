//! PID 1 is the appliance; anything else is a sub-command of the host's `mule`.
#![forbid(unsafe_code)]

use mule::{appliance, cli, power};
use std::process::ExitCode;

fn main() -> ExitCode {
    if power::is_init() {
        appliance::main();
    }
    cli::main().into()
}
