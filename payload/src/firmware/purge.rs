//! The best purge that a drive truly offers, as a table after NIST SP 800-88 Rev. 1, appendix A (tables and
//! the NVMe rows), in the order of preference given there; Rev. 2 points to IEEE 2883, whose purge for each interface is
//! its SANITIZE command. Where a drive offers none, there is none: a lesser technique is never put in its place.
//!
//! Cryptographic techniques are last among those of one text: the standards accept them only for a drive whose encryption is validated and was on
//! before the first data were written (Rev. 1, 2.6; Rev. 2, 3.2), which no command tells.

use crate::{
    ata::{Abilities, sanitize::Action as AtaAction, sanitize::Passes, security::Scope},
    nvme::{
        format::{FormatAbilities, SecureErase},
        sanitize::{Action as NvmeAction, SanitizeAbilities as NvmeSanitize},
    },
    scsi::sanitize::Action as ScsiAction,
};
use mule_types::technique::Technique;

/// How the data lie on the medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// Magnetic.
    Magnetic,
    /// Flash or another medium without moving parts.
    SolidState,
}

/// What a drive can do, by its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer<'a> {
    /// IDENTIFY DEVICE.
    Ata(&'a Abilities),
    /// The actions of SANITIZE that the drive says it supports.
    Scsi(&'a [ScsiAction]),
    /// Identify Controller.
    Nvme(NvmeSanitize, FormatAbilities),
}

/// The technique of that name, among those of the table.
pub fn named(name: &str) -> Option<Technique> {
    all().find(|technique| technique.name() == name)
}

/// Every technique of the table, and those that are only a lesser erasure, or none.
fn all() -> impl Iterator<Item = Technique> {
    let others = [Technique::AtaSecurity(Scope::Normal), Technique::Discard];
    TABLE.into_iter().map(|(_, technique, ..)| technique).chain(others)
}

/// Whether a technique only destroys keys.
pub fn is_cryptographic(technique: Technique) -> bool {
    TABLE.iter().any(|(_, row, _, cryptographic)| *row == technique && *cryptographic)
}

/// What calls `technique` a purge of this medium; `None` where nothing does.
pub fn source(technique: Technique, medium: Option<Medium>) -> Option<&'static str> {
    let calls = |row: &&Row| row.1 == technique && row.0.is_none_or(|needed| medium == Some(needed));
    TABLE.iter().find(calls).map(|(_, _, source, _)| *source)
}

/// Whether a drive offers a technique in its present state.
///
/// # Errors
/// It does not, or something is in the way.
pub fn offered(offer: Offer<'_>, technique: Technique) -> Result<(), Unavailable> {
    match available(offer, technique) {
        Available::Yes => Ok(()),
        Available::Blocked(why) => Err(Unavailable { why: why.to_owned() }),
        Available::No(Some(what)) => Err(Unavailable { why: format!("the drive does not offer {what}") }),
        Available::No(None) => {
            Err(Unavailable { why: format!("{} is a command of another interface", technique.name()) })
        }
    }
}

/// A technique, and what calls it purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purge {
    /// The technique.
    pub technique: Technique,
    /// Where it is called so.
    pub source: &'static str,
    /// Whether it only destroys keys: the certificate must then say on what condition it is a purge.
    pub cryptographic: bool,
}

/// Why a drive cannot be purged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("purge unavailable: {why}")]
pub struct Unavailable {
    /// What the drive lacks, or what is in the way, and what can be done.
    pub why: String,
}

const OVERWRITE: AtaAction = AtaAction::Overwrite { pattern: 0, passes: Passes::ONE, invert: false };
const A5_SANITIZE: &str = "NIST SP 800-88 Rev. 1, table A-5, purge 1; IEEE 2883 by way of Rev. 2, 4.4";
const A5_SECURITY: &str = "NIST SP 800-88 Rev. 1, table A-5, purge 2 (not named by Rev. 2)";
const A8_SANITIZE: &str = "NIST SP 800-88 Rev. 1, table A-8, purge 1; IEEE 2883 by way of Rev. 2, 4.4";
const SCSI: &str = "NIST SP 800-88 Rev. 1, appendix A, SCSI purge; IEEE 2883 by way of Rev. 2, 4.4";
const NVME_SANITIZE: &str = "NVMe base specification 2.2, annex A, after IEEE 2883; Rev. 2, 4.4";
const NVME_FORMAT: &str = "NIST SP 800-88 Rev. 1, appendix A, NVM Express purge";

