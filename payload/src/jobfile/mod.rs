//! The unattended job: `mule.toml` on the stick's FAT partition, and what the kernel command line says in its place.
//!
//! A [`Job`] can be built only by [`read`] or [`parse`], from a request without a single problem: an unknown key, a bad value
//! or a missing word is an error that names the key and the line, and nothing is touched.

mod check;
mod copy;
mod file;
mod key;
mod parameters;
mod problem;
mod request;
mod values;

#[cfg(test)]
mod tests;

pub use check::{
    CONFIRMATION, COUNTDOWN_DEFAULT, COUNTDOWN_MAX, IMAGE_NAME_MAX, IMAGE_SUFFIX, KEEP_MAX, OPEN_FOR_DEFAULT,
    RETRIES_MAX, STORE_MAX, keep_time,
};
pub use copy::{CopyKeys, RETRIES_DEFAULT, STORE_DEFAULT};
pub use parameters::Overrides;
pub use problem::{JobError, Place, Problem, Reason};
pub use request::MediaFields;
pub use values::{Action, Frozen, Hash, HiddenAreas, Level, Selection, Tail, Then, VerifyExtent, Word};

use self::key::Key;
use crate::certify::record::Operator;
use mule_types::method::Method;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::File,
    io::{self, Read as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

/// Largest job file in bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// A valid request.
#[derive(Debug, Clone)]
pub struct Job {
    action: Action,
    method: Option<&'static Method>,
    drives: Selection,
    verify: VerifyExtent,
    copy: CopyKeys,
    hidden_areas: HiddenAreas,
    frozen: Frozen,
    repeat: bool,
    open_for: Duration,
    then: Option<Then>,
    countdown: Duration,
    operator: Operator,
    media_default: MediaFields,
    media: BTreeMap<String, MediaFields>,
}

impl Job {
    pub fn action(&self) -> Action {
        self.action
    }

    /// Always there for a wipe and for a verification without an image.
    pub fn method(&self) -> Option<&'static Method> {
        self.method
    }

    /// What is erased, imaged or verified; the targets of a restore or clone, which are always named.
    pub fn drives(&self) -> &Selection {
        &self.drives
    }

    pub fn verify(&self) -> VerifyExtent {
        self.verify
    }

    /// What it says of images, restores and clones.
    pub fn copy(&self) -> &CopyKeys {
        &self.copy
    }

    /// What becomes of areas that a drive hides, before a wipe.
    pub fn hidden_areas(&self) -> HiddenAreas {
        self.hidden_areas
    }

    /// What is done about frozen drives, before a wipe by command.
    pub fn frozen(&self) -> Frozen {
        self.frozen
    }

    /// Whether it begins again at every start, also once it is done.
    pub fn repeat(&self) -> bool {
        self.repeat
    }

    /// For how long after it was last seen running an interrupted job goes on by itself; later a person is asked.
    pub fn open_for(&self) -> Duration {
        self.open_for
    }

    /// What follows the run: after a report the machine stays, after all else it is switched off, unless the job says
    /// otherwise.
    pub fn then(&self) -> Then {
        self.then.unwrap_or(if self.action == Action::Report { Then::Stay } else { Then::PowerOff })
    }

    /// What the job itself says; a run that is refused stays where it says nothing.
    pub fn then_asked(&self) -> Option<Then> {
        self.then
    }

    /// How long any key can stop the run before the first write.
    pub fn countdown(&self) -> Duration {
        self.countdown
    }

    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// What the job says of the drive with one of these names (serial number, WWN); blank where it says nothing.
    pub fn media<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> MediaFields {
        let own = names.into_iter().find_map(|name| self.media.get(name)).cloned().unwrap_or_default();
        let or = |own: String, default: &String| if own.is_empty() { default.clone() } else { own };
        MediaFields {
            property_number: own.property_number,
            source: or(own.source, &self.media_default.source),
            classification: or(own.classification, &self.media_default.classification),
        }
    }

    /// BLAKE3 of what the job does to which drives and what its certificates say. A job that was interrupted goes on only
    /// under the same digest. What happens before and after (`countdown`, `frozen`, `open-for`, `repeat`, `then`) may change in between, and so may
    /// the order of the drives.
    pub fn digest(&self) -> [u8; 32] {
        *blake3::hash(self.canonical().as_bytes()).as_bytes()
    }

    /// Every text is quoted with escapes, so two different jobs never share a canonical text.
    fn canonical(&self) -> String {
        let mut text = String::from("mule-job/1\n");
        let mut line = |key: &str, value: &dyn std::fmt::Debug| {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{key}={value:?}");
        };
        line("action", &self.action.word());
        line("method", &self.method.map(|method| method.name));
        line("verify", &self.verify.word());
        match &self.drives {
            Selection::All => line("drives", &"all"),
            Selection::Named(names) => {
                let mut names = names.clone();
                names.sort();
                line("drives", &names);
            }
        }
        // The default is left out, so that a job without the key keeps its digest.
        if self.hidden_areas != HiddenAreas::Report {
            line("hidden-areas", &self.hidden_areas.word());
        }
        for (key, said) in self.copy.said() {
            line(key, &said);
        }
        let Operator { name, title, organisation, location, contact } = &self.operator;
        line("operator", &[name, title, organisation, location, contact]);
        line("media", &fields(&self.media_default));
        for (drive, media) in &self.media {
            line("media", &(drive, fields(media)));
        }
        text
    }
}

