//! Where images lie: what is missing is named, and is no damage.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

mod bench;

use bench::{Bench, ends, good, noise, words};
use std::{ffi::OsStr, fs};

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
