//! A bench of simulated drives with a log and a folder for certificates.

use crate::{
    ata::Identify,
    blocks::ReadAt,
    certify::{
        check,
        record::{Host, Operator, Record, Tool},
    },
    cli::host::Folder,
    console::Silent,
    discover::{Bus, Drive},
    drive::{
        self, Access, Completion, DataPlane, Geometry, Identity, IoError,
        sim::{SimDisk, SimDrive},
    },
    engine::sweep::Limits,
    firmware::fake::{Fake, Lie},
    job::{
        claim::Opener,
        hidden,
        run::{Surroundings, Tally, execute},
        status::Log,
    },
    jobfile::{HiddenAreas, Selection},
    journal::{
        Journal, JournalError, Owner, Verify,
        medium::MemoryMedium,
        replay::Replay,
        scan,
        superblock::{Found, Superblock},
    },
    plan::{Authority, Plan, PlanError, Request, Sticks, method},
    scsi::{CommandError, CommandPlane, Data, Reply},
    stick::ImageId,
};
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub(in crate::job) const MIB: u64 = 1 << 20;
const OWNER: Owner = Owner { image: ImageId([7; 16]), binding: [7; 32] };

/// A clock that advances by a second with every look at it, so that times differ and none depends on the machine.
pub(in crate::job) fn clock() -> u64 {
    static NOW: AtomicU64 = AtomicU64::new(1_790_000_000_000);
    NOW.fetch_add(1000, Ordering::Relaxed)
}

/// A simulated drive as discovery would describe it.
pub(in crate::job) fn described(name: &str, disk: &SimDisk) -> Drive {
    let identity = disk.identity();
    Drive {
        name: name.into(),
        path: PathBuf::from("/dev").join(name),
        geometry: Geometry::new(identity.bytes, 512, 4096),
        identity,
        bus: Bus::Ata,
        port: "ata1".into(),
        firmware: Some("1.0".into()),
        removable: false,
        read_only: false,
        rotational: Some(true),
        usage: Vec::new(),
        partitions: Vec::new(),
        ata: None,
        native_sectors: None,
        health: None,
        link: None,
        details: crate::discover::Details::default(),
    }
}

/// The firmware of a simulated disk, where it has one.
pub(in crate::job) type Firmware = Arc<Mutex<Fake>>;

struct SimOpener {
    disks: Vec<(PathBuf, SimDisk)>,
    firmware: HashMap<String, Firmware>,
}

impl SimOpener {
    fn disk(&self, drive: &Drive) -> Result<&SimDisk, String> {
        let found = self.disks.iter().find(|(path, _)| *path == drive.path);
        found.map(|(_, disk)| disk).ok_or_else(|| "no such drive".into())
    }
}

/// The command plane of a disk with firmware. When the firmware erases, it is the disk's cells that change.
struct Shown(Firmware, SimDisk);

impl CommandPlane for Shown {
    fn execute(&mut self, cdb: &[u8], data: Data<'_>, timeout: Duration) -> Result<Reply, CommandError> {
        let mut fake = self.0.lock().unwrap();
        fake.data = [true; 3];
        let reply = fake.execute(cdb, data, timeout);
        if !fake.data[0] && !fake.lies.contains(&Lie::CellsStay) {
            let (command, feature) = fake.log.iter().rev().find(|(command, f)| *command == 0xf4 || *f != 0).unwrap();
            let len = usize::try_from(self.1.identity().bytes).unwrap();
            let left = match (command, feature) {
                (0xf4, _) if !fake.data[1] => vec![0xa5; len],
                (0xb4, 0x12) => vec![0xff; len],
                (0xb4, 0x11) => (0_u32..).map(|n| (n.wrapping_mul(0x9e37_79b9) >> 24) as u8).take(len).collect(),
                _ => vec![0; len],
            };
            self.1.write_cells(0, &left);
        }
        reply
    }
}

/// A drive that takes commands on the claim of its data plane.
struct Armed(SimDrive, Option<(Firmware, SimDisk)>);

impl DataPlane for Armed {
    fn geometry(&self) -> Geometry {
        self.0.geometry()
    }

    fn depth(&self) -> usize {
        self.0.depth()
    }

    fn submit(&mut self, request: drive::Request) -> Result<(), IoError> {
        self.0.submit(request)
    }

    fn wait(&mut self, timeout: Duration) -> Result<Option<Completion>, IoError> {
        self.0.wait(timeout)
    }

