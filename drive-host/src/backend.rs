//! The vhost-user side: queues in the guest's memory, one worker for control, one for commands, and one for each
//! drive, so that a slow one keeps no other waiting.

use crate::{
    flight::{self, Chain, Flight, Memory},
    request::{self, Ends, Targets},
    slot::Slot,
    target::Target,
};
use anyhow::{Context, Result};
use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::Sender,
    },
};
use vhost::vhost_user::message::{VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost_user_backend::{VhostUserBackend, VringRwLock, VringT};
use virtio_queue::QueueOwnedT;
use vm_memory::GuestAddressSpace;
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

/// The drives and what is known of the guest. The drives outlive a guest.
#[derive(Debug)]
pub struct Host {
    drives: Arc<Targets>,
    /// The way to the worker of each drive.
    workers: Mutex<Vec<Sender<Arc<Flight>>>>,
    /// Commands that may not be answered yet.
    flights: Mutex<Flights>,
    memory: Mutex<Option<Memory>>,
    event_idx: AtomicBool,
}

#[derive(Default)]
struct Flights(Vec<Arc<Flight>>);

impl std::fmt::Debug for Flights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} flights", self.0.len())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Host {
    /// Serves these drives; their places are their target numbers.
    ///
    /// # Errors
    /// Where there can be no thread for each.
    pub fn new(targets: Vec<Box<dyn Target>>) -> io::Result<Self> {
        let drives: Arc<Targets> = targets.into_iter().map(Slot::new).collect();
        let workers: io::Result<Vec<_>> =
            (0..drives.len()).map(|number| flight::start_worker(number, Arc::clone(&drives))).collect();
        Ok(Self {
            drives,
            workers: Mutex::new(workers?),
            flights: Mutex::default(),
            memory: Mutex::new(None),
            event_idx: AtomicBool::new(false),
        })
    }

    fn drive(&self, number: usize) -> Result<&Slot> {
        self.drives.get(number).with_context(|| format!("no target {number}"))
    }

    /// Takes the supply of a drive away and gives it back, whatever the drive is at.
    ///
    /// # Errors
    /// Where there is no such drive.
    pub fn power_cycle(&self, number: usize) -> Result<()> {
        self.drive(number).map(Slot::power_cycle)
    }

    /// Puts another drive into the place of one, as a dock does that stays where it is; the guest is not told.
    ///
    /// # Errors
    /// Where there is no such place.
    pub fn exchange(&self, number: usize, target: Box<dyn Target>) -> Result<()> {
        self.drive(number).map(|slot| slot.exchange(target))
    }

    /// Changes a number of a drive's.
    ///
    /// # Errors
    /// Where there is no such drive, or it has no such number.
    pub fn set(&self, number: usize, name: &str, value: u64) -> Result<()> {
        self.drive(number)?.set(name, value)
    }

    /// The guest is gone, or starts anew: it hears of no command that it gave before.
    pub fn forget_guest(&self) {
        lock(&self.flights).0.drain(..).for_each(|flight| flight.forget());
        self.drives.iter().for_each(Slot::reset);
    }

    /// Answers or sends on what waits in a queue.
    fn drain(&self, vring: &VringRwLock, control: bool) -> io::Result<()> {
        let Some(memory) = lock(&self.memory).clone() else { return Ok(()) };
        loop {
            let next = vring.get_mut().get_queue_mut().iter(memory.memory()).map_err(io::Error::other)?.next();
            let Some(chain) = next else { return Ok(()) };
            if control { self.control(vring, &chain)? } else { self.take_off(vring, chain)? }
        }
    }

    fn control(&self, vring: &VringRwLock, chain: &Chain) -> io::Result<()> {
        let mut from = chain.clone().reader(chain.memory()).map_err(io::Error::other)?;
        let mut to = chain.clone().writer(chain.memory()).map_err(io::Error::other)?;
        match request::control(&self.drives, &mut from, &mut to) {
            Ok(ends) => ends.iter().for_each(|ends| self.end(ends)),
            Err(error) => eprintln!("drive-host: a control request could not be answered: {error}"),
        }
        flight::give_back(vring, chain.head_index(), to.bytes_written())
    }

    /// The guest must not hear of these commands after it heard that they are ended.
    fn end(&self, ends: &Ends) {
        let flights = lock(&self.flights);
        let meant =
            |flight: &&Arc<Flight>| flight.target == ends.target && ends.tag.is_none_or(|tag| tag == flight.tag);
        flights.0.iter().filter(meant).for_each(|flight| flight.abort(ends.response));
        if let (true, Some(drive)) = (ends.reset, self.drives.get(ends.target)) {
            drive.reset();
        }
    }

    /// Hands a command to the worker of its drive; one for no drive is answered here.
    fn take_off(&self, vring: &VringRwLock, chain: Chain) -> io::Result<()> {
        let mut from = chain.clone().reader(chain.memory()).map_err(io::Error::other)?;
        let (target, tag) = request::address(&self.drives, &mut from).unwrap_or((None, 0));
        let flight = Arc::new(Flight::new(target.unwrap_or(usize::MAX), tag, vring.clone(), chain));
        let workers = lock(&self.workers);
        let Some(worker) = target.and_then(|number| workers.get(number)) else {
            flight.perform(&self.drives);
            return Ok(());
        };
        let mut flights = lock(&self.flights);
        flights.0.retain(|flight| !flight.is_answered());
        flights.0.push(Arc::clone(&flight));
        worker.send(flight).map_err(io::Error::other)
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

    /// This comes once, when a guest's driver starts.
    fn set_event_idx(&self, enabled: bool) {
        self.forget_guest();
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
            return self.drain(vring, control);
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
