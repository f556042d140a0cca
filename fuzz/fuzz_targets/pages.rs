//! What a drive or its bridge answers: IDENTIFY, SMART, overlay, vital product data, sense, log pages, NVMe pages and logs.
//! The first byte says which, and (bit 7) whether the checksum is made to fit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mule::{
    ata::{Health, Identify, dco, smart, statistics},
    firmware::purge::{Medium, Offer, best},
    nvme::{
        admin,
        format::{FormatAbilities, Layout},
        health,
        identify::{Controller, Namespace},
        sanitize::{Log, SanitizeAbilities},
    },
    scsi::{self, sanitize, sense::Sense, vpd},
};

fuzz_target!(|input: &[u8]| {
    let Some((kind, page)) = input.split_first() else { return };
    let sector = sealed::<512>(page, kind & 0x80 != 0);
    match kind & 0x7f {
        0 => {
            let _ = Identify::parse(page);
            let Ok(identify) = Identify::parse(&sector) else { return };
            for medium in [None, Some(Medium::Magnetic), Some(Medium::SolidState)] {
                let _ = best(Offer::Ata(&identify.abilities), medium);
            }
            assert!(identify.model.len() <= 120 && identify.serial.len() <= 60, "texts of an ATA drive are short");
            assert!(!identify.model.chars().any(char::is_control));
        }
        1 => {
            let thresholds = smart::thresholds(&sector).unwrap_or_default();
            let Ok(attributes) = smart::attributes(&sector) else { return };
            assert!(attributes.len() <= 30 && thresholds.len() <= 30);
            let _ = (Health::from_attributes(&attributes), smart::failing(&attributes, &thresholds));
        }
        2 => {
            let _ = (dco::factory_sectors(&sector), statistics::is_listed(&sector));
            assert!(statistics::highest_operating(&sector).is_none_or(|celsius| celsius <= 100));
        }
        3 => {
            let _ = (vpd::serial_number(page), vpd::world_wide_name(page));
            let _ = (vpd::characteristics(page), vpd::Inquiry::parse(page));
            let _ = vpd::identify_data(page).map(|sector| Identify::parse(sector));
        }
        4 => drop((
            Sense::parse(page).map(|sense| format!("{sense:?}")),
            sanitize::status(page),
            sanitize::supported(page),
        )),
        5 => {
            let _ = (health::parse(&sector), Log::parse(&sector));
        }
        6 => {
            let mut told = Health::default();
            scsi::health::PAGES.iter().for_each(|(code, _)| scsi::health::read(&mut told, *code, page));
            let _ = page.first_chunk().map(scsi::health::defects);
        }
        _ => {
            let page = sealed::<4096>(page, false);
            let _ = Layout::parse(&page);
            if let Some(controller) = Controller::parse(&page) {
                assert!(controller.model.len() <= 40 && !controller.model.chars().any(char::is_control));
            }
            assert!(Namespace::parse(&page).is_none_or(|namespace| namespace.formats.len() <= 64));
            assert!(admin::active_namespaces(&page).count() <= 1024);
            let _ = best(Offer::Nvme(SanitizeAbilities::parse(&page), FormatAbilities::parse(&page)), None);
        }
    }
});

/// So many bytes of the input, zeros where it is shorter; with the last byte as a checksum over all.
fn sealed<const N: usize>(input: &[u8], seal: bool) -> [u8; N] {
    let mut page = [0; N];
    let len = input.len().min(N);
    page[..len].copy_from_slice(&input[..len]);
    if seal {
        page[N - 1] = page[..N - 1].iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)).wrapping_neg();
    }
    page
}
