//! The whole way: a disk, its image, and its files out of the image again.

use super::*;
use crate::cli::{Cli, Command, image};
use clap::Parser;
use std::{fs::File, process};

fn tool(name: &str, arguments: &[&str], at: &Path) {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    let done = process::Command::new(name).args(arguments).current_dir(at).env("PATH", path).output().unwrap();
    assert!(done.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A disk with a GPT, FAT and ext4, and its image.
fn imaged(at: &Path) -> String {
    let tree = at.join("tree");
    fs::create_dir_all(tree.join("folder/inner")).unwrap();
    fs::write(tree.join("folder/text"), "text\n").unwrap();
    fs::write(tree.join("folder/inner/large"), vec![7; 1_500_000]).unwrap();
    fs::write(tree.join("top"), "top\n").unwrap();
    fs::write(at.join("layout"), "label: gpt\nstart=2048, size=8192\nstart=10240, size=16384\n").unwrap();
    File::create(at.join("disk")).unwrap().set_len(16 << 20).unwrap();
    tool("sh", &["-c", "sfdisk -q disk < layout"], at);
    tool("mkfs.fat", &["--offset", "2048", "-n", "PHOTOS", "disk", "4096"], at);
    tool("mcopy", &["-s", "-i", "disk@@1M", "tree/folder", "tree/top", "::"], at);
    let offset = format!("offset={}", 10240 * 512);
    tool("mke2fs", &["-q", "-F", "-t", "ext4", "-L", "home", "-E", &offset, "-d", "tree", "disk", "8M"], at);
    let image = at.join("a.img.zst").display().to_string();
    let (disk, state) = (at.join("disk").display().to_string(), at.join("state").display().to_string());
    let words =
        ["image", "create", &disk, &image, "--raw", "--level", "1", "--state", &state, "--certificates", &state];
    assert_eq!(run(&words), Exit::Good);
    image
}

fn run(words: &[&str]) -> Exit {
    Cli::try_parse_from([&["mule"], words].concat()).unwrap().run()
}

/// What `ls` and `cat` write.
fn said(words: &[&str]) -> Result<(Exit, String), String> {
    let cli = Cli::try_parse_from([&["mule", "image"], words].concat()).unwrap();
    let Command::Image(args) = &cli.command else { panic!("{words:?}") };
    let mut out = Vec::new();
    let exit = match &args.command {
        image::Command::Ls(args) => ls(args, &mut Lines::new(&mut out)),
        image::Command::Cat(args) => cat(args, &mut out),
        _ => panic!("{words:?}"),
    };
    exit.map(|exit| (exit, String::from_utf8(out).unwrap()))
}

#[test]
fn files_come_out_of_an_image() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let image = &imaged(at);
    let (exit, list) = said(&["ls", image]).unwrap();
    assert_eq!((exit, list.lines().count()), (Exit::Good, 2), "{list}");
    assert!(list.contains("PHOTOS") && list.contains("home"), "{list}");
    let (_, list) = said(&["ls", image, "--json"]).unwrap();
    let first: serde_json::Value = serde_json::from_str(list.lines().next().unwrap()).unwrap();
    assert_eq!((&first["start"], &first["bytes"]), (&json!(1 << 20), &json!(4 << 20)));
    let why = said(&["ls", image, "/"]).unwrap_err();
    assert!(why.contains("--partition") && why.contains("PHOTOS"), "{why}");
    assert!(said(&["ls", image, "/", "--partition", "7"]).unwrap_err().contains("no partition 7"));
    for partition in ["1", "2"] {
        let (_, list) = said(&["ls", image, "folder", "--partition", partition]).unwrap();
        let names: Vec<_> = list.lines().map(|line| line.rsplit_once("  ").unwrap().1).collect();
        assert_eq!(names.len(), 2);
        assert!(names.contains(&"inner") && names.contains(&"text"));
        let (exit, list) = said(&["ls", image, "-R", "--json", "--partition", partition]).unwrap();
        assert!(
            exit == Exit::Good && list.contains("\"path\":\"/folder/inner/large\",\"kind\":\"file\",\"bytes\":1500000")
        );
        let text = said(&["cat", image, "/folder/text", "--partition", partition]).unwrap();
        assert_eq!(text, (Exit::Good, "text\n".to_owned()));
        assert!(said(&["cat", image, "/folder", "--partition", partition]).unwrap_err().contains("not a file"));
        let out = at.join(format!("out{partition}"));
        let to = out.to_str().unwrap();
        assert_eq!(
            run(&["image", "extract", image, "/folder", "/top", "--to", to, "--partition", partition]),
            Exit::Good
        );
        tool("diff", &["-r", "tree", to], at);
        // What is there stays as it is.
        fs::write(out.join("top"), "mine").unwrap();
        assert_eq!(run(&["image", "extract", image, "/top", "--to", to, "--partition", partition]), Exit::Bad);
        assert_eq!(fs::read_to_string(out.join("top")).unwrap(), "mine");
        assert_eq!(run(&["image", "extract", image, "/none", "--to", to, "--partition", partition]), Exit::Refused);
    }
}

/// The image of what is on `disk` in a folder.
fn image_of(at: &Path, name: &str) -> String {
    let image = at.join(format!("{name}.img.zst")).display().to_string();
    let (disk, state) = (at.join("disk").display().to_string(), at.join("state").display().to_string());
    let words = ["image", "create", &disk, &image, "--level", "1", "--state", &state, "--certificates", &state];
    assert_eq!(run(&words), Exit::Good);
    image
}

#[test]
fn files_are_read_where_the_tables_contradict_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    fs::create_dir(at.join("tree")).unwrap();
    fs::write(at.join("tree/text"), "text\n").unwrap();
    let fresh = || File::create(at.join("disk")).unwrap().set_len(16 << 20).unwrap();
    let ext = |offset: &str, size: &str| {
        tool("mke2fs", &["-q", "-F", "-t", "ext4", "-E", &format!("offset={offset}"), "-d", "tree", "disk", size], at);
    };
    // A boot record before what is left of a GPT.
    fresh();
    tool("sh", &["-c", "echo start=8192 | sfdisk -q -X gpt disk; dd if=/dev/zero of=disk count=34 conv=notrunc"], at);
    tool("sh", &["-c", "echo start=2048,size=20480 | sfdisk -q -X dos --wipe never disk"], at);
    ext("1048576", "10M");
    let image = &image_of(at, "stale");
    let (_, list) = said(&["ls", image, "/"]).unwrap();
    assert!(list.contains("text"), "{list}");
    assert_eq!(said(&["cat", image, "/text", "--partition", "1"]).unwrap().1, "text\n");
    // A file system on the whole disk below a table of another time.
    fresh();
    ext("0", "16M");
    tool("sh", &["-c", "echo start=2048,size=20480 | sfdisk -q -X dos --wipe never disk"], at);
    let image = &image_of(at, "whole");
    assert_eq!(said(&["cat", image, "/text"]).unwrap().1, "text\n");
    let (_, list) = said(&["ls", image]).unwrap();
    assert_eq!(list.lines().count(), 2, "{list}");
    // A width that no number of clusters tells.
    fresh();
    tool("mkfs.fat", &["-F", "32", "-s", "8", "-n", "ESP", "disk"], at);
    let image = &image_of(at, "few");
    let (_, list) = said(&["ls", image]).unwrap();
    assert!(list.contains("ESP"), "{list}");
    assert!(said(&["ls", image, "/"]).is_ok());
}

