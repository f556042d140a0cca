//! What can be wrong with a simulated disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What becomes of writes that were not flushed when the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerCut {
    /// All are lost.
    LoseUnflushed,
    /// All had reached the medium.
    KeepUnflushed,
    /// Each physical block is kept or lost, by this seed.
    Random(u64),
}

/// A write that succeeds and is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// The old content stays.
    Dropped,
    /// One bit of the block, counted from its start, is inverted.
    FlippedBit(usize),
    /// The data goes to this block instead.
    WrittenTo(u64),
}

/// The faults of a disk; the default has none. Blocks are logical blocks, operations are transfers performed.
#[derive(Debug, Default, Clone)]
pub struct Faults {
    /// Blocks that cannot be read.
    pub unreadable: BTreeSet<u64>,
    /// Blocks that cannot be written. A write that meets one has written those before it.
    pub unwritable: BTreeSet<u64>,
    /// Blocks that cannot be read until they are written, as a pending sector that the drive remaps.
    pub unreadable_until_written: BTreeSet<u64>,
    /// Blocks whose writes go wrong silently.
    pub lies: BTreeMap<u64, Lie>,
    /// Operations until the drive is gone and reports a capacity of 0.
    pub vanish_after: Option<u64>,
    /// Operations until it answers no more.
    pub hang_after: Option<u64>,
    /// Operations until the power is cut.
    pub power_cut_after: Option<(u64, PowerCut)>,
    /// Operations until another disk takes its place, and the system does not notice.
    pub exchange_after: Option<(u64, super::SimDisk)>,
    /// How long each operation takes.
    pub delay: Duration,
    /// Whether operations complete in a random order.
    pub reorders: bool,
    /// Whether it takes the command to make zeros by itself, and then obeys (`true`) or only says so.
    pub makes_zeros: Option<bool>,
    /// Whether it takes discards, and then shows zeros (`true`) or what was there (`false`).
    pub discards: Option<bool>,
    /// Whether a flush reports an error.
    pub flush_fails: bool,
    /// Whether a flush reports success and does nothing.
    pub flush_lies: bool,
    /// Whether what is read may come from a cache of the host.
    pub through_a_cache: bool,
    /// Whether a claim finds direct I/O refused.
    pub refuses_direct_io: bool,
    /// Operations performed since the counters above were set.
    performed: u64,
}

impl Faults {
    /// Starts the counts of the `_after` faults at this moment.
    pub fn from_now(&mut self) -> &mut Self {
        self.performed = 0;
        self
    }

    /// The disk that takes its place now, once.
    pub(super) fn due_exchange(&mut self) -> Option<super::SimDisk> {
        let performed = self.performed;
        self.exchange_after.take_if(|(after, _)| performed >= *after).map(|(_, other)| other)
    }

    pub(super) fn count_down(&mut self) {
        self.performed += 1;
    }

    pub(super) fn hangs(&self) -> bool {
        self.hang_after.is_some_and(|after| self.performed >= after)
    }

    pub(super) fn due_vanishing(&self) -> bool {
        self.vanish_after.is_some_and(|after| self.performed > after)
    }

    /// The power cut that is due, once.
    pub(super) fn due_power_cut(&mut self) -> Option<PowerCut> {
        let performed = self.performed;
        self.power_cut_after.take_if(|(after, _)| performed > *after).map(|(_, cut)| cut)
    }
}
