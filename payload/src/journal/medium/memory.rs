//! Memory as a medium, for tests: it tears and loses sectors as real ones do.

use super::{Medium, SECTOR};
use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Memory that tears as a medium does: when the power goes, some sectors of the write under way are there, others not.
/// Clones share their content.
#[derive(Debug, Clone)]
pub struct MemoryMedium {
    bytes: Arc<Mutex<Vec<u8>>>,
    unreadable: Arc<Mutex<BTreeSet<u64>>>,
    /// Writes until the power goes, and which sectors of that last write arrive (bit by bit).
    pub cut: Option<(u64, u64)>,
    /// Writes until every further one fails.
    pub fails_after: Option<u64>,
    /// Whether a bad sector can be read again once it is written to, as a drive with spare sectors does it.
    pub heals: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryMedium {
    /// `len` zero bytes.
    pub fn new(len: usize) -> Self {
        Self::holding(vec![0; len])
    }

    /// A medium with this content.
    pub fn holding(bytes: Vec<u8>) -> Self {
        let (bytes, unreadable) = (Arc::new(Mutex::new(bytes)), Arc::default());
        Self { bytes, unreadable, cut: None, fails_after: None, heals: true }
    }

    /// What is on the medium now.
    pub fn bytes(&self) -> Vec<u8> {
        lock(&self.bytes).clone()
    }

    /// The sector that holds the byte `at` cannot be read from now on.
    #[must_use]
    pub fn spoiled(self, at: u64) -> Self {
        lock(&self.unreadable).insert(at / SECTOR as u64);
        self
    }
}

impl Medium for MemoryMedium {
    fn len(&self) -> u64 {
        lock(&self.bytes).len() as u64
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let sectors = offset / SECTOR as u64..(offset + buf.len() as u64).div_ceil(SECTOR as u64);
        if lock(&self.unreadable).range(sectors).next().is_some() {
            return Err(io::Error::other("a bad sector"));
        }
        let bytes = lock(&self.bytes);
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let piece = bytes.get(start..start + buf.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(piece);
        Ok(())
    }

    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        if let Some(left) = &mut self.fails_after {
            *left = left.checked_sub(1).ok_or_else(|| io::Error::other("the medium fails"))?;
        }
        let mut arriving = u64::MAX;
        let mut gone = false;
        if let Some((left, sectors)) = &mut self.cut {
            if *left == 0 {
                return Err(io::Error::other("no power"));
            }
            *left -= 1;
            if *left == 0 {
                arriving = *sectors;
                gone = true;
            }
        }
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let mut bytes = lock(&self.bytes);
        for (number, sector) in data.chunks(SECTOR).enumerate() {
            if arriving >> (number % 64) & 1 == 1 {
                let at = start + number * SECTOR;
                bytes.get_mut(at..at + sector.len()).ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(sector);
                if self.heals {
                    lock(&self.unreadable).remove(&((at / SECTOR) as u64));
                }
            }
        }
        if gone { Err(io::Error::other("power cut")) } else { Ok(()) }
    }
}
