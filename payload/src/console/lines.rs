//! Plain lines: for serial consoles, pipes and files. No escape sequences, nothing is ever redrawn.

use super::{DriveLine, Key, Page, Snapshot, State, Tty, Watcher, format, layout, protocol};
use std::{borrow::Cow, time::Duration};

/// Prints a line for each drive when its step or state changes, and otherwise once in an interval.
#[derive(Debug)]
pub struct PlainLines<T> {
    tty: T,
    interval: Duration,
    drives: Vec<Printed>,
    counting: bool,
}

/// What was last printed of a drive.
#[derive(Debug)]
struct Printed {
    name: String,
    step: String,
    state: State,
    defects: bool,
    at: Duration,
}

impl<T: Tty> PlainLines<T> {
    /// At most one line for each drive in `interval`, but for changes.
    pub fn new(tty: T, interval: Duration) -> Self {
        Self { tty, interval, drives: Vec::new(), counting: false }
    }

    fn print(&mut self, text: &str) {
        // One write for each line, so that a line is lost as a whole or not at all. A console that is gone is no reason to stop.
        let _ = self.tty.write_all(format!("{text}\n").as_bytes());
        let _ = self.tty.flush();
    }

    /// Whether the drive's line is due.
    fn is_due(&self, drive: &DriveLine, now: Duration) -> bool {
        let Some(last) = self.drives.iter().find(|last| last.name == drive.name) else { return true };
        let changed = last.state != drive.state || last.step != drive.step || last.defects != (drive.defects > 0);
        let resting = matches!(drive.state, State::Waiting | State::Done(..));
        changed || (!resting && now.saturating_sub(last.at) >= self.interval)
    }

    fn remember(&mut self, drive: &DriveLine, now: Duration) {
        self.drives.retain(|last| last.name != drive.name);
        self.drives.push(Printed {
            name: drive.name.clone(),
            step: drive.step.clone(),
            state: drive.state.clone(),
            defects: drive.defects > 0,
            at: now,
        });
    }
}

impl<T: Tty> Watcher for PlainLines<T> {
    fn update(&mut self, snapshot: &Snapshot) {
        let now = snapshot.elapsed;
        for drive in &snapshot.drives {
            if self.is_due(drive, now) {
                self.print(&format!("[{:>8}] {}", format::duration(now), layout::sentence(drive)));
                self.remember(drive, now);
            }
        }
    }

    fn machine(&mut self, line: &str) {
        self.print(&format::printable(line));
    }

    fn note(&mut self, text: &str) {
        self.print(&apart(&format::printable(text)));
    }

    fn problem(&mut self, text: &str) {
        self.print(&format!("! {}", format::printable(text)));
    }

    fn show(&mut self, page: &Page) {
        if let (true, Some(seconds)) = (self.counting, page.countdown) {
            if seconds <= 5 || seconds.is_multiple_of(10) {
                self.print(&format!("{seconds} s ..."));
            }
            return;
        }
        self.counting = page.countdown.is_some();
        self.print("");
        page.lines.iter().for_each(|line| self.print(&apart(line.text.trim_end())));
    }

    fn key(&mut self) -> Option<Key> {
        self.tty.pressed()
    }

    fn finish(&mut self) {
        self.tty.drain();
    }
}

/// A line for a person, told apart from the lines for programs ([`super::protocol`]), which alone begin like this.
fn apart(text: &str) -> Cow<'_, str> {
    if protocol::is_like(text) { format!(" {text}").into() } else { text.into() }
}

#[cfg(test)]
impl PlainLines<Vec<u8>> {
    /// Everything written so far.
    pub(super) fn output(&self) -> &str {
        str::from_utf8(&self.tty).unwrap()
    }
}
