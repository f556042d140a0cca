//! The boot sector and the master file table.

use super::{
    record::{Record, kind},
    stream::{Run, Stream},
};
use crate::{
    blocks::ReadAt,
    browse::{
        BrowseError,
        bytes::{array, u8_at, u16_at, u64_at},
    },
};

/// An open volume.
pub(in crate::browse) struct Ntfs<'a> {
    volume: &'a dyn ReadAt,
    /// log2 of the bytes of a cluster.
    shift: u32,
    clusters: u64,
    /// Bytes of an MFT record and of an index block.
    pub(in crate::browse) record_size: u64,
    /// Bytes of the MFT.
    mft_size: u64,
    mft: Vec<Run>,
}

impl<'a> Ntfs<'a> {
    pub(in crate::browse) fn open(volume: &'a dyn ReadAt) -> Result<Self, BrowseError> {
        let mut boot = [0; 512];
        volume.read_at(0, &mut boot)?;
        let mut ntfs =
            Self::parse(volume, &boot).ok_or_else(|| BrowseError::damaged("the boot sector makes no sense"))?;
        let mft = u64_at(&boot, 48).filter(|mft| *mft < ntfs.clusters);
        let mft = mft.ok_or_else(|| BrowseError::damaged("the file table lies outside of the volume"))?;
        // Until its runs are known, only the start of the table can be found: a record can be larger than a cluster.
        let first = ntfs.record_size.div_ceil(ntfs.bytes(1));
        ntfs.mft = vec![Run { vcn: 0, lcn: Some(mft), len: first }];
        ntfs.mft_size = ntfs.record_size;
        let base = ntfs.record(0)?;
        // The first part, which the base record holds, leads to the records with the rest.
        let known = base.attributes().find(|a| a.kind == kind::DATA && a.name().is_empty());
        let runs = known.and_then(|data| Some((data.runs(ntfs.clusters)?, data.non_resident()?.1)));
        let (runs, size) = runs.ok_or_else(|| BrowseError::damaged("the file table does not say where it is"))?;
        ntfs.mft = runs;
        // The table is never sparse.
        ntfs.mft_size = size.min(volume.size());
        if let Some(Stream::Runs { runs, size, .. }) = ntfs.stream(&base, kind::DATA, &[])? {
            (ntfs.mft, ntfs.mft_size) = (runs, size.min(volume.size()));
        }
        Ok(ntfs)
    }

    fn parse(volume: &'a dyn ReadAt, boot: &[u8]) -> Option<Self> {
        let sector = u64::from(u16_at(boot, 11)?);
        // Above 0x80 it is a negative power of two.
        let per_cluster = match u8_at(boot, 13)? {
            0 => return None,
            n @ 1..=0x80 => u64::from(n),
            n => 1 << (0_u8.wrapping_sub(n)).min(32),
        };
        let cluster = sector * per_cluster;
        let sane = sector.is_power_of_two() && (256..=4096).contains(&sector);
        let sane = sane && cluster.is_power_of_two() && cluster <= 2 << 20;
        let sectors = u64_at(boot, 40).filter(|_| sane)?;
        // Clusters, or a negative power of two of bytes.
        let record_size = match i8::from_le_bytes(array(boot, 64)?) {
            n @ 1.. => cluster * u64::from(n.unsigned_abs()),
            n => 1 << n.unsigned_abs().min(32),
        };
        if !(512..=64 << 10).contains(&record_size) || !record_size.is_power_of_two() {
            return None;
        }
        let clusters = sectors / per_cluster;
        let shift = cluster.trailing_zeros();
        // The boot sector may promise more than there is.
        let clusters = clusters.min(volume.size() >> shift);
        Some(Self { volume, shift, clusters, record_size, mft_size: 0, mft: Vec::new() })
    }

    pub(in crate::browse) fn volume(&self) -> &'a dyn ReadAt {
        self.volume
    }

    /// Bytes of so many clusters; counts that would overflow are refused where they are read.
    pub(in crate::browse) fn bytes(&self, clusters: u64) -> u64 {
        clusters.saturating_mul(1 << self.shift)
    }

    /// How many clusters the volume has.
    pub(in crate::browse) fn clusters(&self) -> u64 {
        self.clusters
    }

    /// How many records the table has room for.
    pub(in crate::browse) fn records(&self) -> u64 {
        self.mft_size / self.record_size
    }

    /// A record in use.
    pub(in crate::browse) fn record(&self, number: u64) -> Result<Record, BrowseError> {
        let missing = || BrowseError::damaged(format!("there is no valid record {number} in the file table"));
        if number >= self.records() {
            return Err(missing());
        }
        let data = self.read_runs(&self.mft, number * self.record_size, self.record_size)?;
        Record::new(data).ok_or_else(missing)
    }

    /// Bytes of the file table, up to its end; empty behind it.
    pub(in crate::browse) fn table(&self, first: u64, count: u64) -> Result<Vec<u8>, BrowseError> {
        let count = count.min(self.records().saturating_sub(first));
        self.read_runs(&self.mft, first * self.record_size, count * self.record_size)
    }

    /// Where a record lies on the volume; more than one place if a cluster is smaller than it.
    pub(in crate::browse) fn places(&self, number: u64) -> Vec<std::ops::Range<u64>> {
        let (start, end) = (number * self.record_size, (number + 1) * self.record_size);
        let mut places = Vec::new();
        let from = self.mft.partition_point(|run| self.bytes(run.vcn + run.len) <= start);
        for run in self.mft[from..].iter().take_while(|run| self.bytes(run.vcn) < end) {
            let (from, to) = (self.bytes(run.vcn), self.bytes(run.vcn + run.len));
            if let Some(at) = run.lcn.map(|lcn| self.bytes(lcn)) {
                places.push(at + start.max(from) - from..at + end.min(to) - from);
            }
        }
        places
    }
}
