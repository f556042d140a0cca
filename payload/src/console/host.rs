//! The watcher for a command on a host.

use super::{PlainLines, Terminal, Tty, Watcher};
use rustix::termios::{isatty, tcgetwinsize};
use std::{
    env,
    io::{self, Write},
    os::fd::AsFd,
    time::Duration,
};

/// A file or pipe gets a line for each drive this often, and every change.
const INTERVAL: Duration = Duration::from_secs(10);

/// Progress bars where `stream` (stdout, or stderr beside other output) is a terminal that can move its cursor, plain lines
/// elsewhere. Honours `NO_COLOR` and `TERM=dumb`.
pub fn for_host(stream: impl Write + AsFd + Send + 'static) -> Box<dyn Watcher + Send> {
    let dumb = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let colours = env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if isatty(&stream) && !dumb {
        Box::new(Terminal::new(Stream(stream), colours))
    } else {
        Box::new(PlainLines::new(Stream(stream), INTERVAL))
    }
}

struct Stream<S>(S);

impl<S: Write> Write for Stream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<S: Write + AsFd> Tty for Stream<S> {
    fn size(&self) -> (usize, usize) {
        match tcgetwinsize(&self.0) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
            _ => (80, 25),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_pipe_gets_plain_lines() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut watcher = for_host(writer);
        watcher.note("hello");
        watcher.finish();
        drop(watcher);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello\n");
    }
}
