//! FAT12, FAT16 and FAT32. Sources: Microsoft's FAT specification 1.03; ECMA-107.
//!
//! The map is the file allocation table itself. It is believed when all copies of it are equal, FAT32's copy of the boot
//! sector has the same figures, no driver left its mark of a mounted or damaged volume, FSInfo's count agrees where there
//! is one, every chain that a directory names runs through clusters in use only, is as long as its file, and no more
//! clusters are named than are in use. FAT12 has no mark of being mounted. Not proved: that a cluster in use belongs to a
//! file; such ones are copied.

use super::{
    doubt::{Doubt, Window, agree, ensure, le8, le16, le32, read},
    fat_table::{FatTable, Width},
    map::{Bits, Counted, Layout, Map},
};
use crate::blocks::ReadAt;
use std::ops::Range;

mod tree;

/// What the boot sector says, checked for sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    /// Bytes of a sector as the file system counts them.
    sector: u64,
    cluster: u64,
    /// Sectors before the first table.
    reserved: u64,
    copies: u64,
    /// Bytes of one copy of the table.
    table: u64,
    /// Byte and bytes of the root directory of FAT12 and FAT16.
    root: Range2,
    /// First cluster of FAT32's root directory.
    root_cluster: u32,
    clusters: u64,
    /// Bytes of the whole file system.
    len: u64,
    width: Width,
}

/// A range that can be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range2 {
    start: u64,
    end: u64,
}

impl Geometry {
    /// Reads the boot sector (`FAT specification`, BPB). Fails for anything no formatting program writes.
    pub(super) fn parse(boot: &[u8]) -> Result<Self, Doubt> {
        let no = || Doubt::damaged("the boot sector's figures make no sense");
        let sector = u64::from(le16(boot, 11)?);
        let per_cluster = u64::from(le8(boot, 13)?);
        let reserved = u64::from(le16(boot, 14)?);
        let copies = u64::from(le8(boot, 16)?);
        let root_entries = u64::from(le16(boot, 17)?);
        let (small, large) = (u64::from(le16(boot, 19)?), u64::from(le32(boot, 32)?));
        let (short, long) = (u64::from(le16(boot, 22)?), u64::from(le32(boot, 36)?));
        let media = le8(boot, 21)?;
        let sense = matches!(sector, 512 | 1024 | 2048 | 4096)
            && per_cluster.is_power_of_two()
            && reserved > 0
            && (1..=2).contains(&copies)
            && (media == 0xf0 || media >= 0xf8)
            && le16(boot, 510)? == 0xaa55;
        ensure(sense, no)?;
        let total = if small == 0 { large } else { small };
        let table = if short == 0 { long } else { short };
        let root_sectors = (root_entries * 32).div_ceil(sector);
        // At most 2^33 sectors each: no sum here can overflow.
        let data = reserved + copies * table + root_sectors;
        let clusters = total.checked_sub(data).ok_or_else(no)? / per_cluster;
        let width = match (short == 0, clusters) {
            (_, 0) => return Err(no()),
            // Linux, Windows and firmware go by this field alone: there is FAT32 with far fewer clusters than 65,525.
            (true, ..0x0fff_fff5) => Width::ThirtyTwo,
            (false, ..4085) => Width::Twelve,
            (false, 4085..65_525) => Width::Sixteen,
            // Drivers differ in what they take it for.
            _ => return Err(no()),
        };
        let fits = table * sector * 8 >= (clusters + 2) * width.bits();
        let root_fits = (root_entries > 0) == (width != Width::ThirtyTwo);
        ensure(fits && root_fits, no)?;
        let root = (reserved + copies * table) * sector;
        let root_cluster = if width == Width::ThirtyTwo { le32(boot, 44)? } else { 0 };
        ensure((root_cluster >= 2) == (width == Width::ThirtyTwo), no)?;
        Ok(Self {
            sector,
            cluster: per_cluster * sector,
            reserved,
            copies,
            table: table * sector,
            root: Range2 { start: root, end: root + root_entries * 32 },
            root_cluster,
            clusters,
            len: total * sector,
            width,
        })
    }

    /// FAT32.
    fn wide(&self) -> bool {
        self.width == Width::ThirtyTwo
    }

    fn first_table(&self) -> FatTable {
        FatTable { offset: self.reserved * self.sector, width: self.width, clusters: self.clusters }
    }

    fn layout(&self) -> Layout {
        let origin = (self.reserved * self.sector + self.copies * self.table).max(self.root.start);
        let root = (self.root.end - self.root.start).div_ceil(self.sector) * self.sector;
        Layout { origin: origin + root, unit: self.cluster, units: self.clusters }
    }

    /// Byte of the volume at which a cluster begins.
    fn at(&self, cluster: u32) -> u64 {
        let Layout { origin, unit, .. } = self.layout();
        origin + u64::from(cluster).saturating_sub(2) * unit
    }
}

