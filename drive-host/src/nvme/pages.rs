//! What the drive says of itself: Identify and the health log.

use super::{
    ALL_NAMESPACES, Entry, INVALID_FIELD, INVALID_LOG_PAGE, INVALID_NAMESPACE, NvmeDisk, SECTOR, Status, Word,
};

/// Degrees Celsius at which a controller is too warm (WCTEMP), and far too warm (CCTEMP).
const WARM: u16 = 70;
const CRITICAL: u16 = 85;

/// In kelvins, as NVMe has it.
fn kelvins(celsius: u16) -> [u8; 2] {
    (celsius + 273).to_le_bytes()
}

fn text(field: &mut [u8], text: &str) {
    field.fill(b' ');
    let len = text.len().min(field.len());
    field[..len].copy_from_slice(&text.as_bytes()[..len]);
}

/// Namespaces behind this one, up to that.
fn list(behind: u32, last: u32) -> Vec<u8> {
    let mut list: Vec<u8> = (behind.saturating_add(1)..=last).flat_map(u32::to_le_bytes).collect();
    list.resize(4096, 0);
    list
}

impl NvmeDisk {
    /// IDENTIFY (base specification 2.0, 5.17).
    pub(super) fn identify(&self, entry: &Entry) -> Result<Vec<u8>, Status> {
        match entry.words[0] & 0xff {
            0 => self.identify_namespace(entry.nsid),
            1 => Ok(self.identify_controller()),
            2 => Ok(list(entry.nsid, self.active())),
            0x10 if self.manages() => Ok(list(entry.nsid, self.options.namespaces)),
            0x11 if self.manages() => self.identify_allocated(entry.nsid),
            _ => Err(INVALID_FIELD),
        }
    }

    fn identify_controller(&self) -> Vec<u8> {
        let mut page = vec![0; 4096];
        let serial = match &self.options.wrong_serial {
            Some(wrong) if self.was_erased => wrong,
            _ => &self.options.serial,
        };
        text(&mut page[4..24], serial);
        text(&mut page[24..64], "MULE MODELLED NVME");
        text(&mut page[64..72], "0001");
        // VER 2.0.
        page[80..84].copy_from_slice(&0x0002_0000_u32.to_le_bytes());
        page[256] = u8::from(!self.has(Word::NoFormat)) << 1 | u8::from(self.manages()) << 3;
        page[266..268].copy_from_slice(&kelvins(WARM));
        page[268..270].copy_from_slice(&kelvins(CRITICAL));
        if !self.has(Word::Managed) {
            page[280..288].copy_from_slice(&(self.disk.blocks() * SECTOR).to_le_bytes());
            page[296..304].copy_from_slice(&(self.unallocated() * SECTOR).to_le_bytes());
        }
        page[328..332].copy_from_slice(&self.sanitize_abilities().to_le_bytes());
        page[516..520].copy_from_slice(&self.options.namespaces.to_le_bytes());
        let reaches_all = if self.has(Word::ReachesAll) { 0b11 } else { 0 };
        page[524] = reaches_all | u8::from(!self.has(Word::NoCryptoFormat)) << 2;
        page
    }

    /// One that is allocated, attached or not.
    fn identify_allocated(&self, nsid: u32) -> Result<Vec<u8>, Status> {
        match nsid {
            0 | ALL_NAMESPACES => Err(INVALID_NAMESPACE),
            nsid if nsid > self.options.namespaces => Ok(vec![0; 4096]),
            // Each has a like part of the cells.
            _ => self.identify_namespace(1),
        }
    }

    fn identify_namespace(&self, nsid: u32) -> Result<Vec<u8>, Status> {
        let mut page = vec![0; 4096];
        if nsid == ALL_NAMESPACES || nsid == 0 {
            return Err(INVALID_NAMESPACE);
        }
        // One that is not active is all zeros.
        let Ok((_, blocks)) = self.namespace(nsid) else { return Ok(page) };
        let blocks = if self.resized { blocks / 2 } else { blocks };
        for at in [0, 8, 16] {
            page[at..at + 8].copy_from_slice(&blocks.to_le_bytes());
        }
        // LBA format 0 and no other: no metadata, LBADS as a power of two.
        page[130] = u8::try_from(SECTOR.ilog2()).unwrap_or(0);
        Ok(page)
    }

    /// GET LOG PAGE (base specification 2.0, 5.16): health and the sanitize status.
    pub(super) fn log(&self, entry: &Entry) -> Result<Vec<u8>, Status> {
        match entry.words[0] & 0xff {
            0x02 => {
                let mut page = vec![0; 512];
                page[1..3].copy_from_slice(&kelvins(self.options.temperature));
                (page[3], page[4]) = (100, 10);
                Ok(page)
            }
            0x81 => Ok(self.sanitize_log()),
            _ => Err(INVALID_LOG_PAGE),
        }
    }
}
