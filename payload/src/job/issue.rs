//! The last stage: a drive's part is logged as over, its certificate is written, signed and logged.

use super::{
    facts::Facts,
    record::{Frame, record},
    stages::Examined,
    status::{Log, Message},
};
use crate::{
    certify::{
        key::StickKey,
        record::{Host, LogReference, Media, Operator, Record, Tool},
    },
    discover::Drive,
    journal::{
        bounded::Text,
        event::{DriveRef, Event, JobId, Outcome},
    },
    plan::{Lost, MediaFields, method::Method},
};

/// A certificate that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// File name of the JSON.
    pub name: String,
    /// SHA-256 of its exact bytes.
    pub sha256: [u8; 32],
}

/// Where certificates are kept: the stick's FAT partition, or a folder on a host.
pub trait Shelf: Send + Sync {
    /// Checks, signs and writes one certificate with its renderings.
    fn keep(&self, record: &Record, key: &StickKey) -> Result<Kept, String>;
}

/// How one drive's part ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    pub model: String,
    pub serial: String,
    /// Capacity.
    pub bytes: u64,
    pub outcome: Outcome,
    pub reason: String,
    /// The certificate's file, or why there is none.
    pub certificate: Result<String, String>,
}

/// What SMART says of a drive now, where it can be read.
pub type Health = fn(&Drive) -> Option<serde_json::Value>;

/// What all certificates of one job share.
pub struct Issuer<'a> {
    pub job: JobId,
    pub method: &'static Method,
    pub operator: &'a Operator,
    pub log: &'a Log,
    pub shelf: &'a dyn Shelf,
    pub tool: &'a Tool,
    pub host: &'a Host,
    /// What SMART says of a drive now, where it can be read.
    pub health: Health,
}

impl std::fmt::Debug for Issuer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").field("job", &self.job).finish_non_exhaustive()
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Issuer<'_> {
    /// Certifies a drive of this run.
    pub fn certify(&self, examined: &Examined) -> Settled {
        let target = examined.target();
        let mut media = media(target.drive(), target.labels());
        media.health_after = (self.health)(target.drive());
        self.settle(target.slot(), media, &target.drive().port, examined.facts())
    }

    /// Certifies what is known of a drive that cannot go on, from the log alone.
    pub fn certify_lost(&self, lost: &Lost, facts: &Facts) -> Settled {
        self.settle(lost.history.slot, media_of_logged(&lost.history.drive), "", facts)
    }

    fn settle(&self, slot: u8, media: Media, port: &str, facts: &Facts) -> Settled {
        let (outcome, reason) = facts.outcome();
        let (model, serial, bytes) = (media.model.clone(), media.serial.clone(), media.bytes);
        let finished = Event::DriveFinished { job: self.job, slot, outcome, reason: Text::new(&reason) };
        // A lost log stops the run by itself; the certificate is still owed to the drive's owner.
        let logged = self.log.append(&finished);
        let certificate = self.write(slot, media, port, facts);
        if let Err(error) = logged {
            self.log.tell(Message::Problem(format!("{model} {serial}: the log could not be written: {error}")));
        }
        if let Err(error) = &certificate {
            self.log.tell(Message::Problem(format!("{model} {serial}: no certificate could be written: {error}")));
        }
        Settled { model, serial, bytes, outcome, reason, certificate: certificate.map(|kept| kept.name) }
    }

    fn write(&self, slot: u8, media: Media, port: &str, facts: &Facts) -> Result<Kept, String> {
        let reference = self.log.with(|journal| {
            let head = journal.head();
            let reference = LogReference {
                stick: journal.key().stick_id(),
                job: hex(&self.job),
                sequence: head.sequence,
                head: hex(&head.hash),
            };
            (reference, journal.key().clone())
        });
        let (log, key) = reference.ok_or("the log is closed")?;
        let frame = Frame {
            job: hex(&self.job),
            slot,
            method: self.method,
            media,
            operator: self.operator.clone(),
            tool: self.tool.clone(),
            host: Host { port: port.into(), ..self.host.clone() },
            log,
        };
        let record = record(frame, facts, self.log.now());
        let kept = self.shelf.keep(&record, &key)?;
        let certified = Event::Certified { job: self.job, slot, sha256: kept.sha256, name: Text::new(&kept.name) };
        self.log.append(&certified).map_err(|e| format!("it is written as {}, but not logged: {e}", kept.name))?;
        Ok(kept)
    }
}

fn media(drive: &Drive, labels: &MediaFields) -> Media {
    let (logical, physical) = drive.geometry.as_ref().map_or((0, 0), |g| (g.logical(), g.physical()));
    Media {
        manufacturer: String::new(),
        model: drive.identity.model.clone(),
        serial: drive.identity.serial.clone(),
        wwn: drive.identity.wwn.clone().unwrap_or_default(),
        firmware: drive.firmware.clone().unwrap_or_default(),
        media_type: match drive.rotational {
            Some(true) => "hard disk",
            Some(false) => "solid-state",
            None => "unknown",
        }
        .into(),
        interface: drive.bus.to_string(),
        bytes: drive.identity.bytes,
        logical_block: logical,
        physical_block: physical,
        property_number: labels.property_number.clone(),
        source: labels.source.clone(),
        classification: labels.classification.clone(),
        health_before: drive.health.as_ref().and_then(|health| serde_json::to_value(health).ok()),
        health_after: None,
    }
}

fn media_of_logged(drive: &DriveRef) -> Media {
    Media {
        manufacturer: String::new(),
        model: drive.model.to_string(),
        serial: drive.serial.to_string(),
        wwn: drive.wwn.as_ref().map(ToString::to_string).unwrap_or_default(),
        firmware: String::new(),
        media_type: "unknown".into(),
        interface: String::new(),
        bytes: drive.bytes,
        logical_block: drive.logical,
        physical_block: 0,
        property_number: String::new(),
        source: String::new(),
        classification: String::new(),
        health_before: None,
        health_after: None,
    }
}
