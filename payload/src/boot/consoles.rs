//! Every console of the machine, each on its own: one that is slow, stopped or broken holds up neither the run nor the
//! others. Writes never wait; what a console does not take is held back in a bounded buffer and beyond that lost.

use super::cmdline::Cmdline;
use crate::console::{Everywhere, Key, PlainLines, Screen, Tty, Watcher, decode_keys, for_host, format::printable};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    termios::{ControlModes, InputModes, LocalModes, OptionalActions, tcdrain, tcgetattr, tcgetwinsize, tcsetattr},
};
use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Write},
    path::PathBuf,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Bytes held back for one console: minutes of a run on a slow serial line.
const HELD_MAX: usize = 64 * 1024;
/// How long the last lines may take at the end of a run.
const DRAIN: Duration = Duration::from_secs(3);
/// A serial line shows each drive at most this often, but for changes.
const SERIAL_INTERVAL: Duration = Duration::from_secs(5);

/// What a console is, by its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The PC's own screen and keyboard.
    Screen,
    /// Anything that is a line of characters.
    Serial,
}

/// The names of the active consoles: of `/proc/consoles` where that can be read, else of the `console=` parameters. `tty0`
/// where neither says anything.
pub fn names(proc_consoles: Option<&str>, line: &Cmdline) -> Vec<String> {
    let active = proc_consoles.unwrap_or_default().lines().filter_map(|line| line.split_whitespace().next());
    let mut names = devices(active);
    if names.is_empty() {
        names = devices(line.values("console").filter_map(|value| value.split(',').next()));
    }
    if names.is_empty() {
        names.push("tty0".to_owned());
    }
    names
}

/// The names that can be devices below `/dev`, each once.
fn devices<'a>(candidates: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in candidates {
        let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if plain && name != "null" && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn kind(name: &str) -> Kind {
    match name.strip_prefix("tty") {
        Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => Kind::Screen,
        _ => Kind::Serial,
    }
}

/// The device nodes to try for a console. `tty0` is whichever virtual terminal is in front; ours is the first one, and
/// stays it when somebody switches.
fn nodes(name: &str) -> Vec<PathBuf> {
    let candidates: &[&str] = if name == "tty0" { &["tty1", "tty0", "console"] } else { &[name] };
    candidates.iter().map(|node| PathBuf::from("/dev").join(node)).collect()
}

/// One console.
#[derive(Debug)]
pub struct Console {
    name: String,
    kind: Kind,
    file: File,
    held: VecDeque<u8>,
    lost: bool,
    keys: VecDeque<Key>,
}

impl Console {
    /// Opens the console of this name.
    pub fn open(name: &str) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for node in nodes(name) {
            let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            match rustix::fs::open(&node, flags, Mode::empty()) {
                Ok(file) => return Ok(Self::new(name, kind(name), File::from(file))),
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }

    /// A console on an open device, which must not block.
    pub fn new(name: &str, kind: Kind, file: File) -> Self {
        // Without it keys come a line at a time; the console still shows everything.
        let _ = set_mode(&file, kind);
        Self { name: name.to_owned(), kind, file, held: VecDeque::new(), lost: false, keys: VecDeque::new() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Hands over as much as the device takes now.
    fn pump(&mut self) {
        while !self.held.is_empty() {
            let (front, _) = self.held.as_slices();
            match rustix::io::write(&self.file, front) {
                Ok(0) | Err(Errno::AGAIN) => return,
                Ok(count) => drop(self.held.drain(..count)),
                Err(Errno::INTR) => {}
                Err(_) => {
                    // Unplugged or hung up. The next output tries again.
                    self.held.clear();
                    self.lost = true;
                }
            }
        }
    }
}

/// Keys one by one, no echo, no signals, no flow control: a stopped line must not stop anything.
fn set_mode(file: &File, kind: Kind) -> rustix::io::Result<()> {
    let mut mode = tcgetattr(file)?;
    mode.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
    mode.input_modes -= InputModes::IXON | InputModes::IXOFF;
    if kind == Kind::Serial {
        mode.control_modes |= ControlModes::CLOCAL;
        mode.control_modes -= ControlModes::CRTSCTS;
    }
    tcsetattr(file, OptionalActions::Now, &mode)
}

impl Write for Console {
    /// Takes all of it or loses all of it; never waits, never fails.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pump();
        if self.held.len() + bytes.len() > HELD_MAX {
            self.lost = true;
            return Ok(bytes.len());
        }
        if self.lost && self.kind == Kind::Serial && self.held.len() < HELD_MAX / 2 {
            self.lost = false;
            self.held.extend(b"\n[some lines were lost here]\n");
        }
        self.held.extend(bytes);
        self.pump();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pump();
        Ok(())
    }
}

impl Tty for Console {
    fn pressed(&mut self) -> Option<Key> {
        self.pump();
        let mut bytes = [0; 64];
        if let Ok(count) = rustix::io::read(&self.file, &mut bytes) {
            self.keys.extend(decode_keys(&bytes[..count]));
        }
        self.keys.pop_front()
    }

    fn lost_output(&mut self) -> bool {
        self.kind == Kind::Screen && self.held.is_empty() && std::mem::take(&mut self.lost)
    }

    fn size(&self) -> (usize, usize) {
        match tcgetwinsize(&self.file) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
            _ => (80, 25),
        }
    }

    fn drain(&mut self) {
        let end = Instant::now() + DRAIN;
        while !self.held.is_empty() && Instant::now() < end {
            self.pump();
            thread::sleep(Duration::from_millis(10));
        }
        // What the kernel holds goes out in a thread that may be left behind: a stopped line would keep it for ever.
        let Ok(file) = self.file.try_clone() else { return };
        let (done, wait) = mpsc::channel();
        thread::spawn(move || {
            let _ = tcdrain(&file);
            let _ = done.send(());
        });
        let _ = wait.recv_timeout(end.saturating_duration_since(Instant::now()));
    }
}

/// All consoles of the machine.
#[derive(Debug, Default)]
pub struct Consoles(pub Vec<Console>);

impl Consoles {
    /// Opens every active console; one that cannot be opened is left out.
    pub fn open(line: &Cmdline) -> Self {
        let active = fs::read_to_string("/proc/consoles").ok();
        let names = names(active.as_deref(), line);
        Self(names.iter().filter_map(|name| Console::open(name).ok()).collect())
    }

