//! What lies beside an unfinished image, `NAME.img.zst.part.job`: which job it belongs to and when it was worked on, signed.
//!
//! A part is gone on with only by the job that began it: the same words, the same options, the same key, the same drive. Its
//! content is proved by the drive, never by this note; what the note proves is how often the work was interrupted. The note lasts
//! until the image has its certificate.

mod apart;

pub use apart::ApartError;
pub(super) use apart::set_apart;

use crate::{
    certify::{key::StickKey, record::Interruption, signature},
    drive::Identity,
    files::{self, beside},
    imagefile::{self, Header},
    job::{issue::hex, record::time},
    journal::event::JobId,
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

const FORMAT: &str = "mule-part/2";
/// Where the signature begins in the file.
const ARMOUR: &str = "-----BEGIN SSH SIGNATURE-----";
/// More than any note needs.
const MAX: u64 = 1 << 20;
/// Runs that are kept account of.
const RUNS: usize = 200;

/// What an image is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Somebody wants it.
    Image,
    /// The safety net of a job that destroys: never gone on with.
    Keep,
    /// It is put together from other images.
    Flatten,
}

/// The drive that an image is of, as it says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Of {
    model: String,
    serial: String,
    /// Blank where it has none.
    wwn: String,
    bytes: u64,
}

impl From<&Identity> for Of {
    fn from(id: &Identity) -> Self {
        let wwn = id.wwn.clone().unwrap_or_default();
        Self { model: id.model.clone(), serial: id.serial.clone(), wwn, bytes: id.bytes }
    }
}

impl From<&Header> for Of {
    fn from(of: &Header) -> Self {
        Self { model: of.model.clone(), serial: of.serial.clone(), wwn: of.wwn.clone(), bytes: of.disk_bytes }
    }
}

/// One run of the program over the image. Milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    /// The job of the log, hexadecimal; blank where it is none.
    job: String,
    started: u64,
    /// The last sign of it.
    seen: u64,
    /// What the next run made of what it found; blank before there is one.
    then: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    format: String,
    purpose: Purpose,
    /// BLAKE3 of what was asked for, hexadecimal.
    request: String,
    drive: Of,
    runs: Vec<Run>,
}

/// Whose hands make an image.
#[derive(Debug, Clone, Copy)]
pub struct Hand<'a> {
    pub key: &'a StickKey,
    /// BLAKE3 of what was asked for.
    pub request: [u8; 32],
    /// The job of the log, where it is one.
    pub job: Option<JobId>,
}

/// The unfinished image as it is called until it is whole.
pub(super) fn part_of(image: &Path) -> PathBuf {
    beside(image, ".part")
}

fn note_of(image: &Path) -> PathBuf {
    beside(image, ".part.job")
}

fn read(image: &Path, hand: Hand<'_>) -> Option<Note> {
    let text = String::from_utf8(files::read(&note_of(image), MAX).ok()?).ok()?;
    let (body, armour) = text.split_at(text.find(ARMOUR)?);
    let key = signature::verify(body.as_bytes(), armour).ok()?;
    let note: Note = serde_json::from_str(body).ok()?;
    let ours = key.0 == hand.key.public() && note.format == FORMAT && note.request == hex(&hand.request);
    Some(note).filter(|_| ours)
}

/// The account of the runs over one image.
#[derive(Debug)]
pub struct Account {
    image: PathBuf,
    note: Note,
    key: StickKey,
    clock: fn() -> u64,
    /// Milliseconds between two signs of life.
    every: u64,
    /// How many runs of the note came before this one.
    earlier: usize,
}

impl Account {
    /// Begins a run over the image of a drive; earlier runs of the same job are taken in where the note about them holds.
    pub(super) fn open(
        image: &Path,
        of: Of,
        purpose: Purpose,
        hand: Hand<'_>,
        (clock, every): (fn() -> u64, u64),
    ) -> Self {
        let ours = |note: &Note| note.purpose == purpose && note.drive == of && note.runs.len() < RUNS;
        let found = read(image, hand).filter(ours);
        let now = clock();
        let mut note = found.unwrap_or_else(|| Note {
            format: FORMAT.into(),
            purpose,
            request: hex(&hand.request),
            drive: of,
            runs: Vec::new(),
        });
        let earlier = note.runs.len();
        let job = hand.job.map(|job| hex(&job)).unwrap_or_default();
        note.runs.push(Run { job, started: now, seen: now, then: String::new() });
        Self { image: image.into(), note, key: hand.key.clone(), clock, every, earlier }
    }

    /// Whether a run of this job was there before.
    pub(super) fn goes_on(&self) -> bool {
        self.earlier > 0
    }

    /// When the first run began.
    pub fn began(&self) -> u64 {
        self.note.runs.first().map_or(0, |run| run.started)
    }

    /// What became of what the last run left.
    pub(super) fn found(&mut self, what: &str) {
        if let Some(last) = self.earlier.checked_sub(1) {
            self.note.runs[last].then = what.into();
        }
    }

