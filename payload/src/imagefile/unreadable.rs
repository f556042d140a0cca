//! What of a disk could not be read when its image was made. The manifest lists the first places and the sum of all; the whole
//! of it is in the image, as GNU ddrescue's map. Only what is complete is computed with.

use super::{
    manifest::Manifest,
    reader::{ReadError, Reader},
    writer::hash_range,
};
use crate::{
    engine::extents::Ranges,
    job::issue::hex,
    rescue::{Map, Status},
};

/// All places of the disk that could not be read.
///
/// # Errors
/// The manifest's list was cut, and the map in the image is missing, is not the one that the manifest proves, or is of another
/// number of bytes.
pub fn unreadable(reader: &Reader, manifest: &Manifest) -> Result<Ranges, ReadError> {
    let mut listed = Ranges::default();
    manifest.bad.iter().for_each(|area| listed.insert(area.start, area.bytes));
    if listed.bytes() == manifest.bad_bytes {
        return Ok(listed);
    }
    let failed = |reason: String| {
        let path = reader.files().first().map(|(path, _)| path.clone()).unwrap_or_default();
        ReadError::Bad { path, reason }
    };
    let behind = reader.groups().last().map_or(0, |last| last.end);
    if hex(&hash_range(&reader.volumes, behind, reader.file_bytes())?) != manifest.tail_blake3 {
        return Err(failed("it is not the one that the manifest proves".into()));
    }
    let text = reader.bad_map()?.ok_or_else(|| failed("it is missing".into()))?;
    let map = Map::parse(&text, reader.header().disk_bytes).map_err(|error| failed(error.to_string()))?;
    let mut all = Ranges::default();
    map.areas().filter(|area| area.status != Status::Finished).for_each(|area| all.insert(area.start, area.len));
    match all.bytes() == manifest.bad_bytes {
        true => Ok(all),
        false => Err(failed(format!("it has {} bytes, the manifest says {}", all.bytes(), manifest.bad_bytes))),
    }
}
