//! The container against tools that know nothing of it, and against every kind of damage.

use super::{format::SLOT, *};
use crate::{
    aside::traps::{Bench, TRAPS, at_once},
    blocks::ReadAt,
    certify::{
        key::StickKey,
        record::{Operator, Tool},
    },
    engine::{frames::is_zero, sampling::Draws},
    job::{
        copy::digest::{self, Stream},
        issue::hex,
    },
};
use std::{
    fs,
    num::NonZeroU64,
    ops::Range,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

mod crash;
mod slots;

const MIB: usize = 1 << 20;

/// A disk with zeros, text, noise and an odd end.
fn disk(frames: usize) -> Vec<u8> {
    let mut draws = Draws::new([5; 32]);
    let mut bytes = Vec::new();
    for frame in 0..frames {
        match frame % 4 {
            0 => bytes.extend((0..MIB).map(|at| b"mule carries disks. "[at % 20])),
            1 => bytes.resize(bytes.len() + MIB, 0),
            2 => bytes.extend((0..MIB / 8).flat_map(|_| draws.below(u64::MAX).to_le_bytes())),
            _ => bytes.extend((0..MIB).map(|at| u8::try_from(at / 4096 % 256).unwrap())),
        }
    }
    bytes.truncate(bytes.len() - MIB / 2 + 512);
    bytes
}

fn header(disk: &[u8], mode: Mode) -> Header {
    Header {
        format: Header::FORMAT.into(),
        disk_bytes: disk.len() as u64,
        logical_block: 512,
        physical_block: 4096,
        frame_bytes: u32::try_from(FRAME).unwrap(),
        model: "DISK".into(),
        serial: "S1".into(),
        wwn: String::new(),
        mode,
        base_root: None,
    }
}

fn frame(disk: &[u8], index: u64) -> &[u8] {
    let start = usize::try_from(index).unwrap() * FRAME;
    &disk[start..disk.len().min(start + FRAME)]
}

fn entry(compressor: &mut Compressor, raw: &[u8]) -> Entry {
    if is_zero(raw) {
        return Entry::Zero;
    }
    Entry::Data { bytes: compressor.compress(1, raw).unwrap(), hash: *blake3::hash(raw).as_bytes() }
}

fn whole_range(header: &Header, index: u64) -> Vec<Range<u64>> {
    let start = index * FRAME as u64;
    std::iter::once(start..start + header.frame_len(index) as u64).collect()
}

/// Writes frames from where the writer stands to `end`.
fn write_on(writer: &mut Writer, disk: &[u8], from: u64, end: u64) {
    let mut compressor = Compressor::new();
    for index in from..end {
        let used = whole_range(writer.header(), index);
        writer.append(entry(&mut compressor, frame(disk, index)), &used).unwrap();
    }
}

fn image(path: &Path, disk: &[u8], mode: Mode, limit: Option<u64>) -> Finished {
    let mut writer = Writer::create(path, limit.and_then(NonZeroU64::new), header(disk, mode)).unwrap();
    let frames = writer.header().frames();
    write_on(&mut writer, disk, 0, frames);
    writer.finish(None).unwrap()
}

fn manifest(path: &Path, finished: &Finished, disk: &[u8], mode: Mode) -> Manifest {
    let mut stream = Stream::new(digest::Wish::Sha512);
    stream.update(disk);
    Manifest {
        format: Manifest::FORMAT.into(),
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        outcome: "imaged".into(),
        started: String::new(),
        finished: String::new(),
        image: header(disk, mode),
        firmware: String::new(),
        partitions: Vec::new(),
        blake3_root: hex(&finished.root),
        groups: finished.groups.iter().map(|(index, file)| Group { index: hex(index), file: hex(file) }).collect(),
        tail_blake3: hex(&finished.tail),
        sha512: stream.finish().sha512.unwrap(),
        sha256: String::new(),
        files: finished
            .files
            .iter()
            .map(|(path, bytes)| Volume {
                name: path.file_name().unwrap().to_string_lossy().into_owned(),
                bytes: *bytes,
            })
            .collect(),
        base: None,
        flattened: None,
        bad: Vec::new(),
        bad_bytes: 0,
        bad_files: Vec::new(),
        bad_files_hit: 0,
        bad_files_note: String::new(),
        bytes_read: disk.len() as u64,
        bytes_free: 0,
        operator: Operator::default(),
        tool: Tool { name: "mule".into(), version: "0".into(), sha256: String::new(), kernel: String::new() },
        signer: key().stick_id(),
    }
}

fn key() -> StickKey {
    StickKey::from_seed(&[9; 32])
}

/// What the distribution's zstd makes of the files, one after the other.
fn unpacked(paths: &[PathBuf]) -> Vec<u8> {
    let test = Command::new("zstd").args(["-q", "-t"]).args(paths).output().unwrap();
    assert!(test.status.success(), "{}", String::from_utf8_lossy(&test.stderr));
    let mut cat = Command::new("cat").args(paths).stdout(Stdio::piped()).spawn().unwrap();
    let out = Command::new("zstd").args(["-q", "-dc"]).stdin(cat.stdout.take().unwrap()).output().unwrap();
    cat.wait().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

fn report(path: &Path, manifest: &Manifest) -> Result<Report, ReadError> {
    let reader = Reader::open(path)?;
    let mut stream = Stream::new(digest::Wish::Sha512);
    let report = verify(&reader, manifest, 2, Some(&mut stream), &|_| true);
    if report.is_good() {
        assert_eq!(stream.finish().sha512.unwrap(), manifest.sha512);
    }
    Ok(report)
}

#[test]
fn zstd_and_zeekstd_read_what_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let disk = disk(9);
    for mode in [Mode::Raw, Mode::UsedBlock] {
        let path = dir.path().join(format!("{mode:?}.img.zst"));
        let finished = image(&path, &disk, mode, None);
        assert!(unpacked(std::slice::from_ref(&path)) == disk);
        let mut decoder = zeekstd::Decoder::new(fs::File::open(&path).unwrap()).unwrap();
        let mut back = Vec::new();
        std::io::copy(&mut decoder, &mut back).unwrap();
        assert!(back == disk, "zeekstd reads {} bytes of {}", back.len(), disk.len());
        let reader = Reader::open(&path).unwrap();
        assert_eq!(reader.root().unwrap(), finished.root);
        let mut middle = vec![0; 2 * MIB];
        reader.read_at(MIB as u64 / 2, &mut middle).unwrap();
        assert!(middle == disk[MIB / 2..MIB / 2 + 2 * MIB]);
        assert!(reader.read_at(disk.len() as u64 - 1, &mut [0; 2]).is_err());
        assert!(report(&path, &manifest(&path, &finished, &disk, mode)).unwrap().is_good());
    }
}

#[test]
fn volumes_end_between_frames_and_cat_puts_them_together() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, path) = (disk(13), dir.path().join("a.img.zst"));
    let limit = 3 * MIB as u64;
    let finished = image(&path, &disk, Mode::Raw, Some(limit));
    assert!(finished.files.len() >= 2 && finished.files.iter().all(|(_, bytes)| *bytes <= limit));
    let paths: Vec<_> = finished.files.iter().map(|(path, _)| path.clone()).collect();
    assert_eq!(names_of(&path), paths);
    let missing = paths[0].clone();
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&missing, &elsewhere).unwrap();
    let error = Reader::open(&path).unwrap_err();
    assert!(error.to_string().starts_with(&format!("{}: this piece", missing.display())), "{error}");
    fs::rename(&elsewhere, &missing).unwrap();
    assert!(unpacked(&paths) == disk);
    assert!(report(&path, &manifest(&path, &finished, &disk, Mode::Raw)).unwrap().is_good());
}

