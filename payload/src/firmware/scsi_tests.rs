use super::*;
use crate::{firmware::record::Record, scsi::Reply};

const IDLE: [u8; 3] = [0, 0, 0];
const BUSY: [u8; 3] = [2, 0x04, 0x1b];
const FAILED: [u8; 3] = [3, 0x31, 0x03];
const ATTENTION: [u8; 3] = [6, 0x29, 0x00];

/// Says before the command, then after it step by step, the last one for ever, what REQUEST SENSE finds.
struct Disk {
    support: u8,
    before: [u8; 3],
    after: Vec<[u8; 3]>,
    refuses: Option<[u8; 3]>,
    started: bool,
    exchanged: bool,
    log: Vec<(u8, u8, Vec<u8>)>,
}

impl Disk {
    fn new(after: &[[u8; 3]]) -> Self {
        Self {
            support: 3,
            before: IDLE,
            after: after.to_vec(),
            refuses: None,
            started: false,
            exchanged: false,
            log: Vec::new(),
        }
    }

    fn sanitizes(&self) -> usize {
        self.log.iter().filter(|(opcode, ..)| *opcode == 0x48).count()
    }
}

fn sense([key, asc, ascq]: [u8; 3]) -> [u8; 16] {
    [0x72, key, asc, ascq, 0, 0, 0, 8, 2, 6, 0, 0, 0x80, 0x40, 0, 0]
}

impl CommandPlane for Disk {
    fn execute(&mut self, cdb: &[u8], data: Data<'_>, _: Duration) -> Result<Reply, CommandError> {
        let out = if let Data::Out(bytes) = &data { bytes.to_vec() } else { Vec::new() };
        self.log.push((cdb[0], cdb[1], out));
        let good = |transferred| Ok(Reply { status: 0, sense: Vec::new(), transferred });
        match (cdb[0], data) {
            (0x12, Data::In(buf)) => {
                buf.fill(if self.exchanged && self.started { b'B' } else { b'A' });
                good(buf.len())
            }
            (0xa3, Data::In(buf)) => {
                buf[1] = self.support;
                good(4)
            }
            (0x03, Data::In(buf)) => {
                let state = match (self.started, self.after.len()) {
                    (false, _) => self.before,
                    (true, 1) => self.after[0],
                    (true, _) => self.after.remove(0),
                };
                buf[..16].copy_from_slice(&sense(state));
                good(16)
            }
            (0x48, _) => {
                if let Some(refusal) = self.refuses {
                    return Ok(Reply { status: 2, sense: sense(refusal).to_vec(), transferred: 0 });
                }
                if cdb[1] & 0x1f == 0x1f {
                    self.after = vec![IDLE];
                }
                self.started = true;
                good(0)
            }
            _ => Err(CommandError::Unsupported),
        }
    }
}

fn run(disk: &mut Disk, action: Action) -> Result<Outcome, Error> {
    erase(disk, action, &mut Record::default())
}

#[test]
fn an_operation_that_is_seen_is_completed() {
    for (action, service, parameters) in [
        (Action::Overwrite, 0xa1, vec![1, 0, 0, 4, 0, 0, 0, 0]),
        (Action::BlockErase, 0xa2, vec![]),
        (Action::CryptographicErase, 0xa3, vec![]),
    ] {
        let mut disk = Disk::new(&[ATTENTION, BUSY, BUSY, IDLE]);
        assert_eq!(run(&mut disk, action).unwrap(), Outcome::Completed(Sanitized { action: Some(action) }));
        assert!(disk.log.contains(&(0x48, service, parameters)));
    }
}

#[test]
fn one_that_is_idle_at_once_proves_nothing() {
    assert_eq!(run(&mut Disk::new(&[IDLE]), Action::BlockErase).unwrap(), Outcome::NotObserved(Action::BlockErase));
}

#[test]
fn ends_that_are_no_success_are_errors() {
    let mut disk = Disk::new(&[BUSY, FAILED]);
    assert!(matches!(run(&mut disk, Action::BlockErase), Err(Error::Failed { left_failed_state: true })));
    assert!(matches!(run(&mut Disk::new(&[BUSY]), Action::BlockErase), Err(Error::Stalled(_))));
    assert!(matches!(run(&mut Disk::new(&[BUSY, ATTENTION]), Action::BlockErase), Err(Error::Refused { .. })));
}

#[test]
fn a_drive_that_cannot_is_left_alone() {
    let mut never = Disk { support: 1, ..Disk::new(&[IDLE]) };
    assert!(matches!(run(&mut never, Action::BlockErase), Err(Error::Unsupported(_))));
    assert!(matches!(run(&mut never, Action::ExitFailureMode), Err(Error::Unsupported(_))));
    let mut busy = Disk { before: BUSY, ..Disk::new(&[IDLE]) };
    assert!(matches!(run(&mut busy, Action::BlockErase), Err(Error::Busy)));
    let mut stop = Record { stops: true, ..Record::default() };
    let mut ready = Disk::new(&[IDLE]);
    assert!(matches!(erase(&mut ready, Action::BlockErase, &mut stop), Err(Error::Stopped)));
    assert_eq!(never.sanitizes() + busy.sanitizes() + ready.sanitizes(), 0);
    // A drive that cannot say what it knows is asked by the command itself.
    let mut mute = Disk { support: 0, refuses: Some([5, 0x20, 0]), ..Disk::new(&[IDLE]) };
    assert!(matches!(run(&mut mute, Action::BlockErase), Err(Error::Unsupported(_))));
    let mut protected = Disk { refuses: Some([7, 0x27, 0]), ..Disk::new(&[IDLE]) };
    assert!(matches!(run(&mut protected, Action::BlockErase), Err(Error::Refused { .. })));
}

#[test]
fn one_that_runs_at_boot_is_picked_up() {
    let mut disk = Disk { started: true, ..Disk::new(&[BUSY, BUSY, IDLE]) };
    assert_eq!(watch(&mut disk, &mut Record::default()).unwrap(), Some(Sanitized { action: None }));
    assert_eq!(watch(&mut disk, &mut Record::default()).unwrap(), None);
    disk.after = vec![FAILED];
    let found = watch(&mut disk, &mut Record::default());
    assert!(matches!(found, Err(Error::Failed { left_failed_state: false })));
    assert_eq!(disk.sanitizes(), 0);
}

#[test]
fn another_drive_proves_nothing() {
    let mut disk = Disk { exchanged: true, ..Disk::new(&[BUSY, IDLE]) };
    assert!(matches!(run(&mut disk, Action::BlockErase), Err(Error::Exchanged)));
}
