//! `mule methods`: the table, with every pass spelled out.

use super::Exit;
use crate::plan::method::{self, Method, Requires};
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

/// Prints every method.
pub fn run(args: &Args) -> Exit {
    if args.json {
        let row = |m: &Method| {
            json!({
                "name": m.name, "title": m.title, "source": m.source, "verification": verification(m),
                "passes": m.steps.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        };
        println!("{:#}", serde_json::Value::from_iter(method::all().map(row)));
        return Exit::Good;
    }
    for method in method::all() {
        println!("{}  —  {}", method.name, method.title);
        println!("    passes: {}", method.steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
        println!("    verification: {}", verification(method));
        println!("    source: {}\n", method.source);
    }
    println!(
        "c: a byte drawn for the job, ~c: its complement, R: a cryptographic random stream (a new key for each drive"
    );
    println!("and pass). Every method is Clear in the words of NIST SP 800-88; an overwrite is never a Purge.");
    Exit::Good
}