#[test]
fn every_flipped_bit_is_found_and_a_frame_is_named() {
    let dir = tempfile::tempdir().unwrap();
    // Small content, so that every byte of the file can be tried.
    let mut disk = vec![0_u8; 3 * MIB];
    disk[MIB + 5] = 1;
    disk[2 * MIB..2 * MIB + 300].fill(7);
    let path = dir.path().join("a.img.zst");
    let finished = image(&path, &disk, Mode::UsedBlock, None);
    let manifest = manifest(&path, &finished, &disk, Mode::UsedBlock);
    let good = fs::read(&path).unwrap();
    let flipped = dir.path().join("b.img.zst");
    let mut named = 0;
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&flipped, &bytes).unwrap();
        match report(&flipped, &manifest) {
            Ok(report) => {
                assert!(!report.is_good(), "byte {at}");
                named += usize::from(report.damage.iter().any(|damage| matches!(damage, Damage::Frame { .. })));
            }
            // The table of contents itself: the image does not even open.
            Err(error) => assert!(error.to_string().contains("b.img.zst"), "{error}"),
        }
    }
    assert!(named > 150, "{named} of {} flips named a frame", good.len());
}

#[test]
fn a_resumed_image_is_the_same_bytes_wherever_it_was_cut() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, path) = (disk(7), dir.path().join("whole.img.zst"));
    for mode in [Mode::Raw, Mode::UsedBlock] {
        let _ = fs::remove_file(&path);
        image(&path, &disk, mode, None);
        let whole = fs::read(&path).unwrap();
        let mut draws = Draws::new([1; 32]);
        let mut cuts: Vec<u64> = (0..40).map(|_| draws.below(whole.len() as u64)).collect();
        cuts.extend([0, 1, whole.len() as u64 - 1, whole.len() as u64]);
        for cut in cuts {
            let part = dir.path().join("part.img.zst");
            fs::write(&part, &whole[..usize::try_from(cut).unwrap()]).unwrap();
            let head = header(&disk, mode);
            let mut met = 0;
            let mut writer = Writer::resume(&part, None, head.clone(), &mut |found: Met<'_>| {
                assert!(found.raw == frame(&disk, found.index));
                assert_eq!(found.index, met);
                met += 1;
                Ok(whole_range(&head, found.index))
            })
            .unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
            let frames = head.frames();
            write_on(&mut writer, &disk, met, frames);
            writer.finish(None).unwrap();
            assert!(fs::read(&part).unwrap() == whole, "cut at {cut}");
            fs::remove_file(&part).unwrap();
        }
    }
}

