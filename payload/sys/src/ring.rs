//! Reads and writes of one file through io_uring, several in flight, with buffers the ring owns meanwhile.

use crate::{AlignedBuf, registered::Registered};
use io_uring::{
    IoUring, opcode, squeue,
    types::{Fd, FsyncFlags, SubmitArgs, Timespec},
};
use std::{
    fmt, io, mem,
    os::fd::{AsFd, AsRawFd},
    thread,
    time::{Duration, Instant},
};

/// Pause after the kernel said EAGAIN or EBUSY (out of requests or memory for the moment).
const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// A finished request.
#[derive(Debug)]
pub enum Done {
    /// A read or write and how many bytes it transferred.
    Transfer {
        /// Whether it was a write.
        write: bool,
        /// Where, in bytes.
        offset: u64,
        /// The buffer that was submitted.
        buf: AlignedBuf,
        /// Bytes transferred, or the errno.
        result: io::Result<usize>,
    },
    /// An `fdatasync`.
    Flush(io::Result<()>),
}

/// What the kernel is working on.
enum Pending {
    Transfer { write: bool, offset: u64, buf: AlignedBuf },
    Flush,
}

struct Inner<F> {
    ring: IoUring,
    /// The index of a slot is the request's user data.
    slots: Vec<Option<Pending>>,
    registered: Registered,
    free: Vec<usize>,
    /// Not registered with the ring: a ring is torn down some time after it is closed, and an exclusive claim would last
    /// as long.
    file: F,
}

/// An io_uring for one file.
///
/// Where it is dropped while requests are still in flight (a hung drive), the ring, the buffers and the file stay
/// allocated until the process ends: memory the kernel may still write to is never given back. A thread that submitted
/// such requests may not end either before they do, so nobody should join it without a limit.
pub struct Ring<F: AsFd> {
    inner: Option<Inner<F>>,
}

