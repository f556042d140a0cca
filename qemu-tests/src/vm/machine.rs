//! What a VM is made of, and the QEMU command line that says so.

use super::drive::{Bus, Drive, Fault};
use crate::stick::Stick;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Ports of the chip set's own AHCI controller, and of the add-in card's.
const AHCI_PORTS: usize = 6;

/// A bench PC.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    memory_mib: u32,
    cpus: u32,
    sticks: Vec<Stick>,
    stick_write_log: Option<PathBuf>,
    drives: Vec<Drive>,
    /// Sockets of drive hosts, each of which is a SCSI controller with its drives.
    drive_hosts: Vec<PathBuf>,
    direct: Option<Direct>,
    /// QEMU's name of the board.
    board: &'static str,
}

/// A kernel that QEMU starts itself, without a boot medium.
#[derive(Debug, Clone)]
pub(crate) struct Direct {
    pub(crate) kernel: PathBuf,
    pub(crate) initramfs: PathBuf,
    pub(crate) command_line: String,
}

impl Machine {
    /// The reference machine: two Core 2 cores, 256 MiB, started from this stick by the BIOS.
    pub(crate) fn new(stick: &Stick) -> Self {
        Self { sticks: vec![stick.clone()], ..Self::bare() }
    }

    /// The same machine without a stick.
    pub(crate) fn direct(direct: Direct) -> Self {
        Self { direct: Some(direct), ..Self::bare() }
    }

    fn bare() -> Self {
        Self {
            memory_mib: 256,
            cpus: 2,
            sticks: Vec::new(),
            stick_write_log: None,
            drives: Vec::new(),
            drive_hosts: Vec::new(),
            direct: None,
            board: "q35",
        }
    }

    /// A board that can be suspended and then still be switched off: the firmware of the other leaves its power management
    /// without an address after it woke up. It has no AHCI ports.
    pub(crate) fn sleeps(mut self) -> Self {
        self.board = "pc";
        self
    }

    /// One more SCSI controller, whose drives are served by a `drive-host` that listens on this socket.
    pub(crate) fn drive_host(mut self, socket: &Path) -> Self {
        self.drive_hosts.push(socket.to_owned());
        self
    }

