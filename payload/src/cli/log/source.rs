//! Where a log lies: in a stick or its image, a bare partition, or a file of this host.

use super::super::host;
use crate::{
    boot::medium,
    journal::{
        FileMedium, JournalError, Medium,
        replay::{Contradiction, Replay},
        scan::{self, Placed, Scan},
        superblock::{Found, Superblock},
    },
};
use mule_types::stick::IdSector;
use serde_json::{Value, json};
use std::{
    fs, io,
    io::{Seek, SeekFrom},
    path::{Path, PathBuf},
};

pub(in crate::cli) use scan::Reach;

/// What a target holds.
pub(in crate::cli) enum Holding {
    /// A log nobody has written to.
    Blank {
        name: String,
    },
    Log(Box<Log>),
}

/// A log that was read.
pub(in crate::cli) struct Log {
    /// As the user calls it.
    pub name: String,
    pub superblock: Superblock,
    /// Whether both copies of the first block are whole and equal.
    pub intact: bool,
    pub scan: Scan,
    /// The first entry that cannot be true after those before it.
    pub contradiction: Option<Contradiction>,
}

/// Something about a log that is worth saying.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Oddity {
    Damage,
    Unreadable,
    Contradiction,
    Torn,
    OneCopy,
}

impl Log {
    /// Every entry, and whether the chain proves it; those behind damage it does not.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Placed, bool)> {
        let chained = self.scan.entries.iter().map(|placed| (placed, true));
        chained.chain(self.scan.beyond.iter().map(|placed| (placed, false)))
    }

    /// Whether every entry is there, and none contradicts another.
    pub(super) fn is_whole(&self) -> bool {
        self.scan.end.damage.is_none() && self.contradiction.is_none()
    }

    /// What is not as it should be, in words.
    pub(super) fn oddities(&self) -> Vec<(Oddity, String)> {
        let mut found = Vec::new();
        let end = &self.scan.end;
        if let Some(damage) = &end.damage {
            let (at, reason, behind) = (damage.at, &damage.reason, self.scan.beyond.len());
            let text = format!("DAMAGED at byte {at} of the log: {reason}; {behind} whole entries lie behind it");
            found.push((Oddity::Damage, text));
        }
        if let Some(bad) = &end.unreadable {
            let text = format!(
                "{} sectors of the log cannot be read, the first at byte {}: {}; everything else was read",
                bad.sectors, bad.first, bad.error
            );
            found.push((Oddity::Unreadable, text));
        }
        if let Some(Contradiction { sequence, at, reason }) = &self.contradiction {
            let text = format!("DAMAGED: entry {sequence}, at byte {at} of the log, cannot be true: {reason}");
            found.push((Oddity::Contradiction, text));
        }
        if let Some(at) = end.torn {
            let text = format!(
                "the last entry, at byte {at} of the log, is incomplete: the power went while it was written (or it is \
                 being written now); nothing it would have announced was begun"
            );
            found.push((Oddity::Torn, text));
        }
        if !self.intact {
            let text = "one of the two copies of the log's first block is damaged or cannot be read; the next start \
                        repairs it";
            found.push((Oddity::OneCopy, text.into()));
        }
        found
    }

    /// Whose log it is; the secret half of the key stays out.
    pub(super) fn heading(&self) -> Value {
        let key = self.superblock.key.public_key();
        json!({
            "log": "mule-log/1", "image": self.superblock.image.to_string(), "stick": key.stick_id(),
            "key": key.openssh(), "fingerprint": key.fingerprint(), "entries": self.scan.end.next,
            "anchor": super::render::hex(&self.superblock.anchor()),
        })
    }
}

/// Opens and reads a log; `None` is this host's own.
pub(in crate::cli) fn read(target: Option<&Path>, reach: Reach) -> Result<Holding, String> {
    let path: PathBuf = target.map_or_else(|| host::log_file(&host::default_state()), Path::to_owned);
    let name = path.display().to_string();
    if target.is_none() && !path.exists() {
        return Err(format!("this host has no log yet ({name}); name a stick, an image or a log file"));
    }
    let unreadable = |error: io::Error| {
        let hint = if error.kind() == io::ErrorKind::PermissionDenied { " (try as root)" } else { "" };
        format!("{name}: {error}{hint}")
    };
    let (start, len, on_stick) = place(&path).map_err(unreadable)?;
    let mut medium = FileMedium::open_read_only(&path, start, len).map_err(unreadable)?;
    read_medium(name, &mut medium, on_stick, reach)
}

/// Reads a log; `on_stick` where an id sector says that there is one.
pub(super) fn read_medium(
    name: String,
    medium: &mut dyn Medium,
    on_stick: bool,
    reach: Reach,
) -> Result<Holding, String> {
    let (superblock, intact) = match Superblock::read(medium) {
        Ok(Found::Blank) => return Ok(Holding::Blank { name }),
        Ok(Found::Whole { superblock, intact }) => (*superblock, intact),
        Err(JournalError::NoSuperblock | JournalError::TooSmall { .. }) if !on_stick => {
            return Err(format!(
                "{name}: this is neither a Mule stick, nor an image of one, nor its log partition, nor a log file (or \
                 the beginning of it is destroyed)"
            ));
        }
        Err(error) => return Err(format!("{name}: {error}")),
    };
    let scan = scan::collect(medium, &superblock, reach).map_err(|error| format!("{name}: {error}"))?;
    let contradiction = Replay::of(&scan.entries).contradiction;
    Ok(Holding::Log(Box::new(Log { name, superblock, intact, scan, contradiction })))
}

/// Start and length of the log in bytes, and whether a stick's id sector says so.
fn place(path: &Path) -> io::Result<(u64, u64, bool)> {
    // The length of a block device is where its end is; its metadata say 0.
    let len = fs::File::open(path)?.seek(SeekFrom::End(0))?;
    let id = match medium::read_id_sector(path) {
        Ok(sector) => IdSector::decode(&sector),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
        Err(error) => return Err(error),
    };
    let Some(id) = id else { return Ok((0, len, false)) };
    if id.log_start.checked_add(id.log_len).is_none_or(|end| end > len) {
        let text = format!("it is cut short: the log should lie at byte {}, but it ends at {len}", id.log_start);
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok((id.log_start, id.log_len, true))
}
