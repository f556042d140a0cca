//! A folder of images: what is there, of which drive, what needs what, when each was last looked at as a whole.

mod checked;
mod prune;

pub use checked::{Checked, note};
pub use prune::{Plan, plan, remove};

use crate::{
    files::{beside, is_there},
    imagefile::{Manifest, Signed, names_of},
    job::retain::Retained,
    jobfile::IMAGE_SUFFIX,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

/// What tells that there is, or was, an image.
const SIGNS: [&str; 5] = ["", ".000", ".manifest.json", ".manifest.json.removed", ".part"];

/// One image of a store.
#[derive(Debug)]
pub struct Item {
    /// Its name as a whole image.
    pub path: PathBuf,
    /// Its manifest, or why there is none that holds.
    pub signed: Result<Signed, String>,
    /// Bytes of its files.
    pub bytes: u64,
    /// The first of its files that is not there with its size; everything where nothing but the manifest is.
    pub missing: Option<PathBuf>,
    /// Whether it is not finished.
    pub is_part: bool,
    /// Whether its removal was begun.
    pub is_going: bool,
    /// The names of the images that build on it.
    pub needed_by: Vec<String>,
    /// Whether the image that it builds on is there, by its manifest and the size of its files.
    pub base_is_there: bool,
    /// When all of it was last read, and what came of it.
    pub checked: Option<Checked>,
    /// Until when a job keeps it.
    pub kept_until: Option<String>,
}

impl Item {
    /// Its file name.
    pub fn name(&self) -> String {
        name(&self.path)
    }

    /// What it builds on, by name.
    pub fn base(&self) -> Option<&str> {
        self.signed.as_ref().ok()?.manifest.base.as_ref().map(|base| base.name.as_str())
    }

    /// The drive it is of: model and serial number.
    pub fn drive(&self) -> Option<(&str, &str)> {
        let image = &self.signed.as_ref().ok()?.manifest.image;
        Some((&image.model, &image.serial))
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// All images in a folder, by name.
pub fn read(dir: &Path) -> io::Result<Vec<Item>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let Some(file) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let image = SIGNS.iter().find_map(|sign| file.strip_suffix(sign).filter(|stem| stem.ends_with(IMAGE_SUFFIX)));
        // An unfinished image may lie in pieces, too.
        let image = image.or_else(|| file.strip_suffix(".part.000").filter(|stem| stem.ends_with(IMAGE_SUFFIX)));
        found.extend(image.map(|image| path.with_file_name(image)));
    }
    let mut items: Vec<Item> = found.into_iter().map(item).collect();
    let roots: BTreeMap<String, String> = items
        .iter()
        .filter(|item| item.missing.is_none())
        .filter_map(|item| Some((item.name(), item.signed.as_ref().ok()?.manifest.blake3_root.clone())))
        .collect();
    let mut needed = BTreeMap::<String, Vec<String>>::new();
    for item in &mut items {
        let Ok(Some(base)) = item.signed.as_ref().map(|signed| &signed.manifest.base) else { continue };
        item.base_is_there = roots.get(&base.name).is_some_and(|root| *root == base.blake3_root);
        needed.entry(base.name.clone()).or_default().push(name(&item.path));
    }
    for item in &mut items {
        item.needed_by = needed.remove(&name(&item.path)).unwrap_or_default();
    }
    Ok(items)
}

fn item(path: PathBuf) -> Item {
    let files = names_of(&path);
    let part = beside(&path, ".part");
    let is_part = files.is_empty() && !names_of(&part).is_empty();
    let of = if is_part { names_of(&part) } else { files };
    let bytes = of.iter().filter_map(|file| Some(file.metadata().ok()?.len())).sum();
    let signed = Manifest::read(&path).map_err(|error| error.to_string());
    let missing = signed.as_ref().ok().and_then(|signed| signed.manifest.wrong_size(&path)).map(|(file, _)| file);
    let checked = signed.as_ref().ok().and_then(|signed| Checked::read(&path, signed));
    let kept = Retained::read(&path).ok();
    // A note that nobody can be believed to have written keeps the image all the same.
    let unclear = || is_there(&Retained::path(&path)).then(|| "nobody knows when: its note does not hold".to_owned());
    Item {
        kept_until: kept.map(|kept| kept.note.until).or_else(unclear),
        signed,
        bytes,
        missing,
        is_part,
        is_going: is_there(&prune::going(&path)) && !is_there(&Manifest::path(&path)),
        needed_by: Vec::new(),
        base_is_there: false,
        checked,
        path,
    }
}
