//! Blocks of the disk, as SCSI commands: they reach the cells that its commands erase.

use super::{Cut, Firmware, Model, State, nvme};
use crate::{
    drive::{
        Access, Address, Completion, DataPlane, Geometry, Identity, IoError, IoErrorKind, Op, Request, admission::admit,
    },
    nvme::NvmeAdmin,
    scsi::CommandPlane,
};
use drive_host::{DataPhase, Target};
use std::{collections::VecDeque, os::unix::fs::FileExt, time::Duration};

const DEPTH: usize = 4;
const READ: u8 = 0x88;
const WRITE: u8 = 0x8a;
const SYNCHRONIZE_CACHE: u8 = 0x91;

/// One claim on a [`Model`]. A request is performed when `wait` returns it.
#[derive(Debug)]
pub(crate) struct ModelDrive {
    model: Model,
    geometry: Geometry,
    access: Access,
    queue: VecDeque<Request>,
}

impl Model {
    pub(crate) fn geometry(&self) -> Geometry {
        let (bytes, logical) = self.lock().bridge.unwrap_or((0, 512));
        let bytes = if bytes > 0 { bytes } else { self.visible() * 512 };
        Geometry::new(bytes, logical, 4096).unwrap()
    }

    /// Claims the disk, as `O_EXCL` does.
    pub(crate) fn open(&self, access: Access) -> Result<ModelDrive, String> {
        let geometry = self.geometry();
        let mut state = self.lock();
        match (state.off, std::mem::replace(&mut state.claimed, true)) {
            (true, _) => Err("the drive is off".into()),
            (false, true) => Err("the drive is claimed".into()),
            (false, false) => Ok(ModelDrive { model: self.clone(), geometry, access, queue: VecDeque::new() }),
        }
    }
}

/// A command of SCSI's with an LBA of 64 bits and a count of 32.
fn command(opcode: u8, lba: u64, blocks: u32) -> [u8; 16] {
    let mut cdb = [0; 16];
    cdb[0] = opcode;
    cdb[2..10].copy_from_slice(&lba.to_be_bytes());
    cdb[10..14].copy_from_slice(&blocks.to_be_bytes());
    cdb
}

impl State {
    fn access(&mut self, request: &mut Request) -> Result<(), (IoErrorKind, String)> {
        self.count_access()?;
        let lba = request.offset / 512;
        match request.op {
            Op::Read => self.transfer(lba, DataPhase::In(&mut request.buf)),
            Op::Write => {
                self.writes += 1;
                let mut before = vec![0; request.buf.len()];
                self.cells.as_file().read_exact_at(&mut before, request.offset).unwrap();
                self.unflushed.push((request.offset, before));
                self.transfer(lba, DataPhase::Out(&request.buf))
            }
        }
    }

    /// One command: a read, a write, or without data a flush.
    fn transfer(&mut self, lba: u64, data: DataPhase<'_>) -> Result<(), (IoErrorKind, String)> {
        let (scsi, len) = match &data {
            DataPhase::In(buf) => (READ, buf.len()),
            DataPhase::Out(buf) => (WRITE, buf.len()),
            DataPhase::None => (SYNCHRONIZE_CACHE, 0),
        };
        let blocks = u32::try_from(len / 512).unwrap();
        match &mut self.firmware {
            Firmware::Sata(disk) => {
                let answer = disk.execute(&command(scsi, lba, blocks), data);
                match (answer.status, answer.sense.get(2)) {
                    (0, _) => Ok(()),
                    (_, Some(5)) => Err((IoErrorKind::Gone, "past the end".into())),
                    _ => Err((IoErrorKind::Media, format!("{:02x?}", answer.sense))),
                }
            }
            Firmware::Nvme(drive) => nvme::transfer(drive, lba, blocks, data),
        }
    }

    fn count_access(&mut self) -> Result<(), (IoErrorKind, String)> {
        let off = self.go_off(Cut::Accesses(self.accesses));
        self.accesses += 1;
        off.map_err(|error| (IoErrorKind::Gone, error.to_string()))
    }
}

impl DataPlane for ModelDrive {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn depth(&self) -> usize {
        DEPTH
    }

    fn submit(&mut self, request: Request) -> Result<(), IoError> {
        let len = request.buf.len() as u64;
        admit((request.op, request.offset, len), self.geometry, self.access, self.queue.len(), DEPTH)?;
        self.queue.push_back(request);
        Ok(())
    }

    fn wait(&mut self, _: Duration) -> Result<Option<Completion>, IoError> {
        let Some(mut request) = self.queue.pop_front() else { return Ok(None) };
        let result = self.model.lock().access(&mut request);
        let Request { op, offset, buf } = request;
        let result = result.map_err(|(kind, why)| IoError::new(kind, op, offset, buf.len() as u64, why));
        Ok(Some(Completion { op, offset, buf, result }))
    }

    fn is_direct(&self) -> bool {
        true
    }

    fn flush(&mut self) -> Result<(), IoError> {
        let mut state = self.model.lock();
        state.count_access().map_err(|(kind, why)| IoError::flush(kind, why))?;
        state.transfer(0, DataPhase::None).map_err(|(kind, why)| IoError::flush(kind, why))?;
        state.unflushed.clear();
        Ok(())
    }

    fn make_zeros(&mut self, offset: u64, len: u64) -> Result<bool, IoError> {
        admit((Op::Write, offset, len), self.geometry, self.access, 0, DEPTH).map(|()| false)
    }

    fn stated(&self) -> Option<Identity> {
        None
    }

    fn commands(&self) -> Option<Box<dyn CommandPlane>> {
        (!self.model.is_nvme()).then(|| Box::new(self.model.clone()) as Box<dyn CommandPlane>)
    }

    fn address(&self) -> Address {
        let luns = self.model.lock().luns.clone();
        Address { lun: luns.first().copied(), luns, ..Address::default() }
    }

    fn admin(&self) -> Option<(Box<dyn NvmeAdmin>, u32)> {
        self.model.is_nvme().then(|| (Box::new(self.model.clone()) as Box<dyn NvmeAdmin>, nvme::NAMESPACE))
    }
}

impl Drop for ModelDrive {
    fn drop(&mut self) {
        self.model.lock().claimed = false;
    }
}
