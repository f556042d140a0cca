//! Whole jobs: images of several drives at once, one image or one drive onto several.

use super::{
    digest::{self, Stream},
    duplicate::{self, Duplicated, Hashes, duplicate},
    gpt::Patches,
    hit,
    image::{self, ImageError, Imaged, image},
    outlet::{Outlet, Shape},
    settle::{Office, listed, verification},
    spread::{Origin, spread},
    take::Eyes,
    target::{Laid, Order, Steps, Tail, lay},
};
use crate::{
    certify::{
        copy::{self, End, GptBackup, TailHandling},
        record::Operator,
    },
    console::Watcher,
    discover::Drive,
    engine::{
        extents::Ranges,
        frames::{self, Compared, Expected},
        sweep::{self, Found, Limits, Observer},
    },
    imagefile::Mode,
    job::{
        claim::{Claimed, Opened},
        issue::{self, Settled},
        run::{Line, Surroundings, Tally, Ticks, drive_ref, run_lines},
        show::Show,
        status::{Log, Message, Status},
    },
    journal::{
        JournalError,
        bounded::Text,
        event::{Action, Event, JobId, Sweep, Verify},
    },
    plan::{Source, Target},
};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    thread,
};

/// What every copy job has.
pub struct Job {
    pub id: JobId,
    /// BLAKE3 of what was asked for.
    pub request: [u8; 32],
    pub operator: Operator,
    pub log: Arc<Log>,
    pub around: Surroundings,
    /// A line for the person: what the job is.
    pub title: String,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("title", &self.title).finish_non_exhaustive()
    }
}

impl Job {
    fn office(&self, action: copy::Action) -> Office<'_> {
        Office {
            job: self.id,
            action,
            operator: &self.operator,
            log: &self.log,
            shelf: &*self.around.shelf,
            tool: &self.around.tool,
            host: &self.around.host,
            health: self.around.health,
        }
    }

    /// Why a manifest's signer is believed, whose signature holds.
    fn trust(&self, manifest: &crate::imagefile::Manifest) -> copy::Signature {
        let own = self.log.with(|journal| journal.key().stick_id());
        match own {
            Some(own) if own == manifest.signer => copy::Signature::OwnKey,
            _ => copy::Signature::SelfAsserted,
        }
    }

    fn limits(&self) -> Limits {
        self.around.limits
    }

    /// All of this is on the medium before the first write.
    fn announce(&self, action: Action, drives: &[(u8, &Drive)]) -> Result<(), JournalError> {
        self.log.append(&Event::JobStarted {
            job: self.id,
            action,
            method: Text::new(action.word()),
            passes: std::iter::empty().collect(),
            verify: Verify::Full,
            request: self.request,
            drives: u8::try_from(drives.len()).unwrap_or(u8::MAX),
        })?;
        drives.iter().try_for_each(|(slot, drive)| {
            self.log.append(&Event::DriveStarted { job: self.id, slot: *slot, drive: drive_ref(drive) })
        })
    }

    fn begin_sweep(&self, slot: u8) -> Result<(), String> {
        let started = Event::SweepStarted { job: self.id, slot, sweep: Sweep::Pass(0), key: None };
        self.log.append(&started).map_err(|error| format!("the log could not be written: {error}"))
    }

    /// Runs lines to their end and closes the job in the log.
    fn run(&self, count: usize, watcher: &mut dyn Watcher, start: impl FnOnce() -> Vec<Line>) -> Tally {
        let ticks = Ticks { job: self.id, limits: self.limits(), log: &self.log };
        let mut show = Show::new(watcher, self.title.clone(), count);
        let settled = run_lines(&ticks, &mut show, start);
        if self.log.lost().is_none() {
            let _ = self.log.append(&Event::JobFinished { job: self.id });
        }
        Tally { settled, stopped: self.log.stopping().then(|| self.log.why_stopped()) }
    }
}

fn not_announced(error: &JournalError) -> Tally {
    Tally { settled: Vec::new(), stopped: Some(format!("the log could not be written: {error}")) }
}

