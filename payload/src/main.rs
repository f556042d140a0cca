//! PID 1 is the appliance; anything else is a sub-command of the host's `mule`.
#![forbid(unsafe_code)]

use mule::{appliance, cli, files, power};
use std::process::ExitCode;

fn main() -> ExitCode {
    if power::is_init() {
        appliance::main();
    }
    files::open_as_many_as_allowed();
    cli::main().into()
}
