//! Every method once on a small disk: the certificate prints the published passes, the disk holds what the last one leaves.

use super::{Test, bench::Bench};
use crate::{
    disk::{MIB, SECTOR},
    job::Job,
    oracle::{self, Leaves},
    vm::{Drive, Machine},
};
use anyhow::{Result, ensure};

/// A method as its source has it. In the list `c` is a byte drawn for the job, `~c` the complement of the one before it,
/// `R` a random stream.
struct Expected {
    method: &'static str,
    passes: &'static str,
    leaves: Leaves,
}

macro_rules! method_tests {
    ($($test:literal $method:literal, $leaves:expr, $passes:literal;)*) => {
        pub(super) const TESTS: &[Test] = &[$(
            Test::new($test, concat!("the passes ", $passes), |bench| {
                check(bench, &Expected { method: $method, passes: $passes, leaves: $leaves })
            }),
        )*];
    };
}

method_tests! {
    "method-zero" "zero", Leaves::Byte(0), "00";
    "method-random" "random", Leaves::Noise, "R";
    "method-nist-clear" "nist-clear", Leaves::Byte(0), "00";
    "method-dod" "dod-5220.22-m", Leaves::Noise, "00 FF R";
    "method-dod-ece" "dod-5220.22-m-ece", Leaves::Noise, "c ~c R c c ~c R";
    "method-gutmann" "gutmann", Leaves::Noise,
        "R R R R 55 AA 924924 492492 249249 00 11 22 33 44 55 66 77 88 99 AA BB CC DD EE FF 924924 492492 249249 \
         6DB6DB B6DB6D DB6DB6 R R R R";
    "method-rcmp" "rcmp-tssit-ops-ii", Leaves::AnyByte, "00 FF 00 FF 00 FF c";
    "method-hmg-baseline" "hmg-is5-baseline", Leaves::Byte(0), "00";
    "method-hmg-enhanced" "hmg-is5-enhanced", Leaves::Noise, "00 FF R";
    "method-vsitr" "vsitr", Leaves::Byte(0xaa), "00 FF 00 FF 00 FF AA";
    "method-schneier" "schneier", Leaves::Noise, "FF 00 R R R R R";
    "method-bmb21" "bmb21-2019", Leaves::Byte(0xff), "FF 00 R R R FF";
}

/// ```text
/// stick   USB     D   AHCI, 3 MiB and 5 sectors
/// ```
fn check(bench: &mut Bench, expected: &Expected) -> Result<()> {
    let stick = bench.stick(&Job::wipe(expected.method))?;
    let disk = bench.disk("METHOD", 3 * MIB + 5 * SECTOR)?;
    bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disk)))?.expect_erased(1)?;
    oracle::wiped(&disk, expected.leaves)?;
    let certificates = bench.certificates(&stick)?;
    let certificate = certificates.of("METHOD")?;
    certificate.expect_outcome("erased")?.verify()?;
    ensure!(certificate.text("/sanitisation/method") == expected.method, "another method");
    let printed = certificate.passes();
    ensure!(is_list(&printed, expected.passes), "printed are {printed:?}, published are {}", expected.passes);
    Ok(())
}

/// Whether the printed passes are the published ones.
fn is_list(printed: &[&str], published: &str) -> bool {
    let published: Vec<&str> = published.split_whitespace().collect();
    let mut drawn = 0;
    printed.len() == published.len()
        && printed.iter().zip(published).all(|(printed, published)| {
            let byte = u8::from_str_radix(printed, 16).ok().filter(|_| printed.len() == 2);
            match published {
                "R" => *printed == "random",
                "c" => byte.inspect(|byte| drawn = *byte).is_some(),
                "~c" => byte == Some(!drawn),
                literal => printed.replace(' ', "") == literal,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_bytes_must_fit_each_other() {
        assert!(is_list(&["5A", "A5", "random", "00"], "c ~c R 00"));
        assert!(is_list(&["92 49 24"], "924924"));
        for wrong in [&["5A", "A4", "random", "00"][..], &["5A", "A5", "00", "00"], &["5A", "A5", "random"], &[]] {
            assert!(!is_list(wrong, "c ~c R 00"), "{wrong:?}");
        }
        assert!(!is_list(&["random"], "c") && !is_list(&["5"], "c") && !is_list(&["924924"], "492492"));
    }
}
