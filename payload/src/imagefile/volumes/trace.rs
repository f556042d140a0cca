//! What is asked of the store, for tests that take the power away between any two of these.

use std::path::Path;

pub(super) fn create(path: &Path) {
    note(|| Op::Create(path.into()));
}

pub(super) fn write(path: &Path, at: u64, bytes: &[u8]) {
    note(|| Op::Write(path.into(), at, bytes.into()));
}

pub(super) fn cut(path: &Path, len: u64) {
    note(|| Op::Cut(path.into(), len));
}

pub(super) fn remove(path: &Path) {
    note(|| Op::Remove(path.into()));
}

pub(super) fn sync() {
    note(|| Op::Sync);
}

/// Something that is asked of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::imagefile) enum Op {
    Create(std::path::PathBuf),
    Write(std::path::PathBuf, u64, Vec<u8>),
    Cut(std::path::PathBuf, u64),
    Remove(std::path::PathBuf),
    Sync,
}

#[cfg(not(test))]
fn note(_: impl FnOnce() -> Op) {}

#[cfg(test)]
fn note(op: impl FnOnce() -> Op) {
    OPS.with_borrow_mut(|ops| {
        if let Some(ops) = ops {
            ops.push(op());
        }
    });
}

#[cfg(test)]
thread_local! {
    static OPS: std::cell::RefCell<Option<Vec<Op>>> = const { std::cell::RefCell::new(None) };
}

/// Everything this thread asks while `work` runs.
#[cfg(test)]
pub(in crate::imagefile) fn of<T>(work: impl FnOnce() -> T) -> (T, Vec<Op>) {
    OPS.set(Some(Vec::new()));
    let result = work();
    (result, OPS.take().unwrap_or_default())
}
