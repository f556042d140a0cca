//! Images, restores, clones and verifications against an image: each rule broken once.

use super::{
    copy::{BLANK, CLONE, COMPARE, IMAGE, KEPT, RESTORE},
    *,
};

/// Takes `from` for `to` in a valid job, and compares all that is said about it.
fn broken(rows: &[(&str, &str, &str, &[&str])]) {
    for (text, from, to, expected) in rows {
        assert_eq!(text.matches(from).count(), 1, "{from} in {text}");
        job(text).unwrap();
        let expected: Vec<_> = expected.iter().map(|line| format!("mule.toml, {line}")).collect();
        assert_eq!(errors(&text.replacen(from, to, 1)), expected, "{from} -> {to}");
    }
}

const NO_ALL: &str = "\"all\" is not possible here: name every drive that is to be overwritten. Allowed: a list of serial \
                      numbers or WWNs";

#[test]
fn drives_and_source_are_named_and_different() {
    let no_all = |place: &str| format!("{place}: drives: {NO_ALL}");
    broken(&[
        (RESTORE, "[\"T1\", \"T2\"]", "\"all\"", &[&no_all("line 3, column 10")]),
        (CLONE, "[\"T1\", \"T2\"]", "\"all\"", &[&no_all("line 4, column 10")]),
        (
            RESTORE,
            "drives = [\"T1\", \"T2\"]",
            "",
            &["line 1, column 2: drives: is missing. Allowed: a list of serial numbers or WWNs"],
        ),
        (
            CLONE,
            "drives = [\"T1\", \"T2\"]",
            "",
            &["line 1, column 2: drives: is missing. Allowed: a list of serial numbers or WWNs"],
        ),
        (
            RESTORE,
            "[\"T1\", \"T2\"]",
            "\"T1\"",
            &["line 3, column 10: drives: unknown value \"T1\". Allowed: a list: drives = [\"T1\"]"],
        ),
        (
            RESTORE,
            "[\"T1\", \"T2\"]",
            "[]",
            &["line 3, column 10: drives: the list is empty: name at least one serial number or WWN"],
        ),
        (RESTORE, "\"T2\"", "\"all\"", &["line 3, column 17: drives: \"all\" is no serial number"]),
        (CLONE, "\"T2\"", "\"T1 \"", &["line 4, column 17: drives: \"T1\" is in the list twice"]),
        (
            CLONE,
            "source = \" S1 \"",
            "",
            &["line 1, column 2: source: is missing: a clone needs the serial number or WWN of the drive to be copied"],
        ),
        (
            CLONE,
            "\"T2\"",
            "\"S1\"",
            &["line 3, column 10: source: \"S1\" is one of \"drives\" as well: it would be overwritten"],
        ),
        (CLONE, "\" S1 \"", "\"all\"", &["line 3, column 10: source: \"all\" is no serial number"]),
        (CLONE, "\" S1 \"", "\" \"", &["line 3, column 10: source: \"\" is no serial number or WWN"]),
        (CLONE, "\" S1 \"", "\"S\\n1\"", &["line 3, column 10: source: \"S\\n1\" is no serial number or WWN"]),
        (
            CLONE,
            "\" S1 \"",
            "[\"S1\"]",
            &[
                "line 1, column 2: source: is missing: a clone needs the serial number or WWN of the drive to be copied",
                "line 3, column 10: source: must be a text in quotation marks, this is a list",
            ],
        ),
    ]);
}

#[test]
fn what_destroys_needs_the_word() {
    for text in [RESTORE, CLONE] {
        let action = job(text).unwrap().action();
        let missing = format!(
            "line 1, column 2: confirm: is missing: action = \"{action}\" destroys data and needs confirm = \"erase\""
        );
        broken(&[
            (text, "confirm = \"erase\"", "", &[&missing]),
            (
                text,
                "\"erase\"",
                "\"restore\"",
                &["line 5, column 11: confirm: \"restore\" is the wrong word. Allowed: \"erase\""],
            ),
        ]);
    }
}

