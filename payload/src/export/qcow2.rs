//! qcow2 version 3, written in one pass with bounded memory.
//!
//! Layout after QEMU's docs/interop/qcow2.txt: header, refcount table and L1 table stand at the front in their final
//! sizes; data clusters follow in the order of the disk; each L2 table and each refcount block follows what it describes.
//! The header is written last, so an unfinished file is not taken for an image.

use super::Target;
use std::{fs::File, io, os::unix::fs::FileExt};

/// "This cluster has a refcount of exactly one"; bit 63 of L1 and L2 entries.
const COPIED: u64 = 1 << 63;
/// Bit 62 of L2 entries.
const COMPRESSED: u64 = 1 << 62;
const SECTOR: u64 = 512;
/// QEMU takes L1 tables of up to 32 MiB: 2^51 bytes of disk in clusters of 64 KiB. Half of it leaves room for the tables.
const MAX_SIZE: u64 = 1 << 50;
const HEADER_LENGTH: u32 = 112;
/// Incompatible feature bit 3: the field with the compression type is valid and not 0.
const COMPRESSION_TYPE: u64 = 1 << 3;
const ZSTD: u8 = 1;

pub(super) struct Qcow2<'a> {
    file: &'a File,
    /// Bytes of the disk, in whole sectors: QEMU would cut a rest.
    size: u64,
    /// log2 of the bytes of a cluster.
    bits: u32,
    refcount_table: Vec<u64>,
    l1_offset: u64,
    l1: Vec<u64>,
    /// The L2 table being filled, and its place in the L1 table.
    l2: Vec<u64>,
    l2_index: usize,
    /// Host clusters given out so far; also the next one.
    used: u64,
    /// The refcount block being filled, and the first cluster it counts.
    counts: Vec<u16>,
    counts_from: u64,
    /// Where the next compressed bytes may go: into the rest of a cluster.
    packed: u64,
    /// Whether clusters may be compressed.
    zstd: bool,
    /// Bytes for one run of the file that were not written yet, and where they go.
    run: Vec<u8>,
    run_at: u64,
}

/// Neighbours in the file are gathered until there is so much to write.
const GATHER: usize = 1 << 20;

impl<'a> Qcow2<'a> {
    /// Clusters of 2^`bits` bytes. None if the disk is too large.
    pub(super) fn new(file: &'a File, size: u64, bits: u32, zstd: bool) -> Option<Self> {
        let size = Some(size).filter(|size| *size <= MAX_SIZE)?.next_multiple_of(SECTOR);
        let bytes = 1 << bits;
        // Entries of 8 bytes, counts of 2 bytes.
        let (entries, counts) = (bytes / 8, bytes / 2);
        let clusters = size.div_ceil(bytes);
        // An empty disk has a table, too: QEMU would take its cluster for a leak.
        let tables = clusters.div_ceil(entries).max(1);
        let l1_clusters = (tables * 8).div_ceil(bytes).max(1);
        // Everything stored; each L2 table and each refcount block may leave the rest of a cluster of compressed data behind.
        let most = clusters + 2 * tables + l1_clusters + 1;
        let blocks = most.div_ceil(counts - 3) + 2;
        let table_clusters = (blocks * 8).div_ceil(bytes);
        let zeros = |len: u64| usize::try_from(len).map(|len| vec![0; len]).ok();
        let mut image = Self {
            file,
            size,
            bits,
            refcount_table: zeros(table_clusters * entries)?,
            l1_offset: (1 + table_clusters) * bytes,
            l1: zeros(tables)?,
            l2: zeros(entries)?,
            l2_index: 0,
            used: 1 + table_clusters + l1_clusters,
            counts: vec![0; usize::try_from(counts).ok()?],
            counts_from: 0,
            packed: 0,
            zstd,
            run: Vec::new(),
            run_at: 0,
        };
        // The front fits into the first refcount block with MAX_SIZE and clusters of 64 KiB.
        let front = usize::try_from(image.used).ok().and_then(|used| image.counts.get_mut(..used))?;
        front.fill(1);
        Some(image)
    }

    /// Bytes of a cluster.
    fn bytes(&self) -> u64 {
        1 << self.bits
    }

    /// How many clusters a refcount block counts.
    fn block(&self) -> u64 {
        self.counts.len() as u64
    }

    /// A new host cluster; its offset in the file.
    fn allocate(&mut self) -> io::Result<u64> {
        let cluster = self.used;
        self.used += 1;
        self.count(cluster)?;
        Ok(cluster << self.bits)
    }

    /// One more use of a host cluster, which must be the newest or in the refcount block being filled.
    fn count(&mut self, cluster: u64) -> io::Result<()> {
        if cluster - self.counts_from >= self.block() {
            let own = self.used;
            self.used += 1;
            self.write_counts(own)?;
            self.count(own)?;
        }
        *entry(&mut self.counts, cluster - self.counts_from)? += 1;
        Ok(())
    }

    /// Writes the refcount block to a host cluster and begins the next one.
    fn write_counts(&mut self, at: u64) -> io::Result<()> {
        let index = self.counts_from / self.block();
        *entry(&mut self.refcount_table, index)? = at << self.bits;
        write_table(self.file, at << self.bits, &self.counts, |count| count.to_be_bytes())?;
        self.counts.fill(0);
        self.counts_from += self.block();
        Ok(())
    }

