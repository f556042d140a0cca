//! The keys of `[job]`: how each is spelled and written, and which actions it belongs to.

use super::values::{Action, Word};

/// A key of `[job]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Action,
    Method,
    Drives,
    Verify,
    Then,
    Confirm,
    Countdown,
    Source,
    Store,
    StoreDrive,
    Image,
    Name,
    Raw,
    Base,
    Hash,
    Level,
    Retries,
    Tail,
    Smaller,
    GiveUpBehind,
    MoveGpt,
    Keep,
    HiddenAreas,
    Frozen,
    Repeat,
    OpenFor,
}

/// How a key's value is written in TOML. On the kernel command line everything is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    TextOrNumber,
    Switch,
    /// A word or a list.
    Drives,
}

impl Word for Key {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("action", Self::Action),
        ("method", Self::Method),
        ("drives", Self::Drives),
        ("verify", Self::Verify),
        ("then", Self::Then),
        ("confirm", Self::Confirm),
        ("countdown", Self::Countdown),
        ("source", Self::Source),
        ("store", Self::Store),
        ("store-drive", Self::StoreDrive),
        ("image", Self::Image),
        ("name", Self::Name),
        ("raw", Self::Raw),
        ("base", Self::Base),
        ("hash", Self::Hash),
        ("level", Self::Level),
        ("retries", Self::Retries),
        ("tail", Self::Tail),
        ("smaller", Self::Smaller),
        ("give-up-behind", Self::GiveUpBehind),
        ("move-gpt", Self::MoveGpt),
        ("keep", Self::Keep),
        ("hidden-areas", Self::HiddenAreas),
        ("frozen", Self::Frozen),
        ("repeat", Self::Repeat),
        ("open-for", Self::OpenFor),
    ];
}

impl Key {
    /// The spelling of every key.
    pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
        Self::WORDS.iter().map(|(name, _)| *name)
    }

    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Drives => Kind::Drives,
            Self::Countdown | Self::Retries => Kind::Number,
            Self::Level => Kind::TextOrNumber,
            Self::Raw | Self::Smaller | Self::GiveUpBehind | Self::MoveGpt | Self::Repeat => Kind::Switch,
            _ => Kind::Text,
        }
    }

    /// The actions that this key says something to; `None` where that is every action.
    pub(super) fn actions(self) -> Option<&'static [Action]> {
        use Action::{Clone, Image, Restore, Verify, Wipe};
        match self {
            Self::Action | Self::Drives | Self::Verify | Self::Then | Self::Confirm | Self::Countdown => None,
            Self::Method => Some(&[Wipe, Verify]),
            Self::Source => Some(&[Clone]),
            Self::Store | Self::StoreDrive => Some(&[Image, Restore, Verify, Wipe, Clone]),
            Self::Image => Some(&[Restore, Verify]),
            Self::Name | Self::Raw | Self::Base | Self::Level => Some(&[Image]),
            Self::Hash | Self::Retries => Some(&[Image, Clone]),
            Self::Tail | Self::Smaller | Self::GiveUpBehind | Self::MoveGpt => Some(&[Restore, Clone]),
            Self::Keep | Self::Repeat => Some(&[Wipe, Restore, Clone]),
            Self::HiddenAreas | Self::Frozen | Self::OpenFor => Some(&[Wipe]),
        }
    }

    /// Whether a job with this action may have this key. A report touches nothing, so it may have every key: any job can be
    /// tried first with `action = "report"`.
    pub(super) fn belongs_to(self, action: Action) -> bool {
        action == Action::Report || self.actions().is_none_or(|actions| actions.contains(&action))
    }
}
