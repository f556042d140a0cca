//! Which images of a store can go: older ones of a drive, and none that anything else needs.

use super::{Item, checked};
use crate::{
    aside::Folder,
    files::{beside, is_there, name_of as name},
    imagefile::{self, Manifest},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
};

/// What is removed, those first that build on others, and why each of the rest stays.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    pub gone: Vec<&'a Item>,
    pub stays: Vec<(&'a Item, String)>,
}

/// Keeps the `newest` whole images of each drive, what they build on, and everything of which it is not clear what it is.
pub fn plan(items: &[Item], newest: usize) -> Plan<'_> {
    let mut reasons = BTreeMap::<String, String>::new();
    let mut of_drive = BTreeMap::<(&str, &str), Vec<&Item>>::new();
    for item in items {
        match why_kept(item) {
            Some(reason) => drop(reasons.insert(item.name(), reason)),
            None => of_drive.entry(item.drive().unwrap_or_default()).or_default().push(item),
        }
    }
    for list in of_drive.values_mut() {
        // RFC 3339 in UTC sorts as text. Of the same second, what builds on another one is younger, and what was put together from
        // others is there to take their place.
        let age = |item: &&Item| {
            let manifest = &item.signed.as_ref().ok()?.manifest;
            Some((manifest.finished.clone(), manifest.flattened.is_some(), links(items, item)))
        };
        list.sort_by_key(age);
        for item in list.iter().rev().filter(|item| !item.is_going).take(newest) {
            reasons.insert(item.name(), format!("it is one of the {newest} newest of its drive"));
        }
    }
    // What stays holds on to what it builds on.
    let mut todo: Vec<&Item> = items.iter().filter(|item| reasons.contains_key(&item.name())).collect();
    while let Some(item) = todo.pop() {
        let base = item.base().and_then(|base| items.iter().find(|other| other.name() == base));
        if let Some(base) = base.filter(|base| !reasons.contains_key(&base.name())) {
            reasons.insert(base.name(), format!("{} builds on it", item.name()));
            todo.push(base);
        }
    }
    let mut plan = Plan::default();
    for item in items {
        match reasons.remove(&item.name()) {
            Some(reason) => plan.stays.push((item, reason)),
            None => plan.gone.push(item),
        }
    }
    plan.gone = last_first(&plan.gone);
    plan
}

/// How many images it builds on.
fn links(items: &[Item], item: &Item) -> usize {
    let (mut count, mut at) = (0, item);
    while let Some(base) = at.base().and_then(|base| items.iter().find(|other| other.name() == base)) {
        (count, at) = (count + 1, base);
        if count > items.len() {
            break;
        }
    }
    count
}

/// Why it stays whatever its age.
fn why_kept(item: &Item) -> Option<String> {
    if let Some(until) = &item.kept_until {
        return Some(format!("a job keeps it until {until}; `mule commit` removes it"));
    }
    if item.is_going {
        return None;
    }
    if item.is_part {
        return Some("it is not finished".into());
    }
    match (&item.signed, &item.missing) {
        (Err(error), _) => Some(format!("what it is cannot be told: {error}")),
        (Ok(_), Some(file)) => Some(format!("it is not whole: {} is not there as it was", file.display())),
        (Ok(_), None) if item.checked.as_ref().is_some_and(|checked| !checked.whole) => {
            Some("it was found damaged: what of it is good is told by `mule image verify`".into())
        }
        _ => None,
    }
}

/// Those that nothing left needs first: a run that is cut leaves no image without its base.
fn last_first<'a>(gone: &[&'a Item]) -> Vec<&'a Item> {
    let (mut left, mut order) = (gone.to_vec(), Vec::new());
    while !left.is_empty() {
        let needed: BTreeSet<String> = left.iter().filter_map(|item| item.base().map(str::to_owned)).collect();
        let (now, later): (Vec<_>, Vec<_>) = left.iter().partition(|item| !needed.contains(&item.name()));
        if now.is_empty() {
            // Images that build on one another in a ring are no images: whoever made them up may sort them out.
            break;
        }
        order.extend(now);
        left = later;
    }
    order
}

/// The manifest of an image whose removal was begun.
pub(super) fn going(image: &Path) -> PathBuf {
    beside(&Manifest::path(image), ".removed")
}

/// Removes an image with all that belongs to it. Its manifest gets another name first and goes last: of what a power cut leaves it
/// is known what it is.
pub fn remove(image: &Path) -> io::Result<()> {
    let busy = "somebody reads it, here or on another machine; wait until that is over";
    imagefile::not_in_use(image).map_err(|_| io::Error::new(io::ErrorKind::ResourceBusy, busy))?;
    let folder = Folder::of(image)?.0;
    let (manifest, going) = (Manifest::path(image), going(image));
    if is_there(&manifest) {
        folder.forget(name(&going))?;
        folder.give(name(&manifest), name(&going))?;
        folder.sync()?;
    }
    imagefile::remove(image)?;
    let beside = [beside(image, ".map"), beside(&manifest, ".sig")];
    for path in checked::files_of(image).iter().chain(&beside) {
        folder.forget(name(path))?;
    }
    folder.sync()?;
    folder.forget(name(&going))?;
    folder.sync()
}
