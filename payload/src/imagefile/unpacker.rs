//! Frames unpacked by several threads into memory that is used again and again.

use super::{Decompressor, ReadError, Reader, State};
use crate::engine::frames::{Buffer, Pool};
use std::{
    fmt, io,
    ops::Range,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Buffers for frames that are under way; whoever needs more gets memory of its own.
const BUFFERS: usize = 24;

/// The content of a frame.
pub enum Unpacked {
    Pooled(Buffer),
    Own(Vec<u8>),
}

impl fmt::Debug for Unpacked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unpacked({} bytes)", self.as_ref().len())
    }
}

impl AsRef<[u8]> for Unpacked {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Pooled(buffer) => buffer,
            Self::Own(bytes) => bytes,
        }
    }
}

impl AsMut<[u8]> for Unpacked {
    fn as_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Pooled(buffer) => buffer,
            Self::Own(bytes) => bytes,
        }
    }
}

/// Buffers, and decompressors that are idle.
#[derive(Debug)]
pub struct Unpacker {
    pool: Pool,
    idle: Mutex<Vec<Decompressor>>,
}

impl Unpacker {
    pub fn new() -> io::Result<Self> {
        Ok(Self { pool: Pool::new(BUFFERS)?, idle: Mutex::default() })
    }

    /// A frame's content, proved; `None` is zeros.
    pub fn frame(&self, reader: &Reader, index: u64) -> Result<Option<Unpacked>, ReadError> {
        let (state, _) = reader.entry(index)?;
        if matches!(state, State::Zero | State::Free) {
            return Ok(None);
        }
        self.unpack(reader, index, |decompressor, raw| reader.frame_into(index, decompressor, raw))
    }

    /// As [`Self::frame`], but frames of zeros are unpacked and proved as well.
    pub(super) fn frame_whatever_it_is(&self, reader: &Reader, index: u64) -> Result<Option<Unpacked>, ReadError> {
        let (state, _) = reader.entry(index)?;
        self.unpack(reader, index, |decompressor, raw| {
            if matches!(state, State::Zero | State::Free) {
                return reader.stored_into(index, decompressor, raw).map(|()| false);
            }
            reader.frame_into(index, decompressor, raw)
        })
    }

    /// Proves frames that are stored as one run of one value; `None` where they are not, or not right.
    pub(super) fn run(&self, reader: &Reader, frames: Range<u64>) -> Result<Option<u8>, ReadError> {
        let count = frames.end - frames.start;
        self.with(reader, frames.start, |decompressor| reader.run(frames.start, count, decompressor))
    }

    fn with<T>(
        &self,
        reader: &Reader,
        index: u64,
        work: impl FnOnce(&mut Decompressor) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        let mut decompressor = match taken {
            Some(decompressor) => decompressor,
            None => Decompressor::new().map_err(|error| reader.no_codec(index, &error))?,
        };
        let result = work(&mut decompressor);
        idle().push(decompressor);
        result
    }

    fn unpack(
        &self,
        reader: &Reader,
        index: u64,
        work: impl FnOnce(&mut Decompressor, &mut [u8]) -> Result<bool, ReadError>,
    ) -> Result<Option<Unpacked>, ReadError> {
        let len = reader.header().frame_len(index);
        let mut content = match self.pool.take(Duration::ZERO) {
            Some(mut buffer) => {
                buffer.set_len(len);
                Unpacked::Pooled(buffer)
            }
            None => Unpacked::Own(vec![0; len]),
        };
        let has_content = self.with(reader, index, |decompressor| work(decompressor, content.as_mut()));
        has_content.map(|has_content| has_content.then_some(content))
    }
}
