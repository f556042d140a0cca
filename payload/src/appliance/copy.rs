//! The unattended image, restore and clone: what is on the store, which drives, a countdown before anything is overwritten.

use super::{Ending, NOTHING_TOUCHED, Stopped, hardware, hardware::Hardware, keep, logged, medium::Stick, open, wipe};
use crate::{
    blocks::ReadAt,
    boot::{machine::Machine, store::Store},
    cli::host::now,
    console::{Counts, RunOutcome, Watcher, protocol},
    content,
    engine::sweep::Limits,
    job::{
        copy::{
            digest,
            fit::{Allowed, fit},
            image::Order,
            level, name,
            part::Purpose,
            run::{self, Aim, open_content},
            take,
            target::Tail,
        },
        run::{Surroundings, Tally},
        status::Log,
    },
    jobfile::{self, Action, CopyKeys, IMAGE_SUFFIX, Job},
    journal::{Journal, Verify, event::Outcome, replay::Replay},
    plan::{Authority, Plan, PlanError, Request, Source, Sources, Sticks, Target},
    random,
};
use mule_types::method;
use std::{num::NonZeroU64, path::Path, sync::Arc};

fn stop(what: impl ToString) -> Stopped {
    Stopped::new(what, NOTHING_TOUCHED)
}

/// Does what the job asks for, or says why not.
pub(super) fn copy(
    job: &Job,
    mut hardware: Hardware,
    stick: &mut Stick,
    replay: &Replay,
    machine: &Machine,
    watcher: &mut dyn Watcher,
) -> Result<Ending, Stopped> {
    let store = keep::open_store(job, &mut hardware, false, watcher)?;
    let result = with_store(job, hardware, store.as_ref(), stick, replay, machine, watcher);
    keep::close(store, watcher);
    result
}

/// What the run needs to know of the job's drives.
enum Work {
    Images(Vec<(Source, Order)>),
    Restore(Box<run::Content>, Vec<Aim>),
    Clone(Box<Source>, Vec<Aim>),
    Check(Box<run::Content>, Vec<Source>),
}

fn with_store(
    job: &Job,
    hardware: Hardware,
    store: Option<&Store>,
    stick: &mut Stick,
    replay: &Replay,
    machine: &Machine,
    watcher: &mut dyn Watcher,
) -> Result<Ending, Stopped> {
    let around = keep::surroundings(stick.shelf.clone(), machine);
    let (image, boot, fixed) = (hardware.image, hardware.boot.clone(), hardware.fixed().map(str::to_owned));
    let Hardware { drives, sticks, .. } = hardware;
    let planner = Planner { job, sticks: &sticks, store, around: &around };
    let (work, denied) = planner.plan(drives, watcher)?;
    let targets: Vec<_> = match &work {
        Work::Restore(_, aims) | Work::Clone(_, aims) => aims.iter().map(|aim| aim.target.drive()).collect(),
        Work::Images(_) | Work::Check(..) => Vec::new(),
    };
    let rows: Vec<_> = targets.iter().map(|drive| hardware::page_row(drive, None)).collect();
    let title = title(job);
    if !rows.is_empty() {
        wipe::count_down(job, &title, &rows, watcher)?;
    }
    let journal = stick.take_journal().ok_or_else(|| stop("the log is not open"))?;
    if let Err(full) = journal.room_for_job(1 << 20) {
        stick.give_back(journal);
        return Err(stop(full));
    }
    let log = Arc::new(Log::new(journal, now));
    let earlier = run::earlier(replay, logged(job.action()), &job.digest());
    let other = replay.unfinished().filter(|old| earlier.as_ref().is_none_or(|earlier| earlier.job != old.job));
    if let Some(old) = other {
        watcher.note(
            "An earlier job was interrupted; its drives are certified as interrupted where it had begun to erase them.",
        );
        let closed = open::abandon(old, &open::why_not(old), &log, stick, &around.tool, &around.host, watcher);
        closed.unwrap_or_else(|error| watcher.problem(&error));
    }
    if let (Some(store), Work::Restore(_, aims) | Work::Clone(_, aims)) = (store, &work) {
        let first = keep::surroundings(stick.shelf.clone(), machine);
        if let Err(stopped) = keep::retain(job, store, aims.iter().map(|aim| &aim.target), &log, first, watcher) {
            log.take_journal().into_iter().for_each(|journal| stick.give_back(journal));
            return Err(stopped);
        }
    }
    let id = random::bytes().map_err(|error| format!("no random bytes: {error}"));
    let still = Hardware::still_the_stick(image, &boot, fixed.as_deref());
    let id = match (id, still) {
        (Ok(id), Ok(())) => id,
        (Err(why), _) => {
            log.take_journal().into_iter().for_each(|journal| stick.give_back(journal));
            return Err(stop(why));
        }
        (_, Err(stopped)) => {
            log.take_journal().into_iter().for_each(|journal| stick.give_back(journal));
            return Err(stopped);
        }
    };
    let operator = job.operator().clone();
    let whole =
        run::Job { id, request: job.digest(), operator, log: Arc::clone(&log), around, title, earlier, resumed: 0 };
    let tally = execute(whole, work, job.copy(), watcher);
    log.take_journal().into_iter().for_each(|journal: Journal| stick.give_back(journal));
    Ok(finish(job, &tally, &denied, watcher))
}

