//! What the drives that are code of ours look like to programs we did not write: hdparm, smartmontools, sg3_utils and dd,
//! run in a guest; the cells are looked at from the host.

use super::{Test, bench::Bench, guest::Guest};
use crate::{
    disk::{MIB, SECTOR},
    model::DriveHost,
    oracle::{self, Leaves},
    tool::Tool,
};
use anyhow::{Context, Result, ensure};
use std::{fs, path::Path};

pub(super) const TESTS: &[Test] = &[
    Test::new("modelled-hdparm", "hdparm and sg3_utils see and drive the served SATA disk's limits", hdparm).of_model(),
    Test::new("modelled-tools", "sg3_utils, smartctl and dd see the served drives as they are", tools).of_model(),
    Test::new("modelled-hdparm-security", "hdparm sets, opens and loses passwords, erases and freezes", security)
        .of_model(),
    Test::new("modelled-hdparm-sanitize", "hdparm sanitizes in every way there is, and the cells agree", sanitize)
        .of_model(),
    Test::new("modelled-slow", "a drive at a long erase or that hangs keeps no other from its work", slow).of_model(),
    Test::new("modelled-smartctl", "smartctl reads a healthy, a warm and a failing disk; dd finds bad sectors", smart)
        .of_model(),
];

const NATIVE: u64 = 12 * MIB;

const HDPARM: &str = r#"
d=$(drive 0)
hdparm -I $d; hdparm -N $d; hdparm --dco-identify $d
sg_sat_identify --ident $d && echo IDENTIFIED-BY-SAT
hdparm --yes-i-know-what-i-am-doing -Np20480 $d && hdparm -N $d
hdparm --yes-i-know-what-i-am-doing --dco-restore $d && hdparm -I $d
smartctl -i $d
"#;

/// ```text
/// D   SATA, served by drive-host, an HPA before a DCO; the guest is an initramfs of the host's own programs
/// ```
fn hdparm(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("HDPARM-1", NATIVE)?;
    let host = DriveHost::of_sata_disks(&[(&disk, "dco=20480,hpa=16384")], &bench.folder)?;
    Guest::start(bench, &host, HDPARM)?.expect(&[
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
    ])?;
    oracle::untouched(&disk)
}

const TOOLS: &str = r#"
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
"#;

/// The last two are smartctl's.
const TOOLS_WORDS: &[&str] =
    &["WRITTEN", "REFUSED page", "REFUSED sat", "Product:              FILE DISK", "8,391,168 bytes"];

/// ```text
/// D1, D2   SCSI, served by drive-host; the guest is an initramfs of the host's own programs
/// ```
fn tools(bench: &mut Bench) -> Result<()> {
    let disks = [bench.disk("TOOLS-1", 8 * MIB + 5 * SECTOR)?, bench.disk("TOOLS-2", 4 * MIB)?];
    let before: Result<Vec<String>> = disks.iter().map(|disk| sha256(&disk.path)).collect();
    let host = DriveHost::of_disks(&disks, &bench.folder)?;
    let mut words: Vec<String> = TOOLS_WORDS.iter().map(|words| (*words).to_owned()).collect();
    for (target, (disk, sha256)) in disks.iter().zip(before?).enumerate() {
        words.extend([
            format!("Unit serial number: {}", disk.serial),
            format!("Number of logical blocks={}", disk.bytes / SECTOR),
            format!("SUM {target} {sha256}"),
        ]);
    }
    Guest::start(bench, &host, TOOLS)?.expect(&words)?;
    oracle::untouched(&disks[0])?;
    let cells = fs::read(&disks[1].path).context("reading the cells")?;
    let (start, end) = (1536, 1536 + 683 * 1536);
    ensure!(cells[start..end].iter().all(|byte| *byte == 0), "what the guest wrote is not all there");
    let mut expected = vec![0; cells.len()];
    disks[1].tag.fill(&mut expected, 0);
    ensure!(cells[..start] == expected[..start] && cells[end..] == expected[end..], "more was written than asked for");
    Ok(())
}

