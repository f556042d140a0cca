//! One frame on the medium.
//!
//! ```text
//!  0  magic "MFRM"        4
//!  4  version             2   little endian, as all numbers
//!  6  zero                2
//!  8  sequence            8   from 0
//! 16  body length         4
//! 20  previous            32  BLAKE3 of the previous frame up to and with its CRC (of the superblock's origin for the first)
//! 52  body                    postcard of an Entry
//!     CRC-32              4   of everything before
//!     zeros up to the sector
//! ```

use super::event::Entry;
use postcard::experimental::max_size::MaxSize;

/// Frames begin and end at multiples of this, in bytes.
pub const SECTOR: usize = 512;
const HEADER: usize = 52;
const MAGIC: [u8; 4] = *b"MFRM";
const VERSION: u16 = 1;
/// The longest frame.
pub(super) const MAX_FRAME: usize = (HEADER + Entry::POSTCARD_MAX_SIZE + 4).next_multiple_of(SECTOR);
const _: () = assert!(MAX_FRAME <= 4096, "a frame is one small write");

/// A frame that was read and is whole in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub sequence: u64,
    pub previous: [u8; 32],
    pub entry: Entry,
    /// BLAKE3 of this frame.
    pub hash: [u8; 32],
    /// Bytes on the medium, padding included.
    pub len: usize,
}

/// Why bytes are no whole frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadFrame {
    /// All zeros: never written.
    #[error("nothing was written here")]
    Blank,
    #[error("the frame's header is damaged")]
    Header,
    #[error("the frame was written by another version of this program")]
    Version,
    #[error("the frame's checksum does not agree")]
    Checksum,
    #[error("the frame's body says nothing this version understands")]
    Body,
    #[error("the frame's padding is not zero")]
    Padding,
    #[error("the medium cannot be read here")]
    Unreadable,
}

impl BadFrame {
    /// Whether a write that the power cut short can leave this. A checksum that agrees means that it did not.
    pub(super) fn may_be_torn(self) -> bool {
        matches!(self, Self::Header | Self::Checksum)
    }
}

/// The bytes of a frame, padded to the sector, and its hash.
pub(super) fn encode(
    sequence: u64,
    previous: &[u8; 32],
    entry: &Entry,
) -> Result<(Vec<u8>, [u8; 32]), postcard::Error> {
    let mut bytes = vec![0; MAX_FRAME];
    let body = postcard::to_slice(entry, &mut bytes[HEADER..MAX_FRAME - 4])?.len();
    let length = u32::try_from(body).map_err(|_| postcard::Error::SerializeBufferFull)?;
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
    bytes[8..16].copy_from_slice(&sequence.to_le_bytes());
    bytes[16..20].copy_from_slice(&length.to_le_bytes());
    bytes[20..52].copy_from_slice(previous);
    let end = HEADER + body;
    let crc = crc32fast::hash(&bytes[..end]);
    bytes[end..end + 4].copy_from_slice(&crc.to_le_bytes());
    let hash = *blake3::hash(&bytes[..end + 4]).as_bytes();
    bytes.truncate((end + 4).next_multiple_of(SECTOR));
    Ok((bytes, hash))
}

/// The frame at the start of `bytes` (as much of [`MAX_FRAME`] bytes as there is). No length in it is trusted.
pub(super) fn decode(bytes: &[u8]) -> Result<Frame, BadFrame> {
    let number = |at: usize| bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
    let header = bytes.get(..HEADER).ok_or(BadFrame::Header)?;
    if bytes.get(..SECTOR) == Some(&[0; SECTOR][..]) {
        return Err(BadFrame::Blank);
    }
    let length = u32::from_le_bytes(header[16..20].try_into().map_err(|_| BadFrame::Header)?) as usize;
    if header[..4] != MAGIC {
        return Err(BadFrame::Header);
    }
    let end = HEADER + length.min(MAX_FRAME);
    let stored = bytes.get(end..end + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    if stored.is_none_or(|stored| stored != crc32fast::hash(&bytes[..end])) {
        return Err(BadFrame::Checksum);
    }
    if header[4..6] != VERSION.to_le_bytes() || header[6..8] != [0, 0] {
        return Err(BadFrame::Version);
    }
    let len = (end + 4).next_multiple_of(SECTOR);
    if bytes.get(end + 4..len).is_none_or(|padding| padding.iter().any(|byte| *byte != 0)) {
        return Err(BadFrame::Padding);
    }
    let entry = match postcard::take_from_bytes::<Entry>(&bytes[HEADER..end]) {
        Ok((entry, [])) => entry,
        _ => return Err(BadFrame::Body),
    };
    Ok(Frame {
        sequence: number(8).ok_or(BadFrame::Header)?,
        previous: header[20..52].try_into().map_err(|_| BadFrame::Header)?,
        entry,
        hash: *blake3::hash(&bytes[..end + 4]).as_bytes(),
        len,
    })
}
