//! The commands as a person types them, on regular files: images, restores, clones, comparisons, the safety net. What came
//! out is judged by the distribution's zstd, sha512sum and cmp.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

mod bench;

use bench::{Bench, MIB, ends, good, noise, run, words};
use std::{ffi::OsStr, fs, path::Path, process::Command};

/// A disk with a quarter of zeros, some text and noise; no multiple of a MiB long.
fn disk(seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; 6 * MIB + 1536];
    let mut reader = blake3::Hasher::new_keyed(&[seed; 32]).finalize_xof();
    reader.fill(&mut bytes[..2 * MIB]);
    let text = b"The quick brown mule jumps over the lazy drive. ".iter().cycle();
    bytes[3 * MIB..].iter_mut().zip(text).for_each(|(byte, letter)| *byte = *letter);
    bytes
}

#[test]
fn an_image_is_made_checked_restored_cloned_and_compared() {
    let bench = Bench::new();
    let source = bench.write("source", &disk(1));
    let image = bench.path("a.img.zst");
    good(bench.certified(words!["image", "create", source, image]));
    run("zstd", words!["-qt", image]);
    let unpacked = run("zstd", words!["-dc", image]).stdout;
    assert!(unpacked == disk(1));
    let sum = String::from_utf8(run("sha512sum", words![source]).stdout).unwrap();
    let info = good(bench.mule(false, words!["image", "info", image]));
    assert!(info.contains(sum.split_whitespace().next().unwrap()), "{info}");
    good(bench.mule(false, words!["image", "verify", image]));
    ends(bench.certified(words!["image", "create", source, image]), 1, "never written over");

    let (one, two) = (bench.write("one", &vec![9; 6 * MIB + 1536]), bench.write("two", &vec![9; 8 * MIB]));
    ends(bench.certified(words!["restore", image, one]), 2, "--yes-erase");
    ends(bench.certified(words!["restore", image, one, "--yes-erase", two]), 2, "--yes-erase");
    assert!(fs::read(&one).unwrap().iter().all(|byte| *byte == 9), "written without a word");
    good(bench.certified(words!["restore", image, one, two, "--yes-erase", one, "--yes-erase", two]));
    run("cmp", words![source, one]);
    run("cmp", words!["-n", (6 * MIB + 1536).to_string(), source, two]);
    assert!(fs::read(&two).unwrap()[6 * MIB + 1536..].iter().all(|byte| *byte == 9), "the tail is to be left");

    good(bench.certified(words!["verify", "--image", image, one, two]));
    let mut bytes = disk(1);
    bytes[5 * MIB + 3] ^= 1;
    let three = bench.write("three", &bytes);
    ends(bench.certified(words!["verify", "--image", image, three]), 1, "DIFFERS");
    good(bench.certified(words!["clone", source, three, "--yes-erase", three]));
    run("cmp", words![source, three]);
    ends(bench.certified(words!["clone", source, source, "--yes-erase", source]), 2, "the source itself");

    let certificates: Vec<_> = fs::read_dir(bench.path("certificates")).unwrap().flatten().map(|e| e.path()).collect();
    let json = certificates.iter().filter(|path| path.extension().is_some_and(|e| e == "json"));
    let mut check = vec![OsStr::new("certificate"), OsStr::new("verify")];
    check.extend(json.map(|path| path.as_os_str()));
    assert_eq!(check.len(), 2 + 8, "two images, of which one failed, two restores, three comparisons, a clone");
    good(bench.mule(false, &check));
    good(bench.mule(false, words!["log", "verify", bench.path("state/log")]));
}

#[test]
fn damage_in_an_image_is_found_and_nothing_is_restored_from_it() {
    let bench = Bench::new();
    let source = bench.write("source", &disk(2));
    let image = bench.path("a.img.zst");
    good(bench.certified(words!["image", "create", source, image]));
    let whole = fs::read(&image).unwrap();
    let target = bench.write("target", &vec![7; 7 * MIB]);
    for at in [0, 100, whole.len() / 3, whole.len() / 2, whole.len() - 2000, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&image, bytes).unwrap();
        let (code, text) = bench.mule(false, words!["image", "verify", image]);
        assert!(code == 1 && text.contains("DAMAGED"), "byte {at}: {code}: {text}");
        let (code, text) = bench.certified(words!["restore", image, target, "--yes-erase", target]);
        let first = &fs::read(&target).unwrap()[..MIB];
        // What was there, or nothing at all.
        assert!(code > 0 && first.iter().all(|byte| [0, 7].contains(byte)), "byte {at}: {text}");
    }
    fs::write(&image, &whole).unwrap();
    let manifest = bench.path("a.img.zst.manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"imaged\"", "\"imaged \"")).unwrap();
    ends(bench.certified(words!["restore", image, target, "--yes-erase", target]), 2, "manifest");
    fs::write(&manifest, text.replacen("serial\": \"", "serial\": \"X", 1)).unwrap();
    ends(bench.certified(words!["restore", image, target, "--yes-erase", target]), 2, "signature");
    fs::write(&manifest, text).unwrap();
    good(bench.certified(words!["restore", image, target, "--yes-erase", target]));
}

