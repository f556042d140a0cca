//! A bench of simulated drives with a log and a folder for certificates.

use crate::{
    blocks::ReadAt,
    certify::{
        check,
        record::{Host, Operator, Record, Tool},
    },
    cli::host::Folder,
    console::Silent,
    discover::{Bus, Drive},
    drive::{Access, DataPlane, Geometry, Identity, sim::SimDisk},
    engine::sweep::Limits,
    job::{
        claim::Opener,
        run::{Surroundings, Tally, execute},
        status::Log,
    },
    jobfile::Selection,
    journal::{
        Journal, JournalError, Owner, Verify,
        medium::MemoryMedium,
        replay::Replay,
        scan,
        superblock::{Found, Superblock},
    },
    plan::{Authority, Plan, PlanError, Request, Sticks, method},
    stick::ImageId,
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub(super) const MIB: u64 = 1 << 20;
const OWNER: Owner = Owner { image: ImageId([7; 16]), binding: [7; 32] };

/// A clock that advances by a second with every look at it, so that times differ and none depends on the machine.
fn clock() -> u64 {
    static NOW: AtomicU64 = AtomicU64::new(1_790_000_000_000);
    NOW.fetch_add(1000, Ordering::Relaxed)
}

/// A simulated drive as discovery would describe it.
pub(super) fn drive(name: &str, disk: &SimDisk) -> Drive {
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
    }
}

struct SimOpener(Vec<(PathBuf, SimDisk)>);

impl Opener for SimOpener {
    fn open(&self, drive: &Drive, access: Access) -> Result<(Box<dyn DataPlane>, Identity), String> {
        let (_, disk) = self.0.iter().find(|(path, _)| *path == drive.path).ok_or("no such drive")?;
        let open = disk.open(access).map_err(|error| error.to_string())?;
        let identity = open.identity();
        Ok((Box::new(open), identity))
    }

    fn look(&self, drive: &Drive) -> Result<Box<dyn ReadAt>, String> {
        let (_, disk) = self.0.iter().find(|(path, _)| *path == drive.path).ok_or("no such drive")?;
        let len = usize::try_from(disk.identity().bytes).unwrap();
        Ok(Box::new(disk.read_cells(0, len)))
    }
}

pub(super) struct Bench {
    pub(super) disks: Vec<SimDisk>,
    pub(super) medium: MemoryMedium,
    folder: tempfile::TempDir,
    pub(super) method: &'static str,
    pub(super) verify: Verify,
}

impl Bench {
    pub(super) fn new(disks: Vec<SimDisk>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { disks, medium: MemoryMedium::new(1 << 20), folder, method: "dod-5220.22-m", verify: Verify::Full }
    }

    /// The drives, plugged in in this order: `sda` is the first.
    fn drives(&self) -> Vec<Drive> {
        let names = ('a'..='z').map(|letter| format!("sd{letter}"));
        names.zip(&self.disks).map(|(name, disk)| drive(&name, disk)).collect()
    }

    pub(super) fn request(&self) -> Request {
        Request {
            method: method::find(self.method).unwrap(),
            selection: Selection::All,
            verify: self.verify,
            operator: Operator { name: "A. Technician".into(), ..Operator::default() },
            job: None,
            digest: [1; 32],
        }
    }

    pub(super) fn open_log(&self) -> Result<(Journal, Replay), JournalError> {
        let opened = Journal::open(Box::new(self.medium.clone()), OWNER, clock());
        if let Ok((_, replay)) = &opened {
            assert_eq!(replay.contradiction, None, "no run contradicts itself");
        }
        opened
    }

    /// Everything the log says, finished jobs included.
    pub(super) fn history(&self) -> Replay {
        let mut medium = self.medium.clone();
        let Ok(Found::Whole { superblock, .. }) = Superblock::read(&mut medium) else { panic!("no log") };
        let replay = Replay::of(&scan::collect(&mut medium, &superblock, scan::Reach::Everywhere).unwrap().entries);
        assert_eq!(replay.contradiction, None, "no run contradicts itself");
        replay
    }

    pub(super) fn plan(&self) -> Plan {
        let sticks = Sticks::default();
        Plan::new(self.request(), &Authority::JobFile, self.drives(), &sticks, [3; 32]).unwrap()
    }

    /// The plan that goes on with what the log says was interrupted.
    pub(super) fn resumed(&self, replay: &Replay) -> Result<Plan, PlanError> {
        let unfinished = replay.unfinished().expect("an unfinished job").clone();
        Plan::resume(unfinished, self.request(), &Authority::JobFile, self.drives(), &Sticks::default())
    }

    pub(super) fn execute(&self, plan: Plan, journal: Journal) -> Tally {
        let paths = self.drives().into_iter().map(|drive| drive.path);
        let around = Surroundings {
            opener: Box::new(SimOpener(paths.zip(self.disks.iter().cloned()).collect())),
            shelf: Arc::new(Folder(self.folder.path().into())),
            tool: Tool { name: "mule".into(), version: "0".into(), sha256: "0".into(), kernel: "none".into() },
            host: Host::default(),
            limits: Limits {
                checkpoint: Duration::ZERO,
                hang: Duration::from_millis(700),
                bad_places: 50,
                ..Limits::default()
            },
            health: |_| None,
        };
        execute(plan, &Arc::new(Log::new(journal, clock)), around, &mut Silent)
    }

    /// Plans and executes on a log that is opened for it.
    pub(super) fn run(&self) -> Tally {
        let (journal, _) = self.open_log().unwrap();
        self.execute(self.plan(), journal)
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Every certificate written so far, each consistent in itself.
    pub(super) fn certificates(&self) -> Vec<Record> {
        let files = fs::read_dir(self.folder.path()).unwrap().flatten().map(|entry| entry.path());
        let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
        files.sort();
        let records = files.iter().map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap());
        records.inspect(|record| assert_eq!(check::contradictions(record), Vec::<String>::new())).collect()
    }

    /// The newest certificate of a drive.
    pub(super) fn certificate(&self, serial: &str) -> Record {
        let mut all = self.certificates();
        all.retain(|record| record.media.serial == serial);
        all.pop().unwrap_or_else(|| panic!("no certificate for {serial}"))
    }
}

/// A disk full of a byte that no method writes last.
pub(super) fn disk(serial: &str, bytes: u64) -> SimDisk {
    let disk = SimDisk::new(serial, bytes, 512);
    disk.set_background(crate::drive::sim::Background::Byte(0x77));
    disk
}

/// Whether any sector still holds the old content.
pub(super) fn holds_old_data(disk: &SimDisk) -> bool {
    let bytes = disk.identity().bytes;
    let cells = disk.read_cells(0, usize::try_from(bytes).unwrap());
    cells.chunks(512).any(|sector| sector.iter().all(|byte| *byte == 0x77))
}