const SECURITY: &str = r#"
seen() { hdparm -I $1 | busybox sed -n '/^Security:/,/^Logical\|^Checksum/p' | busybox tr -s '\t\n' '  '; echo; }
password() { hdparm --user-master u --security-$2 key $1 2>&1; }
for target in 0 1 2 3 4 5; do echo "BEFORE $target: $(seen $(drive $target))"; done
for target in 0 1; do password $(drive $target) set-pass; echo "SET $target: $(seen $(drive $target))"; done
password $(drive 0) erase; password $(drive 1) erase-enhanced
busybox dd if=$(drive 2) of=/dev/null bs=4096 count=1 2> /dev/null || echo LOCKED-CANNOT-BE-READ
password $(drive 2) unlock; password $(drive 2) disable
hdparm --security-freeze $(drive 3); password $(drive 3) set-pass
password $(drive 4) erase
password $(drive 5) set-pass; password $(drive 5) erase
for target in 0 1 2 3 4 5; do echo "AFTER $target: $(seen $(drive $target))"; done
"#;

/// ```text
/// NORMAL      SATA, an HPA          erased
/// ENHANCED    SATA, a DCO           erased with the maker's pattern
/// OPENED      SATA, locked          opened, its password taken away
/// FROZEN      SATA                  frozen, then no password can be set
/// LOST        SATA, locked          its password is another
/// LIES        SATA                  says that it erased
/// ```
fn security(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["NORMAL", "ENHANCED", "OPENED", "FROZEN", "LOST", "LIES"], NATIVE)?;
    let like = [
        "security,hpa=16384,erase-seconds=3",
        "enhanced,dco=20480",
        "locked=key",
        "security",
        "locked=other",
        "erase-erases-nothing",
    ];
    let served: Vec<_> = disks.iter().zip(like).collect();
    let host = DriveHost::of_sata_disks(&served, &bench.folder)?;
    let off = "not enabled not locked not frozen not expired";
    let words = [
        format!("BEFORE 0: Security: Master password revision code = 65534 supported {off}"),
        "BEFORE 2: Security: Master password revision code = 65534 supported enabled locked".into(),
        "SET 1: Security: Master password revision code = 65534 supported enabled not locked not frozen not expired: \
         security count supported: enhanced erase"
            .into(),
        "LOCKED-CANNOT-BE-READ".into(),
        format!("AFTER 0: Security: Master password revision code = 65534 supported {off}"),
        format!("AFTER 1: Security: Master password revision code = 65534 supported {off}"),
        format!("AFTER 2: Security: Master password revision code = 65534 supported {off}"),
        "AFTER 3: Security: Master password revision code = 65534 supported not enabled not locked frozen".into(),
        "AFTER 4: Security: Master password revision code = 65534 supported enabled locked".into(),
        format!("AFTER 5: Security: Master password revision code = 65534 supported {off}"),
    ];
    Guest::start(bench, &host, SECURITY)?.expect(&words)?;
    oracle::wiped(&disks[0], Leaves::Byte(0))?;
    oracle::wiped(&disks[1], Leaves::Byte(0xa5))?;
    disks[2..].iter().try_for_each(oracle::untouched)
}

const SANITIZE: &str = r#"
sanitize() { d=$1; shift; hdparm --yes-i-know-what-i-am-doing "$@" $d 2>&1; }
state() { hdparm --sanitize-status $(drive $1) 2>&1 | busybox grep -v '^/dev\|^Issuing\|^$' | busybox tr -s '\t\n' '  '; }
hdparm -I $(drive 0)
sanitize $(drive 0) --sanitize-overwrite-passes 1 --sanitize-overwrite hex:12345678
sanitize $(drive 1) --sanitize-block-erase
sanitize $(drive 2) --sanitize-crypto-scramble
sanitize $(drive 3) --sanitize-block-erase
sanitize $(drive 4) --sanitize-freeze-lock; sanitize $(drive 4) --sanitize-block-erase
sanitize $(drive 5) --sanitize-block-erase
echo "DURING 0: $(state 0)"
until state 0 | busybox grep -q Completed; do busybox sleep 1; done
for target in 0 1 2 3 4 5; do echo "AFTER $target: $(state $target)"; done
"#;

