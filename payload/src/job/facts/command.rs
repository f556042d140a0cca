//! What became of a command by which a drive was to erase itself, in numbers.

use crate::{
    engine::{extents::Ranges, kinds::Kinds, pattern::StreamKey},
    firmware::{erase::Evidence, purge},
    journal::{
        event::{DefectKind, Sweep},
        replay::DriveHistory,
    },
};
use mule_types::technique::Technique;

/// The erasure by a drive's own firmware.
#[derive(Debug, Clone)]
pub struct CommandFacts {
    /// What was asked for; `None` before it was chosen.
    pub technique: Option<Technique>,
    /// What calls it a purge of this drive's medium; `None` where nothing does.
    pub purge: Option<&'static str>,
    /// Milliseconds since 1970, as all times here.
    pub started: Option<u64>,
    pub finished: Option<u64>,
    /// What was seen of it, once the drive said that it had succeeded.
    pub evidence: Option<Evidence>,
    /// The markers: a keystream at places that follow from its key.
    pub key: StreamKey,
    /// Bytes of markers that were written and read back before the command.
    pub marked: u64,
    /// Whether all markers were looked for afterwards.
    pub looked: bool,
    /// Markers that were still there.
    pub left: Ranges,
    /// What the drive held afterwards, where nothing was written then.
    pub kinds: Kinds,
    /// Whether the machine stopped after it had ended: what may have been written since was never under it.
    pub stopped_since: bool,
}

impl Default for CommandFacts {
    fn default() -> Self {
        Self {
            technique: None,
            purge: None,
            started: None,
            finished: None,
            evidence: None,
            key: StreamKey([0; 32]),
            marked: 0,
            looked: false,
            left: Ranges::default(),
            kinds: Kinds::default(),
            stopped_since: false,
        }
    }
}

impl CommandFacts {
    /// What the log knows of it; of the medium it knows nothing.
    pub(super) fn from_history(history: &DriveHistory) -> Self {
        let mut facts = Self::default();
        if let Some(command) = &history.command {
            facts.technique = purge::named(&command.technique);
            facts.purge = facts.technique.and_then(|technique| purge::source(technique, None));
            facts.started = Some(command.started_at);
            facts.stopped_since = command.stopped_since;
            if let Some((at, evidence)) = &command.ended {
                (facts.finished, facts.evidence) = (Some(*at), Evidence::named(evidence));
            }
            if let Some((kinds, example)) = command.kinds {
                facts.kinds = Kinds::from_numbers(kinds, example);
            }
        }
        let finished =
            |sweep| history.sweeps.iter().find(move |past| past.sweep == sweep && past.finished_at.is_some());
        if let Some(written) = finished(Sweep::MarkersWritten) {
            facts.key = StreamKey(written.key.unwrap_or_default());
        }
        facts.marked = finished(Sweep::MarkersRead).map_or(0, |past| past.bytes);
        // Without a pass it is the verification that looks for them, and tells what kinds of data there are.
        let sweep = if facts.kinds.bytes() > 0 { Sweep::Verify } else { Sweep::MarkersGone };
        facts.looked = finished(sweep).is_some();
        let left = history.defects.iter().filter(|(of, kind, _)| *of == sweep && *kind == DefectKind::Mismatch);
        left.for_each(|(_, _, extent)| facts.left.insert(extent.start, extent.len));
        facts
    }

    /// As it is where the machine stopped after the command: what is there now is looked at again.
    pub(super) fn unexamined(self) -> Self {
        Self { looked: false, left: Ranges::default(), kinds: Kinds::default(), ..self }
    }

    /// Why it does not prove anything; `None` where the drive erased itself as far as can be seen.
    pub(super) fn failure(&self, capacity: u64, only: bool) -> Option<String> {
        let Some(technique) = self.technique else { return Some("no command was chosen".into()) };
        if self.finished.is_none() || self.evidence.is_none() {
            return Some(format!("the drive did not say that {} had succeeded", technique.name()));
        }
        if self.marked.saturating_mul(20) < capacity {
            return Some("fewer than 5 % of the drive could be marked before the command".into());
        }
        if let Some(why) = self.survived() {
            return Some(why);
        }
        if !self.looked {
            return Some("the markers were not all looked for after the command".into());
        }
        let Kinds { ones, repeating, varied, .. } = self.kinds;
        let other = repeating + varied + if technique.is_security_erase() { 0 } else { ones };
        if only && technique.overwrites() && other > 0 {
            return Some(format!(
                "{} leaves nothing but zeros, and {other} bytes that were read back hold something else",
                technique.name()
            ));
        }
        None
    }

    /// What is wrong where markers were found after the command.
    pub fn survived(&self) -> Option<String> {
        let left = Some(self.left.bytes()).filter(|left| *left > 0)?;
        let least = if self.looked { "" } else { "at least " };
        Some(format!(
            "the drive reported the success of {}, and {least}{left} of {} bytes that were written before it are STILL THERE",
            self.technique?.name(),
            self.marked
        ))
    }

    /// A reservation about an erasure that is otherwise good.
    pub(super) fn reservation(&self) -> Option<String> {
        let technique = self.technique?;
        let unseen = self.evidence == Some(Evidence::ReportedOnly) && technique.has_state();
        unseen.then(|| {
            format!(
                "{} was accepted and its completion was not observed: the drive's word and the markers that are gone are \
                 all the evidence",
                technique.name()
            )
        })
    }
}
