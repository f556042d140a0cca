//! A simulated drive: cells that outlive the handle, a volatile write cache that a power cut can lose, and faults.
//!
//! [`SimDisk`] is the hardware, as the bench sees it; [`SimDrive`] is one claim on it, as the engine sees it. Requests
//! are performed when `wait` returns them, so a power cut or a hang catches those in flight. Only for tests: the image
//! build refuses a binary that contains [`MARKER`].

mod cells;
mod faults;

use super::{
    Access, Address, Completion, DataPlane, Geometry, Identity, IoError, IoErrorKind, Op, OpenError, Request,
    admission::admit,
};
use crate::{nvme::NvmeAdmin, scsi::CommandPlane};
pub use cells::Background;
use cells::Cells;
pub use faults::{Faults, Lie, PowerCut};
use std::{
    collections::VecDeque,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// In every binary that contains the simulation, so that none of them ships.
pub const MARKER: &str = "MULE-TEST-ONLY-CODE";

#[used]
static MARKED: [u8; 19] = *b"MULE-TEST-ONLY-CODE";

/// What the drive was asked to do since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Reads performed, failed ones too.
    pub reads: u64,
    /// Writes performed, failed ones too.
    pub writes: u64,
    /// Flushes performed.
    pub flushes: u64,
    /// Blocks that could be read again only after they were written.
    pub remapped: u64,
}

struct State {
    identity: Identity,
    geometry: Geometry,
    /// Bytes that can be addressed now: the geometry's, fewer after a shrink, 0 for a drive that vanished.
    bytes: u64,
    cells: Cells,
    faults: Faults,
    counts: Counts,
    claimed: bool,
    /// Counts power cycles; a handle from before the last one is dead.
    cycle: u64,
    random: u64,
}

/// The hardware: shared cells and what is wrong with them.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    /// A disk of zero bytes in every cell, with a serial number of its own.
    ///
    /// # Panics
    /// Where the sizes are no geometry.
    #[allow(clippy::expect_used, reason = "a test's mistake")]
    pub fn new(serial: &str, bytes: u64, logical: u32) -> Self {
        // A use the optimiser cannot remove, so that the linker keeps the bytes.
        std::hint::black_box(&MARKED);
        let geometry = Geometry::new(bytes, logical, logical.max(4096)).expect("a usable geometry");
        let identity = Identity { model: "SIMULATED DISK".into(), serial: serial.into(), wwn: None, bytes };
        let state = State {
            identity,
            geometry,
            bytes,
            cells: Cells::new(Background::Byte(0)),
            faults: Faults::default(),
            counts: Counts::default(),
            claimed: false,
            cycle: 0,
            random: 1,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Claims the disk, as `O_EXCL` does.
    pub fn open(&self, access: Access) -> Result<SimDrive, OpenError> {
        self.open_with(access, 4)
    }

    /// Claims the disk with room for `depth` requests.
    pub fn open_with(&self, access: Access, depth: usize) -> Result<SimDrive, OpenError> {
        let mut state = self.lock();
        let path = PathBuf::from(format!("sim:{}", state.identity.serial));
        if state.claimed {
            return Err(OpenError::Busy(path));
        }
        if state.faults.refuses_direct_io {
            return Err(OpenError::NoDirectIo { path, reason: MARKER.into() });
        }
        let geometry = Geometry::new(state.bytes, state.geometry.logical(), state.geometry.physical())
            .map_err(|source| OpenError::Geometry { path, source })?;
        state.claimed = true;
        let (cycle, disk) = (state.cycle, self.clone());
        Ok(SimDrive { disk, geometry, access, depth: depth.max(1), cycle, queue: VecDeque::new() })
    }

    /// What the disk says it is.
    pub fn identity(&self) -> Identity {
        self.lock().identity.clone()
    }

    /// Makes it say something else, as after a swap of drives or of a bridge.
    pub fn set_identity(&self, identity: Identity) {
        self.lock().identity = identity;
    }

    /// Another disk takes its place and its name, and the system does not notice: open handles go on, on the other one's cells.
    pub fn exchange_with(&self, other: &Self) {
        self.lock().exchange_with(other);
    }

    /// Sets what all cells contained before anything was written.
    pub fn set_background(&self, background: Background) {
        self.lock().cells = Cells::new(background);
    }

    /// Lets the capacity shrink to `bytes`, or grow back up to what the disk was made with; 0 is a drive that is gone.
    pub fn set_capacity(&self, bytes: u64) {
        let mut state = self.lock();
        state.bytes = bytes.min(state.geometry.bytes());
        state.identity.bytes = state.bytes;
    }

    /// Changes what is wrong with the disk.
    pub fn break_it(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.lock().faults);
    }

    /// Cuts the power and gives it back: open handles are dead, and what was not flushed is treated as `cut` says.
    pub fn power_cut(&self, cut: PowerCut) {
        self.lock().power_cut(cut);
    }

    /// The bytes a read would return, faults aside.
    pub fn read_cells(&self, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.lock().cells.read(offset, &mut bytes);
        bytes
    }

    /// Puts bytes on the medium from outside.
    pub fn write_cells(&self, offset: u64, bytes: &[u8]) {
        self.lock().cells.write_through(offset, bytes);
    }

    /// What the disk was asked to do so far.
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        write!(f, "SimDisk({MARKER}, {}, {} bytes)", state.identity, state.bytes)
    }
}

