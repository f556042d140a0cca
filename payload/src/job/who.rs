//! A drive is asked who it is, through the descriptor that is held. What the kernel remembers does not change when a dock keeps
//! its place and gets another disk: only the drive itself can tell.

use crate::{
    ata::AtaDrive,
    discover::{Bus, Drive},
    drive::{Address, Completion, DataPlane, Geometry, Identity, IoError, IoErrorKind, Op, Request},
    nvme::{NvmeAdmin, admin},
    scsi::{CommandPlane, Data, cdb, text::clean, vpd},
};
use std::time::{Duration, Instant};

/// INQUIRY is answered at once, also by a drive that sleeps (SPC-4, 6.6).
const TIMEOUT: Duration = Duration::from_secs(20);
/// How often it is asked: the first answer after a reset is that there was one (UNIT ATTENTION 29h).
const TRIES: u32 = 3;

/// Whether what answers is the drive that was planned. A drive that has no such answer by its interface (a file, a virtual
/// disk, a bridge that gave none before either) is taken for itself.
///
/// # Errors
/// Another drive answers, or this one does not say who it is any more.
pub(super) fn is_still(plane: &dyn DataPlane, drive: &Drive) -> Result<(), String> {
    let mut last = String::new();
    for _ in 0..TRIES {
        match answer(plane, drive) {
            Ok(None) => return Ok(()),
            Ok(Some(found)) if found == expected(drive, plane.stated().is_some()) => return Ok(()),
            Ok(Some((model, serial))) => {
                return Err(format!("another drive answers now: {model} {serial}, and not {}", drive.identity));
            }
            Err(error) => last = error,
        }
    }
    Err(format!("the drive does not say who it is any more: {last}"))
}

/// A claimed drive that is asked who it is while it works: before a request where the last answer is older than `every`, after
/// every flush (which is what a checkpoint in the log stands on), and after every error. The system may take a drive that was
/// exchanged for a bad block (UNIT ATTENTION 28h, 29h, 3Fh; SPC-4, 5.14), and tell nobody.
pub(super) struct Watched {
    plane: Box<dyn DataPlane>,
    drive: Drive,
    every: Duration,
    asked: Instant,
    doubted: bool,
}

impl Watched {
    /// Of a drive that was asked just now.
    pub(super) fn new(plane: Box<dyn DataPlane>, drive: Drive, every: Duration) -> Self {
        Self { plane, drive, every, asked: Instant::now(), doubted: false }
    }

    fn ask(&mut self) -> Result<(), String> {
        is_still(&*self.plane, &self.drive).map_err(|error| {
            let since = self.asked.elapsed().as_secs() + 1;
            format!("{error}. What was written in the last {since} s may be on another drive")
        })?;
        (self.asked, self.doubted) = (Instant::now(), false);
        Ok(())
    }

    fn ask_if_due(&mut self, (op, offset, len): (Op, u64, u64)) -> Result<(), IoError> {
        if !self.doubted && self.asked.elapsed() < self.every {
            return Ok(());
        }
        self.ask().map_err(|detail| IoError::new(IoErrorKind::Exchanged, op, offset, len, detail))
    }
}

impl DataPlane for Watched {
    fn geometry(&self) -> Geometry {
        self.plane.geometry()
    }

    fn depth(&self) -> usize {
        self.plane.depth()
    }

    fn submit(&mut self, request: Request) -> Result<(), IoError> {
        self.ask_if_due((request.op, request.offset, request.buf.len() as u64))?;
        self.plane.submit(request)
    }

    fn wait(&mut self, timeout: Duration) -> Result<Option<Completion>, IoError> {
        let completion = self.plane.wait(timeout)?;
        self.doubted |= completion.as_ref().is_some_and(|done| done.result.is_err());
        Ok(completion)
    }

    fn is_direct(&self) -> bool {
        self.plane.is_direct()
    }

    fn flush(&mut self) -> Result<(), IoError> {
        self.plane.flush()?;
        self.ask().map_err(|detail| IoError::flush(IoErrorKind::Exchanged, detail))
    }

    fn make_zeros(&mut self, offset: u64, len: u64) -> Result<bool, IoError> {
        self.ask_if_due((Op::Write, offset, len))?;
        self.plane.make_zeros(offset, len)
    }

    fn discards(&self) -> bool {
        self.plane.discards()
    }

    fn discard(&mut self, offset: u64, len: u64) -> Result<(), IoError> {
        self.ask_if_due((Op::Write, offset, len))?;
        self.plane.discard(offset, len)
    }

    fn stated(&self) -> Option<Identity> {
        self.plane.stated()
    }

    fn commands(&self) -> Option<Box<dyn CommandPlane>> {
        self.plane.commands()
    }

