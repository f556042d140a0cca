//! One drive onto several.

use super::{
    Aim, Job, end, not_announced,
    targets::{Counted, Part, laid_down, parts, work_of, write_target},
};
use crate::{
    certify::copy,
    console::Watcher,
    content,
    discover::Drive,
    drive::DataPlane,
    engine::frames::Expected,
    job::{
        claim::Opened,
        copy::{
            digest::{self, Stream},
            duplicate::{self, Duplicated, duplicate},
            fit::{Allowed, Fitted, fit},
            hashes::Hashes,
            look::Shared,
            outlet::Outlet,
        },
        issue::{Settled, heat},
        run::{Line, Tally, rest},
        status::{Message, Status},
        who,
    },
    journal::event::Action,
    plan::Source,
};
use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// One drive onto several.
pub fn clone(
    mut job: Job,
    source: Source,
    aims: Vec<Aim>,
    hash: digest::Wish,
    retries: u8,
    allowed: Allowed,
    watcher: &mut dyn Watcher,
) -> Tally {
    let announced: Vec<_> = aims.iter().map(|aim| (aim.target.slot(), aim.target.drive())).collect();
    if let Err(error) = job.announce(Action::Clone, &announced) {
        return not_announced(&error);
    }
    let (job, count) = (Arc::new(job), aims.len());
    let origin = source.drive().clone();
    let bytes = origin.identity.bytes;
    let fits: Vec<_> = aims.iter().map(|aim| (aim.target.drive().clone(), aim.fitted.clone())).collect();
    let works: Vec<_> = aims.iter().map(|aim| work_of(aim, bytes)).collect();
    let (parts, outlets) = parts(aims, bytes);
    let single = parts.iter().flat_map(|part| part.shape.single());
    let hashes = Hashes::new(bytes, job.limits().hashes, single);
    let shared = Arc::new(Cloning { origin, fits, allowed, hashes, read: std::sync::OnceLock::new() });
    let mut reader = None;
    let tally = job.run(count, watcher, || {
        let (feeding, reading) = (Arc::clone(&job), Arc::clone(&shared));
        reader = Some(thread::spawn(move || read_source(&feeding, source, &reading, outlets, hash, retries)));
        let line = |(part, work): (Part, u64)| {
            let (drive, slot) = (part.target.drive().clone(), part.target.slot());
            let (job, shared) = (Arc::clone(&job), Arc::clone(&shared));
            Line::start(drive, slot, work, move |status| one_clone(&job, part, &shared, status))
        };
        parts.into_iter().zip(works).map(line).collect()
    });
    // A job that is over holds no drive, unless one hangs.
    let end = Instant::now() + LET_GO;
    while reader.as_ref().is_some_and(|reader| !reader.is_finished()) && Instant::now() < end {
        thread::sleep(Duration::from_millis(5));
    }
    tally
}

/// How long the source may take to be let go of when its targets are done.
const LET_GO: Duration = Duration::from_secs(10);

/// What the source's thread and the targets share.
struct Cloning {
    origin: Drive,
    /// Every target, and how the content was to go onto it by what was seen before the source was claimed.
    fits: Vec<(Drive, Fitted)>,
    allowed: Allowed,
    hashes: Hashes,
    read: std::sync::OnceLock<(Duplicated, digest::Digests)>,
}

fn read_source(job: &Job, source: Source, shared: &Cloning, outlets: Vec<Outlet>, hash: digest::Wish, retries: u8) {
    let (source, mut plane) = match Opened::new(source, &*job.around.opener) {
        Ok(opened) => opened.into_parts(),
        Err((_, error)) => {
            let reason = format!("the source: {error}");
            outlets.into_iter().for_each(|outlet| outlet.finish(Err(&reason)));
            job.log.tell(Message::Problem(reason));
            return;
        }
    };
    if let Err(reason) = still_fits(shared, &mut *plane, job.limits().hang) {
        outlets.into_iter().for_each(|outlet| outlet.finish(Err(&reason)));
        job.log.tell(Message::Problem(reason));
        return;
    }
    let mut stream = Stream::new(hash);
    // The source has no line of its own.
    let status = Status::new(0);
    let guard = job.guard(source.drive(), &*plane, &status);
    let advanced = |bytes| guard.advanced(bytes);
    let still =
        |plane: &dyn DataPlane| who::is_still(plane, source.drive()).map_err(|error| format!("the source: {error}"));
    let stop = || job.log.stopping();
    let wish = duplicate::Wish { limits: job.limits(), retries, stop: &stop, advanced: &advanced, still: &still };
    let set = |done: &Duplicated, stream: &Stream| {
        let whole = stream.bytes() == shared.origin.identity.bytes;
        let digests = if whole { stream.clone().finish() } else { digest::Digests::default() };
        let _ = shared.read.set((done.clone(), digests));
    };
    let done = duplicate(&mut *plane, &shared.hashes, &mut stream, outlets, &wish, &set);
    rest(source.drive(), &*job.around.opener);
    if let Some(reason) = done.failure {
        job.log.tell(Message::Problem(reason));
    }
}

/// What a target needs written over the content was made out before anybody held the source: it is looked at again through
/// the claim.
fn still_fits(shared: &Cloning, plane: &mut dyn DataPlane, hang: Duration) -> Result<(), String> {
    let logical = plane.geometry().logical();
    let look = Shared::new(plane, hang);
    let survey = content::outline(&look, logical);
    for (drive, planned) in &shared.fits {
        if fit(&look, logical, &survey, drive, shared.allowed)? != *planned {
            return Err(format!(
                "{}: its partition table is not what it was when the job was planned; nothing was written",
                shared.origin.identity
            ));
        }
    }
    Ok(())
}

fn one_clone(job: &Job, part: Part, shared: &Cloning, status: &Status) -> Settled {
    let wanted = |index| -> Result<Expected, String> { shared.hashes.expected(index) };
    let office = job.office(copy::Action::Clone);
    let (tail, shape, left_behind) = (part.tail, Arc::clone(&part.shape), part.left_behind);
    let (drive, labels, slot) = (part.target.drive().clone(), part.target.labels().clone(), part.target.slot());
    let (began, interruptions) = (job.began(&drive, job.log.now()), job.interruptions(&drive));
    let laid = write_target(job, part, &wanted, status);
    let end = end(laid.failure.clone(), laid.stopped, &job.log);
    office.settle(&drive, &labels, slot, began, end, |record| {
        record.copy.interruptions = interruptions;
        record.media.heat = heat(&status.shown().heat);
        let id = &shared.origin.identity;
        record.source = Some(copy::Origin {
            model: id.model.clone(),
            serial: id.serial.clone(),
            wwn: id.wwn.clone().unwrap_or_default(),
            bytes: id.bytes,
            logical_block: shared.origin.geometry.map_or(0, |geometry| geometry.logical()),
        });
        let (read, digests) = shared.read.get().cloned().unwrap_or_default();
        record.copy.sha512 = digests.sha512.unwrap_or_default();
        record.copy.sha256 = digests.sha256.unwrap_or_default();
        let counted = Counted { read: read.bytes, free: 0, bad: &read.unreadable, bytes: id.bytes, left_behind };
        laid_down(record, &laid, &shape, tail, &counted);
    })
}
