//! The plain digests of a whole disk, which anybody can check with `sha512sum` or `sha256sum`.

use crate::job::issue::hex;
use sha2::{Digest, Sha256, Sha512};

/// Which digests a job asks for. SHA-512 is the faster one on 64-bit processors without SHA extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// SHA-512 where every block is read, so that it is the drive's own; none of a used-block image, where it would be no
    /// drive's and the limit of the speed: one stream cannot be hashed on several cores.
    Auto,
    Sha512,
    Sha256,
    Both,
    None,
}

impl Wish {
    /// The words of a job file and of the command line.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("auto", Self::Auto),
        ("sha512", Self::Sha512),
        ("sha256", Self::Sha256),
        ("both", Self::Both),
        ("none", Self::None),
    ];

    /// What is meant for a disk of which every block is read, or not.
    pub fn for_disk(self, every_block: bool) -> Self {
        match self {
            Self::Auto if every_block => Self::Sha512,
            Self::Auto => Self::None,
            other => other,
        }
    }

    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("?", |(word, _)| word)
    }
}

impl std::str::FromStr for Wish {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::WORDS.iter().find(|(known, _)| *known == word);
        found.map(|(_, wish)| *wish).ok_or_else(|| "auto, sha512, sha256, both or none".into())
    }
}

/// A stream that is hashed as it goes by, from its first byte.
#[derive(Debug, Clone)]
pub struct Stream {
    sha512: Option<Sha512>,
    sha256: Option<Sha256>,
    bytes: u64,
}

/// The digests in lower-case hexadecimal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digests {
    pub sha512: Option<String>,
    pub sha256: Option<String>,
}

impl Stream {
    pub fn new(wish: Wish) -> Self {
        Self {
            sha512: matches!(wish, Wish::Auto | Wish::Sha512 | Wish::Both).then(Sha512::new),
            sha256: matches!(wish, Wish::Sha256 | Wish::Both).then(Sha256::new),
            bytes: 0,
        }
    }

    /// Whether nothing is computed at all.
    pub fn is_idle(&self) -> bool {
        self.sha512.is_none() && self.sha256.is_none()
    }

    pub fn update(&mut self, data: &[u8]) {
        self.bytes += data.len() as u64;
        self.sha512.iter_mut().for_each(|hash| hash.update(data));
        self.sha256.iter_mut().for_each(|hash| hash.update(data));
    }

    pub fn update_zeros(&mut self, len: u64) {
        static ZEROS: [u8; 1 << 20] = [0; 1 << 20];
        if self.is_idle() {
            self.bytes += len;
            return;
        }
        let mut left = len;
        while left > 0 {
            let now = usize::try_from(left).unwrap_or(ZEROS.len()).min(ZEROS.len());
            self.update(&ZEROS[..now]);
            left -= now as u64;
        }
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn finish(self) -> Digests {
        Digests {
            sha512: self.sha512.map(|hash| hex(&hash.finalize())),
            sha256: self.sha256.map(|hash| hex(&hash.finalize())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digests_are_those_of_the_standard() {
        let mut stream = Stream::new(Wish::Both);
        stream.update(b"a");
        stream.update(b"bc");
        assert_eq!(stream.bytes(), 3);
        let digests = stream.finish();
        // FIPS 180-4's example "abc".
        assert!(digests.sha512.unwrap().starts_with("ddaf35a193617abacc417349ae204131"));
        assert!(digests.sha256.unwrap().starts_with("ba7816bf8f01cfea414140de5dae2223"));
        assert_eq!(Stream::new(Wish::None).finish(), Digests::default());
    }
}
