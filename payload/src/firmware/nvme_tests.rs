use super::*;
use crate::firmware::record::Record;

/// A controller with namespaces 1 and 2; its log is given step by step, the last one for ever.
struct Controller {
    format_attributes: u8,
    abilities: u8,
    namespaces: Vec<u32>,
    /// SSTAT and SCDW10 before the command.
    before: (u8, u32),
    /// The same after it.
    after: Vec<(u8, u32)>,
    started: bool,
    resized: bool,
    exchanged: bool,
    log: Vec<(u8, u32, u32)>,
}

impl Controller {
    fn new() -> Self {
        Self {
            format_attributes: 4,
            abilities: 7,
            namespaces: vec![1],
            before: (0, 0),
            after: vec![(2, 0x0a), (2, 0x0a), (1, 0x0a)],
            started: false,
            resized: false,
            exchanged: false,
            log: Vec::new(),
        }
    }

    fn changed(&self) -> bool {
        self.log.iter().any(|(opcode, ..)| matches!(opcode, 0x80 | 0x84))
    }
}

impl NvmeAdmin for Controller {
    fn admin(&mut self, command: &AdminCommand, data: Data<'_>) -> Result<u32, NvmeError> {
        self.log.push((command.opcode, command.nsid, command.cdw10));
        match (command.opcode, command.cdw10, data) {
            (0x06, 1, Data::In(page)) => {
                (page[256], page[328], page[524]) = (2, self.abilities, self.format_attributes);
                page[4] = if self.exchanged && self.started { b'B' } else { b'A' };
            }
            (0x06, 2, Data::In(page)) => {
                for (nsid, entry) in self.namespaces.iter().zip(page.chunks_mut(4)) {
                    entry.copy_from_slice(&nsid.to_le_bytes());
                }
            }
            (0x06, 0, Data::In(page)) => {
                page[0] = if self.started && self.resized { 200 } else { 100 };
                page[16] = if self.started { 0 } else { 60 };
            }
            (0x02, 0x007f_0081, Data::In(page)) => {
                let (state, word) = match (self.started, self.after.len()) {
                    (false, _) => self.before,
                    (true, 1) => self.after[0],
                    (true, _) => self.after.remove(0),
                };
                page[2] = state;
                page[4..8].copy_from_slice(&word.to_le_bytes());
            }
            (0x84, 1, Data::None) => self.after = vec![(0, 0)],
            (0x80 | 0x84, _, Data::None) => self.started = true,
            _ => return Err(NvmeError::Status(0x002)),
        }
        Ok(0)
    }
}

fn sanitized(drive: &mut Controller) -> Result<Outcome, Error> {
    sanitize(drive, Action::BlockErase, &[1], &mut Record::default())
}

#[test]
fn a_sanitize_is_followed_to_its_end() {
    let proof = Sanitized { action: Some(Action::BlockErase), evidence: Evidence::SeenInProgress };
    assert_eq!(sanitized(&mut Controller::new()).unwrap(), Outcome::Completed(proof));
}

#[test]
fn only_a_change_that_was_seen_is_a_completion() {
    let quick = |before| Controller { before, after: vec![(1, 0x0a)], ..Controller::new() };
    for before in [(0, 0), (3, 0x0a), (1, 0x0c)] {
        let outcome = sanitized(&mut quick(before)).unwrap();
        assert!(matches!(outcome, Outcome::Completed(Sanitized { evidence: Evidence::SeenToChange, .. })));
    }
    assert_eq!(sanitized(&mut quick((1, 0x0a))).unwrap(), Outcome::NotObserved(Action::BlockErase));
}

#[test]
fn ends_that_are_no_success_are_errors() {
    let ended = |after: &[(u8, u32)]| sanitized(&mut Controller { after: after.to_vec(), ..Controller::new() });
    assert!(matches!(ended(&[(2, 0x0a), (3, 0x0a)]), Err(Error::Failed { left_failed_state: true })));
    assert!(matches!(ended(&[(2, 0x0a), (0, 0)]), Err(Error::NotCompleted)));
    assert!(matches!(ended(&[(2, 0x0a), (5, 0x0a)]), Err(Error::NotCompleted)));
    assert!(matches!(ended(&[(1, 0x0c)]), Err(Error::NotOurs(0x0c))));
    assert!(matches!(ended(&[(2, 0x0a)]), Err(Error::Stalled(_))));
}