    /// Their names, for the panic hook.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|console| console.name.clone()).collect()
    }

    /// Prints a line on each of them, before there is a watcher.
    pub fn print(&mut self, text: &str) {
        for console in &mut self.0 {
            let _ = console.write_all(format!("{}\n", printable(text)).as_bytes());
        }
    }

    /// A screen for the PC's own console, plain lines for all others. Without any console, what the kernel gave PID 1 as its
    /// standard error must do.
    pub fn into_watcher(self) -> Everywhere {
        if self.0.is_empty() {
            return Everywhere(vec![for_host(crate::say::stderr())]);
        }
        let watcher = |console: Console| -> Box<dyn Watcher + Send> {
            match console.kind {
                Kind::Screen => Box::new(Screen::new(console)),
                Kind::Serial => Box::new(PlainLines::new(console, SERIAL_INTERVAL)),
            }
        };
        Everywhere(self.0.into_iter().map(watcher).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::Read,
        os::{fd::OwnedFd, unix::net::UnixStream},
    };

    fn pair(kind: Kind) -> (Console, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        (Console::new("ttyS0", kind, File::from(OwnedFd::from(ours))), theirs)
    }

    fn everything(from: &mut UnixStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        bytes
    }

    #[test]
    fn consoles_are_found_by_name() {
        let proc = "tty0                 -WU (EC p  )    4:1\nttyS0                -W- (E  p a)    4:64\n";
        let line = Cmdline::parse("console=ttyS1,115200n8r console=tty0 console=ttyS1 console=null console=../x");
        assert_eq!(names(Some(proc), &line), ["tty0", "ttyS0"]);
        assert_eq!(names(None, &line), ["ttyS1", "tty0"]);
        assert_eq!(names(Some(""), &Cmdline::default()), ["tty0"]);
        assert_eq!((kind("tty0"), kind("tty12"), kind("ttyS0"), kind("hvc0")), {
            (Kind::Screen, Kind::Screen, Kind::Serial, Kind::Serial)
        });
    }

    #[test]
    fn a_console_without_a_reader_never_blocks_and_loses_whole_lines() {
        let (mut console, mut other) = pair(Kind::Serial);
        let line = [b"x".repeat(99), b"\n".to_vec()].concat();
        for _ in 0..20_000 {
            assert_eq!(console.write(&line).unwrap(), line.len());
        }
        assert!(console.held.len() <= HELD_MAX && console.lost);
        let mut seen = Vec::new();
        while !console.held.is_empty() {
            seen.extend(everything(&mut other));
            console.pump();
        }
        console.write_all(b"last\n").unwrap();
        seen.extend(everything(&mut other));
        let text = String::from_utf8(seen).unwrap();
        let xs = "x".repeat(99);
        assert!(text.lines().all(|line| line == xs || ["", "[some lines were lost here]", "last"].contains(&line)));
        assert!(text.ends_with("\n[some lines were lost here]\nlast\n"));
    }

    #[test]
    fn a_console_that_is_gone_is_no_error() {
        let (mut console, other) = pair(Kind::Screen);
        drop(other);
        for _ in 0..10 {
            console.write_all(b"x").unwrap();
        }
        assert!(console.lost_output() && !console.lost_output());
        assert_eq!(console.pressed(), None);
        console.drain();
    }

    #[test]
    fn keys_are_read_without_waiting() {
        let (mut console, mut other) = pair(Kind::Screen);
        assert_eq!(console.pressed(), None);
        other.write_all(b"p\x1b[A").unwrap();
        assert_eq!((console.pressed(), console.pressed()), (Some(Key::Char('p')), Some(Key::Other)));
        assert_eq!(console.pressed(), None);
    }
}
