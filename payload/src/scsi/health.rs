//! Health of a SCSI disk: log pages (SPC-4, 7.3; SBC-3, 6.4) and the length of the grown defect list (SBC-3, READ
//! DEFECT DATA (12)).

use super::{CommandPlane, Data, plane::CHECK_CONDITION, sense::Sense};
use crate::ata::Health;
use std::time::Duration;

/// A disk that spins up first is told by the kernel; a log page is no long work.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The longest page that is asked for. The pages read here have at most some hundred bytes before what counts.
const PAGE_MAX: u16 = 1024;
/// Head of a log page and of each of its parameters.
const HEAD: usize = 4;

/// LOG SENSE (4Dh) for the cumulative values (PC 01b) of a page.
pub fn log_sense(page: u8) -> [u8; 10] {
    let [high, low] = PAGE_MAX.to_be_bytes();
    [0x4d, 0, 0x40 | page, 0, 0, 0, 0, high, low, 0]
}

/// READ DEFECT DATA (12) (B7h) for the head of the grown list (REQ_GLIST), in the long block format (3).
pub fn grown_defects() -> [u8; 12] {
    [0xb7, 1 << 3 | 3, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0]
}

/// The entries of a grown defect list by its head: GLISTV, format, length. A drive may answer in another format than it was
/// asked for. `None` where it is no head of a grown list.
pub fn defects(head: &[u8; 8]) -> Option<u64> {
    let entry = match head[1] & 7 {
        0 => 4,
        3..=5 => 8,
        _ => return None,
    };
    let bytes = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
    (head[1] & 1 << 3 != 0).then_some(u64::from(bytes) / entry)
}

/// The parameters of page `code`, by number, as far as they came whole. Nothing where it is another page.
fn parameters(bytes: &[u8], code: u8) -> impl Iterator<Item = (u16, &[u8])> {
    let body = bytes.split_first_chunk::<HEAD>().filter(|(head, _)| head[0] & 0x3f == code && head[1] == 0);
    let mut rest = body
        .map_or(&[][..], |(head, rest)| &rest[..rest.len().min(usize::from(u16::from_be_bytes([head[2], head[3]])))]);
    std::iter::from_fn(move || {
        let (head, after) = rest.split_first_chunk::<HEAD>()?;
        let value = after.get(..usize::from(head[3]))?;
        rest = &after[value.len()..];
        Some((u16::from_be_bytes([head[0], head[1]]), value))
    })
}

/// A number of up to 8 bytes; `None` for an empty or a longer one.
fn number(value: &[u8]) -> Option<u64> {
    (1..=8).contains(&value.len()).then(|| value.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

/// What a parameter of a page says.
type Reader = fn(&mut Health, u16, &[u8]);

/// Pages and what is taken from them.
pub const PAGES: &[(u8, Reader)] = &[
    (0x02, uncorrected),
    (0x03, uncorrected),
    (0x05, uncorrected),
    (0x0d, temperature),
    (0x11, endurance),
    (0x15, background_scan),
    (0x2f, exceptions),
];

/// Error counters of writing, reading and verifying (02h, 03h, 05h): total uncorrected errors (0006h).
fn uncorrected(health: &mut Health, code: u16, value: &[u8]) {
    if let (0x0006, Some(errors)) = (code, number(value)) {
        health.reported_uncorrectable = Some(health.reported_uncorrectable.unwrap_or(0).saturating_add(errors));
    }
}

/// Temperature (0Dh): degrees Celsius (0000h), FFh where the drive cannot tell.
fn temperature(health: &mut Health, code: u16, value: &[u8]) {
    if let (0x0000, [_, celsius, ..]) = (code, value) {
        health.temperature_celsius = Some(u64::from(*celsius)).filter(|celsius| *celsius != 0xff);
    }
}

/// The temperature now, and the highest at which the disk may work all the time (0001h, reference temperature), as far as
/// the page 0Dh tells.
pub fn temperatures(plane: &mut impl CommandPlane) -> (Option<u64>, Option<u64>) {
    let mut page = [0; PAGE_MAX as usize];
    let Ok(reply) = plane.execute(&log_sense(0x0d), Data::In(&mut page), TIMEOUT) else { return (None, None) };
    let page = if reply.status == 0 { &page[..reply.transferred.min(page.len())] } else { &[] };
    let told = |wanted| {
        let mut found = parameters(page, 0x0d).filter(|(code, _)| *code == wanted);
        found.find_map(|(_, value)| value.get(1).copied()).filter(|celsius| *celsius != 0xff).map(u64::from)
    };
    (told(0x0000), told(0x0001))
}

/// Solid State Media (11h): percentage used endurance indicator (0001h).
fn endurance(health: &mut Health, code: u16, value: &[u8]) {
    if let (0x0001, [_, _, _, used, ..]) = (code, value) {
        health.percentage_used = Some(u64::from(*used));
    }
}

/// Background Scan (15h): accumulated power on minutes (0000h).
fn background_scan(health: &mut Health, code: u16, value: &[u8]) {
    if let (0x0000, Some(minutes)) = (code, value.first_chunk::<4>()) {
        health.power_on_hours = Some(u64::from(u32::from_be_bytes(*minutes)) / 60);
    }
}

/// Informational Exceptions (2Fh, 0000h): ASC 5Dh predicts a failure, 0Bh warns; ASCQ FFh is a test of the former.
fn exceptions(health: &mut Health, code: u16, value: &[u8]) {
    if let (0x0000, [asc, ascq, ..]) = (code, value) {
        health.passed = match (asc, ascq) {
            (0x5d, 0xff) => None,
            (0x00, _) => Some(true),
            (0x5d | 0x0b, _) => Some(false),
            _ => None,
        };
    }
}

/// Takes what page `code` says.
pub fn read(health: &mut Health, code: u8, bytes: &[u8]) {
    if let Some((_, reader)) = PAGES.iter().find(|(page, _)| *page == code) {
        parameters(bytes, code).for_each(|(parameter, value)| reader(health, parameter, value));
    }
}

/// Asks a disk for the pages that it says it has. `None` where it does not list them.
pub fn ask(plane: &mut impl CommandPlane) -> Option<Health> {
    let mut page = [0; PAGE_MAX as usize];
    let mut log = |code: u8| -> Option<Vec<u8>> {
        let reply = plane.execute(&log_sense(code), Data::In(&mut page), TIMEOUT).ok()?;
        (reply.status == 0 && page[0] & 0x3f == code).then(|| page[..reply.transferred.min(page.len())].to_vec())
    };
    let supported = log(0x00)?;
    let len = usize::from(u16::from_be_bytes([*supported.get(2)?, *supported.get(3)?]));
    let supported = &supported[HEAD..supported.len().min(HEAD + len)];
    let mut health = Health::default();
    for (code, _) in PAGES.iter().filter(|(code, _)| supported.contains(code)) {
        if let Some(bytes) = log(*code) {
            read(&mut health, *code, &bytes);
        }
    }
    health.reallocated = grown(plane);
    Some(health)
}

fn grown(plane: &mut impl CommandPlane) -> Option<u64> {
    let mut head = [0; 8];
    let reply = plane.execute(&grown_defects(), Data::In(&mut head), TIMEOUT).ok()?;
    // RECOVERED ERROR says that the list came in another format.
    let usable = match reply.status {
        0 => true,
        CHECK_CONDITION => Sense::parse(&reply.sense).is_some_and(|sense| sense.key <= 1),
        _ => false,
    };
    defects(&head).filter(|_| usable && reply.transferred == head.len())
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
