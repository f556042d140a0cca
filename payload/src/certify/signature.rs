//! Checking the signature of a certificate against a file of allowed signers, as `ssh-keygen -Y verify` does.
//!
//! Lines with `cert-authority` or patterns are left to `ssh-keygen`; they are passed over here.

use super::key::{NAMESPACE, PublicStickKey};
use ssh_key::{PublicKey, SshSig, public::KeyData};

/// Why a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("the signature cannot be read: {0}")]
    Unreadable(String),
    #[error("the signature is for namespace {0:?}, not {NAMESPACE:?}")]
    Namespace(String),
    #[error("the signature is by a key that is no Ed25519 key")]
    KeyType,
    #[error("the signature does not fit these bytes: the certificate or its signature was changed")]
    Broken,
    #[error("it is signed by {found} ({fingerprint}), whom the list of allowed signers does not name")]
    Unknown { found: String, fingerprint: String },
    #[error("it is signed with a key the list allows for {allowed}, but it names {claimed} as its signer")]
    AnotherSigner { allowed: String, claimed: String },
}

/// Checks that `signature` is one over exactly `bytes`; returns whose.
pub fn verify(bytes: &[u8], signature: &str) -> Result<PublicStickKey, SignatureError> {
    let unreadable = |error: ssh_key::Error| SignatureError::Unreadable(error.to_string());
    let parsed: SshSig = signature.parse().map_err(unreadable)?;
    if parsed.namespace() != NAMESPACE {
        return Err(SignatureError::Namespace(parsed.namespace().into()));
    }
    let KeyData::Ed25519(key) = parsed.public_key() else { return Err(SignatureError::KeyType) };
    let public = PublicKey::from(parsed.public_key().clone());
    public.verify(NAMESPACE, bytes, &parsed).map_err(|_| SignatureError::Broken)?;
    Ok(PublicStickKey(key.0))
}

/// Checks that the list of allowed signers names this key for `signer`.
pub fn allowed(list: &str, key: PublicStickKey, signer: &str) -> Result<(), SignatureError> {
    let wanted = key.openssh();
    let mut others = Vec::new();
    for line in list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let Some(principals) = words.next() else { continue };
        let rest: Vec<_> = words.collect();
        let Some(at) = rest.iter().position(|word| *word == "ssh-ed25519") else { continue };
        let options = rest[..at].join(" ");
        let namespaces = options.split("namespaces=\"").nth(1).and_then(|text| text.split('"').next());
        let for_certificates = namespaces.is_none_or(|list| list.split(',').any(|name| name == NAMESPACE));
        let blob = rest.get(at + 1).copied().unwrap_or_default();
        if options.contains("cert-authority") || !for_certificates || wanted != format!("ssh-ed25519 {blob}") {
            continue;
        }
        if principals.split(',').any(|name| name == signer) {
            return Ok(());
        }
        others.push(principals.to_owned());
    }
    match others.first() {
        Some(other) => Err(SignatureError::AnotherSigner { allowed: other.clone(), claimed: signer.into() }),
        None => Err(SignatureError::Unknown { found: key.stick_id(), fingerprint: key.fingerprint() }),
    }
}
