//! A good certificate for tests to spoil.

pub(crate) mod copy;

use super::{
    erasure,
    key::StickKey,
    record::{
        CommandRecord, Coverage, FORMAT, HeatRecord, Hidden, Host, KindsRecord, LogReference, Media, Operator,
        PassRecord, Record, Sanitisation, Tool, Validation, Verification,
    },
};

use crate::journal::event::Sizes;

pub(crate) const BLOCKS: u64 = 976_773_168;

pub(crate) fn key() -> StickKey {
    StickKey::from_seed(&[7; 32])
}

/// A disk of 500 GB after `dod-5220.22-m` with a full verification.
pub(crate) fn erased() -> Record {
    let bytes = BLOCKS * 512;
    let time = |hour: u32| format!("2026-03-01T{hour:02}:15:09Z");
    let pass = |number: u32, writes: &str| PassRecord {
        number,
        writes: writes.into(),
        bytes_written: bytes,
        started: time(8 + number),
        finished: time(9 + number),
    };
    let job = "5a17c0de5a17c0de5a17c0de5a17c0de";
    let method = mule_types::method::find("dod-5220.22-m").unwrap();
    in_words(Record {
        format: FORMAT.into(),
        id: format!("{job}-3"),
        outcome: "erased".into(),
        statement: String::new(),
        media: media(bytes),
        sanitisation: Sanitisation {
            method: method.name.into(),
            title: method.title.into(),
            source: method.source.into(),
            category: "Clear".into(),
            technique: "overwrite".into(),
            command: None,
            passes: vec![pass(1, "00"), pass(2, "FF"), pass(3, "random")],
            started: time(9),
            finished: time(14),
            interruptions: Vec::new(),
            reason: String::new(),
        },
        coverage: Coverage {
            blocks_addressable: BLOCKS,
            blocks_overwritten: BLOCKS,
            unwritable: Vec::new(),
            unwritable_blocks: 0,
            unread_blocks: 0,
            hidden_areas: String::new(),
            hidden: None,
        },
        verification: Verification {
            extent: "full".into(),
            description: String::new(),
            past_host_caches: true,
            blocks_planned: Some(BLOCKS),
            blocks_matched: BLOCKS,
            blocks_different: 0,
            blocks_unreadable: 0,
            different: Vec::new(),
            unreadable: Vec::new(),
            kinds: None,
            started: time(12),
            finished: time(14),
        },
        operator: Operator {
            name: "J. M\u{fc}ller".into(),
            title: "Technician".into(),
            organisation: "Example Recycling GmbH".into(),
            location: "Hall 3".into(),
            contact: "wipe@example.org".into(),
        },
        validation: Validation::default(),
        tool: Tool {
            name: "mule".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            sha256: "ab".repeat(32),
            kernel: "Linux 6.12.60".into(),
        },
        host: Host { board: "Acme X1".into(), serial: "B-77".into(), firmware: "1.02".into(), port: "ata3".into() },
        log: LogReference { stick: key().stick_id(), job: job.into(), sequence: 4711, head: "cd".repeat(32) },
        kept_images: Vec::new(),
        limits: Vec::new(),
    })
}

/// With the words that its numbers carry.
pub(crate) fn in_words(mut record: Record) -> Record {
    erasure::put_into_words(&mut record);
    record
}

/// The same disk after an enhanced security erase with a full verification: a purge.
pub(crate) fn purged() -> Record {
    let mut record = erased();
    let method = mule_types::method::find("ata-secure-erase-enhanced").unwrap();
    let evidence = crate::firmware::erase::Evidence::PasswordGone;
    let sizes = Sizes {
        visible: BLOCKS * 512,
        stated: Some(BLOCKS * 512),
        native: Some(BLOCKS * 512),
        factory: Some(BLOCKS * 512),
        accessible: None,
    };
    record.sanitisation = Sanitisation {
        method: method.name.into(),
        title: method.title.into(),
        source: method.source.into(),
        category: "Purge".into(),
        technique: "command".into(),
        command: Some(CommandRecord {
            name: "enhanced SECURITY ERASE UNIT".into(),
            purge: "NIST SP 800-88 Rev. 1, table A-5, purge 2 (not named by Rev. 2)".into(),
            cryptographic: false,
            evidence: evidence.name().into(),
            evidence_words: evidence.words().into(),
            started: "2026-03-01T09:15:09Z".into(),
            finished: "2026-03-01T11:15:09Z".into(),
            markers: BLOCKS / 19,
            markers_left: 0,
            stopped_since: false,
        }),
        passes: Vec::new(),
        ..record.sanitisation
    };
    record.coverage.blocks_overwritten = 0;
    record.coverage.hidden = Some(Hidden { before: sizes, after: sizes, ..Hidden::default() });
    record.verification.kinds =
        Some(KindsRecord { repeating: BLOCKS, pattern: "a5".repeat(16), ..KindsRecord::default() });
    in_words(record)
}

fn media(bytes: u64) -> Media {
    let health = serde_json::json!({"passed": true, "reallocated": 0, "pending": 0, "power_on_hours": 31207});
    Media {
        manufacturer: "Western Digital".into(),
        model: "WDC WD5000AAKX-001CA0".into(),
        serial: "WD-WCAYUF123456".into(),
        wwn: "0x50014ee2b0f1e2d3".into(),
        firmware: "15.01H15".into(),
        media_type: "hard disk".into(),
        interface: "ATA".into(),
        unit: Some(crate::firmware::units::Unit::drive()),
        bytes,
        logical_block: 512,
        physical_block: 512,
        property_number: "INV-00815".into(),
        source: String::new(),
        classification: String::new(),
        health_before: Some(health.clone()),
        health_after: Some(health),
        heat: Some(HeatRecord { highest_celsius: 43, limit_celsius: 60, pauses: 0, paused_seconds: 0 }),
    }
}
