//! The seek table: the compressed and the plain size of every frame, 8 bytes for each of them. Neither writing nor
//! reading an image keeps all of it in memory: that would grow with the disk.

use super::{
    constant,
    format::{Part, SEEKABLE, u32_at},
    reader::skippable_at,
    volumes::{VolumeError, Volumes},
};
use crate::aside::Folder;
use std::{ffi::OsString, fs::File, io, ops::Range, os::unix::fs::FileExt, path::Path};

/// Entries in memory (512 KiB).
const RECENT: usize = 1 << 16;
/// Bytes behind the entries: their number, a byte of flags, a magic number.
const FOOTER: usize = 9;

/// An entry: compressed and plain size.
pub(super) type Entry = (u32, u32);

fn packed(entry: Entry) -> [u8; 8] {
    let [a, b, c, d] = entry.0.to_le_bytes();
    let [e, f, g, h] = entry.1.to_le_bytes();
    [a, b, c, d, e, f, g, h]
}

fn unpacked(bytes: [u8; 8]) -> Entry {
    let [a, b, c, d, e, f, g, h] = bytes;
    (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

/// The table of an image that is being written. Its older part waits in a file without a name beside the image, which is
/// gone with the process; where no such file can be had, in memory.
#[derive(Debug)]
pub(super) struct Growing {
    beside: Option<(Folder, OsString)>,
    file: Option<File>,
    stored: usize,
    recent: Vec<Entry>,
}

impl Growing {
    pub(super) fn new(image: &Path) -> Self {
        // Nothing can be put beside the null device.
        let folder = Folder::of(image).ok().filter(|_| image != Path::new("/dev/null"));
        let beside = folder.map(|(folder, name)| {
            let mut name = name.to_owned();
            name.push(".table");
            (folder, name)
        });
        Self { beside, file: None, stored: 0, recent: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.stored + self.recent.len()
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.recent.push(entry);
        if self.recent.len() >= RECENT && self.beside.is_some() && self.spill().is_err() {
            // A file that is there already stays in use; nothing more goes into it.
            self.beside = None;
        }
    }

    fn spill(&mut self) -> io::Result<()> {
        let file = match (&self.file, &self.beside) {
            (Some(file), _) => file,
            (None, Some((folder, name))) => {
                let file = folder.create(name)?;
                folder.remove(name)?;
                self.file.insert(file)
            }
            (None, None) => return Ok(()),
        };
        let bytes: Vec<u8> = self.recent.iter().flat_map(|entry| packed(*entry)).collect();
        file.write_all_at(&bytes, 8 * self.stored as u64)?;
        self.stored += self.recent.len();
        self.recent.clear();
        Ok(())
    }

    pub(super) fn get(&self, at: usize) -> io::Result<Entry> {
        let out = || io::Error::other("no such entry of the seek table");
        if let Some(recent) = at.checked_sub(self.stored) {
            return self.recent.get(recent).copied().ok_or_else(out);
        }
        let mut bytes = [0; 8];
        self.file.as_ref().ok_or_else(out)?.read_exact_at(&mut bytes, 8 * at as u64)?;
        Ok(unpacked(bytes))
    }

    pub(super) fn set(&mut self, at: usize, entry: Entry) -> io::Result<()> {
        let out = || io::Error::other("no such entry of the seek table");
        if let Some(recent) = at.checked_sub(self.stored) {
            *self.recent.get_mut(recent).ok_or_else(out)? = entry;
            return Ok(());
        }
        self.file.as_ref().ok_or_else(out)?.write_all_at(&packed(entry), 8 * at as u64)
    }

    /// Bytes of the skippable frame it becomes.
    pub(super) fn bytes(&self) -> u64 {
        8 + 8 * self.len() as u64 + FOOTER as u64
    }

    /// The skippable frame, piece by piece.
    pub(super) fn write<E: From<io::Error>>(&self, mut put: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        let content = u32::try_from(self.bytes() - 8).unwrap_or(u32::MAX);
        let mut head = Part::SeekTable.wrap(&[]);
        head[4..].copy_from_slice(&content.to_le_bytes());
        put(&head)?;
        let mut buf = vec![0; 8 * RECENT];
        for start in (0..self.stored).step_by(RECENT) {
            let piece = &mut buf[..8 * RECENT.min(self.stored - start)];
            let file = self.file.as_ref().ok_or_else(|| io::Error::other("the seek table's file is missing"))?;
            file.read_exact_at(piece, 8 * start as u64)?;
            put(piece)?;
        }
        for piece in self.recent.chunks(RECENT) {
            put(&piece.iter().flat_map(|entry| packed(*entry)).collect::<Vec<_>>())?;
        }
        put(&u32::try_from(self.len()).unwrap_or(u32::MAX).to_le_bytes())?;
        // No checksums of its own: every frame has one.
        put(&[0])?;
        put(&SEEKABLE.to_le_bytes())
    }
}

/// The table at the end of an image, as it lies there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    /// Where its skippable frame begins: the end of everything it lists.
    at: u64,
    entries: usize,
}

impl Stored {
    /// Finds it, from the end.
    pub(super) fn find(volumes: &Volumes) -> Result<Self, String> {
        let len = volumes.len();
        let mut footer = [0; FOOTER];
        let start = len.checked_sub(FOOTER as u64).ok_or("it is too short")?;
        volumes.read(start, &mut footer).map_err(|error| error.to_string())?;
        if u32_at(&footer, 5) != Some(SEEKABLE) {
            return Err("it does not end with a seek table".into());
        }
        if footer[4] != 0 {
            return Err("its seek table is of another kind".into());
        }
        let count = u64::from(u32_at(&footer, 0).unwrap_or_default());
        let at = start.checked_sub(8 * count + 8).ok_or("its seek table is longer than the file")?;
        match skippable_at(volumes, at).map_err(|error| error.to_string())? {
            Some((Part::SeekTable, len)) if len == 8 * count + FOOTER as u64 => {}
            _ => return Err("its seek table is damaged".into()),
        }
        Ok(Self { at, entries: usize::try_from(count).map_err(|_| "its seek table is too long")? })
    }

    pub(super) fn entries(self) -> usize {
        self.entries
    }

    /// All entries in order, a piece of them in memory at a time; the sum of their sizes must be what lies before the table.
    pub(super) fn walk(
        self,
        volumes: &Volumes,
        mut each: impl FnMut(usize, Entry) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut sum = 0_u64;
        for start in (0..self.entries).step_by(RECENT) {
            let piece = self.read(volumes, start..self.entries.min(start + RECENT));
            for (number, entry) in (start..).zip(piece.map_err(|error| error.to_string())?) {
                if entry.0 == 0 || entry.1 as usize > constant::MOST {
                    return Err("its seek table has an impossible entry".into());
                }
                sum += u64::from(entry.0);
                each(number, entry)?;
            }
        }
        if sum == self.at { Ok(()) } else { Err(format!("its seek table adds up to {sum} bytes, not {}", self.at)) }
    }

    /// Some entries.
    pub(super) fn read(self, volumes: &Volumes, range: Range<usize>) -> Result<Vec<Entry>, VolumeError> {
        let mut bytes = vec![0; 8 * range.len()];
        volumes.read(self.at + 8 + 8 * range.start as u64, &mut bytes)?;
        let (entries, _) = bytes.as_chunks::<8>();
        Ok(entries.iter().map(|entry| unpacked(*entry)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(image: &Path, count: usize) -> Growing {
        let mut table = Growing::new(image);
        (0..count).for_each(|number| table.push((u32::try_from(number).unwrap() + 1, 7)));
        table
    }

    fn bytes(table: &Growing) -> Vec<u8> {
        let mut all = Vec::new();
        let put = |piece: &[u8]| {
            all.extend_from_slice(piece);
            Ok::<_, io::Error>(())
        };
        table.write(put).unwrap();
        all
    }

    #[test]
    fn a_long_table_is_the_same_bytes_with_little_of_it_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let count = 3 * RECENT + 5;
        let (mut spilled, mut kept) = (filled(&dir.path().join("a"), count), filled(Path::new("/dev/null"), count));
        assert!(spilled.recent.len() < RECENT && kept.recent.len() == count);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "a file was left behind");
        for at in [0, RECENT, count - 1] {
            for table in [&mut spilled, &mut kept] {
                assert_eq!(table.get(at).unwrap(), (u32::try_from(at).unwrap() + 1, 7));
                table.set(at, (9, 9)).unwrap();
                assert_eq!(table.get(at).unwrap(), (9, 9));
            }
        }
        assert!(spilled.get(count).is_err() && spilled.set(count, (1, 1)).is_err());
        let all = bytes(&spilled);
        assert!(all == bytes(&kept) && all.len() as u64 == spilled.bytes());
        assert_eq!(all[8..16], [9, 0, 0, 0, 9, 0, 0, 0]);
    }

    #[test]
    fn where_no_file_can_be_had_the_table_stays_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.table"), b"somebody else's").unwrap();
        let table = filled(&dir.path().join("a"), 2 * RECENT);
        assert_eq!((table.recent.len(), table.get(RECENT).unwrap().1), (2 * RECENT, 7));
        assert_eq!(std::fs::read(dir.path().join("a.table")).unwrap(), b"somebody else's");
    }
}
