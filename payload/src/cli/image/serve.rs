//! `mule image serve`: an image as a read-only disk for other programs.

use super::Exit;
use crate::{aside, export, job::copy::image::open_chain};
use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags},
    net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
    process::Uid,
};
use std::{
    fs, io,
    os::unix::{
        fs::FileTypeExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
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
and named here. Several programs at once; only this user may connect (called by sudo: that user, too).
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
    let (disk, clients) = (export::Cached::new(&reader), AtomicUsize::new(0));
    thread::scope(|scope| {
        for stream in listener.incoming() {
            let mut stream = stream.map_err(failed)?;
            if let Err(error) = admitted(&stream, clients.load(Ordering::Relaxed)) {
                tell!("mule: a program was not let in: {error}");
                continue;
            }
            clients.fetch_add(1, Ordering::Relaxed);
            let (disk, clients) = (&disk, &clients);
            scope.spawn(move || {
                if let Err(error) = export::serve(disk, &mut stream, &|trouble| tell!("mule: {trouble}")) {
                    tell!("mule: a program was disconnected: {error}");
                }
                clients.fetch_sub(1, Ordering::Relaxed);
            });
        }
        Ok(Exit::Good)
    })
}

/// Programs that are served at once.
const CLIENTS: usize = 64;

/// How often, and after which pause, a socket that somebody listens on is tried again: a program that was ended a moment ago
/// may live on in a child it has just made.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(200);
/// Programs that may wait to be served.
const WAITING: i32 = 16;

/// A socket that a run before this one left behind is replaced; anything else that exists stays.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let is_socket = || fs::symlink_metadata(path).is_ok_and(|there| there.file_type().is_socket());
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    for last in [false; TRIES - 1].into_iter().chain([true]) {
        if !is_socket() {
            break;
        }
        if UnixStream::connect(path).is_err_and(refused) {
            remove_left(path)?;
        } else if !last {
            thread::sleep(PAUSE);
        }
    }
    bound(path)
}

/// Removes a socket that nobody listens on: moved away first and asked again there, since another run may have put its own in its
/// place meanwhile.
fn remove_left(path: &Path) -> io::Result<()> {
    let mut away = path.as_os_str().to_owned();
    away.push(format!(".left-{}", std::process::id()));
    rustix::fs::renameat_with(CWD, path, CWD, &away, RenameFlags::NOREPLACE)?;
    if UnixStream::connect(&away).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
        return fs::remove_file(&away);
    }
    // Somebody listens: it gets its name back.
    Ok(rustix::fs::renameat_with(CWD, &away, CWD, path, RenameFlags::NOREPLACE)?)
}

/// It is a customer's disk: the name has these rights from its first moment on, whatever the umask, since the kernel gives it
/// those of the socket (`net/unix/af_unix.c`, `unix_bind_bsd`).
fn bound(path: &Path) -> io::Result<UnixListener> {
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    if let Some(user) = caller() {
        hand_over(path, user)?;
    }
    let stat = rustix::fs::lstat(path)?;
    if Mode::from_raw_mode(stat.st_mode).intersects(Mode::RWXG | Mode::RWXO) {
        fs::remove_file(path)?;
        return Err(io::Error::other(
            "others could connect to a socket here; use a folder on a file system with rights",
        ));
    }
    net::listen(&socket, WAITING)?;
    Ok(socket.into())
}

/// Gives the socket that was just made to a user: by a descriptor, looked at, since in a folder that others can write to the name may
/// lead to something else by now.
fn hand_over(path: &Path, user: Uid) -> io::Result<()> {
    let held = rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let stat = rustix::fs::fstat(&held)?;
    let is_ours = FileType::from_raw_mode(stat.st_mode) == FileType::Socket
        && stat.st_nlink == 1
        && stat.st_uid == rustix::process::geteuid().as_raw();
    if !is_ours {
        return Err(io::Error::other("this is not the socket that was made; use a folder that nobody else can change"));
    }
    Ok(rustix::fs::chownat(&held, "", Some(user), None, AtFlags::EMPTY_PATH)?)
}

