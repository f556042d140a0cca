//! One target as whoever has the content sees it: what it gets of each frame, and what it should hold afterwards.

use super::{
    gpt::{self, Patches},
    target::First,
};
use crate::engine::frames::{self, Content, Expected, FRAME, Job};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc::SyncSender},
};

/// What differs from the content on one target: where it ends, and where its partition table was mended.
#[derive(Debug, Default)]
pub struct Shape {
    /// Bytes of the content that this target gets.
    pub bytes: u64,
    pub patches: Patches,
    /// BLAKE3 of the frames that differ.
    own: Mutex<HashMap<u64, [u8; 32]>>,
    /// The first frame, which is written last, or why there is none.
    pub first: OnceLock<Result<First, String>>,
}

impl Shape {
    pub fn new(bytes: u64, patches: Patches) -> Self {
        Self { bytes, patches, ..Self::default() }
    }

    /// What this target gets of a frame.
    pub fn fit(&self, index: u64, data: &First) -> First {
        let (start, len) = (frames::start(index), frames::len(index, self.bytes));
        let patched = self.patches.range(start..start + len as u64).next().is_some();
        let cut = data.as_ref().is_some_and(|data| (**data).as_ref().len() > len);
        if !patched && !cut {
            return data.clone();
        }
        let mut own = vec![0; len];
        if let Some(data) = data {
            own.copy_from_slice(&(**data).as_ref()[..len]);
        }
        gpt::patch(&self.patches, start, &mut own);
        let hash = *blake3::hash(&own).as_bytes();
        self.own.lock().unwrap_or_else(PoisonError::into_inner).insert(index, hash);
        Some(Arc::new(own) as Arc<dyn Content>)
    }

    /// What this target should hold in a frame, where that is not what the content says.
    pub fn expected(&self, index: u64) -> Option<Expected> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).get(&index).copied().map(Expected::Hash)
    }

    /// The frames of the content that may differ, and the last one that this target has.
    pub fn single(&self) -> impl Iterator<Item = u64> {
        let patched = self.patches.range(..self.bytes).map(|(at, _)| at / FRAME as u64);
        patched.chain([frames::count(self.bytes).saturating_sub(1)])
    }

    /// The patches behind the content, in the target's tail.
    pub fn behind(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.patches.range(self.bytes..).map(|(at, block)| (*at, block.as_slice()))
    }
}

/// The way to one target.
#[derive(Debug)]
pub struct Outlet {
    sender: SyncSender<Job>,
    shape: Arc<Shape>,
}

impl Outlet {
    pub fn new(sender: SyncSender<Job>, shape: Arc<Shape>) -> Self {
        Self { sender, shape }
    }

    /// Sends a frame, as far as it belongs on this target; false where the target takes nothing any more.
    pub fn send(&self, index: u64, data: &First) -> bool {
        let len = frames::len(index, self.shape.bytes);
        len == 0 || self.sender.send(Job::Frame { index, len, data: self.shape.fit(index, data) }).is_ok()
    }

    /// Says that every frame but the first was sent; the first is given along, or why the content is not whole.
    pub fn finish(self, first: Result<&First, &str>) {
        let first = first.map(|first| self.shape.fit(0, first)).map_err(ToOwned::to_owned);
        // Set before the sender goes: a target looks at it when its jobs end.
        let _ = self.shape.first.set(first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_frame_is_cut_and_patched_for_the_target_that_needs_it() {
        let content: First = Some(Arc::new(vec![7_u8; FRAME]));
        let whole = Shape::new(3 * MIB, Patches::new());
        assert!(Arc::ptr_eq(whole.fit(1, &content).as_ref().unwrap(), content.as_ref().unwrap()));
        assert_eq!(whole.expected(1), None);
        let patches = Patches::from([(MIB + 512, vec![9; 512]), (3 * MIB, vec![1; 512])]);
        let shape = Shape::new(MIB + 2048, patches);
        let fitted = shape.fit(1, &content).unwrap();
        let mut wanted = vec![7; 2048];
        wanted[512..1024].fill(9);
        assert_eq!((*fitted).as_ref(), wanted);
        assert_eq!(shape.expected(1), Some(Expected::Hash(*blake3::hash(&wanted).as_bytes())));
        assert_eq!(shape.behind().map(|(at, _)| at).collect::<Vec<_>>(), [3 * MIB]);
        assert_eq!(shape.single().collect::<Vec<_>>(), [1, 1]);
        let zeros = shape.fit(1, &None).unwrap();
        assert_eq!((*zeros).as_ref()[512], 9);
    }
}
