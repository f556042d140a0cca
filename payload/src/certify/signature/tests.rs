use super::*;
use crate::certify::{
    Certifiable,
    fixture::{
        copy::{imaged_with_exceptions, restored},
        erased, key,
    },
    key::StickKey,
    store,
};
use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// What OpenSSH says.
fn ssh_keygen(dir: &Path, bytes: &[u8], signature: &str, namespace: &str) -> bool {
    fs::write(dir.join("bytes"), bytes).unwrap();
    fs::write(dir.join("sig"), signature).unwrap();
    let id = key().stick_id();
    let arguments = ["-Y", "verify", "-f", "allowed_signers", "-I", &id, "-n", namespace, "-s", "sig"];
    let mut command = Command::new("ssh-keygen");
    command.current_dir(dir).args(arguments).stdin(fs::File::open(dir.join("bytes")).unwrap());
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
}

#[test]
fn openssh_agrees_about_what_is_genuine() {
    let records: [&dyn Certifiable; 3] = [&erased(), &imaged_with_exceptions(), &restored()];
    records.into_iter().for_each(agrees);
}

fn agrees(record: &dyn Certifiable) {
    let dir = tempfile::tempdir().unwrap();
    let stored = store::write(dir.path(), record, &key()).unwrap();
    let bytes = fs::read(dir.path().join(&stored.name)).unwrap();
    let signature = fs::read_to_string(dir.path().join(format!("{}.sig", stored.name))).unwrap();
    assert_eq!(verify(&bytes, &signature), Ok(key().public_key()));
    assert!(ssh_keygen(dir.path(), &bytes, &signature, NAMESPACE));
    assert!(!ssh_keygen(dir.path(), &bytes, &signature, "file"));
    for at in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert_eq!(verify(&changed, &signature), Err(SignatureError::Broken), "byte {at}");
        assert!(at % 5 != 0 || !ssh_keygen(dir.path(), &changed, &signature, NAMESPACE), "byte {at}");
    }
    assert!(verify(&[&bytes[..], b"\n"].concat(), &signature).is_err());
    assert!(verify(&bytes[..bytes.len() - 1], &signature).is_err());
}

#[test]
fn every_changed_letter_of_a_signature_is_refused() {
    let signature = key().sign(b"text").unwrap();
    let lines = signature.lines().filter(|line| !line.starts_with("-----")).map(str::len);
    assert!(lines.clone().all(|len| len <= 76));
    let start = signature.find('\n').unwrap() + 1;
    let end = signature.rfind("-----END").unwrap();
    for at in (start..end).filter(|at| signature.as_bytes()[*at] != b'\n') {
        for letter in [b'A', b'B', b'z', b'9', b'+'] {
            let mut changed = signature.clone().into_bytes();
            if changed[at] == letter {
                continue;
            }
            changed[at] = letter;
            let changed = String::from_utf8(changed).unwrap();
            assert!(verify(b"text", &changed).is_err(), "letter {at}:\n{signature}{changed}");
        }
    }
    for garbage in ["", "-----BEGIN SSH SIGNATURE-----", &signature[..signature.len() / 2], "\0\u{ff}"] {
        assert!(verify(b"text", garbage).is_err());
    }
}

#[test]
fn only_a_line_for_this_key_name_and_purpose_counts() {
    let public = key().public_key();
    let (id, line, ssh) = (public.stick_id(), public.allowed_signers_line(), public.openssh());
    let other = StickKey::from_seed(&[8; 32]).public_key();
    for good in [
        line.clone(),
        format!("# list\n\n{}\n{line}\n", other.allowed_signers_line()),
        format!("a@b.c,{id} {ssh} a comment"),
        format!("{id} namespaces=\"file,mule-certificate\" {ssh}"),
    ] {
        assert_eq!(allowed(&good, public, &id), Ok(()), "{good}");
    }
    for bad in [
        String::new(),
        format!("#{line}"),
        other.allowed_signers_line(),
        format!("{id} namespaces=\"file\" {ssh}"),
        format!("{id} cert-authority {ssh}"),
        format!("{id} namespaces=\"mule-certificate\",valid-before=\"20200101\" {ssh}"),
        format!("{id} valid-before=\"20200101\" {ssh}"),
        format!("!{id},* {ssh}"),
        format!("* {ssh}"),
        format!("mule-0000000000000000 {ssh}"),
        ssh.clone(),
    ] {
        assert!(allowed(&bad, public, &id).is_err(), "{bad}");
    }
}
