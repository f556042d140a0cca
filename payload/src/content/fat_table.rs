//! The file allocation table of FAT and exFAT: one entry per cluster, naming the next of its chain.

use super::doubt::{Doubt, Window, ensure};

/// How an entry is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Twelve,
    Sixteen,
    /// 32 bits of which the upper four mean nothing.
    ThirtyTwo,
    /// exFAT: all 32 bits.
    Full,
}

impl Width {
    pub(super) fn bits(self) -> u64 {
        match self {
            Self::Twelve => 12,
            Self::Sixteen => 16,
            Self::ThirtyTwo | Self::Full => 32,
        }
    }

    /// The lowest value that ends a chain; one less marks a bad cluster.
    fn end(self) -> u32 {
        match self {
            Self::Twelve => 0xff8,
            Self::Sixteen => 0xfff8,
            Self::ThirtyTwo => 0x0fff_fff8,
            Self::Full => 0xffff_fff8,
        }
    }
}

/// A table at a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct FatTable {
    /// Byte of the volume.
    pub(super) offset: u64,
    pub(super) width: Width,
    /// Clusters there are; they are numbered from 2.
    pub(super) clusters: u64,
}

impl FatTable {
    /// The entry of `cluster`, which need not be one of the clusters (0 and 1 hold flags).
    pub(super) fn entry(&self, window: &mut Window<'_>, cluster: u64) -> Result<u32, Doubt> {
        let at = self.offset.saturating_add(cluster.saturating_mul(self.width.bits()) / 8);
        Ok(match self.width {
            Width::Twelve => {
                let pair = u32::from(u16::from_le_bytes(window.get(at)?));
                if cluster.is_multiple_of(2) { pair & 0xfff } else { pair >> 4 }
            }
            Width::Sixteen => u16::from_le_bytes(window.get(at)?).into(),
            Width::ThirtyTwo => u32::from_le_bytes(window.get(at)?) & 0x0fff_ffff,
            Width::Full => u32::from_le_bytes(window.get(at)?),
        })
    }

    /// Whether it is one of the clusters.
    pub(super) fn holds(&self, cluster: u32) -> bool {
        (2..self.clusters + 2).contains(&u64::from(cluster))
    }

    /// The cluster after `cluster` in its chain.
    pub(super) fn next(&self, window: &mut Window<'_>, cluster: u32) -> Result<Option<u32>, Doubt> {
        ensure(self.holds(cluster), || Doubt::damaged(format!("a chain leads to cluster {cluster}, which is none")))?;
        match self.entry(window, cluster.into())? {
            0 => Err(Doubt::damaged(format!("a chain runs through cluster {cluster}, which is free"))),
            next if next >= self.width.end() => Ok(None),
            next => Ok(Some(next)),
        }
    }

    /// Calls `found` with each cluster of the chain from `first`; more than `most` are an endless chain.
    pub(super) fn chain(
        &self,
        window: &mut Window<'_>,
        first: u32,
        most: u64,
        mut found: impl FnMut(u32),
    ) -> Result<u64, Doubt> {
        let (mut at, mut len) = (Some(first), 0);
        while let Some(cluster) = at {
            ensure(len < most, || Doubt::damaged("chains of clusters cross each other or have no end"))?;
            at = self.next(window, cluster)?;
            found(cluster);
            len += 1;
        }
        Ok(len)
    }
}
