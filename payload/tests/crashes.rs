//! A command that is killed at any of its calls that change something: the same command ends then with what an uninterrupted run
//! leaves. `KILLS=all` tries every call; without it the first of those that name, flush, cut and remove, and some of all others.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

mod bench;

use bench::{MIB, good, noise, run, words};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Command,
};

/// Calls that change a name, a length or what is on the medium, and those that write. The others are killed between these.
const NAMING: [&str; 7] = ["renameat2", "renameat", "unlinkat", "linkat", "fsync", "fdatasync", "ftruncate"];
const WRITING: [&str; 4] = ["openat", "pwrite64", "write", "syncfs"];
/// More than any of these commands does of one call.
const MOST: u32 = 5000;

type Tree = BTreeMap<PathBuf, Vec<u8>>;

/// A command over a folder, and what it needs there.
struct Row {
    name: &'static str,
    prepare: fn(&bench::Bench),
    words: fn(&Path) -> Vec<OsString>,
    /// What a second run says where the first one was over but for what it leaves in the end.
    over: &'static str,
    /// How many calls of each kind are tried one by one where not all are.
    dense: u32,
}

fn owned(words: &[&OsStr]) -> Vec<OsString> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn create(dir: &Path, source: &str, image: &str, more: &[&str]) -> Vec<OsString> {
    let (source, image) = (dir.join(source), dir.join(image));
    let mut all = owned(words!["image", "create", source, image, "--raw", "--level", "1"]);
    all.extend(more.iter().map(OsString::from));
    all.extend(owned(words!["--state", dir.join("state"), "--certificates", dir.join("certificates")]));
    all
}

/// A drive, and the same one with a change.
fn drives(bench: &bench::Bench) {
    let mut disk = noise(3, 9);
    bench.write("disk", &disk);
    disk[5 * MIB] ^= 1;
    bench.write("later", &disk);
}

fn base(bench: &bench::Bench) {
    drives(bench);
    good(mule(&create(bench.dir.path(), "disk", "base.img.zst", &[])));
}

fn chain(bench: &bench::Bench) {
    base(bench);
    let base = bench.path("base.img.zst");
    good(mule(&create(bench.dir.path(), "later", "last.img.zst", &["--base", base.to_str().unwrap()])));
}

/// An image of a volume with files and a folder.
fn files(bench: &bench::Bench) {
    let disk = bench.write("disk", &vec![0; 16 * MIB]);
    run("mkfs.fat", words![disk]);
    for (name, bytes) in [("first", noise(1, 1)), ("second", b"short".to_vec()), ("third", Vec::new())] {
        let file = bench.write(name, &bytes);
        run("mcopy", words!["-i", disk, file, format!("::{name}")]);
        fs::remove_file(file).unwrap();
    }
    run("mmd", words!["-i", disk, "::folder"]);
    let file = bench.write("below", &noise(2, 2));
    run("mcopy", words!["-i", disk, file, "::folder/below"]);
    good(mule(&create(bench.dir.path(), "disk", "files.img.zst", &[])));
}

fn mule(words: &[OsString]) -> (i32, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_mule")).args(words).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    (out.status.code().unwrap_or(-1), text)
}

const EXISTS: &str = "of that name already";

const ROWS: [Row; 8] = [
    Row {
        name: "image create",
        prepare: drives,
        words: |dir| create(dir, "disk", "a.img.zst", &[]),
        over: EXISTS,
        dense: 1,
    },
    Row {
        name: "image create, in pieces",
        prepare: drives,
        words: |dir| create(dir, "disk", "a.img.zst", &["--split", "4"]),
        over: EXISTS,
        dense: 4,
    },
    Row {
        name: "image create, what changed",
        prepare: base,
        words: |dir| {
            let base = dir.join("base.img.zst");
            create(dir, "later", "a.img.zst", &["--base", base.to_str().unwrap()])
        },
        over: EXISTS,
        dense: 1,
    },
    Row {
        name: "image flatten",
        prepare: chain,
        words: |dir| {
            let (last, whole, state) = (dir.join("last.img.zst"), dir.join("whole.img.zst"), dir.join("state"));
            owned(words!["image", "flatten", last, whole, "--split", "4", "--state", state])
        },
        over: EXISTS,
        dense: 4,
    },
    Row {
        name: "store rebase",
        prepare: chain,
        words: |dir| {
            let [last, new, base] = ["last", "new", "base"].map(|name| dir.join(format!("{name}.img.zst")));
            owned(words!["store", "rebase", last, new, "--onto", base, "--state", dir.join("state")])
        },
        over: EXISTS,
        dense: 1,
    },
    Row {
        name: "store prune",
        prepare: |bench| {
            base(bench);
            good(mule(&create(bench.dir.path(), "disk", "young.img.zst", &["--split", "4"])));
        },
        words: |dir| owned(words!["store", "prune", "--keep", "1", "--yes", dir]),
        over: "",
        dense: 4,
    },
    Row {
        name: "image export",
        prepare: base,
        words: |dir| {
            let (image, out) = (dir.join("base.img.zst"), dir.join("disk.qcow2"));
            owned(words!["image", "export", image, out, "--format", "qcow2"])
        },
        over: "exists already",
        dense: 4,
    },
    Row {
        name: "image extract",
        prepare: files,
        words: |dir| {
            let (image, to) = (dir.join("files.img.zst"), dir.join("to"));
            owned(words!["image", "extract", image, "/", "--to", to])
        },
        over: "",
        dense: 4,
    },
];

