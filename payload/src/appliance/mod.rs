//! The stick at work: boot → discover → plan → execute → verify → certify → power off.

mod copy;
mod hardware;
mod keep;
mod medium;
mod open;
mod proof;
mod wipe;

use crate::{
    boot::{
        cmdline::Cmdline,
        consoles::Consoles,
        machine::{self, Machine, clock_warning, controller_hints, utc},
        mounts::{MOUNTS, mount_all},
        panic,
        watchdog::Watchdog,
    },
    cli::host::{Linux, now},
    console::{
        Counts, Finished, Key, Page, RunOutcome, Watcher,
        pages::{self, Said, Typed},
        protocol,
    },
    job::{passwords, record::time, status::Log},
    jobfile::{self, Action, Job, Overrides, Selection, Then},
    journal::{
        bounded::Text,
        event::{self, Event},
        replay::{JobHistory, Replay},
    },
    power, random,
};
use hardware::Hardware;
use medium::Stick;
const NOTHING_TOUCHED: &str = "No disk was touched.";

use std::{
    path::Path,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How a run ended, before the machine does what is to be done then.
pub(crate) struct Ending {
    pub(crate) outcome: RunOutcome,
    pub(crate) counts: Counts,
    pub(crate) then: Then,
    /// What a person may say to a machine that stays.
    pub(crate) offers: &'static [Said],
}

/// A run that could not begin or go on: what happened, and what to do about it.
pub(crate) struct Stopped {
    pub(crate) what: Vec<String>,
    pub(crate) remedy: &'static str,
    pub(crate) then: Option<Then>,
    pub(crate) offers: &'static [Said],
}

impl Stopped {
    fn new(what: impl ToString, remedy: &'static str) -> Self {
        Self { what: vec![what.to_string()], remedy, then: None, offers: &[] }
    }
}

/// PID 1. Never returns.
pub fn main() -> ! {
    let failed_mounts = mount_all(MOUNTS);
    let line = Cmdline::of_this_kernel().unwrap_or_else(|_| Cmdline::parse(""));
    let consoles = Consoles::open(&line);
    panic::install(consoles.names());
    let _ = power::ignore_ctrl_alt_del();
    let mut watcher = consoles.into_watcher();
    // On a processor without RDRAND the kernel needs a second to seed its random source: now, while drives are waited for.
    thread::spawn(|| drop(random::bytes::<1>()));
    let watchdog = Watchdog::start(Path::new("/"));
    failed_mounts.iter().for_each(|failed| watcher.problem(&failed.to_string()));
    let overrides = Overrides::from_cmdline(&line);
    let mut said = None;
    let choice = loop {
        let (ending, stick) = run(&overrides, said, &mut watcher);
        let finished = Finished { outcome: ending.outcome, counts: ending.counts, then: ending.then };
        watcher.machine(&finished.to_string());
        let choice = match ending.then {
            Then::PowerOff => pages::Choice::PowerOff,
            Then::Reboot => pages::Choice::Restart,
            Then::Stay => stay(ending.offers, &mut watcher),
        };
        if let Some(stick) = stick {
            stick.close(now());
        }
        match choice {
            pages::Choice::Said(word) => said = Some(word),
            other => break other,
        }
    };
    drop(watchdog);
    let end = if choice == pages::Choice::Restart { power::End::Restart } else { power::End::PowerOff };
    let _ = power::end(end, &mut watcher);
    // Only a process that is not PID 1 comes here.
    std::process::abort()
}

/// Everything between the boot and the end; every way out has shown itself to the person.
fn run(overrides: &Overrides, said: Option<Said>, watcher: &mut dyn Watcher) -> (Ending, Option<Stick>) {
    let machine = Machine::read(Path::new("/"));
    watcher.show(&start_page(&machine));
    let mut stick = None;
    match work(overrides, said, &machine, watcher, &mut stick) {
        Ok(ending) => (ending, stick),
        Err(stopped) => {
            let reason = stopped.what.join("; ");
            if let Some(stick) = &mut stick {
                stick.note(now(), &Event::Refused { reason: Text::new(&reason) });
            }
            let mut page = pages::error(&stopped.what, None, stopped.remedy);
            let then = stopped.then.unwrap_or(Then::Stay);
            if then == Then::Stay {
                pages::add_prompt(&mut page);
            }
            watcher.show(&page);
            watcher.machine(&protocol::error(&reason));
            let (outcome, counts) = (RunOutcome::Refused, Counts::default());
            (Ending { outcome, counts, then, offers: stopped.offers }, stick)
        }
    }
}

fn work(
    overrides: &Overrides,
    said: Option<Said>,
    machine: &Machine,
    watcher: &mut dyn Watcher,
    slot: &mut Option<Stick>,
) -> Result<Ending, Stopped> {
    let hardware = Hardware::find(overrides.stick().map(str::to_owned), watcher)?;
    let (stick, replay) = Stick::open(&hardware, now(), machine, watcher)?;
    watcher.note(&format!("stick {}, log with {} jobs", stick.id(), replay.started));
    let job = jobfile::read(stick.dir(), overrides);
    let stick = slot.insert(stick);
    take_passwords(&replay, &hardware, stick, watcher);
    let job = job.map_err(|error| Stopped {
        what: error.lines(),
        remedy: "Open the stick on any PC and correct mule.toml; README.txt there explains every key. No disk was touched.",
        then: error.then,
        offers: &[],
    })?;
    if let Some(old) = replay.unfinished().filter(|_| said == Some(Said::Close)) {
        return Err(open::close_by_hand(old, stick, machine, watcher));
    }
    if let Some(done) = replay.last_finished.as_ref().filter(|done| said != Some(Said::Again) && is_done(&job, done)) {
        return Err(done_before(done));
    }
    match job.action() {
        Action::Report => Ok(report(&hardware, &replay, job.then(), watcher)),
        Action::Wipe => wipe::wipe(&job, hardware, stick, &replay, machine, said, watcher)
            .map_err(|stopped| Stopped { then: stopped.then.or_else(|| job.then_asked()), ..stopped }),
        Action::Verify if job.copy().image.is_none() => Err(Stopped::new(
            "action = \"verify\" without an image is not something this version's stick does",
            "Name an image to compare drives with. On a host, `mule verify` also looks for patterns.",
        )),
        Action::Verify if *job.drives() == Selection::Named(Vec::new()) => proof::check(&job, hardware, stick, watcher)
            .map_err(|stopped| Stopped { then: stopped.then.or_else(|| job.then_asked()), ..stopped }),
        Action::Image | Action::Restore | Action::Clone | Action::Verify => {
            copy::copy(&job, hardware, stick, &replay, machine, watcher)
                .map_err(|stopped| Stopped { then: stopped.then.or_else(|| job.then_asked()), ..stopped })
        }
    }
}

/// An action of a job file, as the log has it.
fn logged(action: Action) -> event::Action {
    match action {
        Action::Report => event::Action::Report,
        Action::Wipe => event::Action::Wipe,
        Action::Verify => event::Action::Verify,
        Action::Image => event::Action::Image,
        Action::Restore => event::Action::Restore,
        Action::Clone => event::Action::Clone,
    }
}

/// Whether this is the job that ended last: the drives that are there now were not meant by whoever wrote it, unless a person
/// says so. The images that such a job keeps first are in the log as a job of the same request.
fn is_done(job: &Job, done: &JobHistory) -> bool {
    let same = job.action().is_destructive() && done.action == logged(job.action());
    same && !job.repeat() && done.request == job.digest()
}

fn done_before(done: &JobHistory) -> Stopped {
    let mut what = vec![format!("the job in mule.toml is done: it ended on {}", time(done.finished_at))];
    what.extend(done.drives.iter().map(|drive| {
        let outcome = drive.finished.as_ref().map_or("no outcome", |(outcome, _)| outcome.word());
        format!("{} {}: {outcome}", drive.drive.model.as_str(), drive.drive.serial.as_str())
    }));
    Stopped {
        what,
        remedy: "No disk was touched. To do it once more with the drives that are plugged in now, type AGAIN; for something \
                 else, change the job (repeat = true does it at every start).",
        then: Some(Then::Stay),
        offers: &[Said::Again],
    }
}

/// No drive is left with a password that an interrupted erase set, whatever the job is now.
fn take_passwords(replay: &Replay, hardware: &Hardware, stick: &mut Stick, watcher: &mut dyn Watcher) {
    if replay.passwords.is_empty() {
        return;
    }
    let Some(journal) = stick.take_journal() else { return };
    let log = Log::new(journal, now);
    passwords::recover(&replay.passwords, &hardware.drives, &Linux::default(), &log, &mut |word| match word {
        passwords::Word::Note(text) => watcher.note(&text),
        passwords::Word::Problem(text) => watcher.problem(&text),
    });
    log.take_journal().into_iter().for_each(|journal| stick.give_back(journal));
}

fn report(hardware: &Hardware, replay: &Replay, then: Then, watcher: &mut dyn Watcher) -> Ending {
    let found = hardware.found();
    let mut page = pages::drives(&found, &controller_hints(Path::new("/")));
    if let Some(old) = replay.unfinished() {
        page.text("");
        page.text(open::line(old));
    }
    page.text("");
    page.text("Nothing is written. To erase, open this stick on any PC and edit mule.toml (README.txt explains it).");
    if then == Then::Stay {
        pages::add_prompt(&mut page);
    }
    found.iter().for_each(|drive| watcher.note(&pages::details(drive)));
    watcher.show(&page);
    Ending { outcome: RunOutcome::Ok, counts: Counts::default(), then, offers: &[] }
}

fn start_page(machine: &Machine) -> Page {
    let clock = SystemTime::now();
    pages::start(&pages::Start {
        version: env!("CARGO_PKG_VERSION").into(),
        kernel: machine::kernel(),
        stick: String::new(),
        clock: utc(clock.duration_since(UNIX_EPOCH).unwrap_or_default()),
        clock_warning: clock_warning(clock),
        board: machine.board.clone(),
        memory: machine.memory,
    })
}

/// Waits for a person; `l` looks at the drives anew, `d` shows the next one in full. A word counts where it is offered.
fn stay(offers: &'static [Said], watcher: &mut dyn Watcher) -> pages::Choice {
    let mut next = 0;
    let mut typed = Typed::new(offers);
    loop {
        match next_key(watcher).and_then(|key| typed.key(key)) {
            Some(pages::Choice::List) => {
                let mut page = pages::drives(&hardware::look(), &controller_hints(Path::new("/")));
                pages::add_prompt(&mut page);
                watcher.show(&page);
            }
            Some(pages::Choice::Details) => {
                let mut page = hardware::in_full(next).unwrap_or_default();
                pages::add_prompt(&mut page);
                watcher.show(&page);
                next += 1;
            }
            Some(choice) => return choice,
            None => {}
        }
    }
}

/// A key, or nothing for a tenth of a second.
fn next_key(watcher: &mut dyn Watcher) -> Option<Key> {
    let key = watcher.key();
    if key.is_none() {
        thread::sleep(Duration::from_millis(100));
    }
    key
}
