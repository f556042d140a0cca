//! The log: a superblock pair, then frames, each chained to the one before and on the medium before the act it announces.
//!
//! Whole frames are never overwritten. A *torn tail*, the remains of one frame that the power cut short, is where the next
//! frame goes. Damage with whole frames behind it is an error: nothing is appended to a log that lost something.

pub mod bounded;
pub mod event;
mod frame;
pub mod medium;
mod reader;
pub mod replay;
pub mod scan;
pub mod superblock;

pub use event::Verify;
pub use frame::SECTOR;
pub use medium::{FileMedium, Medium};

use crate::{
    certify::key::{PublicStickKey, StickKey},
    random,
};
use event::{Entry, Event};
use mule_types::stick::ImageId;
use replay::Replay;
use scan::Reach;
use std::io;
use superblock::{FRAMES, Found, Superblock};
use zeroize::Zeroizing;

/// A log with room for fewer bytes of frames is refused.
pub const MIN_FRAMES: u64 = 256 * 1024;

/// What can go wrong with the log. Each of these stops a run, and each leaves the log readable with `mule log show`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The medium failed.
    #[error("{doing} failed: {detail}; the stick may be worn out or unplugged")]
    Io { doing: &'static str, detail: String },
    /// A part of the log cannot be read: what it says is not known.
    #[error(
        "the log cannot be read at byte {at} ({detail}): the stick may be worn out or unplugged. Save what can be read with \
         `mule log export` on another machine, then write the stick, or a new one, from mule.img"
    )]
    Unreadable { at: u64, detail: String },
    /// The partition is smaller than any log.
    #[error("the log partition has only {len} bytes; write the stick anew from mule.img")]
    TooSmall { len: u64 },
    /// Both copies of the first block are damaged.
    #[error(
        "the log partition is damaged: neither copy of its first block can be read. Save it if it matters, then write the stick anew from mule.img"
    )]
    NoSuperblock,
    /// The log was made by a stick from another image.
    #[error(
        "the log belongs to another stick image ({found}, this system is {expected}); write the stick anew from mule.img"
    )]
    AnotherImage { found: ImageId, expected: ImageId },
    /// Whole frames lie behind a damaged place.
    #[error(
        "the log is damaged at byte {at}: {reason}. Look at it with `mule log show`, save it, then write the stick anew"
    )]
    Damaged { at: u64, reason: String },
    /// Only the reserve is left.
    #[error("the log is full ({free} bytes are left); save it with `mule log export`, then write the stick anew")]
    Full { free: u64 },
    /// A new job would fill it.
    #[error(
        "the log is nearly full: this job needs about {needed} bytes, {free} are left; save it with `mule log export`, then write the stick anew"
    )]
    NearlyFull { needed: u64, free: u64 },
    /// An earlier write failed; the log is not written any more.
    #[error("the log stopped earlier: {0}")]
    Poisoned(String),
    /// The first block has no room for another key.
    #[error(
        "the log holds {} keys already, each made where its medium showed another model, serial number or size; save it with \
         `mule log export`, then write the stick anew",
        superblock::MAX_ASIDE + 1
    )]
    TooManyKeys,
    /// The kernel gave no random bytes for a key.
    #[error("no random bytes from the kernel for a new key: {0}")]
    NoRandom(String),
}

impl JournalError {
    fn io(doing: &'static str, error: io::Error) -> Self {
        Self::Io { doing, detail: error.to_string() }
    }

    fn unreadable(at: u64, error: &io::Error) -> Self {
        Self::Unreadable { at, detail: error.to_string() }
    }
}

/// The last frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its number; the first has 0.
    pub sequence: u64,
    /// Its BLAKE3.
    pub hash: [u8; 32],
}

/// A log that can be appended to.
pub struct Journal {
    medium: Box<dyn Medium>,
    superblock: Superblock,
    next: u64,
    position: u64,
    previous: [u8; 32],
    broken: Option<String>,
    exchanged: Option<Exchanged>,
}

/// What became of the key when the log was opened on what says otherwise of itself than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchanged {
    /// The key put aside.
    pub old: PublicStickKey,
    /// The one that signs.
    pub new: PublicStickKey,
    /// Whether that one was made earlier and put aside.
    pub returned: bool,
}

