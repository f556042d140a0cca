//! Buffers the kernel has pinned for a ring. A transfer from a registered buffer saves pinning and unpinning its pages,
//! most of the kernel's work for a request of 1 MiB.

use crate::AlignedBuf;
use io_uring::IoUring;

/// How often each place in the table may be filled before the table is left as it is: a caller that never uses a buffer
/// twice gains nothing from it.
const FILLS: usize = 4;

/// Which buffer is registered where.
#[derive(Debug)]
pub(crate) struct Registered {
    /// Buffer ids by their index in the kernel's table; 0 is an empty place.
    ids: Vec<u64>,
    next: usize,
    fills_left: usize,
}

impl Registered {
    /// A table of `places`; without any where the kernel has no such table (before 5.19).
    pub(crate) fn new(ring: &IoUring, places: u16) -> Self {
        let known = ring.submitter().register_buffers_sparse(places.into()).is_ok();
        let places = if known { usize::from(places) } else { 0 };
        Self { ids: vec![0; places], next: 0, fills_left: FILLS * places }
    }

    /// The index of `buf` in the kernel's table, after registering it where there is room; `None` for a plain transfer.
    pub(crate) fn index_of(&mut self, ring: &IoUring, buf: &AlignedBuf) -> Option<u16> {
        let at = match self.ids.iter().position(|id| *id == buf.id()) {
            Some(at) => at,
            None if self.fills_left == 0 => return None,
            None => self.fill(ring, buf)?,
        };
        u16::try_from(at).ok()
    }

    fn fill(&mut self, ring: &IoUring, buf: &AlignedBuf) -> Option<usize> {
        let at = self.next;
        self.next = (at + 1) % self.ids.len();
        self.fills_left -= 1;
        self.ids[at] = 0;
        let place = [libc::iovec { iov_base: buf.start().cast(), iov_len: buf.capacity() }];
        // SAFETY: the range is the whole mapping of `buf`, alive now. The kernel pins its pages, so a later end of the
        // mapping frees nothing under a transfer; and a place is only used for the buffer whose id is noted for it, never
        // for a younger mapping at the same address. A request in flight keeps the entry it was submitted with.
        let done = unsafe { ring.submitter().register_buffers_update(u32::try_from(at).ok()?, &place, None) };
        if done.is_err() {
            // RLIMIT_MEMLOCK, most likely: it will not get better.
            self.fills_left = 0;
            return None;
        }
        self.ids[at] = buf.id();
        Some(at)
    }
}
