//! Job files that are wrong or missing: the message names the key and the line, nothing is touched, the machine stays on.
//! Every kind of mistake is tested where job files are read; this is what becomes of the message.

use super::{
    Test,
    bench::{Bench, expect_words},
};
use crate::{
    disk::MIB,
    job::Job,
    oracle,
    stick::Stick,
    vm::{Drive, Machine},
};
use anyhow::{Result, ensure};

pub(super) const TESTS: &[Test] = &[
    Test::new("job-missing", "no mule.toml at all", |bench| refused(bench, Stick::remove_job, &["mule.toml"])),
    Test::new("job-unknown-key", "a key that does not exist", |bench| {
        refused(bench, |stick| stick.set_job_text(UNKNOWN_KEY), &["mule.toml", "methd", "line 3"])
    }),
];

const UNKNOWN_KEY: &str = "[job]\naction = \"wipe\"\nmethd = \"zero\"\ndrives = \"all\"\nconfirm = \"erase\"\n";

/// ```text
/// stick   USB     D   AHCI
/// ```
fn refused(bench: &mut Bench, change: impl Fn(&Stick) -> Result<()>, words: &[&str]) -> Result<()> {
    let stick = bench.stick(&Job::wipe("zero"))?;
    change(&stick)?;
    let disk = bench.disk("D", 4 * MIB)?;
    let finished = bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disk)))?;
    expect_words(&finished.expect_refusal_and_stay()?, words)?;
    ensure!(bench.certificates(&stick)?.list.is_empty(), "a certificate for nothing");
    oracle::untouched(&disk)
}