impl std::fmt::Display for Exchanged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (old, new) = (self.old.stick_id(), self.new.stick_id());
        if self.returned {
            return write!(
                f,
                "the medium of the log shows the model, serial number and size of an earlier time: its key of then, {new}, signs \
                 again; {old} is put aside"
            );
        }
        write!(
            f,
            "the medium of the log shows another model, serial number or size than the one the key {old} was made for (a copy, \
             or another port or driver): a new key, {new}, signs; the old one is put aside and comes back with what it was made for"
        )
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("next", &self.next).field("position", &self.position).finish_non_exhaustive()
    }
}

/// What a log must belong to.
#[derive(Debug, Clone, Copy)]
pub struct Owner {
    /// The image the system was started from.
    pub image: ImageId,
    /// BLAKE3 of what the log is bound to: model, serial number and size of a stick, or the id of a host.
    pub binding: [u8; 32],
}

/// The binding of a log that was never bound to anything: a host's log, before those were bound to their machine.
const UNBOUND: [u8; 32] = [0; 32];

impl Owner {
    /// The binding to a medium.
    pub fn of(image: ImageId, identity: &crate::drive::Identity) -> Self {
        let text = format!("{:?}", (&identity.model, &identity.serial, identity.bytes));
        Self { image, binding: *blake3::hash(text.as_bytes()).as_bytes() }
    }
}

impl Journal {
    /// Opens a log, formats a blank one, repairs a damaged copy of the first block, cuts a torn tail, and gives a duplicate
    /// a key of its own. What is kept in memory are the unfinished jobs, not the entries (see [`Replay::add`]).
    ///
    /// # Errors
    /// [`JournalError::Unreadable`] for any place that cannot be read, but for one copy of the first block where the other
    /// is whole; [`JournalError::Damaged`] for damage no torn write explains; nothing is written to the log then.
    pub fn open(mut medium: Box<dyn Medium>, owner: Owner, now: u64) -> Result<(Self, Replay), JournalError> {
        let (superblock, intact) = match Superblock::read(&mut *medium)? {
            Found::Blank => (format(&mut *medium, owner)?, true),
            Found::Whole { superblock, .. } if superblock.image != owner.image => {
                return Err(JournalError::AnotherImage { found: superblock.image, expected: owner.image });
            }
            Found::Whole { superblock, intact } => (*superblock, intact),
        };
        let mut replay = Replay::default();
        let mut logged_key = None;
        let end = scan::walk(&mut *medium, &superblock, Reach::Start, &mut |placed, chained| {
            if let Event::KeyMade { public, .. } = placed.entry.event {
                logged_key = Some(public);
            }
            if chained {
                replay.add(&placed);
            }
        })?;
        if let Some(damage) = end.damage {
            return Err(JournalError::Damaged { at: damage.at, reason: damage.reason });
        }
        if !intact {
            superblock.repair(&mut *medium)?;
        }
        let mut journal = Self {
            medium,
            next: end.next,
            position: end.position,
            previous: end.previous,
            superblock,
            broken: None,
            exchanged: None,
        };
        if end.next == 0 {
            journal.append(now, &Event::Created { image: owner.image.0 })?;
        } else if let Some(torn) = end.torn {
            journal.note_torn(torn, now)?;
        }
        journal.announce_key(logged_key, owner, now)?;
        Ok((journal, replay))
    }

