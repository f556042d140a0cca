//! What the sub-commands share: where this host keeps its log and certificates, and how drives are opened.

use crate::{
    aside,
    blocks::{FileBlocks, ReadAt},
    boot::{machine, medium},
    certify::{Certifiable, key::StickKey, record::Tool, store},
    discover::{self, Bus, Drive, Roots},
    drive::{Access, DataPlane, Identity, LinuxDrive},
    job::{
        claim::Opener,
        issue::{Kept, Shelf, hex},
    },
    journal::{FileMedium, Journal, JournalError, Owner, replay::Replay},
    plan::Sticks,
    scsi::{CommandPlane, LinuxPlane},
};
use mule_types::stick::{IdSector, ImageId};
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    io::IsTerminal,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    sync::{Arc, Once},
    time::{SystemTime, UNIX_EPOCH},
};

/// Size of a new host log in bytes.
pub const LOG_BYTES: u64 = 16 << 20;
/// The image a host log belongs to: none.
pub const HOST_IMAGE: ImageId = ImageId([0; 16]);

/// Whether a person watches.
pub fn is_terminal() -> bool {
    crate::say::stderr().is_terminal()
}

/// Milliseconds since 1970 by the machine's clock.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX))
}

/// This program, as certificates name it: with the SHA-256 of the binary that runs.
pub fn tool() -> Tool {
    let hash = fs::read("/proc/self/exe").map(|bytes| hex(&Sha256::digest(bytes))).unwrap_or_default();
    Tool {
        name: "mule".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        sha256: hash,
        kernel: format!("Linux {}", machine::kernel()),
    }
}

/// Where this user's log is kept unless the command line says otherwise (XDG Base Directory Specification).
pub fn default_state() -> PathBuf {
    let home = || std::env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    state.unwrap_or_else(|| home().join(".local/state")).join("mule")
}

/// The log file in a state folder.
pub fn log_file(state: &Path) -> PathBuf {
    state.join("log")
}

/// Opens the host's log, making it (with a new key) where there is none. On another host than the one it was made on it
/// gets a new key as well; see `binding`.
pub fn open_log(path: &Path) -> Result<(Journal, Replay), String> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::ResourceBusy => format!(
            "{}: {error}; give all drives to one command, wait for the other, or give this one a log and key of its own with --state",
            path.display()
        ),
        _ => format!("{}: {error}", path.display()),
    };
    let file = log_in_folder(path).map_err(failed)?;
    let len = file.metadata().map_err(failed)?.len();
    // The file that was looked at, and not what its name leads to by then.
    let held = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let medium = FileMedium::open(&held, 0, len).map_err(failed)?;
    let owner = Owner { image: HOST_IMAGE, binding: binding(Path::new("/")) };
    let opened = Journal::open(Box::new(medium), owner, now());
    let (journal, replay) = opened.map_err(|error: JournalError| format!("{}: {error}", path.display()))?;
    if let Some(exchanged) = journal.exchanged() {
        tell!("mule: {exchanged}");
    }
    Ok((journal, replay))
}

/// What a host's log is bound to, so that a copy of it on another host gets a key of its own, as a copied stick does: the
/// hash of the machine's id (machine-id(5), which asks for a hash rather than the id itself), or of the host's name where
/// there is none. A log from before logs were bound is bound at its next use and keeps its key; copies made of it before
/// that cannot be told from it and keep the key as well.
fn binding(root: &Path) -> [u8; 32] {
    const IDS: [&str; 2] = ["etc/machine-id", "var/lib/dbus/machine-id"];
    let read = |path: &&str| fs::read_to_string(root.join(path)).ok();
    // "uninitialized" stands there until the first boot is over.
    let is_id = |text: &String| text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let id = IDS.iter().filter_map(read).map(|text| text.trim().to_ascii_lowercase()).find(is_id);
    match id {
        Some(id) => blake3::derive_key("mule host log 2026 machine-id", id.as_bytes()),
        None => blake3::derive_key("mule host log 2026 host name", rustix::system::uname().nodename().to_bytes()),
    }
}

