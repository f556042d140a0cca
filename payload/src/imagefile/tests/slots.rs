//! Slots and the log before them, whatever an unfinished image holds.

use super::{
    super::{ahead::seal, volumes::trace},
    *,
};

/// An unfinished image of four frames, the second and the fourth in slots.
fn begun(path: &Path, disk: &[u8]) -> Writer {
    let mut writer = Writer::create(path, None, header(disk, Mode::Raw)).unwrap();
    let mut compressor = Compressor::new();
    for index in 0..4 {
        let entry = if index % 2 == 1 { Entry::Slot } else { entry(&mut compressor, frame(disk, index)) };
        let used = whole_range(writer.header(), index);
        writer.append(entry, &used).unwrap();
    }
    writer.pause().unwrap();
    writer
}

fn resumed(path: &Path, disk: &[u8]) -> Result<Writer, WriteError> {
    let head = header(disk, Mode::Raw);
    Writer::resume(path, None, head.clone(), &mut |found: Met<'_>| Ok(whole_range(&head, found.index)))
}

/// The image holds `wanted`, and its indexes say so.
fn holds(path: &Path, finished: &Finished, wanted: &[u8]) {
    assert!(unpacked(&[path.to_owned()]) == wanted);
    assert!(report(path, &manifest(path, finished, wanted, Mode::Raw)).unwrap().is_good());
}

#[test]
fn a_slot_that_is_not_read_again_is_zeros_wherever_its_content_lay() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, path) = (disk(4), dir.path().join("a.img.zst"));
    for in_place in [false, true] {
        let _ = fs::remove_file(&path);
        let mut writer = begun(&path, &disk);
        // A log that is full with one frame is put in its place at once.
        writer.waiting.enough = if in_place { 1 } else { u64::MAX };
        let before = path.metadata().unwrap().len();
        for slot in [1, 3] {
            let raw = vec![7; frame(&disk, slot).len()];
            writer.fill_slot(slot, &raw, 1).unwrap();
        }
        writer.pause().unwrap();
        drop(writer);
        assert_eq!(path.metadata().unwrap().len() == before, in_place);
        let mut writer = resumed(&path, &disk).unwrap();
        assert!(writer.slot_content(1).unwrap().iter().all(|byte| *byte == 7));
        writer.blank_slot(1).unwrap();
        writer.blank_slot(3).unwrap();
        assert!(is_zero(&writer.slot_content(1).unwrap()));
        writer.fill_slot(3, frame(&disk, 3), 1).unwrap();
        let mut wanted = disk.clone();
        wanted[MIB..2 * MIB].fill(0);
        holds(&path, &writer.finish(None).unwrap(), &wanted);
    }
}

/// As an image that was written without a log may be left: the slot is whole, and its index speaks of what was there before.
#[test]
fn an_index_that_knows_an_older_slot_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, path) = (disk(4), dir.path().join("a.img.zst"));
    let writer = begun(&path, &disk);
    let (slot, _) = writer.slots[&3];
    drop(writer);
    let bytes = Compressor::new().compress(1, frame(&disk, 3)).unwrap();
    let record = super::super::ahead::Record { len: SLOT, bytes };
    let mut file = fs::read(&path).unwrap();
    let slot = usize::try_from(slot).unwrap();
    file[slot..slot + SLOT].copy_from_slice(&record.in_place());
    fs::write(&path, &file).unwrap();
    let writer = resumed(&path, &disk).unwrap();
    holds(&path, &writer.finish(None).unwrap(), &disk);
}

#[test]
fn what_only_looks_like_a_log_is_written_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, path) = (disk(4), dir.path().join("a.img.zst"));
    let writer = begun(&path, &disk);
    let (slot, _) = writer.slots[&1];
    drop(writer);
    let whole = fs::read(&path).unwrap();
    let record = super::super::ahead::Record { len: SLOT, bytes: Compressor::new().compress(1, &[9; MIB]).unwrap() };
    let record = record.encode(slot);
    // In the middle of the last slot, and at the end with a seal of another log.
    for (len, start) in [(whole.len() - SLOT / 2, whole.len() - SLOT / 2), (whole.len(), whole.len() + 1)] {
        let hash = blake3::hash(&record);
        let parts = [&whole[..len], &record, &seal(start as u64, hash.as_bytes())];
        fs::write(&path, parts.concat()).unwrap();
        drop(resumed(&path, &disk).unwrap());
        let now = fs::read(&path).unwrap();
        assert!(now.len() <= whole.len() + record.len() && now[..slot_end(slot)] == whole[..slot_end(slot)], "{start}");
    }
}

fn slot_end(slot: u64) -> usize {
    usize::try_from(slot).unwrap() + SLOT
}

#[test]
fn no_bytes_of_a_log_make_a_resume_panic_or_grow_the_image() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, path) = (disk(4), dir.path().join("a.img.zst"));
    let mut writer = begun(&path, &disk);
    let frames = fs::read(&path).unwrap();
    writer.fill_slot(1, frame(&disk, 1), 1).unwrap();
    writer.pause().unwrap();
    // All that is written up to the seal.
    let mut sealed = fs::read(&path).unwrap();
    let (_, ops) = trace::of(|| writer.finish(None).unwrap());
    let logged = fs::read(&path).unwrap().len().max(frames.len());
    for op in &ops {
        match op {
            trace::Op::Write(_, at, bytes) if *at == sealed.len() as u64 => sealed.extend(bytes),
            trace::Op::Cut(..) => break,
            _ => {}
        }
    }
    fs::write(&path, &sealed).unwrap();
    let volumes = super::super::volumes::Volumes::open(&path, None, false).unwrap();
    assert!(super::super::ahead::Log::find(&volumes).unwrap().is_some());
    drop(volumes);
    let mut draws = Draws::new([6; 32]);
    for round in 0..200 {
        let mut bytes = sealed.clone();
        for _ in 0..=draws.below(3) {
            let from = if round % 2 == 0 { frames.len() } else { bytes.len() - 100 };
            let at = from + usize::try_from(draws.below((bytes.len() - from) as u64)).unwrap();
            bytes[at] = u8::try_from(draws.below(256)).unwrap();
        }
        if round % 5 == 0 {
            bytes.truncate(frames.len() + usize::try_from(draws.below((bytes.len() - frames.len()) as u64)).unwrap());
        }
        fs::write(&path, &bytes).unwrap();
        drop(resumed(&path, &disk).unwrap());
        let now = fs::read(&path).unwrap();
        assert!(now.len() <= sealed.len().max(logged), "round {round}");
    }
}
