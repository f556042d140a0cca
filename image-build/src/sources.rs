//! What goes into an image: read, checked, and hashed into the image id.

use crate::{bootloader::BootLoaders, elf, timestamp::Timestamp};
use anyhow::{Context, Result, ensure};
use mule_types::stick::ImageId;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Part of the image id: counts up when the layout changes in a way that no input shows.
const FORMAT: &[u8] = b"mule image 1";
/// Where the Linux boot protocol keeps its magic (Documentation/arch/x86/boot.rst, "header").
const KERNEL_MAGIC: (usize, &[u8]) = (0x202, b"HdrS");

/// The licences of the parts that are not Mule's own; their texts must go with the copies (package `base-files`).
const LICENCES: [(&str, &str); 2] = [
    ("licences/GPL-2.txt", "/usr/share/common-licenses/GPL-2"),
    ("licences/LGPL-2.1.txt", "/usr/share/common-licenses/LGPL-2.1"),
];

/// Where the notices of the crates go.
const NOTICES: &str = "licences/crates.txt";

/// Where the inputs are.
#[derive(Debug, Clone, clap::Args)]
pub struct Sources {
    /// The kernel (bzImage)
    #[arg(long)]
    pub kernel: PathBuf,
    /// Text file: the kernel's version and source package
    #[arg(long)]
    pub kernel_version: PathBuf,
    /// The configuration the kernel was built with
    #[arg(long)]
    pub kernel_config: PathBuf,
    /// The program that becomes /init; must be static
    #[arg(long)]
    pub payload: PathBuf,
    /// Text file: the copyright notices of the crates in the payload (the output of `image-build notices`)
    #[arg(long)]
    pub notices: PathBuf,
    /// Job file instead of the harmless default
    #[arg(long)]
    pub job: Option<PathBuf>,
    /// 32 hexadecimal digits instead of the hash of all inputs
    #[arg(long, value_name = "HEX")]
    pub image_id: Option<ImageId>,
}

/// The inputs, read and checked.
#[derive(Debug)]
pub struct Parts {
    /// The kernel.
    pub kernel: Vec<u8>,
    /// Its version, one line.
    pub kernel_version: String,
    /// Its configuration.
    pub kernel_config: Vec<u8>,
    /// The program for PID 1.
    pub payload: Vec<u8>,
    /// Paths on the stick and texts of the licences of kernel, boot loaders and crates.
    pub licences: Vec<(String, Vec<u8>)>,
    /// The boot loaders of this machine.
    pub loaders: BootLoaders,
}

impl Sources {
    /// Reads everything; refuses what could not boot.
    pub fn read(&self) -> Result<Parts> {
        let kernel = read(&self.kernel)?;
        let (at, magic) = KERNEL_MAGIC;
        ensure!(kernel.get(at..at + magic.len()) == Some(magic), "{} is no bzImage", self.kernel.display());
        let payload = read(&self.payload)?;
        elf::check_payload(&self.payload, &payload)?;
        let kernel_version = String::from_utf8(read(&self.kernel_version)?)
            .with_context(|| format!("{} is not text", self.kernel_version.display()))?;
        ensure!(!kernel_version.trim().is_empty(), "{} is empty", self.kernel_version.display());
        let notices = read(&self.notices)?;
        ensure!(!notices.is_empty(), "{} is empty", self.notices.display());
        let licences = LICENCES.iter().map(|(name, path)| Ok(((*name).to_owned(), read(Path::new(path))?)));
        Ok(Parts {
            kernel,
            licences: licences.chain([Ok((NOTICES.to_owned(), notices))]).collect::<Result<_>>()?,
            kernel_version: kernel_version.trim().to_owned(),
            kernel_config: read(&self.kernel_config)?,
            payload,
            loaders: BootLoaders::find()?,
        })
    }
}

/// Reads a file; the error names it.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

impl Parts {
    /// The first 16 bytes of a BLAKE3 over every input and every file that is made for the stick.
    pub fn image_id(&self, files: &[(String, Vec<u8>)], date: Timestamp) -> ImageId {
        let mut hasher = blake3::Hasher::new();
        let mut add = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        add(FORMAT);
        add(&date.seconds().to_le_bytes());
        add(&self.kernel);
        add(&self.payload);
        add(&self.loaders.boot_code);
        add(&self.loaders.installer);
        for (path, content) in files {
            add(path.as_bytes());
            add(content);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        ImageId(id)
    }
}
