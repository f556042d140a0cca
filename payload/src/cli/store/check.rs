//! `mule store check`.

use super::{Exit, items};
use crate::{
    cli::{
        host,
        image::{Progress, print_proof},
    },
    job::{copy::prove, shelves},
    jobfile,
};
use std::{path::PathBuf, time::Duration};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule store check /mnt/store                              all of them
  mule store check --older-than 30d --idle /mnt/store      those not read for 30 days, while nothing else wants the disk

Each image is read as a whole, as `mule image verify` does, and what came of it is noted beside it, signed by this host, for
`mule store list`. A run that is ended goes on with those that are left when --older-than is given again.
Exit codes: 0 all are whole; 1 at least one is not; 2 not done.")]
pub(super) struct Check {
    /// Folders with images
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Leave out what was found whole since: 1h to 366d, such as 30d
    #[arg(long, value_name = "TIME", value_parser = jobfile::keep_time)]
    older_than: Option<Duration>,
    /// Let everything else go first: processor and disk
    #[arg(long)]
    idle: bool,
    /// Folder with this host's log and key
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Print one JSON object an image
    #[arg(long)]
    json: bool,
}

pub(super) fn check(args: &Check) -> Result<Exit, String> {
    if args.idle {
        mule_sys::idle::become_idle().map_err(|error| format!("--idle: {error}"))?;
    }
    let since = args.older_than.map(|age| {
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        crate::job::record::time(Some(host::now().saturating_sub(age)))
    });
    let mut todo = Vec::new();
    for folder in &args.folders {
        todo.extend(items(folder)?.into_iter().filter(|item| !item.is_part));
    }
    // RFC 3339 in UTC sorts as text; what was never read comes first.
    todo.sort_by_key(|item| item.checked.as_ref().map(|checked| checked.at.clone()));
    let all = todo.len();
    todo.retain(|item| {
        let whole = item.checked.as_ref().filter(|checked| checked.whole);
        whole.zip(since.as_ref()).is_none_or(|(checked, since)| checked.at <= *since)
    });
    // The key is all that is needed: the log is let go of at once, so that images can be taken meanwhile.
    let state = args.state.clone().unwrap_or_else(host::default_state);
    let key = host::open_log(&host::log_file(&state)).map(|(journal, _)| journal.key().clone())?;
    let mut exit = Exit::Good;
    for (place, item) in todo.iter().enumerate() {
        tell!("{} of {}: {}", place + 1, todo.len(), item.path.display());
        let progress = Progress::new(prove::disk_bytes(&item.path));
        let proof = prove::prove(&item.path, &|bytes| progress.more(bytes));
        progress.end();
        print_proof(&item.path, &proof, args.json);
        if !proof.is_whole() {
            exit = Exit::Bad;
        }
        let noted = shelves::note(&item.path, &proof, host::now(), &key);
        noted.map_err(|error| format!("{}: no note could be left beside it: {error}", item.path.display()))?;
    }
    if !args.json {
        say!("{} read, {} found whole more recently", todo.len(), all - todo.len());
    }
    Ok(exit)
}
