use super::{fixture::Machine, *};
use crate::{
    ata::identify::Rotation,
    discover::fixture::{page_89, put},
    drive::{Access, identity::TEXT_MAX},
};
use std::os::unix::fs::symlink;

const SATA: &str = "pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0";

fn named(drives: &[Drive], name: &str) -> Drive {
    drives.iter().find(|drive| drive.name == name).unwrap().clone()
}

#[test]
fn a_bench_pc_has_its_drives_and_nothing_else() {
    let machine = Machine::bench();
    let drives = scan(&machine.roots);
    let names: Vec<&str> = drives.iter().map(|drive| drive.name.as_str()).collect();
    assert_eq!(names, ["sda", "sdb", "vda", "nvme0n1"]);
    let sda = named(&drives, "sda");
    assert_eq!((sda.bus, sda.port.as_str(), sda.path), (Bus::Ata, "ata3", machine.roots.dev.join("sda")));
    let identity = &sda.identity;
    assert_eq!((identity.model.as_str(), identity.serial.as_str()), ("WDC WD5000AAKS-00A7B2", "WD-WMASY1234567"));
    assert_eq!((identity.wwn.as_deref(), identity.bytes), (Some("naa.50014ee0abcdef01"), 500_107_862_016));
    assert_eq!(sda.geometry, Geometry::new(500_107_862_016, 512, 512));
    assert_eq!((sda.firmware.as_deref(), sda.rotational), (Some("01.01A01"), Some(true)));
    assert!(!sda.removable && !sda.read_only && sda.usage.is_empty() && sda.ata.unwrap().abilities.hpa.supported);
    assert_eq!(sda.partitions, ["sda1", "sda2"]);
    let sdb = named(&drives, "sdb");
    assert_eq!((sdb.bus, sdb.port.as_str(), sdb.removable), (Bus::Usb, "usb 1-4", true));
    assert_eq!((sdb.identity.model.as_str(), sdb.identity.serial.as_str()), ("SanDisk Ultra", "4C530001230405"));
    assert_eq!(sdb.firmware.as_deref(), Some("1.00"));
    let nvme = named(&drives, "nvme0n1");
    assert_eq!((nvme.bus, nvme.port.as_str(), nvme.rotational), (Bus::Nvme, "pci 0000:01:00.0", Some(false)));
    assert_eq!(nvme.identity.to_string(), "Samsung SSD 970 EVO 500GB S5H7NS0N123456");
    assert_eq!(nvme.identity.wwn.as_deref(), Some("eui.0025385b01402d4e"));
    let vda = named(&drives, "vda");
    assert_eq!((vda.bus, vda.port.as_str(), vda.identity.serial.as_str()), (Bus::Virtio, "virtio1", "TARGET0"));
}

#[test]
fn users_are_found_through_partitions_and_layers() {
    let machine = Machine::bench();
    machine.hold("sda/sda2", "dm-0");
    put(
        &machine.roots.proc.join("self/mountinfo"),
        "25 1 8:1 / /mnt/a\\040b rw,noatime shared:1 - ext4 /dev/root rw\n26 1 0:40 /@ /srv rw - btrfs /dev/mapper/x rw\n",
    );
    let swap = tempfile::NamedTempFile::new().unwrap();
    let swaps = format!("Filename\tType\n/dev/sdb                partition\t1\n{} file 1\n", swap.path().display());
    put(&machine.roots.proc.join("swaps"), swaps);
    put(&machine.roots.dev.join("dm-0"), "");
    std::fs::create_dir_all(machine.roots.dev.join("mapper")).unwrap();
    symlink("../dm-0", machine.roots.dev.join("mapper/x")).unwrap();
    let drives = scan(&machine.roots);
    let usage = named(&drives, "sda").usage;
    let words: Vec<String> = usage.iter().map(ToString::to_string).collect();
    assert_eq!(words, ["sda2 is part of dm-0", "root is mounted at /mnt/a b", "dm-0 is mounted at /srv"]);
    assert_eq!(named(&drives, "sdb").usage, [Usage::Swap { device: "sdb".into() }]);
    assert!(named(&drives, "vda").usage.is_empty());
}

#[test]
fn a_mount_of_a_layer_above_a_layer_is_a_use() {
    let machine = Machine::bench();
    machine.hold("vda", "dm-0");
    machine.hold("dm-0", "loop0");
    put(&machine.roots.proc.join("self/mountinfo"), "25 1 7:0 / /mnt rw - ext4 none rw\n");
    let usage = named(&scan(&machine.roots), "vda").usage;
    assert!(usage.contains(&Usage::Mounted { device: "7:0".into(), at: "/mnt".into() }), "{usage:?}");
}

