//! Drives that are code of ours, served to the guest's own SCSI drivers: the shipped payload drives them, and programs we
//! did not write say what they see.

use super::{Test, bench::Bench};
use crate::{
    disk::{MIB, SECTOR},
    job::Job,
    model::DriveHost,
    oracle::{self, Leaves},
    tool::{self, Tool},
    vm::{Direct, Machine},
};
use anyhow::{Context, Result, ensure};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

pub(super) const TESTS: &[Test] = &[
    Test::new("modelled-wipe", "two served SCSI drives are wiped, the cells and the certificates agree", wipe),
    Test::new(
        "modelled-power-cut",
        "a served drive outlives its guest: the next one finds it as it was left",
        two_guests,
    ),
    Test::new("modelled-tools", "sg3_utils, smartctl and dd see the served drives as they are", tools),
];

/// ```text
/// stick   USB     D1, D2   SCSI, served by drive-host
/// ```
fn wipe(bench: &mut Bench) -> Result<()> {
    let disks = [bench.disk("SERVED-1", 8 * MIB + 5 * SECTOR)?, bench.disk("SERVED-2", 4 * MIB)?];
    let host = DriveHost::of_disks(&disks, &bench.folder)?;
    let stick = bench.stick(&Job::wipe("dod-5220.22-m"))?;
    bench.boot(&Machine::new(&stick).drive_host(&host.socket()))?.expect_erased(2)?;
    let certificates = bench.certificates(&stick)?;
    for disk in &disks {
        oracle::wiped(disk, Leaves::Noise)?;
        let certificate = certificates.of(&disk.serial)?;
        certificate.expect_outcome("erased")?.verify()?;
        ensure!(certificate.number("/media/bytes") == Some(disk.bytes), "the certificate names another size");
    }
    Ok(())
}

/// ```text
/// stick   USB     D1, D2   SCSI, served by drive-host; only D2 is named by the job
/// ```
fn two_guests(bench: &mut Bench) -> Result<()> {
    let disks = [bench.disk("OUTLIVES-1", 4 * MIB)?, bench.disk("OUTLIVES-2", 4 * MIB)?];
    let mut host = DriveHost::of_disks(&disks, &bench.folder)?;
    let stick = bench.stick(&Job::wipe("zero").drives(&["OUTLIVES-2"]))?;
    let machine = Machine::new(&stick).drive_host(&host.socket());
    let vm = bench.start(&machine)?;
    vm.wait_writing_to("OUTLIVES-2")?;
    vm.cut()?;
    host.power_cycle(1)?;
    ensure!(host.power_cycle(2).is_err(), "there is no third drive");
    bench.boot(&machine)?.expect_erased(1)?;
    oracle::untouched(&disks[0])?;
    oracle::wiped(&disks[1], Leaves::Byte(0))
}

/// What the guest without the payload runs; the console shows what it said. The kernel looks for drives in the background
/// and names them as they come, so they are found by their target.
const SCRIPT: &str = r#"
busybox mount -t sysfs none /sys; busybox mount -t proc none /proc; busybox mount -t devtmpfs none /dev
echo 1 > /proc/sys/kernel/printk
drive() { echo /dev/$(busybox ls /sys/bus/scsi/devices/*:0:$1:0/block); }
for target in 0 1; do
    d=$(drive $target)
    echo "TOOLS target $target"
    sg_inq $d; sg_inq -p sn $d; sg_readcap --long $d
    echo "SUM $target $(busybox dd if=$d bs=1M iflag=direct 2> /dev/null | busybox sha256sum)"
done
# Requests that are no whole pages and begin in the middle of one.
busybox dd if=/dev/zero of=$(drive 1) bs=1536 seek=1 count=683 conv=fsync 2> /dev/null && echo WRITTEN
d=$(drive 0)
sg_inq -p 0xb0 $d > /dev/null 2>&1 || echo REFUSED page
sg_sat_identify $d > /dev/null 2>&1 || echo REFUSED sat
smartctl -i $d
echo TOOLS-END
busybox poweroff -f
"#;

/// ```text
/// D1, D2   SCSI, served by drive-host; the guest is an initramfs of the host's own programs
/// ```
fn tools(bench: &mut Bench) -> Result<()> {
    let disks = [bench.disk("TOOLS-1", 8 * MIB + 5 * SECTOR)?, bench.disk("TOOLS-2", 4 * MIB)?];
    let before: Result<Vec<String>> = disks.iter().map(|disk| sha256(&disk.path)).collect();
    let host = DriveHost::of_disks(&disks, &bench.folder)?;
    let initramfs = initramfs(&bench.folder, SCRIPT)?;
    let direct = Direct { kernel: bench.kernel(), initramfs, command_line: COMMAND_LINE.into() };
    let vm = bench.start(&Machine::direct(direct).drive_host(&host.socket()))?;
    vm.wait_text(&["tools-end"], 120)?;
    let said = vm.console_text();
    for (target, (disk, sha256)) in disks.iter().zip(before?).enumerate() {
        for words in [
            format!("Unit serial number: {}", disk.serial),
            format!("Number of logical blocks={}", disk.bytes / SECTOR),
            format!("SUM {target} {sha256}"),
        ] {
            ensure!(said.contains(&words), "the guest's tools do not say {words:?}: {said}");
        }
    }
    // The last two are smartctl's.
    for words in ["WRITTEN", "REFUSED page", "REFUSED sat", "Product:              FILE DISK", "8,391,168 bytes"] {
        ensure!(said.contains(words), "the guest's tools do not say {words:?}: {said}");
    }
    drop(vm);
    oracle::untouched(&disks[0])?;
    let cells = fs::read(&disks[1].path).context("reading the cells")?;
    let (start, end) = (1536, 1536 + 683 * 1536);
    ensure!(cells[start..end].iter().all(|byte| *byte == 0), "what the guest wrote is not all there");
    let mut expected = vec![0; cells.len()];
    disks[1].tag.fill(&mut expected, 0);
    ensure!(cells[..start] == expected[..start] && cells[end..] == expected[end..], "more was written than asked for");
    Ok(())
}

/// The kernel that ships starts no scripts by itself, so the shell is the first program.
const COMMAND_LINE: &str = "console=ttyS0 quiet rdinit=/bin/busybox -- sh /run";
const PROGRAMS: &[&str] = &["hdparm", "smartctl", "sg_inq", "sg_readcap", "sg_sat_identify"];

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
    fs::write(root.join("run"), format!("export PATH=/bin:/usr/bin\n{}", script.replace("busybox ", "/bin/busybox ")))
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

fn sha256(path: &Path) -> Result<String> {
    let text = Tool::new("sha256sum").arg(path).run()?;
    Ok(text.split_whitespace().next().context("sha256sum says a sum")?.to_owned())
}
