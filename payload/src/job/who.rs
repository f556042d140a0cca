//! A drive is asked who it is, through the descriptor that is held. What the kernel remembers does not change when a dock keeps
//! its place and gets another disk: only the drive itself can tell.

use crate::{
    ata::AtaDrive,
    discover::{Bus, Drive},
    drive::{Address, Completion, DataPlane, Geometry, Identity, IoError, IoErrorKind, Op, Request},
    nvme::{NvmeAdmin, admin, identify::Namespace},
    scsi::{CommandPlane, Data, cdb, text::clean, vpd},
};
use std::time::{Duration, Instant};

/// INQUIRY is answered at once, also by a drive that sleeps (SPC-4, 6.6).
const TIMEOUT: Duration = Duration::from_secs(20);
/// How often it is asked: the first answer after a reset is that there was one (UNIT ATTENTION 29h).
const TRIES: u32 = 3;

/// Whether what answers is the drive that was planned, and has the blocks that are addressed. A drive that has no such answer by
/// its interface (a file, a virtual disk, a bridge that gave none before either) is taken for itself.
///
/// # Errors
/// Another drive answers, this one does not say who it is any more, or it has another size than it is used with.
pub(super) fn is_still(plane: &dyn DataPlane, drive: &Drive) -> Result<(), String> {
    plane.is_in_place()?;
    let mut last = String::new();
    for _ in 0..TRIES {
        match answer(plane, drive) {
            Ok(None) => return Ok(()),
            Ok(Some(said)) if said.is(drive, plane.stated().is_some()) => return said.fits(plane.geometry().bytes()),
            Ok(Some(said)) => {
                return Err(format!("another drive answers now: {}, and not {}", said.names(), drive.identity));
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
    /// Whether it was read past all caches whenever that was looked at: another hand can change it and change it back.
    direct: bool,
}

impl Watched {
    /// Of a drive that was asked just now.
    pub(super) fn new(plane: Box<dyn DataPlane>, drive: Drive, every: Duration) -> Self {
        let direct = plane.is_direct();
        Self { plane, drive, every, asked: Instant::now(), doubted: false, direct }
    }

    fn ask(&mut self) -> Result<(), String> {
        is_still(&*self.plane, &self.drive).map_err(|error| {
            let since = self.asked.elapsed().as_secs() + 1;
            format!("{error}. What was written in the last {since} s may be on another drive")
        })?;
        (self.asked, self.doubted) = (Instant::now(), false);
        self.direct &= self.plane.is_direct();
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
        self.direct && self.plane.is_direct()
    }

    fn is_in_place(&self) -> Result<(), String> {
        self.plane.is_in_place()
    }

    fn flush(&mut self) -> Result<(), IoError> {
        self.plane.flush()?;
        self.ask().map_err(|detail| IoError::flush(IoErrorKind::Exchanged, detail))
    }

    fn hole(&mut self, offset: u64) -> u64 {
        self.plane.hole(offset)
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

/// What a drive answers; a blank where it was not asked for.
#[derive(Debug, Default)]
struct Said {
    model: String,
    serial: String,
    /// World-wide names of a logical unit, where it has no serial number.
    names: Vec<String>,
    size: Option<Size>,
}

/// Bytes that a drive states.
#[derive(Debug, Clone, Copy)]
enum Size {
    /// Of a namespace.
    Exactly(u64),
    /// Of a disk: what it is connected through may show less (a bridge that keeps sectors for itself), never more.
    AtMost(u64),
}

impl Said {
    /// `stated` is whether the plane itself knows who the drive is.
    fn is(&self, drive: &Drive, stated: bool) -> bool {
        let identity = &drive.identity;
        match (&drive.ata, drive.bus) {
            _ if stated => self.model == identity.model && self.serial == identity.serial,
            (Some(ata), _) => self.model == ata.model && self.serial == ata.serial,
            (None, Bus::Nvme) => self.model == identity.model && self.serial == identity.serial,
            (None, _) if identity.serial.is_empty() => {
                identity.wwn.as_ref().is_none_or(|wwn| self.names.iter().any(|name| name == wwn))
            }
            (None, _) => self.serial == identity.serial,
        }
    }

    fn names(&self) -> String {
        let parts = [&self.model, &self.serial].into_iter().chain(&self.names).filter(|part| !part.is_empty());
        let parts: Vec<_> = parts.map(String::as_str).collect();
        if parts.is_empty() { "one without names".into() } else { parts.join(" ") }
    }

    /// A size of 0 is that of a drive that has lost its own; whether it can be read shows when it is.
    fn fits(&self, shown: u64) -> Result<(), String> {
        let stated = match self.size {
            Some(Size::Exactly(stated)) if stated != shown && stated > 0 => stated,
            Some(Size::AtMost(stated)) if stated < shown && stated > 0 => stated,
            _ => return Ok(()),
        };
        Err(format!(
            "{shown} bytes can be addressed here, and the drive itself states {stated}: what it is connected through does not show \
             it as it is; connect it directly"
        ))
    }
}

fn answer(plane: &dyn DataPlane, drive: &Drive) -> Result<Option<Said>, String> {
    if let Some(Identity { model, serial, bytes, .. }) = plane.stated() {
        return Ok(Some(Said { model, serial, size: Some(Size::AtMost(bytes)), ..Said::default() }));
    }
    if let Some((mut controller, nsid)) = plane.admin().filter(|_| drive.bus == Bus::Nvme) {
        return namespace(&mut *controller, nsid).map(Some);
    }
    let Some(mut commands) = plane.commands() else { return Ok(None) };
    match (&drive.ata, drive.bus) {
        (Some(_), _) => {
            let identify = AtaDrive::new(commands).identify().map_err(|error| error.to_string())?;
            let size = Some(Size::AtMost(identify.sectors.saturating_mul(u64::from(identify.logical_sector))));
            Ok(Some(Said { model: identify.model, serial: identify.serial, size, ..Said::default() }))
        }
        (None, Bus::Scsi) => unit(&mut *commands, &drive.identity),
        _ => Ok(None),
    }
}

fn namespace(controller: &mut dyn NvmeAdmin, nsid: u32) -> Result<Said, String> {
    let mut ask = |command| {
        let mut page = [0; 4096];
        controller.admin(&command, Data::In(&mut page)).map_err(|error| error.to_string()).map(|_| page)
    };
    let page = ask(admin::identify_controller())?;
    // Base specification 2.0, figure 276: serial number, then model number.
    let (model, serial) = (clean(&page[24..64]), clean(&page[4..24]));
    let namespace = Namespace::parse(&ask(admin::identify_namespace(nsid))?);
    let bytes = namespace.and_then(|namespace| namespace.blocks.checked_mul(namespace.format?.bytes));
    Ok(Said { model, serial, size: bytes.map(Size::Exactly), ..Said::default() })
}

/// The planned drive has a serial number, or a name of another kind: one without is another.
fn unit(commands: &mut dyn CommandPlane, planned: &Identity) -> Result<Option<Said>, String> {
    let mut page = [0; 252];
    let number = match (planned.serial.is_empty(), &planned.wwn) {
        (false, _) => 0x80,
        (true, Some(_)) => 0x83,
        (true, None) => return Ok(None),
    };
    let asked = cdb::vital_product_data(number, 252);
    let reply = commands.execute(&asked, Data::In(&mut page), TIMEOUT).map_err(|error| error.to_string())?;
    if reply.status != 0 {
        return Err(format!("SCSI status {:#04x}", reply.status));
    }
    let serial = vpd::serial_number(&page).unwrap_or_default();
    Ok(Some(Said { serial, names: vpd::world_wide_names(&page), ..Said::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{drive::Access, firmware::model::Model, job::tests::rig::described_model};
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    /// A plane that only says where it is, and whether it is read directly and is in place.
    #[derive(Clone)]
    struct Addressed(Arc<[AtomicBool; 2]>);

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
            self.0[0].load(Ordering::Relaxed)
        }

        fn is_in_place(&self) -> Result<(), String> {
            if self.0[1].load(Ordering::Relaxed) { Ok(()) } else { Err("moved".into()) }
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

    fn addressed() -> (Addressed, impl Fn(usize, bool)) {
        let flags: Arc<[AtomicBool; 2]> = Arc::new([true.into(), true.into()]);
        (Addressed(Arc::clone(&flags)), move |flag, value| flags[flag].store(value, Ordering::Relaxed))
    }

    /// What a certificate says of the rest of the device is asked through it.
    #[test]
    fn a_watched_drive_is_where_the_drive_is() {
        let drive = described_model("A", &Model::new("A", 64, "smart"));
        let (plane, set) = addressed();
        let watched = Watched::new(Box::new(plane.clone()), drive.clone(), Duration::ZERO);
        assert_eq!(watched.address(), plane.address());
        set(1, false);
        assert_eq!(is_still(&watched, &drive), Err("moved".into()));
    }

    /// `losetup --direct-io` and a new attribute of a file work at once, also while it is read.
    #[test]
    fn a_drive_that_was_read_through_a_cache_for_a_while_was_not_read_directly() {
        let (plane, set) = addressed();
        let drive = described_model("A", &Model::new("A", 64, "smart"));
        let mut watched = Watched::new(Box::new(plane), Drive { ata: None, bus: Bus::Loop, ..drive }, Duration::ZERO);
        watched.flush().unwrap();
        assert!(watched.is_direct());
        set(0, false);
        watched.flush().unwrap();
        set(0, true);
        assert!(!watched.is_direct());
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

    /// In a resumed job, or in a dock that shows another size than the drive has since it was planned.
    #[test]
    fn a_drive_that_is_shown_larger_than_it_says_it_is_is_not_used() {
        let model = Model::new("PLANNED", 64, "smart");
        let bytes = model.geometry().bytes();
        for (shown, fits) in [(bytes, true), (bytes - 4096, true), (bytes + 4096, false)] {
            model.behind_bridge(shown, 512, 1);
            let drive = described_model("A", &model);
            let plane = model.open(Access::ReadOnly).unwrap();
            let result = is_still(&plane, &drive);
            assert_eq!(result.is_ok(), fits, "{shown} of {bytes} bytes: {result:?}");
            assert!(fits || result.unwrap_err().contains("the drive itself states"));
        }
    }

    /// A size of 0 is left to the first request.
    #[test]
    fn a_namespace_has_exactly_the_size_it_states() {
        let said = |size| Said { size, ..Said::default() };
        for (size, shown, fits) in [
            (None, 512, true),
            (Some(Size::Exactly(512)), 512, true),
            (Some(Size::Exactly(1024)), 512, false),
            (Some(Size::Exactly(0)), 512, true),
            (Some(Size::AtMost(1024)), 512, true),
            (Some(Size::AtMost(511)), 512, false),
        ] {
            assert_eq!(said(size).fits(shown).is_ok(), fits, "{size:?} for {shown}");
        }
    }

    #[test]
    fn a_unit_without_a_serial_number_is_told_by_its_world_wide_name() {
        let said =
            Said { names: vec!["naa.5000c500a1b2c3d4".into(), "eui.0102030405060708".into()], ..Said::default() };
        let wwn = |name: &str| Identity { model: "M".into(), serial: String::new(), wwn: Some(name.into()), bytes: 1 };
        let model = Model::new("A", 64, "smart");
        let drive = |name| Drive { ata: None, bus: Bus::Scsi, identity: wwn(name), ..described_model("A", &model) };
        assert!(said.is(&drive("eui.0102030405060708"), false) && !said.is(&drive("naa.5000c500ffffffff"), false));
        assert!(!Said::default().is(&drive("naa.5000c500a1b2c3d4"), false), "no names are another drive's");
    }
}