#[test]
fn what_a_wipe_destroys_is_kept_first_and_can_be_put_back_or_let_go() {
    let bench = Bench::new();
    let drive = bench.write("drive", &disk(3));
    let store = bench.path("store");
    let keeping = words!["wipe", "--keep", "2d", "--store", store, "--method", "zero", "--yes-erase", drive, drive];
    ends(bench.certified(keeping), 2, "no such folder");
    assert!(fs::read(&drive).unwrap() == disk(3));
    fs::create_dir(&store).unwrap();
    ends(bench.certified(words!["wipe", "--keep", "2d", "--yes-erase", drive, drive]), 2, "--store");
    good(bench.certified(keeping));
    assert!(fs::read(&drive).unwrap().iter().all(|byte| *byte == 0));
    let listed = good(bench.mule(false, words!["kept", store]));
    assert!(listed.contains("kept until") && listed.contains("wipe (zero)"), "{listed}");
    let image = fs::read_dir(&store).unwrap().flatten().map(|entry| entry.path());
    let image = image.into_iter().find(|path| path.extension().is_some_and(|e| e == "zst")).unwrap();
    let other = bench.write("other", &[5; 512]);
    ends(bench.certified(words!["revert", image, other, "--yes-erase", other]), 2, "of which the image is");
    assert_eq!(fs::read(&other).unwrap(), [5; 512]);
    good(bench.certified(words!["revert", image, drive, "--yes-erase", drive]));
    assert!(fs::read(&drive).unwrap() == disk(3));
    ends(bench.mule(false, words!["commit", image]), 2, "--yes");
    good(bench.mule(false, words!["commit", "--yes", image]));
    assert_eq!(fs::read_dir(&store).unwrap().count(), 0);
    ends(bench.mule(false, words!["commit", "--yes", drive]), 2, "was not kept by a job");
    assert!(Path::exists(&drive));
}

/// Starts a command and ends it in the hard way as soon as an unfinished image in `dir` has some content.
fn killed_while_imaging(bench: &Bench, dir: &Path, words: &[&OsStr]) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mule"))
        .args(words)
        .arg("--state")
        .arg(bench.path("state"))
        .arg("--certificates")
        .arg(bench.path("certificates"))
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let begun = || {
        let parts = fs::read_dir(dir).unwrap().flatten().map(|entry| entry.path());
        let mut parts = parts.filter(|path| path.extension().is_some_and(|e| e == "part"));
        parts.any(|path| fs::metadata(path).is_ok_and(|file| file.len() > 8 * MIB as u64))
    };
    while !begun() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be cut");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The image of a disk is cut, the disk changes where it was read already, and the very same command is given again.
#[test]
fn an_image_that_was_cut_is_of_the_disk_as_it_is_when_it_is_whole() {
    let bench = Bench::new();
    let mut bytes = noise(6, 192);
    let source = bench.write("source", &bytes);
    let image = bench.path("a.img.zst");
    let create = words!["image", "create", source, image, "--raw", "--level", "3"];
    killed_while_imaging(&bench, bench.dir.path(), create);
    bytes[5 * MIB] ^= 1;
    fs::write(&source, &bytes).unwrap();
    let text = good(bench.certified(create));
    assert!(text.contains("at byte 5242880 the drive does not hold") && text.contains("begun anew"), "{text}");
    assert!(run("zstd", words!["-dc", image]).stdout == bytes);
    let sum = String::from_utf8(run("sha512sum", words![source]).stdout).unwrap();
    let info = good(bench.mule(false, words!["image", "info", image]));
    assert!(info.contains(sum.split_whitespace().next().unwrap()), "{info}");
}

