//! `mule methods`: the table, with every pass spelled out.

use super::Exit;
use crate::say;
use mule_types::{
    method::{self, Method, Requires},
    technique::Wanted,
};
use serde_json::json;

/// Arguments of `mule methods`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON array instead of the table
    #[arg(long)]
    json: bool,
}

fn verification(method: &Method) -> &'static str {
    match method.requires {
        Requires::Verification => "required",
        Requires::JobDecides => "as asked",
    }
}

/// What the drive's firmware is asked for.
fn command(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::This(technique) => technique.name(),
        Wanted::BestPurge => "the best purge that the drive offers",
    }
}

/// Prints every method.
pub fn run(args: &Args) -> Exit {
    if args.json {
        let row = |m: &Method| {
            json!({
                "name": m.name, "title": m.title, "source": m.source, "verification": verification(m),
                "command": m.command.map(command), "passes": m.steps.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        };
        say::pretty_json(&serde_json::Value::from_iter(method::all().map(row)));
        return Exit::Good;
    }
    for method in method::all() {
        say!("{}  —  {}", method.name, method.title);
        if let Some(wanted) = method.command {
            say!("    command: {}", command(wanted));
        }
        if !method.steps.is_empty() {
            say!("    passes: {}", method.steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
        }
        say!("    verification: {}", verification(method));
        say!("    source: {}", method.source);
        say!("");
    }
    say!("c: a byte drawn for the job, ~c: its complement, R: a cryptographic random stream (a new key for each drive");
    say!("and pass). An overwrite is Clear in the words of NIST SP 800-88, and never a Purge.");
    say!("");
    say!("A command asks the drive's own firmware. Known data are written to at least 5 % of the drive before it, and");
    say!("looked for after it; what the drive holds then is read and described. Whether it is a Purge depends on the");
    say!("drive: its certificate says by which text. What a drive does not offer is never replaced by something less.");
    Exit::Good
}
