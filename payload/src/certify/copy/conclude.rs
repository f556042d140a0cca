//! From what a job counted to a certificate that claims exactly that.

use super::{
    Action, CopyRecord, Copying, Cut, Exceptions, FORMAT, Gpt, GptBackup, Mode, Outcome, Tail, TailHandling, words,
};
use crate::certify::{
    check,
    record::{Host, LogReference, Media, Operator, Tool, Validation, Verification},
};

/// How the work on a drive ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Everything was done that was to be done; whether it succeeded is for the numbers to say.
    Complete,
    /// It was given up, and why.
    Failed(String),
    /// It was stopped, and by what.
    Interrupted(String),
}

impl Action {
    /// What a complete job can have come to, the best first.
    fn outcomes(self) -> &'static [Outcome] {
        match self {
            Self::Image => &[Outcome::Imaged, Outcome::ImagedWithExceptions],
            Self::Restore => &[Outcome::Restored, Outcome::RestoredWithExceptions],
            Self::Clone => &[Outcome::Cloned, Outcome::ClonedWithExceptions],
            Self::Verify => &[Outcome::Verified, Outcome::Differs],
        }
    }
}

impl CopyRecord {
    /// A certificate of nothing, for a job to fill in. `log.job` and the slot make its id.
    pub fn draft(action: Action, slot: u8, media: Media, tool: Tool, host: Host, log: LogReference) -> Self {
        Self {
            format: FORMAT.into(),
            id: format!("{}-{slot}", log.job),
            action,
            outcome: Outcome::Failed,
            statement: String::new(),
            media,
            source: None,
            image: None,
            copy: nothing(),
            exceptions: Exceptions::default(),
            verification: Verification {
                extent: "none".into(),
                description: String::new(),
                past_host_caches: false,
                blocks_planned: None,
                blocks_matched: 0,
                blocks_different: 0,
                blocks_unreadable: 0,
                different: Vec::new(),
                unreadable: Vec::new(),
                kinds: None,
                started: String::new(),
                finished: String::new(),
            },
            operator: Operator::default(),
            validation: Validation::default(),
            tool,
            host,
            log,
            limits: Vec::new(),
        }
    }

    /// Sets outcome, reason, statement, limits and the sizes of tail and cut. A complete job gets the best outcome that
    /// its numbers carry by the rules certificates are checked with; where they carry none, it failed, and the reason is
    /// what they lack.
    #[must_use]
    pub fn conclude(mut self, end: End) -> Self {
        self.copy.tail.bytes = self.media.bytes.saturating_sub(self.copy.bytes);
        self.copy.cut.bytes = self.copy.bytes.saturating_sub(self.media.bytes);
        match (&mut self.copy.tail.handling, self.copy.tail.bytes) {
            (handling, 0) => *handling = TailHandling::None,
            (handling @ TailHandling::None, _) => *handling = TailHandling::Left,
            _ => {}
        }
        match end {
            End::Complete => self.best(),
            End::Failed(why) => self.stated(Outcome::Failed, why),
            End::Interrupted(why) => self.stated(Outcome::Interrupted, why),
        }
    }

    fn best(self) -> Self {
        let troubles = words::troubles(&self);
        let mut lacking = String::new();
        for outcome in self.action.outcomes() {
            let candidate = self.clone().stated(*outcome, troubles.clone());
            let contradictions = check::copy::contradictions(&candidate);
            if contradictions.is_empty() {
                return candidate;
            }
            if lacking.is_empty() {
                lacking = contradictions.join("; ");
            }
        }
        let why = if troubles.is_empty() { format!("the result is not proved: {lacking}") } else { troubles };
        self.stated(Outcome::Failed, why)
    }

    fn stated(mut self, outcome: Outcome, reason: String) -> Self {
        self.outcome = outcome;
        self.copy.reason = reason;
        words::put_into_words(&mut self);
        self
    }
}

fn nothing() -> Copying {
    Copying {
        mode: Mode::Raw,
        partitions: Vec::new(),
        bytes: 0,
        bytes_read: 0,
        bytes_free: 0,
        bytes_written: 0,
        bytes_zeroed: 0,
        cut: Cut::default(),
        tail: Tail { handling: TailHandling::None, bytes: 0, bytes_written: 0 },
        gpt: Gpt { backup: GptBackup::None, bytes_written: 0 },
        first_mib_last: false,
        sha512: String::new(),
        sha256: String::new(),
        started: String::new(),
        finished: String::new(),
        interruptions: Vec::new(),
        reason: String::new(),
    }
}
