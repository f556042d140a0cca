use super::*;
use crate::{
    ata::{identify::tests::Sample, smart::tests::sector},
    scsi::Reply,
};
use std::collections::HashMap;

/// Answers by ATA command and feature: with a sector, or with sense data.
#[derive(Default)]
struct Scripted(HashMap<(u8, u8), Answer>);

#[derive(Clone)]
enum Answer {
    Sector(Vec<u8>, usize),
    Sense(Vec<u8>),
}

impl CommandPlane for Scripted {
    fn execute(&mut self, cdb: &[u8], data: Data<'_>, _: Duration) -> Result<Reply, CommandError> {
        assert_eq!((cdb[0], cdb.len()), (0x85, 16));
        match (self.0.get(&(cdb[14], cdb[4])), data) {
            (Some(Answer::Sector(sector, len)), Data::In(buf)) => {
                buf[..*len].copy_from_slice(&sector[..*len]);
                Ok(Reply { status: 0, sense: Vec::new(), transferred: *len })
            }
            (Some(Answer::Sector(_, len)), Data::Out(_)) => {
                Ok(Reply { status: 0, sense: Vec::new(), transferred: *len })
            }
            (Some(Answer::Sense(sense)), _) => {
                Ok(Reply { status: CHECK_CONDITION, sense: sense.clone(), transferred: 0 })
            }
            _ => Err(CommandError::Unsupported),
        }
    }
}

fn registers(status: u8, error: u8, lba: [u8; 6]) -> Answer {
    let [lba0, lba1, lba2, lba3, lba4, lba5] = lba;
    let head = [0x72, 1, 0, 0x1d, 0, 0, 0, 14, 9, 12, 1, error, 0, 0];
    Answer::Sense([&head[..], &[lba3, lba0, lba4, lba1, lba5, lba2, 0x40, status]].concat())
}

fn drive(answers: &[((u8, u8), Answer)]) -> AtaDrive<Scripted> {
    AtaDrive::new(Scripted(answers.iter().cloned().collect()))
}

fn whole(sector: [u8; 512]) -> Answer {
    Answer::Sector(sector.to_vec(), 512)
}

#[test]
fn identify_travels() {
    let data = Sample::disk("MODEL", "SERIAL").sealed();
    assert_eq!(drive(&[((0xec, 0), whole(data))]).identify().unwrap().serial, "SERIAL");
    let short = drive(&[((0xec, 0), Answer::Sector(data.to_vec(), 256))]).identify();
    assert!(matches!(short, Err(AtaError::Short(256))));
    let blank = drive(&[((0xec, 0), whole([0; 512]))]).identify();
    assert!(matches!(blank, Err(AtaError::Identify(IdentifyError::Blank))));
}

#[test]
fn health_is_what_was_read() {
    let data = whole(sector(&[&[5, 1, 0, 10, 10, 9], &[9, 0, 0, 99, 99, 0x10, 0x27]]));
    let limits = whole(sector(&[&[5, 36]]));
    let status = registers(0x50, 0, [0, 0xf4, 0x2c, 0, 0, 0]);
    let health =
        drive(&[((0xb0, 0xd0), data.clone()), ((0xb0, 0xd1), limits.clone()), ((0xb0, 0xda), status)]).health();
    let health = health.unwrap();
    assert_eq!((health.passed, health.reallocated, health.power_on_hours), (Some(false), Some(9), Some(10_000)));
    assert_eq!(health.failing_attributes, [5]);
    let lossy = drive(&[((0xb0, 0xd0), data.clone()), ((0xb0, 0xd1), limits)]).health().unwrap();
    assert_eq!(lossy.passed, Some(false));
    assert_eq!(drive(&[((0xb0, 0xd0), data)]).health().unwrap().passed, None);
    assert!(drive(&[]).health().is_err());
}

#[test]
fn the_native_size_is_one_more_than_the_last_address() {
    let native = registers(0x50, 0, [0xff, 0xff, 0xff, 0x0f, 0x01, 0]);
    assert_eq!(drive(&[((0x27, 0), native)]).native_sectors(true).unwrap(), 0x01_1000_0000);
    let refused = drive(&[((0x27, 0), registers(0x51, 0x04, [0; 6]))]).native_sectors(true);
    assert!(matches!(refused, Err(AtaError::Refused { status: 0x51, error: 0x04 })));
    let zeros = drive(&[((0x27, 0), registers(0x50, 0, [0; 6]))]).native_sectors(true);
    assert!(matches!(zeros, Err(AtaError::NoRegisters)));
}

#[test]
fn a_bridge_without_pass_through_is_told_from_a_drive_that_refuses() {
    let illegal = Answer::Sense(vec![0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0]);
    assert!(matches!(drive(&[((0xec, 0), illegal)]).identify(), Err(AtaError::NoPassThrough)));
    let medium = Answer::Sense(vec![0x70, 0, 3, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x11, 0, 0, 0, 0, 0]);
    assert!(matches!(drive(&[((0xec, 0), medium)]).identify(), Err(AtaError::Failed { status: 2, key: 3 })));
    let nothing = Answer::Sense(Vec::new());
    assert!(matches!(drive(&[((0xec, 0), nothing)]).identify(), Err(AtaError::Failed { status: 2, key: 0 })));
}

#[test]
fn a_sector_that_was_cut_short_was_not_sent() {
    let sent = |len| {
        let answer = Answer::Sector(vec![0; 512], len);
        let taskfile = crate::ata::security::set_password();
        drive(&[((0xf1, 0), answer)]).send(&taskfile, &crate::ata::security::password_block(), TIMEOUT)
    };
    assert!(matches!(sent(511), Err(AtaError::Short(511))));
    sent(512).unwrap();
}
