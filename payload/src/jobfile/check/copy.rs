//! The keys of images, restores and clones, and `keep`.

use super::{Checker, drives};
use crate::jobfile::{
    copy::CopyKeys,
    key::Key,
    problem::shown,
    request::Keys,
    values::{Action, Level, Selection, Word},
};
use std::time::Duration;

/// What the name of every image file ends with.
pub const IMAGE_SUFFIX: &str = ".img.zst";
/// Longest name of an image in bytes without the suffix: with the suffixes of what lies beside an image it fits into the
/// 255 that file systems allow.
pub const IMAGE_NAME_MAX: usize = 200;
/// Longest label of the store in characters: NTFS, whose labels are the longest, allows as many.
pub const STORE_MAX: usize = 32;
/// Most repetitions for bad sectors.
pub const RETRIES_MAX: u8 = 100;
/// Longest time for which an image is kept.
pub const KEEP_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl Checker {
    /// The keys of copies. What has a problem has its default here; the problem keeps the job from being.
    pub(super) fn copy(&mut self, keys: &Keys, action: Option<Action>, drives: Option<&Selection>) -> CopyKeys {
        let default = CopyKeys::default();
        let copy = CopyKeys {
            source: self.source(keys, action, drives),
            store: self.text(keys, Key::Store, store).unwrap_or(default.store),
            store_drive: self.text(keys, Key::StoreDrive, drives::drive_name),
            image: self.text(keys, Key::Image, image_name),
            name: self.text(keys, Key::Name, image_name),
            base: self.text(keys, Key::Base, image_name),
            raw: self.word(keys, Key::Raw, default.raw),
            hash: self.word(keys, Key::Hash, default.hash),
            level: self.text(keys, Key::Level, level).unwrap_or(default.level),
            retries: self.retries(keys).unwrap_or(default.retries),
            tail: self.word(keys, Key::Tail, default.tail),
            smaller: self.word(keys, Key::Smaller, default.smaller),
            give_up_behind: self.word(keys, Key::GiveUpBehind, default.give_up_behind),
            move_gpt: self.word(keys, Key::MoveGpt, default.move_gpt),
            keep: self.text(keys, Key::Keep, keep_time),
        };
        if action == Some(Action::Restore) && keys.get(Key::Image).is_none() {
            self.missing(Key::Image, "is missing: a restore needs the name of an image in the store");
        }
        match action {
            Some(Action::Image) => self.of_one_drive(keys, &copy, drives),
            // It touches nothing and needs nothing of this.
            Some(Action::Report) => return CopyKeys::default(),
            _ => {}
        }
        copy
    }

    pub(super) fn text<T>(&mut self, keys: &Keys, key: Key, read: fn(&str) -> Result<T, String>) -> Option<T> {
        let given = keys.get(key)?;
        read(given.value.trim()).map_err(|message| self.problem(given, message)).ok()
    }

    pub(super) fn word<T: Word>(&mut self, keys: &Keys, key: Key, default: T) -> T {
        self.optional(keys.get(key)).unwrap_or(default)
    }

    fn retries(&mut self, keys: &Keys) -> Option<u8> {
        let retries = self.number(keys.get(Key::Retries)?, RETRIES_MAX.into(), "")?;
        u8::try_from(retries).ok()
    }

    /// The name and the base of an image are those of one drive.
    fn of_one_drive(&mut self, keys: &Keys, copy: &CopyKeys, drives: Option<&Selection>) {
        // Where the drives themselves are in doubt, that is the problem.
        let many = drives.is_some() && drives::names(drives).len() != 1;
        for given in [Key::Name, Key::Base].iter().filter(|_| many).filter_map(|key| keys.get(*key)) {
            self.problem(given, "belongs to an image of exactly one drive: drives = [\"SERIAL\"]");
        }
        if let (Some(given), Some(base)) = (keys.get(Key::Base), &copy.base)
            && copy.name.as_ref() == Some(base)
        {
            self.problem(given, format!("{} is the \"name\" of the new image as well", shown(base)));
        }
    }
}

fn store(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(char::is_control) || text.chars().count() > STORE_MAX {
        return Err(format!("{} is no label. Allowed: 1 to {STORE_MAX} printable characters", shown(text)));
    }
    Ok(text.to_owned())
}

/// The name of an image without [`IMAGE_SUFFIX`].
fn image_name(text: &str) -> Result<String, String> {
    let name = text.strip_suffix(IMAGE_SUFFIX).unwrap_or(text);
    let wrong = match name {
        "" => "it is empty",
        "." | ".." => "it is a folder",
        _ if name.contains(['/', '\\']) => "images lie in the store itself, in no folder",
        _ if name.chars().any(char::is_control) => "it is not printable",
        _ if name.len() > IMAGE_NAME_MAX => "it is longer than 200 bytes",
        _ => return Ok(name.to_owned()),
    };
    Err(format!("{} is no name of an image: {wrong}", shown(text)))
}

fn level(text: &str) -> Result<Level, String> {
    Level::from_text(text).ok_or_else(|| {
        let allowed = "\"auto\", \"store\", 1 to 19, -1 to -50";
        format!("{} is no level. Allowed: {allowed}", shown(text))
    })
}

/// How long an image is kept: `48h` or `2d`.
pub fn keep_time(text: &str) -> Result<Duration, String> {
    span(text).ok_or_else(|| {
        format!("{} is no time to keep an image. Allowed: \"1h\" to \"366d\", such as \"48h\"", shown(text))
    })
}

/// How long an interrupted job goes on by itself.
pub(super) fn open_time(text: &str) -> Result<Duration, String> {
    span(text).ok_or_else(|| {
        format!("{} is no time for a job to stay open. Allowed: \"1h\" to \"366d\", such as \"7d\"", shown(text))
    })
}

/// `48h` or `2d`, at most [`KEEP_MAX`].
fn span(text: &str) -> Option<Duration> {
    let hours = |count: &str, each: u64| {
        let digits = count.bytes().all(|byte| byte.is_ascii_digit());
        count.parse::<u64>().ok().filter(|_| digits)?.checked_mul(each)?.checked_mul(60 * 60).map(Duration::from_secs)
    };
    let time = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((count, "h")) => hours(count, 1),
        Some((count, "d")) => hours(count, 24),
        _ => None,
    };
    time.filter(|time| !time.is_zero() && *time <= KEEP_MAX)
}
