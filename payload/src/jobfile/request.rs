//! A job as it was asked for: words with the places where they stand, nothing checked but their shape.

use super::{
    key::Key,
    problem::{Place, Problem},
};
use crate::certify::record::Operator;
use std::collections::BTreeMap;

/// A value and where a person wrote it.
#[derive(Debug, Clone)]
pub(super) struct Given<T> {
    pub value: T,
    pub place: Place,
    /// The key as written: `method` in a file, `mule.method` on the command line.
    pub key: String,
}

impl<T> Given<T> {
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem { place: self.place.clone(), key: self.key.clone(), message: message.into() }
    }
}

/// The two shapes of `drives`.
#[derive(Debug, Clone)]
pub(super) enum Drives {
    Word(String),
    List(Vec<Given<String>>),
}

/// What the organisation knows of a medium and no software can: it goes into the certificate as it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MediaFields {
    /// Property or asset number.
    pub property_number: String,
    /// Where the medium came from.
    pub source: String,
    /// Classification of what was on it.
    pub classification: String,
}

/// The keys of `[job]`, raw.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    pub drives: Option<Given<Drives>>,
    /// All others.
    pub texts: BTreeMap<Key, Given<String>>,
}

impl Keys {
    pub(super) fn get(&self, key: Key) -> Option<&Given<String>> {
        self.texts.get(&key)
    }

    /// `over`'s values where it has one, else these.
    pub(super) fn overridden_by(mut self, over: &Self) -> Self {
        self.texts.extend(over.texts.clone());
        Self { drives: over.drives.clone().or(self.drives), texts: self.texts }
    }
}

/// Everything a job file says.
#[derive(Debug)]
pub(super) struct Request {
    /// Where a missing key is missing from.
    pub place: Place,
    pub keys: Keys,
    pub operator: Operator,
    pub media_default: MediaFields,
    pub media: BTreeMap<String, MediaFields>,
    pub problems: Vec<Problem>,
}
