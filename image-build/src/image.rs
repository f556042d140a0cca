//! Lays the parts out on the image file.

use crate::{
    bootloader, initramfs,
    manifest::Manifest,
    mbr,
    sources::{self, Parts, Sources},
    stick_files::{self, INITRAMFS, KERNEL},
    timestamp::Timestamp,
    volume,
};
use anyhow::{Context, Result, ensure};
use mule_types::stick::{self, IdSector, ImageId};
use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
};

/// Kernel and initramfs together, in bytes: what a BIOS reads from a slow stick before anything runs.
pub const BOOT_LIMIT: usize = 12_000_000;

/// Builds `mule.img`, `initramfs.img` and `manifest.json` in `out`.
pub fn build(sources: &Sources, date: Timestamp, out: &Path) -> Result<Manifest> {
    let parts = sources.read()?;
    let job = sources.job.as_deref().map(sources::read).transpose()?;
    let mut files = stick_files::files(&parts, job);
    let id = sources.image_id.unwrap_or_else(|| parts.image_id(&files, date));
    let initramfs = initramfs::pack(&parts.payload, id)?;
    check_size(parts.kernel.len(), initramfs.len())?;

    fs::create_dir_all(out).with_context(|| format!("making the folder {}", out.display()))?;
    save(&out.join("initramfs.img"), &initramfs)?;
    files.push((KERNEL.to_owned(), parts.kernel.clone()));
    files.push((INITRAMFS.to_owned(), initramfs.clone()));

    // Whoever looks at mule.img sees a whole image or none.
    let unfinished = out.join("mule.img.part");
    write_image(&unfinished, &parts, &files, id, date)?;
    let manifest = Manifest::of(&unfinished, &parts, &initramfs, id, date)?;
    let image = out.join("mule.img");
    fs::rename(&unfinished, &image).with_context(|| format!("naming {}", image.display()))?;
    save(&out.join("manifest.json"), manifest.to_json()?.as_bytes())?;
    Ok(manifest)
}

fn check_size(kernel: usize, initramfs: usize) -> Result<()> {
    ensure!(
        kernel + initramfs <= BOOT_LIMIT,
        "kernel ({kernel} bytes) and initramfs ({initramfs} bytes) together exceed {BOOT_LIMIT} bytes: \
         make the kernel configuration or the payload smaller"
    );
    Ok(())
}

/// The whole file under its name, or what was there before.
fn save(path: &Path, content: &[u8]) -> Result<()> {
    let unfinished = path.with_added_extension("part");
    fs::write(&unfinished, content).with_context(|| format!("writing {}", unfinished.display()))?;
    fs::rename(&unfinished, path).with_context(|| format!("naming {}", path.display()))
}

fn write_image(image: &Path, parts: &Parts, files: &[(String, Vec<u8>)], id: ImageId, date: Timestamp) -> Result<()> {
    start_image(image, parts, id).with_context(|| format!("writing {}", image.display()))?;
    volume::format(image, id)?;

    // SYSLINUX comes first: its boot sector holds the sector numbers of ldlinux.sys, near the start of the medium.
    volume::make_folders(image, files, &[stick::CERTIFICATES_DIR], date)?;
    bootloader::install_syslinux(image, date)?;

    let volume = volume::mount(image, date)?;
    for (path, content) in files {
        volume::write_file(&volume.root_dir(), path, content)?;
    }
    volume::finish(volume)
}

/// A file full of holes, so zeros (which is what a new log partition must hold), with the first two sectors written.
fn start_image(image: &Path, parts: &Parts, id: ImageId) -> Result<()> {
    let file = File::create(image)?;
    file.set_len(stick::IMAGE_SECTORS * stick::SECTOR)?;
    file.write_all_at(&mbr::master_boot_record(&parts.loaders.boot_code, id)?, 0)?;
    file.write_all_at(&IdSector::new(id).encode(), stick::ID_LBA * stick::SECTOR)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_and_initramfs_that_load_too_slowly_are_refused() {
        assert!(check_size(BOOT_LIMIT - 1, 1).is_ok());
        let refusal = check_size(BOOT_LIMIT, 1).unwrap_err().to_string();
        assert!(refusal.contains("12000000"), "{refusal}");
    }
}