    /// The interruptions so far, as certificates name them.
    pub fn interruptions(&self) -> Vec<Interruption> {
        let pairs = self.note.runs.iter().zip(self.note.runs.iter().skip(1));
        let pause = |(run, next): (&Run, &Run)| Interruption {
            last_seen: time(Some(run.seen)),
            resumed: time(Some(next.started)),
            detail: if run.then.is_empty() { "nothing of it was gone on with".into() } else { run.then.clone() },
        };
        pairs.map(pause).collect()
    }

    /// On the medium, whole or as it was before.
    pub(super) fn keep(&mut self) -> io::Result<()> {
        let now = (self.clock)();
        if let Some(run) = self.note.runs.last_mut() {
            run.seen = now;
        }
        let mut body = serde_json::to_string_pretty(&self.note)?;
        body.push('\n');
        let armour = self.key.sign(body.as_bytes()).map_err(io::Error::other)?;
        files::replace(&note_of(&self.image), format!("{body}{armour}").as_bytes())
    }

    fn is_due(&self) -> bool {
        let seen = self.note.runs.last().map_or(0, |run| run.seen);
        (self.clock)().saturating_sub(seen) > self.every
    }
}

/// Signs of life, from whichever thread has something to say.
#[derive(Debug)]
pub struct Alive(Mutex<Account>);

impl Alive {
    pub(super) fn new(account: Account) -> Self {
        Self(Mutex::new(account))
    }

    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Account) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Now and then; a store that takes no note takes no image either, and says so there.
    pub(super) fn sign(&self) {
        self.with(|account| {
            if account.is_due() {
                let _ = account.keep();
            }
        });
    }
}

/// Removes an unfinished image with everything that lies beside it.
pub(super) fn discard(image: &Path) -> io::Result<()> {
    imagefile::remove(&part_of(image))?;
    forget(image)
}

/// Removes what lay beside an unfinished image.
pub(super) fn forget(image: &Path) -> io::Result<()> {
    files::remove(&beside(image, ".map"))?;
    forget_job(image)
}

/// Removes the account alone: the map of what is bad stays.
pub(super) fn forget_job(image: &Path) -> io::Result<()> {
    files::remove(&note_of(image))
}

/// The image of this drive in a folder that this job began and did not come to certify, if there is one; by its name as a whole
/// image, which it may have already. A safety net that is whole is none that is to be made.
pub(super) fn of_job(dir: &Path, id: &Identity, purpose: Purpose, hand: Hand<'_>) -> Option<PathBuf> {
    let is_it = |image: &PathBuf| {
        let begun = read(image, hand).is_some_and(|note| note.purpose == purpose && note.drive == Of::from(id));
        begun && (purpose == Purpose::Image || imagefile::names_of(image).is_empty())
    };
    let names = fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path());
    let mut images: Vec<_> =
        names.filter_map(|path| Some(PathBuf::from(path.to_str()?.strip_suffix(".part.job")?))).filter(is_it).collect();
    images.sort();
    images.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::tests::rig::clock;

    #[test]
    fn only_the_job_that_began_an_image_finds_its_account() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("a.img.zst");
        let (key, other) = (StickKey::from_seed(&[1; 32]), StickKey::from_seed(&[2; 32]));
        let hand = Hand { key: &key, request: [7; 32], job: Some([5; 16]) };
        let id = Identity { model: "M".into(), serial: "S".into(), wwn: Some("naa.1".into()), bytes: 512 };
        let open = |purpose, hand| Account::open(&image, Of::from(&id), purpose, hand, (clock, 0));
        let mut first = open(Purpose::Image, hand);
        assert!(!first.goes_on() && first.interruptions().is_empty());
        first.keep().unwrap();
        let mut second = open(Purpose::Image, hand);
        second.found("byte 5 is not the same");
        assert_eq!((second.began(), second.interruptions().len()), (first.began(), 1));
        assert_eq!(second.interruptions()[0].detail, "byte 5 is not the same");
        for (purpose, hand) in [
            (Purpose::Keep, hand),
            (Purpose::Image, Hand { key: &other, ..hand }),
            (Purpose::Image, Hand { request: [8; 32], ..hand }),
        ] {
            assert!(!open(purpose, hand).goes_on());
        }
        for other in [Identity { wwn: None, ..id.clone() }, Identity { bytes: 1, ..id.clone() }] {
            assert!(!Account::open(&image, Of::from(&other), Purpose::Image, hand, (clock, 0)).goes_on());
            assert_eq!(of_job(dir.path(), &other, Purpose::Image, hand), None);
        }
        assert_eq!(of_job(dir.path(), &id, Purpose::Image, hand), Some(image.clone()));
        let text = fs::read_to_string(note_of(&image)).unwrap();
        fs::write(note_of(&image), text.replace("\"seen\": 1", "\"seen\": 2")).unwrap();
        assert!(!open(Purpose::Image, hand).goes_on(), "a note that was changed");
    }
}
