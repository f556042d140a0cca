//! The unattended wipe: what was interrupted first, then the job; a countdown before anything is written.

use super::{Ending, NOTHING_TOUCHED, Stopped, hardware, hardware::Hardware, keep, medium::Stick, next_key, open};
use crate::{
    boot::{machine::Machine, store::Store},
    cli::{
        drives::remarks,
        host::{now, tool},
    },
    console::{
        Counts, RunOutcome, Severity, Watcher,
        pages::{self, Said},
        protocol,
    },
    engine::sweep::Limits,
    job::{
        hidden,
        issue::Settled,
        retain,
        run::{self, Tally},
        show::outcome_words,
        stages::total_work,
        status::Log,
        thaw,
    },
    jobfile::{Frozen, Job},
    journal::{event::Outcome, replay::Replay},
    plan::{Authority, Plan, PlanError, Request},
    power::suspend,
};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// Does what the job asks for, or says why not.
pub(super) fn wipe(
    job: &Job,
    mut hardware: Hardware,
    stick: &mut Stick,
    replay: &Replay,
    machine: &Machine,
    said: Option<Said>,
    watcher: &mut dyn Watcher,
) -> Result<Ending, Stopped> {
    let digest = job.digest();
    let goes_on = replay.unfinished().is_some_and(|old| open::is_same(old, &digest));
    let store = keep::open_store(job, &mut hardware, goes_on, watcher)?;
    let result = with_store((job, said), hardware, store.as_ref(), stick, replay, machine, watcher);
    keep::close(store, watcher);
    result
}

fn with_store(
    (job, said): (&Job, Option<Said>),
    hardware: Hardware,
    store: Option<&Store>,
    stick: &mut Stick,
    replay: &Replay,
    machine: &Machine,
    watcher: &mut dyn Watcher,
) -> Result<Ending, Stopped> {
    let request = request(job)?;
    let unfinished = replay.unfinished().cloned();
    let open = unfinished.as_ref().filter(|old| open::is_same(old, &request.digest)).cloned();
    let goes_on = open.is_some();
    if let Some(stopped) =
        open.as_ref().filter(|_| said != Some(Said::Continue)).and_then(|old| open::too_old(old, job))
    {
        return Err(stopped);
    }
    let (image, boot, fixed) = (hardware.image, hardware.boot.clone(), hardware.fixed().map(str::to_owned));
    let Hardware { drives, sticks, .. } = hardware;
    let failed = |error: PlanError| Stopped::new(error, NOTHING_TOUCHED);
    let mut plan = match unfinished.clone().filter(|_| goes_on) {
        Some(old) => Plan::resume(old, request, &Authority::JobFile, drives, &sticks).map_err(failed)?,
        None => {
            let seed =
                crate::random::bytes().map_err(|e| Stopped::new(format!("no random bytes: {e}"), NOTHING_TOUCHED))?;
            Plan::new(request, &Authority::JobFile, drives, &sticks, seed).map_err(failed)?
        }
    };
    tell_about(&plan, watcher);
    if let Some(old) = open.filter(|_| plan.is_idle()) {
        return Err(open::all_wait(&old, job, plan.waiting()));
    }
    countdown(job, &plan, watcher)?;
    Hardware::still_the_stick(image, &boot, fixed.as_deref())?;
    let journal = stick.take_journal().ok_or_else(|| Stopped::new("the log is not open", NOTHING_TOUCHED))?;
    if let Err(full) = journal.room_for_job(log_bytes(&plan)) {
        stick.give_back(journal);
        return Err(Stopped::new(full, NOTHING_TOUCHED));
    }
    let log = Arc::new(Log::new(journal, now));
    let tool = tool();
    let host = machine.host("");
    if let Some(old) = unfinished.filter(|_| !goes_on) {
        let why = open::why_not(&old);
        watcher.note(&format!(
            "An earlier job does not go on: {why}. Drives that it had begun to erase are certified as interrupted."
        ));
        if let Err(error) = open::abandon(&old, &why, &log, stick, &tool, &host, watcher) {
            watcher.problem(&error);
        }
    }
    if plan.is_resumed() {
        watcher.machine(&protocol::resumed(&plan.job()));
    }
    let mut around = keep::surroundings(stick.shelf.clone(), machine);
    if !plan.is_resumed() {
        let keys = std::cell::RefCell::new(&mut *watcher);
        let mut tell = |text: String| keys.borrow_mut().problem(&text);
        if job.frozen() == Frozen::Suspend {
            let mut sleep = || suspend::nap(Path::new("/"), suspend::NAP).map_err(|error| error.to_string());
            thaw::suspend(&mut plan, &sticks, &*around.opener, &mut sleep, &mut tell);
        }
        let mut enough = || keys.borrow_mut().key().is_some();
        thaw::wait(&mut plan, &sticks, &*around.opener, thaw::PATIENCE, &mut tell, &mut enough);
        let mut tell = |text: String| watcher.note(&text);
        let bared = hidden::bare(&mut plan, job.hidden_areas(), &sticks, &*around.opener, &log, &mut tell);
        let none_left = || String::from("no drive is left to wipe: each of them hides something, or cannot say");
        if let Err(why) = bared.and_then(|()| if plan.targets().is_empty() { Err(none_left()) } else { Ok(()) }) {
            log.take_journal().into_iter().for_each(|journal| stick.give_back(journal));
            return Err(Stopped::new(why, "Nothing was erased."));
        }
    }
    if let Some(store) = store {
        // A wipe that goes on began only after its images were whole.
        if !plan.is_resumed() {
            let first = keep::surroundings(stick.shelf.clone(), machine);
            if let Err(stopped) = keep::retain(job, store, plan.targets().iter(), &log, first, watcher) {
                log.take_journal().into_iter().for_each(|journal| stick.give_back(journal));
                return Err(stopped);
            }
        }
        match retain::notes(store.dir(), &log) {
            Ok(notes) => around.retained = notes,
            Err(error) => {
                log.take_journal().into_iter().for_each(|journal| stick.give_back(journal));
                return Err(Stopped::new(error, "Nothing more was erased."));
            }
        }
    }
    let denied = plan.denied();
    // Minutes may have gone by since the countdown: drives were waited for, imaged, or asked what they hide.
    if let Err(stopped) = Hardware::still_the_stick(image, &boot, fixed.as_deref()) {
        log.take_journal().into_iter().for_each(|journal| stick.give_back(journal));
        return Err(stopped);
    }
    let tally = run::execute(plan, &log, around, watcher);
    log.take_journal().into_iter().for_each(|journal| stick.give_back(journal));
    Ok(finish(job, &tally, &denied, watcher))
}

