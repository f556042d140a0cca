//! What a sweep writes or expects, for any block from its address alone.
//!
//! A random pass is the keystream of ChaCha with 12 rounds (D. J. Bernstein, 2008; the generator behind Rust's
//! `StdRng`), a fresh 256-bit key for each drive and pass. The drive is cut into units of [`STREAM_UNIT`] bytes; the
//! unit's number is the nonce, so every unit can be made on its own and a pass can be verified or resumed anywhere.

use crate::plan::Content;
use chacha20::{
    ChaCha12,
    cipher::{KeyIvInit, StreamCipher, StreamCipherSeek},
};
use std::fmt;

/// Bytes of one nonce of the random stream.
pub const STREAM_UNIT: usize = 512 * 1024;

/// The key of one random pass on one drive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StreamKey(pub [u8; 32]);

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKey(..)")
    }
}

/// The bytes a pass puts at every address of a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// One byte everywhere.
    Byte(u8),
    /// Three bytes repeated from the start of the drive.
    Triple([u8; 3]),
    /// The keystream of this key.
    Stream(StreamKey),
}

impl Pattern {
    /// The pattern of a pass; `key` is used by a random one.
    pub fn new(content: Content, key: StreamKey) -> Self {
        match content {
            Content::Byte(byte) => Self::Byte(byte),
            Content::Triple(bytes) => Self::Triple(bytes),
            Content::Random => Self::Stream(key),
        }
    }

    /// After how many bytes the pattern repeats; `None` for the keystream.
    pub fn period(&self) -> Option<u64> {
        match self {
            Self::Byte(_) => Some(1),
            Self::Triple(_) => Some(3),
            Self::Stream(_) => None,
        }
    }

    /// Fills `buf` with what belongs at byte `offset` of the drive.
    pub fn fill(&self, offset: u64, buf: &mut [u8]) {
        match self {
            Self::Byte(byte) => buf.fill(*byte),
            Self::Triple(bytes) => fill_triple(*bytes, offset, buf),
            Self::Stream(key) => fill_stream(key, offset, buf),
        }
    }

    /// Whether `found`, read at byte `offset`, is what belongs there. `scratch` is at least as long as `found`.
    pub fn matches(&self, offset: u64, found: &[u8], scratch: &mut [u8]) -> bool {
        if let Self::Byte(byte) = self {
            return is_all(*byte, found);
        }
        let expected = &mut scratch[..found.len()];
        self.fill(offset, expected);
        equal(expected, found)
    }
}

/// Bytes compared before a difference ends the comparison.
const STRIDE: usize = 4096;

/// Whether every byte is `byte`. In words and without a branch for each, so that the compiler makes vector code of it: the
/// C library's comparison that a static binary carries takes the bytes one by one.
pub(super) fn is_all(byte: u8, found: &[u8]) -> bool {
    let wanted = u64::from_ne_bytes([byte; 8]);
    found.chunks(STRIDE).all(|part| {
        let (words, rest) = part.as_chunks::<8>();
        let differing = words.iter().fold(0, |all, word| all | (u64::from_ne_bytes(*word) ^ wanted));
        differing == 0 && rest.iter().all(|b| *b == byte)
    })
}

/// Whether two pieces of the same length are equal; in words, as above.
fn equal(expected: &[u8], found: &[u8]) -> bool {
    let mut parts = expected.chunks(STRIDE).zip(found.chunks(STRIDE));
    expected.len() == found.len()
        && parts.all(|(expected, found)| {
            let (wanted, wanted_rest) = expected.as_chunks::<8>();
            let (words, rest) = found.as_chunks::<8>();
            let pairs = wanted.iter().zip(words);
            let differing = pairs.fold(0, |all, (a, b)| all | (u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b)));
            differing == 0 && rest.iter().zip(wanted_rest).all(|(a, b)| a == b)
        })
}

fn fill_triple(bytes: [u8; 3], offset: u64, buf: &mut [u8]) {
    let phase = usize::try_from(offset % 3).unwrap_or(0);
    let rotated = [bytes[phase], bytes[(phase + 1) % 3], bytes[(phase + 2) % 3]];
    let (triples, rest) = buf.as_chunks_mut::<3>();
    triples.fill(rotated);
    rest.copy_from_slice(&rotated[..rest.len()]);
}

fn fill_stream(key: &StreamKey, mut offset: u64, mut buf: &mut [u8]) {
    const UNIT: u64 = STREAM_UNIT as u64;
    while !buf.is_empty() {
        let within = usize::try_from(offset % UNIT).unwrap_or(0);
        let take = buf.len().min(STREAM_UNIT - within);
        let (now, later) = buf.split_at_mut(take);
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&(offset / UNIT).to_le_bytes());
        let mut cipher = ChaCha12::new(&key.0.into(), &nonce.into());
        if within > 0 {
            cipher.seek(within);
        }
        cipher.write_keystream(now);
        offset += take as u64;
        buf = later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATTERNS: [Pattern; 4] = [
        Pattern::Byte(0xa5),
        Pattern::Triple([0x92, 0x49, 0x24]),
        Pattern::Stream(StreamKey([7; 32])),
        Pattern::Stream(StreamKey([8; 32])),
    ];

    #[test]
    fn any_piece_is_the_same_as_the_whole_at_that_address() {
        let mut whole = vec![0; STREAM_UNIT + 100_000];
        for pattern in PATTERNS {
            pattern.fill(0, &mut whole);
            for (start, len) in [(0, 512), (512, 1024), (STREAM_UNIT - 512, 1024), (STREAM_UNIT + 4096, 8192), (1, 77)]
            {
                let mut piece = vec![0; len];
                pattern.fill(start as u64, &mut piece);
                assert_eq!(piece, whole[start..start + len], "{pattern:?} at {start}");
            }
        }
    }

    #[test]
    fn one_changed_bit_anywhere_is_no_match() {
        let mut scratch = vec![0; 2048];
        for pattern in PATTERNS {
            let mut found = vec![0; 1024 + 3];
            pattern.fill(4096, &mut found);
            assert!(pattern.matches(4096, &found, &mut scratch));
            for at in 0..found.len() {
                found[at] ^= 0x10;
                assert!(!pattern.matches(4096, &found, &mut scratch), "{pattern:?} byte {at}");
                found[at] ^= 0x10;
            }
        }
    }

    #[test]
    fn a_triple_goes_on_across_any_boundary() {
        let mut buf = [0; 7];
        Pattern::Triple([1, 2, 3]).fill(512, &mut buf);
        assert_eq!(buf, [3, 1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn far_addresses_have_streams_of_their_own() {
        let stream = PATTERNS[2];
        let mut near = [0; 64];
        let mut far = [0; 64];
        stream.fill(0, &mut near);
        stream.fill((1 << 32) * STREAM_UNIT as u64, &mut far);
        assert_ne!(near, far);
    }

    #[test]
    fn the_stream_is_chacha12_as_others_compute_it() {
        // Keystream of an all-zero key and nonce, ChaCha12: draft-strombergson-chacha-test-vectors-01, TC1 (256-bit key).
        let mut found = [0; 16];
        Pattern::Stream(StreamKey([0; 32])).fill(0, &mut found);
        let expected = [0x9b, 0xf4, 0x9a, 0x6a, 0x07, 0x55, 0xf9, 0x53, 0x81, 0x1f, 0xce, 0x12, 0x5f, 0x26, 0x83, 0xd5];
        assert_eq!(found, expected);
    }
}