/// A step's name and progress, for the main loop.
struct Told<'a> {
    log: &'a Log,
    status: &'a Status,
}

impl Observer for Told<'_> {
    fn advanced(&mut self, bytes: u64) {
        self.status.update(|shown| shown.done += bytes);
    }

    fn checkpoint(&mut self, _: u64, found: &Found) {
        self.status.update(|shown| shown.defects = found.places() as u64);
    }

    fn stop(&self) -> bool {
        self.log.stopping()
    }
}

impl Steps for Told<'_> {
    fn step(&mut self, name: &str) {
        self.status.update(|shown| shown.step = name.into());
    }

    fn now(&self) -> u64 {
        self.log.now()
    }
}

/// How a part ended, from its failure and whether somebody stopped it.
fn end(failure: Option<String>, stopped: bool, log: &Log) -> End {
    match failure {
        None => End::Complete,
        Some(_) if stopped => End::Interrupted(log.why_stopped()),
        Some(reason) => End::Failed(reason),
    }
}

/// Images of several drives at once.
pub fn images(job: Job, sources: Vec<(Source, image::Order)>, watcher: &mut dyn Watcher) -> Tally {
    let announced: Vec<_> = sources.iter().map(|(source, _)| (source.slot(), source.drive())).collect();
    if let Err(error) = job.announce(Action::Image, &announced) {
        return not_announced(&error);
    }
    let mut rooms = HashMap::<_, Arc<image::Room>>::new();
    let share = |(source, order): (Source, image::Order)| {
        let room = rooms.entry(order.path.parent().map(Path::to_owned)).or_insert_with(|| Arc::clone(&order.room));
        (source, image::Order { room: Arc::clone(room), ..order })
    };
    let sources: Vec<_> = sources.into_iter().map(share).collect();
    let (job, count) = (Arc::new(job), sources.len());
    let line = |(source, order): (Source, image::Order)| {
        let (drive, slot, job) = (source.drive().clone(), source.slot(), Arc::clone(&job));
        let twice = if order.verify { 2 } else { 1 };
        let work = drive.identity.bytes * twice;
        Line::start(drive, slot, work, move |status| one_image(&job, source, &order, status))
    };
    job.run(count, watcher, || sources.into_iter().map(line).collect())
}

fn one_image(job: &Job, source: Source, order: &image::Order, status: &Status) -> Settled {
    let (drive, labels, slot) = (source.drive().clone(), source.labels().clone(), source.slot());
    let office = job.office(copy::Action::Image);
    let result = take_image(job, source, order, status);
    let (end, imaged) = match result {
        Ok(imaged) => (End::Complete, Some(imaged)),
        Err(reason) => (end(Some(reason), job.log.stopping(), &job.log), None),
    };
    let block = drive.geometry.map_or(512, |geometry| geometry.logical());
    office.settle(&drive, &labels, slot, order.started, end, |record| {
        record.copy.bytes = drive.identity.bytes;
        record.image = Some(unproved(&order.path, drive.identity.bytes));
        if let Some(imaged) = &imaged {
            describe(record, imaged, block);
        }
    })
}

fn take_image(job: &Job, source: Source, order: &image::Order, status: &Status) -> Result<Imaged, String> {
    let look = job.around.opener.look(source.drive())?;
    let opened = Opened::new(source, &*job.around.opener).map_err(|(_, error)| error.to_string())?;
    let (source, mut plane) = opened.into_parts();
    job.begin_sweep(source.slot())?;
    let key = job.log.with(|journal| journal.key().clone()).ok_or("the log is closed")?;
    let stored = |disk: u64, file: u64| {
        let tenths = disk.saturating_mul(10) / file.max(1);
        status.update(|shown| shown.step = format!("image, {}.{}:1", tenths / 10, tenths % 10));
    };
    let eyes = Eyes {
        stop: &|| job.log.stopping(),
        advanced: &|bytes| status.update(|shown| shown.done += bytes),
        map: &|map| {
            let bad = super::duplicate::map_bad(map).as_slice().len() as u64;
            status.update(|shown| shown.defects = bad);
        },
        stored: &stored,
    };
    let step = |name: &str| status.update(|shown| shown.step = name.into());
    let imaged = image(&mut *plane, &*look, source.drive(), order, &key, eyes, &step);
    imaged.map_err(|error: ImageError| error.to_string())
}

