//! The erasures of an NVMe drive.

/// What a controller is to do on SANITIZE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// SANACT 2.
    BlockErase,
    /// SANACT 3: one pass of zeros.
    Overwrite,
    /// SANACT 4.
    CryptoErase,
}

impl Action {
    /// Its name in the standard.
    pub fn name(self) -> &'static str {
        match self {
            Self::BlockErase => "Block Erase",
            Self::Overwrite => "Overwrite",
            Self::CryptoErase => "Crypto Erase",
        }
    }
}

/// What happens to the user data on FORMAT NVM: SES.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecureErase {
    /// 1: user data erase; the controller may do it by changing keys.
    UserData,
    /// 2: the encryption key is deleted.
    Cryptographic,
}
