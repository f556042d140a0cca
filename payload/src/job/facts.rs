//! What became of one drive, in numbers; the outcome follows from them and from nothing else.

pub mod command;

use super::{commanded, held::Held};
use crate::{
    drive::Geometry,
    engine::{extents::Ranges, pattern::StreamKey, sampling},
    journal::{
        Verify,
        event::{DefectKind, Outcome, Sweep},
        replay::{DriveHistory, HiddenAreas},
    },
    plan::Content,
};
use command::CommandFacts;
use std::time::Duration;

/// One pass over one drive.
#[derive(Debug, Clone)]
pub struct PassFacts {
    pub content: Content,
    /// Set for every pass; used by a random one.
    pub key: StreamKey,
    /// Milliseconds since 1970, as all times here.
    pub started: Option<u64>,
    pub finished: Option<u64>,
    /// Bytes that were written and acknowledged.
    pub bytes: u64,
    pub unwritable: Ranges,
}

/// The verification of one drive.
#[derive(Debug, Clone)]
pub struct VerifyFacts {
    pub extent: Verify,
    pub started: Option<u64>,
    pub finished: Option<u64>,
    /// Decides the places of a sampled verification.
    pub seed: [u8; 32],
    /// Bytes that were to be read back.
    pub planned: u64,
    /// Bytes read back and equal.
    pub matched: u64,
    pub different: Ranges,
    pub unreadable: Ranges,
}

/// A stop between two boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    pub last_seen: u64,
    pub resumed: Option<u64>,
    pub detail: String,
}

/// How hot a drive got in this run of the machine; a limit of 0 where it was not asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heat {
    /// Degrees Celsius, as all temperatures here.
    pub highest: u64,
    /// Above which it was given a rest.
    pub limit: u64,
    pub pauses: u32,
    /// All rests together.
    pub paused: Duration,
}

/// Everything that happened to one drive.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Capacity in bytes.
    pub capacity: u64,
    pub passes: Vec<PassFacts>,
    pub verify: VerifyFacts,
    pub pauses: Vec<Pause>,
    /// What the drive already held for good when the machine last went on: nobody knows what happened to it while the machine
    /// was off.
    pub unseen: Ranges,
    /// Bytes of that which were read back afterwards.
    pub seen_again: u64,
    pub heat: Heat,
    /// What was found out about areas the drive hides.
    pub hidden: Option<HiddenAreas>,
    /// What it, and the way to it, was while it was held; `None` where it was not asked in this run.
    pub held: Option<Held>,
    /// The erasure by the drive's own firmware, where the method has one.
    pub command: Option<CommandFacts>,
    /// Why it ended before its end, if it did.
    pub failure: Option<String>,
    /// Whether that was a stop from outside (a person, a power cut) rather than the drive's fault.
    pub stopped: bool,
}

impl Facts {
    /// Nothing has happened yet.
    pub fn new(capacity: u64, passes: &[Content], verify: Verify) -> Self {
        let pass = |content: &Content| PassFacts {
            content: *content,
            key: StreamKey([0; 32]),
            started: None,
            finished: None,
            bytes: 0,
            unwritable: Ranges::default(),
        };
        Self {
            capacity,
            passes: passes.iter().map(pass).collect(),
            verify: VerifyFacts {
                extent: verify,
                started: None,
                finished: None,
                seed: [0; 32],
                planned: 0,
                matched: 0,
                different: Ranges::default(),
                unreadable: Ranges::default(),
            },
            pauses: Vec::new(),
            unseen: Ranges::default(),
            seen_again: 0,
            heat: Heat::default(),
            hidden: None,
            held: None,
            command: None,
            failure: None,
            stopped: false,
        }
    }

