//! The first two blocks of a log: what it belongs to, and the stick's key. Two copies, so that a torn write of one leaves
//! the other.

use super::{JournalError, medium::Medium};
use crate::{certify::key::StickKey, stick::ImageId};

/// Bytes of one copy; the second follows right behind, on another physical sector of any drive.
pub const COPY: u64 = 4096;
/// Where frames begin.
pub const FRAMES: u64 = 2 * COPY;

const MAGIC: [u8; 16] = *b"MULE LOG 1      ";
const USED: usize = 512;

/// What both copies say.
#[derive(Clone)]
pub struct Superblock {
    /// Counts rewrites; of two whole copies the higher one holds.
    pub generation: u64,
    /// The image of the stick.
    pub image: ImageId,
    /// BLAKE3 of the identity of the medium the key was made on; on any other medium this is a duplicate.
    pub binding: [u8; 32],
    /// Drawn at the format, never changed: the chain of frames begins with it.
    pub origin: [u8; 32],
    /// The stick's key.
    pub key: StickKey,
}

impl std::fmt::Debug for Superblock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Superblock")
            .field("generation", &self.generation)
            .field("image", &self.image)
            .finish_non_exhaustive()
    }
}

/// What is found where the superblocks belong.
#[derive(Debug)]
pub enum Found {
    /// Both copies are all zeros, as the image was built.
    Blank,
    /// At least one copy is whole; `intact` where both are.
    Whole { superblock: Box<Superblock>, intact: bool },
}

impl Superblock {
    fn encode(&self) -> [u8; USED] {
        let mut bytes = [0; USED];
        bytes[..16].copy_from_slice(&MAGIC);
        bytes[16..24].copy_from_slice(&self.generation.to_le_bytes());
        bytes[24..40].copy_from_slice(&self.image.0);
        bytes[40..72].copy_from_slice(&self.binding);
        bytes[72..104].copy_from_slice(&self.origin);
        bytes[104..136].copy_from_slice(&self.key.seed());
        let crc = crc32fast::hash(&bytes[..USED - 4]);
        bytes[USED - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; USED]) -> Option<Self> {
        let array = |at: usize| bytes.get(at..at + 32)?.try_into().ok();
        let crc = u32::from_le_bytes(bytes[USED - 4..].try_into().ok()?);
        if bytes[..16] != MAGIC || crc32fast::hash(&bytes[..USED - 4]) != crc {
            return None;
        }
        Some(Self {
            generation: u64::from_le_bytes(bytes[16..24].try_into().ok()?),
            image: ImageId(bytes[24..40].try_into().ok()?),
            binding: array(40)?,
            origin: array(72)?,
            key: StickKey::from_seed(array(104)?),
        })
    }

    /// What the first frame's "previous frame" is: frames cannot be moved to another log.
    pub fn anchor(&self) -> [u8; 32] {
        *blake3::hash(&self.origin).as_bytes()
    }

    /// Reads both copies.
    pub fn read(medium: &mut dyn Medium) -> Result<Found, JournalError> {
        if medium.len() < FRAMES + super::MIN_FRAMES {
            return Err(JournalError::TooSmall { len: medium.len() });
        }
        let mut copies = [[0; USED]; 2];
        for (number, copy) in (0..).zip(&mut copies) {
            medium.read_at(number * COPY, copy).map_err(|e| JournalError::io("reading the log's first block", e))?;
        }
        if copies.iter().all(|copy| copy.iter().all(|byte| *byte == 0)) {
            let mut frame = [0; super::SECTOR];
            medium.read_at(FRAMES, &mut frame).map_err(|e| JournalError::io("reading the log", e))?;
            // A log that lost its beginning is no new one.
            return if frame.iter().all(|byte| *byte == 0) {
                Ok(Found::Blank)
            } else {
                Err(JournalError::NoSuperblock)
            };
        }
        let whole: Vec<_> = copies.iter().filter_map(Self::decode).collect();
        let intact = copies[0] == copies[1];
        whole
            .into_iter()
            .max_by_key(|copy| copy.generation)
            .map(|superblock| Found::Whole { superblock: Box::new(superblock), intact })
            .ok_or(JournalError::NoSuperblock)
    }

    /// Writes the copies one after the other, so that one is always whole.
    pub fn write(&self, medium: &mut dyn Medium) -> Result<(), JournalError> {
        let bytes = self.encode();
        [0, COPY].into_iter().try_for_each(|at| {
            medium.write_at(at, &bytes).map_err(|e| JournalError::io("writing the log's first block", e))
        })
    }
}
