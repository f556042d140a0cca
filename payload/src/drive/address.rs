//! Where the system has a drive: the number of its logical unit, the areas beside it. The system learnt that when the device
//! was attached; it says how a command travels, not what the device holds.

use std::{fs, path::Path};

/// Unit of the `size` attribute of a block device.
const SECTOR: u64 = 512;
/// Unit of RPMB_SIZE_MULT (JESD84-B51, 7.4.89).
const RPMB_UNIT: u64 = 128 << 10;

/// An area of an eMMC beside the one that is addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// `boot0`, `rpmb`, `gp1`, …; `user` for the one with the user's data.
    pub name: String,
    /// Its size, where the system says it.
    pub bytes: Option<u64>,
}

/// Which part of a device a drive is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// Of a SCSI device: the number of the logical unit.
    pub lun: Option<u64>,
    /// All that the system found of the same device, this one among them.
    pub luns: Vec<u64>,
    /// Of an eMMC: the name of the area; blank elsewhere.
    pub area: String,
    /// Of an eMMC or SD card: the areas beside it; `None` where that is not known.
    pub areas: Option<Vec<Area>>,
}

impl Address {
    /// From a block device's folder in sysfs.
    pub(super) fn read(folder: &Path) -> Self {
        let Ok(folder) = folder.canonicalize() else { return Self::default() };
        let mut address = Self::default();
        address.read_luns(&folder);
        address.read_areas(&folder);
        address
    }

    /// A SCSI device is called host:channel:target:lun, and its folder lies in that of its target.
    fn read_luns(&mut self, folder: &Path) {
        let Ok(device) = folder.join("device").canonicalize() else { return };
        self.lun = device.file_name().and_then(|name| lun(&name.to_string_lossy()));
        if self.lun.is_some() {
            let beside = device.parent().map(names).unwrap_or_default();
            self.luns = beside.iter().filter_map(|name| lun(name)).collect();
            self.luns.sort_unstable();
        }
    }

    /// The areas of an eMMC are block devices below the one with the user's data (`drivers/mmc/core/block.c`); its
    /// replay-protected one is a character device beside it.
    fn read_areas(&mut self, folder: &Path) {
        let name =
            |folder: &Path| folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let own = name(folder);
        if !own.starts_with("mmcblk") {
            return;
        }
        let above = folder.parent().filter(|above| name(above).starts_with("mmcblk"));
        let (user, called) = match above {
            Some(user) => (user, own.strip_prefix(&name(user)).unwrap_or(&own).to_owned()),
            None => (folder, "user".to_owned()),
        };
        let of_user = name(user);
        let mut areas = Vec::new();
        if above.is_some() {
            areas.push(Area { name: "user".into(), bytes: size(user) });
        }
        for entry in names(user) {
            let part =
                entry.strip_prefix(&of_user).filter(|part| ["boot", "gp", "rpmb"].iter().any(|p| part.starts_with(p)));
            let Some(part) = part.filter(|part| *part != called) else { continue };
            areas.push(Area { name: part.to_owned(), bytes: size(&user.join(&entry)) });
        }
        let protected = number(&user.join("device/raw_rpmb_size_mult")).filter(|units| *units > 0);
        if let (Some(units), false) = (protected, areas.iter().any(|area| area.name.starts_with("rpmb"))) {
            areas.push(Area { name: "rpmb".into(), bytes: units.checked_mul(RPMB_UNIT) });
        }
        (self.area, self.areas) = (called, Some(areas));
    }
}

fn lun(name: &str) -> Option<u64> {
    let mut parts = name.split(':');
    let lun = parts.nth(3)?.parse().ok()?;
    parts.next().is_none().then_some(lun)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn size(folder: &Path) -> Option<u64> {
    number(&folder.join("size"))?.checked_mul(SECTOR)
}

/// A decimal number, or a hexadecimal one with its mark.
fn number(path: &Path) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    match text.trim().strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.trim().parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn put(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// As Linux shows an eMMC with two boot areas, one general-purpose area and a replay-protected one.
    #[test]
    fn the_areas_of_an_emmc_are_found_from_any_of_them() {
        let root = tempfile::tempdir().unwrap();
        let card = root.path().join("mmc0:0001");
        let user = card.join("block/mmcblk0");
        put(&card.join("raw_rpmb_size_mult"), "0x20\n");
        put(&user.join("size"), "30535680\n");
        fs::create_dir_all(user.join("mmcblk0p1")).unwrap();
        for (area, sectors) in [("boot0", "8192"), ("boot1", "8192"), ("gp0", "2048")] {
            put(&user.join(format!("mmcblk0{area}/size")), sectors);
        }
        symlink(&card, user.join("device")).unwrap();
        let area = |name: &str, mib: u64| Area { name: name.into(), bytes: Some(mib << 20) };
        let found = Address::read(&user);
        assert_eq!((found.area.as_str(), found.lun), ("user", None));
        assert_eq!(found.areas.unwrap(), [area("boot0", 4), area("boot1", 4), area("gp0", 1), area("rpmb", 4)]);
        let found = Address::read(&user.join("mmcblk0gp0"));
        let names: Vec<_> = found.areas.unwrap().into_iter().map(|area| area.name).collect();
        assert_eq!(
            (found.area.as_str(), names),
            ("gp0", ["user", "boot0", "boot1", "rpmb"].map(String::from).to_vec())
        );
    }

    #[test]
    fn a_card_reader_has_several_logical_units_and_a_disk_one() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("target6:0:0");
        for lun in ["6:0:0:0", "6:0:0:1"] {
            let block = target.join(lun).join("block").join(format!("sd{}", &lun[6..]));
            fs::create_dir_all(&block).unwrap();
            symlink(target.join(lun), block.join("device")).unwrap();
        }
        fs::create_dir_all(target.join("power")).unwrap();
        let found = Address::read(&target.join("6:0:0:1/block/sd1"));
        assert_eq!((found.lun, found.luns, found.areas), (Some(1), vec![0, 1], None));
        assert_eq!(Address::read(&root.path().join("none")), Address::default());
    }
}