/// Who connects is this user, root, or whom sudo was called by: rights may have been changed since.
fn admitted(stream: &UnixStream, others: usize) -> io::Result<()> {
    if others >= CLIENTS {
        return Err(io::Error::other(format!("{CLIENTS} are served already")));
    }
    let peer = net::sockopt::socket_peercred(stream)?.uid;
    if peer.is_root() || peer == rustix::process::geteuid() || Some(peer) == caller() {
        return Ok(());
    }
    Err(io::Error::other(format!("it belongs to user {}", peer.as_raw())))
}

/// The user that called sudo.
fn caller() -> Option<Uid> {
    aside::behind_sudo(rustix::process::geteuid().as_raw()).map(Uid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        os::unix::{fs::PermissionsExt, process::CommandExt},
        process::{Command, Stdio},
        sync::atomic::AtomicBool,
    };

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

    /// Seen by a thread that looks at the name all the time while sockets are made.
    #[test]
    fn nobody_else_can_connect_even_for_a_moment() {
        let at = tempfile::tempdir().unwrap();
        let (path, over) = (at.path().join("socket"), AtomicBool::new(false));
        let seen = |path: &Path| fs::symlink_metadata(path).map(|there| there.permissions().mode() & 0o777);
        thread::scope(|scope| {
            let looker = scope.spawn(|| {
                let (mut wide, mut looks) = (0, 0);
                while !over.load(Ordering::Relaxed) || looks == 0 {
                    if let Ok(mode) = seen(&path) {
                        (wide, looks) = (wide | mode & 0o077, looks + 1);
                    }
                }
                wide
            });
            for _ in 0..300 {
                let listener = listen(&path).unwrap();
                assert_eq!(seen(&path).unwrap(), 0o600);
                drop(listener);
                fs::remove_file(&path).unwrap();
            }
            let last = listen(&path).unwrap();
            over.store(true, Ordering::Relaxed);
            assert_eq!(looker.join().unwrap(), 0);
            drop(last);
        });
    }

    #[test]
    fn only_the_socket_itself_is_handed_over() {
        use std::os::unix::fs::MetadataExt;
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let at = tempfile::tempdir().unwrap();
        let (path, file) = (at.path().join("socket"), at.path().join("file"));
        let user = Uid::from_raw(65534);
        let _listener = listen(&path).unwrap();
        hand_over(&path, user).unwrap();
        assert_eq!(fs::symlink_metadata(&path).unwrap().uid(), 65534);
        fs::write(&file, "precious").unwrap();
        let link = at.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for other in [&file, &link, &path] {
            assert!(hand_over(other, user).is_err(), "{}", other.display());
        }
        assert_eq!(fs::metadata(&file).unwrap().uid(), 0);
    }

    #[test]
    fn another_user_is_not_let_in_whatever_the_rights_are() {
        let at = tempfile::tempdir().unwrap();
        let path = at.path().join("socket");
        let listener = listen(&path).unwrap();
        let own = UnixStream::connect(&path).unwrap();
        assert!(admitted(&listener.accept().unwrap().0, 0).is_ok());
        drop(own);
        if !rustix::process::geteuid().is_root() {
            return;
        }
        for (wider, mode) in [(at.path(), 0o755), (path.as_path(), 0o777)] {
            fs::set_permissions(wider, fs::Permissions::from_mode(mode)).unwrap();
        }
        let url = format!("nbd+unix:///?socket={}", path.display());
        let other = Command::new("qemu-img").args(["info", &url]).uid(65534).gid(65534).stderr(Stdio::piped()).spawn();
        let (stream, _) = listener.accept().unwrap();
        let error = admitted(&stream, 0).unwrap_err();
        assert!(error.to_string().contains("65534"), "{error}");
        drop((stream, listener));
        assert!(!other.unwrap().wait_with_output().unwrap().status.success());
    }
}
