//! Read access to bytes by their address: what a disk, a partition of it, a file and an image have in common.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::FileExt,
    sync::Arc,
};

/// Bytes that can be read by their address.
pub trait ReadAt: Send + Sync {
    /// How many bytes there are.
    fn size(&self) -> u64;

    /// Fills all of `buf` from `offset`; anything less, or a range past the end, is an error.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| past_the_end(offset, buf.len(), self.size()))?;
        let end = start.checked_add(buf.len()).filter(|end| *end <= self.len());
        let end = end.ok_or_else(|| past_the_end(offset, buf.len(), self.size()))?;
        buf.copy_from_slice(&self[start..end]);
        Ok(())
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn size(&self) -> u64 {
        (**self).size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        (**self).read_at(offset, buf)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for Arc<T> {
    fn size(&self) -> u64 {
        (**self).size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        (**self).read_at(offset, buf)
    }
}

/// A regular file or a block device, through the page cache.
#[derive(Debug)]
pub struct FileBlocks {
    file: File,
    size: u64,
}

impl FileBlocks {
    /// Takes the size from where the end is; the metadata of a block device say 0.
    pub fn new(mut file: File) -> io::Result<Self> {
        let size = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, size })
    }
}

impl ReadAt for FileBlocks {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }
}

/// A part of something larger: a partition.
#[derive(Debug, Clone)]
pub struct Part<R> {
    inner: R,
    start: u64,
    len: u64,
}

impl<R: ReadAt> Part<R> {
    /// `len` bytes from `start`, cut at the end of what is there.
    pub fn new(inner: R, start: u64, len: u64) -> Self {
        let len = len.min(inner.size().saturating_sub(start));
        Self { inner, start, len }
    }
}

impl<R: ReadAt> ReadAt for Part<R> {
    fn size(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.len) {
            return Err(past_the_end(offset, buf.len(), self.len));
        }
        self.inner.read_at(self.start + offset, buf)
    }
}

/// A position in it, for crates that want `Read + Seek`.
#[derive(Debug, Clone)]
pub struct Cursor<R> {
    inner: R,
    position: u64,
}

impl<R: ReadAt> Cursor<R> {
    /// At the first byte.
    pub fn new(inner: R) -> Self {
        Self { inner, position: 0 }
    }
}

impl<R: ReadAt> Read for Cursor<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.inner.size().saturating_sub(self.position);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        if len > 0 {
            self.inner.read_at(self.position, &mut buf[..len])?;
        }
        self.position += len as u64;
        Ok(len)
    }
}

impl<R: ReadAt> Seek for Cursor<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.inner.size().checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = target.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

fn past_the_end(offset: u64, len: usize, size: u64) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, format!("{len} bytes at {offset} reach past the end at {size}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_ends_where_it_ends() {
        let part = Part::new((0..=9).collect::<Vec<u8>>(), 4, 100);
        let mut all = Vec::new();
        Cursor::new(&part).read_to_end(&mut all).unwrap();
        assert_eq!(all, [4, 5, 6, 7, 8, 9]);
        assert!(part.read_at(5, &mut [0; 2]).is_err() && part.read_at(u64::MAX, &mut [0; 2]).is_err());
    }

    #[test]
    fn a_cursor_seeks_from_both_ends() {
        let mut cursor = Cursor::new((0..=9).collect::<Vec<u8>>());
        let mut byte = [0];
        cursor.seek(SeekFrom::End(-2)).unwrap();
        cursor.read_exact(&mut byte).unwrap();
        assert_eq!(byte, [8]);
        cursor.seek(SeekFrom::Current(-9)).unwrap_or_default();
        assert!(cursor.seek(SeekFrom::Current(-100)).is_err());
        cursor.seek(SeekFrom::Start(99)).unwrap();
        assert_eq!(cursor.read(&mut byte).unwrap(), 0);
    }
}
