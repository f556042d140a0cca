//! The pages around a run: start, drives, countdown, error, end.

use super::{
    Counts, Key, Page, RunOutcome, Severity, Style,
    format::{exact, fit, grouped, size},
};

/// Columns a page is written for: one less than a VGA text screen has.
const WIDTH: usize = 79;
/// Most drives on a page that must fit a screen whole.
const WHOLE: usize = 15;

/// What is known when the machine has started.
#[derive(Debug, Clone, Default)]
pub struct Start {
    pub version: String,
    pub kernel: String,
    /// The stick's id.
    pub stick: String,
    /// The machine's clock, UTC.
    pub clock: String,
    /// What is wrong with the clock.
    pub clock_warning: Option<String>,
    /// Board, firmware.
    pub board: String,
    /// Bytes of memory.
    pub memory: u64,
}

/// The first page.
pub fn start(start: &Start) -> Page {
    let mut page = Page::default();
    page.push(Style::Heading, format!("MULE {} - erases, verifies and certifies whole disks", start.version));
    let rows = [
        ("stick", start.stick.clone()),
        ("clock", format!("{} UTC", start.clock)),
        ("machine", start.board.clone()),
        ("memory", format!("{} MiB", grouped(start.memory >> 20))),
        ("kernel", start.kernel.clone()),
    ];
    for (key, value) in rows.into_iter().filter(|(_, value)| !value.is_empty()) {
        page.text(fit(&format!("  {key:<8} {value}"), WIDTH).trim_end());
    }
    if let Some(warning) = &start.clock_warning {
        page.wrapped(Style::Marked(Severity::Warning), warning, WIDTH);
    }
    page.text("");
    page
}

/// A drive before a run.
#[derive(Debug, Clone, Default)]
pub struct Found {
    pub name: String,
    pub model: String,
    pub serial: String,
    pub bytes: u64,
    pub logical: u32,
    /// `ATA`, `NVMe`, `USB`, ...
    pub bus: String,
    /// Where it is plugged in.
    pub port: String,
    /// Why it is not a target.
    pub refusal: Option<String>,
    /// Health and the like, or empty.
    pub remark: String,
}

/// Every drive, the refused ones with their reason; `hints` say why a drive may be missing.
pub fn drives(found: &[Found], hints: &[String]) -> Page {
    let mut page = Page::default();
    let usable = found.iter().filter(|drive| drive.refusal.is_none()).count();
    page.push(Style::Heading, format!("{} drives found, {usable} can be erased", found.len()));
    page.push(Style::Heading, row("drive", "size", "model", "serial number", "bus", ""));
    for drive in found {
        let size = size(drive.bytes);
        let state = if drive.refusal.is_some() { "REFUSED" } else { "ready" };
        let style = if drive.refusal.is_some() { Style::Marked(Severity::Warning) } else { Style::Plain };
        page.push(style, row(&drive.name, &size, &drive.model, or_dash(&drive.serial), &drive.bus, state));
        let refusal = drive.refusal.as_deref().unwrap_or_default();
        let under = [refusal, drive.remark.as_str()].into_iter().filter(|text| !text.is_empty());
        for text in under {
            indented(&mut page, style, text);
        }
    }
    for hint in hints {
        page.wrapped(Style::Marked(Severity::Warning), hint, WIDTH);
    }
    page
}

/// All that is known of the drive with this number (from 0) of `count`: names and texts.
pub fn in_full(name: &str, number: usize, count: usize, lines: &[(&str, String)]) -> Page {
    const NAME: usize = 15;
    let mut page = Page::default();
    page.push(Style::Heading, fit(&format!("{name}: drive {} of {count}", number + 1), WIDTH).trim_end());
    for (name, text) in lines {
        // A remark is what a person should see.
        let style = if *name == "REMARK" { Style::Marked(Severity::Warning) } else { Style::Plain };
        for (row, line) in super::format::wrap(text, WIDTH - NAME).iter().enumerate() {
            page.push(style, format!("{} {line}", fit(if row == 0 { name } else { "" }, NAME - 1)));
        }
    }
    page
}

