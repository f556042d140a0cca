//! The power goes at every write and every flush while slots are filled. Of what was not flushed each write may be there, or not,
//! or be torn at sectors; whatever is left, every frame is gone on with, and the image ends as the same bytes.

use super::{
    super::volumes::trace::{self, Op},
    *,
};
use std::collections::{BTreeMap, BTreeSet};

type Files = BTreeMap<PathBuf, Vec<u8>>;

const SECTOR: usize = 512;
const SLOTS: [u64; 3] = [1, 3, 6];

/// A disk whose unreadable places are noise, which fills a log fast.
fn disk_with_noise() -> Vec<u8> {
    let mut draws = Draws::new([8; 32]);
    let mut disk = vec![0; 7 * MIB];
    disk[..MIB].fill(b'a');
    disk[4 * MIB + 77] = 1;
    for slot in [1, 6] {
        let noise = disk[slot * MIB..(slot + 1) * MIB].as_chunks_mut::<8>().0;
        noise.iter_mut().for_each(|eight| *eight = draws.below(u64::MAX).to_le_bytes());
    }
    disk[3 * MIB..3 * MIB + 9000].fill(b'c');
    disk
}

/// What is there on the medium before the slots are filled.
fn first_pass(writer: &mut Writer, disk: &[u8], from: u64) {
    let mut compressor = Compressor::new();
    for index in from..writer.header().frames() {
        let entry = if SLOTS.contains(&index) { Entry::Slot } else { entry(&mut compressor, frame(disk, index)) };
        let used = whole_range(writer.header(), index);
        writer.append(entry, &used).unwrap();
    }
    writer.pause().unwrap();
}

/// The slots are filled in steps, as a rescue does it.
fn second_pass(mut writer: Writer, disk: &[u8], steps: usize) -> Finished {
    for step in 1..=steps {
        for slot in SLOTS {
            let mut raw = frame(disk, slot).to_vec();
            raw[step * MIB / steps..].fill(0);
            writer.fill_slot(slot, &raw, 1).unwrap();
            writer.pause().unwrap();
        }
    }
    writer.finish(Some("# Mapfile\n")).unwrap()
}

