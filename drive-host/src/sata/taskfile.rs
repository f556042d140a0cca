//! ATA commands as they come through SCSI, and the registers that go back (SAT-3, 12.2).

/// The registers of a command, and whether it has 48 bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taskfile {
    pub(super) command: u8,
    pub(super) features: u16,
    pub(super) count: u16,
    pub(super) lba: u64,
    pub(super) extended: bool,
    /// The initiator wants the registers even of a command that ends well.
    pub(super) check: bool,
}

impl Taskfile {
    /// FEATURES bits 7:0.
    pub(super) fn feature(&self) -> u8 {
        self.features.to_le_bytes()[0]
    }
}

/// COUNT and LBA of a command that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Registers {
    pub(super) count: u16,
    pub(super) lba: u64,
}

/// `Err` is a command that was aborted.
pub(super) type Ended = Result<Registers, Registers>;

/// The end of a command that has nothing to say.
pub(super) const DONE: Ended = Ok(Registers { count: 0, lba: 0 });
/// The end of a command that was aborted without a reason.
pub(super) const ABORTED: Ended = Err(Registers { count: 0, lba: 0 });

/// ATA PASS-THROUGH (12) and (16) (SAT-3, 12.2).
pub(super) fn parse(cdb: &[u8]) -> Option<Taskfile> {
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
pub(super) fn returned(task: Taskfile, ended: Ended) -> Vec<u8> {
    let (key, error, status, Registers { count, lba }) = match ended {
        Ok(registers) => (1, 0, 0x50, registers),
        Err(registers) => (0xb, 0x04, 0x51, registers),
    };
    let (l, [count_low, count_high]) = (lba.to_le_bytes(), count.to_le_bytes());
    let device = if task.extended { 0x40 } else { 0xe0 | (l[3] & 0xf) };
    let upper = |byte: u8| if task.extended { byte } else { 0 };
    let head = [0x72, key, 0, 0x1d, 0, 0, 0, 14];
    let body = [9, 12, u8::from(task.extended), error, upper(count_high), count_low];
    let lba = [upper(l[3]), l[0], upper(l[4]), l[1], upper(l[5]), l[2]];
    [&head[..], &body, &lba, &[device, status]].concat()
}
