//! Clusters, compressed one by one.

use std::sync::{Mutex, PoisonError};
use zstd::bulk::Compressor;

/// zstd's own default.
const LEVEL: i32 = 3;

/// Compresses clusters on several threads at once; keeps its memory.
#[derive(Default)]
pub(super) struct ZstdCluster {
    idle: Mutex<Vec<Compressor<'static>>>,
}

impl ZstdCluster {
    /// The compressed bytes, where they are worth the time of decompression.
    pub(super) fn compress(&self, data: &[u8]) -> Option<Vec<u8>> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        // Without memory for it the cluster is stored as it is.
        let mut compressor = taken.or_else(|| Compressor::new(LEVEL).ok())?;
        let limit = data.len() - data.len() / 128;
        let mut out = Vec::with_capacity(limit);
        // An error means that the result does not fit.
        let len = compressor.compress_to_buffer(data, &mut out).ok();
        idle().push(compressor);
        len.filter(|len| *len < limit).map(|_| out)
    }
}
