//! Lines with a fixed form, for whoever reads a serial console with a program. They are the same in every version 0.x.

use super::format::printable;
use crate::jobfile::Then;
use std::fmt;

/// Whether a text begins as each of them does; nothing else that is printed may.
pub(super) fn is_like(text: &str) -> bool {
    text.strip_prefix("MULE ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// `MULE ERROR: ...`: the run stops, and why, in one line.
pub fn error(text: &str) -> String {
    let text = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    format!("MULE ERROR: {}", printable(&text))
}

/// `MULE WRITING <serial>`: the first write to this drive comes next.
pub fn writing(serial: &str) -> String {
    format!("MULE WRITING {}", printable(serial))
}

/// `MULE RESUMED job=<hexadecimal id>`: an interrupted job goes on.
pub fn resumed(job: &[u8; 16]) -> String {
    format!("MULE RESUMED job={:032x}", u128::from_be_bytes(*job))
}

/// How a run ended as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOutcome {
    Ok,
    Exceptions,
    Failed,
    Interrupted,
    Refused,
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Exceptions => "exceptions",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::Refused => "refused",
        })
    }
}

/// How many drives ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub erased: usize,
    pub exceptions: usize,
    pub failed: usize,
    pub interrupted: usize,
    /// Drives that were imaged, restored, cloned or compared, all without reservation.
    pub copied: usize,
    /// Drives the job asked for and did not get. Drives it did not ask for do not count.
    pub refused: usize,
    /// Drives that an interrupted job stays open for.
    pub waiting: usize,
}

impl Counts {
    /// The worst that happened to any drive.
    pub fn outcome(&self) -> RunOutcome {
        let worst_first = [
            (self.failed, RunOutcome::Failed),
            (self.interrupted + self.waiting, RunOutcome::Interrupted),
            (self.refused, RunOutcome::Refused),
            (self.exceptions, RunOutcome::Exceptions),
        ];
        worst_first.into_iter().find(|(count, _)| *count > 0).map_or(RunOutcome::Ok, |(_, outcome)| outcome)
    }
}

/// The last line of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    pub outcome: RunOutcome,
    pub counts: Counts,
    pub then: Then,
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { erased, exceptions, failed, interrupted, copied, refused, waiting } = self.counts;
        write!(
            f,
            "MULE FINISHED outcome={} erased={erased} exceptions={exceptions} failed={failed} \
             interrupted={interrupted} refused={refused} ",
            self.outcome
        )?;
        // Only runs that have any of them have these words, so that what reads the others' lines goes on reading them.
        for (word, count) in [("copied", copied), ("waiting", waiting)] {
            if count > 0 {
                write!(f, "{word}={count} ")?;
            }
        }
        write!(f, "then={}", self.then)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_have_their_fixed_form() {
        assert_eq!(error("no drives\n  look at the cables\n\n"), "MULE ERROR: no drives; look at the cables");
        assert_eq!(error("a\x1bb"), "MULE ERROR: a\\u{1b}b");
        assert_eq!(writing("WD 1\n"), "MULE WRITING WD 1\\n");
        let mut job = [0; 16];
        job[15] = 0xab;
        assert_eq!(resumed(&job), format!("MULE RESUMED job={}ab", "0".repeat(30)));
        let counts = Counts { erased: 3, exceptions: 1, ..Counts::default() };
        let finished = Finished { outcome: counts.outcome(), counts, then: Then::PowerOff };
        assert_eq!(
            finished.to_string(),
            "MULE FINISHED outcome=exceptions erased=3 exceptions=1 failed=0 interrupted=0 refused=0 then=power-off"
        );
    }

    #[test]
    fn one_failed_drive_is_a_failed_run() {
        let counts = Counts { erased: 10, exceptions: 1, failed: 1, interrupted: 1, refused: 1, ..Counts::default() };
        assert_eq!(counts.outcome(), RunOutcome::Failed);
        assert_eq!(Counts { failed: 0, ..counts }.outcome(), RunOutcome::Interrupted);
        assert_eq!(Counts { refused: 1, erased: 2, ..Counts::default() }.outcome(), RunOutcome::Refused);
        assert_eq!(Counts::default().outcome(), RunOutcome::Ok);
    }
}
