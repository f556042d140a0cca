//! Which test runs when: as many as the host has room for, and what mostly sleeps beside what keeps a processor busy.

use super::{Load, Test};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Room that a busy test takes; one that sleeps takes half of it.
const BUSY: usize = 2;

fn room(test: &Test) -> usize {
    match test.load {
        Load::Sleepy => BUSY / 2,
        Load::Busy | Load::Alone => BUSY,
    }
}

#[derive(Debug)]
struct State {
    waiting: Vec<&'static Test>,
    /// Room taken by busy and by sleeping tests.
    busy: usize,
    sleepy: usize,
}

impl State {
    /// The next test that fits into `all`. Half of the room is for those that sleep as long as there are any: then some
    /// of them are always beside a busy one, and they are not left over at the end.
    fn take(&mut self, all: usize) -> Option<&'static Test> {
        let free = all - self.busy - self.sleepy;
        let first = if self.sleepy < all / 2 { Load::Sleepy } else { Load::Busy };
        let fits = |test: &&Test| room(test) <= free;
        let of_kind = self.waiting.iter().position(|test| test.load == first && fits(test));
        let at = of_kind.or_else(|| self.waiting.iter().position(fits))?;
        let test = self.waiting.remove(at);
        *self.taken(test) += room(test);
        Some(test)
    }

    fn taken(&mut self, test: &Test) -> &mut usize {
        if test.load == Load::Sleepy { &mut self.sleepy } else { &mut self.busy }
    }
}

/// Runs every test once, `jobs` busy ones at a time and twice as many that sleep; those that want to be alone come last,
/// one by one. The results are in the order in which the tests ended.
pub(super) fn run_all<T: Send>(
    tests: &[&'static Test],
    jobs: usize,
    run: impl Fn(&'static Test) -> T + Sync,
) -> Vec<T> {
    let (alone, together): (Vec<&Test>, Vec<&Test>) = tests.iter().partition(|test| test.load == Load::Alone);
    let done = Mutex::new(Vec::new());
    side_by_side(together, jobs * BUSY, |test| {
        let result = run(test);
        done.lock().unwrap_or_else(PoisonError::into_inner).push(result);
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.extend(alone.into_iter().map(run));
    done
}

fn side_by_side(tests: Vec<&'static Test>, all: usize, run: impl Fn(&'static Test) + Sync) {
    let state = Mutex::new(State { waiting: tests, busy: 0, sleepy: 0 });
    let ended = Condvar::new();
    let lock = || -> MutexGuard<'_, State> { state.lock().unwrap_or_else(PoisonError::into_inner) };
    let worker = || {
        let mut state = lock();
        while !state.waiting.is_empty() {
            let Some(test) = state.take(all) else {
                state = ended.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            run(test);
            state = lock();
            *state.taken(test) -= room(test);
            ended.notify_all();
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..all {
            scope.spawn(worker);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::atomic::{AtomicUsize, Ordering::SeqCst},
        time::Duration,
    };

    const BUSY_ONE: Test = Test::new("busy", "", |_| Ok(()));
    const SLEEPY_ONE: Test = Test::new("sleepy", "", |_| Ok(())).sleepy();
    const LONELY_ONE: Test = Test::new("alone", "", |_| Ok(())).alone();

    #[test]
    fn half_of_the_room_is_for_those_that_sleep_as_long_as_there_are_any() {
        let waiting = vec![&BUSY_ONE, &BUSY_ONE, &SLEEPY_ONE, &SLEEPY_ONE, &SLEEPY_ONE, &SLEEPY_ONE];
        let mut state = State { waiting, busy: 0, sleepy: 0 };
        let mut take = || state.take(4).map(|test| test.name);
        assert_eq!([take(), take(), take(), take()], [Some("sleepy"), Some("sleepy"), Some("busy"), None]);
        state.sleepy -= 1;
        assert_eq!(state.take(4).map(|test| test.name), Some("sleepy"));
        state.busy -= 2;
        assert_eq!(state.take(4).map(|test| test.name), Some("busy"));
        let mut left = State { waiting: vec![&SLEEPY_ONE; 4], busy: 0, sleepy: 0 };
        assert!((0..4).all(|_| left.take(4).is_some()), "what is left fills all the room");
    }

    #[test]
    fn all_run_once_within_the_room_and_those_alone_are_alone() {
        let tests = [&BUSY_ONE, &LONELY_ONE, &SLEEPY_ONE, &BUSY_ONE, &BUSY_ONE, &SLEEPY_ONE, &LONELY_ONE];
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let names = run_all(&tests, 2, |test| {
            let taken = now.fetch_add(room(test), SeqCst) + room(test);
            most.fetch_max(taken, SeqCst);
            assert!(test.load != Load::Alone || taken == BUSY);
            std::thread::sleep(Duration::from_millis(20));
            now.fetch_sub(room(test), SeqCst);
            test.name
        });
        assert!(most.into_inner() <= 2 * BUSY);
        assert_eq!(names[5..], ["alone", "alone"]);
        assert_eq!(names.iter().filter(|name| **name == "busy").count(), 3);
        assert_eq!(names.len(), tests.len());
        assert!(run_all(&[], 2, |test| test.name).is_empty());
    }
}
