//! SANITIZE (base specification 2.0, 5.24) and its status log (5.16.1.25). It reaches the whole NVM subsystem: every
//! namespace, and every controller beside this one.

pub use mule_types::technique::nvme::Action;

use super::admin::{ALL_NAMESPACES, AdminCommand, SHORT};
use serde::Serialize;
use std::time::Duration;

/// AUSE: a failure may be left by [`exit_failure`].
const UNRESTRICTED_EXIT: u32 = 1 << 3;
/// OWPASS 1.
const ONE_PASS: u32 = 1 << 4;

/// Command dword 10 of an action; the log gives it back. Deallocation afterwards is left as it is by default, so that
/// reading back is not of stale mappings.
pub fn dword10(action: Action) -> u32 {
    UNRESTRICTED_EXIT
        | match action {
            Action::BlockErase => 2,
            Action::Overwrite => 3 | ONE_PASS,
            Action::CryptoErase => 4,
        }
}

/// What a controller offers (SANICAP, Identify Controller bytes 331:328).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SanitizeAbilities {
    /// CES, bit 0.
    pub crypto_erase: bool,
    /// BES, bit 1.
    pub block_erase: bool,
    /// OWS, bit 2.
    pub overwrite: bool,
}

impl SanitizeAbilities {
    /// From Identify Controller.
    pub fn parse(controller: &[u8; 4096]) -> Self {
        let bit = |bit: u8| controller[328] >> bit & 1 == 1;
        Self { crypto_erase: bit(0), block_erase: bit(1), overwrite: bit(2) }
    }

    /// Whether `action` is among them.
    pub fn offers(self, action: Action) -> bool {
        match action {
            Action::BlockErase => self.block_erase,
            Action::Overwrite => self.overwrite,
            Action::CryptoErase => self.crypto_erase,
        }
    }
}

fn sanitize(cdw10: u32) -> AdminCommand {
    AdminCommand { opcode: 0x84, nsid: 0, cdw10, cdw11: 0, timeout: SHORT }
}

/// SANITIZE (84h). Answers before it has ended.
pub fn start(action: Action) -> AdminCommand {
    sanitize(dword10(action))
}

/// SANITIZE, SANACT 1: leave the failed state.
pub fn exit_failure() -> AdminCommand {
    sanitize(1)
}

/// GET LOG PAGE 81h: 512 bytes that [`Log::parse`] reads.
pub fn status_log() -> AdminCommand {
    AdminCommand { opcode: 0x02, nsid: ALL_NAMESPACES, cdw10: (512 / 4 - 1) << 16 | 0x81, cdw11: 0, timeout: SHORT }
}

/// State of the last operation: SSTAT bits 2:0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum State {
    /// 0.
    Never,
    /// 1, and 4 where nothing was deallocated afterwards.
    Completed,
    /// 2.
    InProgress,
    /// 3.
    Failed,
    /// Anything newer.
    Other(u8),
}

/// The sanitize status log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Log {
    /// SPROG, in 65,536ths of the whole; counts only while in progress.
    pub progress: u16,
    /// SSTAT.
    pub state: State,
    /// SSTAT bit 8: nothing was written since the last operation that succeeded.
    pub untouched_since: bool,
    /// SCDW10: command dword 10 of the last operation.
    pub dword10: u32,
    /// ETO, ETBE, ETCE: how long an overwrite, a block erase and a crypto erase take; `None` where it is not given.
    pub estimates: [Option<Duration>; 3],
}

impl Log {
    /// Reads the log.
    pub fn parse(log: &[u8; 512]) -> Self {
        let short = |at: usize| u16::from_le_bytes([log[at], log[at + 1]]);
        let long = |at: usize| u32::from_le_bytes([log[at], log[at + 1], log[at + 2], log[at + 3]]);
        let time = |at: usize| Some(long(at)).filter(|time| !matches!(*time, 0 | u32::MAX));
        let estimate = |at: usize| time(at).map(|seconds| Duration::from_secs(seconds.into()));
        Self {
            progress: short(0),
            state: match log[2] & 0b111 {
                0 => State::Never,
                1 | 4 => State::Completed,
                2 => State::InProgress,
                3 => State::Failed,
                other => State::Other(other),
            },
            untouched_since: log[3] & 1 == 1,
            dword10: long(4),
            estimates: [estimate(8), estimate(12), estimate(16)],
        }
    }

    /// How long the drive says that an action takes.
    pub fn estimate(&self, action: Action) -> Option<Duration> {
        let [overwrite, block_erase, crypto_erase] = self.estimates;
        match action {
            Action::Overwrite => overwrite,
            Action::BlockErase => block_erase,
            Action::CryptoErase => crypto_erase,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What nvme-cli 2.3 sends for `sanitize --ause --sanact=2`, `--sanact=3 --owpass=1`, `--sanact=4`, `sanitize
    /// --sanact=1` and `sanitize-log`, seen at the ioctl.
    #[test]
    fn the_commands_are_those_of_nvme_cli() {
        let words = |command: AdminCommand| (command.opcode, command.nsid, command.cdw10, command.cdw11);
        assert_eq!(words(start(Action::BlockErase)), (0x84, 0, 0x0a, 0));
        assert_eq!(words(start(Action::Overwrite)), (0x84, 0, 0x1b, 0));
        assert_eq!(words(start(Action::CryptoErase)), (0x84, 0, 0x0c, 0));
        assert_eq!(words(exit_failure()), (0x84, 0, 0x01, 0));
        assert_eq!(words(status_log()), (0x02, 0xffff_ffff, 0x007f_0081, 0));
    }

    #[test]
    fn each_ability_is_its_own_bit() {
        for action in [Action::CryptoErase, Action::BlockErase, Action::Overwrite] {
            let mut data = [0; 4096];
            data[328] = match action {
                Action::CryptoErase => 1,
                Action::BlockErase => 2,
                Action::Overwrite => 4,
            };
            let abilities = SanitizeAbilities::parse(&data);
            for other in [Action::CryptoErase, Action::BlockErase, Action::Overwrite] {
                assert_eq!(abilities.offers(other), other == action);
            }
        }
    }

    #[test]
    fn the_log_is_read() {
        let mut data = [0; 512];
        data[..8].copy_from_slice(&[0x01, 0x80, 0x02, 0x01, 0x0a, 0, 0, 0]);
        data[8..20].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x2c, 0x01, 0, 0, 0, 0, 0, 0]);
        let log = Log::parse(&data);
        assert_eq!((log.progress, log.state, log.untouched_since, log.dword10), (0x8001, State::InProgress, true, 0xa));
        assert_eq!(log.estimates, [None, Some(Duration::from_secs(300)), None]);
        let states = [
            State::Never,
            State::Completed,
            State::InProgress,
            State::Failed,
            State::Completed,
            State::Other(5),
            State::Other(6),
        ];
        for (code, state) in (0..).zip(states) {
            // Bits 7:3 count passes.
            data[2] = code | 0xf8;
            assert_eq!(Log::parse(&data).state, state);
        }
    }
}
