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

pub(in crate::job) const MIB: u64 = 1 << 20;
const OWNER: Owner = Owner { image: ImageId([7; 16]), binding: [7; 32] };

/// A clock that advances by a second with every look at it, so that times differ and none depends on the machine.
pub(in crate::job) fn clock() -> u64 {
    static NOW: AtomicU64 = AtomicU64::new(1_790_000_000_000);
    NOW.fetch_add(1000, Ordering::Relaxed)
}

/// A simulated drive as discovery would describe it.
pub(in crate::job) fn drive(name: &str, disk: &SimDisk) -> Drive {
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

pub(in crate::job) struct Bench {
    pub(in crate::job) disks: Vec<SimDisk>,
    pub(in crate::job) medium: MemoryMedium,
    folder: tempfile::TempDir,
    pub(in crate::job) method: &'static str,
    pub(in crate::job) verify: Verify,
}

impl Bench {
    pub(in crate::job) fn new(disks: Vec<SimDisk>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { disks, medium: MemoryMedium::new(1 << 20), folder, method: "dod-5220.22-m", verify: Verify::Full }
    }

    /// The drives, plugged in in this order: `sda` is the first.
    pub(in crate::job) fn drives(&self) -> Vec<Drive> {
        let names = ('a'..='z').map(|letter| format!("sd{letter}"));
        names.zip(&self.disks).map(|(name, disk)| drive(&name, disk)).collect()
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
            retained: Vec::new(),
        }
    }

    pub(in crate::job) fn execute(&self, plan: Plan, journal: Journal) -> Tally {
        execute(plan, &Arc::new(Log::new(journal, clock)), self.around(), &mut Silent)
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