    fn flush(&mut self) -> Result<(), IoError> {
        self.0.flush()
    }

    fn make_zeros(&mut self, offset: u64, len: u64) -> Result<bool, IoError> {
        self.0.make_zeros(offset, len)
    }

    fn discards(&self) -> bool {
        self.0.discards()
    }

    fn discard(&mut self, offset: u64, len: u64) -> Result<(), IoError> {
        self.0.discard(offset, len)
    }

    fn commands(&self) -> Option<Box<dyn CommandPlane>> {
        self.1.as_ref().map(|(firmware, disk)| Box::new(Shown(Arc::clone(firmware), disk.clone())) as _)
    }
}

impl Opener for SimOpener {
    fn open(&self, drive: &Drive, access: Access) -> Result<(Box<dyn DataPlane>, Identity), String> {
        let disk = self.disk(drive)?;
        let open = disk.open(access).map_err(|error| error.to_string())?;
        let identity = open.identity();
        let firmware = self.firmware.get(&drive.identity.serial).map(|firmware| (Arc::clone(firmware), disk.clone()));
        Ok((Box::new(Armed(open, firmware)), identity))
    }

    fn commands(&self, drive: &Drive, _: Access) -> Result<Option<Box<dyn CommandPlane>>, String> {
        let disk = self.disk(drive)?;
        let firmware = self.firmware.get(&drive.identity.serial);
        Ok(firmware.map(|firmware| Box::new(Shown(Arc::clone(firmware), disk.clone())) as _))
    }

    fn again(&self, drive: &Drive, sectors: u64) -> Result<Drive, String> {
        let disk = self.disk(drive)?;
        let firmware = &self.firmware[&drive.identity.serial];
        disk.set_capacity(firmware.lock().unwrap().visible * 512);
        let found = described(&drive.name, disk);
        assert_eq!(found.geometry.unwrap().blocks(), sectors);
        Ok(found)
    }

    fn find(&self, drive: &Drive) -> Option<Drive> {
        let firmware = self.firmware.get(&drive.identity.serial);
        // Somebody pulls the drive's power connector.
        firmware.inspect(|firmware| firmware.lock().unwrap().power_cycle());
        Some(drive.clone())
    }

    fn look(&self, drive: &Drive) -> Result<Box<dyn ReadAt>, String> {
        let disk = self.disk(drive)?;
        let len = usize::try_from(disk.identity().bytes).unwrap();
        Ok(Box::new(disk.read_cells(0, len)))
    }
}

pub(in crate::job) struct Bench {
    pub(in crate::job) disks: Vec<SimDisk>,
    pub(in crate::job) medium: MemoryMedium,
    folder: tempfile::TempDir,
    pub(in crate::job) method: &'static str,
    pub(in crate::job) verify: Verify,
    pub(in crate::job) hidden_areas: HiddenAreas,
    /// By serial number.
    pub(in crate::job) firmware: HashMap<String, Firmware>,
}

