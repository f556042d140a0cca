use super::*;
use crate::content::{Table, survey};
use std::{fs, path::Path, process::Command};

fn run(name: &str, args: &[&str], path: &Path) {
    let out = Command::new(name).args(args).arg(path).output().unwrap();
    assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn file_systems_are_known_with_their_labels() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    let makers: [(&str, &[&str], Kind); 6] = [
        ("mke2fs", &["-q", "-F", "-t", "ext4", "-L", "MULE-STORE"], Kind::Ext),
        ("mkntfs", &["-F", "-Q", "-q", "-p", "0", "-H", "0", "-S", "0", "-L", "MULE-STORE"], Kind::Ntfs),
        ("mkfs.exfat", &["-L", "MULE-STORE"], Kind::Exfat),
        ("mkfs.fat", &["-F", "32", "-s", "1", "-n", "MULE-STORE"], Kind::Fat),
        ("mkfs.fat", &["-F", "16", "-n", "MULE-STORE"], Kind::Fat),
        ("mkswap", &["-q"], Kind::Swap),
    ];
    for (name, args, kind) in makers {
        let _ = fs::remove_file(&path);
        fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
        run(name, args, &path);
        let disk = fs::read(&path).unwrap();
        let found = survey(&disk, 512);
        let volume = &found.volumes[0];
        assert_eq!((&found.table, volume.kind), (&Table::None, kind), "{name}");
        let label = if kind == Kind::Swap { "" } else { "MULE-STORE" };
        assert_eq!((volume.start, volume.len, volume.label.as_str()), (0, 64 << 20, label), "{name} {args:?}");
    }
    let blank = vec![0_u8; 1 << 20];
    assert_eq!(survey(&blank, 512).volumes[0].kind, Kind::Blank);
}

#[test]
fn partitions_are_where_the_tools_put_them() {
    let dir = tempfile::tempdir().unwrap();
    for (label, table) in [("dos", Table::Mbr), ("gpt", Table::Gpt)] {
        let path = dir.path().join(label);
        fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
        let script = dir.path().join("script");
        let extended = if label == "dos" { "start=40960, size=81920, type=5\nstart=43008, size=2048\n" } else { "" };
        fs::write(&script, format!("label: {label}\nstart=2048, size=20480\n{extended}")).unwrap();
        let input = fs::File::open(&script).unwrap();
        let out =
            Command::new("sfdisk").args(["-q", "--no-reread", "--no-tell-kernel"]).arg(&path).stdin(input).output();
        assert!(out.unwrap().status.success());
        let disk = fs::read(&path).unwrap();
        let found = survey(&disk, 512);
        let places: Vec<_> = found.volumes.iter().map(|v| (v.number, v.start / 512, v.len / 512)).collect();
        let expected: &[_] = if label == "dos" { &[(1, 2048, 20480), (5, 43008, 2048)] } else { &[(1, 2048, 20480)] };
        assert_eq!((&found.table, places.as_slice()), (&table, expected));
        assert_eq!(found.used_end(), if label == "dos" { 45056 * 512 } else { 22528 * 512 });
        let cut = disk[..8 << 20].to_vec();
        assert!(matches!(survey(&cut, 512).table, Table::Damaged(_)), "{label}");
    }
}
