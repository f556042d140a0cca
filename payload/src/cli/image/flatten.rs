//! `mule image flatten`: a chain of differential images as one.

use super::{Exit, Progress, image_name};
use crate::{
    cli::host,
    imagefile::Manifest,
    job::copy::{
        flatten::{self, Wish},
        level,
    },
    journal::{bounded::Text, event::Event},
};
use std::{
    num::NonZeroU64,
    path::{Path, PathBuf},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule image flatten tuesday.img.zst whole.img.zst     tuesday.img.zst stores only what changed since an earlier image

Every frame is proved while it is read, and the new image is read back; the chain is left as it is. The manifest says what it
was put together from; this host signs it. A run that was cut short is begun anew by the same command.
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
    let limit = args.split.and_then(|mib| NonZeroU64::new(mib << 20));
    put_together((&args.image, &args.out), None, args.level, limit, args.state.as_deref())
}

/// Makes one image of a chain, which builds on another one, or on none, and notes it in this host's log.
pub(in crate::cli) fn put_together(
    (from, to): (&Path, &Path),
    onto: Option<&Path>,
    level: level::Wish,
    limit: Option<NonZeroU64>,
    state: Option<&Path>,
) -> Result<Exit, String> {
    if onto.is_some_and(|onto| onto.parent() != to.parent()) {
        return Err("the base must lie in the same folder as the image: they belong together".into());
    }
    let state = state.map_or_else(host::default_state, Path::to_owned);
    let (mut journal, _) = host::open_log(&host::log_file(&state))?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let wish = Wish { threads, level, limit, onto: onto.map(Path::to_owned), tool: host::tool(), clock: host::now };
    let bytes = Manifest::read(from).map_err(|error| error.to_string())?.manifest.image.disk_bytes;
    let progress = Progress::new(2 * bytes);
    let key = journal.key().clone();
    let made = flatten::flatten(from, to, &wish, &key, &|bytes| progress.more(bytes));
    progress.end();
    let made = made.map_err(|error| error.to_string())?;
    let manifest = &made.manifest;
    let text = format!("{} was put together from {}", to.display(), from.display());
    let noted = journal.append(host::now(), &Event::Note { text: Text::new(&text) });
    noted.map_err(|error| format!("the image is whole, but the log could not be written: {error}"))?;
    let stored: u64 = manifest.files.iter().map(|file| file.bytes).sum();
    let needs = manifest.base.as_ref().map_or_else(|| "no other image".into(), |base| base.name.clone());
    say!("{}: needs {needs}; {stored} bytes, {} of {}", to.display(), manifest.outcome, manifest.image.serial);
    made.noted().map_err(|error| format!("the image is whole, but {error}"))?;
    Ok(Exit::Good)
}
