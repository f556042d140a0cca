//! What a drive's own firmware can be asked to do to its data, in the words of the standards.

pub mod ata;
pub mod nvme;
pub mod scsi;

/// A technique that the standards call purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Technique {
    /// ATA SANITIZE DEVICE.
    AtaSanitize(ata::Action),
    /// SECURITY ERASE UNIT.
    AtaSecurity(ata::Scope),
    /// SCSI SANITIZE.
    ScsiSanitize(scsi::Action),
    /// NVMe SANITIZE.
    NvmeSanitize(nvme::Action),
    /// NVMe FORMAT NVM: of each namespace, one after the other.
    NvmeFormat(nvme::SecureErase),
    /// TRIM, UNMAP, Deallocate: an advice to the drive through the block layer, and no erasure.
    Discard,
}

/// An erasure that the drive's own firmware is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// This technique, and no other.
    This(Technique),
    /// The best purge that the drive truly offers.
    BestPurge,
}

impl Technique {
    /// The command's name in its standard.
    pub fn name(self) -> &'static str {
        match self {
            Self::AtaSanitize(action) => action.name(),
            Self::AtaSecurity(ata::Scope::Normal) => "SECURITY ERASE UNIT",
            Self::AtaSecurity(ata::Scope::Enhanced) => "enhanced SECURITY ERASE UNIT",
            Self::ScsiSanitize(action) => action.name(),
            Self::NvmeSanitize(nvme::Action::BlockErase) => "NVMe Sanitize with block erase",
            Self::NvmeSanitize(nvme::Action::Overwrite) => "NVMe Sanitize with overwrite",
            Self::NvmeSanitize(nvme::Action::CryptoErase) => "NVMe Sanitize with crypto erase",
            Self::NvmeFormat(nvme::SecureErase::UserData) => "FORMAT NVM with user data erase",
            Self::NvmeFormat(nvme::SecureErase::Cryptographic) => "FORMAT NVM with cryptographic erase",
            Self::Discard => "discard",
        }
    }

    /// Whether it is a security erase, which may leave ones as well as zeros.
    pub fn is_security_erase(self) -> bool {
        matches!(self, Self::AtaSecurity(_))
    }

    /// Whether the drive has a state of its own that can be seen to change; a format has none.
    pub fn has_state(self) -> bool {
        !matches!(self, Self::NvmeFormat(_) | Self::Discard)
    }

    /// Whether any standard calls it an erasure.
    pub fn erases(self) -> bool {
        self != Self::Discard
    }

    /// Whether it overwrites all of the drive with zeros (a security erase: zeros or ones), so that a drive that holds
    /// anything else afterwards was not erased by it.
    pub fn overwrites(self) -> bool {
        matches!(
            self,
            Self::AtaSanitize(ata::Action::Overwrite { .. })
                | Self::AtaSecurity(ata::Scope::Normal)
                | Self::ScsiSanitize(scsi::Action::Overwrite)
                | Self::NvmeSanitize(nvme::Action::Overwrite)
        )
    }
}
