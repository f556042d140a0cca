//! Going on with an image that was cut short: what is there is unpacked and checked, a torn end is made anew.
//!
//! What is there was read before the interruption, and anything may have happened to the drive since: whoever goes on compares
//! every frame with what the drive holds now. Here what was derived from it is compared: header, states, maps.

use super::{
    ahead::Log,
    codec::Decompressor,
    constant,
    format::{FRAME, GROUP, Header, Part, SLOT, ZSTD, u32_at},
    index::{Index, Run, State},
    reader::skippable,
    volumes::Volumes,
    writer::{WriteError, Writer, part_len},
};
use crate::engine::frames::is_zero;
use std::{num::NonZeroU64, ops::Range, path::Path};
use zstd::zstd_safe;

/// A power cut can tear no more than what was not synced yet, with room for the part that was being written.
const TEARABLE: u64 = (64 << 20) + 8 * SLOT as u64;

/// Enough for any run.
const RUN: usize = constant::packed_len(constant::MOST);
const TORN_END: &str = "a group's index does not fit its frames";

/// A frame that is met again.
#[derive(Debug, Clone, Copy)]
pub struct Met<'a> {
    pub index: u64,
    /// Its content as it is stored.
    pub raw: &'a [u8],
    /// Whether it lies in a slot: some of it could not be read at first.
    pub slot: bool,
}

