//! What each certificate in the folder is, by what the log has of it.

use super::{Findings, Known, Owed, Parts};
use crate::{
    certify::{
        Certifiable, Certificate,
        key::{NAMESPACE, PublicStickKey},
        signature,
        store::ENDINGS,
    },
    journal::{bounded::Text, event::Event},
};
use sha2::{Digest, Sha256};
use ssh_key::{SshSig, public::KeyData};

const JSON: usize = 0;
const SIGNATURE: usize = 1;
const PAGE: usize = 2;
const SIGNATURE_HEAD: &[u8] = b"-----BEGIN SSH SIGNATURE-----";
const SIGNATURE_TAIL: &str = "-----END SSH SIGNATURE-----";
const PAGE_HEAD: &[u8] = b"<!doctype html>";
const PAGE_TAIL: &str = "</html>";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What FAT shows of a file whose content never came to the medium.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// The beginning of `whole`, and not all of it: what a power cut leaves of a file.
fn is_torn(bytes: &[u8], whole: &[u8]) -> bool {
    let written = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
    (bytes.len() < whole.len() || written < bytes.len()) && whole.starts_with(&bytes[..written])
}

/// A certificate that the log has under this name, with this hash of its JSON.
pub(super) fn logged(findings: &mut Findings, name: &str, sha256: &[u8; 32], parts: &Parts, known: &Known<'_>) {
    let json = parts.bytes(JSON).unwrap_or_default();
    if <[u8; 32]>::from(Sha256::digest(json)) != *sha256 {
        let what =
            if parts.bytes(JSON).is_none() { "is missing" } else { "is damaged: its bytes are not the logged ones" };
        findings.said.push(format!("the certificate {name} {what}; the log has its SHA-256 {}", hex(sha256)));
        return;
    }
    let Ok(certificate) = Certificate::parse(json) else { return };
    // The key is the one that signed it if the certificate names it and no other of this log, and an Ed25519 signature is the same
    // every time.
    let named = PublicStickKey::named(&certificate.common().log.stick, &known.keys);
    if named == Some(known.key.public_key()) {
        let again = known.key.sign(json).unwrap_or_default();
        restore(findings, name, SIGNATURE, parts, again.as_bytes());
    } else if parts.bytes(SIGNATURE).is_none_or(is_blank) {
        findings.said.push(format!("the signature of {name} is lost: an earlier key of this stick made it"));
    }
    restore(findings, name, PAGE, parts, certificate.page(name, sha256).as_bytes());
}

/// Makes a part again that is torn or missing.
fn restore(findings: &mut Findings, name: &str, part: usize, parts: &Parts, whole: &[u8]) {
    let stem = name.strip_suffix(ENDINGS[JSON]).unwrap_or(name);
    let file = format!("{stem}{}", ENDINGS[part]);
    match parts.bytes(part) {
        Some(bytes) if !is_torn(bytes, whole) => return,
        Some(_) => findings.remove.push(file.clone()),
        None => {}
    }
    findings.said.push(format!("{file} was lost in a power cut and is made again"));
    findings.make.push((file, whole.to_vec()));
}

