//! Exports as QEMU sees them.

use super::*;
use crate::blocks::Cursor;
use std::{
    fmt::Write as _,
    fs,
    io::Read,
    os::unix::fs::MetadataExt,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

fn qemu_img(arguments: &[&str], folder: &Path) -> String {
    let output = Command::new("qemu-img").args(arguments).current_dir(folder).output().unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    write!(text, "{}", String::from_utf8_lossy(&output.stderr)).unwrap();
    assert!(output.status.success(), "{arguments:?}: {text}");
    text
}

/// A disk that is read, but for the frames that are known to be zeros.
struct Disk<R, Z>(R, Z);

impl<R: ReadAt, Z: Fn(u64) -> bool + Sync> Source for Disk<R, Z> {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn frame(&self, index: u64) -> io::Result<Option<Content>> {
        let offset = index * FRAME;
        let mut content = vec![0; usize::try_from(FRAME.min(self.size() - offset)).unwrap()];
        if (self.1)(index) {
            return Ok(None);
        }
        self.0.read_at(offset, &mut content)?;
        Ok(Some(Box::new(content)))
    }
}

const THREADS: usize = 3;

fn go_on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A disk with text, noise, zeros and bytes of all ones, made from the address alone.
struct Made {
    size: u64,
    /// Which 64 KiB clusters hold something.
    filled: fn(u64) -> bool,
}

impl ReadAt for Made {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        for (at, byte) in (offset..).zip(buf) {
            let cluster = at / CLUSTER as u64;
            let noise = (at / 8).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24;
            *byte = match cluster % 4 {
                _ if !(self.filled)(cluster) => 0,
                0 => u8::try_from(noise.wrapping_mul(noise | 1) & 0xFF).unwrap(),
                1 => b"the quick brown fox "[usize::try_from(at % 20).unwrap()],
                2 => 0xFF,
                _ => u8::from(at % 0x1_0000 == 77),
            };
        }
        Ok(())
    }
}

#[test]
fn qemu_finds_the_same_disk_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for (size, filled) in [
        (0, (|_| true) as fn(u64) -> bool),
        (512, |_| true),
        (5 << 20, |_| false),
        ((3 << 20) + 512, |_| true),
        ((9 << 20) + 65536 * 3 + 1024, |cluster| cluster % 7 != 3),
        ((2 << 20) + 100, |_| true),
    ] {
        let disk = Made { size, filled };
        let mut bytes = Vec::new();
        Cursor::new(&disk).read_to_end(&mut bytes).unwrap();
        fs::write(folder.path().join("expected"), &bytes).unwrap();
        for (_, format) in NAMES {
            let name = format!("{format}-{size}");
            let exported =
                export(&Disk(&disk, |_| false), format, &folder.path().join(&name), THREADS, &mut go_on).unwrap();
            let stored: usize = bytes.chunks(CLUSTER).filter(|c| c.iter().any(|b| *b != 0)).map(<[u8]>::len).sum();
            assert_eq!(exported, Exported { size, stored: stored as u64 });
            if format == Format::Raw {
                assert!(fs::read(folder.path().join(&name)).unwrap() == bytes);
                continue;
            }
            assert!(qemu_img(&["check", &name], folder.path()).contains("No errors were found"));
            qemu_img(&["compare", "-f", "raw", "-F", "qcow2", "expected", &name], folder.path());
        }
        fs::remove_file(folder.path().join("expected")).unwrap();
    }
}

#[test]
fn a_wrong_byte_would_be_found() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Made { size: 3 << 20, filled: |_| true };
    let mut bytes = Vec::new();
    Cursor::new(&disk).read_to_end(&mut bytes).unwrap();
    bytes[2_000_000] ^= 1;
    fs::write(folder.path().join("other"), &bytes).unwrap();
    export(&Disk(&disk, |_| false), Format::Qcow2, &folder.path().join("image"), THREADS, &mut go_on).unwrap();
    let compare = Command::new("qemu-img").args(["compare", "other", "image"]).current_dir(folder.path()).output();
    assert_eq!(compare.unwrap().status.code(), Some(1));
}

#[test]
fn a_large_sparse_disk_takes_little_time_and_space() {
    let folder = tempfile::tempdir().unwrap();
    const GIB: u64 = 1 << 30;
    fn filled(cluster: u64) -> bool {
        [0, 8191, 8192, 20 * 16384, 200 * 16384 - 1].contains(&cluster)
    }
    let reads = AtomicU32::new(0);
    let disk = Made { size: 200 * GIB, filled };
    let zero = |frame: u64| {
        let zero = !(frame * 16..frame * 16 + 16).any(filled);
        reads.fetch_add(u32::from(!zero), Ordering::Relaxed);
        zero
    };
    for format in [Format::Qcow2, Format::Qcow2Zstd] {
        let name = format.to_string();
        let exported = export(&Disk(&disk, &zero), format, &folder.path().join(&name), THREADS, &mut go_on).unwrap();
        assert_eq!(exported, Exported { size: 200 * GIB, stored: 5 << 16 });
        assert!(fs::metadata(folder.path().join(&name)).unwrap().len() < 2 << 20);
        let check = qemu_img(&["check", &name], folder.path());
        assert!(check.contains("No errors were found"), "{check}");
        let info = qemu_img(&["info", &name], folder.path());
        assert!(info.contains("virtual size: 200 GiB (214748364800 bytes)"), "{info}");
        assert_eq!(info.contains("compression type: zstd"), format == Format::Qcow2Zstd, "{info}");
        let map = qemu_img(&["map", "--output=json", &name], folder.path());
        let data: Vec<&str> = map.lines().filter(|line| line.contains("\"data\": true")).collect();
        let starts = [0, 8191, 20 * 16384, 200 * 16384 - 1].map(|cluster: u64| cluster << 16);
        for start in starts {
            let start = format!("\"start\": {start},");
            assert!(data.iter().any(|line| line.contains(&start)), "{start} is not in {data:?}");
        }
    }
    assert_eq!(reads.into_inner(), 2 * 5, "zero frames are not read");
}

