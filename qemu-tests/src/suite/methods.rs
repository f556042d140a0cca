//! Every method once on a small disk: the certificate prints the published passes, the disk holds what the last one leaves.
//! The passes are the same code on a host and on the stick, so the shipped program writes most of them on plain files.

use super::{Test, bench::Bench};
use crate::{
    certs::{Certificate, Certificates},
    disk::{Disk, MIB, SECTOR},
    job::Job,
    oracle::{self, Leaves},
    tool::Tool,
    vm::{Drive, Machine},
};
use anyhow::{Context, Result, ensure};

/// A method as its source has it. In the list `c` is a byte drawn for the job, `~c` the complement of the one before it,
/// `R` a random stream.
struct Expected {
    method: &'static str,
    passes: &'static str,
    leaves: Leaves,
}

macro_rules! method_tests {
    ($($how:ident $test:literal $method:literal, $leaves:expr, $passes:literal;)*) => {
        pub(super) const TESTS: &[Test] = &[$(
            Test::new($test, concat!("the passes ", $passes), |bench| {
                $how(bench, &Expected { method: $method, passes: $passes, leaves: $leaves })
            }),
        )*];
    };
}

// The two that draw bytes, as well in a machine.
method_tests! {
    in_machine "method-dod-ece-in-machine" "dod-5220.22-m-ece", Leaves::Noise, "c ~c R c c ~c R";
    in_machine "method-rcmp-in-machine" "rcmp-tssit-ops-ii", Leaves::AnyByte, "00 FF 00 FF 00 FF c";
    on_host "method-zero" "zero", Leaves::Byte(0), "00";
    on_host "method-random" "random", Leaves::Noise, "R";
    on_host "method-nist-clear" "nist-clear", Leaves::Byte(0), "00";
    on_host "method-dod" "dod-5220.22-m", Leaves::Noise, "00 FF R";
    on_host "method-dod-ece" "dod-5220.22-m-ece", Leaves::Noise, "c ~c R c c ~c R";
    on_host "method-gutmann" "gutmann", Leaves::Noise,
        "R R R R 55 AA 924924 492492 249249 00 11 22 33 44 55 66 77 88 99 AA BB CC DD EE FF 924924 492492 249249 \
         6DB6DB B6DB6D DB6DB6 R R R R";
    on_host "method-rcmp" "rcmp-tssit-ops-ii", Leaves::AnyByte, "00 FF 00 FF 00 FF c";
    on_host "method-hmg-baseline" "hmg-is5-baseline", Leaves::Byte(0), "00";
    on_host "method-hmg-enhanced" "hmg-is5-enhanced", Leaves::Noise, "00 FF R";
    on_host "method-vsitr" "vsitr", Leaves::Byte(0xaa), "00 FF 00 FF 00 FF AA";
    on_host "method-schneier" "schneier", Leaves::Noise, "FF 00 R R R R R";
    on_host "method-bmb21" "bmb21-2019", Leaves::Byte(0xff), "FF 00 R R R FF";
}

const SIZE: u64 = 3 * MIB + 5 * SECTOR;

/// ```text
/// stick   USB     D   AHCI, 3 MiB and 5 sectors
/// ```
fn in_machine(bench: &mut Bench, expected: &Expected) -> Result<()> {
    let stick = bench.stick(&Job::wipe(expected.method))?;
    let disk = bench.disk("METHOD", SIZE)?;
    bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disk)))?.expect_erased(1)?;
    check(&disk, bench.certificates(&stick)?.of("METHOD")?, expected)
}

/// The program that is on the stick, on a file of the host.
fn on_host(bench: &mut Bench, expected: &Expected) -> Result<()> {
    let disk = bench.disk("METHOD", SIZE)?;
    let folder = bench.folder.join("certificates");
    Tool::at("mule", &bench.payload())
        .args(["wipe", "--method", expected.method, "--verify", "full", "--yes-erase"])
        .arg(&disk.path)
        .arg("--state")
        .arg(bench.folder.join("state"))
        .arg("--certificates")
        .arg(&folder)
        .arg(&disk.path)
        .run()?;
    let certificates = Certificates::in_folder(&folder)?;
    ensure!(certificates.list.len() == 1, "{} certificates", certificates.list.len());
    check(&disk, certificates.list.first().context("a certificate")?, expected)
}

fn check(disk: &Disk, certificate: &Certificate, expected: &Expected) -> Result<()> {
    oracle::wiped(disk, expected.leaves)?;
    certificate.expect_outcome("erased")?.verify()?;
    ensure!(certificate.number("/media/bytes") == Some(disk.bytes), "the certificate names another size");
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
