//! What `mule image create`, `mule restore`, `mule clone` and `mule verify --image` have in common.

use super::{
    Exit,
    host::{self, Folder, Linux},
    named,
};
use crate::{
    boot::machine::Machine,
    certify::record::Operator,
    console,
    discover::{Drive, Roots},
    engine::sweep::Limits,
    job::{
        copy::run::{Job, earlier},
        run::{Surroundings, Tally},
        show::outcome_words,
        status::Log,
    },
    jobfile::Selection,
    journal::{Verify, event::Action},
    plan::{Authority, Plan, Request, Source, Sources, Target},
    random, say,
};
use mule_types::method;
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Arguments that every copy takes.
#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// Folder with this host's log and key
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Where the certificates go
    #[arg(long, value_name = "DIR", default_value = "certificates")]
    pub certificates: PathBuf,
    /// Who does this, for the certificate
    #[arg(long, value_name = "NAME", default_value = "")]
    pub operator: String,
    /// For whom, for the certificate
    #[arg(long, value_name = "NAME", default_value = "")]
    pub organisation: String,
    /// Threads that compress or unpack [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

impl Common {
    pub(super) fn operator(&self) -> Operator {
        Operator { name: self.operator.clone(), organisation: self.organisation.clone(), ..Operator::default() }
    }

    pub(super) fn threads(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.map_or_else(all, usize::from)
    }

    /// A job in this host's log; `asked` is all that decides what it does.
    pub(super) fn job(&self, title: String, action: Action, asked: &str) -> Result<Job, String> {
        let state = self.state.clone().unwrap_or_else(host::default_state);
        let (journal, replay) = host::open_log(&host::log_file(&state))?;
        journal.room_for_job(64 << 10).map_err(|error| error.to_string())?;
        let id = random::bytes().map_err(|error| format!("no random bytes from the kernel: {error}"))?;
        let request = *blake3::hash(asked.as_bytes()).as_bytes();
        Ok(Job {
            id,
            request,
            earlier: earlier(&replay, action, &request),
            resumed: 0,
            operator: self.operator(),
            log: Arc::new(Log::new(journal, host::now)),
            around: Surroundings {
                opener: Box::new(Linux(Roots::default())),
                shelf: Arc::new(Folder(self.certificates.clone())),
                tool: host::tool(),
                host: Machine::read(Path::new("/")).host(""),
                limits: Limits::default(),
                health: host::health_now,
                retained: Vec::new(),
            },
            title,
        })
    }

    /// Says how it ended.
    pub(super) fn report(&self, tally: &Tally) -> Exit {
        if self.json {
            let drive = |d: &crate::job::issue::Settled| {
                json!({
                    "model": d.model, "serial": d.serial, "outcome": d.outcome.word(), "reason": d.reason,
                    "certificate": d.certificate.as_ref().ok().map(|name| self.certificates.join(name).to_string_lossy().into_owned()),
                    "certificate_error": d.certificate.as_ref().err(),
                })
            };
            let drives: Vec<_> = tally.settled.iter().map(drive).collect();
            say::json(&json!({ "good": tally.is_clean(), "stopped": tally.stopped, "drives": drives }));
        } else {
            for drive in &tally.settled {
                say!("{} {}: {}", drive.model, drive.serial, outcome_words(drive.outcome).0);
                if !drive.reason.is_empty() {
                    say!("    {}", drive.reason);
                }
                match &drive.certificate {
                    Ok(name) => say!("    {}", self.certificates.join(name).display()),
                    Err(error) => say!("    NO CERTIFICATE: {error}"),
                }
            }
            tally.stopped.iter().for_each(|why| say!("The run was stopped: {why}"));
        }
        if tally.is_clean() { Exit::Good } else { Exit::Bad }
    }
}

/// Runs a job before this terminal's eyes.
pub(super) fn watched<T>(run: impl FnOnce(&mut dyn console::Watcher) -> T) -> T {
    let mut watcher = console::for_host(say::stderr());
    let result = run(&mut *watcher);
    watcher.finish();
    result
}

/// The drive at a path, to be read.
pub(super) fn source(path: &Path) -> Result<Source, String> {
    sources(&[path.to_owned()])?.pop().ok_or_else(|| format!("{}: it cannot be read", path.display()))
}

/// The drives at these paths, to be read; all of them or none.
pub(super) fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, String> {
    let drives = named::drives(&Roots::default(), paths)?;
    let names = drives.iter().map(named::name_of).collect();
    let sticks = host::sticks_among(&drives);
    let sources = Sources::new(&Selection::Named(names), drives, &sticks, None).map_err(|error| error.to_string())?;
    match sources.refused.first() {
        Some(refused) => Err(format!("{}: {}", refused.drive.path.display(), refused.reason)),
        None => Ok(sources.list),
    }
}

/// The drives at these paths, authorised to be overwritten.
pub(super) fn targets(paths: &[PathBuf], yes_erase: &[String], operator: Operator) -> Result<Vec<Target>, String> {
    let drives = named::drives(&Roots::default(), paths)?;
    let whole = drives.len();
    let typed = named::authorise("overwritten", yes_erase, &drives)?;
    let sticks = host::sticks_among(&drives);
    let request = Request {
        method: &method::COPY,
        selection: Selection::Named(typed.clone()),
        verify: Verify::Full,
        operator,
        job: None,
        digest: [0; 32],
    };
    let seed = random::bytes().map_err(|error| format!("no random bytes from the kernel: {error}"))?;
    let plan =
        Plan::new(request, &Authority::Typed(typed), drives, &sticks, seed).map_err(|error| error.to_string())?;
    if plan.targets().len() < whole {
        let reasons = plan.refused().iter().map(|r| format!("{}: {}", r.drive.path.display(), r.reason));
        return Err(format!("nothing was written: {}", reasons.collect::<Vec<_>>().join("; ")));
    }
    Ok(plan.into_parts().0)
}

/// A drive must not be its own target, by whatever path it was named.
pub(super) fn apart(source: &Drive, targets: &[Target]) -> Result<(), String> {
    let real = |drive: &Drive| std::fs::canonicalize(&drive.path).unwrap_or_else(|_| drive.path.clone());
    let same = |target: &&Target| {
        let drive = target.drive();
        real(drive) == real(source) || drive.identity == source.identity
    };
    match targets.iter().find(same) {
        Some(target) => Err(format!("{} is the source itself; nothing was written", target.drive().path.display())),
        None => Ok(()),
    }
}
