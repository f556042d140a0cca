use super::*;
use crate::content::{Kind, Treatment, fixture::*, survey};

/// A volume with files, some removed again, and a nested folder.
fn volume(options: &str, size: u64) -> (Disk, Vec<(String, Vec<u8>)>) {
    let disk = Disk::new(size);
    disk.must(&format!("mkfs.fat {options} -i 1234ABCD -n LABEL @"));
    let mut files = files(30);
    write_files(&disk.beside("in"), &files);
    disk.must("mmd -i @ ::/sub ::/sub/deeper");
    for (name, _) in &files {
        disk.must(&format!("mcopy -i @ %/in/{name} ::/sub/{name}"));
    }
    for number in (0..30).step_by(3) {
        disk.must(&format!("mdel -i @ ::/sub/file{number:03}.bin"));
    }
    // Into the holes, in pieces.
    disk.must("mcopy -i @ %/in/file003.bin ::/sub/deeper/again.bin");
    let again = files[3].1.clone();
    files = files.into_iter().enumerate().filter(|(number, _)| number % 3 != 0).map(|(_, file)| file).collect();
    files.push(("deeper/again.bin".into(), again));
    (disk, files)
}

const VARIANTS: [(&str, u64); 5] = [
    ("-F 12 -s 8", 12 * MIB),
    ("-F 16", 24 * MIB),
    ("-F 32 -s 1", 48 * MIB),
    ("-F 32 -s 1 -f 1", 48 * MIB),
    ("-F 16 -S 4096 -s 1", 32 * MIB),
];

#[test]
fn what_is_free_can_be_overwritten() {
    for (options, size) in VARIANTS {
        let (disk, files) = volume(options, size);
        let (survey, scrubbed) = proved(&disk.bytes());
        assert_eq!((survey.volumes[0].kind, &*survey.volumes[0].label), (Kind::Fat, "LABEL"), "{options}");
        assert!(free(&survey.volumes[0]) > size / 3);
        let checked = scrubbed.text("fsck.fat -n -v @");
        for (name, content) in &files {
            assert!(scrubbed.must(&format!("mtype -i @ ::/sub/{name}")) == *content, "{name} changed ({options})");
        }
        // fsck's count is the independent one: `@: 22 files, 1234/5678 clusters`.
        let (_, summary) = checked.rsplit_once(" files, ").unwrap();
        let (used, total) = summary.split_once('/').unwrap();
        let counted = prove(&disk.bytes(), &[]).unwrap();
        assert_eq!(counted.used, used.parse::<u64>().unwrap(), "{options}");
        let total: u64 = total.split(' ').next().unwrap().parse().unwrap();
        let cluster = Geometry::parse(&disk.bytes()).unwrap().cluster;
        assert_eq!(counted.free, (total - counted.used) * cluster, "{options}");
    }
}

/// Where a copy of the table begins.
fn table_at(bytes: &[u8], copy: u64) -> usize {
    let geometry = Geometry::parse(bytes).unwrap();
    usize::try_from(geometry.reserved * geometry.sector + copy * geometry.table).unwrap()
}

#[test]
fn marks_of_an_unclean_volume_make_it_raw() {
    for (options, size, state, bit) in [("-F 16", 24 * MIB, 37, 3), ("-F 32 -s 1", 48 * MIB, 65, 7)] {
        let bytes = volume(options, size).0.bytes();
        let mut mounted = bytes.clone();
        mounted[state] |= 1;
        assert!(raw(&mounted).contains("state is 0x1"), "{options}");
        for (flag, words) in [(0x80_u8, "mounted"), (0x40, "errors")] {
            let mut dirty = bytes.clone();
            for copy in 0..2 {
                let at = table_at(&bytes, copy) + bit;
                dirty[at] &= if options.contains("32") { !(flag >> 4) } else { !flag };
            }
            assert!(raw(&dirty).contains(words), "{options}");
        }
    }
}

#[test]
fn copies_that_differ_make_it_raw() {
    let mut bytes = volume("-F 16", 24 * MIB).0.bytes();
    let at = table_at(&bytes, 1) + 3000;
    bytes[at] ^= 1;
    assert!(raw(&bytes).contains("copies of the table differ"));
}