fn describe(record: &mut copy::CopyRecord, imaged: &Imaged, block: u32) {
    let taken = &imaged.taken;
    record.copy.bytes_read = taken.bytes_read;
    record.copy.bytes_free = taken.bytes_free;
    let (unreadable, blocks) = listed(&taken.unreadable, block);
    (record.exceptions.unreadable, record.exceptions.unreadable_blocks) = (unreadable, blocks);
    if let Some((manifest, bytes)) = &imaged.manifest {
        image_of(record, manifest, bytes, imaged.file_bytes);
        if let Some(image) = &mut record.image {
            image.signature = copy::Signature::OwnKey;
        }
        record.copy.sha512.clone_from(&manifest.sha512);
        record.copy.sha256.clone_from(&manifest.sha256);
    }
    if let (Some(image), Some(report)) = (&mut record.image, &imaged.report) {
        image.bytes_checked = report.bytes_good;
        record.verification =
            verification(taken.bytes_read, &Ranges::default(), &Ranges::default(), block, imaged.verified);
    }
    if !taken.unreadable.is_empty() {
        record.exceptions.files_note = hit::NOT_LOOKED_FOR.into();
    }
    if let Some((manifest, _)) = &imaged.manifest {
        files_hit(&mut record.exceptions, manifest);
    }
}

/// What a manifest says about the files on unreadable blocks.
fn files_hit(exceptions: &mut copy::Exceptions, manifest: &crate::imagefile::Manifest) {
    if exceptions.unreadable_blocks == 0 {
        return;
    }
    exceptions.files = manifest.bad_files.iter().take(copy::LISTED).cloned().collect();
    // Of a list that is not full the count is the list's own.
    let listed = exceptions.files.len() as u64;
    let full = exceptions.files.len() == copy::LISTED;
    exceptions.files_hit = if full { manifest.bad_files_hit.max(listed) } else { listed };
    if !manifest.bad_files_note.is_empty() {
        exceptions.files_note.clone_from(&manifest.bad_files_note);
    }
}

/// An image of which nothing is proved.
fn unproved(path: &Path, disk_bytes: u64) -> copy::Image {
    copy::Image {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        manifest_sha256: String::new(),
        blake3: String::new(),
        disk_bytes,
        file_bytes: 0,
        bytes_checked: 0,
        base: None,
        signature: copy::Signature::NotChecked,
        signer: String::new(),
    }
}

/// What a certificate says of an image.
fn image_of(record: &mut copy::CopyRecord, manifest: &crate::imagefile::Manifest, bytes: &[u8], file_bytes: u64) {
    let block = u64::from(manifest.image.logical_block.max(1));
    let mode = |mode: Mode| match mode {
        Mode::Raw => copy::Mode::Raw,
        Mode::UsedBlock => copy::Mode::UsedBlock,
    };
    record.copy.mode = mode(manifest.image.mode);
    record.copy.partitions = manifest
        .partitions
        .iter()
        .map(|part| copy::Partition {
            number: part.number,
            first_lba: part.start / block,
            blocks: part.bytes / block,
            content: part.content.clone(),
            mode: mode(part.mode),
            reason: part.reason.clone(),
        })
        .collect();
    record.image = Some(copy::Image {
        name: manifest.name.clone(),
        manifest_sha256: issue::hex(&Sha256::digest(bytes)),
        blake3: manifest.blake3_root.clone(),
        disk_bytes: manifest.image.disk_bytes,
        file_bytes,
        bytes_checked: 0,
        base: manifest
            .base
            .as_ref()
            .map(|base| copy::Base { name: base.name.clone(), manifest_sha256: base.manifest_sha256.clone() }),
        signature: copy::Signature::SelfAsserted,
        signer: manifest.signer.clone(),
    });
}

