//! A stick's signing key: Ed25519, made on the stick, without a passphrase because nobody sits beside it.

use sha2::{Digest, Sha256};
use ssh_key::{HashAlg, LineEnding, PublicKey, SshSig, private::Ed25519Keypair};
use std::fmt;
use zeroize::Zeroizing;

/// The SSHSIG namespace of certificates.
pub const NAMESPACE: &str = "mule-certificate";

/// A key pair. Its seed is the secret; it is never shown.
#[derive(Clone)]
pub struct StickKey {
    pair: Ed25519Keypair,
}

impl fmt::Debug for StickKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StickKey({})", self.stick_id())
    }
}

/// A key as the public knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicStickKey(pub [u8; 32]);

impl PublicStickKey {
    fn ssh(self) -> PublicKey {
        PublicKey::from(ssh_key::public::Ed25519PublicKey(self.0))
    }

    /// The name of whoever holds the key: `mule-` and the first 16 hexadecimal digits of the SHA-256 of the public key
    /// in SSH's wire encoding (the hash that `ssh-keygen -l` prints in base64).
    pub fn stick_id(self) -> String {
        let wire = self.ssh().to_bytes().unwrap_or_default();
        let hash = Sha256::digest(wire);
        let digits: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("mule-{digits}")
    }

    /// The one of these keys that has this id. An id is 64 bits long, for people: where several keys have it, it is none of them,
    /// and nothing is decided by an id alone.
    pub fn named(id: &str, keys: &[[u8; 32]]) -> Option<Self> {
        only_one(id, keys, Self::stick_id)
    }

    /// `ssh-ed25519 AAAA…`, as in an `authorized_keys` file.
    pub fn openssh(self) -> String {
        self.ssh().to_openssh().unwrap_or_default()
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    pub fn fingerprint(self) -> String {
        self.ssh().fingerprint(HashAlg::Sha256).to_string()
    }

    /// The line for a file of allowed signers (ssh-keygen(1), ALLOWED SIGNERS).
    pub fn allowed_signers_line(self) -> String {
        format!("{} namespaces=\"{NAMESPACE}\" {}", self.stick_id(), self.openssh())
    }
}

fn only_one(id: &str, keys: &[[u8; 32]], id_of: impl Fn(PublicStickKey) -> String) -> Option<PublicStickKey> {
    let mut found = None;
    for key in keys.iter().copied().map(PublicStickKey).filter(|key| id_of(*key) == id) {
        if found.is_some_and(|other| other != key) {
            return None;
        }
        found = Some(key);
    }
    found
}

/// Why nothing was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the certificate could not be signed: {0}")]
pub struct SignError(String);

impl StickKey {
    /// The key of a seed, as the log keeps it.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self { pair: Ed25519Keypair::from_seed(seed) }
    }

    /// The secret, for the log's superblock alone. This copy is wiped when it is dropped, as the key itself is.
    pub(crate) fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.pair.private.to_bytes())
    }

    /// The public half's bytes.
    pub fn public(&self) -> [u8; 32] {
        self.pair.public.0
    }

    /// The public half.
    pub fn public_key(&self) -> PublicStickKey {
        PublicStickKey(self.public())
    }

    /// See [`PublicStickKey::stick_id`].
    pub fn stick_id(&self) -> String {
        self.public_key().stick_id()
    }

    /// An armoured SSHSIG over exactly these bytes (OpenSSH, PROTOCOL.sshsig), hashed with SHA-512.
    pub fn sign(&self, bytes: &[u8]) -> Result<String, SignError> {
        let failed = |error: ssh_key::Error| SignError(error.to_string());
        let key = ssh_key::PrivateKey::from(self.pair.clone());
        let signature = SshSig::sign(&key, NAMESPACE, HashAlg::Sha512, bytes).map_err(failed)?;
        signature.to_pem(LineEnding::LF).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_two_keys_have_names_neither() {
        let keys = [[1; 32], [2; 32], [3; 32]];
        let id = |key: PublicStickKey| if key.0[0] < 3 { "mule-same".to_owned() } else { "mule-other".to_owned() };
        assert_eq!(only_one("mule-same", &keys, id), None);
        assert_eq!(only_one("mule-same", &keys[1..], id), Some(PublicStickKey([2; 32])));
        assert_eq!(only_one("mule-same", &[[1; 32], [1; 32]], id), Some(PublicStickKey([1; 32])), "one key, twice");
        assert_eq!(only_one("mule-other", &keys, id), Some(PublicStickKey([3; 32])));
        assert_eq!(only_one("mule-none", &keys, id), None);
        let key = StickKey::from_seed(&[7; 32]).public_key();
        assert_eq!(PublicStickKey::named(&key.stick_id(), &[[9; 32], key.0]), Some(key));
    }
}
