//! `mule image export`: an image in formats of virtual machines.

use super::{Exit, Progress};
use crate::{
    blocks::ReadAt,
    export::{self, Format},
    imagefile::Manifest,
    job::{copy::image::open_chain, issue::hex},
};
use std::{ops::ControlFlow, path::PathBuf};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule image export customer.img.zst customer.qcow2 --format qcow2     for QEMU, Proxmox, GNOME Boxes
  mule image export customer.img.zst customer.raw --format raw         a sparse file; losetup -P mounts its partitions

Every frame is proved by its hash while it is read. The export has its name only when it is whole; until then its name
begins with OUT.part-, and what a run that was cut short left is removed by the next one.
Exit codes: 0 exported; 2 not done: damaged frames are named.")]
pub(super) struct Export {
    /// The image, NAME.img.zst
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// The file to be made
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// raw, qcow2, or qcow2-zstd (smaller; QEMU 5.1 and later)
    #[arg(long, value_name = "FORMAT")]
    format: Format,
}

pub(super) fn export(args: &Export) -> Result<Exit, String> {
    let reader = open_chain(&args.image).map_err(|error| error.to_string())?;
    match Manifest::read(&args.image) {
        Ok(signed) => {
            let root = reader.root().map_err(|error| error.to_string())?;
            if hex(&root) != signed.manifest.blake3_root {
                return Err(format!("{}: it is not the image its signed manifest is of", args.image.display()));
            }
        }
        // What is there can still be of use; what it is worth has to be said.
        Err(error) => tell!("mule: {error}; only the checksums in the image itself vouch for it"),
    }
    let progress = Progress::new(reader.size());
    let mut before = 0;
    let source = export::Proved::new(&reader).map_err(|error| format!("no memory for buffers: {error}"))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let exported = export::export(&source, args.format, &args.out, threads, &mut |done| {
        progress.more(done - before);
        before = done;
        ControlFlow::Continue(())
    });
    progress.end();
    let done = exported.map_err(|error| error.to_string())?;
    say!("{}: {}, a disk of {} bytes, {} stored", args.out.display(), args.format, done.size, done.stored);
    Ok(Exit::Good)
}
