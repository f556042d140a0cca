//! The safety net of destructive commands: `--keep`, and `mule kept`, `mule commit` and `mule revert`.

use super::{
    Exit,
    copying::{self, Common, watched},
    host, named, said,
};
use crate::{
    discover::{self, Drive, Roots},
    job::{
        copy::{
            fit::Fitted,
            run::{self, Aim, open_content},
            target::Tail,
        },
        retain::{self, Kept, Retained, Wish},
    },
    jobfile,
    journal::event::Action,
    plan::Target,
    say,
};
use serde_json::json;
use std::{path::PathBuf, time::Duration};

/// What keeps an image of a drive before it is overwritten.
#[derive(Debug, clap::Args)]
pub struct Keep {
    /// First keep an image of each drive, and name it as expired after this time: 1h to 366d, such as 48h. `mule revert` puts
    /// it back, `mule commit` removes it
    #[arg(long, value_name = "TIME", requires = "store", value_parser = jobfile::keep_time)]
    pub keep: Option<Duration>,
    /// The folder that the images are kept in
    #[arg(long, value_name = "DIR", requires = "keep")]
    pub store: Option<PathBuf>,
}

impl Keep {
    /// Keeps an image of each target, where that was asked for; nothing may be overwritten on an error.
    pub(super) fn first<'a>(
        &self,
        before: &str,
        job: impl FnOnce() -> Result<run::Job, String>,
        targets: impl Iterator<Item = &'a Target>,
        threads: usize,
    ) -> Result<Vec<Kept>, String> {
        let (Some(keep), Some(dir)) = (self.keep, &self.store) else { return Ok(Vec::new()) };
        if !dir.is_dir() {
            return Err(format!("{}: there is no such folder; nothing was written", dir.display()));
        }
        let wish = Wish { dir: dir.clone(), keep, before: before.into(), threads, limit: None, clock: host::now };
        let job = job()?;
        let kept = watched(|watcher| retain::retain(job, targets, &wish, watcher));
        let kept = kept.map_err(|error| format!("nothing was overwritten: {error}"))?;
        kept.iter().for_each(|kept| tell!("{}", kept.line(host::now())));
        Ok(kept)
    }
}

/// Arguments of `mule kept`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule kept /mnt/store     which images jobs have kept there, of what, until when

Nothing is removed by itself: an image whose time is over is shown as such, and stays until `mule commit` removes it.
Each is looked at: its manifest, the size of its files, its index; `mule image verify` reads all of it.
Exit codes: 0 all are there and none is expired; 1 at least one is, is gone, or cannot be read; 2 not done.")]
pub struct List {
    /// Folders with kept images
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Print one JSON object an image
    #[arg(long)]
    json: bool,
}

/// Lists kept images.
pub fn list(args: &List) -> Exit {
    said(do_list(args))
}

