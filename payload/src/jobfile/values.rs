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

/// Which drives a job means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Every drive that is neither the stick nor removable.
    All,
    /// These serial numbers or WWNs; a removable drive must be named to be touched.
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

    /// Whether this version can do it.
    pub fn is_built(self) -> bool {
        matches!(self, Self::Report | Self::Wipe)
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

macro_rules! display_as_word {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    )*};
}
display_as_word!(Action, VerifyExtent, Then);

impl From<VerifyExtent> for crate::journal::Verify {
    fn from(extent: VerifyExtent) -> Self {
        match extent {
            VerifyExtent::Full => Self::Full,
            VerifyExtent::Sampled => Self::Sampled,
            VerifyExtent::None => Self::None,
        }
    }
}
