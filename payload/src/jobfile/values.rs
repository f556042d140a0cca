//! The words a job may use, each enum with the table of its spellings.

use std::fmt;

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// List the drives and touch nothing.
    Report,
    /// Erase.
    Wipe,
    /// Read back and compare, write nothing.
    Verify,
    /// Drive to image file.
    Image,
    /// Image file to drive.
    Restore,
    /// Drive to drive.
    Clone,
}

/// How much is read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VerifyExtent {
    /// Every block.
    Full,
    /// NIST SP 800-88 Rev. 1, 4.7.
    Sampled,
    /// Nothing.
    None,
}

/// What the machine does when the run is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Then {
    PowerOff,
    Reboot,
    /// Wait for a person.
    Stay,
}

/// The plain hash of the raw device, for `sha512sum` and `sha256sum`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SHA-512 where every block is read.
    Auto,
    Sha512,
    Sha256,
    Both,
    None,
}

/// What becomes of the blocks behind the content where the target is larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tail {
    /// They stay as they are.
    Leave,
    /// They read as zeros afterwards.
    Zero,
    /// They are erased as by a wipe.
    Wipe,
}

/// How hard an image is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// What keeps up with the drives.
    Auto,
    /// Not at all.
    Store,
    /// A level of zstd: -50 to -1 or 1 to 19.
    Zstd(i32),
}

/// What becomes of areas that a drive hides, before it is wiped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HiddenAreas {
    /// They are looked for, and the certificate says what was found.
    Report,
    /// They are lifted, for good, so that the wipe reaches them.
    Remove,
    /// A drive that hides something is not wiped.
    Refuse,
}

/// What is done about drives that the PC's firmware froze, where the method needs commands that they then refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Frozen {
    /// Somebody is asked to switch their power off and on, and waited for.
    Wait,
    /// The PC is suspended to RAM for some seconds first.
    Suspend,
}

/// Which drives a job means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Every drive that is neither the stick nor removable.
    All,
    /// These serial numbers or WWNs; a removable drive must be named to be touched. Without any: no drive at all.
    Named(Vec<String>),
}

/// An enum that is written as a word in a job.
pub trait Word: Copy + PartialEq + 'static {
    /// Every spelling with its value.
    const WORDS: &'static [(&'static str, Self)];

    /// The value of a word.
    fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(spelling, _)| *spelling == word).map(|(_, value)| *value)
    }

    /// The word of a value.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("?", |(spelling, _)| spelling)
    }
}

impl Word for Action {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("report", Self::Report),
        ("wipe", Self::Wipe),
        ("verify", Self::Verify),
        ("image", Self::Image),
        ("restore", Self::Restore),
        ("clone", Self::Clone),
    ];
}

impl Action {
    /// Whether it overwrites what is on a drive, so that a job must carry the word `erase`.
    pub fn is_destructive(self) -> bool {
        matches!(self, Self::Wipe | Self::Restore | Self::Clone)
    }
}

impl Word for VerifyExtent {
    const WORDS: &'static [(&'static str, Self)] =
        &[("full", Self::Full), ("sampled", Self::Sampled), ("none", Self::None)];
}

impl Word for Then {
    const WORDS: &'static [(&'static str, Self)] =
        &[("power-off", Self::PowerOff), ("reboot", Self::Reboot), ("stay", Self::Stay)];
}

impl Word for Hash {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("sha512", Self::Sha512),
        ("sha256", Self::Sha256),
        ("both", Self::Both),
        ("none", Self::None),
    ];
}

impl Word for Tail {
    const WORDS: &'static [(&'static str, Self)] =
        &[("leave", Self::Leave), ("zero", Self::Zero), ("wipe", Self::Wipe)];
}

impl Word for HiddenAreas {
    const WORDS: &'static [(&'static str, Self)] =
        &[("report", Self::Report), ("remove", Self::Remove), ("refuse", Self::Refuse)];
}

impl Word for Frozen {
    const WORDS: &'static [(&'static str, Self)] = &[("wait", Self::Wait), ("suspend", Self::Suspend)];
}

impl Word for bool {
    const WORDS: &'static [(&'static str, Self)] = &[("true", true), ("false", false)];
}

impl Level {
    /// `auto`, `store` or a number.
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "store" => Some(Self::Store),
            number => number.parse().ok().filter(|level| matches!(level, -50..=-1 | 1..=19)).map(Self::Zstd),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Store => f.write_str("store"),
            Self::Zstd(level) => level.fmt(f),
        }
    }
}

macro_rules! display_as_word {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    )*};
}
display_as_word!(Action, VerifyExtent, Then, Hash, Tail);

impl From<VerifyExtent> for crate::journal::Verify {
    fn from(extent: VerifyExtent) -> Self {
        match extent {
            VerifyExtent::Full => Self::Full,
            VerifyExtent::Sampled => Self::Sampled,
            VerifyExtent::None => Self::None,
        }
    }
}
