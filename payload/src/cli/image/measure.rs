//! An image to nowhere: how fast this machine reads and compresses a drive. Nothing is kept, so nothing is certified.

use super::super::{Exit, host};
use crate::{
    certify::key::StickKey,
    console::format,
    discover::{Drive, Roots},
    drive::Access,
    job::copy::{
        image::{Order, image},
        take::Eyes,
    },
    random, say,
};
use serde_json::json;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// Reads and compresses the drive, and says how fast.
pub(super) fn measure(drive: &Drive, order: &Order, as_json: bool) -> Result<Exit, String> {
    let mut plane = host::claimed(&Roots::default(), &drive.path, Access::ReadOnly)?;
    let key = StickKey::from_seed(&random::bytes().map_err(|error| error.to_string())?);
    let packed = AtomicU64::new(0);
    let eyes = Eyes {
        stop: &|| false,
        advanced: &|_| {},
        map: &|_| {},
        stored: &|_, file| packed.store(file, Ordering::Relaxed),
        said: &|_| {},
    };
    let begin = Instant::now();
    let imaged = image(&mut plane, drive, order, &key, None, eyes, &|_| {}).map_err(|error| error.to_string())?;
    let (seconds, bytes) = (begin.elapsed().as_secs_f64(), drive.identity.bytes);
    let (taken, packed) = (&imaged.taken, packed.into_inner());
    if as_json {
        say::json(
            &json!({ "kept": false, "bytes": bytes, "bytes_read": taken.bytes_read, "bytes_free": taken.bytes_free,
                    "bytes_unreadable": taken.unreadable.bytes(), "bytes_packed": packed, "seconds": seconds }),
        );
    } else {
        let read = format::size(taken.bytes_read);
        say!("nothing was kept: {read} read, {} free, {} packed", format::size(taken.bytes_free), format::size(packed));
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a speed"
        )]
        let speed = (bytes as f64 / seconds.max(0.001)) as u64;
        say!("{seconds:.1} s, {}/s of the drive", format::size(speed));
    }
    Ok(Exit::Good)
}
