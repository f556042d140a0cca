//! Whatever moment a restore is cut at, the drive does not look like what it held.

use super::{
    bench::{Copies, cells, full, old},
    not_clean,
};
use crate::{
    content,
    drive::sim::PowerCut,
    job::{copy::target::Tail, tests::rig::MIB},
};
use std::{io::Write, process::Command};

const SIZE: u64 = 12 * MIB;

/// An old disk with partitions, by sfdisk(8), each with something of its own in every block.
fn partitioned(script: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("disk");
    std::fs::write(&path, (0..SIZE / 512).flat_map(|lba| [0x77 ^ lba.to_le_bytes()[0] & 8; 512]).collect::<Vec<u8>>())
        .unwrap();
    let mut sfdisk = Command::new("sfdisk");
    sfdisk.args(["-q", "--no-reread", "--wipe", "never"]).arg(&path);
    sfdisk.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap()));
    let mut child = sfdisk.stdin(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    std::fs::read(&path).unwrap()
}

const SCRIPTS: [&str; 2] = [
    "label: dos\nstart=2048, size=4096, type=83\nstart=8192, size=12288, type=5\nstart=10240, size=2048, type=83\nstart=16384, size=2048, type=83\n",
    "label: gpt\nstart=2048, size=4096\nstart=8192, size=4096\nstart=20480, size=2000\n",
];

/// First bytes of both ends of the disk and of every partition, as the old table has them.
fn marks(before: &Vec<u8>) -> Vec<u64> {
    let mut marks = vec![0, 512, MIB - 512, SIZE - 512, SIZE - MIB];
    for volume in content::outline(before, 512).volumes {
        let end = volume.start + volume.len;
        marks.extend([volume.start, volume.start + 1024, volume.start + (64 << 10), end - 512, end - (64 << 10)]);
    }
    marks
}

#[test]
fn a_restore_that_is_cut_leaves_nothing_that_looks_like_the_old_disk() {
    for script in SCRIPTS {
        let before = partitioned(script);
        let marks = marks(&before);
        assert!(marks.len() >= 5 * 4, "{marks:?}");
        let (mut cuts, mut touched) = (0, 0);
        for after in 0.. {
            let copies = Copies::new(vec![full("A", SIZE), old("B", SIZE)]);
            assert!(copies.image("A", "a", None).is_clean());
            copies.disk("B").write_cells(0, &before);
            let cut = [PowerCut::LoseUnflushed, PowerCut::KeepUnflushed, PowerCut::Random(after)];
            let cut = cut[usize::try_from(after % 3).unwrap()];
            copies.disk("B").break_it(|faults| faults.from_now().power_cut_after = Some((after, cut)));
            let tally = copies.restore("a", &["B"], Tail::Leave);
            if tally.is_clean() {
                break;
            }
            not_clean(&tally);
            cuts += 1;
            let (now, wanted) = (cells(copies.disk("B"), SIZE), cells(copies.disk("A"), SIZE));
            let block = |disk: &[u8], at: u64| disk[usize::try_from(at).unwrap()..][..512].to_vec();
            let is_new = |lba: &u64| {
                let there = block(&now, lba * 512);
                there == block(&wanted, lba * 512) && there != block(&before, lba * 512) && there != [0; 512]
            };
            if (0..SIZE / 512).any(|lba| is_new(&lba)) {
                touched += 1;
                for mark in &marks {
                    assert!(
                        block(&now, *mark) != block(&before, *mark),
                        "cut {cut:?} after {after}: old at byte {mark}"
                    );
                }
                assert!(content::outline(&now, 512).volumes.iter().all(|volume| volume.number == 0), "after {after}");
            }
        }
        assert!(cuts > 12 && touched > 6, "{cuts} cuts, {touched} of them with new content");
    }
}

/// The blocks behind the content belong to nobody in this job.
#[test]
fn what_lies_behind_the_content_is_left_alone_and_a_lone_backup_is_no_table() {
    let before = partitioned(SCRIPTS[1]);
    let behind = usize::try_from(6 * MIB).unwrap();
    let mut without_table = 0;
    for after in 0.. {
        let copies = Copies::new(vec![full("A", 6 * MIB), old("B", SIZE)]);
        assert!(copies.image("A", "a", None).is_clean());
        copies.disk("B").write_cells(0, &before);
        copies.disk("B").break_it(|faults| faults.from_now().power_cut_after = Some((after, PowerCut::KeepUnflushed)));
        let done = copies.restore("a", &["B"], Tail::Leave).is_clean();
        let now = cells(copies.disk("B"), SIZE);
        assert!(now[behind..] == before[behind..], "cut after {after}");
        if done {
            break;
        }
        if now[..1 << 20].iter().any(|byte| *byte != 0) {
            continue;
        }
        without_table += 1;
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("disk"), &now).unwrap();
        let mut sfdisk = Command::new("sfdisk");
        sfdisk.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap()));
        let told = sfdisk.args(["-d", "disk"]).current_dir(dir.path()).output().unwrap();
        assert!(!told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));
    }
    assert!(without_table > 3, "{without_table}");
}

#[test]
fn a_drive_that_falls_silent_while_its_old_table_is_read_is_not_written() {
    let copies = Copies::new(vec![full("A", 6 * MIB), old("B", SIZE)]);
    assert!(copies.image("A", "a", None).is_clean());
    copies.disk("B").write_cells(0, &partitioned(SCRIPTS[1]));
    copies.disk("B").break_it(|faults| faults.from_now().hang_after = Some(1));
    let tally = copies.restore("a", &["B"], Tail::Leave);
    not_clean(&tally);
    assert!(copies.certificate("B").copy.reason.contains("no answer"), "{tally:?}");
    assert_eq!(copies.disk("B").counts().writes, 0);
}
