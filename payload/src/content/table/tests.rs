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