fn request(job: &Job) -> Result<Request, Stopped> {
    let method = job.method().ok_or_else(|| Stopped::new("the job names no method", NOTHING_TOUCHED))?;
    Ok(Request {
        method,
        selection: job.drives().clone(),
        verify: job.verify().into(),
        operator: job.operator().clone(),
        job: Some(job.clone()),
        digest: job.digest(),
    })
}

pub(super) fn tell_about(plan: &Plan, watcher: &mut dyn Watcher) {
    for refused in plan.refused() {
        watcher.note(&format!("left alone: {} ({}): {}", refused.drive.name, refused.drive.identity, refused.reason));
        if let Some(remark) = remarks::at_work(&refused.drive) {
            watcher.problem(&format!("{}: {remark}", refused.drive.identity));
        }
    }
    for name in plan.missing() {
        watcher.problem(&format!("{name}: the job names it, but no drive reports this serial number or WWN"));
    }
    for lost in plan.lost() {
        let drive = &lost.history.drive;
        watcher.problem(&format!("{} {}: {}", drive.model, drive.serial, lost.reason));
    }
    open::lines(plan.waiting()).for_each(|line| watcher.problem(&line));
}

/// Any key stops the run before the first write.
fn countdown(job: &Job, plan: &Plan, watcher: &mut dyn Watcher) -> Result<(), Stopped> {
    let row = |target: &crate::plan::Target| hardware::page_row(target.drive(), None);
    let targets: Vec<_> = plan.targets().iter().map(row).collect();
    let again = if plan.is_resumed() { "Goes on with an interrupted job: " } else { "" };
    let what = format!("{again}{}, verification: {}", plan.method().title, job.verify());
    count_down(job, &what, &targets, watcher)
}

/// Shows what will be overwritten until the time is over or a key is pressed.
pub(super) fn count_down(
    job: &Job,
    what: &str,
    targets: &[pages::Found],
    watcher: &mut dyn Watcher,
) -> Result<(), Stopped> {
    let end = Instant::now() + job.countdown();
    let mut shown = None;
    while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        let seconds = (left + Duration::from_millis(999)).as_secs();
        if shown != Some(seconds) {
            shown = Some(seconds);
            watcher.show(&pages::countdown(seconds, what, targets));
        }
        if next_key(watcher).is_some() {
            return Err(Stopped {
                what: vec!["stopped at the console before anything was written".into()],
                remedy: "Restart to run the job after all.",
                then: Some(crate::jobfile::Then::Stay),
                offers: &[],
            });
        }
    }
    Ok(())
}

