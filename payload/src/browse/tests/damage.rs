//! Bytes that somebody changed: errors, never panics, loops or much memory.

use super::*;
use std::time::{Duration, Instant};

/// Takes bytes and forgets them; ends files that never end.
struct Limited(u64);

impl Out for Limited {
    fn data(&mut self, _: u64, data: &[u8]) -> io::Result<()> {
        self.0 = self.0.checked_sub(data.len() as u64).ok_or_else(|| io::Error::other("enough"))?;
        Ok(())
    }
}

/// Reads all there is; how many entries could be read.
fn read_all(volume: &dyn ReadAt) -> u64 {
    let Ok(files) = open(volume) else { return 0 };
    let (mut good, mut seen) = (0, 0);
    let _ = walk(&*files, &files.root(), "", &mut |_, entry, trouble| {
        seen += 1;
        if entry.kind == EntryKind::File && trouble.is_none() {
            good += u64::from(files.read(entry, &mut Limited(volume.size())).is_ok());
        }
        // A crafted tree can have more names than anybody wants to see.
        if seen > 2000 { Next::Stop } else { Next::On }
    });
    good
}

/// Changes sectors that hold something, and puts them back.
fn hurt(mut volume: Vec<u8>, rounds: u64, seed: u8) {
    let whole = read_all(&volume);
    assert!(whole > 3);
    let mut draws = Draws::new([seed; 32]);
    let mut draw = |below: usize| usize::try_from(draws.below(below as u64)).unwrap();
    // What describes files is more telling than their noise; it has many zeros.
    let telling = |sector: &[u8]| (1..400).contains(&sector.iter().filter(|byte| **byte != 0).count());
    let sectors: Vec<usize> =
        volume.chunks(512).enumerate().filter(|(_, sector)| telling(sector)).map(|(at, _)| at * 512).collect();
    let (begin, mut worse) = (Instant::now(), 0);
    for round in 0..rounds {
        let mut before = Vec::new();
        for _ in 0..1 + draw(8) {
            let sector = sectors[draw(sectors.len())];
            let at = sector + draw(512);
            before.push((at, volume[at]));
            let bit = 1 << draw(8);
            volume[at] = match draw(4) {
                0 => 0,
                1 => 0xFF,
                _ => volume[at] ^ bit,
            };
        }
        worse += u64::from(read_all(&volume) != whole);
        let bad = [0..4096, (1 << 20)..(2 << 20)];
        if let Ok(Some(hits)) = files_hit(&volume, &bad, HitLimits { names: 20, looked_at: 1000 }) {
            assert!(hits.hits.len() <= 20 && hits.elsewhere <= 4096 + (1 << 20));
        }
        for (at, byte) in before.into_iter().rev() {
            volume[at] = byte;
        }
        assert!(begin.elapsed() < Duration::from_secs(120), "round {round} takes too long");
    }
    assert!(worse > 0, "no change did any harm: the wrong bytes were changed");
    assert_eq!(read_all(&volume), whole);
}

#[test]
fn changed_fat_never_panics() {
    let at = tempfile::tempdir().unwrap();
    fs::write(at.path().join("a long name, to be hurt.txt"), content(1, 9000)).unwrap();
    for (bits, kib, seed) in [("12", "1440", 1), ("16", "9000", 2), ("32", "34000", 3)] {
        tool("mkfs.fat", &["-F", bits, "-s", "1", "-C", bits, kib], at.path());
        tool("mmd", &["-i", bits, "::folder"], at.path());
        for number in 0..20 {
            let name = format!("::folder/some file {number}");
            tool("mcopy", &["-i", bits, "a long name, to be hurt.txt", &name], at.path());
        }
        hurt(fs::read(at.path().join(bits)).unwrap(), 150, seed);
    }
}

#[test]
fn changed_exfat_never_panics() {
    let at = tempfile::tempdir().unwrap();
    hurt(fs::read(exfat_maker::volume(at.path())).unwrap(), 300, 4);
}

#[test]
fn changed_ext_never_panics() {
    let at = tempfile::tempdir().unwrap();
    let root = at.path().join("tree");
    fs::create_dir_all(root.join("folder")).unwrap();
    for number in 0..20 {
        let file = File::create(root.join(format!("folder/file {number}"))).unwrap();
        // Holes, so that maps and trees have several levels and entries.
        for piece in 0..10 {
            file.write_all_at(&content(number, 1500), piece * 40_000).unwrap();
        }
    }
    for (kind, seed) in [("ext2", 5), ("ext4", 6)] {
        let arguments = ["-q", "-F", "-t", kind, "-b", "1024", "-d", root.to_str().unwrap(), kind, "4M"];
        tool("mke2fs", &arguments, at.path());
        hurt(fs::read(at.path().join(kind)).unwrap(), 300, seed);
    }
}

#[test]
fn changed_ntfs_never_panics() {
    let at = tempfile::tempdir().unwrap();
    let (image, _) = ntfs_volume(at.path());
    hurt(fs::read(image).unwrap(), 300, 7);
}
