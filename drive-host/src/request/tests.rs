use super::*;
use crate::Target;
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

fn recorder(answer: Answer) -> (Vec<Slot>, Seen) {
    let seen = Seen::default();
    (vec![Slot::new(Box::new(Recorder { seen: Arc::clone(&seen), answer }))], seen)
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
fn run(targets: &Targets, lun: [u8; 8], out: &[u8], room: usize) -> (Vec<u8>, Vec<u8>) {
    let request = [&header(lun)[..], out].concat();
    let done = command(targets, &mut &request[..], (out.len(), room)).unwrap();
    (done.head.to_vec(), done.data)
}

const LUN: [u8; 8] = [1, 0, 0x40, 0, 0, 0, 0, 0];

#[test]
fn a_short_answer_leaves_a_residual() {
    let (targets, seen) = recorder(good(5));
    let (head, data) = run(&targets, LUN, &[], 36);
    assert_eq!(head.len(), 108);
    assert_eq!((&head[..4], &head[4..8], head[10], head[11]), (&[0; 4][..], &[31, 0, 0, 0][..], 0, 0));
    assert_eq!(data, [0, 1, 2, 3, 4]);
    let cdb = seen.lock().unwrap()[0].0.clone();
    assert_eq!((cdb.len(), cdb[0], cdb[31]), (32, 0x80, 0x9f));
}

#[test]
fn data_reaches_the_drive_and_sense_data_the_guest() {
    let sense: Vec<u8> = (1..=120).collect();
    let (targets, seen) =
        recorder(Answer { status: 2, sense: sense.clone(), transferred: 512, pause: crate::Pause::None });
    let (head, data) = run(&targets, LUN, &[7; 1024], 0);
    assert_eq!((&head[..4], &head[4..8]), (&[96, 0, 0, 0][..], &512_u32.to_le_bytes()[..]));
    assert_eq!((head[10], head[11], &head[12..]), (2, 0, &sense[..96]));
    assert!(data.is_empty());
    assert_eq!(seen.lock().unwrap()[0].1, [7; 1024]);
}

#[test]
fn a_drive_that_claims_more_than_was_offered_is_cut_to_it() {
    let (targets, _) = recorder(good(9999));
    let (head, data) = run(&targets, LUN, &[], 16);
    assert_eq!((&head[4..8], data.len()), (&[0; 4][..], 16));
}

#[test]
fn other_targets_and_luns_are_bad_and_no_drive_hears_of_them() {
    let (targets, seen) = recorder(good(0));
    for lun in [[1, 1, 0x40, 0, 0, 0, 0, 0], [1, 0, 0x40, 1, 0, 0, 0, 0], [0xc1, 1, 0, 0, 0, 0, 0, 0], [0; 8]] {
        let (head, data) = run(&targets, lun, &[], 8);
        assert_eq!((head[11], &head[4..8], data.len()), (BAD_TARGET, &[8, 0, 0, 0][..], 0), "{lun:?}");
    }
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn both_directions_or_too_much_data_fail_before_the_drive() {
    let (targets, seen) = recorder(good(0));
    assert_eq!(run(&targets, LUN, &[1], 1).0[11], FAILURE);
    assert_eq!(run(&targets, LUN, &[], MOST_DATA + 1).0[11], FAILURE);
    assert!(seen.lock().unwrap().is_empty());
    assert_eq!(run(&targets, LUN, &[], MOST_DATA).0[11], OK);
}

#[test]
fn a_request_cut_short_is_an_error() {
    let (targets, seen) = recorder(good(0));
    let request = header(LUN);
    assert!(command(&targets, &mut &request[..50], (0, 0)).is_err());
    assert!(command(&targets, &mut &request[..], (512, 0)).is_err());
    assert!(address(&targets, &mut &request[..15]).is_err());
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn task_management_is_complete_for_drives_that_are_there() {
    let (targets, _) = recorder(good(0));
    let answer = |kind: u32, subtype: u32, target: u8| {
        let lun = [1, target, 0x40, 0, 0, 0, 0, 0];
        let request = [&kind.to_le_bytes()[..], &subtype.to_le_bytes(), &lun, &7_u64.to_le_bytes()].concat();
        let mut out = Vec::new();
        let ends = control(&targets, &mut &request[..], &mut out).unwrap();
        (out, ends.map(|ends| (ends.target, ends.tag, ends.response, ends.reset)))
    };
    assert_eq!(answer(0, 0, 0), (vec![OK], Some((0, Some(7), ABORTED, false))));
    assert_eq!(answer(0, 1, 0), (vec![OK], Some((0, None, ABORTED, false))));
    assert_eq!(answer(0, 5, 0), (vec![OK], Some((0, None, RESET, true))));
    assert_eq!(answer(0, 6, 0), (vec![OK], None));
    assert_eq!(answer(0, 8, 0), (vec![FUNCTION_REJECTED], None));
    assert_eq!(answer(0, 5, 1), (vec![BAD_TARGET], None));
    assert_eq!(answer(1, 0, 0), (vec![0; 5], None));
    assert_eq!(answer(9, 0, 0), (Vec::new(), None));
}
