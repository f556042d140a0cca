//! `mule restore` and `mule clone`: drives overwritten with what an image or another drive holds.

use super::{
    Exit,
    copying::{self, Common, watched},
    host::Linux,
    kept::Keep,
    said,
};
use crate::{
    blocks::ReadAt,
    content,
    discover::Roots,
    job::{
        claim::Opener,
        copy::{
            digest,
            fit::{Allowed, fit},
            run::{self, Aim, open_content},
            target::Tail,
        },
    },
    journal::event::Action,
    plan::Target,
};
use std::path::PathBuf;

/// What is allowed on targets of another size.
#[derive(Debug, clap::Args)]
pub struct Size {
    /// What becomes of the blocks behind the content on a larger target: leave, zero or wipe
    #[arg(long, default_value = "leave")]
    tail: Tail,
    /// Allow a smaller target where nothing behind its end is in use
    #[arg(long)]
    smaller: bool,
    /// With --smaller: give up old data behind the target's end that belong to no partition; the certificate says how much
    #[arg(long, requires = "smaller")]
    give_up_behind: bool,
    /// Move the backup of a GPT to the target's end
    #[arg(long)]
    move_gpt: bool,
    /// Overwrite without a question the drive with this serial number or WWN, or the regular file at this exact path
    #[arg(long, value_name = "SERIAL")]
    yes_erase: Vec<String>,
    #[command(flatten)]
    keep: Keep,
}

impl Size {
    /// What of it decides what becomes of the targets.
    fn asked(&self, aims: &[Aim]) -> String {
        let drives: Vec<_> = aims.iter().map(|aim| aim.target.drive().identity.to_string()).collect();
        format!("{:?}", (self.tail, self.allowed(), self.keep.keep, drives))
    }

    fn allowed(&self) -> Allowed {
        Allowed { smaller: self.smaller, give_up_behind: self.give_up_behind, move_gpt: self.move_gpt }
    }

    fn aims(&self, content: &dyn ReadAt, logical: u32, targets: Vec<Target>) -> Result<Vec<Aim>, String> {
        let survey = content::outline(content, logical);
        let allowed = self.allowed();
        let aim = |target: Target| {
            let fitted = fit(content, logical, &survey, target.drive(), allowed)?;
            Ok(Aim { target, fitted, tail: self.tail })
        };
        targets.into_iter().map(aim).collect()
    }
}

/// The job that keeps images of the targets first.
fn keeping(common: &Common, asked: &str) -> Result<run::Job, String> {
    common.job("Images of what will be overwritten".into(), Action::Image, asked)
}

/// Arguments of `mule restore`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule restore customer.img.zst /dev/sdx                       asks for the serial number
  mule restore customer.img.zst /dev/sdx /dev/sdy --tail zero  two drives at once, zeros behind the content
  mule restore a.img.zst --yes-erase /tmp/b.img /tmp/b.img     a regular file, by its exact path

Each target is read back in full and gets a certificate of its own. Before anything else both ends of what is written, and of the
drive's old partitions there, become zeros, and the first MiB is written last: a drive that did not get everything looks neither as it did
before nor as if it had. Exit codes: 0 all targets hold the image; 1 at least one does not; 2 not done.")]
pub struct Restore {
    /// The image, NAME.img.zst, with its manifest beside it
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Block devices (whole drives) or regular files
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<PathBuf>,
    #[command(flatten)]
    size: Size,
    #[command(flatten)]
    common: Common,
}

/// Restores an image.
pub fn restore(args: &Restore) -> Exit {
    said(do_restore(args))
}

fn do_restore(args: &Restore) -> Result<Exit, String> {
    let name = args.image.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let common = &args.common;
    // The image is looked at before anybody is asked for a serial number.
    let content = open_content(&args.image)?;
    not_itself(&content, &args.targets)?;
    let targets = copying::targets(&args.targets, &args.size.yes_erase, common.operator())?;
    let logical = content.reader.header().logical_block;
    let aims = args.size.aims(&content.reader, logical, targets)?;
    let how = args.size.asked(&aims);
    let asked = format!("{:?}", ("mule-restore/2", &name, content.root(), how, common.operator()));
    args.size.keep.first(
        "restore",
        || keeping(common, &asked),
        aims.iter().map(|aim| &aim.target),
        common.threads(),
    )?;
    let job = common.job(format!("Restore: {name}"), Action::Restore, &asked)?;
    let tally = watched(|watcher| run::restore(job, content, aims, common.threads(), watcher));
    Ok(common.report(&tally))
}

/// An image is never restored onto one of its own files, or of its bases.
fn not_itself(content: &run::Content, targets: &[PathBuf]) -> Result<(), String> {
    let is_read = |target: &&PathBuf| std::fs::metadata(target).is_ok_and(|target| content.reader.reads(&target));
    match targets.iter().find(is_read) {
        Some(target) => {
            Err(format!("{} belongs to the image, or to one that it builds on; nothing was written", target.display()))
        }
        None => Ok(()),
    }
}

/// Arguments of `mule clone`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule clone /dev/sdx /dev/sdy /dev/sdz    one drive onto two, read once

Each target is read back in full against what was read and gets a certificate of its own.
Exit codes: 0 all targets hold what the source holds; 1 at least one does not; 2 not done.")]
pub struct Clone {
    /// The drive that is read: a block device or a regular file
    #[arg(value_name = "SOURCE")]
    source: PathBuf,
    /// Block devices (whole drives) or regular files
    #[arg(required = true, value_name = "TARGET")]
    targets: Vec<PathBuf>,
    /// Digest of the whole source for the certificate: sha512, sha256, both or none
    #[arg(long, default_value = "sha512")]
    hash: digest::Wish,
    /// How often bad sectors are tried again at the end
    #[arg(long, value_name = "N", default_value_t = 1)]
    retries: u8,
    #[command(flatten)]
    size: Size,
    #[command(flatten)]
    common: Common,
}

/// Clones a drive.
pub fn clone(args: &Clone) -> Exit {
    said(do_clone(args))
}

fn do_clone(args: &Clone) -> Result<Exit, String> {
    let common = &args.common;
    let source = copying::source(&args.source)?;
    let targets = copying::targets(&args.targets, &args.size.yes_erase, common.operator())?;
    copying::apart(source.drive(), &targets)?;
    let logical = source.drive().geometry.map_err(|error| error.to_string())?.logical();
    let look = Linux(Roots::default()).look(source.drive())?;
    let aims = args.size.aims(&*look, logical, targets)?;
    let (from, how) = (source.drive().identity.to_string(), args.size.asked(&aims));
    let asked = format!("{:?}", ("mule-clone/2", &from, args.hash, args.retries, how, common.operator()));
    args.size.keep.first("clone", || keeping(common, &asked), aims.iter().map(|aim| &aim.target), common.threads())?;
    let job = common.job(format!("Clone: {from}"), Action::Clone, &asked)?;
    let tally = watched(|watcher| run::clone(job, source, aims, args.hash, args.retries, args.size.allowed(), watcher));
    Ok(common.report(&tally))
}