    /// Writes the L2 table if anything is in it.
    fn write_l2(&mut self) -> io::Result<()> {
        if self.l2.iter().any(|entry| *entry != 0) {
            let at = self.allocate()?;
            write_table(self.file, at, &self.l2, |entry| entry.to_be_bytes())?;
            self.l1[self.l2_index] = at | COPIED;
            self.l2.fill(0);
        }
        Ok(())
    }

    /// Stores a cluster, or the last part of the disk; its L2 entry.
    fn store_plain(&mut self, data: &[u8]) -> io::Result<u64> {
        let at = self.allocate()?;
        self.put(at, data)?;
        // The rest of the last cluster is a hole: zeros.
        Ok(at | COPIED)
    }

    /// Writes, where it continues what came before at once with that.
    fn put(&mut self, at: u64, data: &[u8]) -> io::Result<()> {
        if at != self.run_at + self.run.len() as u64 || self.run.len() + data.len() > GATHER {
            self.flush()?;
            self.run_at = at;
        }
        self.run.extend_from_slice(data);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all_at(&self.run, self.run_at)?;
        self.run.clear();
        Ok(())
    }

    /// Compressed data follow each other without gaps as long as their clusters do.
    fn store_packed(&mut self, data: &[u8]) -> io::Result<u64> {
        let len = data.len() as u64;
        let (cluster, within) = (self.packed >> self.bits, self.packed % self.bytes());
        let fits = within + len <= self.bytes();
        let at = if within > 0 && cluster >= self.counts_from && (fits || cluster + 1 == self.used) {
            self.count(cluster)?;
            if !fits {
                self.allocate()?;
            }
            self.packed
        } else {
            self.allocate()?
        };
        self.packed = at + len;
        self.put(at, data)?;
        let further_sectors = (at + len - 1) / SECTOR - at / SECTOR;
        // The offset takes the lower bits, by the size of the clusters; the number of further sectors follows.
        Ok(COMPRESSED | further_sectors << (62 - (self.bits - 8)) | at)
    }

    /// The refcount blocks that are left; the last one counts itself.
    fn write_last_counts(&mut self) -> io::Result<()> {
        if self.used - self.counts_from >= self.block() {
            // The block is full: it goes to the first cluster of the next one.
            let own = self.used;
            self.used += 1;
            self.write_counts(own)?;
            self.count(own)?;
        }
        let own = self.used;
        self.used += 1;
        self.count(own)?;
        self.write_counts(own)
    }

    fn header(&self) -> [u8; HEADER_LENGTH as usize] {
        let mut header = [0; HEADER_LENGTH as usize];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        let table_clusters = (self.l1_offset >> self.bits) - 1;
        let features = if self.zstd { COMPRESSION_TYPE } else { 0 };
        put(0, b"QFI\xfb");
        put(4, &3_u32.to_be_bytes());
        put(20, &self.bits.to_be_bytes());
        put(24, &self.size.to_be_bytes());
        // Both counts are far below 2^32 because of MAX_SIZE.
        put(36, &(self.l1.len() as u64).to_be_bytes()[4..]);
        put(40, &self.l1_offset.to_be_bytes());
        put(48, &self.bytes().to_be_bytes());
        put(56, &table_clusters.to_be_bytes()[4..]);
        put(72, &features.to_be_bytes());
        // Refcounts of 2^4 bits.
        put(96, &4_u32.to_be_bytes());
        put(100, &HEADER_LENGTH.to_be_bytes());
        put(104, &[if self.zstd { ZSTD } else { 0 }]);
        header
    }
}

impl Target for Qcow2<'_> {
    fn clusters(&mut self, offset: u64, data: &[u8], packed: &[Option<Vec<u8>>]) -> io::Result<()> {
        let bytes = usize::try_from(self.bytes()).map_err(io::Error::other)?;
        for ((cluster, data), packed) in (offset >> self.bits..).zip(data.chunks(bytes)).zip(packed) {
            let entries = self.l2.len() as u64;
            let table = usize::try_from(cluster / entries).map_err(io::Error::other)?;
            if table != self.l2_index {
                self.write_l2()?;
                self.l2_index = table;
            }
            let stored = match packed {
                Some(packed) => self.store_packed(packed)?,
                None => self.store_plain(data)?,
            };
            *entry(&mut self.l2, cluster % entries)? = stored;
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        self.write_l2()?;
        self.write_last_counts()?;
        write_table(self.file, self.bytes(), &self.refcount_table, |entry| entry.to_be_bytes())?;
        write_table(self.file, self.l1_offset, &self.l1, |entry| entry.to_be_bytes())?;
        self.file.set_len(self.used << self.bits)?;
        self.file.sync_all()?;
        self.file.write_all_at(&self.header(), 0)?;
        self.file.sync_all()
    }
}

/// Numbers in the byte order of the format, in pieces.
fn write_table<T: Copy, const N: usize>(file: &File, at: u64, table: &[T], bytes: fn(T) -> [u8; N]) -> io::Result<()> {
    const PIECE: usize = 8192;
    for (index, part) in table.chunks(PIECE).enumerate() {
        let part: Vec<u8> = part.iter().flat_map(|entry| bytes(*entry)).collect();
        file.write_all_at(&part, at + (index * PIECE * N) as u64)?;
    }
    Ok(())
}

/// An entry that the sizes in `new` provide for.
fn entry<T>(table: &mut [T], index: u64) -> io::Result<&mut T> {
    let found = usize::try_from(index).ok().and_then(|index| table.get_mut(index));
    found.ok_or_else(|| io::Error::other("the tables of the qcow2 image are too small: this is a bug of Mule"))
}
