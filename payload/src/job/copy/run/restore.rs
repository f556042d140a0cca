//! One image onto several drives.

use super::{
    Aim, Content, Job, end,
    images::{files_hit, image_of},
    not_announced,
    targets::{Counted, Part, laid_down, parts, work_of, write_target},
};
use crate::{
    certify::copy,
    console::Watcher,
    job::{
        copy::spread::{Origin, spread},
        issue::{self, Settled},
        run::{Line, Tally},
        status::{Message, Status},
    },
    journal::event::Action,
};
use std::{sync::Arc, thread};

/// One image onto several drives.
pub fn restore(mut job: Job, content: Content, aims: Vec<Aim>, threads: usize, watcher: &mut dyn Watcher) -> Tally {
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
    let (tail, left_behind) = (part.tail, part.left_behind);
    let shape = Arc::clone(&part.shape);
    let (drive, labels, slot) = (part.target.drive().clone(), part.target.labels().clone(), part.target.slot());
    let (began, interruptions) = (job.began(&drive, job.log.now()), job.interruptions(&drive));
    let laid = write_target(job, part, &wanted, status);
    let manifest = &content.manifest;
    let end = end(laid.failure.clone(), laid.stopped, &job.log);
    office.settle(&drive, &labels, slot, began, end, |record| {
        record.copy.interruptions = interruptions;
        image_of(record, manifest, &content.manifest_bytes, content.file_bytes);
        record.media.heat = issue::heat(&status.shown().heat);
        if let Some(image) = &mut record.image {
            image.signature = job.trust(content);
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
        let counted = Counted {
            read: manifest.bytes_read,
            free: manifest.bytes_free,
            bad: &content.bad,
            bytes: manifest.image.disk_bytes,
            left_behind,
        };
        laid_down(record, &laid, &shape, tail, &counted);
        files_hit(&mut record.exceptions, manifest);
    })
}
