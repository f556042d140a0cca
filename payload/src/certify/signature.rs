//! Checking the signature of a certificate against a file of allowed signers, as `ssh-keygen -Y verify` does.
//!
//! Lines with `cert-authority`, times, patterns or anything else not understood here are left to `ssh-keygen`: passing over
//! a line can only refuse what it would accept.

use super::key::{NAMESPACE, PublicStickKey};
use ssh_key::{LineEnding, PublicKey, SshSig, public::KeyData};

/// Why a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the signature cannot be read: {0}")]
    Unreadable(String),
    #[error("the signature is not written as OpenSSH writes one: it was changed")]
    Irregular,
    #[error("the signature is for namespace {0:?}, not {NAMESPACE:?}")]
    Namespace(String),
    #[error("the signature is by a key that is no Ed25519 key")]
    KeyType,
    #[error("the signature does not fit these bytes: the certificate or its signature was changed")]
    Broken,
    #[error("it is signed by {found} ({fingerprint}), whom the list of allowed signers does not name")]
    Unknown { found: String, fingerprint: String },
    #[error("it is signed with a key the list of allowed signers has for {allowed}, not for {claimed}")]
    AnotherSigner { allowed: String, claimed: String },
}

/// Checks that `signature` is one over exactly `bytes`; returns whose.
pub fn verify(bytes: &[u8], signature: &str) -> Result<PublicStickKey, SignatureError> {
    let unreadable = |error: ssh_key::Error| SignatureError::Unreadable(error.to_string());
    let parsed: SshSig = signature.parse().map_err(unreadable)?;
    // The parser is lenient about parts that are not signed (version, lengths); OpenSSH refuses those files.
    let letters = |text: &str| text.split_whitespace().collect::<String>();
    let canonical = parsed.to_pem(LineEnding::LF).map_err(unreadable)?;
    if parsed.version() != 1 || letters(&canonical) != letters(signature) {
        return Err(SignatureError::Irregular);
    }
    if parsed.namespace() != NAMESPACE {
        return Err(SignatureError::Namespace(parsed.namespace().into()));
    }
    let KeyData::Ed25519(key) = parsed.public_key() else { return Err(SignatureError::KeyType) };
    let public = PublicKey::from(parsed.public_key().clone());
    public.verify(NAMESPACE, bytes, &parsed).map_err(|_| SignatureError::Broken)?;
    Ok(PublicStickKey(key.0))
}

/// A line of allowed signers: the names, and whether its key may sign certificates without further conditions.
struct Line<'a> {
    principals: &'a str,
    blob: &'a str,
}

/// A line this program understands in full.
fn understood(line: &str) -> Option<Line<'_>> {
    let mut words = line.split_whitespace();
    let principals = words.next().filter(|word| !word.starts_with('#') && !word.contains(['!', '*', '?', '"']))?;
    let mut word = words.next()?;
    if word != "ssh-ed25519" {
        let (option, list) = word.split_once('=')?;
        let list = list.strip_prefix('"')?.strip_suffix('"')?;
        if !option.eq_ignore_ascii_case("namespaces") || list.contains('!') || !list.split(',').any(|n| n == NAMESPACE)
        {
            return None;
        }
        word = words.next()?;
    }
    let blob = words.next().filter(|_| word == "ssh-ed25519")?;
    Some(Line { principals, blob })
}

/// Checks that the list of allowed signers names this key for `signer`.
pub fn allowed(list: &str, key: PublicStickKey, signer: &str) -> Result<(), SignatureError> {
    let wanted = key.openssh();
    let of_key = |line: &Line<'_>| wanted.split_whitespace().nth(1) == Some(line.blob);
    let lines: Vec<_> = list.lines().filter_map(understood).filter(of_key).collect();
    if lines.iter().any(|line| line.principals.split(',').any(|name| name == signer)) {
        return Ok(());
    }
    Err(match lines.first() {
        Some(other) => SignatureError::AnotherSigner { allowed: other.principals.into(), claimed: signer.into() },
        None => SignatureError::Unknown { found: key.stick_id(), fingerprint: key.fingerprint() },
    })
}

#[cfg(test)]
mod tests;
