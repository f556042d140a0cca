//! File systems that other programs made and read.

use super::*;
use crate::{blocks::FileBlocks, engine::sampling::Draws};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

mod damage;
mod exfat_maker;
mod ext;
mod hit;

/// Runs a tool; what it said.
fn tool(name: &str, arguments: &[&str], at: &Path) -> Vec<u8> {
    let output = Command::new(name)
        .args(arguments)
        .current_dir(at)
        .env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap()))
        .envs([("MTOOLS_SKIP_CHECK", "1"), ("LC_ALL", "C.UTF-8")])
        .output()
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?}: {}{said}", String::from_utf8_lossy(&output.stdout));
    output.stdout
}

/// Bytes that differ from file to file.
fn content(seed: u8, len: usize) -> Vec<u8> {
    let mut draws = Draws::new([seed; 32]);
    (0..len.div_ceil(8)).flat_map(|_| draws.below(u64::MAX).to_le_bytes()).take(len).collect()
}

/// A tree that fits on small media: empty files, odd sizes, long names, many names, folders in folders.
fn tree(at: &Path) -> PathBuf {
    let root = at.join("tree");
    fs::create_dir_all(root.join("Ordner mit Umlaut ä/deep/deeper")).unwrap();
    fs::create_dir(root.join("many")).unwrap();
    fs::create_dir_all(root.join("few/none")).unwrap();
    for name in ["a", "b", "d"] {
        fs::write(root.join("few").join(name), name.repeat(130)).unwrap();
    }
    for (seed, (name, len)) in (1..).zip([
        ("empty", 0),
        ("one.txt", 1),
        ("UPPER.TXT", 511),
        ("a name longer than thirteen letters, in small and BIG.data", 4096),
        ("Ordner mit Umlaut ä/größe.bin", 70_001),
        ("Ordner mit Umlaut ä/deep/deeper/large", 600_000),
    ]) {
        fs::write(root.join(name), content(seed, len)).unwrap();
    }
    for number in 0..300 {
        fs::write(root.join(format!("many/file number {number}.txt")), number.to_string()).unwrap();
    }
    root
}

fn blocks(path: &Path) -> FileBlocks {
    File::open(path).and_then(FileBlocks::new).unwrap()
}

/// Extracts everything and lets diff compare.
fn same_as(volume: &dyn ReadAt, root: &Path, expected: Kind) {
    let files = open(volume).unwrap();
    assert_eq!(files.kind(), expected);
    let out = tempfile::tempdir().unwrap();
    let mut skipped = Vec::new();
    let done = extract(&*files, &files.root(), "/", out.path(), &mut |what| skipped.push(what));
    assert!(skipped.is_empty(), "{skipped:?}");
    assert!(done.files >= 5);
    let _ = fs::remove_dir(out.path().join("lost+found"));
    tool("diff", &["-r", root.to_str().unwrap(), out.path().to_str().unwrap()], out.path());
}

#[test]
fn fat_of_every_width_gives_back_what_mtools_put_in() {
    let at = tempfile::tempdir().unwrap();
    let root = tree(at.path());
    for (bits, kib) in [("12", "2000"), ("16", "20000"), ("32", "40000")] {
        let image = format!("fat{bits}");
        tool("mkfs.fat", &["-F", bits, "-s", "1", "-C", &image, kib], at.path());
        // A hole in the middle, so that the next file is in pieces.
        for name in ["hole1", "between", "hole2"] {
            fs::write(at.path().join(name), content(9, 40_000)).unwrap();
            tool("mcopy", &["-i", &image, name, "::"], at.path());
        }
        tool("mdel", &["-i", &image, "::hole1", "::hole2"], at.path());
        let sources = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path().display().to_string());
        let sources: Vec<String> = sources.collect();
        let mut arguments = vec!["-s", "-i", &image];
        arguments.extend(sources.iter().map(String::as_str));
        arguments.push("::");
        tool("mcopy", &arguments, at.path());
        tool("mdel", &["-i", &image, "::between"], at.path());
        let volume = blocks(&at.path().join(&image));
        same_as(&volume, &root, Kind::Fat);
        let files = open(&volume).unwrap();
        let found = find(&*files, "/upper.txt").unwrap();
        assert_eq!((found.name.as_str(), found.size), ("UPPER.TXT", 511), "case does not matter");
    }
}

#[test]
fn what_old_systems_keep_in_the_upper_word_is_no_cluster() {
    let at = tempfile::tempdir().unwrap();
    fs::write(at.path().join("a"), content(3, 10_000)).unwrap();
    for (bits, kib) in [("12", "2000"), ("16", "20000"), ("32", "40000")] {
        let image = format!("fat{bits}");
        tool("mkfs.fat", &["-F", bits, "-s", "1", "-C", &image, kib], at.path());
        tool("mmd", &["-i", &image, "::SUB"], at.path());
        tool("mcopy", &["-i", &image, "a", "::SUB/A.BIN"], at.path());
        let mut bytes = fs::read(at.path().join(&image)).unwrap();
        for name in [&b"SUB        "[..], b"A       BIN"] {
            let entry = bytes.windows(11).position(|there| there == name).unwrap();
            bytes[entry + 20] = 1;
        }
        let files = open(&bytes).unwrap();
        let found = find(&*files, "/SUB/A.BIN");
        if bits == "32" {
            assert!(found.is_err(), "there it is the number's upper half");
            continue;
        }
        let mut data = Vec::new();
        cat(&*files, &found.unwrap(), &mut data).unwrap();
        assert!(data == content(3, 10_000), "FAT{bits}");
    }
}

