//! What is wrong with a job, said so that a technician can put it right.

use super::values::Then;
use std::{fmt, io, sync::Arc};

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// On the kernel command line.
    CommandLine,
    /// In a job file; line and column count from 1, the column in characters.
    Line { file: Arc<str>, line: usize, column: usize },
    /// In a job file that lacks it.
    File(Arc<str>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("kernel command line"),
            Self::Line { file, line, column } => write!(f, "{file}, line {line}, column {column}"),
            Self::File(file) => f.write_str(file),
        }
    }
}

/// One thing that is wrong with a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    /// The key or kernel parameter; empty where the text is no TOML at all.
    pub key: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "{}: {}", self.place, self.message),
            key => write!(f, "{}: {key}: {}", self.place, self.message),
        }
    }
}

/// Why there is no job. Nothing was touched.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct JobError {
    pub reason: Reason,
    /// What was asked for after the run, where at least that much could be read.
    pub then: Option<Then>,
}

/// The kinds of [`JobError`].
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    #[error("there is no job file {0} on the stick")]
    Missing(Arc<str>),
    #[error("the job file {0} cannot be read: {1}")]
    Unreadable(Arc<str>, #[source] io::Error),
    #[error("{0} is not a file")]
    NotAFile(Arc<str>),
    #[error("the job file {0} is larger than {max} bytes", max = super::MAX_BYTES)]
    TooLarge(Arc<str>),
    #[error("{0} is not UTF-8 text: save it again with the encoding UTF-8 ({1})")]
    NotUtf8(Arc<str>, String),
    /// In the order of the file; never empty.
    #[error("{}", lines(.0))]
    Problems(Vec<Problem>),
}

impl JobError {
    /// One line for each thing that is wrong.
    pub fn lines(&self) -> Vec<String> {
        match &self.reason {
            Reason::Problems(problems) => problems.iter().map(Problem::to_string).collect(),
            other => vec![other.to_string()],
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// The candidate that `word` was most likely meant to be, if any is near.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let close = |candidate: &&str| candidate.starts_with(&word) && word.len() >= 3;
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let distance = if close(&candidate) { 1 } else { edits(&word, candidate) };
        if distance <= 2.max(candidate.len() / 3) && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Levenshtein's distance in characters; long words are cut, they are near nothing anyway.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// `"a", "b"` for messages.
pub(super) fn quoted<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

/// A word of a person as it may be shown: quoted, cut, without anything that moves a cursor.
pub(super) fn shown(word: &str) -> String {
    let mut cut: String = word.chars().take(60).collect();
    if cut.len() < word.len() {
        cut.push_str("...");
    }
    format!("{cut:?}")
}

/// ` - did you mean "x"?`, or a full stop.
pub(super) fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map_or_else(|| ".".to_owned(), |near| format!(" - did you mean \"{near}\"?"))
}
