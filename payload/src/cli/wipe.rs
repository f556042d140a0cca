//! `mule wipe`: the appliance's straight line, for named drives of a host.

use super::{
    Exit,
    host::{self, Folder, Linux},
    kept::Keep,
    named,
};
use crate::{
    boot::machine::Machine,
    certify::record::Operator,
    console,
    discover::{self, Drive, Roots},
    engine::sweep::Limits,
    job::{
        copy, hidden, passwords, retain,
        run::{self, Surroundings, Tally},
        show::outcome_words,
        status::Log,
        thaw,
    },
    jobfile::{HiddenAreas, Selection, Word},
    journal::{
        Verify,
        event::{Action, Outcome},
        replay::{JobHistory, Replay},
    },
    plan::{Authority, Plan, Request},
    random, say,
};
use mule_types::method::{self, Method};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Arguments of `mule wipe`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule wipe /dev/sdx                                  asks for the serial number, zeros, reads everything back
  mule wipe --method dod-5220.22-m /dev/sdx /dev/sdy  both at once
  mule wipe --keep 48h --store /mnt/store /dev/sdx    keeps an image first; see mule revert and mule commit
  mule wipe --yes-erase WD-WX11A22B3333 /dev/sdx      no question; the serial number must be the drive's
  mule wipe --yes-erase /tmp/disk.img /tmp/disk.img   a regular file, by its exact path

What is in use is left alone: mounted, also where only other processes see it, swapped to, part of RAID, LVM or a loop device,
locked (as QEMU does), or open in another process. Who is not root sees only the processes of their own.

Every drive gets a signed certificate. A run that was cut short goes on when the same command is given again.
Exit codes: 0 every drive is erased and certified; 1 at least one is not; 2 nothing was done.")]
pub struct Args {
    /// Block devices (whole drives) or regular files
    #[arg(required = true, value_name = "DEV")]
    devices: Vec<PathBuf>,
    /// The passes; `mule methods` lists them
    #[arg(long, default_value = "nist-clear", value_parser = method_named)]
    method: &'static Method,
    /// How much is read back: full, sampled (10 %) or none
    #[arg(long, default_value = "full", value_parser = verify_named)]
    verify: Verify,
    /// What a drive hides (HPA, DCO, Accessible Max Address): report it, remove (lift it for good and wipe it too), or refuse
    #[arg(long, value_name = "WORD", default_value = "report", value_parser = hidden_named)]
    hidden_areas: HiddenAreas,
    /// Erase without a question the drive with this serial number or WWN, or the regular file at this exact path
    #[arg(long, value_name = "SERIAL")]
    yes_erase: Vec<String>,
    /// Folder with this host's log and key
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Where the certificates go
    #[arg(long, value_name = "DIR", default_value = "certificates")]
    certificates: PathBuf,
    /// Who does this, for the certificate
    #[arg(long, value_name = "NAME", default_value = "")]
    operator: String,
    /// For whom, for the certificate
    #[arg(long, value_name = "NAME", default_value = "")]
    organisation: String,
    #[command(flatten)]
    keep: Keep,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

fn method_named(name: &str) -> Result<&'static Method, String> {
    method::find(name).ok_or_else(|| {
        let names: Vec<_> = method::all().map(|method| method.name).collect();
        format!("there is no such method; there are: {}", names.join(", "))
    })
}

fn verify_named(word: &str) -> Result<Verify, String> {
    match word {
        "full" => Ok(Verify::Full),
        "sampled" => Ok(Verify::Sampled),
        "none" => Ok(Verify::None),
        _ => Err("full, sampled or none".into()),
    }
}

fn hidden_named(word: &str) -> Result<HiddenAreas, String> {
    HiddenAreas::from_word(word).ok_or_else(|| "report, remove or refuse".into())
}

/// Erases the named drives.
pub fn run(args: &Args) -> Exit {
    match erase(args) {
        Ok(tally) => {
            report(&tally, args);
            if tally.is_clean() { Exit::Good } else { Exit::Bad }
        }
        Err(error) => {
            tell!("mule: {error}");
            Exit::Refused
        }
    }
}

fn erase(args: &Args) -> Result<Tally, String> {
    let roots = Roots::default();
    let drives = named::drives(&roots, &args.devices)?;
    let typed = named::authorise("erased", &args.yes_erase, &drives)?;
    let (journal, replay) = host::open_log(&host::log_file(&args.state.clone().unwrap_or_else(host::default_state)))?;
    journal.room_for_job(64 << 10).map_err(|error| error.to_string())?;
    let log = Arc::new(Log::new(journal, host::now));
    let mut around = surroundings(args);
    let mut tell = |text: String| tell!("{text}");
    passwords::recover(&replay.passwords, &drives, &*around.opener, &log, &mut |word| match word {
        passwords::Word::Note(text) | passwords::Word::Problem(text) => tell(text),
    });
    let mut plan = plan(args, drives, typed, &replay)?;
    if !plan.is_resumed() {
        let sticks = host::sticks_among(&discover::scan(&roots));
        thaw::wait(&mut plan, &sticks, &*around.opener, thaw::PATIENCE, &mut tell, &mut || false);
        hidden::bare(&mut plan, args.hidden_areas, &sticks, &*around.opener, &log, &mut tell)?;
        if plan.targets().is_empty() {
            return Err("no drive is left to wipe: each of them hides something, or cannot say".into());
        }
    }
    if let Some(dir) = &args.keep.store {
        // A wipe that goes on began only after its images were whole.
        if !plan.is_resumed() {
            let earlier = copy::run::earlier(&replay, Action::Image, &plan.digest());
            keep(args, &plan, &log, earlier)?;
        }
        around.retained = retain::notes(dir, &log).map_err(|error| error.to_string())?;
    }
    let mut watcher = console::for_host(say::stderr());
    let tally = run::execute(plan, &log, around, &mut *watcher);
    watcher.finish();
    Ok(tally)
}

