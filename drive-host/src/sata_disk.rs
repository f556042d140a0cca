//! A SATA disk behind a SCSI / ATA Translation layer: what hides sectors of it (HPA and DCO), as hdparm and smartctl know it.
//! Its cells are a file with every sector it ever had, shown or not.

use crate::{
    file_disk::{FileDisk, failed, vital},
    target::{Answer, DataPhase, Target},
};
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

const MODEL: &str = "MULE MODELLED SATA DISK";
const FIRMWARE: &str = "MODEL1.0";
/// Commands (ATA8-ACS, 7).
const IDENTIFY: u8 = 0xec;
const READ_NATIVE_MAX: u8 = 0xf8;
const READ_NATIVE_MAX_EXT: u8 = 0x27;
const SET_MAX: u8 = 0xf9;
const SET_MAX_EXT: u8 = 0x37;
const CONFIGURATION: u8 = 0xb1;

/// The registers of a command, and whether it has 48 bits.
#[derive(Debug, Clone, Copy)]
struct Taskfile {
    command: u8,
    features: u16,
    count: u16,
    lba: u64,
    extended: bool,
    /// The initiator wants the registers even of a command that ends well.
    check: bool,
}

/// COUNT and LBA of a command that ended well; `Err` is ABRT.
type Ended = Result<(u16, u64), ()>;

#[derive(Debug)]
pub(crate) struct SataDisk {
    disk: FileDisk,
    serial: String,
    /// Sectors that it had when it was made, that it has without a Host Protected Area, and that can be addressed.
    factory: u64,
    native: u64,
    visible: u64,
    /// What it shows after its next power-on, where a limit was not to outlast that.
    lasting: u64,
    native_was_read: bool,
    /// A limit for good is taken once in a power cycle.
    limit_was_set: bool,
    /// SET MAX and DCO RESTORE succeed and do nothing.
    lies: bool,
}

impl SataDisk {
    /// `SERIAL=PATH[,hpa=SECTORS][,dco=SECTORS][,lies]`: how many sectors a Host Protected Area and a Device Configuration
    /// Overlay leave.
    pub(crate) fn from_text(text: &str) -> Result<Self> {
        let mut words = text.split(',');
        let (serial, path) = words.next().and_then(|first| first.split_once('=')).context("SERIAL=PATH comes first")?;
        let disk = FileDisk::open(serial, Path::new(path)).with_context(|| format!("opening {path}"))?;
        let factory = disk.blocks();
        let (mut native, mut visible, mut lies) = (factory, None, false);
        for word in words {
            match word.split_once('=') {
                Some(("hpa", sectors)) => visible = Some(sectors.parse().context("the sectors of hpa")?),
                Some(("dco", sectors)) => native = sectors.parse().context("the sectors of dco")?,
                None if word == "lies" => lies = true,
                _ => bail!("{word:?} is nothing of a SATA disk"),
            }
        }
        let visible = visible.unwrap_or(native);
        ensure!(visible > 0 && visible <= native && native <= factory, "{visible}, {native} and {factory} sectors");
        let mut made = Self {
            disk,
            serial: serial.into(),
            factory,
            native,
            visible,
            lasting: visible,
            native_was_read: false,
            limit_was_set: false,
            lies,
        };
        made.show(visible);
        Ok(made)
    }

    fn show(&mut self, sectors: u64) {
        self.visible = sectors;
        self.disk.show(sectors);
    }