impl Bench {
    pub(in crate::job) fn new(disks: Vec<SimDisk>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            disks,
            medium: MemoryMedium::new(1 << 20),
            folder,
            method: "dod-5220.22-m",
            verify: Verify::Full,
            hidden_areas: HiddenAreas::Report,
            firmware: HashMap::new(),
        }
    }

    /// A disk of `native` sectors of which its firmware shows some.
    pub(in crate::job) fn hide(&mut self, serial: &str, fake: Fake) -> Firmware {
        let disk = self.disks.iter().find(|disk| disk.identity().serial == serial).unwrap();
        disk.set_capacity(fake.visible * 512);
        let firmware = Arc::new(Mutex::new(fake));
        self.firmware.insert(serial.into(), Arc::clone(&firmware));
        firmware
    }

    /// The drives, plugged in in this order: `sda` is the first.
    pub(in crate::job) fn drives(&self) -> Vec<Drive> {
        let names = ('a'..='z').map(|letter| format!("sd{letter}"));
        let with_firmware = |(name, disk): (String, &SimDisk)| {
            let firmware = self.firmware.get(&disk.identity().serial);
            let words = firmware.map(|firmware| firmware.lock().unwrap().words());
            Drive { ata: words.map(|words| Identify::parse(&words).unwrap()), ..described(&name, disk) }
        };
        names.zip(&self.disks).map(with_firmware).collect()
    }

    pub(in crate::job) fn request(&self) -> Request {
        Request {
            method: method::find(self.method).unwrap(),
            selection: Selection::All,
            verify: self.verify,
            operator: Operator { name: "A. Technician".into(), ..Operator::default() },
            job: None,
            digest: [1; 32],
        }
    }

    pub(in crate::job) fn open_log(&self) -> Result<(Journal, Replay), JournalError> {
        let opened = Journal::open(Box::new(self.medium.clone()), OWNER, clock());
        if let Ok((_, replay)) = &opened {
            assert_eq!(replay.contradiction, None, "no run contradicts itself");
        }
        opened
    }

    /// Everything the log says, finished jobs included.
    pub(in crate::job) fn history(&self) -> Replay {
        let mut medium = self.medium.clone();
        let Ok(Found::Whole { superblock, .. }) = Superblock::read(&mut medium) else { panic!("no log") };
        let replay = Replay::of(&scan::collect(&mut medium, &superblock, scan::Reach::Everywhere).unwrap().entries);
        assert_eq!(replay.contradiction, None, "no run contradicts itself");
        replay
    }

    pub(in crate::job) fn plan(&self) -> Plan {
        let sticks = Sticks::default();
        Plan::new(self.request(), &Authority::JobFile, self.drives(), &sticks, [3; 32]).unwrap()
    }

    /// The plan that goes on with what the log says was interrupted.
    pub(in crate::job) fn resumed(&self, replay: &Replay) -> Result<Plan, PlanError> {
        let unfinished = replay.unfinished().expect("an unfinished job").clone();
        Plan::resume(unfinished, self.request(), &Authority::JobFile, self.drives(), &Sticks::default())
    }

    pub(in crate::job) fn around(&self) -> Surroundings {
        let paths = self.drives().into_iter().map(|drive| drive.path);
        Surroundings {
            opener: Box::new(SimOpener {
                disks: paths.zip(self.disks.iter().cloned()).collect(),
                firmware: self.firmware.clone(),
            }),
            shelf: Arc::new(Folder(self.folder.path().into())),
            tool: Tool { name: "mule".into(), version: "0".into(), sha256: "0".into(), kernel: "none".into() },
            host: Host::default(),
            limits: Limits {
                checkpoint: Duration::ZERO,
                hang: Duration::from_millis(700),
                bad_places: 50,
                patience: Duration::ZERO,
                ..Limits::default()
            },
            health: |_| None,
            retained: Vec::new(),
        }
    }

    pub(in crate::job) fn execute(&self, mut plan: Plan, journal: Journal) -> Tally {
        let (log, around) = (Arc::new(Log::new(journal, clock)), self.around());
        if !self.firmware.is_empty() && !plan.is_resumed() {
            let (sticks, mut tell) = (Sticks::default(), |_: String| ());
            let bared = hidden::bare(&mut plan, self.hidden_areas, &sticks, &*around.opener, &log, &mut tell);
            if let Err(why) = bared {
                return Tally { stopped: Some(why), ..Tally::default() };
            }
        }
        execute(plan, &log, around, &mut Silent)
    }

    /// Plans and executes on a log that is opened for it.
    pub(in crate::job) fn run(&self) -> Tally {
        let (journal, _) = self.open_log().unwrap();
        self.execute(self.plan(), journal)
    }

    pub(in crate::job) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Every certificate written so far, each consistent in itself.
    pub(in crate::job) fn certificates(&self) -> Vec<Record> {
        let files = fs::read_dir(self.folder.path()).unwrap().flatten().map(|entry| entry.path());
        let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
        files.sort();
        let records = files.iter().map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap());
        records.inspect(|record| assert_eq!(check::contradictions(record), Vec::<String>::new())).collect()
    }

    /// The newest certificate of a drive.
    pub(in crate::job) fn certificate(&self, serial: &str) -> Record {
        let mut all = self.certificates();
        all.retain(|record| record.media.serial == serial);
        all.pop().unwrap_or_else(|| panic!("no certificate for {serial}"))
    }
}

/// A disk full of a byte that no method writes last.
pub(in crate::job) fn disk(serial: &str, bytes: u64) -> SimDisk {
    let disk = SimDisk::new(serial, bytes, 512);
    disk.set_background(crate::drive::sim::Background::Byte(0x77));
    disk
}

/// Whether any sector still holds the old content.
pub(in crate::job) fn holds_old_data(disk: &SimDisk) -> bool {
    let bytes = disk.identity().bytes;
    let cells = disk.read_cells(0, usize::try_from(bytes).unwrap());
    cells.chunks(512).any(|sector| sector.iter().all(|byte| *byte == 0x77))
}