/// What a command leaves, but for the log, the certificates, and the times in what is signed.
fn tree(dir: &Path) -> Tree {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut at = 0;
    while let Some(path) = entries.get(at).cloned() {
        at += 1;
        if path.is_dir() && !["state", "certificates"].iter().any(|own| path.ends_with(own)) {
            entries.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    let content = |path: PathBuf| {
        let signed = path.to_str().unwrap().contains(".manifest.json");
        let bytes = if signed { Vec::new() } else { fs::read(&path).unwrap() };
        (path.strip_prefix(dir).unwrap().to_owned(), bytes)
    };
    entries.into_iter().filter(|path| path.is_file()).map(content).collect()
}

fn copied(proto: &Path, to: &Path) {
    let done = Command::new("cp").args(["-a", "--reflink=auto", "-T"]).args([proto, to]).status().unwrap();
    assert!(done.success());
}

/// Kills a command when one of its threads makes a call for the `number`th time, before that is done; whether it came so far.
fn killed(words: &[OsString], call: &str, number: u32) -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e"]);
    strace.arg(format!("inject={call}:signal=KILL:when={number}"));
    let out = strace.arg(env!("CARGO_BIN_EXE_mule")).args(words).output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr);
    assert!(!text.contains("strace:"), "{text}");
    out.status.signal() == Some(9) || out.status.code() == Some(137)
}

fn numbers(call: &str, all: bool, dense: u32) -> Vec<u32> {
    if all {
        return (1..MOST).collect();
    }
    let dense = if NAMING.contains(&call) { dense } else { 1 };
    let next = |number: &u32| Some(number + 1 + if *number < dense { 0 } else { 2 * number });
    std::iter::successors(Some(1), next).take_while(|number| *number < MOST).collect()
}

fn is_survived(row: &Row) {
    let bench = bench::Bench::new();
    // Names are in what is signed and in the notes: every run is in the same folder.
    let (work, proto) = (bench.dir.path(), bench.dir.path().with_extension("proto"));
    (row.prepare)(&bench);
    copied(work, &proto);
    let words = (row.words)(work);
    good(mule(&words));
    let whole = tree(work);
    let again = || {
        fs::remove_dir_all(work).unwrap();
        copied(&proto, work);
    };
    let all = std::env::var("KILLS").is_ok_and(|value| value == "all");
    let mut kills = 0;
    for call in NAMING.iter().chain(&WRITING) {
        for number in numbers(call, all, row.dense) {
            again();
            if !killed(&words, call, number) {
                break;
            }
            kills += 1;
            let what = format!("{}, killed at {call} {number}", row.name);
            let (code, text) = mule(&words);
            let over = !row.over.is_empty() && text.contains(row.over);
            assert!(code == 0 || over, "{what}: exit code {code}: {text}");
            assert_eq!(tree(work).keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>(), "{what}: {text}");
            assert!(tree(work) == whole, "{what}: another image");
            if over {
                let certificates = work.join("certificates");
                assert!(!certificates.exists() || fs::read_dir(certificates).unwrap().count() > 0, "{what}: {text}");
            }
        }
    }
    fs::remove_dir_all(&proto).unwrap();
    assert!(kills >= 10, "{}: only {kills} kills", row.name);
}

macro_rules! rows {
    ($($test:ident $row:literal),* $(,)?) => { $(#[test] fn $test() { is_survived(&ROWS[$row]); })* };
}

rows! {
    an_image 0,
    an_image_in_pieces 1,
    an_image_of_what_changed 2,
    a_chain_that_is_put_together 3,
    an_image_that_gets_another_base 4,
    a_store_that_is_pruned 5,
    a_disk_of_a_virtual_machine 6,
    files_out_of_an_image 7,
}
