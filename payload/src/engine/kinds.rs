//! What kind of data a drive holds, told without guessing what it means.

use super::pattern::is_all;

/// Bytes by kind, as they were read, in whole blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds {
    /// 00 everywhere.
    pub zeros: u64,
    /// FF everywhere.
    pub ones: u64,
    /// Something else that repeats after [`PERIOD`] bytes or a whole part of them.
    pub repeating: u64,
    /// Anything else.
    pub varied: u64,
    /// The first repeating pattern that was met.
    pub example: Option<[u8; PERIOD]>,
}

/// The longest period, in bytes, of what is called repeating.
pub const PERIOD: usize = 16;

impl Kinds {
    /// Notes one block, or several that are all zeros or all ones.
    pub fn note(&mut self, data: &[u8]) {
        let len = data.len() as u64;
        match data.first_chunk::<PERIOD>() {
            _ if is_all(0x00, data) => self.zeros += len,
            _ if is_all(0xff, data) => self.ones += len,
            Some(first) if data[PERIOD..] == data[..data.len() - PERIOD] => {
                self.repeating += len;
                self.example.get_or_insert(*first);
            }
            _ => self.varied += len,
        }
    }

    /// As the log has them: zeros, ones, repeating, varied.
    pub fn numbers(&self) -> [u64; 4] {
        [self.zeros, self.ones, self.repeating, self.varied]
    }

    /// From [`Self::numbers`] and the example.
    pub fn from_numbers([zeros, ones, repeating, varied]: [u64; 4], example: Option<[u8; PERIOD]>) -> Self {
        Self { zeros, ones, repeating, varied, example }
    }

    /// All that was read.
    pub fn bytes(&self) -> u64 {
        self.numbers().iter().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_told_apart_by_what_they_hold() {
        let mut kinds = Kinds::default();
        kinds.note(&[0; 1024]);
        kinds.note(&[0xff; 512]);
        kinds.note(&[0xa5; 512]);
        kinds.note(&b"vendor!?".repeat(64));
        let mut counted: Vec<u8> = (0..=255).cycle().take(512).collect();
        kinds.note(&counted);
        counted.fill(0);
        counted[511] = 1;
        kinds.note(&counted);
        let expected = Kinds { zeros: 1024, ones: 512, repeating: 1024, varied: 1024, example: Some([0xa5; PERIOD]) };
        assert_eq!(kinds, expected);
        assert_eq!(kinds.bytes(), 3584);
    }
}
