//! One cluster, compressed.

use std::io;
use zstd::bulk::Compressor;

/// zstd's own default.
const LEVEL: i32 = 3;

/// Compresses clusters one by one; keeps its memory.
pub(super) struct ZstdCluster {
    compressor: Compressor<'static>,
    out: Vec<u8>,
}

impl ZstdCluster {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { compressor: Compressor::new(LEVEL)?, out: Vec::new() })
    }

    /// The compressed bytes, if they are fewer than `limit`.
    pub(super) fn compress(&mut self, data: &[u8], limit: usize) -> Option<&[u8]> {
        self.out.clear();
        self.out.reserve(limit);
        // An error means that the result does not fit.
        self.compressor.compress_to_buffer(data, &mut self.out).ok().filter(|len| *len < limit)?;
        Some(&self.out)
    }
}
