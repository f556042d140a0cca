//! A group's index: what each of its frames is, and the BLAKE3 of its content.
//!
//! `MULEIDX2`, the group's number (u32), the number of frames (u32) and of runs n (u32), n states (u8), for each run how many
//! frames it has (u16), n hashes (32 bytes), CRC-32 of all that. A run is of neighbours with the same state and hash, so that a
//! thousand frames of zeros have one hash and are hashed once. An index of `mule-image/1` is `MULEIDX1`, the group's number, the
//! number of frames n, n states, n hashes, CRC-32.

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
const MAGIC: &[u8; 8] = b"MULEIDX2";
const FIXED: usize = 20;
/// As `mule-image/1` has it.
const PLAIN_MAGIC: &[u8; 8] = b"MULEIDX1";
const PLAIN_FIXED: usize = 16;

/// Neighbours that are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) state: State,
    pub(super) frames: u16,
    pub(super) hash: [u8; 32],
}

/// One group's frames.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Index {
    pub(super) group: u32,
    runs: Vec<Run>,
    frames: u64,
    /// Of the bytes that it was read from.
    digest: Option<[u8; 32]>,
}

impl Index {
    pub(super) fn push(&mut self, state: State, hash: [u8; 32], frames: u16) {
        self.frames += u64::from(frames);
        match self.runs.last_mut() {
            // A slot gets another hash later.
            Some(last) if (last.state, last.hash) == (state, hash) && state != State::Slot => last.frames += frames,
            _ => self.runs.push(Run { state, frames, hash }),
        }
    }

    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// How many frames it has.
    pub(super) fn len(&self) -> u64 {
        self.frames
    }

    /// The run of frame `within`, and the place in it.
    fn run(&self, within: u64) -> Option<(usize, u64)> {
        let mut left = within;
        for (number, run) in self.runs.iter().enumerate() {
            match left.checked_sub(run.frames.into()) {
                Some(rest) => left = rest,
                None => return Some((number, left)),
            }
        }
        None
    }

    pub(super) fn get(&self, within: u64) -> Option<Run> {
        self.run(within).map(|(number, _)| self.runs[number])
    }

    /// The run that frame `within` lies in, and how many frames of it are left from there.
    pub(super) fn rest(&self, within: u64) -> Option<(Run, u64)> {
        let (number, before) = self.run(within)?;
        let run = self.runs[number];
        Some((run, u64::from(run.frames) - before))
    }

    /// Gives a frame that is a run of its own another hash.
    pub(super) fn set_hash(&mut self, within: u64, hash: [u8; 32]) {
        if let Some((number, _)) = self.run(within) {
            self.runs[number].hash = hash;
            self.digest = None;
        }
    }

    /// How many of the frames before `within` are stored in this file.
    pub(super) fn stored_before(&self, within: u64) -> u64 {
        let (mut left, mut stored) = (within, 0);
        for run in &self.runs {
            let here = left.min(run.frames.into());
            left -= here;
            stored += if run.state == State::InBase { 0 } else { here };
        }
        stored
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.group.to_le_bytes());
        for number in [self.frames, self.runs.len() as u64] {
            bytes.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
        }
        let code = |state| STATES.iter().position(|known| *known == state).unwrap_or_default();
        bytes.extend(self.runs.iter().map(|run| u8::try_from(code(run.state)).unwrap_or_default()));
        self.runs.iter().for_each(|run| bytes.extend(run.frames.to_le_bytes()));
        self.runs.iter().for_each(|run| bytes.extend(run.hash));
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
        let (Some(group), Some(frames)) = (u32_at(body, 8), u32_at(body, 12)) else { return bad("it is too short") };
        let plain = body.starts_with(PLAIN_MAGIC);
        let count = if plain { Some(frames) } else { u32_at(body, 16).filter(|_| body.starts_with(MAGIC)) };
        let Some(count) = count.filter(|count| u64::from(*count) <= GROUP) else { return bad("its form is not known") };
        let (fixed, each) = if plain { (PLAIN_FIXED, 33) } else { (FIXED, 35) };
        let count = count as usize;
        if body.len() != fixed + each * count {
            return bad("its form is not known");
        }
        let (states, rest) = body[fixed..].split_at(count);
        let (lengths, hashes) = rest.split_at(if plain { 0 } else { 2 * count });
        let (lengths, _) = lengths.as_chunks::<2>();
        let (hashes, _) = hashes.as_chunks::<32>();
        let mut index = Self { group, digest: Some(*blake3::hash(bytes).as_bytes()), ..Self::default() };
        for (number, (code, hash)) in states.iter().zip(hashes).enumerate() {
            let Some(state) = STATES.get(usize::from(*code)) else { return bad("a frame has an unknown state") };
            let frames = lengths.get(number).map_or(1, |len| u16::from_le_bytes(*len));
            if frames == 0 || (frames > 1 && *state == State::Slot) || index.frames + u64::from(frames) > GROUP {
                return bad("a run has an impossible length");
            }
            index.push(*state, *hash, frames);
        }
        if index.frames == u64::from(frames) { Ok(index) } else { bad("its runs do not add up") }
    }

    /// How a manifest names the group.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.digest.unwrap_or_else(|| *blake3::hash(&self.encode()).as_bytes())
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
            index.push(*state, [n; 32], if *state == State::Slot { 1 } else { u16::from(n) + 1 });
        }
        let bytes = index.encode();
        let read = Index::decode(&bytes).unwrap();
        assert_eq!((read.runs(), read.group, read.digest()), (index.runs(), 7, index.digest()));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Index::decode(&flipped).is_err(), "bit {bit}");
        }
        (0..bytes.len()).for_each(|len| assert!(Index::decode(&bytes[..len]).is_err()));
    }

    #[test]
    fn neighbours_that_are_the_same_are_one_run_but_slots_are_not() {
        let mut index = Index::default();
        let pushed = [
            (State::Zero, 0, 3),
            (State::Zero, 0, 1000),
            (State::Free, 0, 1),
            (State::Slot, 0, 1),
            (State::Slot, 0, 1),
        ];
        for (state, hash, frames) in pushed.into_iter().chain([(State::InBase, 5, 1), (State::Data, 5, 1)]) {
            index.push(state, [hash; 32], frames);
        }
        assert_eq!(index.runs().iter().map(|run| run.frames).collect::<Vec<_>>(), [1003, 1, 1, 1, 1, 1]);
        assert_eq!(
            (index.len(), index.get(1002).unwrap().state, index.get(1003).unwrap().state),
            (1008, State::Zero, State::Free)
        );
        assert_eq!((index.stored_before(1007), index.stored_before(5), index.get(1008)), (1006, 5, None));
        index.set_hash(1004, [9; 32]);
        assert_eq!((index.get(1004).unwrap().hash, index.get(1005).unwrap().hash), ([9; 32], [0; 32]));
        assert!(index.encode().len() < 6 * 35 + FIXED + 5);
    }

    /// An index of a hash for each frame, as the first images have it.
    #[test]
    fn an_index_of_the_first_form_is_read_and_keeps_its_digest() {
        let mut bytes = PLAIN_MAGIC.to_vec();
        bytes.extend([7, 0, 0, 0, 3, 0, 0, 0, 1, 1, 0]);
        [[1; 32], [1; 32], [2; 32]].iter().for_each(|hash: &[u8; 32]| bytes.extend(hash));
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        let index = Index::decode(&bytes).unwrap();
        assert_eq!((index.group, index.len(), index.runs().len()), (7, 3, 2));
        assert_eq!(index.digest(), *blake3::hash(&bytes).as_bytes());
    }
}
