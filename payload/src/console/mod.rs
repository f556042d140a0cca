//! What a person sees: the same run on a VGA text screen, on a serial line, on a host's terminal or in a file.
//!
//! The engine fills in a [`Snapshot`] and hands it to a [`Watcher`]; it knows nothing of screens. Everything printed is
//! ASCII, words carry the meaning, and colour only repeats it.

pub mod format;
mod host;
mod keys;
mod layout;
mod lines;
pub mod pages;
pub mod protocol;
pub mod rate;
mod screen;
mod terminal;

#[cfg(test)]
mod tests;

pub use host::for_host;
pub use keys::decode as decode_keys;
pub use lines::PlainLines;
pub use protocol::{Counts, Finished, RunOutcome};
pub use rate::Estimator;
pub use screen::Screen;
pub use terminal::Terminal;

use std::{io, time::Duration};

/// How good or bad something is; the colours are green, yellow and red.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Good,
    Warning,
    Bad,
}

/// Where a drive stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Waiting,
    Running,
    /// It goes on, but something is wrong: retries, a drive that does not answer.
    Trouble(String),
    /// Nothing more happens on it. The text is the outcome in words.
    Done(String, Severity),
}

/// One drive at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriveLine {
    /// The kernel's name, `sda`.
    pub name: String,
    /// Where it is plugged in, as far as known.
    pub port: String,
    pub model: String,
    pub serial: String,
    /// Capacity.
    pub bytes: u64,
    /// What is being done: `pass 2/3 write FF`, `verify`.
    pub step: String,
    /// Bytes over all sweeps, verification included.
    pub done: u64,
    /// What `done` will be at the end.
    pub total: u64,
    /// Bytes per second in the last seconds.
    pub rate_now: u64,
    /// Bytes per second since this run began.
    pub rate_avg: u64,
    /// `None` where it cannot be told.
    pub eta: Option<Duration>,
    /// Bad blocks met so far.
    pub defects: u64,
    /// Degrees Celsius.
    pub temperature: Option<u8>,
    pub state: State,
}

/// The whole run at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// What the job is: `Wipe, DoD 5220.22-M, 3 passes ("E"), full verification`.
    pub title: String,
    pub drives: Vec<DriveLine>,
    /// Since the run began.
    pub elapsed: Duration,
    /// One line for the person, or empty.
    pub message: String,
}

/// A key a person pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A printable ASCII character.
    Char(char),
    Enter,
    Escape,
    /// Arrows, function keys and the like.
    Other,
}

/// How a line of a page looks where there is colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Heading,
    Marked(Severity),
    /// The whole line on a coloured background.
    Banner(Severity),
}

/// One line of a page, printable ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    pub style: Style,
}

/// A page of text, shown as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    pub lines: Vec<Line>,
    /// Seconds left, on a page that is shown again every second: line printers then print only these.
    pub countdown: Option<u64>,
}

impl Page {
    /// Adds a line in a style; what cannot be printed is escaped.
    pub fn push(&mut self, style: Style, text: impl AsRef<str>) {
        self.lines.push(Line { text: format::printable(text.as_ref()), style });
    }

    /// Adds a plain line.
    pub fn text(&mut self, text: impl AsRef<str>) {
        self.push(Style::Plain, text);
    }

    /// Adds a text of any length as plain lines of at most `width` columns.
    pub fn wrapped(&mut self, style: Style, text: &str, width: usize) {
        for line in format::wrap(text, width) {
            self.push(style, line);
        }
    }
}

/// Shows a run. No call may fail, block for long, or influence the run.
pub trait Watcher {
    /// The state of the run; called several times a second.
    fn update(&mut self, snapshot: &Snapshot);
    /// A line of [`protocol`], for programs: serial lines and files show it as it is, screens do not.
    fn machine(&mut self, line: &str);
    /// Something worth knowing, once.
    fn note(&mut self, text: &str);
    /// Something is wrong, once.
    fn problem(&mut self, text: &str);
    /// Shows a page in place of what was there.
    fn show(&mut self, page: &Page);
    /// The next key a person pressed, if any; never waits.
    fn key(&mut self) -> Option<Key>;
    /// The last call before the machine stops or the program ends: sends what is held back, for a bounded time.
    fn finish(&mut self) {}
}

/// What a [`Watcher`] draws on: a text line or screen that may be slow, broken or without a keyboard.
pub trait Tty: io::Write {
    /// The next key, if any; never waits.
    fn pressed(&mut self) -> Option<Key> {
        None
    }
    /// Whether output was lost since the last call, so that what is on the screen is unknown.
    fn lost_output(&mut self) -> bool {
        false
    }
    /// Columns and rows.
    fn size(&self) -> (usize, usize) {
        (80, 25)
    }
    /// Sends what is held back, for a bounded time.
    fn drain(&mut self) {}
}

/// For tests.
impl Tty for Vec<u8> {}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Watcher for Silent {
    fn update(&mut self, _: &Snapshot) {}
    fn machine(&mut self, _: &str) {}
    fn note(&mut self, _: &str) {}
    fn problem(&mut self, _: &str) {}
    fn show(&mut self, _: &Page) {}
    fn key(&mut self) -> Option<Key> {
        None
    }
}

/// Remembers everything; `keys` are what a person will have pressed.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    pub updates: Vec<Snapshot>,
    pub machine: Vec<String>,
    pub notes: Vec<String>,
    pub problems: Vec<String>,
    pub pages: Vec<Page>,
    pub keys: std::collections::VecDeque<Key>,
}

impl Watcher for Recording {
    fn update(&mut self, snapshot: &Snapshot) {
        self.updates.push(snapshot.clone());
    }
    fn machine(&mut self, line: &str) {
        self.machine.push(line.to_owned());
    }
    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }
    fn problem(&mut self, text: &str) {
        self.problems.push(text.to_owned());
    }
    fn show(&mut self, page: &Page) {
        self.pages.push(page.clone());
    }
    fn key(&mut self) -> Option<Key> {
        self.keys.pop_front()
    }
}

/// Several watchers as one; a key may come from any of them.
#[derive(Default)]
pub struct Everywhere(pub Vec<Box<dyn Watcher + Send>>);

impl std::fmt::Debug for Everywhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Everywhere({})", self.0.len())
    }
}

impl Watcher for Everywhere {
    fn update(&mut self, snapshot: &Snapshot) {
        self.0.iter_mut().for_each(|watcher| watcher.update(snapshot));
    }
    fn machine(&mut self, line: &str) {
        self.0.iter_mut().for_each(|watcher| watcher.machine(line));
    }
    fn note(&mut self, text: &str) {
        self.0.iter_mut().for_each(|watcher| watcher.note(text));
    }
    fn problem(&mut self, text: &str) {
        self.0.iter_mut().for_each(|watcher| watcher.problem(text));
    }
    fn show(&mut self, page: &Page) {
        self.0.iter_mut().for_each(|watcher| watcher.show(page));
    }
    fn key(&mut self) -> Option<Key> {
        // Every one is asked, so that each can send what it still holds back.
        let keys: Vec<_> = self.0.iter_mut().map(|watcher| watcher.key()).collect();
        keys.into_iter().flatten().next()
    }
    fn finish(&mut self) {
        self.0.iter_mut().for_each(|watcher| watcher.finish());
    }
}