impl State {
    fn exchange_with(&mut self, other: &SimDisk) {
        let mut other = other.lock();
        std::mem::swap(&mut self.identity, &mut other.identity);
        std::mem::swap(&mut self.cells, &mut other.cells);
        std::mem::swap(&mut self.counts, &mut other.counts);
    }

    fn power_cut(&mut self, cut: PowerCut) {
        let block = u64::from(self.geometry.physical());
        match cut {
            PowerCut::LoseUnflushed => self.cells.settle(|_| false, block),
            PowerCut::KeepUnflushed => self.cells.flush(),
            PowerCut::Random(seed) => {
                let mut random = seed;
                self.cells.settle(|_| next_random(&mut random) & 1 == 1, block);
            }
        }
        self.cycle += 1;
        self.claimed = false;
    }

    /// Performs one request on the cells.
    fn perform(&mut self, request: &mut Request) -> Result<(), (IoErrorKind, String)> {
        self.faults.count_down();
        if let Some(cut) = self.faults.due_power_cut() {
            self.power_cut(cut);
            return Err((IoErrorKind::Gone, format!("{MARKER}: the power was cut")));
        }
        if self.faults.due_vanishing() {
            self.bytes = 0;
        }
        let len = request.buf.len() as u64;
        match request.op {
            Op::Read => self.counts.reads += 1,
            Op::Write => self.counts.writes += 1,
        }
        if request.offset + len > self.bytes {
            return Err((IoErrorKind::Gone, format!("{MARKER}: the capacity is now {} bytes", self.bytes)));
        }
        let size = u64::from(self.geometry.logical());
        let first = request.offset / size;
        for (block, piece) in (first..).zip(request.buf.chunks_mut(self.geometry.logical() as usize)) {
            match request.op {
                Op::Read
                    if self.faults.unreadable.contains(&block)
                        || self.faults.unreadable_until_written.contains(&block) =>
                {
                    return Err((IoErrorKind::Media, format!("{MARKER}: block {block} cannot be read")));
                }
                Op::Read => self.cells.read(block * size, piece),
                Op::Write if self.faults.unwritable.contains(&block) => {
                    return Err((IoErrorKind::Media, format!("{MARKER}: block {block} cannot be written")));
                }
                Op::Write => self.write_block(block, size, piece),
            }
        }
        Ok(())
    }

