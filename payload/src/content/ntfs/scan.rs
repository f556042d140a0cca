//! Every file record, to see that all clusters any of them names are in use.

use super::{
    HIBERNATION, Table,
    record::{self, BITMAP, DATA, FILE_NAME, Record},
    stream::Content,
};
use crate::content::{
    doubt::{Doubt, agree, ensure, field, le64},
    map::Lookup,
};

/// Records that are read together.
const STEP: u64 = 256;
const ROOT: u64 = 5;

/// What the scan came by.
#[derive(Debug)]
pub(super) struct Scanned {
    /// Clusters that can be named before it is clear that some belong to several files: then it ends early, however many
    /// more there are. A little more than are in use, so that one that is called free is found first.
    most: u64,
    /// Clusters that files name.
    pub(super) clusters: u64,
    /// The record of a hibernated system, if there is one.
    pub(super) hibernation: Option<u64>,
}

pub(super) fn scan(table: &Table<'_>, lookup: &mut Lookup<'_>, used: u64) -> Result<Scanned, Doubt> {
    let record = usize::try_from(table.geometry.record).unwrap_or(usize::MAX);
    let marks = table.content(0, BITMAP)?.ok_or_else(|| Doubt::damaged("the master file table has no bitmap"))?;
    let mut found = Scanned { most: used.saturating_add(1024), clusters: 0, hibernation: None };
    let mut start = 0;
    while start < table.records() {
        let count = STEP.min(table.records() - start);
        let mut bytes = vec![0; usize::try_from(count).unwrap_or(0) * record];
        table.stream.read_into(table.volume, start * table.geometry.record, &mut bytes, "the master file table")?;
        let marked = marked(table, &marks, start)?;
        for (number, bytes) in (start..).zip(bytes.chunks_exact(record)) {
            let place = usize::try_from((number - start) / 8).ok().and_then(|at| marked.get(at));
            let marked = place.is_some_and(|byte| byte >> (number % 8) & 1 == 1);
            let claims = record::claims_use(bytes);
            ensure(marked == claims, || {
                Doubt::disagree(
                    "the bitmap of file records and the records",
                    format!("record {number} in use: {marked}"),
                    claims,
                )
            })?;
            if claims {
                one(table, number, bytes.to_vec(), lookup, &mut found)?;
            }
        }
        start += count;
    }
    Ok(found)
}

/// The bits of the table's own bitmap for the next records; those behind its end are not in use.
fn marked(table: &Table<'_>, marks: &Content, start: u64) -> Result<Vec<u8>, Doubt> {
    let (at, len) = (start / 8, STEP / 8);
    match marks {
        Content::Resident(value) => {
            let at = usize::try_from(at).unwrap_or(usize::MAX).min(value.len());
            Ok(value[at..].to_vec())
        }
        Content::Stream(stream) => {
            let len = stream.size.saturating_sub(at).min(len);
            let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
            stream.read_into(table.volume, at, &mut bytes, "the bitmap of file records")?;
            Ok(bytes)
        }
    }
}

fn one(
    table: &Table<'_>,
    number: u64,
    bytes: Vec<u8>,
    lookup: &mut Lookup<'_>,
    found: &mut Scanned,
) -> Result<(), Doubt> {
    let record = Record::parse(bytes)?;
    for attribute in record.attributes()? {
        if attribute.kind == FILE_NAME && is_hibernation(attribute.value()?)? {
            found.hibernation = Some(number);
        }
        if attribute.is_resident() {
            continue;
        }
        for run in attribute.runs(table.geometry.clusters)? {
            let Some(cluster) = run.cluster else { continue };
            found.clusters = found.clusters.saturating_add(run.len);
            counts(found, found.most)?;
            lookup.in_use(cluster..cluster + run.len, || format!("the file of record {number}"))?;
        }
    }
    Ok(())
}

/// Whether a name is that of a hibernated Windows, in the root directory.
fn is_hibernation(name: &[u8]) -> Result<bool, Doubt> {
    let [len] = field::<1>(name, 64)?;
    let name_bytes = name.get(66..66 + 2 * usize::from(len)).ok_or(Doubt::Short { what: "a file name" })?;
    let name_text = crate::content::doubt::utf16(name_bytes);
    Ok(le64(name, 0)? << 16 == ROOT << 16 && name_text.eq_ignore_ascii_case(HIBERNATION))
}

/// A hibernated system expects the volume as it left it, and keeps some of it in memory.
pub(super) fn awake(table: &Table<'_>, found: &Scanned) -> Result<(), Doubt> {
    let Some(number) = found.hibernation else { return Ok(()) };
    let Some(content) = table.content(number, DATA)? else { return Ok(()) };
    let head = content.head(table.volume, 4096, HIBERNATION)?;
    // Windows writes this when it has resumed.
    let resumed = head.get(..4).is_some_and(|word| word.eq_ignore_ascii_case(b"wake"));
    ensure(resumed || head.iter().all(|byte| *byte == 0), || {
        Doubt::dirty(format!("{HIBERNATION} holds a hibernated Windows (or its fast startup)"))
    })
}

/// No cluster can belong to more than one file.
pub(super) fn counts(found: &Scanned, used: u64) -> Result<(), Doubt> {
    let more = found.clusters.saturating_sub(used);
    agree("clusters of files and of the bitmap; more of the first:", more, 0)
}
