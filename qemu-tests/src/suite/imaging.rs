//! Images, restores and clones by the shipped stick, judged on the host with the distribution's own tools.

use super::{Test, bench::Bench};
use crate::{
    disk::{
        Disk, MIB,
        store::{Kind, Store},
    },
    job::Job,
    stick::Stick,
    tool::Tool,
    vm::{Drive, Fault, Machine, Outcome},
};
use anyhow::{Context, Result, ensure};
use std::{fs, path::PathBuf, time::Duration};

pub(super) const TESTS: &[Test] = &[
    Test::new("image-wipe-restore", "three disks imaged, one wiped and restored: zstd and cmp agree", round_trip),
    Test::new("image-power-cut", "an image that was cut short goes on and is the same bytes", power_cut).sleepy(),
    Test::new(
        "image-bad-sector",
        "a sector that cannot be read: imaged with exceptions, the rest is whole",
        bad_sector,
    ),
    Test::new("image-ntfs-store", "a store may be NTFS", ntfs_store),
    Test::new("image-exfat-store", "a store may be exFAT: imaged there, restored from there", exfat_store),
    Test::new("image-store-refused", "no store, or two of them: nothing is touched", store_refused),
    Test::new("image-alone", "an image is verified alone on the stick; one flipped bit of it is found", image_alone),
    Test::new("wipe-kept", "a wipe that first keeps an image; with a bad sector there is no wipe", wipe_kept),
    Test::new(
        "image-cut-then-kept",
        "an image that was cut, new data, a wipe that keeps an image and is cut as well: what is kept holds the new data",
        cut_then_kept,
    )
    .sleepy(),
    Test::new("clone-two", "one disk cloned onto two, the larger one's tail zeroed", clone_two),
];

const SIZE: u64 = 12 * MIB + 5 * 512;

/// The image of a disk in a store, unpacked with the distribution's zstd.
fn unpacked(bench: &Bench, store: &Store, serial: &str) -> Result<PathBuf> {
    let names = store.names()?;
    let of_disk = |name: &&String| name.contains(serial) && name.ends_with(".img.zst");
    let name = names.iter().find(of_disk).with_context(|| format!("no image of {serial} among {names:?}"))?;
    let (packed, raw) = (bench.folder.join(name), bench.folder.join(format!("{serial}.unpacked")));
    store.pull(name, &packed)?;
    Tool::new("zstd").args(["-q", "-t"]).arg(&packed).run()?;
    Tool::new("zstd").args(["-q", "-d", "-f", "-o"]).arg(&raw).arg(&packed).run()?;
    for ending in [".manifest.json", ".manifest.json.sig"] {
        store.pull(&format!("{name}{ending}"), &bench.folder.join(format!("{name}{ending}")))?;
    }
    Ok(raw)
}

fn same(disk: &Disk, raw: &std::path::Path) -> Result<()> {
    Tool::new("cmp").arg(&disk.path).arg(raw).run().map(drop)
}

fn expect_copied(bench: &Bench, stick: &Stick, serials: &[&str], outcome: &str) -> Result<()> {
    let certificates = bench.certificates(stick)?;
    for serial in serials {
        certificates.of(serial)?.expect_outcome(outcome)?.verify()?;
    }
    Ok(())
}