    fn run(&mut self, task: Taskfile, data: &mut DataPhase<'_>) -> Ended {
        let native_was_read = std::mem::take(&mut self.native_was_read);
        match (task.command, data) {
            (IDENTIFY, DataPhase::In(buf)) => fill(buf, &self.identify()),
            (CONFIGURATION, DataPhase::In(buf)) if task.features & 0xff == 0xc2 => fill(buf, &self.configuration()),
            (READ_NATIVE_MAX | READ_NATIVE_MAX_EXT, DataPhase::None) => {
                self.native_was_read = true;
                let most = if task.command == READ_NATIVE_MAX { 0x0fff_ffff } else { u64::MAX };
                Ok((0, (self.native - 1).min(most)))
            }
            (SET_MAX | SET_MAX_EXT, DataPhase::None) if native_was_read && task.lba < self.native => {
                let lasting = task.count & 1 == 1;
                if lasting && self.limit_was_set {
                    return Err(());
                }
                self.limit_was_set |= lasting;
                if !self.lies {
                    self.show(task.lba + 1);
                    self.lasting = if lasting { self.visible } else { self.lasting };
                }
                Ok((0, task.lba))
            }
            // It restores nothing while a Host Protected Area is set.
            (CONFIGURATION, DataPhase::None) if task.features & 0xff == 0xc0 && self.visible == self.native => {
                if !self.lies {
                    self.native = self.factory;
                    self.lasting = self.factory;
                    self.show(self.factory);
                }
                Ok((0, 0))
            }
            // FLUSH CACHE (EXT), CHECK POWER MODE: active.
            (0xe7 | 0xea, DataPhase::None) => Ok((0, 0)),
            (0xe5, DataPhase::None) => Ok((0xff, 0)),
            _ => Err(()),
        }
    }

    /// IDENTIFY DEVICE data (ATA8-ACS, 7.16.7).
    fn identify(&self) -> [u8; 512] {
        let mut words = [0_u16; 256];
        words[0] = 0x0040;
        text(&mut words[10..20], &self.serial);
        text(&mut words[23..27], FIRMWARE);
        text(&mut words[27..47], MODEL);
        words[49] = 0x0f00;
        words[50] = 0x4000;
        words[53] = 0x0006;
        words[76] = 0x0006;
        words[80] = 0x01f0;
        // Host Protected Area, power management; 48 bits, FLUSH CACHE (EXT), Device Configuration Overlay.
        (words[82], words[85]) = (0x0408, 0x0408);
        (words[83], words[86]) = (0x7c00, 0x3c00);
        (words[84], words[87]) = (0x4000, 0x4000);
        let low = u32::try_from(self.visible.min(0x0fff_ffff)).unwrap_or(u32::MAX).to_le_bytes();
        (words[60], words[61]) = (u16::from_le_bytes([low[0], low[1]]), u16::from_le_bytes([low[2], low[3]]));
        for (word, two) in words[100..104].iter_mut().zip(self.visible.to_le_bytes().chunks(2)) {
            *word = u16::from_le_bytes([two[0], two[1]]);
        }
        words[217] = 7200;
        words[255] = 0x00a5;
        sealed(&words)
    }

    /// DEVICE CONFIGURATION IDENTIFY data (ATA8-ACS, 7.9.3.3).
    fn configuration(&self) -> [u8; 512] {
        let mut words = [0_u16; 256];
        words[0] = 2;
        for (word, two) in words[3..7].iter_mut().zip((self.factory - 1).to_le_bytes().chunks(2)) {
            *word = u16::from_le_bytes([two[0], two[1]]);
        }
        words[7] = 0x0004;
        words[255] = 0x00a5;
        sealed(&words)
    }

    fn inquiry(&self, cdb: &[u8]) -> Option<Vec<u8>> {
        match (cdb[1] & 1 == 1, cdb[2]) {
            (false, 0) => {
                let mut page = vec![0, 0, 5, 2, 31, 0, 0, 2];
                page.extend(format!("{:8}{:16.16}{:4.4}", "ATA", MODEL, FIRMWARE).bytes());
                Some(page)
            }
            (true, 0) => Some(vital(0, &[0, 0x80, 0x89, 0xb1])),
            (true, 0x80) => Some(vital(0x80, format!("{:>20}", self.serial).as_bytes())),
            // ATA INFORMATION (SAT-3, 12.4.2).
            (true, 0x89) => {
                let mut body = vec![0; 4];
                body.extend(format!("{:8}{:16}{:4}", "MULE", "MODELLED SATL", "1").bytes());
                body.extend([0; 20]);
                body.extend([IDENTIFY, 0, 0, 0]);
                body.extend(self.identify());
                Some(vital(0x89, &body))
            }
            // Block device characteristics (SBC-3, 6.5.3): 7200 rpm.
            (true, 0xb1) => Some(vital(0xb1, &[&[0x1c, 0x20][..], &[0; 58]].concat())),
            _ => None,
        }
    }
}

