//! `mule image`: make, check and look into images.

mod browse;
mod create;
mod export;
mod flatten;
mod measure;
mod serve;

pub(super) use flatten::put_together;

use super::{Exit, host, said};
use crate::{
    console::format,
    imagefile::{Manifest, Mode},
    job::copy::prove::{self, Proof},
    say,
};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// The name that an image gets.
pub(super) fn image_name(word: &str) -> Result<PathBuf, String> {
    if word.ends_with(".img.zst") { Ok(word.into()) } else { Err("the name of an image ends with .img.zst".into()) }
}

/// Arguments of `mule image`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Take an image of a drive, or of several at once
    Create(create::Create),
    /// Check an image against its manifest: every byte of the file counts
    Verify(Verify),
    /// Show what an image is of
    Info(Info),
    /// List partitions and files
    Ls(browse::Ls),
    /// Write a file to standard output
    Cat(browse::Cat),
    /// Copy files and folders out of an image
    Extract(browse::Extract),
    /// Turn an image into a plain disk file or a qcow2
    Export(export::Export),
    /// Put a chain of images, each with what changed since the one before, together as one
    Flatten(flatten::Flatten),
    /// Offer an image as a read-only disk to programs that mount or boot it
    Serve(serve::Serve),
}

/// Runs the sub-command.
pub fn run(args: &Args) -> Exit {
    let result = match &args.command {
        Command::Create(args) => create::create(args),
        Command::Verify(args) => Ok(verify(args)),
        Command::Info(args) => info(args),
        Command::Ls(args) => {
            let mut out = say::Lines::out();
            let listed = browse::ls(args, &mut out);
            out.finish();
            listed
        }
        Command::Cat(args) => browse::cat(args, &mut *say::bytes()),
        Command::Extract(args) => browse::extract(args),
        Command::Export(args) => export::export(args),
        Command::Flatten(args) => flatten::flatten(args),
        Command::Serve(args) => serve::serve(args),
    };
    said(result)
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule image verify customer.img.zst      frames, index, maps, digests and the signature

Damaged frames are named with their place on the disk and in the file.
Exit codes: 0 whole; 1 damaged, the signature does not hold, or a piece, the manifest or the base is missing; 2 not done.")]
struct Verify {
    /// Images, NAME.img.zst, each with its manifest beside it
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Print one JSON object an image
    #[arg(long)]
    json: bool,
}

fn verify(args: &Verify) -> Exit {
    args.images.iter().map(|path| verify_one(path, args.json)).fold(Exit::Good, Ord::max)
}

fn verify_one(path: &Path, as_json: bool) -> Exit {
    let progress = Progress::new(prove::disk_bytes(path));
    let proof = prove::prove(path, &|bytes| progress.more(bytes));
    progress.end();
    print_proof(path, &proof, as_json);
    if proof.is_whole() { Exit::Good } else { Exit::Bad }
}

/// What was found of an image.
pub(super) fn print_proof(path: &Path, proof: &Proof, as_json: bool) {
    let (name, whole) = (path.display(), proof.is_whole());
    if as_json {
        let (good, damaged) = (proof.bytes_good, proof.damaged);
        let (missing, damage) = (&proof.missing, &proof.damage);
        let object = json!({"image": path.to_string_lossy(), "whole": whole, "bytes_good": good, "damaged": damaged, "damage": damage, "missing": missing});
        say::json(&object);
    } else if let (true, Some(signed)) = (whole, &proof.signed) {
        let manifest = &signed.manifest;
        say!("{name}: whole; {} of {}", manifest.outcome, manifest.image.serial);
        say!("    signed by {} ({})", manifest.signer, signed.key.fingerprint());
    } else if let Some(missing) = &proof.missing {
        say!("{name}: NOT VERIFIED: something is missing");
        say!("    {missing}");
    } else {
        say!("{name}: DAMAGED in {} places; {} bytes of the disk are good", proof.damaged, proof.bytes_good);
        proof.damage.iter().for_each(|what| say!("    {what}"));
    }
}

/// A line on a terminal, now and then.
pub(super) struct Progress {
    total: u64,
    state: std::sync::Mutex<(u64, Instant)>,
}

impl Progress {
    pub(super) fn new(total: u64) -> Self {
        Self { total, state: std::sync::Mutex::new((0, Instant::now())) }
    }

    pub(super) fn more(&self, bytes: u64) -> bool {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.0 += bytes;
        if state.1.elapsed() > Duration::from_millis(500) && host::is_terminal() {
            state.1 = Instant::now();
            say::progress(format_args!("{} of {}", format::size(state.0), format::size(self.total)));
        }
        true
    }

    pub(super) fn end(&self) {
        if host::is_terminal() {
            say::progress_end();
        }
    }
}

#[derive(Debug, clap::Args)]
struct Info {
    /// The image, NAME.img.zst
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Print the manifest as it is
    #[arg(long)]
    json: bool,
}

fn info(args: &Info) -> Result<Exit, String> {
    let signed = Manifest::read(&args.image).map_err(|error| error.to_string())?;
    let manifest = &signed.manifest;
    if args.json {
        say::document(&signed.bytes);
        return Ok(Exit::Good);
    }
    let image = &manifest.image;
    let stored: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    let missing = manifest.missing_piece(&args.image);
    missing.iter().for_each(|piece| say!("MISSING: {}: this piece of the image is not there", piece.display()));
    say!("{}: {} {}", manifest.name, manifest.outcome, manifest.finished);
    say!(
        "    disk       {} {}, {} ({} bytes)",
        image.model,
        image.serial,
        format::size(image.disk_bytes),
        image.disk_bytes
    );
    say!("    file       {} ({} bytes)", format::size(stored), stored);
    let mode = match image.mode {
        Mode::Raw => "every block",
        Mode::UsedBlock => "used blocks",
    };
    say!("    read       {mode}: {} bytes, {} free", manifest.bytes_read, manifest.bytes_free);
    for part in &manifest.partitions {
        say!(
            "    volume {:2}  {} {:?} at byte {}, {} bytes: {}",
            part.number,
            part.content,
            part.label,
            part.start,
            part.bytes,
            part.reason
        );
    }
    manifest.base.iter().for_each(|base| say!("    base       {} ({})", base.name, base.blake3_root));
    say!("    unreadable {} bytes in {} places", manifest.bad_bytes, manifest.bad.len());
    manifest.bad.iter().for_each(|area| say!("               {} bytes at byte {}", area.bytes, area.start));
    let none = "none: not every block was read (--hash sha512 makes one)";
    for (name, digest) in [("sha512", &manifest.sha512), ("sha256", &manifest.sha256)] {
        if !digest.is_empty() {
            say!("    {name}     {digest}");
        }
    }
    if manifest.sha512.is_empty() && manifest.sha256.is_empty() {
        say!("    sha512     {none}");
    }
    say!("    blake3     {} (root)", manifest.blake3_root);
    say!("    signed by  {} ({})", manifest.signer, signed.key.fingerprint());
    Ok(if missing.is_some() { Exit::Bad } else { Exit::Good })
}
