//! Certificates as a customer gets them: files from the stick's FAT partition, checked with `ssh-keygen` alone.

use crate::{stick::Stick, tool::Tool};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The SSHSIG namespace of every certificate.
const NAMESPACE: &str = "mule-certificate";

/// All certificates of a stick, oldest first.
#[derive(Debug)]
pub(crate) struct Certificates {
    pub(crate) list: Vec<Certificate>,
}

/// One certificate.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) path: PathBuf,
    pub(crate) json: Value,
}

impl Certificates {
    /// Copies the stick's files to `folder` and reads the certificates among them; none is no error.
    pub(crate) fn pull(stick: &Stick, folder: &Path) -> Result<Self> {
        Self::in_folder(&pull_files(stick, folder)?)
    }

    /// Reads the certificates in a folder of the host.
    pub(crate) fn in_folder(folder: &Path) -> Result<Self> {
        let list: Result<Vec<Certificate>> = json_files(folder)?.iter().map(|path| Certificate::read(path)).collect();
        Ok(Self { list: list? })
    }

    /// As `pull`, but passes over files that are no certificates, as a power cut may leave one.
    pub(crate) fn pull_whole(stick: &Stick, folder: &Path) -> Result<Self> {
        let list =
            json_files(&pull_files(stick, folder)?)?.iter().filter_map(|path| Certificate::read(path).ok()).collect();
        Ok(Self { list })
    }

    /// The newest certificate of that drive.
    pub(crate) fn of(&self, serial: &str) -> Result<&Certificate> {
        let found = self.list.iter().rfind(|certificate| certificate.text("/media/serial") == serial);
        found.with_context(|| format!("no certificate for {serial} among {} certificates", self.list.len()))
    }
}

/// Copies a stick's files to `folder`, and says where its certificates are.
fn pull_files(stick: &Stick, folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder).context("clearing the folder for certificates")?;
    }
    stick.pull_files(folder)?;
    Ok(folder.join("certificates"))
}

/// Paths of the certificates in a folder, oldest first; none where there is no folder.
fn json_files(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries: std::io::Result<Vec<_>> = fs::read_dir(folder).context("listing certificates")?.collect();
    let mut paths: Vec<PathBuf> = entries.context("listing certificates")?.iter().map(fs::DirEntry::path).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    // Of those of one second the later ones have a number: NAME.json, NAME-2.json.
    paths.sort_by(|a, b| a.file_stem().cmp(&b.file_stem()));
    Ok(paths)
}

impl Certificate {
    fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let json = serde_json::from_slice(&text).with_context(|| format!("{} is no JSON", path.display()))?;
        Ok(Self { path: path.to_owned(), json })
    }

    /// A text at a JSON pointer; empty where there is none.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn number(&self, pointer: &str) -> Option<u64> {
        self.json.pointer(pointer).and_then(Value::as_u64)
    }

    pub(crate) fn items(&self, pointer: &str) -> &[Value] {
        self.json.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The literal passes, as they are printed.
    pub(crate) fn passes(&self) -> Vec<&str> {
        self.items("/sanitisation/passes").iter().map(|pass| pass["writes"].as_str().unwrap_or_default()).collect()
    }

    /// The stick that signed it.
    pub(crate) fn signer(&self) -> &str {
        self.text("/log/stick")
    }

    pub(crate) fn expect_outcome(&self, outcome: &str) -> Result<&Self> {
        let (found, reason) = (self.text("/outcome"), self.text("/sanitisation/reason"));
        ensure!(found == outcome, "{} says {found:?} ({reason}), not {outcome:?}", self.path.display());
        Ok(self)
    }

    /// `ssh-keygen` accepts it.
    pub(crate) fn verify(&self) -> Result<()> {
        self.verify_as(&self.path, &self.signature())
    }

    /// `ssh-keygen` accepts it as it is and refuses it after any of several single flipped bytes, the signature's too.
    pub(crate) fn verify_and_refuse_flips(&self) -> Result<()> {
        self.verify()?;
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let (json, signature) = (folder.path().join("c.json"), folder.path().join("c.json.sig"));
        for (source, target) in [(&self.path, &json), (&self.signature(), &signature)] {
            let original = fs::read(source).context("reading what is to be flipped")?;
            fs::copy(&self.path, &json).context("copying a certificate")?;
            fs::copy(self.signature(), &signature).context("copying a signature")?;
            for at in flip_positions(&original) {
                let mut flipped = original.clone();
                flipped[at] ^= 1;
                fs::write(target, &flipped).context("writing a flipped copy")?;
                if self.verify_as(&json, &signature).is_ok() {
                    bail!("ssh-keygen accepts {} with byte {at} flipped", source.display());
                }
            }
        }
        Ok(())
    }

    /// The printable form is there, says what the certificate says, and fetches nothing from anywhere.
    pub(crate) fn check_html(&self) -> Result<()> {
        let path = self.path.with_extension("html");
        let html = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        for pointer in ["/media/serial", "/media/model", "/sanitisation/method", "/operator/name", "/log/stick"] {
            let text = self.text(pointer);
            ensure!(html.contains(text), "{} lacks {text:?} ({pointer})", path.display());
        }
        for outside in ["src=\"http", "<link", "<script", "@import", "url(http"] {
            ensure!(!html.contains(outside), "{} is not self-contained: {outside}", path.display());
        }
        Ok(())
    }

    fn signature(&self) -> PathBuf {
        self.path.with_extension("json.sig")
    }

    fn verify_as(&self, json: &Path, signature: &Path) -> Result<()> {
        ensure!(!self.signer().is_empty(), "{} names no signer", self.path.display());
        Tool::new("ssh-keygen")
            .args(["-Y", "verify", "-I", self.signer(), "-n", NAMESPACE, "-f"])
            .arg(self.path.with_file_name("allowed_signers"))
            .arg("-s")
            .arg(signature)
            .input(json)
            .run()
            .map(drop)
    }
}

