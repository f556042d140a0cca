//! The job file that a new stick carries.

use super::*;
use mule_types::jobfile::EXAMPLE;

/// The example with this action and without the `#` before these lines.
fn switched_on(action: &str, starts: &[&str]) -> String {
    let mut text = EXAMPLE.replace("action = \"report\" ", &format!("action = \"{action}\" "));
    for start in starts {
        assert_eq!(text.matches(&format!("\n#{start}")).count(), 1, "{start}");
        text = text.replace(&format!("\n#{start}"), &format!("\n{start}"));
    }
    text
}

const ONE: &str = "drives = [\"WD-WX11A22B3333\"]";

#[test]
fn it_is_valid_touches_nothing_and_can_be_switched_on() {
    let report = job(EXAMPLE).unwrap();
    assert_eq!((report.action(), report.then()), (Action::Report, Then::Stay));
    let wipe = job(&switched_on("wipe", &["method", "drives", "confirm", "then", "[media.", "property"])).unwrap();
    assert_eq!((wipe.action(), wipe.then()), (Action::Wipe, Then::PowerOff));
    assert_eq!(wipe.media(["WD-WX11A22B3333"]).property_number, "PC-0042");
}

#[test]
fn it_names_every_key_and_every_action_can_be_switched_on() {
    let rows: &[(&str, &[&str])] = &[
        ("wipe", &["method", "drives", "confirm", "store ", "store-drive", "keep", "frozen", "repeat", "open-for"]),
        ("verify", &["method", "drives"]),
        ("verify", &["image", "store "]),
        ("image", &["drives", "store ", "name", "base", "raw", "level", "hash", "retries"]),
        ("restore", &["drives", "confirm", "store ", "image", "keep", "tail", "smaller", "give-up-behind", "move-gpt"]),
        (
            "clone",
            &[
                "drives",
                "confirm",
                "store ",
                "keep",
                "source = \"WD",
                "hash",
                "retries",
                "tail",
                "smaller",
                "give-up-behind",
                "move-gpt",
            ],
        ),
    ];
    for (action, starts) in rows {
        let text = switched_on(action, starts);
        // A report may have all of it, to try the job first.
        job(&text.replace(&format!("action = \"{action}\""), "action = \"report\"")).unwrap();
        let text = if *action == "wipe" { text } else { text.replace("drives = \"all\"", ONE) };
        assert_eq!(job(&text).unwrap().action().word(), *action);
    }
    for key in Key::names() {
        let start = EXAMPLE.lines().filter(|line| line.trim_start_matches('#').starts_with(&format!("{key} = ")));
        // [operator] and [media] have a "name" and a "source" as well.
        assert_eq!(start.count(), if matches!(key, "name" | "source") { 2 } else { 1 }, "{key}");
    }
}

#[test]
fn what_it_shows_as_a_default_is_the_default() {
    let all = ["store ", "raw", "level", "hash", "retries"];
    let image = |starts: &[&str]| job(&switched_on("image", starts)).unwrap();
    assert_eq!(image(&all).copy(), image(&[]).copy());
    let clone = |starts: &[&str]| {
        let starts = [&["drives", "confirm", "source = \"WD"], starts].concat();
        job(&switched_on("clone", &starts).replace("drives = \"all\"", ONE)).unwrap()
    };
    let all = ["hash", "retries", "tail", "smaller", "give-up-behind", "move-gpt"];
    assert_eq!(clone(&all).copy(), clone(&[]).copy());
    assert_eq!(clone(&all).copy().source.as_deref(), Some("WD-WX11A22B4444"));
}
