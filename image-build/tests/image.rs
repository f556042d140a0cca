//! Builds whole images from stand-ins for kernel and payload and looks at them with other people's programs.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "tests may unwrap")]

use image_build::{image, job, sources::Sources, stick_files, timestamp::Timestamp, volume};
use mule_types::stick::{self, IdSector, ImageId};
use std::{
    fs,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

fn date() -> Timestamp {
    Timestamp::new(1_767_225_600).unwrap()
}

/// A 300 kB "kernel" and a minimal static "payload".
fn sources(dir: &Path) -> Sources {
    let mut kernel: Vec<u8> = (0..300_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    let mut payload = vec![0; 120];
    payload[..6].copy_from_slice(b"\x7fELF\x02\x01");
    (payload[16], payload[18], payload[32], payload[54], payload[56], payload[64]) = (2, 62, 64, 56, 1, 1);
    let save = |name: &str, content: &[u8]| {
        let path = dir.join(name);
        fs::write(&path, content).unwrap();
        path
    };
    Sources {
        kernel: save("bzImage", &kernel),
        kernel_version: save("version", b"6.12.1 (linux-source-6.12 6.12.1-1)\n"),
        kernel_config: save("config", b"CONFIG_X86_64=y\n"),
        payload: save("mule", &payload),
        notices: save("notices", b"Copyright somebody\n"),
        job: None,
        image_id: None,
    }
}

fn built(dir: &TempDir) -> PathBuf {
    image::build(&sources(dir.path()), date(), dir.path()).unwrap();
    dir.path().join("mule.img")
}

fn read(image: &Path, path: &str) -> Vec<u8> {
    let volume = volume::mount(image, date()).unwrap();
    let files = volume::read_files(&volume.root_dir()).unwrap();
    files.into_iter().find(|(name, _)| name == path).unwrap_or_else(|| panic!("no {path}")).1
}

/// Runs a program on the FAT partition; `None` where this machine does not have it.
fn inspect(program: &str, arguments: &[&str], image: &Path) -> Option<String> {
    let partition = image.with_extension("fat");
    let mut bytes = vec![0; usize::try_from(stick::FAT_SECTORS * stick::SECTOR).unwrap()];
    fs::File::open(image).unwrap().read_exact_at(&mut bytes, stick::FAT_START_LBA * stick::SECTOR).unwrap();
    fs::write(&partition, bytes).unwrap();
    let Ok(output) = Command::new(program).env("TZ", "UTC0").args(arguments).arg(&partition).output() else {
        eprintln!("skipped: there is no {program} here");
        return None;
    };
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program}: {text}");
    Some(text)
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let images = [built(&one), built(&two)];
    assert!(fs::read(&images[0]).unwrap() == fs::read(&images[1]).unwrap(), "the images differ");
    for name in ["manifest.json", "initramfs.img"] {
        assert!(fs::read(one.path().join(name)).unwrap() == fs::read(two.path().join(name)).unwrap(), "{name} differs");
    }
}

#[test]
fn every_input_changes_the_image_id() {
    let dir = TempDir::new().unwrap();
    let base = sources(dir.path());
    let id = |sources: &Sources| {
        let parts = sources.read().unwrap();
        let job = sources.job.as_ref().map(|path| fs::read(path).unwrap());
        parts.image_id(&stick_files::files(&parts, job), date())
    };
    let append = |path: &Path, name: &str| {
        let changed = dir.path().join(name);
        let mut content = fs::read(path).unwrap();
        content.push(b'x');
        fs::write(&changed, content).unwrap();
        changed
    };
    let mut ids = vec![
        id(&base),
        id(&Sources { kernel: append(&base.kernel, "k"), ..base.clone() }),
        id(&Sources { payload: append(&base.payload, "p"), ..base.clone() }),
        id(&Sources { kernel_version: append(&base.kernel_version, "v"), ..base.clone() }),
        id(&Sources { kernel_config: append(&base.kernel_config, "c"), ..base.clone() }),
        id(&Sources { job: Some(append(&base.kernel_config, "j")), ..base.clone() }),
    ];
    ids.sort_by_key(|id| id.0);
    ids.dedup();
    assert_eq!(ids.len(), 6);
}

#[test]
fn the_medium_is_laid_out_as_the_payload_expects() {
    let dir = TempDir::new().unwrap();
    let image = built(&dir);
    let bytes = fs::read(&image).unwrap();
    let at = |sector: u64| usize::try_from(sector * stick::SECTOR).unwrap();
    assert_eq!(bytes.len(), at(stick::IMAGE_SECTORS));

    let id = IdSector::decode(&bytes[at(stick::ID_LBA)..][..512]).unwrap();
    assert_eq!(id, IdSector::new(id.image));
    assert_eq!(bytes[440..444], id.image.disk_signature());
    assert_eq!(bytes[510..512], [0x55, 0xaa]);

    let boot_sector = &bytes[at(stick::FAT_START_LBA)..][..512];
    let hidden = u32::from_le_bytes(boot_sector[28..32].try_into().unwrap());
    assert_eq!(u64::from(hidden), stick::FAT_START_LBA);
    assert_eq!(&boot_sector[3..11], b"SYSLINUX");
    assert_eq!(boot_sector, &bytes[at(stick::FAT_START_LBA + 6)..][..512]);
    assert!(bytes[at(stick::LOG_START_LBA)..].iter().all(|&byte| byte == 0));

    let on_disk = fs::metadata(&image).unwrap().blocks() * 512;
    assert!(on_disk < 8 << 20, "{on_disk} bytes on disk: not sparse");
}

#[test]
fn other_programs_read_the_file_system() {
    let dir = TempDir::new().unwrap();
    let image = built(&dir);
    if let Some(text) = inspect("fsck.fat", &["-n"], &image) {
        assert!(
            !text.to_lowercase().contains("differ") && !text.contains("dirty") && !text.contains("wrong"),
            "{text}"
        );
    }
    if let Some(text) = inspect("mdir", &["-/", "-a", "-b", "-i"], &image) {
        for path in ["vmlinuz", "initramfs.img", "mule.toml", "README.txt", "syslinux/syslinux.cfg", "certificates"] {
            assert!(text.lines().any(|line| line.trim_end_matches('/') == format!("::/{path}")), "{path} in\n{text}");
        }
        assert!(text.contains("ldlinux.c32"));
    }
}

#[test]
fn a_shipped_stick_harms_nobody() {
    let dir = TempDir::new().unwrap();
    let image = built(&dir);
    let job = String::from_utf8(read(&image, "/mule.toml")).unwrap();
    let settings: Vec<&str> = job.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert!(settings.iter().any(|line| line.starts_with("action = \"report\"")), "{settings:?}");
    assert!(!settings.iter().any(|line| line.starts_with("confirm") || line.starts_with("method")), "{settings:?}");

    let readme = String::from_utf8(read(&image, "/README.txt")).unwrap();
    assert!(readme.is_ascii() && readme.matches('\n').count() == readme.matches("\r\n").count());
    assert!(!readme.contains('{'), "a placeholder was left");
    for text in ["6.12.1 (linux-source-6.12 6.12.1-1)", "ssh-keygen -Y verify", "confirm   = \"erase\""] {
        assert!(readme.contains(text), "{text}");
    }
}

#[test]
fn another_job_replaces_only_the_job() {
    let dir = TempDir::new().unwrap();
    let image = built(&dir);
    let kernel = read(&image, "/vmlinuz");
    let other = dir.path().join("other.toml");
    for content in ["[job]\naction = \"verify\"\n", "", &"# long\n".repeat(1000)] {
        fs::write(&other, content).unwrap();
        job::set(&image, &other, date()).unwrap();
        assert_eq!(read(&image, "/mule.toml"), content.as_bytes());
    }
    assert!(read(&image, "/vmlinuz") == kernel);
    if let Some(text) = inspect("fsck.fat", &["-n"], &image) {
        assert!(!text.contains("dirty") && !text.contains("wrong"), "{text}");
    }
}

#[test]
fn set_job_leaves_foreign_files_alone() {
    let dir = TempDir::new().unwrap();
    let foreign = dir.path().join("disk.img");
    fs::write(&foreign, vec![7; 1 << 20]).unwrap();
    let error = job::set(&foreign, &foreign, date()).unwrap_err().to_string();
    assert!(error.contains("disk.img is no image of Mule"), "{error}");
    assert!(fs::read(&foreign).unwrap().iter().all(|&byte| byte == 7));
}

#[test]
fn the_image_id_can_be_given_and_reaches_every_place() {
    let dir = TempDir::new().unwrap();
    let id: ImageId = "00112233445566778899aabbccddeeff".parse().unwrap();
    let sources = Sources { image_id: Some(id), ..sources(dir.path()) };
    image::build(&sources, date(), dir.path()).unwrap();
    let bytes = fs::read(dir.path().join("mule.img")).unwrap();
    assert_eq!(IdSector::decode(&bytes[512..1024]).unwrap().image, id);
    assert_eq!(bytes[440..444], [0x00, 0x11, 0x22, 0x33]);
    let initramfs = zstd::decode_all(&fs::read(dir.path().join("initramfs.img")).unwrap()[..]).unwrap();
    assert!(initramfs.windows(33).any(|window| window == format!("{id}\n").as_bytes()));
    assert!(fs::read_to_string(dir.path().join("manifest.json")).unwrap().contains(&id.to_string()));
}

#[test]
fn a_kernel_that_is_none_is_refused() {
    let dir = TempDir::new().unwrap();
    let sources = sources(dir.path());
    fs::write(&sources.kernel, b"not a kernel").unwrap();
    let error = image::build(&sources, date(), dir.path()).unwrap_err().to_string();
    assert!(error.contains("bzImage is no bzImage"), "{error}");
    assert!(!dir.path().join("mule.img").exists());
}
