//! Every directory of an exFAT volume, to see that all clusters they name are in use.

use super::{Geometry, counts};
use crate::{
    blocks::ReadAt,
    content::{
        doubt::{Doubt, Window, ensure, le8, le16, le32, le64},
        map::Lookup,
    },
};

/// Clusters that lie together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) first: u32,
    pub(super) len: u32,
}

/// Deeper than any path these systems can name.
const DEPTH: usize = 256;
/// More pieces than this is no bitmap that any system wrote: it is made in one.
const MOST_EXTENTS: usize = 4096;

// Types of entries; the uppermost bit says that one is in use.
const IN_USE: u8 = 0x80;
const SECONDARY: u8 = 0x40;
const BITMAP: u8 = 0x81;
const UPCASE: u8 = 0x82;
const LABEL: u8 = 0x83;
const FILE: u8 = 0x85;
const GUID: u8 = 0xa0;
const STREAM: u8 = 0xc0;

type Entry = [u8; 32];

/// What an entry says of clusters.
#[derive(Debug, Clone, Copy)]
struct Clusters {
    first: u32,
    bytes: u64,
    /// They lie together; the table says nothing of them.
    contiguous: bool,
}

impl Clusters {
    /// Of a stream, or of any secondary entry: all have the same fields.
    fn of(entry: &Entry) -> Result<Option<Self>, Doubt> {
        const POSSIBLE: u8 = 0x1;
        const CONTIGUOUS: u8 = 0x2;
        let (flags, first, bytes) = (le8(entry, 1)?, le32(entry, 20)?, le64(entry, 24)?);
        if flags & POSSIBLE == 0 || first == 0 {
            let stored = flags & POSSIBLE != 0 && bytes != 0;
            ensure(!stored, || Doubt::damaged("a file with a size, but without clusters"))?;
            return Ok(None);
        }
        Ok(Some(Self { first, bytes, contiguous: flags & CONTIGUOUS != 0 }))
    }
}

/// Where reading a directory goes on.
struct Place {
    cluster: u32,
    /// Bytes into the cluster.
    offset: u64,
    /// Clusters left behind this one, where they lie together.
    contiguous: Option<u64>,
}

