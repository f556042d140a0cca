//! The tests: a table of names, each with what it shows, and the loop that runs them.

mod bench;
mod boot;
mod commanded;
mod commanded_machine;
mod commanded_scsi;
mod exchanged;
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
mod report;
mod resume;
mod schedule;
mod selection;
mod shapes;
mod sticks;
mod used;

use crate::random;
use anyhow::{Context, Result};
use bench::Bench;
use std::{path::Path, time::Instant};

/// When a test runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Tier {
    /// Before every change of the project.
    Gate,
    /// Whether the modelled drives are like real ones to programs we did not write: when `drive-host` changed.
    Model,
    /// More of what the gate has, for a night.
    Long,
}

/// How much of the host a test keeps busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    /// One processor.
    Busy,
    /// It sleeps most of its time: its drives are slow, or it waits for a moment.
    Sleepy,
    /// It measures time and wants the host for itself.
    Alone,
}

/// One test.
#[derive(Debug)]
pub(crate) struct Test {
    name: &'static str,
    /// What it shows, in one line.
    about: &'static str,
    tier: Tier,
    load: Load,
    body: fn(&mut Bench) -> Result<()>,
}

impl Test {
    const fn new(name: &'static str, about: &'static str, body: fn(&mut Bench) -> Result<()>) -> Self {
        Self { name, about, tier: Tier::Gate, load: Load::Busy, body }
    }

    const fn alone(self) -> Self {
        Self { load: Load::Alone, ..self }
    }

    const fn sleepy(self) -> Self {
        Self { load: Load::Sleepy, ..self }
    }

    const fn of_model(self) -> Self {
        Self { tier: Tier::Model, ..self }
    }

    const fn long(self) -> Self {
        Self { tier: Tier::Long, ..self }
    }
}

/// Groups with long tests first, so that the last worker is not left alone with one of them.
const GROUPS: &[&[Test]] = &[
    log::TESTS,
    power_cut::TESTS,
    resume::TESTS,
    commanded::TESTS,
    commanded_scsi::TESTS,
    modelled::TESTS,
    imaging::TESTS,
    commanded_machine::TESTS,
    exchanged::TESTS,
    faults::TESTS,
    shapes::TESTS,
    boot::TESTS,
    modelled_tools::TESTS,
    sticks::TESTS,
    selection::TESTS,
    job_file::TESTS,
    methods::TESTS,
    harness::TESTS,
];

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only print the names, the tiers and what each test shows.
    #[arg(long)]
    list: bool,
    /// Run the tests whose name contains this; may be given several times.
    #[arg(long, value_name = "PART")]
    filter: Vec<String>,
    /// gate, model, long or all [default: gate; with --filter all].
    #[arg(long, value_parser = wanted)]
    tier: Option<Wanted>,
    /// How many busy tests run at once [default: three for two processors, at most 6].
    #[arg(long)]
    jobs: Option<usize>,
}

/// Tiers that were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    All,
    Only(Tier),
}

fn wanted(word: &str) -> Result<Wanted, String> {
    use clap::ValueEnum;
    if word == "all" { Ok(Wanted::All) } else { Tier::from_str(word, false).map(Wanted::Only) }
}

impl Options {
    /// A machine that starts waits for USB and the countdown about as long as it computes, so there is room for more
    /// than one on a processor.
    fn jobs(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from).min(4);
        self.jobs.unwrap_or_else(|| processors() * 3 / 2).max(1)
    }

    /// A test that is named in full runs whatever its tier.
    fn wants(&self, test: &Test) -> bool {
        let named = |part: &String| test.name == part.as_str();
        let otherwise = if self.filter.is_empty() { Wanted::Only(Tier::Gate) } else { Wanted::All };
        let in_tier = match self.tier.unwrap_or(otherwise) {
            Wanted::All => true,
            Wanted::Only(tier) => test.tier == tier,
        };
        self.filter.iter().any(named)
            || in_tier && (self.filter.is_empty() || self.filter.iter().any(|part| test.name.contains(part.as_str())))
    }
}

/// Where a run's tests take things from.
struct Place<'a> {
    image: &'a Path,
    folder: &'a Path,
    seed: u64,
    used: used::UsedStick,
}

/// Runs the chosen tests; `false` where one failed or none was chosen.
pub(crate) fn run(options: &Options, image: &Path, folder: &Path) -> Result<bool> {
    let chosen: Vec<&Test> = GROUPS.iter().flat_map(|group| group.iter()).filter(|test| options.wants(test)).collect();
    if options.list {
        for test in &chosen {
            println!("{:<5} {:<36} {}", format!("{:?}", test.tier).to_lowercase(), test.name, test.about);
        }
        return Ok(true);
    }
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let place = Place { image, folder, seed: random::seed()?, used: used::UsedStick::default() };
    println!("running {} tests, seed {} (MULE_SEED repeats it)", chosen.len(), place.seed);
    let started = Instant::now();
    let done = schedule::run_all(&chosen, options.jobs(), |test| report::run_one(test, &place));
    report::print(&done, started.elapsed());
    Ok(!done.is_empty() && done.iter().all(|one| one.passed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = &'static Test> {
        GROUPS.iter().flat_map(|group| group.iter())
    }

    #[test]
    fn names_are_unique_and_fit_a_folder() {
        let mut names: Vec<&str> = all().map(|test| test.name).chain([used::FOLDER]).collect();
        assert!(
            names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'))
        );
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    fn options(filter: &[&str], tier: Option<&str>) -> Options {
        let filter = filter.iter().map(|part| (*part).to_owned()).collect();
        Options { list: false, filter, tier: tier.map(|word| wanted(word).unwrap()), jobs: None }
    }

    #[test]
    fn the_gate_is_chosen_unless_a_tier_or_a_name_is_given() {
        let count = |filter: &[&str], tier| all().filter(|test| options(filter, tier).wants(test)).count();
        let [gate, model, long] = ["gate", "model", "long"].map(|tier| count(&[], Some(tier)));
        assert_eq!((count(&[], None), count(&[], Some("all"))), (gate, gate + model + long));
        assert!(gate > model && gate > long && model > 0 && long > 0);
        assert_eq!((count(&["power-cuts-many"], Some("gate")), count(&["power-cuts-many"], None)), (1, 1));
        assert_eq!((count(&["cuts-many"], Some("gate")), count(&["cuts-many"], None)), (0, 1));
        assert!(wanted("night").is_err());
    }

    #[test]
    fn no_test_is_no_success() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!run(&options(&["no such test"], None), Path::new("none"), folder.path()).unwrap());
    }
}
