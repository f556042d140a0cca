//! What is in use is not erased: by a loop device, QEMU, another process, as swap space, in another mount namespace. Each is
//! made by the system's own programs, and the bytes are looked at afterwards.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

use std::{
    fs, io,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const MIB: usize = 1 << 20;

struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { dir: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap() }
    }

    /// Where paths are short: the serial number of a file or of a loop device over it is the end of the file's path.
    fn for_loops() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, vec![0x5a; 4 * MIB]).unwrap();
        path
    }

    /// Wipes `drive`, authorised by `name`.
    fn wipe(&self, drive: &Path, name: &Path) -> (i32, String) {
        self.mule(&["wipe".as_ref(), drive.as_ref(), "--yes-erase".as_ref(), name.as_ref()])
    }

    /// Makes an image of `drive`.
    fn image(&self, drive: &Path, image: &Path) -> (i32, String) {
        self.mule(&["image".as_ref(), "create".as_ref(), drive.as_ref(), image.as_ref()])
    }

    /// Runs a command that certifies: its exit code and all it said.
    fn mule(&self, words: &[&std::ffi::OsStr]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mule"));
        command.args(words);
        command.arg("--state").arg(self.dir.path().join("state"));
        command.arg("--certificates").arg(self.dir.path().join("certificates"));
        let out = command.output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        (out.status.code().unwrap(), text)
    }

    #[track_caller]
    fn refused(&self, drive: &Path, name: &Path, says: &str) {
        let before = fs::read(drive).unwrap();
        let (code, text) = self.wipe(drive, name);
        assert!(code == 2 && text.contains("in use") && text.contains(says), "exit code {code}: {text}");
        assert!(fs::read(drive).unwrap() == before, "it was written on");
    }

    #[track_caller]
    fn erased(&self, drive: &Path, name: &Path) {
        let (code, text) = self.wipe(drive, name);
        assert_eq!(code, 0, "{text}");
    }
}

/// A process that ends with the value.
struct Running(Child);

