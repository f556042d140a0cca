use super::*;

mod broken;
mod copy;
mod example;

use crate::boot::Cmdline;

fn overrides(line: &str) -> Overrides {
    Overrides::from_cmdline(&Cmdline::parse(line))
}

fn job(text: &str) -> Result<Job, JobError> {
    parse("mule.toml", text.as_bytes(), &Overrides::default())
}

fn errors(text: &str) -> Vec<String> {
    job(text).unwrap_err().lines()
}

const WIPE: &str = "[job]\naction = \"wipe\"\nmethod = \"dod-5220.22-m\"\ndrives = [\"S1\", \"naa.5\"]\nverify = \"full\"\n\
                    then = \"power-off\"\nconfirm = \"erase\"\ncountdown = 5\n[operator]\nname = \"Żaneta\"\n";

#[test]
fn a_complete_job_is_read() {
    let job = job(WIPE).unwrap();
    assert_eq!(job.action(), Action::Wipe);
    assert_eq!(job.method().unwrap().name, "dod-5220.22-m");
    assert_eq!(*job.drives(), Selection::Named(vec!["S1".into(), "naa.5".into()]));
    assert_eq!(job.verify(), VerifyExtent::Full);
    assert_eq!(job.then(), Then::PowerOff);
    assert_eq!(job.countdown(), Duration::from_secs(5));
    assert_eq!(job.operator().name, "Żaneta");
}

#[test]
fn what_windows_editors_do_to_a_text_is_accepted() {
    let windows = format!("\u{feff}{}", WIPE.replace('\n', "\r\n"));
    assert_eq!(format!("{:?}", job(&windows).unwrap()), format!("{:?}", job(WIPE).unwrap()));
}

/// Every row: a replacement in the valid job, and what the first message must contain.
#[test]
fn every_mistake_names_its_key_and_line() {
    let rows: &[(&str, &str, &str)] = &[
        ("action = \"wipe\"", "", "mule.toml, line 1, column 2: action: is missing"),
        ("\"wipe\"", "\"wipr\"", "line 2, column 10: action: unknown value \"wipr\" - did you mean \"wipe\"?"),
        ("\"wipe\"", "1", "line 2, column 10: action: must be a text in quotation marks, this is a whole number"),
        ("\"wipe\"", "wipe", "mule.toml, line 2, column 10: not valid TOML:"),
        (
            "\"dod-5220.22-m\"",
            "\"dod\"",
            "line 3, column 10: method: unknown method \"dod\" - did you mean \"dod-5220.22-m\"?",
        ),
        ("\"dod-5220.22-m\"", "\"DoD-5220.22-M\"", "did you mean \"dod-5220.22-m\"?"),
        ("method = \"dod-5220.22-m\"", "", "method: is missing: a wipe needs one"),
        ("method =", "methode =", "line 3, column 1: methode: unknown key - did you mean \"method\"?"),
        ("[\"S1\", \"naa.5\"]", "[]", "line 4, column 10: drives: the list is empty"),
        (
            "[\"S1\", \"naa.5\"]",
            "\"S1\"",
            "line 4, column 10: drives: unknown value \"S1\". Allowed: \"all\", or a list: drives = [\"S1\"]",
        ),
        ("[\"S1\", \"naa.5\"]", "true", "line 4, column 10: drives: must be \"all\" or a list"),
        ("\"naa.5\"", "\"S1\"", "line 4, column 17: drives: \"S1\" is in the list twice"),
        ("\"naa.5\"", "\" S1 \"", "drives: \"S1\" is in the list twice"),
        ("\"naa.5\"", "\"  \"", "line 4, column 17: drives: an entry of the list is empty"),
        ("\"naa.5\"", "\"all\"", "drives: \"all\" is no serial number"),
        ("\"naa.5\"", "\"\\u001b[2J\"", "drives: \"\\u{1b}[2J\" is no serial number or WWN"),
        ("\"naa.5\"", "7", "line 4, column 17: drives: must be a text"),
        ("drives = [\"S1\", \"naa.5\"]", "", "drives: is missing"),
        (
            "\"full\"",
            "\"none\"",
            "line 5, column 10: verify: \"none\" is not possible: verification is part of the method",
        ),
        (
            "\"full\"",
            "\"fully\"",
            "verify: unknown value \"fully\" - did you mean \"full\"? Allowed: \"full\", \"sampled\"",
        ),
        (
            "\"power-off\"",
            "\"poweroff\"",
            "line 6, column 8: then: unknown value \"poweroff\" - did you mean \"power-off\"?",
        ),
        ("confirm = \"erase\"", "", "confirm: is missing: action = \"wipe\" destroys data"),
        ("\"erase\"", "\"Erase\"", "line 7, column 11: confirm: \"Erase\" is the wrong word. Allowed: \"erase\""),
        ("\"erase\"", "true", "line 7, column 11: confirm: must be a text"),
        ("= 5", "= 3601", "line 8, column 13: countdown: \"3601\" is out of range. Allowed: 0 to 3600 seconds"),
        ("= 5", "= -1", "countdown: \"-1\" is out of range"),
        ("= 5", "= 99999999999999999999999", "countdown:"),
        ("= 5", "= \"5\"", "countdown: must be a whole number without quotation marks, this is a text"),
        ("= 5", "= 5.5", "countdown: must be a whole number"),
        ("= 5", "= 5\ncountdown = 6", "line 9, column 1: not valid TOML: duplicate key"),
        ("[operator]", "[operater]", "line 9, column 2: operater: unknown key - did you mean \"operator\"?"),
        ("[operator]", "[jobs]", "line 9, column 2: jobs: unknown key - did you mean \"job\"?"),
        ("name =", "nmae =", "line 10, column 1: nmae: unknown key - did you mean \"name\"?"),
        ("\"Żaneta\"", "\"\"\"a\nb\"\"\"", "line 10, column 8: name: must be one line of printable text"),
        (
            "[operator]",
            "[media]\nproperty-number = \"1\"\n[operator]",
            "line 10, column 1: property-number: belongs to one drive",
        ),
        (
            "[operator]",
            "[media.S1]\nowner = \"x\"\n[operator]",
            "line 10, column 1: owner: unknown key. Allowed: property-number, source, classification",
        ),
        ("[operator]", "[media.\" \"]\n[operator]", "media: a serial number or WWN must not be empty"),
        ("[job]", "job = 3\n[job2]", "job: must be a table"),
    ];
    for (from, to, expected) in rows {
        assert!(WIPE.contains(from), "{from}");
        let lines = errors(&WIPE.replacen(from, to, 1));
        assert!(lines.iter().any(|line| line.contains(expected)), "{from} -> {to}:\n{expected}\n{lines:#?}");
    }
}

