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

use crate::{
    aside::Folder,
    blocks::ReadAt,
    engine::{frames::is_zero, ordered::ordered},
    files::beside,
    imagefile::{Reader, Unpacker},
};
use std::{
    fmt,
    fs::File,
    io,
    ops::{ControlFlow, Range},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};
use zstd_cluster::ZstdCluster;

/// The unit of reading and of progress: the image's own frame.
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

/// The content of a frame that is not all zeros.
type Content = Box<dyn AsRef<[u8]> + Send>;

/// A disk in frames that several threads read.
pub trait Source: Sync {
    /// Bytes of the disk.
    fn size(&self) -> u64;

    /// A frame's content, or the rest of the disk where that is shorter; `None` is zeros.
    fn frame(&self, index: u64) -> io::Result<Option<Content>>;
}

/// An image, each frame proved by its hash.
#[derive(Debug)]
pub struct Proved<'a> {
    reader: &'a Reader,
    unpacker: Unpacker,
}

impl<'a> Proved<'a> {
    /// Fails where there is no memory for buffers.
    pub fn new(reader: &'a Reader) -> io::Result<Self> {
        Ok(Self { reader, unpacker: Unpacker::new()? })
    }
}

impl Source for Proved<'_> {
    fn size(&self) -> u64 {
        self.reader.size()
    }

    fn frame(&self, index: u64) -> io::Result<Option<Content>> {
        let frame = self.unpacker.frame(self.reader, index).map_err(io::Error::other)?;
        Ok(frame.map(|content| Box::new(content) as Content))
    }
}

/// A format that takes the disk's clusters in ascending order, without those that hold only zeros.
trait Target {
    /// Takes neighbouring clusters, each as it is or as it was packed.
    fn clusters(&mut self, offset: u64, data: &[u8], packed: &[Option<Vec<u8>>]) -> io::Result<()>;

    /// Writes what is left, and syncs.
    fn finish(&mut self) -> io::Result<()>;
}

/// Writes a disk to a new file.
///
/// Frames are read, and looked through for zeros, by `threads` threads. `progress` is told how many bytes of the disk are done,
/// after each frame, and may stop the export. The file has its name only when it is whole and on the disk; until then it has a name
/// that begins with `path` and `.part-`, and what a run that was cut short left so is removed by the next one.
pub fn export(
    source: &dyn Source,
    format: Format,
    path: &Path,
    threads: usize,
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
    let (folder, prefix) = (Arc::new(folder), beside(Path::new(name), ".part-").into_os_string());
    folder.sweep(&prefix).map_err(failed)?;
    let file = folder.fresh(&prefix).map_err(failed)?;
    let exported = write(source, format, file.file(), path, threads, progress)?;
    // The file gets its name unless something took the name meanwhile.
    file.commit(name).map_err(failed)?;
    Ok(exported)
}

/// A frame, its clusters that are not all zeros, and what was packed of them.
struct Piece {
    content: Content,
    filled: Vec<bool>,
    packed: Vec<Option<Vec<u8>>>,
}

impl Piece {
    fn new(content: Content, zstd: Option<&ZstdCluster>) -> Self {
        let clusters = || (*content).as_ref().chunks(CLUSTER);
        let filled: Vec<bool> = clusters().map(|cluster| !is_zero(cluster)).collect();
        // One that the end of the disk cuts is stored as it is: compressed, it would have to be whole.
        let pack =
            |(cluster, filled): (&[u8], &bool)| zstd.filter(|_| *filled && cluster.len() == CLUSTER)?.compress(cluster);
        let packed = clusters().zip(&filled).map(pack).collect();
        Self { content, filled, packed }
    }

    /// Runs of clusters that are not all zeros, by their first and the one behind their last.
    fn runs(&self) -> impl Iterator<Item = Range<usize>> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let start = at + self.filled.get(at..)?.iter().position(|filled| *filled)?;
            let len = self.filled[start..].iter().take_while(|filled| **filled).count();
            at = start + len;
            Some(start..at)
        })
    }
}

fn write(
    source: &dyn Source,
    format: Format,
    file: &File,
    path: &Path,
    threads: usize,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Exported, ExportError> {
    let failed = |source| ExportError::Write { path: path.to_owned(), source };
    let size = source.size();
    // The one part of the work on clusters that needs no order.
    let zstd = (format == Format::Qcow2Zstd).then(ZstdCluster::default);
    let mut target: Box<dyn Target + '_> = match format {
        Format::Raw => Box::new(raw::Raw::new(file, size).map_err(failed)?),
        Format::Qcow2 | Format::Qcow2Zstd => {
            let image = qcow2::Qcow2::new(file, size, CLUSTER.trailing_zeros(), zstd.is_some());
            Box::new(image.ok_or(ExportError::TooLarge(size))?)
        }
    };
    let mut stored = 0;
    let read = |index| Ok(source.frame(index)?.map(|content| Piece::new(content, zstd.as_ref())));
    ordered(size.div_ceil(FRAME), threads, read, |index, piece: io::Result<Option<Piece>>| {
        let offset = index * FRAME;
        if let Some(piece) = piece.map_err(|source| ExportError::Read { offset, source })? {
            stored += put(&piece, offset, &mut *target).map_err(failed)?;
        }
        let done = progress((offset + FRAME).min(size));
        if done.is_break() { Err(ExportError::Stopped) } else { Ok(()) }
    })?;
    target.finish().map_err(failed)?;
    Ok(Exported { size, stored })
}

/// Stores what of a frame is not zeros; how many bytes that is.
fn put(piece: &Piece, offset: u64, target: &mut dyn Target) -> io::Result<u64> {
    let (data, mut stored) = ((*piece.content).as_ref(), 0);
    for run in piece.runs() {
        let bytes = run.start * CLUSTER..(run.end * CLUSTER).min(data.len());
        stored += bytes.len() as u64;
        target.clusters(offset + bytes.start as u64, &data[bytes.clone()], &piece.packed[run])?;
    }
    Ok(stored)
}