#[test]
fn names_are_names_of_files_in_the_store() {
    let name = |name: &str, why: &str| format!("{name} is no name of an image: {why}");
    let long = format!("{}ü", "x".repeat(199));
    let cut = format!("{:?}", format!("{}...", "x".repeat(60)));
    for (written, message) in [
        ("", name("\"\"", "it is empty")),
        (".img.zst", name("\".img.zst\"", "it is empty")),
        (".", name("\".\"", "it is a folder")),
        ("..", name("\"..\"", "it is a folder")),
        ("...img.zst", name("\"...img.zst\"", "it is a folder")),
        ("../a", name("\"../a\"", "images lie in the store itself, in no folder")),
        ("a\\\\b", name("\"a\\\\b\"", "images lie in the store itself, in no folder")),
        ("a\\u0000b", name("\"a\\0b\"", "it is not printable")),
        (&long, name(&cut, "it is longer than 200 bytes")),
    ] {
        let value = format!("\"{written}\"");
        broken(&[
            (RESTORE, "\"büro.img.zst\"", &value, &[&format!("line 4, column 9: image: {message}")]),
            (COMPARE, "\"büro\"", &value, &[&format!("line 3, column 9: image: {message}")]),
            (IMAGE, "\"büro 1.img.zst\"", &value, &[&format!("line 5, column 8: name: {message}")]),
            (IMAGE, "\"büro 0\"", &value, &[&format!("line 6, column 8: base: {message}")]),
        ]);
    }
    let longest = "x".repeat(IMAGE_NAME_MAX);
    let restore = job(&RESTORE.replace("büro.img.zst", &format!("{longest}.img.zst"))).unwrap();
    assert_eq!(restore.copy().image.as_deref(), Some(longest.as_str()));
    broken(&[(
        RESTORE,
        "image = \"büro.img.zst\"",
        "",
        &["line 1, column 2: image: is missing: a restore needs the name of an image in the store"],
    )]);
}

#[test]
fn a_name_and_a_base_are_those_of_one_drive() {
    let of_one = |line: u32, key: &str| {
        format!("line {line}, column 8: {key}: belongs to an image of exactly one drive: drives = [\"SERIAL\"]")
    };
    let both: &[&str] = &[&of_one(5, "name"), &of_one(6, "base")];
    broken(&[
        (IMAGE, "[\"S1\"]", "[\"S1\", \"S2\"]", both),
        (IMAGE, "[\"S1\"]", "\"all\"", both),
        (IMAGE, "drives = [\"S1\"]", "", both),
        (IMAGE, "[\"S1\"]", "[\"\"]", &["line 3, column 11: drives: an entry of the list is empty"]),
        (
            IMAGE,
            "\"büro 0\"",
            "\"büro 1\"",
            &["line 6, column 8: base: \"büro 1\" is the \"name\" of the new image as well"],
        ),
    ]);
    let many = IMAGE.replace("[\"S1\"]", "\"all\"").replace("name =", "#").replace("base =", "#");
    assert_eq!(*job(&many).unwrap().drives(), Selection::All);
}

#[test]
fn values_out_of_their_range_are_named() {
    let label =
        |label: &str| format!("line 4, column 9: store: {label} is no label. Allowed: 1 to 32 printable characters");
    let long = "ü".repeat(33);
    let keep = |keep: &str| {
        format!(
            "line 10, column 8: keep: {keep} is no time to keep an image. Allowed: \"1h\" to \"366d\", such as \"48h\""
        )
    };
    let level = |level: &str| {
        format!("line 9, column 9: level: {level} is no level. Allowed: \"auto\", \"store\", 1 to 19, -1 to -50")
    };
    let retries = |n: &str| format!("line 10, column 11: retries: {n} is out of range. Allowed: 0 to 100");
    let hash = "Allowed: \"auto\", \"sha512\", \"sha256\", \"both\", \"none\"";
    broken(&[
        (IMAGE, "\"KELLER\"", "\"\"", &[&label("\"\"")]),
        (IMAGE, "\"KELLER\"", "\"A\\tB\"", &[&label("\"A\\tB\"")]),
        (IMAGE, "\"KELLER\"", &format!("\"{long}\""), &[&label(&format!("{long:?}"))]),
        (
            IMAGE,
            "\"both\"",
            "\"sha1\"",
            &[&format!("line 8, column 8: hash: unknown value \"sha1\" - did you mean \"sha512\"? {hash}")],
        ),
        (IMAGE, "\"both\"", "\"md5\"", &[&format!("line 8, column 8: hash: unknown value \"md5\". {hash}")]),
        (IMAGE, "-7", "0", &[&level("\"0\"")]),
        (IMAGE, "-7", "20", &[&level("\"20\"")]),
        (IMAGE, "-7", "-51", &[&level("\"-51\"")]),
        (IMAGE, "-7", "\"fast\"", &[&level("\"fast\"")]),
        (IMAGE, "-7", "99999999999999999999", &[&level("\"9223372036854775807\"")]),
        (
            IMAGE,
            "-7",
            "1.5",
            &["line 9, column 9: level: must be a text in quotation marks or a whole number, this is a \
               number with a fraction"],
        ),
        (IMAGE, "retries = 0", "retries = 101", &[&retries("\"101\"")]),
        (IMAGE, "retries = 0", "retries = -1", &[&retries("\"-1\"")]),
        (
            IMAGE,
            "retries = 0",
            "retries = \"1\"",
            &["line 10, column 11: retries: must be a whole number without quotation marks, this is a text"],
        ),
        (
            IMAGE,
            "true",
            "\"true\"",
            &["line 7, column 7: raw: must be true or false without quotation marks, this is a text"],
        ),
        (
            RESTORE,
            "smaller = true",
            "smaller = 1",
            &["line 8, column 11: smaller: must be true or false without quotation marks, this is a whole number"],
        ),
        (
            RESTORE,
            "move-gpt = true",
            "move-gpt = \"yes\"",
            &["line 9, column 12: move-gpt: must be true or false without quotation marks, this is a text"],
        ),
        (
            RESTORE,
            "move-gpt",
            "move_gpt",
            &[&format!(
                "line 9, column 1: move_gpt: unknown key - did you mean \"move-gpt\"? Allowed: {}",
                Key::names().collect::<Vec<_>>().join(", ")
            )],
        ),
        (
            RESTORE,
            "\"zero\"",
            "\"zeros\"",
            &["line 7, column 8: tail: unknown value \"zeros\" - did you mean \"zero\"? Allowed: \"leave\", \
               \"zero\", \"wipe\""],
        ),
        (RESTORE, "\"2d\"", "\"0h\"", &[&keep("\"0h\"")]),
        (RESTORE, "\"2d\"", "\"367d\"", &[&keep("\"367d\"")]),
        (RESTORE, "\"2d\"", "\"8785h\"", &[&keep("\"8785h\"")]),
        (RESTORE, "\"2d\"", "\"2w\"", &[&keep("\"2w\"")]),
        (RESTORE, "\"2d\"", "\"2\"", &[&keep("\"2\"")]),
        (RESTORE, "\"2d\"", "\"d\"", &[&keep("\"d\"")]),
        (RESTORE, "\"2d\"", "\"\"", &[&keep("\"\"")]),
        (RESTORE, "\"2d\"", "\"+2d\"", &[&keep("\"+2d\"")]),
        (RESTORE, "\"2d\"", "\"2 d\"", &[&keep("\"2 d\"")]),
        (RESTORE, "\"2d\"", "\"2\u{fc}\"", &[&keep("\"2\u{fc}\"")]),
        (RESTORE, "\"2d\"", "\"768614336404564651d\"", &[&keep("\"768614336404564651d\"")]),
        (
            RESTORE,
            "\"2d\"",
            "48",
            &["line 10, column 8: keep: must be a text in quotation marks, this is a whole number"],
        ),
    ]);
}

