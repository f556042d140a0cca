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
    discover::{Bus, Details, Drive, fixture::plain},
    drive::{Access, DataPlane, Geometry, GeometryError, Identity, sim::SimDisk},
    engine::sweep::Limits,
    firmware::{Name, model::Model},
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
    plan::{Authority, Plan, PlanError, Request, Sticks},
    scsi::CommandPlane,
};
use mule_types::{method, stick::ImageId};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
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

/// The same on a machine that lost the date.
pub(in crate::job) fn clock_back() -> u64 {
    static NOW: AtomicU64 = AtomicU64::new(1_100_000_000_000);
    NOW.fetch_add(1000, Ordering::Relaxed)
}

/// A simulated drive as discovery would describe it.
pub(in crate::job) fn described(name: &str, disk: &SimDisk) -> Drive {
    let identity = disk.identity();
    let geometry = Geometry::new(identity.bytes, 512, 4096);
    found(name, identity, geometry)
}

fn found(name: &str, identity: Identity, geometry: Result<Geometry, GeometryError>) -> Drive {
    Drive {
        port: "ata1".into(),
        firmware: Some("1.0".into()),
        rotational: Some(true),
        ..plain(name, identity, geometry)
    }
}

/// A modelled disk as discovery would describe it.
pub(in crate::job) fn described_model(name: &str, model: &Model) -> Drive {
    let geometry = model.geometry();
    let Name { model: text, serial } = model.name();
    let identity = Identity { model: text, serial, wwn: None, bytes: geometry.bytes() };
    if model.is_nvme() {
        return Drive { bus: Bus::Nvme, rotational: Some(false), ..found(name, identity, Ok(geometry)) };
    }
    let ata = Identify::parse(&model.words()).unwrap();
    let details = Details { rotation: ata.rotation, ..Details::default() };
    let bus = if model.has_bridge() { Bus::Usb } else { Bus::Ata };
    Drive { bus, ata: Some(ata), details, ..found(name, identity, Ok(geometry)) }
}

/// What stands behind a path.
#[derive(Clone)]
enum Hardware {
    Sim(SimDisk),
    Model(Model),
}

impl Hardware {
    fn described(&self, name: &str) -> Drive {
        match self {
            Self::Sim(disk) => described(name, disk),
            Self::Model(model) => described_model(name, model),
        }
    }
}

struct SimOpener(Vec<(PathBuf, Hardware)>);

impl SimOpener {
    fn hardware(&self, drive: &Drive) -> Result<&Hardware, String> {
        let found = self.0.iter().find(|(path, _)| *path == drive.path);
        found.map(|(_, hardware)| hardware).ok_or_else(|| "no such drive".into())
    }
}

impl Opener for SimOpener {
    fn open(&self, drive: &Drive, access: Access) -> Result<(Box<dyn DataPlane>, Identity), String> {
        match self.hardware(drive)? {
            Hardware::Sim(disk) => {
                let open = disk.open(access).map_err(|error| error.to_string())?;
                let identity = open.identity();
                Ok((Box::new(open), identity))
            }
            Hardware::Model(model) => {
                let open = model.open(access)?;
                Ok((Box::new(open), described_model(&drive.name, model).identity))
            }
        }
    }

    fn ask_every(&self) -> Option<Duration> {
        // Models count commands, and tests cut at each of them.
        let models = self.0.iter().any(|(_, hardware)| matches!(hardware, Hardware::Model(_)));
        (!models).then_some(Duration::ZERO)
    }

    fn commands(&self, drive: &Drive, _: Access) -> Result<Option<Box<dyn CommandPlane>>, String> {
        Ok(match self.hardware(drive)? {
            Hardware::Sim(_) => None,
            Hardware::Model(model) if model.is_nvme() => None,
            Hardware::Model(model) => Some(Box::new(model.clone())),
        })
    }

    fn again(&self, drive: &Drive, sectors: u64) -> Result<Drive, String> {
        let found = self.hardware(drive)?.described(&drive.name);
        assert_eq!(found.geometry.unwrap().blocks(), sectors);
        Ok(found)
    }

    fn find(&self, drive: &Drive) -> Option<Drive> {
        // Somebody pulls the drive's power connector.
        if let Ok(Hardware::Model(model)) = self.hardware(drive) {
            model.power_cycle();
        }
        Some(drive.clone())
    }

    fn look(&self, drive: &Drive) -> Result<Box<dyn ReadAt>, String> {
        let len = usize::try_from(drive.identity.bytes).unwrap();
        Ok(match self.hardware(drive)? {
            Hardware::Sim(disk) => Box::new(disk.read_cells(0, usize::try_from(disk.identity().bytes).unwrap())),
            Hardware::Model(model) => Box::new(model.cells()[..len].to_vec()),
        })
    }
}

pub(in crate::job) struct Bench {
    pub(in crate::job) disks: Vec<SimDisk>,
    pub(in crate::job) medium: MemoryMedium,
    folder: tempfile::TempDir,
    pub(in crate::job) method: &'static str,
    pub(in crate::job) verify: Verify,
    pub(in crate::job) hidden_areas: HiddenAreas,
    /// Disks that have firmware.
    pub(in crate::job) models: Vec<Model>,
    pub(in crate::job) clock: fn() -> u64,
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
            models: Vec::new(),
            clock,
        }
    }

    /// The drives, plugged in in this order: `sda` is the first. Those with firmware come last.
    fn hardware(&self) -> impl Iterator<Item = (String, Hardware)> {
        let names = ('a'..='z').map(|letter| format!("sd{letter}"));
        let sims = self.disks.iter().cloned().map(Hardware::Sim);
        names.zip(sims.chain(self.models.iter().cloned().map(Hardware::Model)))
    }

    pub(in crate::job) fn drives(&self) -> Vec<Drive> {
        self.hardware().map(|(name, hardware)| hardware.described(&name)).collect()
    }

    pub(in crate::job) fn request(&self) -> Request {
        Request {
            method: method::find(self.method).unwrap(),
            selection: self.selection(),
            verify: self.verify,
            operator: Operator { name: "A. Technician".into(), ..Operator::default() },
            job: None,
            digest: [1; 32],
        }
    }

    /// A USB drive is touched only where it is named.
    fn selection(&self) -> Selection {
        if !self.models.iter().any(Model::has_bridge) {
            return Selection::All;
        }
        Selection::Named(self.drives().into_iter().map(|drive| drive.identity.serial).collect())
    }

    pub(in crate::job) fn open_log(&self) -> Result<(Journal, Replay), JournalError> {
        let opened = Journal::open(Box::new(self.medium.clone()), OWNER, (self.clock)());
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
        let paths = self.hardware().map(|(name, hardware)| (PathBuf::from("/dev").join(name), hardware));
        Surroundings {
            opener: Box::new(SimOpener(paths.collect())),
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
        let (log, around) = (Arc::new(Log::new(journal, self.clock)), self.around());
        if !self.models.is_empty() && !plan.is_resumed() {
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
