//! `make run`: what a visitor sees first. Three disks with real file systems, one stick, one wipe, three certificates.

use crate::{
    certs::{Certificate, Certificates},
    disk::{
        MIB, SECTOR,
        filesystems::{self, Kind, Layout, Partition, Table},
        sparse,
    },
    job::Job,
    oracle,
    stick::Stick,
    vm::{Bus, Drive, Machine, Outcome, Vm},
};
use anyhow::{Context, Result, ensure};
use std::{fs, path::Path};

const METHOD: &str = "dod-5220.22-m";
const MIB_SECTORS: u64 = MIB / SECTOR;

/// Serial number and content of each disk; no size is a multiple of 1 MiB.
const DISKS: &[(&str, Layout)] = &[
    (
        "RUN-NTFS-0001",
        Layout {
            table: Table::Mbr,
            partitions: &[
                Partition { kind: Kind::Ntfs, sectors: 24 * MIB_SECTORS },
                Partition { kind: Kind::Fat32, sectors: 36 * MIB_SECTORS },
            ],
            sectors: 64 * MIB_SECTORS + 7,
        },
    ),
    (
        "RUN-EXT4-0002",
        Layout {
            table: Table::Gpt,
            partitions: &[Partition { kind: Kind::Ext4, sectors: 70 * MIB_SECTORS + 8 }],
            sectors: 80 * MIB_SECTORS + 1023,
        },
    ),
    (
        "RUN-MIXED-0003",
        Layout {
            table: Table::Mbr,
            partitions: &[
                Partition { kind: Kind::ExFat, sectors: 8 * MIB_SECTORS },
                Partition { kind: Kind::Fat32, sectors: 36 * MIB_SECTORS },
            ],
            sectors: 48 * MIB_SECTORS - 1,
        },
    ),
];

/// One line of the closing table.
struct Row {
    drive: String,
    serial: &'static str,
    method: String,
    outcome: String,
    signature: &'static str,
    /// What is wrong; empty where nothing is.
    fault: String,
}

/// Runs it all in `folder`, which is made afresh; `false` where anything is not as it must be.
pub(crate) fn run(image: &Path, folder: &Path) -> Result<bool> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("clearing {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let stick = Stick::copy_of(image, folder, "MULE-RUN-STICK")?;
    stick.set_job(&Job::wipe(METHOD))?;
    let drives = make_disks(folder)?;
    println!("Booting {} from USB through the BIOS; the guest's serial console follows.\n", image.display());
    let mut vm = Vm::start(&Machine::new(&stick).in_full().drives(drives), folder, "boot", true)?;
    let finished = vm.finish()?;
    println!("\nThe machine is off. Checking what it left.\n");
    let certificates = Certificates::pull(&stick, &folder.join("stick-files"))?;
    let rows: Vec<Row> = DISKS.iter().map(|(serial, layout)| check(folder, serial, layout, &certificates)).collect();
    print_table(&rows);
    println!("\nCertificates: {}", folder.join("stick-files/certificates").display());
    if finished.end.outcome != Outcome::Ok {
        println!("The run did not end well: {}", finished.end);
    }
    Ok(finished.end.outcome == Outcome::Ok && rows.iter().all(|row| row.fault.is_empty()))
}

/// Makes each disk and a copy of it as it was before.
fn make_disks(folder: &Path) -> Result<Vec<Drive>> {
    let scratch = tempfile::tempdir_in(folder).context("making a scratch folder")?;
    let mut drives = Vec::new();
    for (number, (serial, layout)) in DISKS.iter().enumerate() {
        let path = folder.join(format!("disk{}.img", number + 1));
        filesystems::make(&path, layout, scratch.path())?;
        sparse::copy(&path, &before(folder, serial))?;
        let kinds: Vec<String> = layout.partitions.iter().map(|part| format!("{:?}", part.kind)).collect();
        println!("disk{}.img  {serial:<16} {:>11} bytes  {}", number + 1, layout.sectors * SECTOR, kinds.join(", "));
        drives.push(Drive::new(&path, serial, Bus::Ahci));
    }
    Ok(drives)
}

fn before(folder: &Path, serial: &str) -> std::path::PathBuf {
    folder.join(format!("{serial}.before.img"))
}

fn check(folder: &Path, serial: &'static str, layout: &Layout, certificates: &Certificates) -> Row {
    let number = DISKS.iter().position(|(name, _)| *name == serial).unwrap_or_default() + 1;
    let disk = folder.join(format!("disk{number}.img"));
    let certificate = certificates.of(serial);
    let text = |pointer| certificate.as_ref().map_or_else(|_| "-".into(), |found| found.text(pointer).to_owned());
    let signature = certificate.as_ref().map_or(Ok(()), |found| found.verify_and_refuse_flips());
    let content = oracle::looks_random(&disk).and_then(|()| oracle::no_sector_kept(&before(folder, serial), &disk));
    let statement = match &certificate {
        Ok(found) => check_statement(found, layout),
        Err(error) => Err(anyhow::anyhow!("{error:#}")),
    };
    let faults: Vec<String> =
        [&signature, &content, &statement].iter().filter_map(|r| r.as_ref().err()).map(|e| format!("{e:#}")).collect();
    Row {
        drive: text("/media/model"),
        serial,
        method: text("/sanitisation/method"),
        outcome: text("/outcome"),
        signature: match (&certificate, &signature) {
            (Err(_), _) => "none",
            (_, Ok(())) => "good",
            (_, Err(_)) => "BAD",
        },
        fault: faults.join("; "),
    }
}

fn check_statement(certificate: &Certificate, layout: &Layout) -> Result<()> {
    certificate.expect_outcome("erased")?;
    certificate.check_html()?;
    ensure!(certificate.text("/sanitisation/method") == METHOD, "the certificate names another method");
    let bytes = certificate.number("/media/bytes");
    ensure!(bytes == Some(layout.sectors * SECTOR), "the certificate names a size of {bytes:?}");
    Ok(())
}

fn print_table(rows: &[Row]) {
    println!("{:<16} {:<16} {:<16} {:<24} SIGNATURE", "DRIVE", "SERIAL", "METHOD", "OUTCOME");
    for row in rows {
        println!("{:<16} {:<16} {:<16} {:<24} {}", row.drive, row.serial, row.method, row.outcome, row.signature);
        if !row.fault.is_empty() {
            println!("    WRONG: {}", row.fault);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_disk_can_be_made_and_none_is_whole_megabytes() {
        let folder = tempfile::tempdir().unwrap();
        let drives = make_disks(folder.path()).unwrap();
        for ((serial, layout), drive) in DISKS.iter().zip(&drives) {
            assert_ne!(layout.sectors % MIB_SECTORS, 0);
            assert_eq!(fs::metadata(&drive.path).unwrap().len(), layout.sectors * SECTOR);
            oracle::same(&drive.path, &before(folder.path(), serial)).unwrap();
            assert!(oracle::looks_random(&drive.path).is_err(), "old data must not pass for a wiped disk");
            assert!(oracle::no_sector_kept(&drive.path, &before(folder.path(), serial)).is_err());
        }
        let ntfs = fs::read(&drives[0].path).unwrap();
        assert_eq!(&ntfs[(1 << 20) + 3..][..8], b"NTFS    ");
        assert!(ntfs.chunks(512).any(|sector| sector.starts_with(b"0;customer 0;")), "the files are on the disk");
    }
}
