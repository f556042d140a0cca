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
    Test::new(
        "modelled-hidden-remove",
        "HPA and DCO are lifted through the kernel, and all cells are wiped",
        hidden_remove,
    ),
    Test::new(
        "modelled-hidden-left",
        "what stays hidden is an exception, or refused, and never an erasure",
        hidden_left,
    ),
    Test::new("modelled-hdparm", "hdparm and sg3_utils see and drive the served SATA disk's limits", hdparm),
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

const NATIVE: u64 = 12 * MIB;

/// ```text
/// stick   USB     HPA, DCO, BOTH, PLAIN   SATA, served by drive-host; 12 MiB each, some of them hidden
/// ```
fn hidden_remove(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["HPA", "DCO", "BOTH", "PLAIN"], NATIVE)?;
    let hidden = ["hpa=16384", "dco=20480", "dco=20480,hpa=16384", ""];
    let shown = [16384, 20480, 16384, NATIVE / SECTOR];
    let served: Vec<_> = disks.iter().zip(hidden).collect();
    let host = DriveHost::of_sata_disks(&served, &bench.folder)?;
    let stick = bench.stick(&Job::wipe("zero").key("hidden-areas", "remove"))?;
    bench.boot(&Machine::new(&stick).drive_host(&host.socket()))?.expect_erased(4)?;
    let certificates = bench.certificates(&stick)?;
    for (disk, shown) in disks.iter().zip(shown) {
        oracle::wiped(disk, Leaves::Byte(0))?;
        let certificate = certificates.of(&disk.serial)?;
        certificate.expect_outcome("erased")?.verify()?;
        let number = |pointer: &str| certificate.number(pointer);
        let sizes = (number("/media/bytes"), number("/coverage/hidden/before/visible"));
        ensure!(sizes == (Some(NATIVE), Some(shown)), "{}: the certificate has {sizes:?}", disk.serial);
        ensure!(number("/coverage/hidden/sectors_not_reached") == Some(0), "{}: not all was reached", disk.serial);
    }
    Ok(())
}

/// ```text
/// first boot    stick   USB     HIDES, LIES   SATA, served by drive-host   remove
/// second boot   stick   USB     the same                                   refuse
/// ```
fn hidden_left(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["LIES", "PLAIN"], NATIVE)?;
    let host = DriveHost::of_sata_disks(&[(&disks[0], "hpa=16384,lies"), (&disks[1], "")], &bench.folder)?;
    let stick = bench.stick(&Job::wipe("zero").key("hidden-areas", "refuse"))?;
    let machine = Machine::new(&stick).drive_host(&host.socket());
    let finished = bench.boot(&machine)?;
    ensure!((finished.end.erased, finished.end.refused) == (1, 1), "{}", finished.end);
    oracle::untouched(&disks[0])?;
    oracle::wiped(&disks[1], Leaves::Byte(0))?;
    stick.set_job(&Job::wipe("zero").drives(&["LIES"]).key("hidden-areas", "remove"))?;
    let finished = bench.boot(&machine)?;
    ensure!(finished.end.exceptions == 1 && finished.end.erased == 0, "{}", finished.end);
    let certificates = bench.certificates(&stick)?;
    let certificate = certificates.of("LIES")?;
    certificate.expect_outcome("erased-with-exceptions")?.verify()?;
    let left = certificate.number("/coverage/hidden/sectors_not_reached");
    ensure!(left == Some(NATIVE / SECTOR - 16384), "the certificate says {left:?} sectors were not reached");
    let (cells, shown) = (fs::read(&disks[0].path).context("reading the cells")?, 16384 * 512);
    let mut expected = vec![0; cells.len()];
    disks[0].tag.fill(&mut expected, 0);
    ensure!(cells[..shown].iter().all(|byte| *byte == 0), "what the drive shows is not blank");
    ensure!(cells[shown..] == expected[shown..], "what the drive hides was changed");
    Ok(())
}

const HDPARM: &str = r#"
busybox mount -t sysfs none /sys; busybox mount -t proc none /proc; busybox mount -t devtmpfs none /dev
echo 1 > /proc/sys/kernel/printk
d=/dev/$(busybox ls /sys/bus/scsi/devices/*:0:0:0/block)
hdparm -I $d; hdparm -N $d; hdparm --dco-identify $d
sg_sat_identify --ident $d && echo IDENTIFIED-BY-SAT
hdparm --yes-i-know-what-i-am-doing -Np20480 $d && hdparm -N $d
hdparm --yes-i-know-what-i-am-doing --dco-restore $d && hdparm -I $d
smartctl -i $d
echo TOOLS-END
busybox poweroff -f
"#;

/// ```text
/// D   SATA, served by drive-host, an HPA before a DCO; the guest is an initramfs of the host's own programs
/// ```
fn hdparm(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("HDPARM-1", NATIVE)?;
    let host = DriveHost::of_sata_disks(&[(&disk, "dco=20480,hpa=16384")], &bench.folder)?;
    let initramfs = initramfs(&bench.folder, HDPARM)?;
    let direct = Direct { kernel: bench.kernel(), initramfs, command_line: COMMAND_LINE.into() };
    let vm = bench.start(&Machine::direct(direct).drive_host(&host.socket()))?;
    vm.wait_text(&["tools-end"], 120)?;
    let said = vm.console_text();
    for words in [
        "Model Number:       MULE MODELLED SATA DISK",
        "Serial Number:      HDPARM-1",
        "Host Protected Area feature set",
        "Device Configuration Overlay feature set",
        "max sectors   = 16384/20480, HPA is enabled",
        "Real max sectors: 24576",
        "IDENTIFIED-BY-SAT",
        "max sectors   = 20480/20480, HPA is disabled",
        "LBA48  user addressable sectors:       24576",
        "Device Model:     MULE MODELLED SATA DISK",
    ] {
        ensure!(said.contains(words), "the guest's tools do not say {words:?}: {said}");
    }
    drop(vm);
    oracle::untouched(&disk)
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
