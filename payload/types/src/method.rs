//! The methods: rows of a table, each a literal list of passes with its source.
//!
//! The same name means different passes in every product (`mule methods` prints ours), so a certificate never relies on
//! the name: it prints the list. Passes alone are never more than *Clear* in the words of NIST SP 800-88: an overwrite
//! through the drive's interface does not reach what the drive hides.

mod commanded;

pub use commanded::COMMANDED;

use crate::technique::Wanted;
use std::fmt;

/// One step of a method as the table has it; a random byte is drawn once a job, when the plan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// One byte everywhere.
    Byte(u8),
    /// Three bytes repeated from the start of the drive.
    Triple([u8; 3]),
    /// One byte everywhere, drawn at random for the job.
    RandomByte,
    /// The complement of the byte drawn last.
    ComplementOfRandomByte,
    /// A cryptographic random stream, keyed anew for every pass and drive.
    Random,
}

impl fmt::Display for Step {
    /// `00`, `924924`, `c`, `~c` or `R`, as in the published tables.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(byte) => write!(f, "{byte:02X}"),
            Self::Triple([a, b, c]) => write!(f, "{a:02X}{b:02X}{c:02X}"),
            Self::RandomByte => f.write_str("c"),
            Self::ComplementOfRandomByte => f.write_str("~c"),
            Self::Random => f.write_str("R"),
        }
    }
}

/// How much verification belongs to a method by its own definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requires {
    /// The published list ends with a verification: `verify = "none"` is refused.
    Verification,
    /// The list has none; the job decides (full, unless it says otherwise).
    JobDecides,
}

/// A row of the table.
#[derive(Debug)]
pub struct Method {
    /// The name in a job file and on the command line.
    pub name: &'static str,
    /// The name in the field.
    pub title: &'static str,
    /// The drive's own erasure that comes before the passes, where there is one.
    pub command: Option<Wanted>,
    /// The passes, in order.
    pub steps: &'static [Step],
    /// Whether verification is part of it.
    pub requires: Requires,
    /// Where this list of passes is documented.
    pub source: &'static str,
}

use Requires::{JobDecides, Verification};
use Step::{Byte, ComplementOfRandomByte, Random, RandomByte, Triple};

/// No erasure at all: what a restore or a clone is planned with. The drive's content is overwritten by the copy itself.
pub static COPY: Method = Method {
    name: "copy",
    title: "Overwritten by a copy",
    command: None,
    steps: &[],
    requires: JobDecides,
    source: "",
};