    /// What the log knows about a drive of an interrupted job, whose method has a command or none.
    pub fn from_history(history: &DriveHistory, passes: &[Content], verify: Verify, commanded: bool) -> Self {
        let mut facts = Self::new(history.drive.bytes, passes, verify);
        facts.command = commanded.then(|| CommandFacts::from_history(history));
        for past in &history.sweeps {
            let defects = |kind| {
                let mut ranges = Ranges::default();
                let here = history.defects.iter().filter(|(sweep, k, _)| *sweep == past.sweep && *k == kind);
                here.for_each(|(_, _, extent)| ranges.insert(extent.start, extent.len));
                if past.finished_at.is_none() {
                    // What lies behind the last checkpoint is dealt with again, defects included.
                    ranges.clip(past.offset);
                }
                ranges
            };
            match past.sweep {
                Sweep::Pass(number) => {
                    let Some(pass) = facts.passes.get_mut(usize::from(number)) else { continue };
                    pass.started = Some(past.started_at);
                    pass.finished = past.finished_at;
                    pass.key = StreamKey(past.key.unwrap_or_default());
                    pass.unwritable = defects(DefectKind::Unwritable);
                    pass.bytes = match past.finished_at {
                        Some(_) => past.bytes,
                        None => past.offset - pass.unwritable.bytes_before(past.offset),
                    };
                }
                Sweep::MarkersWritten | Sweep::MarkersRead | Sweep::MarkersGone => {}
                // What was read before the machine stopped proves nothing about what the drive holds now: it is read again
                // from the beginning, also where it had come to its end. Only of a drive whose part was over what was read
                // then is told; of a success that nobody certified, `Plan::resume` and `run::abandon` say that it is not.
                Sweep::Verify if history.finished.is_none() => {}
                // What kinds of data were read is in the log only when all were.
                Sweep::Verify
                    if facts.is_command_only() && (past.finished_at.is_none() || facts.kinds_bytes() == 0) => {}
                Sweep::Verify => {
                    facts.verify.started = Some(past.started_at);
                    facts.verify.finished = past.finished_at;
                    facts.verify.different = defects(DefectKind::Mismatch);
                    facts.verify.unreadable = defects(DefectKind::Unreadable);
                    facts.verify.seed = past.key.unwrap_or_default();
                    facts.verify.matched = past.bytes;
                }
            }
        }
        if facts.is_command_only() && history.finished.is_none() {
            facts.command = facts.command.map(CommandFacts::unexamined);
        }
        if facts.verify.started.is_some() {
            facts.verify.planned = facts.planned(history);
        }
        facts.hidden = history.hidden.clone();
        facts.pauses = history
            .interruptions
            .iter()
            .map(|i| Pause { last_seen: i.last_seen, resumed: i.resumed, detail: i.detail.clone() })
            .collect();
        facts
    }

    /// Bytes that a verification of a drive in the log reads, by its places and not by what was read.
    fn planned(&self, history: &DriveHistory) -> u64 {
        let Ok(geometry) = Geometry::new(history.drive.bytes, history.drive.logical, history.drive.logical) else {
            return 0;
        };
        self.verified_ranges(&geometry).bytes()
    }

    /// What a verification reads: all of the drive, or the sample that its seed decides, and in either case, where nothing is
    /// written after the drive's own erasure, the places of the markers.
    pub(super) fn verified_ranges(&self, geometry: &Geometry) -> Ranges {
        let mut ranges = match self.verify.extent {
            Verify::Sampled => sampling::sample(geometry, self.verify.seed),
            Verify::Full | Verify::None => {
                let mut all = Ranges::default();
                all.insert(0, geometry.bytes());
                all
            }
        };
        if let Some(command) = self.command.as_ref().filter(|_| self.is_command_only()) {
            ranges.extend(&commanded::places(geometry, command.key));
        }
        ranges
    }

    /// The machine was off: what the drive holds for good was written before. `commanded` is whether its own command had
    /// ended by then.
    pub(super) fn note_unseen(&mut self, commanded: bool) {
        let written = match self.position() {
            None if self.is_command_only() && !commanded => 0,
            // A later pass writes all of it again.
            Some((number, _)) if number + 1 < self.passes.len() => 0,
            Some((_, offset)) => offset,
            None => self.capacity,
        };
        self.unseen = Ranges::default();
        self.unseen.insert(0, written);
        self.seen_again = 0;
    }

    /// Bytes that were written before the machine last stopped and that nobody has read since.
    pub fn unread(&self) -> u64 {
        self.unseen.bytes().saturating_sub(self.seen_again)
    }

    /// The pass to go on with and from where, or `None` where all passes are finished.
    pub fn position(&self) -> Option<(usize, u64)> {
        let number = self.passes.iter().position(|pass| pass.finished.is_none())?;
        let pass = &self.passes[number];
        Some((number, pass.bytes + pass.unwritable.bytes()))
    }

