//! The data plane's second engine, for kernels that refuse io_uring: one thread per drive that does plain positioned
//! reads and writes. A thread, because a hung drive must not take the caller with it.

use mule_sys::{AlignedBuf, Done};
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

enum Work {
    Transfer { write: bool, offset: u64, buf: AlignedBuf },
    Flush,
}

/// Does transfers one after the other on its own thread, in the order they were submitted.
///
/// Dropped idle, it ends its thread and with it the thread's hold on the file. Dropped with work in flight, it leaves the
/// thread to finish or to hang alone; the thread owns the buffers.
#[derive(Debug)]
pub(super) struct Worker {
    /// `None` only while it is dropped.
    work: Option<Sender<Work>>,
    done: Receiver<Done>,
    in_flight: usize,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub(super) fn new(file: Arc<File>) -> io::Result<Self> {
        let (work, todo) = channel();
        let (finished, done) = channel();
        let thread = thread::Builder::new().name("drive-io".into()).spawn(move || {
            for item in todo {
                if finished.send(perform(&file, item)).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { work: Some(work), done, in_flight: 0, thread: Some(thread) })
    }

    pub(super) fn submit(&mut self, write: bool, offset: u64, buf: AlignedBuf) -> io::Result<()> {
        self.send(Work::Transfer { write, offset, buf })
    }

    pub(super) fn submit_flush(&mut self) -> io::Result<()> {
        self.send(Work::Flush)
    }

    pub(super) fn wait(&mut self, timeout: Duration) -> io::Result<Option<Done>> {
        if self.in_flight == 0 {
            return Ok(None);
        }
        match self.done.recv_timeout(timeout) {
            Ok(done) => {
                self.in_flight -= 1;
                Ok(Some(done))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(ended()),
        }
    }

    fn send(&mut self, work: Work) -> io::Result<()> {
        self.work.as_ref().and_then(|queue| queue.send(work).ok()).ok_or_else(ended)?;
        self.in_flight += 1;
        Ok(())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.work = None;
        if let (0, Some(thread)) = (self.in_flight, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

fn perform(file: &File, work: Work) -> Done {
    match work {
        Work::Transfer { write, offset, mut buf } => {
            let result = retry(|| if write { file.write_at(&buf, offset) } else { file.read_at(&mut buf, offset) });
            Done::Transfer { write, offset, buf, result }
        }
        Work::Flush => Done::Flush(retry(|| file.sync_data())),
    }
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn ended() -> io::Error {
    io::Error::other("the drive's I/O thread ended")
}
