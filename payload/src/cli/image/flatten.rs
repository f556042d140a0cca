//! `mule image flatten`: a chain of differential images as one.

use super::{Exit, Progress, image_name};
use crate::{
    cli::host,
    imagefile::Manifest,
    job::copy::{
        flatten::{self, Wish},
        image::is_null,
        level,
    },
    journal::{bounded::Text, event::Event},
};
use std::{num::NonZeroU64, path::PathBuf};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule image flatten tuesday.img.zst whole.img.zst     tuesday.img.zst stores only what changed since an earlier image

Every frame is proved while it is read, and the new image is read back; the chain is left as it is. The manifest says what it
was put together from; this host signs it.
Exit codes: 0 done; 2 not done.")]
pub(super) struct Flatten {
    /// The last image of the chain, NAME.img.zst, with those it builds on beside it
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// The image to be made, NAME.img.zst
    #[arg(value_name = "OUT", value_parser = image_name)]
    out: PathBuf,
    /// Compression: auto, store, or a level of zstd from -50 to 19
    #[arg(long, default_value = "3", allow_hyphen_values = true)]
    level: level::Wish,
    /// Cut the image into files of at most so many MiB
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(4..))]
    split: Option<u64>,
    /// Folder with this host's log and key
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

pub(super) fn flatten(args: &Flatten) -> Result<Exit, String> {
    if is_null(&args.out) {
        return Err("the name of an image ends with .img.zst".into());
    }
    let (mut journal, _) = host::open_log(&host::log_file(&args.state.clone().unwrap_or_else(host::default_state)))?;
    let wish = Wish {
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        level: args.level,
        limit: args.split.and_then(|mib| NonZeroU64::new(mib << 20)),
        tool: host::tool(),
    };
    let bytes = Manifest::read(&args.image).map_err(|error| error.to_string())?.manifest.image.disk_bytes;
    let progress = Progress::new(2 * bytes);
    let key = journal.key().clone();
    let made = flatten::flatten(&args.image, &args.out, &wish, &key, &|bytes| progress.more(bytes));
    progress.end();
    let manifest = made.map_err(|error| error.to_string())?;
    let text = format!("{} was put together from {}", args.out.display(), args.image.display());
    let noted = journal.append(host::now(), &Event::Note { text: Text::new(&text) });
    noted.map_err(|error| format!("the image is whole, but the log could not be written: {error}"))?;
    let stored: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    say!(
        "{}: needs no other image; {stored} bytes, {} of {}",
        args.out.display(),
        manifest.outcome,
        manifest.image.serial
    );
    Ok(Exit::Good)
}
