//! The names of the files that hold what could not be read.

use crate::{
    blocks::{Part, ReadAt},
    browse::{self, HitLimits, Hits, What},
    certify::copy::LISTED,
    content::{Survey, Volume},
    engine::extents::Ranges,
};
use std::ops::Range;

/// Said where no names are given because nobody looked.
pub(super) const NOT_LOOKED_FOR: &str = "File names were not looked for.";

/// Files, folders and records of a volume that are looked at; some minutes at the most.
const LOOKED_AT: u64 = 1_000_000;

/// What a manifest and a certificate say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// `partition 2: /path/name`; at most [`LISTED`].
    pub(super) files: Vec<String>,
    /// All that were found.
    pub(super) count: u64,
    /// Where names were looked for and where not; blank where every block was read.
    pub(super) note: String,
}

/// Looks for the files that have bytes in `unreadable`, in the partitions that hold such bytes.
pub(super) fn named(disk: &dyn ReadAt, survey: &Survey, unreadable: &Ranges) -> Named {
    let mut named = Named::default();
    let (mut unnamed, mut outside) = (0, unreadable.bytes());
    for volume in &survey.volumes {
        let end = volume.start.saturating_add(volume.len);
        let within = |start: u64, len: u64| start.max(volume.start)..start.saturating_add(len).min(end);
        let bad: Vec<Range<u64>> =
            unreadable.as_slice().iter().map(|r| within(r.start, r.len)).filter(|r| r.start < r.end).collect();
        if bad.is_empty() {
            continue;
        }
        outside = outside.saturating_sub(bad.iter().map(|range| range.end - range.start).sum());
        let bad: Vec<_> = bad.into_iter().map(|r| r.start - volume.start..r.end - volume.start).collect();
        let limits = HitLimits { names: LISTED - named.files.len(), looked_at: LOOKED_AT };
        let found = browse::files_hit(&Part::new(disk, volume.start, volume.len), &bad, limits);
        let label = label(volume);
        let place = if volume.number == 0 { "the disk" } else { &label };
        match found {
            Ok(Some(hits)) => {
                unnamed += hits.unnamed;
                named.note += &searched(place, &hits);
                let slash = |what| if what == What::Folder { "/" } else { "" };
                let file = |hit: browse::Hit| format!("{label}: {}{}", hit.path.trim_end_matches('/'), slash(hit.what));
                named.files.extend(hits.hits.into_iter().map(file));
            }
            Ok(None) => named.note += &format!("No names are known for {place} ({}). ", volume.kind),
            Err(error) => named.note += &format!("No names could be found in {place}: {error}. "),
        }
    }
    if outside > 0 {
        named.note += &format!("{outside} of the unreadable bytes lie outside of all partitions. ");
    }
    // The parts of one file are counted together only in the list: a full list is needed to count beyond it.
    named.count = named.files.len() as u64 + if named.files.len() == LISTED { unnamed } else { 0 };
    if unnamed > 0 {
        named.note += "More files were hit than are listed. ";
    }
    named.note.truncate(named.note.trim_end().len());
    named
}

fn label(volume: &Volume) -> String {
    // A disk without partitions is one volume.
    if volume.number == 0 { "disk".into() } else { format!("partition {}", volume.number) }
}

fn searched(place: &str, hits: &Hits) -> String {
    let mut text = format!("Names were looked for in {place} ({}). ", hits.kind);
    if hits.cut_short {
        text += "The search there ended early: other files may be hit. ";
    }
    if hits.unknown > 0 {
        text += &format!("{} records or folders there could not be read: files in them may be hit. ", hits.unknown);
    }
    if hits.elsewhere > 0 {
        text += &format!("{} unreadable bytes there belong to no file that was found. ", hits.elsewhere);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{blocks::FileBlocks, content};
    use std::{fs, path::Path, process::Command};

    fn tool(name: &str, arguments: &[&str], at: &Path) {
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
        let done = Command::new(name).args(arguments).current_dir(at).env("PATH", path).output().unwrap();
        assert!(done.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// A GPT with FAT from 1 MiB, ext4 from 5 MiB and a partition of nothing from 13 MiB.
    fn disk(at: &Path) -> FileBlocks {
        let layout = "label: gpt\nstart=2048, size=8192\nstart=10240, size=16384\nstart=26624, size=2048\n";
        fs::write(at.join("layout"), layout).unwrap();
        fs::create_dir_all(at.join("tree/folder")).unwrap();
        fs::write(at.join("tree/folder/large"), vec![7; 900_000]).unwrap();
        fs::write(at.join("tree/small"), vec![9; 2000]).unwrap();
        fs::File::create(at.join("disk")).unwrap().set_len(16 << 20).unwrap();
        tool("sh", &["-c", "sfdisk -q disk < layout"], at);
        tool("mkfs.fat", &["--offset", "2048", "disk", "4096"], at);
        tool("mcopy", &["-s", "-i", "disk@@1M", "tree/folder", "tree/small", "::"], at);
        tool("mke2fs", &["-q", "-F", "-t", "ext4", "-E", "offset=5242880", "-d", "tree", "disk", "8M"], at);
        fs::File::open(at.join("disk")).and_then(FileBlocks::new).unwrap()
    }

    #[test]
    fn what_is_hit_is_named_and_what_is_not_known_is_said() {
        let at = tempfile::tempdir().unwrap();
        let disk = disk(at.path());
        let bytes = fs::read(at.path().join("disk")).unwrap();
        let survey = content::survey(&disk, 512);
        assert_eq!(named(&disk, &survey, &Ranges::default()), Named::default());
        let place = |from: usize, byte: u8| {
            let found = bytes[from..].chunks(512).position(|sector| sector == [byte; 512]).unwrap();
            (from + found * 512) as u64
        };
        let mut bad = Ranges::default();
        for (start, len) in [
            (place(1 << 20, 7), 512),
            (place(5 << 20, 7) + 4096, 512),
            (place(5 << 20, 9), 512),
            ((13 << 20) + 512, 512),
            ((14 << 20) + 4096, 1024),
            ((12 << 20), 512),
        ] {
            bad.insert(start, len);
        }
        let found = named(&disk, &survey, &bad);
        let files = ["partition 1: /folder/large", "partition 2: /folder/large", "partition 2: /small"];
        assert_eq!((&found.files[..], found.count), (&files.map(String::from)[..], 3));
        for part in [
            "looked for in partition 1 (FAT).",
            "looked for in partition 2 (ext2/3/4). 512 unreadable bytes there belong to no file",
            "No names are known for partition 3",
            "1024 of the unreadable bytes lie outside of all partitions.",
        ] {
            assert!(found.note.contains(part), "{part}: {}", found.note);
        }
    }
}