#[test]
fn mounts_that_only_others_see_and_file_systems_over_several_drives_are_uses() {
    let machine = Machine::bench();
    let process = |id: &str, space: &str| {
        std::fs::create_dir_all(machine.roots.proc.join(id).join("ns")).unwrap();
        symlink(space, machine.roots.proc.join(id).join("ns/mnt")).unwrap();
    };
    process("self", "mnt:[1]");
    process("7", "mnt:[1]");
    process("8", "mnt:[2]");
    put(&machine.roots.proc.join("7/mountinfo"), "gibberish, which nobody reads twice\n");
    put(&machine.roots.proc.join("8/mountinfo"), "25 1 8:1 / /inside rw - ext4 /dev/sda1 rw\n");
    put(&machine.roots.sys.join("fs/btrfs/5c1e/devices/vda/dev"), "254:0\n");
    let drives = scan(&machine.roots);
    let words = |name| named(&drives, name).usage.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(words("sda"), ["sda1 is mounted at /inside"]);
    assert_eq!(words("vda"), ["vda is part of btrfs 5c1e"]);
    assert_eq!(words("sdb"), Vec::<String>::new());
    put(&machine.roots.proc.join("8/mountinfo"), "gibberish\n");
    assert!(scan(&machine.roots).iter().all(|drive| matches!(drive.usage[..], [Usage::Unknown { .. }, ..])));
}

/// The first process of a namespace ends while it is looked at: another one has the same table.
#[test]
fn a_table_of_mounts_is_read_of_whoever_still_has_it() {
    let machine = Machine::bench();
    let process = |id: &str, space: &str| {
        std::fs::create_dir_all(machine.roots.proc.join(id).join("ns")).unwrap();
        symlink(space, machine.roots.proc.join(id).join("ns/mnt")).unwrap();
    };
    process("8", "mnt:[2]");
    let all_unknown =
        || scan(&machine.roots).iter().all(|drive| matches!(drive.usage[..], [Usage::Unknown { .. }, ..]));
    assert!(all_unknown(), "nobody could tell what 8 sees");
    process("9", "mnt:[2]");
    put(&machine.roots.proc.join("9/mountinfo"), "25 1 8:1 / /inside rw - ext4 /dev/sda1 rw\n");
    let words = |name| named(&scan(&machine.roots), name).usage.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(words("sda"), ["sda1 is mounted at /inside"]);
    // A thread may have a namespace of its own.
    process("9/task/4294967295", "mnt:[3]");
    put(&machine.roots.proc.join("9/task/4294967295/mountinfo"), "25 1 254:0 / /deep rw - ext4 /dev/vda rw\n");
    assert_eq!(words("vda"), ["vda is mounted at /deep"]);
    // A link that leads nowhere is not there to be read.
    put(&machine.roots.proc.join("10/ns/mnt"), "no link\n");
    assert!(all_unknown(), "what 10 sees could not be read");
}

#[test]
fn what_a_thread_has_open_and_what_a_loop_device_or_swap_space_may_be_over_is_use() {
    let machine = Machine::bench();
    let words = |name| named(&scan(&machine.roots), name).usage.iter().map(ToString::to_string).collect::<Vec<_>>();
    put(&machine.roots.proc.join("swaps"), "Filename\tType\n/gone\\040(deleted) file 1\n");
    assert_eq!(words("sda"), ["usage unknown: where the swap space /gone (deleted) lies could not be found out"]);
    std::fs::remove_file(machine.roots.proc.join("swaps")).unwrap();
    put(&machine.roots.sys.join("block/loop0/loop/backing_file"), "/dev/null\n");
    assert_eq!(words("sda"), ["usage unknown: what loop0 is over could not be found out"]);
    // Whoever is confined sees as far as it is let.
    machine.confine();
    assert_eq!(words("sda"), Vec::<String>::new());
}