#[test]
fn an_encrypted_volume_is_refused_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    File::create(at.join("disk")).unwrap().set_len(40 << 20).unwrap();
    tool("mkfs.fat", &["-F", "32", "-s", "1", "disk"], at);
    let mut bytes = fs::read(at.join("disk")).unwrap();
    bytes[0x1a8..0x1b8].copy_from_slice(b"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01");
    fs::write(at.join("disk"), bytes).unwrap();
    let image = &image_of(at, "to-go");
    let to = at.join("out").display().to_string();
    for words in [&["ls", image, "/"][..], &["ls", image, "/", "--partition", "0"], &["cat", image, "/a"]] {
        let why = said(words).unwrap_err();
        assert!(why.contains("BitLocker"), "{why}");
    }
    assert_eq!(run(&["image", "extract", image, "/", "--to", &to]), Exit::Refused);
    assert!(!at.join("out").exists());
}

#[test]
fn an_image_becomes_a_disk_of_a_virtual_machine() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path();
    let image = &imaged(at);
    for format in ["raw", "qcow2", "qcow2-zstd"] {
        let out = at.join(format).display().to_string();
        assert_eq!(run(&["image", "export", image, &out, "--format", format]), Exit::Good);
        tool("qemu-img", &["compare", "-f", "raw", "disk", &out], at);
        assert_eq!(run(&["image", "export", image, &out, "--format", format]), Exit::Refused, "it exists");
    }
    tool("cmp", &["disk", "raw"], at);
    // A byte of the first frame, which holds the partition table.
    let mut bytes = fs::read(image).unwrap();
    let frame = bytes.windows(4).position(|magic| magic == [0x28, 0xB5, 0x2F, 0xFD]).unwrap();
    bytes[frame + 40] ^= 4;
    fs::write(image, &bytes).unwrap();
    let out = at.join("damaged").display().to_string();
    assert_eq!(run(&["image", "export", image, &out, "--format", "raw"]), Exit::Refused);
    assert!(!at.join("damaged").exists() && !at.join("damaged.part").exists());
}
