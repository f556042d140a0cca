//! Copies of large, mostly empty files.

use anyhow::{Context, Result};
use std::{fs::File, io::Read, os::unix::fs::FileExt, path::Path};

const CHUNK: usize = 64 * 1024;

/// Copies a file without writing its zeros: a stick image of 193 MiB takes the few MiB that are in it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    let name = || format!("copying {} to {}", from.display(), to.display());
    let mut source = File::open(from).with_context(name)?;
    let target = File::create(to).with_context(name)?;
    target.set_len(source.metadata().with_context(name)?.len()).with_context(name)?;
    let (mut buf, mut at) = (vec![0; CHUNK], 0);
    loop {
        let len = read_full(&mut source, &mut buf).with_context(name)?;
        if len == 0 {
            return Ok(());
        }
        if !is_zero(&buf[..len]) {
            target.write_all_at(&buf[..len], at).with_context(name)?;
        }
        at += len as u64;
    }
}

/// Calls `visit` with every piece of the file and its offset; pieces are whole megabytes but for the last.
pub(crate) fn for_each_chunk(path: &Path, mut visit: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
    let name = || format!("reading {}", path.display());
    let mut file = File::open(path).with_context(name)?;
    let (mut buf, mut at) = (vec![0; 1 << 20], 0);
    loop {
        let len = read_full(&mut file, &mut buf).with_context(name)?;
        if len == 0 {
            return Ok(());
        }
        visit(at, &buf[..len])?;
        at += len as u64;
    }
}

/// Fills the buffer as far as the file goes: a short read in the middle would shift every offset after it.
pub(crate) fn read_full(source: &mut impl Read, buf: &mut [u8]) -> std::io::Result<usize> {
    let mut len = 0;
    while len < buf.len() {
        match source.read(&mut buf[len..])? {
            0 => break,
            n => len += n,
        }
    }
    Ok(len)
}

pub(crate) fn is_zero(buf: &[u8]) -> bool {
    // Comparing a slice with itself shifted is one memcmp, much faster than a loop over bytes in a debug build.
    buf.first().is_none_or(|first| *first == 0 && buf[1..] == buf[..buf.len() - 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_copy_is_equal_and_sparse() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        let file = File::create(&a).unwrap();
        file.set_len(8 * 1024 * 1024 + 77).unwrap();
        file.write_all_at(b"middle", 5_000_000).unwrap();
        copy(&a, &b).unwrap();
        assert!(std::fs::read(&a).unwrap() == std::fs::read(&b).unwrap());
        assert!(std::fs::metadata(&b).unwrap().blocks() * 512 < 1_000_000);
    }

    #[test]
    fn chunks_cover_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, vec![7; (1 << 20) + 3]).unwrap();
        let mut seen = Vec::new();
        for_each_chunk(&path, |at, buf| {
            seen.push((at, buf.len()));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [(0, 1 << 20), (1 << 20, 3)]);
    }

    #[test]
    fn zero_means_every_byte() {
        assert!(is_zero(&[]) && is_zero(&[0]) && is_zero(&[0; 99]));
        assert!(!is_zero(&[1]) && !is_zero(&[0, 0, 1]) && !is_zero(&[1, 0, 0]) && !is_zero(&[5; 9]));
    }
}
