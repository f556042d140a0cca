//! Every directory of a FAT volume, to see that all chains they name run through clusters in use.

use super::Geometry;
use crate::{
    blocks::ReadAt,
    content::doubt::{Doubt, Window, ensure, le8, le16, le32},
};

/// Deeper than any path these systems can name.
const DEPTH: usize = 130;

/// Where reading a directory goes on.
struct Place {
    /// The cluster, or none in the root directory of FAT12 and FAT16.
    cluster: Option<u32>,
    /// Bytes into the cluster or the root directory.
    offset: u64,
}

struct Walk<'a> {
    geometry: &'a Geometry,
    table: Window<'a>,
    entries: Window<'a>,
    /// Clusters that may still be named: each belongs to one chain.
    left: u64,
}

/// Walks from the root; `used` clusters are in use.
pub(super) fn walk(volume: &dyn ReadAt, geometry: &Geometry, used: u64) -> Result<(), Doubt> {
    let mut walk = Walk {
        geometry,
        table: Window::new(volume, "the file allocation table"),
        entries: Window::new(volume, "a directory"),
        left: used,
    };
    let root = (geometry.root_cluster != 0).then_some(geometry.root_cluster);
    if let Some(root) = root {
        walk.chain(root, None)?;
    }
    let mut stack = vec![Place { cluster: root, offset: 0 }];
    while let Some(place) = stack.last_mut() {
        let Some(entry) = walk.entry(place)? else {
            stack.pop();
            continue;
        };
        if let Some(directory) = walk.follow(&entry)? {
            ensure(stack.len() < DEPTH, || Doubt::damaged("directories nested without an end"))?;
            stack.push(Place { cluster: Some(directory), offset: 0 });
        }
    }
    Ok(())
}

impl Walk<'_> {
    /// Follows a chain; that of a file is as long as the file. A cluster size that is wrong shows here.
    fn chain(&mut self, first: u32, size: Option<u64>) -> Result<(), Doubt> {
        let table = self.geometry.first_table();
        let len = table.chain(&mut self.table, first, self.left, |_| ())?;
        self.left = self.left.saturating_sub(len);
        ensure(size.is_none_or(|size| size.div_ceil(self.geometry.cluster) == len), || {
            Doubt::damaged("a chain of clusters that is not as long as its file")
        })
    }

    /// A directory's first entry names the directory itself.
    fn names_itself(&mut self, cluster: u32) -> Result<(), Doubt> {
        let entry: [u8; 32] = self.entries.get(self.geometry.at(cluster))?;
        ensure(entry.starts_with(b".          ") && self.first(&entry)? == cluster, || {
            Doubt::damaged("a directory that does not begin as one")
        })
    }

    fn first(&self, entry: &[u8; 32]) -> Result<u32, Doubt> {
        // FAT12 and FAT16 keep other things in the upper word.
        let upper = if self.geometry.wide() { le16(entry, 20)? } else { 0 };
        Ok(u32::from(upper) << 16 | u32::from(le16(entry, 26)?))
    }

    /// The next entry of a directory; none at its end.
    fn entry(&mut self, place: &mut Place) -> Result<Option<[u8; 32]>, Doubt> {
        let end = place.cluster.map_or(self.geometry.root.end - self.geometry.root.start, |_| self.geometry.cluster);
        if place.offset >= end {
            let Some(cluster) = place.cluster else { return Ok(None) };
            match self.geometry.first_table().next(&mut self.table, cluster)? {
                None => return Ok(None),
                next => *place = Place { cluster: next, offset: 0 },
            }
        }
        let start = place.cluster.map_or(self.geometry.root.start, |cluster| self.geometry.at(cluster));
        let entry: [u8; 32] = self.entries.get(start + place.offset)?;
        place.offset += 32;
        Ok((entry[0] != 0).then_some(entry))
    }

    /// Follows what an entry names; returns the first cluster of a directory.
    fn follow(&mut self, entry: &[u8; 32]) -> Result<Option<u32>, Doubt> {
        const DELETED: u8 = 0xe5;
        const LABEL: u8 = 0x08;
        const DIRECTORY: u8 = 0x10;
        let attributes = le8(entry, 11)?;
        // Parts of long names have this bit as well.
        if entry[0] == DELETED || attributes & LABEL != 0 {
            return Ok(None);
        }
        let first = self.first(entry)?;
        let directory = attributes & DIRECTORY != 0;
        if directory && (entry.starts_with(b".          ") || entry.starts_with(b"..         ")) {
            return Ok(None);
        }
        if first == 0 {
            let size = le32(entry, 28)?;
            ensure(!directory && size == 0, || Doubt::damaged("a file with a size, but without clusters"))?;
            return Ok(None);
        }
        self.chain(first, (!directory).then_some(le32(entry, 28)?.into()))?;
        if directory {
            self.names_itself(first)?;
        }
        Ok(directory.then_some(first))
    }
}