/// ```text
/// first boot    stick   USB     STORE, A, B, C   AHCI     image
/// second boot   stick   USB     B                AHCI     wipe
/// third boot    stick   USB     STORE, B         AHCI     restore
/// fourth boot   stick   USB     STORE, B, C      AHCI     verify against the image of B
/// ```
fn round_trip(bench: &mut Bench) -> Result<()> {
    let serials = ["DISKA", "DISKB", "DISKC"];
    let disks = bench.disks(&serials, SIZE)?;
    let before = bench.folder.join("before.raw");
    fs::copy(&disks[1].path, &before).context("keeping a disk")?;
    let store = Store::new(&bench.folder, "STORE", 128 * MIB, Kind::Ext4)?;
    let stick = bench.stick(&Job::copy("image").drives(&serials))?;
    let all = Machine::new(&stick).drive(Drive::ahci(&store.disk)).drives(disks.iter().map(Drive::ahci));
    let finished = bench.boot(&all)?;
    ensure!(finished.end.outcome == Outcome::Ok, "{}", finished.end);
    expect_copied(bench, &stick, &serials, "imaged")?;
    for disk in &disks {
        same(disk, &unpacked(bench, &store, &disk.serial)?)?;
    }
    let names = store.names()?;
    let name = names.iter().find(|name| name.contains("DISKB") && name.ends_with(".img.zst")).context("an image")?;
    let name = name.trim_end_matches(".img.zst").to_owned();

    stick.set_job(&Job::wipe("zero").drives(&["DISKB"]))?;
    bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disks[1])))?.expect_erased(1)?;
    stick.set_job(&Job::copy("restore").drives(&["DISKB"]).confirm(Some("erase")).key("image", &name))?;
    let finished = bench.boot(&Machine::new(&stick).drives([&store.disk, &disks[1]].map(Drive::ahci)))?;
    ensure!(finished.end.outcome == Outcome::Ok && finished.wrote_to("DISKB"), "{}", finished.end);
    expect_copied(bench, &stick, &["DISKB"], "restored")?;
    same(&disks[1], &before)?;

    stick.set_job(&Job::copy("verify").drives(&["DISKB", "DISKC"]).key("image", &name))?;
    let finished = bench.boot(&Machine::new(&stick).drives([&store.disk, &disks[1], &disks[2]].map(Drive::ahci)))?;
    ensure!(finished.end.outcome == Outcome::Failed, "DISKC is another disk: {}", finished.end);
    expect_copied(bench, &stick, &["DISKB"], "verified")?;
    expect_copied(bench, &stick, &["DISKC"], "differs")
}

/// ```text
/// first boot    stick   USB     STORE, CUT   AHCI, slow, cut
/// second boot   stick   USB     STORE, CUT   AHCI
/// beside        stick   USB     OTHER, CUT   AHCI, in one go
/// ```
fn power_cut(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("CUT", 24 * MIB)?;
    let job = Job::copy("image").drives(&["CUT"]).key("name", "cut").number("level", 1);
    let store = Store::new(&bench.folder, "STORE", 64 * MIB, Kind::Ext4)?;
    let stick = bench.stick(&job)?;
    let vm =
        bench.start(&Machine::new(&stick).drive(Drive::ahci(&store.disk)).drive(Drive::ahci(&disk).slowed(MIB)))?;
    // The first checkpoints: some of the image is there, most is not.
    std::thread::sleep(Duration::from_secs(18));
    ensure!(!vm.has_finished(), "the image was whole before the cut");
    vm.cut()?;
    let finished = bench.boot(&Machine::new(&stick).drives([&store.disk, &disk].map(Drive::ahci)))?;
    ensure!(finished.end.outcome == Outcome::Ok, "{}", finished.end);
    expect_copied(bench, &stick, &["CUT"], "imaged")?;
    store.pull("cut.img.zst", &bench.folder.join("resumed.img.zst"))?;

    let other = Store::new(&bench.folder, "OTHER", 64 * MIB, Kind::Ext4)?;
    let finished = bench.boot(&Machine::new(&stick).drives([&other.disk, &disk].map(Drive::ahci)))?;
    ensure!(finished.end.outcome == Outcome::Ok, "{}", finished.end);
    other.pull("cut.img.zst", &bench.folder.join("whole.img.zst"))?;
    let (resumed, whole) = (bench.folder.join("resumed.img.zst"), bench.folder.join("whole.img.zst"));
    Tool::new("cmp").arg(&resumed).arg(&whole).run()?;
    let raw = bench.folder.join("cut.raw");
    Tool::new("zstd").args(["-q", "-d", "-f", "-o"]).arg(&raw).arg(&resumed).run()?;
    same(&disk, &raw)
}