#[test]
fn how_much_is_read_back_depends_on_the_action() {
    let full = "is not possible: what is written is always read back in full. Allowed: \"full\"";
    let line = |line: u32, message: &str| format!("line {line}, column 10: verify: {message}");
    let compared = "is not possible: drives are compared with an image in full. Allowed: \"full\"";
    let image = "line 11, column 10: verify: \"sampled\" is not possible: an image is read back in full or not at all. \
                 Allowed: \"full\", \"none\"";
    broken(&[
        (RESTORE, "\"full\"", "\"none\"", &[&line(11, &format!("\"none\" {full}"))]),
        (RESTORE, "\"full\"", "\"sampled\"", &[&line(11, &format!("\"sampled\" {full}"))]),
        (RESTORE, "\"full\"", "\"fast\"", &[&line(11, "unknown value \"fast\". Allowed: \"full\"")]),
        (CLONE, "tail = \"wipe\"", "verify = \"none\"", &[&line(8, &format!("\"none\" {full}"))]),
        (IMAGE, "verify = \"none\"", "verify = \"sampled\"", &[image]),
        (COMPARE, "store = \"KELLER\"", "verify = \"sampled\"", &[&line(4, &format!("\"sampled\" {compared}"))]),
        (COMPARE, "store = \"KELLER\"", "verify = \"none\"", &[&line(4, &format!("\"none\" {compared}"))]),
        (
            BLANK,
            "\"sampled\"",
            "\"none\"",
            &[&line(3, "\"none\" is not possible: it contradicts action = \"verify\". Allowed: \"full\", \"sampled\"")],
        ),
    ]);
}

