//! Which files lie where, against the tools of the file systems.

use super::*;

fn hits(volume: &dyn ReadAt, bad: &[Range<u64>]) -> Hits {
    files_hit(volume, bad, HitLimits::default()).unwrap().unwrap()
}

/// Of one place, with few names or looks.
fn hits_at(volume: &dyn ReadAt, bad: Range<u64>, names: usize, looked_at: u64) -> Hits {
    files_hit(volume, std::slice::from_ref(&bad), HitLimits { names, looked_at }).unwrap().unwrap()
}

/// Where the bytes of a file lie, found by looking for them.
fn place(volume: &[u8], data: &[u8]) -> u64 {
    let at = volume.chunks(512).position(|sector| sector == &data[..512]).unwrap();
    at as u64 * 512
}

fn names(hits: &Hits) -> Vec<(What, &str, u64)> {
    hits.hits.iter().map(|hit| (hit.what, hit.path.as_str(), hit.bytes)).collect()
}

#[test]
fn fat_names_its_files_and_free_space() {
    let at = tempfile::tempdir().unwrap();
    let data = content(1, 5000);
    fs::write(at.path().join("source"), &data).unwrap();
    tool("mkfs.fat", &["-F", "16", "-s", "4", "-C", "image", "20000"], at.path());
    tool("mmd", &["-i", "image", "::folder"], at.path());
    tool("mcopy", &["-i", "image", "source", "::folder/a long name.txt"], at.path());
    let volume = fs::read(at.path().join("image")).unwrap();
    let start = place(&volume, &data);
    let found = hits(&volume, &[start + 100..start + 612, 15 << 20..16 << 20, 0..512]);
    let system = (What::System, "(the file system's own tables)", 512);
    assert_eq!(names(&found), [system, (What::File, "/folder/a long name.txt", 512)]);
    assert_eq!((found.cut_short, found.unknown, found.elsewhere), (false, 0, 1 << 20));
    let few = hits_at(&volume, 0..1 << 24, 1, 100);
    assert!(few.unnamed == 3 && few.hits.len() == 1, "{few:?}");
    let short = hits_at(&volume, start..start + 1, 9, 1);
    assert!(short.cut_short && short.hits.is_empty(), "{short:?}");
}

#[test]
fn exfat_names_its_files() {
    let at = tempfile::tempdir().unwrap();
    let volume = fs::read(exfat_maker::volume(at.path())).unwrap();
    let [_, (name, data), ..] = exfat_maker::expected();
    // The second of three pieces.
    let start = place(&volume, &data[4096..]);
    let found = hits(&volume, &[start..start + 4096, start + (1 << 20)..start + (1 << 20) + 7]);
    assert_eq!(names(&found), [(What::File, format!("/{name}").as_str(), 4096)]);
    assert_eq!((found.cut_short, found.unknown, found.elsewhere), (false, 0, 7));
}

#[test]
fn ext_names_its_files_as_debugfs_does() {
    let at = tempfile::tempdir().unwrap();
    let root = tree(at.path());
    for kind in ["ext2", "ext4"] {
        let arguments = ["-q", "-F", "-t", kind, "-b", "1024", "-d", root.to_str().unwrap(), kind, "16M"];
        tool("mke2fs", &arguments, at.path());
        let volume = fs::read(at.path().join(kind)).unwrap();
        // Every 97th block, one by one.
        let blocks: Vec<u64> = (600..16384).step_by(97).collect();
        let list: Vec<String> = blocks.iter().map(u64::to_string).collect();
        let said = tool("debugfs", &["-R", &format!("icheck {}", list.join(" ")), kind], at.path());
        let said = String::from_utf8(said).unwrap();
        let mut in_files = 0;
        for line in said.lines().skip(1) {
            let (block, inode) = line.split_once('\t').unwrap();
            let block: u64 = block.parse().unwrap();
            let found = hits_at(&volume, block * 1024..(block + 1) * 1024, 9, 10_000);
            let found: Vec<_> = found.hits.iter().filter(|hit| hit.bytes == 1024).collect();
            let Ok(inode) = inode.parse::<u64>() else {
                assert!(found.is_empty(), "{kind} block {block}: {found:?}");
                continue;
            };
            // 7 and 8 are the file system's own: reserved descriptors and the journal.
            if inode > 10 {
                let name = tool("debugfs", &["-R", &format!("ncheck {inode}"), kind], at.path());
                let name = String::from_utf8(name).unwrap();
                let name = name.lines().nth(1).unwrap().split_once('\t').unwrap().1;
                assert_eq!(found.iter().map(|hit| hit.path.as_str()).collect::<Vec<_>>(), [name], "{kind} {block}");
                in_files += 1;
            }
        }
        assert!(in_files > 5, "{kind}: {in_files} blocks in files");
    }
}

#[test]
fn ntfs_names_its_files_as_ntfscluster_does() {
    let at = tempfile::tempdir().unwrap();
    let (image, expected) = ntfs_volume(at.path());
    let volume = fs::read(image).unwrap();
    let name = "größe 😀.txt";
    let start = place(&volume, &expected[name]);
    let found = hits_at(&volume, start..start + 1000, 9, 10_000);
    assert_eq!(names(&found), [(What::File, format!("/{name}").as_str(), 1000)]);
    assert_eq!((found.cut_short, found.unknown, found.elsewhere), (false, 0, 0));
    let cluster = (start / 512).to_string();
    let other = tool("ntfscluster", &["-c", &cluster, "ntfs"], at.path());
    let other = String::from_utf8_lossy(&other).into_owned();
    assert!(other.contains(name), "{other}");
    // The first bytes are of $Boot; the file table is hit where its first record is.
    let boot = hits_at(&volume, 0..512, 9, 10_000);
    assert_eq!(names(&boot), [(What::System, "/$Boot", 512)]);
    // Free space is nobody's.
    let free = hits_at(&volume, (7 << 20) + 512..(7 << 20) + 1024, 9, 10_000);
    assert_eq!((names(&free), free.elsewhere), (vec![], 512));
}

#[test]
fn a_file_whose_record_was_lost_is_not_passed_over() {
    let at = tempfile::tempdir().unwrap();
    let (image, expected) = ntfs_volume(at.path());
    let mut volume = fs::read(image).unwrap();
    let start = place(&volume, &expected["größe 😀.txt"]);
    let text: Vec<u8> = "größe 😀.txt".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let record = |at: &usize| volume[at / 1024 * 1024..].starts_with(b"FILE");
    let found: Vec<usize> =
        volume.windows(text.len()).enumerate().filter(|(_, part)| *part == text).map(|(at, _)| at).collect();
    let record = found.iter().find(|at| record(at)).unwrap() / 1024 * 1024;
    volume[record..record + 1024].fill(0);
    let bad = [record as u64..record as u64 + 1024, start..start + 1000];
    let found = hits(&volume, &bad);
    assert_eq!((names(&found), found.unknown, found.elsewhere), (vec![(What::System, "/$MFT", 1024)], 1, 1000));
}
