//! Files out of a volume: one by its path, or whole folders.

use super::{BrowseError, Entry, EntryKind, Files, Next, Out, walk};
use std::{
    fs::{self, File, OpenOptions},
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
/// nothing is made outside of `into`: all names are single components that were made safe. `skipped` hears of everything
/// that is not copied.
pub fn extract(
    files: &dyn Files,
    from: &Entry,
    path: &str,
    into: &Path,
    skipped: &mut dyn FnMut(Skipped),
) -> Extracted {
    let mut done = Extracted::default();
    let path = path.trim_matches('/');
    let above = path.rsplit_once('/').map_or(0, |(above, _)| above.len() + 1);
    // The root has no name of its own: its contents go straight into the folder.
    let start = if path.is_empty() { String::new() } else { format!("/{path}") };
    let mut take = |path: &str, entry: &Entry, trouble: Option<BrowseError>| {
        let local = path
            .get(1 + above..)
            .filter(|rest| !rest.is_empty())
            .map_or_else(|| into.to_owned(), |rest| into.join(rest));
        let result = match trouble {
            Some(trouble) => Err(trouble),
            None => one(files, entry, &local, &mut done),
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

fn one(files: &dyn Files, entry: &Entry, to: &Path, done: &mut Extracted) -> Result<(), BrowseError> {
    let local = |source: io::Error| BrowseError::Local { path: to.to_owned(), source };
    match entry.kind {
        EntryKind::Folder => {
            match fs::create_dir(to) {
                // A link to a folder is not one.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    fs::symlink_metadata(to).and_then(|there| if there.is_dir() { Ok(()) } else { Err(error) })
                }
                made => made,
            }
            .map_err(local)?;
            done.folders += 1;
            Ok(())
        }
        EntryKind::File => {
            let bytes = file(files, entry, to)?;
            done.files += 1;
            done.bytes += bytes;
            Ok(())
        }
        EntryKind::Link => Err(BrowseError::Unsupported("a link, which is not followed and not made".into())),
        EntryKind::Other => Err(BrowseError::Unsupported("neither a file nor a folder".into())),
    }
}

fn file(files: &dyn Files, entry: &Entry, to: &Path) -> Result<u64, BrowseError> {
    let local = |source: io::Error| BrowseError::Local { path: to.to_owned(), source };
    let file = OpenOptions::new().write(true).create_new(true).open(to).map_err(local)?;
    let mut out = Local { file: &file };
    let read = files.read(entry, &mut out).map_err(|error| match error {
        BrowseError::Out(source) => local(source),
        other => other,
    });
    let size = read.and_then(|size| {
        file.set_len(size).map_err(local)?;
        if let Some(modified) = entry.modified.and_then(|seconds| u64::try_from(seconds).ok()) {
            // A time is not worth a failure: not every file system can hold every one.
            let _ = UNIX_EPOCH.checked_add(Duration::from_secs(modified)).map(|time| file.set_modified(time));
        }
        Ok(size)
    });
    if size.is_err() {
        // Half a file would be taken for a whole one. The first error is the one to report.
        let _ = fs::remove_file(to);
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
