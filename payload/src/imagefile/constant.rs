//! Runs of one value: a zstd frame that says so in four bytes for each 128 KiB, made and compared without unpacking anything.
//!
//! A zstd stream needs a block for every 128 KiB (RFC 8878, 3.1.1.2.4), and the shortest is an RLE block: three bytes of header
//! and the value. So there is one encoding for so many bytes of a value, and whoever finds exactly these bytes has its content.

use super::format::{FRAME, GROUP, u32_at};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Content of a block: the most that zstd allows.
const BLOCK: usize = 128 << 10;
/// Magic number, descriptor, window, content size.
const HEAD: usize = 10;
/// Content size in four bytes, and a checksum.
const DESCRIPTOR: u8 = 0x84;
/// A window of 128 KiB.
const WINDOW: u8 = 0x38;
/// Most bytes of a run: a group.
pub(super) const MOST: usize = FRAME << GROUP.trailing_zeros();

/// A run: so many bytes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Run {
    pub(super) value: u8,
    pub(super) bytes: usize,
}

/// What was made for one value.
#[derive(Debug, Default)]
struct Known {
    /// The RLE blocks of the longest run so far, none of them the last.
    blocks: Vec<u8>,
    /// The state of the checksum behind each whole frame.
    states: Vec<Xxh64>,
    /// BLAKE3 of so many bytes.
    hashes: BTreeMap<usize, [u8; 32]>,
}

/// Everything that was made for runs, each thing once.
#[derive(Debug, Default)]
pub(super) struct Constants(Mutex<BTreeMap<u8, Known>>);

impl Constants {
    fn with<T>(&self, value: u8, use_it: impl FnOnce(&mut Known) -> T) -> T {
        use_it(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(value).or_default())
    }

    /// BLAKE3 of a run that is no longer than a frame.
    pub(super) fn hash(&self, run: Run) -> [u8; 32] {
        let make = || *blake3::hash(&vec![run.value; run.bytes.min(FRAME)]).as_bytes();
        self.with(run.value, |known| *known.hashes.entry(run.bytes).or_insert_with(make))
    }

    /// The zstd frame of a run.
    pub(super) fn frame(&self, run: Run) -> Vec<u8> {
        let bytes = run.bytes.min(MOST);
        self.with(run.value, |known| {
            let whole = bytes.saturating_sub(1) / BLOCK;
            while known.blocks.len() < 4 * whole {
                known.blocks.extend(block(false, BLOCK, run.value));
            }
            let mut frame = head(bytes).to_vec();
            frame.extend_from_slice(&known.blocks[..4 * whole]);
            frame.extend(block(true, bytes - whole * BLOCK, run.value));
            frame.extend(known.checksum(run.value, bytes).to_le_bytes());
            frame
        })
    }

    /// The run whose frame begins `stored`, and the bytes of that frame; each of them was compared.
    pub(super) fn met(&self, stored: &[u8]) -> Option<(Run, usize)> {
        let bytes = u32_at(stored, 6)? as usize;
        if !(1..=MOST).contains(&bytes) || stored.get(..HEAD)? != head(bytes) {
            return None;
        }
        let (len, run) = (packed_len(bytes), Run { value: *stored.get(HEAD + 3)?, bytes });
        (stored.get(..len)? == self.frame(run)).then_some((run, len))
    }
}

/// Bytes of the frame of so long a run.
pub(super) const fn packed_len(bytes: usize) -> usize {
    HEAD + 4 * bytes.div_ceil(BLOCK) + 4
}

/// The value that all of these bytes have.
pub fn constant(data: &[u8]) -> Option<u8> {
    let first = *data.first()?;
    let (words, rest) = data.as_chunks::<16>();
    let all = u128::from_ne_bytes([first; 16]);
    (words.iter().all(|word| u128::from_ne_bytes(*word) == all) && rest.iter().all(|byte| *byte == first))
        .then_some(first)
}

fn head(bytes: usize) -> [u8; HEAD] {
    let [a, b, c, d] = super::format::ZSTD.to_le_bytes();
    let [e, f, g, h] = u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    [a, b, c, d, DESCRIPTOR, WINDOW, e, f, g, h]
}

/// An RLE block.
fn block(last: bool, bytes: usize, value: u8) -> [u8; 4] {
    let [a, b, c, _] = (u32::from(last) | 1 << 1 | u32::try_from(bytes).unwrap_or_default() << 3).to_le_bytes();
    [a, b, c, value]
}

impl Known {
    /// The lower half of XXH64, as zstd ends a frame.
    fn checksum(&mut self, value: u8, bytes: usize) -> u32 {
        if self.states.is_empty() {
            self.states.push(Xxh64::new());
        }
        let frames = bytes / FRAME;
        while self.states.len() <= frames {
            let mut next = self.states.last().copied().unwrap_or_else(Xxh64::new);
            next.stripes(value, FRAME / STRIPE);
            self.states.push(next);
        }
        self.states[frames].finish(value, bytes, bytes % FRAME)
    }
}