/// The methods that only overwrite.
pub static OVERWRITES: &[Method] = &[
    Method {
        name: "zero",
        title: "One pass of zeros",
        command: None,
        steps: &[Byte(0x00)],
        requires: JobDecides,
        source: "plain overwrite; meets the description of Clear for magnetic disks in NIST SP 800-88 Rev. 1, Table A-5",
    },
    Method {
        name: "random",
        title: "One pass of a cryptographic random stream",
        command: None,
        steps: &[Random],
        requires: JobDecides,
        source: "plain overwrite (ChaCha keystream, a new key for each drive and pass)",
    },
    Method {
        name: "nist-clear",
        title: "NIST SP 800-88 Clear (overwrite)",
        command: None,
        steps: &[Byte(0x00)],
        requires: Verification,
        source: "NIST SP 800-88 Rev. 1 (2014), Table A-5: at least one pass of a fixed value, verified (4.7); \
                 Rev. 2 (2025), 3.1.1: one pass is enough",
    },
    Method {
        name: "dod-5220.22-m",
        title: "DoD 5220.22-M, 3 passes (\"E\")",
        command: None,
        steps: &[Byte(0x00), Byte(0xff), Random],
        requires: Verification,
        source: "NISPOM Supplement 1 (February 1995): a character, its complement, random, verify; with 00, FF and a \
                 random stream as in KillDisk. The DoD itself dropped overwriting patterns in 2006-07",
    },
    Method {
        name: "dod-5220.22-m-ece",
        title: "DoD 5220.22-M ECE, 7 passes",
        command: None,
        steps: &[RandomByte, ComplementOfRandomByte, Random, RandomByte, RandomByte, ComplementOfRandomByte, Random],
        requires: JobDecides,
        source: "E (c, complement, random) + C (one character) + E, after the clearing and sanitisation matrix as Eraser \
                 and nwipe read it",
    },
    Method {
        name: "gutmann",
        title: "Gutmann, 35 passes",
        command: None,
        steps: &[
            Random,
            Random,
            Random,
            Random,
            Byte(0x55),
            Byte(0xaa),
            Triple([0x92, 0x49, 0x24]),
            Triple([0x49, 0x24, 0x92]),
            Triple([0x24, 0x92, 0x49]),
            Byte(0x00),
            Byte(0x11),
            Byte(0x22),
            Byte(0x33),
            Byte(0x44),
            Byte(0x55),
            Byte(0x66),
            Byte(0x77),
            Byte(0x88),
            Byte(0x99),
            Byte(0xaa),
            Byte(0xbb),
            Byte(0xcc),
            Byte(0xdd),
            Byte(0xee),
            Byte(0xff),
            Triple([0x92, 0x49, 0x24]),
            Triple([0x49, 0x24, 0x92]),
            Triple([0x24, 0x92, 0x49]),
            Triple([0x6d, 0xb6, 0xdb]),
            Triple([0xb6, 0xdb, 0x6d]),
            Triple([0xdb, 0x6d, 0xb6]),
            Random,
            Random,
            Random,
            Random,
        ],
        requires: JobDecides,
        source: "P. Gutmann, Secure Deletion of Data from Magnetic and Solid-State Memory (USENIX Security 1996), Table 1; \
                 in the order of the table (the paper suggests to shuffle passes 5-31)",
    },
    Method {
        name: "rcmp-tssit-ops-ii",
        title: "RCMP TSSIT OPS-II, 7 passes",
        command: None,
        steps: &[Byte(0x00), Byte(0xff), Byte(0x00), Byte(0xff), Byte(0x00), Byte(0xff), RandomByte],
        requires: Verification,
        source: "as KillDisk and BitRaser document it: three times 00 and FF, a random byte, verify (nwipe uses 9 passes)",
    },
    Method {
        name: "hmg-is5-baseline",
        title: "HMG Infosec Standard 5, baseline",
        command: None,
        steps: &[Byte(0x00)],
        requires: Verification,
        source: "as KillDisk documents it: zeros, verify",
    },
    Method {
        name: "hmg-is5-enhanced",
        title: "HMG Infosec Standard 5, enhanced",
        command: None,
        steps: &[Byte(0x00), Byte(0xff), Random],
        requires: Verification,
        source: "as KillDisk and nwipe document it: zeros, ones, random, verify",
    },
    Method {
        name: "vsitr",
        title: "VSITR, 7 passes",
        command: None,
        steps: &[Byte(0x00), Byte(0xff), Byte(0x00), Byte(0xff), Byte(0x00), Byte(0xff), Byte(0xaa)],
        requires: JobDecides,
        source: "German Federal Office for Information Security, VSITR, as east-tec documents it",
    },
    Method {
        name: "schneier",
        title: "Schneier, 7 passes",
        command: None,
        steps: &[Byte(0xff), Byte(0x00), Random, Random, Random, Random, Random],
        requires: JobDecides,
        source: "B. Schneier, Applied Cryptography (1996), as nwipe and east-tec document it",
    },
    Method {
        name: "bmb21-2019",
        title: "BMB21-2019, 6 passes",
        command: None,
        steps: &[Byte(0xff), Byte(0x00), Random, Random, Random, Byte(0xff)],
        requires: JobDecides,
        source: "Chinese State Secrecy Bureau, BMB21-2019, as nwipe implements it; the text of the standard was not seen",
    },
];

/// Every method, in the order `mule methods` prints them.
pub fn all() -> impl Iterator<Item = &'static Method> {
    OVERWRITES.iter().chain(COMMANDED)
}

/// The method of that name.
pub fn find(name: &str) -> Option<&'static Method> {
    all().find(|method| method.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_has_its_published_number_of_passes() {
        let passes = |name| find(name).map(|m| m.steps.len());
        for (name, count) in [
            ("zero", 1),
            ("random", 1),
            ("nist-clear", 1),
            ("dod-5220.22-m", 3),
            ("dod-5220.22-m-ece", 7),
            ("gutmann", 35),
            ("rcmp-tssit-ops-ii", 7),
            ("hmg-is5-baseline", 1),
            ("hmg-is5-enhanced", 3),
            ("vsitr", 7),
            ("schneier", 7),
            ("bmb21-2019", 6),
        ] {
            assert_eq!(passes(name), Some(count), "{name}");
        }
        assert_eq!(passes("dod"), None);
    }

    #[test]
    fn gutmann_passes_10_to_25_are_the_sixteen_repeated_nibbles() {
        let gutmann = find("gutmann").unwrap();
        for (n, step) in (0u8..16).zip(&gutmann.steps[9..25]) {
            assert_eq!(*step, Byte(n * 0x11));
        }
    }
}