fn surroundings(args: &Args) -> Surroundings {
    Surroundings {
        opener: Box::new(Linux(Roots::default())),
        shelf: Arc::new(Folder(args.certificates.clone())),
        tool: host::tool(),
        host: Machine::read(Path::new("/")).host(""),
        limits: Limits::default(),
        health: host::health_now,
        retained: Vec::new(),
    }
}

/// Keeps an image of every target before the first write.
fn keep(args: &Args, plan: &Plan, log: &Arc<Log>, earlier: Option<JobHistory>) -> Result<(), String> {
    let id = random::bytes().map_err(|error| format!("no random bytes from the kernel: {error}"))?;
    let job = copy::run::Job {
        id,
        request: plan.digest(),
        operator: plan.operator().clone(),
        log: Arc::clone(log),
        around: surroundings(args),
        title: "Images of what will be overwritten".into(),
        earlier,
        resumed: 0,
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    args.keep.first(&format!("wipe ({})", args.method.name), || Ok(job), plan.targets().iter(), threads).map(drop)
}

fn plan(args: &Args, drives: Vec<Drive>, typed: Vec<String>, replay: &Replay) -> Result<Plan, String> {
    let operator =
        Operator { name: args.operator.clone(), organisation: args.organisation.clone(), ..Operator::default() };
    let mut names = typed.clone();
    names.sort();
    let mut asked = format!("{:?}", ("mule-wipe/1", args.method.name, args.verify, &names, &operator));
    // A wipe that was to keep an image does not go on from one that was not.
    args.keep.keep.iter().for_each(|keep| asked.push_str(&format!("{keep:?}")));
    if args.hidden_areas != HiddenAreas::Report {
        asked.push_str(args.hidden_areas.word());
    }
    let request = Request {
        method: args.method,
        selection: Selection::Named(typed.clone()),
        verify: args.verify,
        operator,
        job: None,
        digest: *blake3::hash(asked.as_bytes()).as_bytes(),
    };
    let sticks = host::sticks_among(&drives);
    let authority = Authority::Typed(typed);
    // The images that it was to keep first are a job of the same words, which is begun anew.
    let is_it = |job: &&JobHistory| {
        job.finished_at.is_none() && job.was_announced() && job.action == Action::Wipe && job.request == request.digest
    };
    let unfinished = replay.jobs.iter().rev().find(is_it);
    if let Some(why) = unfinished.and_then(|old| old.contradiction.as_ref()) {
        tell!("mule: the log contradicts itself about the job that was interrupted ({why}): it begins anew");
    } else if let Some(old) = unfinished {
        tell!("mule: going on with the job that was interrupted");
        return Plan::resume(old.clone(), request, &authority, drives, &sticks).map_err(|error| error.to_string());
    }
    let whole = drives.len();
    let seed = random::bytes().map_err(|error| format!("no random bytes from the kernel: {error}"))?;
    let plan = Plan::new(request, &authority, drives, &sticks, seed).map_err(|error| error.to_string())?;
    if plan.targets().len() < whole {
        let reasons = plan.refused().iter().map(|r| format!("{}: {}", r.drive.path.display(), r.reason));
        return Err(format!("nothing was erased: {}", reasons.collect::<Vec<_>>().join("; ")));
    }
    Ok(plan)
}

fn report(tally: &Tally, args: &Args) {
    if args.json {
        let drive = |d: &crate::job::issue::Settled| {
            json!({
                "model": d.model, "serial": d.serial, "outcome": d.outcome.word(), "reason": d.reason,
                "certificate": d.certificate.as_ref().ok().map(|name| args.certificates.join(name).to_string_lossy().into_owned()),
                "certificate_error": d.certificate.as_ref().err(),
            })
        };
        let drives: Vec<_> = tally.settled.iter().map(drive).collect();
        say::json(&json!({ "good": tally.is_clean(), "stopped": tally.stopped, "drives": drives }));
        return;
    }
    for drive in &tally.settled {
        let (word, _) = outcome_words(drive.outcome);
        say!("{} {}: {word}", drive.model, drive.serial);
        if !drive.reason.is_empty() && drive.outcome != Outcome::Erased {
            say!("    {}", drive.reason);
        }
        match &drive.certificate {
            Ok(name) => say!("    {}", args.certificates.join(name).display()),
            Err(error) => say!("    NO CERTIFICATE: {error}"),
        }
    }
    if let Some(why) = &tally.stopped {
        say!("The run was stopped: {why}");
    }
}
