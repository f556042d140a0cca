//! A text screen of its own: the PC's VGA console. Drawn in place, only where something changed, so nothing flickers.

use super::{Key, Line, Page, Severity, Snapshot, Style, Tty, Watcher, format, layout};
use std::time::{Duration, Instant};

/// Hide the cursor, never blank, no power saving of the monitor, clear (`console_codes(4)`).
const START: &str = "\x1b[?25l\x1b[9;0]\x1b[14;0]\x1b[0m\x1b[2J";
/// A kernel message may have scribbled over the screen: everything is drawn again this often.
const REFRESH: Duration = Duration::from_secs(10);
/// The end of a run, good or bad, can be heard.
const BEEP: &[u8] = b"\x07";
/// Lines at the bottom that keep the latest notes while a run is shown.
const NOTES: usize = 3;

/// Shows pages and live tables on a screen that nobody else uses.
#[derive(Debug)]
pub struct Screen<T> {
    tty: T,
    content: Content,
    notes: Vec<Line>,
    /// What is on the screen, row by row; empty where that is unknown.
    drawn: Vec<Line>,
    refreshed: Instant,
    started: bool,
}

#[derive(Debug)]
enum Content {
    /// A page and its first visible line.
    Page(Page, usize),
    Run(Snapshot),
}

impl<T: Tty> Screen<T> {
    pub fn new(tty: T) -> Self {
        let content = Content::Page(Page::default(), 0);
        Self { tty, content, notes: Vec::new(), drawn: Vec::new(), refreshed: Instant::now(), started: false }
    }

    fn size(&self) -> (usize, usize) {
        let (columns, rows) = self.tty.size();
        (columns.clamp(40, 200), rows.clamp(10, 100))
    }

    /// What the screen should hold now.
    fn wanted(&self) -> Vec<Line> {
        let (columns, rows) = self.size();
        match &self.content {
            Content::Run(snapshot) => {
                let notes = &self.notes[self.notes.len().saturating_sub(NOTES)..];
                let mut lines = layout::live(snapshot, columns, rows - notes.len());
                lines.resize(rows - notes.len(), Line { text: String::new(), style: Style::Plain });
                lines.extend_from_slice(notes);
                lines
            }
            Content::Page(page, first) => {
                let all: Vec<_> = page.lines.iter().chain(&self.notes).cloned().collect();
                if all.len() <= rows {
                    return all;
                }
                let mut lines: Vec<_> = all.iter().skip(*first).take(rows - 1).cloned().collect();
                lines.resize(rows - 1, Line { text: String::new(), style: Style::Plain });
                let last = (first + rows - 1).min(all.len());
                let text = format!("-- lines {} to {last} of {}; space shows more --", first + 1, all.len());
                lines.push(Line { text, style: Style::Heading });
                lines
            }
        }
    }

    fn draw(&mut self) {
        let mut out = String::new();
        if !self.started {
            self.started = true;
            out.push_str(START);
        }
        if self.tty.lost_output() || self.refreshed.elapsed() >= REFRESH {
            self.drawn.clear();
            self.refreshed = Instant::now();
        }
        let (columns, rows) = self.size();
        let mut wanted = self.wanted();
        wanted.resize(rows, Line { text: String::new(), style: Style::Plain });
        for (row, line) in wanted.iter().enumerate() {
            if self.drawn.get(row) != Some(line) {
                let text = format::fit(&line.text, columns - 1);
                out.push_str(&format!("\x1b[{};1H{}{}\x1b[0m\x1b[K", row + 1, colour(line.style), text));
            }
        }
        self.drawn = wanted;
        if !out.is_empty() {
            // A screen that is gone is no reason to stop.
            let _ = self.tty.write_all(out.as_bytes());
        }
        let _ = self.tty.flush();
    }

    fn add(&mut self, style: Style, text: &str) {
        let (columns, rows) = self.size();
        self.notes.extend(format::wrap(text, columns - 1).into_iter().map(|text| Line { text, style }));
        // The page above stays; of the notes the latest.
        let above = match &self.content {
            Content::Page(page, _) => page.lines.len(),
            Content::Run(_) => 0,
        };
        let room = rows.saturating_sub(above).max(NOTES);
        self.notes.drain(..self.notes.len().saturating_sub(room));
        self.draw();
    }

    /// The next part of a page that is longer than the screen; `false` where it is not.
    pub(super) fn turn(&mut self) -> bool {
        let (_, rows) = self.size();
        let Content::Page(page, first) = &mut self.content else { return false };
        if page.countdown.is_some() {
            // Any key stops a countdown, this one too.
            return false;
        }
        let all = page.lines.len() + self.notes.len();
        if all <= rows {
            return false;
        }
        *first = if *first + rows > all { 0 } else { *first + rows - 1 };
        self.draw();
        true
    }
}

/// Colours of the Linux console; words say the same.
fn colour(style: Style) -> &'static str {
    match style {
        Style::Plain => "\x1b[0m",
        Style::Heading => "\x1b[0;1m",
        Style::Marked(Severity::Good) => "\x1b[0;1;32m",
        Style::Marked(Severity::Warning) => "\x1b[0;1;33m",
        Style::Marked(Severity::Bad) => "\x1b[0;1;31m",
        Style::Banner(Severity::Good) => "\x1b[0;30;42m",
        Style::Banner(Severity::Warning) => "\x1b[0;30;43m",
        Style::Banner(Severity::Bad) => "\x1b[0;1;37;41m",
    }
}

impl<T: Tty> Watcher for Screen<T> {
    fn update(&mut self, snapshot: &Snapshot) {
        if !matches!(self.content, Content::Run(_)) {
            self.notes.clear();
        }
        self.content = Content::Run(snapshot.clone());
        self.draw();
    }

    fn machine(&mut self, _: &str) {}

    fn note(&mut self, text: &str) {
        self.add(Style::Plain, text);
    }

    fn problem(&mut self, text: &str) {
        self.add(Style::Marked(Severity::Bad), text);
    }

    fn show(&mut self, page: &Page) {
        self.notes.clear();
        self.content = Content::Page(page.clone(), 0);
        let calls_for_a_person = matches!(page.lines.first(), Some(Line { style: Style::Banner(_), .. }));
        if calls_for_a_person && page.countdown.is_none() {
            let _ = self.tty.write_all(BEEP);
        }
        self.draw();
    }

    fn key(&mut self) -> Option<Key> {
        self.draw();
        let key = self.tty.pressed()?;
        if key == Key::Char(' ') && self.turn() { None } else { Some(key) }
    }

    fn finish(&mut self) {
        self.draw();
        self.tty.drain();
    }
}

#[cfg(test)]
impl Screen<Vec<u8>> {
    /// Everything written so far.
    pub(super) fn output(&self) -> &[u8] {
        &self.tty
    }
}
