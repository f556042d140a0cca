//! Files and folders out of a volume, into a folder of this computer.
//!
//! A file has its name when all of it is there: its content is flushed under a made-up name first, many files at once, since a flush
//! takes as long for one as for hundreds. So a run that was cut short leaves no half of a file under its name, and the same command
//! ends with what an uninterrupted one leaves: of a file that is there already every byte is compared, and an equal one is done.

use super::{BrowseError, Entry, EntryKind, Files, Next, Out, cat, walk};
use crate::aside::{Folder, Fresh, is_made_up};
use rustix::fs::OFlags;
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Write},
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

/// Before the digits of a made-up name. A file of the volume that is called so is not extracted.
const PREFIX: &str = ".mule-extract-";
/// Files and bytes that wait for one flush.
const BATCH: usize = 256;
const BATCH_BYTES: u64 = 64 << 20;

/// Something that was not extracted.
#[derive(Debug)]
pub struct Skipped {
    /// Its path in the volume.
    pub path: String,
    /// Why.
    pub why: BrowseError,
}

/// What was extracted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Extracted {
    /// Files that are whole.
    pub files: u64,
    /// Folders made or found.
    pub folders: u64,
    /// Bytes of the files.
    pub bytes: u64,
}

/// Copies a file, or a folder with everything in it, into an existing folder of this computer.
///
/// `path` is where it is in the volume. Nothing that exists is written over, links are neither followed nor made, and
/// nothing is made outside of `into`: all names are single components that were made safe, and each is looked up in the
/// folder that is held open, whatever takes a folder's place meanwhile. `skipped` hears of everything that is not copied.
pub fn extract(
    files: &dyn Files,
    from: &Entry,
    path: &str,
    into: &Path,
    skipped: &mut dyn FnMut(Skipped),
) -> Extracted {
    let path = path.trim_matches('/');
    let mut work = match Work::new(files, into) {
        Ok(work) => work,
        Err(source) => {
            skipped(Skipped { path: path.to_owned(), why: BrowseError::Local { path: into.to_owned(), source } });
            return Extracted::default();
        }
    };
    let above = path.rsplit_once('/').map_or(0, |(above, _)| above.len() + 1);
    // The root has no name of its own: its contents go straight into the folder.
    let start = if path.is_empty() { String::new() } else { format!("/{path}") };
    let mut take = |path: &str, entry: &Entry, trouble: Option<BrowseError>| {
        let result = match trouble {
            Some(trouble) => Err(trouble),
            None => work.one(entry, path, path.get(1 + above..).unwrap_or_default(), skipped),
        };
        match result {
            Ok(()) => Next::On,
            Err(why) => {
                skipped(Skipped { path: path.to_owned(), why });
                Next::Past
            }
        }
    };
    if (path.is_empty() || take(&start, from, None) == Next::On) && from.kind == EntryKind::Folder {
        let _ = walk(files, from, &start, &mut take);
    }
    work.flush(skipped);
    work.done
}

/// The folders from the destination to where the work is, each held open in the one above it, with their paths from there.
struct Tree(Vec<(String, Arc<Folder>)>);

impl Tree {
    /// The folder of what is called so, which is the last one that was gone into or one above it; and its name there.
    fn folder_of<'a>(&mut self, local: &'a str) -> io::Result<(&Arc<Folder>, &'a OsStr)> {
        let (above, name) = local.rsplit_once('/').unwrap_or(("", local));
        let held = self.0.iter().rposition(|(path, _)| path == above);
        self.0.truncate(held.ok_or(io::ErrorKind::NotFound)? + 1);
        let (_, folder) = self.0.last().ok_or(io::ErrorKind::NotFound)?;
        Ok((folder, OsStr::new(name)))
    }

    /// Goes into a folder, and makes it where there is none.
    fn enter(&mut self, local: &str) -> io::Result<()> {
        let (folder, name) = self.folder_of(local)?;
        let folder = folder.make(name)?;
        folder.sweep(OsStr::new(PREFIX))?;
        self.0.push((local.to_owned(), Arc::new(folder)));
        Ok(())
    }

    /// For messages.
    fn failed(&self, local: &str) -> impl Fn(io::Error) -> BrowseError + use<> {
        let path = self.0.first().map(|(_, into)| into.path().join(local)).unwrap_or_default();
        move |source| BrowseError::Local { path: path.clone(), source }
    }
}

/// A file that is whole but for its name.
struct Waiting {
    file: Fresh,
    name: OsString,
    /// In the volume, and below the destination.
    path: String,
    local: String,
    bytes: u64,
}

struct Work<'a> {
    files: &'a dyn Files,
    tree: Tree,
    waiting: Vec<Waiting>,
    bytes_waiting: u64,
    done: Extracted,
}

impl<'a> Work<'a> {
    fn new(files: &'a dyn Files, into: &Path) -> io::Result<Self> {
        let folder = Folder::anybodys(into)?;
        folder.sweep(OsStr::new(PREFIX))?;
        let tree = Tree(vec![(String::new(), Arc::new(folder))]);
        Ok(Self { files, tree, waiting: Vec::new(), bytes_waiting: 0, done: Extracted::default() })
    }

