//! The write-ahead log of an unfinished image. A slot is filled where it lies, and so is its group's index: were that begun with
//! nothing else on the medium, a power cut could leave the half of either, and everything behind it could not be trusted.
//!
//! So what is to be written lies behind the last group first, as skippable frames (0x184D2A55): a record for each place, and a
//! seal that proves that all of them are there. Only when the seal is on the medium is anything written over; when that is on
//! the medium too, the log is cut off. An unfinished image that ends with a seal holds, in the log, all that a power cut can
//! have torn; one without has nothing torn before its end.
//!
//! A record: `MULEWAL1`, the place in the image (u64), how many bytes it has there (u32), the bytes, CRC-32 of all that. A slot's
//! record is its zstd frame alone; the padding follows from the length. The seal: `MULESEAL`, where the log begins (u64), BLAKE3 of
//! the log up to the seal.

use super::{
    format::{Part, SLOT, u32_at},
    reader::skippable_at,
    volumes::{VolumeError, Volumes},
    writer::hash_range,
};
use std::collections::BTreeMap;

/// A log is put in its place when it is as large as this.
pub(super) const ENOUGH: u64 = 8 << 20;
/// Larger logs are never written.
const LARGEST: u64 = 64 << 20;
const RECORD: &[u8; 8] = b"MULEWAL1";
const SEAL: &[u8; 8] = b"MULESEAL";
/// Bytes of a record before and behind those it is about.
pub(super) const BEFORE: usize = 8 + 8 + 8 + 4;
pub(super) const AFTER: usize = 4;
const SEALED: usize = 8 + 8 + 8 + 32;

/// Bytes for a place in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// How many bytes it has there: more than there are are padding.
    pub(super) len: usize,
    pub(super) bytes: Vec<u8>,
}

impl Record {
    /// What lies at the place in the end.
    pub(super) fn in_place(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        if let Some(padding) = self.len.checked_sub(bytes.len() + 8) {
            bytes.extend(Part::Padding.wrap(&vec![0; padding]));
        }
        bytes
    }

    pub(super) fn encode(&self, at: u64) -> Vec<u8> {
        let len = u32::try_from(self.len).unwrap_or(u32::MAX);
        let mut content = [&RECORD[..], &at.to_le_bytes(), &len.to_le_bytes(), &self.bytes].concat();
        content.extend(crc32fast::hash(&content).to_le_bytes());
        Part::Ahead.wrap(&content)
    }

    /// The whole record at `at`, where there is one.
    pub(super) fn read(volumes: &Volumes, at: u64) -> Result<Option<(u64, Self)>, VolumeError> {
        let Some((Part::Ahead, len)) = skippable_at(volumes, at)? else { return Ok(None) };
        let Some(len) = usize::try_from(len).ok().filter(|len| *len <= SLOT + BEFORE + AFTER) else { return Ok(None) };
        let mut content = vec![0; len];
        volumes.read(at + 8, &mut content)?;
        Ok(Self::decode(&content))
    }

    fn decode(content: &[u8]) -> Option<(u64, Self)> {
        let (body, crc) = content.split_last_chunk::<4>()?;
        let at = body.strip_prefix(RECORD)?.first_chunk::<8>()?;
        let len = u32_at(body, 16)? as usize;
        let bytes = body.get(20..)?.to_vec();
        let fits = bytes.len() == len || bytes.len() + 8 <= len;
        let holds = crc32fast::hash(body) == u32::from_le_bytes(*crc) && len <= SLOT && fits;
        holds.then_some((u64::from_le_bytes(*at), Self { len, bytes }))
    }
}

/// What ends a log that begins at `start` and has this BLAKE3.
pub(super) fn seal(start: u64, hash: &[u8; 32]) -> Vec<u8> {
    Part::Ahead.wrap(&[&SEAL[..], &start.to_le_bytes(), hash].concat())
}

/// A log that was sealed: its places may be torn, or not written over at all.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) start: u64,
    pub(super) records: BTreeMap<u64, Record>,
}

impl Log {
    /// The log at the end of an unfinished image, where there is one and all of it is there.
    pub(super) fn find(volumes: &Volumes) -> Result<Option<Self>, VolumeError> {
        let Some(end) = volumes.len().checked_sub(SEALED as u64) else { return Ok(None) };
        let mut bytes = [0; SEALED];
        volumes.read(end, &mut bytes)?;
        let Some(start) = bytes[16..].first_chunk::<8>().map(|start| u64::from_le_bytes(*start)) else {
            return Ok(None);
        };
        if start > end || end - start > LARGEST || bytes[..] != seal(start, &hash_range(volumes, start, end)?)[..] {
            return Ok(None);
        }
        let (mut at, mut records) = (start, BTreeMap::new());
        while let Some((place, record)) = Record::read(volumes, at)? {
            at += (BEFORE + record.bytes.len() + AFTER) as u64;
            // Of several for one place the last one counts.
            records.insert(place, record);
        }
        Ok((at == end).then_some(Self { start, records }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_and_every_flipped_bit_is_found() {
        for (len, bytes) in [(SLOT, vec![7; 30]), (5, vec![1, 2, 3, 4, 5])] {
            let record = Record { len, bytes };
            let encoded = record.encode(1 << 40);
            assert_eq!(encoded.len(), BEFORE + record.bytes.len() + AFTER);
            assert_eq!(encoded[BEFORE..].strip_suffix(&encoded[encoded.len() - 4..]), Some(&record.bytes[..]));
            assert_eq!(record.in_place().len(), len);
            for bit in 0..8 * (encoded.len() - 8) {
                let mut flipped = encoded[8..].to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Record::decode(&flipped), None, "bit {bit}");
            }
            assert_eq!(Record::decode(&encoded[8..]), Some((1 << 40, record)));
        }
    }
}