#[test]
fn a_part_that_lost_its_bytes_but_not_its_length_begins_again() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, path) = (disk(4), dir.path().join("whole.img.zst"));
    image(&path, &disk, Mode::Raw, None);
    let whole = fs::read(&path).unwrap();
    for (lost_from, len) in
        [(0, whole.len()), (4096, whole.len()), (whole.len() / 2, whole.len() / 2 + 70_000), (0, 100)]
    {
        let part = dir.path().join("part.img.zst");
        let mut bytes = whole[..len.min(whole.len())].to_vec();
        let lost_from = lost_from.min(bytes.len());
        bytes[lost_from..].fill(0);
        fs::write(&part, &bytes).unwrap();
        let head = header(&disk, Mode::Raw);
        let mut next = 0;
        let again = &mut |found: Met<'_>| {
            assert!(found.raw == frame(&disk, found.index));
            next = found.index + 1;
            Ok(whole_range(&head, found.index))
        };
        let mut writer = Writer::resume(&part, None, head.clone(), again).unwrap();
        write_on(&mut writer, &disk, next, head.frames());
        writer.finish(None).unwrap();
        assert!(fs::read(&part).unwrap() == whole, "zeros from {lost_from} to {len}");
        fs::remove_file(&part).unwrap();
    }
}

#[test]
fn a_part_of_another_disks_image_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, path) = (disk(3), dir.path().join("a.img.zst"));
    image(&path, &disk, Mode::Raw, None);
    let before = fs::read(&path).unwrap();
    let other = Header { serial: "S2".into(), ..header(&disk, Mode::Raw) };
    let error = Writer::resume(&path, None, other, &mut |_| Ok(Vec::new())).unwrap_err();
    assert!(matches!(error, WriteError::Another(_)));
    assert!(fs::read(&path).unwrap() == before);
    assert!(Writer::create(&path, None, header(&disk, Mode::Raw)).is_err(), "an image is never written over");
}