/// A certificate that the log does not have.
pub(super) fn unlogged(findings: &mut Findings, stem: &str, parts: &Parts, known: &Known<'_>) {
    let name = format!("{stem}{}", ENDINGS[JSON]);
    let json = parts.bytes(JSON).unwrap_or_default();
    let Ok(certificate) = Certificate::parse(json) else {
        remains(findings, stem, parts, known);
        return;
    };
    let text = String::from_utf8_lossy(parts.bytes(SIGNATURE).unwrap_or_default());
    let own = signature::verify(json, &text).is_ok_and(|key| known.keys.contains(&key.0));
    if !own {
        return;
    }
    let adopted = |owed: &Owed| {
        let of_it = |event: &Event| matches!(event, Event::Certified { job, slot, .. } if (*job, *slot) == (owed.job, owed.slot));
        findings.adopt.iter().any(of_it)
    };
    match place(&certificate, known) {
        Place::Here(owed) if !adopted(owed) => {
            let sha256: [u8; 32] = Sha256::digest(json).into();
            restore(findings, &name, PAGE, parts, certificate.page(&name, &sha256).as_bytes());
            findings.said.push(format!("{name} was written before the power went; its entry in the log is made"));
            let (job, slot) = (owed.job, owed.slot);
            findings.adopt.push(Event::Certified { job, slot, sha256, name: Text::new(&name) });
        }
        Place::Here(_) | Place::Elsewhere => {
            let files = ENDINGS.iter().enumerate().filter(|(part, _)| parts.parts[*part].is_some());
            findings.remove.extend(files.map(|(_, ending)| format!("{stem}{ending}")));
            findings
                .said
                .push(format!("{name} says otherwise than the log, which goes on with its drive: it is removed"));
        }
        Place::Unknown if known.complete => {
            findings.said.push(format!("{name} has this stick's signature, but the log does not know it"));
        }
        Place::Unknown => {}
    }
}

/// Where a certificate that the log does not have belongs.
enum Place<'a> {
    /// To this drive: the log has its end just so.
    Here(&'a Owed),
    /// To a drive that will be certified again, and that the log knows otherwise.
    Elsewhere,
    Unknown,
}

fn place<'a>(certificate: &Certificate, known: &'a Known<'_>) -> Place<'a> {
    let common = certificate.common();
    let media = common.media;
    let is_of = |owed: &&Owed| {
        hex(&owed.job) == common.log.job
            && (owed.model.as_str(), owed.serial.as_str(), owed.bytes) == (&*media.model, &*media.serial, media.bytes)
    };
    let drives: Vec<_> = known.owed.iter().filter(is_of).collect();
    match drives[..] {
        [] => Place::Unknown,
        [one] if one.outcome == Some(common.outcome) && certificate.contradictions().is_empty() => Place::Here(one),
        _ => Place::Elsewhere,
    }
}

/// Files of a certificate that never became whole. Removed is what holds nothing, what our own key signed, and what is torn.
fn remains(findings: &mut Findings, stem: &str, parts: &Parts, known: &Known<'_>) {
    let signed = parts.bytes(SIGNATURE).and_then(signer);
    let own = signed.is_some_and(|key| known.keys.contains(&key));
    let foreign = signed.is_some() && !own;
    let named = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        known.keys.iter().any(|key| text.contains(&PublicStickKey(*key).stick_id()))
    };
    let torn = |bytes: &[u8], head: &[u8], tail: &str| {
        let begun = bytes.starts_with(head) || head.starts_with(bytes);
        begun && !String::from_utf8_lossy(bytes).contains(tail)
    };
    let goes = |part: usize, bytes: &[u8]| match part {
        _ if is_blank(bytes) => true,
        JSON => own,
        SIGNATURE => own || torn(bytes, SIGNATURE_HEAD, SIGNATURE_TAIL),
        _ => own || (!foreign && bytes.starts_with(PAGE_HEAD) && named(bytes)) || torn(bytes, PAGE_HEAD, PAGE_TAIL),
    };
    for (part, ending) in ENDINGS.iter().enumerate() {
        if parts.bytes(part).is_some_and(|bytes| goes(part, bytes)) {
            let file = format!("{stem}{ending}");
            findings.said.push(format!("{file} is what a power cut left of a certificate, and is removed"));
            findings.remove.push(file);
        }
    }
}

/// The key a signature names, whatever it is over.
fn signer(bytes: &[u8]) -> Option<[u8; 32]> {
    let parsed: SshSig = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    match parsed.public_key() {
        KeyData::Ed25519(key) if parsed.namespace() == NAMESPACE => Some(key.0),
        _ => None,
    }
}