fn title(job: &Job) -> String {
    let image = job.copy().image.as_deref();
    match (job.action(), image) {
        (Action::Image, _) => "Image".into(),
        (Action::Restore, Some(image)) => format!("Restore: {image}"),
        (Action::Verify, Some(image)) => format!("Verify against {image}"),
        (action, _) => format!("{action}"),
    }
}

fn execute(job: run::Job, work: Work, keys: &CopyKeys, watcher: &mut dyn Watcher) -> Tally {
    match work {
        Work::Images(sources) => {
            let sources = sources.into_iter().map(|(source, order)| {
                let path = begun_earlier(&job, &source, &order, keys).unwrap_or(order.path);
                (source, Order { path, ..order })
            });
            let sources = sources.collect();
            run::images(job, sources, watcher)
        }
        Work::Restore(content, aims) => run::restore(job, *content, aims, threads(), watcher),
        Work::Clone(source, aims) => run::clone(job, *source, aims, hash(keys), keys.retries, allowed(keys), watcher),
        Work::Check(content, sources) => run::check(job, *content, sources, watcher),
    }
}

/// The unfinished image that this job began of the drive, where the job gives it no name.
fn begun_earlier(job: &run::Job, source: &Source, order: &Order, keys: &CopyKeys) -> Option<std::path::PathBuf> {
    let dir = order.path.parent().filter(|_| keys.name.is_none())?;
    job.unfinished(dir, &source.drive().identity, Purpose::Image)
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn allowed(keys: &CopyKeys) -> Allowed {
    Allowed { smaller: keys.smaller, give_up_behind: keys.give_up_behind, move_gpt: keys.move_gpt }
}

fn hash(keys: &CopyKeys) -> digest::Wish {
    match keys.hash {
        jobfile::Hash::Auto => digest::Wish::Auto,
        jobfile::Hash::Sha512 => digest::Wish::Sha512,
        jobfile::Hash::Sha256 => digest::Wish::Sha256,
        jobfile::Hash::Both => digest::Wish::Both,
        jobfile::Hash::None => digest::Wish::None,
    }
}

struct Planner<'a> {
    job: &'a Job,
    sticks: &'a Sticks,
    store: Option<&'a Store>,
    around: &'a Surroundings,
}