/// One drive to the byte, for the report on a serial line or in a file.
pub fn details(drive: &Found) -> String {
    format!(
        "{}: {}, serial number {}, {}, {} at {}",
        drive.name,
        drive.model,
        or_dash(&drive.serial),
        exact(drive.bytes, drive.logical),
        drive.bus,
        or_dash(&drive.port)
    )
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn row(name: &str, size: &str, model: &str, serial: &str, bus: &str, state: &str) -> String {
    let size = format!("{size:>8}");
    let row = format!("{} {size} {} {} {} {state}", fit(name, 7), fit(model, 26), fit(serial, 20), fit(bus, 5));
    fit(&row, WIDTH).trim_end().to_owned()
}

fn indented(page: &mut Page, style: Style, text: &str) {
    for line in super::format::wrap(text, WIDTH - 8) {
        page.push(style, format!("        {line}"));
    }
}

/// The page before an unattended destructive run; it always fits a screen. `job` is what will be done, in one line.
pub fn countdown(seconds: u64, job: &str, targets: &[Found]) -> Page {
    let mut page = Page { countdown: Some(seconds), ..Page::default() };
    page.push(Style::Banner(Severity::Bad), fit(&format!("  WILL ERASE {}", drives_word(targets.len())), WIDTH));
    page.text(fit(job, WIDTH).trim_end());
    page.text("");
    let shown = if targets.len() > WHOLE { WHOLE - 1 } else { targets.len() };
    for drive in &targets[..shown] {
        page.text(row(&drive.name, &size(drive.bytes), &drive.model, or_dash(&drive.serial), &drive.bus, ""));
    }
    if targets.len() > shown {
        page.text(format!("... and {} more", targets.len() - shown));
    }
    page.text("");
    page.push(Style::Heading, format!("Begins in {seconds} s. ANY KEY STOPS THE RUN; nothing has been written yet."));
    page
}

fn drives_word(count: usize) -> String {
    if count == 1 { "1 DRIVE".to_owned() } else { format!("{count} DRIVES") }
}

/// A drive after a run.
#[derive(Debug, Clone)]
pub struct Ended {
    pub name: String,
    pub model: String,
    pub serial: String,
    pub bytes: u64,
    /// `erased`, `FAILED`, ...
    pub outcome: String,
    pub severity: Severity,
    /// Why, or empty.
    pub detail: String,
}

/// The last page of a run: `done` is the action's participle, `erased` or `verified`; `notes` say where the certificates are and
/// what happens next.
pub fn summary(outcome: RunOutcome, counts: &Counts, done: &str, drives: &[Ended], notes: &[String]) -> Page {
    let mut page = Page::default();
    let (severity, headline) = headline(outcome, counts, done);
    for text in ["", headline.as_str(), ""] {
        page.push(Style::Banner(severity), fit(&format!("  {text}"), WIDTH));
    }
    let mut sorted: Vec<_> = drives.iter().collect();
    sorted.sort_by_key(|drive| std::cmp::Reverse(drive.severity));
    for drive in sorted {
        let who = format!("{} {:>8}", fit(&drive.name, 7), size(drive.bytes));
        let text = format!("{who} {} {} {}", fit(&drive.model, 20), fit(&drive.serial, 18), drive.outcome);
        page.push(Style::Marked(drive.severity), fit(&text, WIDTH).trim_end());
        if !drive.detail.is_empty() {
            indented(&mut page, Style::Marked(drive.severity), &drive.detail);
        }
    }
    page.text("");
    for note in notes {
        page.wrapped(Style::Plain, note, WIDTH);
    }
    page
}

fn headline(outcome: RunOutcome, counts: &Counts, done: &str) -> (Severity, String) {
    let Counts { erased, exceptions, failed, interrupted, copied, refused, waiting } = *counts;
    let (erased, interrupted) = (erased + copied, interrupted + waiting);
    let all = erased + exceptions + failed + interrupted + refused;
    let done = done.to_uppercase();
    match outcome {
        RunOutcome::Ok if all == 0 => (Severity::Good, "DONE".to_owned()),
        RunOutcome::Ok => (Severity::Good, format!("OK: {} {done}", drives_word(erased))),
        RunOutcome::Exceptions => {
            (Severity::Warning, format!("{} OF {} {done} WITH EXCEPTIONS", exceptions, drives_word(all)))
        }
        RunOutcome::Failed => {
            (Severity::Bad, format!("FAILED: {} NOT {done}", of(failed + interrupted + refused, all)))
        }
        RunOutcome::Interrupted => {
            (Severity::Bad, format!("INTERRUPTED: {} NOT {done}", of(interrupted + refused, all)))
        }
        RunOutcome::Refused => (Severity::Bad, format!("REFUSED: {} NOT {done}", of(refused, all))),
    }
}

fn of(part: usize, all: usize) -> String {
    if all == 0 { "DRIVES".to_owned() } else { format!("{part} OF {}", drives_word(all)) }
}

/// The page when a run cannot begin or go on: what happened, to which drive, what to do. The texts may be long.
pub fn error(what: &[String], drive: Option<&str>, remedy: &str) -> Page {
    let mut page = Page::default();
    page.push(Style::Banner(Severity::Bad), fit("  STOPPED", WIDTH));
    page.text("");
    for text in what {
        page.wrapped(Style::Marked(Severity::Bad), text, WIDTH);
    }
    if let Some(drive) = drive {
        page.wrapped(Style::Plain, &format!("Drive: {drive}"), WIDTH);
    }
    page.text("");
    page.wrapped(Style::Plain, remedy, WIDTH);
    page
}

/// Adds what the keys of a waiting machine do.
pub fn add_prompt(page: &mut Page) {
    page.text("");
    page.push(Style::Heading, "The machine waits. Keys: p power off, r restart, l list drives, d details");
}

/// What a person asks of a waiting machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    PowerOff,
    Restart,
    List,
    /// The next drive, in full.
    Details,
    /// What a person typed in full.
    Said(Said),
}

