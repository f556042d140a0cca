//! The boot loaders: Debian's SYSLINUX for a legacy BIOS, and systemd-boot (from Debian too) for UEFI where the package
//! is installed. Both start the same kernel and initramfs with the same command line.

use crate::{
    timestamp::Timestamp,
    volume::{self, Partition},
};
use anyhow::{Context, Result, ensure};
use mule_types::stick;
use std::{fs, path::Path, process::Command};

const INSTALLER: &str = "/usr/bin/syslinux";
const BOOT_CODE: &str = "/usr/lib/syslinux/mbr/mbr.bin";
const EFI_LOADER: &str = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";
/// Folder of SYSLINUX on the stick; it looks for its configuration where it was installed.
pub const SYSLINUX_DIR: &str = "syslinux";

/// What the kernel is started with. `panic=0` keeps the last message on the screen; `quiet` leaves the screen to the
/// payload and to warnings.
pub const COMMAND_LINE: &str = "console=tty0 console=ttyS0,115200 panic=0 quiet";

/// The installed boot loaders.
#[derive(Debug)]
pub struct BootLoaders {
    /// SYSLINUX' code for the master boot record.
    pub boot_code: Vec<u8>,
    /// The installer carries the boot sector and ldlinux.sys; it is part of the image id for that.
    pub installer: Vec<u8>,
    /// Debian's version of the source package.
    pub syslinux_version: String,
    /// The UEFI boot loader, if there is one.
    pub efi: Option<EfiLoader>,
}

/// systemd-boot.
#[derive(Debug)]
pub struct EfiLoader {
    /// The program that becomes `/EFI/BOOT/BOOTX64.EFI`.
    pub program: Vec<u8>,
    /// Debian's version of the source package.
    pub version: String,
}

impl BootLoaders {
    /// Reads what the packages `syslinux`, `syslinux-common` and `systemd-boot-efi` installed.
    pub fn find() -> Result<Self> {
        let read = |path: &str| fs::read(path).with_context(|| format!("{path} is missing: run `make setup`"));
        let efi = match fs::read(EFI_LOADER) {
            Ok(program) => Some(EfiLoader { program, version: source_version("systemd-boot-efi")? }),
            Err(_) => None,
        };
        Ok(Self {
            boot_code: read(BOOT_CODE)?,
            installer: read(INSTALLER)?,
            syslinux_version: source_version("syslinux")?,
            efi,
        })
    }
}

/// The version of the Debian source package that a binary package was built from.
fn source_version(package: &str) -> Result<String> {
    let output = Command::new("dpkg-query")
        .args(["--showformat", "${source:Version}", "--show", package])
        .output()
        .context("running dpkg-query")?;
    let version = String::from_utf8(output.stdout)?;
    ensure!(output.status.success() && !version.is_empty(), "package {package} is not installed: run `make setup`");
    Ok(version)
}

/// Puts SYSLINUX' boot sector, ldlinux.sys and ldlinux.c32 on the formatted partition. The folder must exist; it needs
/// no privileges, because the installer goes through mtools.
pub fn install_syslinux(image: &Path, date: Timestamp) -> Result<()> {
    let offset = (stick::FAT_START_LBA * stick::SECTOR).to_string();
    let mut installer = Command::new(INSTALLER);
    installer.args(["--install", "--directory", SYSLINUX_DIR, "--offset", &offset]).arg(image);
    volume::run_mtools(&mut installer, date)?;
    volume::back_up_boot_sector(&mut Partition::open(image)?)
}