fn fields(media: &MediaFields) -> [&str; 3] {
    [&media.property_number, &media.source, &media.classification]
}

/// Reads the job file that `overrides` names (or `mule.toml`) below `stick`, the mounted FAT partition.
pub fn read(stick: &Path, overrides: &Overrides) -> Result<Job, JobError> {
    let name = overrides.job_file();
    let fail = |reason| JobError { reason, then: overrides.then() };
    if !overrides.problems.is_empty() {
        return Err(fail(Reason::Problems(overrides.problems.clone())));
    }
    let bytes = read_bounded(&stick.join(name), &name.into()).map_err(fail)?;
    parse(name, &bytes, overrides)
}

fn read_bounded(path: &Path, name: &Arc<str>) -> Result<Vec<u8>, Reason> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Reason::Missing(name.clone()),
        _ => Reason::Unreadable(name.clone(), error),
    };
    // Asked before opening: opening a FIFO would wait for ever.
    if !path.metadata().map_err(unreadable)?.is_file() {
        return Err(Reason::NotAFile(name.clone()));
    }
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(unreadable)?;
    Ok(bytes)
}

/// The job in a file's bytes. `name` is what messages call the file.
pub fn parse(name: &str, bytes: &[u8], overrides: &Overrides) -> Result<Job, JobError> {
    let name: Arc<str> = name.into();
    let text = text(&name, bytes).map_err(|reason| JobError { reason, then: overrides.then() })?;
    let mut request = file::read(&name, text);
    request.keys = request.keys.overridden_by(&overrides.keys);
    request.problems.extend(overrides.problems.iter().cloned());
    let then = request.keys.get(Key::Then).and_then(|then| Then::from_word(&then.value));
    check::check(request).map_err(|mut problems| {
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        JobError { reason: Reason::Problems(problems), then }
    })
}

/// The text without a byte order mark. Carriage returns before line feeds are white space to TOML.
fn text<'a>(name: &Arc<str>, bytes: &'a [u8]) -> Result<&'a str, Reason> {
    if bytes.len() > MAX_BYTES {
        return Err(Reason::TooLarge(name.clone()));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Reason::NotUtf8(name.clone(), "it looks like UTF-16".into()));
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        Reason::NotUtf8(name.clone(), format!("the first bad byte is in line {line}"))
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}
