//! Test data of the crates `ntfs`, `gptman` and `mbrman`: disks made by others, with facts published beside them.

use super::{Kind, Table, fixture::proved, outline};
use crate::browse::{self, EntryKind};
use std::{fs, ops::ControlFlow, path::PathBuf, process::Command};

/// Where the sources of a crate lie that this one depends on.
fn sources(name: &str) -> PathBuf {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let out = Command::new(cargo)
        // Not --offline: only what was compiled so far need lie on this machine, and this names what other builds need too.
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path", manifest])
        .args(["--filter-platform", "x86_64-unknown-linux-musl"])
        .output()
        .unwrap();
    let known: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let of_name = |package: &&serde_json::Value| package["name"] == name;
    let package = known["packages"].as_array().unwrap().iter().find(of_name).unwrap();
    PathBuf::from(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
}

fn number(bytes: &[u8], at: usize, len: usize) -> u64 {
    bytes[at..at + len].iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte))
}

/// First LBA and length of every entry, read by hand (UEFI 2.10, table 5-7) from the table behind a header at `header`.
fn gpt_entries(bytes: &[u8], block: usize, header: usize) -> Vec<(u64, u64)> {
    let table = usize::try_from(number(bytes, header + 72, 8)).unwrap() * block;
    let entries = (0..usize::try_from(number(bytes, header + 80, 4)).unwrap()).map(|entry| table + 128 * entry);
    let used = entries.filter(|at| bytes[*at..at + 16].iter().any(|byte| *byte != 0));
    let range = |at: usize| {
        let (first, last) = (number(bytes, at + 32, 8), number(bytes, at + 40, 8));
        (first, last + 1 - first)
    };
    used.map(range).collect()
}

/// Start and length in blocks of what the outline has for partitions.
fn found(bytes: &Vec<u8>, block: u32) -> (Table, Vec<(u64, u64)>) {
    let outline = outline(bytes, block);
    let (block, volumes) = (u64::from(block), outline.volumes.iter());
    (outline.table.clone(), volumes.map(|volume| (volume.start / block, volume.len / block)).collect())
}

#[test]
fn gpt_of_both_block_sizes_is_read_and_a_damaged_one_from_its_backup() {
    let dir = sources("gptman").join("tests/fixtures");
    for (name, block) in [("disk1.img", 512), ("disk2.img", 4096), ("disk3.img", 512), ("disk4.img", 4096)] {
        let bytes = fs::read(dir.join(name)).unwrap();
        let mut wanted = gpt_entries(&bytes, block, block);
        wanted.sort_unstable();
        assert!(!wanted.is_empty(), "{name}");
        assert_eq!(found(&bytes, u32::try_from(block).unwrap()), (Table::Gpt, wanted), "{name}");
    }
    // Its first header is damaged, the backup in the last block is not.
    let bytes = fs::read(dir.join("disk5.img")).unwrap();
    let mut wanted = gpt_entries(&bytes, 512, bytes.len() - 512);
    wanted.sort_unstable();
    assert_eq!(found(&bytes, 512), (Table::Gpt, wanted));
}

#[test]
fn mbr_with_a_chain_of_logical_partitions_is_read_as_sfdisk_reads_it() {
    for name in ["disk1.img", "disk2.img"] {
        let path = sources("mbrman").join("tests/fixtures").join(name);
        let out = Command::new("sfdisk").arg("--json").arg(&path).env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").output();
        let said: serde_json::Value = serde_json::from_slice(&out.unwrap().stdout).unwrap();
        let list = said["partitiontable"]["partitions"].as_array().unwrap();
        let range = |part: &serde_json::Value| (part["start"].as_u64().unwrap(), part["size"].as_u64().unwrap());
        let mut wanted: Vec<_> = list.iter().filter(|part| part["type"] != "5").map(range).collect();
        wanted.sort_unstable();
        assert!(wanted.len() >= 2, "{name}: {wanted:?}");
        assert_eq!(found(&fs::read(&path).unwrap(), 512), (Table::Mbr, wanted), "{name}");
    }
}

#[test]
fn the_ntfs_crates_volume_is_mapped_and_its_files_are_what_its_script_made() {
    let bytes = fs::read(sources("ntfs").join("testdata/testfs1")).unwrap();
    let (found, scrubbed) = proved(&bytes);
    assert_eq!((found.volumes[0].kind, found.volumes[0].label.as_str()), (Kind::Ntfs, "mylabel"));
    scrubbed.must("ntfsresize --info --force --no-progress-bar @");
    let bytes = scrubbed.bytes();
    let files = browse::open(&bytes).unwrap();
    let mut listed = Vec::new();
    let mut each = |entry: browse::Entry| {
        listed.push(entry);
        ControlFlow::Continue(())
    };
    files.list(&files.root(), &mut each).unwrap();
    let named = |name: &str| listed.iter().find(|entry| entry.name == name).unwrap();
    for (name, size) in [("empty-file", 0), ("file-with-12345", 5), ("1000-bytes-file", 1000), ("sparse-file", 500_005)]
    {
        assert_eq!((named(name).kind, named(name).size), (EntryKind::File, size), "{name}");
    }
    for name in ["file-with-12345", "1000-bytes-file", "sparse-file"] {
        let mut content = Content(vec![0; usize::try_from(named(name).size).unwrap()]);
        files.read(named(name), &mut content).unwrap();
        assert!(content.0 == scrubbed.must(&format!("ntfscat -f @ {name}")), "{name}");
    }
    let mut folders = 0;
    let mut count = |_| {
        folders += 1;
        ControlFlow::Continue(())
    };
    files.list(named("many_subdirs"), &mut count).unwrap();
    assert_eq!(folders, 512);
}

struct Content(Vec<u8>);

impl browse::Out for Content {
    fn data(&mut self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        self.0[at..at + data.len()].copy_from_slice(data);
        Ok(())
    }
}