    fn write_block(&mut self, block: u64, size: u64, bytes: &[u8]) {
        self.counts.remapped += u64::from(self.faults.unreadable_until_written.remove(&block));
        match self.faults.lies.get(&block) {
            None => self.cells.write(block * size, bytes),
            Some(Lie::Dropped) => {}
            Some(Lie::FlippedBit(bit)) => {
                let mut bytes = bytes.to_vec();
                let at = bit / 8 % bytes.len();
                bytes[at] ^= 1 << (bit % 8);
                self.cells.write(block * size, &bytes);
            }
            Some(Lie::WrittenTo(other)) => {
                let other = *other;
                self.cells.write(other * size, bytes);
            }
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere for a seed.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One claim on a [`SimDisk`].
#[derive(Debug)]
pub struct SimDrive {
    disk: SimDisk,
    geometry: Geometry,
    access: Access,
    depth: usize,
    cycle: u64,
    queue: VecDeque<Request>,
}

impl SimDrive {
    /// Who the disk says it is now; the claim compares it with the plan's.
    pub fn identity(&self) -> Identity {
        self.disk.identity()
    }
}

impl DataPlane for SimDrive {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn submit(&mut self, request: Request) -> Result<(), IoError> {
        admit(
            (request.op, request.offset, request.buf.len() as u64),
            self.geometry,
            self.access,
            self.queue.len(),
            self.depth,
        )?;
        self.queue.push_back(request);
        Ok(())
    }

    fn wait(&mut self, timeout: Duration) -> Result<Option<Completion>, IoError> {
        if self.queue.is_empty() {
            return Ok(None);
        }
        let mut state = self.disk.lock();
        let dead = state.cycle != self.cycle;
        if !dead && state.faults.hangs() {
            drop(state);
            thread::sleep(timeout);
            return Ok(None);
        }
        let delay = state.faults.delay;
        if !delay.is_zero() {
            drop(state);
            thread::sleep(delay.min(timeout));
            if delay > timeout {
                // The rest of the delay is forgiven: the next wait may find the request done.
                self.disk.lock().faults.delay = Duration::ZERO;
                return Ok(None);
            }
            state = self.disk.lock();
        }
        if let Some(other) = state.faults.due_exchange() {
            state.exchange_with(&other);
        }
        let at = if state.faults.reorders {
            usize::try_from(next_random(&mut state.random) % self.queue.len() as u64).unwrap_or(0)
        } else {
            0
        };
        let Some(mut request) = self.queue.remove(at) else { return Ok(None) };
        let result = if dead {
            Err((IoErrorKind::Gone, format!("{MARKER}: the power was cut")))
        } else {
            state.perform(&mut request)
        };
        let Request { op, offset, buf } = request;
        let len = buf.len() as u64;
        let result = result.map_err(|(kind, detail)| IoError::new(kind, op, offset, len, detail));
        Ok(Some(Completion { op, offset, buf, result }))
    }

    fn is_direct(&self) -> bool {
        !self.disk.lock().faults.through_a_cache
    }

    fn flush(&mut self) -> Result<(), IoError> {
        let mut state = self.disk.lock();
        if state.cycle != self.cycle || state.bytes == 0 {
            return Err(IoError::flush(IoErrorKind::Gone, format!("{MARKER}: the drive is gone")));
        }
        if state.faults.hangs() {
            return Err(IoError::flush(IoErrorKind::Hung, format!("{MARKER}: no answer")));
        }
        state.counts.flushes += 1;
        if state.faults.flush_fails {
            return Err(IoError::flush(IoErrorKind::Media, format!("{MARKER}: the cache cannot be written")));
        }
        if !state.faults.flush_lies {
            state.cells.flush();
        }
        Ok(())
    }

    fn make_zeros(&mut self, offset: u64, len: u64) -> Result<bool, IoError> {
        admit((Op::Write, offset, len), self.geometry, self.access, 0, self.depth)?;
        let mut state = self.disk.lock();
        let obeys = state.faults.makes_zeros.filter(|_| state.cycle == self.cycle && offset + len <= state.bytes);
        if obeys == Some(true) {
            let size = u64::from(self.geometry.logical());
            let zeros = vec![0; self.geometry.logical() as usize];
            (offset / size..(offset + len) / size).for_each(|block| state.write_block(block, size, &zeros));
        }
        Ok(obeys.is_some())
    }

    fn stated(&self) -> Option<Identity> {
        Some(self.disk.identity())
    }

    fn commands(&self) -> Option<Box<dyn CommandPlane>> {
        None
    }

    fn address(&self) -> Address {
        Address::default()
    }

    fn admin(&self) -> Option<(Box<dyn NvmeAdmin>, u32)> {
        None
    }

    fn discards(&self) -> bool {
        self.disk.lock().faults.discards.is_some()
    }

    fn discard(&mut self, offset: u64, len: u64) -> Result<(), IoError> {
        admit((Op::Write, offset, len), self.geometry, self.access, 0, self.depth)?;
        let mut state = self.disk.lock();
        if state.faults.discards.is_none() {
            return Err(IoError::new(IoErrorKind::Refused, Op::Write, offset, len, "the drive takes no discards"));
        }
        if state.faults.discards == Some(true) && state.cycle == self.cycle && offset + len <= state.bytes {
            let size = u64::from(self.geometry.logical());
            let zeros = vec![0; self.geometry.logical() as usize];
            (offset / size..(offset + len) / size).for_each(|block| state.write_block(block, size, &zeros));
        }
        Ok(())
    }
}

impl Drop for SimDrive {
    fn drop(&mut self) {
        let mut state = self.disk.lock();
        if state.cycle == self.cycle {
            state.claimed = false;
        }
    }
}

#[cfg(test)]
mod tests;
