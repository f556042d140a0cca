//! A group's index: what each of its frames is, and the BLAKE3 of its content.
//!
//! `MULEIDX1`, the group's number (u32), the number of frames n (u32), n states (u8), n hashes (32 bytes), CRC-32 of all that.

use super::format::{GROUP, u32_at};

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Content of the disk.
    Data,
    /// The disk held zeros.
    Zero,
    /// Not read, since the file system calls it free; it counts as zeros.
    Free,
    /// Not in this file: the base image has the same.
    InBase,
    /// Some of it could not be read at first; the bad-sector map says what is still missing, which counts as zeros.
    Slot,
}

const STATES: &[State] = &[State::Data, State::Zero, State::Free, State::InBase, State::Slot];
const MAGIC: &[u8; 8] = b"MULEIDX1";
const FIXED: usize = 16;

/// One group's frames.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Index {
    pub(super) group: u32,
    pub(super) states: Vec<State>,
    pub(super) hashes: Vec<[u8; 32]>,
}

impl Index {
    pub(super) fn push(&mut self, state: State, hash: [u8; 32]) {
        self.states.push(state);
        self.hashes.push(hash);
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.group.to_le_bytes());
        bytes.extend(u32::try_from(self.states.len()).unwrap_or(u32::MAX).to_le_bytes());
        let code = |state| STATES.iter().position(|known| known == state).unwrap_or_default();
        bytes.extend(self.states.iter().map(|state| u8::try_from(code(state)).unwrap_or_default()));
        self.hashes.iter().for_each(|hash| bytes.extend(hash));
        let crc = crc32fast::hash(&bytes);
        bytes.extend(crc.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let bad = |what: &str| Err(format!("the index is damaged: {what}"));
        let Some((body, crc)) = bytes.split_last_chunk::<4>() else { return bad("it is too short") };
        if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
            return bad("its checksum does not fit");
        }
        let (Some(group), Some(count)) = (u32_at(body, 8), u32_at(body, 12)) else { return bad("it is too short") };
        let count = count as usize;
        if !body.starts_with(MAGIC) || count as u64 > GROUP || body.len() != FIXED + 33 * count {
            return bad("its form is not known");
        }
        let states = body[FIXED..FIXED + count].iter().map(|code| STATES.get(usize::from(*code)).copied());
        let Some(states) = states.collect() else { return bad("a frame has an unknown state") };
        let (hashes, _) = body[FIXED + count..].as_chunks::<32>();
        Ok(Self { group, states, hashes: hashes.to_vec() })
    }

    /// How a manifest names the group.
    pub(super) fn digest(&self) -> [u8; 32] {
        *blake3::hash(&self.encode()).as_bytes()
    }
}

/// The root over groups: BLAKE3 of their digests one after the other.
pub(super) fn root(groups: &[[u8; 32]]) -> [u8; 32] {
    *blake3::hash(groups.as_flattened()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_survives_and_every_flipped_bit_is_found() {
        let mut index = Index { group: 7, ..Index::default() };
        for (n, state) in (0..).zip(STATES) {
            index.push(*state, [n; 32]);
        }
        let bytes = index.encode();
        assert_eq!(Index::decode(&bytes), Ok(index));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Index::decode(&flipped).is_err(), "bit {bit}");
        }
        (0..bytes.len()).for_each(|len| assert!(Index::decode(&bytes[..len]).is_err()));
    }
}
