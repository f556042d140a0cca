//! The first two blocks of a log: what it belongs to, and the stick's key. Two copies, so that a torn write of one leaves
//! the other.
//!
//! A key is bound to what the medium says of itself (model, serial number, size), so that a copied stick does not sign with the
//! key of the one it was copied from. Some sticks say otherwise behind another port, bridge or driver. Nobody can tell that from
//! a copy, so such a stick gets a key of its own there; the old one is put aside, and is the key again where the medium says
//! what it said then. No key is ever lost. Of a copied stick that means what copying means: both media hold the key, and what
//! one of them is used for is decided by what it says of itself.

use super::{JournalError, medium::Medium};
use crate::certify::key::StickKey;
use mule_types::stick::ImageId;
use zeroize::Zeroizing;

/// Bytes of one copy; the second follows right behind, on another physical sector of any drive.
pub const COPY: u64 = 4096;
/// Where frames begin.
pub const FRAMES: u64 = 2 * COPY;

const MAGIC: [u8; 16] = *b"MULE LOG 1      ";
/// All of a copy. Its first sector ends with a checksum of itself; the keys put aside are in the other ones, and their checksum
/// is in the first.
const USED: usize = 4096;
const HEAD: usize = 512;
/// A key put aside: the binding, the seed.
const ASIDE: usize = 64;
/// Keys that can be put aside.
pub const MAX_ASIDE: usize = (USED - HEAD) / ASIDE;
const PLACES: [u64; 2] = [0, COPY];

/// What both copies say.
#[derive(Clone)]
pub struct Superblock {
    /// Counts rewrites; of two whole copies the higher one holds.
    pub generation: u64,
    /// The image of the stick.
    pub image: ImageId,
    /// BLAKE3 of the identity of what the key was made on (a stick, a host); on anything else this is a duplicate.
    pub binding: [u8; 32],
    /// Drawn at the format, never changed: the chain of frames begins with it.
    pub origin: [u8; 32],
    /// The stick's key.
    pub key: StickKey,
    /// Keys that were made for what the medium says of itself elsewhere, or on the medium that this one is a copy of.
    pub aside: Vec<Aside>,
}

