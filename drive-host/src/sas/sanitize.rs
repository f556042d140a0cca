//! SANITIZE (SBC-4, 5.31): accepted at once or answered at its end, worked on over power cycles.

use super::{NOT_NOW, SasDisk, Sense};
use crate::{
    cells::{self, Fill},
    file_disk::failed,
    target::{Answer, DataPhase, Pause},
};
use std::time::Instant;

pub(super) const SANITIZE: u8 = 0x48;
/// Service actions.
pub(super) const OVERWRITE: u8 = 0x01;
pub(super) const BLOCK_ERASE: u8 = 0x02;
pub(super) const CRYPTOGRAPHIC_ERASE: u8 = 0x03;
pub(super) const EXIT_FAILURE_MODE: u8 = 0x1f;

const SANITIZE_FAILED: Sense = (3, 0x31, 0x03);
const INVALID_FIELD_IN_CDB: Sense = (5, 0x24, 0);
const INVALID_FIELD_IN_LIST: Sense = (5, 0x26, 0);
const LIST_LENGTH: Sense = (5, 0x1a, 0);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// What the last pass leaves, over and over.
    Overwrite(Vec<u8>),
    Block,
    Crypto,
}

/// Where the disk is.
#[derive(Debug, Clone)]
pub(super) enum State {
    Idle,
    Running { action: Action, since: Instant, leavable: bool },
    Failed { leavable: bool },
}

impl SasDisk {
    /// Whether the disk has this service action.
    pub(super) fn has_action(&self, service: u8) -> bool {
        match service {
            OVERWRITE => !self.options.no_sanitize && !self.options.ssd,
            BLOCK_ERASE => !self.options.no_sanitize && self.options.ssd,
            CRYPTOGRAPHIC_ERASE | EXIT_FAILURE_MODE => !self.options.no_sanitize,
            _ => false,
        }
    }

    /// What keeps the disk from its medium.
    pub(super) fn obstacle(&self) -> Option<Sense> {
        match self.state {
            State::Idle => None,
            State::Running { .. } => Some(NOT_NOW),
            State::Failed { .. } => Some(SANITIZE_FAILED),
        }
    }

    /// How far it is, in 65,536ths.
    pub(super) fn progress(&self) -> Option<u16> {
        let State::Running { since, .. } = self.state else { return None };
        let (done, whole) = (self.now().saturating_duration_since(since), self.options.sanitize_time);
        Some(u16::try_from(done.as_millis() * 0x1_0000 / whole.as_millis().max(1)).unwrap_or(u16::MAX))
    }

    pub(super) fn sanitize(&mut self, cdb: &[u8], data: &DataPhase<'_>) -> Answer {
        let (service, immediate, leavable) = (cdb[1] & 0x1f, cdb[1] & 0x80 != 0, cdb[1] & 0x20 != 0);
        if !self.has_action(service) {
            return failed(INVALID_FIELD_IN_CDB);
        }
        match (&self.state, service) {
            (State::Running { .. }, _) => return failed(NOT_NOW),
            (State::Failed { leavable: false }, EXIT_FAILURE_MODE) => return failed(INVALID_FIELD_IN_CDB),
            (_, EXIT_FAILURE_MODE) => {
                self.state = State::Idle;
                return Answer::good(0);
            }
            _ => {}
        }
        let action = match service {
            OVERWRITE => overwrite(cdb, data),
            BLOCK_ERASE => Ok(Action::Block),
            _ => Ok(Action::Crypto),
        };
        match action {
            Ok(action) => self.start(action, immediate, leavable),
            Err(sense) => failed(sense),
        }
    }

    fn start(&mut self, action: Action, immediate: bool, leavable: bool) -> Answer {
        self.was_erased = true;
        if self.options.idle {
            return Answer::good(0);
        }
        self.state = State::Running { action, since: self.now(), leavable };
        self.settle_sanitize();
        let pause = if immediate { Pause::None } else { Pause::Busy(self.options.sanitize_time) };
        Answer { pause, ..Answer::good(0) }
    }

    /// Ends an operation whose time is over: the cells change.
    pub(super) fn settle_sanitize(&mut self) {
        let State::Running { action, since, leavable } = self.state.clone() else { return };
        if self.now() < since + self.options.sanitize_time {
            return;
        }
        let good = !self.options.fails && self.erase_cells(&action);
        self.state = if good { State::Idle } else { State::Failed { leavable } };
    }

    fn erase_cells(&mut self, action: &Action) -> bool {
        if self.options.erases_nothing {
            return true;
        }
        let fill = match action {
            Action::Block => Fill::Pattern([0; 4]),
            Action::Overwrite(pattern) => Fill::Pattern(std::array::from_fn(|at| pattern[at % pattern.len()])),
            Action::Crypto => {
                self.scrambles += 1;
                cells::noise(&self.options.serial, self.scrambles)
            }
        };
        cells::fill(&self.disk, &self.options.serial, 0..self.disk.blocks(), fill)
    }
}

/// The parameter list of an overwrite (SBC-4, table 104): INVERT and count, the length of the pattern, the pattern. Patterns
/// of 1, 2 and 4 bytes are known here.
fn overwrite(cdb: &[u8], data: &DataPhase<'_>) -> Result<Action, Sense> {
    let wanted = usize::from(u16::from_be_bytes([cdb[7], cdb[8]]));
    let DataPhase::Out(data) = data else { return Err(LIST_LENGTH) };
    let list = data.get(..wanted).ok_or(LIST_LENGTH)?;
    let Some(([first, _, high, low], pattern)) = list.split_first_chunk() else { return Err(LIST_LENGTH) };
    let (inverts, count) = (first & 0x80 != 0, first & 0x1f);
    if pattern.len() != usize::from(u16::from_be_bytes([*high, *low])) {
        return Err(LIST_LENGTH);
    }
    if count == 0 || !matches!(pattern.len(), 1 | 2 | 4) {
        return Err(INVALID_FIELD_IN_LIST);
    }
    let inverted = inverts && count % 2 == 0;
    Ok(Action::Overwrite(pattern.iter().map(|byte| if inverted { !byte } else { *byte }).collect()))
}
