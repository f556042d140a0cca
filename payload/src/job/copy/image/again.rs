//! An unfinished image that is gone on with. What it holds was read before the interruption, and anything may have happened to
//! the drive since: every frame is read again and compared, and the first difference begins the image anew.

use super::super::{
    digest::Stream,
    look::Shared,
    take::{self, Eyes, Taken, blank_free},
};
use crate::{
    content::Survey,
    engine::{
        frames::{self, FRAME, Got, Pool, Reader, Want, is_zero},
        sweep::{End, Limits},
    },
    imagefile::{Header, Met, WriteError, Writer},
    rescue::{Map, Status},
};
use std::{collections::VecDeque, num::NonZeroU64, ops::Range, path::Path};

/// Zeros for what is free.
static ZEROS: [u8; FRAME] = [0; FRAME];

/// What was there and is the same.
pub(super) struct Begun {
    pub(super) writer: Writer,
    /// Frames before this one are in the image.
    pub(super) from: u64,
    pub(super) map: Map,
    pub(super) before: Taken,
}

/// What the image should be.
pub(super) struct Wanted<'a> {
    pub(super) part: &'a Path,
    pub(super) header: &'a Header,
    pub(super) survey: &'a Survey,
    pub(super) limit: Option<NonZeroU64>,
    pub(super) limits: Limits,
}

/// Takes in what the part holds, each frame compared with the drive. `stream` hashes what the drive gives, as far as that is
/// whole. [`WriteError::Anew`] at the first difference.
pub(super) fn go_on(
    wanted: &Wanted<'_>,
    shared: &Shared<'_>,
    stream: &mut Stream,
    eyes: Eyes<'_>,
) -> Result<Begun, WriteError> {
    let bytes = wanted.header.disk_bytes;
    let mut lane = shared.lane();
    let pool =
        Pool::new(take::BUFFERS).map_err(|error| WriteError::Stopped(format!("no memory for buffers: {error}")))?;
    let mut drive = Drive {
        allocation: wanted.survey.allocation(shared),
        reader: Reader::new(&mut lane, pool, wanted.limits, 0),
        ahead: VecDeque::new(),
        bytes,
    };
    let mut before = Taken::default();
    let mut slots: Vec<(u64, Vec<Range<u64>>)> = Vec::new();
    let mut from = 0;
    let mut compare = |met: Met<'_>| {
        let (got, used) = drive.frame(met.index, eyes.stop)?;
        let at = frames::start(met.index);
        if met.slot {
            // What could not be read whole is tried again from the beginning, behind all that can.
            slots.push((met.index, used.clone()));
        } else {
            let content = same(&met, at, got, &used)?;
            if slots.is_empty() {
                stream.update(content.as_ref().map_or(&ZEROS[..met.raw.len()], |data| data));
            }
        }
        let in_use: u64 = used.iter().map(|range| range.end - range.start).sum();
        before.bytes_read += in_use;
        before.bytes_free += met.raw.len() as u64 - in_use;
        from = met.index + 1;
        (eyes.advanced)(met.raw.len() as u64);
        Ok(used)
    };
    let mut writer = Writer::resume(wanted.part, wanted.limit, wanted.header.clone(), &mut compare)?;
    let mut map = Map::new(bytes);
    map.set(0, frames::start(from).min(bytes), Status::Finished);
    for (index, used) in &slots {
        // What was read of it before the interruption is not believed.
        writer.blank_slot(*index)?;
        used.iter().for_each(|range| map.set(range.start, range.end - range.start, Status::NonTrimmed));
    }
    Ok(Begun { writer, from, map, before })
}

/// The drive as it is now, frame after frame.
struct Drive<'a, 'b> {
    allocation: crate::content::Allocation<'a>,
    reader: Reader<'b>,
    /// What is in use of the frames that were asked for.
    ahead: VecDeque<Vec<Range<u64>>>,
    bytes: u64,
}

impl Drive<'_, '_> {
    fn frame(&mut self, index: u64, stop: &dyn Fn() -> bool) -> Result<(Got, Vec<Range<u64>>), WriteError> {
        let Self { allocation, reader, ahead, bytes } = self;
        let mut want = |index| {
            let used = allocation.used(frames::start(index), frames::len(index, *bytes) as u64);
            let want = if used.is_empty() { Want::Pass(1) } else { Want::Read };
            ahead.push_back(used);
            want
        };
        match reader.next(&mut want, stop) {
            Ok(Some((found, got))) if found == index => Ok((got, ahead.pop_front().unwrap_or_default())),
            Ok(_) => Err(WriteError::Anew("it has more frames than the drive".into())),
            Err(End::Stopped) => Err(WriteError::Stopped("it was stopped".into())),
            Err(End::Failed(error)) => Err(WriteError::Stopped(error.to_string())),
            Err(End::Complete | End::TooManyBad) => Err(WriteError::Stopped("the drive is failing".into())),
        }
    }
}

/// The drive's content of a frame, `None` for zeros, where it is what was stored.
fn same(
    met: &Met<'_>,
    at: u64,
    got: Got,
    used: &[Range<u64>],
) -> Result<Option<crate::engine::frames::Buffer>, WriteError> {
    let differs =
        |at: u64| WriteError::Anew(format!("at byte {at} the drive does not hold what was stored of it then"));
    match got {
        Got::Data(mut data) => {
            blank_free(&mut data, at, used);
            match data.iter().zip(met.raw).position(|(now, then)| now != then) {
                None if data.len() == met.raw.len() => Ok(Some(data)),
                place => Err(differs(at + place.unwrap_or_default() as u64)),
            }
        }
        Got::Passed(_) if is_zero(met.raw) => Ok(None),
        Got::Passed(_) => {
            Err(WriteError::Anew(format!("at byte {at} the drive's file system calls free what was stored")))
        }
        // What is stored may be the last that there is of it.
        Got::Bad(error) => Err(WriteError::Stopped(format!(
            "the unfinished image holds what the drive gave at byte {at}, and that cannot be read any more ({error}); it was left \
             alone. Give the new image another name, or move the .part file and what lies beside it away"
        ))),
    }
}
