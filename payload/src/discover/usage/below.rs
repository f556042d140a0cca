//! Who uses a drive from below: a loop device is a second way to a file or a device that others use, too.

use super::{
    super::{Roots, sysfs},
    Usage, Users,
    open::What,
    tables::{Number, number},
};

impl Users {
    /// Every user of the drive `name`; of a loop device also of what it is over, down to the last: what is written to the one
    /// reaches the other.
    pub(in super::super) fn of(&self, roots: &Roots, name: &str) -> Vec<Usage> {
        let (mut found, mut name, mut above) = (Vec::new(), name.to_owned(), None);
        // No loop device is over itself, by whatever way.
        for _ in 0..=self.loops.len() {
            self.add_device(roots, &name, above.as_deref(), &mut found);
            let Some(one) = self.loops.iter().find(|one| one.name == name) else { break };
            match (one.device.map(|device| parts(roots, device)), one.file) {
                (Some(Some((drive, part))), _) => {
                    if let Some(drive) = drive {
                        self.add_whole(roots, &drive, &mut found);
                    }
                    above = Some(std::mem::replace(&mut name, part));
                }
                (None, Some(file)) => {
                    let path = sysfs::text(&roots.sys.join("block").join(&name).join("loop/backing_file"));
                    let path = path.unwrap_or_else(|| format!("the file of {name}"));
                    self.add_file(roots, file, &path, Some(&name), &mut found);
                    break;
                }
                (Some(None), _) | (None, None) => {
                    found.push(one.unknown());
                    break;
                }
            }
        }
        found
    }

    /// Users of a whole drive of which but a part is asked about: its other parts do not matter.
    fn add_whole(&self, roots: &Roots, name: &str, found: &mut Vec<Usage>) {
        let number = sysfs::text(&roots.sys.join("block").join(name).join("dev")).and_then(|text| number(&text));
        let numbers = number.into_iter().collect();
        self.add_loops(name, None, |one| one.device.is_some_and(|device| Some(device) == number), found);
        self.add_openers(roots, name, What::Devices(&numbers), found);
    }
}

/// A device's name; of a partition also its drive's.
fn parts(roots: &Roots, (major, minor): Number) -> Option<(Option<String>, String)> {
    let place = roots.sys.join(format!("dev/block/{major}:{minor}")).canonicalize().ok()?;
    let name = |place: &std::path::Path| Some(place.file_name()?.to_str()?.to_owned());
    let drive = if place.join("partition").exists() { Some(name(place.parent()?)?) } else { None };
    Some((drive, name(&place)?))
}
