//! Going on with an image that was cut short: what is there is unpacked and checked, a torn end is made anew.

use super::{
    codec::Decompressor,
    format::{Header, Part, SLOT, ZSTD, u32_at},
    index::State,
    volumes::Volumes,
    writer::{WriteError, Writer, part_len},
};
use crate::engine::frames::is_zero;
use std::{num::NonZeroU64, ops::Range, path::Path};
use zstd::zstd_safe;

/// A power cut can tear no more than what was not synced yet, with room for the part that was being written.
const TEARABLE: u64 = (64 << 20) + 8 * SLOT as u64;

/// A frame that is met again: its number and content; the answer is which of it is in use.
pub(super) type Again<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Result<Vec<Range<u64>>, String>;

impl Writer {
    /// Goes on with an unfinished image of the same disk. A differential image cannot be resumed.
    pub fn resume(
        path: &Path,
        limit: Option<NonZeroU64>,
        header: Header,
        again: Again<'_>,
    ) -> Result<Self, WriteError> {
        let volumes = Volumes::open(path, limit, true)?;
        let head = header.encode();
        let mut found = vec![0; head.len()];
        let readable = volumes.len() >= head.len() as u64 && volumes.read(0, &mut found).is_ok();
        // A file system may keep a file's length over a power cut and lose its bytes: they read as zeros.
        let there = readable && !is_zero(&found);
        if header.base_root.is_some() || (there && found != head) {
            return Err(WriteError::Another(path.into()));
        }
        let mut writer = Self::on(path, volumes, header);
        writer.taking_in = true;
        writer.begin()?;
        if there {
            writer.drop_pending();
            writer.walk(again)?;
        } else {
            // The power went before the header was whole.
            writer.volumes.cut(0)?;
        }
        writer.taking_in = false;
        writer.pause()?;
        Ok(writer)
    }

    /// What was made anew is there already.
    fn drop_pending(&mut self) {
        self.pending.clear();
        self.parts.clear();
    }

    /// Takes in what is whole and cuts off the rest.
    fn walk(&mut self, again: Again<'_>) -> Result<(), WriteError> {
        let mut decompressor = Decompressor::new().map_err(WriteError::Codec)?;
        let end = self.volumes.len();
        let mut window = Vec::new();
        while self.next < self.header.frames() {
            let at = self.position;
            window.resize(usize::try_from(end - at).unwrap_or(SLOT).min(SLOT + 8), 0);
            self.volumes.read(at, &mut window)?;
            let Some((bytes, raw)) = whole(&window, self.header.frame_len(self.next), &mut decompressor) else {
                return self.torn(at, "no whole frame");
            };
            let used = again(self.next, &raw).map_err(WriteError::Stopped)?;
            self.take_in(&window, bytes, &raw, &used)?;
            // Behind a group's last frame its end was made anew: it must be what is there.
            if !self.pending.is_empty() {
                let at = self.position - self.pending.len() as u64;
                let mut stored = vec![0; self.pending.len()];
                let whole = self.position <= end && self.volumes.read(at, &mut stored).is_ok();
                if !whole || stored != self.pending {
                    return self.torn(at, "a group's index does not fit its frames");
                }
                self.drop_pending();
            }
        }
        self.torn(self.position, "")
    }

    /// Everything from `at` on goes, where a power cut can explain it.
    fn torn(&mut self, at: u64, reason: &str) -> Result<(), WriteError> {
        if self.volumes.len() - at.min(self.volumes.len()) <= TEARABLE {
            return Ok(self.volumes.cut(at)?);
        }
        let (path, at) = self.volumes.place(at);
        Err(WriteError::Damaged { path: path.into(), at, reason: reason.into() })
    }

    fn take_in(&mut self, window: &[u8], bytes: usize, raw: &[u8], used: &[Range<u64>]) -> Result<(), WriteError> {
        let padding = &window[bytes..];
        let slot = Part::of(u32_at(padding, 0).unwrap_or(0)) == Some(Part::Padding);
        let state = match (slot, is_zero(raw)) {
            (true, _) => State::Slot,
            (_, false) => State::Data,
            (_, true) if used.is_empty() => State::Free,
            (_, true) => State::Zero,
        };
        let len = if slot { SLOT } else { bytes };
        if slot {
            self.slots.insert(self.next, (self.position, self.table.len()));
            self.dirty.insert(self.groups.len());
        }
        self.index.push(state, *blake3::hash(raw).as_bytes());
        self.table.push((part_len(bytes), part_len(raw.len())));
        if slot {
            self.table.push((part_len(SLOT - bytes), 0));
        }
        self.hasher.update(&window[..len.min(window.len())]);
        self.position += len as u64;
        self.advance(used)
    }
}

/// The whole frame at the start of `window`: its length and content. A slot must be whole with its padding.
fn whole(window: &[u8], len: usize, decompressor: &mut Decompressor) -> Option<(usize, Vec<u8>)> {
    if u32_at(window, 0) != Some(ZSTD) {
        return None;
    }
    let bytes = zstd_safe::find_frame_compressed_size(window).ok().filter(|bytes| *bytes <= window.len())?;
    let raw = decompressor.unpack(&window[..bytes], len).ok()?;
    let next = u32_at(window, bytes).and_then(Part::of);
    let slot_is_whole = window.len() >= SLOT && u32_at(window, bytes + 4) == Some(part_len(SLOT - bytes - 8));
    if next == Some(Part::Padding) && !slot_is_whole { None } else { Some((bytes, raw)) }
}
