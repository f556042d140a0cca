//! Buffers that come back: the memory of a transfer is what its pool holds, whatever the size of the drive.

use super::FRAME;
use mule_sys::AlignedBuf;
use std::{
    fmt, io,
    ops::{Deref, DerefMut},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

struct Shelf {
    free: Mutex<Vec<AlignedBuf>>,
    back: Condvar,
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Vec<AlignedBuf>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fixed number of frame buffers.
#[derive(Clone)]
pub struct Pool(Arc<Shelf>);

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({} free)", self.0.lock().len())
    }
}

impl Pool {
    /// `count` buffers of one frame.
    pub fn new(count: usize) -> io::Result<Self> {
        let free = (0..count.max(1)).map(|_| AlignedBuf::zeroed(FRAME)).collect::<io::Result<Vec<_>>>()?;
        Ok(Self(Arc::new(Shelf { free: Mutex::new(free), back: Condvar::new() })))
    }

    /// A buffer, where one is free within `patience`.
    pub fn take(&self, patience: Duration) -> Option<Buffer> {
        let free = self.0.lock();
        let (mut free, _) =
            self.0.back.wait_timeout_while(free, patience, |f| f.is_empty()).unwrap_or_else(PoisonError::into_inner);
        free.pop().map(|buf| Buffer { buf: Some(buf), home: self.clone() })
    }

    /// A buffer that came through the data plane.
    pub(super) fn adopt(&self, buf: AlignedBuf) -> Buffer {
        Buffer { buf: Some(buf), home: self.clone() }
    }
}

/// A buffer of a pool; it goes back when it is dropped.
pub struct Buffer {
    buf: Option<AlignedBuf>,
    home: Pool,
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.len())
    }
}

impl Buffer {
    /// Sets the length, at most a frame.
    pub fn set_len(&mut self, len: usize) {
        if let Some(buf) = &mut self.buf {
            buf.set_len(len.min(FRAME));
        }
    }

    /// For the data plane; its completion brings it back.
    pub(super) fn lend(mut self) -> Option<AlignedBuf> {
        self.buf.take()
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.buf.as_deref().unwrap_or_default()
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.buf.as_deref_mut().unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Some(buf) = self.buf.take() {
            self.home.0.lock().push(buf);
            self.home.0.back.notify_one();
        }
    }
}