const STRIPE: usize = 32;
const PRIMES: [u64; 5] =
    [0x9e37_79b1_85eb_ca87, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9, 0x85eb_ca77_c2b2_ae63, 0x27d4_eb2f_1656_67c5];

/// XXH64 with seed 0 of bytes that are all the same.
#[derive(Debug, Clone, Copy)]
struct Xxh64([u64; 4]);

fn round(lane: u64, input: u64) -> u64 {
    lane.wrapping_add(input.wrapping_mul(PRIMES[1])).rotate_left(31).wrapping_mul(PRIMES[0])
}

impl Xxh64 {
    fn new() -> Self {
        let both = PRIMES[0].wrapping_add(PRIMES[1]);
        Self([both, PRIMES[1], 0, 0_u64.wrapping_sub(PRIMES[0])])
    }

    fn stripes(&mut self, value: u8, count: usize) {
        let input = u64::from_ne_bytes([value; 8]);
        for _ in 0..count {
            self.0 = self.0.map(|lane| round(lane, input));
        }
    }

    /// The digest of `bytes` bytes, of which the last `rest` are still to be taken in.
    fn finish(mut self, value: u8, bytes: usize, rest: usize) -> u32 {
        self.stripes(value, rest / STRIPE);
        let [a, b, c, d] = self.0;
        let mut hash = PRIMES[4];
        if bytes >= STRIPE {
            let sum = [a.rotate_left(1), b.rotate_left(7), c.rotate_left(12), d.rotate_left(18)];
            hash = sum.into_iter().fold(0, u64::wrapping_add);
            for lane in self.0 {
                hash = (hash ^ round(0, lane)).wrapping_mul(PRIMES[0]).wrapping_add(PRIMES[3]);
            }
        }
        hash = hash.wrapping_add(bytes as u64);
        let rest = rest % STRIPE;
        for _ in 0..rest / 8 {
            hash ^= round(0, u64::from_ne_bytes([value; 8]));
            hash = hash.rotate_left(27).wrapping_mul(PRIMES[0]).wrapping_add(PRIMES[3]);
        }
        if rest % 8 >= 4 {
            hash ^= u64::from(u32::from_ne_bytes([value; 4])).wrapping_mul(PRIMES[0]);
            hash = hash.rotate_left(23).wrapping_mul(PRIMES[1]).wrapping_add(PRIMES[2]);
        }
        for _ in 0..rest % 4 {
            hash = (hash ^ u64::from(value).wrapping_mul(PRIMES[4])).rotate_left(11).wrapping_mul(PRIMES[0]);
        }
        hash = (hash ^ (hash >> 33)).wrapping_mul(PRIMES[1]);
        hash = (hash ^ (hash >> 29)).wrapping_mul(PRIMES[2]);
        let [a, b, c, d, ..] = (hash ^ (hash >> 32)).to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// libzstd unpacks every run and finds its checksum right.
    #[test]
    fn zstd_unpacks_a_run_of_any_length() {
        let constants = Constants::default();
        for bytes in [1, 3, 7, 31, 32, 45, 512, BLOCK - 1, BLOCK, BLOCK + 1, FRAME, FRAME + 512, 5 * FRAME + 4103] {
            for value in [0, 0xff, 7] {
                let run = Run { value, bytes };
                let frame = constants.frame(run);
                assert_eq!(frame.len(), packed_len(bytes));
                assert!(zstd::stream::decode_all(&frame[..]).unwrap() == vec![value; bytes], "{run:?}");
                assert_eq!(constants.met(&[&frame[..], b"more"].concat()), Some((run, frame.len())));
            }
        }
        // Nothing was made twice.
        constants.with(7, |known| assert_eq!((known.states.len(), known.blocks.len()), (6, 4 * 40)));
    }

    #[test]
    fn a_run_with_any_bit_flipped_or_cut_is_none() {
        let constants = Constants::default();
        let frame = constants.frame(Run { value: 0, bytes: 3 * FRAME });
        for bit in 0..frame.len() * 8 {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(constants.met(&flipped), None, "bit {bit}");
        }
        (0..frame.len()).for_each(|len| assert_eq!(constants.met(&frame[..len]), None));
    }

    /// What a run costs in the file is what zstd's blocks allow: 4 bytes for 128 KiB, and 14 for each GiB.
    #[test]
    fn a_group_of_zeros_has_the_fewest_bytes_that_zstd_allows() {
        let frame = Constants::default().frame(Run { value: 0, bytes: MOST });
        assert_eq!(frame.len(), 4 * MOST / BLOCK + HEAD + 4);
        assert_eq!(zstd::zstd_safe::find_frame_compressed_size(&frame), Ok(frame.len()));
    }

    #[test]
    fn only_bytes_that_are_all_the_same_are_constant() {
        assert_eq!(constant(&[]), None);
        for len in [1, 15, 16, 17, 4096, 4099] {
            let mut data = vec![5; len];
            assert_eq!(constant(&data), Some(5));
            data[len - 1] = 6;
            assert_eq!(constant(&data), (len == 1).then_some(6));
        }
    }
}
