//! NTFS. Sources: the structures as the Linux kernel's fs/ntfs3 and ntfs-3g's layout.h describe them.
//!
//! The map is `$Bitmap`. It is believed when the boot sector equals its copy at the end, the volume is not marked dirty,
//! the log has nothing to be replayed, no Windows hibernates in it, the first records equal their mirror, the table's own
//! bitmap agrees with every record's mark of use, and every cluster that any record in use names (all attributes,
//! continued ones included) is in use in `$Bitmap`, not more of them than there are. NTFS keeps no count of free clusters
//! that could be compared. Not proved: that a cluster in use belongs to a file; such ones are copied.

use super::{
    doubt::{Doubt, ensure, le8, le16, le32, le64, read, utf16},
    map::{Bits, Counted, Layout, Lookup, Map},
};
use crate::blocks::ReadAt;
use std::ops::Range;

mod record;
mod scan;
mod stream;

use record::{DATA, VOLUME_INFORMATION, VOLUME_NAME};
use stream::{Content, Stream, Table};

// Numbers of the records that every volume has.
const LOG: u64 = 2;
const VOLUME: u64 = 3;
const BITMAP_FILE: u64 = 6;
/// Records that are kept twice.
const MIRRORED: u64 = 4;

const HIBERNATION: &str = "hiberfil.sys";

/// What the boot sector says, checked for sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Geometry {
    /// Bytes of a cluster.
    cluster: u64,
    clusters: u64,
    /// Byte at which the boot sector's copy lies.
    copy: u64,
    sector: u64,
    /// First cluster of the master file table, and of its mirror.
    table: u64,
    mirror: u64,
    /// Bytes of a file record.
    record: u64,
}

impl Geometry {
    fn parse(boot: &[u8]) -> Result<Self, Doubt> {
        let no = || Doubt::damaged("the boot sector's figures make no sense");
        let sector = u64::from(le16(boot, 11)?);
        // Above 128 it is the negative power of two (Windows 10 and later, for clusters of more than 64 KiB).
        let per_cluster = match le8(boot, 13)? {
            count @ 1..=128 => u64::from(count),
            power @ 244.. => 1 << (256 - u16::from(power)),
            _ => return Err(no()),
        };
        let sense = matches!(sector, 512 | 1024 | 2048 | 4096)
            && per_cluster.is_power_of_two()
            && boot.get(3..11) == Some(b"NTFS    ")
            && le16(boot, 510)? == 0xaa55;
        ensure(sense, no)?;
        let cluster = sector * per_cluster;
        let record = match le8(boot, 64)? {
            count @ 1..=127 => cluster.saturating_mul(count.into()),
            power @ 0xf4..=0xf7 => 1 << (256 - u16::from(power)),
            _ => return Err(no()),
        };
        let sectors = le64(boot, 40)?;
        let geometry = Self {
            cluster,
            clusters: sectors / per_cluster,
            copy: sectors.checked_mul(sector).ok_or_else(no)?,
            sector,
            table: le64(boot, 48)?,
            mirror: le64(boot, 56)?,
            record,
        };
        let fits = geometry.table < geometry.clusters
            && geometry.mirror < geometry.clusters
            && matches!(record, 512 | 1024 | 2048 | 4096);
        ensure(fits, no)?;
        Ok(geometry)
    }
}

/// The map.
pub(super) fn prove(volume: &dyn ReadAt, always: &[Range<u64>]) -> Result<Counted, Doubt> {
    let boot = read(volume, 0, 512, "the boot sector")?;
    let geometry = Geometry::parse(&boot)?;
    ensure(geometry.copy.checked_add(geometry.sector).is_some_and(|end| end <= volume.size()), || {
        Doubt::damaged("the file system is longer than its partition")
    })?;
    let copy = read(volume, geometry.copy, 512, "the boot sector's copy")?;
    ensure(boot == copy, || Doubt::damaged("the boot sector and its copy at the end differ"))?;
    let table = Table::open(volume, geometry)?;
    mirrored(&table)?;
    clean(&table)?;
    log_is_empty(&table)?;
    let Some(Content::Stream(bits)) = table.content(BITMAP_FILE, DATA)? else {
        return Err(Doubt::damaged("$Bitmap is not there"));
    };
    let enough = bits.size.checked_mul(8).is_some_and(|bits| bits >= geometry.clusters);
    ensure(enough && bits.is_solid(geometry.clusters), || Doubt::damaged("$Bitmap is too short"))?;
    let layout = Layout { origin: 0, unit: geometry.cluster, units: geometry.clusters };
    let counted = Map::count(volume, layout, Box::new(bits), always)?;
    let scanned = scan::scan(&table, &mut Lookup::new(&counted.map, volume), counted.used)?;
    scan::counts(&scanned, counted.used)?;
    scan::awake(&table, &scanned)?;
    Ok(counted)
}