/// Words that a waiting machine takes where it offers them; they decide what no single key should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// A job that is done is to be done once more.
    Again,
    /// An interrupted job goes on although it has been open for long.
    Continue,
    /// An interrupted job is closed: what it did not finish is certified as interrupted.
    Close,
}

impl Said {
    pub fn word(self) -> &'static str {
        match self {
            Self::Again => "AGAIN",
            Self::Continue => "CONTINUE",
            Self::Close => "CLOSE",
        }
    }
}

/// What a person is typing at the prompt: single keys, or a word that is offered.
#[derive(Debug, Default)]
pub struct Typed {
    offered: &'static [Said],
    text: String,
}

impl Typed {
    pub fn new(offered: &'static [Said]) -> Self {
        Self { offered, text: String::new() }
    }

    /// What the next key means. The letters of a word that was begun are no keys of their own.
    pub fn key(&mut self, key: Key) -> Option<Choice> {
        let Key::Char(letter) = key else {
            self.text.clear();
            return choice(key);
        };
        self.text.push(letter);
        // What was typed before may be anything: the longest end of it that begins a word counts.
        while !self.text.is_empty() && !self.offered.iter().any(|said| said.word().starts_with(&self.text)) {
            self.text.remove(0);
        }
        if let Some(said) = self.offered.iter().find(|said| said.word() == self.text) {
            return Some(Choice::Said(*said));
        }
        if self.text.len() > 1 { None } else { choice(key) }
    }
}

/// The meaning of a key at the prompt.
pub fn choice(key: Key) -> Option<Choice> {
    match key {
        Key::Char('p' | 'P') => Some(Choice::PowerOff),
        Key::Char('r' | 'R') => Some(Choice::Restart),
        Key::Char('l' | 'L') => Some(Choice::List),
        Key::Char('d' | 'D') => Some(Choice::Details),
        _ => None,
    }
}
