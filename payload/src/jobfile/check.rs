//! A [`Request`] to a valid [`Job`]: everything that can be known to be wrong without looking at a drive.

mod copy;
mod drives;

pub use copy::{IMAGE_NAME_MAX, IMAGE_SUFFIX, KEEP_MAX, RETRIES_MAX, STORE_MAX, keep_time};

use super::{
    Job,
    key::Key,
    problem::{Place, Problem, hint, quoted, shown},
    request::{Given, Keys, Request},
    values::{Action, Frozen, HiddenAreas, Then, VerifyExtent, Word},
};
use mule_types::method::{self, Method, Requires, Step};
use std::time::Duration;

/// The word a destructive unattended job must carry.
pub const CONFIRMATION: &str = "erase";
/// Longest countdown in seconds.
pub const COUNTDOWN_MAX: u64 = 3600;
/// Countdown in seconds where the job names none.
pub const COUNTDOWN_DEFAULT: u64 = 10;

/// How long an interrupted job goes on by itself where it does not say.
pub const OPEN_FOR_DEFAULT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The job, or every problem of the request.
pub(super) fn check(request: Request) -> Result<Job, Vec<Problem>> {
    let mut checker = Checker { place: request.place, problems: request.problems };
    let keys = &request.keys;
    let action = checker.action(keys);
    checker.belonging(keys, action);
    let method = checker.method(keys, action);
    let verify = checker.verify(keys, action, method);
    let drives = checker.drives(keys, action);
    let copy = checker.copy(keys, action, drives.as_ref());
    let hidden_areas = checker.optional::<HiddenAreas>(keys.get(Key::HiddenAreas)).unwrap_or(HiddenAreas::Report);
    let frozen = checker.optional::<Frozen>(keys.get(Key::Frozen)).unwrap_or(Frozen::Wait);
    let repeat = checker.word(keys, Key::Repeat, false);
    let open_for = checker.text(keys, Key::OpenFor, copy::open_time).unwrap_or(OPEN_FOR_DEFAULT);
    let then = checker.optional::<Then>(keys.get(Key::Then));
    let countdown = checker.countdown(keys);
    checker.confirm(keys, action);
    match (action, drives, checker.problems.is_empty()) {
        (Some(action), Some(drives), true) => Ok(Job {
            action,
            method,
            drives,
            verify,
            copy,
            hidden_areas,
            frozen,
            repeat,
            open_for,
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

    fn missing(&mut self, key: Key, message: impl Into<String>) {
        self.problems.push(Problem { place: self.place.clone(), key: key.word().into(), message: message.into() });
    }

    /// The value of a key that need not be there.
    fn optional<T: Word>(&mut self, given: Option<&Given<String>>) -> Option<T> {
        self.one_of(given?, T::WORDS.iter().map(|(word, _)| *word))
    }

    /// The value of a word, of which this job allows `words`.
    fn one_of<T: Word>(
        &mut self,
        given: &Given<String>,
        words: impl Iterator<Item = &'static str> + Clone,
    ) -> Option<T> {
        let value = T::from_word(&given.value);
        if value.is_none() {
            let hint = hint(&given.value, words.clone());
            let message = format!("unknown value {}{hint} Allowed: {}", shown(&given.value), quoted(words));
            self.problem(given, message);
        }
        value
    }

    /// A whole number from 0 to `max`.
    fn number(&mut self, given: &Given<String>, max: u64, unit: &str) -> Option<u64> {
        let number = given.value.parse().ok().filter(|number| *number <= max);
        if number.is_none() {
            self.problem(given, format!("{} is out of range. Allowed: 0 to {max}{unit}", shown(&given.value)));
        }
        number
    }

    fn action(&mut self, keys: &Keys) -> Option<Action> {
        let given = keys.get(Key::Action);
        if given.is_none() {
            let words = quoted(Action::WORDS.iter().map(|(word, _)| *word));
            self.missing(Key::Action, format!("is missing under [job]. Allowed: {words}"));
        }
        self.optional(given)
    }

    /// Keys that say nothing to this action, or nothing without another key. A report may have them all.
    fn belonging(&mut self, keys: &Keys, action: Option<Action>) {
        let Some(action) = action.filter(|action| *action != Action::Report) else { return };
        let has = |key| keys.get(key).is_some();
        for (&key, given) in &keys.texts {
            let message = match (key, action) {
                _ if !key.belongs_to(action) => {
                    let actions = key.actions().unwrap_or_default().iter().map(|action| action.word());
                    format!("does not belong to action = \"{action}\". Allowed with: {}", quoted(actions))
                }
                (Key::Method, Action::Verify) if has(Key::Image) => {
                    "does not belong to a verification against an image: take out \"method\" or \"image\"".to_owned()
                }
                (Key::Store | Key::StoreDrive, Action::Verify) if !has(Key::Image) => {
                    "needs \"image\": without it no image is read from a store".to_owned()
                }
                (Key::Store | Key::StoreDrive, Action::Wipe | Action::Clone) if !has(Key::Keep) => {
                    format!("needs \"keep\": without it action = \"{action}\" keeps nothing in a store")
                }
                _ => continue,
            };
            self.problem(given, message);
        }
    }

    fn method(&mut self, keys: &Keys, action: Option<Action>) -> Option<&'static Method> {
        let names = || method::all().map(|method| method.name);
        let Some(given) = keys.get(Key::Method) else {
            if action == Some(Action::Wipe) {
                self.missing(Key::Method, format!("is missing: a wipe needs one. Allowed: {}", quoted(names())));
            }
            // With neither method nor image, "verify" asks whether a drive is blank.
            let blank = action == Some(Action::Verify) && keys.get(Key::Image).is_none();
            return if blank { method::find("zero") } else { None };
        };
        let Some(method) = method::find(&given.value) else {
            let hint = hint(&given.value, names());
            let message = format!("unknown method {}{hint} Allowed: {}", shown(&given.value), quoted(names()));
            self.problem(given, message);
            return None;
        };
        if action == Some(Action::Verify) && !ends_known(method) {
            let known = quoted(method::all().filter(|method| ends_known(method)).map(|method| method.name));
            let leaves = match method.command {
                Some(_) => "leaves what the drive's firmware decides, which is not known later",
                None => "ends with random data, which cannot be told from any other data later",
            };
            let message = format!("\"{}\" {leaves}. Allowed with action = \"verify\": {known}", method.name);
            self.problem(given, message);
        }
        Some(method)
    }

    fn verify(&mut self, keys: &Keys, action: Option<Action>, method: Option<&Method>) -> VerifyExtent {
        let Some(given) = keys.get(Key::Verify) else { return VerifyExtent::Full };
        let (allowed, why) = extents(action, method, keys.get(Key::Image).is_some());
        let words = || allowed.iter().map(|extent| extent.word());
        let extent = self.one_of(given, words()).unwrap_or(VerifyExtent::Full);
        if !allowed.contains(&extent) {
            self.problem(given, format!("\"{extent}\" is not possible: {why}. Allowed: {}", quoted(words())));
        }
        extent
    }

    fn countdown(&mut self, keys: &Keys) -> Duration {
        let given = keys.get(Key::Countdown);
        let seconds = given.map_or(Some(COUNTDOWN_DEFAULT), |given| self.number(given, COUNTDOWN_MAX, " seconds"));
        Duration::from_secs(seconds.unwrap_or(COUNTDOWN_MAX))
    }

    fn confirm(&mut self, keys: &Keys, action: Option<Action>) {
        let Some(action) = action.filter(|action| action.is_destructive()) else { return };
        match keys.get(Key::Confirm) {
            Some(given) if given.value == CONFIRMATION => {}
            Some(given) => {
                let message = format!("{} is the wrong word. Allowed: \"{CONFIRMATION}\"", shown(&given.value));
                self.problem(given, message);
            }
            None => self.missing(
                Key::Confirm,
                format!("is missing: action = \"{action}\" destroys data and needs confirm = \"{CONFIRMATION}\""),
            ),
        }
    }
}

/// Whether the last pass leaves something that can be recognised without the job that wrote it.
fn ends_known(method: &Method) -> bool {
    method.command.is_none() && matches!(method.steps.last(), Some(Step::Byte(_) | Step::Triple(_)))
}

/// How much a job may read back, and why no less.
fn extents(action: Option<Action>, method: Option<&Method>, image: bool) -> (&'static [VerifyExtent], String) {
    use VerifyExtent::{Full, None, Sampled};
    match action {
        Some(Action::Restore | Action::Clone) => (&[Full], "what is written is always read back in full".into()),
        Some(Action::Image) => (&[Full, None], "an image is read back in full or not at all".into()),
        Some(Action::Verify) if image => (&[Full], "drives are compared with an image in full".into()),
        Some(Action::Verify) => (&[Full, Sampled], "it contradicts action = \"verify\"".into()),
        Some(Action::Wipe) if let Some(method) = method.filter(|method| method.requires == Requires::Verification) => {
            (&[Full, Sampled], format!("verification is part of the method \"{}\"", method.name))
        }
        _ => (&[Full, Sampled, None], String::new()),
    }
}
