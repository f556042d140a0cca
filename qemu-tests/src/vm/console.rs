//! The guest's serial console: read by a thread, kept with times, written to a log file, waited for.

use super::event::{Event, plain};
use anyhow::{Context, Result};
use std::{
    fs::File,
    io::{BufWriter, Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How many lines a failure report shows.
const TAIL: usize = 30;

/// One line and when it was complete, counted from the start of the VM.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) at: Duration,
    pub(crate) text: String,
}

#[derive(Debug, Default)]
struct Lines {
    lines: Vec<Line>,
    closed: bool,
}

/// Everything the guest said so far.
#[derive(Debug, Clone)]
pub(crate) struct Console {
    shared: Arc<(Mutex<Lines>, Condvar)>,
    log: PathBuf,
}

/// Why a line did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    TimedOut,
    /// The VM has ended and nothing more can come.
    Ended,
}

impl Console {
    /// Reads `source` to its end; `echo` also shows it on this program's standard output as it comes.
    pub(crate) fn read(source: impl Read + Send + 'static, log: &Path, started: Instant, echo: bool) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("making {}", log.display()))?;
        let console = Self { shared: Arc::default(), log: log.to_owned() };
        let reader = Reader { console: console.clone(), log: BufWriter::new(file), started, echo };
        std::thread::Builder::new()
            .name("console".into())
            .spawn(move || reader.run(source))
            .context("starting the console's thread")?;
        Ok(console)
    }

    /// The first line, past or to come, that `wanted` takes.
    pub(crate) fn wait<T>(&self, limit: Duration, mut wanted: impl FnMut(&Line) -> Option<T>) -> Result<T, Missing> {
        let end = Instant::now() + limit;
        let (mut seen, mut lines) = (0, self.lock());
        loop {
            if let Some(found) = lines.lines[seen..].iter().find_map(&mut wanted) {
                return Ok(found);
            }
            seen = lines.lines.len();
            let left = end.saturating_duration_since(Instant::now());
            if lines.closed {
                return Err(Missing::Ended);
            }
            if left.is_zero() {
                return Err(Missing::TimedOut);
            }
            let woken = self.shared.1.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner);
            lines = woken.0;
        }
    }

    /// All events so far.
    pub(crate) fn events(&self) -> Vec<(Duration, Event)> {
        self.lock().lines.iter().filter_map(|line| Some((line.at, Event::parse(&line.text)?))).collect()
    }

    /// Whether any line so far contains `text`.
    pub(crate) fn contains(&self, text: &str) -> bool {
        self.lock().lines.iter().any(|line| line.text.contains(text))
    }

    /// Every line so far.
    pub(crate) fn text(&self) -> String {
        self.lock().lines.iter().map(|line| format!("{}\n", line.text)).collect()
    }

    /// For a failure report: the last lines and where the rest is.
    pub(crate) fn tail(&self) -> String {
        let lines = &self.lock().lines;
        let from = lines.len().saturating_sub(TAIL);
        let mut report = format!("the end of the console ({}):\n", self.log.display());
        for line in &lines[from..] {
            report.push_str(&format!("    {:8.3} {}\n", line.at.as_secs_f64(), line.text));
        }
        report
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Reader {
    console: Console,
    log: BufWriter<File>,
    started: Instant,
    echo: bool,
}

impl Reader {
    fn run(mut self, mut source: impl Read) {
        let (mut buf, mut line) = ([0; 4096], Vec::new());
        while let Ok(len @ 1..) = source.read(&mut buf) {
            if self.echo {
                let mut out = std::io::stdout().lock();
                let _ = out.write_all(&buf[..len]).and_then(|()| out.flush());
            }
            for &byte in &buf[..len] {
                // A carriage return ends a line too: progress is drawn over itself.
                match byte {
                    b'\n' | b'\r' => self.finish(&mut line),
                    _ => line.push(byte),
                }
            }
        }
        self.finish(&mut line);
        self.console.lock().closed = true;
        self.console.shared.1.notify_all();
    }

    fn finish(&mut self, raw: &mut Vec<u8>) {
        let text = plain(raw);
        raw.clear();
        if text.trim().is_empty() {
            return;
        }
        let at = self.started.elapsed();
        // The log is for people; a full disk on the host must not end the test that watches the guest.
        let _ = writeln!(self.log, "{:8.3} {text}", at.as_secs_f64()).and_then(|()| self.log.flush());
        self.console.lock().lines.push(Line { at, text });
        self.console.shared.1.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::pipe;

    #[test]
    fn lines_are_waited_for_and_an_end_or_a_time_out_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (source, mut guest) = pipe().unwrap();
        let console = Console::read(source, &folder.path().join("log"), Instant::now(), false).unwrap();
        let wait = |text: &'static str, limit| {
            console.wait(Duration::from_millis(limit), |line| line.text.contains(text).then(|| line.text.clone()))
        };
        assert_eq!(wait("MULE", 20), Err(Missing::TimedOut));
        guest.write_all(b"10 %\r20 %\r\x1b[1mMULE WRITING A\x1b[0m\nhalf a li").unwrap();
        assert_eq!(wait("MULE", 5000), Ok("MULE WRITING A".into()));
        assert_eq!(wait("10 %", 5000), Ok("10 %".into()), "past lines count");
        assert_eq!(wait("half", 20), Err(Missing::TimedOut), "a line counts when it is complete");
        drop(guest);
        assert_eq!(wait("half", 5000), Ok("half a li".into()));
        assert_eq!(wait("never", 5000), Err(Missing::Ended));
        assert_eq!(console.events().len(), 1);
        assert!(console.text().starts_with("10 %\n20 %\n"));
        assert!(console.contains("20 %") && !console.contains("30 %"));
        assert!(console.tail().contains("MULE WRITING A"));
        assert!(std::fs::read_to_string(folder.path().join("log")).unwrap().contains("MULE WRITING A"));
    }
}
