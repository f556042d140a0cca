//! What the guest says on its serial console, as far as tests depend on it.

use anyhow::{Context, Result};
use std::fmt;

/// How a run ended, in the guest's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Ok,
    Exceptions,
    Failed,
    Interrupted,
    Refused,
}

/// What the machine does after the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    PowerOff,
    Reboot,
    Stay,
}

/// The final event: a run without it has failed, whatever else happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Final {
    pub(crate) outcome: Outcome,
    pub(crate) erased: u32,
    pub(crate) exceptions: u32,
    pub(crate) failed: u32,
    pub(crate) interrupted: u32,
    pub(crate) refused: u32,
    /// Drives that the job stays open for; the line has the word only where there are any.
    pub(crate) waiting: u32,
    pub(crate) then: Then,
}

/// A line of the guest that means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The first write to the drive with this serial number is about to happen.
    Writing(String),
    /// An unfinished job goes on.
    Resumed(String),
    Error(String),
    Final(Final),
    /// The final event's words, but not its form.
    BadFinal(String),
    /// The kernel gave up.
    Panic(String),
}

const OUTCOMES: &[(&str, Outcome)] = &[
    ("ok", Outcome::Ok),
    ("exceptions", Outcome::Exceptions),
    ("failed", Outcome::Failed),
    ("interrupted", Outcome::Interrupted),
    ("refused", Outcome::Refused),
];
const THENS: &[(&str, Then)] = &[("power-off", Then::PowerOff), ("reboot", Then::Reboot), ("stay", Then::Stay)];

impl Event {
    /// Reads a line; kernel messages may stand before the guest's words on the same line.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let rest_of = |marker: &str| line.split_once(marker).map(|(_, rest)| rest.trim().to_owned());
        if let Some(rest) = rest_of("MULE FINISHED ") {
            return Some(Final::parse(&rest).map_or(Self::BadFinal(rest), Self::Final));
        }
        if let Some(rest) = rest_of("MULE ERROR: ") {
            return Some(Self::Error(rest));
        }
        if let Some(rest) = rest_of("MULE WRITING ") {
            return Some(Self::Writing(rest));
        }
        if let Some(rest) = rest_of("MULE RESUMED job=") {
            return Some(Self::Resumed(rest));
        }
        rest_of("Kernel panic - not syncing").map(Self::Panic)
    }
}

impl Final {
    fn parse(text: &str) -> Result<Self> {
        let field = |key: &str| -> Result<&str> {
            let found = text.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
            found.with_context(|| format!("no {key}= in {text:?}"))
        };
        let number = |key| -> Result<u32> { field(key)?.parse().with_context(|| format!("{key}= is no number")) };
        Ok(Self {
            outcome: lookup(OUTCOMES, field("outcome")?)?,
            erased: number("erased")?,
            exceptions: number("exceptions")?,
            failed: number("failed")?,
            interrupted: number("interrupted")?,
            refused: number("refused")?,
            waiting: if field("waiting").is_ok() { number("waiting")? } else { 0 },
            then: lookup(THENS, field("then")?)?,
        })
    }
}

fn lookup<T: Copy>(table: &[(&str, T)], word: &str) -> Result<T> {
    let row = table.iter().find(|(name, _)| *name == word);
    row.map(|(_, value)| *value).with_context(|| format!("unknown word {word:?} in the final event"))
}

impl fmt::Display for Final {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?}: {} erased, {} with exceptions, {} failed, {} interrupted, {} refused, {} waiting, then {:?}",
            self.outcome,
            self.erased,
            self.exceptions,
            self.failed,
            self.interrupted,
            self.refused,
            self.waiting,
            self.then
        )
    }
}

/// A console line without escape sequences and control characters.
pub(crate) fn plain(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\x1b' {
            if !c.is_control() {
                plain.push(c);
            }
            continue;
        }
        if chars.next_if_eq(&'[').is_some() {
            // A control sequence ends with a byte from @ to ~; everything before are its parameters.
            while chars.next_if(|c| !('@'..='~').contains(c)).is_some() {}
        }
        chars.next();
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "MULE FINISHED outcome=ok erased=3 exceptions=0 failed=0 interrupted=0 refused=1 then=power-off";

    #[test]
    fn the_final_event_is_read_wherever_it_stands() {
        let line = format!("[   12.5] usb 1-1: reset  {GOOD}");
        let Some(Event::Final(end)) = Event::parse(&line) else { panic!("{line}") };
        assert_eq!((end.outcome, end.erased, end.refused, end.then), (Outcome::Ok, 3, 1, Then::PowerOff));
        assert!(matches!(Event::parse(&format!("{GOOD} later=field")), Some(Event::Final(_))));
    }

    #[test]
    fn a_mangled_final_event_is_none() {
        for bad in
            [GOOD.replace("=ok", "=fine"), GOOD.replace("erased=3", "erased="), GOOD.replace(" then=power-off", "")]
        {
            assert!(matches!(Event::parse(&bad), Some(Event::BadFinal(_))), "{bad}");
        }
        assert_eq!(Event::parse("MULE FINISHE outcome=ok"), None);
    }

    #[test]
    fn the_other_lines() {
        assert_eq!(Event::parse("MULE WRITING S1"), Some(Event::Writing("S1".into())));
        assert_eq!(Event::parse("x MULE ERROR: no drives"), Some(Event::Error("no drives".into())));
        assert_eq!(Event::parse("MULE RESUMED job=0a"), Some(Event::Resumed("0a".into())));
        assert!(matches!(Event::parse("[ 1] Kernel panic - not syncing: x"), Some(Event::Panic(_))));
        assert_eq!(Event::parse("sda: 10 % 30 MB/s"), None);
    }

    #[test]
    fn escape_sequences_go_and_text_stays() {
        assert_eq!(plain(b"\x1b[2J\x1b[1;32mMULE\x1b[0m WRITING\x07 S1\x1bc"), "MULE WRITING S1");
        assert_eq!(plain("Zoë\x1b[?25l é".as_bytes()), "Zoë é");
        assert_eq!(plain(b"ends in \x1b["), "ends in ");
    }
}
