//! A job as it was asked for: words with the places where they stand, nothing checked but their shape.

use super::problem::{Place, Problem};
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
    pub action: Option<Given<String>>,
    pub method: Option<Given<String>>,
    pub drives: Option<Given<Drives>>,
    pub verify: Option<Given<String>>,
    pub then: Option<Given<String>>,
    pub confirm: Option<Given<String>>,
    pub countdown: Option<Given<String>>,
}

impl Keys {
    /// `over`'s values where it has one, else these.
    pub(super) fn overridden_by(self, over: &Self) -> Self {
        Self {
            action: over.action.clone().or(self.action),
            method: over.method.clone().or(self.method),
            drives: over.drives.clone().or(self.drives),
            verify: over.verify.clone().or(self.verify),
            then: over.then.clone().or(self.then),
            confirm: over.confirm.clone().or(self.confirm),
            countdown: over.countdown.clone().or(self.countdown),
        }
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