/// A target and what it is to become.
#[derive(Debug)]
pub struct Aim {
    pub target: Target,
    pub patches: Patches,
    pub tail: Tail,
}

/// An image to be put on drives.
#[derive(Debug)]
pub struct Content {
    pub reader: crate::imagefile::Reader,
    pub manifest: crate::imagefile::Manifest,
    pub manifest_bytes: Vec<u8>,
    pub file_bytes: u64,
}

impl Origin for Content {
    fn bytes(&self) -> u64 {
        self.reader.header().disk_bytes
    }

    fn frame(&self, index: u64) -> Result<super::target::First, String> {
        let mut decompressor = crate::imagefile::Decompressor::new().map_err(|error| error.to_string())?;
        let frame = self.reader.frame(index, &mut decompressor).map_err(|error| error.to_string())?;
        Ok(frame.map(|data| Arc::new(data) as Arc<dyn crate::engine::frames::Content>))
    }
}

/// What a target's thread needs.
struct Part {
    target: Target,
    shape: Arc<Shape>,
    tail: Tail,
    jobs: Receiver<crate::engine::frames::Job>,
}

fn parts(aims: Vec<Aim>, bytes: u64) -> (Vec<Part>, Vec<Outlet>) {
    let part = |aim: Aim| {
        let (sender, jobs) = sync_channel(2);
        let shape = Arc::new(Shape::new(bytes.min(aim.target.drive().identity.bytes), aim.patches));
        let outlet = Outlet::new(sender, Arc::clone(&shape));
        (Part { target: aim.target, shape, tail: aim.tail, jobs }, outlet)
    };
    aims.into_iter().map(part).unzip()
}

fn work_of(aim: &Aim, bytes: u64) -> u64 {
    let capacity = aim.target.drive().identity.bytes;
    let tail = capacity.saturating_sub(bytes);
    let passes = aim.tail.passes();
    2 * bytes.min(capacity) + tail * (passes + u64::from(passes > 0))
}

/// One image onto several drives.
pub fn restore(job: Job, content: Content, aims: Vec<Aim>, threads: usize, watcher: &mut dyn Watcher) -> Tally {
    let announced: Vec<_> = aims.iter().map(|aim| (aim.target.slot(), aim.target.drive())).collect();
    if let Err(error) = job.announce(Action::Restore, &announced) {
        return not_announced(&error);
    }
    let (job, content, count) = (Arc::new(job), Arc::new(content), aims.len());
    let bytes = content.bytes();
    let works: Vec<_> = aims.iter().map(|aim| work_of(aim, bytes)).collect();
    let (parts, outlets) = parts(aims, bytes);
    job.run(count, watcher, || {
        let (feeding, origin) = (Arc::clone(&job), Arc::clone(&content));
        // It ends with its targets; each of them says itself what it did not get.
        thread::spawn(move || {
            let sent = spread(&*origin, threads, outlets, &|| feeding.log.stopping());
            if let Err(reason) = sent {
                feeding.log.tell(Message::Problem(reason));
            }
        });
        let line = |(part, work): (Part, u64)| {
            let (drive, slot) = (part.target.drive().clone(), part.target.slot());
            let (job, content) = (Arc::clone(&job), Arc::clone(&content));
            Line::start(drive, slot, work, move |status| one_restore(&job, part, &content, status))
        };
        parts.into_iter().zip(works).map(line).collect()
    })
}

