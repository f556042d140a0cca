//! The end of a drive's part in a copy: logged, certified, certified in the log.

use super::super::{
    claim::Opener,
    held::Held,
    issue::{self, Settled, Shelf},
    record::time,
    run::rest,
    status::{Log, Message},
};
use crate::{
    certify::{
        copy::{self, CopyRecord, End},
        key::StickKey,
        record::{BlockRange, Host, LogReference, Operator, Tool, Verification},
    },
    discover::Drive,
    engine::extents::Ranges,
    journal::{
        bounded::Text,
        event::{Event, JobId, Outcome},
    },
    plan::MediaFields,
};

/// What all certificates of one job share.
pub(super) struct Office<'a> {
    pub(super) job: JobId,
    pub(super) action: copy::Action,
    pub(super) operator: &'a Operator,
    pub(super) log: &'a Log,
    pub(super) shelf: &'a dyn Shelf,
    pub(super) tool: &'a Tool,
    pub(super) host: &'a Host,
    pub(super) health: issue::Health,
    pub(super) opener: &'a dyn Opener,
}

/// The log's word for a certificate's outcome.
fn outcome(of: copy::Outcome) -> Outcome {
    match of {
        copy::Outcome::Imaged => Outcome::Imaged,
        copy::Outcome::ImagedWithExceptions => Outcome::ImagedWithExceptions,
        copy::Outcome::Restored => Outcome::Restored,
        copy::Outcome::RestoredWithExceptions => Outcome::RestoredWithExceptions,
        copy::Outcome::Cloned => Outcome::Cloned,
        copy::Outcome::ClonedWithExceptions => Outcome::ClonedWithExceptions,
        copy::Outcome::Verified => Outcome::Verified,
        copy::Outcome::Differs => Outcome::Differs,
        copy::Outcome::Failed => Outcome::Failed,
        copy::Outcome::Interrupted => Outcome::Interrupted,
    }
}

/// Ranges in blocks, as many as a certificate lists, and how many blocks they are in all.
pub(super) fn listed(ranges: &Ranges, block: u32) -> (Vec<BlockRange>, u64) {
    let block = u64::from(block.max(1));
    let one = |r: &crate::engine::extents::Range| BlockRange { first_lba: r.start / block, blocks: r.len / block };
    (ranges.as_slice().iter().take(copy::LISTED).map(one).collect(), ranges.bytes() / block)
}

impl Office<'_> {
    /// Certifies a drive; `fill` puts in what was counted.
    pub(super) fn settle(
        &self,
        drive: &Drive,
        labels: &MediaFields,
        slot: u8,
        started: u64,
        end: End,
        fill: impl FnOnce(&mut CopyRecord),
    ) -> Settled {
        let mut media = issue::media(drive, labels);
        media.health_after = (self.health)(drive);
        let host = Host { port: drive.port.clone(), ..self.host.clone() };
        let blank = LogReference { stick: String::new(), job: issue::hex(&self.job), sequence: 0, head: String::new() };
        let reference = issue::reference(self.log, &self.job);
        let log = reference.as_ref().map_or(blank, |(log, _)| log.clone());
        let mut record = CopyRecord::draft(self.action, slot, media, self.tool.clone(), host, log);
        record.operator = self.operator.clone();
        record.copy.started = time(Some(started));
        fill(&mut record);
        record.copy.finished = time(Some(self.log.now()));
        let record = record.conclude(end);
        let outcome = outcome(record.outcome);
        let reason = record.copy.reason.clone();
        let finished = Event::DriveFinished { job: self.job, slot, outcome, reason: Text::new(&reason) };
        let logged = self.log.append(&finished);
        rest(drive, self.opener);
        let certificate = match &reference {
            Some((_, key)) => self.keep(&record, key, slot),
            None => Err("the log is closed".into()),
        };
        let id = &drive.identity;
        if let Err(error) = logged {
            self.log.tell(Message::Problem(format!("{id}: the log could not be written: {error}")));
        }
        if let Err(error) = &certificate {
            self.log.tell(Message::Problem(format!("{id}: no certificate could be written: {error}")));
        }
        Settled {
            name: drive.name.clone(),
            model: id.model.clone(),
            serial: id.serial.clone(),
            bytes: id.bytes,
            outcome,
            reason,
            certificate,
        }
    }

    fn keep(&self, record: &CopyRecord, key: &StickKey, slot: u8) -> Result<String, String> {
        let kept = self.shelf.keep(record, key)?;
        let event = Event::Certified { job: self.job, slot, sha256: kept.sha256, name: Text::new(&kept.name) };
        self.log.append(&event).map_err(|e| format!("it is written as {}, but not logged: {e}", kept.name))?;
        Ok(kept.name)
    }
}

/// Puts in what a drive was while it was held; behind [`verification`], where the drive itself was read back.
pub(super) fn seen(record: &mut CopyRecord, held: Option<&Held>) {
    let read_back = record.action != copy::Action::Image && !record.verification.started.is_empty();
    record.verification.past_host_caches = read_back && held.is_some_and(|held| held.direct);
    record.media.unit = held.map(|held| held.unit.clone());
}

/// A full reading back, as far as it came.
pub(super) fn verification(
    matched: u64,
    different: &Ranges,
    unreadable: &Ranges,
    block: u32,
    (started, finished): (Option<u64>, Option<u64>),
) -> Verification {
    let (different, blocks_different) = listed(different, block);
    let (unreadable, blocks_unreadable) = listed(unreadable, block);
    Verification {
        extent: "full".into(),
        description: String::new(),
        past_host_caches: false,
        blocks_planned: None,
        blocks_matched: matched / u64::from(block.max(1)),
        blocks_different,
        blocks_unreadable,
        different,
        unreadable,
        kinds: None,
        started: time(started),
        finished: time(finished),
    }
}