/// The images that a wipe keeps first are cut: the same command makes them anew and then wipes.
#[test]
fn a_wipe_that_was_cut_while_it_kept_an_image_goes_on() {
    let bench = Bench::new();
    let mut bytes = noise(7, 192);
    let drive = bench.write("drive", &bytes);
    let store = bench.path("store");
    fs::create_dir(&store).unwrap();
    let keeping = words!["wipe", "--keep", "2d", "--store", store, "--method", "zero", "--yes-erase", drive, drive];
    killed_while_imaging(&bench, &store, keeping);
    assert!(fs::read(&drive).unwrap() == bytes);
    bytes[5 * MIB] ^= 1;
    fs::write(&drive, &bytes).unwrap();
    good(bench.certified(keeping));
    assert!(fs::read(&drive).unwrap().iter().all(|byte| *byte == 0));
    let names: Vec<_> = fs::read_dir(&store).unwrap().flatten().map(|entry| entry.path()).collect();
    assert!(names.iter().all(|path| !path.to_str().unwrap().contains(".part")), "{names:?}");
    let images: Vec<_> = names.iter().filter(|path| path.extension().is_some_and(|e| e == "zst")).collect();
    assert_eq!(images.len(), 1, "{names:?}");
    assert!(run("zstd", words!["-dc", images[0]]).stdout == bytes, "the safety net is of the drive as it was wiped");
    good(bench.mule(false, words!["log", "verify", bench.path("state/log")]));
}

#[test]
fn a_missing_piece_of_an_image_is_named_by_every_command() {
    let bench = Bench::new();
    let source = bench.write("source", &noise(8, 14));
    let image = bench.path("a.img.zst");
    good(bench.certified(words!["image", "create", source, image, "--raw", "--split", "4"]));
    let target = bench.write("target", &vec![9; 14 * MIB]);
    for piece in ["a.img.zst.000", "a.img.zst.001", "a.img.zst.003"] {
        let (path, away, out) = (bench.path(piece), bench.path("away"), bench.path("out"));
        fs::rename(&path, &away).unwrap();
        let commands: [(&[&OsStr], bool); 4] = [
            (words!["image", "info", image], false),
            (words!["image", "verify", image], false),
            (words!["image", "extract", image, "/", "--to", out], false),
            (words!["restore", image, target, "--yes-erase", target], true),
        ];
        for (words, certifies) in commands {
            let (code, text) = bench.mule(certifies, words);
            let named = text.contains(&format!("{}: this piece of the image", path.display()));
            assert!(code > 0 && named, "{words:?} without {piece}: {code}: {text}");
        }
        fs::rename(&away, &path).unwrap();
    }
    good(bench.mule(false, words!["image", "verify", image]));
}

#[test]
fn a_used_block_image_holds_what_is_in_use_and_nothing_else_counts() {
    let bench = Bench::new();
    let tree = bench.path("tree");
    fs::create_dir(&tree).unwrap();
    (0..40_u8).for_each(|n| fs::write(tree.join(format!("file{n}")), vec![n; 60_000]).unwrap());
    let source = bench.write("source", &vec![0xa5; 24 * MIB]);
    run("mke2fs", words!["-q", "-F", "-t", "ext4", "-E", "nodiscard", "-d", tree, source]);
    let image = bench.path("u.img.zst");
    good(bench.certified(words!["image", "create", source, image]));
    let info = good(bench.mule(false, words!["image", "info", image]));
    assert!(info.contains("used blocks") && info.contains("--hash sha512 makes one"), "{info}");
    good(bench.mule(false, words!["image", "verify", image]));
    good(bench.certified(words!["verify", "--image", image, source]));
    let target = bench.write("target", &vec![0x11; 24 * MIB]);
    good(bench.certified(words!["restore", image, target, "--yes-erase", target]));
    run("e2fsck", words!["-fn", target]);
    good(bench.certified(words!["verify", "--image", image, target]));
    let file = good(bench.mule(false, words!["image", "cat", image, "/file7"]));
    assert!(file.bytes().all(|byte| byte == 7) && file.len() == 60_000);
    // In the superblock, which is in use.
    let mut bytes = fs::read(&source).unwrap();
    bytes[1024 + 120] ^= 1;
    fs::write(&source, bytes).unwrap();
    ends(bench.certified(words!["verify", "--image", image, source]), 1, "DIFFERS");
    // A map that calls more free than the manifest proves is not believed.
    let mut bytes = fs::read(&image).unwrap();
    let line = bytes.windows(3).rposition(|three| three == b"  +").unwrap();
    bytes[line + 2] = b'?';
    fs::write(&image, bytes).unwrap();
    let (code, text) = bench.certified(words!["verify", "--image", image, target]);
    assert!(code > 0 && !text.contains("VERIFIED"), "{text}");
}