fn files(dir: &Path) -> Files {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

fn put_back(dir: &Path, files: &Files) {
    fs::read_dir(dir).unwrap().for_each(|entry| fs::remove_file(entry.unwrap().path()).unwrap());
    files.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
}

/// One write or change of a name, as far as `there` says so of its sectors.
fn happen(files: &mut Files, op: &Op, mut there: impl FnMut() -> bool) {
    match op {
        Op::Create(path) => drop(files.insert(path.clone(), Vec::new())),
        Op::Remove(path) => drop(files.remove(path)),
        Op::Cut(path, len) => {
            files.entry(path.clone()).and_modify(|bytes| bytes.truncate(usize::try_from(*len).unwrap()));
        }
        Op::Write(path, at, new) => {
            let Some(bytes) = files.get_mut(path) else { return };
            let at = usize::try_from(*at).unwrap();
            bytes.resize(bytes.len().max(at + new.len()), 0);
            // Sectors of the medium, not of the write.
            let mut from = 0;
            while from < new.len() {
                let end = ((at + from) / SECTOR * SECTOR + SECTOR - at).min(new.len());
                if there() {
                    bytes[at + from..at + end].copy_from_slice(&new[from..end]);
                }
                from = end;
            }
        }
        Op::Sync => {}
    }
}

/// What may be on the medium when the power goes behind `ops`.
fn left(before: &Files, ops: &[Op], draws: &mut Draws) -> Vec<Files> {
    let synced = ops.iter().rposition(|op| *op == Op::Sync).map_or(0, |at| at + 1);
    let (sure, unsure) = ops.split_at(synced);
    let mut base = before.clone();
    sure.iter().for_each(|op| happen(&mut base, op, || true));
    let n = unsure.len();
    let every = 1_u64 << n.min(63);
    let chosen: Vec<u64> = if n <= 3 {
        (0..every).collect()
    } else {
        let last_alone = [0, every - 1, every >> 1, every - 2];
        last_alone.into_iter().chain((0..2).map(|_| draws.below(every))).collect()
    };
    let mut all = Vec::new();
    for subset in chosen {
        // What is torn is most telling where nothing lacks.
        for torn in [false, true].into_iter().filter(|torn| !torn || n > 3 || subset == every - 1) {
            let mut files = base.clone();
            for (place, op) in unsure.iter().enumerate() {
                let kept = subset >> place & 1 == 1;
                // Of what is torn some sectors are there; at times only the first or all but that.
                let kind = draws.below(4);
                let mut sector = 0;
                let mut there = || {
                    sector += 1;
                    match (torn, kind) {
                        (false, _) => true,
                        (true, 0) => sector == 1,
                        (true, 1) => sector > 1,
                        (true, _) => draws.below(2) == 1,
                    }
                };
                if kept {
                    happen(&mut files, op, &mut there);
                }
            }
            all.push(files);
        }
    }
    all
}

struct Bed {
    dir: tempfile::TempDir,
    path: PathBuf,
    limit: Option<NonZeroU64>,
    disk: Vec<u8>,
    whole: Files,
    seen: BTreeSet<[u8; 32]>,
}

impl Bed {
    /// An image that is never cut short, and what there is of it before and while its slots are filled.
    fn new(limit: Option<u64>) -> (Self, Files, Vec<Op>) {
        let dir = tempfile::tempdir().unwrap();
        let (disk, path) = (disk_with_noise(), dir.path().join("a.img.zst.part"));
        let limit = limit.and_then(NonZeroU64::new);
        let mut writer = Writer::create(&path, limit, header(&disk, Mode::UsedBlock)).unwrap();
        // Several logs, one after the other.
        writer.waiting.enough = 2 * MIB as u64;
        first_pass(&mut writer, &disk, 0);
        let before = files(dir.path());
        let (_, ops) = trace::of(|| second_pass(writer, &disk, 3));
        let whole = files(dir.path());
        (Self { dir, path, limit, disk, whole, seen: BTreeSet::new() }, before, ops)
    }

    /// Whether the medium was never left like this before.
    fn is_new(&mut self, left: &Files) -> bool {
        let mut hasher = blake3::Hasher::new();
        for (path, bytes) in left {
            hasher.update(path.as_os_str().as_encoded_bytes()).update(&bytes.len().to_le_bytes()).update(bytes);
        }
        self.seen.insert(*hasher.finalize().as_bytes())
    }

    /// What is left is taken in, all of it, as the job does it.
    fn resume(&self, what: &str) -> Writer {
        let head = header(&self.disk, Mode::UsedBlock);
        let mut met = Vec::new();
        let writer = Writer::resume(&self.path, self.limit, head.clone(), &mut |found: Met<'_>| {
            assert_eq!(found.slot, SLOTS.contains(&found.index), "{what}");
            assert!(found.slot || found.raw == frame(&self.disk, found.index), "{what}");
            met.push(found.index);
            Ok(whole_range(&head, found.index))
        });
        let mut writer = writer.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(met, (0..head.frames()).collect::<Vec<_>>(), "{what}: what was flushed is lost");
        SLOTS.iter().for_each(|slot| writer.blank_slot(*slot).unwrap());
        writer
    }

    fn ends_the_same(&self, writer: Writer, what: &str) {
        second_pass(writer, &self.disk, 1);
        let now = files(self.dir.path());
        assert!(now == self.whole, "{what}: the image is not the same bytes");
    }
}

fn every_crash(limit: Option<u64>) {
    let (mut bed, before, ops) = Bed::new(limit);
    let mut draws = Draws::new([4; 32]);
    let mut logs = 0;
    assert!(ops.iter().filter(|op| matches!(op, Op::Cut(..))).count() >= 2, "no log was put in its place on the way");
    for end in 0..=ops.len() {
        for (number, left) in left(&before, &ops[..end], &mut draws).into_iter().enumerate() {
            if !bed.is_new(&left) {
                continue;
            }
            let what = format!("operation {end} of {}, state {number}", ops.len());
            put_back(bed.dir.path(), &left);
            let (writer, again) = trace::of(|| bed.resume(&what));
            bed.ends_the_same(writer, &what);
            // The power goes while a log is put in its place for the second time.
            let writes = again.iter().filter(|op| matches!(op, Op::Write(..))).count();
            if writes > 0 && logs < 6 {
                logs += 1;
                for end in 0..=again.len() {
                    let lefts = super::crash::left(&left, &again[..end], &mut draws);
                    for left in lefts.into_iter().take(3) {
                        put_back(bed.dir.path(), &left);
                        drop(bed.resume(&format!("{what}, and again at {end}")));
                    }
                }
            }
        }
    }
    assert!(logs > 3, "{logs}: no log was ever needed");
}

#[test]
fn a_power_cut_while_slots_are_filled_loses_nothing_that_was_flushed() {
    every_crash(None);
}

#[test]
fn nor_does_one_in_an_image_of_several_pieces() {
    every_crash(Some(3 * MIB as u64));
}