fn do_list(args: &List) -> Result<Exit, String> {
    let (mut exit, now) = (Exit::Good, host::now());
    for folder in &args.folders {
        let list = retain::list(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        if list.is_empty() && !args.json {
            say!("{}: no job has kept an image here", folder.display());
        }
        for (image, note) in list {
            let kept = match note {
                Ok(kept) => kept,
                Err(error) => {
                    tell!("mule: {error}");
                    exit = Exit::Bad;
                    continue;
                }
            };
            let (note, signer) = (&kept.note, kept.key.stick_id());
            let (expired, trouble) = (note.has_expired(now), kept.look().err());
            if expired || trouble.is_some() {
                exit = Exit::Bad;
            }
            if args.json {
                say::json(
                    &json!({ "path": image.to_string_lossy(), "expired": expired, "kept": note, "signer": signer, "trouble": trouble }),
                );
            } else if let Some(trouble) = trouble {
                say!("{}: NOT KEPT as it was signed for: {trouble}", note.image);
            } else {
                say!("{}", kept.line(now));
            }
        }
    }
    Ok(exit)
}

/// Arguments of `mule commit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule commit /mnt/store/kept-WDC_WD10EZEX-WCC1-20260301T120000Z.img.zst

What the drive held before the job is gone for good then. Only images that a job kept are removed, never others.
Exit codes: 0 removed; 2 not done.")]
pub struct Commit {
    /// Kept images
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Remove without a question
    #[arg(long)]
    yes: bool,
}

/// Removes kept images.
pub fn commit(args: &Commit) -> Exit {
    said(do_commit(args))
}

fn do_commit(args: &Commit) -> Result<Exit, String> {
    // All are looked at before the first is removed.
    let notes: Result<Vec<_>, _> = args.images.iter().map(|image| Retained::read(image)).collect();
    let notes = notes.map_err(|error| error.to_string())?;
    if !args.yes {
        notes.iter().for_each(|kept| tell!("{}", kept.line(host::now())));
        may_be_removed()?;
    }
    for image in &args.images {
        let note = retain::remove(image).map_err(|error| error.to_string())?;
        say!("{}: removed", note.image);
    }
    Ok(Exit::Good)
}

/// Asks whether what was listed may go.
pub(super) fn may_be_removed() -> Result<(), String> {
    if !host::is_terminal() {
        return Err("say --yes to remove them; nothing was removed".into());
    }
    match say::ask(format_args!("Remove for good? Type yes: ")) {
        Ok(line) if line.trim() == "yes" => Ok(()),
        Ok(_) => Err("nothing was removed".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Arguments of `mule revert`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule revert /mnt/store/kept-WDC_WD10EZEX-WCC1-20260301T120000Z.img.zst            onto the drive it is of
  mule revert --yes-erase WCC1 /mnt/store/kept-WDC_WD10EZEX-WCC1-20260301T120000Z.img.zst

The drive is looked for by model, serial number and size. It is read back in full and gets a certificate.
What its file systems called free was not kept, and reads as zeros then (mule image info says which).
Exit codes: 0 it holds what the image holds; 1 it does not; 2 not done.")]
pub struct Revert {
    /// The kept image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Where the drive is; without this it is looked for. A regular file must be named
    #[arg(value_name = "TARGET")]
    target: Option<PathBuf>,
    /// Overwrite without a question the drive with this serial number or WWN, or the regular file at this exact path
    #[arg(long, value_name = "SERIAL")]
    yes_erase: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// Puts a kept image back.
pub fn revert(args: &Revert) -> Exit {
    said(do_revert(args))
}

fn do_revert(args: &Revert) -> Result<Exit, String> {
    let kept = Retained::read(&args.image).map_err(|error| error.to_string())?;
    let note = &kept.note;
    let content = open_content(&args.image)?;
    let found = crate::job::issue::hex(&<sha2::Sha256 as sha2::Digest>::digest(&content.manifest_bytes));
    if found != note.manifest_sha256 || content.key != kept.key {
        return Err(format!("{}: this is not the image that was kept; nothing was written", args.image.display()));
    }
    let path = match &args.target {
        Some(path) => path.clone(),
        None => drive_of(note)?,
    };
    let drive = named::drives(&Roots::default(), std::slice::from_ref(&path))?.pop();
    let is_it = drive.is_some_and(|drive| matches(note, &drive));
    if !is_it {
        return Err(format!(
            "{}: this is not {} {} with {} bytes, of which the image is; `mule restore` puts an image onto another drive",
            path.display(),
            note.model,
            note.serial,
            note.bytes
        ));
    }
    let common = &args.common;
    let targets = copying::targets(&[path], &args.yes_erase, common.operator())?;
    let aim = |target| Aim { target, fitted: Fitted::default(), tail: Tail::Leave };
    let aims = targets.into_iter().map(aim).collect();
    let asked = format!("{:?}", ("mule-revert/2", &note.image, &note.manifest_sha256, common.operator()));
    let job = common.job(format!("Revert: {}", note.image), Action::Restore, &asked)?;
    let tally = watched(|watcher| run::restore(job, content, aims, common.threads(), watcher));
    Ok(common.report(&tally))
}

fn matches(note: &Retained, drive: &Drive) -> bool {
    let id = &drive.identity;
    note.is_of(&id.model, &id.serial, id.bytes)
}

fn drive_of(note: &Retained) -> Result<PathBuf, String> {
    let drives = discover::scan(&Roots::default());
    let all: Vec<_> = drives.iter().filter(|drive| matches(note, drive)).collect();
    let what = format!("{} {} with {} bytes", note.model, note.serial, note.bytes);
    match all.as_slice() {
        [] => Err(format!("{what} is not plugged in; nothing was written")),
        [only] => Ok(only.path.clone()),
        _ => Err(format!("there are {} drives that say they are {what}; leave only one plugged in", all.len())),
    }
}