/// About how much log the job writes: a frame a sweep's begin and end, and the checkpoints of the slowest drive at 40 MB/s
/// (an old disk's inner tracks).
fn log_bytes(plan: &Plan) -> u64 {
    const SLOW: u64 = 40_000_000;
    let frame = crate::journal::SECTOR as u64;
    let drives = plan.targets().len() as u64;
    let sweeps = plan.passes().len() as u64 + 1;
    let work = |t: &crate::plan::Target| {
        t.drive().geometry.map_or(0, |g| total_work(&g, plan.method().command, plan.passes().len(), plan.verify()))
    };
    let longest = plan.targets().iter().map(work).max().unwrap_or(0);
    let checkpoints = longest / SLOW / Limits::default().checkpoint.as_secs().max(1) + sweeps;
    // Around a command: three sweeps over markers, its begin and end, what was read, the password.
    let commanded = plan.method().command.map_or(0, |_| 12);
    let frames = drives * (2 * sweeps + 8 + commanded) + checkpoints * drives.div_ceil(16);
    frames * frame
}

fn finish(job: &Job, tally: &Tally, denied: &[String], watcher: &mut dyn Watcher) -> Ending {
    let counts = Counts {
        erased: tally.count(Outcome::Erased),
        exceptions: tally.count(Outcome::ErasedWithExceptions) + tally.count(Outcome::Discarded),
        failed: tally.count(Outcome::Failed),
        interrupted: tally.count(Outcome::Interrupted),
        refused: denied.len(),
        waiting: tally.waiting.len(),
        ..Counts::default()
    };
    let uncertified = tally.settled.iter().any(|drive| drive.certificate.is_err());
    let outcome = match counts.outcome() {
        RunOutcome::Ok | RunOutcome::Exceptions if uncertified => RunOutcome::Failed,
        outcome => outcome,
    };
    let mut notes = Vec::new();
    if let Some(why) = &tally.stopped {
        watcher.machine(&protocol::error(why));
        notes.push(format!("The run was stopped: {why}"));
    }
    if !tally.waiting.is_empty() {
        notes.push("The job stays open; it goes on when these drives are there again, in any bay of any PC:".into());
        notes.extend(open::lines(&tally.waiting));
    }
    notes.extend(denied.iter().map(|line| format!("NOT ERASED: {line}")));
    notes.push("Certificates are in the folder certificates of this stick.".into());
    let ended: Vec<_> = tally.settled.iter().map(ended).collect();
    show_end(job, tally, "erased", (outcome, counts), &notes, &ended, watcher)
}

/// The last page, and what the machine does then.
pub(super) fn show_end(
    job: &Job,
    tally: &Tally,
    done: &str,
    (outcome, counts): (RunOutcome, Counts),
    notes: &[String],
    ended: &[pages::Ended],
    watcher: &mut dyn Watcher,
) -> Ending {
    // A lost log leaves things only a person can judge.
    let log_lost = tally.stopped.is_some() && outcome != RunOutcome::Interrupted;
    let then = if log_lost { crate::jobfile::Then::Stay } else { job.then() };
    let mut page = pages::summary(outcome, &counts, done, ended, notes);
    let offers: &[Said] = if tally.waiting.is_empty() { &[] } else { &[Said::Close] };
    if then == crate::jobfile::Then::Stay {
        if !offers.is_empty() {
            page.text("To give up the drives that are waited for, type CLOSE.");
        }
        pages::add_prompt(&mut page);
    }
    watcher.show(&page);
    Ending { outcome, counts, then, offers }
}

pub(super) fn ended(drive: &Settled) -> pages::Ended {
    let (word, severity) = outcome_words(drive.outcome);
    let (severity, certificate) = match &drive.certificate {
        Ok(_) => (severity, String::new()),
        Err(error) => (Severity::Bad, format!("NO CERTIFICATE: {error}")),
    };
    let detail = [drive.reason.clone(), certificate].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
    pages::Ended {
        name: drive.name.clone(),
        model: drive.model.clone(),
        serial: drive.serial.clone(),
        bytes: drive.bytes,
        outcome: word.into(),
        severity,
        detail: detail.join("; "),
    }
}
