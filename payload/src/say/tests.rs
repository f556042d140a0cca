use super::*;
use std::process::Command;

/// Each would do something on a terminal, or hide.
const NASTY: [&str; 24] = [
    "\0",
    "\u{7}",
    "\u{8}",
    "\t",
    "\n",
    "\r",
    "\u{b}",
    "\u{1b}",
    "\u{7f}",
    "\u{80}",
    "\u{85}",
    "\u{9b}",
    "\u{9f}",
    "\u{ad}",
    "\u{61c}",
    "\u{200b}",
    "\u{200e}",
    "\u{2028}",
    "\u{2029}",
    "\u{202e}",
    "\u{2066}",
    "\u{feff}",
    "\u{e0041}",
    "\u{f8ff}",
];
const FINE: [&str; 8] =
    ["plain ~ text", "C:\\new\\u", "M\u{fc}ller", "e\u{301}", "\u{65e5}\u{672c}", "\u{1f600}", "'\"`$", "\u{2014}"];

#[test]
fn only_what_is_printable_is_shown_as_it_is() {
    for c in (0..=0x10_ffff).filter_map(char::from_u32).filter(|c| c.is_control()) {
        assert!(!is_printable(c), "{c:?}");
    }
    for range in ['\u{200b}'..='\u{200f}', '\u{2028}'..='\u{202f}', '\u{2060}'..='\u{206f}', '\u{e0000}'..='\u{e007f}']
    {
        range.for_each(|c| assert!(!is_printable(c), "{c:?}"));
    }
    for text in NASTY {
        let code = u32::from(text.chars().next().unwrap());
        assert_eq!(shown(format!("a{text}b")), format!("a\\u{{{code:x}}}b"));
        assert_eq!(shown(shown(text)), shown(text), "twice is once");
    }
    for text in FINE {
        assert_eq!(shown(text), text);
    }
}

#[test]
fn one_call_is_one_line_whatever_is_in_it() {
    let mut out = Vec::new();
    let mut lines = Lines::new(&mut out);
    lines.line(format_args!("{}: {:?}", "a\nType yes: \x1b]0;x\x07", "b\n")).unwrap();
    lines.json(&serde_json::json!({"name": "a\n\u{9b}\u{202e}\u{7f}\u{e0041}", "fine": "\u{fc}"})).unwrap();
    drop(lines);
    let text = String::from_utf8(out).unwrap();
    assert!(text.chars().all(|c| is_printable(c) || c == '\n') && text.ends_with('\n'));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], r#"a\u{a}Type yes: \u{1b}]0;x\u{7}: "b\n""#);
    assert_eq!(lines[1], r#"{"name":"a\n\u009b\u202e\u007f\udb40\udc41","fine":"ü"}"#);
    assert_eq!(lines.len(), 2);
    let back: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(back["name"], "a\n\u{9b}\u{202e}\u{7f}\u{e0041}");
}

#[test]
fn bytes_on_a_terminal_are_read_and_do_nothing() {
    let bytes = b"Gr\xc3\xbc\xc3\x9fe\r\n\tn\xff\xc0\xafo\x1b[2J\xc2\x9b\xe2\x82\r\xf0\x9f";
    let wanted = "Grüße\n\tn\\xff\\xc0\\xafo\\u{1b}[2J\\u{9b}\\xe2\\x82\\u{d}\\xf0\\x9f";
    for piece in 1..=bytes.len() {
        let mut out = Vec::new();
        let mut screen = screen::Screen::new(&mut out);
        bytes.chunks(piece).for_each(|piece| screen.write_all(piece).unwrap());
        screen.flush().unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), wanted, "in pieces of {piece}");
    }
}

#[test]
fn a_shell_takes_a_word_for_what_it_is() {
    assert_eq!(word("/tmp/disk-1.img"), "/tmp/disk-1.img");
    assert_eq!(word("Ümlaut 1"), "'Ümlaut 1'");
    assert_eq!(word("a\n7"), r"$'a\0127'");
    let all =
        NASTY.iter().chain(&FINE).copied().chain(["", "-n", "$(touch x)", "it's", "a b", "~", "#", "\\'\n", "\u{9b}1"]);
    for text in all.filter(|text| !text.contains('\0')) {
        let asked = word(text);
        assert!(asked.chars().all(is_printable), "{asked}");
        let out = Command::new("bash").args(["-c", &format!("printf %s. {asked}")]).env("LC_ALL", "C.UTF-8").output();
        assert_eq!(String::from_utf8(out.unwrap().stdout).unwrap(), format!("{text}."), "{asked}");
    }
}
