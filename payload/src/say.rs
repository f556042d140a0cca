//! The one way to a person's eyes: whatever the commands print goes through here.
//!
//! Models, labels, file names, notes, certificates, logs, arguments and error messages hold the text of strangers. A control
//! character in it could rewrite what stands on the terminal, a line feed could add a line that Mule never said, a
//! character that turns the reading direction could swap two numbers. So one call prints one line, and in it only what is
//! printable stands as it is: everything else is shown as `\u{1b}`. There is no exception for line feeds; what needs two
//! lines is said twice. A backslash stays what it is, so nothing may be read back from what is shown: names are
//! compared as they came from the drive, never as they look.
//!
//! [`json`] prints the same characters as `\u001b`, which means the same to whoever parses it. [`bytes`] is for what was
//! asked for as it is: a file out of an image, a signed document.
//!
//! The stick's consoles have their own narrower rule, printable ASCII: [`crate::console::format::printable`].

mod screen;

use std::{
    fmt::{self, Write as _},
    io::{self, BufRead as _, BufWriter, IsTerminal as _, Write},
    sync::Mutex,
};

/// Prints one line on standard output; the arguments are those of `format!`.
macro_rules! say {
    ($($words:tt)*) => { $crate::say::out(format_args!($($words)*)) };
}

/// Prints one line on standard error; the arguments are those of `format!`.
macro_rules! tell {
    ($($words:tt)*) => { $crate::say::err(format_args!($($words)*)) };
}

/// Whether a terminal shows it as itself: no control, format, private or unassigned character, no separator but the space,
/// and no letter without a shape.
pub fn is_printable(c: char) -> bool {
    match c {
        ' '..='~' => true,
        '\0'..='\u{9f}' | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => false,
        c => {
            // What the standard library leaves as it is; it escapes a mark only where there is nothing to put it on.
            let mut text = [b'o'; 5];
            let end = 1 + c.encode_utf8(&mut text[1..]).len();
            str::from_utf8(&text[..end]).is_ok_and(|text| text.escape_debug().count() == 2)
        }
    }
}

/// Passes text on as it may be shown.
struct Shown(String);

impl fmt::Write for Shown {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if is_printable(c) { self.0.push(c) } else { self.0.extend(c.escape_unicode()) }
        }
        Ok(())
    }
}

/// Any text as it may be shown, in one line.
pub fn shown(text: impl fmt::Display) -> String {
    let mut out = Shown(String::new());
    // Writing into a String cannot fail; what cannot say what it is stays short.
    let _ = write!(out, "{text}");
    out.0
}

/// A word as a POSIX shell takes it, to be typed as it is shown. What is not printable needs the form `$'\x1b'`, which Bash,
/// zsh and POSIX.1-2024 (2.2.4) know.
pub fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./:-".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain) {
        return text.to_owned();
    }
    if text.chars().all(is_printable) {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut out = String::from("$'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            // Octal, always three digits: what follows is never taken for a part of it.
            c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| {
                let _ = write!(out, "\\{byte:03o}");
            }),
        }
    }
    out + "'"
}

/// A JSON text in which everything outside of printable text is an escape; between strings only line feeds are left.
fn plain_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_printable(c) || c == '\n' {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// Lines on something that is written to.
pub struct Lines<'a>(Box<dyn Write + 'a>);

impl fmt::Debug for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lines")
    }
}

impl<'a> Lines<'a> {
    /// Lines on `to`, of which nothing else may be printed meanwhile.
    pub fn new(to: impl Write + 'a) -> Self {
        Self(Box::new(to))
    }

    /// Many lines on standard output.
    pub fn out() -> Self {
        Self::new(BufWriter::new(stdout().lock()))
    }

    /// One line.
    pub fn line(&mut self, words: fmt::Arguments<'_>) -> io::Result<()> {
        // One write for each line, so that lines of two threads or programs are not mixed.
        self.0.write_all((shown(words) + "\n").as_bytes())
    }

    /// One JSON value in a line.
    pub fn json(&mut self, value: &serde_json::Value) -> io::Result<()> {
        self.0.write_all((plain_json(&value.to_string()) + "\n").as_bytes())
    }

    /// Writes out what is held back; an error is remembered: see [`lost`].
    pub fn finish(mut self) {
        note_lost(self.flush());
    }

    /// Writes out what is held back; only then errors are known.
    pub fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What kept standard output from taking everything.
static LOST: Mutex<Option<io::Error>> = Mutex::new(None);

/// Why something that was printed did not arrive, if so. Whoever closed the pipe has seen enough.
pub fn lost() -> Option<io::Error> {
    LOST.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
}

fn note_lost(done: io::Result<()>) {
    if let Err(error) = done
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        LOST.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the way to it")]
fn stdout() -> io::Stdout {
    io::stdout()
}

/// Standard error, for a watcher of [`crate::console`], which draws. Everybody else calls `tell!`.
#[expect(clippy::disallowed_methods, reason = "this is the way to it")]
pub fn stderr() -> io::Stderr {
    io::stderr()
}

/// Prints one line on standard output: `say!`.
pub fn out(words: fmt::Arguments<'_>) {
    note_lost(Lines::new(stdout().lock()).line(words));
}

/// Prints one line on standard error: `tell!`. Where nobody listens, nothing can be done about it.
pub fn err(words: fmt::Arguments<'_>) {
    let _ = Lines::new(stderr().lock()).line(words);
}

/// Prints a JSON value in one line on standard output.
pub fn json(value: &serde_json::Value) {
    note_lost(Lines::new(stdout().lock()).json(value));
}

/// Prints a JSON value, indented, on standard output.
pub fn pretty_json(value: &serde_json::Value) {
    note_lost(stdout().lock().write_all((plain_json(&format!("{value:#}")) + "\n").as_bytes()));
}

/// Standard output for bytes that were asked for as they are. A pipe or a file gets each of them; a terminal gets the text,
/// and escapes for what is none. To be flushed at the end.
pub fn bytes() -> Box<dyn Write> {
    let stdout = stdout();
    if stdout.is_terminal() { Box::new(screen::Screen::new(stdout)) } else { Box::new(stdout) }
}

/// Prints a document as it is: see [`bytes`].
pub fn document(document: &[u8]) {
    let mut out = bytes();
    note_lost(out.write_all(document).and_then(|()| out.flush()));
}

/// Asks a person on the terminal; the answer is the line with its end.
pub fn ask(question: fmt::Arguments<'_>) -> io::Result<String> {
    let _ = stderr().write_all(shown(question).as_bytes());
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line)
}

/// A line of progress on a terminal, in place of the one before.
pub fn progress(words: fmt::Arguments<'_>) {
    let _ = stderr().write_all(format!("\r{}\x1b[K", shown(words)).as_bytes());
}

/// Takes the line of progress away.
pub fn progress_end() {
    progress(format_args!(""));
}

#[cfg(test)]
mod tests;