#[test]
fn nothing_is_sent_that_reaches_what_was_not_authorised() {
    let two = |format_attributes| Controller { namespaces: vec![1, 2], format_attributes, ..Controller::new() };
    let mut drive = two(0);
    assert!(matches!(sanitized(&mut drive), Err(Error::ReachesOthers(2))));
    assert!(!drive.changed());
    for bits in [1, 2] {
        let mut drive = two(bits);
        let result = erase_by_format(&mut drive, 1, SecureErase::UserData, &[1], &mut Record::default());
        assert!(matches!(result, Err(Error::ReachesOthers(2))));
        assert!(!drive.changed());
    }
    let proof = erase_by_format(&mut two(1), 1, SecureErase::UserData, &[2, 1], &mut Record::default()).unwrap();
    assert_eq!(proof.reached(), [1, 2]);
    let proof = erase_by_format(&mut two(0), 1, SecureErase::UserData, &[1], &mut Record::default()).unwrap();
    assert_eq!(proof.reached(), [1]);
}

#[test]
fn a_drive_that_cannot_is_left_alone() {
    let mut drive = Controller { abilities: 0b101, ..Controller::new() };
    assert!(matches!(sanitized(&mut drive), Err(Error::Unsupported("Block Erase"))));
    let mut busy = Controller { before: (2, 0x0a), ..Controller::new() };
    assert!(matches!(sanitized(&mut busy), Err(Error::Busy)));
    let mut plain = Controller { format_attributes: 0, ..Controller::new() };
    let result = erase_by_format(&mut plain, 1, SecureErase::Cryptographic, &[1], &mut Record::default());
    assert!(matches!(result, Err(Error::Unsupported(_))));
    let result = erase_by_format(&mut plain, 7, SecureErase::UserData, &[7], &mut Record::default());
    assert!(matches!(result, Err(Error::NoNamespace(7))));
    let mut stop = Record { stops: true, ..Record::default() };
    assert!(matches!(erase_by_format(&mut plain, 1, SecureErase::UserData, &[1], &mut stop), Err(Error::Stopped)));
    assert!(!drive.changed() && !busy.changed() && !plain.changed());
}

#[test]
fn a_format_keeps_the_namespace() {
    let format =
        |drive: &mut Controller| erase_by_format(drive, 1, SecureErase::Cryptographic, &[1], &mut Record::default());
    let mut drive = Controller::new();
    let proof = format(&mut drive).unwrap();
    assert_eq!((proof.before().used, proof.after().used, proof.erase()), (60, 0, SecureErase::Cryptographic));
    assert!(drive.log.contains(&(0x80, 1, 0x400)));
    assert!(matches!(format(&mut Controller { resized: true, ..Controller::new() }), Err(Error::Changed)));
}

#[test]
fn one_that_runs_at_boot_is_picked_up() {
    let mut drive = Controller { started: true, ..Controller::new() };
    let proof = watch(&mut drive, &mut Record::default()).unwrap().unwrap();
    assert_eq!((proof.action(), proof.evidence()), (Some(Action::BlockErase), Evidence::SeenInProgress));
    assert_eq!(watch(&mut drive, &mut Record::default()).unwrap(), None);
    assert!(!drive.changed());
}

#[test]
fn another_drive_proves_nothing() {
    let exchanged = || Controller { exchanged: true, ..Controller::new() };
    assert!(matches!(sanitized(&mut exchanged()), Err(Error::Exchanged)));
    let result = erase_by_format(&mut exchanged(), 1, SecureErase::UserData, &[1], &mut Record::default());
    assert!(matches!(result, Err(Error::Exchanged)));
}
