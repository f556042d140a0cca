//! What FAT12, FAT16, FAT32 and exFAT have in common: clusters in chains.
//!
//! Sources: Microsoft "FAT: General Overview of On-Disk Format" 1.03 and "exFAT file system specification" 1.00.

use super::{
    BrowseError,
    bytes::{u8_at, u16_at, u32_at},
};
use crate::blocks::ReadAt;
use std::ops::{ControlFlow, Range};

/// Where the parts of a volume are; all in bytes.
#[derive(Debug, Clone)]
pub(super) struct FatVolume {
    /// Bits of a FAT entry: 12, 16 or 32; exFAT counts as 32 with all bits used.
    bits: u32,
    exfat: bool,
    /// The FAT that is in use.
    pub(super) fat: Range<u64>,
    /// Everything before the first cluster: boot sectors, all FATs, the fixed root folder.
    pub(super) front: u64,
    /// How many clusters there are; the first one is number 2.
    clusters: u32,
    /// Bytes of a cluster.
    pub(super) cluster: u64,
    pub(super) root: Chain,
}

/// Where a file or folder lies.
#[derive(Debug, Clone, Copy)]
pub(super) enum Chain {
    /// The root folder of FAT12 and FAT16.
    Fixed { at: u64, len: u64 },
    /// Clusters from `first` on.
    Clusters {
        first: u32,
        /// One after the other, without a look at the FAT (exFAT).
        contiguous: bool,
        /// Bytes; folders of FAT do not say, they end with their chain.
        size: Option<u64>,
        /// So many bytes were written; the rest are zeros (exFAT).
        valid: u64,
    },
}

impl Chain {
    /// A folder that ends where its chain ends.
    pub(super) fn folder(first: u32) -> Self {
        Self::Clusters { first, contiguous: false, size: None, valid: u64::MAX }
    }

    pub(super) fn first(&self) -> Option<u32> {
        match self {
            Self::Fixed { .. } => None,
            Self::Clusters { first, .. } => Some(*first),
        }
    }
}

impl FatVolume {
    /// Reads the boot sector of FAT12, FAT16 or FAT32; none if it is not one.
    pub(super) fn fat(boot: &[u8]) -> Option<Self> {
        let sector = u64::from(u16_at(boot, 11)?);
        if ![512, 1024, 2048, 4096].contains(&sector) {
            return None;
        }
        let per_cluster = u64::from(u8_at(boot, 13)?);
        let reserved = u64::from(u16_at(boot, 14)?);
        let fats = u64::from(u8_at(boot, 16)?);
        let root_entries = u64::from(u16_at(boot, 17)?);
        let media = u8_at(boot, 21)?;
        let short = |at, long| {
            Some(u64::from(u16_at(boot, at)?)).filter(|n| *n > 0).or_else(|| u32_at(boot, long).map(u64::from))
        };
        let (total, per_fat) = (short(19, 32)?, short(22, 36)?);
        let sane = per_cluster.is_power_of_two()
            && reserved > 0
            && (1..=4).contains(&fats)
            && per_fat > 0
            && (media == 0xF0 || media >= 0xF8);
        // As Linux and Windows tell them apart, whatever the number of clusters is.
        let wide = u16_at(boot, 22)? == 0;
        let root_at = reserved + fats * per_fat;
        let root_len = (root_entries * 32).div_ceil(sector);
        let clusters = total.checked_sub(root_at + root_len).filter(|_| sane)? / per_cluster;
        let bits = match clusters {
            _ if wide => 32,
            0..4085 => 12,
            _ => 16,
        };
        // Bit 7 of the flags: only one FAT is in use.
        let flags = if wide { u64::from(u16_at(boot, 40)?) } else { 0 };
        let active = if flags & 0x80 != 0 { (flags & 0xF).min(fats - 1) } else { 0 };
        let fat_at = (reserved + active * per_fat) * sector;
        let root = match wide {
            true => Chain::folder(u32_at(boot, 44)? & 0x0FFF_FFFF),
            false => Chain::Fixed { at: root_at * sector, len: root_entries * 32 },
        };
        Some(Self {
            bits,
            exfat: false,
            fat: fat_at..fat_at + per_fat * sector,
            front: (root_at + root_len) * sector,
            clusters: u32::try_from(clusters.min(per_fat * sector * 8 / u64::from(bits))).ok()?,
            cluster: per_cluster * sector,
            root,
        })
    }

    /// Reads the boot sector of exFAT; none if it makes no sense.
    pub(super) fn exfat(boot: &[u8]) -> Option<Self> {
        let sector_shift = u32::from(u8_at(boot, 108)?);
        let cluster_shift = sector_shift + u32::from(u8_at(boot, 109)?);
        if !(9..=12).contains(&sector_shift) || cluster_shift > 25 {
            return None;
        }
        let bytes = |at| Some(u64::from(u32_at(boot, at)?) << sector_shift);
        let fats = u64::from(u8_at(boot, 110)?);
        let active = u64::from(u16_at(boot, 106)? & 1).min(fats.saturating_sub(1));
        let (fat_at, fat_len) = (bytes(80)?, bytes(84)?);
        let fat_at = fat_at + active * fat_len;
        Some(Self {
            bits: 32,
            exfat: true,
            fat: fat_at..fat_at + fat_len,
            front: bytes(88)?,
            clusters: u32_at(boot, 92)?.min(u32::try_from(fat_len / 4).ok()?),
            cluster: 1 << cluster_shift,
            root: Chain::folder(u32_at(boot, 96)?),
        })
    }