/// Every key with every action that it does not belong to: the row is one valid value of the key and where it is allowed.
#[test]
fn keys_belong_to_actions() {
    let rows = [
        ("method", "\"zero\"", "\"wipe\", \"verify\""),
        ("source", "\"S9\"", "\"clone\""),
        ("store", "\"X\"", "\"image\", \"restore\", \"verify\", \"wipe\", \"clone\""),
        ("store-drive", "\"X\"", "\"image\", \"restore\", \"verify\", \"wipe\", \"clone\""),
        ("image", "\"x\"", "\"restore\", \"verify\""),
        ("name", "\"x\"", "\"image\""),
        ("raw", "true", "\"image\""),
        ("base", "\"y\"", "\"image\""),
        ("hash", "\"none\"", "\"image\", \"clone\""),
        ("level", "1", "\"image\""),
        ("retries", "2", "\"image\", \"clone\""),
        ("tail", "\"zero\"", "\"restore\", \"clone\""),
        ("smaller", "true", "\"restore\", \"clone\""),
        ("give-up-behind", "true", "\"restore\", \"clone\""),
        ("move-gpt", "true", "\"restore\", \"clone\""),
        ("keep", "\"1h\"", "\"wipe\", \"restore\", \"clone\""),
        ("hidden-areas", "\"refuse\"", "\"wipe\""),
        ("frozen", "\"suspend\"", "\"wipe\""),
        ("repeat", "true", "\"wipe\", \"restore\", \"clone\""),
        ("open-for", "\"8h\"", "\"wipe\""),
    ];
    assert_eq!(rows.len(), Key::names().filter(|name| Key::from_word(name).unwrap().actions().is_some()).count());
    let least = [
        ("image", "drives = [\"S1\"]\n"),
        ("restore", "drives = [\"T1\"]\nconfirm = \"erase\"\nimage = \"x\"\n"),
        ("clone", "drives = [\"T1\"]\nconfirm = \"erase\"\nsource = \"S9\"\n"),
        ("wipe", "drives = [\"T1\"]\nconfirm = \"erase\"\nmethod = \"zero\"\n"),
        ("verify", ""),
        ("report", ""),
    ];
    for (action, rest) in least {
        for (key, value, allowed) in rows {
            let line = format!("{key} = {value}\n");
            let text = format!("[job]\naction = \"{action}\"\n{}{line}", rest.replace(&line, ""));
            let belongs = action == "report" || allowed.contains(&format!("\"{action}\""));
            if !belongs {
                let at = format!("mule.toml, line {}, column {}: {key}", text.lines().count(), key.len() + 4);
                let message = format!("{at}: does not belong to action = \"{action}\". Allowed with: {allowed}");
                assert_eq!(errors(&text), [message]);
            } else if !key.starts_with("store") || matches!(action, "image" | "restore" | "report") {
                job(&text).unwrap();
            }
        }
    }
}

#[test]
fn keys_that_belong_together_need_each_other() {
    let alone = |column: u32, action: &str| {
        format!(
            "line 10, column {column}: store: needs \"keep\": without it action = \"{action}\" keeps nothing in a store"
        )
    };
    let wipe = KEPT.replace("keep =", "store = \"X\"\nkeep =");
    broken(&[
        (CLONE, "keep = \"1h\"", "", &[&alone(9, "clone")]),
        (
            &wipe,
            "keep = \"366d\"",
            "",
            &["line 6, column 9: store: needs \"keep\": without it action = \"wipe\" keeps nothing in a store"],
        ),
        (
            COMPARE,
            "image = \"büro\"",
            "",
            &["line 4, column 9: store: needs \"image\": without it no image is read from a store"],
        ),
        (
            COMPARE,
            "store = \"KELLER\"",
            "method = \"zero\"",
            &["line 4, column 10: method: does not belong to a verification against an image: take out \"method\" or \
               \"image\""],
        ),
        (
            BLANK,
            "verify = \"sampled\"",
            "method = \"random\"",
            &["line 3, column 10: method: \"random\" ends with random data, which cannot be told from any other data \
               later. Allowed with action = \"verify\": \"zero\", \"nist-clear\", \"hmg-is5-baseline\", \
               \"vsitr\", \"bmb21-2019\""],
        ),
    ]);
}

#[test]
fn mistakes_with_these_keys_on_the_command_line_name_the_parameter() {
    for (text, line, expected) in [
        (RESTORE, "mule.drives=all", format!("mule.drives: {NO_ALL}")),
        (CLONE, "mule.source=T1", "mule.source: \"T1\" is one of \"drives\" as well: it would be overwritten".into()),
        (IMAGE, "mule.raw=yes", "mule.raw: unknown value \"yes\". Allowed: \"true\", \"false\"".into()),
        (IMAGE, "mule.retries=x", "mule.retries: \"x\" is out of range. Allowed: 0 to 100".into()),
        (
            IMAGE,
            "mule.level=0",
            "mule.level: \"0\" is no level. Allowed: \"auto\", \"store\", 1 to 19, -1 to -50".into(),
        ),
        (
            IMAGE,
            "mule.tail=zero",
            "mule.tail: does not belong to action = \"image\". Allowed with: \"restore\", \"clone\"".into(),
        ),
        (RESTORE, "mule.image=", "mule.image: needs a value: mule.image=...".into()),
    ] {
        let lines = parse("mule.toml", text.as_bytes(), &overrides(line)).unwrap_err().lines();
        assert_eq!(lines, [format!("kernel command line: {expected}")]);
    }
}
