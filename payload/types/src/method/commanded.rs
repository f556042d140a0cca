//! The methods that ask the drive's own firmware. Each is one technique and never a lesser one in its place; whether it is
//! a purge for the drive at hand says `firmware::purge` of the payload, not the name.

use super::{
    Method,
    Requires::Verification,
    Step::{self, Byte},
};
use crate::technique::{
    Technique::{AtaSanitize, AtaSecurity, Discard, NvmeFormat, NvmeSanitize, ScsiSanitize},
    Wanted::{self, BestPurge, This},
    ata::{
        Action as Ata, Passes,
        Scope::{Enhanced, Normal},
    },
    nvme::{
        Action as Nvme,
        SecureErase::{Cryptographic, UserData},
    },
    scsi::Action as Scsi,
};

const OVERWRITE: Ata = Ata::Overwrite { pattern: 0, passes: Passes::ONE, invert: false };
const BEST: &str = "the first row of NIST SP 800-88 Rev. 1, appendix A, that the drive offers: the table has them in the \
                    order of preference given there; Rev. 2, 4.4, points to IEEE 2883";
const ERASE_UNIT: &str = "SECURITY ERASE UNIT (ATA8-ACS, 7.42 to 7.47); NIST SP 800-88 Rev. 1, tables A-5 and A-8";
const SANITIZE: &str = "SANITIZE DEVICE (ACS-3, 7.36); NIST SP 800-88 Rev. 1, tables A-5 and A-8; Rev. 2, 4.4";
const FORMAT: &str = "FORMAT NVM (NVMe base specification 2.2); NIST SP 800-88 Rev. 1, appendix A";
const NVME: &str = "Sanitize (NVMe base specification 2.2, annex A, after IEEE 2883); NIST SP 800-88 Rev. 2, 4.4";
const SBC: &str = "SANITIZE (SBC-4, 5.31); NIST SP 800-88 Rev. 1, appendix A; Rev. 2, 4.4";
const DISCARD: &str = "DATA SET MANAGEMENT with TRIM (ACS-3), UNMAP (SBC-4), Dataset Management with Deallocate (NVMe NVM command set): the \
                       drive may keep what it no longer shows, so no standard calls it an erasure";

/// Name, title, what the firmware is asked for, whether zeros are written and read back afterwards, source.
type Row = (&'static str, &'static str, Wanted, bool, &'static str);
const ROWS: [Row; 18] = [
    ("purge", "The best purge the drive offers", BestPurge, false, BEST),
    ("purge-zero", "The best purge the drive offers, then zeros", BestPurge, true, BEST),
    ("ata-secure-erase", "ATA security erase", This(AtaSecurity(Normal)), false, ERASE_UNIT),
    ("ata-secure-erase-zero", "ATA security erase, then zeros", This(AtaSecurity(Normal)), true, ERASE_UNIT),
    ("ata-secure-erase-enhanced", "ATA enhanced security erase", This(AtaSecurity(Enhanced)), false, ERASE_UNIT),
    (
        "ata-secure-erase-enhanced-zero",
        "ATA enhanced security erase, then zeros",
        This(AtaSecurity(Enhanced)),
        true,
        ERASE_UNIT,
    ),
    ("ata-sanitize-overwrite", "ATA sanitize: overwrite", This(AtaSanitize(OVERWRITE)), false, SANITIZE),
    ("ata-sanitize-block-erase", "ATA sanitize: block erase", This(AtaSanitize(Ata::BlockErase)), false, SANITIZE),
    (
        "ata-sanitize-crypto-scramble",
        "ATA sanitize: crypto scramble",
        This(AtaSanitize(Ata::CryptoScramble)),
        false,
        SANITIZE,
    ),
    ("nvme-format-user-data", "NVMe format: user data erase", This(NvmeFormat(UserData)), false, FORMAT),
    ("nvme-format-crypto", "NVMe format: cryptographic erase", This(NvmeFormat(Cryptographic)), false, FORMAT),
    ("nvme-sanitize-block", "NVMe sanitize: block erase", This(NvmeSanitize(Nvme::BlockErase)), false, NVME),
    ("nvme-sanitize-crypto", "NVMe sanitize: crypto erase", This(NvmeSanitize(Nvme::CryptoErase)), false, NVME),
    ("nvme-sanitize-overwrite", "NVMe sanitize: overwrite", This(NvmeSanitize(Nvme::Overwrite)), false, NVME),
    ("scsi-sanitize-overwrite", "SCSI sanitize: overwrite", This(ScsiSanitize(Scsi::Overwrite)), false, SBC),
    ("scsi-sanitize-block", "SCSI sanitize: block erase", This(ScsiSanitize(Scsi::BlockErase)), false, SBC),
    (
        "scsi-sanitize-crypto",
        "SCSI sanitize: cryptographic erase",
        This(ScsiSanitize(Scsi::CryptographicErase)),
        false,
        SBC,
    ),
    ("blkdiscard", "Discard of all blocks, which is no erasure", This(Discard), false, DISCARD),
];

const ZERO: &[Step] = &[Byte(0x00)];
const TABLE: [Method; ROWS.len()] = {
    let mut table = [const { method(ROWS[0]) }; ROWS.len()];
    let mut at = 1;
    while at < ROWS.len() {
        table[at] = method(ROWS[at]);
        at += 1;
    }
    table
};

const fn method((name, title, command, then_zero, source): Row) -> Method {
    let steps = if then_zero { ZERO } else { &[] };
    Method { name, title, command: Some(command), steps, requires: Verification, source }
}

/// In the order `mule methods` prints them.
pub static COMMANDED: &[Method] = &TABLE;
