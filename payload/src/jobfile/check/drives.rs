//! `drives` and `source`: which drives a job means, by name or all of them.

use super::Checker;
use crate::jobfile::{
    key::Key,
    problem::shown,
    request::{Drives, Given, Keys},
    values::{Action, Selection},
};

/// Longest list of drives; more than any machine has ports for.
const DRIVES_MAX: usize = 64;
/// Longest serial number or WWN in characters.
const DRIVE_NAME_MAX: usize = 255;

impl Checker {
    /// `None` where the selection is in doubt.
    pub(super) fn drives(&mut self, keys: &Keys, action: Option<Action>) -> Option<Selection> {
        // What an image holds is never meant for every drive of the machine.
        let all = !matches!(action, Some(Action::Restore | Action::Clone));
        let Some(given) = &keys.drives else {
            if action.is_some_and(Action::is_destructive) {
                let or = if all { "\"all\" or " } else { "" };
                self.missing(Key::Drives, format!("is missing. Allowed: {or}a list of serial numbers or WWNs"));
                return None;
            }
            return Some(Selection::All);
        };
        match &given.value {
            Drives::Word(word) if word == "all" && all => Some(Selection::All),
            Drives::Word(word) if word == "all" => {
                let message = "\"all\" is not possible here: name every drive that is to be overwritten. Allowed: a list \
                               of serial numbers or WWNs";
                self.problem(given, message);
                None
            }
            // An empty list: no drive is ever meant by it.
            Drives::Word(word)
                if word == "none" && action == Some(Action::Verify) && keys.get(Key::Image).is_some() =>
            {
                Some(Selection::Named(Vec::new()))
            }
            Drives::Word(word) if word == "none" => {
                self.problem(given, "\"none\" is possible only with action = \"verify\" and an image");
                None
            }
            Drives::Word(word) => {
                let (or, word) = (if all { "\"all\", or " } else { "" }, shown(word));
                self.problem(given, format!("unknown value {word}. Allowed: {or}a list: drives = [{word}]"));
                None
            }
            Drives::List(names) => self.names(given, names, all),
        }
    }

    fn names(&mut self, list: &Given<Drives>, names: &[Given<String>], all: bool) -> Option<Selection> {
        let before = self.problems.len();
        if names.is_empty() {
            let or = if all { ", or write \"all\"" } else { "" };
            self.problem(list, format!("the list is empty: name at least one serial number or WWN{or}"));
        }
        if names.len() > DRIVES_MAX {
            self.problem(list, format!("{} drives are more than the {DRIVES_MAX} a job can have", names.len()));
        }
        let mut selected: Vec<String> = Vec::new();
        for given in names {
            let message = match drive_name(&given.value) {
                Err(_) if given.value.trim().is_empty() => "an entry of the list is empty".to_owned(),
                Err(message) if given.value.trim() == "all" && all => {
                    format!("{message}; for every drive write drives = \"all\"")
                }
                Err(message) => message,
                Ok(name) if selected.contains(&name) => format!("{} is in the list twice", shown(&name)),
                Ok(name) => {
                    selected.push(name);
                    continue;
                }
            };
            self.problem(given, message);
        }
        (self.problems.len() == before).then_some(Selection::Named(selected))
    }

    /// The drive that is cloned.
    pub(super) fn source(&mut self, keys: &Keys, action: Option<Action>, drives: Option<&Selection>) -> Option<String> {
        let Some(given) = keys.get(Key::Source) else {
            if action == Some(Action::Clone) {
                self.missing(
                    Key::Source,
                    "is missing: a clone needs the serial number or WWN of the drive to be copied",
                );
            }
            return None;
        };
        match drive_name(&given.value) {
            Err(message) => self.problem(given, message),
            Ok(name) if action == Some(Action::Clone) && names(drives).contains(&name) => {
                let message = format!("{} is one of \"drives\" as well: it would be overwritten", shown(&name));
                self.problem(given, message);
            }
            Ok(name) => return Some(name),
        }
        None
    }
}

/// The names of a selection that has names.
pub(super) fn names(drives: Option<&Selection>) -> &[String] {
    match drives {
        Some(Selection::Named(names)) => names,
        Some(Selection::All) | None => &[],
    }
}

/// A serial number or WWN, or what is wrong with it.
pub(super) fn drive_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name == "all" {
        return Err("\"all\" is no serial number".to_owned());
    }
    if name.is_empty() || name.chars().any(char::is_control) || name.chars().count() > DRIVE_NAME_MAX {
        return Err(format!("{} is no serial number or WWN", shown(name)));
    }
    Ok(name.to_owned())
}
