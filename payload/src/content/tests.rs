use super::*;
use fixture::*;

#[test]
fn edges_are_always_in_use() {
    let size = 100 * MIB;
    assert_eq!(always(size, &(0..size)), [0..MIB, size - MIB..size]);
    let middle = 10 * MIB..20 * MIB;
    assert_eq!(always(size, &middle), [0..VOLUME_EDGE, 10 * MIB - VOLUME_EDGE..10 * MIB]);
    let near = 512 * 1024..size - 512 * 1024;
    let len = near.end - near.start;
    assert_eq!(always(size, &near), [0..512 * 1024, len - 512 * 1024..len]);
    assert_eq!(always(size, &(MIB..MIB + 512)), std::iter::once(0..512).collect::<Vec<_>>());
}

/// A disk with an ext4 partition of 40 MiB at 10 MiB and a FAT one of 32 MiB at 60 MiB.
fn partitioned() -> Vec<u8> {
    let disk = Disk::new(100 * MIB);
    std::fs::write(disk.beside("script"), "label: dos\nstart=20480, size=81920\nstart=122880, size=65536, type=c\n")
        .unwrap();
    disk.must_with("sfdisk -q --no-reread --no-tell-kernel @", &disk.beside("script"));
    let mut bytes = disk.bytes();
    for (at, size, line) in [(10, 40, "mke2fs -q -F -t ext4 @"), (60, 32, "mkfs.fat -F 16 @")] {
        let part = Disk::new(size * MIB);
        part.must(line);
        let at = usize::try_from(at * MIB).unwrap();
        bytes[at..at + part.bytes().len()].copy_from_slice(&part.bytes());
    }
    bytes
}

#[test]
fn partitions_are_mapped_and_gaps_are_not() {
    let bytes = partitioned();
    let (found, scrubbed) = proved(&bytes);
    assert!(found.is_used_block());
    assert!(found.volumes.iter().all(|volume| free(volume) > volume.len / 2), "{:?}", found.volumes);
    let free: u64 = found.volumes.iter().map(free).sum();
    assert_eq!(found.bytes_used(), 100 * MIB - free);
    let after = scrubbed.bytes();
    for gap in [0..10 * MIB, 50 * MIB..60 * MIB, 92 * MIB..100 * MIB] {
        let gap = usize::try_from(gap.start).unwrap()..usize::try_from(gap.end).unwrap();
        assert!(bytes[gap.clone()] == after[gap]);
    }
}

#[test]
fn raw_is_raw() {
    let bytes = partitioned();
    let mut found = survey(&bytes, 512);
    found.force_raw();
    assert!(!found.is_used_block());
    assert_eq!(found.bytes_used(), 100 * MIB);
    assert_eq!(found.allocation(&bytes).used(5, 99 * MIB), std::iter::once(5..5 + 99 * MIB).collect::<Vec<_>>());
    let quick = outline(&bytes, 512);
    assert!(!quick.is_used_block());
    assert_eq!(quick.volumes.iter().map(|volume| volume.kind).collect::<Vec<_>>(), [Kind::Ext, Kind::Fat]);
}

#[test]
fn another_disk_is_taken_whole() {
    let bytes = partitioned();
    let found = survey(&bytes, 512);
    let smaller = bytes[..bytes.len() - 512].to_vec();
    assert_eq!(found.allocation(&smaller).used(20 * MIB, MIB), std::iter::once(20 * MIB..21 * MIB).collect::<Vec<_>>());
    // The map itself changed after it was proved.
    let mut changed = bytes.clone();
    changed[usize::try_from(10 * MIB).unwrap() + 2048..][..64].fill(0);
    let mut allocation = found.allocation(&changed);
    assert_eq!(allocation.used(20 * MIB, MIB), std::iter::once(20 * MIB..21 * MIB).collect::<Vec<_>>());
    assert!(allocation.any_raw_fallback() && allocation.fallbacks()[0].volume == 1);
}

/// A disk whose bytes in a range cannot be read.
struct Bad(Vec<u8>, std::ops::Range<u64>);

impl ReadAt for Bad {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        if offset < self.1.end && offset + buf.len() as u64 > self.1.start {
            return Err(std::io::Error::other("bad sector"));
        }
        self.0.read_at(offset, buf)
    }
}

#[test]
fn a_map_that_cannot_be_read_makes_it_raw() {
    // The last copy of FAT's table.
    let table = 60 * MIB + 2048 + 20_000;
    let disk = Bad(partitioned(), table..table + 512);
    let found = survey(&disk, 512);
    let Treatment::Raw { reason } = &found.volumes[1].treatment else { panic!("{:?}", found.volumes[1]) };
    assert!(reason.contains("cannot be read: bad sector"), "{reason}");
    assert!(matches!(found.volumes[0].treatment, Treatment::Used { .. }));
}

#[test]
fn a_disk_with_two_claims_is_raw() {
    let mut bytes = partitioned();
    // Intel's array signature, two blocks before the end.
    let at = bytes.len() - 1024;
    bytes[at..at + 24].copy_from_slice(b"Intel Raid ISM Cfg Sig. ");
    let found = survey(&bytes, 512);
    assert!(found.volumes.len() == 2 && !found.is_used_block());
    assert!(matches!(&found.volumes[0].treatment, Treatment::Raw { reason } if reason.contains("signature of RAID")));
    assert_eq!(found.used_end(), 100 * MIB);
}

#[test]
fn other_kinds_are_raw_and_say_so() {
    let cases: [(usize, &[u8], &str); 6] = [
        (3, b"-FVE-FS-", "BitLocker is read whole"),
        (0, b"LUKS\xba\xbe\0\x02", "LUKS is read whole"),
        (4086, b"SWAPSPACE2", "swap is read whole"),
        (512, b"LABELONE", "LVM is read whole"),
        (0x1_0040, b"_BHRfS_M", "btrfs is read whole"),
        (100, b"something", "no file system that is known"),
    ];
    for (at, signature, words) in cases {
        let mut bytes = vec![0; 4 << 20];
        bytes[at..at + signature.len()].copy_from_slice(signature);
        assert!(raw(&bytes).contains(words), "{words}");
    }
    let mut bytes = vec![0; 4 << 20];
    bytes[4086..4096].copy_from_slice(b"SWAPSPACE2");
    bytes[..4].copy_from_slice(b"XFSB");
    let reason = raw(&bytes);
    assert!(reason.contains("XFS, swap at once"), "{reason}");
}
