//! The last stage: a drive's part is logged as over, its certificate is written, signed and logged.

use super::{
    facts::{Facts, Heat},
    record::{Frame, record},
    retain,
    stages::Examined,
    status::{Log, Message},
};
use crate::{
    certify::{
        Certifiable,
        key::StickKey,
        record::{HeatRecord, Host, LogReference, Media, Operator, Tool},
    },
    discover::Drive,
    firmware::purge::Medium,
    journal::{
        bounded::Text,
        event::{DriveRef, Event, JobId, Outcome},
    },
    plan::{Lost, MediaFields},
};
use mule_types::method::Method;

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
    fn keep(&self, record: &dyn Certifiable, key: &StickKey) -> Result<Kept, String>;
}

/// How one drive's part ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The kernel's name in this run; blank for a drive that is not there.
    pub name: String,
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
    /// Images kept of drives before they were destroyed.
    pub retained: &'a [retain::Kept],
}

impl std::fmt::Debug for Issuer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").field("job", &self.job).finish_non_exhaustive()
    }
}

/// Where a drive stands in the job and on the machine.
struct Place<'a> {
    name: &'a str,
    slot: u8,
    port: &'a str,
}

/// The maker, where the model says it in the usual way: by name, or by the letters its models begin with.
fn manufacturer(model: &str) -> &'static str {
    const BEGINNINGS: &[(&str, &str)] = &[
        ("WDC ", "Western Digital"),
        ("WD ", "Western Digital"),
        ("ST", "Seagate"),
        ("SEAGATE", "Seagate"),
        ("MAXTOR", "Maxtor"),
        ("HGST", "HGST"),
        ("HITACHI", "Hitachi"),
        ("TOSHIBA", "Toshiba"),
        ("SAMSUNG", "Samsung"),
        ("INTEL", "Intel"),
        ("KINGSTON", "Kingston"),
        ("SANDISK", "SanDisk"),
        ("CRUCIAL", "Crucial"),
        ("MICRON", "Micron"),
        ("FUJITSU", "Fujitsu"),
        ("QEMU", "QEMU"),
    ];
    let model = model.to_ascii_uppercase();
    let known = BEGINNINGS.iter().find(|(beginning, _)| {
        let rest = model.strip_prefix(beginning);
        // Seagate's letters need a digit behind them: ST3500418AS, not STAR.
        rest.is_some_and(|rest| *beginning != "ST" || rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    known.map(|(_, maker)| *maker).unwrap_or_default()
}

pub(super) fn heat(heat: &Heat) -> Option<HeatRecord> {
    let (highest_celsius, limit_celsius) = (heat.highest, heat.limit);
    let (pauses, paused_seconds) = (heat.pauses, heat.paused.as_secs());
    (limit_celsius > 0).then_some(HeatRecord { highest_celsius, limit_celsius, pauses, paused_seconds })
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
        media.heat = heat(&examined.facts().heat);
        media.unit = examined.facts().held.as_ref().map(|held| held.unit.clone());
        let drive = target.drive();
        let place = Place { name: &drive.name, slot: target.slot(), port: &target.drive().port };
        self.settle(&place, media, examined.facts())
    }

    /// Certifies what is known of a drive that cannot go on, from the log alone.
    pub fn certify_lost(&self, lost: &Lost, facts: &Facts) -> Settled {
        let place = Place { name: "", slot: lost.history.slot, port: "" };
        self.settle(&place, media_of_logged(&lost.history.drive), facts)
    }

    fn settle(&self, place: &Place<'_>, media: Media, facts: &Facts) -> Settled {
        let (outcome, reason) = facts.outcome();
        let (model, serial, bytes) = (media.model.clone(), media.serial.clone(), media.bytes);
        let finished = Event::DriveFinished { job: self.job, slot: place.slot, outcome, reason: Text::new(&reason) };
        // A lost log stops the run by itself; the certificate is still owed to the drive's owner.
        let logged = self.log.append(&finished);
        let certificate = self.write(place, media, facts);
        if let Err(error) = logged {
            self.log.tell(Message::Problem(format!("{model} {serial}: the log could not be written: {error}")));
        }
        if let Err(error) = &certificate {
            self.log.tell(Message::Problem(format!("{model} {serial}: no certificate could be written: {error}")));
        }
        Settled {
            name: place.name.into(),
            model,
            serial,
            bytes,
            outcome,
            reason,
            certificate: certificate.map(|kept| kept.name),
        }
    }

    fn write(&self, place: &Place<'_>, media: Media, facts: &Facts) -> Result<Kept, String> {
        let (log, key) = reference(self.log, &self.job).ok_or("the log is closed")?;
        let of_it = |kept: &&retain::Kept| {
            kept.note.is_of(&media.model, &media.serial, media.bytes) && kept.note.wwn == media.wwn
        };
        // Hours may have gone by since it was made.
        let now = self.log.now();
        let retained = self.retained.iter().filter(of_it).map(|kept| kept.stated(now)).collect();
        let frame = Frame {
            job: hex(&self.job),
            slot: place.slot,
            method: self.method,
            media,
            operator: self.operator.clone(),
            tool: self.tool.clone(),
            host: Host { port: place.port.into(), ..self.host.clone() },
            log,
            retained,
        };
        let record = record(frame, facts, self.log.now());
        let kept = self.shelf.keep(&record, &key)?;
        let certified =
            Event::Certified { job: self.job, slot: place.slot, sha256: kept.sha256, name: Text::new(&kept.name) };
        self.log.append(&certified).map_err(|e| format!("it is written as {}, but not logged: {e}", kept.name))?;
        Ok(kept)
    }
}

/// Where in the log a certificate belongs, and the key that signs it; nothing when the run is over.
pub(super) fn reference(log: &Log, job: &JobId) -> Option<(LogReference, StickKey)> {
    log.with(|journal| {
        let head = journal.head();
        let reference = LogReference {
            stick: journal.key().stick_id(),
            job: hex(job),
            sequence: head.sequence,
            head: hex(&head.hash),
        };
        (reference, journal.key().clone())
    })
}

/// A drive as certificates describe it.
pub(super) fn media(drive: &Drive, labels: &MediaFields) -> Media {
    let (logical, physical) = drive.geometry.as_ref().map_or((0, 0), |g| (g.logical(), g.physical()));
    Media {
        manufacturer: manufacturer(&drive.identity.model).into(),
        model: drive.identity.model.clone(),
        serial: drive.identity.serial.clone(),
        wwn: drive.identity.wwn.clone().unwrap_or_default(),
        firmware: drive.firmware.clone().unwrap_or_default(),
        media_type: match drive.medium() {
            Some(Medium::Magnetic) => "hard disk",
            Some(Medium::SolidState) => "solid-state",
            None => "unknown",
        }
        .into(),
        interface: drive.bus.to_string(),
        unit: None,
        bytes: drive.identity.bytes,
        logical_block: logical,
        physical_block: physical,
        property_number: labels.property_number.clone(),
        source: labels.source.clone(),
        classification: labels.classification.clone(),
        health_before: drive.health.as_ref().and_then(|health| serde_json::to_value(health).ok()),
        health_after: None,
        heat: None,
    }
}

fn media_of_logged(drive: &DriveRef) -> Media {
    Media {
        manufacturer: manufacturer(&drive.model).into(),
        model: drive.model.to_string(),
        serial: drive.serial.to_string(),
        wwn: drive.wwn.as_ref().map(ToString::to_string).unwrap_or_default(),
        firmware: String::new(),
        media_type: "unknown".into(),
        interface: String::new(),
        unit: None,
        bytes: drive.bytes,
        logical_block: drive.logical,
        physical_block: 0,
        property_number: String::new(),
        source: String::new(),
        classification: String::new(),
        health_before: None,
        health_after: None,
        heat: None,
    }
}

#[cfg(test)]
mod tests {
    use super::manufacturer;

    #[test]
    fn a_maker_is_named_only_where_the_model_says_it() {
        for (model, maker) in [
            ("WDC WD5000AAKX-001CA0", "Western Digital"),
            ("ST3500418AS", "Seagate"),
            ("STAR 9000", ""),
            ("SAMSUNG HD502HJ", "Samsung"),
            ("Hitachi HDS721010", "Hitachi"),
            ("WDX", ""),
            ("", ""),
        ] {
            assert_eq!(manufacturer(model), maker, "{model}");
        }
    }
}