impl Target for SataDisk {
    fn execute(&mut self, cdb: &[u8], mut data: DataPhase<'_>) -> Answer {
        let Some(task) = taskfile(cdb) else {
            if let (Some(0x12), DataPhase::In(buf)) = (cdb.first(), &mut data) {
                let Some(page) = self.inquiry(cdb) else { return failed((5, 0x24, 0)) };
                let len = page.len().min(buf.len());
                buf[..len].copy_from_slice(&page[..len]);
                return good(len);
            }
            return self.disk.execute(cdb, data);
        };
        let len = match &data {
            DataPhase::In(buf) => buf.len(),
            _ => 0,
        };
        match self.run(task, &mut data) {
            Ok(_) if !task.check => good(len),
            ended => {
                Answer { status: 2, sense: returned(task, ended), transferred: if ended.is_ok() { len } else { 0 } }
            }
        }
    }

    fn power_cycle(&mut self) {
        let lasting = self.lasting;
        self.show(lasting);
        (self.native_was_read, self.limit_was_set) = (false, false);
    }
}

fn good(transferred: usize) -> Answer {
    Answer { status: 0, sense: Vec::new(), transferred }
}

fn fill(buf: &mut [u8], sector: &[u8; 512]) -> Ended {
    let buf = buf.get_mut(..512).ok_or(())?;
    buf.copy_from_slice(sector);
    Ok((0, 0))
}

/// ATA strings have their bytes swapped and are filled up with blanks.
fn text(words: &mut [u16], text: &str) {
    let mut bytes = text.bytes().chain(std::iter::repeat(b' '));
    words
        .iter_mut()
        .for_each(|word| *word = u16::from_be_bytes([bytes.next().unwrap_or(b' '), bytes.next().unwrap_or(b' ')]));
}

/// The sum of all bytes is made 0 with the last.
fn sealed(words: &[u16; 256]) -> [u8; 512] {
    let mut bytes = [0; 512];
    bytes.chunks_mut(2).zip(words).for_each(|(two, word)| two.copy_from_slice(&word.to_le_bytes()));
    bytes[511] = bytes[..511].iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg();
    bytes
}

/// ATA PASS-THROUGH (12) and (16) (SAT-3, 12.2).
fn taskfile(cdb: &[u8]) -> Option<Taskfile> {
    let wide = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    match (*cdb.first()?, cdb.get(..16)?) {
        (0x85, c) => {
            let extended = c[1] & 1 == 1;
            let upper = |byte: u8| if extended { byte } else { 0 };
            let mut lba = [c[8], c[10], c[12], upper(c[7]), upper(c[9]), upper(c[11]), 0, 0];
            lba[3] |= if extended { 0 } else { c[13] & 0xf };
            Some(Taskfile {
                command: c[14],
                features: wide(upper(c[3]), c[4]),
                count: wide(upper(c[5]), c[6]),
                lba: u64::from_le_bytes(lba),
                extended,
                check: c[2] & 0x20 != 0,
            })
        }
        (0xa1, c) => Some(Taskfile {
            command: c[9],
            features: wide(0, c[3]),
            count: wide(0, c[4]),
            lba: u64::from(u32::from_le_bytes([c[5], c[6], c[7], c[8] & 0xf])),
            extended: false,
            check: c[2] & 0x20 != 0,
        }),
        _ => None,
    }
}

