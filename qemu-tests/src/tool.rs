//! Runs the host's tools (mtools, mkfs, ssh-keygen) and says what went wrong with them.

use anyhow::{Context, Result, bail};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The Debian package of each tool, for the message when one is missing.
const PACKAGES: &[(&str, &str)] = &[
    ("mcopy", "mtools"),
    ("mdel", "mtools"),
    ("mmd", "mtools"),
    ("ddrescuelog", "gddrescue"),
    ("busybox", "busybox-static"),
    ("cpio", "cpio"),
    ("debugfs", "e2fsprogs"),
    ("hdparm", "hdparm"),
    ("smartctl", "smartmontools"),
    ("sg_inq", "sg3-utils"),
    ("sg_opcodes", "sg3-utils"),
    ("sg_raw", "sg3-utils"),
    ("sg_readcap", "sg3-utils"),
    ("sg_requests", "sg3-utils"),
    ("sg_reset", "sg3-utils"),
    ("sg_sanitize", "sg3-utils"),
    ("sg_sat_identify", "sg3-utils"),
    ("sg_turs", "sg3-utils"),
    ("sg_vpd", "sg3-utils"),
    ("mke2fs", "e2fsprogs"),
    ("mkfs.fat", "dosfstools"),
    ("mkfs.exfat", "exfatprogs"),
    ("mkntfs", "ntfs-3g"),
    ("ntfscat", "ntfs-3g"),
    ("ntfscp", "ntfs-3g"),
    ("ntfsls", "ntfs-3g"),
    ("zstd", "zstd"),
    ("sfdisk", "fdisk"),
    ("ssh-keygen", "openssh-client"),
    ("qemu-system-x86_64", "qemu-system-x86"),
];

/// Where mkfs and its like are; a user's `PATH` often lacks these on Debian.
const SYSTEM_FOLDERS: &[&str] = &["/usr/sbin", "/sbin"];

/// One call of a host tool.
#[derive(Debug)]
pub(crate) struct Tool {
    name: &'static str,
    path: PathBuf,
    args: Vec<OsString>,
    input: Option<PathBuf>,
    output: Option<PathBuf>,
}

impl Tool {
    pub(crate) fn new(name: &'static str) -> Self {
        Self::at(name, &find(name))
    }

    /// A program of ours.
    pub(crate) fn at(name: &'static str, path: &Path) -> Self {
        Self { name, path: path.to_owned(), args: Vec::new(), input: None, output: None }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// The file that becomes the standard input.
    pub(crate) fn input(mut self, path: &Path) -> Self {
        self.input = Some(path.to_owned());
        self
    }

    /// The file that the standard output goes to.
    pub(crate) fn output_to(mut self, path: &Path) -> Self {
        self.output = Some(path.to_owned());
        self
    }

    /// Runs it to the end; its standard output where it succeeded.
    pub(crate) fn run(self) -> Result<String> {
        let input = match &self.input {
            Some(path) => File::open(path).with_context(|| format!("opening {}", path.display()))?.into(),
            None => Stdio::null(),
        };
        let mut command = Command::new(&self.path);
        if let Some(path) = &self.output {
            command.stdout(File::create(path).with_context(|| format!("making {}", path.display()))?);
        }
        let output = command
            .args(&self.args)
            .stdin(input)
            // mtools refuses an image whose size is no multiple of the sectors per track unless it is told not to look.
            .env("MTOOLS_SKIP_CHECK", "1")
            .output()
            .with_context(|| format!("cannot run {}{}", self.name, package_hint(self.name)))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            bail!("{} {:?} failed ({}): {text}{complaint}", self.name, self.args, output.status);
        }
        Ok(text)
    }
}

/// The tool's path where it lies outside `PATH`, else its name.
pub(crate) fn find(name: &str) -> PathBuf {
    let in_path = std::env::var_os("PATH")
        .is_some_and(|folders| std::env::split_paths(&folders).any(|folder| folder.join(name).exists()));
    let elsewhere = SYSTEM_FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    match elsewhere {
        Some(path) if !in_path => path,
        _ => name.into(),
    }
}

fn package_hint(name: &str) -> String {
    match PACKAGES.iter().find(|(tool, _)| *tool == name) {
        Some((_, package)) => format!(" (Debian package {package})"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_tool_reports_its_own_words() {
        let error = Tool::new("sh").args(["-c", "echo ruined >&2; exit 3"]).run().unwrap_err().to_string();
        assert!(error.contains("ruined") && error.contains('3'), "{error}");
        assert_eq!(Tool::new("sh").args(["-c", "echo fine"]).run().unwrap(), "fine\n");
    }

    #[test]
    fn a_missing_tool_names_its_package() {
        assert_eq!(package_hint("mcopy"), " (Debian package mtools)");
        assert!(Tool::new("no-such-tool-anywhere").run().unwrap_err().to_string().contains("no-such-tool-anywhere"));
    }
}
