//! Whole disks with deleted files in them that neither we nor our tools made: Debian's forensics-samples packages.

use super::{Kind, Table, Treatment, Volume, fixture::*, survey};
use std::{fs, path::Path, process::Command};

/// A sample: its name, what it holds, how its tree is read out, and its checker.
type Sample = (&'static str, Kind, &'static str, &'static [&'static str]);

const SAMPLES: [Sample; 5] = [
    ("ntfs", Kind::Ntfs, "", &["ntfsfix -n @", "ntfsresize --info --force --no-progress-bar @"]),
    ("vfat", Kind::Fat, "mcopy -s -n -i @ ::/ %/tree", &["fsck.fat -n @"]),
    ("ext4", Kind::Ext, "debugfs -f %/script @", &["e2fsck -fn @"]),
    ("ext2", Kind::Ext, "debugfs -f %/script @", &["e2fsck -fn @"]),
    ("exfat", Kind::Exfat, "", &["fsck.exfat -n @"]),
];

fn sample(name: &str) -> Vec<u8> {
    let path = format!("/usr/share/forensics-samples/fs.{name}.xz");
    let out = Command::new("xz").args(["-dc", &path]).output().unwrap();
    assert!(out.status.success(), "{path}: is forensics-samples-{name} installed?");
    out.stdout
}

/// A volume of its own, cut out of a disk.
fn part(disk: &[u8], volume: &Volume) -> Disk {
    let start = usize::try_from(volume.start).unwrap();
    Disk::of(&disk[start..start + usize::try_from(volume.len).unwrap()])
}

/// All files below a folder: path and content.
fn tree(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            tree(&path, found);
        } else {
            found.push((path.file_name().unwrap().to_string_lossy().into(), fs::read(&path).unwrap()));
        }
    }
}

/// Every file of a volume.
fn files(disk: &Disk, read_out: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    if read_out.is_empty() {
        return found;
    }
    fs::create_dir_all(disk.beside("tree")).unwrap();
    fs::write(disk.beside("script"), format!("rdump / {}\n", disk.beside("tree").display())).unwrap();
    disk.must(read_out);
    tree(&disk.beside("tree"), &mut found);
    assert!(found.len() > 5 && found.iter().any(|(_, content)| content.len() > 100_000), "{}", found.len());
    found
}

/// Every file of an NTFS volume by its path.
fn ntfs_files(disk: &Disk) -> Vec<(String, Vec<u8>)> {
    let listed = disk.text("ntfsls -f -R @");
    let (mut folder, mut found) = (String::new(), Vec::new());
    for line in listed.lines().filter(|line| !matches!(*line, "" | "." | "..")) {
        match line.strip_suffix(':') {
            Some(path) => folder = path.trim_end_matches('/').to_owned(),
            None if line.contains('.') => {
                let path = format!("{folder}/{line}");
                let content = disk.must(&format!("ntfscat -f @ {path}"));
                found.push((path, content));
            }
            None => {}
        }
    }
    assert!(found.len() > 5 && found.iter().any(|(_, content)| content.len() > 100_000), "{listed}");
    found
}

#[test]
fn disks_of_others_keep_their_files() {
    for (name, kind, read_out, checks) in SAMPLES {
        let bytes = sample(name);
        let (found, scrubbed) = proved(&bytes);
        let volume = &found.volumes[0];
        assert_eq!((&found.table, found.volumes.len(), volume.kind), (&Table::Mbr, 1, kind), "{name}");
        // They are more than half full.
        assert!(free(volume) > 2 * MIB, "{name}: {:?}", volume.treatment);
        let (before, after) = (part(&bytes, volume), part(&scrubbed.bytes(), volume));
        checks.iter().for_each(|check| drop(after.must(check)));
        let list = |disk| if kind == Kind::Ntfs { ntfs_files(disk) } else { files(disk, read_out) };
        let (before, after) = (list(&before), list(&after));
        assert_eq!(before.len(), after.len(), "{name}");
        for (one, other) in before.iter().zip(&after) {
            assert!(one == other, "{} changed ({name})", one.0);
        }
    }
}

#[test]
fn a_disk_with_many_partitions_keeps_them() {
    let bytes = sample("multiple");
    let found = survey(&bytes, 512);
    let reasons = found.volumes[..3].iter().map(|volume| match &volume.treatment {
        Treatment::Raw { reason } => reason.as_str(),
        Treatment::Used { .. } => "",
    });
    // The third partition is half as long as its file system says it is.
    let expected = [
        "btrfs is read whole",
        "not cleanly unmounted: the superblock's state is 0x3",
        "damaged: the file system is longer than its partition",
    ];
    assert_eq!(reasons.collect::<Vec<_>>(), expected);
    let last = &found.volumes[3];
    assert!((last.kind, free(last) > 50 * MIB) == (Kind::Ntfs, true), "{last:?}");
    let (image, _) = scrubbed(&bytes, &found);
    part(&image, last).must("ntfsresize --info --force --no-progress-bar @");
}
