//! A kernel that QEMU starts itself, as its own boot loader.

use crate::stick::Stick;
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// SYSLINUX' configuration on the stick.
const CONFIG: &str = "/syslinux/syslinux.cfg";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Direct {
    pub(crate) kernel: PathBuf,
    pub(crate) initramfs: PathBuf,
    pub(crate) command_line: String,
}

impl Direct {
    /// Kernel, initramfs and command line as SYSLINUX finds them on this stick, copied to `folder`. SYSLINUX would add the
    /// names of both files to the command line.
    pub(crate) fn of_stick(stick: &Stick, folder: &Path) -> Result<Self> {
        let pull = |file: &str, name: &str| -> Result<PathBuf> {
            let to = folder.join(name);
            stick.pull_file(file, &to).map(|()| to)
        };
        let config = fs::read_to_string(pull(CONFIG, "syslinux.cfg")?).context("reading SYSLINUX' configuration")?;
        let kernel = pull(entry(&config, "LINUX")?, "kernel")?;
        let initramfs = pull(entry(&config, "INITRD")?, "initramfs")?;
        Ok(Self { kernel, initramfs, command_line: entry(&config, "APPEND")?.to_owned() })
    }

    pub(super) fn arguments(&self) -> [String; 6] {
        let path = |path: &Path| path.display().to_string();
        let (kernel, initramfs) = (path(&self.kernel), path(&self.initramfs));
        ["-kernel".into(), kernel, "-initrd".into(), initramfs, "-append".into(), self.command_line.clone()]
    }
}

/// What stands behind this word in SYSLINUX' configuration, where it must stand once.
fn entry<'a>(config: &'a str, word: &str) -> Result<&'a str> {
    let value = |line: &'a str| line.trim().strip_prefix(word)?.strip_prefix(' ');
    let found: Vec<&str> = config.lines().filter_map(value).map(str::trim).collect();
    ensure!(found.len() == 1, "{} lines of {CONFIG} say {word}", found.len());
    Ok(found[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::Tool;

    #[test]
    fn the_kernel_is_the_sticks_own() {
        let folder = tempfile::tempdir().unwrap();
        let stick = crate::stick::tests::small(folder.path());
        let fat = format!("{}@@{}", stick.path.display(), 1 << 20);
        Tool::new("mmd").args(["-i", &fat, "::/syslinux"]).run().unwrap();
        let config = "PROMPT 0\nLABEL mule\n  LINUX /vmlinuz\n  INITRD /initramfs.img\n  APPEND console=ttyS0 quiet\n";
        for (name, text) in [("vmlinuz", "K"), ("initramfs.img", "I"), ("syslinux/syslinux.cfg", config)] {
            let file = folder.path().join("file");
            fs::write(&file, text).unwrap();
            Tool::new("mcopy").args(["-i", &fat]).arg(&file).arg(format!("::/{name}")).run().unwrap();
        }
        let direct = Direct::of_stick(&stick, folder.path()).unwrap();
        assert_eq!(direct.command_line, "console=ttyS0 quiet");
        let read = |path| fs::read_to_string(path).unwrap();
        assert_eq!((read(&direct.kernel), read(&direct.initramfs)), ("K".into(), "I".into()));
        assert_eq!(direct.arguments()[4..], ["-append", "console=ttyS0 quiet"]);
    }

    #[test]
    fn a_configuration_that_says_it_twice_or_not_is_refused() {
        assert_eq!(entry("A b\n  B c d \n", "B").unwrap(), "c d");
        assert!(entry("A b\nA c\n", "A").is_err() && entry("AB c\n", "A").is_err());
    }
}
