//! The erasures of a SCSI drive.

/// What a SANITIZE does: its service action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// 01h: one pass of zeros.
    Overwrite,
    /// 02h.
    BlockErase,
    /// 03h.
    CryptographicErase,
    /// 1Fh: leave the failed state, where the SANITIZE that failed allowed it.
    ExitFailureMode,
}

impl Action {
    /// Its name in the standard.
    pub fn name(self) -> &'static str {
        match self {
            Self::Overwrite => "SANITIZE overwrite",
            Self::BlockErase => "SANITIZE block erase",
            Self::CryptographicErase => "SANITIZE cryptographic erase",
            Self::ExitFailureMode => "SANITIZE exit failure mode",
        }
    }
}