/// ```text
/// stick   USB     STORE   AHCI     BAD   AHCI, one unreadable sector
/// ```
fn bad_sector(bench: &mut Bench) -> Result<()> {
    const BAD: u64 = 7777;
    let disk = bench.disk("BAD", SIZE)?;
    let store = Store::new(&bench.folder, "STORE", 64 * MIB, Kind::Ext4)?;
    let stick = bench.stick(&Job::copy("image").drives(&["BAD"]).key("name", "bad"))?;
    let machine =
        Machine::new(&stick).drive(Drive::ahci(&store.disk)).drive(Drive::ahci(&disk).fault(Fault::Read(BAD)));
    let finished = bench.boot(&machine)?;
    ensure!(finished.end.outcome == Outcome::Exceptions && finished.end.exceptions == 1, "{}", finished.end);
    expect_copied(bench, &stick, &["BAD"], "imaged-with-exceptions")?;
    let (packed, raw) = (bench.folder.join("bad.img.zst"), bench.folder.join("bad.raw"));
    store.pull("bad.img.zst", &packed)?;
    Tool::new("zstd").args(["-q", "-d", "-f", "-o"]).arg(&raw).arg(&packed).run()?;
    let (old, new) = (fs::read(&disk.path)?, fs::read(&raw)?);
    ensure!(old.len() == new.len(), "{} bytes of {}", new.len(), old.len());
    for (lba, (old, new)) in (0..).zip(old.chunks(512).zip(new.chunks(512))) {
        let zeros = new.iter().all(|byte| *byte == 0);
        ensure!(if lba == BAD { zeros } else { old == new }, "LBA {lba} is not as it should be");
    }
    let map = bench.folder.join("bad.map");
    store.pull("bad.img.zst.map", &map)?;
    let listed = Tool::new("ddrescuelog").arg("--list-blocks=-").arg(&map).run()?;
    ensure!(listed.trim() == BAD.to_string(), "ddrescuelog lists {listed:?}");
    Ok(())
}

fn ntfs_store(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("ONE", SIZE)?;
    let store = Store::new(&bench.folder, "STORE", 64 * MIB, Kind::Ntfs)?;
    let stick = bench.stick(&Job::copy("image").drives(&["ONE"]))?;
    let finished = bench.boot(&Machine::new(&stick).drives([&store.disk, &disk].map(Drive::ahci)))?;
    ensure!(finished.end.outcome == Outcome::Ok, "{}", finished.end);
    expect_copied(bench, &stick, &["ONE"], "imaged")?;
    same(&disk, &unpacked(bench, &store, "ONE")?)
}

fn exfat_store(bench: &mut Bench) -> Result<()> {
    let disks = bench.disks(&["ONE", "TWO"], SIZE)?;
    let store = Store::new(&bench.folder, "STORE", 64 * MIB, Kind::ExFat)?;
    let stick = bench.stick(&Job::copy("image").drives(&["ONE"]).key("name", "one"))?;
    let finished = bench.boot(&Machine::new(&stick).drives([&store.disk, &disks[0]].map(Drive::ahci)))?;
    ensure!(finished.end.outcome == Outcome::Ok, "{}", finished.end);
    stick.set_job(&Job::copy("restore").drives(&["TWO"]).confirm(Some("erase")).key("image", "one"))?;
    let finished = bench.boot(&Machine::new(&stick).drives([&store.disk, &disks[1]].map(Drive::ahci)))?;
    ensure!(finished.end.outcome == Outcome::Ok, "{}", finished.end);
    expect_copied(bench, &stick, &["TWO"], "restored")?;
    same(&disks[0], &disks[1].path)
}