/// ```text
/// OVERWRITE, BLOCK, CRYPTO   SATA, with HPA or DCO   sanitized
/// FAILS, FROZEN, LIES        SATA                    not, and the last says that it was
/// ```
fn sanitize(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["OVERWRITE", "BLOCK", "CRYPTO", "FAILS", "FROZEN", "LIES"], NATIVE)?;
    let like = [
        "hpa=16384,sanitize,sanitize-seconds=20",
        "dco=20480,sanitize",
        "sanitize,ssd",
        "sanitize-fails",
        "sanitize",
        "sanitize-erases-nothing",
    ];
    let served: Vec<_> = disks.iter().zip(like).collect();
    let host = DriveHost::of_sata_disks(&served, &bench.folder)?;
    Guest::start(bench, &host, SANITIZE)?.expect(&[
        "SANITIZE feature set",
        "CRYPTO_SCRAMBLE_EXT command",
        "OVERWRITE_EXT command",
        "BLOCK_ERASE_EXT command",
        "SANITIZE device error reason: Device in FROZEN state",
        "DURING 0: Sanitize status: State: SD2 Sanitize operation In Process",
        "AFTER 0: Sanitize status: State: SD0 Sanitize Idle Last Sanitize Operation Completed Without Error",
        "AFTER 1: Sanitize status: State: SD0 Sanitize Idle Last Sanitize Operation Completed Without Error",
        "AFTER 2: Sanitize status: State: SD0 Sanitize Idle Last Sanitize Operation Completed Without Error",
        "Last Sanitize Command completed unsuccessfully Drive in SD3 Sanitize Operation Failed state",
        "AFTER 4: Sanitize status: State: SD1 Sanitize Frozen",
        "AFTER 5: Sanitize status: State: SD0 Sanitize Idle Last Sanitize Operation Completed Without Error",
    ])?;
    oracle::no_stamp_left(&disks[0].path, disks[0].tag)?;
    oracle::filled_with(&disks[0].path, &0x1234_5678_u32.to_le_bytes())?;
    oracle::wiped(&disks[1], Leaves::Byte(0))?;
    oracle::wiped(&disks[2], Leaves::Noise)?;
    disks[3..].iter().try_for_each(oracle::untouched)
}

/// Linux's driver for virtio gives up no command by itself, however long it takes; one that a reset ended is tried again.
const SLOW: &str = r#"
(hdparm --user-master u --security-erase key $(drive 0); echo > /erased) &
busybox sleep 2
busybox dd if=/dev/zero of=$(drive 1) bs=1M count=12 conv=fsync 2> /dev/null && ! busybox test -e /erased && echo FIRST
hangs=$(drive 2)
(sg_raw --timeout=100 $hangs 85 06 20 00 00 00 00 00 00 00 00 00 00 a0 e7 00 2>&1) &
busybox sleep 1
sg_reset --device $hangs && echo RESET
busybox dd if=$hangs of=/dev/null bs=4096 count=1 iflag=direct 2> /dev/null && ! busybox test -e /erased && echo BACK
wait
busybox test -e /erased && echo SECOND
"#;

