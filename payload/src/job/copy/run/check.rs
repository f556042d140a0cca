//! Drives compared with an image.

use super::{
    Content, Job, Told, end,
    images::{files_hit, image_of},
    not_announced,
};
use crate::{
    certify::copy,
    console::Watcher,
    drive::DataPlane,
    engine::{
        frames::{self, Compared, Expected},
        sweep::{End, Limits, Observer},
    },
    imagefile::{InUse, ReadError, State},
    job::{
        claim::Opened,
        copy::{
            settle::{listed, seen, verification},
            take::TakeError,
            target::Steps,
        },
        held::Held,
        issue::{Settled, heat},
        run::{Line, Tally},
        status::Status,
    },
    journal::event::Action,
    plan::Source,
};
use std::sync::Arc;

/// Drives compared with an image; nothing is written.
pub fn check(mut job: Job, content: Content, sources: Vec<Source>, watcher: &mut dyn Watcher) -> Tally {
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
    let (began, interruptions) = (job.began(&drive, started), job.interruptions(&drive));
    let compared = compare_with(job, source, content, status);
    let ended = job.log.now();
    let (compared, held, end) = match compared {
        Ok((compared, held)) => (compared, Some(held), copy::End::Complete),
        Err(reason) => (Compared::default(), None, end(Some(reason), job.log.stopping(), &job.log)),
    };
    let (manifest, image) = (&content.manifest, &content.manifest.image);
    job.office(copy::Action::Verify).settle(&drive, &labels, slot, began, end, |record| {
        record.copy.interruptions = interruptions;
        image_of(record, manifest, &content.manifest_bytes, content.file_bytes);
        record.media.heat = heat(&status.shown().heat);
        if let Some(image) = &mut record.image {
            image.signature = job.trust(content);
            // The index is proved by the manifest's root; the comparison is with it.
            image.bytes_checked = manifest.image.disk_bytes;
        }
        record.copy.bytes = image.disk_bytes;
        record.copy.bytes_read = manifest.bytes_read;
        record.copy.bytes_free = manifest.bytes_free;
        let (unreadable, blocks) = listed(&content.bad, image.logical_block);
        (record.exceptions.unreadable, record.exceptions.unreadable_blocks) = (unreadable, blocks);
        files_hit(&mut record.exceptions, manifest);
        let times = (Some(started), Some(ended));
        record.verification =
            verification(compared.matched, &compared.different, &compared.unreadable, image.logical_block, times);
        seen(record, held.as_ref());
    })
}

/// A drive compared with an image: what was free when the image was made may hold anything, also within a frame.
pub(in crate::job::copy) fn compare(
    content: &Content,
    plane: &mut dyn DataPlane,
    limits: Limits,
    observer: &mut dyn Observer,
) -> Result<Compared, TakeError> {
    let failed = |error: ReadError| TakeError::Source(error.to_string());
    let reader = &content.reader;
    let mut wanted = |index| match reader.entry(index) {
        Ok((State::Free, _)) => Ok(Expected::Anything),
        Ok(_) => reader.expected(index).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let mut in_use = InUse::new(reader, &content.manifest).map_err(failed)?;
    let mut mask = |index, data: &mut [u8]| in_use.blank_the_rest(index, data).map_err(|error| error.to_string());
    let bytes = reader.header().disk_bytes;
    let compared = frames::compare(plane, limits, 0, bytes, &mut wanted, &mut mask, observer);
    match compared.map_err(TakeError::Source)? {
        (compared, End::Complete | End::TooManyBad) => Ok(compared),
        (_, End::Stopped) => Err(TakeError::Stopped("it was stopped".into())),
        (_, End::Failed(error)) => Err(TakeError::Source(error.to_string())),
    }
}

fn compare_with(job: &Job, source: Source, content: &Content, status: &Status) -> Result<(Compared, Held), String> {
    let bytes = content.reader.header().disk_bytes;
    if source.drive().identity.bytes < bytes {
        return Err(format!("the drive is smaller than the image's disk of {bytes} bytes"));
    }
    let opened = Opened::new(source, &*job.around.opener).map_err(|(_, error)| error.to_string())?;
    let (source, mut plane) = opened.into_parts();
    job.begin_sweep(source.slot())?;
    let before = Held::ask(&*plane, source.drive());
    let guard = job.guard(source.drive(), &*plane, status);
    let mut told = Told { log: &job.log, status, guard };
    told.step("verify");
    let compared = compare(content, &mut *plane, job.limits(), &mut told).map_err(|error| error.to_string())?;
    Ok((compared, Held::at_last(&*plane, source.drive(), Some(&before))?))
}
