//! The live table: a run on a screen of a given size.

use super::{
    DriveLine, Line, Severity, Snapshot, State, Style,
    format::{bar, duration, eta, fit, percent, rate, size},
};

/// Seconds for which one part of a table that is too long stays.
const TURN: u64 = 5;

/// The run as at most `rows` lines of at most `columns` - 1 columns (the last column of a terminal wraps).
pub(super) fn live(snapshot: &Snapshot, columns: usize, rows: usize) -> Vec<Line> {
    let width = columns.saturating_sub(1);
    let mut lines = head(snapshot, width);
    let left = rows.saturating_sub(lines.len() + 1);
    let drives = &snapshot.drives;
    let tall = drives.len() * 2 <= left;
    if tall {
        drives.iter().for_each(|drive| lines.extend(two_rows(drive, width)));
    } else if drives.len() < left {
        lines.push(line(Style::Plain, COLUMN_HEADS, width));
        lines.extend(drives.iter().map(|drive| one_row(drive, width)));
    } else {
        let visible = left.saturating_sub(2).max(1);
        let parts = drives.len().div_ceil(visible);
        let part = usize::try_from(snapshot.elapsed.as_secs() / TURN).unwrap_or(0) % parts;
        lines.push(line(Style::Plain, COLUMN_HEADS, width));
        lines.extend(drives.iter().skip(part * visible).take(visible).map(|drive| one_row(drive, width)));
        let turns = format!("part {} of {parts}, {} drives; the parts take turns", part + 1, drives.len());
        lines.push(line(Style::Plain, &turns, width));
    }
    if !snapshot.message.is_empty() {
        lines.push(line(Style::Heading, &snapshot.message, width));
    }
    lines.truncate(rows);
    lines
}

const COLUMN_HEADS: &str = "drive   serial number       size step                  done       rate     left";

fn line(style: Style, text: &str, width: usize) -> Line {
    Line { text: fit(text, width).trim_end().to_owned(), style }
}

fn head(snapshot: &Snapshot, width: usize) -> Vec<Line> {
    let elapsed = format!(" {}", duration(snapshot.elapsed));
    let title = fit(&format!("MULE  {}", snapshot.title), width.saturating_sub(elapsed.len()));
    let style = worst(snapshot).map_or(Style::Heading, Style::Banner);
    vec![line(style, &(title + &elapsed), width), line(Style::Heading, &totals(snapshot), width)]
}

/// Bad as soon as one drive has failed; nothing before the end or the first trouble.
fn worst(snapshot: &Snapshot) -> Option<Severity> {
    let all_done = snapshot.drives.iter().all(|drive| matches!(drive.state, State::Done(..)));
    let severity = |drive: &DriveLine| match &drive.state {
        State::Done(_, severity) => Some(*severity),
        State::Trouble(_) => Some(Severity::Warning),
        _ => None,
    };
    snapshot.drives.iter().filter_map(severity).max().filter(|worst| all_done || *worst != Severity::Good)
}

fn totals(snapshot: &Snapshot) -> String {
    let drives = &snapshot.drives;
    let count = |wanted: fn(&State) -> bool| drives.iter().filter(|drive| wanted(&drive.state)).count();
    let done = count(|state| matches!(state, State::Done(..)));
    let bad = count(|state| matches!(state, State::Done(_, Severity::Bad)));
    let mut text = format!("{done} of {} drives finished", drives.len());
    if bad > 0 {
        text += &format!(", {bad} NOT GOOD");
    }
    let active = || drives.iter().filter(|drive| matches!(drive.state, State::Running | State::Trouble(_)));
    if active().next().is_some() {
        let together = active().fold(0u64, |sum, drive| sum.saturating_add(drive.rate_now));
        // One drive without an estimate: no estimate for the whole.
        let longest = active().map(|drive| drive.eta).try_fold(std::time::Duration::ZERO, |a, b| Some(a.max(b?)));
        text += &format!(", {} together, {} left", rate(together), eta(longest));
    }
    text
}

fn style(drive: &DriveLine) -> Style {
    match &drive.state {
        State::Done(_, severity) => Style::Marked(*severity),
        State::Trouble(_) => Style::Marked(Severity::Warning),
        _ if drive.defects > 0 => Style::Marked(Severity::Warning),
        State::Waiting | State::Running => Style::Plain,
    }
}

/// What a drive is doing, its bad blocks first.
fn step(drive: &DriveLine) -> String {
    let bad = if drive.defects > 0 { format!("{} bad, ", drive.defects) } else { String::new() };
    match &drive.state {
        State::Waiting => "waiting".to_owned(),
        State::Running => bad + &drive.step,
        State::Trouble(text) => bad + text,
        State::Done(text, _) => text.clone(),
    }
}

fn one_row(drive: &DriveLine, width: usize) -> Line {
    let who = format!("{} {} {:>8}", fit(&drive.name, 7), fit(&drive.serial, 15), size(drive.bytes));
    let text = match &drive.state {
        State::Done(text, _) => format!("{who} {text}"),
        State::Waiting => format!("{who} waiting"),
        _ => format!(
            "{who} {} {:>6} {:>10} {:>8}",
            fit(&step(drive), 19),
            percent(drive.done, drive.total),
            rate(drive.rate_now),
            eta(drive.eta)
        ),
    };
    line(style(drive), &text, width)
}

fn two_rows(drive: &DriveLine, width: usize) -> [Line; 2] {
    let (model, serial) = (fit(&drive.model, 26), fit(&drive.serial, 20));
    let who = format!("{} {model} {serial} {:>8} {}", fit(&drive.name, 7), size(drive.bytes), drive.port);
    let heat = drive.temperature.map_or_else(String::new, |degrees| format!("{degrees}C"));
    let what = match &drive.state {
        State::Done(text, _) => format!("        {text}"),
        State::Waiting => "        waiting".to_owned(),
        _ => format!(
            "        {} {:>6} {} {:>10} {:>8} {heat:>4}",
            bar(drive.done, drive.total, 16),
            percent(drive.done, drive.total),
            fit(&step(drive), 20),
            rate(drive.rate_now),
            eta(drive.eta)
        ),
    };
    let style = style(drive);
    [line(if style == Style::Plain { Style::Heading } else { style }, &who, width), line(style, &what, width)]
}

/// One drive in one line, as long as it takes: for serial lines and files.
pub(super) fn sentence(drive: &DriveLine) -> String {
    let who = format!("{} {}", drive.name, if drive.serial.is_empty() { "-" } else { &drive.serial });
    let text = match &drive.state {
        State::Waiting | State::Done(..) => format!("{who}: {}", step(drive)),
        _ => {
            let heat = drive.temperature.map_or_else(String::new, |degrees| format!(", {degrees} C"));
            format!(
                "{who}: {}, {}, {}, {} left{heat}",
                step(drive),
                percent(drive.done, drive.total),
                rate(drive.rate_now),
                eta(drive.eta)
            )
        }
    };
    super::format::printable(&text)
}
