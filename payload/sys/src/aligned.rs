//! Memory that direct I/O accepts: page-aligned, owned, zeroed at birth.

use std::{
    fmt, io,
    ops::{Deref, DerefMut},
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

/// The id of the next buffer; 0 is none's.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A page-aligned buffer with a fixed capacity and a length that can be set anywhere within it.
pub struct AlignedBuf {
    start: NonNull<u8>,
    capacity: usize,
    len: usize,
    id: u64,
}

// SAFETY: the mapping is private to this value, like the allocation of a `Vec<u8>`.
unsafe impl Send for AlignedBuf {}
// SAFETY: shared access only reads the bytes.
unsafe impl Sync for AlignedBuf {}

impl AlignedBuf {
    /// A buffer of `capacity` zero bytes, its length set to all of it.
    pub fn zeroed(capacity: usize) -> io::Result<Self> {
        if capacity == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a buffer of 0 bytes"));
        }
        // SAFETY: an anonymous private mapping at an address of the kernel's choice touches no memory of ours.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                capacity,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(io::Error::last_os_error)?;
        Ok(Self { start, capacity, len: capacity, id: NEXT_ID.fetch_add(1, Ordering::Relaxed) })
    }

    /// How long the buffer can be.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Tells this buffer from every other of the process, older ones at the same address too.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Where the mapping starts.
    pub(crate) fn start(&self) -> *mut u8 {
        self.start.as_ptr()
    }

    /// Sets the length; bytes beyond it keep their content.
    ///
    /// # Panics
    /// Where `len` is more than the capacity.
    pub fn set_len(&mut self, len: usize) {
        assert!(len <= self.capacity, "length {len} is more than the capacity {}", self.capacity);
        self.len = len;
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        // SAFETY: `start` and `capacity` are those of the mapping made in `zeroed`, unmapped nowhere else.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.capacity) };
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `len` never exceeds the mapping, which is initialised (zero pages) and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl fmt::Debug for AlignedBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlignedBuf({} of {} bytes)", self.len, self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::AlignedBuf;

    #[test]
    fn a_buffer_is_page_aligned_zeroed_and_keeps_its_bytes() {
        let mut buf = AlignedBuf::zeroed(3 * 4096).unwrap();
        assert_eq!(buf.as_ptr() as usize % 4096, 0);
        assert!(buf.iter().all(|&b| b == 0));
        buf[5000] = 7;
        buf.set_len(512);
        assert_eq!(buf.len(), 512);
        buf.set_len(3 * 4096);
        assert_eq!(buf[5000], 7);
        assert!(AlignedBuf::zeroed(0).is_err());
    }
}