#[test]
fn a_file_is_told_by_its_inode_whoever_has_it_open() {
    let machine = Machine::bench();
    let folder = tempfile::tempdir().unwrap();
    let (file, other, link) = (folder.path().join("file"), folder.path().join("other"), folder.path().join("link"));
    put(&file, [0; 4096]);
    put(&other, [0; 4096]);
    std::fs::hard_link(&file, &link).unwrap();
    let open = machine.roots.proc.join("77/fd");
    std::fs::create_dir_all(&open).unwrap();
    put(&machine.roots.proc.join("77/comm"), "reader\n");
    symlink(&link, open.join("3")).unwrap();
    let words = |path: &Path| {
        let drive = identify_path(&machine.roots, path).unwrap();
        drive.usage.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(words(&file), [format!("{} is open in process 77 (reader)", file.display())]);
    assert_eq!(words(&other), Vec::<String>::new());
    // Of a loop device that tells nothing, anything may be below it; but the kernel knows that nobody has this open, unless
    // this process itself has.
    put(&machine.roots.sys.join("block/loop0/loop/backing_file"), "/somewhere/else (deleted)\n");
    assert_eq!(words(&other), Vec::<String>::new());
    let held = std::fs::File::open(&other).unwrap();
    assert_eq!(words(&other), ["usage unknown: what loop0 is over could not be found out"]);
    drop(held);
}

#[test]
fn usage_that_cannot_be_read_is_use() {
    let machine = Machine::bench();
    std::fs::remove_file(machine.roots.proc.join("self/mountinfo")).unwrap();
    assert!(scan(&machine.roots).iter().all(|drive| matches!(drive.usage[..], [Usage::Unknown { .. }])));
    put(&machine.roots.proc.join("self/mountinfo"), "gibberish\n");
    assert!(scan(&machine.roots).iter().all(|drive| matches!(drive.usage[..], [Usage::Unknown { .. }])));
}

#[test]
fn sizes_in_doubt_are_errors_and_safety_bits_in_doubt_are_set() {
    let machine = Machine::bench();
    let block = machine.roots.sys.join("block");
    put(&block.join("vda/size"), "0\n");
    put(&block.join("sdb/size"), "99999999999999999999999\n");
    put(&block.join("sda/queue/logical_block_size"), "none\n");
    put(&block.join("nvme0n1/size"), u64::MAX.to_string());
    std::fs::remove_file(block.join("sda/removable")).unwrap();
    put(&block.join("sda/ro"), [0xff, 0xfe, b'\n']);
    let drives = scan(&machine.roots);
    for name in ["vda", "sdb", "nvme0n1"] {
        let drive = named(&drives, name);
        assert_eq!((drive.geometry, drive.identity.bytes), (Err(GeometryError::Empty), 0), "{name}");
    }
    let sda = named(&drives, "sda");
    assert_eq!(sda.geometry, Err(GeometryError::Logical(0)));
    assert!(sda.removable && sda.read_only);
}

#[test]
fn without_identify_data_inquiry_and_pages_speak() {
    let machine = Machine::bench();
    let device = machine.device(SATA);
    put(&device.join("vpd_pg89"), page_89(&[0; 512]));
    put(&device.join("vpd_pg80"), b"\0\x80\0\x08  ABC123");
    put(&device.join("wwid"), "t10.ATA     WDC WD5000AAKS-00A7B2\n");
    put(&device.join("vpd_pg83"), [0, 0x83, 0, 12, 1, 3, 0, 8, 0x50, 1, 2, 3, 4, 5, 6, 7]);
    let sda = named(&scan(&machine.roots), "sda");
    assert_eq!((sda.identity.model.as_str(), sda.identity.serial.as_str()), ("WDC WD5000AAKS-0", "ABC123"));
    assert_eq!((sda.identity.wwn.as_deref(), sda.firmware.as_deref()), (Some("naa.5001020304050607"), Some("1A01")));
    assert!(sda.ata.is_none() && sda.details == Details::default());
    put(&device.join("vpd_pgb1"), [0, 0xb1, 0, 0x3c, 0x1c, 0x20, 0, 2]);
    let details = named(&scan(&machine.roots), "sda").details;
    assert_eq!((details.rotation, details.form_factor), (Some(Rotation::Rpm(7200)), Some("3.5 inch")));
}

#[test]
fn hostile_attributes_stay_bounded_and_printable() {
    let machine = Machine::bench();
    let usb = machine.device("pci0000:00/0000:00:1d.7/usb1/1-4");
    put(&usb.join("serial"), "S".repeat(100_000));
    put(&machine.roots.sys.join("block/vda/serial"), [0xff; 30]);
    put(&machine.roots.sys.join("block/nvme0n1/wwid"), format!("eui.{}", "0".repeat(500)));
    let drives = scan(&machine.roots);
    assert_eq!(named(&drives, "sdb").identity.serial.len(), TEXT_MAX);
    assert_eq!(named(&drives, "vda").identity.serial, "?".repeat(30));
    assert_eq!(named(&drives, "nvme0n1").identity.wwn, None);
    // Nothing but the name.
    std::fs::create_dir(machine.roots.sys.join("block/sdz")).unwrap();
    let bare = named(&scan(&machine.roots), "sdz");
    assert!(!bare.identity.is_unique() && bare.geometry.is_err() && bare.removable && bare.read_only);
}

#[test]
fn parts_and_paths_of_drives_are_not_drives() {
    let machine = Machine::empty();
    machine.block("platform/mmc0/mmc0:0001", "mmcblk0", "179:0", 4096);
    machine.attributes("platform/mmc0/mmc0:0001", &[("name", "SD32G"), ("cid", "03534453")]);
    machine.block("platform/mmc0/mmc0:0001", "mmcblk0boot0", "179:8", 4096);
    put(&machine.block("nvme-fabrics/ctl", "nvme0c0n1", "259:1", 4096).join("hidden"), "1\n");
    machine.block("virtual/nvme-subsystem/nvme-subsys0", "nvme0n1", "259:0", 4096);
    let drives = scan(&machine.roots);
    let names: Vec<&str> = drives.iter().map(|drive| drive.name.as_str()).collect();
    assert_eq!(names, ["mmcblk0", "nvme0n1"]);
    assert_eq!((drives[0].bus, drives[0].port.as_str()), (Bus::Mmc, "mmc0"));
    assert_eq!(drives[0].identity.to_string(), "SD32G 03534453");
    assert!(scan(&Roots { sys: "/nonexistent".into(), ..Roots::default() }).is_empty());
}

#[test]
fn a_device_number_leads_to_a_whole_drive_only() {
    let machine = Machine::bench();
    let find = |major, minor| device_name(&machine.roots, major, minor, Path::new("/dev/x"));
    assert_eq!(find(8, 0).unwrap(), "sda");
    assert!(matches!(find(8, 1), Err(DiscoverError::Partition { drive, .. }) if drive == "sda"));
    assert!(matches!(find(1, 1), Err(DiscoverError::NotListed(_))));
}

#[test]
fn identity_is_read_anew() {
    let machine = Machine::bench();
    let vda = named(&scan(&machine.roots), "vda");
    assert_eq!(identity_again(&machine.roots, &vda).unwrap(), vda.identity);
    put(&machine.roots.sys.join("block/vda/serial"), "ANOTHER");
    assert_ne!(identity_again(&machine.roots, &vda).unwrap(), vda.identity);
    std::fs::remove_file(machine.roots.sys.join("block/vda")).unwrap();
    assert!(matches!(identity_again(&machine.roots, &vda), Err(DiscoverError::NotListed(_))));
}

#[test]
fn a_regular_file_is_a_drive_by_name() {
    let machine = Machine::bench();
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let file = tempfile::NamedTempFile::new_in(folder).unwrap();
    file.as_file().set_len(8192).unwrap();
    let drive = identify_path(&machine.roots, file.path()).unwrap();
    assert_eq!((drive.bus, drive.identity.model.as_str(), drive.identity.bytes), (Bus::File, "regular file", 8192));
    let whole = file.path().canonicalize().unwrap();
    assert!(whole.to_str().unwrap().ends_with(&drive.identity.serial) && drive.usage.is_empty());
    let claimed = LinuxDrive::open(file.path(), Access::ReadOnly).unwrap();
    assert_eq!(identity_of(&machine.roots, &claimed).unwrap(), drive.identity);
    assert_eq!(identity_again(&machine.roots, &drive).unwrap(), drive.identity);
    file.as_file().set_len(4096).unwrap();
    assert_ne!(identity_of(&machine.roots, &claimed).unwrap(), drive.identity);
    put(&machine.roots.sys.join("block/loop0/loop/backing_file"), [whole.as_os_str().as_bytes(), b"\n"].concat());
    machine.confine();
    let held = identify_path(&machine.roots, file.path()).unwrap().usage;
    assert!(matches!(&held[..], [Usage::Holder { by, .. }] if by == "loop0"));
    std::fs::rename(file.path(), file.path().with_extension("moved")).unwrap();
    assert!(matches!(identity_of(&machine.roots, &claimed), Err(DiscoverError::Missing(_))));
    std::fs::remove_file(file.path().with_extension("moved")).unwrap();
}

#[test]
fn what_is_no_drive_is_refused() {
    let roots = Roots::default();
    assert!(matches!(identify_path(&roots, Path::new("/dev/null")), Err(DiscoverError::NotADrive(_))));
    assert!(matches!(identify_path(&roots, Path::new("/nonexistent")), Err(DiscoverError::Missing(_))));
}
