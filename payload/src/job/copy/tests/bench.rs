//! A bench for copies: simulated drives, a folder for images, certificates that are consistent in themselves.

use super::super::{
    digest,
    fit::{Allowed, Fitted},
    image::Order,
    level::{Level, Wish},
    part::Purpose,
    run::{self, Aim, Content, Job, open_content},
    take,
    target::Tail,
};
use crate::{
    certify::{Certifiable, Certificate, copy::CopyRecord, record::Operator},
    console::Silent,
    drive::sim::{Background, SimDisk},
    job::{
        run::Tally,
        status::Log,
        tests::rig::{self, Bench, MIB, clock},
    },
    jobfile::Selection,
    journal::{Verify, event::Action},
    plan::{Authority, Plan, Request, Source, Sources, Sticks, Target},
};
use mule_types::method;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// No multiple of a frame or of a physical block.
pub(super) const SIZE: u64 = 9 * MIB + 512 * 5;

/// A drive with something different in every block, and MiB 3 and 4 blank.
pub(super) fn full(serial: &str, bytes: u64) -> SimDisk {
    let disk = rig::disk(serial, bytes);
    disk.set_background(Background::Byte(0));
    for lba in 0..bytes / 512 {
        if !(6144..10240).contains(&lba) {
            let seed = blake3::hash(format!("{serial}{lba}").as_bytes());
            let text: Vec<u8> = (0..16).flat_map(|_| *seed.as_bytes()).collect();
            disk.write_cells(lba * 512, &text);
        }
    }
    disk
}

/// Another drive, with old content in every block.
pub(super) fn old(serial: &str, bytes: u64) -> SimDisk {
    rig::disk(serial, bytes)
}

pub(super) fn cells(disk: &SimDisk, bytes: u64) -> Vec<u8> {
    disk.read_cells(0, usize::try_from(bytes).unwrap())
}

/// Whether a drive's first MiB holds nothing of the new content: what was there, or zeros.
pub(super) fn has_no_start(disk: &SimDisk) -> bool {
    cells(disk, MIB).iter().all(|byte| [0, 0x77].contains(byte))
}

pub(super) struct Copies {
    pub(super) bench: Bench,
    images: tempfile::TempDir,
}

impl Copies {
    pub(super) fn new(disks: Vec<SimDisk>) -> Self {
        Self { bench: Bench::new(disks), images: tempfile::tempdir().unwrap() }
    }

    pub(super) fn disk(&self, serial: &str) -> &SimDisk {
        self.bench.disks.iter().find(|disk| disk.identity().serial == serial).unwrap()
    }

    pub(super) fn image_path(&self, name: &str) -> PathBuf {
        self.images.path().join(format!("{name}.img.zst"))
    }

    pub(super) fn images_dir(&self) -> &Path {
        self.images.path()
    }

    fn selection(serials: &[&str]) -> Selection {
        Selection::Named(serials.iter().map(|serial| (*serial).to_owned()).collect())
    }

    pub(super) fn sources(&self, serials: &[&str]) -> Vec<Source> {
        let sticks = Sticks::default();
        Sources::new(&Self::selection(serials), self.bench.drives(), &sticks, None).unwrap().list
    }

    pub(super) fn targets(&self, serials: &[&str]) -> Vec<Target> {
        let request = Request {
            method: &method::COPY,
            selection: Self::selection(serials),
            verify: Verify::Full,
            operator: Operator::default(),
            job: None,
            digest: [2; 32],
        };
        let sticks = Sticks::default();
        let plan = Plan::new(request, &Authority::JobFile, self.bench.drives(), &sticks, [3; 32]).unwrap();
        plan.into_parts().0
    }

    pub(super) fn aims(&self, serials: &[&str], tail: Tail) -> Vec<Aim> {
        let aim = |target| Aim { target, fitted: Fitted::default(), tail };
        self.targets(serials).into_iter().map(aim).collect()
    }

    /// A job in the bench's log.
    pub(super) fn job(&self, action: Action) -> Job {
        let (journal, replay) = self.bench.open_log().unwrap();
        Job {
            earlier: run::earlier(&replay, action, &[2; 32]),
            resumed: 0,
            id: *crate::random::bytes::<16>().unwrap().first_chunk().unwrap(),
            request: [2; 32],
            operator: Operator::default(),
            log: Arc::new(Log::new(journal, clock)),
            around: self.bench.around(),
            title: "Copies".into(),
        }
    }

    pub(super) fn order(&self, name: &str, base: Option<&str>) -> Order {
        Order {
            path: self.image_path(name),
            raw: false,
            base: base.map(|base| self.image_path(base)),
            wish: take::Wish {
                threads: 2,
                level: Wish::Fixed(Level::Zstd(1)),
                retries: 1,
                limits: self.bench.around().limits,
            },
            hash: digest::Wish::Both,
            limit: None,
            verify: true,
            operator: Operator::default(),
            tool: self.bench.around().tool,
            purpose: Purpose::Image,
            clock,
            room: Arc::default(),
            ignore_room: false,
        }
    }

    pub(super) fn image(&self, serial: &str, name: &str, base: Option<&str>) -> Tally {
        let orders = self.sources(&[serial]).into_iter().map(|source| (source, self.order(name, base)));
        run::images(self.job(Action::Image), orders.collect(), &mut Silent)
    }

    pub(super) fn content(&self, name: &str) -> Content {
        open_content(&self.image_path(name)).unwrap()
    }

    pub(super) fn restore(&self, name: &str, serials: &[&str], tail: Tail) -> Tally {
        run::restore(self.job(Action::Restore), self.content(name), self.aims(serials, tail), 2, &mut Silent)
    }

    pub(super) fn clone(&self, source: &str, serials: &[&str]) -> Tally {
        let source = self.sources(&[source]).pop().unwrap();
        self.clone_onto(source, self.aims(serials, Tail::Leave), Allowed::default())
    }

    pub(super) fn clone_onto(&self, source: Source, aims: Vec<Aim>, allowed: Allowed) -> Tally {
        run::clone(self.job(Action::Clone), source, aims, digest::Wish::Sha256, 1, allowed, &mut Silent)
    }

    pub(super) fn check(&self, name: &str, serials: &[&str]) -> Tally {
        run::check(self.job(Action::Verify), self.content(name), self.sources(serials), &mut Silent)
    }

    /// The newest certificate of a drive.
    pub(super) fn certificate(&self, serial: &str) -> CopyRecord {
        let files = fs::read_dir(self.bench.folder()).unwrap().flatten().map(|entry| entry.path());
        let json = files.filter(|path| path.extension().is_some_and(|e| e == "json"));
        let mut records: Vec<CopyRecord> = json
            .map(|path| match Certificate::parse(&fs::read(path).unwrap()).unwrap() {
                Certificate::Copy(record) => *record,
                Certificate::Erasure(_) => panic!("a copy's certificate says that it is an erasure's"),
            })
            .collect();
        records.iter().for_each(|record| assert_eq!(record.contradictions(), Vec::<String>::new()));
        records.retain(|record| record.media.serial == serial);
        records.sort_by(|one, other| one.copy.finished.cmp(&other.copy.finished));
        records.pop().unwrap_or_else(|| panic!("no certificate for {serial}"))
    }
}