/// Sense data with the ATA Status Return descriptor (SAT-3, 12.2.6).
fn returned(task: Taskfile, ended: Ended) -> Vec<u8> {
    let (key, error, status, (count, lba)) = match ended {
        Ok(registers) => (1, 0, 0x50, registers),
        Err(()) => (0xb, 0x04, 0x51, (0, 0)),
    };
    let (l, [count_low, count_high]) = (lba.to_le_bytes(), count.to_le_bytes());
    let device = if task.extended { 0x40 } else { 0xe0 | (l[3] & 0xf) };
    let upper = |byte: u8| if task.extended { byte } else { 0 };
    let head = [0x72, key, 0, 0x1d, 0, 0, 0, 14];
    let body = [9, 12, u8::from(task.extended), error, upper(count_high), count_low];
    let lba = [upper(l[3]), l[0], upper(l[4]), l[1], upper(l[5]), l[2]];
    [&head[..], &body, &lba, &[device, status]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(more: &str) -> (tempfile::NamedTempFile, SataDisk) {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1000 * 512).unwrap();
        let text = format!("S1={}{more}", file.path().display());
        let disk = SataDisk::from_text(&text).unwrap();
        (file, disk)
    }

    /// A 48-bit command without data that wants its registers; LBA, or nothing where it was aborted.
    fn order(disk: &mut SataDisk, command: u8, features: u8, count: u8, lba: u64) -> Option<u64> {
        let l = lba.to_le_bytes();
        let cdb = [0x85, 7, 0x20, 0, features, 0, count, l[3], l[0], l[4], l[1], l[5], l[2], 0x40, command, 0];
        let answer = disk.execute(&cdb, DataPhase::None);
        let s = answer.sense;
        (s[21] & 1 == 0).then(|| u64::from_le_bytes([s[15], s[17], s[19], s[14], s[16], s[18], 0, 0]))
    }

    fn shown(disk: &mut SataDisk) -> u32 {
        let mut buf = [0; 8];
        let mut cdb = [0; 16];
        cdb[0] = 0x25;
        disk.execute(&cdb, DataPhase::In(&mut buf));
        u32::from_be_bytes([buf[0], buf[1], buf[2], buf[3]]) + 1
    }

    #[test]
    fn what_hides_sectors_is_lifted_in_order_and_once_in_a_power_cycle() {
        let (_file, mut disk) = disk(",hpa=600,dco=800");
        assert_eq!(shown(&mut disk), 600);
        assert_eq!(order(&mut disk, SET_MAX_EXT, 0, 1, 799), None, "READ NATIVE MAX comes right before");
        assert_eq!(order(&mut disk, CONFIGURATION, 0xc0, 0, 0), None, "not while a Host Protected Area is set");
        assert_eq!(order(&mut disk, READ_NATIVE_MAX_EXT, 0, 0, 0), Some(799));
        assert_eq!(order(&mut disk, SET_MAX_EXT, 0, 1, 799), Some(799));
        assert_eq!(shown(&mut disk), 800);
        assert_eq!(order(&mut disk, READ_NATIVE_MAX_EXT, 0, 0, 0), Some(799));
        assert_eq!(order(&mut disk, SET_MAX_EXT, 0, 1, 699), None, "once in a power cycle");
        assert_eq!(order(&mut disk, CONFIGURATION, 0xc0, 0, 0), Some(0));
        assert_eq!(shown(&mut disk), 1000);
        disk.power_cycle();
        assert_eq!(shown(&mut disk), 1000);
    }

    #[test]
    fn a_limit_for_now_is_gone_after_the_next_power_on() {
        let (_file, mut disk) = disk("");
        assert_eq!(order(&mut disk, READ_NATIVE_MAX_EXT, 0, 0, 0), Some(999));
        assert_eq!(order(&mut disk, SET_MAX_EXT, 0, 0, 499), Some(499));
        assert_eq!(shown(&mut disk), 500);
        disk.power_cycle();
        assert_eq!(shown(&mut disk), 1000);
        assert!(SataDisk::from_text("S=/nonexistent").is_err());
    }
}
