use super::*;
use crate::content::{Kind, fixture::*};
use std::fs;

const VARIANTS: [(&str, u64); 5] =
    [("", 64 * MIB), ("-c 512", 24 * MIB), ("-c 65536", 64 * MIB), ("-s 4096", 64 * MIB), ("-C -c 2048", 48 * MIB)];

/// A volume with files, some cut short again, and later ones in the holes.
fn volume(options: &str, size: u64) -> (Disk, Vec<(String, Vec<u8>)>) {
    let disk = Disk::new(size);
    disk.must(&format!("mkntfs -F -Q -q -p 0 -H 0 -S 0 -L LABEL {options} @"));
    let mut files = files(40);
    // Two that lie across the holes.
    files.push(("large0.bin".into(), Dice::new(8).bytes(900_000)));
    files.push(("large1.bin".into(), Dice::new(9).bytes(1_500_000)));
    write_files(&disk.beside("in"), &files);
    let copy = |name: &str| disk.must(&format!("ntfscp -f -q @ %/in/{name} {name}"));
    files[..40].iter().for_each(|(name, _)| drop(copy(name)));
    for (name, content) in files[..40].iter_mut().step_by(3) {
        content.truncate(content.len() / 3);
        let inode = number_of(&disk, name);
        disk.must(&format!("ntfstruncate -f -q @ {inode} 0x80 {}", content.len()));
    }
    files[40..].iter().for_each(|(name, _)| drop(copy(name)));
    (disk, files)
}

fn number_of(disk: &Disk, name: &str) -> u64 {
    number(&disk.text(&format!("ntfsinfo -f -F {name} @")), "Dumping Inode")
}

#[test]
fn what_is_free_can_be_overwritten() {
    for (options, size) in VARIANTS {
        let (disk, files) = volume(options, size);
        let (survey, scrubbed) = proved(&disk.bytes());
        assert_eq!((survey.volumes[0].kind, &*survey.volumes[0].label), (Kind::Ntfs, "LABEL"), "{options}");
        scrubbed.must("ntfsfix -n @");
        // Counts every cluster of every file against the bitmap.
        let listed = scrubbed.text("ntfsresize --info --force --no-progress-bar @");
        assert!(listed.contains("Checking filesystem consistency"), "{listed}");
        for (name, content) in &files {
            assert!(scrubbed.must(&format!("ntfscat -f @ {name}")) == *content, "{name} changed ({options})");
        }
        let info = disk.text("ntfsinfo -f -m @");
        let expected = number(&info, "Free Clusters:") * number(&info, "Cluster Size:");
        let told = free(&survey.volumes[0]);
        assert!(told <= expected && told + 4 * MIB >= expected, "{told} of {expected} ({options})");
        assert!(told > size / 3, "{told} ({options})");
    }
}

/// Byte of the volume at which a record begins; the table of a new volume is in one piece.
fn record_at(bytes: &[u8], number: u64) -> usize {
    let geometry = Geometry::parse(bytes).unwrap();
    usize::try_from(geometry.table * geometry.cluster + number * geometry.record).unwrap()
}

/// Byte of the volume that holds the bit of a cluster in `$Bitmap`.
fn bit_at(bytes: &Vec<u8>, cluster: u64) -> usize {
    let table = Table::open(bytes, Geometry::parse(bytes).unwrap()).unwrap();
    let mut found = None;
    // Where the stream reads a byte from, found by changing the volume: no need to know its runs.
    let Some(Content::Stream(stream)) = table.content(BITMAP_FILE, DATA).unwrap() else { panic!("no $Bitmap") };
    let record = table.record(BITMAP_FILE).unwrap();
    for attribute in record.attributes().unwrap().iter().filter(|attribute| attribute.kind == DATA) {
        let run = attribute.runs(table.geometry.clusters).unwrap()[0];
        found = Some(run.cluster.unwrap() * table.geometry.cluster + cluster / 8);
    }
    assert!(cluster / 8 < stream.size);
    usize::try_from(found.unwrap()).unwrap()
}

#[test]
fn marks_of_an_unclean_volume_make_it_raw() {
    let (disk, _) = volume("", 64 * MIB);
    let bytes = disk.bytes();
    // The tool marks a volume it has looked at, for Windows to check it.
    let marked = Disk::of(&bytes);
    marked.must("ntfsfix @");
    assert_eq!(raw(&marked.bytes()), "not cleanly unmounted: it is marked dirty");
    let held = |bytes: &Vec<u8>| crate::content::not_let_go(bytes, &crate::content::outline(bytes, 512).volumes[0]);
    assert_eq!(held(&marked.bytes()).unwrap(), "not cleanly unmounted: it is marked dirty");
    assert_eq!(held(&bytes), None);
    let hibernated = Disk::of(&bytes);
    fs::write(hibernated.beside("hiberfil.sys"), [&b"hibr"[..], &[1; 5000]].concat()).unwrap();
    hibernated.must("ntfscp -f -q @ %/hiberfil.sys hiberfil.sys");
    let reason = raw(&hibernated.bytes());
    assert!(reason.contains("hibernated Windows"), "{reason}");
    assert!(held(&hibernated.bytes()).unwrap().contains("hibernated Windows"));
    let resumed = Disk::of(&bytes);
    fs::write(resumed.beside("hiberfil.sys"), vec![0; 100_000]).unwrap();
    resumed.must("ntfscp -f -q @ %/hiberfil.sys hiberfil.sys");
    proved(&resumed.bytes());
}

