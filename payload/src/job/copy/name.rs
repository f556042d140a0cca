//! What images are called.

use crate::{drive::Identity, job::record::time, jobfile::IMAGE_SUFFIX};

/// `MODEL-SERIAL-TIME.img.zst` behind a prefix, safe on every file system a store may have.
pub fn new(prefix: &str, id: &Identity, now: u64) -> String {
    let time: String = time(Some(now)).chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{prefix}{}{time}{IMAGE_SUFFIX}", stem(id))
}

/// What the names of all images of a drive have in common.
pub(super) fn stem(id: &Identity) -> String {
    let safe = |text: &str| -> String {
        let kept = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        text.trim().chars().map(kept).take(40).collect()
    };
    format!("{}-{}-", safe(&id.model), safe(&id.serial))
}
