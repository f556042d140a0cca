//! Where images lie: what is missing is named, and is no damage; how much room there must be, and how large a file may be.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

mod bench;

use bench::{Bench, MIB, ends, good, noise, run, words};
use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A small store of its own; nothing where this user may not mount.
struct Store(PathBuf);

impl Store {
    fn new(bench: &Bench, words: &[&str], what: &Path) -> Option<Self> {
        let at = bench.path("store");
        fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount").args(words).arg(what).arg(&at).output().unwrap();
        mounted.status.success().then(|| Self(at))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_store_has_room_for_what_can_be_compressed_and_a_full_one_ends_in_good_order() {
    let bench = Bench::new();
    let Some(store) = Store::new(&bench, &["-t", "tmpfs", "-o", "size=12m"], Path::new("none")) else { return };
    let text: Vec<u8> = (0..64 * MIB).map(|byte| (byte / 64 % 251).to_le_bytes()[0]).collect();
    let (easy, hard) = (bench.write("easy", &text), bench.write("hard", &noise(5, 16)));
    let image = |name: &str| store.0.join(name);
    let (a, b) = (image("a.img.zst"), image("b.img.zst"));
    good(bench.certified(words!["image", "create", easy, a, "--raw"]));
    let stored = words!["image", "create", easy, b, "--raw", "--level", "store"];
    ends(bench.certified(stored), 1, "--ignore-room");
    ends(bench.certified(words!["image", "create", hard, b, "--raw"]), 1, "--ignore-room");
    assert!(!b.exists() && !image("b.img.zst.part").exists());
    let full = words!["image", "create", hard, b, "--raw", "--ignore-room"];
    ends(bench.certified(full), 1, "the store is full");
    assert!(!b.exists() && image("b.img.zst.part").exists());
    // With more room it goes on.
    run("mount", words!["-o", "remount,size=40m", store.0]);
    good(bench.certified(words!["image", "create", hard, b, "--raw"]));
    assert!(run("zstd", words!["-dc", b]).stdout == noise(5, 16));
}

/// FAT takes files of less than 4 GiB, an ext2 with blocks of 1 KiB of 16 GiB; an image that could be larger is cut by itself.
#[test]
fn the_largest_file_of_a_store_is_known_before() {
    let bench = Bench::new();
    let disk = bench.write("ext2", &[]);
    fs::File::options().write(true).open(&disk).unwrap().set_len(256 << 20).unwrap();
    run("mke2fs", words!["-q", "-t", "ext2", "-b", "1024", disk]);
    let Some(store) = Store::new(&bench, &["-o", "loop"], &disk) else { return };
    let largest = |dir: &Path| mule::files::largest(&mut tempfile::tempfile_in(dir).unwrap());
    assert!((16 << 30..17 << 30).contains(&largest(&store.0)), "{}", largest(&store.0));
    assert!(largest(bench.dir.path()) > 1 << 40);
    // Nothing is no more than some MB; but nobody knew that before.
    let large = bench.path("large");
    fs::File::create(&large).unwrap().set_len(17 << 30).unwrap();
    let image = store.0.join("a.img.zst");
    good(bench.certified(words!["image", "create", large, image, "--raw", "--hash", "none", "--no-verify"]));
    assert!(!image.exists() && store.0.join("a.img.zst.000").exists());
    good(bench.mule(false, words!["image", "verify", image]));
}

#[test]
fn what_is_missing_is_named_and_is_no_damage() {
    let bench = Bench::new();
    let disk = bench.write("disk", &noise(1, 4));
    let (base, image) = (bench.path("a.img.zst"), bench.path("b.img.zst"));
    good(bench.certified(words!["image", "create", disk, base, "--raw"]));
    good(bench.certified(words!["image", "create", disk, image, "--raw", "--base", base]));
    let verify = |image| bench.mule(false, words!["image", "verify", image]);
    let not = |(code, text): (i32, String), missing: &OsStr| {
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("NOT VERIFIED: something is missing") && !text.contains("DAMAGED"), "{text}");
        assert!(text.contains(missing.to_str().unwrap()), "{text}");
    };
    for name in ["a.img.zst", "a.img.zst.manifest.json", "b.img.zst.manifest.json", "b.img.zst.manifest.json.sig"] {
        let (path, away) = (bench.path(name), bench.path("away"));
        fs::rename(&path, &away).unwrap();
        if name.starts_with("a.img.zst.") {
            // Nobody needs it to read the one that builds on it; alone it says nothing of itself any more.
            good(verify(&image));
            not(verify(&base), path.as_os_str());
        } else {
            not(verify(&image), path.as_os_str());
            let target = bench.write("target", &[7; 4 << 20]);
            ends(bench.certified(words!["restore", image, target, "--yes-erase", target]), 2, path.to_str().unwrap());
            assert!(fs::read(&target).unwrap() == [7; 4 << 20], "it was written on");
        }
        fs::rename(&away, &path).unwrap();
    }
    good(verify(&image));
    not(verify(&bench.path("none.img.zst")), OsStr::new("there is no image"));
}

#[test]
fn an_image_is_not_restored_onto_what_it_is_read_from() {
    let bench = Bench::new();
    let disk = bench.write("disk", &noise(2, 1));
    let (base, image) = (bench.path("a.img.zst"), bench.path("b.img.zst"));
    good(bench.certified(words!["image", "create", disk, base, "--raw"]));
    good(bench.certified(words!["image", "create", disk, image, "--raw", "--base", base]));
    let link = bench.path("link");
    for own in [&base, &image] {
        let _ = fs::remove_file(&link);
        fs::hard_link(own, &link).unwrap();
        let before = fs::read(own).unwrap();
        for target in [own, &link] {
            let restored = bench.certified(words!["restore", image, target, "--yes-erase", target]);
            ends(restored, 2, "belongs to the image, or to one that it builds on");
        }
        assert!(fs::read(own).unwrap() == before);
    }
}

#[test]
fn what_is_gone_is_not_listed_as_kept() {
    let bench = Bench::new();
    let (disk, store) = (bench.write("disk", &noise(3, 1)), bench.path("store"));
    fs::create_dir(&store).unwrap();
    good(bench.certified(words![
        "wipe",
        "--keep",
        "2d",
        "--store",
        store,
        "--method",
        "zero",
        "--yes-erase",
        disk,
        disk
    ]));
    assert!(good(bench.mule(false, words!["kept", store])).contains("kept until"));
    let image = fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().path());
    let image = image.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "zst")).unwrap();
    let whole = fs::read(&image).unwrap();
    for left in [Some(&whole[..whole.len() - 1]), None] {
        match left {
            Some(bytes) => fs::write(&image, bytes).unwrap(),
            None => fs::remove_file(&image).unwrap(),
        }
        let (code, text) = bench.mule(false, words!["kept", store]);
        assert!(code == 1 && text.contains("NOT KEPT") && !text.contains("kept until"), "exit code {code}: {text}");
    }
    fs::write(&image, whole).unwrap();
    assert!(good(bench.mule(false, words!["kept", store])).contains("kept until"));
}

