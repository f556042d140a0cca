//! No tool writes into an exFAT volume that is not mounted, so the files are put there by hand; `fsck.exfat` says whether
//! that was done right, and again after all that is called free was overwritten.

use super::*;
use crate::content::{Kind, fixture::*};

/// Writes files into a new volume.
struct Writer {
    bytes: Vec<u8>,
    geometry: Geometry,
    /// First cluster of the allocation bitmap.
    bitmap: u32,
    /// Next cluster nobody uses.
    next: u32,
}

impl Writer {
    fn new(bytes: Vec<u8>) -> Self {
        let geometry = Geometry::parse(&bytes).unwrap();
        let root = place(geometry.at(geometry.root));
        let entry = (0..8).map(|number| root + number * 32).find(|at| bytes[*at] == 0x81).unwrap();
        let bitmap = u32::from_le_bytes(bytes[entry + 20..entry + 24].try_into().unwrap());
        Self { bytes, geometry, bitmap, next: geometry.root + 1 }
    }

    fn bit(&mut self, cluster: u32, used: bool) {
        let at = place(self.geometry.at(self.bitmap)) + (cluster as usize - 2) / 8;
        let bit = 1 << ((cluster - 2) % 8);
        if used { self.bytes[at] |= bit } else { self.bytes[at] &= !bit }
    }

    fn link(&mut self, cluster: u32, next: u32) {
        let at = place(self.geometry.table) + cluster as usize * 4;
        self.bytes[at..at + 4].copy_from_slice(&next.to_le_bytes());
    }

    /// Stores a file's bytes: together, or in every second cluster.
    fn store(&mut self, content: &[u8], contiguous: bool) -> Vec<u32> {
        let mut clusters = Vec::new();
        for piece in content.chunks(place(self.geometry.cluster)) {
            let cluster = self.next;
            self.next += if contiguous { 1 } else { 2 };
            let at = place(self.geometry.at(cluster));
            self.bytes[at..at + piece.len()].copy_from_slice(piece);
            self.bit(cluster, true);
            clusters.push(cluster);
        }
        for (number, cluster) in clusters.iter().enumerate().filter(|_| !contiguous) {
            self.link(*cluster, clusters.get(number + 1).copied().unwrap_or(u32::MAX));
        }
        clusters
    }

    /// The entries of a file: name, first cluster, length.
    fn entries(name: &str, first: u32, len: u64, contiguous: bool, directory: bool) -> Vec<u8> {
        let units: Vec<u16> = name.encode_utf16().collect();
        let mut set = vec![0; 32 * (2 + units.len().div_ceil(15))];
        set[0] = 0x85;
        set[1] = u8::try_from(set.len() / 32 - 1).unwrap();
        set[4] = if directory { 0x10 } else { 0x20 };
        // A date every checker accepts: 1 January 2024.
        (0..3).for_each(|number| set[8 + number * 4..12 + number * 4].copy_from_slice(&0x5821_0000_u32.to_le_bytes()));
        set[32] = 0xc0;
        set[33] = 1 | u8::from(contiguous) << 1;
        set[35] = u8::try_from(units.len()).unwrap();
        let hash =
            units.iter().flat_map(|unit| u16::to_le_bytes(u8::try_from(*unit).unwrap().to_ascii_uppercase().into()));
        set[36..38].copy_from_slice(
            &hash.fold(0_u16, |sum, byte| sum.rotate_right(1).wrapping_add(byte.into())).to_le_bytes(),
        );
        set[40..48].copy_from_slice(&len.to_le_bytes());
        set[52..56].copy_from_slice(&first.to_le_bytes());
        set[56..64].copy_from_slice(&len.to_le_bytes());
        for (number, part) in units.chunks(15).enumerate() {
            let at = 64 + number * 32;
            set[at] = 0xc1;
            for (number, unit) in part.iter().enumerate() {
                set[at + 2 + number * 2..at + 4 + number * 2].copy_from_slice(&unit.to_le_bytes());
            }
        }
        let sum = set.iter().enumerate().filter(|(at, _)| !matches!(at, 2 | 3));
        let sum = sum.fold(0_u16, |sum, (_, byte)| sum.rotate_right(1).wrapping_add((*byte).into()));
        set[2..4].copy_from_slice(&sum.to_le_bytes());
        set
    }

    /// Puts entries behind those that are in a directory's first cluster.
    fn add(&mut self, directory: u32, set: &[u8]) {
        let start = place(self.geometry.at(directory));
        let end = start + place(self.geometry.cluster);
        let at = (start..end).step_by(32).find(|at| self.bytes[*at] == 0).unwrap();
        assert!(at + set.len() <= end, "the directory is full");
        self.bytes[at..at + set.len()].copy_from_slice(set);
    }
}

fn place(at: u64) -> usize {
    usize::try_from(at).unwrap()
}

/// The files' clusters beside the volume: name, content, clusters.
type Files = Vec<(Vec<u8>, Vec<u32>)>;

