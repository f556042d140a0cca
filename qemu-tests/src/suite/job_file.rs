//! Job files with mistakes: the message names the key and the line, nothing is touched, the machine stays on.

use super::{
    Test,
    bench::{Bench, expect_words},
};
use crate::{
    disk::MIB,
    job::Job,
    oracle,
    vm::{Drive, Machine},
};
use anyhow::{Result, ensure};

/// A job file, or its absence, and the words its message must have.
struct Mistake {
    file: Option<&'static str>,
    words: &'static [&'static str],
}

macro_rules! mistake_tests {
    ($($test:literal $about:literal, $file:expr, $words:expr;)*) => {
        pub(super) const TESTS: &[Test] = &[$(
            Test::new($test, $about, |bench| refused(bench, &Mistake { file: $file, words: &$words })),
        )*];
    };
}

mistake_tests! {
    "job-missing" "no mule.toml at all", None, ["mule.toml"];
    "job-empty" "an empty mule.toml", Some(""), ["mule.toml"];
    "job-unknown-key" "a key that does not exist",
        Some("[job]\naction = \"wipe\"\nmethd = \"zero\"\ndrives = \"all\"\nconfirm = \"erase\"\n"), ["methd", "line 3"];
    "job-unknown-section" "a section that does not exist",
        Some("[job]\naction = \"wipe\"\nmethod = \"zero\"\nconfirm = \"erase\"\n\n[operater]\nname = \"x\"\n"),
        ["operater", "line 6"];
    "job-unknown-method" "a method that does not exist",
        Some("[job]\naction = \"wipe\"\nmethod = \"zeroes\"\ndrives = \"all\"\nconfirm = \"erase\"\n"),
        ["method", "zeroes", "line 3"];
    "job-bad-value" "a countdown that is no number",
        Some("[job]\naction = \"wipe\"\nmethod = \"zero\"\nconfirm = \"erase\"\ncountdown = \"soon\"\n"),
        ["countdown", "line 5"];
    "job-bad-then" "an unknown word for what comes after",
        Some("[job]\naction = \"wipe\"\nmethod = \"zero\"\nconfirm = \"erase\"\nthen = \"sleep\"\n"),
        ["then", "sleep", "line 5"];
    "job-no-toml" "a text that is no TOML", Some("[job]\naction = \"wipe\nmethod = zero\n"), ["line 2"];
    "job-not-text" "bytes that are no text", Some("[job]\n\u{0}\u{1}\u{2}\n"), ["mule.toml"];
    "job-no-verification" "a method that ends with a verification cannot do without",
        Some("[job]\naction = \"wipe\"\nmethod = \"dod-5220.22-m\"\nconfirm = \"erase\"\nverify = \"none\"\n"),
        ["verify", "line 5"];
}

/// ```text
/// stick   USB     D   AHCI
/// ```
fn refused(bench: &mut Bench, mistake: &Mistake) -> Result<()> {
    let stick = bench.stick(&Job::wipe("zero"))?;
    match mistake.file {
        Some(text) => stick.set_job_text(text)?,
        None => stick.remove_job()?,
    }
    let disk = bench.disk("D", 4 * MIB)?;
    let finished = bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disk)))?;
    expect_words(&finished.expect_refusal_and_stay()?, mistake.words)?;
    ensure!(bench.certificates(&stick)?.list.is_empty(), "a certificate for nothing");
    oracle::untouched(&disk)
}