impl Planner<'_> {
    fn plan(
        &self,
        drives: Vec<crate::discover::Drive>,
        watcher: &mut dyn Watcher,
    ) -> Result<(Work, Vec<String>), Stopped> {
        match self.job.action() {
            Action::Image => {
                let (sources, refused) = self.sources(self.job.drives(), drives, watcher)?;
                let orders = sources.into_iter().map(|source| Ok((self.order(&source)?, source)));
                let orders: Result<Vec<_>, Stopped> = orders.collect();
                Ok((Work::Images(orders?.into_iter().map(|(order, source)| (source, order)).collect()), refused))
            }
            Action::Verify => {
                let content = self.content()?;
                let (sources, refused) = self.sources(self.job.drives(), drives, watcher)?;
                Ok((Work::Check(Box::new(content), sources), refused))
            }
            Action::Restore => {
                let content = self.content()?;
                let logical = content.reader.header().logical_block;
                let (targets, refused) = self.targets(drives, watcher)?;
                let aims = self.aims(&content.reader, logical, targets)?;
                Ok((Work::Restore(Box::new(content), aims), refused))
            }
            _ => self.clone(drives, watcher),
        }
    }

    fn clone(
        &self,
        drives: Vec<crate::discover::Drive>,
        watcher: &mut dyn Watcher,
    ) -> Result<(Work, Vec<String>), Stopped> {
        let name = self.job.copy().source.clone().unwrap_or_default();
        let selection = jobfile::Selection::Named(vec![name]);
        let (mut sources, _) = self.sources(&selection, drives.clone(), watcher)?;
        let source = sources.pop().ok_or_else(|| stop("the source is not there"))?;
        let (targets, refused) = self.targets(drives, watcher)?;
        if targets.iter().any(|target| target.drive().path == source.drive().path) {
            return Err(stop(format!("{} is both source and target", source.drive().identity)));
        }
        let logical = source.drive().geometry.map_err(stop)?.logical();
        let look = self.around.opener.look(source.drive()).map_err(stop)?;
        let aims = self.aims(&*look, logical, targets)?;
        Ok((Work::Clone(Box::new(source), aims), refused))
    }

    fn sources(
        &self,
        selection: &jobfile::Selection,
        drives: Vec<crate::discover::Drive>,
        watcher: &mut dyn Watcher,
    ) -> Result<(Vec<Source>, Vec<String>), Stopped> {
        let sources = Sources::new(selection, drives, self.sticks, Some(self.job)).map_err(stop)?;
        for refused in &sources.refused {
            watcher
                .note(&format!("left alone: {} ({}): {}", refused.drive.name, refused.drive.identity, refused.reason));
        }
        for name in &sources.missing {
            watcher.problem(&format!("{name}: the job names it, but no drive reports this serial number or WWN"));
        }
        let denied = sources.denied(selection);
        Ok((sources.list, denied))
    }

    fn targets(
        &self,
        drives: Vec<crate::discover::Drive>,
        watcher: &mut dyn Watcher,
    ) -> Result<(Vec<Target>, Vec<String>), Stopped> {
        let request = Request {
            method: &method::COPY,
            selection: self.job.drives().clone(),
            verify: Verify::Full,
            operator: self.job.operator().clone(),
            job: Some(self.job.clone()),
            digest: self.job.digest(),
        };
        let seed = random::bytes().map_err(|error| stop(format!("no random bytes: {error}")))?;
        let plan = Plan::new(request, &Authority::JobFile, drives, self.sticks, seed)
            .map_err(|error: PlanError| stop(error))?;
        wipe::tell_about(&plan, watcher);
        let refused = plan.denied();
        Ok((plan.into_parts().0, refused))
    }

    fn aims(&self, content: &dyn ReadAt, logical: u32, targets: Vec<Target>) -> Result<Vec<Aim>, Stopped> {
        let keys = self.job.copy();
        let survey = content::outline(content, logical);
        let allowed = allowed(keys);
        let tail = match keys.tail {
            jobfile::Tail::Leave => Tail::Leave,
            jobfile::Tail::Zero => Tail::Zero,
            jobfile::Tail::Wipe => Tail::Wipe,
        };
        let aim = |target: Target| {
            let fitted = fit(content, logical, &survey, target.drive(), allowed).map_err(stop)?;
            Ok(Aim { target, fitted, tail })
        };
        targets.into_iter().map(aim).collect()
    }

    fn dir(&self) -> Result<&Path, Stopped> {
        self.store.map(Store::dir).ok_or_else(|| stop("there is no store"))
    }

    fn content(&self) -> Result<run::Content, Stopped> {
        let name = self.job.copy().image.clone().unwrap_or_default();
        open_content(&self.dir()?.join(format!("{name}{IMAGE_SUFFIX}"))).map_err(stop)
    }

    fn order(&self, source: &Source) -> Result<Order, Stopped> {
        let (keys, dir) = (self.job.copy(), self.dir()?);
        let path = match &keys.name {
            Some(name) => dir.join(format!("{name}{IMAGE_SUFFIX}")),
            // Where this job began one earlier, that one's name is found when the log is open.
            None => dir.join(name::new("", &source.drive().identity, now())),
        };
        let level = match keys.level {
            jobfile::Level::Auto => level::Wish::Adaptive,
            jobfile::Level::Store => level::Wish::Fixed(level::Level::Store),
            jobfile::Level::Zstd(number) => level::Wish::Fixed(level::Level::Zstd(number)),
        };
        Ok(Order {
            path,
            raw: keys.raw,
            base: keys.base.as_ref().map(|base| dir.join(format!("{base}{IMAGE_SUFFIX}"))),
            wish: take::Wish { threads: threads(), level, retries: keys.retries, limits: Limits::default() },
            hash: hash(keys),
            limit: self.store.and_then(Store::largest_file).and_then(NonZeroU64::new),
            verify: self.job.verify() != jobfile::VerifyExtent::None,
            operator: self.job.operator().clone(),
            tool: self.around.tool.clone(),
            purpose: Purpose::Image,
            clock: now,
            room: Arc::default(),
            ignore_room: false,
        })
    }
}

fn finish(job: &Job, tally: &Tally, denied: &[String], watcher: &mut dyn Watcher) -> Ending {
    let count = |wanted: &[Outcome]| tally.settled.iter().filter(|drive| wanted.contains(&drive.outcome)).count();
    let counts = Counts {
        copied: count(&[Outcome::Imaged, Outcome::Restored, Outcome::Cloned, Outcome::Verified]),
        exceptions: count(&[
            Outcome::ImagedWithExceptions,
            Outcome::RestoredWithExceptions,
            Outcome::ClonedWithExceptions,
        ]),
        failed: count(&[Outcome::Failed, Outcome::Differs]),
        interrupted: count(&[Outcome::Interrupted]),
        refused: denied.len(),
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
    notes.extend(denied.iter().map(|line| format!("LEFT ALONE: {line}")));
    notes.push("Certificates are in the folder certificates of this stick.".into());
    let ended: Vec<_> = tally.settled.iter().map(wipe::ended).collect();
    let done = match job.action() {
        Action::Image => "imaged",
        Action::Restore => "restored",
        Action::Clone => "cloned",
        _ => "verified",
    };
    wipe::show_end(job, tally, done, (outcome, counts), &notes, &ended, watcher)
}
