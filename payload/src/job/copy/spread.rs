//! Content on its way to its targets: read and unpacked once by several threads, sent in order to every target.
//!
//! The slowest target sets the pace; one that fails is left behind and the others go on.

use super::{outlet::Outlet, target::First};
use crate::engine::frames;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel, sync_channel},
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

/// Sends every frame to all targets, the first one last. An error is the origin's: then no target is whole.
pub fn spread(
    origin: &dyn Origin,
    threads: usize,
    mut targets: Vec<Outlet>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(), String> {
    // Written last, it is asked for first: content whose first frame is damaged makes no target be touched.
    let first = origin.frame(0);
    let sent = first.and_then(|first| all_but_first(origin, threads, &mut targets, stop).map(|()| first));
    let first = sent.as_ref().map_err(String::as_str);
    targets.into_iter().for_each(|target| target.finish(first));
    sent.map(|_| ())
}

fn all_but_first(
    origin: &dyn Origin,
    threads: usize,
    targets: &mut Vec<Outlet>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(), String> {
    let count = frames::count(origin.bytes());
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
        in_order(&ready, tokens, count, targets, stop)
    })
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
    count: u64,
    targets: &mut Vec<Outlet>,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<(), String> {
    let mut waiting = BTreeMap::new();
    let mut next = 1;
    for (index, frame) in ready {
        waiting.insert(index, frame);
        while let Some(frame) = waiting.remove(&next) {
            let data = frame?;
            targets.retain(|target| target.send(next, &data));
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
    if next == count.max(1) { Ok(()) } else { Err("the content ended before its last frame".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::frames::{Content, FRAME, Job},
        job::copy::{gpt::Patches, outlet::Shape},
    };
    use std::sync::{Arc, mpsc::SyncSender};

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
            Ok((!index.is_multiple_of(3)).then(|| Arc::new(vec![byte; frames::len(index, self.0)]) as Arc<dyn Content>))
        }
    }

    fn outlet(sender: SyncSender<Job>, bytes: u64) -> (Outlet, Arc<Shape>) {
        let shape = Arc::new(Shape::new(bytes, Patches::new()));
        (Outlet::new(sender, Arc::clone(&shape)), shape)
    }

    fn index_of(job: &Job) -> u64 {
        match job {
            Job::Frame { index, data, .. } => {
                assert_eq!(data.is_none(), index % 3 == 0);
                *index
            }
            Job::Piece { .. } => unreachable!(),
        }
    }

    #[test]
    fn every_target_gets_every_frame_in_order_and_the_first_last() {
        let origin = Numbers(40 * FRAME as u64 + 512, None);
        let (a, from_a) = sync_channel(2);
        let (b, from_b) = sync_channel(2);
        let (gone, _) = sync_channel(2);
        let take =
            |from: Receiver<Job>| thread::spawn(move || from.iter().map(|job| index_of(&job)).collect::<Vec<_>>());
        let (a_thread, b_thread) = (take(from_a), take(from_b));
        // The second target is smaller.
        let ((a, shape), (b, _), (gone, _)) =
            (outlet(a, origin.0), outlet(b, 5 * FRAME as u64), outlet(gone, origin.0));
        spread(&origin, 3, vec![a, gone, b], &|| false).unwrap();
        assert!(matches!(shape.first.get(), Some(Ok(None))));
        assert_eq!(a_thread.join().unwrap(), (1..41).collect::<Vec<_>>());
        assert_eq!(b_thread.join().unwrap(), (1..5).collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_frame_and_a_wish_to_stop_end_it_with_their_reason() {
        let (sender, receiver) = sync_channel(100);
        let origin = Numbers(40 * FRAME as u64, Some(7));
        let (target, shape) = outlet(sender, origin.0);
        assert_eq!(spread(&origin, 2, vec![target], &|| false).unwrap_err(), "frame 7 is damaged");
        assert_eq!(receiver.iter().count(), 6);
        assert!(matches!(shape.first.get(), Some(Err(reason)) if reason == "frame 7 is damaged"));
        let (sender, receiver) = sync_channel(100);
        let origin = Numbers(40 * FRAME as u64, Some(0));
        let (target, shape) = outlet(sender, origin.0);
        assert_eq!(spread(&origin, 2, vec![target], &|| false).unwrap_err(), "frame 0 is damaged");
        assert_eq!(receiver.iter().count(), 0, "no target is begun");
        assert!(matches!(shape.first.get(), Some(Err(_))));
        let (sender, _receiver) = sync_channel(100);
        let origin = Numbers(40 * FRAME as u64, None);
        let (target, _) = outlet(sender, origin.0);
        assert_eq!(spread(&origin, 2, vec![target], &|| true).unwrap_err(), "it was stopped");
    }
}
