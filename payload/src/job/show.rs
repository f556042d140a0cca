//! From the numbers of a run to what a person sees of it.

use super::status::{Message, Shown, Stage};
use crate::{
    console::{DriveLine, Estimator, Key, Severity, Snapshot, State, Watcher, protocol},
    discover::Drive,
    journal::event::Outcome,
};
use std::time::{Duration, Instant};

/// Escape must be pressed twice within this time: a sleeve on the keyboard stops nothing.
const SECOND_ESCAPE: Duration = Duration::from_secs(5);

/// Shows a run on a watcher, and listens for the wish to stop.
pub struct Show<'a> {
    watcher: &'a mut dyn Watcher,
    title: String,
    estimators: Vec<Estimator>,
    escape: Option<Instant>,
}

impl std::fmt::Debug for Show<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Show").field("title", &self.title).finish_non_exhaustive()
    }
}

/// The outcome in a person's words.
pub fn outcome_words(outcome: Outcome) -> (&'static str, Severity) {
    match outcome {
        Outcome::Erased => ("ERASED", Severity::Good),
        Outcome::ErasedWithExceptions => ("ERASED WITH EXCEPTIONS", Severity::Warning),
        Outcome::Failed => ("FAILED", Severity::Bad),
        Outcome::Interrupted => ("INTERRUPTED", Severity::Warning),
        Outcome::Imaged => ("IMAGED", Severity::Good),
        Outcome::ImagedWithExceptions => ("IMAGED WITH EXCEPTIONS", Severity::Warning),
        Outcome::Restored => ("RESTORED", Severity::Good),
        Outcome::RestoredWithExceptions => ("RESTORED WITH EXCEPTIONS", Severity::Warning),
        Outcome::Cloned => ("CLONED", Severity::Good),
        Outcome::ClonedWithExceptions => ("CLONED WITH EXCEPTIONS", Severity::Warning),
        Outcome::Verified => ("VERIFIED", Severity::Good),
        Outcome::Differs => ("DIFFERS", Severity::Bad),
        Outcome::Discarded => ("DISCARDED, NOT ERASED", Severity::Warning),
    }
}

impl<'a> Show<'a> {
    pub fn new(watcher: &'a mut dyn Watcher, title: String, drives: usize) -> Self {
        Self { watcher, title, estimators: (0..drives).map(|_| Estimator::default()).collect(), escape: None }
    }

    /// The state of all drives; called about four times a second.
    pub fn update<'d>(&mut self, drives: impl Iterator<Item = (&'d Drive, Shown)>, elapsed: Duration) {
        let estimators = self.estimators.iter_mut();
        let drives = drives.zip(estimators).map(|((drive, shown), rate)| line(drive, &shown, rate, elapsed)).collect();
        let message = match self.escape {
            Some(_) => "Press Escape again to stop all drives; they will be certified as interrupted.",
            None => "Escape twice stops the run.",
        };
        self.watcher.update(&Snapshot { title: self.title.clone(), drives, elapsed, message: message.into() });
    }

    pub fn message(&mut self, message: &Message) {
        match message {
            Message::Writing(serial) => self.watcher.machine(&protocol::writing(serial)),
            Message::Note(text) => self.watcher.note(text),
            Message::Problem(text) => self.watcher.problem(text),
        }
    }

    /// Whether the person pressed Escape twice.
    pub fn wants_stop(&mut self) -> bool {
        self.escape = self.escape.filter(|at| at.elapsed() < SECOND_ESCAPE);
        let pressed = self.watcher.key() == Some(Key::Escape);
        if pressed && self.escape.is_some() {
            return true;
        }
        if pressed {
            self.escape = Some(Instant::now());
        }
        false
    }
}

fn line(drive: &Drive, shown: &Shown, rate: &mut Estimator, elapsed: Duration) -> DriveLine {
    let state = match &shown.stage {
        Stage::Waiting => State::Waiting,
        Stage::Running => State::Running,
        Stage::Over(outcome, reason) => {
            let (word, severity) = outcome_words(*outcome);
            let text = if reason.is_empty() { word.into() } else { format!("{word}: {reason}") };
            State::Done(text, severity)
        }
    };
    if shown.stage == Stage::Running {
        rate.record(elapsed, shown.done);
    }
    DriveLine {
        name: drive.name.clone(),
        port: drive.port.clone(),
        model: drive.identity.model.clone(),
        serial: drive.identity.serial.clone(),
        bytes: drive.identity.bytes,
        step: shown.step.clone(),
        done: shown.done,
        total: shown.total,
        rate_now: rate.now(),
        rate_avg: rate.average(),
        eta: rate.eta(shown.total),
        defects: shown.defects,
        temperature: None,
        state,
    }
}
