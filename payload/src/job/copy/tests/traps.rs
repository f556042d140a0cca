//! Images in a folder that somebody else has prepared.

use super::{
    super::{image, run},
    bench::{Copies, full},
};
use crate::{
    aside::traps::{Bench, TRAPS},
    console::Silent,
    imagefile::{Finished, names_of},
    job::tests::rig::MIB,
    journal::event::{Action, Outcome},
};
use std::fs;

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
        let refused = image::rename(&finished, &part, &path).unwrap_err();
        assert!(refused.to_string().contains("never written over"), "{trap}: {refused}");
        bench.nothing_was_touched(trap);
        assert_eq!(names_of(&part), pieces, "{trap}: it can be gone on with");
        if fs::symlink_metadata(&taken).unwrap().is_dir() { fs::remove_dir(&taken) } else { fs::remove_file(&taken) }
            .unwrap();
        image::rename(&finished, &part, &path).unwrap();
        assert_eq!((names_of(&part).len(), names_of(&path).len()), (0, 3), "{trap}");
    }
}
