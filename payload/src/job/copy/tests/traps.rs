//! Images in a folder that somebody else has prepared.

use super::{
    super::{commit, run},
    bench::{Copies, full},
};
use crate::{
    aside::{
        Folder,
        traps::{Bench, TRAPS},
    },
    console::Silent,
    imagefile::{Finished, names_of},
    job::tests::rig::MIB,
    journal::event::{Action, Outcome},
};
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt};

/// Every name that is made on the way to an image.
const NAMES: [&str; 10] = [
    "a.img.zst",
    "a.img.zst.000",
    "a.img.zst.part",
    "a.img.zst.part.000",
    "a.img.zst.part.job",
    "a.img.zst.part.job.new",
    "a.img.zst.manifest.json",
    "a.img.zst.manifest.json.new",
    "a.img.zst.manifest.json.sig",
    "a.img.zst.manifest.json.sig.new",
];

#[test]
fn an_image_goes_through_no_trap() {
    for (trap, plant) in TRAPS {
        for name in NAMES {
            let (bench, what) = (Bench::new(), format!("{trap} at {name}"));
            let copies = Copies::new(vec![full("A", 3 * MIB)]);
            plant(&bench, &bench.folder().join(name));
            let mut order = copies.order("a", None);
            order.path = bench.folder().join("a.img.zst");
            let orders = copies.sources(&["A"]).into_iter().map(|source| (source, order.clone())).collect();
            let tally = run::images(copies.job(Action::Image), orders, &mut Silent);
            bench.nothing_was_touched(&what);
            let whole = tally.settled.iter().all(|drive| drive.outcome == Outcome::Imaged);
            if tally.stopped.is_none() && whole {
                let content = run::open_content(&order.path).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(content.manifest.image.serial, "A", "{what}");
                assert!(fs::symlink_metadata(&order.path).unwrap().is_file(), "{what}");
            }
        }
    }
}

/// A folder may be called by any bytes; each piece keeps its number.
#[test]
fn pieces_are_renamed_one_by_one_whatever_their_folder_is_called() {
    let bench = Bench::new();
    let folder = bench.folder().join(OsStr::from_bytes(b"\xff\xfe"));
    fs::create_dir(&folder).unwrap();
    let pieces = ["a.img.zst.part.000", "a.img.zst.part.001"].map(|name| folder.join(name));
    pieces.iter().for_each(|piece| fs::write(piece, piece.as_os_str().as_bytes()).unwrap());
    let files = pieces.iter().map(|piece| (piece.clone(), 4)).collect();
    let finished = Finished { root: [0; 32], groups: Vec::new(), tail: [0; 32], files };
    commit::rename(
        &Folder::anybodys(&folder).unwrap(),
        &finished,
        &folder.join("a.img.zst.part"),
        &folder.join("a.img.zst"),
    )
    .unwrap();
    for (number, piece) in pieces.iter().enumerate() {
        let renamed = folder.join(format!("a.img.zst.{number:03}"));
        assert_eq!(fs::read(renamed).unwrap(), piece.as_os_str().as_bytes());
    }
}

/// The name was free when the image was begun, hours ago.
#[test]
fn an_image_gets_its_name_in_nobodys_place_or_keeps_the_one_it_has() {
    for (trap, plant) in TRAPS {
        let bench = Bench::new();
        let (part, path) = (bench.folder().join("a.img.zst.part"), bench.folder().join("a.img.zst"));
        let pieces =
            ["a.img.zst.part.000", "a.img.zst.part.001", "a.img.zst.part.002"].map(|name| bench.folder().join(name));
        pieces.iter().for_each(|piece| fs::write(piece, "ours").unwrap());
        let files = pieces.iter().map(|piece| (piece.clone(), 4)).collect();
        let finished = Finished { root: [0; 32], groups: Vec::new(), tail: [0; 32], files };
        let taken = bench.folder().join("a.img.zst.001");
        plant(&bench, &taken);
        let folder = Folder::anybodys(&bench.folder()).unwrap();
        let refused = commit::rename(&folder, &finished, &part, &path).unwrap_err();
        assert!(refused.to_string().contains("never written over"), "{trap}: {refused}");
        bench.nothing_was_touched(trap);
        assert_eq!(names_of(&part), pieces, "{trap}: it can be gone on with");
        if fs::symlink_metadata(&taken).unwrap().is_dir() { fs::remove_dir(&taken) } else { fs::remove_file(&taken) }
            .unwrap();
        commit::rename(&folder, &finished, &part, &path).unwrap();
        assert_eq!((names_of(&part).len(), names_of(&path).len()), (0, 3), "{trap}");
    }
}