/// mtools takes the number of clusters for the width, so they are made fewer when the files are in.
#[test]
fn fat32_with_few_clusters_gives_back_what_mtools_put_in() {
    let at = tempfile::tempdir().unwrap();
    let root = tree(at.path());
    tool("mkfs.fat", &["-F", "32", "-s", "1", "-C", "few", "40000"], at.path());
    let sources = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path().display().to_string());
    let sources: Vec<String> = sources.collect();
    let mut arguments = vec!["-s", "-i", "few"];
    arguments.extend(sources.iter().map(String::as_str));
    arguments.push("::");
    tool("mcopy", &arguments, at.path());
    let mut bytes = fs::read(at.path().join("few")).unwrap();
    for sectors in [60_000_u32, 8_000] {
        bytes[32..36].copy_from_slice(&sectors.to_le_bytes());
        same_as(&bytes, &root, Kind::Fat);
    }
}

/// An NTFS volume with 300 files in its top folder, and one in pieces.
fn ntfs_volume(at: &Path) -> (PathBuf, BTreeMap<String, Vec<u8>>) {
    let image = at.join("ntfs");
    File::create(&image).unwrap().set_len(8 << 20).unwrap();
    tool("mkntfs", &["-F", "-Q", "-q", "-c", "512", "-L", "test", "ntfs"], at);
    let mut expected = BTreeMap::new();
    let sizes = [0, 1, 700, 5000, 300_000];
    for number in 0..120_u8 {
        let name = format!("file with a rather long name, number {number}.bin");
        expected.insert(name, content(number, sizes[usize::from(number) % 4]));
    }
    expected.insert("größe 😀.txt".to_owned(), content(200, sizes[4]));
    for (name, data) in &expected {
        fs::write(at.join("source"), data).unwrap();
        tool("ntfscp", &["-f", "ntfs", "source", name], at);
    }
    (image, expected)
}

#[test]
fn ntfs_gives_back_what_ntfscp_put_in() {
    let at = tempfile::tempdir().unwrap();
    let (image, expected) = ntfs_volume(at.path());
    let volume = blocks(&image);
    let files = open(&volume).unwrap();
    let mut found = BTreeMap::new();
    files
        .list(&files.root(), &mut |entry| {
            let mut data = Vec::new();
            cat(&*files, &entry, &mut data).unwrap();
            assert_eq!(entry.size, data.len() as u64, "{}", entry.name);
            found.insert(entry.name, data);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(found == expected, "{:?}", found.keys());
    let name = "file with a rather long name, number 3.bin";
    assert!(tool("ntfscat", &["ntfs", name], at.path()) == found[name]);
    assert!(find(&*files, "/$MFT").is_err(), "the file system's own files are not shown");
}

/// Disks of a camera, a phone and a computer, with files deleted before; made by others (Debian's forensics-samples).
fn sample(name: &str, at: &Path) -> PathBuf {
    let disk = tool("xz", &["-dc", &format!("/usr/share/forensics-samples/fs.{name}.xz")], at);
    let path = at.join(name);
    fs::write(&path, &disk[1 << 20..]).unwrap();
    path
}

#[test]
fn the_sample_disks_of_debian_read_the_same_with_other_tools() {
    let at = tempfile::tempdir().unwrap();
    for (name, kind) in [("ntfs", Kind::Ntfs), ("vfat", Kind::Fat), ("ext4", Kind::Ext)] {
        let volume = blocks(&sample(name, at.path()));
        let files = open(&volume).unwrap();
        assert_eq!(files.kind(), kind);
        let mut count = 0;
        let done = walk(&*files, &files.root(), "", &mut |path, entry, trouble| {
            assert!(trouble.is_none(), "{path}: {trouble:?}");
            if entry.kind == EntryKind::File {
                let mut data = Vec::new();
                cat(&*files, entry, &mut data).unwrap();
                let other = match kind {
                    Kind::Ntfs => tool("ntfscat", &[name, path], at.path()),
                    Kind::Ext => tool("debugfs", &["-R", &format!("cat \"{path}\""), name], at.path()),
                    _ => tool("mtype", &["-i", name, &format!("::{path}")], at.path()),
                };
                assert!(data == other, "{name}: {path}");
                count += 1;
            }
            Next::On
        });
        assert!(done.is_continue() && count >= 14, "{name}: {count} files");
    }
}

#[test]
fn bitlocker_that_looks_like_fat_is_called_by_its_name() {
    let at = tempfile::tempdir().unwrap();
    tool("mkfs.fat", &["-F", "32", "-s", "1", "-C", "image", "40000"], at.path());
    let plain = fs::read(at.path().join("image")).unwrap();
    let to_go = b"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01";
    let used_space = b"\x3b\x4d\xa8\x92\x80\xdd\x0e\x4d\x9e\x4e\xb1\xe3\x28\x4e\xae\xd8";
    for (place, mark) in [(3, &b"-FVE-FS-"[..]), (0x1a8, to_go), (0x1a8, used_space)] {
        let mut bytes = plain.clone();
        bytes[place..place + mark.len()].copy_from_slice(mark);
        assert_eq!(Kind::of(&bytes).unwrap(), None);
        let Err(why) = open(&bytes) else { panic!("it is opened") };
        assert!(why.to_string().contains("BitLocker"), "{why}");
        assert!(matches!(why, BrowseError::Encrypted(_)));
    }
    let mut luks = plain;
    luks[..8].copy_from_slice(b"LUKS\xba\xbe\0\x02");
    assert!(matches!(open(&luks), Err(BrowseError::Encrypted("LUKS"))));
}

#[test]
fn what_is_no_file_system_is_refused() {
    assert!(matches!(open(&vec![0; 1 << 20]), Err(BrowseError::Unknown)));
    assert!(matches!(open(&vec![0; 100]), Err(BrowseError::Unknown)));
    let noise = content(1, 1 << 16);
    assert!(matches!(open(&noise), Err(BrowseError::Unknown)));
}