/// A group that is whole has its map in the part: a block that is used by now, or free by now, begins it anew.
#[test]
fn a_map_that_is_another_by_now_begins_a_part_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.img.zst");
    let head = Header { disk_bytes: 1026 << 20, ..header(&[0; MIB], Mode::UsedBlock) };
    let used = |index: u64| if index == 5 { whole_range(&head, index) } else { Vec::new() };
    let mut writer = Writer::create(&path, None, head.clone()).unwrap();
    for index in 0..1025 {
        let entry = if index == 5 { Entry::Zero } else { Entry::Free };
        writer.append(entry, &used(index)).unwrap();
    }
    writer.pause().unwrap();
    drop(writer);
    for (frame, from, len) in [(7, 7 << 20, 4096), (5, 0, 0), (5, 5 << 20, 512)] {
        let now: Vec<_> = std::iter::once(from..from + len).filter(|_| len > 0).collect();
        let met = &mut |found: Met<'_>| Ok(if found.index == frame { now.clone() } else { used(found.index) });
        let error = Writer::resume(&path, None, head.clone(), met).unwrap_err();
        assert!(matches!(error, WriteError::Anew(_)), "{error}");
    }
    let raw = Header { mode: Mode::Raw, ..head.clone() };
    let error = Writer::resume(&path, None, raw, &mut |found| Ok(used(found.index))).unwrap_err();
    assert!(matches!(error, WriteError::Anew(_)), "{error}");
    let mut last = 0;
    let met = &mut |found: Met<'_>| {
        last = found.index;
        Ok(used(found.index))
    };
    drop(Writer::resume(&path, None, head.clone(), met).unwrap());
    // The last one began a run that was not over.
    assert_eq!(last, 1023);
}

#[test]
fn a_slot_is_filled_in_place_and_the_image_is_valid_all_the_time() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, path) = (disk(6), dir.path().join("a.img.zst"));
    let mut writer = Writer::create(&path, None, header(&disk, Mode::Raw)).unwrap();
    let mut compressor = Compressor::new();
    for index in 0..6 {
        let entry = if index % 3 == 2 { Entry::Slot } else { entry(&mut compressor, frame(&disk, index)) };
        let used = whole_range(writer.header(), index);
        writer.append(entry, &used).unwrap();
    }
    writer.pause().unwrap();
    assert_eq!(writer.slots().collect::<Vec<_>>(), [2, 5]);
    assert!(is_zero(&writer.slot_content(2).unwrap()));
    writer.fill_slot(2, frame(&disk, 2), 1).unwrap();
    // The power goes: what was filled is there, behind the frames, and any zstd passes over it.
    drop(writer);
    let mut blank = disk.clone();
    [2, 5].iter().for_each(|slot| blank[slot * MIB..disk.len().min((slot + 1) * MIB)].fill(0));
    assert!(unpacked(std::slice::from_ref(&path)) == blank);
    let head = header(&disk, Mode::Raw);
    let again = &mut |found: Met<'_>| Ok(whole_range(&head, found.index));
    let mut writer = Writer::resume(&path, None, head.clone(), again).unwrap();
    assert_eq!(writer.slots().collect::<Vec<_>>(), [2, 5]);
    assert!(writer.slot_content(2).unwrap() == frame(&disk, 2));
    let mut half = frame(&disk, 5).to_vec();
    half[..512].fill(0);
    writer.fill_slot(5, &half, 3).unwrap();
    let finished = writer.finish(Some("# Mapfile\n")).unwrap();
    let mut wanted = disk.clone();
    wanted[5 * MIB..5 * MIB + 512].fill(0);
    assert!(unpacked(std::slice::from_ref(&path)) == wanted);
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.bad_map().unwrap().as_deref(), Some("# Mapfile\n"));
    assert_eq!(reader.entry(2).unwrap().0, State::Slot);
    assert!(reader.file_bytes() > 2 * SLOT as u64);
    assert!(report(&path, &manifest(&path, &finished, &wanted, Mode::Raw)).unwrap().is_good());
}

