//! What was read of a clone's source, in little memory however large it is: for each MiB, or for a few of them together, what every
//! target must give when it is read back.

use crate::engine::frames::{self, Expected, FRAME};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{PoisonError, RwLock},
};

/// Bytes of a digest that are kept: enough against every fault.
const SHORT: usize = 16;

/// BLAKE3 of the frames of a group that is not whole yet, or of which a target has one that differs.
type Fine = Vec<Option<[u8; 32]>>;

#[derive(Debug, Default)]
struct State {
    /// By group: the beginning of the BLAKE3 over those of its frames.
    digests: Vec<[u8; SHORT]>,
    fine: BTreeMap<u64, Fine>,
}

/// The digests of a source.
#[derive(Debug)]
pub struct Hashes {
    /// Frames in a group.
    each: u64,
    /// Groups whose frames are kept one by one.
    apart: BTreeSet<u64>,
    state: RwLock<State>,
}

impl Hashes {
    /// For a source of so many bytes, within about so much memory. `single` are frames that are looked at alone: those that a target has otherwise, the first,
    /// which is written last, and the last of each target.
    pub fn new(bytes: u64, memory: u64, single: impl Iterator<Item = u64>) -> Self {
        let frames = frames::count(bytes);
        let each = (frames * SHORT as u64).div_ceil(memory.max(1)).max(1).next_power_of_two();
        let ends = [0, frames.saturating_sub(1)];
        let apart = single.chain(ends).map(|frame| frame / each).collect();
        // In one piece from the beginning: grown, it would take twice as much for a while.
        let digests = Vec::with_capacity(usize::try_from(frames / each + 1).unwrap_or(0));
        Self { each, apart, state: RwLock::new(State { digests, ..State::default() }) }
    }

    /// Takes in what a frame holds.
    pub fn set(&self, index: u64, data: &[u8]) {
        let hash = *blake3::hash(data).as_bytes();
        let (group, within) = self.place(index);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let len = usize::try_from(self.each).unwrap_or(1);
        let fine = state.fine.entry(group).or_insert_with(|| vec![None; len]);
        fine[within] = Some(hash);
        if self.apart.contains(&group) || fine.iter().any(Option::is_none) {
            return;
        }
        let digest = digest(fine.iter().flatten());
        state.fine.remove(&group);
        let at = usize::try_from(group).unwrap_or(usize::MAX);
        if state.digests.len() <= at {
            state.digests.resize(at + 1, [0; SHORT]);
        }
        state.digests[at] = digest;
    }

    fn place(&self, index: u64) -> (u64, usize) {
        (index / self.each, usize::try_from(index % self.each).unwrap_or(0))
    }

    /// What a frame should hold, alone or with the others of its group.
    pub fn expected(&self, index: u64) -> Result<Expected, String> {
        let (group, within) = self.place(index);
        let never = || format!("the MiB at byte {} was never read", index * FRAME as u64);
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(fine) = state.fine.get(&group) {
            return fine.get(within).copied().flatten().map(Expected::Hash).ok_or_else(never);
        }
        let digest = usize::try_from(group).ok().and_then(|at| state.digests.get(at));
        // A group in between of which nothing was read has none.
        let digest = digest.copied().filter(|digest| *digest != [0; SHORT]).ok_or_else(never)?;
        let last = u64::try_from(within).is_ok_and(|within| within + 1 == self.each);
        Ok(Expected::Together { digest, first: within == 0, last })
    }
}

/// The digest of a group by the BLAKE3 of its frames.
fn digest<'a>(hashes: impl Iterator<Item = &'a [u8; 32]>) -> [u8; SHORT] {
    let mut hasher = blake3::Hasher::new();
    for hash in hashes {
        hasher.update(hash);
    }
    let mut short = [0; SHORT];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..SHORT]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sweep::Limits;

    #[test]
    fn twenty_terabytes_take_little_and_two_are_exact() {
        let memory = Limits::default().hashes;
        let each = |bytes: u64| Hashes::new(bytes, memory, std::iter::empty()).each;
        assert_eq!(
            [each(512), each(2 << 40), each((2 << 40) + 1), each(20 << 40), each(200 << 40)],
            [1, 1, 2, 16, 128]
        );
        let hashes = Hashes::new(20 << 40, memory, std::iter::empty());
        let capacity = hashes.state.read().unwrap().digests.capacity();
        assert!((1_310_720..1_400_000).contains(&capacity), "{capacity} digests of 16 bytes");
    }

    #[test]
    fn a_group_is_one_digest_once_it_is_whole_whatever_the_order() {
        let size = 40 * FRAME as u64;
        let hashes = Hashes::new(size, 160, [9].into_iter());
        assert_eq!(hashes.each, 4);
        let frame = |index: u64| index.to_le_bytes();
        let late = [22_u64, 21];
        for index in (0..40).filter(|index| !late.contains(index)) {
            hashes.set(index, &frame(index));
        }
        assert!(hashes.expected(21).is_err() && hashes.expected(100).is_err());
        assert!(matches!(hashes.expected(20), Ok(Expected::Hash(_))), "its group is not whole");
        late.iter().for_each(|index| hashes.set(*index, &frame(*index)));
        let own = |index: u64| *blake3::hash(&frame(index)).as_bytes();
        for index in 0..40 {
            let expected = hashes.expected(index).unwrap();
            if [0, 2, 9].contains(&(index / 4)) {
                assert_eq!(expected, Expected::Hash(own(index)), "{index}");
                continue;
            }
            let group: Vec<_> = (index / 4 * 4..index / 4 * 4 + 4).map(own).collect();
            let together =
                Expected::Together { digest: digest(group.iter()), first: index % 4 == 0, last: index % 4 == 3 };
            assert_eq!(expected, together, "{index}");
        }
        assert_eq!(hashes.state.read().unwrap().fine.len(), 3);
    }
}