    pub(crate) fn memory(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// One more stick, which the BIOS does not start from.
    pub(crate) fn also_stick(mut self, stick: &Stick) -> Self {
        self.sticks.push(stick.clone());
        self
    }

    /// Records every write to the boot stick in this file (see `write_log`).
    pub(crate) fn stick_write_log(mut self, path: PathBuf) -> Self {
        self.stick_write_log = Some(path);
        self
    }

    pub(crate) fn drive(mut self, drive: Drive) -> Self {
        self.drives.push(drive);
        self
    }

    pub(crate) fn drives(mut self, drives: impl IntoIterator<Item = Drive>) -> Self {
        self.drives.extend(drives);
        self
    }

    /// Everything after the name of the program. The console is on the standard streams, control on a socket.
    pub(crate) fn arguments(&self, accelerator: &str, control: &Path) -> Vec<String> {
        let mut args: Vec<String> = [
            "-nodefaults",
            "-no-user-config",
            "-no-reboot",
            "-machine",
            self.board,
            "-accel",
            &with_one_thread(accelerator),
            "-cpu",
            "core2duo",
            "-smp",
            &self.cpus.to_string(),
            "-m",
            &self.memory_mib.to_string(),
            "-rtc",
            "base=utc",
            "-display",
            "none",
            "-vga",
            "std",
            "-chardev",
            "stdio,id=console,signal=off",
            "-serial",
            "chardev:console",
            "-qmp",
            &format!("unix:{},server=on,wait=off", control.display()),
            "-device",
            "ich9-usb-ehci1,id=usb",
        ]
        .map(str::to_owned)
        .into();
        args.extend(self.controllers());
        args.extend(self.served());
        args.extend(self.direct.iter().flat_map(|direct| {
            let path = |path: &Path| path.display().to_string();
            let (kernel, initramfs) = (path(&direct.kernel), path(&direct.initramfs));
            ["-kernel".into(), kernel, "-initrd".into(), initramfs, "-append".into(), direct.command_line.clone()]
        }));
        for (number, stick) in self.sticks.iter().enumerate() {
            let log = self.stick_write_log.as_ref().filter(|_| number == 0);
            args.extend(stick_arguments(stick, number, log));
        }
        let mut port = 0;
        for (number, drive) in self.drives.iter().enumerate() {
            args.extend(chain(drive, number));
            args.extend(["-device".to_owned(), device(drive, number, &mut port)]);
        }
        args
    }

    /// Controllers of drive hosts, which need the guest's memory to be shared with them.
    fn served(&self) -> Vec<String> {
        if self.drive_hosts.is_empty() {
            return Vec::new();
        }
        let memory = format!("memory-backend-memfd,id=shared,size={}M,share=on", self.memory_mib);
        let mut args: Vec<String> = ["-object", &memory, "-machine", "memory-backend=shared"].map(str::to_owned).into();
        for (number, socket) in self.drive_hosts.iter().enumerate() {
            let chardev = format!("socket,id=host{number},path={}", socket.display());
            // The queue reset of virtio 1.2 would be a feature that the drive host has to know.
            let device = format!("vhost-user-scsi-pci,chardev=host{number},num_queues={},queue_reset=off", self.cpus);
            args.extend(["-chardev".to_owned(), chardev, "-device".to_owned(), device]);
        }
        args
    }

    /// Add-in controllers, only where a drive needs one.
    fn controllers(&self) -> Vec<String> {
        let count = |wanted: fn(&Bus) -> bool| self.drives.iter().filter(|drive| wanted(&drive.bus)).count();
        let mut devices = Vec::new();
        if count(|bus| *bus == Bus::Ahci) > AHCI_PORTS {
            devices.push("ich9-ahci,id=ahci1");
        }
        if count(|bus| matches!(bus, Bus::Scsi { .. })) > 0 {
            devices.push("virtio-scsi-pci,id=scsi");
        }
        devices.into_iter().flat_map(|device| ["-device".to_owned(), device.to_owned()]).collect()
    }
}

/// QEMU 7.2 with a thread for each processor may run code that another one has just patched, which no real machine does:
/// Linux patches itself at boot and now and then died of it. One thread takes the processors in turn.
fn with_one_thread(accelerator: &str) -> String {
    match accelerator {
        "tcg" => "tcg,thread=single".to_owned(),
        other => other.to_owned(),
    }
}

fn stick_arguments(stick: &Stick, number: usize, log: Option<&PathBuf>) -> Vec<String> {
    let boot = if number == 0 { ",bootindex=1" } else { "" };
    let name = format!("stick{number}");
    let mut node = json!({"driver": "raw", "file": {"driver": "file", "filename": stick.path}});
    if let Some(log) = log {
        node = recorded(node, log);
    }
    node["node-name"] = Value::from(name.as_str());
    let device = format!("usb-storage,bus=usb.0,id=dev-{name},drive={name},serial={},removable=on{boot}", stick.serial);
    vec!["-blockdev".into(), node.to_string(), "-device".into(), device]
}

/// The block nodes of a drive, from the file upwards: faults, then the record of writes, then the brake.
fn chain(drive: &Drive, number: usize) -> Vec<String> {
    let top = format!("drive{number}");
    let mut node = json!({
        "driver": "raw", "read-only": drive.read_only,
        "file": {"driver": "file", "filename": drive.path, "read-only": drive.read_only},
    });
    if drive.discards {
        (node["discard"], node["file"]["discard"]) = ("unmap".into(), "unmap".into());
    }
    let mut args = Vec::new();
    if !drive.faults.is_empty() {
        let rules: Vec<Value> = drive.faults.iter().map(fault_rule).collect();
        node = json!({"driver": "blkdebug", "image": node, "inject-error": rules});
    }
    if let Some(log) = &drive.write_log {
        node = recorded(node, log);
    }
    if let Some(limit) = drive.bytes_per_second {
        args.extend(["-object".into(), format!("throttle-group,id=brake{number},x-bps-total={limit}")]);
        node = json!({"driver": "throttle", "throttle-group": format!("brake{number}"), "file": node});
    }
    node["node-name"] = Value::from(top);
    args.extend(["-blockdev".into(), node.to_string()]);
    args
}

/// The superblock follows every entry: a QEMU that is killed must not leave entries nobody counts.
fn recorded(node: Value, log: &Path) -> Value {
    json!({
        "driver": "blklogwrites", "file": node, "log": {"driver": "file", "filename": log},
        "log-sector-size": 512, "log-super-update-interval": 1,
    })
}

/// `none` is the event of every request, whichever way it came; 5 is EIO.
fn fault_rule(fault: &Fault) -> Value {
    let (direction, sector) = match fault {
        Fault::Write(sector) => ("write", sector),
        Fault::Read(sector) => ("read", sector),
    };
    json!({"event": "none", "iotype": direction, "sector": sector, "errno": 5, "once": false})
}

fn device(drive: &Drive, number: usize, port: &mut usize) -> String {
    let common = format!("id={},drive=drive{number},serial={}", device_id(&drive.serial), drive.serial);
    match drive.bus {
        Bus::Ahci => {
            let bus = if *port < AHCI_PORTS { format!("ide.{port}") } else { format!("ahci1.{}", *port - AHCI_PORTS) };
            *port += 1;
            format!("ide-hd,bus={bus},{common}")
        }
        Bus::Scsi { logical, physical } => {
            let sizes = format!("logical_block_size={logical},physical_block_size={physical}");
            format!("scsi-hd,bus=scsi.0,scsi-id={number},{common},{sizes}")
        }
        Bus::Usb { removable } => {
            format!("usb-storage,bus=usb.0,{common},removable={}", if removable { "on" } else { "off" })
        }
        Bus::Nvme => format!("nvme,{common}"),
    }
}

/// What QEMU calls the device of the drive with this serial number.
pub(crate) fn device_id(serial: &str) -> String {
    format!("dev-{serial}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stick(serial: &str) -> Stick {
        Stick { path: PathBuf::from(format!("/x/{serial}.img")), serial: serial.into() }
    }

    fn line(machine: &Machine) -> String {
        machine.arguments("tcg", Path::new("/x/qmp")).join(" ")
    }

    fn drive(serial: &str, bus: Bus) -> Drive {
        Drive::new(Path::new("/x/d.img"), serial, bus)
    }

    #[test]
    fn the_bios_starts_from_the_first_stick_only() {
        let line = line(&Machine::new(&stick("A")).also_stick(&stick("B")));
        assert!(line.contains("q35 -accel tcg,thread=single -cpu core2duo") && line.contains("-m 256"), "{line}");
        assert!(line.contains("serial=A,removable=on,bootindex=1") && line.contains("serial=B,removable=on"));
        assert_eq!(line.matches("bootindex").count(), 1);
    }

    #[test]
    fn the_seventh_ahci_disk_goes_to_the_second_controller() {
        let machine = Machine::new(&stick("A"));
        let six = machine.clone().drives((0..6).map(|n| drive(&format!("D{n}"), Bus::Ahci)));
        assert!(!line(&six).contains("ahci1") && line(&six).contains("bus=ide.5,id=dev-D5"));
        let eleven = line(&machine.drives((0..11).map(|n| drive(&format!("D{n}"), Bus::Ahci))));
        assert!(eleven.contains("ich9-ahci,id=ahci1") && eleven.contains("bus=ahci1.4,id=dev-D10"), "{eleven}");
    }

    #[test]
    fn faults_record_and_brake_lie_between_file_and_device() {
        let slow = drive("D", Bus::Ahci).slowed(5).fault(Fault::Write(9)).write_log("/x/log".into());
        let args = chain(&slow, 3);
        assert_eq!(args[1], "throttle-group,id=brake3,x-bps-total=5");
        let node: Value = serde_json::from_str(&args[3]).unwrap();
        assert_eq!(node["node-name"], "drive3");
        let order: Vec<_> = [&node, &node["file"], &node["file"]["file"], &node["file"]["file"]["image"]]
            .map(|node| node["driver"].as_str().unwrap().to_owned())
            .into();
        assert_eq!(order, ["throttle", "blklogwrites", "blkdebug", "raw"]);
        assert_eq!(node["file"]["file"]["inject-error"][0]["sector"], 9);
    }

    #[test]
    fn a_drive_host_shares_the_memory_and_only_then() {
        let plain = line(&Machine::new(&stick("A")));
        assert!(!plain.contains("memory-backend") && !plain.contains("vhost"), "{plain}");
        let two = line(&Machine::new(&stick("A")).drive_host(Path::new("/x/1")).drive_host(Path::new("/x/2")));
        assert!(two.contains("memfd,id=shared,size=256M,share=on -machine memory-backend=shared"), "{two}");
        assert!(two.contains("id=host1,path=/x/2 -device vhost-user-scsi-pci,chardev=host1,num_queues=2"), "{two}");
        assert_eq!(two.matches("memory-backend=shared").count(), 1);
    }

    #[test]
    fn a_kernel_without_a_stick_gets_its_command_line_as_one_word() {
        let direct =
            Direct { kernel: "/x/k".into(), initramfs: "/x/i".into(), command_line: "console=ttyS0 quiet".into() };
        let args = Machine::direct(direct).arguments("tcg", Path::new("/x/qmp"));
        assert!(args.windows(2).any(|pair| pair == ["-append", "console=ttyS0 quiet"]), "{args:?}");
        assert!(args.iter().all(|arg| !arg.contains("usb-storage")));
    }

    #[test]
    fn block_sizes_and_removability_reach_the_device() {
        let scsi = drive("S", Bus::Scsi { logical: 4096, physical: 4096 });
        let usb = drive("U", Bus::Usb { removable: false });
        let line = line(&Machine::new(&stick("A")).drive(scsi.read_only()).drive(usb).drive(drive("N", Bus::Nvme)));
        assert!(line.contains("virtio-scsi-pci,id=scsi") && line.contains("logical_block_size=4096"), "{line}");
        assert!(line.contains("\"read-only\":true") && line.contains("serial=U,removable=off"));
        assert!(line.contains("nvme,id=dev-N,drive=drive2,serial=N"));
    }
}