/// The map.
pub(super) fn prove(volume: &dyn ReadAt, always: &[Range<u64>]) -> Result<Counted, Doubt> {
    let boot = read(volume, 0, 512, "the boot sector")?;
    let geometry = Geometry::parse(&boot)?;
    ensure(geometry.len <= volume.size(), || Doubt::damaged("the file system is longer than its partition"))?;
    boot_copy(volume, &boot, &geometry)?;
    clean(volume, &boot, &geometry)?;
    copies_equal(volume, &geometry)?;
    let counted = Map::count(volume, geometry.layout(), Box::new(geometry.first_table()), always)?;
    if let Some(free) = info(volume, &boot, &geometry)? {
        agree("free clusters in the table and in FSInfo", geometry.clusters - counted.used, free)?;
    }
    tree::walk(volume, &geometry, counted.used)?;
    Ok(counted)
}

/// The marks of a mounted or damaged volume: Windows' in the table's second entry, Linux' and old Windows' in the boot
/// sector.
fn clean(volume: &dyn ReadAt, boot: &[u8], geometry: &Geometry) -> Result<(), Doubt> {
    let (state, version) = if geometry.wide() { (le8(boot, 65)?, le16(boot, 42)?) } else { (le8(boot, 37)?, 0) };
    ensure(state & 0x03 == 0, || Doubt::dirty(format!("the boot sector's state is {state:#x}")))?;
    ensure(version == 0, || Doubt::unhandled(format!("FAT32 version {version:#x} is not handled")))?;
    if geometry.wide() {
        let mirrored = le16(boot, 40)?;
        ensure(mirrored & 0x80 == 0, || Doubt::unhandled("it has copies of the table that are not kept equal"))?;
    }
    let mut window = Window::new(volume, "the file allocation table");
    let table = geometry.first_table();
    let (media, flags) = (table.entry(&mut window, 0)?, table.entry(&mut window, 1)?);
    ensure(media & 0xff == u32::from(le8(boot, 21)?), || Doubt::damaged("the table's first entry is not the medium"))?;
    let (shut, no_error) = match geometry.width {
        Width::Twelve => return Ok(()),
        Width::Sixteen => (0x8000, 0x4000),
        Width::ThirtyTwo | Width::Full => (0x0800_0000, 0x0400_0000),
    };
    ensure(flags & shut != 0, || Doubt::dirty("the table says the volume is mounted"))?;
    ensure(flags & no_error != 0, || Doubt::dirty("the table says there were read or write errors"))
}

/// FAT32's copy of the boot sector must give the same figures, where there is one.
fn boot_copy(volume: &dyn ReadAt, boot: &[u8], geometry: &Geometry) -> Result<(), Doubt> {
    // From the size of a sector to the place of the copy itself.
    const FIGURES: Range<usize> = 11..52;
    let at = u64::from(le16(boot, 50)?);
    if !geometry.wide() || at == 0 || at >= geometry.reserved {
        return Ok(());
    }
    let copy = read(volume, at * geometry.sector, 512, "the boot sector's copy")?;
    ensure(boot.get(FIGURES) == copy.get(FIGURES), || Doubt::damaged("the boot sector and its copy differ"))
}

fn copies_equal(volume: &dyn ReadAt, geometry: &Geometry) -> Result<(), Doubt> {
    const STEP: u64 = 256 << 10;
    let first = geometry.reserved * geometry.sector;
    for copy in 1..geometry.copies {
        let other = first + copy * geometry.table;
        for at in (0..geometry.table).step_by(256 << 10) {
            let len = usize::try_from((geometry.table - at).min(STEP)).unwrap_or(0);
            let one = read(volume, first + at, len, "the file allocation table")?;
            let two = read(volume, other + at, len, "the file allocation table's copy")?;
            ensure(one == two, || Doubt::damaged(format!("the copies of the table differ after byte {at}")))?;
        }
    }
    Ok(())
}

/// Free clusters as FSInfo counts them, where there is one and it says so.
fn info(volume: &dyn ReadAt, boot: &[u8], geometry: &Geometry) -> Result<Option<u64>, Doubt> {
    let sector = u64::from(le16(boot, 48)?);
    if geometry.width != Width::ThirtyTwo || sector == 0 || sector >= geometry.reserved {
        return Ok(None);
    }
    let info = read(volume, sector * geometry.sector, 512, "FSInfo")?;
    let valid = info.starts_with(b"RRaA") && le32(&info, 484)? == 0x6141_7272 && le32(&info, 508)? == 0xaa55_0000;
    let free = le32(&info, 488)?;
    Ok((valid && free != u32::MAX).then_some(free.into()))
}

impl Bits for FatTable {
    /// A cluster is free when its entry is zero; bad and reserved ones count as in use.
    fn fill(&self, volume: &dyn ReadAt, units: Range<u64>, bits: &mut [u8]) -> Result<(), Doubt> {
        let mut window = Window::new(volume, "the file allocation table");
        for (at, cluster) in units.enumerate() {
            if let Some(byte) = bits.get_mut(at / 8).filter(|_| cluster < self.clusters) {
                let used = self.entry(&mut window, cluster + 2)? != 0;
                *byte |= u8::from(used) << (at % 8);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
