//! `mule store rebase`.

use super::Exit;
use crate::cli::image::put_together;
use crate::job::copy::level;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule store rebase friday.img.zst new.img.zst --onto monday.img.zst

The new image stores what friday.img.zst holds and monday.img.zst does not. Every frame is proved while it is read, and the
new image is read back with its base; what was there stays as it is, and `mule store prune` can remove it then.
Without --onto `mule image flatten` makes an image that needs no other.
Exit codes: 0 done; 2 not done.")]
pub(super) struct Rebase {
    /// The image, NAME.img.zst, with those it builds on beside it
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// The image to be made, NAME.img.zst
    #[arg(value_name = "OUT", value_parser = crate::cli::image::image_name)]
    out: PathBuf,
    /// What it is to build on, in the folder of OUT
    #[arg(long, value_name = "BASE")]
    onto: PathBuf,
    /// Compression: auto, store, or a level of zstd from -50 to 19
    #[arg(long, default_value = "3", allow_hyphen_values = true)]
    level: level::Wish,
    /// Folder with this host's log and key
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

pub(super) fn rebase(args: &Rebase) -> Result<Exit, String> {
    put_together((&args.image, &args.out), Some(&args.onto), args.level, None, args.state.as_deref())
}
