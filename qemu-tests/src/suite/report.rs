//! Runs one test and says how it went; the closing table.

use super::{Place, Test, bench::Bench};
use anyhow::anyhow;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

/// How a test went.
#[derive(Debug)]
pub(super) struct Done {
    name: &'static str,
    pub(super) passed: bool,
    time: Duration,
    boots: u32,
}

/// Runs the test and prints a line about it; where it failed also why, what the guest said last, and where the rest is.
pub(super) fn run_one(test: &Test, place: &Place<'_>) -> Done {
    let started = Instant::now();
    let (mut notes, mut boots, mut left) = (String::new(), 0, String::new());
    let result = Bench::new(test.name, place).and_then(|mut bench| {
        let result = catch_unwind(AssertUnwindSafe(|| (test.body)(&mut bench)));
        let result = result.unwrap_or_else(|_| Err(anyhow!("the test panicked")));
        (notes, boots, left) = (bench.notes(), bench.boots(), bench.left());
        bench.clear_disks(result.is_ok()).and(result)
    });
    let time = started.elapsed();
    let seconds = time.as_secs_f64();
    // One call, so that two workers' lines do not mix.
    match &result {
        Ok(()) => println!("test {} ... ok ({seconds:.1} s){notes}", test.name),
        Err(error) => println!("test {} ... FAILED ({seconds:.1} s){notes}\n{}\n", test.name, failure(error, &left)),
    }
    Done { name: test.name, passed: result.is_ok(), time, boots }
}

/// Many errors bring the end of the console along; it is not printed twice.
fn failure(error: &anyhow::Error, left: &str) -> String {
    let error = format!("{error:#}");
    let again = left.lines().next().is_some_and(|first| first.starts_with("the end of") && error.contains(first));
    match left.split_once("files: ") {
        Some((_, folder)) if again => format!("{error}\nfiles: {folder}"),
        _ => format!("{error}\n{left}"),
    }
}

/// All tests with their seconds and boots, the slowest last; the failed ones by name; the line that scripts read.
pub(super) fn print(done: &[Done], elapsed: Duration) {
    for line in table(done) {
        println!("{line}");
    }
    let failed: Vec<_> = done.iter().filter(|one| !one.passed).collect();
    for one in &failed {
        println!("failed: {}", one.name);
    }
    println!("the VM tests took {:.1} s", elapsed.as_secs_f64());
    println!("{} passed, {} failed", done.len() - failed.len(), failed.len());
}

fn table(done: &[Done]) -> Vec<String> {
    let mut rows: Vec<&Done> = done.iter().collect();
    rows.sort_by_key(|one| one.time);
    let row = |name: &str, time: Duration, boots: u32| format!("{name:<36} {:>8.1} s {boots:>4}", time.as_secs_f64());
    let mut lines = vec![format!("{:<36} {:>10} {:>4}", "TEST", "SECONDS", "BOOTS")];
    lines.extend(rows.iter().map(|one| row(one.name, one.time, one.boots)));
    lines.push(row("sum", rows.iter().map(|one| one.time).sum(), rows.iter().map(|one| one.boots).sum()));
    lines
}

#[cfg(test)]
mod tests {
    use super::{super::used::UsedStick, *};
    use std::path::Path;

    #[test]
    fn a_failing_and_a_panicking_test_fail() {
        const FAILING: Test = Test::new("fails", "", |_| Err(anyhow!("on purpose")));
        const PANICKING: Test = Test::new("panics", "", |_| panic!("on purpose"));
        const GOOD: Test = Test::new("good", "", |_| Ok(()));
        let folder = tempfile::tempdir().unwrap();
        let place = Place { image: Path::new("none"), folder: folder.path(), seed: 1, used: UsedStick::default() };
        let passed = [&FAILING, &PANICKING, &GOOD].map(|test| run_one(test, &place).passed);
        assert_eq!(passed, [false, false, true]);
    }

    #[test]
    fn the_slowest_is_last_and_the_sum_below_it() {
        let done = |name, seconds, boots| Done { name, passed: true, time: Duration::from_secs(seconds), boots };
        let lines = table(&[done("slow", 30, 2), done("fast", 4, 1)]);
        assert!(lines[1].starts_with("fast") && lines[2].starts_with("slow"), "{lines:?}");
        assert_eq!(lines[3].split_whitespace().collect::<Vec<_>>(), ["sum", "34.0", "s", "3"]);
    }

    #[test]
    fn the_end_of_the_console_is_printed_once() {
        let left = "the end of the console (x):\n    1 line\nfiles: /f";
        assert_eq!(failure(&anyhow!("wrong"), left), format!("wrong\n{left}"));
        let error = anyhow!("late; the end of the console (x):\n    1 line\n");
        assert_eq!(failure(&error, left), format!("{error}\nfiles: /f"));
        assert_eq!(failure(&anyhow!("wrong"), "files: /f"), "wrong\nfiles: /f");
    }
}
