//! Images in other formats: for virtual machines and for tools that want a plain disk.

mod cache;
mod nbd;
mod qcow2;
mod raw;
mod zstd_cluster;

#[cfg(test)]
mod tests;

pub use cache::Cached;
pub use nbd::serve;

use crate::{aside::Folder, blocks::ReadAt, engine::frames::is_zero, files::beside};
use std::{
    fmt,
    fs::File,
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    str::FromStr,
};

/// The unit of reading, of `zero_frames` and of progress: the image's own frame.
pub const FRAME: u64 = 1 << 20;

/// The unit of allocation in both formats: qcow2's usual cluster; in raw files the smallest hole.
const CLUSTER: usize = 64 << 10;

/// What to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The bytes of the disk, with holes for zeros.
    Raw,
    /// qcow2 version 3, not compressed.
    Qcow2,
    /// qcow2 version 3 with clusters compressed by zstd; QEMU 5.1 and later read it.
    Qcow2Zstd,
}

/// The names on the command line.
const NAMES: [(&str, Format); 3] = [("raw", Format::Raw), ("qcow2", Format::Qcow2), ("qcow2-zstd", Format::Qcow2Zstd)];

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.iter().find(|(_, format)| format == self).map_or("?", |(name, _)| name))
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|(name, _)| *name == text).map(|(_, format)| *format);
        found.ok_or_else(|| format!("{text:?} is no format; there are {}", NAMES.map(|(name, _)| name).join(", ")))
    }
}

/// Why there is no export. What was written of it is deleted.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// It would replace something.
    #[error("{0}: exists already; name another file or delete it first")]
    Exists(PathBuf),
    /// The image cannot be read; the export would be wrong.
    #[error("the source cannot be read at byte {offset}: {source}")]
    Read {
        /// Where, in bytes of the disk.
        offset: u64,
        /// The source's words.
        source: io::Error,
    },
    /// The export cannot be written.
    #[error("{path}: cannot be written: {source}")]
    Write {
        /// The export.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// More than the format can address.
    #[error("a disk of {0} bytes is larger than qcow2 can be here (2^50 bytes)")]
    TooLarge(u64),
    /// The caller wanted it.
    #[error("stopped before the end")]
    Stopped,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exported {
    /// Bytes of the disk.
    pub size: u64,
    /// Bytes of it that are stored; the rest are zeros.
    pub stored: u64,
}

/// A format that takes the disk's clusters in ascending order, without those that hold only zeros.
trait Target {
    fn cluster(&mut self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Writes what is left, and syncs.
    fn finish(&mut self) -> io::Result<()>;
}

/// Writes a disk to a new file.
///
/// `zero_frames` says of a frame, by its number, that it holds only zeros, so that it is not read; the rest is found by
/// looking at the data. `progress` is told how many bytes of the disk are done, after each frame, and may stop the export.
/// The file has its name only when it is whole and on the disk; until then it is called `path` with `.part` behind it.
pub fn export(
    reader: &dyn ReadAt,
    zero_frames: &dyn Fn(u64) -> bool,
    format: Format,
    path: &Path,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Exported, ExportError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => ExportError::Exists(path.to_owned()),
        _ => ExportError::Write { path: path.to_owned(), source },
    };
    let (folder, name) = Folder::of(path).map_err(failed)?;
    if folder.has(name).map_err(failed)? {
        return Err(ExportError::Exists(path.to_owned()));
    }
    let part = beside(path, ".part");
    let aside = beside(Path::new(name), ".part").into_os_string();
    let file = folder.create(&aside).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => ExportError::Exists(part.clone()),
        _ => ExportError::Write { path: part.clone(), source },
    })?;
    // The file gets its name unless something took the name meanwhile.
    let publish = || folder.give(&aside, name).and_then(|()| folder.sync());
    let written = write(reader, zero_frames, format, &file, path, progress)
        .and_then(|exported| publish().map_err(failed).map(|()| exported));
    if written.is_err() {
        // The first error is the one to report.
        let _ = folder.remove(&aside);
    }
    written
}

fn write(
    reader: &dyn ReadAt,
    zero_frames: &dyn Fn(u64) -> bool,
    format: Format,
    file: &File,
    path: &Path,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Exported, ExportError> {
    let failed = |source| ExportError::Write { path: path.to_owned(), source };
    let size = reader.size();
    let mut target: Box<dyn Target + '_> = match format {
        Format::Raw => Box::new(raw::Raw::new(file, size).map_err(failed)?),
        Format::Qcow2 | Format::Qcow2Zstd => {
            let zstd =
                (format == Format::Qcow2Zstd).then(zstd_cluster::ZstdCluster::new).transpose().map_err(failed)?;
            Box::new(qcow2::Qcow2::new(file, size, CLUSTER.trailing_zeros(), zstd).ok_or(ExportError::TooLarge(size))?)
        }
    };
    let mut stored = 0;
    let mut buf = Vec::new();
    let mut offset = 0;
    while offset < size {
        let len = FRAME.min(size - offset);
        if !zero_frames(offset / FRAME) {
            buf.resize(usize::try_from(len).unwrap_or(usize::MAX), 0);
            reader.read_at(offset, &mut buf).map_err(|source| ExportError::Read { offset, source })?;
            let mut at = offset;
            for cluster in buf.chunks(CLUSTER) {
                if !is_zero(cluster) {
                    target.cluster(at, cluster).map_err(failed)?;
                    stored += cluster.len() as u64;
                }
                at += cluster.len() as u64;
            }
        }
        offset += len;
        if progress(offset).is_break() {
            return Err(ExportError::Stopped);
        }
    }
    target.finish().map_err(failed)?;
    Ok(Exported { size, stored })
}
