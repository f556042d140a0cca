//! An unfinished image that is not this job's: it gets another name with all that lies beside it. So it is never in the way, and
//! nothing of it is lost: it may be the last that there is of a dying drive.

use super::{note_of, part_of};
use crate::{
    aside::Folder,
    files::{beside, beside_other, is_there, name_of as name},
    imagefile::{self, VolumeError},
    jobfile::IMAGE_SUFFIX,
};
use std::{
    ffi::OsStr,
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Why it stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum ApartError {
    #[error(transparent)]
    Busy(#[from] VolumeError),
    #[error("{0}: this unfinished image of another job could not be moved out of the way: {1}")]
    Io(PathBuf, io::Error),
}

/// Renames an unfinished image, its pieces, its note and its map, if there is any of them; the answer is what it would be called
/// as a whole image.
pub(in crate::job::copy) fn set_apart(image: &Path) -> Result<Option<PathBuf>, ApartError> {
    let part = part_of(image);
    imagefile::not_in_use(&part)?;
    let failed = |error| ApartError::Io(part.clone(), error);
    let mut names = imagefile::names_of(&part);
    names.extend(imagefile::strays(&part).map_err(failed)?);
    if names.is_empty() {
        return Ok(None);
    }
    // The first piece goes last: what a power cut leaves is still an unfinished image, and goes to the same name then.
    names.reverse();
    let notes = [note_of(image), beside(image, ".map")];
    names.splice(0..0, notes.into_iter().filter(|path| is_there(path)));
    let (folder, _) = Folder::of(image).map_err(failed)?;
    let target = (1_u32..).map(|number| numbered(image, number)).find(|to| {
        let free = |from: &PathBuf| !is_there(&beside_other(from, image, to));
        // With its first piece it is another one: of this one the first piece is still here.
        names.iter().all(free) && [to, &part_of(to)].iter().all(|base| imagefile::names_of(base).is_empty())
    });
    let target = target.unwrap_or_default();
    for from in &names {
        folder.give(name(from), name(&beside_other(from, image, &target))).map_err(failed)?;
    }
    folder.sync().map_err(failed)?;
    Ok(Some(target))
}

/// `NAME.apart-1.img.zst`.
fn numbered(image: &Path, number: u32) -> PathBuf {
    let name = name(image).as_bytes();
    let (stem, suffix) = name.strip_suffix(IMAGE_SUFFIX.as_bytes()).map_or((name, ""), |stem| (stem, IMAGE_SUFFIX));
    let mut apart = OsStr::from_bytes(stem).to_owned();
    apart.push(format!(".apart-{number}{suffix}"));
    image.with_file_name(apart)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, fs};

    fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(dir).unwrap().flatten();
        entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
    }

    #[test]
    fn all_of_it_is_kept_under_another_name_wherever_the_power_goes() {
        let all = ["a.img.zst.part.000", "a.img.zst.part.001", "a.img.zst.part.job", "a.img.zst.map"];
        for cut in 0..=all.len() {
            let dir = tempfile::tempdir().unwrap();
            let image = dir.path().join("a.img.zst");
            // So many were renamed before the power went.
            for (place, name) in ["a.img.zst.part.job", "a.img.zst.map", all[1], all[0]].iter().enumerate() {
                let now = if place < cut { name.replacen("a.img", "a.apart-1.img", 1) } else { (*name).to_owned() };
                fs::write(dir.path().join(now), name).unwrap();
            }
            fs::write(dir.path().join("a.img.zst.parting"), "not of it").unwrap();
            let moved = set_apart(&image).unwrap();
            assert_eq!(moved.is_some(), cut < all.len());
            let expected = all.map(|name| (name.replacen("a.img", "a.apart-1.img", 1), name.as_bytes().to_vec()));
            let mut expected: BTreeMap<_, _> = expected.into();
            expected.insert("a.img.zst.parting".into(), b"not of it".to_vec());
            assert_eq!(tree(dir.path()), expected, "cut behind {cut}");
            // The next one gets a name of its own.
            fs::write(part_of(&image), "second").unwrap();
            assert_eq!(set_apart(&image).unwrap(), Some(dir.path().join("a.apart-2.img.zst")));
            assert_eq!(set_apart(&image).unwrap(), None);
        }
    }
}
