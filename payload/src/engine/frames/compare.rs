//! Reading a drive back against what its frames should hold.

use super::{Got, Pool, Reader, Want, len, start};
use crate::{
    drive::DataPlane,
    engine::{
        extents::Ranges,
        sweep::{End, Limits, Observer},
    },
};

/// What a frame should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Zeros,
    /// Content with this BLAKE3.
    Hash([u8; 32]),
    /// Content of a group of frames: the BLAKE3 over those of its frames begins so.
    Together {
        digest: [u8; 16],
        /// Whether it is the group's first, and its last.
        first: bool,
        last: bool,
    },
    /// It is not looked at.
    Anything,
}

/// What was read back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// Bytes read and equal.
    pub matched: u64,
    /// Frames, or groups of them, that held something else, whole: a hash does not tell which block.
    pub different: Ranges,
    /// Frames of which some block could not be read, whole for the same reason.
    pub unreadable: Ranges,
}

impl Compared {
    /// Whether nothing was found wrong.
    pub fn is_clean(&self) -> bool {
        self.different.is_empty() && self.unreadable.is_empty()
    }
}

/// Blanks what of a frame that was read is not to be compared; the bytes that are left.
pub type Mask<'a> = &'a mut dyn FnMut(u64, &mut [u8]) -> Result<u64, String>;

/// Compares every byte.
pub fn whole(_: u64, data: &mut [u8]) -> Result<u64, String> {
    Ok(data.len() as u64)
}

/// Reads the first `bytes` of a drive from frame `from` on and compares each frame as `mask` leaves it.
pub fn compare(
    plane: &mut dyn DataPlane,
    limits: Limits,
    from: u64,
    bytes: u64,
    expected: &mut dyn FnMut(u64) -> Result<Expected, String>,
    mask: Mask<'_>,
    observer: &mut dyn Observer,
) -> Result<(Compared, End), String> {
    let pool = Pool::new(limits.depth.max(1) + 1).map_err(|error| format!("no memory for buffers: {error}"))?;
    let whole = plane.geometry().bytes();
    let frames = super::count(bytes);
    let mut reader = Reader::new(plane, pool, limits, from);
    let mut found = Compared::default();
    let mut wanted = std::collections::VecDeque::new();
    let mut broken = None;
    let mut group = Group::default();
    loop {
        let stop = || observer.stop();
        let mut want = |index| {
            let this = if index < frames { expected(index) } else { Ok(Expected::Anything) };
            let this = this.unwrap_or_else(|error| {
                broken.get_or_insert(error);
                Expected::Anything
            });
            wanted.push_back(this);
            if this == Expected::Anything { Want::Pass(1) } else { Want::Read }
        };
        let next = reader.next(&mut want, &stop);
        if let Some(error) = broken.take() {
            return Err(error);
        }
        let (index, got) = match next {
            Ok(Some(next)) => next,
            Ok(None) => return Ok((found, End::Complete)),
            Err(end) => return Ok((found, end)),
        };
        // The last frame of a larger drive is read whole; only the part that belongs to the content is compared.
        let length = len(index, bytes.min(whole));
        match (got, wanted.pop_front().unwrap_or(Expected::Anything)) {
            (Got::Passed(_), _) | (_, Expected::Anything) => {
                if index + 1 >= frames {
                    return Ok((found, End::Complete));
                }
                continue;
            }
            (got, Expected::Together { digest, first, last }) => {
                if first {
                    group = Group::default();
                }
                match got {
                    Got::Data(mut data) => {
                        let compared = mask(index, &mut data[..length])?;
                        group.add(start(index), &data[..length], compared);
                    }
                    _ => {
                        group.unreadable = true;
                        found.unreadable.insert(start(index), length as u64);
                    }
                }
                if last {
                    group.end(digest, &mut found);
                }
            }
            (Got::Data(mut data), expected) => {
                let compared = mask(index, &mut data[..length])?;
                if holds(&data[..length], expected) {
                    found.matched += compared;
                } else {
                    found.different.insert(start(index), length as u64);
                }
            }
            (Got::Bad(_), _) => found.unreadable.insert(start(index), length as u64),
        }
        observer.advanced(length as u64);
        if found.different.as_slice().len() + found.unreadable.as_slice().len() > limits.bad_places {
            return Ok((found, End::TooManyBad));
        }
    }
}

/// Frames that are judged together.
#[derive(Default)]
struct Group {
    hasher: blake3::Hasher,
    start: Option<u64>,
    bytes: u64,
    compared: u64,
    /// Of one that cannot be read whole nothing is known of the rest.
    unreadable: bool,
}

impl Group {
    fn add(&mut self, at: u64, data: &[u8], compared: u64) {
        self.hasher.update(blake3::hash(data).as_bytes());
        self.start.get_or_insert(at);
        self.bytes += data.len() as u64;
        self.compared += compared;
    }

    fn end(&self, digest: [u8; 16], found: &mut Compared) {
        match self.start.filter(|_| !self.unreadable) {
            Some(_) if self.hasher.finalize().as_bytes()[..16] == digest => found.matched += self.compared,
            Some(start) => found.different.insert(start, self.bytes),
            None => {}
        }
    }
}

fn holds(data: &[u8], expected: Expected) -> bool {
    match expected {
        Expected::Zeros => is_zero(data),
        Expected::Hash(hash) => *blake3::hash(data).as_bytes() == hash,
        // Not one by one.
        Expected::Together { .. } => false,
        Expected::Anything => true,
    }
}

/// Whether every byte is 0; in words, since a loop over bytes is slow where the compiler does not help.
pub fn is_zero(data: &[u8]) -> bool {
    let (words, rest) = data.as_chunks::<64>();
    words.iter().all(|word| word.iter().fold(0, |all, byte| all | byte) == 0) && rest.iter().all(|byte| *byte == 0)
}
