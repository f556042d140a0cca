//! `mule verify`: is a drive blank, does it hold this pattern, or this image?

use super::{
    Exit,
    copying::{self, Common, watched},
    host, said,
};
use crate::{
    discover::Roots,
    drive::Access,
    engine::{
        extents::Ranges,
        pattern::Pattern,
        sweep::{End, Found, Limits, Observer},
    },
    job::{
        copy::run::{self, open_content},
        verify::{Answer, Expect, Extent, verify},
    },
    journal::event::Action,
    random, say,
};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Arguments of `mule verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule verify /dev/sdx                    is every block 00, or every block FF?
  mule verify --expect FF /dev/sdx        does it hold FF everywhere?
  mule verify --expect 924924 /dev/sdx    does it hold these three bytes, repeated?
  mule verify --sampled /dev/sdx          read 10 % in random places (NIST SP 800-88 Rev. 1, 4.7)
  mule verify --image a.img.zst /dev/sdx  does it hold what the image holds? (certified)

Nothing is written to a drive. Exit code 0: yes; 1: no, or it could not all be read; 2: not done.")]
pub struct Args {
    /// Block devices or regular files
    #[arg(required = true, value_name = "DEV")]
    devices: Vec<PathBuf>,
    /// What it should hold: `blank`, one byte or three bytes in hexadecimal
    #[arg(long, default_value = "blank", value_parser = expectation)]
    expect: Expect,
    /// Read a sample instead of every block
    #[arg(long)]
    sampled: bool,
    /// Compare with this image, NAME.img.zst with its manifest beside it; each drive gets a certificate
    #[arg(long, value_name = "IMAGE", conflicts_with_all = ["expect", "sampled"])]
    image: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

fn expectation(text: &str) -> Result<Expect, String> {
    let digits = text.replace([' ', '_'], "");
    let byte = |at: usize| digits.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    match (text, digits.len(), byte(0)) {
        ("blank", ..) => Ok(Expect::Blank),
        (_, 2, Some(only)) => Ok(Expect::Pattern(Pattern::Byte(only))),
        (_, 6, Some(first)) => match (byte(2), byte(4)) {
            (Some(second), Some(third)) => Ok(Expect::Pattern(Pattern::Triple([first, second, third]))),
            _ => Err("three bytes are six hexadecimal digits".into()),
        },
        _ => Err("expected `blank`, two hexadecimal digits (a byte) or six (three bytes)".into()),
    }
}

/// Verifies each device in turn.
pub fn run(args: &Args) -> Exit {
    if let Some(image) = &args.image {
        return said(against(image, args));
    }
    let mut exit = Exit::Good;
    for path in &args.devices {
        let one = match check(path, args) {
            Ok((answer, block)) => {
                report(path, &answer, block, args.common.json);
                if answer.is_yes() { Exit::Good } else { Exit::Bad }
            }
            Err(error) => {
                tell!("mule: {error}");
                Exit::Refused
            }
        };
        exit = exit.max(one);
    }
    exit
}

/// Drives against an image, all at once.
fn against(image: &Path, args: &Args) -> Result<Exit, String> {
    let common = &args.common;
    let name = image.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let content = open_content(image)?;
    let sources = copying::sources(&args.devices)?;
    let drives: Vec<_> = sources.iter().map(|source| source.drive().identity.to_string()).collect();
    let asked = format!("{:?}", ("mule-verify-image/2", &name, content.root(), drives, common.operator()));
    let job = common.job(format!("Verify against {name}"), Action::Verify, &asked)?;
    Ok(common.report(&watched(|watcher| run::check(job, content, sources, watcher))))
}

/// The answer, and bytes of a block.
fn check(path: &Path, args: &Args) -> Result<(Answer, u64), String> {
    let extent = if args.sampled {
        Extent::Sampled(random::bytes().map_err(|e| format!("no random places from the kernel: {e}"))?)
    } else {
        Extent::Full
    };
    let mut drive = host::claimed(&Roots::default(), path, Access::ReadOnly)?;
    let geometry = crate::drive::DataPlane::geometry(&drive);
    let mut line = Line::new(path, geometry.bytes());
    let answer = verify(&mut drive, args.expect, extent, Limits::default(), &mut line)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    line.clear();
    Ok((answer, geometry.logical().into()))
}

fn report(path: &Path, answer: &Answer, block: u64, as_json: bool) {
    let found = &answer.found;
    let ranges = |r: &Ranges| -> Vec<_> {
        r.as_slice().iter().take(100).map(|r| json!({"start": r.start, "bytes": r.len})).collect()
    };
    if as_json {
        let object = json!({
            "device": path.to_string_lossy(), "expected": answer.expected, "answer": answer.is_yes(), "end": end(&answer.end),
            "bytes_planned": answer.planned, "bytes_matched": found.bytes,
            "bytes_different": found.different.bytes(), "bytes_unreadable": found.unreadable.bytes(),
            "different": ranges(&found.different), "unreadable": ranges(&found.unreadable),
        });
        say::json(&object);
        return;
    }
    let verdict = if answer.is_yes() { "yes" } else { "NO" };
    say!("{}: {verdict}: expected {}", path.display(), answer.expected);
    say!("    {} of {} bytes read hold it", found.bytes, answer.planned);
    for (what, ranges) in [("hold something else", &found.different), ("could not be read", &found.unreadable)] {
        places(what, ranges, block).iter().for_each(|line| say!("    {line}"));
    }
    if answer.end != End::Complete {
        say!("    {}", end(&answer.end));
    }
}

/// Blocks, for a block is what is compared and read: how many of its bytes are wrong is not known.
fn places(what: &str, ranges: &Ranges, block: u64) -> Option<String> {
    let first = ranges.as_slice().first()?;
    let count = ranges.bytes().div_ceil(block.max(1));
    let blocks = if count == 1 { "block" } else { "blocks" };
    let what = if count == 1 { what.replace("hold ", "holds ") } else { what.into() };
    Some(format!("{count} {blocks} of {block} bytes {what}, the first at byte {}", first.start))
}

fn end(end: &End) -> String {
    match end {
        End::Complete => "read to the end".into(),
        End::Stopped => "stopped".into(),
        End::Failed(error) => error.to_string(),
        End::TooManyBad => {
            "stopped: it differs or fails in more than 1000 separate places, or 4 MiB of it cannot be read".into()
        }
    }
}

/// A line of progress on a terminal, none elsewhere.
struct Line {
    name: String,
    total: u64,
    done: u64,
    drawn: Instant,
    terminal: bool,
}

impl Line {
    fn new(path: &Path, total: u64) -> Self {
        let name = path.display().to_string();
        Self { name, total: total.max(1), done: 0, drawn: Instant::now(), terminal: host::is_terminal() }
    }

    fn clear(&self) {
        if self.terminal {
            say::progress_end();
        }
    }
}

impl Observer for Line {
    fn advanced(&mut self, bytes: u64) {
        self.done += bytes;
        if self.terminal && self.drawn.elapsed() > Duration::from_millis(200) {
            self.drawn = Instant::now();
            say::progress(format_args!("{}: {} %", self.name, self.done * 100 / self.total));
        }
    }

    fn checkpoint(&mut self, _offset: u64, _found: &Found) {}

    fn stop(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_byte_is_told_as_the_block_it_lies_in() {
        let mut ranges = Ranges::default();
        assert_eq!(places("hold something else", &ranges, 512), None);
        ranges.insert(1024, 512);
        let told = places("hold something else", &ranges, 512).unwrap();
        assert_eq!(told, "1 block of 512 bytes holds something else, the first at byte 1024");
        ranges.insert(8192, 4096);
        let told = places("could not be read", &ranges, 512).unwrap();
        assert_eq!(told, "9 blocks of 512 bytes could not be read, the first at byte 1024");
    }
}
