use super::*;
use std::sync::{Arc, Mutex};

/// Remembers what it was asked; sends `0, 1, 2…` or takes what comes, at most `most` bytes.
#[derive(Debug)]
struct Recorder {
    seen: Seen,
    answer: Answer,
}

impl Target for Recorder {
    fn execute(&mut self, cdb: &[u8], data: DataPhase<'_>) -> Answer {
        let out = match data {
            DataPhase::Out(out) => out.to_vec(),
            DataPhase::In(room) => {
                room.iter_mut().zip(0..=255).for_each(|(to, n)| *to = n);
                Vec::new()
            }
            DataPhase::None => Vec::new(),
        };
        self.seen.lock().unwrap().push((cdb.to_vec(), out));
        self.answer.clone()
    }
}

type Seen = Arc<Mutex<Vec<(Vec<u8>, Vec<u8>)>>>;

fn recorder(answer: Answer) -> (Vec<Box<dyn Target>>, Seen) {
    let seen = Seen::default();
    (vec![Box::new(Recorder { seen: Arc::clone(&seen), answer })], seen)
}

fn good(transferred: usize) -> Answer {
    Answer::good(transferred)
}

fn header(lun: [u8; 8]) -> Vec<u8> {
    let mut header = vec![0; COMMAND];
    header[..8].copy_from_slice(&lun);
    header[19..51].copy_from_slice(&std::array::from_fn::<u8, 32, _>(|n| u8::try_from(n).unwrap() + 0x80));
    header
}

/// Answer and data of a command.
fn run(targets: &mut Targets, lun: [u8; 8], out: &[u8], room: usize) -> (Vec<u8>, Vec<u8>) {
    let request = [&header(lun)[..], out].concat();
    let (mut head, mut data) = (Vec::new(), Vec::new());
    command(targets, &mut &request[..], (out.len(), room), &mut head, &mut data).unwrap();
    (head, data)
}

const LUN: [u8; 8] = [1, 0, 0x40, 0, 0, 0, 0, 0];

#[test]
fn a_short_answer_leaves_a_residual() {
    let (mut targets, seen) = recorder(good(5));
    let (head, data) = run(&mut targets, LUN, &[], 36);
    assert_eq!(head.len(), 108);
    assert_eq!((&head[..4], &head[4..8], head[10], head[11]), (&[0; 4][..], &[31, 0, 0, 0][..], 0, 0));
    assert_eq!(data, [0, 1, 2, 3, 4]);
    let cdb = seen.lock().unwrap()[0].0.clone();
    assert_eq!((cdb.len(), cdb[0], cdb[31]), (32, 0x80, 0x9f));
}

#[test]
fn data_reaches_the_drive_and_sense_data_the_guest() {
    let sense: Vec<u8> = (1..=120).collect();
    let (mut targets, seen) =
        recorder(Answer { status: 2, sense: sense.clone(), transferred: 512, pause: crate::Pause::None });
    let (head, data) = run(&mut targets, LUN, &[7; 1024], 0);
    assert_eq!((&head[..4], &head[4..8]), (&[96, 0, 0, 0][..], &512_u32.to_le_bytes()[..]));
    assert_eq!((head[10], head[11], &head[12..]), (2, 0, &sense[..96]));
    assert!(data.is_empty());
    assert_eq!(seen.lock().unwrap()[0].1, [7; 1024]);
}

#[test]
fn a_drive_that_claims_more_than_was_offered_is_cut_to_it() {
    let (mut targets, _) = recorder(good(9999));
    let (head, data) = run(&mut targets, LUN, &[], 16);
    assert_eq!((&head[4..8], data.len()), (&[0; 4][..], 16));
}

#[test]
fn other_targets_and_luns_are_bad_and_no_drive_hears_of_them() {
    let (mut targets, seen) = recorder(good(0));
    for lun in [[1, 1, 0x40, 0, 0, 0, 0, 0], [1, 0, 0x40, 1, 0, 0, 0, 0], [0xc1, 1, 0, 0, 0, 0, 0, 0], [0; 8]] {
        let (head, data) = run(&mut targets, lun, &[], 8);
        assert_eq!((head[11], &head[4..8], data.len()), (BAD_TARGET, &[8, 0, 0, 0][..], 0), "{lun:?}");
    }
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn both_directions_or_too_much_data_fail_before_the_drive() {
    let (mut targets, seen) = recorder(good(0));
    assert_eq!(run(&mut targets, LUN, &[1], 1).0[11], FAILURE);
    assert_eq!(run(&mut targets, LUN, &[], MOST_DATA + 1).0[11], FAILURE);
    assert!(seen.lock().unwrap().is_empty());
    assert_eq!(run(&mut targets, LUN, &[], MOST_DATA).0[11], OK);
}

#[test]
fn a_request_cut_short_is_an_error() {
    let (mut targets, seen) = recorder(good(0));
    let request = header(LUN);
    let sink = &mut Vec::new();
    assert!(command(&mut targets, &mut &request[..50], (0, 0), sink, &mut Vec::new()).is_err());
    assert!(command(&mut targets, &mut &request[..], (512, 0), sink, &mut Vec::new()).is_err());
    assert!(sink.is_empty() && seen.lock().unwrap().is_empty());
}

#[test]
fn task_management_is_complete_for_drives_that_are_there() {
    let (mut targets, _) = recorder(good(0));
    let mut answer = |kind: u32, subtype: u32, target: u8| {
        let lun = [1, target, 0x40, 0, 0, 0, 0, 0];
        let request = [&kind.to_le_bytes()[..], &subtype.to_le_bytes(), &lun, &[0; 8]].concat();
        let mut out = Vec::new();
        control(&mut targets, &mut &request[..], &mut out).unwrap();
        out
    };
    assert_eq!(answer(0, 0, 0), [OK]);
    assert_eq!(answer(0, 5, 0), [OK]);
    assert_eq!(answer(0, 8, 0), [FUNCTION_REJECTED]);
    assert_eq!(answer(0, 5, 1), [BAD_TARGET]);
    assert_eq!(answer(1, 0, 0), [0; 5]);
    assert!(answer(9, 0, 0).is_empty());
}
