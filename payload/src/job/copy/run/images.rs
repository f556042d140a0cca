//! Images of several drives at once.

use super::{Job, end, not_announced};
use crate::{
    certify::{
        copy::{self, End},
        key::StickKey,
    },
    console::Watcher,
    discover::Drive,
    engine::extents::Ranges,
    imagefile::{Manifest, Mode},
    job::{
        claim::Opened,
        copy::{
            hold::{Hold, HoldError, hold},
            image::{self, ImageError, Imaged, image},
            part::{Account, Alive, Hand, Of},
            settle::{listed, seen, verification},
            take::Eyes,
        },
        held::Held,
        issue::{self, Settled},
        run::{Line, Tally},
        status::{Message, Status},
    },
    journal::event::Action,
    plan::Source,
};
use sha2::{Digest, Sha256};
use std::{collections::HashMap, path::Path, sync::Arc};

/// Images of several drives at once.
pub fn images(mut job: Job, sources: Vec<(Source, image::Order)>, watcher: &mut dyn Watcher) -> Tally {
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
    let now = job.log.now();
    // Before the account is read and it is decided what becomes of what is there; until there is a certificate.
    let held = held_alone(job, &drive, order);
    let (result, account) = match (job.key(), &held) {
        (Some(key), Ok(_)) => {
            let hand = Hand { key: &key, request: job.request, job: Some(job.id) };
            let every = u64::try_from(job.limits().checkpoint.as_millis()).unwrap_or(u64::MAX);
            let of = Of::from(&drive.identity);
            let account = Alive::new(Account::open(&order.path, of, order.purpose, hand, (order.clock, every)));
            (take_image(job, source, order, &key, &account, status), Some(account))
        }
        (_, Err(busy)) => (Err(busy.to_string()), None),
        (None, _) => (Err("the log is closed".into()), None),
    };
    let (began, interruptions) = match &account {
        Some(account) => account.with(|account| (account.began(), account.interruptions())),
        None => (now, Vec::new()),
    };
    let (end, imaged) = match result {
        Ok(imaged) => (End::Complete, Some(imaged)),
        Err(reason) => (end(Some(reason), job.log.stopping(), &job.log), None),
    };
    let block = drive.geometry.map_or(512, |geometry| geometry.logical());
    let settled = office.settle(&drive, &labels, slot, began, end, |record| {
        record.copy.interruptions = interruptions;
        record.copy.bytes = drive.identity.bytes;
        record.media.heat = issue::heat(&status.shown().heat);
        record.image = Some(unproved(&order.path, drive.identity.bytes));
        if let Some((imaged, held)) = &imaged {
            describe(record, imaged, block);
            seen(record, Some(held));
        }
    });
    if let (Some((imaged, _)), Ok(_)) = (&imaged, &settled.certificate)
        && let Err(error) = image::certified(&order.path, imaged)
    {
        job.log.tell(Message::Problem(format!("{}: {error}; the image is whole", drive.identity)));
    }
    settled
}

/// Nobody else works on the image while the answer is there; a store without locks is told of.
fn held_alone(job: &Job, drive: &Drive, order: &image::Order) -> Result<Option<Hold>, HoldError> {
    if image::is_null(&order.path) {
        return Ok(None);
    }
    let hold = hold(&order.path)?;
    if let Some(why) = &hold.without {
        let (id, path) = (&drive.identity, order.path.display());
        let what = format!("{id}: {path}: this store has no locks ({why}); see that no other job writes this image");
        job.log.tell(Message::Problem(what));
    }
    Ok(Some(hold))
}

fn take_image(
    job: &Job,
    source: Source,
    order: &image::Order,
    key: &StickKey,
    account: &Alive,
    status: &Status,
) -> Result<(Imaged, Held), String> {
    let opened = Opened::new(source, &*job.around.opener).map_err(|(_, error)| error.to_string())?;
    let (source, mut plane) = opened.into_parts();
    job.begin_sweep(source.slot())?;
    let before = Held::ask(&*plane, source.drive());
    let stored = |disk: u64, file: u64| {
        let tenths = disk.saturating_mul(10) / file.max(1);
        status.update(|shown| shown.step = format!("image, {}.{}:1", tenths / 10, tenths % 10));
    };
    let guard = job.guard(source.drive(), &*plane, status);
    let eyes = Eyes {
        stop: &|| job.log.stopping(),
        advanced: &|bytes| guard.advanced(bytes),
        map: &|map| {
            let bad = crate::job::copy::duplicate::map_bad(map).as_slice().len() as u64;
            status.update(|shown| shown.defects = bad);
        },
        stored: &stored,
        said: &|what| {
            // What was compared is read again.
            status.update(|shown| shown.done = 0);
            job.log.tell(Message::Problem(format!("{}: {what}", source.drive().identity)));
        },
    };
    let step = |name: &str| status.update(|shown| shown.step = name.into());
    let imaged = image(&mut *plane, source.drive(), order, key, Some(account), eyes, &step);
    let imaged = imaged.map_err(|error: ImageError| error.to_string())?;
    Ok((imaged, Held::at_last(&*plane, source.drive(), Some(&before))?))
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
        record.exceptions.files_note = crate::job::copy::hit::NOT_LOOKED_FOR.into();
    }
    if let Some((manifest, _)) = &imaged.manifest {
        files_hit(&mut record.exceptions, manifest);
    }
}

/// What a manifest says about the files on unreadable blocks.
pub(super) fn files_hit(exceptions: &mut copy::Exceptions, manifest: &Manifest) {
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
pub(super) fn image_of(record: &mut copy::CopyRecord, manifest: &Manifest, bytes: &[u8], file_bytes: u64) {
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
