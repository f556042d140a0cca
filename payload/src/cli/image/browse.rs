//! `mule image ls`, `cat` and `extract`: files of an image, without restoring it.

use super::Exit;
use crate::{
    blocks::Part,
    browse::{self, BrowseError, Entry, EntryKind, Files, Next},
    console::format,
    content::{self, Survey, Volume},
    imagefile::Reader,
    job::copy::image::open_chain,
    say::Lines,
};
use serde_json::json;
use std::{
    fs,
    io::Write,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule image ls customer.img.zst                          partitions with their file systems
  mule image ls customer.img.zst /Users --partition 3     one folder
  mule image ls customer.img.zst / -R --json              every file, one JSON object each

NTFS, ext2/3/4, FAT and exFAT are known. Nothing is mounted and nothing is written.
Exit codes: 0 listed; 1 a part could not be read; 2 not done.")]
pub(super) struct Ls {
    /// The image, NAME.img.zst
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// A file or folder in it; without one the partitions are listed
    #[arg(value_name = "PATH")]
    path: Option<String>,
    /// Look into this partition; 0 is the whole disk
    #[arg(long, value_name = "N")]
    partition: Option<u32>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Folders in folders, too
    #[arg(short = 'R', long)]
    recursive: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule image cat customer.img.zst /Users/Ann/letter.txt --partition 3
  mule image cat customer.img.zst /photo.jpg > photo.jpg

A pipe or a file gets every byte as it is; on a terminal, what is no text is shown as escapes.
Exit codes: 0 all of the file was written; 2 it was not.")]
pub(super) struct Cat {
    /// The image, NAME.img.zst
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// The file in it
    #[arg(value_name = "PATH")]
    path: String,
    /// Look into this partition; 0 is the whole disk
    #[arg(long, value_name = "N")]
    partition: Option<u32>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule image extract customer.img.zst /Users/Ann --partition 3 --to /mnt/usb
  mule image extract customer.img.zst / --to everything

Existing files are never written over; one that holds every byte of the image's file is done. Links are neither followed nor
made. A file has its name when all of it is on the medium: what was cut short goes on with the same command.
Exit codes: 0 everything was extracted; 1 something was skipped, and it says what and why; 2 not done.")]
pub(super) struct Extract {
    /// The image, NAME.img.zst
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Files and folders in it
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    /// The folder they are copied into; it is made if it does not exist
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Look into this partition; 0 is the whole disk
    #[arg(long, value_name = "N")]
    partition: Option<u32>,
}

/// An open image and what is on its disk.
struct Disk {
    reader: Reader,
    survey: Survey,
    /// What the table names; the whole disk as well where that is in doubt or names nothing that can be read.
    volumes: Vec<Volume>,
}

impl Disk {
    fn open(image: &Path) -> Result<Self, String> {
        let reader = open_chain(image).map_err(|error| error.to_string())?;
        let survey = content::outline(&reader, reader.header().logical_block);
        let mut disk = Self { volumes: survey.volumes.clone(), reader, survey };
        let listed = disk.volumes.iter().any(|volume| volume.number == 0);
        let enough = disk.survey.doubt.is_none() && disk.volumes.iter().any(|volume| disk.can_be_read(volume));
        if !listed && !enough {
            let whole = content::whole(&disk.reader);
            if disk.can_be_read(&whole) {
                disk.volumes.insert(0, whole);
            }
        }
        if let Some(doubt) = &disk.survey.doubt {
            tell!("mule: what lies where on this disk is in doubt ({doubt}); what can be read is shown");
        }
        Ok(disk)
    }

    fn part(&self, volume: &Volume) -> Part<&Reader> {
        Part::new(&self.reader, volume.start, volume.len)
    }

    fn can_be_read(&self, volume: &Volume) -> bool {
        browse::Kind::of(&self.part(volume)).is_ok_and(|kind| kind.is_some())
    }

    /// The partition that was asked for; without a number the only one whose files can be read.
    fn choose(&self, number: Option<u32>) -> Result<Part<&Reader>, String> {
        let volumes = &self.volumes;
        let found: Vec<&Volume> = match number {
            Some(number) => volumes.iter().filter(|volume| volume.number == number).collect(),
            None => volumes.iter().filter(|volume| self.can_be_read(volume)).collect(),
        };
        let why = match (&found[..], number) {
            ([volume], _) => return Ok(self.part(volume)),
            (_, Some(number)) => format!("there is no partition {number}"),
            ([], None) => "there is no file system that can be read here".to_owned(),
            (_, None) => "there is more than one file system: say which with --partition N".to_owned(),
        };
        let each = |v: &Volume| format!("{} ({}, {}, {:?})", v.number, v.kind, format::size(v.len), v.label);
        let list = volumes.iter().map(each).collect::<Vec<_>>().join(", ");
        Err(format!("{why}; the disk has {}", if list.is_empty() { "no partitions" } else { &list }))
    }
}

fn line(volume: &Volume) -> String {
    let (size, kind) = (format::size(volume.len), volume.kind.to_string());
    format!("{:3}  {size:>10}  {kind:10}  {}", volume.number, volume.label)
}

/// Opens the chosen file system and says what should be known first.
fn open<'a>(volume: &'a Part<&Reader>) -> Result<Box<dyn Files + 'a>, String> {
    let files = browse::open(volume).map_err(|error| error.to_string())?;
    files.note().iter().for_each(|note| tell!("mule: {note}"));
    Ok(files)
}

pub(super) fn ls(args: &Ls, out: &mut Lines<'_>) -> Result<Exit, String> {
    let disk = Disk::open(&args.image)?;
    let mut list = List { out, as_json: args.json, closed: false };
    let path = match &args.path {
        None if args.partition.is_none() && !args.recursive => return Ok(list.partitions(&disk)),
        path => path.as_deref().unwrap_or("/"),
    };
    let volume = disk.choose(args.partition)?;
    let files = open(&volume)?;
    let found = browse::find(&*files, path).map_err(|error| error.to_string())?;
    let full = format!("/{}", path.trim_matches('/'));
    let base = full.trim_end_matches('/');
    if found.kind != EntryKind::Folder {
        let _ = list.show(base, &found);
        return Ok(Exit::Good);
    }
    if args.recursive {
        return Ok(list.everything(&*files, &found, base));
    }
    let listed = files.list(&found, &mut |entry| {
        let name = if args.json { &format!("{base}/{}", entry.name) } else { &entry.name };
        list.show(name, &entry)
    });
    listed.map_err(|error| error.to_string())?;
    Ok(Exit::Good)
}

/// Lines on standard output, until whoever reads them has enough.
struct List<'a, 'b> {
    out: &'a mut Lines<'b>,
    as_json: bool,
    closed: bool,
}

impl List<'_, '_> {
    fn partitions(&mut self, disk: &Disk) -> Exit {
        for volume in &disk.volumes {
            let written = if self.as_json {
                let (files, kind) = (disk.can_be_read(volume), volume.kind.to_string());
                self.out.json(&json!({"partition": volume.number, "start": volume.start, "bytes": volume.len,
                    "file_system": kind, "label": volume.label, "files_can_be_read": files}))
            } else {
                self.out.line(format_args!("{}", line(volume)))
            };
            if written.is_err() {
                break;
            }
        }
        Exit::Good
    }

    fn everything(&mut self, files: &dyn Files, folder: &Entry, base: &str) -> Exit {
        let mut exit = Exit::Good;
        let _ = browse::walk(files, folder, base, &mut |path, entry, trouble| {
            if let Some(trouble) = trouble {
                tell!("mule: {path}/: {trouble}");
                exit = Exit::Bad;
                return Next::On;
            }
            if self.show(path, entry).is_break() { Next::Stop } else { Next::On }
        });
        exit
    }

    fn show(&mut self, name: &str, entry: &Entry) -> ControlFlow<()> {
        let (letter, kind) = match entry.kind {
            EntryKind::File => ('-', "file"),
            EntryKind::Folder => ('d', "folder"),
            EntryKind::Link => ('l', "link"),
            EntryKind::Other => ('?', "other"),
        };
        let written = if self.as_json {
            self.out.json(&json!({"path": name, "kind": kind, "bytes": entry.size, "modified": entry.modified}))
        } else {
            let time = entry.modified.map(date).unwrap_or_default();
            self.out.line(format_args!("{letter} {:>14}  {time:20}  {name}", entry.size))
        };
        self.closed |= written.is_err();
        if self.closed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Nothing for times that no calendar of four-digit years has.
fn date(seconds: i64) -> String {
    const YEAR_10000: u64 = 253_402_300_800;
    let time = u64::try_from(seconds).ok().filter(|seconds| *seconds < YEAR_10000);
    let time = time.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    time.map(|time| humantime::format_rfc3339_seconds(time).to_string()).unwrap_or_default()
}

pub(super) fn cat(args: &Cat, out: &mut dyn Write) -> Result<Exit, String> {
    let disk = Disk::open(&args.image)?;
    let volume = disk.choose(args.partition)?;
    let files = open(&volume)?;
    let told = |error: BrowseError| error.to_string();
    let file = browse::find(&*files, &args.path).map_err(told)?;
    browse::cat(&*files, &file, out).map_err(told)?;
    out.flush().map_err(|error| format!("not all of the file was written: {error}"))?;
    Ok(Exit::Good)
}

pub(super) fn extract(args: &Extract) -> Result<Exit, String> {
    let disk = Disk::open(&args.image)?;
    let volume = disk.choose(args.partition)?;
    let files = open(&volume)?;
    let found: Result<Vec<_>, _> =
        args.paths.iter().map(|path| Ok((path, browse::find(&*files, path)?))).collect::<Result<_, BrowseError>>();
    let found = found.map_err(|error| error.to_string())?;
    fs::create_dir_all(&args.to).map_err(|error| format!("{}: {error}", args.to.display()))?;
    let (mut skipped, mut count, mut bytes) = (0_u64, 0_u64, 0_u64);
    for (path, entry) in found {
        let done = browse::extract(&*files, &entry, path, &args.to, &mut |what| {
            skipped += 1;
            tell!("mule: skipped {}: {}", what.path, what.why);
        });
        count += done.files;
        bytes += done.bytes;
    }
    say!("{}: {count} files, {bytes} bytes; skipped {skipped}", args.to.display());
    Ok(if skipped == 0 { Exit::Good } else { Exit::Bad })
}

#[cfg(test)]
mod tests;
