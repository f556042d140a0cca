//! `mule log verify`: whether every entry is there, and every certificate with its entry.

use super::{
    super::{Exit, certificate::examine::signature_beside},
    render::hex,
    source::{self, Holding, Log, Oddity},
};
use crate::{
    certify::{Certifiable, Certificate, key::PublicStickKey},
    console::format::printable,
    files,
    journal::event::Event,
    say,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

/// More bytes than any certificate has.
const MAX: u64 = 64 << 20;

/// Checks a log, and the certificates in a folder against it.
pub(super) fn verify(target: Option<&Path>, folder: Option<&Path>, as_json: bool) -> Result<Exit, String> {
    let log = match source::read(target, source::Reach::Everywhere)? {
        Holding::Blank { name } => {
            let words = "blank: the stick was written but has not been started yet";
            match as_json {
                true => say::json(&json!({"log": name, "whole": true, "blank": true, "entries": 0})),
                false => say!("{name}: {words}"),
            }
            return Ok(Exit::Good);
        }
        Holding::Log(log) => log,
    };
    judge(&log, folder, as_json)
}

/// Says what a log that was read is worth.
pub(super) fn judge(log: &Log, folder: Option<&Path>, as_json: bool) -> Result<Exit, String> {
    let oddities = log.oddities();
    let compared = folder.map(|folder| compare(log, folder)).transpose()?;
    match as_json {
        true => say::json(&object(log, &oddities, compared.as_ref())),
        false => report(log, &oddities, compared.as_ref()),
    }
    let agreeing = compared.is_none_or(|compared| compared.problems.is_empty());
    Ok(if log.is_whole() && agreeing { Exit::Good } else { Exit::Bad })
}

pub(super) fn object(log: &Log, oddities: &[(Oddity, String)], compared: Option<&Compared>) -> Value {
    let text = |wanted| oddities.iter().find(|(oddity, _)| *oddity == wanted).map(|(_, text)| text);
    json!({
        "log": log.name, "whole": log.is_whole(), "entries": log.scan.end.next,
        "stick": log.superblock.key.stick_id(), "head": hex(&log.scan.end.previous), "damage": text(Oddity::Damage),
        "unreadable": text(Oddity::Unreadable), "contradiction": text(Oddity::Contradiction),
        "torn": text(Oddity::Torn), "first_block": text(Oddity::OneCopy),
        "certificates": compared.map(|c| c.agreeing), "problems": compared.map_or(&[][..], |c| c.problems.as_slice()),
    })
}

fn report(log: &Log, oddities: &[(Oddity, String)], compared: Option<&Compared>) {
    let verdict = match (&log.scan.end.damage, &log.contradiction) {
        (Some(_), _) => "DAMAGED after",
        (None, Some(_)) => "CONTRADICTS ITSELF:",
        (None, None) => "whole:",
    };
    let (entries, stick) = (log.scan.end.next, log.superblock.key.stick_id());
    say!("{}: {verdict} {entries} entries of {stick}, numbered and chained without a gap", log.name);
    say!("    head {} (BLAKE3 of the last of them)", hex(&log.scan.end.previous));
    oddities.iter().for_each(|(_, words)| say!("    {words}"));
    let Some(compared) = compared else { return };
    say!("    {} certificates are both in the log and in the folder", compared.agreeing);
    compared.problems.iter().for_each(|problem| say!("    MISSING OR CHANGED: {problem}"));
}

/// What a folder of certificates and a log have in common.
pub(super) struct Compared {
    agreeing: usize,
    problems: Vec<String>,
}

/// A certificate in the folder.
struct File {
    path: PathBuf,
    /// Whether its bytes are a certificate, and by whom.
    certificate: Option<Certificate>,
    /// Whose the signature beside it is, where it holds.
    key: Option<PublicStickKey>,
}

fn compare(log: &Log, folder: &Path) -> Result<Compared, String> {
    let files = certificates(folder)?;
    let mut compared = Compared { agreeing: 0, problems: Vec::new() };
    let mut logged = Vec::new();
    for placed in &log.scan.entries {
        let Event::Certified { sha256, name, .. } = &placed.entry.event else { continue };
        logged.push(*sha256);
        if files.contains_key(sha256) {
            compared.agreeing += 1;
            continue;
        }
        let there = files.values().any(|file| file.path.file_name().is_some_and(|n| n == name.as_str()));
        let what = if there { "was changed: its bytes are not the logged ones" } else { "is not in the folder" };
        compared.problems.push(format!("certificate {} (entry {}) {what}", printable(name), placed.sequence));
    }
    let mut strangers: Vec<_> = files.iter().filter(|(sha256, _)| !logged.contains(*sha256)).collect();
    strangers.sort_by(|(_, a), (_, b)| a.path.cmp(&b.path));
    let own = signers(log);
    for (_, file) in strangers {
        compared.problems.extend(stranger(log, &own, file));
    }
    let known = files.iter().filter(|(sha256, _)| logged.contains(*sha256));
    compared.problems.extend(known.filter_map(|(_, file)| misplaced(log, file)));
    Ok(compared)
}

/// The keys this log has signed with.
fn signers(log: &Log) -> Vec<PublicStickKey> {
    let made = log.scan.entries.iter().filter_map(|placed| match &placed.entry.event {
        Event::KeyMade { public, .. } => Some(PublicStickKey(*public)),
        _ => None,
    });
    made.chain([log.superblock.key.public_key()]).collect()
}

/// What is wrong with a file that no entry names; nothing where it is another stick's: it names that one, and none of this
/// log's keys made its signature.
fn stranger(log: &Log, own: &[PublicStickKey], file: &File) -> Option<String> {
    let name = printable(&file.path.display().to_string());
    let Some(certificate) = &file.certificate else {
        return Some(format!("{name} is no certificate this version can read, and no entry names it"));
    };
    let signer = &certificate.common().log.stick;
    let by_own = file.key.is_some_and(|key| own.contains(&key));
    let here = by_own || own.iter().any(|key| key.stick_id() == *signer);
    let how = if by_own { "is signed with a key of this log and names" } else { "names" };
    here.then(|| {
        format!(
            "{name} {how} {signer} as its signer, but none of the {} entries names it: the entry was lost, the certificate was \
             changed or copied in, or the power went between writing and logging it",
            log.scan.end.next
        )
    })
}

/// Whether the place in the log that a certificate names is what it says.
fn misplaced(log: &Log, file: &File) -> Option<String> {
    let named = file.certificate.as_ref()?.common().log;
    let place = usize::try_from(named.sequence).ok().and_then(|number| log.scan.entries.get(number));
    let agrees = place.is_some_and(|placed| hex(&placed.hash) == named.head);
    (!agrees).then(|| {
        let name = printable(&file.path.display().to_string());
        format!("{name} names entry {} with another hash than the log's", named.sequence)
    })
}

/// Every `*.json` in a folder by its SHA-256.
fn certificates(folder: &Path) -> Result<HashMap<[u8; 32], File>, String> {
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let mut found = HashMap::new();
    for entry in fs::read_dir(folder).map_err(|e| failed(folder, e))? {
        let path = entry.map_err(|e| failed(folder, e))?.path();
        if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("json")) {
            continue;
        }
        let bytes = files::read(&path, MAX).map_err(|e| failed(&path, e))?;
        let certificate = Certificate::parse(&bytes).ok();
        let key = signature_beside(&path, &bytes).ok();
        found.insert(Sha256::digest(&bytes).into(), File { path, certificate, key });
    }
    Ok(found)
}
