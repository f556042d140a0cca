//! A guest without the payload: the shipped kernel with an initramfs of the host's own programs, which runs a script.

use super::bench::Bench;
use crate::{
    model::DriveHost,
    tool::{self, Tool},
    vm::{Direct, Machine, Vm},
};
use anyhow::{Context, Result, ensure};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What every script begins with. The kernel looks for drives in the background and names them as they come, so they are
/// found by their target.
const BEGIN: &str = r#"export PATH=/bin:/usr/bin
busybox mount -t sysfs none /sys; busybox mount -t proc none /proc; busybox mount -t devtmpfs none /dev
echo 1 > /proc/sys/kernel/printk
drive() { echo /dev/$(busybox ls /sys/bus/scsi/devices/*:0:$1:0/block); }
"#;
const END: &str = "echo TOOLS-END\nbusybox poweroff -f\n";

/// A guest that runs a script with these drives.
pub(super) struct Guest {
    pub(super) vm: Vm,
}

impl Guest {
    pub(super) fn start(bench: &mut Bench, host: &DriveHost, script: &str) -> Result<Self> {
        let initramfs = initramfs(&bench.folder, script)?;
        let direct = Direct { kernel: bench.kernel(), initramfs, command_line: COMMAND_LINE.into() };
        Ok(Self { vm: bench.start(&Machine::direct(direct).drive_host(&host.socket()))? })
    }

    /// Waits for the end of the script: all of these words are on the console then.
    pub(super) fn expect(self, words: &[impl AsRef<str>]) -> Result<()> {
        self.vm.wait_text(&["tools-end"], 120)?;
        let said = self.vm.console_text();
        for words in words.iter().map(AsRef::as_ref) {
            ensure!(said.contains(words), "the guest's tools do not say {words:?}: {said}");
        }
        Ok(())
    }
}

/// The kernel that ships starts no scripts by itself, so the shell is the first program.
const COMMAND_LINE: &str = "console=ttyS0 quiet no_timer_check rdinit=/bin/busybox -- sh /run";
const PROGRAMS: &[&str] = &[
    "hdparm",
    "smartctl",
    "sg_inq",
    "sg_opcodes",
    "sg_raw",
    "sg_readcap",
    "sg_requests",
    "sg_reset",
    "sg_sanitize",
    "sg_sat_identify",
    "sg_turs",
    "sg_vpd",
];

/// An initramfs of the host's own programs, the libraries they are linked with, and a script.
fn initramfs(folder: &Path, script: &str) -> Result<PathBuf> {
    let root = folder.join("initramfs");
    for name in ["bin", "dev", "proc", "sys"] {
        fs::create_dir_all(root.join(name)).context("making the folders of an initramfs")?;
    }
    let mut libraries = BTreeSet::new();
    for name in PROGRAMS.iter().chain(&["busybox"]) {
        let path = which(name)?;
        fs::copy(&path, root.join("bin").join(name)).with_context(|| format!("copying {}", path.display()))?;
        if *name != "busybox" {
            let linked = Tool::new("ldd").arg(&path).run()?;
            libraries.extend(linked.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from));
        }
    }
    for library in libraries {
        let to = root.join(library.strip_prefix("/").context("ldd names whole paths")?);
        fs::create_dir_all(to.parent().context("a library lies in a folder")?).context("making a library's folder")?;
        fs::copy(&library, &to).with_context(|| format!("copying {}", library.display()))?;
    }
    fs::write(root.join("run"), format!("{BEGIN}{script}\n{END}").replace("busybox ", "/bin/busybox "))
        .context("writing the script")?;
    let out = folder.join("initramfs.img");
    let list = r#"cd "$0" && find . | cpio --quiet -o -H newc"#;
    Tool::new("sh").args(["-c", list]).arg(&root).output_to(&out).run()?;
    fs::remove_dir_all(&root).context("clearing the folders of an initramfs")?;
    Ok(out)
}

/// The whole path of a host program.
fn which(name: &'static str) -> Result<PathBuf> {
    let found = tool::find(name);
    if found.is_absolute() {
        return Ok(found);
    }
    let path = Tool::new("sh").args(["-c", "command -v \"$0\"", name]).run();
    Ok(PathBuf::from(path.with_context(|| format!("looking for {name}"))?.trim()))
}
