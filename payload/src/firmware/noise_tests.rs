//! Drives that answer anything: no procedure panics, each ends, and what it says of the password agrees with the record.

use super::{
    capacity,
    model::Model,
    record::Record,
    sanitize,
    security::{self, Password},
};
use crate::{
    ata::{AtaDrive, security::Scope},
    scsi::{CommandError, CommandPlane, Data, Reply},
};
use std::time::Duration;

/// The drive underneath; from time to time its answer is replaced by noise.
struct Noisy {
    drive: Model,
    state: u64,
    one_in: u64,
}

impl Noisy {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state >> 33
    }

    fn bytes(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.next().to_le_bytes()[0];
        }
    }
}

impl CommandPlane for Noisy {
    fn execute(&mut self, cdb: &[u8], data: Data<'_>, timeout: Duration) -> Result<Reply, CommandError> {
        if !self.next().is_multiple_of(self.one_in) {
            return self.drive.execute(cdb, data, timeout);
        }
        let mut reply = Reply { status: 0, sense: vec![0; 22], transferred: 512 };
        if let Data::In(buf) = data {
            self.bytes(buf);
            // Data that pass for IDENTIFY DEVICE.
            if let Some(signature) = buf.get_mut(510) {
                *signature = 0;
                buf[1] = 0;
            }
        }
        match self.next() % 4 {
            0 => return Err(CommandError::TimedOut),
            1 => {}
            2 => self.bytes(&mut reply.sense),
            _ => {
                self.bytes(&mut reply.sense);
                reply.sense[..11].copy_from_slice(&[0x72, 1, 0, 0x1d, 0, 0, 0, 14, 9, 12, 1]);
                reply.status = 2;
            }
        }
        Ok(reply)
    }
}

#[test]
fn what_is_said_of_the_password_agrees_with_the_record() {
    let mut seen = [0; 4];
    for seed in 0..4000 {
        let mut noisy = Noisy { drive: Model::new("A", 8, "enhanced"), state: seed, one_in: 2 + seed % 6 };
        let mut record = Record::default();
        let scope = if seed % 2 == 0 { Scope::Normal } else { Scope::Enhanced };
        let result = security::erase(&mut AtaDrive::new(&mut noisy), scope, &mut record);
        let may_be_set = match result {
            Ok(_) => false,
            Err(error) => {
                seen[error.password as usize] += 1;
                matches!(error.password, Password::Set | Password::Unknown)
            }
        };
        assert_eq!(record.may_be_set, may_be_set, "seed {seed}");
        assert!(may_be_set || !noisy.drive.has_password(), "seed {seed}: nobody knows of the password");
        let name = noisy.drive.name();
        let _ = security::recover(&mut AtaDrive::new(&mut noisy), &name, &mut record);
    }
    assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
}

#[test]
fn the_other_procedures_end() {
    for seed in 0..2000 {
        let one_in = 1 + seed % 6;
        let drive = Model::new("A", 16, "hpa=8,dco=12,sanitize,sanitize-seconds=15");
        let mut noisy = Noisy { drive, state: seed, one_in };
        let mut record = Record::default();
        if let Ok(survey) = capacity::survey(&mut AtaDrive::new(&mut noisy)) {
            assert!(survey.largest() >= survey.visible());
        }
        if let Ok(proof) = capacity::reveal(&mut AtaDrive::new(&mut noisy), &mut record) {
            assert_eq!(proof.after().hidden(), 0);
        }
        let _ = sanitize::block_erase(&mut AtaDrive::new(&mut noisy), &mut record);
        let _ = sanitize::watch(&mut AtaDrive::new(&mut noisy), &mut record);
        let _ = super::scsi::erase(&mut noisy_scsi(seed), crate::scsi::sanitize::Action::BlockErase, &mut record);
    }
}

/// Nothing but noise: the drive underneath speaks no SCSI of its own.
fn noisy_scsi(seed: u64) -> Noisy {
    Noisy { drive: Model::new("A", 8, ""), state: seed, one_in: 1 }
}
