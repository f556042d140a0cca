//! exFAT volumes with files: no tool puts any in without mounting, so they are laid by hand and fsck.exfat judges them.

use super::*;

const CLUSTER: usize = 4096;

/// What goes into the volume made by [`volume`].
pub(super) fn expected() -> [(&'static str, Vec<u8>); 4] {
    [
        ("contiguous.bin", content(1, 3 * CLUSTER + 5)),
        ("in pieces, with a long name ü.bin", content(2, 2 * CLUSTER + 100)),
        ("empty", Vec::new()),
        ("folder/half written.bin", {
            let mut data = content(3, 1000);
            data.resize(6000, 0);
            data
        }),
    ]
}

struct Maker {
    bytes: Vec<u8>,
    heap: usize,
    fat: usize,
}

impl Maker {
    fn cluster(&mut self, number: u32, data: &[u8]) {
        let at = self.heap + (number as usize - 2) * CLUSTER;
        self.bytes[at..at + data.len()].copy_from_slice(data);
    }

    fn link(&mut self, from: u32, to: u32) {
        let at = self.fat + from as usize * 4;
        self.bytes[at..at + 4].copy_from_slice(&to.to_le_bytes());
    }

    /// Marks clusters in the allocation bitmap, which mkfs.exfat puts into cluster 2.
    fn take(&mut self, clusters: std::ops::Range<u32>) {
        for cluster in clusters {
            let bit = cluster as usize - 2;
            self.bytes[self.heap + bit / 8] |= 1 << (bit % 8);
        }
    }
}

/// A file's entry set, with its checksums (specification, sections 6.3.3 and 7.6.3). Names have no small letters with
/// strange capitals here.
fn set(name: &str, folder: bool, flags: u8, first: u32, valid: u64, size: u64) -> Vec<u8> {
    let units: Vec<u16> = name.encode_utf16().collect();
    let parts = units.len().div_ceil(15);
    let mut set = vec![0; 32 * (2 + parts)];
    (set[0], set[1], set[4]) = (0x85, u8::try_from(1 + parts).unwrap(), if folder { 0x10 } else { 0x20 });
    for at in [8, 12, 16] {
        // 2024-02-29 12:34:56.
        set[at..at + 4]
            .copy_from_slice(&((44_u32 << 25 | 2 << 21 | 29 << 16) | (12 << 11 | 34 << 5 | 28)).to_le_bytes());
    }
    // One hour east of UTC.
    set[22..25].copy_from_slice(&[0x84; 3]);
    (set[32], set[33], set[35]) = (0xC0, flags, u8::try_from(units.len()).unwrap());
    let mut hash = 0_u16;
    for unit in name.to_uppercase().encode_utf16() {
        for byte in unit.to_le_bytes() {
            hash = hash.rotate_right(1).wrapping_add(byte.into());
        }
    }
    set[36..38].copy_from_slice(&hash.to_le_bytes());
    set[40..48].copy_from_slice(&valid.to_le_bytes());
    set[52..56].copy_from_slice(&first.to_le_bytes());
    set[56..64].copy_from_slice(&size.to_le_bytes());
    for (part, units) in units.chunks(15).enumerate() {
        let at = 64 + part * 32;
        set[at] = 0xC1;
        for (unit, at) in units.iter().zip((at + 2..).step_by(2)) {
            set[at..at + 2].copy_from_slice(&unit.to_le_bytes());
        }
    }
    let sum = set.iter().enumerate().filter(|(at, _)| !matches!(at, 2 | 3));
    let sum = sum.fold(0_u16, |sum, (_, byte)| sum.rotate_right(1).wrapping_add((*byte).into()));
    set[2..4].copy_from_slice(&sum.to_le_bytes());
    set
}

pub(super) fn volume(at: &Path) -> PathBuf {
    let path = at.join("exfat");
    File::create(&path).unwrap().set_len(4 << 20).unwrap();
    tool("mkfs.exfat", &["-c", "4096", "exfat"], at);
    let bytes = fs::read(&path).unwrap();
    let sectors = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let (fat, heap, root) = (sectors(80) as usize * 512, sectors(88) as usize * 512, sectors(96));
    let mut maker = Maker { heap, fat, bytes };
    let [(one, whole), (two, pieces), (three, _), (_, half)] = expected();
    // Far behind what mkfs.exfat made: 4 clusters in a row, 3 in disorder, a folder, 2 of a file half written.
    for (number, part) in (100..).zip(whole.chunks(CLUSTER)) {
        maker.cluster(number, part);
    }
    for (number, part) in [120, 110, 115].into_iter().zip(pieces.chunks(CLUSTER)) {
        maker.cluster(number, part);
    }
    maker.link(120, 110);
    maker.link(110, 115);
    maker.link(115, u32::MAX);
    let old = vec![0xAA; CLUSTER];
    maker.cluster(140, &old);
    maker.cluster(141, &old);
    maker.cluster(140, &half[..1000]);
    maker.cluster(130, &set("half written.bin", false, 3, 140, 1000, half.len() as u64));
    for clusters in [100..104, 120..121, 110..111, 115..116, 130..131, 140..142] {
        maker.take(clusters);
    }
    let sets = [
        set(one, false, 3, 100, whole.len() as u64, whole.len() as u64),
        set(two, false, 1, 120, pieces.len() as u64, pieces.len() as u64),
        set(three, false, 0, 0, 0, 0),
        set("folder", true, 3, 130, CLUSTER as u64, CLUSTER as u64),
    ];
    let root = heap + (root as usize - 2) * CLUSTER;
    let free = maker.bytes[root..].chunks(32).position(|entry| entry[0] == 0).unwrap();
    let at_end = root + free * 32;
    let sets = sets.concat();
    maker.bytes[at_end..at_end + sets.len()].copy_from_slice(&sets);
    fs::write(&path, &maker.bytes).unwrap();
    tool("fsck.exfat", &["-n", "exfat"], at);
    path
}

#[test]
fn exfat_gives_back_what_was_laid_down() {
    let at = tempfile::tempdir().unwrap();
    let volume = blocks(&volume(at.path()));
    let files = open(&volume).unwrap();
    assert_eq!(files.kind(), Kind::Exfat);
    for (path, expected) in expected() {
        let file = find(&*files, path).unwrap();
        // 12:34:56 one hour east of UTC.
        assert_eq!(file.modified, Some(1_709_206_496), "{path}");
        let mut data = Vec::new();
        cat(&*files, &file, &mut data).unwrap();
        assert!(data == expected, "{path}");
    }
    let mut names = Vec::new();
    let done = walk(&*files, &files.root(), "", &mut |path, _, trouble| {
        assert!(trouble.is_none());
        names.push(path.to_owned());
        Next::On
    });
    assert!(done.is_continue());
    assert_eq!(names.len(), 5, "{names:?}");
}