    /// Whether the method has nothing but a command.
    pub fn is_command_only(&self) -> bool {
        self.command.is_some() && self.passes.is_empty()
    }

    /// Places that did not take the last pass.
    pub fn unwritten(&self) -> Ranges {
        self.passes.last().map(|pass| pass.unwritable.clone()).unwrap_or_default()
    }

    /// Places that failed to take some pass.
    pub fn unwritable(&self) -> Ranges {
        let mut all = Ranges::default();
        self.passes.iter().for_each(|pass| all.extend(&pass.unwritable));
        all
    }

    /// Bytes read back that differ although they were written: the drive did not keep what it acknowledged.
    pub fn lost(&self) -> u64 {
        let unwritten = self.unwritten();
        let apart = |r: &crate::engine::extents::Range| {
            r.len - (unwritten.bytes_before(r.end()) - unwritten.bytes_before(r.start))
        };
        self.verify.different.as_slice().iter().map(apart).sum()
    }

    /// Whether every pass reached the end with every block either written or listed.
    fn passes_complete(&self) -> bool {
        (!self.passes.is_empty() || self.command.is_some())
            && self
                .passes
                .iter()
                .all(|pass| pass.finished.is_some() && pass.bytes + pass.unwritable.bytes() == self.capacity)
    }

    fn kinds_bytes(&self) -> u64 {
        self.command.as_ref().map_or(0, |command| command.kinds.bytes())
    }

    /// Whether the verification that was asked for reached the end, with every byte accounted for.
    fn verify_complete(&self) -> bool {
        let verify = &self.verify;
        let dealt_with = verify.matched + verify.different.bytes() + verify.unreadable.bytes();
        match verify.extent {
            Verify::None => true,
            _ if self.is_command_only() && self.kinds_bytes() != verify.matched => false,
            Verify::Full => verify.finished.is_some() && dealt_with == self.capacity,
            Verify::Sampled => verify.finished.is_some() && verify.planned > 0 && dealt_with == verify.planned,
        }
    }

    /// The outcome, and why it is not plainly "erased".
    pub fn outcome(&self) -> (Outcome, String) {
        if let Some(failure) = &self.failure {
            let outcome = if self.stopped { Outcome::Interrupted } else { Outcome::Failed };
            return (outcome, failure.clone());
        }
        let only = self.is_command_only();
        if let Some(why) = self.command.as_ref().and_then(|command| command.failure(self.capacity, only)) {
            return (Outcome::Failed, why);
        }
        if !self.passes_complete() {
            return (Outcome::Failed, "not every pass reached the end of the drive".into());
        }
        if !self.verify_complete() {
            return (Outcome::Failed, "the verification did not account for every block".into());
        }
        if self.verify.extent != Verify::None && self.verify.matched == 0 {
            return (Outcome::Failed, "nothing of the drive could be read back".into());
        }
        if self.lost() > 0 {
            let reason = format!(
                "{} bytes lie in blocks that read back different from what was written and acknowledged",
                self.lost()
            );
            return (Outcome::Failed, reason);
        }
        let unwritable = self.unwritable().bytes();
        let unreadable = self.verify.unreadable.bytes();
        if self.is_discard() {
            let unread = (unreadable > 0).then(|| format!("{unreadable} bytes could not be read"));
            let all = [NO_ERASURE.to_owned()].into_iter().chain(unread).chain(self.reservations());
            return (Outcome::Discarded, all.collect::<Vec<_>>().join("; "));
        }
        if unwritable + unreadable > 0 {
            let mut reason =
                format!("{unwritable} bytes could not be written in some pass, {unreadable} not read back");
            self.reservations().iter().for_each(|more| reason = format!("{reason}; {more}"));
            return (Outcome::ErasedWithExceptions, reason);
        }
        match self.reservations().join("; ") {
            none if none.is_empty() => (Outcome::Erased, none),
            reason => (Outcome::ErasedWithExceptions, reason),
        }
    }

    /// Whether nothing was asked for that any standard calls an erasure.
    fn is_discard(&self) -> bool {
        let technique = self.command.as_ref().and_then(|command| command.technique);
        self.passes.is_empty() && technique.is_some_and(|technique| !technique.erases())
    }