    fn one(
        &mut self,
        entry: &Entry,
        path: &str,
        local: &str,
        skipped: &mut dyn FnMut(Skipped),
    ) -> Result<(), BrowseError> {
        let failed = self.tree.failed(local);
        match entry.kind {
            EntryKind::Folder => {
                self.tree.enter(local).map_err(failed)?;
                self.done.folders += 1;
                Ok(())
            }
            EntryKind::File => {
                self.file(entry, path, local, &failed)?;
                if self.waiting.len() >= BATCH || self.bytes_waiting >= BATCH_BYTES {
                    self.flush(skipped);
                }
                Ok(())
            }
            EntryKind::Link => Err(BrowseError::Unsupported("a link, which is not followed and not made".into())),
            EntryKind::Other => Err(BrowseError::Unsupported("neither a file nor a folder".into())),
        }
    }

    fn file(
        &mut self,
        entry: &Entry,
        path: &str,
        local: &str,
        failed: &dyn Fn(io::Error) -> BrowseError,
    ) -> Result<(), BrowseError> {
        let (folder, name) = self.tree.folder_of(local).map_err(failed)?;
        if is_made_up(OsStr::new(PREFIX), name) {
            return Err(BrowseError::Unsupported(
                "its name is one that Mule gives to files it has not finished".into(),
            ));
        }
        if folder.has(name).map_err(failed)? {
            let bytes = is_there(self.files, entry, folder, name, failed)?;
            self.done.files += 1;
            self.done.bytes += bytes;
            return Ok(());
        }
        let file = folder.fresh(OsStr::new(PREFIX)).map_err(failed)?;
        let bytes = fill(self.files, entry, file.file(), failed)?;
        let (name, path, local) = (name.to_owned(), path.to_owned(), local.to_owned());
        self.waiting.push(Waiting { file, name, path, local, bytes });
        self.bytes_waiting += bytes;
        Ok(())
    }

    /// All that waits gets its name: its content is on the medium before.
    fn flush(&mut self, skipped: &mut dyn FnMut(Skipped)) {
        let waiting = std::mem::take(&mut self.waiting);
        self.bytes_waiting = 0;
        let flushed = match &waiting[..] {
            [] => return,
            [only] => only.file.file().sync_data(),
            [first, ..] => first.file.folder().sync_everything(),
        };
        let mut folders: Vec<Arc<Folder>> = Vec::new();
        for Waiting { file, name, path, local, bytes } in waiting {
            let folder = Arc::clone(file.folder());
            // What was not flushed gets no name; each is told.
            let named = match &flushed {
                Ok(()) => file.name(&name),
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            };
            if let Err(error) = named {
                skipped(Skipped { path, why: self.tree.failed(&local)(error) });
                continue;
            }
            self.done.files += 1;
            self.done.bytes += bytes;
            if !folders.iter().any(|known| Arc::ptr_eq(known, &folder)) {
                folders.push(folder);
            }
        }
        let flushed = match &folders[..] {
            [] => return,
            [only] => only.sync(),
            [first, ..] => first.sync_everything(),
        };
        if let Err(source) = flushed {
            let path = folders[0].path().to_owned();
            skipped(Skipped { path: path.display().to_string(), why: BrowseError::Local { path, source } });
        }
    }
}

fn fill(
    files: &dyn Files,
    entry: &Entry,
    file: &File,
    failed: &dyn Fn(io::Error) -> BrowseError,
) -> Result<u64, BrowseError> {
    let size = files.read(entry, &mut Local { file }).map_err(|error| local(error, failed))?;
    file.set_len(size).map_err(failed)?;
    if let Some(modified) = entry.modified.and_then(|seconds| u64::try_from(seconds).ok()) {
        // A time is not worth a failure: not every file system can hold every one.
        let _ = UNIX_EPOCH.checked_add(Duration::from_secs(modified)).map(|time| file.set_modified(time));
    }
    Ok(size)
}

fn local(error: BrowseError, failed: &dyn Fn(io::Error) -> BrowseError) -> BrowseError {
    match error {
        BrowseError::Out(source) => failed(source),
        other => other,
    }
}

/// The length of a file that is there with every byte that the volume's has; any other one is left alone.
fn is_there(
    files: &dyn Files,
    entry: &Entry,
    folder: &Folder,
    name: &OsStr,
    failed: &dyn Fn(io::Error) -> BrowseError,
) -> Result<u64, BrowseError> {
    let exists = || failed(io::ErrorKind::AlreadyExists.into());
    let file = folder.existing(name, OFlags::RDONLY).map_err(|_| exists())?;
    let size = cat(files, entry, &mut Same { file: &file, at: 0, buffer: Vec::new() });
    let size = size.map_err(|error| local(error, failed))?;
    let len = file.metadata().map_err(failed)?.len();
    if len == size { Ok(size) } else { Err(exists()) }
}

/// Leaves holes where zeros are.
struct Local<'a> {
    file: &'a File,
}

impl Out for Local<'_> {
    fn data(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }
}

/// Compares what is written with a file that is there.
struct Same<'a> {
    file: &'a File,
    /// Everything before was the same.
    at: u64,
    buffer: Vec<u8>,
}

impl Write for Same<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.buffer.resize(data.len(), 0);
        let differs = || io::Error::from(io::ErrorKind::AlreadyExists);
        self.file.read_exact_at(&mut self.buffer, self.at).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => differs(),
            _ => error,
        })?;
        self.at += data.len() as u64;
        if self.buffer == data { Ok(data.len()) } else { Err(differs()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
