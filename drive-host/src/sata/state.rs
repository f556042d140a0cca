//! What a disk keeps when everything loses its supply: lines of a name and values, beside the cells.

use super::{
    SataDisk,
    options::Word,
    sanitize::{Action, State},
    security::Password,
};
use anyhow::{Context, Result, bail};
use std::{fmt::Write, fs, path::PathBuf};

impl SataDisk {
    fn state_file(&self) -> PathBuf {
        let mut path = self.options.path.clone().into_os_string();
        path.push(".state");
        path.into()
    }

    /// Takes up what the disk was when the program last ended; nothing where it remembers nothing.
    pub(super) fn remember_from_before(&mut self) -> Result<()> {
        let path = self.state_file();
        if !self.options.has(Word::Remembers) || !path.exists() {
            return Ok(());
        }
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        self.bad.clear();
        self.security.user = None;
        for line in text.lines() {
            self.take_line(line).with_context(|| format!("{}: {line:?}", path.display()))?;
        }
        let frozen = self.security.frozen;
        self.limits.power_on();
        self.security.power_on();
        self.security.frozen = frozen;
        self.health.power_cycles += 1;
        self.remembered = text;
        Ok(())
    }

    /// Writes the state down where it changed.
    pub(super) fn remember(&mut self) {
        if !self.options.has(Word::Remembers) {
            return;
        }
        let text = self.state_text();
        if text == self.remembered {
            return;
        }
        let (path, new) = (self.state_file(), self.state_file().with_extension("state-new"));
        match fs::write(&new, &text).and_then(|()| fs::rename(&new, &path)) {
            Ok(()) => self.remembered = text,
            Err(error) => eprintln!("drive-host: {} cannot be written: {error}", path.display()),
        }
    }

    fn state_text(&self) -> String {
        let mut text = format!("native {}\nlasting {}\n", self.limits.native, self.limits.lasting);
        let mut line = |words: String| {
            text.push_str(&words);
            text.push('\n');
        };
        if let Some(user) = &self.security.user {
            line(format!("user {} {}", hex(user), u8::from(self.security.maximum)));
        }
        line(format!("master {} {}", hex(&self.security.master), self.security.master_identifier));
        match self.sanitize.state {
            State::Idle => {}
            State::Failed { clearable } => line(format!("sanitize failed {}", u8::from(clearable))),
            State::Running { action, clearable, .. } => {
                line(format!("sanitize {} {}", action_text(action), u8::from(clearable)));
            }
        }
        line(format!("sanitized {} {}", u8::from(self.sanitize.completed), self.sanitize.scrambles));
        let h = &self.health;
        line(format!("health {} {} {} {}", h.reallocated, h.pending, h.uncorrectable, h.power_cycles));
        self.bad.iter().for_each(|lba| line(format!("bad {lba}")));
        text
    }

    fn take_line(&mut self, line: &str) -> Result<()> {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |text: &str| text.parse::<u64>().with_context(|| format!("{text:?} is no number"));
        match words[..] {
            ["native", sectors] => self.limits.native = number(sectors)?,
            ["lasting", sectors] => self.limits.lasting = number(sectors)?,
            ["user", password, maximum] => {
                (self.security.user, self.security.maximum) = (Some(unhex(password)?), maximum == "1");
            }
            ["master", password, identifier] => {
                self.security.master = unhex(password)?;
                self.security.master_identifier =
                    identifier.parse().context("the identifier of the master password")?;
            }
            ["sanitize", "failed", clearable] => self.sanitize.state = State::Failed { clearable: clearable == "1" },
            ["sanitize", action, clearable] => {
                let (action, since) = (text_action(action)?, self.now());
                self.sanitize.state = State::Running { action, since, clearable: clearable == "1" };
            }
            ["sanitized", completed, scrambles] => {
                (self.sanitize.completed, self.sanitize.scrambles) = (completed == "1", number(scrambles)?);
            }
            ["health", reallocated, pending, uncorrectable, cycles] => {
                (self.health.reallocated, self.health.pending) = (number(reallocated)?, number(pending)?);
                (self.health.uncorrectable, self.health.power_cycles) = (number(uncorrectable)?, number(cycles)?);
            }
            ["bad", lba] => drop(self.bad.insert(number(lba)?)),
            _ => bail!("no such line"),
        }
        Ok(())
    }
}

fn action_text(action: Action) -> String {
    match action {
        Action::Crypto => "crypto".into(),
        Action::Block => "block".into(),
        Action::Overwrite(pattern) => format!("{pattern:08x}"),
    }
}

fn text_action(text: &str) -> Result<Action> {
    Ok(match text {
        "crypto" => Action::Crypto,
        "block" => Action::Block,
        pattern => Action::Overwrite(u32::from_str_radix(pattern, 16).context("the pattern of an overwrite")?),
    })
}

fn hex(password: &Password) -> String {
    password.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Result<Password> {
    let mut password = [0; 32];
    for (at, byte) in password.iter_mut().enumerate() {
        let digits = text.get(2 * at..2 * at + 2).context("a password has 64 digits")?;
        *byte = u8::from_str_radix(digits, 16).context("a password is hexadecimal")?;
    }
    Ok(password)
}
