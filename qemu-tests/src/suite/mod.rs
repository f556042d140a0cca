//! The tests: a table of names, each with what it shows, and the loop that runs them.

mod bench;
mod boot;
mod commanded;
mod commanded_machine;
mod commanded_scsi;
mod faults;
mod guest;
mod harness;
mod imaging;
mod job_file;
mod log;
mod methods;
mod modelled;
mod modelled_tools;
mod power_cut;
mod resume;
mod selection;
mod shapes;
mod sticks;

use crate::random;
use anyhow::{Context, Result, anyhow};
use bench::Bench;
use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// One test.
#[derive(Debug)]
pub(crate) struct Test {
    name: &'static str,
    /// What it shows, in one line.
    about: &'static str,
    /// It measures time and wants the host for itself.
    alone: bool,
    body: fn(&mut Bench) -> Result<()>,
}

impl Test {
    const fn new(name: &'static str, about: &'static str, body: fn(&mut Bench) -> Result<()>) -> Self {
        Self { name, about, alone: false, body }
    }

    const fn alone(self) -> Self {
        Self { alone: true, ..self }
    }
}

/// The longest first, so that the last worker is not left alone with one of them.
const GROUPS: &[&[Test]] = &[
    power_cut::TESTS,
    resume::TESTS,
    imaging::TESTS,
    shapes::TESTS,
    faults::TESTS,
    boot::TESTS,
    sticks::TESTS,
    selection::TESTS,
    log::TESTS,
    job_file::TESTS,
    methods::TESTS,
    commanded::TESTS,
    commanded_machine::TESTS,
    commanded_scsi::TESTS,
    modelled::TESTS,
    modelled_tools::TESTS,
    harness::TESTS,
];

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only print the names and what each test shows.
    #[arg(long)]
    list: bool,
    /// Run the tests whose name contains this; may be given several times.
    #[arg(long, value_name = "PART")]
    filter: Vec<String>,
    /// How many tests run at once [default: one for each processor, at most 4].
    #[arg(long)]
    jobs: Option<usize>,
}

impl Options {
    fn jobs(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from).min(4);
        self.jobs.unwrap_or_else(processors).max(1)
    }

    fn wants(&self, test: &Test) -> bool {
        self.filter.is_empty() || self.filter.iter().any(|part| test.name.contains(part.as_str()))
    }
}

/// Where a run's tests take things from.
struct Place<'a> {
    image: &'a Path,
    folder: &'a Path,
    seed: u64,
}

/// Runs the chosen tests; `false` where one failed or none was chosen.
pub(crate) fn run(options: &Options, image: &Path, folder: &Path) -> Result<bool> {
    let chosen: Vec<&Test> = GROUPS.iter().flat_map(|group| group.iter()).filter(|test| options.wants(test)).collect();
    if options.list {
        for test in &chosen {
            println!("{:<36} {}", test.name, test.about);
        }
        return Ok(true);
    }
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let place = Place { image, folder, seed: random::seed()? };
    println!("running {} tests, seed {} (MULE_SEED repeats it)", chosen.len(), place.seed);
    let (alone, together): (Vec<&Test>, Vec<&Test>) = chosen.iter().partition(|test| test.alone);
    let started = Instant::now();
    let mut failed = run_all(together, options.jobs(), &place);
    failed.extend(run_all(alone, 1, &place));
    for name in &failed {
        println!("failed: {name}");
    }
    println!("the VM tests took {:.1} s", started.elapsed().as_secs_f64());
    println!("{} passed, {} failed", chosen.len() - failed.len(), failed.len());
    Ok(failed.is_empty() && !chosen.is_empty())
}

/// Names of those that failed.
fn run_all(tests: Vec<&'static Test>, jobs: usize, place: &Place<'_>) -> Vec<&'static str> {
    let queue = Mutex::new(VecDeque::from(tests));
    let failed = Mutex::new(Vec::new());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(test) = next() {
                    if !run_one(test, place) {
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push(test.name);
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn run_one(test: &Test, place: &Place<'_>) -> bool {
    let started = Instant::now();
    let mut notes = String::new();
    let result = Bench::new(test.name, place.image, place.folder, place.seed).and_then(|mut bench| {
        let result = catch_unwind(AssertUnwindSafe(|| (test.body)(&mut bench)));
        notes = bench.notes();
        let result = result.unwrap_or_else(|_| Err(anyhow!("the test panicked")));
        bench.clear_disks(result.is_ok()).and(result)
    });
    let time = started.elapsed().as_secs_f64();
    // One call, so that two workers' lines do not mix.
    match &result {
        Ok(()) => println!("test {} ... ok ({time:.1} s){notes}", test.name),
        Err(error) => println!("test {} ... FAILED ({time:.1} s){notes}\n{error:#}\n", test.name),
    }
    result.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_fit_a_folder() {
        let mut names: Vec<&str> = GROUPS.iter().flat_map(|group| group.iter()).map(|test| test.name).collect();
        assert!(
            names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'))
        );
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_failing_and_a_panicking_test_fail_and_no_test_is_no_success() {
        const FAILING: Test = Test::new("fails", "", |_| Err(anyhow!("on purpose")));
        const PANICKING: Test = Test::new("panics", "", |_| panic!("on purpose"));
        const GOOD: Test = Test::new("good", "", |_| Ok(()));
        let folder = tempfile::tempdir().unwrap();
        let place = Place { image: Path::new("none"), folder: folder.path(), seed: 1 };
        let mut failed = run_all(vec![&FAILING, &GOOD, &PANICKING], 2, &place);
        failed.sort_unstable();
        assert_eq!(failed, ["fails", "panics"]);
        let nothing = Options { list: false, filter: vec!["no such test".into()], jobs: None };
        assert!(!run(&nothing, Path::new("none"), folder.path()).unwrap());
    }
}