impl<F: AsFd> Ring<F> {
    /// A ring for `file` with room for `depth` requests.
    ///
    /// # Errors
    /// `InvalidInput` for a depth of 0 or more than 4096; `Unsupported` where the kernel has no timeouts on waits (before
    /// 5.11); ENOSYS or EPERM where io_uring is not there or switched off.
    pub fn new(file: F, depth: usize) -> io::Result<Self> {
        let entries = match u32::try_from(depth) {
            Ok(entries @ 1..=4096) => entries,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "a ring has 1 to 4096 entries")),
        };
        let ring = match IoUring::builder().setup_coop_taskrun().build(entries) {
            // Kernels before 5.19 do not know the flag; it only saves interrupts.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => IoUring::new(entries)?,
            other => other?,
        };
        if !ring.params().is_feature_ext_arg() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "io_uring without timeouts on waits"));
        }
        let slots = (0..depth).map(|_| None).collect();
        // A caller fills or compares as many buffers as are in flight.
        let registered = Registered::new(&ring, u16::try_from(2 * depth).unwrap_or(0));
        Ok(Self { inner: Some(Inner { ring, slots, registered, free: (0..depth).rev().collect(), file }) })
    }

    /// How many requests are in flight.
    pub fn in_flight(&self) -> usize {
        self.inner.as_ref().map_or(0, Inner::in_flight)
    }

    /// Hands a read into or a write from `buf` (all of its length) to the kernel.
    ///
    /// # Errors
    /// The buffer comes back where the ring is full, or the buffer is empty or longer than 2 GiB. What the kernel itself
    /// objects to arrives through [`Ring::wait`].
    #[allow(clippy::result_large_err, reason = "the buffer must come back")]
    pub fn submit(&mut self, write: bool, offset: u64, mut buf: AlignedBuf) -> Result<(), (AlignedBuf, io::Error)> {
        let len = match u32::try_from(buf.len()) {
            Ok(len @ 1..=0x7fff_f000) => len,
            _ => return Err((buf, invalid("a request has 1 byte to 2 GiB"))),
        };
        let Some(inner) = &mut self.inner else { return Err((buf, invalid("the ring is closed"))) };
        let fd = inner.fd();
        let start = buf.as_mut_ptr();
        let entry = match (write, inner.registered.index_of(&inner.ring, &buf)) {
            (false, None) => opcode::Read::new(fd, start, len).offset(offset).build(),
            (true, None) => opcode::Write::new(fd, start, len).offset(offset).build(),
            (false, Some(index)) => opcode::ReadFixed::new(fd, start, len, index).offset(offset).build(),
            (true, Some(index)) => opcode::WriteFixed::new(fd, start, len, index).offset(offset).build(),
        };
        match self.push(&entry, Pending::Transfer { write, offset, buf }) {
            Err(Pending::Transfer { buf, .. }) => Err((buf, invalid("the ring is full"))),
            _ => Ok(()),
        }
    }

    /// Asks for an `fdatasync` of what completed before this call.
    ///
    /// # Errors
    /// Where the ring is full.
    pub fn submit_flush(&mut self) -> io::Result<()> {
        let fd = self.inner.as_ref().map(Inner::fd).ok_or_else(|| invalid("the ring is closed"))?;
        let entry = opcode::Fsync::new(fd).flags(FsyncFlags::DATASYNC).build();
        self.push(&entry, Pending::Flush).map_err(|_| invalid("the ring is full"))
    }

    /// The next finished request; `None` where none finished within `timeout` or none is in flight.
    ///
    /// # Errors
    /// Where the kernel refuses the wait itself; the requests stay in flight.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<Option<Done>> {
        let Some(inner) = &mut self.inner else { return Ok(None) };
        let deadline = Instant::now().checked_add(timeout);
        loop {
            if let Some(done) = inner.reap() {
                return Ok(Some(done));
            }
            if inner.in_flight() == 0 {
                return Ok(None);
            }
            // A deadline beyond the clock is waited for in hours.
            let left = deadline.map_or(Duration::from_secs(3600), |at| at.saturating_duration_since(Instant::now()));
            let limit = Timespec::from(left);
            let result = inner.ring.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&limit));
            if let Err(error) = result {
                match error.raw_os_error() {
                    Some(libc::ETIME | libc::EINTR) => {}
                    Some(libc::EAGAIN | libc::EBUSY) => thread::sleep(BUSY_PAUSE.min(left)),
                    _ => return Err(error),
                }
            }
            if left.is_zero() {
                return Ok(inner.reap());
            }
        }
    }

    /// Puts an entry on the queue and tells the kernel; gives `pending` back where there is no slot.
    fn push(&mut self, entry: &squeue::Entry, pending: Pending) -> Result<(), Pending> {
        let Some(inner) = &mut self.inner else { return Err(pending) };
        let Some(slot) = inner.free.pop() else { return Err(pending) };
        let entry = entry.clone().user_data(slot as u64);
        // SAFETY: the entry points into a mapping that moves into `slots` here and leaves it only when the completion of
        // this entry was seen; on a drop before that, it is leaked with the ring. So is the file, which stays open.
        let pushed = unsafe { inner.ring.submission().push(&entry) };
        if pushed.is_err() {
            inner.free.push(slot);
            return Err(pending);
        }
        inner.slots[slot] = Some(pending);
        // A failure leaves the entry on the queue; `wait` hands it over again and reports what stays wrong.
        let _ = inner.ring.submit();
        Ok(())
    }
}

impl<F: AsFd> Inner<F> {
    fn fd(&self) -> Fd {
        Fd(self.file.as_fd().as_raw_fd())
    }

    fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The next completion that is already there.
    fn reap(&mut self) -> Option<Done> {
        let completion = self.ring.completion().next()?;
        let slot = usize::try_from(completion.user_data()).ok()?;
        let pending = self.slots.get_mut(slot)?.take()?;
        self.free.push(slot);
        let code = completion.result();
        let result = usize::try_from(code).map_err(|_| io::Error::from_raw_os_error(-code));
        Some(match pending {
            Pending::Transfer { write, offset, buf } => Done::Transfer { write, offset, buf, result },
            Pending::Flush => Done::Flush(result.map(drop)),
        })
    }
}

impl<F: AsFd> Drop for Ring<F> {
    fn drop(&mut self) {
        let Some(mut inner) = self.inner.take() else { return };
        while inner.reap().is_some() {}
        if inner.in_flight() > 0 {
            mem::forget(inner);
        }
    }
}

