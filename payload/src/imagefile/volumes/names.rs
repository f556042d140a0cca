//! What the files of an image are called, which of them are there, and whether anybody has one open.

use super::VolumeError;
use crate::{
    aside::Folder,
    files::{is_there, name_of as name},
};
use mule_sys::locks;
use rustix::fs::OFlags;
use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
};

pub(super) fn numbered(base: &Path, number: usize) -> PathBuf {
    let mut name = base.as_os_str().to_owned();
    name.push(".");
    name.push(digits(number));
    name.into()
}

/// `000` to `899`, `90000` to `98999`, `9900000` and on: with more digits behind a 9, as split(1) does, any shell lists them in their
/// order.
fn digits(number: usize) -> String {
    let (mut number, mut nines, mut width) = (number, 0, 3);
    loop {
        let place = 9 * 10_usize.pow(width - 1);
        if number < place {
            let width = usize::try_from(width).unwrap_or(usize::MAX);
            return format!("{}{number:0width$}", "9".repeat(nines));
        }
        (number, nines, width) = (number - place, nines + 1, width + 1);
    }
}

/// The number of a piece by its digits.
fn number(digits: &str) -> Option<usize> {
    let nines = digits.bytes().take_while(|digit| *digit == b'9').count().min(digits.len().saturating_sub(3) / 2);
    let before: usize = (0..nines).map(|wider| 9 * 10_usize.pow(u32::try_from(wider).unwrap_or(0) + 2)).sum();
    let number = before + digits.get(nines..)?.parse::<usize>().ok()?;
    (self::digits(number) == digits).then_some(number)
}

/// The files that an image called `base` consists of now, in order. Without the first of them there is no image: it is the last
/// to get its name, and the first to lose it.
pub fn names_of(base: &Path) -> Vec<PathBuf> {
    if is_there(base) {
        return vec![base.into()];
    }
    (0..).map(|number| numbered(base, number)).take_while(|path| is_there(path)).collect()
}

/// The pieces of an image that are there, by their numbers, with or without gaps.
fn pieces(folder: &Folder, base: &Path) -> io::Result<Vec<(usize, PathBuf)>> {
    let name = name(base).as_encoded_bytes();
    let piece = |file: &OsStr| {
        let digits = file.as_encoded_bytes().strip_prefix(name)?.strip_prefix(b".")?;
        let number = number(std::str::from_utf8(digits).ok()?)?;
        Some((number, numbered(base, number)))
    };
    let mut found: Vec<_> = folder.names()?.iter().filter_map(|file| piece(file)).collect();
    found.sort();
    Ok(found)
}

/// The pieces that have an image's name where its first one does not: what is left of giving it its name, or of a copy of it.
pub fn strays(base: &Path) -> io::Result<Vec<PathBuf>> {
    if !names_of(base).is_empty() {
        return Ok(Vec::new());
    }
    let (folder, _) = Folder::of(base)?;
    Ok(pieces(&folder, base)?.into_iter().map(|(_, path)| path).collect())
}

/// Nobody reads or writes any file of an image, as far as its file system has locks: it may be removed.
pub fn not_in_use(base: &Path) -> Result<(), VolumeError> {
    let (folder, _) = Folder::of(base).map_err(|source| VolumeError::io(base, source))?;
    for path in names_of(base) {
        // What cannot be opened to be looked at is nobody's image.
        let Ok(file) = folder.existing(name(&path), OFlags::RDONLY) else { continue };
        if matches!(locks::of_others(&file, true, 0, 0), Ok(Some(_))) {
            return Err(VolumeError::Busy(path));
        }
    }
    Ok(())
}

/// The first piece that lacks where later ones are there.
pub(super) fn gap(folder: &Folder, base: &Path) -> Option<PathBuf> {
    let found = pieces(folder, base).ok().filter(|_| !is_there(base))?;
    let place = found.iter().enumerate().find(|(place, (number, _))| place != number)?.0;
    Some(numbered(base, place))
}

/// Removes every file of an image, whatever of it is there.
pub fn remove(base: &Path) -> io::Result<()> {
    let (folder, _) = Folder::of(base)?;
    let all = pieces(&folder, base)?.into_iter().map(|(_, path)| path).chain([base.to_path_buf()]);
    for path in all {
        folder.forget(name(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::Volumes, *};
    use crate::files;
    use std::num::NonZeroU64;

    #[test]
    fn whoever_reads_or_writes_an_image_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("a.img.zst");
        let writer = Volumes::create(&base, NonZeroU64::new(4)).unwrap();
        for writable in [false, true] {
            assert!(matches!(Volumes::open(&base, None, writable), Err(VolumeError::Busy(_))), "writable: {writable}");
        }
        assert!(matches!(not_in_use(&base), Err(VolumeError::Busy(path)) if path.ends_with("a.img.zst.000")));
        drop(writer);
        not_in_use(&base).unwrap();
        let readers = [(); 2].map(|()| Volumes::open(&base, None, false).unwrap());
        assert!(matches!(Volumes::open(&base, None, true), Err(VolumeError::Busy(_))));
        assert!(not_in_use(&base).is_err());
        drop(readers);
        drop(Volumes::open(&base, None, true).unwrap());
    }

    #[test]
    fn pieces_are_listed_in_their_order_however_many_there_are() {
        let mut last = String::new();
        for place in (0..30_000).chain([98_999, 99_000, 2_000_000]) {
            let digits = digits(place);
            assert!(last < digits, "{last} is listed before {digits}");
            assert_eq!(number(&digits), Some(place), "{digits}");
            last = digits;
        }
        assert_eq!((digits(899), digits(900), digits(9_900)), ("899".into(), "90000".into(), "9900000".into()));
        for digits in ["", "9", "00", "0000", "900", "999", "9000", "99000", "00a", "-01", "+01", "9999999999"] {
            assert_eq!(number(digits), None, "{digits}");
        }
    }

    #[test]
    fn an_image_has_more_than_a_thousand_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("a.img.zst");
        files::open_as_many_as_allowed();
        let mut volumes = Volumes::create(&base, NonZeroU64::new(4)).unwrap();
        let bytes: Vec<u8> = (0..4 * 1200_u32).map(|byte| byte.to_le_bytes()[0]).collect();
        volumes.append(&bytes, &[4; 1200]).unwrap();
        volumes.sync().unwrap();
        drop(volumes);
        assert_eq!(names_of(&base).len(), 1200);
        let volumes = Volumes::open(&base, None, false).unwrap();
        let mut found = vec![0; bytes.len()];
        volumes.read(0, &mut found).unwrap();
        assert!(found == bytes);
        std::fs::remove_file(dir.path().join("a.img.zst.90001")).unwrap();
        let lacks = Volumes::open(&base, None, false).unwrap_err();
        assert!(matches!(lacks, VolumeError::Piece(path) if path.ends_with("a.img.zst.90001")));
        remove(&base).unwrap();
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn what_was_one_file_and_is_cut_from_now_on_is_one_image() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("a.img.zst");
        Volumes::create(&base, None).unwrap().append(b"one file", &[8]).unwrap();
        Volumes::open(&base, NonZeroU64::new(10), true).unwrap().append(b"and another", &[11]).unwrap();
        let volumes = Volumes::open(&base, None, false).unwrap();
        let mut found = [0; 19];
        volumes.read(0, &mut found).unwrap();
        assert_eq!(&found, b"one fileand another");
        assert_eq!(volumes.files().count(), 2);
    }
}
