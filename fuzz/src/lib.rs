//! What the fuzz targets share: disks that take few bytes, files in memory, checksums made to fit.
#![forbid(unsafe_code)]

use mule::{blocks::ReadAt, certify::key::StickKey};
use std::{collections::BTreeMap, fs, io, path::PathBuf};

const SECTOR: usize = 512;
/// The largest disk: what is read in a fraction of a second.
const MAX_SECTORS: u64 = 1 << 19;
/// Sectors that are stored: 32 MiB.
const MAX_STORED: usize = 1 << 16;

/// A disk of zeros but for the sectors that the input has. `fuzz/seeds` writes the form that is read here: flags (u8), size in
/// sectors (u32), then records of 8 bytes: sector (u32), count (u8), fill (u8), kind (u8), unused (u8). Kind 0 is followed by
/// one sector's bytes, any other fills `count` sectors with `fill`. Numbers are little-endian.
#[derive(Debug, Clone)]
pub struct Sparse {
    pub flags: u8,
    sectors: u64,
    stored: BTreeMap<u64, [u8; SECTOR]>,
}

impl Sparse {
    /// With bit 0 of the flags, checksums are made to fit, so that what lies behind them is reached.
    pub fn new(input: &[u8]) -> Option<Self> {
        let (head, mut rest) = input.split_first_chunk::<5>()?;
        let sectors = u64::from(number(head, 1)?) % MAX_SECTORS;
        let mut disk = Self { flags: head[0], sectors, stored: BTreeMap::new() };
        while let Some((head, data)) = rest.split_first_chunk::<8>() {
            rest = data;
            let first = u64::from(number(head, 0)?);
            let (fill, count) = ([head[5]; SECTOR], u64::from(head[4]));
            if head[6] != 0 {
                (first..first + count).for_each(|sector| disk.store(sector, fill));
            } else if let Some((bytes, data)) = data.split_first_chunk::<SECTOR>() {
                disk.store(first, *bytes);
                rest = data;
            } else {
                let mut bytes = [0; SECTOR];
                bytes[..data.len()].copy_from_slice(data);
                disk.store(first, bytes);
                rest = &[];
            }
        }
        Some(disk)
    }

    fn store(&mut self, sector: u64, bytes: [u8; SECTOR]) {
        if sector < self.sectors && self.stored.len() < MAX_STORED {
            self.stored.insert(sector, bytes);
        }
    }

    pub fn write(&mut self, offset: u64, data: &[u8]) {
        for (at, byte) in (offset..).zip(data) {
            let sector = self.stored.entry(at / SECTOR as u64).or_insert([0; SECTOR]);
            sector[(at % SECTOR as u64) as usize] = *byte;
        }
    }

    fn bytes(&self, offset: u64, len: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.read_at(offset, &mut bytes).ok().map(|()| bytes)
    }

    /// Makes the checksums of partition tables (GPT) and of exFAT's boot sectors fit.
    pub fn fit_disk(&mut self) {
        let tables: Vec<_> = self.stored.iter().filter(|(_, bytes)| bytes.starts_with(b"EFI PART")).collect();
        let tables: Vec<_> = tables.into_iter().map(|(sector, bytes)| (*sector, *bytes)).collect();
        for (sector, mut header) in tables {
            let entries = u64::from_le_bytes(header[72..80].try_into().unwrap_or_default());
            let len = u64::from(number(&header, 80).unwrap_or(0)) * u64::from(number(&header, 84).unwrap_or(0));
            let bytes = entries.checked_mul(512).filter(|_| len < 1 << 17).and_then(|at| self.bytes(at, len as usize));
            if let Some(bytes) = bytes {
                header[88..92].copy_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
            }
            header[16..20].fill(0);
            let crc = crc32fast::hash(&header[..92]);
            header[16..20].copy_from_slice(&crc.to_le_bytes());
            self.store(sector, header);
        }
        if self.stored.get(&0).is_some_and(|boot| &boot[3..11] == b"EXFAT   ")
            && let Some(boot) = self.bytes(0, 11 * SECTOR)
        {
            let counted = boot.iter().enumerate().filter(|(at, _)| !matches!(at, 106 | 107 | 112));
            let sum = counted.fold(0_u32, |sum, (_, byte)| sum.rotate_right(1).wrapping_add((*byte).into()));
            self.write(11 * SECTOR as u64, &sum.to_le_bytes().repeat(SECTOR / 4));
        }
    }

