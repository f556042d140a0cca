//! A [`Request`] to a valid [`Job`]: everything that can be known to be wrong without looking at a drive.

use super::{
    Job,
    problem::{Place, Problem, hint, quoted, shown},
    request::{Drives, Given, Keys, Request},
    values::{Action, Selection, Then, VerifyExtent, Word},
};
use crate::plan::method::{self, METHODS, Method, Requires, Step};
use std::time::Duration;

/// The word a destructive unattended job must carry.
pub const CONFIRMATION: &str = "erase";
/// Longest countdown in seconds.
pub const COUNTDOWN_MAX: u64 = 3600;
/// Countdown in seconds where the job names none.
pub const COUNTDOWN_DEFAULT: u64 = 10;
/// Longest list of drives; more than any machine has ports for.
const DRIVES_MAX: usize = 64;
/// Longest serial number or WWN in characters.
const NAME_MAX: usize = 255;

/// The job, or every problem of the request.
pub(super) fn check(request: Request) -> Result<Job, Vec<Problem>> {
    let mut checker = Checker { place: request.place, problems: request.problems };
    let keys = &request.keys;
    let action = checker.action(keys);
    let method = checker.method(keys, action);
    let verify = checker.verify(keys, action, method);
    let drives = checker.drives(keys, action);
    let then = checker.optional::<Then>(keys.then.as_ref());
    let countdown = checker.countdown(keys);
    checker.confirm(keys, action);
    match (action, drives, checker.problems.is_empty()) {
        (Some(action), Some(drives), true) => Ok(Job {
            action,
            method,
            drives,
            verify,
            then,
            countdown,
            operator: request.operator,
            media_default: request.media_default,
            media: request.media,
        }),
        _ => Err(checker.problems),
    }
}

struct Checker {
    place: Place,
    problems: Vec<Problem>,
}

impl Checker {
    fn problem(&mut self, given: &Given<impl Sized>, message: impl Into<String>) {
        self.problems.push(given.problem(message));
    }

    fn missing(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(Problem { place: self.place.clone(), key: key.into(), message: message.into() });
    }

    /// The value of a key that need not be there.
    fn optional<T: Word>(&mut self, given: Option<&Given<String>>) -> Option<T> {
        let given = given?;
        let value = T::from_word(&given.value);
        if value.is_none() {
            let words = T::WORDS.iter().map(|(word, _)| *word);
            let hint = hint(&given.value, words.clone());
            let message = format!("unknown value {}{hint} Allowed: {}", shown(&given.value), quoted(words));
            self.problem(given, message);
        }
        value
    }

    fn action(&mut self, keys: &Keys) -> Option<Action> {
        let Some(given) = &keys.action else {
            let words = quoted(Action::WORDS.iter().filter(|(_, action)| action.is_built()).map(|(word, _)| *word));
            self.missing("action", format!("is missing under [job]. Allowed: {words}"));
            return None;
        };
        let action = self.optional::<Action>(Some(given))?;
        if !action.is_built() {
            self.problem(given, format!("\"{action}\" is not built yet in this version"));
            return None;
        }
        Some(action)
    }

