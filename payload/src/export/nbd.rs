//! A disk as a read-only network block device, for programs that mount, boot or examine it.
//!
//! Source: the NBD project's doc/proto.md: fixed newstyle negotiation, simple replies.

use crate::blocks::ReadAt;
use std::io::{self, Read, Write};

const OPTION_MAGIC: &[u8; 8] = b"IHAVEOPT";
const OPTION_REPLY: u64 = 0x0003_E889_0455_65A9;
const REQUEST: u32 = 0x2560_9513;
const REPLY: u32 = 0x6744_6698;

/// Fixed newstyle, and no padding behind the answer to an export's name.
const HANDSHAKE: u16 = 0b11;
const NO_ZEROES: u32 = 0b10;
/// The flags are valid; nothing can be written; several clients see the same.
const TRANSMISSION: u16 = 0b1_0000_0011;

/// Options.
const EXPORT_NAME: u32 = 1;
const ABORT: u32 = 2;
const LIST: u32 = 3;
const INFO: u32 = 6;
const GO: u32 = 7;

/// Types of answers to options.
const ACK: u32 = 1;
const SERVER: u32 = 2;
const ABOUT: u32 = 3;
const UNSUPPORTED: u32 = (1 << 31) + 1;

/// Commands.
const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;

/// Errors of the protocol.
const EPERM: u32 = 1;
const EIO: u32 = 5;
const EINVAL: u32 = 22;

/// Bytes of a simple reply before its content.
const HEAD: usize = 16;
/// Names of exports are shorter than this.
const MAX_OPTION: u32 = 8192;
/// What a client may ask for at once where nothing else was agreed.
const MAX_READ: u32 = 32 << 20;