/// A volume with a folder and files, contiguous ones and chains; some are removed again.
fn volume(options: &str, size: u64) -> (Vec<u8>, Files) {
    let disk = Disk::new(size);
    disk.must(&format!("mkfs.exfat -L LABEL {options} @"));
    let mut writer = Writer::new(disk.bytes());
    let folder = writer.store(&vec![0; place(writer.geometry.cluster)], false)[0];
    let root = writer.geometry.root;
    let set = Writer::entries("folder", folder, writer.geometry.cluster, false, true);
    writer.add(root, &set);
    let mut stored = Vec::new();
    for (number, (name, content)) in files(24).into_iter().enumerate().filter(|(_, (_, content))| !content.is_empty()) {
        let contiguous = number % 2 == 0;
        let clusters = writer.store(&content, contiguous);
        let mut set = Writer::entries(&name, clusters[0], content.len() as u64, contiguous, false);
        if number % 5 == 4 {
            set.iter_mut().step_by(32).for_each(|kind| *kind &= 0x7f);
            clusters.iter().for_each(|cluster| writer.bit(*cluster, false));
            clusters.iter().for_each(|cluster| writer.link(*cluster, 0));
        } else {
            stored.push((content, clusters));
        }
        writer.add(if number % 3 == 0 { folder } else { root }, &set);
    }
    let bytes = writer.bytes;
    Disk::of(&bytes).must("fsck.exfat -n @");
    (bytes, stored)
}

const VARIANTS: [(&str, u64); 3] = [("-c 4096", 32 * MIB), ("-c 32768", 64 * MIB), ("-c 131072", 64 * MIB)];

#[test]
fn what_is_free_can_be_overwritten() {
    for (options, size) in VARIANTS {
        let (bytes, files) = volume(options, size);
        let (survey, scrubbed) = proved(&bytes);
        assert_eq!((survey.volumes[0].kind, &*survey.volumes[0].label), (Kind::Exfat, "LABEL"), "{options}");
        scrubbed.must("fsck.exfat -n @");
        let after = scrubbed.bytes();
        let geometry = Geometry::parse(&bytes).unwrap();
        for (content, clusters) in &files {
            for (piece, cluster) in content.chunks(place(geometry.cluster)).zip(clusters) {
                let at = place(geometry.at(*cluster));
                assert!(after[at..at + piece.len()] == *piece, "cluster {cluster} changed ({options})");
            }
        }
        assert!(free(&survey.volumes[0]) > size / 3, "{options}");
    }
}

#[test]
fn a_new_volume_is_almost_all_free() {
    let disk = Disk::new(64 * MIB);
    disk.must("mkfs.exfat @");
    let (survey, scrubbed) = proved(&disk.bytes());
    scrubbed.must("fsck.exfat -n @");
    assert!(free(&survey.volumes[0]) > 58 * MIB);
}

#[test]
fn marks_of_an_unclean_volume_make_it_raw() {
    let (bytes, _) = volume("-c 4096", 32 * MIB);
    for (flag, words) in [(2, "marked dirty"), (4, "errors of its medium"), (1, "second table")] {
        let mut bytes = bytes.clone();
        bytes[106] |= flag;
        let reason = raw(&bytes);
        assert!(reason.contains(words), "{reason}");
    }
}

#[test]
fn sources_that_differ_make_it_raw() {
    let (bytes, _) = volume("-c 4096", 32 * MIB);
    let change = |at: usize, byte: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = byte;
        raw(&bytes)
    };
    assert!(change(112, 90).contains("percent in use"));
    assert!(change(600, 1).contains("checksum"));
    assert!(change(12 * 512 + 600, 1).contains("backup"));
    let geometry = Geometry::parse(&bytes).unwrap();
    let root = place(geometry.at(geometry.root));
    let file = (root..).step_by(32).find(|at| bytes[*at] == 0x85).unwrap();
    assert!(change(file + 40, 0xee).contains("directory entries is wrong"));
    let mut unknown = bytes.clone();
    let end = (root..).step_by(32).find(|at| bytes[*at] == 0).unwrap();
    unknown[end] = 0xa5;
    assert!(raw(&unknown).contains("type 0xa5"));
}

#[test]
fn a_cluster_of_a_file_that_the_bitmap_calls_free_makes_it_raw() {
    let (bytes, files) = volume("-c 4096", 32 * MIB);
    for (_, clusters) in &files {
        for cluster in [clusters[0], clusters[clusters.len() - 1]] {
            let mut writer = Writer::new(bytes.clone());
            writer.bit(cluster, false);
            let reason = raw(&writer.bytes);
            assert!(reason.contains("called free"), "{reason}");
        }
    }
}

#[test]
fn damaged_volumes_never_panic_and_free_no_file() {
    let (bytes, _) = volume("-c 4096", 32 * MIB);
    let geometry = Geometry::parse(&bytes).unwrap();
    let root = geometry.at(geometry.root);
    let table = geometry.table;
    torture(&bytes, &[64..120, table..table + 1200, root..root + 700, geometry.at(2)..geometry.at(2) + 60], 100);
}