fn one_restore(job: &Job, part: Part, content: &Content, status: &Status) -> Settled {
    let wanted = |index| content.reader.expected(index).map_err(|error| error.to_string());
    let office = job.office(copy::Action::Restore);
    let tail = part.tail;
    let shape = Arc::clone(&part.shape);
    let (drive, labels, slot, started) =
        (part.target.drive().clone(), part.target.labels().clone(), part.target.slot(), job.log.now());
    let laid = write_target(job, part, &wanted, status);
    let manifest = &content.manifest;
    let end = end(laid.failure.clone(), laid.stopped, &job.log);
    office.settle(&drive, &labels, slot, started, end, |record| {
        image_of(record, manifest, &content.manifest_bytes, content.file_bytes);
        if let Some(image) = &mut record.image {
            image.signature = job.trust(manifest);
            // Every frame was proved when it was unpacked, if all were.
            image.bytes_checked = if laid.first_written { manifest.image.disk_bytes } else { 0 };
        }
        record.source = Some(copy::Origin {
            model: manifest.image.model.clone(),
            serial: manifest.image.serial.clone(),
            wwn: manifest.image.wwn.clone(),
            bytes: manifest.image.disk_bytes,
            logical_block: manifest.image.logical_block,
        });
        let mut bad = Ranges::default();
        manifest.bad.iter().for_each(|area| bad.insert(area.start, area.bytes));
        let counted = Counted {
            read: manifest.bytes_read,
            free: manifest.bytes_free,
            bad: &bad,
            bytes: manifest.image.disk_bytes,
        };
        laid_down(record, &laid, &shape, tail, &counted);
        files_hit(&mut record.exceptions, manifest);
    })
}

/// What a source gave.
struct Counted<'a> {
    read: u64,
    free: u64,
    bad: &'a Ranges,
    bytes: u64,
}

/// The numbers of a target.
fn laid_down(record: &mut copy::CopyRecord, laid: &Laid, shape: &Shape, tail: Tail, from: &Counted<'_>) {
    let block = record.media.logical_block;
    let copying = &mut record.copy;
    copying.bytes = from.bytes;
    copying.bytes_read = from.read;
    copying.bytes_free = from.free;
    let zeros = from.free + from.bad.bytes();
    // The writer counts bytes; which of them were zeros follows from the source once all were written.
    let complete = laid.first_written && laid.written.unwritable.is_empty();
    copying.bytes_zeroed = if complete { zeros } else { 0 };
    copying.bytes_written = laid.written.bytes.saturating_sub(copying.bytes_zeroed).min(from.read);
    copying.cut.bytes_read = from.bytes.saturating_sub(shape.bytes);
    copying.tail.handling = match tail {
        Tail::Leave => TailHandling::Left,
        Tail::Zero => TailHandling::Zeroed,
        Tail::Wipe => TailHandling::Wiped,
    };
    copying.tail.bytes_written = laid.tail_matched.saturating_sub(laid.moved);
    if laid.moved > 0 {
        copying.gpt.backup = GptBackup::Moved;
        copying.gpt.bytes_written = laid.moved;
    }
    copying.first_mib_last = laid.first_written;
    let (unreadable, blocks) = listed(from.bad, block);
    (record.exceptions.unreadable, record.exceptions.unreadable_blocks) = (unreadable, blocks);
    if !from.bad.is_empty() {
        record.exceptions.files_note = hit::NOT_LOOKED_FOR.into();
    }
    let (unwritable, blocks) = listed(&laid.written.unwritable, block);
    (record.exceptions.unwritable, record.exceptions.unwritable_blocks) = (unwritable, blocks);
    let matched = laid.compared.matched + copying.tail.bytes_written + laid.moved;
    record.verification =
        verification(matched, &laid.compared.different, &laid.compared.unreadable, block, laid.verified);
}

/// One target, from the claim to the first MiB.
fn write_target(job: &Job, part: Part, wanted: super::target::Wanted<'_>, status: &Status) -> Laid {
    let Part { target, shape, tail, jobs } = part;
    let (serial, slot) = (target.drive().identity.serial.clone(), target.slot());
    let claimed = match Claimed::new(target, &*job.around.opener) {
        Ok(claimed) => claimed,
        Err((_, error)) => return Laid { failure: Some(error.to_string()), ..Laid::default() },
    };
    if let Err(failure) = job.begin_sweep(slot) {
        return Laid { failure: Some(failure), ..Laid::default() };
    }
    job.log.tell(Message::Writing(serial));
    let (_, mut plane) = claimed.into_parts();
    let order = Order { shape: &shape, tail, limits: job.limits(), wanted };
    lay(&mut *plane, &jobs, order, &mut Told { log: &job.log, status })
}