impl<F: AsFd> fmt::Debug for Ring<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ring({} in flight)", self.in_flight())
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write, os::fd::OwnedFd, os::unix::fs::FileExt, os::unix::net::UnixStream, sync::Arc};

    const LONG: Duration = Duration::from_secs(10);

    fn transferred(done: Option<Done>) -> (bool, u64, AlignedBuf, usize) {
        match done {
            Some(Done::Transfer { write, offset, buf, result }) => (write, offset, buf, result.unwrap()),
            other => panic!("no transfer: {other:?}"),
        }
    }

    #[test]
    fn writes_then_reads_come_back_with_their_buffers() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let mut ring = Ring::new(file.clone(), 4).unwrap();
        for block in 0..4_u8 {
            let mut buf = AlignedBuf::zeroed(4096).unwrap();
            buf.fill(block);
            ring.submit(true, u64::from(block) * 4096, buf).unwrap();
        }
        let (_, error) = ring.submit(false, 0, AlignedBuf::zeroed(512).unwrap()).unwrap_err();
        assert_eq!((error.kind(), ring.in_flight()), (io::ErrorKind::InvalidInput, 4));
        for _ in 0..4 {
            let (write, offset, buf, count) = transferred(ring.wait(LONG).unwrap());
            assert!(write && count == 4096 && u64::from(buf[0]) * 4096 == offset);
        }
        assert!(ring.wait(LONG).unwrap().is_none());
        ring.submit_flush().unwrap();
        assert!(matches!(ring.wait(LONG).unwrap(), Some(Done::Flush(Ok(())))));
        let mut seen = [0; 1];
        file.read_exact_at(&mut seen, 3 * 4096).unwrap();
        assert_eq!(seen, [3]);
        ring.submit(false, 3 * 4096, AlignedBuf::zeroed(8192).unwrap()).unwrap();
        let (write, _, buf, count) = transferred(ring.wait(LONG).unwrap());
        assert!(!write && count == 4096 && buf[4095] == 3 && buf.len() == 8192);
    }

    #[test]
    fn a_younger_buffer_at_an_old_address_is_not_taken_for_the_old_one() {
        let file = tempfile::tempfile().unwrap();
        let mut ring = Ring::new(file.try_clone().unwrap(), 2).unwrap();
        let mut addresses = Vec::new();
        for round in 0..40_u8 {
            let mut buf = AlignedBuf::zeroed(4096).unwrap();
            buf.fill(round);
            addresses.push(buf.as_ptr() as usize);
            for write in [true, false] {
                ring.submit(write, u64::from(round) * 4096, buf).unwrap();
                let (_, _, back, count) = transferred(ring.wait(LONG).unwrap());
                assert_eq!(count, 4096);
                buf = back;
            }
            assert!(buf.iter().all(|byte| *byte == round));
        }
        let mut seen = vec![0; 40 * 4096];
        file.read_exact_at(&mut seen, 0).unwrap();
        assert!(seen.iter().enumerate().all(|(at, byte)| usize::from(*byte) == at / 4096));
        addresses.sort_unstable();
        addresses.dedup();
        assert!(addresses.len() < 40, "no address was used twice, so this test has tested nothing");
    }

    #[test]
    fn a_wait_ends_with_its_time_and_the_request_lives_on() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut ring = Ring::new(OwnedFd::from(ours), 1).unwrap();
        ring.submit(false, 0, AlignedBuf::zeroed(512).unwrap()).unwrap();
        let start = Instant::now();
        assert!(ring.wait(Duration::from_millis(50)).unwrap().is_none());
        assert!(start.elapsed() >= Duration::from_millis(50));
        assert!(ring.wait(Duration::ZERO).unwrap().is_none());
        theirs.write_all(b"late").unwrap();
        let (_, _, buf, count) = transferred(ring.wait(LONG).unwrap());
        assert_eq!(&buf[..count], b"late");
    }

    #[test]
    fn dropping_a_ring_with_a_hung_request_neither_blocks_nor_frees_its_buffer() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut ring = Ring::new(OwnedFd::from(ours), 1).unwrap();
        let buf = AlignedBuf::zeroed(4096).unwrap();
        let address = buf.as_ptr() as usize;
        ring.submit(false, 0, buf).unwrap();
        drop(ring);
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mapped = maps.lines().any(|line| {
            let (from, rest) = line.split_once('-').unwrap();
            let to = rest.split(' ').next().unwrap();
            let hex = |text| usize::from_str_radix(text, 16).unwrap();
            (hex(from)..hex(to)).contains(&address)
        });
        assert!(mapped);
        theirs.write_all(b"too late").unwrap();
    }

    #[test]
    fn errors_carry_the_errno() {
        let file = std::fs::OpenOptions::new().write(true).open("/dev/null").unwrap();
        let mut ring = Ring::new(file, 1).unwrap();
        ring.submit(false, 0, AlignedBuf::zeroed(512).unwrap()).unwrap();
        match ring.wait(LONG).unwrap() {
            Some(Done::Transfer { result, .. }) => assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EBADF)),
            other => panic!("no transfer: {other:?}"),
        }
        assert!(Ring::new(std::fs::File::open("/dev/null").unwrap(), 0).is_err());
    }
}
