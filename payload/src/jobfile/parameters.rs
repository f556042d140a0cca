//! `mule.*` on the kernel command line: another job file, and values in place of the file's.

use super::{
    key::Key,
    problem::{Place, Problem, hint, shown},
    request::{Drives, Given, Keys},
    values::{Then, Word},
};
use crate::boot::cmdline::{Cmdline, Parameter};
use mule_types::stick::JOB_FILE;
use std::path::{Component, Path};

const PREFIX: &str = "mule.";
/// The parameter that names another job file, without the prefix.
const JOB: &str = "job";
/// The parameter that names the stick where it is a built-in disk, without the prefix.
const STICK: &str = "stick";

/// What the kernel command line asks for; what is wrong with it is reported together with the job file's problems.
#[derive(Debug, Default)]
pub struct Overrides {
    job_file: Option<String>,
    stick: Option<String>,
    pub(super) keys: Keys,
    pub(super) problems: Vec<Problem>,
}

impl Overrides {
    /// Takes every `mule.*` parameter; others are the kernel's.
    pub fn from_cmdline(line: &Cmdline) -> Self {
        let mut overrides = Self::default();
        let mut seen: Vec<&Parameter> = Vec::new();
        for parameter in line.parameters() {
            let Some(name) = parameter.name.strip_prefix(PREFIX) else { continue };
            match seen.iter().find(|earlier| earlier.name == parameter.name) {
                Some(earlier) if earlier.value == parameter.value => {}
                Some(_) => overrides.problem(&parameter.name, "is given twice with different values"),
                None => overrides.take(name, parameter),
            }
            seen.push(parameter);
        }
        overrides
    }

    /// The job file's path on the stick's FAT partition.
    pub fn job_file(&self) -> &str {
        self.job_file.as_deref().unwrap_or(JOB_FILE)
    }

    /// Serial number or WWN of a disk that is neither removable nor on USB and is the stick all the same.
    pub fn stick(&self) -> Option<&str> {
        self.stick.as_deref()
    }

    /// What the command line wants after the run, where it says so: it also holds when there is no valid job.
    pub fn then(&self) -> Option<Then> {
        self.keys.get(Key::Then).and_then(|then| Then::from_word(&then.value))
    }

    fn take(&mut self, name: &str, parameter: &Parameter) {
        let key = Key::from_word(name);
        if key.is_none() && name != JOB && name != STICK {
            let names = [JOB, STICK].into_iter().chain(Key::names());
            let hint = hint(name, names.clone());
            let allowed = names.map(|name| format!("{PREFIX}{name}")).collect::<Vec<_>>().join(", ");
            return self.problem(&parameter.name, format!("unknown parameter{hint} Allowed: {allowed}"));
        }
        let Some(value) = parameter.value.as_deref().map(str::trim).filter(|value| !value.is_empty()) else {
            return self.problem(&parameter.name, format!("needs a value: {}=...", parameter.name));
        };
        let given = Given { value: value.to_owned(), place: Place::CommandLine, key: parameter.name.clone() };
        match key {
            None if name == STICK => self.stick = Some(value.to_owned()),
            None => match inside(value) {
                Ok(path) => self.job_file = Some(path),
                Err(message) => self.problem(&parameter.name, message),
            },
            Some(Key::Drives) => self.keys.drives = Some(drives(&given)),
            Some(key) => {
                self.keys.texts.insert(key, given);
            }
        }
    }

    fn problem(&mut self, key: &str, message: impl Into<String>) {
        let key = if key.chars().all(|c| c.is_ascii_graphic()) { key.to_owned() } else { shown(key) };
        self.problems.push(Problem { place: Place::CommandLine, key, message: message.into() });
    }
}

/// `all`, or names separated by commas.
fn drives(given: &Given<String>) -> Given<Drives> {
    let part = |value: &str| Given { value: value.to_owned(), place: given.place.clone(), key: given.key.clone() };
    let value = match given.value.as_str() {
        "all" => Drives::Word("all".into()),
        list => Drives::List(list.split(',').map(part).collect()),
    };
    Given { value, place: given.place.clone(), key: given.key.clone() }
}

/// A path relative to the partition's root that cannot lead out of it.
fn inside(path: &str) -> Result<String, String> {
    let relative = path.trim_start_matches('/');
    let plain = Path::new(relative).components().all(|part| matches!(part, Component::Normal(_)));
    if relative.is_empty() || !plain || relative.contains('\\') || relative.chars().any(char::is_control) {
        return Err(format!("{} is no path of a file on the stick (folders are separated by /)", shown(path)));
    }
    Ok(relative.to_owned())
}