    fn address(&self) -> Address {
        self.plane.address()
    }

    fn admin(&self) -> Option<(Box<dyn NvmeAdmin>, u32)> {
        self.plane.admin()
    }
}

/// Model and serial number; the model is blank where only the serial number is asked for.
type Name = (String, String);

fn expected(drive: &Drive, stated: bool) -> Name {
    match (&drive.ata, drive.bus) {
        _ if stated => (drive.identity.model.clone(), drive.identity.serial.clone()),
        (Some(ata), _) => (ata.model.clone(), ata.serial.clone()),
        (None, Bus::Nvme) => (drive.identity.model.clone(), drive.identity.serial.clone()),
        (None, _) => (String::new(), drive.identity.serial.clone()),
    }
}

fn answer(plane: &dyn DataPlane, drive: &Drive) -> Result<Option<Name>, String> {
    if let Some(Identity { model, serial, .. }) = plane.stated() {
        return Ok(Some((model, serial)));
    }
    if let Some((mut controller, _)) = plane.admin().filter(|_| drive.bus == Bus::Nvme) {
        let mut page = [0; 4096];
        controller.admin(&admin::identify_controller(), Data::In(&mut page)).map_err(|error| error.to_string())?;
        // Base specification 2.0, figure 276: serial number, then model number.
        return Ok(Some((clean(&page[24..64]), clean(&page[4..24]))));
    }
    let Some(mut commands) = plane.commands() else { return Ok(None) };
    match (&drive.ata, drive.bus) {
        (Some(_), _) => {
            let identify = AtaDrive::new(commands).identify().map_err(|error| error.to_string())?;
            Ok(Some((identify.model, identify.serial)))
        }
        (None, Bus::Scsi) if !drive.identity.serial.is_empty() => {
            let mut page = [0; 252];
            let asked = cdb::vital_product_data(0x80, 252);
            let reply = commands.execute(&asked, Data::In(&mut page), TIMEOUT).map_err(|error| error.to_string())?;
            if reply.status != 0 {
                return Err(format!("SCSI status {:#04x}", reply.status));
            }
            // The planned drive has a serial number: one without is another.
            Ok(Some((String::new(), vpd::serial_number(&page).unwrap_or_default())))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{drive::Access, firmware::model::Model, job::tests::rig::described_model};

    /// A plane that only says where it is.
    struct Addressed;

    impl DataPlane for Addressed {
        fn geometry(&self) -> Geometry {
            Geometry::new(512, 512, 512).unwrap()
        }

        fn depth(&self) -> usize {
            1
        }

        fn submit(&mut self, _: Request) -> Result<(), IoError> {
            Ok(())
        }

        fn wait(&mut self, _: Duration) -> Result<Option<Completion>, IoError> {
            Ok(None)
        }

        fn is_direct(&self) -> bool {
            true
        }

        fn flush(&mut self) -> Result<(), IoError> {
            Ok(())
        }

        fn make_zeros(&mut self, _: u64, _: u64) -> Result<bool, IoError> {
            Ok(false)
        }

        fn stated(&self) -> Option<Identity> {
            None
        }

        fn commands(&self) -> Option<Box<dyn CommandPlane>> {
            None
        }

        fn admin(&self) -> Option<(Box<dyn NvmeAdmin>, u32)> {
            None
        }

        fn address(&self) -> Address {
            Address { lun: Some(3), luns: vec![0, 3], ..Address::default() }
        }
    }

    /// What a certificate says of the rest of the device is asked through it.
    #[test]
    fn a_watched_drive_is_where_the_drive_is() {
        let drive = described_model("A", &Model::new("A", 64, "smart"));
        let watched = Watched::new(Box::new(Addressed), drive, Duration::ZERO);
        assert_eq!(watched.address(), Addressed.address());
    }

    /// The kernel goes on calling a place by what was in it when it was found.
    #[test]
    fn a_disk_that_was_exchanged_in_its_place_is_found() {
        let planned = Model::new("PLANNED", 64, "smart");
        let drive = described_model("A", &planned);
        assert_eq!(is_still(&planned.open(Access::ReadWrite).unwrap(), &drive), Ok(()));
        let other = Model::new("OTHER", 64, "smart");
        let error = is_still(&other.open(Access::ReadWrite).unwrap(), &drive).unwrap_err();
        assert!(error.contains("another drive answers now") && error.contains("OTHER"), "{error}");
        // Without the drive's own words there is nothing to compare.
        let mute = Drive { ata: None, bus: Bus::Usb, ..drive };
        assert_eq!(is_still(&other.open(Access::ReadWrite).unwrap(), &mute), Ok(()));
    }
}
