//! A plain SCSI disk of 512-byte blocks whose cells are a file: it shows that the transport carries what it should.

use crate::target::{Answer, DataPhase, Target};
use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
};

const BLOCK: u64 = 512;
const CHECK_CONDITION: u8 = 2;

/// Sense key, additional sense code and its qualifier (SPC-5 table 48 and annex F).
pub(crate) type Sense = (u8, u8, u8);
const MEDIUM_ERROR: Sense = (3, 0x0c, 0);
const UNRECOVERED_READ: Sense = (3, 0x11, 0);
const INVALID_COMMAND: Sense = (5, 0x20, 0);
const OUT_OF_RANGE: Sense = (5, 0x21, 0);
const INVALID_FIELD: Sense = (5, 0x24, 0);

/// The disk.
#[derive(Debug)]
pub struct FileDisk {
    serial: String,
    file: File,
    blocks: u64,
}

impl FileDisk {
    /// A disk whose cells are a file that is there.
    ///
    /// # Errors
    /// Where the file cannot be opened or measured.
    pub fn open(serial: &str, path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let blocks = file.metadata()?.len() / BLOCK;
        Ok(Self { serial: serial.into(), file, blocks })
    }

    pub(crate) fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Lets so many blocks be addressed; the file keeps the others.
    pub(crate) fn show(&mut self, blocks: u64) {
        self.blocks = blocks;
    }

    /// What a command that sends data sends.
    fn answer(&self, cdb: &[u8]) -> Result<Vec<u8>, Sense> {
        match cdb[0] {
            // TEST UNIT READY, START STOP UNIT
            0x00 | 0x1b => Ok(Vec::new()),
            0x12 => self.inquiry(cdb[1] & 1 == 1, cdb[2]),
            // MODE SENSE (6) and (10): no pages, not write protected.
            0x1a => Ok(vec![3, 0, 0, 0]),
            0x5a => Ok(vec![0, 6, 0, 0, 0, 0, 0, 0]),
            0x25 => {
                let last = u32::try_from(self.blocks - 1).unwrap_or(u32::MAX);
                Ok([last.to_be_bytes(), 512_u32.to_be_bytes()].concat())
            }
            0x9e if cdb[1] & 0x1f == 0x10 => {
                let mut out = vec![0; 32];
                out[..8].copy_from_slice(&(self.blocks - 1).to_be_bytes());
                out[8..12].copy_from_slice(&512_u32.to_be_bytes());
                Ok(out)
            }
            // REPORT LUNS: LUN 0.
            0xa0 => Ok([vec![0, 0, 0, 8], vec![0; 12]].concat()),
            _ => Err(INVALID_COMMAND),
        }
    }

    fn inquiry(&self, of_product: bool, page: u8) -> Result<Vec<u8>, Sense> {
        match (of_product, page) {
            (false, 0) => Ok([&[0, 0, 6, 2, 31, 0, 0, 2], &b"MULE    FILE DISK       0001"[..]].concat()),
            (true, 0) => Ok(vital(0, &[0, 0x80])),
            (true, 0x80) => Ok(vital(0x80, self.serial.as_bytes())),
            _ => Err(INVALID_FIELD),
        }
    }

    /// First block and number of blocks of a read or write command.
    pub(crate) fn blocks_of(&self, cdb: &[u8]) -> Result<(u64, u64), Sense> {
        let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
        let (lba, count) = match cdb[0] & 0xe0 {
            0x20 => (number(&cdb[2..6]), number(&cdb[7..9])),
            _ => (number(&cdb[2..10]), number(&cdb[10..14])),
        };
        match lba.checked_add(count) {
            Some(end) if end <= self.blocks => Ok((lba, count)),
            _ => Err(OUT_OF_RANGE),
        }
    }

    /// Reads or writes blocks, as the data phase goes.
    pub(crate) fn access(&self, first: u64, count: u64, data: &mut DataPhase<'_>) -> Answer {
        self.transfer(first, count, data).map_or_else(failed, Answer::good)
    }

    fn transfer(&self, first: u64, count: u64, data: &mut DataPhase<'_>) -> Result<usize, Sense> {
        let len = usize::try_from(count * BLOCK).unwrap_or(usize::MAX);
        match data {
            DataPhase::In(buf) => {
                let buf = buf.get_mut(..len).ok_or(INVALID_FIELD)?;
                self.file.read_exact_at(buf, first * BLOCK).map_err(|_| UNRECOVERED_READ)?;
            }
            DataPhase::Out(buf) => {
                let buf = buf.get(..len).ok_or(INVALID_FIELD)?;
                self.file.write_all_at(buf, first * BLOCK).map_err(|_| MEDIUM_ERROR)?;
            }
            DataPhase::None if len > 0 => return Err(INVALID_FIELD),
            DataPhase::None => {}
        }
        Ok(len)
    }

    /// Writes cells, whether they can be addressed or not.
    pub(crate) fn write_cells(&self, first: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, first * BLOCK)
    }

    fn run(&self, cdb: &[u8], mut data: DataPhase<'_>) -> Result<usize, Sense> {
        match (cdb[0], &mut data) {
            (0x28 | 0x88, DataPhase::In(_)) | (0x2a | 0x8a, DataPhase::Out(_)) => {
                let (first, count) = self.blocks_of(cdb)?;
                self.transfer(first, count, &mut data)
            }
            // SYNCHRONIZE CACHE (10) and (16)
            (0x35 | 0x91, _) => self.file.sync_data().map(|()| 0).map_err(|_| MEDIUM_ERROR),
            (_, DataPhase::In(buf)) => {
                let answer = self.answer(cdb)?;
                let len = answer.len().min(buf.len());
                buf[..len].copy_from_slice(&answer[..len]);
                Ok(len)
            }
            _ => self.answer(cdb).map(|_| 0),
        }
    }
}

impl Target for FileDisk {
    fn execute(&mut self, cdb: &[u8], data: DataPhase<'_>) -> Answer {
        if cdb.len() < 16 {
            return failed(INVALID_COMMAND);
        }
        match self.run(cdb, data) {
            Ok(transferred) => Answer::good(transferred),
            Err(sense) => failed(sense),
        }
    }
}

/// A page of vital product data (SPC-5, section 7.7).
pub(crate) fn vital(page: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).unwrap_or(0).to_be_bytes();
    [&[0, page], &len[..], body].concat()
}

/// CHECK CONDITION with fixed-format sense data (SPC-5, section 4.4.3).
pub(crate) fn failed((key, code, qualifier): Sense) -> Answer {
    let mut sense = vec![0; 18];
    (sense[0], sense[2], sense[7], sense[12], sense[13]) = (0x70, key, 10, code, qualifier);
    Answer { status: CHECK_CONDITION, sense, ..Answer::default() }
}
