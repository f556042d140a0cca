//! The stamp: what a sector holds before a wipe, so that any remnant of it can be told, wherever it lies.
//!
//! Every 16 bytes of a stamped disk are the disk's tag followed by their own byte address (little endian). A tag is an
//! aligned 8-byte word, so a single surviving 16-byte unit of any sector shows; random data holds a given 8-byte word in
//! a 64 MiB disk with a chance below one in 2^41.

use crate::disk::SECTOR;

const UNIT: usize = 16;

/// The word that marks everything that belongs to one disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tag([u8; 8]);

impl Tag {
    /// `MULE` and 32 bits of the serial number's FNV-1a hash.
    pub(crate) fn of(serial: &str) -> Self {
        let hash =
            serial.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let [a, b, c, d] = hash.to_le_bytes();
        Self([b'M', b'U', b'L', b'E', a, b, c, d])
    }

    /// The 512 bytes of a sector.
    pub(crate) fn sector(self, lba: u64) -> [u8; 512] {
        let mut sector = [0; 512];
        self.fill(&mut sector, lba * SECTOR);
        sector
    }

    /// What `buf.len()` bytes from byte `address` on hold (both multiples of a unit).
    pub(crate) fn fill(self, buf: &mut [u8], address: u64) {
        for (unit, at) in buf.chunks_exact_mut(UNIT).zip((address..).step_by(UNIT)) {
            unit[..8].copy_from_slice(&self.0);
            unit[8..].copy_from_slice(&at.to_le_bytes());
        }
    }

    /// Offset of the first remnant in `buf`; `buf` starts at a multiple of 8 bytes on the disk.
    pub(crate) fn find(self, buf: &[u8]) -> Option<usize> {
        buf.chunks_exact(8).position(|word| word == self.0).map(|n| n * 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sector_says_whose_and_where_it_is() {
        let tag = Tag::of("A");
        let sector = tag.sector(3);
        assert_eq!(&sector[..4], b"MULE");
        assert_eq!(sector[8..16], (3u64 * 512).to_le_bytes());
        assert_eq!(sector[504..], (3u64 * 512 + 496).to_le_bytes());
        assert_ne!(tag, Tag::of("B"));
        assert_ne!(tag.sector(3), tag.sector(4));
    }

    #[test]
    fn one_surviving_unit_is_found() {
        let tag = Tag::of("A");
        let mut wiped = vec![0; 4096];
        assert_eq!(tag.find(&wiped), None);
        wiped[1040..1056].copy_from_slice(&tag.sector(9)[16..32]);
        assert_eq!(tag.find(&wiped), Some(1040));
        assert_eq!(Tag::of("B").find(&wiped), None);
    }
}
