use super::*;
use crate::content::{fixture::*, survey};

/// A disk partitioned by `sfdisk` with a script.
fn disk(script: &str, options: &str) -> Vec<u8> {
    let disk = Disk::new(64 * MIB);
    std::fs::write(disk.beside("script"), script).unwrap();
    let line = format!("sfdisk -q --no-reread --no-tell-kernel {options} @");
    disk.must_with(&line, &disk.beside("script"));
    disk.bytes()
}

fn reason(bytes: &[u8]) -> String {
    let bytes = bytes.to_vec();
    match survey(&bytes, 512).table {
        Table::Damaged(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn logical_partitions_are_followed() {
    let script = "label: dos\nstart=2048, size=4096\nstart=8192, size=100000, type=5\n\
                  start=10240, size=4096\nstart=16384, size=4096\nstart=22528, size=4096\n";
    let mut bytes = disk(script, "");
    let found = survey(&bytes, 512);
    let places: Vec<_> = found.volumes.iter().map(|volume| (volume.number, volume.start / 512)).collect();
    assert_eq!(places, [(1, 2048), (5, 10240), (6, 16384), (7, 22528)]);
    assert_eq!(found.used_end(), 26_624 * 512, "not the end of the container");
    // The chain leads back to its first record.
    let next = (8192..22528).rev().find(|lba| bytes[lba * 512 + 510..lba * 512 + 512] == [0x55, 0xaa]).unwrap();
    bytes[next * 512 + 462..next * 512 + 478].copy_from_slice(&[0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
    assert!(reason(&bytes).contains("chain of logical partitions is broken"));
    bytes[next * 512 + 462 + 8] = 1;
    reason(&bytes);
}

#[test]
fn a_gpt_needs_one_whole_copy_and_no_contradiction() {
    let bytes = disk("label: gpt\nstart=2048, size=20480\nstart=40960, size=2048\n", "");
    let end = survey(&bytes, 512).used_end();
    assert_eq!(end, 43_008 * 512);
    let mut primary = bytes.clone();
    primary[512 + 20] ^= 1;
    let found = survey(&primary, 512);
    assert_eq!((&found.table, found.volumes.len(), found.used_end()), (&Table::Gpt, 2, 64 * MIB));
    let last = bytes.len() - 512;
    primary[last + 20] ^= 1;
    assert!(reason(&primary).contains("neither copy"));
    let mut other = disk("label: gpt\nstart=4096, size=20480\n", "");
    other[last - 32 * 512..].copy_from_slice(&bytes[last - 32 * 512..]);
    assert!(reason(&other).contains("disagree"));
    let mut hybrid = bytes.clone();
    hybrid[462..478].copy_from_slice(&[0, 0, 0, 0, 7, 0, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0]);
    assert!(reason(&hybrid).contains("name different partitions"));
    assert!(matches!(survey(&bytes, 4096).table, Table::Damaged(reason) if reason.contains("blocks of 512 bytes")));
}

/// Makes a GPT's headers longer and its entries `times` as long; the checksums are right again.
fn stretch(bytes: &mut [u8], size: u32, times: usize) {
    let last = bytes.len() / 512 - 1;
    let le =
        |bytes: &[u8], at: usize| usize::try_from(u64::from_le_bytes(*bytes[at..].first_chunk().unwrap())).unwrap();
    for (lba, count) in [(1, 128), (last, 128)] {
        let at = lba * 512;
        let table = le(bytes, at + 72) * 512;
        let count: usize = count / times;
        let old = bytes[table..table + count * 128].to_vec();
        for number in 0..count {
            let entry = &mut bytes[table + number * 128 * times..table + (number + 1) * 128 * times];
            entry.fill(0);
            entry[..128].copy_from_slice(&old[number * 128..(number + 1) * 128]);
        }
        let entries = crc32fast::hash(&bytes[table..table + count * times * 128]);
        let header = &mut bytes[at..at + 512];
        header[12..16].copy_from_slice(&size.to_le_bytes());
        header[80..84].copy_from_slice(&u32::try_from(count).unwrap().to_le_bytes());
        header[84..88].copy_from_slice(&u32::try_from(128 * times).unwrap().to_le_bytes());
        header[88..92].copy_from_slice(&entries.to_le_bytes());
        header[92..].fill(0x5a);
        header[16..20].fill(0);
        let sum = crc32fast::hash(&header[..usize::try_from(size).unwrap()]);
        header[16..20].copy_from_slice(&sum.to_le_bytes());
    }
}

#[test]
fn a_gpt_may_have_a_longer_header_and_longer_entries() {
    let bytes = disk("label: gpt\nstart=2048, size=20480\nstart=40960, size=2048\n", "");
    let expected = survey(&bytes, 512);
    for (size, times) in [(92, 1), (96, 1), (512, 1), (92, 2), (512, 8), (300, 32)] {
        let mut long = bytes.clone();
        stretch(&mut long, size, times);
        let found = survey(&long, 512);
        assert_eq!(found.table, Table::Gpt, "{size} {times}");
        let places = |survey: &crate::content::Survey| -> Vec<_> {
            survey.volumes.iter().map(|volume| (volume.number, volume.start, volume.len)).collect()
        };
        assert_eq!(places(&found), places(&expected));
        // And moved to the end of another disk, with all that is not known of it.
        for target in [48 * MIB, 100 * MIB] {
            let patches = crate::job::copy::gpt::moved(&long, 512, target).unwrap();
            let mut moved = long.clone();
            moved.resize(usize::try_from(target).unwrap(), 0);
            crate::job::copy::gpt::patch(&patches, 0, &mut moved);
            assert_eq!(places(&survey(&moved, 512)), places(&expected), "{size} {times} {target}");
            moved[512] ^= 1;
            let found = survey(&moved, 512);
            assert_eq!((&found.table, places(&found)), (&Table::Gpt, places(&expected)), "the backup");
        }
        long[512 + usize::try_from(size).unwrap() - 1] ^= 1;
        let Some(backup) = Gpt::read(&long, 512, 64 * 2048 - 1) else { panic!("{size}") };
        assert!(Gpt::read(&long, 512, 1).is_none() && backup.used().count() == 2);
    }
    let mut bad = bytes;
    stretch(&mut bad, 88, 1);
    assert!(reason(&bad).contains("neither copy"));
}

fn listed(bytes: &[u8]) -> Vec<(u32, u64, u64)> {
    let found = survey(&bytes.to_vec(), 512);
    assert!(found.doubt.is_some() && !found.is_used_block(), "{found:?}");
    assert_eq!(found.used_end(), bytes.len() as u64);
    found.volumes.iter().map(|volume| (volume.number, volume.start / 512, volume.len / 512)).collect()
}

#[test]
fn a_damaged_table_names_what_others_would_read() {
    let gpt = disk("label: gpt\nstart=4096, size=20480\n", "");
    let dos = disk("label: dos\nstart=2048, size=8192\nstart=16384, size=65536, type=5\nstart=18432, size=4096\n", "");
    let expected = [(1, 2048, 8192), (5, 18_432, 4096)];
    assert_eq!(survey(&dos, 512).doubt, None);
    // The boot record is of today, the backup of another time; then the first copy as well.
    let mut stale = dos.clone();
    let last = stale.len() - 33 * 512;
    stale[last..].copy_from_slice(&gpt[last..]);
    assert_eq!(listed(&stale), expected);
    assert!(reason(&stale).contains("of another time"));
    stale[512..34 * 512].copy_from_slice(&gpt[512..34 * 512]);
    assert_eq!(listed(&stale), expected);
    // The boot record is gone, or there is one that names nothing.
    let mut bare = gpt.clone();
    bare[440..512].fill(0);
    assert_eq!(listed(&bare), [(1, 4096, 20_480)]);
    bare[510..512].copy_from_slice(&[0x55, 0xaa]);
    assert_eq!(listed(&bare), [(1, 4096, 20_480)]);
    // A file system on the whole disk, and what is left of a GPT behind it: only the file system counts.
    let made = Disk::of(&bare);
    made.must("mkfs.fat -F 16 -I @");
    let whole = made.bytes();
    assert_eq!(listed(&whole), [(0, 0, 64 * 2048)]);
    // The copies disagree: the first one counts.
    let mut two = gpt.clone();
    let other = disk("label: gpt\nstart=8192, size=2048\n", "");
    two[last..].copy_from_slice(&other[last..]);
    assert_eq!(listed(&two), [(1, 4096, 20_480)]);
    // Another size of blocks.
    assert_eq!(lenient::slices(&gpt, 4096, false)[0].range, 4096 * 512..24_576 * 512);
    // A disk that was cut off, and a chain that is broken.
    let cut = &dos[..9 << 20];
    assert_eq!(listed(cut), [(1, 2048, 8192), (5, 18_432, 0)][..1].to_vec());
    assert_eq!(listed(&dos[..(18_432 + 100) * 512]), [(1, 2048, 8192), (5, 18_432, 100)]);
    let mut chain = dos.clone();
    chain[16_384 * 512 + 462..16_384 * 512 + 478].copy_from_slice(&[0, 0, 0, 0, 7, 0, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0]);
    assert_eq!(listed(&chain)[..2], expected);
    let mut overlap = dos;
    overlap[446 + 12..446 + 16].copy_from_slice(&20_000_u32.to_le_bytes());
    assert_eq!(listed(&overlap), [(1, 2048, 20_000), (5, 18_432, 4096)]);
}

#[test]
fn dynamic_disks_are_raw() {
    let disk = disk("label: dos\nstart=2048, size=40960, type=42\n", "");
    let found = survey(&disk, 512);
    assert!(
        matches!(&found.volumes[0].treatment, crate::content::Treatment::Raw { reason } if reason.contains("dynamic"))
    );
    assert_eq!(found.used_end(), 64 * MIB);
}

#[test]
fn damaged_tables_never_panic() {
    let dos = "label: dos\nstart=2048, size=4096\nstart=8192, size=100000, type=5\nstart=10240, size=4096\n";
    torture(&disk(dos, ""), &[440..512, 8192 * 512 + 440..8192 * 512 + 512], 60);
    torture(&disk("label: gpt\nstart=2048, size=20480\n", ""), &[440..512, 512..620, 1024..1300], 60);
}