/// A row: for which medium (`None`: for both), what, after which text, and whether it only destroys keys.
type Row = (Option<Medium>, Technique, &'static str, bool);
/// In order of preference.
const TABLE: [Row; 13] = [
    (Some(Medium::Magnetic), Technique::AtaSanitize(OVERWRITE), A5_SANITIZE, false),
    (Some(Medium::Magnetic), Technique::AtaSecurity(Scope::Enhanced), A5_SECURITY, false),
    (Some(Medium::Magnetic), Technique::AtaSanitize(AtaAction::CryptoScramble), A5_SANITIZE, true),
    // Security erase only clears flash (table A-8).
    (Some(Medium::SolidState), Technique::AtaSanitize(AtaAction::BlockErase), A8_SANITIZE, false),
    (Some(Medium::SolidState), Technique::AtaSanitize(AtaAction::CryptoScramble), A8_SANITIZE, true),
    (Some(Medium::Magnetic), Technique::ScsiSanitize(ScsiAction::Overwrite), SCSI, false),
    (Some(Medium::SolidState), Technique::ScsiSanitize(ScsiAction::BlockErase), SCSI, false),
    (None, Technique::ScsiSanitize(ScsiAction::CryptographicErase), SCSI, true),
    (Some(Medium::SolidState), Technique::NvmeSanitize(NvmeAction::BlockErase), NVME_SANITIZE, false),
    (None, Technique::NvmeSanitize(NvmeAction::Overwrite), NVME_SANITIZE, false),
    (None, Technique::NvmeSanitize(NvmeAction::CryptoErase), NVME_SANITIZE, true),
    (None, Technique::NvmeFormat(SecureErase::UserData), NVME_FORMAT, false),
    (None, Technique::NvmeFormat(SecureErase::Cryptographic), NVME_FORMAT, true),
];

/// The best purge for a drive on this medium; `None` for a medium that is not known, which gets only what is a purge for
/// any.
///
/// # Errors
/// There is none, or it cannot be used in the drive's present state.
pub fn best(offer: Offer<'_>, medium: Option<Medium>) -> Result<Purge, Unavailable> {
    let mut obstacles = Vec::new();
    for (for_medium, technique, source, cryptographic) in TABLE {
        if for_medium.is_some_and(|needed| medium != Some(needed)) {
            continue;
        }
        match available(offer, technique) {
            Available::Yes => return Ok(Purge { technique, source, cryptographic }),
            // What a technician can mend comes before a lesser technique: never a silent downgrade.
            Available::Blocked(why) => return Err(Unavailable { why: why.to_owned() }),
            Available::No(Some(what)) => obstacles.push(what),
            Available::No(None) => {}
        }
    }
    let mut why = match obstacles.as_slice() {
        [] => "the drive has no command that is a purge for it".to_owned(),
        missing => format!("the drive does not offer {}", missing.join(", nor ")),
    };
    if medium.is_none() {
        why.push_str("; it does not say whether its medium is magnetic");
    }
    Err(Unavailable { why })
}

enum Available {
    Yes,
    /// Offered, and refused by the drive as it is now.
    Blocked(&'static str),
    /// Not offered; its name where the drive has the interface.
    No(Option<&'static str>),
}

fn available(offer: Offer<'_>, technique: Technique) -> Available {
    let yes = |offered: bool, name| if offered { Available::Yes } else { Available::No(Some(name)) };
    match (offer, technique) {
        (Offer::Ata(abilities), Technique::AtaSanitize(action)) => ata_sanitize(abilities, action),
        (Offer::Ata(abilities), Technique::AtaSecurity(scope)) => ata_security(abilities, scope),
        (Offer::Scsi(actions), Technique::ScsiSanitize(action)) => yes(actions.contains(&action), action.name()),
        (Offer::Nvme(abilities, _), Technique::NvmeSanitize(action)) => yes(abilities.offers(action), action.name()),
        (Offer::Nvme(_, format), Technique::NvmeFormat(erase)) => {
            let offered = format.supported && (erase == SecureErase::UserData || format.cryptographic);
            yes(offered, technique.name())
        }
        _ => Available::No(None),
    }
}

fn ata_sanitize(abilities: &Abilities, action: AtaAction) -> Available {
    let offered = abilities.sanitize.is_some_and(|sanitize| match action {
        AtaAction::CryptoScramble => sanitize.crypto_scramble,
        AtaAction::BlockErase => sanitize.block_erase,
        AtaAction::Overwrite { .. } => sanitize.overwrite,
    });
    match abilities.security {
        _ if !offered => Available::No(Some(action.name())),
        Some(security) if security.locked => {
            Available::Blocked("the drive is locked with a password and refuses to sanitize: unlock it first")
        }
        _ => Available::Yes,
    }
}

fn ata_security(abilities: &Abilities, scope: Scope) -> Available {
    let name = Technique::AtaSecurity(scope).name();
    match abilities.security {
        None => Available::No(Some(name)),
        Some(security) if scope == Scope::Enhanced && !security.enhanced_erase => Available::No(Some(name)),
        Some(security) if security.enabled || security.locked => {
            Available::Blocked("the drive has somebody's password: remove it with that password first")
        }
        Some(security) if security.frozen => Available::Blocked(
            "the drive is frozen, usually by the PC's firmware: pull its power connector (not the data cable), wait ten seconds and plug it in again while the PC runs",
        ),
        Some(security) if security.count_expired => {
            Available::Blocked("too many wrong passwords were tried: switch the drive's power off and on")
        }
        Some(_) => Available::Yes,
    }
}

#[cfg(test)]
#[path = "purge_tests.rs"]
mod tests;