    fn method(&mut self, keys: &Keys, action: Option<Action>) -> Option<&'static Method> {
        let names = || METHODS.iter().map(|method| method.name);
        let Some(given) = &keys.method else {
            if action == Some(Action::Wipe) {
                self.missing("method", format!("is missing: a wipe needs one. Allowed: {}", quoted(names())));
            }
            // Without a method, "verify" asks whether a drive is blank.
            return if action == Some(Action::Verify) { method::find("zero") } else { None };
        };
        let Some(method) = method::find(&given.value) else {
            let hint = hint(&given.value, names());
            let message = format!("unknown method {}{hint} Allowed: {}", shown(&given.value), quoted(names()));
            self.problem(given, message);
            return None;
        };
        if action == Some(Action::Verify) && !ends_known(method) {
            let known = quoted(METHODS.iter().filter(|method| ends_known(method)).map(|method| method.name));
            let message = format!(
                "\"{}\" ends with random data, which cannot be told from any other data later. Allowed with \
                 action = \"verify\": {known}",
                method.name
            );
            self.problem(given, message);
        }
        Some(method)
    }

    fn verify(&mut self, keys: &Keys, action: Option<Action>, method: Option<&Method>) -> VerifyExtent {
        let extent = self.optional::<VerifyExtent>(keys.verify.as_ref()).unwrap_or(VerifyExtent::Full);
        if let (Some(given), VerifyExtent::None) = (&keys.verify, extent) {
            let required = method.filter(|method| method.requires == Requires::Verification);
            match (action, required) {
                (Some(Action::Verify), _) => self.problem(given, "\"none\" contradicts action = \"verify\""),
                (Some(Action::Wipe), Some(method)) => {
                    let message = format!(
                        "\"none\" is not possible: verification is part of the method \"{}\". Allowed: \"full\", \
                         \"sampled\"",
                        method.name
                    );
                    self.problem(given, message);
                }
                _ => {}
            }
        }
        extent
    }

    fn drives(&mut self, keys: &Keys, action: Option<Action>) -> Option<Selection> {
        let Some(given) = &keys.drives else {
            if action.is_some_and(Action::is_destructive) {
                self.missing("drives", "is missing. Allowed: \"all\" or a list of serial numbers or WWNs");
                return None;
            }
            return Some(Selection::All);
        };
        match &given.value {
            Drives::Word(word) if word == "all" => Some(Selection::All),
            Drives::Word(word) => {
                let word = shown(word);
                self.problem(given, format!("unknown value {word}. Allowed: \"all\", or a list: drives = [{word}]"));
                None
            }
            Drives::List(names) => self.names(given, names),
        }
    }

    fn names(&mut self, list: &Given<Drives>, names: &[Given<String>]) -> Option<Selection> {
        if names.is_empty() {
            self.problem(list, "the list is empty: name at least one serial number or WWN, or write \"all\"");
        }
        if names.len() > DRIVES_MAX {
            self.problem(list, format!("{} drives are more than the {DRIVES_MAX} a job can have", names.len()));
        }
        let before = self.problems.len();
        let mut selected: Vec<String> = Vec::new();
        for given in names {
            let name = given.value.trim();
            let message = if name.is_empty() {
                "an entry of the list is empty".to_owned()
            } else if name == "all" {
                "\"all\" is no serial number; for every drive write drives = \"all\"".to_owned()
            } else if name.chars().any(char::is_control) || name.chars().count() > NAME_MAX {
                format!("{} is no serial number or WWN", shown(name))
            } else if selected.iter().any(|earlier| earlier == name) {
                format!("{} is in the list twice", shown(name))
            } else {
                selected.push(name.to_owned());
                continue;
            };
            self.problem(given, message);
        }
        (self.problems.len() == before && !selected.is_empty()).then_some(Selection::Named(selected))
    }

    fn countdown(&mut self, keys: &Keys) -> Duration {
        let seconds = keys.countdown.as_ref().map_or(Some(COUNTDOWN_DEFAULT), |given| {
            let seconds = given.value.parse().ok().filter(|seconds| *seconds <= COUNTDOWN_MAX);
            if seconds.is_none() {
                let message = format!("{} is out of range. Allowed: 0 to {COUNTDOWN_MAX} seconds", shown(&given.value));
                self.problem(given, message);
            }
            seconds
        });
        Duration::from_secs(seconds.unwrap_or(COUNTDOWN_MAX))
    }

    fn confirm(&mut self, keys: &Keys, action: Option<Action>) {
        let Some(action) = action.filter(|action| action.is_destructive()) else { return };
        match &keys.confirm {
            Some(given) if given.value == CONFIRMATION => {}
            Some(given) => {
                let message = format!("{} is the wrong word. Allowed: \"{CONFIRMATION}\"", shown(&given.value));
                self.problem(given, message);
            }
            None => self.missing(
                "confirm",
                format!("is missing: action = \"{action}\" destroys data and needs confirm = \"{CONFIRMATION}\""),
            ),
        }
    }
}

/// Whether the last pass leaves something that can be recognised without the job that wrote it.
fn ends_known(method: &Method) -> bool {
    matches!(method.steps.last(), Some(Step::Byte(_) | Step::Triple(_)))
}
