//! ext2, ext3 and ext4, made by their own tools.

use super::*;

#[test]
fn ext_of_every_kind_gives_back_what_mke2fs_put_in() {
    let at = tempfile::tempdir().unwrap();
    let root = tree(at.path());
    // Holes, and blocks in the second and third level of a map.
    let sparse = File::create(root.join("sparse")).unwrap();
    for (place, text) in [(5_000, "near"), (300_000, "one"), (20_000_000, "two"), (90_000_000, "three")] {
        sparse.write_all_at(text.as_bytes(), place).unwrap();
    }
    sparse.set_len(100_000_000).unwrap();
    for (number, options) in [
        &["-t", "ext2", "-b", "1024"][..],
        &["-t", "ext2", "-b", "1024", "-r", "0"],
        &["-t", "ext3", "-b", "4096", "-I", "128"],
        &["-t", "ext4"],
        &["-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode,64bit", "-g", "1024"],
        &["-t", "ext4", "-b", "1024", "-O", "bigalloc,sparse_super2", "-C", "4096"],
        &["-t", "ext4", "-b", "2048", "-O", "^64bit,^has_journal,^metadata_csum"],
    ]
    .into_iter()
    .enumerate()
    {
        let image = format!("ext-{number}");
        let mut arguments = options.to_vec();
        arguments.extend(["-q", "-F", "-N", "2000", "-d", root.to_str().unwrap(), &image, "24M"]);
        tool("mke2fs", &arguments, at.path());
        tool("e2fsck", &["-fn", &image], at.path());
        same_as(&blocks(&at.path().join(&image)), &root, Kind::Ext);
    }
}

#[test]
fn files_and_folders_inside_their_inodes_are_read() {
    let at = tempfile::tempdir().unwrap();
    let root = tree(at.path());
    for size in ["256", "1024"] {
        let options = ["-q", "-F", "-t", "ext4", "-b", "4096", "-O", "inline_data", "-I", size, "-N", "2000", "-d"];
        tool("mke2fs", &[&options[..], &[root.to_str().unwrap(), "image", "24M"]].concat(), at.path());
        let flags = tool("debugfs", &["-R", "stat /few", "image"], at.path());
        assert!(String::from_utf8_lossy(&flags).contains("0x10000000"), "it is inline");
        same_as(&blocks(&at.path().join("image")), &root, Kind::Ext);
        fs::remove_file(at.path().join("image")).unwrap();
    }
    // Only the kernel puts a folder's entries into the attribute as well; here a file becomes such a folder.
    let entry = |inode: u32, len: u16, name: &[u8]| {
        let mut bytes =
            [&inode.to_le_bytes()[..], &len.to_le_bytes(), &[u8::try_from(name.len()).unwrap(), 1], name].concat();
        bytes.resize(len.into(), 0);
        bytes
    };
    let folder = [&2_u32.to_le_bytes()[..], &entry(12, 56, b"here"), &entry(13, 40, b"there")].concat();
    let small = at.path().join("small");
    fs::create_dir(&small).unwrap();
    fs::write(small.join("folder"), folder).unwrap();
    fs::write(small.join("file"), "file").unwrap();
    let options = ["-q", "-F", "-t", "ext4", "-O", "inline_data", "-I", "256", "-d", "small", "image", "2M"];
    tool("mke2fs", &options, at.path());
    tool("debugfs", &["-w", "-R", "sif /folder mode 040755", "image"], at.path());
    let volume = fs::read(at.path().join("image")).unwrap();
    let files = open(&volume).unwrap();
    let mut names = Vec::new();
    let mut each = |entry: Entry| {
        names.push(entry.name);
        ControlFlow::Continue(())
    };
    files.list(&find(&*files, "/folder").unwrap(), &mut each).unwrap();
    assert_eq!(names, ["here", "there"]);
}

#[test]
fn links_devices_and_names_of_ext_do_no_harm() {
    let at = tempfile::tempdir().unwrap();
    let root = at.path().join("tree");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("a\nb\u{7}"), "bell").unwrap();
    std::os::unix::fs::symlink("/etc", root.join("link")).unwrap();
    std::os::unix::fs::symlink("x".repeat(200), root.join("long link")).unwrap();
    tool("mke2fs", &["-q", "-F", "-d", root.to_str().unwrap(), "image", "2M"], at.path());
    tool("debugfs", &["-w", "-R", "mknod pipe p", "image"], at.path());
    // A name with a slash, as only a crafted disk has it.
    let image = at.path().join("image");
    fs::write(root.join("..?escape"), "out").unwrap();
    tool(
        "debugfs",
        &["-w", "-R", &format!("write {} ..?escape", root.join("..?escape").display()), "image"],
        at.path(),
    );
    let mut bytes = fs::read(&image).unwrap();
    let name = bytes.windows(9).position(|name| name == b"..?escape").unwrap();
    bytes[name + 2] = b'/';
    let files = open(&bytes).unwrap();
    let out = at.path().join("out");
    fs::create_dir(&out).unwrap();
    // Somebody put links in the way.
    fs::write(at.path().join("precious"), "precious").unwrap();
    std::os::unix::fs::symlink("../precious", out.join("a%0Ab%07")).unwrap();
    let mut skipped = BTreeMap::new();
    let done = extract(&*files, &files.root(), "", &out, &mut |what| {
        skipped.insert(what.path, what.why.to_string());
    });
    assert_eq!((done.files, done.folders), (1, 1), "{skipped:?}");
    let names: Vec<_> = skipped.keys().map(String::as_str).collect();
    assert_eq!(names, ["/a%0Ab%07", "/link", "/long link", "/pipe"]);
    assert_eq!(fs::read_to_string(out.join("..%2Fescape")).unwrap(), "out");
    assert_eq!(fs::read_to_string(at.path().join("precious")).unwrap(), "precious");
    assert!(!at.path().join("escape").exists());
    assert!(find(&*files, "/../out").is_err() && find(&*files, "/link/passwd").is_err());
}

#[test]
fn an_open_journal_is_mentioned() {
    let at = tempfile::tempdir().unwrap();
    tool("mke2fs", &["-q", "-F", "-t", "ext4", "image", "8M"], at.path());
    assert_eq!(open(&blocks(&at.path().join("image"))).unwrap().note(), None);
    tool("debugfs", &["-w", "-R", "feature needs_recovery", "image"], at.path());
    assert!(open(&blocks(&at.path().join("image"))).unwrap().note().unwrap().contains("journal"));
}