#[test]
fn a_log_that_is_in_use_makes_it_raw() {
    let bytes = volume("", 64 * MIB).0.bytes();
    let table = Table::open(&bytes, Geometry::parse(&bytes).unwrap()).unwrap();
    let record = table.record(LOG).unwrap();
    let attributes = record.attributes().unwrap();
    let data = attributes.iter().find(|attribute| attribute.kind == DATA).unwrap();
    let run = data.runs(table.geometry.clusters).unwrap()[0];
    let at = usize::try_from(run.cluster.unwrap() * table.geometry.cluster).unwrap();
    // Two restart pages: age, first client of those in use, flags.
    let log = |pages: [(u64, u16, u16); 2]| {
        let mut bytes = bytes.clone();
        for (number, (age, client, flags)) in pages.into_iter().enumerate() {
            let page = &mut bytes[at + number * 4096..][..4096];
            page.fill(0);
            page[..4].copy_from_slice(b"RSTR");
            page[16..20].copy_from_slice(&4096_u32.to_le_bytes());
            page[24..26].copy_from_slice(&48_u16.to_le_bytes());
            page[48..56].copy_from_slice(&age.to_le_bytes());
            page[60..62].copy_from_slice(&client.to_le_bytes());
            page[62..64].copy_from_slice(&flags.to_le_bytes());
        }
        bytes
    };
    for pages in [[(5, 0, 0), (4, 0xffff, 2)], [(4, 0xffff, 2), (5, 0, 0)]] {
        let reason = raw(&log(pages));
        assert!(reason.contains("log has still to be replayed"), "{reason}");
    }
    for pages in [[(5, 0xffff, 0), (4, 0, 0)], [(4, 0, 0), (5, 0, 2)]] {
        proved(&log(pages));
    }
    let mut other = bytes.clone();
    other[at..at + 4].copy_from_slice(b"CHKD");
    assert!(raw(&other).contains("no restart page"));
}

#[test]
fn a_cluster_of_a_file_that_the_bitmap_calls_free_makes_it_raw() {
    let (disk, _) = volume("", 64 * MIB);
    let bytes = disk.bytes();
    let geometry = Geometry::parse(&bytes).unwrap();
    let listed = disk.text(&format!("ntfscluster -f -I {} @", number_of(&disk, "large1.bin")));
    // The first run of the file: `0x80 - <vcn> <lcn> <length>`, or so; any number that is in use will do.
    assert!(!listed.is_empty());
    let table = Table::open(&bytes, geometry).unwrap();
    let record = table.record(number_of(&disk, "large1.bin")).unwrap();
    let attributes = record.attributes().unwrap();
    let data = attributes.iter().find(|attribute| attribute.kind == DATA).unwrap();
    for run in data.runs(geometry.clusters).unwrap() {
        let cluster = run.cluster.unwrap() + run.len - 1;
        let mut bytes = bytes.clone();
        let at = bit_at(&bytes, cluster);
        assert_eq!(bytes[at] >> (cluster % 8) & 1, 1);
        bytes[at] ^= 1 << (cluster % 8);
        let reason = raw(&bytes);
        assert!(reason.contains("the file of record") && reason.contains("called free"), "{reason}");
    }
}

#[test]
fn sources_that_differ_make_it_raw() {
    let bytes = volume("", 64 * MIB).0.bytes();
    let change = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        raw(&bytes)
    };
    assert!(change(bytes.len() - 512 + 100).contains("boot sector and its copy"));
    let geometry = Geometry::parse(&bytes).unwrap();
    assert!(change(usize::try_from(geometry.mirror * geometry.cluster).unwrap() + 900).contains("mirror differ"));
    // A record that is no longer marked as in use, but still is in the table's bitmap.
    let reason = change(record_at(&bytes, 64) + 22);
    assert!(reason.contains("bitmap of file records"), "{reason}");
    let torn = change(record_at(&bytes, 64) + 510);
    assert!(torn.contains("of which only a part was written"), "{torn}");
}

#[test]
fn runs_are_read_as_they_are_written() {
    // 24 clusters at 0x5634, 3 in a hole, 5 at 16 before the first.
    let mut bytes = vec![0; 96];
    bytes[8] = 1;
    bytes[24..32].copy_from_slice(&31_u64.to_le_bytes());
    bytes[32] = 64;
    bytes[64..75].copy_from_slice(&[0x21, 0x18, 0x34, 0x56, 0x01, 0x03, 0x11, 0x05, 0xf0, 0x00, 0x77]);
    let runs = |bytes: &[u8], clusters| record::Attribute::for_test(bytes).runs(clusters);
    let found: Vec<_> = runs(&bytes, 1 << 20).unwrap().iter().map(|run| (run.at, run.cluster, run.len)).collect();
    assert_eq!(found, [(0, Some(0x5634), 24), (24, None, 3), (27, Some(0x5624), 5)]);
    assert!(runs(&bytes, 0x5640).is_err(), "behind the last cluster");
    bytes[24] = 30;
    assert!(runs(&bytes, 1 << 20).is_err(), "longer than it says");
}

#[test]
fn damaged_volumes_never_panic_and_free_no_file() {
    for options in ["", "-c 512"] {
        let bytes = volume(options, 24 * MIB).0.bytes();
        let record = |number: u64| record_at(&bytes, number) as u64;
        let log = record(2)..record(2) + 400;
        let bitmap = bit_at(&bytes, 0) as u64;
        torture(&bytes, &[0..90, record(0)..record(1), log, record(3)..record(4), record(6)..record(7)], 60);
        torture(&bytes, &[record(0)..record(12), record(64)..record(80), bitmap..bitmap + 600], 60);
    }
}