/// ```text
/// first boot    stick   USB     STORE, ONE   AHCI     image
/// second boot   stick   USB     STORE        AHCI     verify, no drives
/// third boot    stick   USB     STORE        AHCI     the same, one bit of the image flipped on the store
/// ```
fn image_alone(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("ONE", SIZE)?;
    let store = Store::new(&bench.folder, "STORE", 64 * MIB, Kind::Ext4)?;
    let stick = bench.stick(&Job::copy("image").drives(&["ONE"]).key("name", "one"))?;
    let finished = bench.boot(&Machine::new(&stick).drives([&store.disk, &disk].map(Drive::ahci)))?;
    ensure!(finished.end.outcome == Outcome::Ok, "{}", finished.end);
    stick.set_job(&Job::copy("verify").no_drives().key("image", "one"))?;
    let alone = Machine::new(&stick).drive(Drive::ahci(&store.disk));
    let finished = bench.boot(&alone)?;
    ensure!(finished.end.outcome == Outcome::Ok, "{}", finished.end);
    let packed = bench.folder.join("one.img.zst");
    store.pull("one.img.zst", &packed)?;
    let (packed, mut whole) = (fs::read(&packed)?, fs::read(&store.disk.path)?);
    let piece = &packed[packed.len() / 2..][..256];
    let at = whole.windows(piece.len()).position(|window| window == piece).context("the image is not on the store")?;
    whole[at] ^= 0x20;
    fs::write(&store.disk.path, whole)?;
    let finished = bench.boot(&alone)?;
    ensure!(finished.end.outcome == Outcome::Failed && finished.end.failed == 1, "{}", finished.end);
    // Texts stand in the log's frames as they are.
    let log = stick.read(stick.log_used()?)?;
    super::bench::expect_words(&String::from_utf8_lossy(&log), &["one.img.zst: whole", "one.img.zst: DAMAGED in"])
}

fn store_refused(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("ONE", SIZE)?;
    let stick = bench.stick(&Job::copy("image"))?;
    let reason = bench.boot(&Machine::new(&stick).drive(Drive::ahci(&disk)))?.expect_refusal()?;
    super::bench::expect_words(&reason, &["MULE-STORE"])?;
    let stores = ["S1", "S2"].map(|serial| Store::new(&bench.folder, serial, 64 * MIB, Kind::Ext4));
    let [first, second] = stores;
    let (first, second) = (first?, second?);
    let machine = Machine::new(&stick).drives([&disk, &first.disk, &second.disk].map(Drive::ahci));
    let reason = bench.boot(&machine)?.expect_refusal()?;
    super::bench::expect_words(&reason, &["2 file systems", "MULE-STORE"])?;
    ensure!(first.names()?.iter().all(|name| name == "lost+found"), "something was written to a store");
    crate::oracle::untouched(&disk)
}

/// ```text
/// stick   USB     FROM, SAME, LARGE, NOT   AHCI
/// ```
fn clone_two(bench: &mut Bench) -> Result<()> {
    let mut disks = bench.disks(&["FROM", "SAME", "NOT"], SIZE)?;
    disks.push(bench.disk("LARGE", 2 * SIZE)?);
    let job =
        Job::copy("clone").drives(&["SAME", "LARGE"]).confirm(Some("erase")).key("source", "FROM").key("tail", "zero");
    let stick = bench.stick(&job)?;
    let finished = bench.boot(&Machine::new(&stick).drives(disks.iter().map(Drive::ahci)))?;
    ensure!(finished.end.outcome == Outcome::Ok && !finished.wrote_to("FROM"), "{}", finished.end);
    expect_copied(bench, &stick, &["SAME", "LARGE"], "cloned")?;
    crate::oracle::untouched(&disks[0])?;
    crate::oracle::untouched(&disks[2])?;
    same(&disks[0], &disks[1].path)?;
    let (from, large) = (fs::read(&disks[0].path)?, fs::read(&disks[3].path)?);
    ensure!(large[..from.len()] == from && large[from.len()..].iter().all(|byte| *byte == 0), "LARGE is not as asked");
    Ok(())
}

