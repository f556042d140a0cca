//! The step that makes an unfinished image a whole one: a single name decides whether there is an image.
//!
//! The signed manifest and all pieces but the first have their names, and the medium has them, before the first piece (or the only
//! file) gets its own. Whatever happens before leaves an unfinished image; what of it had its name already gives that back in the
//! next run of the same job.

use super::image::ImageError;
use crate::{
    aside::Folder,
    certify::key::{PublicStickKey, StickKey},
    files::{beside, beside_other, is_there, name_of},
    imagefile::{Finished, Header, Manifest, Signed, names_of, strays},
};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Gives an image that was proved its manifest and its name; the manifest's bytes. All of it is on the medium then.
pub(super) fn commit(
    finished: &Finished,
    part: &Path,
    path: &Path,
    manifest: &Manifest,
    key: &StickKey,
) -> Result<Vec<u8>, ImageError> {
    let folder = folder_of(path)?;
    let bytes = manifest.write_in(&folder, path, key)?;
    let named = rename(&folder, finished, part, path);
    if named.is_err() {
        // It would be one of an image that is not there. The first error is the one to report.
        let _ = forget_manifest(&folder, path);
    }
    named.map(|()| bytes)
}

fn folder_of(path: &Path) -> Result<Folder, ImageError> {
    Folder::of(path).map(|(folder, _)| folder).map_err(|error| ImageError::Io(path.into(), error))
}

/// Each of its files gets its name in nobody's place, the first one last.
pub(super) fn rename(folder: &Folder, finished: &Finished, part: &Path, path: &Path) -> Result<(), ImageError> {
    let mut names: Vec<(&Path, PathBuf)> =
        finished.files.iter().map(|(from, _)| (from.as_path(), beside_other(from, part, path))).collect();
    let first = 1.min(names.len());
    names.rotate_left(first);
    let last = names.len().saturating_sub(1);
    for (place, (from, to)) in names.iter().enumerate() {
        let flushed = if place == last && last > 0 { folder.sync() } else { Ok(()) };
        let Err(error) = flushed.and_then(|()| folder.give(name_of(from), name_of(to))) else { continue };
        // All of its files are called the same, or none could be gone on with. The first error is the one to report.
        names[..place].iter().rev().for_each(|(from, to)| drop(folder.give(name_of(to), name_of(from))));
        return Err(match error.kind() {
            io::ErrorKind::AlreadyExists => ImageError::Exists(to.clone()),
            _ => ImageError::Io(to.clone(), error),
        });
    }
    folder.sync().map_err(|error| ImageError::Io(path.into(), error))
}

fn forget_manifest(folder: &Folder, path: &Path) -> io::Result<()> {
    let manifest = Manifest::path(path);
    for path in [beside(&manifest, ".sig"), manifest] {
        folder.forget(name_of(&path))?;
    }
    folder.sync()
}

/// What is there under an image's name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum There {
    Nothing,
    /// An image of this disk by this job, with a manifest that this key signed.
    Whole,
}

/// Looks at what has an image's name. What an earlier run of this job (`ours`) had named of an image that did not become one is
/// called unfinished again.
///
/// # Errors
/// [`ImageError::Exists`] where anything else has one of its names.
pub(super) fn look(
    path: &Path,
    part: &Path,
    ours: bool,
    header: &Header,
    own: &PublicStickKey,
) -> Result<There, ImageError> {
    let failed = |error| ImageError::Io(path.into(), error);
    let is_ours = |signed: &Signed| ours && signed.key == *own && signed.manifest.image.is_of_disk(header);
    let prepared = Manifest::read(path).ok().filter(is_ours);
    if !names_of(path).is_empty() {
        let whole = prepared.is_some_and(|signed| signed.manifest.wrong_size(path).is_none());
        return if whole { Ok(There::Whole) } else { Err(ImageError::Exists(path.into())) };
    }
    let strays = strays(path).map_err(failed)?;
    let Some(signed) = prepared else {
        let manifest = Some(Manifest::path(path)).filter(|manifest| is_there(manifest));
        let taken = strays.into_iter().next().or(manifest);
        return taken.map_or(Ok(There::Nothing), |taken| Err(ImageError::Exists(taken)));
    };
    let folder = folder_of(path)?;
    for stray in strays {
        let bytes = stray.metadata().map_err(failed)?.len();
        let listed = signed.manifest.files.iter().any(|file| *name_of(&stray) == *file.name && file.bytes == bytes);
        if !listed {
            return Err(ImageError::Exists(stray));
        }
        let back = beside_other(&stray, path, part);
        folder.give(name_of(&stray), name_of(&back)).map_err(|error| ImageError::Io(stray, error))?;
    }
    folder.sync().and_then(|()| forget_manifest(&folder, path)).map_err(failed)?;
    Ok(There::Nothing)
}
