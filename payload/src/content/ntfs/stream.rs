//! The master file table, and what its files hold.

use super::{
    Geometry,
    record::{self, Attribute, DATA, LIST, Record, Run, Sizes},
};
use crate::{
    blocks::ReadAt,
    content::doubt::{Doubt, ensure, read, read_into},
};

/// What a file holds, by its clusters.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    /// Ascending and without gaps from the file's first cluster on.
    runs: Vec<Run>,
    pub(super) size: u64,
    written: u64,
    /// Bytes of a cluster.
    cluster: u64,
}

/// More pieces than this is no file that is needed here.
const MOST_RUNS: usize = 1 << 18;
/// The longest attribute list that Windows writes.
const LONGEST_LIST: u64 = 256 << 10;

impl Stream {
    fn new(sizes: Sizes, cluster: u64) -> Self {
        Self { runs: Vec::new(), size: sizes.data, written: sizes.written, cluster }
    }

    fn end(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.at + run.len)
    }

    fn append(&mut self, attribute: &Attribute<'_>, clusters: u64) -> Result<(), Doubt> {
        let runs = attribute.runs(clusters)?;
        let fits = attribute.first()? == self.end() && self.runs.len() + runs.len() <= MOST_RUNS;
        ensure(fits, || Doubt::damaged("the parts of a file do not fit together"))?;
        self.runs.extend(runs);
        Ok(())
    }

    /// Whether all that it is long was stored: no holes, nothing unwritten, no cluster more than the volume has.
    pub(super) fn is_solid(&self, clusters: u64) -> bool {
        self.written == self.size
            && self.runs.iter().all(|run| run.cluster.is_some())
            && self.end() <= clusters
            && self.size <= self.end().saturating_mul(self.cluster)
    }

    /// Fills `bytes` from byte `offset` of the file.
    pub(super) fn read_into(
        &self,
        volume: &dyn ReadAt,
        offset: u64,
        bytes: &mut [u8],
        what: &'static str,
    ) -> Result<(), Doubt> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= self.size);
        ensure(end.is_some(), || Doubt::Short { what })?;
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let cluster = at / self.cluster;
            let number = self.runs.partition_point(|run| run.at + run.len <= cluster);
            let run = self.runs.get(number).ok_or(Doubt::Short { what })?;
            let within = at - run.at * self.cluster;
            let len = usize::try_from(run.len.saturating_mul(self.cluster) - within).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at_mut(len.min(rest.len()));
            match run.cluster {
                Some(cluster) => read_into(volume, cluster * self.cluster + within, now, what)?,
                None => now.fill(0),
            }
            let written = usize::try_from(self.written.saturating_sub(at)).unwrap_or(usize::MAX).min(now.len());
            now[written..].fill(0);
            at += now.len() as u64;
            rest = later;
        }
        Ok(())
    }
}

/// What a file holds.
#[derive(Debug)]
pub(super) enum Content {
    Resident(Vec<u8>),
    Stream(Stream),
}

impl Content {
    /// The first bytes, `most` of them at most.
    pub(super) fn head(&self, volume: &dyn ReadAt, most: u64, what: &'static str) -> Result<Vec<u8>, Doubt> {
        match self {
            Self::Resident(value) => Ok(value[..value.len().min(usize::try_from(most).unwrap_or(usize::MAX))].to_vec()),
            Self::Stream(stream) => {
                let mut bytes = vec![0; usize::try_from(stream.size.min(most)).unwrap_or(0)];
                stream.read_into(volume, 0, &mut bytes, what)?;
                Ok(bytes)
            }
        }
    }
}

/// The master file table.
pub(super) struct Table<'a> {
    pub(super) volume: &'a dyn ReadAt,
    pub(super) geometry: Geometry,
    pub(super) stream: Stream,
}

const WHAT: &str = "the master file table";

