//! The initramfs: a newc cpio archive with the payload and the image id, compressed.
//!
//! Zstandard, because the whole archive is unpacked before the first line of the payload runs: on the reference machine
//! it unpacks several times faster than xz, which would save only a tenth of the bytes read from the stick.

use anyhow::{Context, Result};
use cpio::{NewcBuilder, newc, newc::ModeFileType};
use mule_types::stick::{INITRAMFS_ID_PATH, ImageId};
use std::io::Write;

/// Slow to pack, as fast as any other level to unpack; its 8 MiB window is what the kernel's decoder always has.
const LEVEL: i32 = 19;

enum Node<'a> {
    Directory,
    File { mode: u32, content: &'a [u8] },
    Character { mode: u32, major: u32, minor: u32 },
}

/// The packed archive.
pub fn pack(payload: &[u8], id: ImageId) -> Result<Vec<u8>> {
    let archive = archive(payload, id)?;
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
    // The kernel checks it: a stick that reads badly stops with a message instead of running a damaged payload.
    encoder.include_checksum(true)?;
    encoder.include_contentsize(true)?;
    encoder.set_pledged_src_size(Some(u64::try_from(archive.len())?))?;
    encoder.write_all(&archive)?;
    encoder.finish().context("packing the initramfs")
}

/// The archive itself: owner 0, time 0, sorted, counted inodes, so that the same payload gives the same bytes.
pub fn archive(payload: &[u8], id: ImageId) -> Result<Vec<u8>> {
    let id_text = format!("{id}\n");
    let id_path = INITRAMFS_ID_PATH.trim_start_matches('/');
    let mut nodes = vec![
        ("dev", Node::Directory),
        // The kernel opens it as standard input, output and error of PID 1, before PID 1 can mount anything.
        ("dev/console", Node::Character { mode: 0o600, major: 5, minor: 1 }),
        ("dev/null", Node::Character { mode: 0o666, major: 1, minor: 3 }),
        ("etc", Node::Directory),
        ("etc/mule", Node::Directory),
        (id_path, Node::File { mode: 0o444, content: id_text.as_bytes() }),
        ("init", Node::File { mode: 0o755, content: payload }),
        ("mnt", Node::Directory),
        ("proc", Node::Directory),
        ("run", Node::Directory),
        ("sys", Node::Directory),
    ];
    nodes.sort_by_key(|(name, _)| *name);
    let mut archive = Vec::with_capacity(payload.len() + 4096);
    for (inode, (name, node)) in (1..).zip(&nodes) {
        archive = add(archive, inode, name, node).with_context(|| format!("adding {name} to the initramfs"))?;
    }
    Ok(newc::trailer(archive)?)
}

fn add(archive: Vec<u8>, inode: u32, name: &str, node: &Node<'_>) -> Result<Vec<u8>> {
    let builder = NewcBuilder::new(name).ino(inode).uid(0).gid(0).mtime(0);
    let (builder, content): (_, &[u8]) = match *node {
        Node::Directory => (builder.nlink(2).mode(0o755).set_mode_file_type(ModeFileType::Directory), &[]),
        Node::File { mode, content } => (builder.mode(mode).set_mode_file_type(ModeFileType::Regular), content),
        Node::Character { mode, major, minor } => {
            let device = builder.rdev_major(major).rdev_minor(minor);
            (device.mode(mode).set_mode_file_type(ModeFileType::Char), &[])
        }
    };
    let mut writer = builder.write(archive, u32::try_from(content.len())?);
    writer.write_all(content)?;
    Ok(writer.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    const ID: ImageId = ImageId([0xab; 16]);

    fn packed() -> Vec<u8> {
        pack(b"the payload", ID).unwrap()
    }

    #[test]
    fn the_archive_reads_back_as_it_was_described() {
        let archive = zstd::decode_all(&packed()[..]).unwrap();
        let mut rest = &archive[..];
        let mut seen = Vec::new();
        loop {
            let reader = cpio::NewcReader::new(rest).unwrap();
            let entry = reader.entry().clone();
            assert_eq!((entry.uid(), entry.gid(), entry.mtime()), (0, 0, 0));
            let mut content = Vec::new();
            rest = reader.to_writer(&mut content).unwrap();
            if entry.is_trailer() {
                break;
            }
            match entry.name() {
                "init" => assert_eq!((entry.mode(), &content[..]), (0o100_755, &b"the payload"[..])),
                "etc/mule/image-id" => assert_eq!(content, format!("{ID}\n").into_bytes()),
                "dev/console" => {
                    assert_eq!((entry.mode(), entry.rdev_major(), entry.rdev_minor()), (0o020_600, 5, 1));
                }
                _ => assert_eq!(content, b""),
            }
            seen.push(entry.name().to_owned());
        }
        assert!(seen.is_sorted());
        assert_eq!(seen.len(), 11);
    }

    #[test]
    fn the_cpio_program_agrees() {
        let archive = archive(b"the payload", ID).unwrap();
        let Ok(mut child) =
            Command::new("cpio").args(["-itv", "--quiet"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
        else {
            return eprintln!("skipped: there is no cpio program here");
        };
        child.stdin.take().unwrap().write_all(&archive).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let listing = String::from_utf8(output.stdout).unwrap();
        assert_eq!(listing.lines().count(), 11);
        assert!(
            listing.lines().any(|l| l.starts_with("crw-------") && l.contains("5,   1") && l.ends_with("dev/console"))
        );
        assert!(listing.lines().any(|l| l.starts_with("-rwxr-xr-x") && l.ends_with(" init")), "{listing}");
    }

    #[test]
    fn packing_twice_gives_the_same_bytes() {
        assert_eq!(packed(), packed());
    }
}
