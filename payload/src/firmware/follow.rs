//! The one loop that follows what a drive does on its own.

use super::Watcher;
use std::time::Duration;

/// Between two questions.
pub(super) const POLL: Duration = Duration::from_secs(5);
/// So many questions in a row may go without an answer: a drive that is reset, or busy.
const SILENCE: u32 = 24;
/// An operation whose progress does not move for so long is given up on. Some drives state no progress at all, and a
/// pass over the largest disks takes a day and a half.
pub(super) const STALLED: Duration = Duration::from_secs(4 * 86_400);
/// One that has not ended after so long never does: sixteen passes over the largest disks take four weeks.
pub(super) const LONGEST: Duration = Duration::from_secs(60 * 86_400);

/// What a drive answered.
pub(super) enum Answer<E> {
    /// In progress; in 65,536ths where it says how far.
    Working(Option<u16>),
    /// Neither in progress nor failed.
    Ended,
    /// No answer that says anything; the next may.
    Silent(E),
    /// An answer that ends it.
    Over(E),
}

/// Why it was not followed to its end.
pub(super) enum Left<E> {
    /// The drive's answer.
    Error(E),
    /// It did not move for this long, or did not end in this long.
    Stalled(Duration),
    /// The watcher asked to stop; how far it was.
    Abandoned(Option<u16>),
}

/// Asks until nothing is in progress; `Ok` says whether anything was.
pub(super) fn follow<E>(watcher: &mut dyn Watcher, mut ask: impl FnMut() -> Answer<E>) -> Result<bool, Left<E>> {
    let (mut seen, mut last, mut silent) = (false, None, 0);
    let (mut stood, mut total) = (Duration::ZERO, Duration::ZERO);
    loop {
        match ask() {
            Answer::Working(progress) => {
                stood = if seen && progress == last { stood + POLL } else { Duration::ZERO };
                (seen, last, silent) = (true, progress, 0);
                watcher.progress(progress);
            }
            Answer::Ended => return Ok(seen),
            Answer::Over(error) => return Err(Left::Error(error)),
            Answer::Silent(error) if silent == SILENCE => return Err(Left::Error(error)),
            Answer::Silent(_) => {
                silent += 1;
                watcher.progress(None);
            }
        }
        if stood >= STALLED || total >= LONGEST {
            return Err(Left::Stalled(stood.max(total)));
        }
        if watcher.stop() {
            return Err(Left::Abandoned(last));
        }
        watcher.sleep(POLL);
        total += POLL;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firmware::record::Record;

    #[test]
    fn a_drive_that_always_moves_and_never_ends_is_given_up_on() {
        let (mut record, mut progress) = (Record::default(), 0_u16);
        let result = follow::<()>(&mut record, || {
            progress ^= 1;
            Answer::Working(Some(progress))
        });
        assert!(matches!(result, Err(Left::Stalled(LONGEST))));
        assert_eq!(record.slept, LONGEST);
    }

    #[test]
    fn silence_is_borne_for_two_minutes_at_a_time() {
        let mut answers = 0;
        let mut record = Record::default();
        let result = follow(&mut record, || {
            answers += 1;
            if answers == 24 { Answer::Working(None) } else { Answer::Silent(answers) }
        });
        // 23 in silence, one answer, 24 more, and the one that is too many.
        assert!(matches!(result, Err(Left::Error(49))));
        assert_eq!(record.progress.len(), 48);
    }

    #[test]
    fn whether_it_was_seen_at_work_is_told() {
        assert!(matches!(follow::<()>(&mut Record::default(), || Answer::Ended), Ok(false)));
        let mut answers = [Answer::Silent(()), Answer::Working(None), Answer::Silent(()), Answer::Ended].into_iter();
        assert!(matches!(follow(&mut Record::default(), || answers.next().unwrap()), Ok(true)));
        let mut stops = Record { stops: true, ..Record::default() };
        let left = follow::<()>(&mut stops, || Answer::Working(Some(7)));
        assert!(matches!(left, Err(Left::Abandoned(Some(7)))));
    }
}
