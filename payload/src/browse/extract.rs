//! Files out of a volume: one by its path, or whole folders.

use super::{BrowseError, Entry, EntryKind, Files, Next, Out, walk};
use crate::aside::Folder;
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Write},
    ops::ControlFlow,
    os::unix::fs::FileExt,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

/// Finds what a path names. Slashes part the names; where upper and lower case are the same to the file system, an exact
/// match comes first.
pub fn find(files: &dyn Files, path: &str) -> Result<Entry, BrowseError> {
    let mut found = files.root();
    for name in path.split('/').filter(|name| !name.is_empty()) {
        if found.kind != EntryKind::Folder {
            return Err(BrowseError::NotAFolder(path.to_owned()));
        }
        found = within(files, &found, name)?.ok_or_else(|| BrowseError::NotFound(path.to_owned()))?;
    }
    Ok(found)
}

fn within(files: &dyn Files, folder: &Entry, name: &str) -> Result<Option<Entry>, BrowseError> {
    let (mut exact, mut similar) = (None, None);
    let folded = name.to_lowercase();
    let any_case = files.kind() != super::Kind::Ext;
    files.list(folder, &mut |entry| {
        if entry.name == name {
            exact = Some(entry);
            return ControlFlow::Break(());
        }
        if any_case && similar.is_none() && entry.name.to_lowercase() == folded {
            similar = Some(entry);
        }
        ControlFlow::Continue(())
    })?;
    Ok(exact.or(similar))
}

/// Writes a file's bytes.
pub fn cat(files: &dyn Files, file: &Entry, out: &mut dyn Write) -> Result<u64, BrowseError> {
    let mut stream = Streamed { out, at: 0 };
    let size = files.read(file, &mut stream)?;
    stream.zeros_to(size).and_then(|()| stream.out.flush()).map_err(BrowseError::Out)?;
    Ok(size)
}

/// Fills the gaps with zeros.
struct Streamed<'a> {
    out: &'a mut dyn Write,
    at: u64,
}

impl Streamed<'_> {
    fn zeros_to(&mut self, offset: u64) -> io::Result<()> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        while self.at < offset {
            let len = (offset - self.at).min(ZEROS.len() as u64);
            self.out.write_all(&ZEROS[..usize::try_from(len).unwrap_or(0)])?;
            self.at += len;
        }
        Ok(())
    }
}

impl Out for Streamed<'_> {
    fn data(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.zeros_to(offset)?;
        self.out.write_all(data)?;
        self.at += data.len() as u64;
        Ok(())
    }
}

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
    let mut done = Extracted::default();
    let path = path.trim_matches('/');
    let mut tree = match Folder::anybodys(into) {
        Ok(folder) => Tree(vec![(String::new(), folder)]),
        Err(source) => {
            skipped(Skipped { path: path.to_owned(), why: BrowseError::Local { path: into.to_owned(), source } });
            return done;
        }
    };
    let above = path.rsplit_once('/').map_or(0, |(above, _)| above.len() + 1);
    // The root has no name of its own: its contents go straight into the folder.
    let start = if path.is_empty() { String::new() } else { format!("/{path}") };
    let mut take = |path: &str, entry: &Entry, trouble: Option<BrowseError>| {
        let result = match trouble {
            Some(trouble) => Err(trouble),
            None => one(files, entry, &mut tree, path.get(1 + above..).unwrap_or_default(), &mut done),
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
    done
}

/// The folders from the destination to where the work is, each held open in the one above it, with their paths from there.
struct Tree(Vec<(String, Folder)>);

impl Tree {
    /// The folder of what is called so, which is the last one that was gone into or one above it; and its name there.
    fn folder_of<'a>(&mut self, local: &'a str) -> io::Result<(&Folder, &'a OsStr)> {
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
        self.0.push((local.to_owned(), folder));
        Ok(())
    }

    /// For messages.
    fn failed(&self, local: &str) -> impl Fn(io::Error) -> BrowseError + use<> {
        let path = self.0.first().map(|(_, into)| into.path().join(local)).unwrap_or_default();
        move |source| BrowseError::Local { path: path.clone(), source }
    }
}

fn one(
    files: &dyn Files,
    entry: &Entry,
    tree: &mut Tree,
    local: &str,
    done: &mut Extracted,
) -> Result<(), BrowseError> {
    let failed = tree.failed(local);
    match entry.kind {
        EntryKind::Folder => {
            tree.enter(local).map_err(failed)?;
            done.folders += 1;
            Ok(())
        }
        EntryKind::File => {
            let (folder, name) = tree.folder_of(local).map_err(&failed)?;
            let bytes = file(files, entry, folder, name, &failed)?;
            done.files += 1;
            done.bytes += bytes;
            Ok(())
        }
        EntryKind::Link => Err(BrowseError::Unsupported("a link, which is not followed and not made".into())),
        EntryKind::Other => Err(BrowseError::Unsupported("neither a file nor a folder".into())),
    }
}

fn file(
    files: &dyn Files,
    entry: &Entry,
    folder: &Folder,
    name: &OsStr,
    failed: &dyn Fn(io::Error) -> BrowseError,
) -> Result<u64, BrowseError> {
    let file = folder.create(name).map_err(failed)?;
    let mut out = Local { file: &file };
    let read = files.read(entry, &mut out).map_err(|error| match error {
        BrowseError::Out(source) => failed(source),
        other => other,
    });
    let size = read.and_then(|size| {
        file.set_len(size).map_err(failed)?;
        if let Some(modified) = entry.modified.and_then(|seconds| u64::try_from(seconds).ok()) {
            // A time is not worth a failure: not every file system can hold every one.
            let _ = UNIX_EPOCH.checked_add(Duration::from_secs(modified)).map(|time| file.set_modified(time));
        }
        Ok(size)
    });
    if size.is_err() {
        // Half a file would be taken for a whole one. The first error is the one to report.
        let _ = folder.remove(name);
    }
    size
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
