//! Going through a whole tree of folders.

use super::{BrowseError, Entry, EntryKind, Files};
use std::ops::ControlFlow;

/// Folders within folders. Windows and Linux stop at paths of 32 KiB and 4 KiB; a circle has no end.
const MAX_DEPTH: usize = 256;
/// Names in one folder, kept while it is gone through.
const MAX_FOLDER: usize = 1 << 20;

/// What to do after an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Go on; into the folder, if it is one.
    On,
    /// Go on, but not into this folder.
    Past,
    /// End here.
    Stop,
}

/// Visits everything below a folder: each folder's entries in the order of their names, a folder before its contents.
/// `path` is the folder's own, without a slash at its end. A folder that cannot be read, or only in part, is told once
/// more, with the reason.
pub fn walk(
    files: &dyn Files,
    folder: &Entry,
    path: &str,
    visit: &mut dyn FnMut(&str, &Entry, Option<BrowseError>) -> Next,
) -> ControlFlow<()> {
    let mut above = Vec::new();
    down(files, folder, path, &mut above, visit)
}

fn down(
    files: &dyn Files,
    folder: &Entry,
    path: &str,
    above: &mut Vec<u64>,
    visit: &mut dyn FnMut(&str, &Entry, Option<BrowseError>) -> Next,
) -> ControlFlow<()> {
    let mut entries = Vec::new();
    let mut listed = match folder.id {
        Some(id) if above.contains(&id) => Err(BrowseError::damaged("a folder that contains itself")),
        _ if above.len() >= MAX_DEPTH => Err(BrowseError::damaged("folders deeper than anybody makes them")),
        _ => files.list(folder, &mut |entry| {
            entries.push(entry);
            if entries.len() > MAX_FOLDER { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }),
    };
    if entries.len() > MAX_FOLDER {
        listed = Err(BrowseError::TooMany(path.to_owned(), MAX_FOLDER));
    }
    if let Err(error) = listed
        && visit(path, folder, Some(error)) == Next::Stop
    {
        return ControlFlow::Break(());
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    above.push(folder.id.unwrap_or(u64::MAX));
    let result = entries.iter().try_for_each(|entry| {
        let path = format!("{path}/{}", entry.name);
        match visit(&path, entry, None) {
            Next::Stop => ControlFlow::Break(()),
            Next::On if entry.kind == EntryKind::Folder => down(files, entry, &path, above, visit),
            Next::On | Next::Past => ControlFlow::Continue(()),
        }
    });
    above.pop();
    result
}