#[test]
fn a_wrong_count_in_fsinfo_makes_it_raw() {
    let mut bytes = volume("-F 32 -s 1", 48 * MIB).0.bytes();
    bytes[512 + 488] ^= 1;
    let reason = raw(&bytes);
    assert!(reason.contains("FSInfo disagree"), "{reason}");
    bytes[512 + 488..512 + 492].fill(0xff);
    assert!(matches!(survey(&bytes, 512).volumes[0].treatment, Treatment::Used { .. }), "unknown is no contradiction");
}

#[test]
fn a_chain_into_the_free_makes_it_raw() {
    for (options, size) in VARIANTS.into_iter().filter(|(options, _)| !options.contains("-F 32")) {
        let (disk, _) = volume(options, size);
        let mut bytes = disk.bytes();
        let geometry = Geometry::parse(&bytes).unwrap();
        // The second cluster of the last large file, freed in both copies as if it were never allocated.
        let table = geometry.first_table();
        let victim = {
            let mut window = Window::new(&bytes, "");
            (2..).find(|cluster| matches!(table.next(&mut window, *cluster), Ok(Some(_)))).unwrap()
        };
        for copy in 0..2 {
            let at = table_at(&bytes, copy);
            let bits = usize::try_from(u64::from(victim) * geometry.width.bits()).unwrap();
            match geometry.width {
                Width::Twelve if bits % 8 == 0 => {
                    bytes[at + bits / 8] = 0;
                    bytes[at + bits / 8 + 1] &= 0xf0;
                }
                Width::Twelve => {
                    bytes[at + bits / 8] &= 0x0f;
                    bytes[at + bits / 8 + 1] = 0;
                }
                _ => bytes[at + bits / 8..at + bits / 8 + 2].fill(0),
            }
        }
        let reason = raw(&bytes);
        assert!(reason.contains("which is free"), "{reason}");
    }
}

/// mtools takes the number of clusters for the width, so they are made fewer when the files are in.
#[test]
fn fat32_with_few_clusters_is_fat32() {
    let (disk, files) = volume("-F 32 -s 1", 48 * MIB);
    let large = disk.bytes();
    for sectors in [50_000_u32, 8_000] {
        let mut bytes = large[..usize::try_from(sectors).unwrap() * 512].to_vec();
        for boot in [0, 6 * 512] {
            bytes[boot + 32..boot + 36].copy_from_slice(&sectors.to_le_bytes());
        }
        bytes[512 + 488..512 + 492].fill(0xff);
        assert!(Geometry::parse(&bytes).unwrap().wide());
        let (survey, scrubbed) = proved(&bytes);
        assert_eq!((survey.volumes[0].kind, &*survey.volumes[0].label), (Kind::Fat, "LABEL"));
        scrubbed.must("fsck.fat -n @");
        let mut whole = large.clone();
        whole[7 * 512..bytes.len()].copy_from_slice(&scrubbed.bytes()[7 * 512..]);
        let whole = Disk::of(&whole);
        for (name, content) in &files {
            assert!(whole.must(&format!("mtype -i @ ::/sub/{name}")) == *content, "{name} changed");
        }
    }
    let made = Disk::new(60 * MIB);
    made.must("mkfs.fat -F 32 -s 8 @");
    assert!(free(&survey(&made.bytes(), 512).volumes[0]) > 50 * MIB);
}

#[test]
fn fat32_without_a_root_is_none() {
    let mut bytes = volume("-F 32 -s 1", 48 * MIB).0.bytes();
    bytes[44..48].fill(0);
    assert!(Geometry::parse(&bytes).is_err());
}

#[test]
fn damaged_volumes_never_panic() {
    for (options, size) in VARIANTS.into_iter().take(4) {
        let bytes = volume(options, size).0.bytes();
        let geometry = Geometry::parse(&bytes).unwrap();
        let table = geometry.reserved * geometry.sector;
        let root = geometry.root.start;
        torture(&bytes, &[0..64, 480..520, table..table + 600, root..root + 200, geometry.at(2)..geometry.at(3)], 120);
    }
}