#[test]
fn a_differential_image_needs_the_very_base_it_was_made_with() {
    let dir = tempfile::tempdir().unwrap();
    let (old, base_path) = (disk(5), dir.path().join("base.img.zst"));
    let base_root = image(&base_path, &old, Mode::Raw, None).root;
    let mut new = old.clone();
    new[2 * MIB + 7] ^= 1;
    let path = dir.path().join("diff.img.zst");
    let head = Header { base_root: Some(hex(&base_root)), ..header(&new, Mode::Raw) };
    let mut writer = Writer::create(&path, None, head.clone()).unwrap();
    let base = Arc::new(Reader::open(&base_path).unwrap());
    let mut compressor = Compressor::new();
    for index in 0..head.frames() {
        let raw = frame(&new, index);
        let hash = *blake3::hash(raw).as_bytes();
        let same = base.entry(index).unwrap().1 == hash;
        let entry = if same && !is_zero(raw) { Entry::InBase { hash } } else { entry(&mut compressor, raw) };
        writer.append(entry, &whole_range(&head, index)).unwrap();
    }
    writer.finish(None).unwrap();
    assert!(path.metadata().unwrap().len() < base_path.metadata().unwrap().len());
    let reader = Reader::open(&path).unwrap().with_base(Arc::clone(&base)).unwrap();
    let mut back = vec![0; new.len()];
    reader.read_at(0, &mut back).unwrap();
    assert!(back == new);
    let mut decompressor = Decompressor::new().unwrap();
    let alone = Reader::open(&path).unwrap().frame(0, &mut decompressor);
    assert!(matches!(alone, Err(ReadError::BaseMissing(_))));
    let other = dir.path().join("other.img.zst");
    image(&other, &new, Mode::Raw, None);
    let wrong = Reader::open(&path).unwrap().with_base(Arc::new(Reader::open(&other).unwrap()));
    assert!(matches!(wrong, Err(ReadError::BaseChanged { .. })));
}

#[test]
fn a_manifest_holds_only_with_its_signature() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, path) = (disk(2), dir.path().join("a.img.zst"));
    let finished = image(&path, &disk, Mode::Raw, None);
    let manifest = manifest(&path, &finished, &disk, Mode::Raw);
    manifest.write(&path, &key()).unwrap();
    assert_eq!(Manifest::read(&path).unwrap().manifest, manifest);
    let file = Manifest::path(&path);
    let text = fs::read_to_string(&file).unwrap();
    for (from, to) in [("S1", "S2"), ("\"imaged\"", "\"imaged-with-exceptions\""), ("\"signer\"", "\"sinner\"")] {
        fs::write(&file, text.replace(from, to)).unwrap();
        assert!(Manifest::read(&path).is_err(), "{from}");
    }
}

#[test]
fn no_bytes_make_the_reader_panic_or_take_much_memory() {
    let dir = tempfile::tempdir().unwrap();
    let (disk, path) = (disk(4), dir.path().join("a.img.zst"));
    let finished = image(&path, &disk, Mode::UsedBlock, None);
    let manifest = manifest(&path, &finished, &disk, Mode::UsedBlock);
    let good = fs::read(&path).unwrap();
    let mut draws = Draws::new([3; 32]);
    let bad = dir.path().join("bad.img.zst");
    for round in 0..300 {
        let mut bytes = good.clone();
        let tail = 400.min(bytes.len() as u64);
        for _ in 0..=draws.below(4) {
            // Mostly the header and the end, where the numbers are.
            let at = match round % 3 {
                0 => draws.below(400),
                1 => bytes.len() as u64 - 1 - draws.below(tail),
                _ => draws.below(bytes.len() as u64),
            };
            bytes[usize::try_from(at).unwrap()] = u8::try_from(draws.below(256)).unwrap();
        }
        if round % 5 == 0 {
            bytes.truncate(usize::try_from(draws.below(bytes.len() as u64)).unwrap());
        }
        fs::write(&bad, &bytes).unwrap();
        if bytes != good
            && let Ok(report) = report(&bad, &manifest)
        {
            assert!(!report.is_good(), "round {round}");
        }
        let head = header(&disk, Mode::UsedBlock);
        let _ = Writer::resume(&bad, None, head.clone(), &mut |found| Ok(whole_range(&head, found.index)));
    }
}

