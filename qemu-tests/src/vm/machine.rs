//! What a VM is made of, and the QEMU command line that says so.

use super::{
    devices::{AHCI_PORTS, chain, device, stick_arguments},
    direct::Direct,
    drive::{Bus, Drive},
};
use crate::stick::Stick;
use anyhow::Result;
use std::path::{Path, PathBuf};

/// A bench PC, in full or in short.
///
/// In full the BIOS starts SYSLINUX from the stick, and there are two processors, as in the PCs the stick is for. What both
/// cost is a good part of a short test: the boot loader reads kernel and initramfs through the BIOS' slow USB driver, and
/// the emulator runs both processors on one thread, so the second only adds work. Most tests are about neither. They get
/// the machine in short: one processor, and QEMU hands over what the boot loader would have loaded from that very stick
/// (see `Direct`). The start itself, the screen, memory, many drives, sticks that look alike or are damaged where the BIOS
/// looks, sleep, and a sample of the rest are tested in full (`in_full`).
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    memory_mib: u32,
    cpus: u32,
    sticks: Vec<Stick>,
    stick_write_log: Option<PathBuf>,
    drives: Vec<Drive>,
    /// Sockets of drive hosts, each of which is a SCSI controller with its drives.
    drive_hosts: Vec<PathBuf>,
    start: Start,
    /// QEMU's name of the board.
    board: &'static str,
}

/// How the machine starts.
#[derive(Debug, Clone)]
enum Start {
    /// By the BIOS, from the first stick.
    Bios,
    /// With what the first stick's boot loader would load.
    FromStick,
    /// With this kernel, and without a stick.
    Kernel(Direct),
}

impl Machine {
    /// A Core 2 with 256 MiB and this stick, in short.
    pub(crate) fn new(stick: &Stick) -> Self {
        Self { sticks: vec![stick.clone()], ..Self::bare(Start::FromStick, 1) }
    }

    /// The BIOS starts from the stick, and there is a second processor.
    pub(crate) fn in_full(self) -> Self {
        Self { start: Start::Bios, cpus: 2, ..self }
    }

    /// A machine with two processors and without a stick.
    pub(crate) fn direct(direct: Direct) -> Self {
        Self::bare(Start::Kernel(direct), 2)
    }

    fn bare(start: Start, cpus: u32) -> Self {
        Self {
            memory_mib: 256,
            cpus,
            sticks: Vec::new(),
            stick_write_log: None,
            drives: Vec::new(),
            drive_hosts: Vec::new(),
            start,
            board: "q35",
        }
    }

    /// The kernel that QEMU is to start, if it is to start one; a stick's is copied to `folder`.
    pub(crate) fn kernel(&self, folder: &Path) -> Result<Option<Direct>> {
        match (&self.start, self.sticks.first()) {
            (Start::FromStick, Some(stick)) => Direct::of_stick(stick, folder).map(Some),
            (Start::Kernel(direct), _) => Ok(Some(direct.clone())),
            (Start::Bios | Start::FromStick, _) => Ok(None),
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

    /// Everything after the name of the program. The console is on the standard streams, control on a socket; `kernel` is
    /// what `kernel` said.
    pub(crate) fn arguments(&self, accelerator: &str, control: &Path, kernel: Option<&Direct>) -> Vec<String> {
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
        args.extend(kernel.iter().flat_map(|kernel| kernel.arguments()));
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
            // The queue reset of virtio 1.2 would be a feature that the drive host has to know. Event indices need memory
            // barriers between the guest and another process, and QEMU before 8.1 drops the guest's as long as all
            // processors share a thread: now and then both sides waited for each other for ever.
            let off = "queue_reset=off,event_idx=off";
            let device = format!("vhost-user-scsi-pci,chardev=host{number},num_queues={},{off}", self.cpus);
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
        if count(|bus| matches!(bus, Bus::Scsi { .. } | Bus::LogicalUnit(_))) > 0 {
            devices.push("virtio-scsi-pci,id=scsi");
        }
        let parts = self.drives.iter().find(|drive| matches!(drive.bus, Bus::Namespace { id: 1, .. }));
        let controller = |first: &Drive| format!("nvme,id=parts,subsys=subsystem,serial={}", first.serial);
        let parts = parts.map(|first| ["nvme-subsys,id=subsystem".to_owned(), controller(first)]);
        let devices = devices.into_iter().map(str::to_owned).chain(parts.into_iter().flatten());
        devices.flat_map(|device| ["-device".to_owned(), device]).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn stick(serial: &str) -> Stick {
        Stick { path: PathBuf::from(format!("/x/{serial}.img")), serial: serial.into() }
    }

    fn line(machine: &Machine) -> String {
        machine.arguments("tcg", Path::new("/x/qmp"), None).join(" ")
    }

    fn drive(serial: &str, bus: Bus) -> Drive {
        Drive::new(Path::new("/x/d.img"), serial, bus)
    }

    #[test]
    fn the_bios_starts_from_the_first_stick_only() {
        let line = line(&Machine::new(&stick("A")).also_stick(&stick("B")).in_full());
        assert!(line.contains("q35 -accel tcg,thread=single -cpu core2duo") && line.contains("-m 256"), "{line}");
        assert!(line.contains("serial=A,removable=on,bootindex=1") && line.contains("serial=B,removable=on"));
        assert_eq!(line.matches("bootindex").count(), 1);
        assert!(line.contains("-smp 2 "));
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
    fn a_drive_host_shares_the_memory_and_only_then() {
        let plain = line(&Machine::new(&stick("A")));
        assert!(!plain.contains("memory-backend") && !plain.contains("vhost"), "{plain}");
        let two = line(&Machine::new(&stick("A")).drive_host(Path::new("/x/1")).drive_host(Path::new("/x/2")));
        assert!(two.contains("memfd,id=shared,size=256M,share=on -machine memory-backend=shared"), "{two}");
        assert!(two.contains("id=host1,path=/x/2 -device vhost-user-scsi-pci,chardev=host1,num_queues=1,queue_reset=off,event_idx=off"), "{two}");
        assert_eq!(two.matches("memory-backend=shared").count(), 1);
    }

    #[test]
    fn a_kernel_without_a_stick_gets_its_command_line_as_one_word() {
        let direct =
            Direct { kernel: "/x/k".into(), initramfs: "/x/i".into(), command_line: "console=ttyS0 quiet".into() };
        let machine = Machine::direct(direct);
        let kernel = machine.kernel(Path::new("/x")).unwrap();
        let args = machine.arguments("tcg", Path::new("/x/qmp"), kernel.as_ref());
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