/// One drive onto several.
pub fn clone(
    job: Job,
    source: Source,
    aims: Vec<Aim>,
    hash: digest::Wish,
    retries: u8,
    watcher: &mut dyn Watcher,
) -> Tally {
    let announced: Vec<_> = aims.iter().map(|aim| (aim.target.slot(), aim.target.drive())).collect();
    if let Err(error) = job.announce(Action::Clone, &announced) {
        return not_announced(&error);
    }
    let (job, count) = (Arc::new(job), aims.len());
    let origin = source.drive().clone();
    let bytes = origin.identity.bytes;
    let works: Vec<_> = aims.iter().map(|aim| work_of(aim, bytes)).collect();
    let (parts, outlets) = parts(aims, bytes);
    let shared = Arc::new(Cloning { origin, hashes: Hashes::default(), read: std::sync::OnceLock::new() });
    job.run(count, watcher, || {
        let (feeding, reading) = (Arc::clone(&job), Arc::clone(&shared));
        thread::spawn(move || read_source(&feeding, source, &reading, outlets, hash, retries));
        let line = |(part, work): (Part, u64)| {
            let (drive, slot) = (part.target.drive().clone(), part.target.slot());
            let (job, shared) = (Arc::clone(&job), Arc::clone(&shared));
            Line::start(drive, slot, work, move |status| one_clone(&job, part, &shared, status))
        };
        parts.into_iter().zip(works).map(line).collect()
    })
}

/// What the source's thread and the targets share.
struct Cloning {
    origin: Drive,
    hashes: Hashes,
    read: std::sync::OnceLock<(Duplicated, digest::Digests)>,
}

fn read_source(job: &Job, source: Source, shared: &Cloning, outlets: Vec<Outlet>, hash: digest::Wish, retries: u8) {
    let mut plane = match Opened::new(source, &*job.around.opener) {
        Ok(opened) => opened.into_parts().1,
        Err((_, error)) => {
            let reason = format!("the source: {error}");
            outlets.into_iter().for_each(|outlet| outlet.finish(Err(&reason)));
            job.log.tell(Message::Problem(reason));
            return;
        }
    };
    let mut stream = Stream::new(hash);
    let wish = duplicate::Wish { limits: job.limits(), retries, stop: &|| job.log.stopping(), advanced: &|_| {} };
    let set = |done: &Duplicated, stream: &Stream| {
        let whole = stream.bytes() == shared.origin.identity.bytes;
        let digests = if whole { stream.clone().finish() } else { digest::Digests::default() };
        let _ = shared.read.set((done.clone(), digests));
    };
    let done = duplicate(&mut *plane, &shared.hashes, &mut stream, outlets, &wish, &set);
    if let Some(reason) = done.failure {
        job.log.tell(Message::Problem(reason));
    }
}

fn one_clone(job: &Job, part: Part, shared: &Cloning, status: &Status) -> Settled {
    let wanted = |index| -> Result<Expected, String> { shared.hashes.expected(index) };
    let office = job.office(copy::Action::Clone);
    let (tail, shape) = (part.tail, Arc::clone(&part.shape));
    let (drive, labels, slot, started) =
        (part.target.drive().clone(), part.target.labels().clone(), part.target.slot(), job.log.now());
    let laid = write_target(job, part, &wanted, status);
    let end = end(laid.failure.clone(), laid.stopped, &job.log);
    office.settle(&drive, &labels, slot, started, end, |record| {
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
        let counted = Counted { read: read.bytes, free: 0, bad: &read.unreadable, bytes: id.bytes };
        laid_down(record, &laid, &shape, tail, &counted);
    })
}

