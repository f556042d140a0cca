use super::*;
use crate::ata::abilities::{Feature, SanitizeAbilities, SecurityAbilities};

fn ata(sanitize: u8, security: Option<&str>) -> Abilities {
    let bit = |bit: u8| sanitize >> bit & 1 == 1;
    let has = |state: &str| security.is_some_and(|text| text.contains(state));
    Abilities {
        security: security.map(|_| SecurityAbilities {
            enabled: has("enabled"),
            locked: has("locked"),
            frozen: has("frozen"),
            count_expired: has("expired"),
            enhanced_erase: has("enhanced"),
            master_maximum: false,
            master_identifier: None,
            erase_time: None,
            enhanced_erase_time: None,
        }),
        sanitize: (sanitize != 0).then(|| SanitizeAbilities {
            crypto_scramble: bit(0),
            overwrite: bit(1),
            block_erase: bit(2),
            antifreeze: false,
        }),
        hpa: Feature::default(),
        dco: Feature::default(),
        accessible_max: Feature::default(),
        lba48: true,
    }
}

fn of(abilities: Abilities, medium: Option<Medium>) -> Result<Technique, String> {
    best(Offer::Ata(&abilities), medium).map(|purge| purge.technique).map_err(|error| error.to_string())
}

const DISK: Option<Medium> = Some(Medium::Magnetic);
const FLASH: Option<Medium> = Some(Medium::SolidState);

#[test]
fn an_ata_disk_gets_what_table_a_5_lists() {
    let sanitize = |action| Ok(Technique::AtaSanitize(action));
    assert_eq!(of(ata(0b111, Some("enhanced")), DISK), sanitize(OVERWRITE));
    assert_eq!(of(ata(0b101, Some("enhanced")), DISK), Ok(Technique::AtaSecurity(Scope::Enhanced)));
    assert_eq!(of(ata(0b101, Some("")), DISK), sanitize(AtaAction::CryptoScramble));
    let purge = best(Offer::Ata(&ata(1, None)), DISK).unwrap();
    assert!(purge.cryptographic);
}

#[test]
fn an_ata_ssd_gets_what_table_a_8_lists_and_no_security_erase() {
    assert_eq!(of(ata(0b111, Some("enhanced")), FLASH), Ok(Technique::AtaSanitize(AtaAction::BlockErase)));
    assert_eq!(of(ata(0b001, Some("enhanced")), FLASH), Ok(Technique::AtaSanitize(AtaAction::CryptoScramble)));
    let none = of(ata(0b010, Some("enhanced")), FLASH).unwrap_err();
    assert_eq!(none, "purge unavailable: the drive does not offer BLOCK ERASE EXT, nor CRYPTO SCRAMBLE EXT");
}

#[test]
fn an_old_disk_without_enhanced_erase_gets_none() {
    let none = of(ata(0, Some("")), DISK).unwrap_err();
    assert!(none.contains("OVERWRITE EXT, nor enhanced SECURITY ERASE UNIT"), "{none}");
}

#[test]
fn what_is_in_the_way_is_said_and_not_gone_around() {
    for (state, text) in [
        ("frozen", "power connector"),
        ("enabled", "password"),
        ("expired", "power off and on"),
        ("locked", "password"),
    ] {
        // CRYPTO SCRAMBLE EXT would be next in the table.
        let error = of(ata(0b001, Some(&format!("enhanced {state}"))), DISK).unwrap_err();
        assert!(error.contains(text), "{error}");
    }
    assert!(of(ata(0b111, Some("enabled locked")), FLASH).unwrap_err().contains("unlock"));
    // Sanitize needs no thawing.
    assert_eq!(of(ata(0b111, Some("enhanced frozen")), DISK), Ok(Technique::AtaSanitize(OVERWRITE)));
}

#[test]
fn an_unknown_medium_gets_no_guess() {
    let none = of(ata(0b111, Some("enhanced")), None).unwrap_err();
    assert!(none.contains("does not say whether its medium is magnetic"), "{none}");
    let purge = best(Offer::Scsi(&[ScsiAction::Overwrite, ScsiAction::CryptographicErase]), None).unwrap();
    assert_eq!(purge.technique, Technique::ScsiSanitize(ScsiAction::CryptographicErase));
}

#[test]
fn scsi_and_nvme_have_their_rows() {
    let all = [ScsiAction::Overwrite, ScsiAction::BlockErase, ScsiAction::CryptographicErase];
    let scsi = |medium| best(Offer::Scsi(&all), medium).unwrap().technique;
    assert_eq!(scsi(DISK), Technique::ScsiSanitize(ScsiAction::Overwrite));
    assert_eq!(scsi(FLASH), Technique::ScsiSanitize(ScsiAction::BlockErase));
    assert!(best(Offer::Scsi(&[]), FLASH).is_err());

    let nvme = |bits: u8, supported, cryptographic| {
        let sanitize =
            NvmeSanitize { crypto_erase: bits & 1 != 0, block_erase: bits & 2 != 0, overwrite: bits & 4 != 0 };
        let format = FormatAbilities { supported, cryptographic, reaches_all: false };
        best(Offer::Nvme(sanitize, format), FLASH).map(|purge| (purge.technique, purge.cryptographic))
    };
    assert_eq!(nvme(7, true, true), Ok((Technique::NvmeSanitize(NvmeAction::BlockErase), false)));
    assert_eq!(nvme(5, true, true), Ok((Technique::NvmeSanitize(NvmeAction::Overwrite), false)));
    assert_eq!(nvme(1, true, true), Ok((Technique::NvmeSanitize(NvmeAction::CryptoErase), true)));
    assert_eq!(nvme(0, true, true), Ok((Technique::NvmeFormat(SecureErase::UserData), false)));
    assert!(nvme(0, false, true).is_err());
}