pub(super) struct Walk<'a> {
    geometry: Geometry,
    table: Window<'a>,
    entries: Window<'a>,
    /// Clusters named so far.
    named: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(volume: &'a dyn ReadAt, geometry: Geometry) -> Self {
        Self {
            geometry,
            table: Window::new(volume, "the file allocation table"),
            entries: Window::new(volume, "a directory"),
            named: 0,
        }
    }

    fn root(&self) -> Place {
        Place { cluster: self.geometry.root, offset: 0, contiguous: None }
    }

    /// Where the allocation bitmap lies, by the root directory.
    pub(super) fn bitmap(&mut self) -> Result<Vec<Extent>, Doubt> {
        let mut place = self.root();
        let mut left = self.geometry.clusters * (self.geometry.cluster / 32);
        while let Some(entry) = self.entry(&mut place)? {
            // A chain that leads back would be read for ever.
            left = left.checked_sub(1).ok_or_else(|| Doubt::damaged("the root directory has no end"))?;
            if entry[0] != BITMAP {
                continue;
            }
            ensure(entry[1] & 1 == 0, || Doubt::unhandled("a second bitmap is not handled"))?;
            let enough = le64(&entry, 24)? >= self.geometry.clusters.div_ceil(8);
            ensure(enough, || Doubt::damaged("the allocation bitmap is too short"))?;
            return self.extents(le32(&entry, 20)?);
        }
        Err(Doubt::damaged("there is no allocation bitmap"))
    }

    fn extents(&mut self, first: u32) -> Result<Vec<Extent>, Doubt> {
        let mut extents: Vec<Extent> = Vec::new();
        let mut whole = true;
        self.geometry.first_table().chain(&mut self.table, first, self.geometry.clusters, |cluster| {
            let full = extents.len() >= MOST_EXTENTS;
            match extents.last_mut() {
                Some(last) if last.first.checked_add(last.len) == Some(cluster) => last.len += 1,
                _ if full => whole = false,
                _ => extents.push(Extent { first: cluster, len: 1 }),
            }
        })?;
        ensure(whole, || Doubt::unhandled("the allocation bitmap is in too many pieces"))?;
        Ok(extents)
    }

    /// Walks from the root; `used` clusters are in use.
    pub(super) fn all(&mut self, lookup: &mut Lookup<'_>, used: u64) -> Result<(), Doubt> {
        let root = Clusters { first: self.geometry.root, bytes: 0, contiguous: false };
        self.clusters(root, lookup, used)?;
        let mut stack = vec![self.root()];
        while let Some(place) = stack.last_mut() {
            let Some(entry) = self.entry(place)? else {
                stack.pop();
                continue;
            };
            let found = match entry[0] {
                BITMAP | UPCASE => {
                    let (first, bytes) = (le32(&entry, 20)?, le64(&entry, 24)?);
                    self.clusters(Clusters { first, bytes, contiguous: false }, lookup, used)?;
                    None
                }
                FILE => self.file(&entry, place, lookup, used)?,
                LABEL | GUID => None,
                kind if kind & IN_USE == 0 => None,
                kind if kind & SECONDARY != 0 => return Err(Doubt::damaged("a directory entry without its file")),
                kind => return Err(Doubt::unhandled(format!("directory entries of type {kind:#x} are not handled"))),
            };
            if let Some(directory) = found {
                ensure(stack.len() < DEPTH, || Doubt::damaged("directories nested without an end"))?;
                stack.push(directory);
            }
        }
        Ok(())
    }

    /// A file's entries, whose checksum must hold; returns where to read on if it is a directory.
    fn file(
        &mut self,
        entry: &Entry,
        place: &mut Place,
        lookup: &mut Lookup<'_>,
        used: u64,
    ) -> Result<Option<Place>, Doubt> {
        const DIRECTORY: u16 = 0x10;
        let mut sum = checksum(0, &entry[..2]);
        sum = checksum(sum, &entry[4..]);
        let mut directory = None;
        for number in 0..le8(entry, 1)? {
            let secondary = self.entry(place)?.filter(|entry| entry[0] & (IN_USE | SECONDARY) == IN_USE | SECONDARY);
            let secondary = secondary.ok_or_else(|| Doubt::damaged("a file with too few directory entries"))?;
            sum = checksum(sum, &secondary);
            ensure((number == 0) == (secondary[0] == STREAM), || Doubt::damaged("a file without its stream"))?;
            let Some(found) = Clusters::of(&secondary)? else { continue };
            let len = self.clusters(found, lookup, used)?;
            if number == 0 && le16(entry, 4)? & DIRECTORY != 0 {
                let contiguous = found.contiguous.then_some(len - 1);
                directory = Some(Place { cluster: found.first, offset: 0, contiguous });
            }
        }
        ensure(sum == le16(entry, 2)?, || Doubt::damaged("the checksum of a file's directory entries is wrong"))?;
        Ok(directory)
    }

    /// Looks up all clusters of a file and counts them.
    fn clusters(&mut self, found: Clusters, lookup: &mut Lookup<'_>, used: u64) -> Result<u64, Doubt> {
        let Clusters { first, bytes, contiguous } = found;
        let needed = bytes.div_ceil(self.geometry.cluster).max(1);
        let who = || format!("the file at cluster {first}");
        let place =
            u64::from(first).checked_sub(2).ok_or_else(|| Doubt::damaged("a file at a cluster that is none"))?;
        let len = if contiguous {
            let end = place.checked_add(needed).ok_or(Doubt::Short { what: "the allocation bitmap" })?;
            lookup.in_use(place..end, who)?;
            needed
        } else {
            let mut free = Ok(());
            // One more, so that a cluster which is called free is found before the counts are.
            let left = used.saturating_add(1).saturating_sub(self.named);
            let len = self.geometry.first_table().chain(&mut self.table, first, left, |cluster| {
                if free.is_ok() {
                    let unit = u64::from(cluster).saturating_sub(2);
                    free = lookup.in_use(unit..unit + 1, who);
                }
            })?;
            free?;
            ensure(len >= needed, || Doubt::damaged("a chain of clusters shorter than its file"))?;
            len
        };
        self.named = self.named.saturating_add(len);
        counts(self.named, used)?;
        Ok(len)
    }

    /// The next entry of a directory; none at its end.
    fn entry(&mut self, place: &mut Place) -> Result<Option<Entry>, Doubt> {
        if place.offset >= self.geometry.cluster {
            let next = match &mut place.contiguous {
                Some(0) => None,
                Some(left) => {
                    *left -= 1;
                    place.cluster.checked_add(1)
                }
                None => self.geometry.first_table().next(&mut self.table, place.cluster)?,
            };
            let Some(next) = next else { return Ok(None) };
            (place.cluster, place.offset) = (next, 0);
        }
        ensure(self.geometry.first_table().holds(place.cluster), || {
            Doubt::damaged("a directory at a cluster that is none")
        })?;
        let entry: Entry = self.entries.get(self.geometry.at(place.cluster) + place.offset)?;
        place.offset += 32;
        Ok((entry[0] != 0).then_some(entry))
    }
}

/// Goes on from `sum` (exFAT specification, 6.3.3).
fn checksum(sum: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(sum, |sum, byte| sum.rotate_right(1).wrapping_add((*byte).into()))
}
