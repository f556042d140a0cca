//! `mule certificate`: is it genuine, what does it say, how does it look on paper?

pub(super) mod examine;
mod show;

use super::Exit;
use crate::{
    certify::{Certifiable, html},
    files, say,
};
use examine::{Trust, Verdict};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Arguments of `mule certificate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mule certificate verify certificates/*.json
  mule certificate verify --allowed-signers /etc/mule/signers 20260301T120000Z-S3Z9.json
  mule certificate show 20260301T120000Z-S3Z9.json
  mule certificate html --output page.html 20260301T120000Z-S3Z9.json

FILE may be the .json, its .sig or its .html; the .json is what counts. Without --allowed-signers the file of that name
beside the certificate is used, and whoever could forge the certificate could have put it there.
Exit code 0: genuine, whatever its outcome says; 1: not genuine; 2: not done. `ssh-keygen -Y verify` checks signatures too.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check signature, signer and contents
    Verify(Verify),
    /// Show what certificates say
    Show(Show),
    /// Render the page to read and print
    Html(Html),
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// Certificates: .json, .sig or .html
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Keys you trust (ssh-keygen(1), ALLOWED SIGNERS), from where your organisation keeps them
    #[arg(long, value_name = "FILE")]
    allowed_signers: Option<PathBuf>,
    /// Who must have signed, as the allowed signers name them [default: the stick the certificate names]
    #[arg(long, value_name = "ID")]
    signer: Option<String>,
    /// Print one JSON object a certificate
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// Certificates: .json, .sig or .html
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print the certificate's own JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Html {
    /// A certificate: .json, .sig or .html
    file: PathBuf,
    /// Write to this new file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Checks or shows certificates.
pub fn run(args: &Args) -> Exit {
    match &args.command {
        Command::Verify(verify) => {
            let each = |path: &PathBuf| check(path, verify);
            verify.files.iter().map(each).max().unwrap_or(Exit::Refused)
        }
        Command::Show(show) => {
            let each = |path: &PathBuf| told(print(path, show.json));
            show.files.iter().map(each).max().unwrap_or(Exit::Refused)
        }
        Command::Html(html) => told(render(html)),
    }
}

fn told(done: Result<(), String>) -> Exit {
    match done {
        Ok(()) => Exit::Good,
        Err(error) => {
            tell!("mule: {error}");
            Exit::Refused
        }
    }
}

fn check(path: &Path, args: &Verify) -> Exit {
    let trust = Trust { list: args.allowed_signers.as_deref(), signer: args.signer.as_deref() };
    match examine::examine(path, &trust) {
        Ok(verdict) => {
            if args.json {
                say::json(&object(&verdict))
            } else {
                report(&verdict)
            }
            if verdict.problems.is_empty() { Exit::Good } else { Exit::Bad }
        }
        Err(error) => told(Err(error)),
    }
}

fn word(verdict: &Verdict) -> &'static str {
    match (verdict.problems.is_empty(), verdict.self_asserted) {
        (false, _) => "NOT GENUINE",
        (true, true) => "genuine if its signer is (self-asserted)",
        (true, false) => "genuine",
    }
}

fn report(verdict: &Verdict) {
    let shown = |text: &str, none: &str| if text.is_empty() { none.to_owned() } else { html::visible(text) };
    say!(
        "{}: {}  serial {}  signed by {}  {}",
        verdict.json.display(),
        shown(&verdict.outcome, "(unreadable)"),
        shown(&verdict.serial, "(none)"),
        shown(&verdict.signer, "(nobody)"),
        word(verdict)
    );
    verdict.problems.iter().chain(&verdict.notes).for_each(|line| say!("    {}", html::visible(line)));
}

fn object(verdict: &Verdict) -> serde_json::Value {
    json!({
        "certificate": verdict.json.to_string_lossy(), "genuine": verdict.problems.is_empty(), "self_asserted": verdict.self_asserted,
        "action": verdict.action, "outcome": verdict.outcome, "serial": verdict.serial, "signer": verdict.signer,
        "fingerprint": verdict.fingerprint, "problems": verdict.problems, "notes": verdict.notes,
    })
}

fn print(path: &Path, as_json: bool) -> Result<(), String> {
    let json = examine::json_of(path);
    let (bytes, certificate) = examine::load(&json)?;
    match as_json {
        true => say::document(&bytes),
        false => show::text(&certificate).lines().for_each(|line| say!("{line}")),
    }
    warn_unsigned(&json, &bytes);
    Ok(())
}

fn render(args: &Html) -> Result<(), String> {
    let json = examine::json_of(&args.file);
    let (bytes, certificate) = examine::load(&json)?;
    let name = json.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let page = certificate.page(&name, &Sha256::digest(&bytes));
    warn_unsigned(&json, &bytes);
    let Some(output) = &args.output else {
        say::document(page.as_bytes());
        return Ok(());
    };
    files::create(output, page.as_bytes()).map_err(|error| format!("{}: {error}", output.display()))
}

/// What is shown looks the same whether or not it is signed.
fn warn_unsigned(json: &Path, bytes: &[u8]) {
    if let Err(error) = examine::signature_beside(json, bytes) {
        tell!("mule: {}: NOT a valid certificate: {error}", json.display());
    }
}

#[cfg(test)]
mod tests;