/// Drives compared with an image; nothing is written.
pub fn check(job: Job, content: Content, sources: Vec<Source>, watcher: &mut dyn Watcher) -> Tally {
    let announced: Vec<_> = sources.iter().map(|source| (source.slot(), source.drive())).collect();
    if let Err(error) = job.announce(Action::Verify, &announced) {
        return not_announced(&error);
    }
    let (job, content, count) = (Arc::new(job), Arc::new(content), sources.len());
    let line = |source: Source| {
        let (drive, slot, work) = (source.drive().clone(), source.slot(), source.drive().identity.bytes);
        let (job, content) = (Arc::clone(&job), Arc::clone(&content));
        Line::start(drive, slot, work, move |status| one_check(&job, source, &content, status))
    };
    job.run(count, watcher, || sources.into_iter().map(line).collect())
}

fn one_check(job: &Job, source: Source, content: &Content, status: &Status) -> Settled {
    let (drive, labels, slot, started) =
        (source.drive().clone(), source.labels().clone(), source.slot(), job.log.now());
    let compared = compare_with(job, source, content, status);
    let ended = job.log.now();
    let (compared, end) = match compared {
        Ok(compared) => (compared, End::Complete),
        Err(reason) => (Compared::default(), end(Some(reason), job.log.stopping(), &job.log)),
    };
    let (manifest, image) = (&content.manifest, &content.manifest.image);
    job.office(copy::Action::Verify).settle(&drive, &labels, slot, started, end, |record| {
        image_of(record, manifest, &content.manifest_bytes, content.file_bytes);
        if let Some(image) = &mut record.image {
            image.signature = job.trust(manifest);
            // The index is proved by the manifest's root; the comparison is with it.
            image.bytes_checked = manifest.image.disk_bytes;
        }
        record.copy.bytes = image.disk_bytes;
        record.copy.bytes_read = manifest.bytes_read;
        record.copy.bytes_free = manifest.bytes_free;
        let times = (Some(started), Some(ended));
        record.verification =
            verification(compared.matched, &compared.different, &compared.unreadable, image.logical_block, times);
    })
}

fn compare_with(job: &Job, source: Source, content: &Content, status: &Status) -> Result<Compared, String> {
    let bytes = content.reader.header().disk_bytes;
    if source.drive().identity.bytes < bytes {
        return Err(format!("the drive is smaller than the image's disk of {bytes} bytes"));
    }
    let opened = Opened::new(source, &*job.around.opener).map_err(|(_, error)| error.to_string())?;
    let (source, mut plane) = opened.into_parts();
    job.begin_sweep(source.slot())?;
    let mut told = Told { log: &job.log, status };
    told.step("verify");
    // What was free when the image was made may hold anything.
    let mut wanted = |index| match content.reader.entry(index) {
        Ok((crate::imagefile::State::Free, _)) => Ok(Expected::Anything),
        Ok(_) => content.reader.expected(index).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let (compared, end) = frames::compare(&mut *plane, job.limits(), 0, bytes, &mut wanted, &mut told)?;
    match end {
        sweep::End::Complete => Ok(compared),
        sweep::End::Stopped => Err("it was stopped".into()),
        sweep::End::Failed(error) => Err(error.to_string()),
        sweep::End::TooManyBad => Ok(compared),
    }
}

/// Opens an image with its manifest, whose signature and root must hold.
pub fn open_content(path: &Path) -> Result<Content, String> {
    let signed = crate::imagefile::Manifest::read(path).map_err(|error| error.to_string())?;
    let reader = image::open_chain(path).map_err(|error| error.to_string())?;
    if *reader.header() != signed.manifest.image {
        return Err(format!("{}: the image is not the one its manifest describes", path.display()));
    }
    let root = reader.root().map_err(|error| error.to_string())?;
    if issue::hex(&root) != signed.manifest.blake3_root {
        return Err(format!("{}: its index is not the one its manifest proves", path.display()));
    }
    let file_bytes = reader.file_bytes();
    Ok(Content { reader, manifest: signed.manifest, manifest_bytes: signed.bytes, file_bytes })
}