    /// A log without room for a note opens all the same; the next frame takes the torn one's place.
    fn note_torn(&mut self, torn: u64, now: u64) -> Result<(), JournalError> {
        let text = bounded::Text::new(&format!("a torn frame at byte {torn} was cut off"));
        match self.append(now, &Event::Note { text }) {
            Ok(_) | Err(JournalError::Full { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Gives a copy of another medium a key of its own (see [`Superblock::rebind`]), and logs any key that is not logged yet: the
    /// power may have gone between making and logging it. A log that was bound to nothing keeps its key and is bound now.
    fn announce_key(&mut self, logged: Option<[u8; 32]>, owner: Owner, now: u64) -> Result<(), JournalError> {
        if self.superblock.binding != owner.binding {
            if self.superblock.binding == UNBOUND {
                self.superblock.binding = owner.binding;
            } else {
                let old = self.key().public_key();
                let returned = self.superblock.rebind(owner.binding, new_key)?;
                self.exchanged = Some(Exchanged { old, new: self.key().public_key(), returned });
            }
            self.superblock.generation += 1;
            self.superblock.write(&mut *self.medium)?;
        }
        let public = self.key().public();
        if logged != Some(public) {
            self.append(now, &Event::KeyMade { public, replaces: logged })?;
        }
        Ok(())
    }

    /// Writes an event and returns when it is on the medium. After any failure nothing is written any more.
    pub fn append(&mut self, now: u64, event: &Event) -> Result<Head, JournalError> {
        if let Some(error) = &self.broken {
            return Err(JournalError::Poisoned(error.clone()));
        }
        let entry = Entry { at: now, event: event.clone() };
        let (bytes, hash) = frame::encode(self.next, &self.previous, &entry)
            .map_err(|e| JournalError::Io { doing: "encoding a log entry", detail: e.to_string() })?;
        let reserve = match claim(event) {
            Claim::All => 0,
            Claim::Half => self.reserve() / 2,
            Claim::None => self.reserve(),
        };
        if self.free_bytes() < bytes.len() as u64 + reserve {
            return Err(JournalError::Full { free: self.free_bytes() });
        }
        if let Err(error) = self.medium.write_at(self.position, &bytes) {
            let error = JournalError::io("writing the log", error);
            self.broken = Some(error.to_string());
            return Err(error);
        }
        self.position += bytes.len() as u64;
        self.previous = hash;
        self.next += 1;
        Ok(self.head())
    }

    /// The last frame.
    pub fn head(&self) -> Head {
        Head { sequence: self.next.saturating_sub(1), hash: self.previous }
    }

    /// The stick's key.
    pub fn key(&self) -> &StickKey {
        &self.superblock.key
    }

    /// What became of the key when the log was opened, where it is another than before.
    pub fn exchanged(&self) -> Option<Exchanged> {
        self.exchanged
    }

    /// Bytes not yet written, the reserve included.
    pub fn free_bytes(&self) -> u64 {
        self.medium.len() - self.position
    }

    /// Bytes kept for the entries that end things: 1 MiB, or a sixteenth of a small log; see [`Claim`].
    fn reserve(&self) -> u64 {
        ((self.medium.len() - FRAMES) / 16).min(1 << 20)
    }

    /// Whether a job of about `needed` bytes of entries fits.
    pub fn room_for_job(&self, needed: u64) -> Result<(), JournalError> {
        let free = self.free_bytes();
        if free.saturating_sub(self.reserve()) < needed {
            Err(JournalError::NearlyFull { needed, free })
        } else {
            Ok(())
        }
    }
}

/// How much of the reserve an entry may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    /// All of it: what ends a drive or a job, and the key without which no log opens.
    All,
    /// Its first half: what a machine writes at every start and stop must not use up what a job's end needs.
    Half,
    None,
}

fn claim(event: &Event) -> Claim {
    match event {
        Event::DriveFinished { .. } | Event::Certified { .. } | Event::JobFinished { .. } | Event::KeyMade { .. } => {
            Claim::All
        }
        Event::Refused { .. } | Event::Boot { .. } | Event::Note { .. } | Event::Shutdown => Claim::Half,
        _ => Claim::None,
    }
}

fn new_key() -> Result<StickKey, JournalError> {
    let seed = random::bytes().map_err(|e| JournalError::NoRandom(e.to_string()))?;
    Ok(StickKey::from_seed(&Zeroizing::new(seed)))
}

fn format(medium: &mut dyn Medium, owner: Owner) -> Result<Superblock, JournalError> {
    let origin = random::bytes().map_err(|e| JournalError::NoRandom(e.to_string()))?;
    let Owner { image, binding } = owner;
    let superblock = Superblock { generation: 1, image, binding, origin, key: new_key()?, aside: Vec::new() };
    superblock.write(medium)?;
    Ok(superblock)
}

#[cfg(test)]
mod tests;
