//! The served drives as programs that we did not write see and drive them, in a guest without the payload.

use super::{Test, bench::Bench};
use crate::{
    disk::{MIB, SECTOR},
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
    Test::new("modelled-hdparm", "hdparm and sg3_utils see and drive the served SATA disk's limits", hdparm),
    Test::new("modelled-hdparm-erase", "hdparm erases and sanitizes served SATA disks, and all cells with them", erase),
    Test::new("modelled-smart", "smartctl reads the served SATA disk's health", smart),
    Test::new("modelled-tools", "sg3_utils, smartctl and dd see the served drives as they are", tools),
];

const NATIVE: u64 = 12 * MIB;

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
    let said = run(bench, &host, HDPARM)?;
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
    oracle::untouched(&disk)
}

const ERASE: &str = r#"
busybox mount -t sysfs none /sys; busybox mount -t proc none /proc; busybox mount -t devtmpfs none /dev
echo 1 > /proc/sys/kernel/printk
drive() { echo /dev/$(busybox ls /sys/bus/scsi/devices/*:0:$1:0/block); }
yes="--yes-i-know-what-i-am-doing"
d=$(drive 0)
hdparm -I $d | busybox sed -n '/^Security/,$p'
hdparm --user-master u --security-set-pass bench $d && hdparm -I $d | busybox grep -w enabled
hdparm --user-master u --security-erase-enhanced bench $d && hdparm -I $d | busybox grep -w enabled
hdparm --user-master u --security-set-pass bench $d && hdparm --user-master u --security-disable bench $d && echo DISABLED
hdparm --security-freeze $d && hdparm -I $d | busybox grep -w frozen
d=$(drive 1)
hdparm $yes --sanitize-status $d
hdparm $yes --sanitize-overwrite-passes 1 --sanitize-overwrite hex:11223344 $d
hdparm --sanitize-status $d
while hdparm --sanitize-status $d 2>&1 | busybox grep -q 'SD2'; do busybox sleep 1; done
hdparm --sanitize-status $d
d=$(drive 2)
hdparm $yes --sanitize-crypto-scramble $d; busybox sleep 3; hdparm --sanitize-status $d
echo TOOLS-END
busybox poweroff -f
"#;

/// ```text
/// D1 security   D2, D3 sanitize   SATA, served by drive-host, some sectors of each hidden
/// ```
fn erase(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["SECURE", "OVERWRITE", "SCRAMBLE"], NATIVE)?;
    let words = ["security,enhanced,hpa=20000", "sanitize,sanitize-seconds=2,hpa=20000", "sanitize,sanitize-seconds=1"];
    let served: Vec<_> = disks.iter().zip(words).collect();
    let host = DriveHost::of_sata_disks(&served, &bench.folder)?;
    let said = run(bench, &host, ERASE)?;
    for words in [
        "supported: enhanced erase",
        "notenabled",
        "2min for SECURITY ERASE UNIT. 2min for ENHANCED SECURITY ERASE UNIT",
        "DISABLED",
        "State:    SD2 Sanitize operation In Process",
        "Last Sanitize Operation Completed Without Error",
    ] {
        ensure!(said.contains(words), "hdparm does not say {words:?}: {said}");
    }
    oracle::wiped(&disks[0], Leaves::Byte(0xa5))?;
    let cells = fs::read(&disks[1].path).context("reading the cells")?;
    ensure!(cells.chunks(4).all(|chunk| chunk == [0x11, 0x22, 0x33, 0x44]), "hdparm's pattern is not everywhere");
    oracle::wiped(&disks[2], Leaves::Noise)
}

const SMARTCTL: &str = r#"
busybox mount -t sysfs none /sys; busybox mount -t proc none /proc; busybox mount -t devtmpfs none /dev
echo 1 > /proc/sys/kernel/printk
drive() { echo /dev/$(busybox ls /sys/bus/scsi/devices/*:0:$1:0/block); }
smartctl -H -A $(drive 0); smartctl -H -A $(drive 1)
echo TOOLS-END
busybox poweroff -f
"#;

/// ```text
/// D1 in good health   D2 failing, SSD   SATA, served by drive-host
/// ```
fn smart(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["HEALTHY", "FAILING"], MIB)?;
    let words = ["smart", "smart,ssd,failing,temperature=61,reallocated=7"];
    let served: Vec<_> = disks.iter().zip(words).collect();
    let host = DriveHost::of_sata_disks(&served, &bench.folder)?;
    let said = run(bench, &host, SMARTCTL)?;
    let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    let raw = |name: &str| -> Vec<&str> {
        lines.iter().filter(|words| words.get(1) == Some(&name)).filter_map(|words| words.last().copied()).collect()
    };
    ensure!(raw("Reallocated_Sector_Ct") == ["0", "7"], "{said}");
    ensure!(raw("Temperature_Celsius") == ["31", "61"] && raw("Power_On_Hours") == ["31207"; 2], "{said}");
    ensure!(said.contains("test result: PASSED") && said.contains("test result: FAILED!"), "{said}");
    Ok(())
}

/// Boots a guest of the host's own programs that runs `script`; what it said.
fn run(bench: &mut Bench, host: &DriveHost, script: &str) -> Result<String> {
    let initramfs = initramfs(&bench.folder, script)?;
    let direct = Direct { kernel: bench.kernel(), initramfs, command_line: COMMAND_LINE.into() };
    let vm = bench.start(&Machine::direct(direct).drive_host(&host.socket()))?;
    vm.wait_text(&["tools-end"], 120)?;
    Ok(vm.console_text())
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
    let said = run(bench, &host, SCRIPT)?;
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