/// ```text
/// first boot    stick   USB     STORE, ONE   AHCI, one unreadable sector
/// second boot   stick   USB     STORE, ONE   AHCI
/// ```
fn wipe_kept(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("ONE", SIZE)?;
    let before = bench.folder.join("before.raw");
    fs::copy(&disk.path, &before).context("keeping a disk")?;
    let store = Store::new(&bench.folder, "STORE", 64 * MIB, Kind::Ext4)?;
    let stick = bench.stick(&Job::wipe("zero").drives(&["ONE"]).key("keep", "48h"))?;
    let faulty = Machine::new(&stick).drive(Drive::ahci(&store.disk));
    let reason = bench.boot(&faulty.drive(Drive::ahci(&disk).fault(Fault::Read(7777))))?.expect_refusal()?;
    super::bench::expect_words(&reason, &["no whole image", "ONE"])?;
    crate::oracle::untouched(&disk)?;
    bench.boot(&Machine::new(&stick).drives([&store.disk, &disk].map(Drive::ahci)))?.expect_erased(1)?;
    bench.certificates(&stick)?.of("ONE")?.expect_outcome("erased")?.verify()?;
    ensure!(fs::read(&disk.path)?.iter().all(|byte| *byte == 0), "the disk is not blank");
    let kept = store.names()?.into_iter().filter(|name| name.ends_with(".kept.json")).count();
    ensure!(kept == 1, "{kept} notes of kept images");
    let raw = kept_image(bench, &store)?;
    Tool::new("cmp").arg(&before).arg(&raw).run().map(drop)
}

/// ```text
/// first boot    stick   USB     STORE, NEW   AHCI, slow, cut   image
/// second boot   stick   USB     STORE, NEW   AHCI, slow, cut   wipe, keep = "48h"; 4 KiB at 5 MiB are new
/// third boot    stick   USB     STORE, NEW   AHCI              the same
/// ```
fn cut_then_kept(bench: &mut Bench) -> Result<()> {
    let disk = bench.disk("NEW", 24 * MIB)?;
    let store = Store::new(&bench.folder, "STORE", 96 * MIB, Kind::Ext4)?;
    let stick = bench.stick(&Job::copy("image").drives(&["NEW"]))?;
    let slow =
        |stick: &Stick| Machine::new(stick).drive(Drive::ahci(&store.disk)).drive(Drive::ahci(&disk).slowed(MIB));
    let cut = |bench: &mut Bench, stick: &Stick| {
        let vm = bench.start(&slow(stick))?;
        std::thread::sleep(Duration::from_secs(18));
        ensure!(!vm.has_finished(), "the image was whole before the cut");
        vm.cut()
    };
    cut(bench, &stick)?;
    let mut bytes = fs::read(&disk.path)?;
    let at = usize::try_from(5 * MIB)?;
    bytes[at..at + 4096].fill(0xd5);
    fs::write(&disk.path, &bytes)?;
    stick.set_job(&Job::wipe("zero").drives(&["NEW"]).key("keep", "48h"))?;
    cut(bench, &stick)?;
    ensure!(fs::read(&disk.path)? == bytes, "it was written before its image was whole");
    bench.boot(&Machine::new(&stick).drives([&store.disk, &disk].map(Drive::ahci)))?.expect_erased(1)?;
    bench.certificates(&stick)?.of("NEW")?.expect_outcome("erased")?.verify()?;
    ensure!(fs::read(&disk.path)?.iter().all(|byte| *byte == 0), "the disk is not blank");
    let raw = kept_image(bench, &store)?;
    ensure!(fs::read(&raw)? == bytes, "what is kept is not what the disk held when it was wiped");
    Ok(())
}

/// The image whose note is in a store, unpacked.
fn kept_image(bench: &Bench, store: &Store) -> Result<PathBuf> {
    let names = store.names()?;
    let name = names.iter().find_map(|name| name.strip_suffix(".kept.json")).context("a note")?;
    let (packed, raw) = (bench.folder.join(name), bench.folder.join("kept.raw"));
    store.pull(name, &packed)?;
    Tool::new("zstd").args(["-q", "-d", "-f", "-o"]).arg(&raw).arg(&packed).run()?;
    Ok(raw)
}