/// What an image of nothing costs is counted: bytes, parts, frames unpacked.
#[test]
fn nothing_is_stored_once_for_each_group_and_proved_without_unpacking() {
    let dir = tempfile::tempdir().unwrap();
    let (path, raw) = (dir.path().join("a.img.zst"), vec![0xff; MIB]);
    let head = Header { disk_bytes: 3 << 30, ..header(&raw, Mode::Raw) };
    let mut writer = Writer::create(&path, None, head.clone()).unwrap();
    for (entry, frames) in
        [(Entry::Zero, 1024), (Entry::Free, 1000), (Entry::Same(0xff), 24), (Entry::Same(0xff), 1024)]
    {
        writer.append_run(entry, frames, &[]).unwrap();
    }
    let finished = writer.finish(None).unwrap();
    let blocks = 4 * (3 << 30) / (128 << 10);
    let bytes = path.metadata().unwrap().len();
    assert!(bytes < blocks + 1500, "{bytes} of {blocks}");
    let manifest = Manifest { image: head, ..manifest(&path, &finished, &raw, Mode::Raw) };
    let reader = Reader::open(&path).unwrap();
    assert!(verify(&reader, &manifest, 2, None, &|_| true).is_good());
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((count(&reader.worked.unpacked), count(&reader.worked.compared)), (0, 4));
    let mut ends = [0; 2];
    reader.read_at((2024 << 20) - 1, &mut ends).unwrap();
    assert_eq!(ends, [0, 0xff]);
    let mut flipped = fs::read(&path).unwrap();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(&path, flipped).unwrap();
    let report = verify(&Reader::open(&path).unwrap(), &manifest, 2, None, &|_| true);
    assert!(report.damage.iter().any(|damage| matches!(damage, Damage::Frame { .. })));
}

/// Somebody who can change the store's folder, while an image of several pieces goes into it.
#[test]
fn pieces_of_an_image_stay_in_the_folder_where_it_was_begun() {
    let (bench, disk) = (Bench::new(), disk(6));
    let path = bench.folder().join("a.img.zst.part");
    let mut writer = Writer::create(&path, NonZeroU64::new(1 << 20), header(&disk, Mode::Raw)).unwrap();
    write_on(&mut writer, &disk, 0, 1);
    bench.exchange_folder();
    write_on(&mut writer, &disk, 1, 6);
    let finished = writer.finish(None).unwrap();
    assert!(finished.files.len() > 1);
    bench.nothing_was_touched("pieces");
    assert!(imagefile_there(&bench.at("moved"), &finished));
}

fn imagefile_there(folder: &Path, finished: &Finished) -> bool {
    finished.files.iter().all(|(path, bytes)| {
        fs::metadata(folder.join(path.file_name().unwrap())).is_ok_and(|there| there.len() == *bytes)
    })
}

/// What has the name of an unfinished image is gone on with only if it is a plain file of that name alone.
#[test]
fn an_image_is_not_gone_on_with_through_a_link() {
    use super::volumes::Volumes;
    let disk = disk(3);
    for (trap, plant) in TRAPS {
        for name in ["a.img.zst.part", "a.img.zst.part.000"] {
            let bench = Bench::new();
            plant(&bench, &bench.folder().join(name));
            let path = bench.folder().join("a.img.zst.part");
            let refused = at_once(trap, {
                let path = path.clone();
                move || Volumes::open(&path, None, true).map(drop)
            });
            assert!(refused.is_err(), "{trap} at {name}");
            assert_eq!(names_of(&path).len(), 1, "{trap} is not taken for nothing");
            bench.nothing_was_touched(trap);
            // And it is taken away for what it is.
            if trap != "a folder" {
                remove(&path).unwrap();
                image(&path, &disk, Mode::Raw, None);
                bench.nothing_was_touched(trap);
            }
        }
    }
}
