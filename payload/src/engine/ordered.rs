//! Work of many pieces: done by several threads, handed over in order, with never more than a few pieces under way.

use std::{
    collections::BTreeMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// Pieces that wait to be handed over, for each thread.
const AHEAD: u64 = 2;

struct State<T> {
    /// The next piece that nobody works on, and the first that was not handed over.
    next: u64,
    wanted: u64,
    done: BTreeMap<u64, T>,
    over: bool,
}

struct Line<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

impl<T> Line<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece for a thread, once there is room for what comes of it.
    fn take(&self, count: u64, ahead: u64) -> Option<u64> {
        let mut state = self.lock();
        loop {
            if state.over || state.next >= count {
                return None;
            }
            if state.next < state.wanted + ahead {
                state.next += 1;
                return Some(state.next - 1);
            }
            state = self.wait(state);
        }
    }

    fn put(&self, piece: u64, done: T) {
        self.lock().done.insert(piece, done);
        self.changed.notify_all();
    }

    fn hand_over(&self, piece: u64) -> T {
        let mut state = self.lock();
        loop {
            if let Some(done) = state.done.remove(&piece) {
                state.wanted = piece + 1;
                drop(state);
                self.changed.notify_all();
                return done;
            }
            state = self.wait(state);
        }
    }

    fn end(&self) {
        self.lock().over = true;
        self.changed.notify_all();
    }
}

/// Calls `work` with every number below `count`, on `threads` threads, and `deliver` with what comes of each, in order, on this one.
/// The first error of `deliver` ends it: no piece is begun after it.
pub(crate) fn ordered<T: Send, E>(
    count: u64,
    threads: usize,
    work: impl Fn(u64) -> T + Sync,
    mut deliver: impl FnMut(u64, T) -> Result<(), E>,
) -> Result<(), E> {
    let threads = threads.max(1);
    let ahead = threads as u64 * AHEAD;
    let state = State { next: 0, wanted: 0, done: BTreeMap::new(), over: false };
    let line = Line { state: Mutex::new(state), changed: Condvar::new() };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(piece) = line.take(count, ahead) {
                    line.put(piece, work(piece));
                }
            });
        }
        let ended = (0..count).try_for_each(|piece| deliver(piece, line.hand_over(piece)));
        line.end();
        ended
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn pieces_come_in_order_and_never_more_than_a_few_are_under_way() {
        for threads in [0, 1, 2, 5] {
            let (begun, mut seen) = (AtomicU64::new(0), 0);
            let most = threads.max(1) as u64 * AHEAD;
            let work = |piece: u64| {
                begun.fetch_add(1, Ordering::SeqCst);
                piece * 3
            };
            let ended = ordered(500, threads, work, |piece, done| {
                assert_eq!((piece, done), (seen, piece * 3));
                seen += 1;
                assert!(begun.load(Ordering::SeqCst) <= seen + most);
                Ok::<_, ()>(())
            });
            assert_eq!((ended, seen), (Ok(()), 500));
        }
        assert_eq!(ordered(0, 3, |_| (), |_, ()| Err(())), Ok(()));
    }

    #[test]
    fn an_error_ends_it_and_nothing_is_begun_behind_it() {
        let begun = AtomicU64::new(0);
        let work = |_| begun.fetch_add(1, Ordering::SeqCst);
        let ended = ordered(1_000_000, 3, work, |piece, _| if piece == 7 { Err(piece) } else { Ok(()) });
        assert_eq!(ended, Err(7));
        assert!(begun.load(Ordering::SeqCst) <= 8 + 3 * AHEAD);
    }
}
