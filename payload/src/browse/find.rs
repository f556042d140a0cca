//! Files out of a volume: one by its path, to standard output.

use super::{BrowseError, Entry, EntryKind, Files, Out};
use std::{
    io::{self, Write},
    ops::ControlFlow,
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
