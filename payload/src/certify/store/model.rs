//! A folder on a FAT file system that loses its power: what was not flushed is lost, empty, torn or there, as the tests say.

use super::files::Files;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    io,
    path::Path,
};

type Contents = BTreeMap<String, Vec<u8>>;

/// What the medium has of a file that was written and not flushed when the power went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Not even its name, or what it held before.
    All,
    /// Its name, with a length of 0.
    Empty,
    /// The first half.
    Half,
    /// Its length, and zeros: the clusters were given to it and not written.
    Zeros,
    /// Everything: only the flush was not confirmed.
    Nothing,
}

pub(crate) const LOSSES: [Loss; 5] = [Loss::All, Loss::Empty, Loss::Half, Loss::Zeros, Loss::Nothing];

/// The folder while the power is on.
#[derive(Debug, Default)]
pub(crate) struct Fat {
    medium: RefCell<Contents>,
    cache: RefCell<Contents>,
    /// Steps until the power goes; none where it stays.
    fuse: Cell<Option<usize>>,
    steps: Cell<usize>,
}

impl Fat {
    pub(crate) fn of(medium: &Contents) -> Self {
        Self { medium: RefCell::new(medium.clone()), cache: RefCell::new(medium.clone()), ..Self::default() }
    }

    /// The power goes before the step with this number.
    pub(crate) fn until(self, step: usize) -> Self {
        self.fuse.set(Some(step));
        self
    }

    pub(crate) fn steps(&self) -> usize {
        self.steps.get()
    }

    /// What is on the medium when the power is gone.
    pub(crate) fn after_the_cut(&self, loss: Loss) -> Contents {
        let (mut medium, cache) = (self.medium.borrow().clone(), self.cache.borrow());
        if loss == Loss::Nothing {
            return cache.clone();
        }
        for (name, bytes) in &*cache {
            let old = medium.get(name).cloned().unwrap_or_default();
            if loss == Loss::All || medium.get(name) == Some(bytes) {
                continue;
            }
            // What was there before a file grew stays.
            let kept = if bytes.starts_with(&old) { old.len() } else { 0 };
            let mut torn = bytes.clone();
            match loss {
                Loss::Empty => torn.truncate(kept),
                Loss::Half => torn.truncate(kept + (bytes.len() - kept) / 2),
                _ => torn[kept..].fill(0),
            }
            medium.insert(name.clone(), torn);
        }
        medium
    }

    fn step<T>(&self, change: impl FnOnce(&mut Contents) -> io::Result<T>) -> io::Result<T> {
        let step = self.steps.get();
        self.steps.set(step + 1);
        if self.fuse.get().is_some_and(|fuse| step >= fuse) {
            return Err(io::Error::other("the power is gone"));
        }
        change(&mut self.cache.borrow_mut())
    }

    fn changed(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.step(|cache| cache.get_mut(name).map(change).ok_or_else(|| io::ErrorKind::NotFound.into()))
    }
}

impl Files for Fat {
    fn folder(&self) -> &Path {
        Path::new("certificates")
    }

    fn names(&self) -> io::Result<Vec<(String, u64)>> {
        Ok(self.cache.borrow().iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64)).collect())
    }

    fn read(&self, name: &str, max: u64) -> io::Result<Vec<u8>> {
        let cache = self.cache.borrow();
        let bytes = cache.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(bytes.iter().copied().take(usize::try_from(max).unwrap() + 1).collect())
    }

    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.step(|cache| match cache.contains_key(name) {
            true => Err(io::ErrorKind::AlreadyExists.into()),
            false => {
                cache.insert(name.into(), Vec::new());
                Ok(())
            }
        })?;
        self.changed(name, |content| content.extend_from_slice(bytes))
    }

    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.changed(name, |content| content.extend_from_slice(bytes))
    }

    fn cut(&self, name: &str, len: u64) -> io::Result<()> {
        self.changed(name, |content| content.truncate(usize::try_from(len).unwrap()))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.step(|cache| cache.remove(name).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into()))
    }

    fn sync(&self) -> io::Result<()> {
        self.step(|cache| {
            self.medium.borrow_mut().clone_from(cache);
            Ok(())
        })
    }

    fn read_back(&self, name: &str, len: usize) -> io::Result<Vec<u8>> {
        self.step(|_| Ok(()))?;
        let medium = self.medium.borrow();
        let bytes = medium.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(bytes.iter().copied().take(len + 1).collect())
    }
}
