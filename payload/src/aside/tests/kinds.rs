//! Every kind of file that is made, in a folder that somebody else has prepared.

use super::super::traps::{Bench, PIPE, TRAPS, at_once};
use crate::{
    browse,
    certify::{fixture, store},
    cli::host,
    export::{self, Format},
    files,
    imagefile::{self, Header, Manifest, Mode, Reader, Writer},
    job::retain::Retained,
    rescue::Map,
};
use std::{
    fs,
    num::NonZeroU64,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

struct Kind {
    what: &'static str,
    /// Every name it makes on the way, with the right one first.
    names: &'static [&'static str],
    make: fn(&Path) -> Result<(), String>,
    /// Whether it is made in folders of the user's own alone.
    own: bool,
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn header() -> Header {
    Header {
        format: Header::FORMAT.into(),
        disk_bytes: 4 << 20,
        logical_block: 512,
        physical_block: 512,
        frame_bytes: 1 << 20,
        model: "DISK".into(),
        serial: "S1".into(),
        wwn: String::new(),
        mode: Mode::Raw,
        base_root: None,
    }
}

fn image(dir: &Path, limit: Option<u64>) -> Result<(), String> {
    Writer::create(&dir.join("a.img.zst.part"), limit.and_then(NonZeroU64::new), header()).map(drop).map_err(text)
}

struct Sevens;

impl export::Source for Sevens {
    fn size(&self) -> u64 {
        3 << 20
    }

    fn frame(&self, _: u64) -> std::io::Result<Option<Box<dyn AsRef<[u8]> + Send>>> {
        Ok(Some(Box::new(vec![7_u8; 1 << 20])))
    }
}

fn export(dir: &Path, format: Format) -> Result<(), String> {
    let made = export::export(&Sevens, format, &dir.join("disk"), 2, &mut |_| ControlFlow::Continue(()));
    made.map(drop).map_err(text)
}

fn extract(dir: &Path) -> Result<(), String> {
    let files = browse::fixture::Made::new(|_| ());
    let mut why = Vec::new();
    browse::extract(&files, &browse::Files::root(&files), "", dir, &mut |what| why.push(what.why.to_string()));
    if why.is_empty() { Ok(()) } else { Err(why.join("; ")) }
}

const KINDS: [Kind; 9] = [
    Kind {
        what: "a map, or a note",
        names: &["a.map", "a.map.new"],
        make: |dir| Map::new(1 << 20).save(&dir.join("a.map")).map_err(text),
        own: false,
    },
    Kind {
        what: "an exported log, or a page",
        names: &["page"],
        make: |dir| files::create(&dir.join("page"), b"<!doctype html>").map_err(text),
        own: false,
    },
    Kind { what: "an image", names: &["a.img.zst.part"], make: |dir| image(dir, None), own: false },
    Kind { what: "a piece", names: &["a.img.zst.part.000"], make: |dir| image(dir, Some(1 << 30)), own: false },
    Kind { what: "a raw disk", names: &["disk", "disk.part"], make: |dir| export(dir, Format::Raw), own: false },
    Kind { what: "qcow2", names: &["disk", "disk.part"], make: |dir| export(dir, Format::Qcow2Zstd), own: false },
    Kind { what: "files of an image", names: &["file", "folder"], make: extract, own: false },
    Kind { what: "a log", names: &["log"], make: |dir| host::open_log(&dir.join("log")).map(drop), own: true },
    Kind {
        what: "a certificate",
        names: &[store::ALLOWED_SIGNERS],
        make: |dir| store::write(dir, &fixture::erased(), &fixture::key()).map(drop).map_err(text),
        own: true,
    },
];

#[test]
fn whatever_is_made_goes_through_no_trap() {
    for Kind { what, names, make, .. } in KINDS {
        for name in names {
            for (trap, plant) in TRAPS {
                let (bench, what) = (Bench::new(), format!("{what}, {trap} at {name}"));
                plant(&bench, &bench.folder().join(name));
                let folder = bench.folder();
                let made = at_once(&what, move || make(&folder));
                bench.nothing_was_touched(&what);
                let right = bench.folder().join(names[0]);
                if made.is_ok() {
                    let there = fs::symlink_metadata(&right).unwrap();
                    assert!(
                        there.is_file() && fs::read(&right).unwrap() != fs::read(bench.at("victim")).unwrap(),
                        "{what}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_kind_is_made_where_nothing_is_in_the_way() {
    for Kind { what, names, make, own } in KINDS {
        let bench = Bench::new();
        make(&bench.folder()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(bench.folder().join(names[0]).is_file(), "{what}");
        // A link that a person names as the folder is one.
        let bench = Bench::new();
        fs::rename(bench.folder(), bench.at("real")).unwrap();
        std::os::unix::fs::symlink(bench.at("real"), bench.folder()).unwrap();
        make(&bench.folder()).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(bench.at("real").join(names[0]).is_file(), "{what}");
        let bench = Bench::new();
        if bench.give_away() {
            let made = make(&bench.folder());
            assert_eq!(made.is_err(), own, "{what}: {made:?}");
            assert!(!own || made.unwrap_err().contains("belongs to user 65534"), "{what}");
        }
    }
}

/// Reading follows a link, for it changes nothing; but nobody can make it wait.
#[test]
fn nothing_that_is_read_is_waited_for() {
    type Read = fn(PathBuf) -> bool;
    let reads: [(&str, &str, Read); 6] = [
        ("an image", "a.img.zst", |image| Reader::open(&image).is_err()),
        ("a header", "a.img.zst", |image| imagefile::peek(&image).is_err()),
        ("a manifest", "a.img.zst.manifest.json", |image| Manifest::read(&image).is_err()),
        ("a kept note", "a.img.zst.kept.json", |image| Retained::read(&image).is_err()),
        ("a map", "a.map", |image| Map::load(&image.with_file_name("a.map"), 1 << 20).is_err()),
        ("bytes", "bytes", |image| files::read(&image.with_file_name("bytes"), 100).is_err()),
    ];
    for (what, name, read) in reads {
        let bench = Bench::new();
        PIPE.1(&bench, &bench.folder().join(name));
        let image = bench.folder().join("a.img.zst");
        assert!(at_once(what, move || read(image)), "{what}");
    }
}

/// The tree that is extracted is a stranger's, and so may be who watches the folder that it goes into.
#[test]
fn a_folder_that_is_exchanged_while_files_go_into_it_leads_nowhere_else() {
    let bench = Bench::new();
    let (folder, elsewhere) = (bench.at("folder/folder"), bench.at("elsewhere"));
    let files = browse::fixture::Made::new(move |name| {
        if name == "folder" {
            fs::rename(&folder, folder.with_file_name("moved")).unwrap();
            std::os::unix::fs::symlink(&elsewhere, &folder).unwrap();
        }
    });
    let root = browse::Files::root(&files);
    let done = browse::extract(&files, &root, "", &bench.folder(), &mut |what| panic!("{what:?}"));
    bench.nothing_was_touched("the extracted tree");
    assert_eq!((done.files, done.folders), (2, 1));
    assert_eq!(fs::read(bench.at("folder/moved/inner")).unwrap(), b"content");
}

/// Readers make names harmless; if one did not, the name would still lead nowhere.
#[test]
fn a_name_that_leads_out_of_the_folder_is_no_name() {
    let bench = Bench::new();
    let folder = super::Folder::open(&bench.folder()).unwrap();
    for name in ["..", ".", "", "/etc/passwd", "../elsewhere/file", "a/b", "a\0b"] {
        let name = std::ffi::OsStr::new(name);
        assert!(folder.create(name).is_err() && folder.make(name).is_err() && folder.has(name).is_err(), "{name:?}");
        assert!(folder.remove(name).is_err() && folder.begin(name).is_err(), "{name:?}");
        let given = folder.create("file".as_ref()).and_then(|_| folder.give("file".as_ref(), name));
        assert_eq!(given.unwrap_err().kind(), std::io::ErrorKind::InvalidInput, "{name:?}");
        folder.remove("file".as_ref()).unwrap();
    }
    bench.nothing_was_touched("names");
    assert_eq!(folder.names().unwrap().len(), 0);
}

#[test]
fn a_name_is_given_in_nobodys_place() {
    let bench = Bench::new();
    let folder = super::Folder::open(&bench.folder()).unwrap();
    let (from, to) = ("from".as_ref(), "to".as_ref());
    for (trap, plant) in TRAPS {
        for give in [super::Folder::give, super::Folder::give_free] {
            fs::write(bench.at("folder/from"), "ours").unwrap();
            plant(&bench, &bench.at("folder/to"));
            assert_eq!(give(&folder, from, to).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists, "{trap}");
            let there = bench.at("folder/to");
            let removed = if fs::symlink_metadata(&there).unwrap().is_dir() { fs::remove_dir } else { fs::remove_file };
            removed(there).unwrap();
            give(&folder, from, to).unwrap();
            assert_eq!(fs::read(bench.at("folder/to")).unwrap(), b"ours");
            folder.remove(to).unwrap();
        }
    }
    bench.nothing_was_touched("names given");
}