#[test]
fn all_problems_are_reported_in_the_order_of_the_file_and_then_survives_them() {
    let text = "[operator]\nnam = \"\"\n[job]\naction = \"wip\"\nthen = \"reboot\"\nmethod = \"x\"\n";
    let error = job(text).unwrap_err();
    assert_eq!(error.then, Some(Then::Reboot));
    let places: Vec<_> = error.lines().iter().map(|line| line.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(
        places,
        ["line 2, column 1", "line 4, column 10", "line 6, column 10"].map(|p| format!("mule.toml, {p}"))
    );
    assert_eq!(error.to_string().lines().count(), 3);
}

#[test]
fn an_empty_file_is_no_job() {
    assert!(errors("[job]\n\u{0}\u{1}\u{2}\n")[0].starts_with("mule.toml, line 2, column 1: not valid TOML:"));
    assert!(errors("")[0].starts_with("mule.toml: action: is missing under [job]"));
}

#[test]
fn verification_may_be_left_out_where_the_method_has_none() {
    let text = WIPE.replace("dod-5220.22-m", "zero").replace("full", "none");
    assert_eq!(job(&text).unwrap().verify(), VerifyExtent::None);
}

#[test]
fn media_fields_of_a_drive_precede_those_of_all() {
    let text = format!(
        "{WIPE}[media]\nsource = \"school\"\nclassification = \"public\"\n\
                        [media.S1]\nproperty-number = \"7\"\nclassification = \"secret\"\n"
    );
    let job = job(&text).unwrap();
    let fields = |p: &str, s: &str, c: &str| MediaFields {
        property_number: p.into(),
        source: s.into(),
        classification: c.into(),
    };
    assert_eq!(job.media(["S1", "naa.1"]), fields("7", "school", "secret"));
    assert_eq!(job.media(["naa.1", "S1"]), fields("7", "school", "secret"));
    assert_eq!(job.media(["S2"]), fields("", "school", "public"));
}

#[test]
fn the_command_line_takes_precedence() {
    let over =
        overrides("quiet mule.method=zero mule.drives=A,\"B 2\" mule.verify=none mule.then=stay mule.countdown=0");
    let job = parse("mule.toml", WIPE.as_bytes(), &over).unwrap();
    assert_eq!(job.method().unwrap().name, "zero");
    assert_eq!(*job.drives(), Selection::Named(vec!["A".into(), "B 2".into()]));
    assert_eq!((job.verify(), job.then(), job.countdown()), (VerifyExtent::None, Then::Stay, Duration::ZERO));
    let all = parse("m", WIPE.as_bytes(), &overrides("mule.drives=all mule.action=report")).unwrap();
    assert_eq!((all.action(), all.drives()), (Action::Report, &Selection::All));
    // A wrong value in the file does not matter where the command line replaces it.
    assert!(parse("m", WIPE.replace("wipe", "x").as_bytes(), &overrides("mule.action=wipe")).is_ok());
}

#[test]
fn mistakes_on_the_command_line_name_the_parameter() {
    for (line, expected) in [
        ("mule.metod=zero", "kernel command line: mule.metod: unknown parameter - did you mean \"method\"?"),
        ("mule.=zero", "kernel command line: mule.: unknown parameter"),
        ("mule.method=dodd", "kernel command line: mule.method: unknown method \"dodd\""),
        ("mule.method", "kernel command line: mule.method: needs a value"),
        ("mule.method=", "kernel command line: mule.method: needs a value"),
        ("mule.confirm=yes", "mule.confirm: \"yes\" is the wrong word"),
        ("mule.countdown=ten", "mule.countdown: \"ten\" is out of range"),
        ("mule.drives=A,,B", "mule.drives: an entry of the list is empty"),
        ("mule.drives=A,A", "mule.drives: \"A\" is in the list twice"),
        ("mule.drives=A mule.drives=B", "mule.drives: is given twice with different values"),
        ("mule.job=../x", "mule.job: \"../x\" is no path of a file on the stick"),
        ("mule.job=jobs/../../x", "mule.job:"),
        ("mule.job=/", "mule.job:"),
        ("mule.job=a\\b", "mule.job:"),
        ("mule.then=off mule.x=1", "mule.then: unknown value \"off\""),
    ] {
        let lines = parse("mule.toml", WIPE.as_bytes(), &overrides(line)).unwrap_err().lines();
        assert!(lines.iter().any(|l| l.contains(expected)), "{line}\n{lines:#?}");
    }
    let twice = overrides("mule.then=reboot mule.then=reboot mule.x=1");
    assert_eq!(twice.then(), Some(Then::Reboot));
    assert_eq!(parse("m", b"", &twice).unwrap_err().then, Some(Then::Reboot));
}

#[test]
fn the_file_on_the_stick_is_read_within_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    let reason = |over: &str| read(dir.path(), &overrides(over)).unwrap_err().to_string();
    assert_eq!(reason(""), "there is no job file mule.toml on the stick");
    write("mule.toml", WIPE.as_bytes());
    assert!(read(dir.path(), &Overrides::default()).is_ok());
    std::fs::create_dir(dir.path().join("jobs")).unwrap();
    write("jobs/a.toml", WIPE.as_bytes());
    assert!(read(dir.path(), &overrides("mule.job=/jobs/a.toml")).is_ok());
    assert_eq!(reason("mule.job=jobs"), "jobs is not a file");
    write("big.toml", &[b' '; MAX_BYTES + 1]);
    assert_eq!(reason("mule.job=big.toml"), "the job file big.toml is larger than 65536 bytes");
    write("latin.toml", b"[job]\n# Z\xfcrich\n");
    assert!(reason("mule.job=latin.toml").contains("the first bad byte is in line 2"));
    write("utf16.toml", b"\xff\xfe[\0j\0");
    assert!(reason("mule.job=utf16.toml").contains("UTF-16"));
}