/// First, last and some bytes between. In an armoured signature only its base64 body counts: the last characters of the
/// body's padding and the line ends may carry bits that nothing reads.
fn flip_positions(bytes: &[u8]) -> Vec<usize> {
    const MARK: &[u8] = b"-----BEGIN SSH SIGNATURE-----\n";
    let range = match bytes.strip_prefix(MARK) {
        Some(body) => {
            MARK.len()..MARK.len() + body.iter().position(|byte| b"=-".contains(byte)).unwrap_or(body.len()) - 8
        }
        None => 0..bytes.len(),
    };
    let step = (range.len() / 6).max(1);
    let mut positions: Vec<usize> = range.clone().step_by(step).chain(range.end.checked_sub(1)).collect();
    positions.retain(|at| bytes[*at] != b'\n');
    positions
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A signed certificate made with ssh-keygen itself.
    fn signed(folder: &Path, json: &str) -> Certificates {
        let key = folder.join("key");
        let path = folder.join("20250101T000000Z-S1.json");
        fs::write(&path, json).unwrap();
        Tool::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).run().unwrap();
        let public = fs::read_to_string(key.with_extension("pub")).unwrap();
        fs::write(folder.join("allowed_signers"), format!("stick-1 {public}")).unwrap();
        Tool::new("ssh-keygen").args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"]).arg(&key).arg(&path).run().unwrap();
        Certificates::in_folder(folder).unwrap()
    }

    const JSON: &str = r#"{"outcome": "erased", "media": {"serial": "S1"}, "log": {"stick": "stick-1"},
        "sanitisation": {"passes": [{"writes": "00"}, {"writes": "random"}]}}"#;

    #[test]
    fn a_good_certificate_is_accepted_and_every_flip_refused() {
        let folder = tempfile::tempdir().unwrap();
        let certificates = signed(folder.path(), JSON);
        let certificate = certificates.of("S1").unwrap();
        certificate.verify_and_refuse_flips().unwrap();
        certificate.expect_outcome("erased").unwrap();
        assert!(certificate.expect_outcome("failed").is_err());
        assert_eq!(certificate.passes(), ["00", "random"]);
        assert!(certificates.of("S2").is_err());
        assert!(certificate.check_html().is_err(), "there is no printable form");
    }

    #[test]
    fn a_forged_certificate_and_another_signer_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let certificates = signed(folder.path(), JSON);
        fs::write(&certificates.list[0].path, JSON.replace("erased", "failed")).unwrap();
        assert!(certificates.list[0].verify().is_err());
        let folder = tempfile::tempdir().unwrap();
        assert!(signed(folder.path(), &JSON.replace("stick-1", "stick-2")).list[0].verify().is_err());
    }

    #[test]
    fn flips_stay_within_what_is_signed() {
        assert_eq!(flip_positions(b"abc"), [0, 1, 2, 2]);
        let armoured = b"-----BEGIN SSH SIGNATURE-----\nAAAABBBBCCCCDDDDEEEE\nFFFF==\n-----END SSH SIGNATURE-----\n";
        assert!(flip_positions(armoured).iter().all(|at| (30..51).contains(at) && armoured[*at].is_ascii_alphabetic()));
    }
}
