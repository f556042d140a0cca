//! What a pass leaves on the drive.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What one pass writes everywhere, literally.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Content {
    /// One byte everywhere.
    Byte(u8),
    /// Three bytes repeated from the start of the drive.
    Triple([u8; 3]),
    /// A ChaCha keystream; the key is drawn for each drive and pass.
    Random,
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(byte) => write!(f, "{byte:02X}"),
            Self::Triple([a, b, c]) => write!(f, "{a:02X} {b:02X} {c:02X}"),
            Self::Random => f.write_str("random"),
        }
    }
}
