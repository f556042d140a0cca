//! A command on its way: taken from its queue, with the drive, not yet given back.

use crate::{
    request::{self, RESPONSE, Targets},
    slot::Slot,
};
use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use vhost_user_backend::{VringRwLock, VringT};
use virtio_queue::{DescriptorChain, QueueT};
use vm_memory::{GuestAddressSpace, GuestMemoryAtomic, GuestMemoryMmap};

pub(crate) type Memory = GuestMemoryAtomic<GuestMemoryMmap>;
pub(crate) type Chain = DescriptorChain<<Memory as GuestAddressSpace>::T>;

pub(crate) struct Flight {
    pub(crate) target: usize,
    /// What the guest calls it.
    pub(crate) tag: u64,
    pub(crate) vring: VringRwLock,
    pub(crate) chain: Chain,
    /// Given back, or never to be: by whoever sets it.
    answered: AtomicBool,
}

impl Flight {
    pub(crate) fn new(target: usize, tag: u64, vring: VringRwLock, chain: Chain) -> Self {
        Self { target, tag, vring, chain, answered: AtomicBool::new(false) }
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Acquire)
    }

    /// Whether the caller is the one to give it back.
    fn claim(&self) -> bool {
        !self.answered.swap(true, Ordering::AcqRel)
    }

    /// Its guest is gone: nobody is to hear of it.
    pub(crate) fn forget(&self) {
        self.claim();
    }

    /// Runs it, as long as that takes.
    pub(crate) fn perform(&self, drives: &Targets) {
        if self.is_answered() {
            return;
        }
        let memory = self.chain.memory();
        let run = || {
            let mut from = self.chain.clone().reader(memory).map_err(io::Error::other)?;
            let to = self.chain.clone().writer(memory).map_err(io::Error::other)?;
            command(drives, &mut from, to, || self.claim())
        };
        match run() {
            Ok(None) => {}
            Ok(Some(written)) => self.give_back(written),
            // A request that cannot be read is given back unanswered: the guest's driver, not the drive, is at fault.
            Err(error) => {
                eprintln!("drive-host: a request of the guest could not be answered: {error}");
                self.give_back(0);
            }
        }
    }

    /// Gives it back without what the drive will say, where that has not happened yet.
    pub(crate) fn abort(&self, response: u8) {
        if !self.claim() {
            return;
        }
        let memory = self.chain.memory();
        let written = self.chain.clone().writer(memory).map_err(io::Error::other).and_then(|mut to| {
            to.write_all(&request::without_drive(response))?;
            Ok(to.bytes_written())
        });
        self.give_back(written.unwrap_or(0));
    }

    fn give_back(&self, written: usize) {
        if let Err(error) = give_back(&self.vring, self.chain.head_index(), written) {
            eprintln!("drive-host: a request could not be given back: {error}");
        }
    }
}

/// Runs a command. Its answer is written, and its length said, only where `claim` then says so.
pub(crate) fn command(
    drives: &[Slot],
    from: &mut virtio_queue::Reader<'_>,
    mut head: virtio_queue::Writer<'_>,
    claim: impl FnOnce() -> bool,
) -> io::Result<Option<usize>> {
    let mut data = head.split_at(RESPONSE).map_err(io::Error::other)?;
    let lens = (from.available_bytes().saturating_sub(request::COMMAND), data.available_bytes());
    let done = request::command(drives, from, lens)?;
    if !claim() {
        return Ok(None);
    }
    head.write_all(&done.head)?;
    data.write_all(&done.data)?;
    Ok(Some(head.bytes_written() + data.bytes_written()))
}

/// Puts a request among those that are done. A queue that the guest has stopped takes none.
pub(crate) fn give_back(vring: &VringRwLock, head: u16, written: usize) -> io::Result<()> {
    if !vring.get_ref().get_queue().ready() {
        return Ok(());
    }
    vring.add_used(head, u32::try_from(written).unwrap_or(u32::MAX)).map_err(io::Error::other)?;
    if vring.needs_notification().map_err(io::Error::other)? {
        vring.signal_used_queue()?;
    }
    Ok(())
}

/// Starts the thread of a drive; it ends with the sender.
pub(crate) fn start_worker(number: usize, drives: Arc<Targets>) -> io::Result<std::sync::mpsc::Sender<Arc<Flight>>> {
    let (sender, receiver) = std::sync::mpsc::channel::<Arc<Flight>>();
    std::thread::Builder::new().name(format!("drive {number}")).spawn(move || {
        for flight in receiver {
            flight.perform(&drives);
        }
    })?;
    Ok(sender)
}