impl<'a> Table<'a> {
    /// The first record describes the table itself, in part by records that the part described before holds.
    pub(super) fn open(volume: &'a dyn ReadAt, geometry: Geometry) -> Result<Self, Doubt> {
        let len = usize::try_from(geometry.record).unwrap_or(0);
        let record = Record::parse(read(volume, geometry.table * geometry.cluster, len, WHAT)?)?;
        let no = || Doubt::damaged("the master file table does not describe itself");
        let attributes = record.attributes()?;
        let own = |a: &&Attribute<'_>| a.kind == DATA && !a.is_named() && !a.is_resident();
        let own = attributes.iter().find(own).ok_or_else(no)?;
        let mut stream = Stream::new(own.sizes()?, geometry.cluster);
        stream.append(own, geometry.clusters)?;
        let mut table = Self { volume, geometry, stream };
        let Some(Content::Stream(whole)) = table.content(0, DATA)? else { return Err(no()) };
        table.stream = whole;
        let starts = table.stream.runs.first().and_then(|run| run.cluster) == Some(geometry.table);
        // What was never written of it reads as zeros, as `read_into` does.
        let solid = Stream { written: table.stream.size, ..table.stream.clone() }.is_solid(geometry.clusters);
        ensure(starts && solid, no)?;
        Ok(table)
    }

    /// How many records there are.
    pub(super) fn records(&self) -> u64 {
        self.stream.size / self.geometry.record
    }

    pub(super) fn record(&self, number: u64) -> Result<Record, Doubt> {
        let mut bytes = vec![0; usize::try_from(self.geometry.record).unwrap_or(0)];
        let offset = number.checked_mul(self.geometry.record).ok_or(Doubt::Short { what: WHAT })?;
        self.stream.read_into(self.volume, offset, &mut bytes, WHAT)?;
        let record = Record::parse(bytes)?;
        ensure(record.in_use(), || Doubt::damaged(format!("file record {number} is needed, but not in use")))?;
        Ok(record)
    }

    /// The unnamed attribute of a kind, if the file has one.
    pub(super) fn content(&self, number: u64, kind: u32) -> Result<Option<Content>, Doubt> {
        let record = self.record(number)?;
        let attributes = record.attributes()?;
        let fits = |a: &&Attribute<'_>| a.kind == kind && !a.is_named();
        let Some(list) = attributes.iter().find(|attribute| attribute.kind == LIST) else {
            let Some(found) = attributes.iter().find(fits) else { return Ok(None) };
            if found.is_resident() {
                return Ok(Some(Content::Resident(found.value()?.to_vec())));
            }
            let mut stream = Stream::new(found.sizes()?, self.geometry.cluster);
            stream.append(found, self.geometry.clusters)?;
            return Ok(Some(Content::Stream(stream)));
        };
        let mut stream: Option<Stream> = None;
        for part in self.parts(list)?.into_iter().filter(|part| part.kind == kind && !part.named) {
            let record = self.record(part.record)?;
            let owned = part.record == number || record.base()? == Some(number);
            let attributes = record.attributes()?;
            let found = attributes
                .iter()
                .filter(fits)
                .find(|attribute| attribute.is_resident() || attribute.first().is_ok_and(|first| first == part.first));
            let found = found.filter(|_| owned);
            let found = found.ok_or_else(|| Doubt::damaged("an attribute list names what is not there"))?;
            if found.is_resident() {
                return Ok(Some(Content::Resident(found.value()?.to_vec())));
            }
            match &mut stream {
                Some(stream) => stream.append(found, self.geometry.clusters)?,
                None => {
                    let first = stream.insert(Stream::new(found.sizes()?, self.geometry.cluster));
                    first.append(found, self.geometry.clusters)?;
                }
            }
        }
        Ok(stream.map(Content::Stream))
    }

    fn parts(&self, list: &Attribute<'_>) -> Result<Vec<record::Part>, Doubt> {
        if list.is_resident() {
            return record::parts(list.value()?);
        }
        let mut stream = Stream::new(list.sizes()?, self.geometry.cluster);
        ensure(stream.size <= LONGEST_LIST, || Doubt::damaged("an attribute list without an end"))?;
        stream.append(list, self.geometry.clusters)?;
        let bytes = Content::Stream(stream).head(self.volume, LONGEST_LIST, "an attribute list")?;
        record::parts(&bytes)
    }
}
