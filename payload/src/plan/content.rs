//! What a pass leaves on the drive.

use mule_types::method::Step;
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

/// The passes of a method with every random byte drawn: what will really be written, and what the certificate prints.
pub fn resolve(steps: &[Step], mut draw: impl FnMut() -> u8) -> Vec<Content> {
    let mut drawn = 0;
    steps
        .iter()
        .map(|step| match *step {
            Step::Byte(byte) => Content::Byte(byte),
            Step::Triple(bytes) => Content::Triple(bytes),
            Step::Random => Content::Random,
            Step::ComplementOfRandomByte => Content::Byte(!drawn),
            Step::RandomByte => {
                drawn = draw();
                Content::Byte(drawn)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mule_types::method;

    #[test]
    fn random_bytes_are_drawn_once_and_complemented() {
        let mut bytes = [0x5a, 0x13, 0xc7].into_iter();
        let list = resolve(method::find("dod-5220.22-m-ece").unwrap().steps, || bytes.next().unwrap());
        let bytes = |n: usize| list[n];
        assert_eq!(bytes(0), Content::Byte(0x5a));
        assert_eq!(bytes(1), Content::Byte(0xa5));
        assert_eq!(bytes(2), Content::Random);
        assert_eq!(bytes(3), Content::Byte(0x13));
        assert_eq!(bytes(4), Content::Byte(0xc7));
        assert_eq!(bytes(5), Content::Byte(0x38));
        assert_eq!(bytes(6), Content::Random);
    }
}