/// Answers one client until it leaves. `trouble` hears why something could not be read.
///
/// # Errors
/// The client went away in the middle, or does not keep to the protocol.
pub fn serve(disk: &dyn ReadAt, stream: &mut (impl Read + Write), trouble: &dyn Fn(&str)) -> io::Result<()> {
    if !negotiate(disk, stream)? {
        return Ok(());
    }
    let mut data = Vec::new();
    loop {
        let request: [u8; 28] = match take(stream) {
            Ok(request) => request,
            // Some clients leave without a word.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        let (magic, kind, cookie) = (number(&request[..4]), number(&request[6..8]), &request[8..16]);
        let (offset, len) = (number(&request[16..24]), number(&request[24..]));
        let (kind, len) = (u16::try_from(kind).unwrap_or(u16::MAX), u32::try_from(len).unwrap_or(u32::MAX));
        if magic != u64::from(REQUEST) {
            return Err(io::Error::other("the client does not keep to the protocol"));
        }
        // Head and content in one write.
        data.clear();
        data.resize(HEAD, 0);
        let error = match kind {
            DISCONNECT => return Ok(()),
            FLUSH => 0,
            READ if len > MAX_READ || offset.checked_add(len.into()).is_none_or(|end| end > disk.size()) => EINVAL,
            READ => {
                data.resize(HEAD + usize::try_from(len).unwrap_or(0), 0);
                match disk.read_at(offset, &mut data[HEAD..]) {
                    Ok(()) => 0,
                    Err(error) => {
                        trouble(&error.to_string());
                        data.truncate(HEAD);
                        EIO
                    }
                }
            }
            WRITE => {
                io::copy(&mut (&mut *stream).take(len.into()), &mut io::sink())?;
                EPERM
            }
            _ => EINVAL,
        };
        data[..4].copy_from_slice(&REPLY.to_be_bytes());
        data[4..8].copy_from_slice(&error.to_be_bytes());
        data[8..HEAD].copy_from_slice(cookie);
        stream.write_all(&data)?;
        stream.flush()?;
    }
}

/// Whether the client goes on to read.
fn negotiate(disk: &dyn ReadAt, stream: &mut (impl Read + Write)) -> io::Result<bool> {
    stream.write_all(&[b"NBDMAGIC", &OPTION_MAGIC[..], &HANDSHAKE.to_be_bytes()].concat())?;
    let flags = u32::from_be_bytes(take(stream)?);
    let size = [&disk.size().to_be_bytes()[..], &TRANSMISSION.to_be_bytes()].concat();
    loop {
        let head: [u8; 16] = take(stream)?;
        let (option, len) = (number(&head[8..12]), number(&head[12..]));
        if head[..8] != *OPTION_MAGIC || len > u64::from(MAX_OPTION) {
            return Err(io::Error::other("the client does not keep to the protocol"));
        }
        // Whatever the export is called, there is but one.
        io::copy(&mut (&mut *stream).take(len), &mut io::sink())?;
        let option = u32::try_from(option).unwrap_or(0);
        let mut answer = |kind: u32, data: &[u8]| {
            let len = u32::try_from(data.len()).unwrap_or(0).to_be_bytes();
            let head = [&OPTION_REPLY.to_be_bytes()[..], &option.to_be_bytes(), &kind.to_be_bytes(), &len];
            stream.write_all(&[&head.concat()[..], data].concat())
        };
        match option {
            EXPORT_NAME => {
                let padding = if flags & NO_ZEROES != 0 { 0 } else { 124 };
                stream.write_all(&[&size[..], &[0; 124][..padding]].concat())?;
                return Ok(true);
            }
            ABORT => {
                answer(ACK, &[])?;
                return Ok(false);
            }
            LIST => {
                answer(SERVER, &[0; 4])?;
                answer(ACK, &[])?;
            }
            INFO | GO => {
                answer(ABOUT, &[&[0, 0][..], &size].concat())?;
                answer(ACK, &[])?;
                if option == GO {
                    return Ok(true);
                }
            }
            _ => answer(UNSUPPORTED, &[])?,
        }
    }
}

fn take<const N: usize>(stream: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A number in network order, of up to 8 bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::net::UnixListener, process::Command, thread};

    /// Frame 1 cannot be read.
    struct Holed(Vec<u8>);

    impl ReadAt for Holed {
        fn size(&self) -> u64 {
            self.0.len() as u64
        }

        fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
            if (1 << 20..2 << 20).contains(&offset) {
                return Err(io::Error::other("frame 1 is damaged"));
            }
            self.0.read_at(offset, buf)
        }
    }

    fn listen(disk: impl ReadAt + 'static, socket: &std::path::Path) {
        let listener = UnixListener::bind(socket).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = serve(&disk, &mut stream.unwrap(), &|_| {});
            }
        });
    }

    #[test]
    fn qemu_reads_the_same_disk_and_cannot_write() {
        let at = tempfile::tempdir().unwrap();
        let disk: Vec<u8> = (0..5_u32 << 18).flat_map(|n| n.wrapping_mul(0x9E37_79B9).to_le_bytes()).collect();
        fs::write(at.path().join("disk"), &disk).unwrap();
        listen(disk.clone(), &at.path().join("a"));
        let url = |name: &str| format!("nbd+unix:///?socket={}", at.path().join(name).display());
        let run = |program: &str, arguments: &[&str]| {
            let done = Command::new(program).args(arguments).current_dir(at.path()).output().unwrap();
            (done.status.success(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
        };
        let (same, said) = run("qemu-img", &["compare", "-s", "-f", "raw", "-F", "raw", "disk", &url("a")]);
        assert!(same, "{said}");
        let (written, said) = run("qemu-io", &["-f", "raw", "-c", "write 0 512", &url("a")]);
        assert!(!written, "{said}");
        let (read, said) = run("qemu-io", &["-r", "-f", "raw", "-c", "read 1M 3M", &url("a")]);
        assert!(read, "{said}");
        listen(Holed(disk), &at.path().join("b"));
        let (read, said) = run("qemu-io", &["-r", "-f", "raw", "-c", "read 2M 512", "-c", "read 1M 512", &url("b")]);
        assert!(!read && said.contains("read 512/512") && said.contains("Input/output error"), "{said}");
    }

    #[test]
    fn a_client_that_talks_nonsense_is_left() {
        for nonsense in [vec![0; 100], [&[0; 4][..], OPTION_MAGIC, &[0, 0, 0, 7, 0xFF, 0xFF, 0xFF, 0xFF]].concat()] {
            let mut stream = io::Cursor::new(nonsense);
            let mut both = Both(&mut stream);
            assert!(serve(&vec![0; 512], &mut both, &|_| {}).is_err());
        }
    }

    /// Reads from the cursor, forgets what is written.
    struct Both<'a>(&'a mut io::Cursor<Vec<u8>>);

    impl Read for Both<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.0.read(buf)
        }
    }

    impl Write for Both<'_> {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            Ok(buf.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
