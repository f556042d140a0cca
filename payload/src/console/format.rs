//! Numbers and foreign texts as people read them.

use std::{fmt::Write as _, time::Duration};

/// Printable ASCII as it is; everything else as `\n`, `\x1b` or `\u{fc}`, so that no drive's serial number can move a cursor.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => out.push(c),
            '\t' => out.push(' '),
            c => out.extend(c.escape_default()),
        }
    }
    out
}

/// Printable text in exactly `width` columns: padded, or cut with a `~` at the end.
pub fn fit(text: &str, width: usize) -> String {
    let mut text = printable(text);
    if text.len() > width {
        text.truncate(width.saturating_sub(1));
        text.push_str(if width == 0 { "" } else { "~" });
    }
    format!("{text:<width$}")
}

/// Lines of at most `width` columns, broken between words where possible. A line feed begins no new one: it is shown, as
/// everything that is not printable.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut word = printable(word);
        if !line.is_empty() && line.len() + 1 + word.len() > width {
            lines.push(std::mem::take(&mut line));
        }
        while word.len() > width {
            let rest = word.split_off(width);
            lines.push(std::mem::replace(&mut word, rest));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// A capacity as on the drive's label: decimal units, four digits at most.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    // In tenths of the unit, rounded; 999.95 of a unit is 1.0 of the next.
    let mut unit = 1000u128;
    for name in UNITS {
        let tenths = (u128::from(bytes) * 10 + unit / 2) / unit;
        if tenths < 10_000 {
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
        unit *= 1000;
    }
    format!("{bytes} B")
}

/// A capacity to the byte: `500,107,862,016 bytes, 976,773,168 blocks of 512`.
pub fn exact(bytes: u64, logical: u32) -> String {
    match bytes.checked_div(u64::from(logical)) {
        Some(blocks) => format!("{} bytes, {} blocks of {logical}", grouped(bytes), grouped(blocks)),
        None => format!("{} bytes", grouped(bytes)),
    }
}

/// `976,773,168`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `98.1 MB/s`.
pub fn rate(bytes_per_second: u64) -> String {
    format!("{}/s", size(bytes_per_second))
}

/// `0:07`, `12:34`, `1:23:45`, `3d 04h`: at most eight columns below a thousand days.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}:{:02}", seconds % 60),
        (0, _) => format!("{hours}:{minutes:02}:{:02}", seconds % 60),
        (0..1000, _) => format!("{days}d {hours:02}h"),
        _ => "years".to_owned(),
    }
}

/// Time left, or dashes.
pub fn eta(eta: Option<Duration>) -> String {
    eta.map_or_else(|| "--:--".to_owned(), duration)
}

/// Tenths of a percent: rounded down, so that only the end is 100.0.
fn permille(done: u64, total: u64) -> u128 {
    (u128::from(done) * 1000).checked_div(u128::from(total)).unwrap_or(0).min(1000)
}

/// `43.2%`.
pub fn percent(done: u64, total: u64) -> String {
    let permille = permille(done, total);
    format!("{}.{}%", permille / 10, permille % 10)
}

/// `[#####.....]`, `width` columns in all.
pub fn bar(done: u64, total: u64, width: usize) -> String {
    let inner = width.saturating_sub(2);
    let full = usize::try_from(permille(done, total) * inner as u128 / 1000).unwrap_or(inner);
    let mut out = String::with_capacity(width);
    // Writing into a String cannot fail.
    let _ = write!(out, "[{}{}]", "#".repeat(full), ".".repeat(inner - full));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_on_the_label() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (500_107_862_016, "500.1 GB"),
            (4_000_787_030_016, "4.0 TB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(exact(500_107_862_016, 512), "500,107,862,016 bytes, 976,773,168 blocks of 512");
        assert_eq!(exact(5, 0), "5 bytes");
        assert_eq!(grouped(1_000_000), "1,000,000");
        assert_eq!(grouped(12), "12");
    }

    #[test]
    fn durations_fit_their_column() {
        for (seconds, text) in [
            (0, "0:00"),
            (67, "1:07"),
            (3600, "1:00:00"),
            (86399, "23:59:59"),
            (86400 * 3 + 3600 * 4, "3d 04h"),
            (86400 * 999, "999d 00h"),
            (u64::MAX, "years"),
        ] {
            assert_eq!(duration(Duration::from_secs(seconds)), text);
            assert!(text.len() <= 8);
        }
    }

    #[test]
    fn percent_and_bar_never_run_ahead() {
        assert_eq!(percent(0, 0), "0.0%");
        assert_eq!(percent(999_999, 1_000_000), "99.9%");
        assert_eq!(percent(u64::MAX, u64::MAX), "100.0%");
        assert_eq!(percent(5, 2), "100.0%");
        assert_eq!(bar(1, 2, 12), "[#####.....]");
        assert_eq!(bar(99, 100, 12), "[#########.]");
        assert_eq!(bar(1, 0, 1), "[]");
    }

    #[test]
    fn foreign_text_cannot_move_the_cursor() {
        assert_eq!(printable("a\x1b[2Jb\u{9b}\u{fc}\n"), "a\\u{1b}[2Jb\\u{9b}\\u{fc}\\n");
        assert_eq!(fit("WDC WD5000AAKX", 8), "WDC WD5~");
        assert_eq!(fit("sda", 5), "sda  ");
        assert_eq!(fit("sda", 0), "");
        assert_eq!(fit("\u{fc}\u{fc}", 4), "\\u{~");
    }

    #[test]
    fn long_texts_are_broken_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("a\nb  c", 9), ["a\\nb c"]);
        assert!(wrap("", 9).is_empty());
    }
}