/// ```text
/// ERASES   SATA   erased for 20 s
/// WORKS    SATA   written meanwhile
/// HANGS    SATA   does not answer FLUSH CACHE, and is read after a reset
/// ```
fn slow(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["ERASES", "WORKS", "HANGS"], NATIVE)?;
    let like = ["password=key,erase-seconds=20", "", "hangs=e7"];
    let served: Vec<_> = disks.iter().zip(like).collect();
    let host = DriveHost::of_sata_disks(&served, &bench.folder)?;
    Guest::start(bench, &host, SLOW)?.expect(&["FIRST", "RESET", "Sense key: Recovered Error", "BACK", "SECOND"])?;
    oracle::wiped(&disks[0], Leaves::Byte(0))?;
    oracle::wiped(&disks[1], Leaves::Byte(0))?;
    oracle::untouched(&disks[2])
}

const SMART: &str = r#"
for target in 0 1; do echo "TARGET $target"; smartctl -a $(drive $target) | busybox tr -s ' '; done
bad=$(drive 0)
busybox dd if=$bad of=/dev/null bs=512 count=1 skip=1000 iflag=direct 2> /dev/null || echo BAD-BEFORE
busybox dd if=/dev/zero of=$bad bs=512 count=1 seek=1000 oflag=direct 2> /dev/null && echo REWRITTEN
busybox dd if=$bad of=/dev/null bs=512 count=1 skip=1000 iflag=direct 2> /dev/null && echo GOOD-AFTER
busybox dd if=/dev/zero of=$bad bs=512 count=1 seek=2000 oflag=direct 2> /dev/null || echo CANNOT-BE-WRITTEN
smartctl -l devstat $(drive 0) | busybox tr -s ' '
echo LATER; smartctl -A $bad | busybox tr -s ' '
echo WAITING-FOR-HEAT
until smartctl -A $bad | busybox grep -q ' 61$'; do busybox sleep 1; done
echo HOT
"#;

/// ```text
/// WORN      SATA, with a bad sector and one that cannot be written; it gets hot
/// FAILING   SATA, that does not rotate
/// ```
fn smart(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["WORN", "FAILING"], NATIVE)?;
    let like = ["smart,temperature=41,temperature-limit=58,reallocated=7,bad=1000,unwritable=2000", "ssd,failing"];
    let served: Vec<_> = disks.iter().zip(like).collect();
    let mut host = DriveHost::of_sata_disks(&served, &bench.folder)?;
    let guest = Guest::start(bench, &host, SMART)?;
    guest.vm.wait_text(&["waiting-for-heat"], 120)?;
    host.set(0, "temperature", 61)?;
    guest.expect(&[
        "SMART support is: Enabled",
        "Rotation Rate: 7200 rpm",
        "test result: PASSED",
        "5 Reallocated_Sector_Ct 0x0033 100 100 010 Pre-fail Always - 7",
        "194 Temperature_Celsius 0x0022 100 100 000 Old_age Always - 41",
        "197 Current_Pending_Sector 0x0012 100 100 000 Old_age Always - 1",
        "Rotation Rate: Solid State Device",
        "test result: FAILED!",
        "0x05 0x058 1 58 --- Specified Maximum Operating Temperature",
        "BAD-BEFORE",
        "REWRITTEN",
        "GOOD-AFTER",
        "CANNOT-BE-WRITTEN",
        "5 Reallocated_Sector_Ct 0x0033 100 100 010 Pre-fail Always - 8",
        "197 Current_Pending_Sector 0x0012 100 100 000 Old_age Always - 0",
        "HOT",
    ])?;
    oracle::untouched(&disks[1])?;
    let mut expected = vec![0; usize::try_from(NATIVE)?];
    disks[0].tag.fill(&mut expected, 0);
    expected[1000 * 512..1001 * 512].fill(0);
    ensure!(fs::read(&disks[0].path).context("reading the cells")? == expected, "another sector was changed");
    Ok(())
}

fn sha256(path: &Path) -> Result<String> {
    let text = Tool::new("sha256sum").arg(path).run()?;
    Ok(text.split_whitespace().next().context("sha256sum says a sum")?.to_owned())
}
