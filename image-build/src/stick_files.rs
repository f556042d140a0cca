//! The files on the stick that are for people and boot loaders; their texts are in `image-build/stick/`.

use crate::{
    bootloader::{COMMAND_LINE, SYSLINUX_DIR},
    sources::Parts,
};
use mule_types::{
    jobfile,
    method::{COMMANDED, Method, OVERWRITES, Requires},
    stick,
    technique::Wanted,
};

/// The kernel on the stick.
pub const KERNEL: &str = "vmlinuz";
/// The initramfs on the stick.
pub const INITRAMFS: &str = "initramfs.img";

/// The job of a stick nobody has edited: it only reports.
pub const DEFAULT_JOB: &str = jobfile::EXAMPLE;
const README: &str = include_str!("../stick/README.txt");
const SYSLINUX_CONFIG: &str = include_str!("../stick/syslinux.cfg");
const EFI_CONFIG: &str = include_str!("../stick/loader.conf");
const EFI_ENTRY: &str = include_str!("../stick/mule.conf");
const OWN_LICENCES: [(&str, &str); 2] = [
    ("licences/MIT.txt", include_str!("../../LICENSE-MIT")),
    ("licences/Apache-2.0.txt", include_str!("../../LICENSE-APACHE")),
];
const EFI_LICENCE: &str = include_str!("../stick/licence-efi.txt");

/// Path and content of every file except kernel, initramfs and what SYSLINUX installs itself.
pub fn files(parts: &Parts, job: Option<Vec<u8>>) -> Vec<(String, Vec<u8>)> {
    let job = job.unwrap_or_else(|| windows_lines(DEFAULT_JOB).into_bytes());
    let mut files = vec![
        (stick::JOB_FILE.to_owned(), job),
        ("README.txt".to_owned(), windows_lines(&fill(README, parts)).into_bytes()),
        (format!("{SYSLINUX_DIR}/syslinux.cfg"), fill(SYSLINUX_CONFIG, parts).into_bytes()),
        ("licences/kernel.config".to_owned(), parts.kernel_config.clone()),
    ];
    files.extend(OWN_LICENCES.map(|(path, text)| (path.to_owned(), windows_lines(text).into_bytes())));
    files.extend(parts.licences.clone());
    if let Some(efi) = &parts.loaders.efi {
        files.push(("EFI/BOOT/BOOTX64.EFI".to_owned(), efi.program.clone()));
        files.push(("loader/loader.conf".to_owned(), EFI_CONFIG.into()));
        files.push(("loader/entries/mule.conf".to_owned(), fill(EFI_ENTRY, parts).into_bytes()));
    }
    files
}

fn fill(template: &str, parts: &Parts) -> String {
    let efi = parts.loaders.efi.as_ref();
    let efi_licence = efi.map_or_else(String::new, |efi| EFI_LICENCE.replace("{EFI_VERSION}", &efi.version));
    template
        .replace("{EFI_LICENCE}", &efi_licence)
        .replace("{METHODS}\n", &methods())
        .replace("{COMMANDED}\n", &commanded())
        .replace("{MULE_VERSION}", env!("CARGO_PKG_VERSION"))
        .replace("{KERNEL_VERSION}", &parts.kernel_version)
        .replace("{SYSLINUX_VERSION}", &parts.loaders.syslinux_version)
        .replace("{COMMAND_LINE}", COMMAND_LINE)
        .replace("{KERNEL}", KERNEL)
        .replace("{INITRAMFS}", INITRAMFS)
        .replace("{JOB_FILE}", stick::JOB_FILE)
        .replace("{CERTIFICATES}", stick::CERTIFICATES_DIR)
}

/// Every method with its passes, as narrow as the rest of the text.
fn methods() -> String {
    let one = |method: &Method| {
        let passes: Vec<_> = method.steps.iter().map(ToString::to_string).collect();
        // Gutmann's 35 passes need lines of their own.
        let lines: Vec<_> = passes.chunks(9).map(|part| part.join(" ")).collect();
        let verify = if method.requires == Requires::Verification { " V" } else { "" };
        format!("   {:18} {}{verify}\n", method.name, lines.join("\n                      "))
    };
    OVERWRITES.iter().map(one).collect()
}

/// Every method that asks the drive's firmware, with its command.
fn commanded() -> String {
    let one = |method: &Method| {
        let command = match method.command {
            Some(Wanted::This(technique)) => technique.name(),
            Some(Wanted::BestPurge) | None => "the best purge that the drive offers",
        };
        let zeros = if method.steps.is_empty() { "" } else { ", then 00" };
        format!("   {}\n        {command}{zeros}\n", method.name)
    };
    COMMANDED.iter().map(one).collect()
}

/// Old Windows editors show a file without carriage returns as one line.
fn windows_lines(text: &str) -> String {
    text.replace('\n', "\r\n")
}
