//! Going through a whole tree of folders.

use super::{BrowseError, Entry, EntryKind, Files};
use std::{collections::HashSet, ops::ControlFlow};

/// Folders within folders: Windows and Linux stop at paths of 32 KiB and 4 KiB.
const MAX_DEPTH: usize = 256;
/// Folders that wait to be gone through, over all levels: some tens of MiB.
const MAX_WAITING: usize = 1 << 18;
/// Folders gone through: some tens of MiB to remember them all.
const MAX_FOLDERS: usize = 1 << 22;

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

/// Visits everything below a folder: of each folder first what is no folder, in the file system's order, then its folders
/// by name, each before its contents. `path` is the folder's own, without a slash at its end. A folder that cannot be
/// read, or only in part, is told once more, with the reason.
pub fn walk(
    files: &dyn Files,
    folder: &Entry,
    path: &str,
    visit: &mut dyn FnMut(&str, &Entry, Option<BrowseError>) -> Next,
) -> ControlFlow<()> {
    Walk { files, seen: HashSet::new(), depth: 0, waiting: 0, visit }.down(folder, path)
}

struct Walk<'a> {
    files: &'a dyn Files,
    /// Every folder is in one place only; otherwise crafted ones lead through each other for ever.
    seen: HashSet<u64>,
    depth: usize,
    /// Folders kept on all levels.
    waiting: usize,
    visit: &'a mut dyn FnMut(&str, &Entry, Option<BrowseError>) -> Next,
}

impl Walk<'_> {
    fn down(&mut self, folder: &Entry, path: &str) -> ControlFlow<()> {
        let (mut folders, mut stopped) = (Vec::new(), false);
        let room = MAX_WAITING - self.waiting;
        let mut listed = if self.seen.len() >= MAX_FOLDERS {
            Err(BrowseError::TooMany(path.to_owned(), MAX_FOLDERS))
        } else if folder.id.is_some_and(|id| !self.seen.insert(id)) {
            Err(BrowseError::damaged("a folder that is in several places"))
        } else if self.depth >= MAX_DEPTH {
            Err(BrowseError::damaged("folders deeper than anybody makes them"))
        } else {
            self.files.list(folder, &mut |entry| {
                let full = folders.len() >= room;
                if entry.kind == EntryKind::Folder && !full {
                    folders.push(entry);
                    return ControlFlow::Continue(());
                }
                stopped = full || (self.visit)(&format!("{path}/{}", entry.name), &entry, None) == Next::Stop;
                if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        };
        if folders.len() >= room {
            folders.clear();
            listed = Err(BrowseError::TooMany(path.to_owned(), MAX_WAITING));
        } else if stopped {
            return ControlFlow::Break(());
        }
        if let Err(error) = listed
            && (self.visit)(path, folder, Some(error)) == Next::Stop
        {
            return ControlFlow::Break(());
        }
        folders.sort_by(|a, b| a.name.cmp(&b.name));
        self.depth += 1;
        self.waiting += folders.len();
        let result = folders.iter().try_for_each(|entry| {
            let path = format!("{path}/{}", entry.name);
            match (self.visit)(&path, entry, None) {
                Next::Stop => ControlFlow::Break(()),
                Next::On => self.down(entry, &path),
                Next::Past => ControlFlow::Continue(()),
            }
        });
        self.depth -= 1;
        self.waiting -= folders.len();
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::browse::{Kind, Out, Place};
    use std::ops::Range;

    /// Every folder has `broad` folders and a file; the number of a folder follows from its parent's.
    struct Crafted {
        broad: u64,
        number: fn(u64, u64) -> u64,
    }

    fn entry(kind: EntryKind, id: u64) -> Entry {
        let place = Place::Ntfs(id);
        Entry { name: id.to_string(), kind, size: 0, modified: None, id: Some(id), place }
    }

    impl Files for Crafted {
        fn kind(&self) -> Kind {
            Kind::Ntfs
        }

        fn root(&self) -> Entry {
            entry(EntryKind::Folder, 0)
        }

        fn list(&self, folder: &Entry, each: &mut dyn FnMut(Entry) -> ControlFlow<()>) -> Result<(), BrowseError> {
            let parent = folder.id.unwrap();
            let _ = each(entry(EntryKind::File, 0));
            for child in 0..self.broad {
                if each(entry(EntryKind::Folder, (self.number)(parent, child))).is_break() {
                    break;
                }
            }
            Ok(())
        }

        fn read(&self, _: &Entry, _: &mut dyn Out) -> Result<u64, BrowseError> {
            unreachable!()
        }

        fn places(&self, _: &Entry, _: &mut dyn FnMut(Range<u64>) -> ControlFlow<()>) -> Result<(), BrowseError> {
            unreachable!()
        }
    }

    /// How many visits, and what was wrong.
    fn visits(files: &Crafted) -> (u64, Vec<String>) {
        let (mut count, mut wrong) = (0, Vec::new());
        let done = walk(files, &files.root(), "", &mut |_, _, trouble| {
            count += 1;
            wrong.extend(trouble.map(|trouble| trouble.to_string()));
            if wrong.last().is_some_and(|wrong| wrong.contains("more than")) { Next::Stop } else { Next::On }
        });
        assert_eq!(done.is_break(), wrong.last().is_some_and(|wrong| wrong.contains("more than")));
        (count, wrong)
    }

    #[test]
    fn crafted_folders_come_to_an_end() {
        // 20 folders that all contain each other.
        let (count, wrong) = visits(&Crafted { broad: 20, number: |_, child| child });
        assert!(count < 1000 && wrong[0].contains("several places"), "{count}");
        let (count, wrong) = visits(&Crafted { broad: 1, number: |parent, _| parent + 1 });
        assert_eq!((count, wrong.len()), (256 * 2 + 1, 1), "{wrong:?}");
        assert!(wrong[0].contains("deeper"));
        let (count, wrong) = visits(&Crafted { broad: 100_000, number: |parent, child| parent * 100_000 + child + 1 });
        assert!(count < 10 && wrong.len() == 1 && wrong[0].contains("more than"), "{count} {wrong:?}");
    }

    #[test]
    fn a_visitor_ends_the_walk() {
        for stop in 1..6 {
            let files = Crafted { broad: 2, number: |parent, child| parent * 2 + child + 1 };
            let mut count = 0;
            let done = walk(&files, &files.root(), "", &mut |_, _, _| {
                count += 1;
                if count == stop { Next::Stop } else { Next::On }
            });
            assert_eq!((done.is_break(), count), (true, stop));
        }
    }
}