    fn reservations(&self) -> Vec<String> {
        let unobserved = self.command.as_ref().and_then(CommandFacts::reservation);
        let unread = Some(self.unread()).filter(|bytes| *bytes > 0).map(|bytes| {
            format!("{bytes} bytes were written before the machine stopped and were not read since: anybody may have changed them")
        });
        [self.out_of_reach(), unobserved, unread].into_iter().flatten().collect()
    }

    /// Why a wipe of everything the drive shows is not a wipe of all of it.
    fn out_of_reach(&self) -> Option<String> {
        let hidden = self.hidden.as_ref()?;
        match hidden.after.hidden() {
            0 if hidden.removal && !hidden.unknown.is_empty() => {
                Some(format!("whether the drive hides areas could not be found out: {}", hidden.unknown))
            }
            0 => None,
            bytes => {
                Some(format!("{bytes} bytes that the drive, or what it is connected through, hides were not reached"))
            }
        }
    }
}

/// The reason of every discard.
pub const NO_ERASURE: &str = "a discard is no erasure: the drive may keep what it no longer shows";

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(verify: Verify) -> Facts {
        let mut facts = Facts::new(4096, &[Content::Byte(0), Content::Random], verify);
        for pass in &mut facts.passes {
            (pass.started, pass.finished, pass.bytes) = (Some(1), Some(2), 4096);
        }
        if verify != Verify::None {
            let v = &mut facts.verify;
            (v.started, v.finished, v.planned, v.matched) = (Some(3), Some(4), 4096, 4096);
        }
        facts
    }

    fn outcome(change: impl FnOnce(&mut Facts)) -> Outcome {
        let mut facts = complete(Verify::Full);
        change(&mut facts);
        facts.outcome().0
    }

    #[test]
    fn only_complete_passes_and_a_complete_verification_are_an_erasure() {
        for verify in [Verify::Full, Verify::Sampled, Verify::None] {
            assert_eq!(complete(verify).outcome().0, Outcome::Erased);
        }
        assert_eq!(outcome(|f| f.passes[0].finished = None), Outcome::Failed);
        assert_eq!(outcome(|f| f.passes[1].bytes = 4095), Outcome::Failed);
        assert_eq!(outcome(|f| f.passes.clear()), Outcome::Failed);
        assert_eq!(outcome(|f| f.verify.finished = None), Outcome::Failed);
        assert_eq!(outcome(|f| f.verify.matched = 3584), Outcome::Failed);
    }

    #[test]
    fn bad_blocks_are_exceptions_but_lost_writes_are_a_failure() {
        let unwritable = |f: &mut Facts| {
            f.passes[1].bytes = 3584;
            f.passes[1].unwritable.insert(512, 512);
        };
        assert_eq!(outcome(unwritable), Outcome::ErasedWithExceptions);
        // Old data found where nothing could be written is that same exception, not a lie of the drive.
        let old_data_seen = |f: &mut Facts| {
            unwritable(f);
            f.verify.matched = 3584;
            f.verify.different.insert(512, 512);
        };
        assert_eq!(outcome(old_data_seen), Outcome::ErasedWithExceptions);
        let lost_write = |f: &mut Facts| {
            f.verify.matched = 3584;
            f.verify.different.insert(512, 512);
        };
        assert_eq!(outcome(lost_write), Outcome::Failed);
        let unreadable = |f: &mut Facts| {
            f.verify.matched = 3584;
            f.verify.unreadable.insert(0, 512);
        };
        assert_eq!(outcome(unreadable), Outcome::ErasedWithExceptions);
        let silent = |f: &mut Facts| {
            f.verify.matched = 0;
            f.verify.unreadable.insert(0, 4096);
        };
        assert_eq!(outcome(silent), Outcome::Failed);
    }

    #[test]
    fn a_stop_from_outside_is_an_interruption_and_never_an_erasure() {
        let failed = |stopped| {
            outcome(|f| {
                f.failure = Some("x".into());
                f.stopped = stopped;
            })
        };
        assert_eq!(failed(true), Outcome::Interrupted);
        assert_eq!(failed(false), Outcome::Failed);
    }
}