/// The log file, made where there is none. It holds a secret key: it lies in a folder that nobody else can change, and nobody
/// else may read it.
fn log_in_folder(path: &Path) -> io::Result<fs::File> {
    let name = path.file_name().ok_or_else(|| io::Error::other("this names no file"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(folder)?;
    let folder = aside::Folder::open(folder)?;
    let file = match folder.existing(name, OFlags::RDWR) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => folder.create_private(name)?,
        file => file?,
    };
    // One that is new, or that a run was making when it was cut short.
    if file.metadata()?.len() == 0 {
        file.set_len(LOG_BYTES)?;
        folder.sync()?;
    }
    Ok(file)
}

/// The media among `drives` that carry a Mule stick. One that cannot be read is no target of ours either way: opening it
/// for a wipe would fail as well.
pub fn sticks_among(drives: &[Drive]) -> Sticks {
    let is_stick = |drive: &&Drive| medium::read_id_sector(&drive.path).is_ok_and(|s| IdSector::decode(&s).is_some());
    let all = drives.iter().filter(is_stick).map(|drive| drive.path.clone()).collect();
    Sticks { all, ..Sticks::default() }
}

/// Certificates in a folder.
#[derive(Debug)]
pub struct Folder(pub PathBuf);

impl Shelf for Folder {
    fn keep(&self, record: &dyn Certifiable, key: &StickKey) -> Result<Kept, String> {
        let stored = store::write(&self.0, record, key).map_err(|error| error.to_string())?;
        Ok(Kept { name: stored.name, sha256: stored.sha256 })
    }
}

/// Drives of this machine, through direct I/O.
#[derive(Debug, Default)]
pub struct Linux(pub Roots);

impl Opener for Linux {
    fn open(&self, drive: &Drive, access: Access) -> Result<(Box<dyn DataPlane>, Identity), String> {
        let open = claimed(&self.0, &drive.path, access)?;
        let identity = discover::identity_of(&self.0, &open).map_err(|error| error.to_string())?;
        Ok((Box::new(open), identity))
    }

    fn commands(&self, drive: &Drive, access: Access) -> Result<Option<Box<dyn CommandPlane>>, String> {
        if drive.bus == Bus::File {
            return Ok(None);
        }
        let open = claimed(&self.0, &drive.path, access)?;
        let found = discover::identity_of(&self.0, &open).map_err(|error| error.to_string())?;
        if found != drive.identity {
            return Err(format!("the drive there now is {found}; nothing was asked of it"));
        }
        Ok(Some(Box::new(LinuxPlane::new(Arc::clone(open.file())))))
    }

    fn again(&self, drive: &Drive, sectors: u64) -> Result<Drive, String> {
        discover::probe_again(&self.0, drive, sectors).map_err(|error| error.to_string())
    }

    fn find(&self, drive: &Drive) -> Option<Drive> {
        let mut found = discover::scan(&self.0).into_iter().find(|found| found.identity == drive.identity)?;
        discover::ask(&mut found);
        Some(found)
    }

    fn look(&self, drive: &Drive) -> Result<Box<dyn ReadAt>, String> {
        let file = fs::File::open(&drive.path).and_then(FileBlocks::new);
        file.map(|file| Box::new(file) as _).map_err(|error| error.to_string())
    }
}

/// What cannot be seen is said once.
static HIDDEN: Once = Once::new();

/// Claims the drive or file at `path` and asks then, by the descriptor that is held, who else uses it: the countdown, and what
/// came before, took time.
pub fn claimed(roots: &Roots, path: &Path, access: Access) -> Result<LinuxDrive, String> {
    let open = LinuxDrive::open(path, access).map_err(|error| error.to_string())?;
    let (users, hidden) = discover::users_of(roots, &open);
    if let Some(usage) = users.iter().find(|usage| access == Access::ReadWrite || usage.hinders_reading()) {
        return Err(format!("{}: it is in use: {usage}; end that and try again", path.display()));
    }
    if hidden != 0 && access == Access::ReadWrite {
        HIDDEN.call_once(|| {
            let drive = path.display();
            tell!("mule: {hidden} processes could not be looked at: whether they have {drive} open is not known; with all rights of root it would be");
        });
    }
    Ok(open)
}

/// What SMART says now, asked on a descriptor of its own; only of drives that had an answer before.
pub fn health_now(drive: &Drive) -> Option<serde_json::Value> {
    drive.health.as_ref()?;
    let mut again = drive.clone();
    discover::ask(&mut again);
    serde_json::to_value(again.health?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooted(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn a_log_is_bound_to_the_machines_id_and_does_not_tell_it() {
        let id = "0123456789abcdef0123456789abcdef";
        let of = |files: &[(&str, &str)]| binding(rooted(files).path());
        let here = of(&[("etc/machine-id", &format!("{id}\n"))]);
        assert_eq!(here, of(&[("var/lib/dbus/machine-id", id)]));
        assert_eq!(here, of(&[("etc/machine-id", "uninitialized\n"), ("var/lib/dbus/machine-id", id)]));
        let other = of(&[("etc/machine-id", "1123456789abcdef0123456789abcdef\n")]);
        let nameless = of(&[]);
        assert_eq!(nameless, of(&[("etc/machine-id", "")]));
        assert!(here != other && here != nameless && nameless != [0; 32]);
        assert!(!hex(&here).contains(&id[..8]));
    }
}
