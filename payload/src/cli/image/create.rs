//! `mule image create`: images of one drive, or of several at once.

use super::{
    super::{
        Exit,
        copying::{self, Common, watched},
        host,
    },
    measure,
};
use crate::{
    drive::Identity,
    engine::sweep::Limits,
    job::copy::{
        digest,
        image::{Order, is_null},
        level, name,
        part::Purpose,
        run, take,
    },
    journal::event::Action,
    plan::Source,
};
use std::{
    collections::BTreeSet,
    num::NonZeroU64,
    path::{Path, PathBuf},
    sync::Arc,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule image create /dev/sdx customer.img.zst              with its manifest and signature beside it
  mule image create disk.raw a.img.zst --raw --level 3     every block, a fixed level: the same disk gives the same bytes
  mule image create /dev/sdx b.img.zst --base a.img.zst    only what changed since a.img.zst
  mule image create /dev/sd[b-e] /mnt/store                several at once, each named MODEL-SERIAL-TIME.img.zst
  mule image create /dev/sdx /dev/null                     how fast this would go; nothing is kept or certified

Anybody can unpack it: zstd -dc customer.img.zst > disk.raw
A run that was cut short goes on when the very same command is given again: what is there is read from the drive once more,
and where the drive holds something else by now the image is begun anew. With --base it is always begun anew. What another job
left unfinished under the same name is called NAME.apart-1.img.zst.part then; nothing of it is removed.
Exit codes: 0 imaged; 1 imaged with exceptions, or failed; 2 not done.")]
pub(super) struct Create {
    /// The drives that are read: block devices or regular files
    #[arg(value_name = "SOURCE", required = true)]
    sources: Vec<PathBuf>,
    /// The image to be made, NAME.img.zst, or a folder for the images of all drives
    #[arg(value_name = "IMAGE", required = true, value_parser = destination)]
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

fn destination(word: &str) -> Result<PathBuf, String> {
    if word.ends_with(".img.zst") || is_null(Path::new(word)) || Path::new(word).is_dir() {
        Ok(word.into())
    } else {
        Err("the name of an image ends with .img.zst; or give a folder that is there".into())
    }
}

pub(super) fn create(args: &Create) -> Result<Exit, String> {
    let common = &args.common;
    let sources = copying::sources(&args.sources)?;
    let folder = args.image.is_dir().then_some(args.image.as_path());
    if let (None, [_, _, ..]) = (folder, &sources[..]) {
        return Err("several drives go into a folder: name one that is there instead of an image".into());
    }
    if let Some(base) = &args.base
        && (sources.len() > 1 || base.parent() != folder.or_else(|| args.image.parent()))
    {
        return Err(
            "the base is of one drive and must lie in the same folder as the image: they belong together".into()
        );
    }
    let asked = asked(args, &sources);
    if let ([source], true) = (&sources[..], is_null(&args.image)) {
        return measure::measure(source.drive(), &order(args, args.image.clone()), common.json);
    }
    let names: Vec<_> = sources.iter().map(|source| source.drive().identity.to_string()).collect();
    let job = common.job(format!("Image: {}", names.join(", ")), Action::Image, &asked)?;
    let mut taken = BTreeSet::new();
    let named = |source: Source| {
        let path = path_of(args, folder, &job, &source.drive().identity, &mut taken);
        let order = order(args, path);
        (source, order)
    };
    let images = sources.into_iter().map(named).collect();
    let tally = watched(|watcher| run::images(job, images, watcher));
    Ok(common.report(&tally))
}

/// What the image of a drive is called: in a folder by the drive, or as this very job called it when it began one there earlier.
fn path_of(
    args: &Create,
    folder: Option<&Path>,
    job: &run::Job,
    id: &Identity,
    taken: &mut BTreeSet<PathBuf>,
) -> PathBuf {
    let Some(folder) = folder else { return args.image.clone() };
    let earlier = job.unfinished(folder, id, Purpose::Image);
    // Two drives can say the same of themselves.
    let made = (1..).map(|place| {
        let prefix = if place == 1 { String::new() } else { format!("{place}-") };
        folder.join(name::new(&prefix, id, host::now()))
    });
    let path = earlier.into_iter().chain(made).find(|path| !taken.contains(path)).unwrap_or_default();
    taken.insert(path.clone());
    path
}

fn order(args: &Create, path: PathBuf) -> Order {
    let common = &args.common;
    let wish =
        take::Wish { threads: common.threads(), level: args.level, retries: args.retries, limits: Limits::default() };
    Order {
        path,
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
    }
}

/// All that decides what the images will be and who makes them: an unfinished one is gone on with by the same words only.
fn asked(args: &Create, sources: &[Source]) -> String {
    let (base, operator) = (&args.base, args.common.operator());
    let how = (args.raw, args.level, args.hash, args.retries, args.no_verify, args.split);
    let of = |source: &Source| {
        let id = source.drive().identity.clone();
        (id.model, id.serial, id.wwn, id.bytes)
    };
    let ids: Vec<_> = sources.iter().map(of).collect();
    format!("{:?}", ("mule-image/3", ids, &args.image, base, how, operator))
}
