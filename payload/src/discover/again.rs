//! A drive whose capacity has changed: the kernel forgets it and finds it again. Reading its capacity anew is not enough
//! where the kernel keeps the limits itself (libata does: `drivers/ata/libata-core.c`, `ata_dev_revalidate`).

use super::{DiscoverError, Drive, Roots, scan};
use std::{
    fs, io,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// How long a drive may take to be found again; it may have to spin up.
const PATIENCE: Duration = Duration::from_secs(60);

/// The drive as it is found after it was forgotten, under whatever name. Nobody may have it open.
pub fn probe_again(roots: &Roots, drive: &Drive, sectors: u64) -> Result<Drive, DiscoverError> {
    let place = roots.sys.join("block").join(&drive.name);
    let failed = |path: PathBuf| move |source: io::Error| DiscoverError::Io { path, source };
    let device = place.join("device").canonicalize().map_err(failed(place.clone()))?;
    // A SCSI device is called host:channel:target:lun.
    let host = device.file_name().and_then(|name| name.to_string_lossy().split(':').next().map(str::to_owned));
    let host = host.unwrap_or_default();
    let delete = device.join("delete");
    fs::write(&delete, "1").map_err(failed(delete.clone()))?;
    let scanner = roots.sys.join("class/scsi_host").join(format!("host{host}")).join("scan");
    fs::write(&scanner, "- - -").map_err(failed(scanner.clone()))?;
    let begin = Instant::now();
    loop {
        if let Some(found) = scan(roots).into_iter().find(|found| is_it(found, drive, sectors)) {
            let mut found = found;
            super::ask(&mut found);
            return Ok(found);
        }
        if begin.elapsed() > PATIENCE {
            return Err(DiscoverError::NotListed(drive.path.clone()));
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Whether it is that drive, with its new capacity. The kernel may list a drive before it has read its size.
fn is_it(found: &Drive, drive: &Drive, sectors: u64) -> bool {
    let (old, new) = (&drive.identity, &found.identity);
    old.model == new.model
        && old.serial == new.serial
        && old.wwn == new.wwn
        && found.geometry.is_ok_and(|geometry| geometry.blocks() == sectors)
}