/// Small clusters make many refcount blocks and L2 tables out of little data.
#[test]
fn tables_go_on_for_as_long_as_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    for bits in [9, 10, 12] {
        // Around the place where the last refcount block is just full, and far beyond.
        for clusters in (488..506).step_by(if bits == 9 { 1 } else { 13 }).chain([5000]) {
            for compress in [false, true] {
                let zstd = compress.then(ZstdCluster::default);
                let file = File::create(&path).unwrap();
                let mut image = qcow2::Qcow2::new(&file, clusters << bits, bits, compress).unwrap();
                let mut expected = Vec::new();
                for cluster in 0..clusters {
                    // Sizes differ when compressed; some do not compress at all, some are missing.
                    let mut data = vec![0; 1 << bits];
                    let noisy = usize::try_from((cluster * 37) % (1 << bits)).unwrap();
                    if cluster % 11 != 5 {
                        data[noisy..].fill(7);
                        Made { size: u64::MAX, filled: |_| true }.read_at(cluster << 18, &mut data[..noisy]).unwrap();
                        let packed = zstd.as_ref().and_then(|zstd| zstd.compress(&data));
                        image.clusters(cluster << bits, &data, &[packed]).unwrap();
                    }
                    expected.extend(data);
                }
                image.finish().unwrap();
                fs::write(folder.path().join("expected"), &expected).unwrap();
                let check = qemu_img(&["check", "image"], folder.path());
                assert!(check.contains("No errors were found"), "{bits} {clusters} {compress}: {check}");
                qemu_img(&["compare", "-f", "raw", "-F", "qcow2", "expected", "image"], folder.path());
            }
        }
    }
}

#[test]
fn nothing_is_overwritten_and_nothing_unfinished_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let disk = Made { size: 4 << 20, filled: |_| true };
    fs::write(&path, "precious").unwrap();
    assert!(matches!(
        export(&Disk(&disk, |_| false), Format::Raw, &path, THREADS, &mut go_on),
        Err(ExportError::Exists(_))
    ));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    // What a run that was killed left goes; what only looks like it stays.
    let other = folder.path().join("other");
    fs::write(folder.path().join("other.part"), "precious too").unwrap();
    fs::write(folder.path().join("other.part-0123456789abcdef"), "left").unwrap();
    export(&Disk(&disk, |_| false), Format::Raw, &other, THREADS, &mut go_on).unwrap();
    let third = folder.path().join("third");
    let mut stop = |done| if done >= 2 << 20 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    assert!(matches!(
        export(&Disk(&disk, |_| false), Format::Qcow2, &third, THREADS, &mut stop),
        Err(ExportError::Stopped)
    ));
    let mut appear = |_| {
        fs::write(&third, "late").unwrap();
        ControlFlow::Continue(())
    };
    assert!(matches!(
        export(&Disk(&disk, |_| false), Format::Qcow2, &third, THREADS, &mut appear),
        Err(ExportError::Exists(_))
    ));
    assert_eq!(fs::read(&third).unwrap(), b"late");
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["other", "other.part", "out", "third"]);
}

#[test]
fn a_source_that_cannot_be_read_ends_the_export() {
    struct Broken;
    impl ReadAt for Broken {
        fn size(&self) -> u64 {
            3 << 20
        }
        fn read_at(&self, offset: u64, _: &mut [u8]) -> io::Result<()> {
            if offset < 2 << 20 { Ok(()) } else { Err(io::Error::other("frame 2 is damaged")) }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let error = export(&Disk(&Broken, |_| false), Format::Qcow2, &path, THREADS, &mut go_on).unwrap_err();
    assert_eq!(error.to_string(), "the source cannot be read at byte 2097152: frame 2 is damaged");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn raw_exports_have_holes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let disk = Made { size: 64 << 20, filled: |cluster| cluster == 500 };
    export(&Disk(&disk, |frame| frame < 30), Format::Raw, &path, THREADS, &mut go_on).unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!(metadata.len(), 64 << 20);
    assert!(metadata.blocks() * 512 <= 1 << 20, "{} sectors", metadata.blocks());
}

#[test]
fn formats_have_names() {
    for (name, format) in NAMES {
        assert_eq!((name.parse(), format.to_string().as_str()), (Ok(format), name));
    }
    assert!("vmdk".parse::<Format>().unwrap_err().contains("raw, qcow2, qcow2-zstd"));
}