    /// FAT32 or exFAT.
    pub(super) fn wide(&self) -> bool {
        self.bits == 32
    }

    /// Bytes of one cluster in the volume; none if there is no such cluster.
    fn place(&self, cluster: u32) -> Option<u64> {
        let index = cluster.checked_sub(2).filter(|index| *index < self.clusters)?;
        Some(self.front + u64::from(index) * self.cluster)
    }

    /// Tells the bytes of a file in order, neighbours merged, cut at the file's size.
    pub(super) fn runs(
        &self,
        volume: &dyn ReadAt,
        chain: &Chain,
        each: &mut dyn FnMut(Range<u64>) -> ControlFlow<()>,
    ) -> Result<(), BrowseError> {
        let (first, contiguous, size) = match *chain {
            Chain::Fixed { at, len } => {
                let _ = each(at..at + len);
                return Ok(());
            }
            Chain::Clusters { size: Some(0), .. } => return Ok(()),
            Chain::Clusters { first, contiguous, size, .. } => (first, contiguous, size),
        };
        let outside = || BrowseError::damaged("a chain of clusters leaves the volume");
        // What is left to find. A chain cannot have more clusters than the volume.
        let all = u64::from(self.clusters) * self.cluster;
        let mut left = size.unwrap_or(all);
        if left > all {
            return Err(BrowseError::damaged("a file is larger than the volume"));
        }
        if contiguous {
            let start = self.place(first).ok_or_else(outside)?;
            let end = start.checked_add(left).filter(|end| *end <= self.front + all).ok_or_else(outside)?;
            let _ = each(start..end);
            return Ok(());
        }
        let mut window = Window { volume, fat: self.fat.clone(), at: 0, data: Vec::new() };
        let (mut at, mut run) = (Some(first), 0..0);
        while let Some(cluster) = at.filter(|_| left > 0) {
            let start = self.place(cluster).ok_or_else(outside)?;
            let len = left.min(self.cluster);
            left -= len;
            if run.end == start {
                run.end += len;
            } else {
                if !run.is_empty() && each(run).is_break() {
                    return Ok(());
                }
                run = start..start + len;
            }
            at = self.next(&mut window, cluster)?;
        }
        match (size, at) {
            (Some(_), _) if left > 0 => return Err(BrowseError::damaged("a chain of clusters ends before its file")),
            (None, Some(_)) => return Err(BrowseError::damaged("a chain of clusters runs in a circle")),
            _ => {}
        }
        if !run.is_empty() {
            let _ = each(run);
        }
        Ok(())
    }

    /// The cluster behind this one in its chain; none at the end.
    fn next(&self, window: &mut Window<'_>, cluster: u32) -> Result<Option<u32>, BrowseError> {
        let n = u64::from(cluster);
        let (value, end) = match self.bits {
            12 => {
                let pair = u32::from(u16::from_le_bytes(window.get(n * 3 / 2)?));
                (if n % 2 == 1 { pair >> 4 } else { pair & 0xFFF }, 0xFF8)
            }
            16 => (u32::from(u16::from_le_bytes(window.get(n * 2)?)), 0xFFF8),
            _ if self.exfat => (u32::from_le_bytes(window.get(n * 4)?), 0xFFFF_FFF8),
            _ => (u32::from_le_bytes(window.get(n * 4)?) & 0x0FFF_FFFF, 0x0FFF_FFF8),
        };
        Ok((value < end).then_some(value))
    }

    /// Tells the 32-byte entries of a folder, as far as `limit` bytes.
    pub(super) fn folder(
        &self,
        volume: &dyn ReadAt,
        chain: &Chain,
        limit: u64,
        each: &mut dyn FnMut(&[u8; 32]) -> ControlFlow<()>,
    ) -> Result<(), BrowseError> {
        let (mut seen, mut failed, mut buf) = (0, None, Vec::new());
        let mut over_run = |run: Range<u64>| {
            let mut at = run.start;
            while at < run.end {
                let len = (run.end - at).min(64 << 10).min(limit - seen);
                if len == 0 {
                    return ControlFlow::Break(());
                }
                buf.resize(usize::try_from(len).unwrap_or(0), 0);
                if let Err(error) = volume.read_at(at, &mut buf) {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
                for entry in buf.as_chunks::<32>().0 {
                    each(entry)?;
                }
                at += len;
                seen += len;
            }
            ControlFlow::Continue(())
        };
        self.runs(volume, chain, &mut over_run)?;
        failed.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// The part of the FAT that was read last.
struct Window<'a> {
    volume: &'a dyn ReadAt,
    fat: Range<u64>,
    at: u64,
    data: Vec<u8>,
}

impl Window<'_> {
    fn get<const N: usize>(&mut self, at: u64) -> Result<[u8; N], BrowseError> {
        let len = self.fat.end - self.fat.start;
        if at + N as u64 > len {
            return Err(BrowseError::damaged("a chain of clusters leaves the FAT"));
        }
        if at < self.at || at + N as u64 > self.at + self.data.len() as u64 {
            self.at = at / 512 * 512;
            self.data.resize(usize::try_from((len - self.at).min(4096)).unwrap_or(0), 0);
            self.volume.read_at(self.fat.start + self.at, &mut self.data)?;
        }
        let within = usize::try_from(at - self.at).unwrap_or(usize::MAX);
        super::bytes::array(&self.data, within).ok_or_else(|| BrowseError::damaged("a FAT that ends early"))
    }
}
