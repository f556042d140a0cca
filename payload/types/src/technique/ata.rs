//! The erasures of an ATA drive.

/// Passes of an overwrite: 1 to 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passes(u8);

impl Passes {
    /// One.
    pub const ONE: Self = Self(1);

    /// `None` for anything but 1 to 16.
    pub fn new(passes: u8) -> Option<Self> {
        (1..=16).contains(&passes).then_some(Self(passes))
    }

    /// How many.
    pub fn get(self) -> u8 {
        self.0
    }
}

/// What a sanitize does to all user data, hidden and reallocated sectors included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// CRYPTO SCRAMBLE EXT: change the internal keys.
    CryptoScramble,
    /// BLOCK ERASE EXT: the medium's own erasure.
    BlockErase,
    /// OVERWRITE EXT.
    Overwrite {
        /// Written over and over.
        pattern: u32,
        /// How often.
        passes: Passes,
        /// Whether it is inverted from pass to pass.
        invert: bool,
    },
}

impl Action {
    /// The command's name in the standard.
    pub fn name(self) -> &'static str {
        match self {
            Self::CryptoScramble => "CRYPTO SCRAMBLE EXT",
            Self::BlockErase => "BLOCK ERASE EXT",
            Self::Overwrite { .. } => "OVERWRITE EXT",
        }
    }
}

/// What a SECURITY ERASE UNIT reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Writes zeros over all user data; what HPA and DCO hide stays as it was.
    Normal,
    /// Writes the maker's pattern over all sectors, reallocated ones included.
    Enhanced,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_one_to_sixteen_passes() {
        assert_eq!((Passes::new(1), Passes::new(16).map(Passes::get)), (Some(Passes::ONE), Some(16)));
        assert_eq!((Passes::new(0), Passes::new(17)), (None, None));
    }
}
