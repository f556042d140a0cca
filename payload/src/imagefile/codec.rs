//! zstd for one frame at a time.

use super::format::FRAME;
use std::io;
use zstd::{bulk, zstd_safe::CParameter};

/// A level of zstd so fast that it hardly looks for matches: what does not repeat at once is stored as it is.
pub const STORE: i32 = -20_000;

/// Compresses frames, each on its own.
pub struct Compressor {
    inner: bulk::Compressor<'static>,
    level: Option<i32>,
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressor").field("level", &self.level).finish_non_exhaustive()
    }
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new()
    }
}

impl Compressor {
    pub fn new() -> Self {
        Self { inner: bulk::Compressor::default(), level: None }
    }

    /// One zstd frame with content size and checksum.
    pub fn compress(&mut self, level: i32, raw: &[u8]) -> io::Result<Vec<u8>> {
        if self.level != Some(level) {
            self.inner.set_compression_level(level)?;
            self.inner.set_parameter(CParameter::ChecksumFlag(true))?;
            self.inner.set_parameter(CParameter::ContentSizeFlag(true))?;
            self.level = Some(level);
        }
        self.inner.compress(raw)
    }
}

/// Unpacks frames, each on its own; zstd checks the checksum.
pub struct Decompressor {
    inner: bulk::Decompressor<'static>,
    /// The packed bytes of the frame at hand: memory that need not be asked for a thousand times.
    pub(super) packed: Vec<u8>,
}

impl std::fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decompressor")
    }
}

impl Decompressor {
    pub fn new() -> io::Result<Self> {
        Ok(Self { inner: bulk::Decompressor::new()?, packed: Vec::new() })
    }

    /// The content of a frame that must have `len` bytes, at most [`FRAME`].
    pub fn unpack(&mut self, frame: &[u8], len: usize) -> io::Result<Vec<u8>> {
        let raw = self.inner.decompress(frame, len.min(FRAME))?;
        whole(raw.len(), len).map(|()| raw)
    }

    /// Unpacks what lies in `packed`; it must have exactly as many bytes as `raw`.
    pub(super) fn unpack_into(&mut self, raw: &mut [u8]) -> io::Result<()> {
        let found = self.inner.decompress_to_buffer(&self.packed, raw)?;
        whole(found, raw.len())
    }
}

fn whole(found: usize, wanted: usize) -> io::Result<()> {
    if found == wanted {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, format!("the frame has {found} bytes, not {wanted}")))
}
