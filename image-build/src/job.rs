//! Puts another job file on an image that already exists.

use crate::{sources, timestamp::Timestamp, volume};
use anyhow::{Context, Result, ensure};
use mule_types::stick;
use std::{fs::File, io::Read, path::Path};

/// Replaces `mule.toml` on the image; nothing else changes. Refuses a file that is no image of Mule.
pub fn set(image: &Path, job: &Path, date: Timestamp) -> Result<()> {
    let content = sources::read(job)?;
    let mut start = [0; 1024];
    File::open(image)
        .and_then(|mut file| file.read_exact(&mut start))
        .with_context(|| format!("reading the image {}", image.display()))?;
    ensure!(stick::IdSector::decode(&start[512..]).is_some(), "{} is no image of Mule", image.display());
    let volume = volume::mount(image, date)?;
    volume::write_file(&volume.root_dir(), stick::JOB_FILE, &content)?;
    volume::finish(volume)
}
