//! An image that the power goes from between any two steps to its name: the same job ends with the same image.

use super::{
    super::{image::Order, run},
    bench::{Copies, SIZE, cells, full},
};
use crate::{
    certify::copy::Outcome,
    console::Silent,
    imagefile::{Manifest, names_of},
    job::{run::Tally, tests::rig::MIB},
    journal::event::Action,
};
use std::{collections::BTreeMap, fs, num::NonZeroU64, path::Path};

type Tree = BTreeMap<String, Vec<u8>>;

fn tree(dir: &Path) -> Tree {
    let entries = fs::read_dir(dir).unwrap().flatten();
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn put(dir: &Path, tree: &Tree) {
    fs::read_dir(dir).unwrap().flatten().for_each(|entry| fs::remove_file(entry.path()).unwrap());
    tree.iter().for_each(|(name, bytes)| fs::write(dir.join(name), bytes).unwrap());
}

fn image(copies: &Copies, limit: Option<NonZeroU64>) -> Tally {
    let order = Order { limit, ..copies.order("a", None) };
    let orders = copies.sources(&["A"]).into_iter().map(|source| (source, order.clone())).collect();
    run::images(copies.job(Action::Image), orders, &mut Silent)
}

/// A drive, the image of it, and what lies there while the image has no name yet.
fn prepared(limit: Option<NonZeroU64>) -> (Copies, Tree, Tree) {
    let copies = Copies::new(vec![full("A", SIZE)]);
    // The note of a run that ends before the certificate: something else is where its folder should be.
    let shelf = copies.bench.folder().to_owned();
    let away = shelf.with_extension("away");
    let _ = fs::rename(&shelf, &away);
    fs::write(&shelf, "").unwrap();
    assert!(image(&copies, limit).settled[0].certificate.is_err());
    fs::remove_file(&shelf).unwrap();
    let _ = fs::rename(&away, &shelf);
    let mut whole = tree(copies.images_dir());
    let note = whole.remove("a.img.zst.part.job").expect("the note lasts until there is a certificate");
    let unfinished = |name: &String| name == "a.img.zst" || name.strip_prefix("a.img.zst.0").is_some();
    let mut before: Tree = Tree::new();
    for (name, bytes) in whole.iter().filter(|(name, _)| unfinished(name)) {
        before.insert(name.replacen("a.img.zst", "a.img.zst.part", 1), bytes.clone());
    }
    before.insert("a.img.zst.part.job".into(), note);
    (copies, before, whole)
}

/// The states between the steps of a commit, in their order, each by what has its name.
fn states(before: &Tree, whole: &Tree) -> Vec<Tree> {
    let mut steps: Vec<&str> = vec!["a.img.zst.manifest.json.sig", "a.img.zst.manifest.json"];
    let pieces = || whole.keys().map(String::as_str).filter(|name| before.contains_key(&part_of(name)));
    steps.extend(pieces().skip(1));
    steps.extend(pieces().take(1));
    let mut now = before.clone();
    let mut states = vec![now.clone()];
    for name in steps {
        now.remove(&part_of(name));
        now.insert(name.into(), whole[name].clone());
        states.push(now.clone());
    }
    states
}

fn part_of(name: &str) -> String {
    name.replacen("a.img.zst", "a.img.zst.part", 1)
}

#[test]
fn wherever_the_power_goes_on_the_way_to_its_name_the_same_job_ends_with_the_same_image() {
    for limit in [None, NonZeroU64::new(150_000)] {
        let (copies, before, whole) = prepared(limit);
        assert!(limit.is_none() || before.len() > 4, "{:?}", before.keys());
        let states = states(&before, &whole);
        for (place, state) in states.iter().enumerate() {
            let what = format!("{limit:?}, behind step {place} of {}", states.len() - 1);
            put(copies.images_dir(), state);
            let has_name = !names_of(&copies.image_path("a")).is_empty();
            assert_eq!(has_name, place == states.len() - 1, "{what}: only the last step makes an image");
            let tally = image(&copies, limit);
            assert!(tally.is_clean(), "{what}: {tally:?}");
            let now = tree(copies.images_dir());
            assert_eq!(now.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>(), "{what}");
            let pieces = |tree: &Tree| -> Vec<u8> {
                tree.iter()
                    .filter(|(name, _)| !name.contains("manifest"))
                    .flat_map(|(_, bytes)| bytes.clone())
                    .collect()
            };
            assert!(pieces(&now) == pieces(&whole), "{what}: another image");
            let record = copies.certificate("A");
            assert_eq!((record.outcome, record.copy.bytes_read), (Outcome::Imaged, SIZE), "{what}");
            let pauses = &record.copy.interruptions;
            assert_eq!(pauses.len(), 1, "{what}: {pauses:?}");
            assert!(pauses[0].detail.contains("were read again and were the same"), "{what}: {pauses:?}");
        }
    }
}

/// The image of yesterday is whole, and the drive is another one by now: nothing is said to be an image of the drive as it is, and
/// the image is left as it is.
#[test]
fn a_finished_image_is_certified_only_while_the_drive_holds_it_and_is_never_begun_anew() {
    let (copies, before, whole) = prepared(None);
    let last = states(&before, &whole).pop().unwrap();
    for place in [0, 5 * MIB + 9, SIZE - 1] {
        put(copies.images_dir(), &last);
        let byte = cells(copies.disk("A"), SIZE)[usize::try_from(place).unwrap()];
        copies.disk("A").write_cells(place, &[byte ^ 1]);
        let tally = image(&copies, None);
        assert!(!tally.is_clean());
        let reason = &tally.settled[0].reason;
        assert!(reason.contains("does not hold what it held then"), "{reason}");
        assert!(tree(copies.images_dir()) == whole, "the image and its manifest are as they were, the note is gone");
        assert_eq!(copies.certificate("A").outcome, Outcome::Failed);
        copies.disk("A").write_cells(place, &[byte]);
    }
    // Damage of the image is no difference of the drive.
    let mut damaged = last.clone();
    damaged.get_mut("a.img.zst").unwrap()[70_000] ^= 1;
    put(copies.images_dir(), &damaged);
    let tally = image(&copies, None);
    assert!(!tally.is_clean() && tree(copies.images_dir()).keys().eq(last.keys()), "{tally:?}");
    let reason = &tally.settled[0].reason;
    assert!(reason.contains("without a certificate") && reason.contains("was changed"), "{reason}");
}

#[test]
fn what_this_job_did_not_name_is_in_nobodys_way_and_stays() {
    let (copies, before, whole) = prepared(NonZeroU64::new(150_000));
    let limit = NonZeroU64::new(150_000);
    let manifest = "a.img.zst.manifest.json";
    let stranger = |name: &str| Tree::from([(name.to_owned(), b"somebody's".to_vec())]);
    for name in ["a.img.zst", "a.img.zst.000", "a.img.zst.001", manifest] {
        for ours in [false, true] {
            let mut state = if ours { before.clone() } else { Tree::new() };
            state.extend(stranger(name));
            put(copies.images_dir(), &state);
            let tally = image(&copies, limit);
            assert!(!tally.is_clean(), "{name}");
            assert!(tally.settled[0].reason.contains("never written over"), "{name}: {}", tally.settled[0].reason);
            assert!(tree(copies.images_dir()) == state, "{name}: nothing is touched");
        }
    }
    // A piece that is not as long as the manifest says is somebody else's, too.
    let mut state = states(&before, &whole)[2].clone();
    state.insert("a.img.zst.001".into(), b"somebody's".to_vec());
    put(copies.images_dir(), &state);
    let tally = image(&copies, limit);
    assert!(!tally.is_clean() && tree(copies.images_dir()) == state, "{tally:?}");
    assert!(Manifest::read(&copies.image_path("a")).is_ok());
}
