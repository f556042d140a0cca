//! Is the payload what may become PID 1: a static x86-64 executable without test code in it?
//!
//! Field offsets are those of the ELF-64 object file format, version 1.5 (System V ABI, chapters 4 and 5).

use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

/// Code that must never ship (simulated drives, fault injection) contains this byte string, so that its presence in a
/// release can be seen.
pub const TEST_ONLY_MARKER: &[u8] = b"MULE-TEST-ONLY-CODE";

const MACHINE_X86_64: u16 = 62;
const TYPE_EXECUTABLE: u16 = 2;
/// A shared object: also what a static position-independent executable is.
const TYPE_SHARED: u16 = 3;
const SEGMENT_DYNAMIC: u32 = 2;
const SEGMENT_INTERPRETER: u32 = 3;
const DYNAMIC_END: u64 = 0;
const DYNAMIC_NEEDED: u64 = 1;

/// Fails with the reason, naming `path`, unless `bytes` may be the stick's `/init`.
pub fn check_payload(path: &Path, bytes: &[u8]) -> Result<()> {
    check_static(bytes).with_context(|| format!("{} cannot be the payload", path.display()))?;
    ensure!(
        !bytes.windows(TEST_ONLY_MARKER.len()).any(|window| window == TEST_ONLY_MARKER),
        "{} contains test-only code (the marker {:?}): build it without test features",
        path.display(),
        String::from_utf8_lossy(TEST_ONLY_MARKER)
    );
    Ok(())
}

fn check_static(bytes: &[u8]) -> Result<()> {
    // Magic, 64-bit class, little endian.
    ensure!(bytes.get(..6) == Some(b"\x7fELF\x02\x01"), "it is not a 64-bit little-endian ELF file");
    let machine = u16::from_le_bytes(field(bytes, 18)?);
    ensure!(machine == MACHINE_X86_64, "it is for ELF machine {machine}, not x86-64 ({MACHINE_X86_64})");
    let kind = u16::from_le_bytes(field(bytes, 16)?);
    ensure!(matches!(kind, TYPE_EXECUTABLE | TYPE_SHARED), "ELF type {kind} is no executable");
    let headers = offset(u64::from_le_bytes(field(bytes, 32)?))?;
    let size = usize::from(u16::from_le_bytes(field(bytes, 54)?));
    let count = usize::from(u16::from_le_bytes(field(bytes, 56)?));
    ensure!(count > 0 && size >= 56, "it has no program headers");
    for index in 0..count {
        let header = headers.checked_add(index * size).context("program header out of range")?;
        match u32::from_le_bytes(field(bytes, header)?) {
            SEGMENT_INTERPRETER => bail!("it asks for a dynamic loader (PT_INTERP): link it statically (crt-static)"),
            SEGMENT_DYNAMIC => check_dynamic(bytes, header)?,
            _ => {}
        }
    }
    Ok(())
}

/// A static-pie has a dynamic section (for its relocations) that needs no library.
fn check_dynamic(bytes: &[u8], header: usize) -> Result<()> {
    let start = offset(u64::from_le_bytes(field(bytes, header + 8)?))?;
    let length = offset(u64::from_le_bytes(field(bytes, header + 32)?))?;
    let end = start.checked_add(length).context("dynamic section out of range")?;
    for entry in (start..end).step_by(16) {
        match u64::from_le_bytes(field(bytes, entry)?) {
            DYNAMIC_END => return Ok(()),
            DYNAMIC_NEEDED => bail!("it needs a shared library (DT_NEEDED): link it statically (crt-static)"),
            _ => {}
        }
    }
    Ok(())
}

fn offset(value: u64) -> Result<usize> {
    usize::try_from(value).context("an offset does not fit this machine")
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N]> {
    let slice = at.checked_add(N).and_then(|end| bytes.get(at..end));
    slice.and_then(|s| s.try_into().ok()).with_context(|| format!("it is cut short: nothing at byte {at}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file with one program header of `segment` and, at byte 120, one dynamic entry of `tag`.
    fn tiny(segment: u32, tag: u64) -> Vec<u8> {
        let mut elf = vec![0; 152];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        elf[16] = 3;
        elf[18] = 62;
        elf[32] = 64;
        elf[54] = 56;
        elf[56] = 1;
        elf[64..68].copy_from_slice(&segment.to_le_bytes());
        elf[72] = 120;
        elf[96] = 32;
        elf[120..128].copy_from_slice(&tag.to_le_bytes());
        elf
    }

    fn refusal(bytes: &[u8]) -> String {
        format!("{:#}", check_payload(Path::new("the/file"), bytes).unwrap_err())
    }

    #[test]
    fn static_executables_pass() {
        check_payload(Path::new("x"), &tiny(1, 0)).unwrap();
        check_payload(Path::new("x"), &tiny(SEGMENT_DYNAMIC, 7)).unwrap();
        let mut fixed = tiny(1, 0);
        fixed[16] = 2;
        check_payload(Path::new("x"), &fixed).unwrap();
    }

    #[test]
    fn every_refusal_names_the_file_and_the_reason() {
        let mut arm = tiny(1, 0);
        arm[18] = 183;
        let mut object = tiny(1, 0);
        object[16] = 1;
        let mut bare = tiny(1, 0);
        bare[56] = 0;
        for (bytes, reason) in [
            (tiny(SEGMENT_INTERPRETER, 0), "PT_INTERP"),
            (tiny(SEGMENT_DYNAMIC, DYNAMIC_NEEDED), "DT_NEEDED"),
            (b"#!/bin/sh\n".to_vec(), "not a 64-bit"),
            (arm, "machine 183"),
            (object, "type 1"),
            (bare, "no program headers"),
            (tiny(1, 0)[..40].to_vec(), "cut short"),
        ] {
            let text = refusal(&bytes);
            assert!(text.contains("the/file") && text.contains(reason), "{text}");
        }
    }

    #[test]
    fn test_only_code_is_found() {
        let mut elf = tiny(1, 0);
        elf.extend_from_slice(TEST_ONLY_MARKER);
        assert!(refusal(&elf).contains("test-only code"));
    }

    #[test]
    fn a_program_of_the_host_is_dynamic_and_refused() {
        let path = Path::new("/bin/true");
        let bytes = std::fs::read(path).unwrap();
        assert!(check_payload(path, &bytes).is_err());
    }

    #[test]
    fn hostile_headers_are_refused_without_a_panic() {
        for at in (32..64).chain(72..104) {
            let mut elf = tiny(SEGMENT_DYNAMIC, 7);
            elf[at] = 0xff;
            let _ = check_payload(Path::new("x"), &elf);
        }
    }
}