#[test]
fn the_digest_tells_different_jobs_apart_and_nothing_else() {
    let digest = |from: &str, to: &str| job(&WIPE.replacen(from, to, 1)).unwrap().digest();
    let same = digest("", "");
    for (from, to) in [
        ("= 5", "= 6"),
        ("power-off", "stay"),
        ("\"S1\", \"naa.5\"", "\"naa.5\",   \"S1\""),
        ("[job]", "# x\r\n[job]"),
        ("verify = \"full\"", ""),
    ] {
        assert_eq!(digest(from, to), same, "{to}");
    }
    let mut seen = vec![same];
    for (from, to) in [
        ("dod-5220.22-m", "vsitr"),
        ("[\"S1\", \"naa.5\"]", "\"all\""),
        ("\"S1\", \"naa.5\"", "\"S1\""),
        ("\"S1\", \"naa.5\"", "'S1\", \"naa.5'"),
        ("full", "sampled"),
        ("Żaneta", "Zaneta"),
        ("name", "title"),
        ("[operator]", "[media]\nsource = \"x\"\n[operator]"),
        ("[operator]", "[media.x]\nsource = \"x\"\n[operator]"),
    ] {
        let digest = digest(from, to);
        assert!(!seen.contains(&digest), "{to}");
        seen.push(digest);
    }
}

/// xorshift: the same bytes in every run.
fn random(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state % 1_000_003).unwrap()
}

#[test]
fn no_bytes_make_the_reader_panic_or_wipe_by_accident() {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let pool = b"[]{}=\"'#.,\n\r\\ujobwipeaction\xff\xc3\xbc\0 -019:TZ_";
    for round in 0..4000 {
        let text = [WIPE, copy::RESTORE, copy::CLONE, copy::IMAGE, ""][round % 5];
        let mut bytes = text.replace("erase", "no").into_bytes();
        for _ in 0..random(&mut state) % 60 + 1 {
            let byte = pool[random(&mut state) % pool.len()];
            match (random(&mut state) % 3, bytes.len()) {
                (_, 0) | (0, _) => bytes.insert(random(&mut state) % (bytes.len() + 1), byte),
                (1, len) => bytes[random(&mut state) % len] = byte,
                (_, len) => drop(bytes.remove(random(&mut state) % len)),
            }
        }
        if let Ok(job) = parse("fuzz", &bytes, &Overrides::default()) {
            assert!(!job.action().is_destructive(), "{bytes:?}");
        }
        let _ = overrides(&format!("mule.drives={}", String::from_utf8_lossy(&bytes)));
    }
}

#[test]
fn deep_nesting_is_an_error() {
    let text = format!("[job]\ndrives = {}", "[".repeat(60_000));
    assert!(!errors(&text).is_empty());
}