/// Compares a frame with the drive; the answer is which of it is in use now. [`WriteError::Anew`] where it is not the same.
pub(super) type Again<'a> = &'a mut dyn FnMut(Met<'_>) -> Result<Vec<Range<u64>>, WriteError>;

impl Writer {
    /// Goes on with an unfinished image of the same disk. [`WriteError::Anew`] where it is another than the one that would be
    /// begun now; a differential image cannot be resumed at all.
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
        if there && found != head {
            let known = skippable(&volumes, 0)?.filter(|(part, _)| *part == Part::Header);
            let known = known.and_then(|(_, content)| Header::decode(&content).ok());
            return Err(match known {
                Some(known) if known.is_of_disk(&header) => {
                    WriteError::Anew("how its file systems are read is not the same as then".into())
                }
                _ => WriteError::Another(path.into()),
            });
        }
        if header.base_root.is_some() {
            return Err(WriteError::Anew("an image of what changed cannot be gone on with".into()));
        }
        let mut writer = Self::on(path, volumes, header);
        writer.taking_in = true;
        writer.begin()?;
        if there {
            writer.drop_pending();
            let log = Log::find(&writer.volumes)?;
            writer.walk(again, log.as_ref())?;
            writer.end_of_walk(log)?;
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

    /// Takes in what is whole and cuts off the rest. Where the log has something for a place, what lies there may be torn.
    fn walk(&mut self, again: Again<'_>, log: Option<&Log>) -> Result<(), WriteError> {
        let mut decompressor = Decompressor::new().map_err(WriteError::Codec)?;
        let end = self.volumes.len();
        let mut window = Vec::new();
        while self.next < self.header.frames() {
            let at = self.position;
            let logged = log.and_then(|log| log.records.get(&at));
            if logged.is_some() || !self.take_in_run(&mut window, end, again)? {
                match logged {
                    Some(record) => window = record.in_place(),
                    None => {
                        window.resize(usize::try_from(end - at).unwrap_or(SLOT).min(SLOT + 8), 0);
                        self.volumes.read(at, &mut window)?;
                    }
                }
                let Some((bytes, raw)) = whole(&window, self.header.frame_len(self.next), &mut decompressor) else {
                    return self.torn(at, "no whole frame");
                };
                let slot = is_slot(&window[bytes..]);
                let used = again(Met { index: self.next, raw: &raw, slot })?;
                self.take_in(&window, bytes, &raw, &used)?;
            }
            if !self.ends(end, log)? {
                return self.torn(self.position - self.pending.len() as u64, TORN_END);
            }
        }
        Ok(())
    }

    /// Behind the last frame: a log that was sealed is put in its place, one that was not is gone on with as far as it is whole,
    /// and what else is there is made anew, however long it is.
    fn end_of_walk(&mut self, log: Option<Log>) -> Result<(), WriteError> {
        if self.next != self.header.frames() {
            return Ok(());
        }
        // One that begins elsewhere is no log, but what a frame happens to end with.
        let Some(log) = log.filter(|log| log.start == self.position) else {
            let end = self.take_in_log()?;
            return Ok(self.volumes.cut(end)?);
        };
        for (at, record) in &log.records {
            self.volumes.overwrite(*at, &record.in_place())?;
        }
        self.volumes.sync()?;
        Ok(self.volumes.cut(self.position)?)
    }

    /// Behind a group's last frame its end was made anew: it must be what is there. `false` where that is torn.
    fn ends(&mut self, end: u64, log: Option<&Log>) -> Result<bool, WriteError> {
        if self.pending.is_empty() {
            return Ok(true);
        }
        let fits = self.fits(self.position - self.pending.len() as u64, end, log)?;
        if fits {
            self.drop_pending();
        }
        Ok(fits)
    }

    /// Takes in a run of one value, where one lies here that is whole; every frame of it is met.
    fn take_in_run(&mut self, window: &mut Vec<u8>, end: u64, again: Again<'_>) -> Result<bool, WriteError> {
        window.resize(usize::try_from(end - self.position).unwrap_or(RUN).min(RUN), 0);
        self.volumes.read(self.position, window)?;
        let Some((run, len)) = self.constants.met(window) else { return Ok(false) };
        let group = self.next / GROUP;
        let left = group * GROUP + self.header.group_len(group) - self.next;
        let lens = |header: &Header, next: u64| header.frame_len(next);
        let frames = run.bytes.div_ceil(FRAME) as u64;
        let last = self.next + frames - 1;
        if frames > left || (run.bytes - 1) % FRAME + 1 != lens(&self.header, last) {
            return Ok(false);
        }
        self.table.push((part_len(len), part_len(run.bytes)));
        self.hasher.update(&window[..len]);
        self.position += len as u64;
        let raw = vec![run.value; FRAME];
        for index in self.next..=last {
            let raw = &raw[..lens(&self.header, index)];
            let used = again(Met { index, raw, slot: false })?;
            self.index_run(state_of(run.value == 0, &used), run.value, 1);
            self.advance(1, &used)?;
        }
        Ok(true)
    }

    /// Whether a group's end as it is stored is the one that its frames and the maps give now; `false` where it is torn. Of what
    /// lies in slots the power may have gone between content and hash, where an image was written without a log.
    fn fits(&mut self, at: u64, end: u64, log: Option<&Log>) -> Result<bool, WriteError> {
        let mut stored = vec![0; usize::try_from(end - at.min(end)).unwrap_or(usize::MAX).min(self.pending.len())];
        self.volumes.read(at, &mut stored)?;
        let logged = log.and_then(|log| log.records.get(&at));
        if let Some(record) = logged {
            stored.iter_mut().zip(&record.bytes).for_each(|(stored, logged)| *stored = *logged);
        }
        if stored == self.pending {
            return Ok(true);
        }
        let split = |bytes: &[u8]| -> Option<(Index, Vec<u8>)> {
            let (index, map) = bytes.split_at_checked(8 + u32_at(bytes, 4)? as usize)?;
            Some((Index::decode(index.get(8..)?).ok()?, map.to_vec()))
        };
        let Some((new, map)) = split(&self.pending) else { return Ok(false) };
        // Another index may have another length.
        let old = match logged {
            Some(record) => record.bytes.get(8..).unwrap_or_default().to_vec(),
            None => match skippable(&self.volumes, at)? {
                Some((Part::Index, old)) => old,
                _ => return Ok(false),
            },
        };
        let Ok(index) = Index::decode(&old) else { return Ok(false) };
        let same = |(old, new): (&Run, &Run)| {
            (old.state, old.frames) == (new.state, new.frames) && (old.hash == new.hash || new.state == State::Slot)
        };
        let mut fits = index.runs().len() == new.runs().len() && index.runs().iter().zip(new.runs()).all(same);
        if fits && !map.is_empty() {
            let Some((Part::Used, old_map)) = skippable(&self.volumes, at + 8 + old.len() as u64)? else {
                return Ok(false);
            };
            fits = old_map == map[8..];
        }
        if !fits {
            let start = u64::from(new.group) * GROUP * FRAME as u64;
            let reason = format!("what the file systems call free behind byte {start} is not the same as then");
            return Err(WriteError::Anew(reason));
        }
        self.waiting.stale(new);
        Ok(true)
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
        let slot = is_slot(&window[bytes..]);
        let state = if slot { State::Slot } else { state_of(is_zero(raw), used) };
        let len = if slot { SLOT } else { bytes };
        if slot {
            self.slots.insert(self.next, (self.position, self.table.len()));
            self.dirty.insert(self.groups.len());
        }
        self.index.push(state, *blake3::hash(raw).as_bytes(), 1);
        self.table.push((part_len(bytes), part_len(raw.len())));
        if slot {
            self.table.push((part_len(SLOT - bytes), 0));
        }
        self.hasher.update(&window[..len.min(window.len())]);
        self.position += len as u64;
        self.advance(1, used)
    }
}

/// What a frame is that lies in no slot.
fn state_of(zeros: bool, used: &[Range<u64>]) -> State {
    match zeros {
        false => State::Data,
        true if used.is_empty() => State::Free,
        true => State::Zero,
    }
}

/// Whether what follows a frame says that it lies in a slot.
fn is_slot(behind: &[u8]) -> bool {
    Part::of(u32_at(behind, 0).unwrap_or(0)) == Some(Part::Padding)
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