impl Running {
    fn new(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// As [`Running::new`] with a file as its standard input.
    fn reading(path: &Path) -> Self {
        Self::new(Command::new("sleep").arg("60").stdin(fs::File::open(path).unwrap()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn done(program: &str, args: &[&std::ffi::OsStr]) -> Option<String> {
    let out = Command::new(program).args(args).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

#[track_caller]
fn wait_until(done: impl Fn() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(60), "it did not happen");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A loop device over a file.
struct Loop(PathBuf);

impl Loop {
    /// `None` where this user, or this machine, has none.
    fn over(file: &Path) -> Option<Self> {
        done("losetup", &["-f".as_ref(), "--show".as_ref(), file.as_ref()]).map(|name| Self(name.into()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        done("losetup", &["-d".as_ref(), self.0.as_ref()]);
    }
}

#[test]
fn a_file_that_another_process_has_open() {
    let bench = Bench::new();
    let file = bench.file("file");
    let reader = Running::reading(&file);
    bench.refused(&file, &file, "(sleep)");
    // What others only read can be read.
    let image = bench.dir.path().join("image.img.zst");
    assert_eq!(bench.image(&file, &image).0, 0);
    // Another name is the same file.
    let link = bench.dir.path().join("link");
    fs::hard_link(&file, &link).unwrap();
    bench.refused(&link, &link, "(sleep)");
    drop(reader);
    bench.erased(&file, &file);
}

#[test]
fn the_raw_disk_of_a_running_qemu() {
    let bench = Bench::new();
    let file = bench.file("disk.img");
    let drive = format!("file={},format=raw,if=none", file.display());
    let mut command = Command::new("qemu-system-x86_64");
    let qemu = Running::new(command.args(["-S", "-display", "none", "-machine", "none", "-drive", &drive]));
    let holds = || {
        fs::read_dir(format!("/proc/{}/fd", qemu.0.id()))
            .unwrap()
            .flatten()
            .any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == file))
    };
    wait_until(holds);
    // Its locks come a moment after the file is open; either is enough.
    bench.refused(&file, &file, "disk.img");
    drop(qemu);
    bench.erased(&file, &file);
}

#[test]
fn a_hard_link_to_what_a_loop_device_is_over_and_the_device_itself() {
    let bench = Bench::for_loops();
    let file = bench.file("file");
    let link = bench.dir.path().join("link");
    fs::hard_link(&file, &link).unwrap();
    let Some(device) = Loop::over(&file) else { return };
    bench.refused(&link, &link, "is part of loop");
    // The name that the kernel remembers leads elsewhere by now.
    let moved = bench.dir.path().join("moved");
    fs::rename(&file, &moved).unwrap();
    bench.file("file");
    bench.refused(&moved, &moved, "is part of loop");
    fs::rename(&moved, &file).unwrap();
    let reader = Running::reading(&device.0);
    bench.refused(&device.0, &file, "(sleep)");
    drop(reader);
    bench.erased(&device.0, &file);
}

/// On a drive of 4096-byte blocks a file has such blocks, too.
#[test]
fn a_file_on_a_drive_of_large_blocks_is_not_refused() {
    let bench = Bench::for_loops();
    let (below, at) = (bench.dir.path().join("below"), bench.dir.path().join("at"));
    fs::File::create(&below).unwrap().set_len(64 * MIB as u64).unwrap();
    fs::create_dir(&at).unwrap();
    let args: [&std::ffi::OsStr; 5] =
        ["-f".as_ref(), "--show".as_ref(), "--sector-size".as_ref(), "4096".as_ref(), below.as_ref()];
    let Some(device) = done("losetup", &args).map(|name| Loop(name.into())) else { return };
    done("mke2fs", &["-q".as_ref(), "-F".as_ref(), device.0.as_ref()]).unwrap();
    if done("mount", &[device.0.as_ref(), at.as_ref()]).is_none() {
        return;
    }
    let file = at.join("file");
    fs::write(&file, vec![0x5a; 4 * MIB]).unwrap();
    let imaged = bench.image(&file, &bench.dir.path().join("image.img.zst"));
    let erased = bench.wipe(&file, &file);
    done("umount", &[at.as_ref()]).unwrap();
    assert_eq!((imaged.0, erased.0), (0, 0), "{}{}", imaged.1, erased.1);
}

/// What is written to a loop device reaches whoever has the file or the device below it by another way.
#[test]
fn a_loop_device_over_what_others_use() {
    let bench = Bench::for_loops();
    let file = bench.file("file");
    let (Some(one), Some(other)) = (Loop::over(&file), Loop::over(&file)) else { return };
    bench.refused(&one.0, &file, &format!("is part of {}", other.0.file_name().unwrap().display()));
    drop(other);
    let reader = Running::reading(&file);
    bench.refused(&one.0, &file, "(sleep)");
    // What others only read can be read.
    assert_eq!(bench.image(&one.0, &bench.dir.path().join("image.img.zst")).0, 0);
    drop(reader);
    let above = Loop::over(&one.0).unwrap();
    let at = bench.dir.path().join("at");
    fs::create_dir(&at).unwrap();
    done("mke2fs", &["-q".as_ref(), "-F".as_ref(), one.0.as_ref()]).unwrap();
    let elsewhere = mounted_elsewhere(&one.0, &at);
    bench.refused(&above.0, &one.0, "is mounted at");
    drop(elsewhere);
    let reader = Running::reading(&file);
    bench.refused(&above.0, &one.0, "(sleep)");
    drop(reader);
    bench.erased(&above.0, &one.0);
    drop(above);
    bench.erased(&one.0, &file);
}

/// Of another user's file the kernel tells nobody but root who has it open: that it is not known is said.
#[test]
fn somebody_elses_file_that_root_has_open() {
    use std::os::unix::{fs::PermissionsExt, process::CommandExt};
    let bench = Bench::for_loops();
    let file = bench.file("file");
    let all = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    [bench.dir.path(), &file].into_iter().for_each(all);
    let _reader = Running::reading(&file);
    let mut command = Command::new("/proc/self/fd/0");
    command.stdin(fs::File::open(env!("CARGO_BIN_EXE_mule")).unwrap()).uid(65534).gid(65534);
    command.current_dir(bench.dir.path()).args(["wipe", "file", "--yes-erase", "file", "--state", "state"]);
    // Who is not root cannot be somebody else.
    let Ok(out) = command.output() else { return };
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.contains("processes could not be looked at"), "{said}");
}

/// A process that has a device mounted in a namespace of its own: tests beside this one copy that of all.
fn mounted_elsewhere(device: &Path, at: &Path) -> Running {
    let (script, said) = ("mount \"$0\" \"$1\" && touch \"$1.mounted\" && exec sleep 60", at.with_extension("mounted"));
    let elsewhere = Running::new(Command::new("unshare").args(["-m", "sh", "-c", script]).arg(device).arg(at));
    wait_until(|| said.exists());
    elsewhere
}

#[test]
fn what_is_mounted_where_only_others_see_it() {
    let bench = Bench::for_loops();
    let file = bench.file("file");
    let Some(device) = Loop::over(&file) else { return };
    done("mke2fs", &["-q".as_ref(), "-F".as_ref(), device.0.as_ref()]).unwrap();
    let at = bench.dir.path().join("at");
    fs::create_dir(&at).unwrap();
    let elsewhere = mounted_elsewhere(&device.0, &at);
    bench.refused(&device.0, &file, "is mounted at");
    drop(elsewhere);
}

#[test]
fn what_is_swapped_to() {
    let bench = Bench::new();
    let swap = bench.file("swap");
    // Not everybody may, and not every file system can.
    if done("mkswap", &[swap.as_ref()]).and_then(|_| done("swapon", &[swap.as_ref()])).is_some() {
        let (code, text) = bench.wipe(&swap, &swap);
        done("swapoff", &[swap.as_ref()]).unwrap();
        assert!(code == 2 && text.contains("is swap space"), "exit code {code}: {text}");
    }
}

#[test]
fn an_image_is_not_made_of_what_somebody_writes() {
    let bench = Bench::new();
    let file = bench.file("file");
    let writer = fs::OpenOptions::new().append(true).open(&file).unwrap();
    let writing = Running::new(Command::new("sleep").arg("60").stdin(writer));
    let image = bench.dir.path().join("image.img.zst");
    let (code, text) = bench.image(&file, &image);
    assert!(code == 2 && text.contains("(sleep)") && !image.exists(), "{text}");
    drop(writing);
    assert_eq!(bench.image(&file, &image).0, 0);
}

/// A library stays mapped when its loader has closed it.
#[test]
fn a_file_that_a_process_has_only_mapped() {
    let bench = Bench::new();
    let file = bench.dir.path().join("mapped");
    let library = done("sh", &["-c".as_ref(), "ldd \"$(command -v sleep)\" | grep -o '/[^ ]*libc[.]so[^ ]*'".as_ref()]);
    fs::copy(library.unwrap(), &file).unwrap();
    let len = fs::metadata(&file).unwrap().len().next_multiple_of(MIB as u64);
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(len).unwrap();
    let process = Running::new(Command::new("sleep").arg("60").env("LD_PRELOAD", &file));
    let maps = || fs::read_to_string(format!("/proc/{}/maps", process.0.id())).unwrap_or_default();
    wait_until(|| maps().contains("/mapped"));
    bench.refused(&file, &file, "(sleep)");
    // Nothing that is written there reaches the file.
    assert_eq!(bench.image(&file, &bench.dir.path().join("image.img.zst")).0, 0);
    drop(process);
    bench.erased(&file, &file);
}

/// A thread may have descriptors that its process has not.
#[test]
fn a_file_that_one_thread_of_a_process_has_open() {
    let bench = Bench::new();
    let file = bench.file("file");
    let (opened, wait) = std::sync::mpsc::channel();
    let (over, end) = std::sync::mpsc::channel::<()>();
    let path = file.clone();
    let thread = thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_FILES).unwrap();
        let _open = fs::File::open(path).unwrap();
        opened.send(()).unwrap();
        let _ = end.recv();
    });
    wait.recv().unwrap();
    bench.refused(&file, &file, "is open in process");
    drop(over);
    thread.join().unwrap();
    bench.erased(&file, &file);
}

/// A descriptor that waits in a socket is no process's, and yet the file is open: only the kernel knows.
#[test]
fn a_file_that_no_process_shows() {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let bench = Bench::new();
    let file = bench.file("file");
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let open = fs::OpenOptions::new().append(true).open(&file).unwrap();
    let sent = [std::os::fd::AsFd::as_fd(&open)];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut words = SendAncillaryBuffer::new(&mut space);
    assert!(words.push(SendAncillaryMessage::ScmRights(&sent)));
    sendmsg(&ours, &[io::IoSlice::new(b"x")], &mut words, SendFlags::empty()).unwrap();
    drop(open);
    bench.refused(&file, &file, "or in the kernel itself");
    let (code, text) = bench.image(&file, &bench.dir.path().join("image.img.zst"));
    assert!(code == 2 && text.contains("or in the kernel itself"), "{text}");
    drop((ours, theirs));
    bench.erased(&file, &file);
}

/// Between the question and the answer a person takes time.
#[test]
fn a_file_that_is_opened_before_its_serial_number_is_typed() {
    let bench = Bench::for_loops();
    let file = bench.file("file");
    let mut command = Command::new("script");
    let line = "timeout --foreground 60 \"$MULE\" wipe \"$FILE\" --state state --certificates certificates";
    command.args(["-qefc", line, "/dev/null"]).env("MULE", env!("CARGO_BIN_EXE_mule")).env("FILE", &file);
    command.env("TERM", "dumb").current_dir(bench.dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut mule = command.spawn().unwrap();
    let (mut out, mut said) = (mule.stdout.take().unwrap(), Vec::new());
    let mut byte = [0];
    while !String::from_utf8_lossy(&said).contains("to go on: ") && out.read(&mut byte).unwrap() == 1 {
        said.push(byte[0]);
    }
    let reader = Running::reading(&file);
    mule.stdin.take().unwrap().write_all(format!("{}\n", file.display()).as_bytes()).unwrap();
    out.read_to_end(&mut said).unwrap();
    assert_ne!(mule.wait().unwrap().code(), Some(0));
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("it is in use") && said.contains("(sleep)"), "{said}");
    assert!(fs::read(&file).unwrap() == vec![0x5a; 4 * MIB], "it was written on");
    drop(reader);
}