/// A key that is put aside.
#[derive(Debug, Clone)]
pub struct Aside {
    /// As [`Superblock::binding`].
    pub binding: [u8; 32],
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
    fn encode(&self) -> Zeroizing<[u8; USED]> {
        let mut bytes = Zeroizing::new([0; USED]);
        bytes[..16].copy_from_slice(&MAGIC);
        bytes[16..24].copy_from_slice(&self.generation.to_le_bytes());
        bytes[24..40].copy_from_slice(&self.image.0);
        bytes[40..72].copy_from_slice(&self.binding);
        bytes[72..104].copy_from_slice(&self.origin);
        bytes[104..136].copy_from_slice(&*self.key.seed());
        for (place, aside) in bytes[HEAD..].chunks_exact_mut(ASIDE).zip(&self.aside) {
            place[..32].copy_from_slice(&aside.binding);
            place[32..].copy_from_slice(&*aside.key.seed());
        }
        if !self.aside.is_empty() {
            let count = u32::try_from(self.aside.len().min(MAX_ASIDE)).unwrap_or_default();
            bytes[136..140].copy_from_slice(&count.to_le_bytes());
            let crc = crc32fast::hash(&bytes[HEAD..]);
            bytes[140..144].copy_from_slice(&crc.to_le_bytes());
        }
        let crc = crc32fast::hash(&bytes[..HEAD - 4]);
        bytes[HEAD - 4..HEAD].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; USED]) -> Option<Self> {
        let array = |at: usize| bytes.get(at..at + 32)?.try_into().ok();
        let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        if bytes[..16] != MAGIC || crc32fast::hash(&bytes[..HEAD - 4]) != number(HEAD - 4)? {
            return None;
        }
        let count = usize::try_from(number(136)?).ok().filter(|count| *count <= MAX_ASIDE)?;
        if count > 0 && crc32fast::hash(&bytes[HEAD..]) != number(140)? {
            return None;
        }
        let aside = |place: &[u8]| {
            let key = StickKey::from_seed(place.get(32..)?.try_into().ok()?);
            Some(Aside { binding: place.get(..32)?.try_into().ok()?, key })
        };
        Some(Self {
            generation: u64::from_le_bytes(bytes[16..24].try_into().ok()?),
            image: ImageId(bytes[24..40].try_into().ok()?),
            binding: array(40)?,
            origin: array(72)?,
            key: StickKey::from_seed(bytes.get(104..136)?.try_into().ok()?),
            aside: bytes[HEAD..].chunks_exact(ASIDE).take(count).map(aside).collect::<Option<_>>()?,
        })
    }

    /// Binds the log to what the medium says of itself now: with the key that was made for that, else with `new`. The key so far
    /// is put aside. Says whether the key was there.
    ///
    /// # Errors
    /// [`JournalError::TooManyKeys`] where no more can be put aside: none is dropped.
    pub fn rebind(
        &mut self,
        binding: [u8; 32],
        new: impl FnOnce() -> Result<StickKey, JournalError>,
    ) -> Result<bool, JournalError> {
        let found = self.aside.iter().position(|aside| aside.binding == binding);
        let key = match found {
            Some(place) => self.aside.remove(place).key,
            None if self.aside.len() >= MAX_ASIDE => return Err(JournalError::TooManyKeys),
            None => new()?,
        };
        let old = Aside { binding: self.binding, key: std::mem::replace(&mut self.key, key) };
        self.aside.push(old);
        self.binding = binding;
        Ok(found.is_some())
    }

    /// What the first frame's "previous frame" is: frames cannot be moved to another log.
    pub fn anchor(&self) -> [u8; 32] {
        *blake3::hash(&self.origin).as_bytes()
    }

    /// Reads both copies. One that cannot be read is as good as a damaged one where the other is whole.
    ///
    /// # Errors
    /// [`JournalError::Unreadable`] where no copy is whole and one cannot be read: it may have been.
    pub fn read(medium: &mut dyn Medium) -> Result<Found, JournalError> {
        if medium.len() < FRAMES + super::MIN_FRAMES {
            return Err(JournalError::TooSmall { len: medium.len() });
        }
        let mut copies = Zeroizing::new([[0; USED]; 2]);
        let mut failed = None;
        for (at, copy) in PLACES.into_iter().zip(copies.iter_mut()) {
            if let Err(error) = medium.read_at(at, copy) {
                failed.get_or_insert_with(|| JournalError::unreadable(at, &error));
            }
        }
        let intact = failed.is_none() && copies[0] == copies[1];
        let whole = copies.iter().filter_map(Self::decode).max_by_key(|copy| copy.generation);
        if let Some(superblock) = whole {
            return Ok(Found::Whole { superblock: Box::new(superblock), intact });
        }
        if let Some(error) = failed {
            return Err(error);
        }
        if *copies != [[0; USED]; 2] {
            return Err(JournalError::NoSuperblock);
        }
        // A log that lost its beginning is no new one.
        let mut frame = [0; super::SECTOR];
        medium.read_at(FRAMES, &mut frame).map_err(|error| JournalError::unreadable(FRAMES, &error))?;
        if frame == [0; super::SECTOR] { Ok(Found::Blank) } else { Err(JournalError::NoSuperblock) }
    }

    /// Writes the copies one after the other, so that one is always whole.
    pub fn write(&self, medium: &mut dyn Medium) -> Result<(), JournalError> {
        let bytes = self.encode();
        PLACES.into_iter().try_for_each(|at| {
            medium.write_at(at, &*bytes).map_err(|e| JournalError::io("writing the log's first block", e))
        })
    }

    /// Writes a damaged copy anew, leaving a whole one as it is, and reads both back.
    pub fn repair(&self, medium: &mut dyn Medium) -> Result<(), JournalError> {
        const DOING: &str = "repairing the log's first block";
        let bytes = self.encode();
        for at in PLACES {
            let mut copy = Zeroizing::new([0; USED]);
            if medium.read_at(at, &mut *copy).is_err() || *copy != *bytes {
                medium.write_at(at, &*bytes).map_err(|error| JournalError::io(DOING, error))?;
            }
        }
        match Self::read(medium)? {
            Found::Whole { intact: true, .. } => Ok(()),
            _ => Err(JournalError::Io { doing: DOING, detail: "a copy does not keep what is written to it".into() }),
        }
    }
}
