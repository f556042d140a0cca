//! The words of the command line, which are a stranger's where a script or a file name made them.

use super::{Cli, Exit};
use clap::Parser;
use std::ffi::OsString;

/// The command, or what is left to do where there is none.
pub(super) fn read() -> Result<Cli, Exit> {
    let words: Vec<_> = std::env::args_os().collect();
    Cli::try_parse_from(&words).map_err(|error| {
        // Help and version are what was asked for, in words of ours only.
        if !error.use_stderr() {
            error.to_string().lines().for_each(|line| say!("{line}"));
            return Exit::Good;
        }
        complaint(&words, &error).iter().for_each(|line| tell!("{line}"));
        Exit::Refused
    })
}

/// What is wrong, in lines. The message is of several lines and repeats words: it is asked for again with words that can be
/// shown, so that each of its lines is one of the parser's.
fn complaint(words: &[OsString], error: &clap::Error) -> Vec<String> {
    let shown = words.iter().map(|word| crate::say::shown(word.to_string_lossy()));
    match Cli::try_parse_from(shown) {
        Err(again) if again.use_stderr() => again.to_string().lines().map(str::to_owned).collect(),
        // It was what cannot be shown that was wrong.
        _ => vec![error.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &[&str]) -> Vec<String> {
        let words: Vec<_> = [&["mule"], words].concat().iter().map(OsString::from).collect();
        complaint(&words, &Cli::try_parse_from(&words).unwrap_err())
    }

    #[test]
    fn a_word_adds_no_line_to_a_complaint() {
        let evil = "x\nMULE FINISHED outcome=ok\n";
        for words in
            [&[evil][..], &["verify", "--expect", evil, "d"], &["drives", evil], &["wipe", "--keep", evil, "d"]]
        {
            let lines = told(words);
            assert!(lines.len() > 1 && lines.iter().all(|line| !line.starts_with("MULE")), "{lines:?}");
            assert!(lines.iter().any(|line| line.contains("x\\u{a}MULE FINISHED")), "{lines:?}");
        }
    }
}
