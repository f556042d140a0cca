//! Everything that can be wrong with a certificate, found at once.

use crate::{
    certify::{Certifiable, Certificate, key::PublicStickKey, signature, store::ALLOWED_SIGNERS},
    files,
};
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// More bytes than anything beside a certificate has.
const MAX: u64 = 64 << 20;

/// Whom to trust.
pub(super) struct Trust<'a> {
    /// The file of allowed signers, where one was named.
    pub list: Option<&'a Path>,
    /// Who must have signed, where somebody was named.
    pub signer: Option<&'a str>,
}

/// What is known of a certificate after the examination; unread fields are blank.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub json: PathBuf,
    /// What was done: `erase`, `image`, `restore`, `clone` or `verify`.
    pub action: &'static str,
    pub outcome: String,
    pub serial: String,
    pub signer: String,
    pub fingerprint: String,
    /// Why it is not genuine; empty where it is.
    pub problems: Vec<String>,
    /// What else its reader should know.
    pub notes: Vec<String>,
    /// Whether only the file beside it vouches for the key.
    pub self_asserted: bool,
}

/// The authoritative file of a certificate, whichever of its three files is named.
pub(super) fn json_of(path: &Path) -> PathBuf {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("sig") => path.with_extension(""),
        Some("html") => path.with_extension("json"),
        _ => path.to_owned(),
    }
}

/// The exact bytes and what they say.
pub(super) fn load(json: &Path) -> Result<(Vec<u8>, Certificate), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", json.display());
    let bytes = fs::read(json).map_err(|error| failed(&error))?;
    let certificate = Certificate::parse(&bytes).map_err(|error| failed(&error))?;
    Ok((bytes, certificate))
}

fn beside(json: &Path, more: &str) -> PathBuf {
    let mut name = json.as_os_str().to_owned();
    name.push(more);
    name.into()
}

/// Whose signature lies beside the file, over exactly its bytes.
pub(in crate::cli) fn signature_beside(json: &Path, bytes: &[u8]) -> Result<PublicStickKey, String> {
    let path = beside(json, ".sig");
    let text = files::read(&path, MAX).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("its signature {} is missing", path.display()),
        _ => format!("its signature {} cannot be read: {error}", path.display()),
    })?;
    signature::verify(bytes, &String::from_utf8_lossy(&text)).map_err(|error| error.to_string())
}

/// Examines one certificate; an error means that it could not be read at all.
pub(super) fn examine(path: &Path, trust: &Trust<'_>) -> Result<Verdict, String> {
    let json = json_of(path);
    let bytes = fs::read(&json).map_err(|error| format!("{}: {error}", json.display()))?;
    let mut verdict = Verdict { json, self_asserted: trust.list.is_none(), ..Verdict::default() };
    let key = match signature_beside(&verdict.json, &bytes) {
        Ok(key) => Some(key),
        Err(problem) => {
            verdict.problems.push(problem);
            None
        }
    };
    let certificate = match Certificate::parse(&bytes) {
        Ok(certificate) => Some(certificate),
        Err(error) => {
            verdict.problems.push(format!("it says nothing this version understands: {error}"));
            None
        }
    };
    if let Some(certificate) = &certificate {
        let common = certificate.common();
        verdict.action = common.action;
        verdict.outcome = common.outcome.into();
        verdict.serial.clone_from(&common.media.serial);
        let contradictions = certificate.contradictions().into_iter();
        verdict.problems.extend(contradictions.map(|what| format!("contradiction: {what}")));
        let asked = verdict.json != path && path.extension().is_some_and(|extension| extension == "html");
        page(&mut verdict, certificate, &bytes, asked);
    }
    if let Some(key) = key {
        verdict.signer = key.stick_id();
        verdict.fingerprint = key.fingerprint();
        signer(&mut verdict, key, certificate.as_ref(), trust)?;
    }
    Ok(verdict)
}

/// Whether the key is the one the certificate names, and one the list names.
fn signer(
    verdict: &mut Verdict,
    key: PublicStickKey,
    certificate: Option<&Certificate>,
    trust: &Trust<'_>,
) -> Result<(), String> {
    let id = key.stick_id();
    let named = certificate.map(|certificate| &certificate.common().log.stick);
    if let Some(named) = named.filter(|named| **named != id) {
        verdict.problems.push(format!("it names {named} as its signer, but {id} signed it"));
    }
    let own = verdict.json.with_file_name(ALLOWED_SIGNERS);
    let list = match trust.list {
        // It may be a pipe: the person who named it knows what it is.
        Some(path) => fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?,
        None => files::read(&own, MAX).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default(),
    };
    if let Err(error) = signature::allowed(&list, key, trust.signer.unwrap_or(&id)) {
        verdict.problems.push(error.to_string());
    }
    if trust.list.is_none() {
        verdict.notes.push(format!(
            "self-asserted: its key {} is vouched for by nothing but {} beside it; compare it with `mule key show` of \
             the stick, or name a file you trust with --allowed-signers",
            verdict.fingerprint, ALLOWED_SIGNERS
        ));
    }
    Ok(())
}

/// Whether the page beside it is a rendering of it, as far as this version can tell. Where the page was `asked` about, a
/// change is the answer.
fn page(verdict: &mut Verdict, certificate: &Certificate, bytes: &[u8], asked: bool) {
    let path = verdict.json.with_extension("html");
    let Some(page) = files::read(&path, MAX).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else { return };
    let name = verdict.json.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if page == certificate.page(&name, &Sha256::digest(bytes)) {
        return;
    }
    let (own, theirs) = (env!("CARGO_PKG_VERSION"), &certificate.common().tool.version);
    if theirs != own {
        let note = format!("the page {} was made by version {theirs}, this is {own}", path.display());
        verdict.notes.push(format!("{note}; `mule certificate html` makes it anew"));
        return;
    }
    let change = format!("the page {} was changed: it is not how this certificate looks", path.display());
    if asked { verdict.problems.push(change) } else { verdict.notes.push(format!("{change}; trust only the .json")) }
}
