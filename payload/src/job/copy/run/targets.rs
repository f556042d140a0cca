//! What a restore and a clone have in common: drives that are overwritten.

use super::{Job, Told};
use crate::{
    certify::copy::{self, GptBackup, TailHandling},
    engine::{extents::Ranges, frames},
    job::{
        claim::Claimed,
        copy::{
            fit::Fitted,
            outlet::{Outlet, Shape},
            settle::{listed, seen, verification},
            target::{Laid, Order, Tail, Wanted, lay},
        },
        held::Held,
        status::{Message, Status},
    },
    plan::Target,
};
use std::sync::{
    Arc,
    mpsc::{Receiver, sync_channel},
};

/// A target and what it is to become.
#[derive(Debug)]
pub struct Aim {
    pub target: Target,
    pub fitted: Fitted,
    pub tail: Tail,
}

/// What a target's thread needs.
pub(super) struct Part {
    pub(super) target: Target,
    pub(super) shape: Arc<Shape>,
    pub(super) tail: Tail,
    pub(super) left_behind: u64,
    pub(super) jobs: Receiver<frames::Job>,
}

pub(super) fn parts(aims: Vec<Aim>, bytes: u64) -> (Vec<Part>, Vec<Outlet>) {
    let part = |aim: Aim| {
        let (sender, jobs) = sync_channel(2);
        let shape = Arc::new(Shape::new(bytes.min(aim.target.drive().identity.bytes), aim.fitted.patches));
        let outlet = Outlet::new(sender, Arc::clone(&shape));
        let left_behind = aim.fitted.left_behind;
        (Part { target: aim.target, shape, tail: aim.tail, left_behind, jobs }, outlet)
    };
    aims.into_iter().map(part).unzip()
}

pub(super) fn work_of(aim: &Aim, bytes: u64) -> u64 {
    let capacity = aim.target.drive().identity.bytes;
    let tail = capacity.saturating_sub(bytes);
    let passes = aim.tail.passes();
    2 * bytes.min(capacity) + tail * (passes + u64::from(passes > 0))
}

/// What a source gave.
pub(super) struct Counted<'a> {
    pub(super) read: u64,
    pub(super) free: u64,
    pub(super) bad: &'a Ranges,
    pub(super) bytes: u64,
    /// What this target has no room for and was given up.
    pub(super) left_behind: u64,
}

/// The numbers of a target.
pub(super) fn laid_down(record: &mut copy::CopyRecord, laid: &Laid, shape: &Shape, tail: Tail, from: &Counted<'_>) {
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
    copying.cut.bytes_read = from.bytes.saturating_sub(shape.bytes).min(from.read);
    copying.cut.bytes_used = from.left_behind.min(copying.cut.bytes_read);
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
        record.exceptions.files_note = crate::job::copy::hit::NOT_LOOKED_FOR.into();
    }
    let (unwritable, blocks) = listed(&laid.written.unwritable, block);
    (record.exceptions.unwritable, record.exceptions.unwritable_blocks) = (unwritable, blocks);
    let matched = laid.compared.matched + copying.tail.bytes_written + laid.moved;
    record.verification =
        verification(matched, &laid.compared.different, &laid.compared.unreadable, block, laid.verified);
    seen(record, laid.held.as_ref());
}

/// One target, from the claim to the first MiB.
pub(super) fn write_target(job: &Job, part: Part, wanted: Wanted<'_>, status: &Status) -> Laid {
    let Part { target, shape, tail, jobs, .. } = part;
    let (serial, slot) = (target.drive().identity.serial.clone(), target.slot());
    let claimed = match Claimed::new(target, &*job.around.opener) {
        Ok(claimed) => claimed,
        Err((_, error)) => return Laid { failure: Some(error.to_string()), ..Laid::default() },
    };
    if let Err(failure) = job.begin_sweep(slot) {
        return Laid { failure: Some(failure), ..Laid::default() };
    }
    job.log.tell(Message::Writing(serial));
    let (target, mut plane) = claimed.into_parts();
    let order = Order { shape: &shape, tail, limits: job.limits(), wanted };
    let guard = job.guard(target.drive(), &*plane, status);
    let before = Held::ask(&*plane, target.drive());
    let mut laid = lay(&mut *plane, &jobs, order, &mut Told { log: &job.log, status, guard });
    // Where something else was read back than was written, it may be another drive's.
    if laid.failure.is_none() || !laid.compared.is_clean() {
        match Held::at_last(&*plane, target.drive(), Some(&before)) {
            Ok(held) => laid.held = Some(held),
            Err(reason) => laid.failure = Some(reason),
        }
    }
    laid.held.get_or_insert(before);
    laid
}
