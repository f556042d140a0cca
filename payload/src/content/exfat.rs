//! exFAT. Source: Microsoft's exFAT file system specification, 1.00.
//!
//! The map is the allocation bitmap of the root directory. It is believed when the boot region's checksum holds and its
//! backup is equal, the volume is not marked dirty, no more is in use by PercentInUse than by the bitmap, and every
//! cluster that any directory entry names (chains of the file allocation table as well as contiguous files; bitmap,
//! up-case table and directories included) is in use in the bitmap, not more of them than there are.

use super::{
    doubt::{Doubt, agree, ensure, le8, le16, le32, le64, read, read_into},
    fat_table::{FatTable, Width},
    map::{Bits, Counted, Layout, Lookup, Map},
};
use crate::blocks::ReadAt;
use std::ops::Range;

mod tree;

use tree::{Extent, Walk};

/// What the boot sector says, checked for sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Geometry {
    /// Bytes of a cluster.
    cluster: u64,
    clusters: u64,
    /// Byte at which cluster 2 begins.
    heap: u64,
    /// Byte at which the file allocation table begins.
    table: u64,
    root: u32,
}

/// Sectors of the boot region, the last of which holds its checksum; the backup follows it.
const BOOT_SECTORS: u64 = 12;

impl Geometry {
    fn parse(boot: &[u8]) -> Result<Self, Doubt> {
        let no = || Doubt::damaged("the boot sector's figures make no sense");
        let (sector, per_cluster) = (le8(boot, 108)?, le8(boot, 109)?);
        let sense = (9..=12).contains(&sector)
            && per_cluster <= 25 - sector
            && boot.get(3..11) == Some(b"EXFAT   ")
            && boot.get(11..64).is_some_and(|zeros| zeros.iter().all(|byte| *byte == 0))
            && le16(boot, 510)? == 0xaa55;
        ensure(sense, no)?;
        ensure(le8(boot, 105)? == 1 && le8(boot, 110)? == 1, || {
            Doubt::unhandled("a version of exFAT with more than one table is not handled")
        })?;
        let bytes = |at: usize| Ok::<u64, Doubt>(u64::from(le32(boot, at)?) << sector);
        let len = le64(boot, 72)?.checked_mul(1 << sector).ok_or_else(no)?;
        let (table, table_len, heap) = (bytes(80)?, bytes(84)?, bytes(88)?);
        let (clusters, cluster) = (u64::from(le32(boot, 92)?), 1 << (sector + per_cluster));
        let root = le32(boot, 96)?;
        let fits = table >= (2 * BOOT_SECTORS) << sector
            && table_len >= (clusters + 2) * 4
            && table + table_len <= heap
            && clusters > 0
            && clusters <= 0xffff_fff5
            && clusters.checked_mul(cluster).and_then(|data| data.checked_add(heap)).is_some_and(|end| end <= len)
            && (2..clusters + 2).contains(&root.into());
        ensure(fits, no)?;
        Ok(Self { cluster, clusters, heap, table, root })
    }

    fn first_table(&self) -> FatTable {
        FatTable { offset: self.table, width: Width::Full, clusters: self.clusters }
    }

    /// Byte of the volume at which a cluster begins.
    fn at(&self, cluster: u32) -> u64 {
        self.heap + u64::from(cluster).saturating_sub(2) * self.cluster
    }
}

/// The map.
pub(super) fn prove(volume: &dyn ReadAt, always: &[Range<u64>]) -> Result<Counted, Doubt> {
    let boot = read(volume, 0, 512, "the boot sector")?;
    let geometry = Geometry::parse(&boot)?;
    let end = le64(&boot, 72)?.checked_mul(1 << le8(&boot, 108)?);
    ensure(end.is_some_and(|end| end <= volume.size()), || {
        Doubt::damaged("the file system is longer than its partition")
    })?;
    regions(volume, 1 << le8(&boot, 108)?)?;
    clean(&boot)?;
    let mut walk = Walk::new(volume, geometry);
    let bitmap = walk.bitmap()?;
    let layout = Layout { origin: geometry.heap, unit: geometry.cluster, units: geometry.clusters };
    let counted = Map::count(volume, layout, Box::new(Stored { geometry, extents: bitmap }), always)?;
    percent(&boot, counted.used, geometry.clusters)?;
    walk.all(&mut Lookup::new(&counted.map, volume), counted.used)?;
    Ok(counted)
}

/// The boot region, its checksum and its backup. Flags and PercentInUse are in neither: they change too often.
fn regions(volume: &dyn ReadAt, sector: usize) -> Result<(), Doubt> {
    let len = sector * usize::try_from(BOOT_SECTORS).unwrap_or(0);
    let mut first = read(volume, 0, len, "the boot region")?;
    let mut second = read(volume, len as u64, len, "the boot region's backup")?;
    let body = len - sector;
    let sum = first[..body].iter().enumerate().fold(0_u32, |sum, (at, byte)| {
        if matches!(at, 106 | 107 | 112) { sum } else { sum.rotate_right(1).wrapping_add((*byte).into()) }
    });
    let stored = first[body..].chunks_exact(4).all(|word| word == sum.to_le_bytes());
    ensure(stored, || Doubt::damaged("the boot region's checksum is wrong"))?;
    for region in [&mut first, &mut second] {
        [106, 107, 112].into_iter().for_each(|at| region[at] = 0);
    }
    ensure(first == second, || Doubt::damaged("the boot region and its backup differ"))
}

fn clean(boot: &[u8]) -> Result<(), Doubt> {
    let flags = le16(boot, 106)?;
    ensure(flags & 0x2 == 0, || Doubt::dirty("the volume is marked dirty"))?;
    ensure(flags & 0x4 == 0, || Doubt::dirty("the volume is marked as having had errors of its medium"))?;
    ensure(flags & 0x1 == 0, || Doubt::unhandled("its second table is the active one, which is not handled"))
}

/// PercentInUse is rounded down and need not be known. Some drivers do not keep it when they write; then it may be low.
fn percent(boot: &[u8], used: u64, clusters: u64) -> Result<(), Doubt> {
    let told = le8(boot, 112)?;
    let found = used.saturating_mul(100) / clusters;
    let holds = told == u8::MAX || u64::from(told) <= found + 1;
    ensure(holds, || Doubt::disagree("percent in use in the boot sector and in the bitmap", told, found))
}

/// The bitmap where it is stored; the bits count clusters from 2.
#[derive(Debug)]
struct Stored {
    geometry: Geometry,
    extents: Vec<Extent>,
}

impl Bits for Stored {
    fn fill(&self, volume: &dyn ReadAt, units: Range<u64>, bits: &mut [u8]) -> Result<(), Doubt> {
        const WHAT: &str = "the allocation bitmap";
        let (mut skip, mut rest) = (units.start / 8, bits);
        for extent in &self.extents {
            let len = u64::from(extent.len) * self.geometry.cluster;
            if skip >= len {
                skip -= len;
                continue;
            }
            let now = usize::try_from(len - skip).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at_mut(now);
            read_into(volume, self.geometry.at(extent.first) + skip, now, WHAT)?;
            (skip, rest) = (0, later);
        }
        ensure(rest.is_empty(), || Doubt::Short { what: WHAT })
    }
}

/// No cluster can belong to more than one file.
fn counts(named: u64, used: u64) -> Result<(), Doubt> {
    agree("clusters of files and of the bitmap; more of the first:", named.saturating_sub(used), 0)
}

#[cfg(test)]
mod tests;
