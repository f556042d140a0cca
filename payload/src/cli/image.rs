//! `mule image`: make, check and look into images.

mod browse;
mod export;
mod flatten;
mod measure;
mod serve;

use super::{
    Exit,
    copying::{self, Common, watched},
    host, said,
};
use crate::{
    console::format,
    drive::Identity,
    engine::sweep::Limits,
    imagefile::{Manifest, Mode},
    job::copy::{
        digest,
        image::{Order, is_null},
        level,
        part::Purpose,
        prove, run, take,
    },
    journal::event::Action,
    say,
};
use serde_json::json;
use std::{
    num::NonZeroU64,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// Arguments of `mule image`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Take an image of a drive
    Create(Create),
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
        Command::Create(args) => create(args),
        Command::Verify(args) => verify(args),
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
  mule image create /dev/sdx customer.img.zst              with its manifest and signature beside it
  mule image create disk.raw a.img.zst --raw --level 3     every block, a fixed level: the same disk gives the same bytes
  mule image create /dev/sdx b.img.zst --base a.img.zst    only what changed since a.img.zst
  mule image create /dev/sdx /dev/null                     how fast this would go; nothing is kept or certified

Anybody can unpack it: zstd -dc customer.img.zst > disk.raw
A run that was cut short goes on when the very same command is given again: what is there is read from the drive once more,
and where the drive holds something else by now the image is begun anew. With --base it is always begun anew.
Exit codes: 0 imaged; 1 imaged with exceptions, or failed; 2 not done.")]
struct Create {
    /// The drive that is read: a block device or a regular file
    #[arg(value_name = "SOURCE")]
    source: PathBuf,
    /// The image to be made, NAME.img.zst
    #[arg(value_name = "IMAGE", value_parser = image_name)]
    image: PathBuf,
    /// Read every block, whatever the file systems call free
    #[arg(long)]
    raw: bool,
    /// Store only what changed since this image, in the same folder
    #[arg(long, value_name = "IMAGE")]
    base: Option<PathBuf>,
    /// Compression: auto (follows the bottleneck), store, or a level of zstd from -50 to 19
    #[arg(long, default_value = "auto", allow_hyphen_values = true)]
    level: level::Wish,
    /// Digest of the whole disk: sha512, sha256, both or none; auto is sha512 where every block is read
    #[arg(long, default_value = "auto")]
    hash: digest::Wish,
    /// How often bad sectors are tried again at the end
    #[arg(long, value_name = "N", default_value_t = 1)]
    retries: u8,
    /// Do not read the finished image back
    #[arg(long)]
    no_verify: bool,
    /// Cut the image into files of at most so many MiB
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(4..))]
    split: Option<u64>,
    /// Begin although the store may have too little room, by a sample of what the drive holds
    #[arg(long)]
    ignore_room: bool,
    #[command(flatten)]
    common: Common,
}

fn image_name(word: &str) -> Result<PathBuf, String> {
    if word.ends_with(".img.zst") || is_null(Path::new(word)) {
        Ok(word.into())
    } else {
        Err("the name of an image ends with .img.zst".into())
    }
}

fn create(args: &Create) -> Result<Exit, String> {
    let common = &args.common;
    let source = copying::source(&args.source)?;
    if let Some(base) = &args.base
        && base.parent().map(Path::to_owned) != args.image.parent().map(Path::to_owned)
    {
        return Err("the base must lie in the same folder as the image: they belong together".into());
    }
    let wish =
        take::Wish { threads: common.threads(), level: args.level, retries: args.retries, limits: Limits::default() };
    let order = Order {
        path: args.image.clone(),
        raw: args.raw,
        base: args.base.clone(),
        wish,
        hash: args.hash,
        limit: args.split.and_then(|mib| NonZeroU64::new(mib << 20)),
        verify: !args.no_verify,
        operator: common.operator(),
        tool: host::tool(),
        purpose: Purpose::Image,
        clock: host::now,
        room: Arc::default(),
        ignore_room: args.ignore_room,
    };
    if is_null(&order.path) {
        return measure::measure(source.drive(), &order, common.json);
    }
    let job = common.job(
        format!("Image: {}", source.drive().identity),
        Action::Image,
        &asked(args, &source.drive().identity),
    )?;
    let tally = watched(|watcher| run::images(job, vec![(source, order)], watcher));
    Ok(common.report(&tally))
}

/// All that decides what the image will be and who makes it: an unfinished one is gone on with by the same words only.
fn asked(args: &Create, id: &Identity) -> String {
    let (base, operator) = (&args.base, args.common.operator());
    let how = (args.raw, args.level, args.hash, args.retries, args.no_verify, args.split);
    format!("{:?}", ("mule-image/2", (&id.model, &id.serial, &id.wwn, id.bytes), &args.image, base, how, operator))
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

fn verify(args: &Verify) -> Result<Exit, String> {
    let mut exit = Exit::Good;
    for path in &args.images {
        exit = exit.max(verify_one(path, args.json)?);
    }
    Ok(exit)
}

fn verify_one(path: &Path, as_json: bool) -> Result<Exit, String> {
    let name = path.display();
    let progress = Progress::new(prove::disk_bytes(path));
    let proof = prove::prove(path, &|bytes| progress.more(bytes));
    progress.end();
    let whole = proof.is_whole();
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
    Ok(if whole { Exit::Good } else { Exit::Bad })
}

/// A line on a terminal, now and then.
struct Progress {
    total: u64,
    state: std::sync::Mutex<(u64, Instant)>,
}

impl Progress {
    fn new(total: u64) -> Self {
        Self { total, state: std::sync::Mutex::new((0, Instant::now())) }
    }

    fn more(&self, bytes: u64) -> bool {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.0 += bytes;
        if state.1.elapsed() > Duration::from_millis(500) && host::is_terminal() {
            state.1 = Instant::now();
            say::progress(format_args!("{} of {}", format::size(state.0), format::size(self.total)));
        }
        true
    }

    fn end(&self) {
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
