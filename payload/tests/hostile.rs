//! Text of strangers in every place where a command meets it: whatever it holds, it steers no terminal and adds no line.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test says so by failing")]

use mule::certify::{Certifiable, Certificate, key::StickKey};
use serde_json::{Value, json};
use std::{
    ffi::{OsStr, OsString},
    fs,
    io::Write,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A title, a cleared screen, a line of its own, a control of eight bits, turned and hidden letters.
const EVIL: &str =
    "X\x1b]0;t\x07\x1b[2J\r\u{8}\nFORGED\n\u{9b}1A\u{7f}\u{202e}\u{2066}\u{61c}\u{200b}\u{2028}FORGED\u{85}\u{e0041}Y";
/// What the forms of notes and labels let through.
const SLY: &str = "wipe\u{202e}\u{2066}\u{200b}\u{2028}\u{e0041}";

struct Bench {
    dir: tempfile::TempDir,
}

/// `words!["image", "create", path]`: literals and paths alike.
macro_rules! words {
    ($($word:expr),* $(,)?) => { &[$(AsRef::<OsStr>::as_ref(&$word)),*][..] };
}

/// What nobody but the terminal itself may have written.
fn steers(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[track_caller]
fn calm(words: &[&OsStr], text: &[u8]) -> String {
    let text = str::from_utf8(text).unwrap_or_else(|error| panic!("{words:?}: {error}: {text:?}"));
    assert!(!text.contains(steers), "{words:?}: {text:?}");
    assert!(!text.lines().any(|line| line.trim_start().starts_with("FORGED")), "{words:?}: {text:?}");
    text.to_owned()
}

impl Bench {
    fn new() -> Self {
        Self { dir: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn raw(&self, words: &[&OsStr]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mule"));
        command.args(words).current_dir(self.dir.path()).env("XDG_STATE_HOME", self.path("state"));
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command that ends with this exit code, and that says something, calmly.
    #[track_caller]
    fn says(&self, code: i32, words: &[&OsStr]) -> String {
        let out = self.raw(words);
        let text = calm(words, &out.stdout) + &calm(words, &out.stderr);
        assert_eq!(out.status.code(), Some(code), "{words:?}: {text}");
        assert!(!text.is_empty(), "{words:?} said nothing");
        text
    }

    /// Runs `"$MULE" …` on a terminal, with an answer; what stands there afterwards, byte by byte.
    fn on_terminal(&self, line: &str, object: &OsStr, answer: &str) -> Vec<u8> {
        let mut command = Command::new("script");
        command.args(["-qec", line, "/dev/null"]).env("MULE", env!("CARGO_BIN_EXE_mule")).env("OBJECT", object);
        command.env("XDG_STATE_HOME", self.path("state")).env("TERM", "dumb").current_dir(self.dir.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap().stdout;
        // The terminal's own ends of lines.
        String::from_utf8_lossy(&out).replace("\r\n", "\n").into_bytes()
    }

    /// A disk with a file system of hostile names, and its image.
    fn imaged(&self) -> PathBuf {
        let tree = self.path("tree");
        fs::create_dir_all(tree.join(format!("folder{EVIL}"))).unwrap();
        fs::write(tree.join(format!("folder{EVIL}/{EVIL}")), EVIL).unwrap();
        fs::write(tree.join("plain"), EVIL).unwrap();
        std::os::unix::fs::symlink("plain", tree.join(format!("link{EVIL}"))).unwrap();
        let disk = self.path("disk");
        fs::File::create(&disk).unwrap().set_len(4 << 20).unwrap();
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
        let mut mke2fs = Command::new("mke2fs");
        mke2fs.args(["-q", "-F", "-t", "ext4", "-L", "L\x1b[2J\n\u{202e}\u{9b}", "-d"]).arg(&tree).arg(&disk);
        assert!(mke2fs.env("PATH", path).status().unwrap().success());
        let image = self.path("a.img.zst");
        self.says(0, words!["image", "create", disk, image, "--raw", "--operator", EVIL]);
        image
    }

    /// Writes a JSON file as this key's.
    fn signed(&self, path: &Path, value: &Value, key: &StickKey) {
        let text = serde_json::to_string_pretty(value).unwrap() + "\n";
        fs::write(path, &text).unwrap();
        let mut sig = path.as_os_str().to_owned();
        sig.push(".sig");
        fs::write(sig, key.sign(text.as_bytes()).unwrap()).unwrap();
    }

    /// The first certificate that was made.
    fn certificate(&self) -> PathBuf {
        let files = fs::read_dir(self.path("certificates")).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|e| e == "json")).min().unwrap()
    }
}

fn key() -> StickKey {
    StickKey::from_seed(&[7; 32])
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn words_and_paths_of_the_command_line() {
    let bench = Bench::new();
    let odd = bench.path(&format!("there{EVIL}"));
    fs::write(&odd, vec![5; 1 << 20]).unwrap();
    let image = bench.path(&format!("{EVIL}.img.zst"));
    fs::write(&image, EVIL).unwrap();
    let no_text = OsStr::from_bytes(b"\xff\x1b[2J\xc0\xaf\xc2\x9b");
    for path in [OsStr::new(EVIL), odd.as_os_str(), image.as_os_str(), no_text] {
        for words in [
            words![path],
            words!["drives", path],
            words!["drives", "--details", path],
            words!["wipe", path],
            words!["wipe", "--method", path, "x"],
            words!["wipe", "--keep", path, "--store", path, "x"],
            words!["wipe", "--hidden-areas", path, "x"],
            words!["image", "info", path],
            words!["image", "create", path, path],
            words!["image", "create", path, "/nonexistent/x.img.zst", "--level", path],
            words!["image", "ls", path],
            words!["image", "extract", path, path, "--to", path],
            words!["image", "export", path, path, "--format", path],
            words!["image", "export", path, path, "--format", "raw"],
            words!["image", "flatten", path, path],
            words!["image", "serve", path, path],
            words!["restore", path, path],
            words!["clone", path, path],
            words!["kept", path],
            words!["commit", path],
            words!["commit", "--yes", path],
            words!["revert", path],
            words!["verify", "--expect", path, "x"],
            words!["verify", "--image", path, path],
            words!["log", "show", path],
            words!["log", "list", "--json", path],
            words!["log", "verify", path],
            words!["certificate", "verify", "--signer", path, "/nonexistent"],
            words!["certificate", "show", path],
            words!["certificate", "html", path],
            words!["key", "show", path],
        ] {
            bench.says(2, words);
        }
        bench.says(1, words!["image", "verify", path]);
        bench.says(1, words!["image", "verify", "--json", path]);
    }
    bench.says(1, words!["verify", odd]);
    bench.says(1, words!["verify", "--json", odd]);
}

#[test]
fn what_an_image_says_of_itself_and_what_lies_in_it() {
    let bench = Bench::new();
    let image = bench.imaged();
    bench.says(0, words!["image", "ls", image]);
    bench.says(0, words!["image", "ls", "--json", image]);
    bench.says(2, words!["image", "ls", "--partition", "9", image]);
    let list = bench.says(0, words!["image", "ls", "-R", image, "/"]);
    assert!(list.contains("plain"), "{list}");
    let objects = bench.says(0, words!["image", "ls", "-R", "--json", image, "/"]);
    assert!(objects.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    bench.says(1, words!["image", "extract", image, "/", "--to", bench.path(EVIL)]);
    bench.says(2, words!["image", "cat", image, EVIL]);
    // What was asked for as it is comes as it is, but not onto a terminal.
    assert_eq!(bench.raw(words!["image", "cat", image, "/plain"]).stdout, EVIL.as_bytes());
    let seen = bench.on_terminal("exec \"$MULE\" image cat \"$OBJECT\" /plain", image.as_os_str(), "");
    let seen = String::from_utf8(seen).unwrap();
    assert!(!seen.contains(steers) && seen.contains(r"X\u{1b}]0;t\u{7}\u{1b}[2J"), "{seen:?}");

    let manifest = bench.path("a.img.zst.manifest.json");
    let mut value = json_of(&manifest);
    value["signer"] = key().stick_id().into();
    for field in ["finished", "firmware", "sha512", "bad_files_note"] {
        value[field] = EVIL.into();
    }
    for field in ["model", "serial"] {
        value["image"][field] = EVIL.into();
    }
    value["partitions"] = json!([{"number": 1, "start": 0, "bytes": 512, "content": EVIL, "label": EVIL,
        "mode": value["image"]["mode"], "reason": EVIL}]);
    bench.signed(&manifest, &value, &key());
    let told = bench.says(0, words!["image", "info", image]);
    assert!(told.contains(r"X\u{1b}]0;t\u{7}"), "{told}");
    bench.raw(words!["image", "verify", image]);
    for field in ["outcome", "signer", "format", EVIL] {
        let mut value = value.clone();
        value[field] = EVIL.into();
        bench.signed(&manifest, &value, &key());
        bench.says(2, words!["image", "info", image]);
        bench.says(1, words!["image", "verify", image]);
        bench.says(2, words!["revert", image]);
    }
}

#[test]
fn what_a_certificate_and_a_list_of_signers_say() {
    let bench = Bench::new();
    bench.imaged();
    let path = bench.certificate();
    bench.says(0, words!["certificate", "show", path]);
    bench.says(0, words!["certificate", "html", path]);
    bench.says(0, words!["certificate", "verify", path]);
    bench.says(0, words!["log", "show"]);
    bench.says(0, words!["log", "list"]);
    bench.says(0, words!["log", "export"]);
    let whole = fs::read(&path).unwrap();
    assert_eq!(bench.raw(words!["certificate", "show", "--json", path]).stdout, whole);
    let value = json_of(&path);
    let changes: [(&str, &str); 5] =
        [("media", "serial"), ("media", "model"), ("log", "stick"), ("tool", "version"), ("operator", "contact")];
    for (part, field) in changes {
        let mut value = value.clone();
        value[part][field] = EVIL.into();
        bench.signed(&path, &value, &key());
        bench.says(1, words!["certificate", "verify", path]);
        bench.says(1, words!["certificate", "verify", "--json", path]);
        bench.says(0, words!["certificate", "show", path]);
        bench.says(1, words!["log", "verify", "--certificates", bench.path("certificates")]);
    }
    for field in ["outcome", "statement", "format", EVIL] {
        let mut value = value.clone();
        value[field] = EVIL.into();
        bench.signed(&path, &value, &key());
        bench.says(1, words!["certificate", "verify", path]);
        let out = bench.raw(words!["certificate", "show", path]);
        calm(words!["show", field], &out.stdout);
        calm(words!["show", field], &out.stderr);
    }
    let list = bench.path("signers");
    for text in [EVIL.to_owned(), format!("{} {EVIL}\n", key().public_key().allowed_signers_line().trim())] {
        fs::write(&list, text).unwrap();
        bench.says(1, words!["certificate", "verify", "--allowed-signers", list, path]);
    }
}

#[test]
fn what_stands_above_type_yes() {
    let bench = Bench::new();
    let image = bench.imaged();
    let note = bench.path("a.img.zst.kept.json");
    let value = json!({"format": "mule-kept/2", "image": "a.img.zst", "manifest_sha256": "0".repeat(64), "model": SLY,
        "serial": SLY, "wwn": "", "bytes": 1, "since": "2026-03-01T12:00:00Z", "until": "2026-03-02T12:00:00Z", "before": SLY});
    bench.signed(&note, &value, &key());
    let store = bench.dir.path();
    bench.says(1, words!["kept", store]);
    bench.says(2, words!["commit", image]);
    let seen = bench.on_terminal("exec \"$MULE\" commit \"$OBJECT\"", image.as_os_str(), "no\n");
    assert!(calm(words!["commit"], &seen).contains("Remove for good? Type yes: "));
    assert!(image.exists());
    for field in ["format", "since", "model", EVIL] {
        let mut value = value.clone();
        value[field] = EVIL.into();
        bench.signed(&note, &value, &key());
        bench.says(1, words!["kept", store]);
        bench.says(2, words!["commit", image]);
    }
    let target = bench.path(&format!("target{EVIL}"));
    fs::write(&target, vec![7; 1 << 20]).unwrap();
    let seen = bench.on_terminal("exec \"$MULE\" wipe \"$OBJECT\"", target.as_os_str(), "no\n");
    let seen = calm(words!["wipe"], &seen);
    assert!(seen.contains("ALL DATA on ") && seen.contains("Type its serial number to go on: "), "{seen}");
    assert!(fs::read(&target).unwrap().iter().all(|byte| *byte == 7));
}

#[test]
fn what_is_offered_to_be_typed_does_what_it_shows() {
    let bench = Bench::new();
    for name in [format!("t{EVIL}"), "t $(touch oops)'`;#".into(), "t\u{fc} \\n".into()] {
        let target = bench.path(&name);
        fs::write(&target, vec![7; 1 << 20]).unwrap();
        let told = bench.says(2, words!["wipe", target]);
        let (_, offered) = told.split_once("say --yes-erase ").unwrap();
        let mut line = OsString::from("\"$MULE\" wipe \"$OBJECT\" --yes-erase ");
        line.push(offered.trim_end());
        let mut bash = Command::new("bash");
        bash.arg("-c").arg(&line).env("MULE", env!("CARGO_BIN_EXE_mule")).env("OBJECT", &target);
        bash.current_dir(bench.dir.path()).env("XDG_STATE_HOME", bench.path("state")).env("LC_ALL", "C.UTF-8");
        let out = bash.output().unwrap();
        calm(words!["wipe", name], &out.stdout);
        calm(words!["wipe", name], &out.stderr);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        assert!(fs::read(&target).unwrap().iter().all(|byte| *byte == 0) && !bench.path("oops").exists());
    }
}

/// Every text in a JSON value, by its path.
fn texts(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at.to_owned()),
        Value::Array(list) => list.iter().enumerate().for_each(|(i, one)| texts(one, &format!("{at}/{i}"), found)),
        Value::Object(map) => map.iter().for_each(|(name, one)| texts(one, &format!("{at}/{name}"), found)),
        _ => {}
    }
}

#[test]
fn no_text_of_a_certificate_is_anything_but_text_on_its_page() {
    let bench = Bench::new();
    let disk = bench.path("disk");
    fs::write(&disk, vec![1; 1 << 20]).unwrap();
    bench.says(0, words!["image", "create", disk, bench.path("a.img.zst")]);
    let copy = bench.certificate();
    let erasure = bench.path("erasure");
    bench.says(0, words!["wipe", disk, "--yes-erase", disk, "--certificates", erasure]);
    fs::rename(&copy, bench.path("copy.json")).unwrap();
    let made = fs::read_dir(&erasure).unwrap().map(|entry| entry.unwrap().path());
    fs::rename(made.into_iter().find(|p| p.extension().is_some_and(|e| e == "json")).unwrap(), &copy).unwrap();
    for file in [bench.path("copy.json"), copy] {
        let whole = json_of(&file);
        let (mut found, mut shown) = (Vec::new(), 0);
        texts(&whole, "", &mut found);
        for at in &found {
            let mut value = whole.clone();
            *value.pointer_mut(at).unwrap() = format!("<img src=x onerror='y'>\"{EVIL}").into();
            // Some are words of a list, and it is no certificate with another one.
            let Ok(certificate) = Certificate::parse(value.to_string().as_bytes()) else { continue };
            let page = certificate.page(&format!("<img>{EVIL}"), &[0; 32]);
            assert!(!page.contains("<img") && !page.contains(steers), "{at}");
            shown += usize::from(page.contains("&lt;img src=x onerror=&#39;y&#39;&gt;&quot;X"));
        }
        assert!(shown > 20, "{shown} of {}", found.len());
    }
}

#[test]
fn output_that_goes_nowhere_is_no_success_and_a_reader_who_has_enough_no_failure() {
    let mule = |to: Stdio| Command::new(env!("CARGO_BIN_EXE_mule")).arg("methods").stdout(to).output().unwrap();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let out = mule(full.into());
    let told = String::from_utf8(out.stderr).unwrap();
    assert_eq!(out.status.code(), Some(2), "{told}");
    assert!(told.starts_with("mule: not all of the output could be written: "), "{told}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let out = mule(writer.into());
    assert_eq!((out.status.code(), out.stderr.as_slice()), (Some(0), &b""[..]));
}
