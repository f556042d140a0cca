//! A host's terminal: the live table is redrawn in place below what was printed before, and stays when the run is over.

use super::{Key, Page, Severity, Snapshot, Style, Tty, Watcher, format, layout};
use std::time::Duration;

/// Redrawing more often than this only costs time.
const FRAME: Duration = Duration::from_millis(200);

/// Shows a run with progress bars on a terminal that belongs to a shell.
#[derive(Debug)]
pub struct Terminal<T> {
    tty: T,
    /// Rows of the table on the screen, the cursor being below the last.
    rows: usize,
    latest: Option<Snapshot>,
    drawn_at: Option<Duration>,
    colours: bool,
}

impl<T: Tty> Terminal<T> {
    /// `colours`: whether the terminal takes them (not where `NO_COLOR` is set).
    pub fn new(tty: T, colours: bool) -> Self {
        Self { tty, rows: 0, latest: None, drawn_at: None, colours }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        let code = match style {
            _ if !self.colours => "",
            Style::Plain => "",
            Style::Heading => "1",
            Style::Marked(Severity::Good) | Style::Banner(Severity::Good) => "32",
            Style::Marked(Severity::Warning) | Style::Banner(Severity::Warning) => "33",
            Style::Marked(Severity::Bad) | Style::Banner(Severity::Bad) => "1;31",
        };
        if code.is_empty() { text.to_owned() } else { format!("\x1b[{code}m{text}\x1b[0m") }
    }

    /// Takes the table away, prints `above`, draws the table again.
    fn draw(&mut self, above: &[String]) {
        let mut out = String::new();
        if self.rows > 0 {
            out.push_str(&format!("\x1b[{}A\r\x1b[J", self.rows));
        }
        above.iter().for_each(|line| out.push_str(&format!("{line}\n")));
        let (columns, rows) = self.tty.size();
        // A table as high as the terminal would scroll its own head away.
        let lines = self.latest.as_ref().map(|run| layout::live(run, columns.max(40), rows.max(6) - 1));
        let lines = lines.unwrap_or_default();
        lines.iter().for_each(|line| out.push_str(&format!("{}\n", self.paint(line.style, &line.text))));
        self.rows = lines.len();
        // A terminal that is gone is no reason to stop.
        let _ = self.tty.write_all(out.as_bytes());
        let _ = self.tty.flush();
    }
}

impl<T: Tty> Watcher for Terminal<T> {
    fn update(&mut self, snapshot: &Snapshot) {
        let changed = self.latest.as_ref().is_none_or(|last| {
            let states = |run: &Snapshot| run.drives.iter().map(|drive| drive.state.clone()).collect::<Vec<_>>();
            states(last) != states(snapshot)
        });
        let due = self.drawn_at.is_none_or(|at| snapshot.elapsed.saturating_sub(at) >= FRAME);
        self.latest = Some(snapshot.clone());
        if changed || due {
            self.drawn_at = Some(snapshot.elapsed);
            self.draw(&[]);
        }
    }

    fn machine(&mut self, _: &str) {}

    fn note(&mut self, text: &str) {
        self.draw(&[format::printable(text)]);
    }

    fn problem(&mut self, text: &str) {
        let style = Style::Marked(Severity::Bad);
        self.draw(&[self.paint(style, &format::printable(text))]);
    }

    fn show(&mut self, page: &Page) {
        // The table stays above as it was last; a page ends it.
        if self.latest.is_some() {
            self.draw(&[]);
        }
        (self.latest, self.rows, self.drawn_at) = (None, 0, None);
        let lines: Vec<_> = page.lines.iter().map(|line| self.paint(line.style, line.text.trim_end())).collect();
        self.draw(&lines);
    }

    fn key(&mut self) -> Option<Key> {
        self.tty.pressed()
    }

    fn finish(&mut self) {
        self.draw(&[]);
        self.rows = 0;
        self.latest = None;
        self.tty.drain();
    }
}

#[cfg(test)]
impl Terminal<Vec<u8>> {
    /// Everything written so far.
    pub(super) fn output(&self) -> &[u8] {
        &self.tty
    }
}
