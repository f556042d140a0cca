//! Entries of NVMe queues, as a driver makes them, to the modelled NVMe drive.

use super::{Cut, Firmware, Model, POLL, State};
use crate::{
    drive::IoErrorKind,
    firmware::Name,
    nvme::{
        NvmeAdmin, NvmeError,
        admin::{AdminCommand, identify_controller, identify_namespace},
        sanitize::{Action, start},
    },
    scsi::Data,
};
use drive_host::{DataPhase, NvmeDisk};

/// The namespace whose blocks are the drive's.
pub(super) const NAMESPACE: u32 = 1;
const FLUSH: u8 = 0;
const WRITE: u8 = 1;
const READ: u8 = 2;
const GET_LOG_PAGE: u8 = 0x02;
const FORMAT: u8 = 0x80;
const SANITIZE: u8 = 0x84;

fn entry(opcode: u8, nsid: u32, words: [u32; 3]) -> [u8; 64] {
    let mut entry = [0; 64];
    entry[0] = opcode;
    entry[4..8].copy_from_slice(&nsid.to_le_bytes());
    entry[40..52].copy_from_slice(words.map(u32::to_le_bytes).as_flattened());
    entry
}

fn admin(drive: &mut NvmeDisk, command: &AdminCommand, data: DataPhase<'_>) -> Result<u32, NvmeError> {
    match drive.admin(&entry(command.opcode, command.nsid, [command.cdw10, command.cdw11, 0]), data) {
        0 => Ok(0),
        status => Err(NvmeError::Status(status)),
    }
}

/// A command of the NVM command set.
pub(super) fn transfer(
    drive: &mut NvmeDisk,
    lba: u64,
    blocks: u32,
    data: DataPhase<'_>,
) -> Result<(), (IoErrorKind, String)> {
    let words = [u32::try_from(lba).unwrap(), 0, blocks.saturating_sub(1)];
    let opcode = match &data {
        DataPhase::In(_) => READ,
        DataPhase::Out(_) => WRITE,
        DataPhase::None => FLUSH,
    };
    match drive.io(&entry(opcode, NAMESPACE, words), data) {
        0 => Ok(()),
        status => Err((IoErrorKind::Media, format!("status {status:#05x}"))),
    }
}

impl Model {
    fn page(&self, command: &AdminCommand) -> [u8; 4096] {
        let mut page = [0; 4096];
        let Firmware::Nvme(drive) = &mut self.lock().firmware else { panic!("no NVMe drive") };
        admin(drive, command, DataPhase::In(&mut page)).unwrap();
        page
    }

    pub(super) fn name_of_controller(&self) -> Name {
        let page = self.page(&identify_controller());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().trim().to_owned();
        Name { model: text(&page[24..64]), serial: text(&page[4..24]) }
    }

    pub(super) fn size_of_namespace(&self) -> u64 {
        u64::from_le_bytes(*self.page(&identify_namespace(NAMESPACE)).first_chunk().unwrap())
    }

    pub(super) fn sanitize_controller(&self) {
        let Firmware::Nvme(drive) = &mut self.lock().firmware else { panic!("no NVMe drive") };
        admin(drive, &start(Action::BlockErase), DataPhase::None).unwrap();
    }
}

impl State {
    fn nvme(&mut self, command: &AdminCommand, data: DataPhase<'_>) -> Result<u32, NvmeError> {
        let low = command.cdw10.to_le_bytes()[0];
        self.log.push((command.opcode, low));
        self.go_off(Cut::Before(self.log.len()))?;
        if matches!(command.opcode, FORMAT | SANITIZE) {
            // An erasure leaves nothing in the cache.
            self.unflushed.clear();
        }
        let Firmware::Nvme(drive) = &mut self.firmware else { panic!("no NVMe drive") };
        let answer = admin(drive, command, data);
        if (command.opcode, low) == (GET_LOG_PAGE, 0x81) {
            // As with the status of an ATA sanitize: tests do not wait.
            drive.pass_time(POLL);
        }
        self.go_off(Cut::After(self.log.len()))?;
        answer
    }
}

impl NvmeAdmin for Model {
    fn admin(&mut self, command: &AdminCommand, mut data: Data<'_>) -> Result<u32, NvmeError> {
        let data = match &mut data {
            Data::None => DataPhase::None,
            Data::In(buf) => DataPhase::In(buf),
            Data::Out(buf) => DataPhase::Out(buf),
        };
        self.lock().nvme(command, data)
    }
}