#[test]
fn several_drives_are_imaged_at_once_each_under_a_name_of_its_own() {
    let bench = Bench::new();
    let folder = bench.path("images");
    let disks: Vec<_> = (0..3).map(|place| bench.write(&format!("disk{place}"), &noise(place, 3))).collect();
    let [a, b, c] = &disks[..] else { unreachable!() };
    let several = words!["image", "create", a, b, c, folder, "--raw"];
    ends(bench.certified(several), 2, "a folder that is there");
    ends(
        bench.certified(words!["image", "create", a, b, bench.path("x.img.zst")]),
        2,
        "several drives go into a folder",
    );
    fs::create_dir(&folder).unwrap();
    let base = folder.join("x.img.zst");
    ends(bench.certified(words!["image", "create", a, b, folder, "--base", base]), 2, "the base is of one drive");
    good(bench.certified(several));
    let images = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut images: Vec<_> = images.filter(|path| path.extension().is_some_and(|ending| ending == "zst")).collect();
    images.sort();
    let mut found: Vec<_> = images.iter().map(|image| run("zstd", words!["-dc", image]).stdout).collect();
    found.sort();
    let mut wanted: Vec<_> = (0..3).map(|place| noise(place, 3)).collect();
    wanted.sort();
    assert!(found == wanted, "{images:?}");
    let words: Vec<&OsStr> =
        ["image", "verify"].iter().map(OsStr::new).chain(images.iter().map(|i| i.as_os_str())).collect();
    good(bench.mule(false, &words));
    assert_eq!(
        fs::read_dir(bench.path("certificates"))
            .unwrap()
            .filter(|entry| { entry.as_ref().unwrap().path().extension().is_some_and(|ending| ending == "json") })
            .count(),
        3
    );
}

/// Monday, and two days that build on the day before.
fn chain(bench: &Bench) -> PathBuf {
    let store = bench.path("images");
    fs::create_dir(&store).unwrap();
    let mut disk = noise(9, 8);
    let mut base: Option<PathBuf> = None;
    for (place, name) in ["mo.img.zst", "tu.img.zst", "we.img.zst"].into_iter().enumerate() {
        disk[place * 2 * MIB..][..MIB].fill(u8::try_from(place).unwrap());
        let path = bench.write("disk", &disk);
        let image = store.join(name);
        let mut words = words!["image", "create", path, image, "--raw"].to_vec();
        if let Some(base) = &base {
            words.extend([OsStr::new("--base"), base.as_os_str()]);
        }
        good(bench.certified(&words));
        base = Some(image);
    }
    store
}

