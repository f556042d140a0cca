//! `mule image serve`: an image as a read-only disk for other programs.

use super::Exit;
use crate::{export, job::copy::image::open_chain};
use std::{
    fs, io,
    os::unix::{
        fs::FileTypeExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule image serve customer.img.zst /tmp/customer.sock          until Ctrl-C

Then, in another terminal, one of:
  nbd-client -unix /tmp/customer.sock /dev/nbd0                 and mount -o ro /dev/nbd0p1 /mnt
  nbdfuse --readonly folder/nbd --unix /tmp/customer.sock       a file for losetup, without root
  qemu-system-x86_64 -snapshot -drive file=nbd:unix:/tmp/customer.sock,format=raw

Nothing can be written. Every frame is proved by its checksum while it is read; what is damaged is an error to the reader
and named here. One program at a time; only this user may connect.
Exit codes: 2 not done.")]
pub(super) struct Serve {
    /// The image, NAME.img.zst
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// The socket to be made
    #[arg(value_name = "SOCKET")]
    socket: PathBuf,
}

pub(super) fn serve(args: &Serve) -> Result<Exit, String> {
    let reader = open_chain(&args.image).map_err(|error| error.to_string())?;
    let failed = |error: io::Error| format!("{}: {error}", args.socket.display());
    let listener = listen(&args.socket).map_err(failed)?;
    tell!("{}: a read-only disk (NBD), until Ctrl-C", args.socket.display());
    for stream in listener.incoming() {
        let mut stream = stream.map_err(failed)?;
        if let Err(error) = export::serve(&reader, &mut stream, &|trouble| tell!("mule: {trouble}")) {
            tell!("mule: a program was disconnected: {error}");
        }
    }
    Ok(Exit::Good)
}

/// How often, and after which pause, a socket that somebody listens on is tried again: a program that was ended a moment ago
/// may live on in a child it has just made.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// A socket that a run before this one left behind is replaced; anything else that exists stays.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let is_socket = || fs::symlink_metadata(path).is_ok_and(|there| there.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    for last in [false; TRIES - 1].into_iter().chain([true]) {
        if !is_socket() {
            break;
        }
        if UnixStream::connect(path).is_err_and(refused) {
            fs::remove_file(path)?;
        } else if !last {
            thread::sleep(PAUSE);
        }
    }
    let listener = UnixListener::bind(path)?;
    // Whatever the umask: it is a customer's disk.
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_forgotten_socket_is_replaced() {
        let at = tempfile::tempdir().unwrap();
        let path = at.path().join("socket");
        let first = listen(&path).unwrap();
        assert!(listen(&path).is_err(), "somebody listens");
        drop(first);
        listen(&path).unwrap();
        fs::write(at.path().join("file"), "precious").unwrap();
        assert!(listen(&at.path().join("file")).is_err());
        assert_eq!(fs::read(at.path().join("file")).unwrap(), b"precious");
    }
}
