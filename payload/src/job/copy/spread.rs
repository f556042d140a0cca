//! Content on its way to its targets: read and unpacked once by several threads, sent in order to every target.
//!
//! The slowest target sets the pace; one that fails is left behind and the others go on.

use super::target::First;
use crate::engine::frames::{self, Content, Job};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread,
};

/// Frames between reading and the targets.
const AHEAD: usize = 12;

/// Where the content comes from.
pub trait Origin: Send + Sync {
    /// Its length in bytes.
    fn bytes(&self) -> u64;

    /// A frame, proved against its hash; `None` is zeros.
    fn frame(&self, index: u64) -> Result<First, String>;
}

/// Sends every frame but the first to all targets and gives the first one back. An error is the origin's: then no target
/// is whole.
pub fn spread(
    origin: &dyn Origin,
    bytes: u64,
    threads: usize,
    targets: Vec<SyncSender<Job>>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<First, String> {
    let count = frames::count(bytes);
    let (task_sender, tasks) = sync_channel(AHEAD);
    let (token_sender, tokens) = sync_channel(AHEAD);
    let (ready_sender, ready) = channel();
    let tasks = Mutex::new(tasks);
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            let (tasks, ready) = (&tasks, ready_sender.clone());
            scope.spawn(move || unpack(origin, tasks, &ready));
        }
        drop(ready_sender);
        scope.spawn(move || {
            for index in 1..count {
                if token_sender.send(()).is_err() || task_sender.send(index).is_err() {
                    return;
                }
            }
        });
        in_order(&ready, tokens, bytes, targets, stop)
    })?;
    origin.frame(0)
}

fn unpack(origin: &dyn Origin, tasks: &Mutex<Receiver<u64>>, ready: &Sender<(u64, Result<First, String>)>) {
    loop {
        let task = tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(index) = task else { return };
        if ready.send((index, origin.frame(index))).is_err() {
            return;
        }
    }
}

fn in_order(
    ready: &Receiver<(u64, Result<First, String>)>,
    tokens: Receiver<()>,
    bytes: u64,
    mut targets: Vec<SyncSender<Job>>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(), String> {
    let mut waiting = BTreeMap::new();
    let mut next = 1;
    for (index, frame) in ready {
        waiting.insert(index, frame);
        while let Some(frame) = waiting.remove(&next) {
            let data: Option<Arc<dyn Content>> = frame?;
            let len = frames::len(next, bytes);
            targets.retain(|target| target.send(Job::Frame { index: next, len, data: data.clone() }).is_ok());
            if targets.is_empty() {
                return Err("no target is left".into());
            }
            if stop() {
                return Err("it was stopped".into());
            }
            next += 1;
            let _ = tokens.try_recv();
        }
    }
    if next == frames::count(bytes).max(1) { Ok(()) } else { Err("the content ended before its last frame".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::frames::FRAME;

    struct Numbers(u64, Option<u64>);

    impl Origin for Numbers {
        fn bytes(&self) -> u64 {
            self.0
        }
        fn frame(&self, index: u64) -> Result<First, String> {
            if self.1 == Some(index) {
                return Err(format!("frame {index} is damaged"));
            }
            let byte = u8::try_from(index % 251).unwrap();
            Ok((index % 3 != 0).then(|| Arc::new(vec![byte; frames::len(index, self.0)]) as Arc<dyn Content>))
        }
    }

    #[test]
    fn every_target_gets_every_frame_in_order_and_the_first_comes_back() {
        let origin = Numbers(40 * FRAME as u64 + 512, None);
        let (a, from_a) = sync_channel(2);
        let (b, from_b) = sync_channel(2);
        let (gone, _) = sync_channel(2);
        let take =
            |from: Receiver<Job>| thread::spawn(move || from.iter().map(|job| index_of(&job)).collect::<Vec<_>>());
        let (a_thread, b_thread) = (take(from_a), take(from_b));
        let first = spread(&origin, origin.bytes(), 3, vec![a, gone, b], &|| false).unwrap();
        assert!(first.is_none());
        let expected: Vec<usize> = (1..41).collect();
        assert_eq!((a_thread.join().unwrap(), b_thread.join().unwrap()), (expected.clone(), expected));
    }

    fn index_of(job: &Job) -> usize {
        match job {
            Job::Frame { index, data, .. } => {
                assert_eq!(data.is_none(), index % 3 == 0);
                usize::try_from(*index).unwrap()
            }
            Job::Piece { .. } => unreachable!(),
        }
    }

    #[test]
    fn a_damaged_frame_and_a_wish_to_stop_end_it_with_their_reason() {
        let (sender, receiver) = sync_channel(100);
        let origin = Numbers(40 * FRAME as u64, Some(7));
        let error = spread(&origin, origin.bytes(), 2, vec![sender], &|| false).unwrap_err();
        assert_eq!((error.as_str(), receiver.iter().count()), ("frame 7 is damaged", 6));
        let (sender, _receiver) = sync_channel(100);
        let origin = Numbers(40 * FRAME as u64, None);
        assert_eq!(spread(&origin, origin.bytes(), 2, vec![sender], &|| true).unwrap_err(), "it was stopped");
    }
}