#[test]
fn a_store_tells_what_is_there_and_when_it_was_read() {
    let bench = Bench::new();
    let (store, state) = (chain(&bench), bench.path("state"));
    let listed = |exit: i32| {
        let (code, text) = bench.mule(false, words!["store", "list", store, "--json"]);
        assert_eq!(code, exit, "{text}");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<serde_json::Value>>()
    };
    let before = listed(0);
    assert_eq!(before.len(), 3);
    assert_eq!((&before[1]["base"], &before[1]["needed_by"][0]), (&"mo.img.zst".into(), &"we.img.zst".into()));
    assert!(before.iter().all(|item| item["checked"].is_null() && item["trouble"].is_null()));
    let said = good(bench.mule(false, words!["store", "check", store, "--state", state, "--idle"]));
    assert!(said.contains("3 read, 0 found whole"), "{said}");
    assert!(listed(0).iter().all(|item| item["checked"]["whole"] == true));
    let said = good(bench.mule(false, words!["store", "check", store, "--state", state, "--older-than", "1h"]));
    assert!(said.contains("0 read, 3 found whole"), "{said}");
    // A note that was changed is none.
    let note = store.join("mo.img.zst.checked.json");
    fs::write(&note, fs::read_to_string(&note).unwrap().replace("true", "true ")).unwrap();
    assert!(listed(0)[0]["checked"].is_null());
    // What is damaged is found and told from then on, of every image that needs it.
    let image = store.join("mo.img.zst");
    let mut bytes = fs::read(&image).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&image, bytes).unwrap();
    ends(bench.mule(false, words!["store", "check", store, "--state", state]), 1, "DAMAGED");
    assert_eq!(listed(1)[0]["trouble"], "it was found damaged");
    fs::remove_file(&image).unwrap();
    let troubles: Vec<_> =
        listed(1).iter().map(|item| item["trouble"].as_str().unwrap_or_default().to_owned()).collect();
    assert!(troubles[0].contains("mo.img.zst is not there"), "{troubles:?}");
    assert!(troubles[1].contains("mo.img.zst, which it builds on"), "{troubles:?}");
}

#[test]
fn a_chain_is_pruned_when_nothing_needs_it_any_more() {
    let bench = Bench::new();
    let (store, state) = (chain(&bench), bench.path("state"));
    let name = |name: &str| store.join(name);
    let prune = |more: &[&OsStr]| bench.mule(false, &[words!["store", "prune", store, "--keep", "1"], more].concat());
    // All that the newest one builds on stays.
    let said = good(prune(&[]));
    assert!(said.contains("tu.img.zst: stays: we.img.zst builds on it") && !said.contains("can go"), "{said}");
    let disk = fs::read(bench.path("disk")).unwrap();
    let (we, mo, new) = (name("we.img.zst"), name("mo.img.zst"), name("new.img.zst"));
    good(bench.mule(false, words!["store", "rebase", we, new, "--onto", mo, "--state", state]));
    let again = words!["store", "rebase", we, new, "--onto", mo, "--state", state];
    ends(bench.mule(false, again), 2, "never written over");
    good(bench.mule(false, words!["image", "verify", new]));
    let of = |image: &Path| fs::metadata(image).unwrap().len();
    assert!(of(&new) < of(&mo), "it stores what the base holds");
    ends(prune(&[]), 2, "say --yes");
    assert!(we.exists(), "it was removed without a yes");
    let said = good(prune(words!["--yes"]));
    assert!(said.contains("mo.img.zst: stays: new.img.zst builds on it"), "{said}");
    assert!(said.find("we.img.zst: removed") < said.find("tu.img.zst: removed"), "{said}");
    let mut left: Vec<_> = fs::read_dir(&store).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(
        left,
        ["mo", "new"]
            .iter()
            .flat_map(|day| {
                ["", ".manifest.json", ".manifest.json.sig"].map(|end| format!("{day}.img.zst{end}").into())
            })
            .collect::<Vec<std::ffi::OsString>>()
    );
    let target = bench.write("target", &[7; 8 * MIB]);
    good(bench.certified(words!["restore", new, target, "--yes-erase", target]));
    assert!(fs::read(&target).unwrap() == disk);
}

#[test]
fn what_is_kept_unfinished_or_unclear_is_not_pruned() {
    let bench = Bench::new();
    let store = bench.path("images");
    fs::create_dir(&store).unwrap();
    let disk = bench.write("disk", &noise(3, 2));
    let of = |name: &str| store.join(name);
    for name in ["a.img.zst", "b.img.zst", "c.img.zst", "d.img.zst"] {
        good(bench.certified(words!["image", "create", disk, of(name), "--raw"]));
    }
    fs::write(of("a.img.zst.kept.json"), "nobody can read this").unwrap();
    fs::remove_file(of("b.img.zst.manifest.json.sig")).unwrap();
    fs::rename(of("c.img.zst"), of("c.img.zst.part")).unwrap();
    let files = || fs::read_dir(&store).unwrap().count();
    let before = files();
    let said = good(bench.mule(false, words!["store", "prune", store, "--keep", "1", "--yes"]));
    assert!(said.matches(": stays: ").count() == 4 && files() == before, "{said}");
}