#[test]
fn a_store_that_fills_up_ends_the_image_in_good_order_and_the_next_run_goes_on() {
    let bench = Bench::new();
    let mut bytes = vec![0; 9 * MIB + 512];
    blake3::Hasher::new_keyed(&[4; 32]).finalize_xof().fill(&mut bytes);
    let source = bench.write("source", &bytes);
    let (image, whole) = (bench.path("a.img.zst"), bench.path("whole.img.zst"));
    let fixed = |image: &Path| {
        let words = words!["image", "create", source, image, "--raw", "--level", "1"];
        words.iter().map(|word| word.to_os_string()).collect::<Vec<_>>()
    };
    // The log has its full size from the beginning, which must not be the limit.
    good(bench.certified(words!["image", "create", bench.write("small", &[1; 512]), bench.path("small.img.zst")]));
    // No file may grow beyond 5 MiB (10240 blocks of 512 bytes).
    let limited = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 10240; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_mule")])
        .args(fixed(&image))
        .arg("--state")
        .arg(bench.path("state"))
        .arg("--certificates")
        .arg(bench.path("certificates"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&[limited.stdout, limited.stderr].concat()).into_owned();
    assert!(limited.status.code() == Some(1) && text.contains("takes no file larger than"), "{text}");
    assert!(text.contains("FAILED") && !image.exists(), "{text}");
    let parts = fs::read_dir(bench.dir.path()).unwrap().flatten().map(|entry| entry.path());
    let part = parts.into_iter().find(|path| path.extension().is_some_and(|e| e == "part")).unwrap();
    assert!(fs::metadata(&part).unwrap().len() >= 4 * MIB as u64, "what was written was not kept");
    for image in [&image, &whole] {
        let words = fixed(image);
        good(bench.certified(&words.iter().map(|word| word.as_os_str()).collect::<Vec<_>>()));
    }
    run("cmp", words![image, whole]);
    assert!(!part.exists() && run("zstd", words!["-dc", image]).stdout == bytes);
}

#[test]
fn a_chain_is_put_together_as_one_image_that_is_what_a_whole_one_would_be() {
    for raw in [true, false] {
        let bench = Bench::new();
        let source = bench.write("source", &vec![0x5a; 24 * MIB]);
        let tree = bench.path("tree");
        fs::create_dir(&tree).unwrap();
        (0..9_u8).for_each(|n| fs::write(tree.join(format!("file{n}")), vec![n; 300_000]).unwrap());
        run("mke2fs", words!["-q", "-F", "-t", "ext4", "-E", "nodiscard", "-d", tree, source]);
        let [one, two, three, whole, flat] =
            ["one", "two", "three", "whole", "flat"].map(|name| bench.path(&format!("{name}.img.zst")));
        let image = |image: &Path, base: Option<&Path>| {
            let mut words = vec![OsStr::new("image"), "create".as_ref(), source.as_ref(), image.as_ref()];
            words.extend(["--level", "3"].map(OsStr::new));
            words.extend(raw.then_some(OsStr::new("--raw")));
            base.iter().for_each(|base| words.extend([OsStr::new("--base"), base.as_ref()]));
            good(bench.certified(&words));
        };
        image(&one, None);
        for (n, (image_of, base)) in (1..).zip([(&two, &one), (&three, &two)]) {
            let file = bench.write("new", &[n; 100_000]);
            let request = format!("write {} new{n}", file.display());
            run("debugfs", words!["-w", "-R", request, source]);
            image(image_of, Some(base));
        }
        image(&whole, None);
        good(bench.mule(false, words!["image", "flatten", three, flat, "--state", bench.path("state")]));
        run("cmp", words![flat, whole]);
        [&one, &two, &three].iter().for_each(|path| fs::remove_file(path).unwrap());
        good(bench.mule(false, words!["image", "verify", flat]));
        let target = bench.write("target", &vec![0x11; 24 * MIB]);
        good(bench.certified(words!["restore", flat, target, "--yes-erase", target]));
        run("e2fsck", words!["-fn", target]);
        let again = bench.mule(false, words!["image", "flatten", whole, flat, "--state", bench.path("state")]);
        ends(again, 2, "never written over");
    }
}

/// On tmpfs nothing but memory is read, whatever flags a file is opened with.
#[test]
fn a_file_in_memory_is_not_said_to_be_read_past_the_caches() {
    let Ok(memory) = tempfile::tempdir_in("/dev/shm") else { return };
    let bench = Bench::new();
    let target = memory.path().join("target");
    fs::write(&target, vec![0x11; MIB]).unwrap();
    good(bench.certified(words!["wipe", target, "--yes-erase", target]));
    let mut files = fs::read_dir(bench.path("certificates")).unwrap().flatten().map(|entry| entry.path());
    let path = files.find(|path| path.extension() == Some("json".as_ref())).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(record["verification"]["past_host_caches"], false);
    let statement = record["statement"].as_str().unwrap();
    assert!(statement.contains("from the medium or from a cache of the host"), "{statement}");
}
