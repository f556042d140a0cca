//! The vhost-user side: queues in the guest's memory, one worker for control and one for commands.

use crate::{
    request::{self, RESPONSE},
    target::Target,
};
use std::{
    io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use vhost::vhost_user::message::{VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost_user_backend::{VhostUserBackend, VringRwLock, VringT};
use virtio_queue::QueueOwnedT;
use vm_memory::{GuestAddressSpace, GuestMemoryAtomic, GuestMemoryMmap};
use vmm_sys_util::{
    epoll::EventSet,
    event::{EventConsumer, EventFlag, EventNotifier, new_event_consumer_and_notifier},
};

/// Feature bits (virtio 1.2, sections 5.6.3 and 6).
const HOTPLUG: u64 = 1 << 1;
const CHANGE: u64 = 1 << 2;
const ANY_LAYOUT: u64 = 1 << 27;
const INDIRECT_DESC: u64 = 1 << 28;
const EVENT_IDX: u64 = 1 << 29;
const VERSION_1: u64 = 1 << 32;

/// Control and event queue come before the queues of commands.
const FIXED_QUEUES: usize = 2;
/// Queues of commands offered; QEMU makes one for each processor.
const COMMAND_QUEUES: usize = 8;
/// Entries of a queue.
const QUEUE_SIZE: usize = 1024;

type Memory = GuestMemoryAtomic<GuestMemoryMmap>;

/// The drives and what is known of the guest. The drives outlive a guest.
#[derive(Debug)]
pub struct Host {
    targets: Mutex<Vec<Box<dyn Target>>>,
    memory: Mutex<Option<Memory>>,
    event_idx: AtomicBool,
}

impl Host {
    /// Serves these drives; their places are their target numbers.
    pub fn new(targets: Vec<Box<dyn Target>>) -> Self {
        Self { targets: Mutex::new(targets), memory: Mutex::new(None), event_idx: AtomicBool::new(false) }
    }

    /// The drives, between two commands.
    pub fn targets(&self) -> MutexGuard<'_, Vec<Box<dyn Target>>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers what waits in a queue; whether anything did.
    fn drain(&self, vring: &VringRwLock, control: bool) -> io::Result<bool> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(memory) = memory else { return Ok(false) };
        let mut any = false;
        loop {
            let memory = memory.memory();
            let next = vring.get_mut().get_queue_mut().iter(memory.clone()).map_err(io::Error::other)?.next();
            let Some(chain) = next else { return Ok(any) };
            let head = chain.head_index();
            let mut from = chain.clone().reader(&*memory).map_err(io::Error::other)?;
            let mut to = chain.writer(&*memory).map_err(io::Error::other)?;
            let written = if control {
                request::control(&mut self.targets(), &mut from, &mut to).map(|()| to.bytes_written())
            } else {
                self.command(&mut from, to)
            };
            // A request that cannot be read is given back unanswered: the guest's driver, not the drive, is at fault.
            let written = written.unwrap_or_else(|error| {
                eprintln!("drive-host: a request of the guest could not be answered: {error}");
                0
            });
            vring.add_used(head, u32::try_from(written).unwrap_or(u32::MAX)).map_err(io::Error::other)?;
            if vring.needs_notification().map_err(io::Error::other)? {
                vring.signal_used_queue()?;
            }
            any = true;
        }
    }

    fn command(&self, from: &mut virtio_queue::Reader<'_>, mut head: virtio_queue::Writer<'_>) -> io::Result<usize> {
        let mut data = head.split_at(RESPONSE).map_err(io::Error::other)?;
        let lens = (from.available_bytes().saturating_sub(request::COMMAND), data.available_bytes());
        request::command(&mut self.targets(), from, lens, &mut head, &mut data)?;
        Ok(head.bytes_written() + data.bytes_written())
    }
}

impl VhostUserBackend for Host {
    type Bitmap = ();
    type Vring = VringRwLock;

    fn num_queues(&self) -> usize {
        FIXED_QUEUES + COMMAND_QUEUES
    }

    fn max_queue_size(&self) -> usize {
        QUEUE_SIZE
    }

    /// QEMU offers the guest `HOTPLUG`, `CHANGE` and `ANY_LAYOUT` whatever is said here, and the crate refuses what was not
    /// said; the first two announce events, and none ever comes.
    fn features(&self) -> u64 {
        VERSION_1
            | EVENT_IDX
            | INDIRECT_DESC
            | ANY_LAYOUT
            | HOTPLUG
            | CHANGE
            | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::MQ | VhostUserProtocolFeatures::REPLY_ACK
    }

    fn set_event_idx(&self, enabled: bool) {
        self.event_idx.store(enabled, Ordering::Release);
    }

    fn update_memory(&self, memory: Memory) -> io::Result<()> {
        *self.memory.lock().unwrap_or_else(PoisonError::into_inner) = Some(memory);
        Ok(())
    }

    /// The event queue stays with the control queue: a slow command must not keep a reset waiting.
    fn queues_per_thread(&self) -> Vec<u64> {
        let all = (1 << self.num_queues()) - 1;
        let fixed = (1 << FIXED_QUEUES) - 1;
        vec![fixed, all & !fixed]
    }

    /// Workers end with their guest; without this, dropping the daemon would wait for them for ever.
    fn exit_event(&self, _: usize) -> Option<(EventConsumer, EventNotifier)> {
        new_event_consumer_and_notifier(EventFlag::NONBLOCK | EventFlag::CLOEXEC).ok()
    }

    fn handle_event(&self, queue: u16, _: EventSet, vrings: &[VringRwLock], thread: usize) -> io::Result<()> {
        let control = thread == 0;
        let Some(vring) = vrings.get(usize::from(queue)).filter(|_| !control || queue == 0) else { return Ok(()) };
        if !self.event_idx.load(Ordering::Acquire) {
            return self.drain(vring, control).map(drop);
        }
        loop {
            vring.disable_notification().map_err(io::Error::other)?;
            self.drain(vring, control)?;
            // A request may have come between the last look and the guest being asked to notify again.
            if !vring.enable_notification().map_err(io::Error::other)? {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests;