impl Bits for Stream {
    fn fill(&self, volume: &dyn ReadAt, units: Range<u64>, bits: &mut [u8]) -> Result<(), Doubt> {
        self.read_into(volume, units.start / 8, bits, "$Bitmap")
    }
}

/// The label; also of a volume whose map is not believed.
pub(super) fn label(volume: &dyn ReadAt) -> Option<String> {
    let geometry = Geometry::parse(&read(volume, 0, 512, "the boot sector").ok()?).ok()?;
    let record = Table::open(volume, geometry).ok()?.record(VOLUME).ok()?;
    let attributes = record.attributes().ok()?;
    let name = attributes.iter().find(|attribute| attribute.kind == VOLUME_NAME)?;
    name.value().ok().map(utf16)
}

/// The first records and their mirror are written together.
fn mirrored(table: &Table<'_>) -> Result<(), Doubt> {
    let Geometry { cluster, mirror, record, .. } = table.geometry;
    let len = usize::try_from(MIRRORED * record).unwrap_or(0);
    let mut first = vec![0; len];
    table.stream.read_into(table.volume, 0, &mut first, "the master file table")?;
    let second = read(table.volume, mirror.saturating_mul(cluster), len, "the mirror of the master file table")?;
    ensure(first == second, || Doubt::damaged("the first file records and their mirror differ"))
}

/// The marks of a volume that is mounted, was not unmounted, or that Windows has still to work on before it is.
fn clean(table: &Table<'_>) -> Result<(), Doubt> {
    const MARKS: [(u16, &str); 5] = [
        (0x0001, "it is marked dirty"),
        (0x0002, "its log has to be resized"),
        (0x0004, "it has to be upgraded"),
        (0x0010, "its change journal is being deleted"),
        (0x4000, "chkdsk is working on it"),
    ];
    let record = table.record(VOLUME)?;
    let attributes = record.attributes()?;
    let found = attributes.iter().find(|attribute| attribute.kind == VOLUME_INFORMATION);
    let value = found.ok_or_else(|| Doubt::damaged("$Volume has no information"))?.value()?;
    let (version, flags) = (le8(value, 8)?, le16(value, 10)?);
    ensure((1..=3).contains(&version), || Doubt::unhandled(format!("NTFS version {version} is not handled")))?;
    let mark = MARKS.iter().find(|(mark, _)| flags & mark != 0);
    mark.map_or(Ok(()), |(_, words)| Err(Doubt::dirty(*words)))
}

/// `$LogFile` was never written to, or the newer of its two restart pages says that nobody uses it.
fn log_is_empty(table: &Table<'_>) -> Result<(), Doubt> {
    /// The largest page that the log is made of; the second restart page lies one page in.
    const PAGE: u64 = 64 << 10;
    let Some(log) = table.content(LOG, DATA)? else { return Err(Doubt::damaged("$LogFile is not there")) };
    let head = log.head(table.volume, 2 * PAGE, "$LogFile")?;
    if !head.is_empty() && head.iter().all(|byte| *byte == 0xff) {
        return Ok(());
    }
    let first = restart(&head)?;
    let page = usize::try_from(le32(&head, 16)?).unwrap_or(usize::MAX);
    ensure(page.is_power_of_two() && (512..=65_536).contains(&page), || Doubt::damaged("$LogFile makes no sense"))?;
    let second = head.get(page..).ok_or(Doubt::Short { what: "$LogFile" }).and_then(restart);
    // One page is enough: they are written in turns.
    let (_, closed) = match second {
        Ok(second) if second.0 > first.0 => second,
        _ => first,
    };
    ensure(closed, || Doubt::dirty("its log has still to be replayed"))
}

/// The age of a restart page, and whether it says that the log is closed.
fn restart(page: &[u8]) -> Result<(u64, bool), Doubt> {
    const NOBODY: u16 = 0xffff;
    const CLEAN: u16 = 0x0002;
    ensure(page.starts_with(b"RSTR"), || Doubt::dirty("its log has no restart page"))?;
    let area = usize::from(le16(page, 24)?);
    // Behind the first 510 bytes some are kept elsewhere; Windows puts the area near the start.
    ensure((30..=510 - 16).contains(&area), || Doubt::damaged("a restart page makes no sense"))?;
    let closed = le16(page, area + 12)? == NOBODY || le16(page, area + 14)? & CLEAN != 0;
    Ok((le64(page, area)?, closed))
}

#[cfg(test)]
mod tests;