    /// Makes the first block and the chain of frames of a log fit.
    pub fn fit_log(&mut self) {
        let mut origin = [0; 32];
        for at in [0, 4096] {
            let Some(mut block) = self.bytes(at, SECTOR) else { return };
            let crc = crc32fast::hash(&block[..SECTOR - 4]);
            block[SECTOR - 4..].copy_from_slice(&crc.to_le_bytes());
            self.write(at, &block);
            origin.copy_from_slice(&block[72..104]);
        }
        let mut previous = *blake3::hash(&origin).as_bytes();
        let mut at = 8192;
        for sequence in 0_u64.. {
            let Some(mut frame) = self.bytes(at, 4096).filter(|frame| frame.starts_with(b"MFRM")) else { return };
            let body = (number(&frame, 16).unwrap_or(0) as usize).min(4096 - 56);
            frame[8..16].copy_from_slice(&sequence.to_le_bytes());
            frame[20..52].copy_from_slice(&previous);
            frame[16..20].copy_from_slice(&(body as u32).to_le_bytes());
            let end = 52 + body;
            let crc = crc32fast::hash(&frame[..end]);
            frame[end..end + 4].copy_from_slice(&crc.to_le_bytes());
            self.write(at, &frame[..end + 4]);
            previous = *blake3::hash(&frame[..end + 4]).as_bytes();
            at += (end + 4).next_multiple_of(SECTOR) as u64;
        }
    }
}

impl ReadAt for Sparse {
    fn size(&self) -> u64 {
        self.sectors * SECTOR as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(buf.len() as u64).filter(|end| *end <= self.size());
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.fill(0);
        let first = offset / SECTOR as u64;
        for (sector, bytes) in self.stored.range(first..end.div_ceil(SECTOR as u64).max(first)) {
            let start = sector * SECTOR as u64;
            let (from, to) = (start.max(offset), (start + SECTOR as u64).min(end));
            buf[(from - offset) as usize..(to - offset) as usize]
                .copy_from_slice(&bytes[(from - start) as usize..(to - start) as usize]);
        }
        Ok(())
    }
}

pub fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Makes the checksums of an image's group indexes fit.
pub fn fit_image(image: &mut [u8]) {
    const MAGIC: &[u8] = b"MULEIDX2";
    let places: Vec<_> =
        image.windows(MAGIC.len()).enumerate().filter(|(_, w)| *w == MAGIC).map(|(at, _)| at).collect();
    for at in places {
        let Some(count) = number(image, at + 16).filter(|count| *count <= 1024) else { continue };
        let end = at + 20 + 35 * count as usize;
        if end + 4 <= image.len() {
            let crc = crc32fast::hash(&image[at..end]);
            image[end..end + 4].copy_from_slice(&crc.to_le_bytes());
        }
    }
}

/// An image whose slots take few bytes: behind the head of a padding (a skippable frame) its zeros are put in.
pub fn expand(image: &[u8]) -> Vec<u8> {
    const PADDING: [u8; 4] = 0x184d_2a53_u32.to_le_bytes();
    let mut bytes = Vec::new();
    let mut rest = image;
    while let Some(at) = rest.windows(4).position(|word| word == PADDING) {
        let (now, later) = rest.split_at((at + 8).min(rest.len()));
        bytes.extend_from_slice(now);
        let len = number(now, at + 4).unwrap_or(0) as usize;
        if len <= 2 << 20 && bytes.len() < 8 << 20 {
            bytes.resize(bytes.len() + len, 0);
        }
        rest = later;
    }
    bytes.extend_from_slice(rest);
    bytes
}

/// Where a target's files lie: in memory, in a folder of this process's own, which the next run clears away.
pub fn scratch(name: &str) -> PathBuf {
    let dir = PathBuf::from(std::env::var_os("MULE_FUZZ_SCRATCH").unwrap_or_else(|| "/dev/shm/mule-fuzz".into()));
    let dir = dir.join(std::process::id().to_string());
    fs::create_dir_all(&dir).expect("a folder for the files");
    dir.join(name)
}

/// Anybody can sign: this is the fuzzer's key.
pub fn key() -> StickKey {
    StickKey::from_seed(&[7; 32])
}
