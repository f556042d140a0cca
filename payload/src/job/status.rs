//! What the threads of a run share: one status for each drive, one log, one wish to stop.

use super::facts::Heat;
use crate::journal::{
    Journal, JournalError,
    event::{Event, JobId, Progress, Sweep},
};
use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
    mpsc::Sender,
};

/// Where a drive's part stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    Waiting,
    Running,
    /// Its outcome word and why.
    Over(crate::journal::event::Outcome, String),
}

/// What the run's main loop shows of one drive.
#[derive(Debug, Clone)]
pub struct Shown {
    pub stage: Stage,
    /// `pass 2 of 3: FF`.
    pub step: String,
    /// Bytes dealt with, of all passes and the verification.
    pub done: u64,
    pub total: u64,
    pub defects: u64,
    /// How hot the drive got.
    pub heat: Heat,
    checkpoint: Option<(Sweep, u64)>,
}

/// One drive's status, written by its thread and read by the main loop.
#[derive(Debug)]
pub struct Status(Mutex<Shown>);

/// A poisoned lock only means that another thread panicked; the numbers in it are whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Status {
    pub fn new(total: u64) -> Self {
        let step = String::new();
        let (stage, heat) = (Stage::Waiting, Heat::default());
        Self(Mutex::new(Shown { stage, step, done: 0, total, defects: 0, heat, checkpoint: None }))
    }

    pub fn update(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut lock(&self.0));
    }

    pub fn shown(&self) -> Shown {
        lock(&self.0).clone()
    }

    /// Everything before `offset` is on the medium: to be logged with the next checkpoint.
    pub fn reached(&self, sweep: Sweep, offset: u64) {
        lock(&self.0).checkpoint = Some((sweep, offset));
    }

    /// The progress that was not logged yet.
    pub fn take_progress(&self, slot: u8) -> Option<Progress> {
        lock(&self.0).checkpoint.take().map(|(sweep, offset)| Progress { slot, sweep, offset })
    }
}

/// What a drive's thread has to say to the main loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The first write to this drive is about to happen.
    Writing(String),
    /// Worth a line.
    Note(String),
    /// Worth a person's attention.
    Problem(String),
}

/// The log as the threads of a run see it. An entry that cannot be written stops the run.
pub struct Log {
    journal: Mutex<Option<Journal>>,
    lost: Mutex<Option<String>>,
    stop: AtomicBool,
    asked: AtomicBool,
    clock: fn() -> u64,
    messages: Mutex<Option<Sender<Message>>>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("lost", &self.lost).field("stop", &self.stop).finish_non_exhaustive()
    }
}

impl Log {
    pub fn new(journal: Journal, clock: fn() -> u64) -> Self {
        Self {
            journal: Mutex::new(Some(journal)),
            lost: Mutex::new(None),
            stop: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            clock,
            messages: Mutex::new(None),
        }
    }

    /// Milliseconds since 1970 by the machine's clock.
    pub fn now(&self) -> u64 {
        (self.clock)()
    }

    /// Writes an entry and returns when it is on the medium.
    pub fn append(&self, event: &Event) -> Result<(), JournalError> {
        let now = self.now();
        let result = match &mut *lock(&self.journal) {
            Some(journal) => journal.append(now, event).map(|_| ()),
            None => return Err(JournalError::Poisoned("the run is over".into())),
        };
        if let Err(error) = &result {
            lock(&self.lost).get_or_insert_with(|| error.to_string());
            self.stop.store(true, Ordering::Relaxed);
        }
        result
    }

    /// Work with the journal itself, between entries.
    /// `None` when the run is over.
    pub fn with<T>(&self, work: impl FnOnce(&mut Journal) -> T) -> Option<T> {
        lock(&self.journal).as_mut().map(work)
    }

    /// The journal, when the run is over; a thread that still hangs in its drive logs nothing any more.
    pub fn take_journal(&self) -> Option<Journal> {
        lock(&self.journal).take()
    }

    /// A person or the machine asks for a stop.
    pub fn ask_to_stop(&self) {
        self.asked.store(true, Ordering::Relaxed);
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether every drive is to stop now.
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Why the run stopped, in words.
    pub fn why_stopped(&self) -> String {
        match &*lock(&self.lost) {
            Some(error) => format!("the log could not be written: {error}"),
            None => "it was stopped at the console".into(),
        }
    }

    /// The error that stopped the run, where the log was the cause.
    pub fn lost(&self) -> Option<String> {
        lock(&self.lost).clone()
    }

    /// Where messages go.
    pub fn listen(&self, to: Option<Sender<Message>>) {
        *lock(&self.messages) = to;
    }

    /// Tells the main loop; nobody listening is no error.
    pub fn tell(&self, message: Message) {
        if let Some(to) = &*lock(&self.messages) {
            let _ = to.send(message);
        }
    }

    /// Logs how far the drives have come, in as few frames as hold it.
    pub fn checkpoint(&self, job: JobId, progress: &[Progress]) -> Result<(), JournalError> {
        for part in progress.chunks(crate::journal::event::CHECKPOINT_DRIVES) {
            let drives = part.iter().copied().collect();
            self.append(&Event::Checkpoint { job, drives })?;
        }
        Ok(())
    }
}
